//! The command line of `validate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Outcome, Settings, run, simulate};
use crate::error::{EXIT_FAILED, LabError};
use crate::table;

/// Arguments of `validate`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The data set to judge: CSV or JSON lines, also gzipped.
    train: PathBuf,
    /// The data set to compare it with, for example the one that a model is evaluated on.
    #[arg(long)]
    against: Option<PathBuf>,
    /// A column whose values are slices, or a pair A*B of them; may be given several times.
    #[arg(long = "slice", value_name = "COLUMN")]
    slices: Vec<String>,
    /// Tells which column has a role in the decision log, ROLE=COLUMN; may be given several times.
    #[arg(long = "role", value_name = "ROLE=COLUMN")]
    roles: Vec<String>,
    /// Counts texts that are not UTF-8, in place of refusing the file.
    #[arg(long)]
    any_bytes: bool,
    /// Where the report goes as JSON; - for standard output, in place of the lines.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Validates, prints and writes what was found.
///
/// # Errors
/// When the data cannot be read or a report cannot be written.
pub fn validate(arguments: &Arguments) -> Result<ExitCode, LabError> {
    let outcome = run(&Settings {
        train: arguments.train.clone(),
        against: arguments.against.clone(),
        slices: arguments.slices.clone(),
        roles: arguments.roles.clone(),
        any_bytes: arguments.any_bytes,
    })?;
    if arguments.json.as_deref() != Some(std::path::Path::new("-")) {
        print!("{}", lines(&outcome));
    }
    if let Some(target) = &arguments.json {
        table::write_json(&report(&outcome), target)?;
    }
    Ok(ExitCode::from(outcome.exit()))
}

/// One line for each finding, and how many.
fn lines(outcome: &Outcome) -> String {
    let mut text = String::new();
    for finding in &outcome.findings {
        text.push_str(&finding.line());
        text.push('\n');
    }
    let rows = outcome.against.as_ref().map_or(String::new(), |against| format!(" against {}", against.rows()));
    text.push_str(&format!("{} findings in {} rows{rows}\n", outcome.findings.len(), outcome.train.rows()));
    text
}

fn report(outcome: &Outcome) -> serde_json::Value {
    json!({
        "format": 1,
        "exit": outcome.exit(),
        "findings": outcome.findings,
        "rows": { "train": outcome.train.rows(), "against": outcome.against.as_ref().map(super::stats::DatasetStats::rows) },
    })
}

/// Arguments of `check-validate`.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// Pairs of drawn logs without a tier, and as many equal pairs.
    #[arg(long, default_value_t = 50)]
    draws: u64,
    /// Rows of each drawn log.
    #[arg(long, default_value_t = 10_000)]
    rows: u64,
    /// Where the report goes as JSON; - for standard output, in place of the table.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures how often a missing tier is found and how often chance is taken for a fault.
///
/// # Errors
/// When a comparison fails or the report cannot be written.
pub fn check(arguments: &CheckArguments) -> Result<ExitCode, LabError> {
    let draws = simulate::draws(arguments.draws, arguments.rows)?;
    if arguments.json.as_deref() != Some(std::path::Path::new("-")) {
        println!("missing tiers found    {} of {}", draws.found, draws.pairs);
        println!("false alarms           {} of {}", draws.false_alarms, draws.clean_pairs);
        draws.unwanted.iter().for_each(|line| println!("not wanted: {line}"));
    }
    if let Some(target) = &arguments.json {
        table::write_json(&json!({ "format": 1, "draws": draws }), target)?;
    }
    let wanted = draws.found * 1000 >= draws.pairs * 999 && draws.false_alarms * 1000 <= draws.clean_pairs;
    Ok(if wanted { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}
