//! Arms that are counted: indices and starts for policies without a model.
//!
//! The values go into logits (with the spread that [`Posterior::BETA`](super::thompson::Posterior::BETA) wants), and
//! [`Rule::Greedy`](super::Rule::Greedy) or [`Rule::Thompson`](super::Rule::Thompson) place them.

use crate::math::ln;

/// What is known of one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Rewards added up, each in [0, 1].
    pub successes: f64,
    /// How often it was seen.
    pub trials: f64,
}

/// A Beta prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BetaPrior {
    /// Successes it stands for, > 0.
    pub alpha: f64,
    /// Failures it stands for, > 0.
    pub beta: f64,
}

impl BetaPrior {
    /// Nothing is known: uniform over [0, 1].
    pub const NAIVE: Self = Self { alpha: 1.0, beta: 1.0 };
    /// What is unknown is taken to be poor (Bendada et al. 2020, section 4).
    pub const PESSIMISTIC: Self = Self { alpha: 1.0, beta: 99.0 };

    /// Posterior mean and number of trials, prior included: logit and spread for Thompson sampling with Beta arms.
    #[must_use]
    pub fn posterior(self, counts: Counts) -> (f64, f64) {
        let trials = self.alpha + self.beta + counts.trials;
        ((self.alpha + counts.successes) / trials, trials)
    }
}

/// The KL-UCB index of a Bernoulli arm: the largest q with trials KL(mean, q) <= ln t + 3 ln ln t.
///
/// - `time`: rounds so far, counted as at least 3. An arm never seen has index 1.
///
/// # References
/// A. Garivier and O. Cappé (2011), "The KL-UCB Algorithm for Bounded Stochastic Bandits and Beyond", COLT, algorithm 1 with c = 3.
#[must_use]
pub fn kl_ucb(counts: Counts, time: f64) -> f64 {
    if counts.trials <= 0.0 {
        return 1.0;
    }
    let mean = (counts.successes / counts.trials).clamp(0.0, 1.0);
    let time = time.max(3.0);
    let bound = (ln(time) + 3.0 * ln(ln(time))) / counts.trials;
    let (mut low, mut high) = (mean, 1.0);
    // 60 halvings leave less than the rounding of a double.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if bernoulli_kl(mean, middle) <= bound {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// KL(p, q) between Bernoulli distributions, in nats.
fn bernoulli_kl(p: f64, q: f64) -> f64 {
    let term = |a: f64, b: f64| {
        if a <= 0.0 {
            0.0
        } else if b <= 0.0 {
            f64::INFINITY
        } else {
            a * ln(a / b)
        }
    };
    term(p, q) + term(1.0 - p, 1.0 - q)
}

/// Explore, then commit: arms seen fewer than `explore` times come first, the least seen foremost; the others by their mean.
#[must_use]
pub fn explore_then_commit(counts: Counts, explore: f64) -> f64 {
    if counts.trials < explore { 2.0 - counts.trials / explore } else { counts.successes / counts.trials.max(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kl_ucb_solves_its_equation_and_falls_with_trials() {
        let mut before = 1.0;
        for trials in [1.0, 5.0, 50.0, 5_000.0] {
            let counts = Counts { successes: 0.2 * trials, trials };
            let index = kl_ucb(counts, 1_000.0);
            let gap = trials * bernoulli_kl(0.2, index) - (ln(1_000.0) + 3.0 * ln(ln(1_000.0)));
            assert!(index > 0.2 && index < before && gap.abs() < 1e-6, "{trials} {index} {gap}");
            before = index;
        }
        assert_eq!(kl_ucb(Counts::default(), 10.0), 1.0);
        assert!(kl_ucb(Counts { successes: 0.0, trials: 3.0 }, 10.0) < 1.0);
    }

    #[test]
    fn exploring_comes_before_committing() {
        let known = explore_then_commit(Counts { successes: 30.0, trials: 30.0 }, 20.0);
        let new = explore_then_commit(Counts::default(), 20.0);
        let half = explore_then_commit(Counts { successes: 1.0, trials: 10.0 }, 20.0);
        assert!(new > half && half > known);
    }

    #[test]
    fn a_pessimistic_start_is_below_the_rate_it_meets() {
        let (mean, trials) = BetaPrior::PESSIMISTIC.posterior(Counts { successes: 5.0, trials: 100.0 });
        assert!((mean - 0.03).abs() < 1e-12 && trials == 200.0);
        assert_eq!(BetaPrior::NAIVE.posterior(Counts::default()), (0.5, 2.0));
    }
}
