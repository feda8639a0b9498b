//! `ears-lab check-noise`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::check::{self, Settings};
use crate::error::LabError;
use crate::simulate::units::Units;
use crate::{progress, table};

/// Measures bias and coverage of the estimators for noisy records, in a world that knows the truth.
#[derive(Args)]
pub struct CheckArguments {
    /// Data sets.
    #[arg(long, default_value_t = 200)]
    repetitions: u32,
    /// Records of each, for each probe.
    #[arg(long, default_value_t = 20_000)]
    records: u32,
    /// Threads; the result does not depend on it. Default: one for each processor.
    #[arg(long)]
    threads: Option<usize>,
    /// Keeps finished parts in this file, one JSON object a line.
    #[arg(long)]
    partial: Option<PathBuf>,
    /// Goes on with the parts that the file has already.
    #[arg(long, requires = "partial")]
    resume: bool,
    /// Where the report goes as JSON; - for standard output, in place of the table.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl CheckArguments {
    /// Runs it and prints the table.
    ///
    /// # Errors
    /// When there is nothing to run, or a file cannot be written.
    pub fn run(self) -> Result<ExitCode, LabError> {
        let units = self.partial.as_deref().map_or_else(|| Ok(Units::nowhere()), |file| Units::open(file, self.resume))?;
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
        let bar = progress::bar("parts");
        let settings = Settings { repetitions: self.repetitions, records: self.records, threads };
        let report = check::run(&settings, &units, &|done, all| progress::show(&bar, done, all))?;
        bar.finish_and_clear();
        if self.json.as_deref() != Some(Path::new("-")) {
            print!("{}", report.table());
        }
        if let Some(target) = &self.json {
            table::write_json(&report, target)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
