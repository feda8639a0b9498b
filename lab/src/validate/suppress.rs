//! Findings that are known, and until when they need no alarm.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::finding::{Dataset, Finding};
use crate::error::LabError;

/// A list of what is suppressed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppressions {
    /// The entries.
    #[serde(default)]
    suppress: Vec<Suppression>,
}

/// What is suppressed: findings with this code, and column and slice where these are given.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Suppression {
    code: String,
    column: Option<String>,
    slice: Option<String>,
    /// The last day, `2026-12-31`; it has to be said.
    until: String,
    /// Why; it has to be said.
    reason: String,
}

impl Suppressions {
    /// Reads a list.
    ///
    /// # Errors
    /// When the file cannot be read, is no such list, or a date is none, with line and column.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable file", error))?;
        let list: Self =
            super::schema::toml::parse(&text).map_err(|error| LabError::file(path, "a list of suppressions", error))?;
        for entry in &list.suppress {
            if !is_date(&entry.until) {
                return Err(LabError::file(path, "until = \"YYYY-MM-DD\"", format!("{:?} for {}", entry.until, entry.code)));
            }
            if entry.reason.trim().is_empty() {
                return Err(LabError::file(path, &format!("a reason to suppress {}", entry.code), "none"));
            }
        }
        Ok(list)
    }

    /// Parts findings into those that stay and those that are suppressed on the day `today`. An entry that has run out is a warning.
    #[must_use]
    pub fn apply(&self, findings: Vec<Finding>, today: &str) -> (Vec<Finding>, Vec<Finding>) {
        let (valid, expired): (Vec<_>, Vec<_>) = self.suppress.iter().partition(|entry| entry.until.as_str() >= today);
        let (suppressed, mut kept): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|finding| valid.iter().any(|entry| entry.covers(finding)));
        for entry in expired {
            if kept.iter().any(|finding| entry.covers(finding)) {
                let message = format!("the suppression of {} ran out on {} ({})", entry.code, entry.until, entry.reason);
                kept.push(
                    Finding::warning("suppression_expired", Dataset::Schema, message)
                        .fix("repair what was suppressed, or give a new date and a reason"),
                );
            }
        }
        (kept, suppressed)
    }
}

impl Suppression {
    fn covers(&self, finding: &Finding) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        self.code == finding.code && same(&self.column, &finding.column) && same(&self.slice, &finding.slice)
    }
}

/// Today in UTC, `2026-12-31`.
#[must_use]
pub fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    super::decisions::date(i64::try_from(seconds / 3600).unwrap_or(0)).chars().take(10).collect()
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(place, byte)| if place == 4 || place == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppressed_until_the_day_and_told_afterwards() {
        let list: Suppressions = toml::from_str(
            "[[suppress]]\ncode = \"missing_slice\"\nslice = \"tier=premium\"\nuntil = \"2026-06-30\"\nreason = \"premium comes back in July\"\n",
        )
        .unwrap();
        let finding = |value: &str| Finding::error("missing_slice", Dataset::Train, "gone").in_slice("tier", value);
        let (kept, suppressed) = list.apply(vec![finding("premium"), finding("free")], "2026-06-30");
        assert_eq!((kept, suppressed), (vec![finding("free")], vec![finding("premium")]));
        let (kept, suppressed) = list.apply(vec![finding("premium")], "2026-07-01");
        assert!(suppressed.is_empty());
        assert_eq!(kept.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["missing_slice", "suppression_expired"]);
        assert!(list.apply(Vec::new(), "2026-07-01").0.is_empty());
        assert!(is_date(&today()) && !is_date("2026-7-1") && !is_date("soon"));
    }
}
