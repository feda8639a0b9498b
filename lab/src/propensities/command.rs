//! `ears-lab check-propensities`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::report;
use crate::arguments::{Output, Threads};
use crate::error::{EXIT_FAILED, LabError};
use crate::progress;

/// Tests stated propensities against what is drawn, for every policy that may log, in every world; exit 1 on an alarm.
#[derive(clap::Args)]
pub struct Arguments {
    /// Directory that holds the data of the worlds, at any depth. Default: the demo world alone.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Pages of each policy in each world.
    #[arg(long, default_value_t = 100_000)]
    pages: u64,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: Output,
}

impl Arguments {
    /// Runs it, and prints or writes the report.
    ///
    /// # Errors
    /// When data cannot be read, the core refuses, or the report cannot be written.
    pub fn run(&self) -> Result<ExitCode, LabError> {
        let bar = progress::bar("policies");
        let shown = |done, all| progress::show(&bar, done, all);
        let report = report::run(self.data.as_deref(), self.pages, self.threads.count(), &shown)?;
        bar.finish_and_clear();
        self.output.finish(&report, &report.table())?;
        Ok(if report.passes() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
    }
}
