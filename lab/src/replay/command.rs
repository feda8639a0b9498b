//! `ears-lab replay`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Settings, lastfm, run};
use crate::arguments::Output;
use crate::error::LabError;
use crate::{bundle, progress};

/// Hides half of the artists of real listeners and counts how many of them the ranked page brings back.
#[derive(clap::Args)]
pub struct Arguments {
    /// Directory that holds the Last.fm 2K play counts, at any depth.
    #[arg(long)]
    data: PathBuf,
    /// Number of test listeners, or "all".
    #[arg(long, default_value = "500")]
    listeners: String,
    /// Draws listeners, halves and pages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A model for the core as JSON, in place of the built-in one.
    #[arg(long)]
    model: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Arguments {
    /// Runs it, and prints or writes the report.
    ///
    /// # Errors
    /// When data or model cannot be read, the core refuses, or the report cannot be written.
    pub fn run(&self) -> Result<ExitCode, LabError> {
        let listeners = match self.listeners.as_str() {
            "all" => None,
            number => Some(
                number
                    .parse()
                    .map_err(|_| LabError::unreadable(format!("expected a number of listeners or all, got {number}")))?,
            ),
        };
        let settings = Settings { listeners, seed: self.seed, model: bundle::settings(self.model.as_deref())? };
        let counts = lastfm::read(&self.data)?;
        let bar = progress::bar("listeners");
        let report = run(&counts, &settings, &mut |done, all| progress::show(&bar, done, all))?;
        bar.finish_and_clear();
        self.output.finish(&report, &report.table())?;
        Ok(ExitCode::SUCCESS)
    }
}
