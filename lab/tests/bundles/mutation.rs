//! Mutations that know the format: numbers, texts and fields of the header, its table of sections, and words of the sections.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use serde_json::{Value, json};

pub struct Mutator {
    rng: Pcg32,
}

impl Mutator {
    pub fn new(number: u64) -> Self {
        Self { rng: Pcg32::seed_from_u64(number) }
    }

    fn below(&mut self, most: usize) -> usize {
        (self.rng.next_u64() % most.max(1) as u64) as usize
    }

    /// One to three changes; the sections stay aligned.
    pub fn mutate(&mut self, header: &Value, area: &[u8]) -> (String, Vec<u8>) {
        let (mut header, mut area) = (header.clone(), area.to_vec());
        for _ in 0..=self.below(3) {
            match self.below(6) {
                0 | 1 => self.change_somewhere(&mut header),
                2 => self.change_section(&mut header),
                3 | 4 => self.change_words(&mut area),
                _ => {
                    let length = self.below(area.len() + 64) & !7;
                    area.resize(length, 0);
                }
            }
        }
        let mut text = header.to_string();
        if self.below(50) == 0 {
            text.truncate(self.below(text.len()));
        }
        (text, area)
    }

    /// Goes down to a random place and changes it.
    fn change_somewhere(&mut self, value: &mut Value) {
        let deeper = self.below(4) > 0;
        match value {
            Value::Object(fields) if deeper && !fields.is_empty() => {
                let at = self.below(fields.len());
                if let Some((_, field)) = fields.iter_mut().nth(at) {
                    self.change_somewhere(field);
                }
            }
            Value::Array(entries) if deeper && !entries.is_empty() => {
                let at = self.below(entries.len());
                self.change_somewhere(&mut entries[at]);
            }
            Value::Object(fields) if !fields.is_empty() => {
                let at = self.below(fields.len());
                let Some(name) = fields.keys().nth(at).cloned() else { return };
                match self.below(3) {
                    0 => drop(fields.remove(&name)),
                    1 => drop(fields.insert("unknown".to_owned(), json!(1))),
                    _ => drop(fields.insert(name, self.value())),
                }
            }
            Value::Array(entries) if !entries.is_empty() => {
                let at = self.below(entries.len());
                match self.below(3) {
                    0 => drop(entries.remove(at)),
                    1 => entries.push(entries[at].clone()),
                    _ => {
                        let times = self.below(400);
                        let entry = entries[at].clone();
                        entries.extend(std::iter::repeat_n(entry, times));
                    }
                }
            }
            _ => *value = self.value(),
        }
    }

    fn change_section(&mut self, header: &mut Value) {
        let Some(Value::Object(sections)) = header.get_mut("sections") else { return };
        let at = self.below(sections.len());
        let Some((_, section)) = sections.iter_mut().nth(at).filter(|(_, section)| section.is_object()) else { return };
        match self.below(4) {
            0 => section["type"] = json!(["f64", "f32", "f16", "i8", "u16", "u32", "i128"][self.below(7)]),
            1 => section["length"] = self.number(),
            2 => section["offset"] = self.number(),
            _ => {
                let length = section["length"].as_u64().unwrap_or(0);
                section["length"] = json!(length.wrapping_add(self.below(5) as u64).wrapping_sub(2));
            }
        }
    }

    fn change_words(&mut self, area: &mut [u8]) {
        let width = [1, 2, 4, 8][self.below(4)];
        if area.len() < width {
            return;
        }
        let at = self.below(area.len() / width) * width;
        let word = match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => f64::NAN.to_bits(),
            3 => f64::INFINITY.to_bits(),
            4 => u64::from(f32::NAN.to_bits()) | u64::from(f32::INFINITY.to_bits()) << 32,
            5 => self.rng.next_u64() & 0xf,
            6 => (f64::from(self.rng.next_u32()) / 1e9).to_bits(),
            _ => self.rng.next_u64(),
        };
        area[at..at + width].copy_from_slice(&word.to_le_bytes()[..width]);
    }

    fn number(&mut self) -> Value {
        match self.below(9) {
            0 => json!(0),
            1 => json!(-1),
            2 => json!(1e300),
            3 => json!(u32::MAX),
            4 => json!(9_007_199_254_740_992u64),
            5 => json!(0.5),
            6 => json!(1e-300),
            7 => json!(self.below(300)),
            _ => json!(self.rng.next_u64()),
        }
    }

    fn value(&mut self) -> Value {
        match self.below(9) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(["", "given", "context", "trees", "network", "linear", "relu", "taste_long", "thompson"][self.below(9)]),
            3 => json!("x".repeat(self.below(300))),
            4 => json!([]),
            5 => json!({}),
            _ => self.number(),
        }
    }
}
