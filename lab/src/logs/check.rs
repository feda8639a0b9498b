//! Bad rows: each kind has a name, is counted, and says where its first rows stand. Nothing is dropped unsaid.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::Place;
use crate::error::LabError;

/// Places kept of each kind.
const PLACES: usize = 5;

/// What can be wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A propensity that is not in (0, 1].
    Propensity,
    /// A reward that is no number, or infinite.
    Reward,
    /// A target policy's probability that is not in [0, 1], or a prediction that is no number.
    Target,
    /// The logged action is not among the candidates, or candidates and probabilities differ in number.
    Candidates,
    /// The candidates' probabilities are not in [0, 1] or do not sum to 1.
    Probabilities,
    /// The propensity is not the logged action's probability among the candidates.
    PropensityDiffers,
    /// A candidate whose embedding is not in the table of embeddings.
    Embedding,
    /// The same decision, shelf and position as another row.
    Duplicate,
    /// A logging policy other than the log's first.
    MixedPolicies,
    /// Rows of one decision that do not stand together in order of position, or with a position missing; slates need them all.
    ScatteredSlate,
    /// A row without the id of its decision, where pages are judged.
    NoDecision,
    /// A reward under local differential privacy; its noise would be taken for a taste.
    NoisyReward,
}

impl Kind {
    /// In words, for the list of findings.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Propensity => "expected a propensity in (0, 1]",
            Self::Reward => "expected a finite reward",
            Self::Target => "expected a target probability in [0, 1] and finite predictions",
            Self::Candidates => "expected the action among the candidates, and a probability for each",
            Self::Probabilities => "expected probabilities in [0, 1] that sum to 1",
            Self::PropensityDiffers => "expected the propensity to be the action's probability among the candidates",
            Self::Embedding => "expected the embedding of every candidate",
            Self::Duplicate => "expected each decision, shelf and position once",
            Self::MixedPolicies => "expected one logging policy",
            Self::ScatteredSlate => "expected the rows of a decision together, each shelf from position 0 on without a gap",
            Self::NoDecision => "expected a decision id, to tell pages apart",
            Self::NoisyReward => "expected rewards without noise (rr_keep 1)",
        }
    }
}

/// What was found of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
struct Found {
    count: u64,
    /// The first places, in order, with the value found there.
    places: Vec<(Place, String)>,
}

/// Everything found in a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings(BTreeMap<Kind, Found>);

/// One kind, for reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Which.
    pub kind: Kind,
    /// Rows.
    pub rows: u64,
    /// Where the first ones stand: file, row, value.
    pub first: Vec<(PathBuf, u64, String)>,
}

impl Findings {
    /// Adds a row.
    pub fn add(&mut self, kind: Kind, place: impl FnOnce() -> Place, found: impl FnOnce() -> String) {
        let entry = self.0.entry(kind).or_default();
        entry.count += 1;
        let place = place();
        if entry.places.len() < PLACES || entry.places.last().is_some_and(|(last, _)| place < *last) {
            let at = entry.places.partition_point(|(before, _)| *before <= place);
            entry.places.insert(at, (place, found()));
            entry.places.truncate(PLACES);
        }
    }

    /// Adds what another reader found.
    pub fn merge(&mut self, other: Self) {
        for (kind, found) in other.0 {
            let entry = self.0.entry(kind).or_default();
            entry.count += found.count;
            entry.places.extend(found.places);
            entry.places.sort();
            entry.places.truncate(PLACES);
        }
    }

    /// Whether every row was good.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rows of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        self.0.get(&kind).map_or(0, |found| found.count)
    }

    /// All of it, by kind.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let first = |found: &Found| found.places.iter().map(|(at, value)| (at.file.clone(), at.row, value.clone())).collect();
        self.0.iter().map(|(kind, found)| Summary { kind: *kind, rows: found.count, first: first(found) }).collect()
    }

    /// One line for each kind, and its first places below it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (kind, found) in &self.0 {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} in {} {}", kind.words(), found.count, if found.count == 1 { "row" } else { "rows" });
            for (place, value) in &found.places {
                let _ = writeln!(text, "  {}: row {}: found {value}", place.file.display(), place.row);
            }
        }
        text
    }

    /// An error that lists everything, unless there is nothing.
    ///
    /// # Errors
    /// When a row was bad.
    pub fn refuse(&self) -> Result<(), LabError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(LabError::failed(format!("bad rows (leave them out with --skip-bad)\n{}", self.text().trim_end())))
    }
}

/// Whether a probability of an action can be a propensity.
#[must_use]
pub fn is_propensity(p: f64) -> bool {
    p > 0.0 && p <= 1.0
}
