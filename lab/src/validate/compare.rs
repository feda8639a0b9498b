//! Two data sets side by side: slices that are gone, columns that moved.
//!
//! What follows from something already found is not reported again. When a slice is gone, the other data set is read again without it; when
//! the shares of a column moved, both are read again with as many rows of each value as both can give. What is still different then
//! is a finding of its own.

mod cells;
mod distances;
mod shares;

use std::collections::BTreeMap;

pub use distances::{Distance, Distances, TESTS, distances, jensen_shannon_bits, largest_difference};

use super::finding::{Dataset, Finding};
use super::sketch::mix;
use super::source::Cell;
use super::stats::{ColumnStats, DatasetStats, Kind, label};
use crate::error::LabError;

/// How often the data may be read again to tell causes from consequences.
const ROUNDS: usize = 8;

/// Something that can be read again with fewer rows.
pub trait Again {
    /// The statistics of the rows that `thinning` keeps.
    ///
    /// # Errors
    /// When the data cannot be read.
    fn again(&self, thinning: &Thinning) -> Result<DatasetStats, LabError>;
}

/// Which rows are read again: for some columns, which share of the rows with each value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thinning {
    /// Column (or pair) and the share kept of each value; other values are kept whole.
    rules: Vec<(String, BTreeMap<String, f64>)>,
}

impl Thinning {
    /// Whether every row is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether the `row`th row is kept; which ones of a value are, depends on their number alone.
    #[must_use]
    pub fn keeps(&self, row: u64, names: &[String], cells: &[Cell<'_>]) -> bool {
        self.rules.iter().zip(1_u64..).all(|((column, shares), rule)| {
            let mut value = String::new();
            for part in column.split('*') {
                if !value.is_empty() {
                    value.push('*');
                }
                let place = names.iter().position(|name| name == part.trim());
                label(place.and_then(|place| cells.get(place)).unwrap_or(&Cell::Missing), &mut value);
            }
            let share = shares.get(&value).copied().unwrap_or(1.0);
            let unit = (mix(mix(row) ^ rule) >> 11) as f64 / (1_u64 << 53) as f64;
            share >= 1.0 || unit < share
        })
    }

    fn add(&mut self, column: &str, shares: BTreeMap<String, f64>) {
        self.rules.push((column.to_owned(), shares));
    }
}

/// Both data sets.
pub struct Pair<'a> {
    /// The one that is judged.
    pub train: &'a DatasetStats,
    /// The one it is compared with.
    pub against: &'a DatasetStats,
}

/// Compares two data sets; `again` read them again where a cause has to be taken out.
///
/// # Errors
/// When the data cannot be read again.
pub fn compare(pair: &Pair<'_>, again: [&dyn Again; 2]) -> Result<Vec<Finding>, LabError> {
    let mut findings = cells::columns(pair);
    findings.extend(cells::policies(pair));
    findings.extend(cells::became_unique(pair));
    if let Some(empty) = cells::empty(pair) {
        findings.push(empty);
        return Ok(findings);
    }
    let broken: Vec<String> = findings.iter().filter_map(|finding| finding.column.clone()).collect();
    let mut held = [None, None];
    let mut thinning = [Thinning::default(), Thinning::default()];
    let mut settled: Vec<String> = Vec::new();
    for round in 0..=ROUNDS {
        let [train, against] = [held[0].as_ref().unwrap_or(pair.train), held[1].as_ref().unwrap_or(pair.against)];
        let now = Pair { train, against };
        let moved: Vec<shares::Moved> = shares::moved(&now)
            .into_iter()
            .filter(|moved| !broken.contains(&moved.column) && !settled.contains(&moved.name))
            .collect();
        if round == ROUNDS {
            // Too many causes to tell apart: each column speaks for itself.
            moved.iter().for_each(|moved| findings.extend(moved.findings(pair)));
            break;
        }
        let Some(first) = moved.into_iter().next() else { break };
        findings.extend(first.findings(pair));
        for (index, shares) in first.thinning().into_iter().enumerate() {
            if !shares.is_empty() {
                thinning[index].add(&first.name, shares);
                held[index] = Some(again[index].again(&thinning[index])?);
            }
        }
        if !first.has_missing() {
            settled.push(first.name);
        }
    }
    let [train, against] = [held[0].as_ref().unwrap_or(pair.train), held[1].as_ref().unwrap_or(pair.against)];
    let now = Pair { train, against };
    let told: Vec<String> = findings.iter().filter_map(|finding| finding.column.clone()).collect();
    // Where a column tells the rows of one side apart, the rows of the other are copies beside them.
    let copies = findings.iter().all(|finding| finding.code != "values_became_unique").then(|| cells::copies(&now)).flatten();
    let more = cells::counts(&now).into_iter().chain(distances::drift(&now)).chain(copies);
    let mut known = told.clone();
    for finding in more {
        // One finding for each column: the first, which is the plainest.
        if finding.column.as_ref().is_some_and(|column| known.contains(column)) {
            continue;
        }
        known.extend(finding.column.clone());
        findings.push(finding);
    }
    Ok(findings)
}

/// Whether the values of a column are few enough, on both sides, to be slices.
fn has_few_values(pair: &Pair<'_>, name: &str) -> bool {
    let few = |stats: &DatasetStats| {
        stats.column(name).is_some_and(|column| {
            column.floats == 0
                && column.lists == 0
                && column.top.distinct().is_some_and(|distinct| distinct <= shares::MAX_VALUES)
        })
    };
    few(pair.train) && few(pair.against)
}

/// Whether a column tells rows apart: identities, times, numbers of rows. Two data sets differ in those as they should.
fn tells_rows_apart(pair: &Pair<'_>, name: &str) -> bool {
    use super::roles::Role;
    // A change of the logging policy is told as such.
    if matches!(pair.train.roles().of(name), Some(Role::Time | Role::Decision | Role::Policy)) {
        return true;
    }
    [pair.train, pair.against].iter().any(|stats| stats.column(name).is_some_and(is_unique))
}

/// Whether nearly every row has a value of its own.
fn is_unique(column: &ColumnStats) -> bool {
    let unique = column.distinct() > 0.9 * column.values() as f64;
    unique && column.values() > 100 && matches!(column.kind(), Kind::Int | Kind::Text)
}

/// The side of a pair.
fn side<'p>(pair: &Pair<'p>, dataset: Dataset) -> &'p DatasetStats {
    if dataset == Dataset::Against { pair.against } else { pair.train }
}

#[cfg(test)]
mod tests;
