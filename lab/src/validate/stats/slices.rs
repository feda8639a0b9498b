//! The same statistics for the rows that share a value.

use std::collections::BTreeMap;

use super::{ColumnStats, Sizes};
use crate::validate::source::Cell;

/// Slices of one column, or pair of columns, that are followed one by one.
const MAX_SLICES: usize = 256;

/// The rows with one value of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceStats {
    /// How many rows.
    pub rows: u64,
    /// Their columns, in the order of the data set.
    pub columns: Vec<ColumnStats>,
}

/// A column (or pair, `a*b`) whose values are slices.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceColumn {
    /// Its name as it was asked for.
    pub name: String,
    parts: Vec<String>,
    places: Option<Vec<usize>>,
    columns: usize,
    slices: BTreeMap<String, SliceStats>,
    /// Rows of values beyond the most that are followed.
    pub others: u64,
}

impl SliceColumn {
    /// A column, or `a*b`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let parts = name.split('*').map(|part| part.trim().to_owned()).collect();
        Self { name: name.to_owned(), parts, places: None, columns: 0, slices: BTreeMap::new(), others: 0 }
    }

    /// The columns it is made of.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The slices by value.
    #[must_use]
    pub fn slices(&self) -> &BTreeMap<String, SliceStats> {
        &self.slices
    }

    /// Finds the columns it is made of among `names`.
    pub(super) fn meet(&mut self, names: &[String]) {
        self.places = self.parts.iter().map(|part| names.iter().position(|name| name == part)).collect();
        self.columns = names.len();
        for slice in self.slices.values_mut() {
            let rows = slice.rows;
            slice.columns.resize_with(names.len(), || {
                let mut column = ColumnStats::new(Sizes::SLICE);
                column.absent(rows);
                column
            });
        }
    }

    pub(super) fn add(&mut self, cells: &[Cell<'_>], reward: Option<f64>) {
        let Some(places) = &self.places else { return };
        let mut value = String::new();
        for place in places {
            let Some(cell) = cells.get(*place) else { return };
            if !value.is_empty() {
                value.push('*');
            }
            label(cell, &mut value);
        }
        if !self.slices.contains_key(&value) {
            if self.slices.len() >= MAX_SLICES {
                self.others += 1;
                return;
            }
            let columns = (0..self.columns).map(|_| ColumnStats::new(Sizes::SLICE)).collect();
            self.slices.insert(value.clone(), SliceStats { rows: 0, columns });
        }
        let Some(slice) = self.slices.get_mut(&value) else { return };
        slice.rows += 1;
        for (column, cell) in slice.columns.iter_mut().zip(cells) {
            column.add(cell, reward);
        }
    }

    pub(super) fn merge(&mut self, other: &SliceColumn) {
        self.others += other.others;
        let mut room = MAX_SLICES.saturating_sub(self.slices.len());
        for (value, more) in &other.slices {
            match self.slices.get_mut(value) {
                Some(slice) => {
                    slice.rows += more.rows;
                    for (column, more) in slice.columns.iter_mut().zip(&more.columns) {
                        column.merge(more);
                    }
                }
                None if room > 0 => {
                    room -= 1;
                    self.slices.insert(value.clone(), more.clone());
                }
                None => self.others += more.rows,
            }
        }
    }
}

/// Writes the value of a cell as the name of a slice.
pub fn label(cell: &Cell<'_>, to: &mut String) {
    match cell {
        Cell::Missing => to.push_str("(missing)"),
        Cell::Bool(truth) => to.push_str(if *truth { "true" } else { "false" }),
        Cell::Int(number) => to.push_str(&number.to_string()),
        Cell::Float(number) => to.push_str(&number.to_string()),
        Cell::Text(text) => to.push_str(&String::from_utf8_lossy(text)),
        Cell::List { .. } => to.push_str("(list)"),
    }
}
