//! Is the policy worse than the baseline? A test that may be looked at after every visit.
//!
//! A share of pages is the baseline's. For each page the walk knows the weight w = P(page | baseline) / P(page | policy drawn from),
//! at most 1 / share, so that (w - 1) r, with r whether anything on the page was played, has the mean V(baseline) - V(policy)
//! whatever was shown. A bettor stakes a part of the capital on that mean being above the margin. While it is not, the capital
//! is a nonnegative supermartingale, and by Ville's inequality it reaches 1 / level with chance at most the level, however often one
//! looks: then the anytime lower bound of V(baseline) - V(policy) lies above the margin.
//!
//! # References
//! I. Waudby-Smith and A. Ramdas (2023), "Estimating means of bounded random variables by betting", Journal of the Royal Statistical
//! Society B, theorem 1 with the one-sided capital process of section 4; N. Karampatziakis, P. Mineiro and A. Ramdas (2021),
//! "Off-policy Confidence Sequences", ICML: importance weights; J. Ville (1939).

use crate::math::{ln, ln_1p};
use crate::store::{Tape, TapeReader};

/// Largest part of the capital at stake, of what would ruin it at worst.
const MOST_STAKED: f64 = 0.5;

/// The capital of the bettor and what it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Safety {
    pages: u64,
    /// Sums of the differences and of their squares.
    sum: f64,
    squares: f64,
    ln_capital: f64,
    /// The capital has been above the level once; it stays so.
    worse: bool,
}

impl Safety {
    /// Takes in one page.
    ///
    /// - `weight`: chance of the page under the baseline over its chance as drawn, up to the played card; within [0, 1 / share].
    /// - `played`: whether anything on it was played.
    /// - `share`: share of the baseline's pages, in (0, 1].
    /// - `margin`: plays for each page that may be lost, in [0, 1).
    /// - `level`: chance of a false alarm, in (0, 1).
    pub fn learn(&mut self, weight: f64, played: bool, share: f64, margin: f64, level: f64) {
        let difference = if played { weight - 1.0 } else { 0.0 };
        // One page at the prior's mean and the width of the range keeps the first stakes small.
        let n = self.pages as f64 + 1.0;
        let mean = (self.sum + margin) / n;
        let variance = ((self.squares + 1.0 / share) / n - mean * mean).max(1e-6);
        // The least that a page can bring is -1: a stake below 1 / (1 + margin) cannot lose everything.
        let stake = ((mean - margin) / (variance + (mean - margin) * (mean - margin))).min(MOST_STAKED / (1.0 + margin)).max(0.0);
        self.ln_capital += ln_1p(stake * (difference - margin));
        self.pages += 1;
        self.sum += difference;
        self.squares += difference * difference;
        self.worse |= self.ln_capital >= -ln(level);
    }

    /// Whether the policy was found worse than the baseline.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.worse
    }

    /// Pages taken in.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Mean of V(baseline) - V(policy) so far, in plays for each page; 0 before the first page.
    #[must_use]
    pub fn mean_difference(&self) -> f64 {
        if self.pages == 0 { 0.0 } else { self.sum / self.pages as f64 }
    }

    pub(crate) fn save(&self, tape: &mut Tape) {
        tape.whole(self.pages);
        for value in [self.sum, self.squares, self.ln_capital] {
            tape.fraction(value);
        }
        tape.flag(self.worse);
    }

    pub(crate) fn load(tape: &mut TapeReader) -> Self {
        Self {
            pages: tape.whole(),
            sum: tape.fraction(),
            squares: tape.fraction(),
            ln_capital: tape.fraction(),
            worse: tape.flag(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Seed, unit};

    const SHARE: f64 = 0.2;

    /// A listener who plays from the policy's pages with chance `policy`, from the baseline's with `baseline`; the two never show the
    /// same page. Returns the pages until the alarm.
    fn alarm(seed: u64, policy: f64, baseline: f64, pages: u64) -> Option<u64> {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 0);
        let mut safety = Safety::default();
        for page in 0..pages {
            let is_baseline = unit(&mut rng) < SHARE;
            let played = unit(&mut rng) < if is_baseline { baseline } else { policy };
            safety.learn(if is_baseline { 1.0 / SHARE } else { 0.0 }, played, SHARE, 0.0, 0.05);
            if safety.is_worse() {
                return Some(page + 1);
            }
        }
        None
    }

    #[test]
    fn false_alarms_are_as_rare_as_stated_however_often_one_looks() {
        // Equal policies, 2,000 listeners, 400 looks each. 5 % would be 100; the count of a Binomial(2000, 0.05) exceeds 153 with
        // chance below 1e-6 (Hoeffding's bound with KL: 2000 KL(0.077, 0.05) > 13.8).
        let alarms = (0..2_000).filter(|seed| alarm(*seed, 0.3, 0.3, 400).is_some()).count();
        assert!(alarms <= 153, "{alarms}");
        // A better policy raises fewer.
        let better = (0..500).filter(|seed| alarm(*seed, 0.5, 0.3, 400).is_some()).count();
        assert!(better <= 10, "{better}");
    }

    #[test]
    fn a_policy_that_is_worse_is_found() {
        let pages: Vec<u64> = (0..300).filter_map(|seed| alarm(10_000 + seed, 0.05, 0.5, 400)).collect();
        // The exact share depends on the seeds; nine in ten is far below it.
        assert!(pages.len() >= 270, "{}", pages.len());
    }

    #[test]
    fn the_mean_difference_is_unbiased() {
        let mut rng = Seed::from_number(5).stream(Purpose::Host, 1);
        let mut safety = Safety::default();
        for _ in 0..40_000 {
            let is_baseline = unit(&mut rng) < SHARE;
            let played = unit(&mut rng) < if is_baseline { 0.6 } else { 0.4 };
            safety.learn(if is_baseline { 1.0 / SHARE } else { 0.0 }, played, SHARE, 0.0, 0.01);
        }
        // The policy drawn from is the mixture: 0.2 * 0.6 + 0.8 * 0.4 = 0.44. Five standard errors: 5 * 1.5 / 200.
        assert!((safety.mean_difference() - 0.16).abs() < 0.0375, "{}", safety.mean_difference());
        assert_eq!(safety.pages(), 40_000);
    }
}
