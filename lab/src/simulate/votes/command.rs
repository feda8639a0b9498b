//! `ears-lab simulate-votes`.

use std::process::ExitCode;

use clap::Args;

use super::{Draw, report, table};
use crate::arguments::Long;
use crate::error::LabError;

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
    #[command(flatten)]
    long: Long,
}

impl SimulateVotes {
    /// Runs the command.
    ///
    /// # Errors
    /// As [`report`], and when a file cannot be written.
    pub fn run(self) -> Result<ExitCode, LabError> {
        let units = self.long.partial.units()?;
        let draw = Draw { devices: self.world_devices, worlds: self.worlds, share: 1.0, clip: 0.2, seed: self.seed };
        let report = report(self.devices, draw, self.long.threads.count(), &units)?;
        self.long.output.finish(&report, &format!("{}\n", table(&report)))?;
        Ok(ExitCode::SUCCESS)
    }
}
