//! The command line of `validate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::report::html::page;
use super::report::junit::junit;
use super::report::report;
use super::webhook::{self, Webhook};
use super::{Outcome, Settings, faults, run, sample, schema, simulate};
use crate::arguments::Output;
use crate::error::{EXIT_FAILED, LabError};
use crate::evaluate::target::Target;

/// Arguments of `validate`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The data set to judge: CSV or JSON lines, also gzipped, or Parquet; or a folder of such files.
    train: PathBuf,
    /// The data set to compare it with, for example the one that a model is evaluated on.
    #[arg(long)]
    against: Option<PathBuf>,
    /// What the data set is expected to be: TOML, or .pbtxt of TensorFlow metadata.
    #[arg(long)]
    schema: Option<PathBuf>,
    /// The environment of the schema that TRAIN belongs to.
    #[arg(long)]
    environment: Option<String>,
    /// Writes a schema that TRAIN meets, as TOML with comments or as .pbtxt.
    #[arg(long)]
    infer_schema: Option<PathBuf>,
    /// A list of findings that are known, each with the day until which it raises no alarm.
    #[arg(long)]
    suppress: Option<PathBuf>,
    /// A column whose values are slices, or a pair A*B of them; may be given several times.
    #[arg(long = "slice", value_name = "COLUMN")]
    slices: Vec<String>,
    /// Tells which column has a role in the decision log, ROLE=COLUMN; may be given several times.
    #[arg(long = "role", value_name = "ROLE=COLUMN")]
    roles: Vec<String>,
    /// The policy that is said to have made the log: uniform, scored:NAME or table:FILE. Its propensities are recomputed and compared.
    #[arg(long, value_name = "POLICY")]
    replay: Option<Target>,
    /// A bundle whose columns the data are to hold, by the rules of devices.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Counts texts that are not UTF-8, in place of refusing the file.
    #[arg(long)]
    any_bytes: bool,
    #[command(flatten)]
    output: Output,
    /// Where the report goes as one HTML page that needs nothing else.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Where the findings go as test results (JUnit XML).
    #[arg(long)]
    junit: Option<PathBuf>,
    /// An address that is told when there are findings, by a POST of JSON; tried five times within 15 seconds and the answers' time.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
}

/// Validates, prints and writes what was found.
///
/// # Errors
/// When the data cannot be read or a report cannot be written.
pub fn validate(arguments: &Arguments) -> Result<ExitCode, LabError> {
    let webhook = arguments.webhook.as_deref().map(Webhook::new).transpose()?;
    let outcome = run(&Settings {
        train: arguments.train.clone(),
        more: Vec::new(),
        replay: arguments.replay.clone().map(Arc::new),
        bundle: arguments.bundle.clone(),
        against: arguments.against.clone(),
        schema: arguments.schema.clone(),
        environment: arguments.environment.clone(),
        suppressions: arguments.suppress.clone(),
        slices: arguments.slices.clone(),
        roles: arguments.roles.clone(),
        any_bytes: arguments.any_bytes,
    })?;
    if let Some(target) = &arguments.infer_schema {
        let (schema, seen) = schema::infer::infer(&outcome.train);
        schema.write(target, &seen)?;
    }
    let report = report(&outcome);
    arguments.output.finish(&report, &lines(&outcome))?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(target) = &arguments.html {
        write(target, &page(&report, &name(&arguments.train), arguments.against.as_deref().map(name).as_deref()))?;
    }
    if let Some(target) = &arguments.junit {
        write(target, &junit(&outcome))?;
    }
    if let Some(webhook) = webhook.filter(|_| !outcome.findings.is_empty()) {
        let message = webhook::message(&outcome, &name(&arguments.train));
        if let Err(error) = webhook.post(&message, &webhook::PAUSES, &std::thread::sleep) {
            eprintln!("ears-lab: {error}");
            return Ok(ExitCode::from(webhook::exit_undelivered(outcome.exit())));
        }
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

fn write(target: &Path, text: &str) -> Result<(), LabError> {
    std::fs::write(target, text).map_err(|error| LabError::file(target, "a writable file", error))
}

/// Arguments of `check-validate`.
#[derive(Args, Clone, Debug)]
pub struct CheckArguments {
    /// Pairs of drawn logs without a tier, and as many equal pairs.
    #[arg(long, default_value_t = 50)]
    draws: u64,
    /// Plants faults in the real data sets in this directory, at any depth, and counts how many are found.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Rows of each drawn log.
    #[arg(long, default_value_t = 10_000)]
    rows: u64,
    /// Writes a table of as many rows as --rows says to time with, CSV or Parquet by its name, and checks nothing.
    #[arg(long)]
    sample: Option<PathBuf>,
    /// Writes it as so many CSV files into a folder of that name.
    #[arg(long, requires = "sample")]
    parts: Option<u64>,
    #[command(flatten)]
    output: Output,
}

/// Measures how often a missing tier is found and how often chance is taken for a fault.
///
/// # Errors
/// When a comparison fails or the report cannot be written.
pub fn check(arguments: &CheckArguments) -> Result<ExitCode, LabError> {
    if let Some(target) = &arguments.sample {
        match arguments.parts {
            Some(parts) => sample::write_parts(arguments.rows, 1, target, parts.max(1))?,
            None => sample::write(arguments.rows, 1, target)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let draws = simulate::draws(arguments.draws, arguments.rows)?;
    let faults = arguments.faults.as_deref().map(faults::plant).transpose()?;
    let mut text = format!(
        "missing tiers found    {} of {}\nfalse alarms           {} of {}\n",
        draws.found, draws.pairs, draws.false_alarms, draws.clean_pairs
    );
    if let Some(faults) = &faults {
        text.push_str(&format!("planted faults found   {} of {} ({} kinds)\n", faults.found, faults.planted, faults.kinds));
        faults.missed.iter().for_each(|line| text.push_str(&format!("not found: {line}\n")));
    }
    draws.unwanted.iter().for_each(|line| text.push_str(&format!("not wanted: {line}\n")));
    arguments.output.finish(&json!({ "format": 1, "draws": draws, "faults": faults }), &text)?;
    let wanted = draws.found * 1000 >= draws.pairs * 999
        && draws.false_alarms * 1000 <= draws.clean_pairs
        && faults.is_none_or(|faults| faults.found * 100 >= faults.planted * 98 && faults.clean_findings == 0);
    Ok(if wanted { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Arguments of `schema`.
#[derive(Subcommand, Clone, Debug)]
pub enum SchemaCommand {
    /// Says what changed from one schema to another; exit 1 when something did.
    Diff {
        /// The old schema.
        old: PathBuf,
        /// The new one.
        new: PathBuf,
    },
    /// Writes a schema in the format that the name of the target says: .pbtxt of TensorFlow metadata, or TOML.
    Convert {
        /// The schema.
        source: PathBuf,
        /// Where it goes.
        target: PathBuf,
    },
}

/// Compares or converts schemas.
///
/// # Errors
/// When a schema cannot be read or written.
pub fn schemas(command: &SchemaCommand) -> Result<ExitCode, LabError> {
    match command {
        SchemaCommand::Diff { old, new } => {
            let changes = schema::diff::diff(&schema::Schema::read(old)?, &schema::Schema::read(new)?);
            changes.iter().for_each(|change| println!("{change}"));
            Ok(if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
        }
        SchemaCommand::Convert { source, target } => {
            schema::Schema::read(source)?.write(target, &[])?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
