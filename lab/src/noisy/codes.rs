//! Policies over arms that depend on a coarse code of the listener, judged although no code is ever sent in clear.
//!
//! Either one bit answers "played, and row j of a Hadamard matrix is +1 at your code" for a public row j, or a joint symbol of code and
//! outcome goes through the channel of many answers. Both are unbiased for the value of any policy over codes.

use super::{Channel, Counts, Estimate, Scored, coin, effective, mean_of, shares};
use crate::error::LabError;

/// A policy over arms for each code: `policy[code][arm]`.
pub type CodePolicy = [Vec<f64>];

/// Entry of the Hadamard matrix of Sylvester's order: +1 or -1 by the parity of the common bits.
#[must_use]
pub fn hadamard(row: usize, code: usize) -> f64 {
    if (row & code).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 }
}

fn checked(counts: &Counts, weights: &[f64], policy: &CodePolicy) -> Result<f64, LabError> {
    coin(counts.arms(), weights)?;
    policy.iter().try_for_each(|policy| shares("the policy of a code", counts.arms(), policy))?;
    let empty = (0..counts.arms()).filter(|arm| counts.of_arm(*arm) == 0.0);
    let share = |arm: usize| policy.iter().map(|of| of[arm]).sum::<f64>() / policy.len() as f64;
    Ok(empty.map(share).sum())
}

/// Effective sample size when all codes are equally common: that of the importance weights.
fn sample(counts: &Counts, weights: &[f64], policy: &CodePolicy) -> f64 {
    let of = |arm: usize| {
        let records = counts.of_arm(arm) / policy.len() as f64;
        policy.iter().map(move |policy| (policy[arm] / weights[arm], records))
    };
    effective((0..counts.arms()).flat_map(of))
}

/// Value of a policy over codes from Hadamard bits: mean of g_A(j) / w(A) (2 b - 1) / (p - q), g_a(j) = sum over codes of pi(a | c) H[j, c].
///
/// - `counts`: the question is the row j, drawn uniformly; there are as many as codes, a power of two. The device answers 1 for +1 and 0 for
///   -1 when the reward was 1, and by a fair coin otherwise.
///
/// # Errors
/// When the policy is none over arms and codes.
pub fn from_rows(counts: &Counts, channel: Channel, weights: &[f64], policy: &CodePolicy) -> Result<Estimate, LabError> {
    let codes = policy.len();
    if codes != counts.questions || !codes.is_power_of_two() {
        let rows = counts.questions;
        return Err(LabError::unreadable(format!("expected a power of two of codes, as many as rows, got {codes} and {rows}")));
    }
    let missing = checked(counts, weights, policy)?;
    let scores: Vec<Scored> = counts
        .cells()
        .map(|(arm, row, sent, records)| {
            let along: f64 = (0..codes).map(|code| policy[code][arm] * hadamard(row, code)).sum();
            (along / weights[arm] * (2.0 * sent as f64 - 1.0) / channel.signal(), records)
        })
        .collect();
    Ok(Estimate::mean(&scores, sample(counts, weights, policy), 1.0).without(missing))
}

/// Mean over records of any function of arm and true answer, undone: (g(y) - q sum g) / (p - q).
///
/// - `value`: of (arm, answer); `range`: width of all values the mean may have.
///
/// The variance is that of the undone values, [sum P(y) w(y)^2 - (sum P g)^2] / n.
#[must_use]
pub fn functional(counts: &Counts, channel: Channel, range: f64, value: impl Fn(usize, usize) -> f64) -> Estimate {
    Estimate::mean(&undone(counts, channel, value), counts.records(), range)
}

fn undone(counts: &Counts, channel: Channel, value: impl Fn(usize, usize) -> f64) -> Vec<Scored> {
    let tables: Vec<Vec<f64>> = (0..counts.arms())
        .map(|arm| channel.undo(&(0..channel.answers()).map(|answer| value(arm, answer)).collect::<Vec<f64>>()))
        .collect();
    counts.cells().map(|(arm, _, sent, records)| (tables[arm][sent], records)).collect()
}

/// Code and reward of a joint symbol: code + codes x reward.
fn joint(codes: usize, answer: usize) -> (usize, f64) {
    (answer % codes, (answer / codes) as f64)
}

fn joint_codes(channel: Channel, policy: &CodePolicy) -> Result<usize, LabError> {
    let codes = policy.len();
    if 2 * codes != channel.answers() {
        let answers = channel.answers();
        return Err(LabError::unreadable(format!("expected half as many codes as answers, got {codes} and {answers}")));
    }
    Ok(codes)
}

/// Value of a policy over codes from joint symbols code + codes x reward: IPS.
///
/// # Errors
/// When the policy is none over arms and codes, or the symbols are not those of so many codes.
pub fn ips(counts: &Counts, channel: Channel, weights: &[f64], policy: &CodePolicy) -> Result<Estimate, LabError> {
    let (codes, missing) = (joint_codes(channel, policy)?, checked(counts, weights, policy)?);
    let scores = undone(counts, channel, |arm, answer| {
        let (code, reward) = joint(codes, answer);
        policy[code][arm] / weights[arm] * reward
    });
    Ok(Estimate::mean(&scores, sample(counts, weights, policy), 1.0).without(missing))
}

/// The same over the mean weight; both numerator and denominator are undone, since codes are noisy too.
///
/// # Errors
/// As [`ips`].
///
/// # References
/// A. Swaminathan, T. Joachims (2015), "The self-normalized estimator for counterfactual learning", NIPS; standard error by the delta
/// method.
pub fn snips(counts: &Counts, channel: Channel, weights: &[f64], policy: &CodePolicy) -> Result<Estimate, LabError> {
    let (codes, missing) = (joint_codes(channel, policy)?, checked(counts, weights, policy)?);
    let weight = |arm: usize, answer: usize| policy[joint(codes, answer).0][arm] / weights[arm];
    let over = undone(counts, channel, |arm, answer| weight(arm, answer) * joint(codes, answer).1);
    let under = undone(counts, channel, weight);
    let ((over_mean, _, records), (under_mean, under_variance, _)) = (mean_of(&over), mean_of(&under));
    let value = over_mean / under_mean;
    let influence: Vec<Scored> =
        over.iter().zip(&under).map(|((r, records), (w, _))| ((r - value * w) / under_mean, *records)).collect();
    let (_, variance, _) = mean_of(&influence);
    let mut estimate = Estimate::of(value, variance, records, sample(counts, weights, policy), 1.0).without(missing);
    // The delta method needs a denominator far from 0; its mean is 1.
    if under_mean < 5.0 * under_variance.sqrt() {
        estimate.cannot = Some(format!(
            "these records cannot answer this question: the mean weight is {under_mean:.2} with standard error {:.2}",
            under_variance.sqrt()
        ));
    }
    Ok(estimate)
}

/// Doubly robust: IPS of what a public reward model leaves over, plus what the model says of the policy.
///
/// - `model[code][arm]`: expected reward; right or wrong, the estimate is unbiased.
///
/// # Errors
/// As [`ips`], and when the model has another shape.
///
/// # References
/// M. Dudík, J. Langford, L. Li (2011), "Doubly robust policy evaluation and learning", ICML.
pub fn doubly_robust(
    counts: &Counts,
    channel: Channel,
    weights: &[f64],
    policy: &CodePolicy,
    model: &CodePolicy,
) -> Result<Estimate, LabError> {
    let (codes, missing) = (joint_codes(channel, policy)?, checked(counts, weights, policy)?);
    if model.len() != codes || model.iter().any(|of| of.len() != counts.arms() || of.iter().any(|x| !x.is_finite())) {
        return Err(LabError::unreadable(format!("the model: expected {codes} codes of {} finite numbers", counts.arms())));
    }
    let direct: Vec<f64> =
        policy.iter().zip(model).map(|(policy, model)| policy.iter().zip(model).map(|(a, b)| a * b).sum()).collect();
    let scores = undone(counts, channel, |arm, answer| {
        let (code, reward) = joint(codes, answer);
        policy[code][arm] / weights[arm] * (reward - model[code][arm]) + direct[code]
    });
    Ok(Estimate::mean(&scores, sample(counts, weights, policy), 1.0).without(missing))
}
