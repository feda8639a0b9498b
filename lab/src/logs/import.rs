//! Other systems' logs, read line by line and written as ours.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::check::{Findings, Kind, is_propensity};
use super::parquet::Writer;
use super::{Decision, Place};
use crate::error::LabError;

mod bandit_pipeline;
mod csv;
mod vowpal;

pub use csv::Mapping;

/// Where a log comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Vowpal Wabbit's dsjson: contextual bandits, conditional bandits (`_outcomes` with costs) and slates (one cost).
    Vowpal {
        /// Which columns of context come from where.
        mapping: Mapping,
    },
    /// The Open Bandit Pipeline's `bandit_feedback` as JSON.
    BanditPipeline,
    /// Any CSV, by a mapping.
    Csv {
        /// Which column is which.
        mapping: Mapping,
    },
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// Rows written.
    pub rows: u64,
    /// Lines that hold no decision, such as rewards that came late, by reason.
    pub left_out: Vec<(&'static str, u64)>,
    /// Bad rows left out.
    pub findings: Findings,
}

impl Imported {
    fn leave_out(&mut self, reason: &'static str) {
        match self.left_out.iter_mut().find(|(same, _)| *same == reason) {
            Some((_, count)) => *count += 1,
            None => self.left_out.push((reason, 1)),
        }
    }

    /// Writes a good row; names a bad one.
    fn write(&mut self, writer: &mut Writer, decision: Decision, file: &Path, row: u64) -> Result<(), LabError> {
        let place = || Place { file: file.to_path_buf(), row };
        let mut bad = |kind, found: String| self.findings.add(kind, place, || found);
        let Decision { propensity, action, .. } = decision;
        if !is_propensity(propensity) {
            bad(Kind::Propensity, propensity.to_string());
        } else if let Some(reward) = decision.reward.filter(|reward| !reward.is_finite()) {
            bad(Kind::Reward, reward.to_string());
        } else if !decision.candidates.is_empty() && !decision.candidates.contains(&action) {
            bad(Kind::Candidates, format!("action {action} of {:?}", decision.candidates));
        } else {
            self.rows += 1;
            return writer.write(decision);
        }
        Ok(())
    }
}

/// Reads `input` and writes `output`. Bad rows stop it at the end, unless `skip_bad`; what holds no decision is counted.
///
/// # Errors
/// When a file cannot be read or written, a line cannot be understood, or rows are bad.
pub fn import(input: &Path, source: &Source, output: &Path, skip_bad: bool) -> Result<Imported, LabError> {
    let imported = match source {
        Source::Vowpal { mapping } => vowpal::import(input, mapping, output)?,
        Source::BanditPipeline => bandit_pipeline::import(input, output)?,
        Source::Csv { mapping } => csv::import(input, mapping, output)?,
    };
    if !skip_bad {
        imported.findings.refuse()?;
    }
    Ok(imported)
}

/// A text file, unpacked where its name ends in `.gz`.
fn open(path: &Path) -> Result<Box<dyn BufRead>, LabError> {
    let file = File::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let inner: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(Box::new(BufReader::new(inner)))
}

/// JSON in a line.
fn parse<'a, T: Deserialize<'a>>(path: &Path, number: u64, line: &'a str) -> Result<T, LabError> {
    serde_json::from_str(line).map_err(|error| LabError::file(path, &format!("JSON in line {number}"), error))
}

/// A JSON value as a word.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
