//! `ears-lab simulate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ears_world::constants::{DAYS, LISTENERS};

use super::kuairand::replay;
use super::{Settings, carousel, lastfm, logged, movielens, run, sanity};
use crate::arguments::{Long, Seeds};
use crate::error::LabError;
use crate::{bundle, progress};

/// Runs the shipped core for simulated listeners, against baselines and the best possible.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which world: demo, or lastfm, movielens, kuairand or carousel with --data.
    #[arg(long, default_value = "demo")]
    world: String,
    /// Directory that holds the data of the world, at any depth.
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    seeds: Seeds,
    /// Listeners of each run. Default: as the world has them.
    #[arg(long)]
    listeners: Option<u32>,
    /// Days of each run, two visits each. Default: as the world has them.
    #[arg(long)]
    days: Option<u32>,
    /// For carousel: rounds of each run.
    #[arg(long, default_value_t = carousel::ROUNDS)]
    rounds: u32,
    /// For carousel: visitors of each round.
    #[arg(long, default_value_t = carousel::VISITORS)]
    visitors: u32,
    /// For carousel: names of the policies to run. Default: all.
    #[arg(long, value_delimiter = ',')]
    policies: Vec<String>,
    /// For lastfm: the middle of the grid only.
    #[arg(long)]
    middle: bool,
    /// For lastfm: the price of exploring at three rates, and what it buys.
    #[arg(long)]
    explore: bool,
    /// For lastfm: does an estimate from the log of an exploring policy order candidate policies as the world does?
    #[arg(long, conflicts_with = "explore")]
    sanity: bool,
    /// A model for the core as JSON, or for demo a bundle, in place of the built-in one.
    #[arg(long)]
    model: Option<PathBuf>,
    /// For demo: writes what the core's devices showed and saw as a log to train from, and compares nothing.
    #[arg(long)]
    log: Option<PathBuf>,
    #[command(flatten)]
    long: Long,
}

impl Arguments {
    /// Runs it, and prints or writes the report.
    ///
    /// # Errors
    /// When there is no such world, data or model cannot be read, there is nothing to run, or a file cannot be written.
    pub fn run(&self) -> Result<ExitCode, LabError> {
        let demo = self.world == "demo";
        let model = bundle::settings(self.model.as_deref().filter(|_| !demo))?;
        let (seeds, threads) = (self.seeds.all(20), self.long.threads.count());
        let bar = progress::bar("runs");
        let show = |done, all| progress::show(&bar, done, all);
        match self.world.as_str() {
            "demo" => {
                let settings = Settings {
                    seeds,
                    listeners: self.listeners.unwrap_or(LISTENERS),
                    days: self.days.unwrap_or(DAYS),
                    bundle: bundle::bundle_or_settings(self.model.as_deref())?,
                    threads,
                };
                if let Some(file) = &self.log {
                    let (log, undrawn) = logged::run(&settings, &show)?;
                    bar.finish_and_clear();
                    log.write(file)?;
                    println!("{} cards seen at drawn places; {undrawn} at other places left out", log.rows());
                    return Ok(ExitCode::SUCCESS);
                }
                let report = run(&settings, &show)?;
                bar.finish_and_clear();
                self.long.output.finish(&report, &report.table())?;
            }
            "lastfm" if self.explore => {
                let listeners = self.listeners.unwrap_or(lastfm::explore::LISTENERS);
                let settings = lastfm::explore::Settings { seeds, listeners, model, threads };
                let report = lastfm::explore::run(&lastfm::Data::read(self.data()?)?, &settings, &self.units()?, &show)?;
                bar.finish_and_clear();
                self.long.output.finish(&report, &report.table())?;
            }
            "lastfm" if self.sanity => {
                let listeners = self.listeners.unwrap_or(sanity::LISTENERS);
                let settings = sanity::Settings { seeds, listeners, model, threads };
                let report = sanity::run(&lastfm::Data::read(self.data()?)?, &settings, &self.units()?, &show)?;
                bar.finish_and_clear();
                self.long.output.finish(&report, &report.table())?;
            }
            "lastfm" => {
                let settings = lastfm::Settings {
                    seeds,
                    listeners: self.listeners.unwrap_or(lastfm::constants::LISTENERS),
                    days: self.days.unwrap_or(lastfm::constants::DAYS),
                    model,
                    grid: if self.middle { None } else { Some(self.listeners.unwrap_or(lastfm::GRID_LISTENERS)) },
                    pilot: lastfm::pilot::SIZE,
                    threads,
                };
                let report = lastfm::run(&lastfm::Data::read(self.data()?)?, &settings, &self.units()?, &show)?;
                bar.finish_and_clear();
                self.long.output.finish(&report, &report.table())?;
            }
            "movielens" => {
                let listeners = self.listeners.map(|listeners| listeners as usize);
                let settings = movielens::Settings { seeds, listeners, model, threads };
                let report = movielens::run(&movielens::Data::read(self.data()?)?, &settings, &self.units()?, &show)?;
                bar.finish_and_clear();
                self.long.output.finish(&report, &report.table())?;
            }
            "kuairand" => {
                let report = replay::run(&replay::Data::read(self.data()?)?, &model, threads, &show)?;
                bar.finish_and_clear();
                self.long.output.finish(&report, &report.table())?;
            }
            "carousel" => {
                let (rounds, visitors, policies) = (self.rounds, self.visitors, self.policies.clone());
                let settings = carousel::Settings { seeds, rounds, visitors, policies, threads };
                let world = carousel::world::World::read(self.data()?)?;
                let report = carousel::run(&world, &settings, &self.units()?, &show)?;
                bar.finish_and_clear();
                self.long.output.finish(&report, &report.table())?;
            }
            other => {
                return Err(LabError::unreadable(format!(
                    "expected the world demo, lastfm, movielens, kuairand or carousel, got {other}"
                )));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn data(&self) -> Result<&Path, LabError> {
        let missing = || LabError::unreadable(format!("the world {} needs --data DIR, got none", self.world));
        self.data.as_deref().ok_or_else(missing)
    }

    fn units(&self) -> Result<super::units::Units, LabError> {
        self.long.partial.units()
    }
}
