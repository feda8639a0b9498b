//! Finished units of a long simulation, kept in a file of one JSON object a line so that a run that broke off can go on.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::LabError;

/// Where finished units are kept.
#[derive(Debug, Default)]
pub struct Units {
    file: Option<PathBuf>,
    done: BTreeMap<String, Value>,
    writing: Mutex<()>,
}

impl Units {
    /// Keeps nothing.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// Keeps units in `file`. With `resume` those that are there already are not made again; without, the file starts empty.
    ///
    /// # Errors
    /// When the file is there and cannot be read or emptied.
    pub fn open(file: &Path, resume: bool) -> Result<Self, LabError> {
        let mut done = BTreeMap::new();
        if file.exists() && resume {
            let text = std::fs::read_to_string(file).map_err(|error| LabError::file(file, "a readable file", error))?;
            for line in text.lines() {
                // A line cut short by the end of the machine is a unit not finished.
                let Ok(mut entry) = serde_json::from_str::<Value>(line) else { continue };
                if let Some(unit) = entry["unit"].as_str().map(str::to_owned) {
                    done.insert(unit, entry["value"].take());
                }
            }
        } else if file.exists() {
            std::fs::remove_file(file).map_err(|error| LabError::file(file, "a file that may be replaced", error))?;
        }
        Ok(Self { file: Some(file.to_owned()), done, writing: Mutex::new(()) })
    }

    /// The value of `unit`: from a run before, or made now and kept.
    ///
    /// # Errors
    /// When it cannot be made or kept.
    pub fn unit<T: Serialize + DeserializeOwned>(
        &self,
        unit: &str,
        make: impl FnOnce() -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        if let Some(known) = self.done.get(unit).and_then(|value| T::deserialize(value).ok()) {
            return Ok(known);
        }
        let value = make()?;
        let Some(file) = &self.file else { return Ok(value) };
        let entry = serde_json::json!({ "format": 1, "unit": unit, "value": value });
        let cannot = |error: std::io::Error| LabError::file(file, "a writable file", error);
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = std::fs::File::options().create(true).append(true).open(file).map_err(cannot)?;
        // A line broken off before stays broken; this one starts afresh.
        let cut_short = std::fs::read(file).is_ok_and(|bytes| bytes.last().is_some_and(|byte| *byte != b'\n'));
        writeln!(open, "{}{entry}", if cut_short { "\n" } else { "" }).map_err(cannot)?;
        Ok(value)
    }
}

/// Runs `jobs` on `threads` threads; results in the order of the jobs, the first error otherwise.
///
/// # Errors
/// The first of a job, in the order of the jobs.
pub fn each<J: Sync, T: Send>(
    jobs: &[J],
    threads: usize,
    run: impl Fn(&J) -> Result<T, LabError> + Sync,
) -> Result<Vec<T>, LabError> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<T, LabError>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { break };
                    let result = run(job);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_units_are_not_made_again_and_cut_lines_are() {
        let file = std::env::temp_dir().join(format!("ears-lab-units-{}.jsonl", std::process::id()));
        std::fs::write(&file, "{\"format\": 1, \"unit\": \"a\", \"value\": [1, 2]}\n{\"format\": 1, \"un").unwrap();
        let units = Units::open(&file, true).unwrap();
        assert_eq!(units.unit("a", || Ok(vec![3])).unwrap(), [1, 2]);
        assert_eq!(units.unit("b", || Ok(vec![4])).unwrap(), [4]);
        let again = Units::open(&file, true).unwrap();
        assert_eq!(again.unit("b", || Ok(vec![5])).unwrap(), [4]);
        let afresh = Units::open(&file, false).unwrap();
        assert_eq!(afresh.unit("a", || Ok(vec![6])).unwrap(), [6]);
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn jobs_keep_their_order_on_any_number_of_threads() {
        let jobs: Vec<u32> = (0..20).collect();
        for threads in [1, 3] {
            assert_eq!(each(&jobs, threads, |job| Ok(job * 2)).unwrap(), (0..20).map(|j| j * 2).collect::<Vec<_>>());
        }
        let wrong = each(&jobs, 2, |job| if *job > 7 { Err(LabError::failed(job.to_string())) } else { Ok(()) });
        assert_eq!(wrong.unwrap_err().to_string(), "8");
    }
}
