//! A data set against its schema. The codes are those of TensorFlow Data Validation, in small letters.

mod columns;
mod specification;
mod values;

use super::{Fractions, Schema};
use crate::validate::finding::{Dataset, Finding, percent, slice};
use crate::validate::stats::DatasetStats;

/// What the schema is held against.
pub struct Subject<'a> {
    /// The data set.
    pub train: &'a DatasetStats,
    /// The one before, or the other side.
    pub against: Option<&'a DatasetStats>,
    /// The environment that the data set belongs to.
    pub environment: Option<&'a str>,
}

/// All that does not meet the schema, and what is wrong with the schema itself.
#[must_use]
pub fn check(schema: &Schema, subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = specification::check(schema);
    rows(&mut findings, schema, subject);
    columns::check(&mut findings, schema, subject);
    together(&mut findings, schema, subject.train);
    slices(&mut findings, schema, subject.train);
    findings
}

/// The number of rows.
fn rows(findings: &mut Vec<Finding>, schema: &Schema, subject: &Subject<'_>) {
    let rows = subject.train.rows();
    let rules = &schema.dataset;
    if let Some(min) = rules.min_rows.filter(|min| rows < *min) {
        findings.push(
            Finding::error(
                "dataset_low_num_examples",
                Dataset::Train,
                format!("train has {rows} rows, the schema wants at least {min}"),
            )
            .figures(min, rows)
            .fix("look at the step that wrote the file, or lower min_rows"),
        );
    }
    if let Some(max) = rules.max_rows.filter(|max| rows > *max) {
        findings.push(
            Finding::error(
                "dataset_high_num_examples",
                Dataset::Train,
                format!("train has {rows} rows, the schema allows {max}"),
            )
            .figures(max, rows)
            .fix("look for a file that was read twice, or raise max_rows"),
        );
    }
    let Some(before) = subject.against.map(DatasetStats::rows).filter(|before| *before > 0) else { return };
    let ratio = rows as f64 / before as f64;
    for Fractions { min, max } in [rules.drift, rules.version].into_iter().flatten() {
        if let Some(min) = min.filter(|min| rows > 0 && ratio < *min) {
            findings.push(
                Finding::error(
                    "comparator_low_num_examples",
                    Dataset::Train,
                    format!("train has {} of the rows of against, the schema wants at least {}", percent(ratio), percent(min)),
                )
                .figures(min, ratio)
                .fix("look for rows that are lost on the way"),
            );
        }
        if let Some(max) = max.filter(|max| ratio > *max) {
            findings.push(
                Finding::error(
                    "comparator_high_num_examples",
                    Dataset::Train,
                    format!("train has {} of the rows of against, the schema allows {}", percent(ratio), percent(max)),
                )
                .figures(max, ratio)
                .fix("look for rows that come twice"),
            );
        }
    }
}

/// Sparse and weighted features: columns that must have values in the same rows.
fn together(findings: &mut Vec<Finding>, schema: &Schema, stats: &DatasetStats) {
    let mut pairs = stats.watches().pairs.iter();
    let mut report = |code: &'static str, name: &str, what: String, rows: u64| {
        if rows > 0 {
            findings.push(
                Finding::error(code, Dataset::Train, format!("{name}: {what} in {rows} rows"))
                    .in_column(name)
                    .figures(0.0, rows)
                    .fix("write both columns in every row, with as many values"),
            );
        }
    };
    for sparse in &schema.sparse {
        for index in &sparse.index {
            let Some(pair) = pairs.next() else { return };
            if sparse.stage.in_use() {
                report(
                    "sparse_feature_missing_value",
                    &sparse.name,
                    format!("{} is missing beside {index}", sparse.value),
                    pair.first_missing,
                );
                report(
                    "sparse_feature_missing_index",
                    &sparse.name,
                    format!("{index} is missing beside {}", sparse.value),
                    pair.second_missing,
                );
                report(
                    "sparse_feature_length_mismatch",
                    &sparse.name,
                    format!("{} and {index} have not as many values", sparse.value),
                    pair.different_length,
                );
            }
        }
    }
    for weighted in &schema.weighted {
        let Some(pair) = pairs.next() else { return };
        let (feature, weight) = (&weighted.feature, &weighted.weight);
        if weighted.stage.in_use() {
            report(
                "weighted_feature_missing_value",
                &weighted.name,
                format!("{feature} is missing beside {weight}"),
                pair.first_missing,
            );
            report(
                "weighted_feature_missing_weight",
                &weighted.name,
                format!("{weight} is missing beside {feature}"),
                pair.second_missing,
            );
            report(
                "weighted_feature_length_mismatch",
                &weighted.name,
                format!("{feature} and {weight} have not as many values"),
                pair.different_length,
            );
        }
    }
}

/// Slices that the schema expects.
fn slices(findings: &mut Vec<Finding>, schema: &Schema, stats: &DatasetStats) {
    let rows = stats.rows();
    for rule in &schema.slice {
        let name = slice(&rule.column, &rule.value);
        let usual = rule.usual_share.unwrap_or(rule.min_share);
        let Some(share) = share(stats, &rule.column, &rule.value) else {
            findings.push(
                Finding::warning(
                    "stats_not_available",
                    Dataset::Train,
                    format!("the share of {name} is not known: {} has too many values", rule.column),
                )
                .in_slice(&rule.column, &rule.value)
                .fix(format!("ask for it with --slice {}", rule.column)),
            );
            continue;
        };
        if share == 0.0 && rows > 0 {
            findings.push(
                Finding::error(
                    "missing_slice",
                    Dataset::Train,
                    format!("slice {name} is missing from train (expected about {})", percent(usual)),
                )
                .in_slice(&rule.column, &rule.value)
                .figures(usual, 0.0)
                .fix(format!("look for a filter or a failed join that drops {name}: none of the {rows} rows has it")),
            );
        } else if share < rule.min_share {
            findings.push(
                Finding::error(
                    "collapsed_slice",
                    Dataset::Train,
                    format!(
                        "slice {name} has collapsed: it is {} of train, the schema wants at least {}",
                        percent(share),
                        percent(rule.min_share)
                    ),
                )
                .in_slice(&rule.column, &rule.value)
                .figures(rule.min_share, share)
                .fix(format!("find where rows with {name} are lost")),
            );
        }
    }
}

/// The share of the rows with a value; nothing when it cannot be known.
fn share(stats: &DatasetStats, column: &str, value: &str) -> Option<f64> {
    let rows = stats.rows().max(1) as f64;
    if let Some(slices) = stats.slices().iter().find(|slices| slices.name == column).filter(|slices| slices.others == 0) {
        return Some(slices.slices().get(value).map_or(0.0, |slice| slice.rows as f64 / rows));
    }
    let Some(column) = stats.column(column) else { return Some(0.0) };
    let held = column.top.sorted().into_iter().find(|held| held.value.to_string() == value);
    match held {
        Some(held) => Some(held.count as f64 / rows),
        None if column.top.error() == 0 => Some(0.0),
        None => None,
    }
}

#[cfg(test)]
mod tests;
