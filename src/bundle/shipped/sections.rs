//! The arrays behind the header.

use super::corrupt;
use crate::error::Error;
use crate::math::two_to;
use crate::settings::{Field, Value, field};

/// Sections start at multiples of this, counted from the first one.
const ALIGNMENT: usize = 8;

/// How the values of a section are stored, little-endian: name, bytes of each.
const TYPES: [(&str, usize); 6] = [("f64", 8), ("f32", 4), ("f16", 2), ("i8", 1), ("u16", 2), ("u32", 4)];

/// The sections of a bundle; they lie one behind the other in the order of the header, with zeros between them.
pub(super) struct Sections<'a> {
    table: &'a [(String, Value)],
    area: &'a [u8],
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

impl<'a> Sections<'a> {
    /// - `rest`: the header, of this length, and everything behind it but the checksum.
    pub(super) fn new(table: Field<'a>, rest: &'a [u8], header: usize) -> Result<Self, Error> {
        let table = table.entries()?;
        let gap =
            corrupt("expected sections side by side up to the checksum, with zeros up to the next multiple of 8, got others");
        let Some((before, area)) = rest.split_at_checked(padded(header)) else { return Err(gap) };
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        let mut good = is_zero(&before[header..]);
        let sections = Self { table, area };
        let mut end = 0;
        for (name, value) in table {
            let (_, offset, bytes) = sections.place(name, value)?;
            good &= offset == padded(end) && area.get(end..offset).is_some_and(is_zero);
            end = offset + bytes.len();
        }
        good &= area.len() == padded(end) && area.get(end..).is_some_and(is_zero);
        if good { Ok(sections) } else { Err(gap) }
    }

    /// Type, place and bytes of a section.
    fn place(&self, name: &str, value: &'a Value) -> Result<(&'static str, usize, &'a [u8]), Error> {
        let fields = Field::root(value, name, "bundle_corrupt").object(&["length", "offset", "type"])?;
        let of = |name| field(fields, name, "bundle_corrupt");
        let (offset, length) = (of("offset").whole(u32::MAX)? as usize, of("length").whole(u32::MAX)? as usize);
        let kind = of("type").text()?;
        let known = TYPES.iter().find(|(name, _)| *name == kind);
        let bytes = known.and_then(|(_, size)| self.area.get(offset..)?.get(..length.checked_mul(*size)?));
        match (known, bytes) {
            (Some((kind, _)), Some(bytes)) => Ok((kind, offset, bytes)),
            _ => Err(corrupt(format!("expected section {name} of a known type within the bundle, got another"))),
        }
    }

    /// The numbers of a section, exact; none of a section that is not there, if `least` is 0.
    pub(super) fn numbers(&self, name: &str, least: usize, most: usize) -> Result<Vec<f64>, Error> {
        let Some((_, value)) = self.table.iter().find(|(key, _)| key == name) else {
            return if least == 0 { Ok(Vec::new()) } else { Err(corrupt(format!("expected a section {name}, got none"))) };
        };
        let (kind, _, bytes) = self.place(name, value)?;
        let size = TYPES.iter().find(|(name, _)| *name == kind).map_or(1, |(_, size)| *size);
        let count = bytes.len() / size;
        if !(least..=most).contains(&count) {
            return Err(corrupt(format!("expected {least} to {most} values in section {name}, got {count}")));
        }
        let number = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..size].copy_from_slice(bytes);
            let bits = u64::from_le_bytes(word);
            match kind {
                "f64" => f64::from_bits(bits),
                "f32" => f32::from_bits(bits as u32).into(),
                "f16" => half(bits as u16),
                "i8" => (bits as i8).into(),
                _ => bits as f64,
            }
        };
        Ok(bytes.chunks_exact(size).map(number).collect())
    }

    /// The same as whole numbers; anything else becomes the nearest one.
    pub(super) fn words(&self, name: &str, least: usize, most: usize) -> Result<Vec<u32>, Error> {
        Ok(self.numbers(name, least, most)?.into_iter().map(|number| number as u32).collect())
    }

    /// `rows` rows of `width` numbers, each row times its value in the section `NAMEScale` where there is one.
    pub(super) fn rows(&self, name: &str, rows: usize, width: usize) -> Result<Vec<f32>, Error> {
        let numbers = self.numbers(name, rows * width, rows * width)?;
        let scales = self.numbers(&format!("{name}Scale"), 0, rows)?;
        if scales.is_empty() {
            return Ok(numbers.into_iter().map(|number| number as f32).collect());
        }
        if scales.len() != rows {
            return Err(corrupt(format!("expected {rows} values in section {name}Scale, got {}", scales.len())));
        }
        let scaled = |(at, number): (usize, f64)| number as f32 * scales[at / width] as f32;
        Ok(numbers.into_iter().enumerate().map(scaled).collect())
    }
}

/// The value of a binary16 number (IEEE 754-2019, 3.6), exact.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1_023));
    let size = match exponent {
        0 => fraction * two_to(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1_024.0 + fraction) * two_to(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_by_its_table() {
        for (bits, want) in [
            (0x0000, 0.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x03ff, 6.097_555_160_522_461e-5),
            (0x0400, 6.103_515_625e-5),
            (0x3555, 0.333_251_953_125),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65_504.0),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), want, "{bits:04x}");
        }
        assert_eq!(half(0x8000).to_bits(), (-0.0f64).to_bits());
        assert!(half(0x7e00).is_nan());
    }
}
