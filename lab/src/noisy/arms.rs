//! Arms of a public coin, judged by one noisy bit each: means, differences, and policies over arms.
//!
//! Counts are taken over all questions of a probe; give those of one question when there are several.

use super::{Channel, Counts, Estimate, Scored, coin, effective, shares};
use crate::error::LabError;

/// Mean reward of an arm: mean of (b - q) / (p - q) over its records.
///
/// # References
/// S. L. Warner (1965), "Randomized response", JASA 60(309). The variance is lambda (1 - lambda) / ((p - q)^2 n) with lambda the share of
/// ones.
#[must_use]
pub fn mean(counts: &Counts, channel: Channel, arm: usize) -> Estimate {
    Estimate::mean(&scores(counts, channel, arm), counts.of_arm(arm), 1.0)
}

fn scores(counts: &Counts, channel: Channel, arm: usize) -> Vec<Scored> {
    (0..2)
        .map(|sent| (channel.undo_bit(sent), (0..counts.questions).map(|question| counts.at(arm, question, sent)).sum()))
        .collect()
}

/// Mean reward of `arm` minus that of `against`: an A/B test of two arms.
#[must_use]
pub fn difference(counts: &Counts, channel: Channel, arm: usize, against: usize) -> Estimate {
    let (a, b) = (mean(counts, channel, arm), mean(counts, channel, against));
    let variance = a.standard_error * a.standard_error + b.standard_error * b.standard_error;
    Estimate::of(a.value - b.value, variance, a.records + b.records, a.effective.min(b.effective), 1.0)
}

/// Importance weight of each arm, and the share of the policy on arms without records.
fn weights(counts: &Counts, weights: &[f64], policy: &[f64]) -> Result<(Vec<f64>, f64), LabError> {
    coin(counts.arms(), weights)?;
    shares("the policy", counts.arms(), policy)?;
    let missing = (0..counts.arms()).filter(|arm| counts.of_arm(*arm) == 0.0).map(|arm| policy[arm]).sum();
    Ok((policy.iter().zip(weights).map(|(policy, weight)| policy / weight).collect(), missing))
}

fn sample(counts: &Counts, importance: &[f64]) -> f64 {
    effective((0..counts.arms()).map(|arm| (importance[arm], counts.of_arm(arm))))
}

/// Value of a policy over arms: mean of pi(A) / w(A) (b - q) / (p - q).
///
/// - `coin`: chance of each arm by the public coin; `policy`: by the policy that is judged.
///
/// # Errors
/// When they are no distributions over the arms.
pub fn ips(counts: &Counts, channel: Channel, coin: &[f64], policy: &[f64]) -> Result<Estimate, LabError> {
    let (importance, missing) = weights(counts, coin, policy)?;
    let scores: Vec<Scored> = (0..counts.arms())
        .flat_map(|arm| scores(counts, channel, arm).into_iter().map(move |(score, records)| (arm, score, records)))
        .map(|(arm, score, records)| (importance[arm] * score, records))
        .collect();
    Ok(Estimate::mean(&scores, sample(counts, &importance), 1.0).without(missing))
}

/// The same over the mean of the weights, which are public and carry no noise; biased by order 1/n.
///
/// # Errors
/// As [`ips`].
///
/// # References
/// J. Hájek (1971), in "Foundations of Statistical Inference"; standard error by the influence function pi/w (r - V) / mean(pi/w).
pub fn hajek(counts: &Counts, channel: Channel, coin: &[f64], policy: &[f64]) -> Result<Estimate, LabError> {
    let (importance, missing) = weights(counts, coin, policy)?;
    let records = counts.records();
    let weight = (0..counts.arms()).map(|arm| importance[arm] * counts.of_arm(arm)).sum::<f64>() / records;
    let all = |of: &dyn Fn(usize, f64) -> f64| -> Vec<Scored> {
        (0..counts.arms())
            .flat_map(|arm| scores(counts, channel, arm).into_iter().map(move |(score, records)| (of(arm, score), records)))
            .collect()
    };
    let value = super::mean_of(&all(&|arm, score| importance[arm] * score)).0 / weight;
    let (_, variance, _) = super::mean_of(&all(&|arm, score| importance[arm] * (score - value) / weight));
    Ok(Estimate::of(value, variance, records, sample(counts, &importance), 1.0).without(missing))
}
