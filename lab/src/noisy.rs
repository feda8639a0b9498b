//! Estimators that undo the noise of released records, beside the channel that they undo.
//!
//! A record's answer lies with a known chance ([`Channel`]); its arm was drawn by a public coin with a known weight. Everything here works on
//! counts of answers ([`Counts`]): which record came when does not matter, and nothing else of a record is private. [`arms`] judges
//! arms and policies over arms, [`vote`] the devices' own judgements, [`codes`] policies over coarse public codes, from single bits
//! (Hadamard rows) or from joint symbols. [`marginal`] is a shortcut that looks right and is wrong; it stays here to fail. [`check`] measures
//! bias and coverage of all of them in a world that knows the truth.
//!
//! An estimate is unbiased as long as the answers went through the channel; it may therefore lie outside the range of possible rewards,
//! and is not cut to it.

pub mod arms;
pub mod channel;
pub mod check;
pub mod codes;
pub mod command;
pub mod marginal;
pub mod probes;
pub mod vote;

pub use channel::Channel;

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::error::LabError;

/// The 97.5 % point of the standard normal.
const Z95: f64 = 1.959_963_984_540_054;
/// Records worth fewer than this many cannot carry a normal interval.
pub const LEAST_SAMPLE: f64 = 100.0;

/// How many records gave which answer.
///
/// `f64`, so that the same functions take expected shares: an estimator at the exact shares must give the truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    arms: usize,
    questions: usize,
    answers: usize,
    counts: Vec<f64>,
}

impl Counts {
    /// No records, for so many arms, questions and answers.
    #[must_use]
    pub fn new(arms: usize, questions: usize, answers: usize) -> Self {
        Self { arms, questions, answers, counts: vec![0.0; arms * questions * answers] }
    }

    /// Adds records. Beyond the numbers of [`Counts::new`] nothing is counted.
    pub fn add(&mut self, arm: usize, question: usize, answer: usize, records: f64) {
        if arm < self.arms && question < self.questions && answer < self.answers {
            self.counts[(arm * self.questions + question) * self.answers + answer] += records;
        }
    }

    /// Records with this arm, question and answer.
    #[must_use]
    pub fn at(&self, arm: usize, question: usize, answer: usize) -> f64 {
        self.counts[(arm * self.questions + question) * self.answers + answer]
    }

    /// Records of an arm.
    #[must_use]
    pub fn of_arm(&self, arm: usize) -> f64 {
        let each = self.questions * self.answers;
        self.counts[arm * each..(arm + 1) * each].iter().sum()
    }

    /// All records.
    #[must_use]
    pub fn records(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Number of arms.
    #[must_use]
    pub fn arms(&self) -> usize {
        self.arms
    }

    /// Every cell with records: arm, question, answer, records.
    fn cells(&self) -> impl Iterator<Item = (usize, usize, usize, f64)> {
        let each = self.questions * self.answers;
        let cell = move |(at, count): (usize, &f64)| (at / each, at % each / self.answers, at % self.answers, *count);
        self.counts.iter().enumerate().map(cell).filter(|cell| cell.3 > 0.0)
    }
}

/// An estimate with what is known of its error.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its standard error, noise included.
    pub standard_error: f64,
    /// Lower end of the 95 % interval, by the normal distribution.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Records used.
    pub records: f64,
    /// Records of equal weight that would be worth as much (L. Kish 1965, "Survey Sampling"); noise is not in it.
    pub effective: f64,
    /// Why these records cannot answer, if they cannot.
    pub cannot: Option<String>,
}

/// A score and the number of records that have it.
type Scored = (f64, f64);

impl Estimate {
    fn of(value: f64, variance: f64, records: f64, effective: f64, range: f64) -> Self {
        let standard_error = variance.max(0.0).sqrt();
        let half = Z95 * standard_error;
        let cannot = if effective < LEAST_SAMPLE {
            Some(format!("these records cannot answer this question: effective sample size {effective:.0}"))
        } else if !half.is_finite() || half > range {
            Some(format!(
                "these records cannot answer this question: the interval is {:.1} times as wide as all possible values",
                half / range
            ))
        } else {
            None
        };
        Self { value, standard_error, low: value - half, high: value + half, records, effective, cannot }
    }

    /// The mean of independent scores; `range` is the width of all possible values.
    fn mean(scores: &[Scored], effective: f64, range: f64) -> Self {
        let (value, variance, records) = mean_of(scores);
        Self::of(value, variance, records, effective, range)
    }

    /// For one that rests on arms without records.
    fn without(mut self, missing: f64) -> Self {
        if missing > 0.01 {
            let percent = 100.0 * missing;
            self.cannot = Some(format!(
                "these records cannot answer this question: {percent:.0} % of the policy's choices have no records"
            ));
        }
        self
    }
}

/// Mean, variance of the mean, number.
fn mean_of(scores: &[Scored]) -> (f64, f64, f64) {
    let records: f64 = scores.iter().map(|(_, count)| count).sum();
    let mean = scores.iter().map(|(score, count)| score * count).sum::<f64>() / records;
    let squares: f64 = scores.iter().map(|(score, count)| count * (score - mean) * (score - mean)).sum();
    (mean, squares / (records - 1.0) / records, records)
}

/// Kish's effective sample size from weights: (sum w)^2 / sum w^2.
fn effective(weights: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut sum, mut squares) = (0.0, 0.0);
    for (weight, records) in weights {
        sum += weight * records;
        squares += weight * weight * records;
    }
    if squares > 0.0 { sum * sum / squares } else { 0.0 }
}

/// Checks that there is one number for each arm, that all are finite and none negative, and that `what` sums to 1.
fn shares(what: &str, arms: usize, shares: &[f64]) -> Result<(), LabError> {
    let sum: f64 = shares.iter().sum();
    if shares.len() != arms || shares.iter().any(|share| !share.is_finite() || *share < 0.0) || (sum - 1.0).abs() > 1e-6 {
        return Err(LabError::unreadable(format!(
            "{what}: expected {arms} shares of at least 0 that sum to 1, got {} that sum to {sum}",
            shares.len()
        )));
    }
    Ok(())
}

/// The same for the chances of the public coin, which must all be above 0.
fn coin(arms: usize, weights: &[f64]) -> Result<(), LabError> {
    shares("weights of the arms", arms, weights)?;
    if weights.contains(&0.0) { Err(LabError::unreadable("every arm needs a weight above 0, got 0")) } else { Ok(()) }
}
