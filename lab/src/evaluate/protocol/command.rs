//! `ears-lab check-estimates`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{PageWorld, Settings, carousel, home, run};
use crate::arguments::Long;
use crate::error::LabError;
use crate::progress;
use crate::simulate::carousel::world::World;
use crate::simulate::lastfm;

/// How good are the estimates? Many logs of worlds that know the truth, eight target policies each.
#[derive(clap::Args)]
pub struct Arguments {
    /// Directory that holds the data of the worlds, at any depth.
    #[arg(long)]
    data: PathBuf,
    /// The world: carousel or home.
    #[arg(long)]
    world: String,
    /// Logs.
    #[arg(long, default_value_t = 20)]
    logs: u64,
    /// Pages of each log.
    #[arg(long, default_value_t = 20_000)]
    pages: usize,
    #[command(flatten)]
    long: Long,
}

impl Arguments {
    /// Runs it, and prints or writes the report.
    ///
    /// # Errors
    /// As [`run`], or when data cannot be read or a file cannot be written.
    pub fn run(&self) -> Result<ExitCode, LabError> {
        let settings = Settings { logs: self.logs, pages: self.pages, threads: self.long.threads.count() };
        let kept = self.long.partial.units()?;
        let bar = progress::bar("logs");
        let run = |world: &dyn PageWorld| run(world, settings, &kept, &|done, all| progress::show(&bar, done, all));
        let report = match self.world.as_str() {
            "carousel" => run(&carousel::Carousel::new(&World::read(&self.data)?))?,
            "home" => run(&home::Home::new(&lastfm::Data::read(&self.data)?)?)?,
            other => return Err(LabError::unreadable(format!("expected a world carousel or home, got {other}"))),
        };
        bar.finish_and_clear();
        self.long.output.finish(&report, &report.table())?;
        Ok(ExitCode::SUCCESS)
    }
}
