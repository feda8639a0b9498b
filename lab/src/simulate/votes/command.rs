//! `ears-lab simulate-votes`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Draw, report, table};
use crate::error::LabError;
use crate::simulate::units::Units;
use crate::table::write_json;

/// Arguments of `simulate-votes`.
#[derive(Args)]
pub struct SimulateVotes {
    /// Devices of the demo world, four votes each.
    #[arg(long, default_value_t = 25_000)]
    devices: u32,
    /// Worlds drawn from them.
    #[arg(long, default_value_t = 1_000)]
    worlds: u32,
    /// Devices of each world.
    #[arg(long, default_value_t = 100_000)]
    world_devices: u32,
    /// Seed of everything.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; the result does not depend on it. Default: one for each processor.
    #[arg(long)]
    threads: Option<usize>,
    /// Keeps finished devices in this file.
    #[arg(long)]
    partial: Option<PathBuf>,
    /// Goes on from the devices in that file.
    #[arg(long, requires = "partial")]
    resume: bool,
    /// Where the report goes as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl SimulateVotes {
    /// Runs the command.
    ///
    /// # Errors
    /// As [`report`], and when a file cannot be written.
    pub fn run(self) -> Result<ExitCode, LabError> {
        let units = self.partial.as_deref().map_or_else(|| Ok(Units::nowhere()), |file| Units::open(file, self.resume))?;
        let draw = Draw { devices: self.world_devices, worlds: self.worlds, share: 1.0, clip: 0.2, seed: self.seed };
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let report = report(self.devices, draw, threads, &units)?;
        if let Some(target) = &self.json {
            write_json(&report, target)?;
        }
        println!("{}", table(&report));
        Ok(ExitCode::SUCCESS)
    }
}
