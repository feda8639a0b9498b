//! Estimates from released records, probe by probe.

use ears_only::privacy::{Probe, ProbeKind, Question, RecordFields};
use serde::Serialize;

use super::{Channel, Counts, Estimate, arms, codes, vote};
use crate::collect::Manifests;
use crate::error::LabError;

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Manifest, as eight hexadecimal digits.
    pub manifest: String,
    /// Number of the probe in it.
    pub slot: usize,
    /// Kind of the probe.
    pub kind: String,
    /// The question.
    pub question: String,
    /// Number of the arm.
    pub arm: usize,
    /// The arm's public name.
    pub name: String,
    /// What is estimated: `mean`, `over the first`, `lift`, or an answer of several.
    pub what: String,
    /// The estimate.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// All numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Records read.
    pub records: usize,
    /// Estimates, in the order of the manifests.
    pub lines: Vec<Line>,
}

/// Answers of [`Question::HowLong`], in their order.
const LENGTHS: [&str; 4] = ["not played", "under 30 s", "at least 30 s", "to the end"];

/// Estimates everything that records can say. Arms without records are left out; cells that were never released are such.
///
/// # Errors
/// Only when a question has a channel that is not shipped.
pub fn report(manifests: &Manifests, records: &[RecordFields]) -> Result<Report, LabError> {
    let mut report = Report { format: 1, records: records.len(), lines: Vec::new() };
    for manifest in manifests.all() {
        for (slot, probe) in manifest.probes().iter().enumerate() {
            for (at, question) in probe.questions.iter().enumerate() {
                let channel = Channel::new(manifest.epsilon(), question.answers())?;
                let mut counts = Counts::new(probe.arms.len(), 1, channel.answers());
                let of = |record: &&RecordFields| {
                    record.manifest == manifest.id() && usize::from(record.slot) == slot && usize::from(record.question) == at
                };
                records.iter().filter(of).for_each(|record| counts.add(record.arm.into(), 0, record.symbol.into(), 1.0));
                let line = |arm: usize, what: &str, estimate: Estimate| Line {
                    manifest: manifest.id().to_string(),
                    slot,
                    kind: probe.kind.name().to_owned(),
                    question: question.name().to_owned(),
                    arm,
                    name: probe.arms[arm].action.name(),
                    what: what.to_owned(),
                    estimate,
                };
                report
                    .lines
                    .extend(estimates(probe, *question, channel, &counts).into_iter().map(|(arm, what, e)| line(arm, what, e)));
            }
        }
    }
    Ok(report)
}

/// Arm, what is estimated, the estimate.
type Found = (usize, &'static str, Estimate);

fn estimates(probe: &Probe, question: Question, channel: Channel, counts: &Counts) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let with: Vec<usize> = (0..counts.arms()).filter(|arm| counts.of_arm(*arm) > 0.0).collect();
    for arm in &with {
        match (&probe.kind, question) {
            (ProbeKind::Vote { clip }, _) => found.push((*arm, "lift", vote::lift(counts, channel, *arm, *clip))),
            (_, Question::HowLong) => {
                let mut of = Counts::new(1, 1, channel.answers());
                (0..channel.answers()).for_each(|answer| of.add(0, 0, answer, counts.at(*arm, 0, answer)));
                for (answer, name) in LENGTHS.iter().enumerate() {
                    let share = codes::functional(&of, channel, 1.0, |_, given| f64::from(u8::from(given == answer)));
                    found.push((*arm, name, share));
                }
            }
            _ => {
                found.push((*arm, "mean", arms::mean(counts, channel, *arm)));
                // Single directions of a training probe mean nothing by themselves.
                if !matches!(probe.kind, ProbeKind::Training { .. }) && *arm > 0 && counts.of_arm(0) > 0.0 {
                    found.push((*arm, "over the first", arms::difference(counts, channel, *arm, 0)));
                }
            }
        }
    }
    found
}

impl Report {
    /// Whether any number has a verdict other than that it cannot be told.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.lines.iter().any(|line| line.estimate.cannot.is_none())
    }

    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{} released records, noise undone, 95 % intervals\n", self.records);
        let mut last = (String::new(), usize::MAX, String::new());
        for line in &self.lines {
            let here = (line.manifest.clone(), line.slot, line.question.clone());
            if here != last {
                text.push_str(&format!("\nmanifest {}, probe {} ({}), {}\n", line.manifest, line.slot, line.kind, line.question));
                last = here;
            }
            let estimate = &line.estimate;
            let shown = estimate.cannot.clone().unwrap_or_else(|| {
                format!(
                    "{:>+8.4}   [{:+.4}, {:+.4}]   {:.0} records",
                    estimate.value, estimate.low, estimate.high, estimate.records
                )
            });
            text.push_str(&format!("  {:<24} {:<14} {shown}\n", line.name, line.what));
        }
        text
    }
}
