//! The arguments of `ears-lab score`.

use std::path::PathBuf;

use super::{Named, score};
use crate::arguments::Output;
use crate::bundle;
use crate::error::LabError;
use crate::train::log::Log;

/// Scores a log to train from with a bundle, so that `evaluate` can say what the bundle would have earned there.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The bundle.
    bundle: PathBuf,
    /// The log: a table of text with all candidates of each decision, see the documentation of training. Not the rows that were trained on.
    log: PathBuf,
    /// Where the scored log goes (Parquet, `decisions` schema 1).
    #[arg(short, long)]
    output: PathBuf,
    /// Policy over the bundle's scores, [NAME=]POLICY: bundle (its own), greedy, a kind such as epsilon, or NAME={"kind": ...} as in a model. May
    /// be given again.
    #[arg(long = "policy", default_value = "bundle")]
    policies: Vec<String>,
    #[command(flatten)]
    report: Output,
}

impl Arguments {
    /// Scores, writes the log, and says what there is to judge.
    ///
    /// # Errors
    /// When an argument is wrong, the bundle or the log cannot be read, or they do not fit together.
    pub fn run(&self) -> Result<(), LabError> {
        let policies = self.policies.iter().map(|text| text.parse()).collect::<Result<Vec<Named>, _>>()?;
        let opened = bundle::read_file(&self.bundle)?.1;
        let log = Log::read(&self.log)?;
        let report = score(&opened.bundle, &policies, &log, &self.log, &self.output)?;
        self.report.finish(&report, &report.text())
    }
}
