//! Votes: devices judge a published policy on their own logs and send one noisy bit of the clipped, rounded lift.

use super::{Channel, Counts, Estimate};

/// Mean clipped lift of the candidate of `arm`: mean of C (2 b - 1) / (p - q).
///
/// Unbiased for the mean of the lifts clipped to [-clip, clip]: the device answers 1 with chance (x + C) / (2 C).
///
/// # Shapes and ranges
/// - `clip`: C of the probe, in the unit of the lift (plays for each page).
/// - the variance is at most (C / (p - q))^2 / n, whatever the lifts.
#[must_use]
pub fn lift(counts: &Counts, channel: Channel, arm: usize, clip: f64) -> Estimate {
    let scale = clip / channel.signal();
    let of = |sent: usize| (0..counts.questions).map(|question| counts.at(arm, question, sent)).sum();
    Estimate::mean(&[(-scale, of(0)), (scale, of(1))], counts.of_arm(arm), 2.0 * clip)
}

/// The difference of the lifts of two candidates, judged by different devices.
#[must_use]
pub fn difference(counts: &Counts, channel: Channel, arm: usize, against: usize, clip: f64) -> Estimate {
    let (a, b) = (lift(counts, channel, arm, clip), lift(counts, channel, against, clip));
    let variance = a.standard_error * a.standard_error + b.standard_error * b.standard_error;
    Estimate::of(a.value - b.value, variance, a.records + b.records, a.effective.min(b.effective), 2.0 * clip)
}

/// Records that find a lift of `lift` with 80 % power at 5 %, two-sided: (1.960 + 0.842)^2 (C / (p - q))^2 / lift^2.
#[must_use]
pub fn records_needed(channel: Channel, clip: f64, lift: f64) -> f64 {
    const POWER: f64 = 7.848_879_734;
    let scale = clip / channel.signal();
    POWER * scale * scale / (lift * lift)
}
