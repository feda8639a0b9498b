//! How results are printed and written.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::error::LabError;
use crate::interval::Estimate;

/// One policy against another: relative difference with a paired 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The policy judged.
    pub policy: String,
    /// What it is compared with.
    pub against: String,
    /// (policy - against) / against.
    pub relative: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Comparison {
    /// Names an estimate.
    #[must_use]
    pub fn new(policy: &str, against: &str, estimate: Estimate) -> Self {
        Self {
            policy: policy.to_owned(),
            against: against.to_owned(),
            relative: estimate.value,
            low: estimate.low,
            high: estimate.high,
        }
    }

    /// The line that reports it.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{:<12} against {:<12} {:>+8.1} %   [{:+.1}, {:+.1}]",
            self.policy,
            self.against,
            100.0 * self.relative,
            100.0 * self.low,
            100.0 * self.high
        )
    }
}

/// Writes a report as JSON to a file, or to standard output for `-`.
///
/// # Errors
/// When it cannot be written.
pub fn write_json<T: Serialize>(report: &T, target: &Path) -> Result<(), LabError> {
    let mut text = serde_json::to_string(report).map_err(|error| LabError::failed(format!("report: {error}")))?;
    text.push('\n');
    if target == Path::new("-") {
        std::io::stdout().write_all(text.as_bytes()).map_err(|error| LabError::failed(format!("standard output: {error}")))
    } else {
        std::fs::write(target, text).map_err(|error| LabError::file(target, "a writable file", error))
    }
}
