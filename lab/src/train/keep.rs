//! What a training has so far, in a file: one that broke off goes on there and ends with the same bytes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::log::Log;
use crate::error::LabError;

/// Counts up whenever the same log and settings come to train otherwise, or the state reads otherwise.
const FORMAT: u32 = 2;
/// Least time between two writes; tests keep the first only, however slow the machine.
const EVERY: Duration = Duration::from_secs(if cfg!(test) { 3_600 } else { 2 });

/// Where to keep it; nowhere by default.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    file: Option<PathBuf>,
    /// Which training this is: log and settings. What another one left is not taken up.
    mark: String,
    resume: bool,
    last: Arc<Mutex<Option<Instant>>>,
}

/// Where a training is kept says nothing about what comes of it.
impl PartialEq for Keep {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Serialize)]
struct Written<'a, T> {
    format: u32,
    mark: &'a str,
    state: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    mark: String,
    state: T,
}

impl Keep {
    /// Keeps the training that `mark` names in `file`, and takes up what is there with `resume`.
    #[must_use]
    pub fn in_file(file: PathBuf, mark: String, resume: bool) -> Self {
        Self { file: Some(file), mark, resume, last: Arc::default() }
    }

    /// What this training left, if it did.
    #[must_use]
    pub fn state<T: DeserializeOwned>(&self) -> Option<T> {
        let text = std::fs::read_to_string(self.file.as_ref().filter(|_| self.resume)?).ok()?;
        // A file of another training, or one cut short, is as good as none.
        serde_json::from_str::<Read<T>>(&text).ok().filter(|read| read.mark == self.mark).map(|read| read.state)
    }

    /// Keeps what `state` makes, when the last time was a while ago.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep<T: Serialize>(&self, state: impl FnOnce() -> T) -> Result<(), LabError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            return Ok(());
        }
        *last = Some(Instant::now());
        let cannot = |error: String| LabError::file(file, "a writable file", error);
        let written = Written { format: FORMAT, mark: &self.mark, state: &state() };
        let text = serde_json::to_string(&written).map_err(|error| cannot(error.to_string()))?;
        // Renamed when whole: a machine that stops leaves the state before.
        let part = file.with_extension("part");
        std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, file)).map_err(|error| cannot(error.to_string()))
    }
}

/// Names a training: how this version trains, its log and its settings.
#[must_use]
pub fn mark(log: &Log, settings: &str) -> String {
    under(&format!("{FORMAT} {}", env!("CARGO_PKG_VERSION")), log, settings)
}

/// The same under the name of a version.
fn under(version: &str, log: &Log, settings: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{version}\n{settings}\n"));
    for column in &log.columns {
        hash.update(format!("{} {}\n", column.name, column.source.name()));
    }
    log.values.iter().for_each(|value| hash.update(value.to_bits().to_le_bytes()));
    for numbers in [&log.reward, &log.propensity, &log.decision_propensity, &log.weight] {
        numbers.iter().for_each(|number| hash.update(number.to_bits().to_le_bytes()));
    }
    for numbers in [&log.listener, &log.decision] {
        numbers.iter().for_each(|number| hash.update(number.to_le_bytes()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_log_other_settings_and_another_version_are_another_training() {
        let log = Log { values: vec![1.0, 2.0], ..Log::default() };
        let other = Log { values: vec![1.0, 2.5], ..Log::default() };
        assert_eq!(mark(&log, "a"), mark(&log.clone(), "a"));
        assert_ne!(mark(&log, "a"), mark(&other, "a"));
        assert_ne!(mark(&log, "a"), mark(&log, "b"));
        assert_ne!(under("1 0.1.0", &log, "a"), under("2 0.1.0", &log, "a"));
        assert_ne!(under("1 0.1.0", &log, "a"), under("1 0.2.0", &log, "a"));
    }

    #[test]
    fn what_another_version_left_is_not_taken_up() {
        let file = std::env::temp_dir().join(format!("ears-lab-keep-{}.json", std::process::id()));
        let log = Log { values: vec![1.0], ..Log::default() };
        let of = |mark: String| Keep::in_file(file.clone(), mark, true);
        of(under("1", &log, "a")).keep(|| 7u32).unwrap();
        assert_eq!(of(under("1", &log, "a")).state::<u32>(), Some(7));
        assert_eq!(of(mark(&log, "a")).state::<u32>(), None);
        std::fs::remove_file(&file).unwrap();
    }
}
