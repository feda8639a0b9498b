//! The rows of a batch in order of slice, so that each slice's sums walk along columns.

use std::collections::HashMap;
use std::ops::Range;

use super::plan::{Plan, hashed};
use crate::logs::parquet::Batch;

/// Which rows of a batch count, by slice. Slices are numbered as the batch meets them, so that nothing depends on other batches.
#[derive(Default)]
pub(super) struct Sorted {
    /// Rows of the batch, slice by slice, in their order within each.
    pub(super) rows: Vec<u32>,
    /// By slice: the first row of the batch that is in it, and where its rows stand in `rows`.
    pub(super) slices: Vec<(usize, Range<usize>)>,
    /// Whether `rows` are the first rows of the batch as they stand.
    as_they_stand: bool,
    codes: Vec<u32>,
    ends: Vec<usize>,
}

impl Sorted {
    /// Sorts `good` rows of a batch.
    pub(super) fn sort(&mut self, plan: &Plan, batch: &Batch, good: &[u32]) {
        self.slices.clear();
        self.rows.clear();
        if good.is_empty() {
            return;
        }
        self.codes.clear();
        if let [(false, column)] = plan.slices[..] {
            self.code_numbers(&batch.numbers[column].values, good);
        } else if !plan.slices.is_empty() {
            self.code(plan, batch, good);
        }
        if self.slices.len() <= 1 {
            let first = good[0] as usize;
            self.slices = vec![(first, 0..good.len())];
            self.rows.extend_from_slice(good);
            self.as_they_stand = good.len() == batch.rows;
            return;
        }
        self.as_they_stand = false;
        self.ends.clear();
        self.ends.resize(self.slices.len(), 0);
        let ends = &mut self.ends[..];
        self.codes.iter().for_each(|code| ends[*code as usize] += 1);
        let mut start = 0;
        for ((_, range), end) in self.slices.iter_mut().zip(&mut self.ends) {
            *range = start..start + *end;
            *end = start;
            start = range.end;
        }
        self.rows.resize(good.len(), 0);
        for (code, row) in self.codes.iter().zip(good) {
            let at = &mut self.ends[*code as usize];
            self.rows[*at] = *row;
            *at += 1;
        }
    }

    fn found(slices: &mut Vec<(usize, Range<usize>)>, row: u32) -> u32 {
        slices.push((row as usize, 0..0));
        slices.len() as u32 - 1
    }

    /// Slices by a single column of numbers. Small whole ones need no hashing.
    fn code_numbers(&mut self, values: &[f64], good: &[u32]) {
        const NEW: u32 = u32::MAX;
        let mut small = [NEW; 256];
        let mut others: HashMap<u64, u32> = HashMap::new();
        self.codes.reserve(good.len());
        for row in good {
            let x = values[*row as usize];
            let whole = x as i32;
            let code = match small.get_mut(whole as usize) {
                Some(code) if f64::from(whole) == x => code,
                _ => others.entry(x.to_bits()).or_insert(NEW),
            };
            if *code == NEW {
                *code = Self::found(&mut self.slices, *row);
            }
            self.codes.push(*code);
        }
    }

    /// Slices by any columns, by the hashes of their words.
    fn code(&mut self, plan: &Plan, batch: &Batch, good: &[u32]) {
        let mut met: HashMap<Vec<u64>, u32> = HashMap::new();
        let mut raw = Vec::new();
        for row in good {
            raw.clear();
            raw.extend(plan.slices.iter().map(|(words, at)| {
                if *words {
                    batch.words[*at].of(*row as usize).map_or(0, hashed)
                } else {
                    batch.numbers[*at].values[*row as usize].to_bits()
                }
            }));
            let code = match met.get(&raw) {
                Some(code) => *code,
                None => {
                    let code = Self::found(&mut self.slices, *row);
                    met.insert(raw.clone(), code);
                    code
                }
            };
            self.codes.push(code);
        }
    }

    /// A column of the batch in this order: itself where nothing moved, otherwise copied to `room`.
    pub(super) fn column<'a>(&self, values: &'a [f64], room: &'a mut Vec<f64>) -> &'a [f64] {
        if self.as_they_stand {
            return values;
        }
        room.clear();
        room.extend(self.rows.iter().map(|row| values[*row as usize]));
        room
    }
}
