//! Damages model files and compares what is still accepted with its own evaluator.
//!
//! A damaged file must be refused, or the body made from it must agree with [`Source::evaluate`], which reads the same file and shares no
//! code with the body. Nothing may panic.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ears_only::random::{below, unit};
use rand_core::Rng;
use rand_pcg::Pcg32;
use serde::Serialize;

use super::architecture::Architecture;
use super::{Converted, Format, Imported, Source};

/// Rows that an accepted file is compared on.
const ROWS: usize = 12;

/// What became of damaged files.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Files damaged.
    pub mutated: u64,
    /// Refused, by the importer or the body.
    pub refused: u64,
    /// Accepted, with the same bytes of a body as before: the damage hit nothing that counts.
    pub same: u64,
    /// Accepted as another model.
    pub other: u64,
    /// Rows compared.
    pub rows: u64,
    /// Rows whose values leave the range in which the device does not clamp.
    pub out_of_range: u64,
    /// Rows on which body and evaluator differ by more than rounding explains.
    pub different: u64,
    /// Panics.
    pub panics: u64,
    /// Largest deviation as a share of what rounding explains.
    pub worst_share: f64,
}

impl Tally {
    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        self.mutated += other.mutated;
        self.refused += other.refused;
        self.same += other.same;
        self.other += other.other;
        self.rows += other.rows;
        self.out_of_range += other.out_of_range;
        self.different += other.different;
        self.panics += other.panics;
        self.worst_share = self.worst_share.max(other.worst_share);
    }
}

/// Damages one file `count` times, by `seed`.
#[must_use]
pub fn run(format: Format, bytes: &[u8], architecture: Option<&Architecture>, count: u64, seed: u64) -> Tally {
    let mut tally = Tally::default();
    let whole = Imported::read(format, bytes, architecture).and_then(|imported| Converted::new(imported.source()));
    let whole = whole.ok().map(|converted| converted.body);
    for index in 0..count {
        let mut rng = Pcg32::new(seed, index);
        let damaged = damage(bytes, is_text(format), &mut rng);
        tally.mutated += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut tally = Tally::default();
            let accepted = Imported::read(format, &damaged, architecture)
                .and_then(|imported| Converted::new(imported.source()).map(|converted| (imported, converted)));
            match accepted {
                Err(_) => tally.refused += 1,
                Ok((imported, converted)) => {
                    if Some(&converted.body) == whole.as_ref() {
                        tally.same += 1;
                    } else {
                        tally.other += 1;
                    }
                    compare(imported.source(), &converted, &mut rng, &mut tally);
                }
            }
            tally
        }));
        match outcome {
            Ok(one) => tally.add(&one),
            Err(_) => tally.panics += 1,
        }
    }
    tally
}

/// Whether words and numbers of a file can be exchanged.
fn is_text(format: Format) -> bool {
    matches!(format, Format::XgboostJson | Format::LightGbm | Format::Logistic)
}

/// Compares body and evaluator on rows near the thresholds of the model.
pub fn compare<R: Rng>(source: &dyn Source, converted: &Converted, rng: &mut R, tally: &mut Tally) {
    let near = Near::of(source);
    for _ in 0..ROWS {
        let row = row_near(source, &near, rng);
        tally.rows += 1;
        let evaluation = source.evaluate(&row);
        if !evaluation.in_range {
            tally.out_of_range += 1;
            continue;
        }
        let share = (converted.margin(&row) - evaluation.margin).abs() / evaluation.allowed();
        // Also for NaN.
        if share <= 1.0 {
            tally.worst_share = tally.worst_share.max(share);
        } else {
            tally.different += 1;
        }
    }
}

/// Where the values of a model's columns matter.
pub struct Near {
    thresholds: BTreeMap<usize, Vec<f32>>,
    categorical: Vec<usize>,
    scaling: Vec<(f32, f32)>,
}

impl Near {
    /// The thresholds of a model by column.
    #[must_use]
    pub fn of(source: &dyn Source) -> Self {
        let mut thresholds: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        for (column, threshold) in source.thresholds() {
            thresholds.entry(column).or_default().push(threshold);
        }
        Self { thresholds, categorical: source.categorical(), scaling: source.scaling().unwrap_or_default() }
    }
}

/// A row of values at, beside and away from the thresholds; with missing ones for trees.
pub fn row_near<R: Rng>(source: &dyn Source, near: &Near, rng: &mut R) -> Vec<f32> {
    let trees = !near.thresholds.is_empty();
    let value = |column: usize| {
        if trees {
            return value(near.thresholds.get(&column), near.categorical.contains(&column), rng);
        }
        // Within four scales of the mean, where networks are used.
        let (mean, scale) = near.scaling.get(column).copied().unwrap_or((0.0, 1.0));
        match below(rng, 16) {
            0 => [0.0, 1.0, -1.0, mean][below(rng, 4) as usize],
            _ => mean + scale * (unit(rng) * 8.0 - 4.0) as f32,
        }
    };
    (0..source.columns()).map(value).collect()
}

/// A value of a column that trees read: at or beside a threshold, missing, plain, or far out.
fn value<R: Rng>(near: Option<&Vec<f32>>, categorical: bool, rng: &mut R) -> f32 {
    let pick = |values: &Vec<f32>, rng: &mut R| values.get(below(rng, values.len() as u32) as usize).copied().unwrap_or_default();
    let value = match (below(rng, 10), near) {
        (0..=2, Some(near)) => pick(near, rng),
        (3, Some(near)) => pick(near, rng).next_down(),
        (4, Some(near)) => pick(near, rng).next_up(),
        (5, _) => f32::NAN,
        (6, _) => below(rng, 64) as f32,
        (7, _) => [0.0, -0.0, 1e-36, -1.0, 1e3][below(rng, 5) as usize],
        _ => (unit(rng) * 8.0 - 4.0) as f32,
    };
    match value {
        // XGBoost and LightGBM take a category between -1 and 0 differently, and the device as LightGBM does.
        value if categorical && value > -1.0 && value < 0.0 => 0.0,
        // Rows of the device are finite.
        value if value.is_infinite() => f32::MAX.copysign(value),
        value => value,
    }
}

/// One to four damages to a copy.
fn damage<R: Rng>(bytes: &[u8], text: bool, rng: &mut R) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    for _ in 0..=[0, 0, 0, 1, 1, 2, 3][below(rng, 7) as usize] {
        if text && below(rng, 2) == 0 { damage_word(&mut damaged, rng) } else { damage_bytes(&mut damaged, rng) }
    }
    damaged
}

/// A place within `length` values.
fn place<R: Rng>(length: usize, rng: &mut R) -> usize {
    below(rng, u32::try_from(length).unwrap_or(u32::MAX).max(1)) as usize
}

/// A range of up to 64 bytes or, rarely, an eighth of the file.
fn range<R: Rng>(length: usize, rng: &mut R) -> std::ops::Range<usize> {
    let from = place(length, rng);
    let most = if below(rng, 16) == 0 { length / 8 } else { 64 };
    from..(from + 1 + place(most, rng)).min(length)
}

fn damage_bytes<R: Rng>(bytes: &mut Vec<u8>, rng: &mut R) {
    let at = place(bytes.len(), rng);
    let special = [0.0, -0.0, 1.0, -1.0, f32::NAN, f32::INFINITY, f32::MAX, 1e-40, 1e6, -3.5][below(rng, 10) as usize];
    let whole = [0, 1, 2, -1, -2, i32::MAX, i32::MIN, 255, 65_536, 16_777_216][below(rng, 10) as usize];
    match below(rng, 10) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << below(rng, 8);
            }
        }
        2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = [0, 1, 0x7f, 0x80, 0xff, b'0', b'9', b'"'][below(rng, 8) as usize];
            }
        }
        3 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = below(rng, 256) as u8;
            }
        }
        4 => {
            let gone = range(bytes.len(), rng);
            bytes.drain(gone);
        }
        5 => {
            let copied: Vec<u8> = bytes.get(range(bytes.len(), rng)).unwrap_or_default().to_vec();
            bytes.splice(at..at, copied);
        }
        6 => {
            // Over what stands there, so that lengths stay.
            let copied: Vec<u8> = bytes.get(range(bytes.len(), rng)).unwrap_or_default().to_vec();
            for (to, from) in bytes.iter_mut().skip(at).zip(copied) {
                *to = from;
            }
        }
        7 if below(rng, 8) == 0 => bytes.truncate(at),
        8 => {
            let number = if below(rng, 2) == 0 { special.to_le_bytes() } else { special.to_be_bytes() };
            write(bytes, at & !3, &number);
        }
        _ => {
            let number = if below(rng, 2) == 0 { whole.to_le_bytes() } else { whole.to_be_bytes() };
            write(bytes, at, &number);
        }
    }
}

fn write(bytes: &mut [u8], at: usize, number: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(number) {
        *to = *from;
    }
}

/// Numbers and words that mean something somewhere.
const WORDS: [&str; 22] = [
    "0",
    "1",
    "2",
    "-1",
    "-2",
    "3",
    "7",
    "10",
    "0.5",
    "-0.25",
    "1e300",
    "-1e300",
    "1e-40",
    "1e39",
    "NaN",
    "inf",
    "2147483647",
    "4294967296",
    "16777216",
    "65536",
    "true",
    "null",
];

/// Exchanges, drops or doubles a word, or takes one of [`WORDS`].
fn damage_word<R: Rng>(bytes: &mut Vec<u8>, rng: &mut R) {
    let word = |bytes: &[u8], rng: &mut R| {
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'_');
        let start = place(bytes.len(), rng);
        let start = (start..bytes.len()).find(|at| inside(&bytes[*at]))?;
        let start = (0..start).rev().take_while(|at| inside(&bytes[*at])).last().unwrap_or(start);
        let end = (start..bytes.len()).find(|at| !inside(&bytes[*at])).unwrap_or(bytes.len());
        Some(start..end)
    };
    let Some(first) = word(bytes, rng) else { return };
    match below(rng, 6) {
        0..=2 => {
            let new = WORDS[below(rng, WORDS.len() as u32) as usize];
            bytes.splice(first, new.bytes());
        }
        3 | 4 => {
            // Another word of the file in its place.
            let Some(second) = word(bytes, rng) else { return };
            let copied = bytes.get(second).unwrap_or_default().to_vec();
            bytes.splice(first, copied);
        }
        _ => {
            // Without the mark behind it.
            let end = (first.end + 1).min(bytes.len());
            bytes.drain(first.start..end);
        }
    }
}
