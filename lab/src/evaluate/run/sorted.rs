//! The rows of a batch in order of slice, so that each slice's sums walk along columns.

use std::collections::HashMap;
use std::ops::Range;

use super::plan::{Plan, hashed};
use crate::evaluate::lanes;
use crate::logs::parquet::{Batch, Column, Stored};

/// Which rows of a batch count, by slice. Slices are numbered as the batch meets them, so that nothing depends on other batches.
#[derive(Default)]
pub(super) struct Sorted {
    /// Rows of the batch that count, once sorted: slice by slice.
    pub(super) rows: Vec<u32>,
    /// By slice: the first row of the batch that is in it, and where its rows stand in `rows` once they are sorted.
    pub(super) slices: Vec<(usize, Range<usize>)>,
    /// The slice of each row that counts.
    pub(super) codes: Vec<u16>,
    /// Whether `rows` are all rows of the batch as they stand.
    as_they_stand: bool,
    ends: Vec<usize>,
    bytes: Vec<u8>,
    room: Vec<f64>,
}

impl Sorted {
    /// Numbers the slices of `good` rows of a batch, which stay in their order.
    pub(super) fn code(&mut self, plan: &Plan, batch: &Batch, good: &[u32]) {
        self.slices.clear();
        self.codes.clear();
        self.rows.clear();
        self.as_they_stand = good.len() == batch.rows;
        if !self.as_they_stand {
            self.rows.extend_from_slice(good);
        }
        if good.is_empty() {
            return;
        }
        if let [(false, column)] = plan.slices[..] {
            self.code_numbers(&batch.numbers[column].values, good);
        } else if !plan.slices.is_empty() {
            self.code_any(plan, batch, good);
        } else {
            self.slices.push((good[0] as usize, 0..0));
            self.codes.resize(good.len(), 0);
        }
    }

    /// Sorts `good` rows of a batch.
    pub(super) fn sort(&mut self, plan: &Plan, batch: &Batch, good: &[u32]) {
        self.code(plan, batch, good);
        if let [(_, range)] = &mut self.slices[..] {
            *range = 0..good.len();
            self.rows.clear();
            self.rows.extend_from_slice(good);
            return;
        }
        self.as_they_stand = false;
        self.ends.clear();
        self.ends.resize(self.slices.len(), 0);
        let ends = &mut self.ends[..];
        self.codes.iter().for_each(|code| ends[usize::from(*code)] += 1);
        let mut start = 0;
        for ((_, range), end) in self.slices.iter_mut().zip(&mut self.ends) {
            *range = start..start + *end;
            *end = start;
            start = range.end;
        }
        self.rows.resize(good.len(), 0);
        for (code, row) in self.codes.iter().zip(good) {
            let at = &mut self.ends[usize::from(*code)];
            self.rows[*at] = *row;
            *at += 1;
        }
    }

    fn found(slices: &mut Vec<(usize, Range<usize>)>, row: u32) -> u16 {
        slices.push((row as usize, 0..0));
        // A batch has fewer rows than there are codes.
        (slices.len() - 1) as u16
    }

    /// Slices by a single column of numbers. Small whole ones need no hashing.
    fn code_numbers(&mut self, values: &[f64], good: &[u32]) {
        const NEW: u16 = u16::MAX;
        let Self { slices, codes, bytes, room, .. } = self;
        let counted = if good.len() == values.len() {
            values
        } else {
            room.clear();
            room.extend(good.iter().map(|row| values[*row as usize]));
            &room[..]
        };
        let mut small = [NEW; 256];
        let mut given = |code: &mut u16, row: u32| {
            if *code == NEW {
                *code = Self::found(slices, row);
            }
            *code
        };
        if lanes::bytes(bytes, counted) {
            codes.extend(bytes.iter().zip(good).map(|(byte, row)| given(&mut small[usize::from(*byte)], *row)));
            return;
        }
        let mut others: HashMap<u64, u16> = HashMap::new();
        codes.extend(counted.iter().zip(good).map(|(x, row)| {
            let whole = *x as i32;
            let code = match small.get_mut(whole as usize) {
                Some(code) if f64::from(whole) == *x => code,
                _ => others.entry(x.to_bits()).or_insert(NEW),
            };
            given(code, *row)
        }));
    }

    /// Slices by any columns, by the hashes of their words.
    fn code_any(&mut self, plan: &Plan, batch: &Batch, good: &[u32]) {
        let mut met: HashMap<Vec<u64>, u16> = HashMap::new();
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

    /// The same in stretches, where rows stay in their order.
    pub(super) fn stretches<'a>(&self, column: &'a Column, room: &'a mut Vec<f64>) -> Vec<&'a [Stored]> {
        if self.as_they_stand { column.stretches() } else { vec![bytemuck::cast_slice(self.column(&column.values, room))] }
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
