//! `ears-lab check-noise`.

use std::process::ExitCode;

use clap::Args;

use super::check::{self, Settings};
use crate::arguments::Long;
use crate::error::LabError;
use crate::progress;

/// Measures bias and coverage of the estimators for noisy records, in a world that knows the truth.
#[derive(Args)]
pub struct CheckArguments {
    /// Data sets.
    #[arg(long, default_value_t = 200)]
    repetitions: u32,
    /// Records of each, for each probe.
    #[arg(long, default_value_t = 20_000)]
    records: u32,
    #[command(flatten)]
    long: Long,
}

impl CheckArguments {
    /// Runs it and prints the table.
    ///
    /// # Errors
    /// When there is nothing to run, or a file cannot be written.
    pub fn run(self) -> Result<ExitCode, LabError> {
        let units = self.long.partial.units()?;
        let bar = progress::bar("parts");
        let settings = Settings { repetitions: self.repetitions, records: self.records, threads: self.long.threads.count() };
        let report = check::run(&settings, &units, &|done, all| progress::show(&bar, done, all))?;
        bar.finish_and_clear();
        self.long.output.finish(&report, &report.table())?;
        Ok(ExitCode::SUCCESS)
    }
}
