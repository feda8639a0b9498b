//! Logs of decisions: one row for each card that a policy placed, with the propensity it had and what came of it.
//!
//! Format: `docs/logs.md`. [`parquet`] reads and writes it in bounded memory; [`import`] and [`export`] translate from and to the Open Bandit
//! Pipeline, Vowpal Wabbit and plain CSV; [`check`] names, counts and locates bad rows.

use std::path::PathBuf;

pub mod check;
pub mod command;
pub mod export;
pub mod import;
pub mod parquet;
pub mod probes;

/// Key in the footer of a log file.
pub const SCHEMA_KEY: &str = "ears_only.decisions";
/// Version of the schema that this release writes, and the only one it reads.
pub const SCHEMA_VERSION: &str = "1";
/// Before the name of a column of context in words: a slice.
pub const CONTEXT: &str = "ctx_";
/// Before the name of a column of context in numbers.
pub const NUMBER: &str = "x_";
/// Before the name of a policy: P(logged action | that policy).
pub const TARGET: &str = "target_";
/// Before the name of a policy: what the log's reward model expects of it here.
pub const EXPECTED: &str = "expected_";
/// What the log's reward model predicts of the logged action.
pub const PREDICTED: &str = "predicted";

/// One row of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Names the page; rows of one page share it. Without it rows cannot be linked, nor duplicates found.
    pub decision: Option<String>,
    /// The logging policy.
    pub policy: String,
    /// Place of the shelf on the page, from 0.
    pub shelf_position: i32,
    /// Place of the card on the shelf, from 0.
    pub position: i32,
    /// The card placed, as a number.
    pub action: i32,
    /// Probability, in (0, 1], with which the logging policy placed it here, given everything placed before.
    pub propensity: f64,
    /// Nothing while it is not known yet.
    pub reward: Option<f64>,
    /// What could have been placed here; empty when not logged.
    pub candidates: Vec<i32>,
    /// The logging policy's probability of each candidate; empty when not logged.
    pub probabilities: Vec<f64>,
    /// Values of the header's columns of words.
    pub words: Vec<String>,
    /// Values of the header's columns of numbers; nothing where missing.
    pub numbers: Vec<Option<f64>>,
}

/// Which columns a log has beyond those that every log has, by full name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Columns of words: `ctx_...`.
    pub words: Vec<String>,
    /// Columns of numbers: `x_...`, `predicted`, `target_...`, `expected_...`.
    pub numbers: Vec<String>,
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The row, from 1, without a header; the line for files of lines.
    pub row: u64,
}
