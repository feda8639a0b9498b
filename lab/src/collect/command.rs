//! `collect` and `estimate-probes` as they are called.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ears_only::clock::Timestamp;
use ears_only::privacy::{MAX_EPOCH, epoch_of};

use super::gateway::Gateway;
use super::{BODY_BYTES, Collector, Manifests, read_released, serve};
use crate::arguments::Output;
use crate::error::{EXIT_FAILED, LabError};
use crate::noisy::probes::{Report, report};

/// Takes records from devices, checks them, and releases them in cells that are big enough.
#[derive(Args)]
pub struct Collect {
    /// Published manifest; may be given again.
    #[arg(long = "manifest", required = true)]
    manifests: Vec<PathBuf>,
    /// File of bodies, 256 bytes each, one after the other; may be given again.
    #[arg(long)]
    bodies: Vec<PathBuf>,
    /// Address to take bodies at over HTTP, such as 127.0.0.1:8080; runs until it is ended.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Secret of the gateway of oblivious HTTP, 64 hexadecimal digits; made when the file is not there.
    #[arg(long, requires = "listen")]
    ohttp_key: Option<PathBuf>,
    /// The week it is, counted from Monday 2026-01-05. Default: by the clock.
    #[arg(long)]
    epoch: Option<u16>,
    /// Ends the epoch after the files: cells of 1,000 and more are released, smaller ones dropped.
    #[arg(long, conflicts_with = "listen")]
    finish: bool,
    /// Folder of what waits, of released records and of the report.
    #[arg(long)]
    out: PathBuf,
}

fn now() -> Option<u16> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    epoch_of(Timestamp::from_ms(since.as_millis() as f64).ok()?)
}

impl Collect {
    /// Takes the files, then listens; exit 1 when a body of a file was refused.
    ///
    /// # Errors
    /// When a manifest, a file or the folder cannot be used, or the disk fails.
    pub fn run(self) -> Result<ExitCode, LabError> {
        if let Some(epoch) = self.epoch.filter(|epoch| *epoch > MAX_EPOCH) {
            return Err(LabError::unreadable(format!("expected an epoch up to {MAX_EPOCH}, got {epoch}")));
        }
        if self.bodies.is_empty() && self.listen.is_none() && !self.finish {
            return Err(LabError::unreadable("expected --bodies FILE, --listen ADDRESS or --finish, got none of them"));
        }
        let fixed = self.epoch;
        let epoch = move || fixed.or_else(now);
        let today = epoch().ok_or_else(|| LabError::unreadable("expected a clock from 2026-01-05 on, or --epoch"))?;
        let mut collector = Collector::open(Manifests::read(&self.manifests)?, &self.out)?;
        collector.settle(today)?;
        let refused: u64 = collector.tally().refused.values().sum();
        for file in &self.bodies {
            let bytes = std::fs::read(file).map_err(|error| LabError::file(file, "a readable file", error))?;
            if bytes.len() % BODY_BYTES != 0 {
                let found = format!("{} bytes", bytes.len());
                return Err(LabError::file(file, &format!("bodies of {BODY_BYTES} bytes each"), found));
            }
            for body in bytes.chunks_exact(BODY_BYTES) {
                // A refusal is counted by its code.
                let _ = collector.take(body, false, today)?;
            }
            collector.sync()?;
        }
        if self.finish {
            collector.finish()?;
        }
        collector.report()?;
        let tally = collector.tally();
        println!(
            "epoch {today}: {} taken, {} repeated, {} waiting, {} released in {} cells, {} dropped in {} cells",
            tally.taken, tally.repeated, tally.waiting, tally.released, tally.released_cells, tally.dropped, tally.dropped_cells
        );
        for (code, count) in &tally.refused {
            println!("refused, {code}: {count}");
        }
        let bad = tally.refused.values().sum::<u64>() > refused;
        if let Some(address) = self.listen {
            let gateway = self.ohttp_key.as_deref().map(Gateway::from_file).transpose()?;
            let ready = |address| println!("listening: http://{address}/records");
            serve::serve(collector, gateway, address, Box::new(epoch), ready, std::future::pending())?;
        }
        Ok(if bad { ExitCode::from(EXIT_FAILED) } else { ExitCode::SUCCESS })
    }
}

/// What released records say, noise undone: an estimate with its interval for each probe, arm and question.
#[derive(Args)]
pub struct EstimateProbes {
    /// Files of released records (Parquet, `probes` schema 1; see docs/logs.md).
    #[arg(required = true)]
    probes: Vec<PathBuf>,
    /// The manifest they belong to; may be given again.
    #[arg(long = "manifest", required = true)]
    manifests: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl EstimateProbes {
    /// Prints the estimates; exit 1 when the records can answer nothing.
    ///
    /// # Errors
    /// When a file cannot be read or a row does not fit its manifest.
    pub fn run(self) -> Result<ExitCode, LabError> {
        let manifests = Manifests::read(&self.manifests)?;
        let records = read_released(&manifests, &self.probes)?;
        let report: Report = report(&manifests, &records)?;
        self.output.finish(&report, &report.table())?;
        Ok(if report.answers() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
    }
}
