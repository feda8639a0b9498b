//! Recomputes every model of a folder and damages its files: what `ears-lab check-models` does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::Format;
use super::architecture::Architecture;
use super::mutate::{self, Tally};
use crate::error::LabError;
use crate::golden::models::{self, Measured};

/// Models of one tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Family {
    /// Model files tried.
    pub files: u64,
    /// Those within their tolerance.
    pub within: u64,
    /// Rows compared.
    pub rows: u64,
    /// Largest deviation of a margin.
    pub worst_margin: f64,
    /// Largest deviation of a chance.
    pub worst_prob: f64,
}

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// By tool and version.
    pub families: BTreeMap<String, Family>,
    /// Models that had to be refused, and those that were, in the words expected.
    pub to_refuse: u64,
    /// Those that were.
    pub refused: u64,
    /// Damaged files by format.
    pub mutations: BTreeMap<String, Tally>,
    /// Most memory that the process has taken, in bytes; 0 where the system does not say. Not printed.
    pub peak_memory: u64,
    /// Files that failed, with why.
    pub failures: Vec<String>,
}

/// Checks the models of every index under `folder`; damages each format `mutations` times.
///
/// # Errors
/// When the folder has no index or one cannot be read.
pub fn run(folder: &Path, mutations: u64, seed: u64, threads: usize) -> Result<Report, LabError> {
    let mut report = Report { format: 1, ..Report::default() };
    let mut files: BTreeMap<Format, Vec<Measured>> = BTreeMap::new();
    for measured in models::measure(folder)? {
        let Measured { path, library, refused, result, .. } = &measured;
        if *refused {
            report.to_refuse += 1;
        }
        match result {
            Err(error) => {
                report.failures.push(error.to_string());
                if !refused {
                    report.families.entry(library.clone()).or_default().files += 1;
                }
            }
            Ok(_) if *refused => report.refused += 1,
            Ok(worst) => {
                let family = report.families.entry(library.clone()).or_default();
                family.files += 1;
                family.within += u64::from(worst.within);
                family.rows += worst.rows;
                family.worst_margin = family.worst_margin.max(worst.margin);
                family.worst_prob = family.worst_prob.max(worst.prob);
                if !worst.within {
                    report.failures.push(format!("{}: margin {:e}, chance {:e}", path.display(), worst.margin, worst.prob));
                }
                let bytes = read(path)?;
                let format = Format::of(&bytes).map_err(|error| LabError::failed(error.to_string()))?;
                files.entry(format).or_default().push(measured);
            }
        }
    }
    for (format, files) in &files {
        if mutations > 0 {
            report.mutations.insert(format.name().to_owned(), damage(*format, files, mutations, seed, threads)?);
        }
    }
    report.peak_memory = peak_memory();
    Ok(report)
}

/// Peak resident memory, from Linux's `/proc`.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or_default() * 1024
}

fn read(path: &Path) -> Result<Vec<u8>, LabError> {
    std::fs::read(path).map_err(|error| LabError::file(path, "a readable file", error))
}

/// `count` damages, over all files of a format and all threads alike; the result does not depend on how many threads there are.
fn damage(format: Format, files: &[Measured], count: u64, seed: u64, threads: usize) -> Result<Tally, LabError> {
    const SHARE: u64 = 64;
    let mut jobs = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let of_file = count / files.len() as u64 + u64::from((index as u64) < count % files.len() as u64);
        let architecture = file.arch.as_deref().filter(|_| format == Format::Safetensors).map(Architecture::read);
        let architecture = architecture.transpose().map_err(|error| LabError::failed(error.to_string()))?;
        let bytes = std::sync::Arc::new((read(&file.path)?, architecture));
        for share in 0..of_file.div_ceil(SHARE) {
            let seed = seed ^ (index as u64) << 48 ^ share << 16;
            jobs.push((std::sync::Arc::clone(&bytes), SHARE.min(of_file - share * SHARE), seed));
        }
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut tally = Tally::default();
        while let Some((file, count, seed)) = jobs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            tally.add(&mutate::run(format, &file.0, file.1.as_ref(), *count, *seed));
        }
        tally
    };
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in running {
            match thread.join() {
                Ok(tally) => all.add(&tally),
                Err(_) => all.panics += 1,
            }
        }
    });
    Ok(all)
}

impl Report {
    /// Whether every model is within its tolerance, every refusal in order, and no damage went unnoticed.
    #[must_use]
    pub fn passes(&self) -> bool {
        let damaged = self.mutations.values().all(|tally| tally.different == 0 && tally.panics == 0);
        self.failures.is_empty() && self.families.values().all(|family| family.within == family.files) && damaged
    }

    /// As it is printed.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (name, family) in &self.families {
            let Family { files, within, rows, worst_margin, worst_prob } = family;
            let _ = writeln!(
                text,
                "{name}: {within} of {files} files within tolerance, {rows} rows, worst margin {worst_margin:.1e}, chance {worst_prob:.1e}"
            );
        }
        if self.to_refuse > 0 {
            let _ = writeln!(text, "refused by name: {} of {}", self.refused, self.to_refuse);
        }
        for (name, tally) in &self.mutations {
            let Tally { mutated, refused, same, other, rows, out_of_range, different, panics, worst_share } = tally;
            let _ = writeln!(
                text,
                "{name}: {mutated} damaged, {refused} refused, {same} same model, {other} other model; {rows} rows compared, \
                 {out_of_range} out of range, {different} different, worst {:.0} % of the rounding bound, {panics} panics",
                100.0 * worst_share
            );
        }
        for failure in &self.failures {
            let _ = writeln!(text, "FAIL {failure}");
        }
        text
    }
}
