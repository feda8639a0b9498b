//! Data against the columns of a bundle: what a device would make of them.
//!
//! A device takes finite numbers only, puts a column's default where a value is missing, and the nearest limit where one lies outside
//! ([`Column::guarded`], the function that devices run). Each of these is told, since a model that is trained on such data would learn from
//! other numbers than it meets.

use std::path::Path;

use ears_only::features::{Column, Source};

use super::finding::{Dataset, Finding, percent, short};
use super::stats::{ColumnStats, DatasetStats};
use crate::bundle;
use crate::error::LabError;
use crate::train::log;

/// Columns of a log to train from that are no features; so are those that begin with `slice:`.
const OTHERS: [&str; 5] = ["reward", "propensity", "weight", "listener", "decision"];

/// The columns of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    version: String,
    columns: Vec<Column>,
}

impl Columns {
    /// Those of the bundle at `path`, which is checked as devices check it.
    ///
    /// # Errors
    /// When it cannot be read or is refused.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let bundle = bundle::read_file(path)?.1.bundle;
        Ok(Self { version: bundle.version().to_owned(), columns: bundle.schema().columns().to_vec() })
    }

    /// All that a device would not take as it stands.
    #[must_use]
    pub fn check(&self, stats: &DatasetStats, dataset: Dataset) -> Vec<Finding> {
        if stats.rows() == 0 {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for column in &self.columns {
            match named(stats, &column.name) {
                None => {
                    let message =
                        format!("column {} of the bundle {} is missing from {}", column.name, self.version, dataset.name());
                    findings.push(
                        mismatch(Finding::error(CODE, dataset, message), &column.name, "a column", "none")
                            .fix("write the column as the device makes it, or train a bundle without it"),
                    );
                }
                Some((header, source, held)) => {
                    if source.is_some_and(|source| source != column.source) {
                        let found = source.map_or("", Source::name);
                        let message = format!(
                            "column {} of {} comes from {found}, in the bundle from {}",
                            column.name,
                            dataset.name(),
                            column.source.name()
                        );
                        findings.push(
                            mismatch(Finding::error(CODE, dataset, message), header, column.source.name(), found)
                                .fix("name the column NAME@SOURCE with the source that the bundle says"),
                        );
                    }
                    findings.extend(values(column, header, held, dataset));
                }
            }
        }
        // Only a log to train from says of every column whether it is a feature.
        let is_log = stats.names().iter().any(|name| name == "reward") && findings.len() < self.columns.len();
        for name in stats.names().iter().filter(|name| is_log && is_feature(name)) {
            let plain = log::column(name).map_or_else(|_| (*name).clone(), |column| column.name);
            if !self.columns.iter().any(|column| column.name == plain) && stats.column(name).is_some_and(|held| held.texts == 0) {
                let message = format!("column {name} of {} is not in the bundle {}", dataset.name(), self.version);
                findings.push(
                    mismatch(Finding::warning(CODE, dataset, message), name, "none", "a column")
                        .fix("devices with this bundle do not read it: train a new one, or leave the column out"),
                );
            }
        }
        findings
    }
}

/// The code of all of these.
const CODE: &str = "bundle_schema_mismatch";

fn mismatch(finding: Finding, column: &str, expected: &str, found: &str) -> Finding {
    finding.in_column(column).figures(expected, found)
}

/// Whether a column may be a feature of a log to train from.
fn is_feature(name: &str) -> bool {
    !OTHERS.contains(&name) && !name.starts_with("slice:") && !name.starts_with("ctx_")
}

/// The column of the data that holds a column of the bundle: under its name, `NAME@SOURCE`, or `x_NAME` as in logs of decisions.
fn named<'s>(stats: &'s DatasetStats, name: &str) -> Option<(&'s str, Option<Source>, &'s ColumnStats)> {
    stats.columns().find_map(|(header, held)| {
        if header == name || header.strip_prefix("x_") == Some(name) {
            return Some((header, None, held));
        }
        let column = header.contains('@').then(|| log::column(header).ok())??;
        (column.name == name).then_some((header, Some(column.source), held))
    })
}

/// Values that a device refuses or takes for others.
fn values(column: &Column, header: &str, held: &ColumnStats, dataset: Dataset) -> Vec<Finding> {
    let mut findings = Vec::new();
    let rows = held.rows().max(1) as f64;
    let words = held.texts + held.lists;
    if words > 0 {
        let share = percent(words as f64 / rows);
        let message = format!("column {header}: {share} of {} are no numbers, which a device refuses", dataset.name());
        findings.push(
            mismatch(Finding::error(CODE, dataset, message), header, "numbers", "texts or lists")
                .fix("write numbers, and nothing where there is none"),
        );
    }
    if held.missing + held.nan > 0 && !column.keeps_missing {
        let share = (held.missing + held.nan) as f64 / rows;
        let message = format!(
            "column {header}: {} of {} are missing, which a device takes for {}",
            percent(share),
            dataset.name(),
            short(f64::from(column.default))
        );
        findings.push(
            Finding::warning(CODE, dataset, message)
                .in_column(header)
                .figures(0.0, share)
                .fix("look for a join that failed; if values may be missing, the default must be meant"),
        );
    }
    if held.infinite > 0 {
        let message =
            format!("column {header}: {} values of {} are infinite, which a device refuses", held.infinite, dataset.name());
        findings.push(
            mismatch(Finding::error(CODE, dataset, message), header, "finite numbers", "infinite ones")
                .fix("find the division by zero or the overflow that makes them"),
        );
    }
    let (low, high) = (f64::from(column.min), f64::from(column.max));
    let (Some(least), Some(most)) = (held.moments.min(), held.moments.max()) else { return findings };
    // As the device holds them.
    let (least, most) = (f64::from(least as f32), f64::from(most as f32));
    let outside = |value: f64| column.guarded(value as f32) != value as f32;
    if outside(least) || outside(most) {
        let bins = held.bins.bins();
        let beyond: u64 = bins.iter().filter(|bin| bin.high < low || bin.low > high).map(|bin| bin.count).sum();
        let (found, limit) = if outside(most) { (most, high) } else { (least, low) };
        let message = format!(
            "column {header}: about {} of {} lie outside {} to {}, up to {}; a device takes the nearest limit",
            percent(beyond as f64 / held.values().max(1) as f64),
            dataset.name(),
            short(low),
            short(high),
            short(found)
        );
        findings.push(
            Finding::warning(CODE, dataset, message)
                .in_column(header)
                .figures(limit, found)
                .fix("look for a unit that changed; else train a bundle with wider limits"),
        );
    }
    findings
}

#[cfg(test)]
mod tests;
