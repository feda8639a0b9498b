//! Arguments that several commands take, and what they do.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::error::LabError;
use crate::simulate::units::Units;
use crate::table::write_json;

/// Where a report goes.
#[derive(Args, Clone, Debug, Default)]
pub struct Output {
    /// Where the report goes as JSON; - for standard output, in place of the table.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

impl Output {
    /// Prints `table`, unless the JSON takes its place, and writes `report`.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub fn finish<T: Serialize>(&self, report: &T, table: &str) -> Result<(), LabError> {
        if self.json.as_deref() != Some(Path::new("-")) {
            print!("{table}");
        }
        self.json.as_deref().map_or(Ok(()), |target| write_json(report, target))
    }
}

/// How many threads a command takes.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Threads {
    /// Threads; no result but a time depends on it. Default: one for each processor.
    #[arg(long)]
    pub threads: Option<usize>,
}

impl Threads {
    /// The number: 1 or more where none was asked for.
    #[must_use]
    pub fn count(self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
}

/// Where the finished parts of a long command are kept.
#[derive(Args, Clone, Debug, Default)]
pub struct Partial {
    /// Keeps finished parts in this file.
    #[arg(long)]
    pub partial: Option<PathBuf>,
    /// Goes on with the parts that the file has already.
    #[arg(long, requires = "partial")]
    pub resume: bool,
}

impl Partial {
    /// The finished units, one JSON object a line.
    ///
    /// # Errors
    /// As [`Units::open`].
    pub fn units(&self) -> Result<Units, LabError> {
        self.partial.as_deref().map_or_else(|| Ok(Units::nowhere()), |file| Units::open(file, self.resume))
    }
}

/// What every long command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Long {
    /// Threads.
    #[command(flatten)]
    pub threads: Threads,
    /// Finished parts.
    #[command(flatten)]
    pub partial: Partial,
    /// The report.
    #[command(flatten)]
    pub output: Output,
}

/// Seeds of runs.
#[derive(Args, Clone, Copy, Debug)]
pub struct Seeds {
    /// Number of runs, each with listeners of its own. Default: 20 for simulate, 3 for train-probes, else 10.
    #[arg(long)]
    pub seeds: Option<u64>,
    /// Seed of the first run; the others follow.
    #[arg(long, default_value_t = 1)]
    pub first_seed: u64,
}

impl Seeds {
    /// The seeds, in order; `usual` is how many there are where no number was given.
    #[must_use]
    pub fn all(self, usual: u64) -> Vec<u64> {
        (self.first_seed..self.first_seed.saturating_add(self.seeds.unwrap_or(usual))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Whole {
        #[command(flatten)]
        seeds: Seeds,
        #[command(flatten)]
        long: Long,
    }

    fn whole(line: &str) -> Result<Whole, String> {
        Whole::try_parse_from(["command"].into_iter().chain(line.split_whitespace())).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_is_as_documented() {
        let found = whole("").unwrap();
        assert_eq!(found.seeds.all(4), [1, 2, 3, 4]);
        assert!(found.long.threads.count() >= 1);
        assert!(found.long.partial.partial.is_none() && found.long.output.json.is_none());
        assert!(whole("--resume").is_err_and(|text| text.contains("--partial")));
        let found = whole("--seeds 2 --first-seed 18446744073709551615 --threads 3 --partial a --resume --json -").unwrap();
        // Seeds end with the last number there is.
        assert!(found.seeds.all(4).is_empty());
        assert_eq!(found.long.threads.count(), 3);
        assert!(found.long.partial.resume && found.long.output.json.as_deref() == Some(Path::new("-")));
    }

    #[test]
    fn a_report_is_written_where_it_was_asked_for() {
        let file = std::env::temp_dir().join(format!("ears-lab-output-{}.json", std::process::id()));
        Output { json: Some(file.clone()) }.finish(&[1, 2], "").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[1,2]\n");
        std::fs::remove_file(&file).unwrap();
        assert!(Output { json: Some("/no such folder/a".into()) }.finish(&1, "").is_err());
        Output::default().finish(&1, "").unwrap();
    }
}
