//! Where learning starts when little is known: pessimistic, or from what is known of others.

use crate::math::logit;

/// Successes and failures that an arm is taken to have had when nothing else is known: 1 and 99 (Bendada et al. 2020, "Carousel
/// personalization in music streaming apps with contextual bandits", RecSys, section 4).
pub const PESSIMISTIC_BETA: (f64, f64) = (1.0, 99.0);

/// Most trials that a fitted prior stands for; arms that differ by nothing but luck would give infinitely many.
pub const MAX_PRIOR_TRIALS: f64 = 1e4;

/// Mean of the bias for a base rate: its log-odds less one standard deviation, so that what is unknown does not push out what is known.
///
/// - `base_rate`: chance that an average card is played when seen, in (0, 1).
/// - `sd`: standard deviation of the bias, in log-odds.
#[must_use]
pub fn pessimistic_bias(base_rate: f64, sd: f64) -> f64 {
    logit(base_rate) - sd
}

/// Prior successes and failures (alpha, beta) of one more arm, from arms of its kind: empirical Bayes.
///
/// alpha = s m and beta = s (1 - m) with m the pooled rate. s = 1 / rho - 1, where the correlation rho of two trials of one arm comes
/// from equating S = sum n_i (p_i - m)^2 with its expectation m (1 - m) sum (1 - n_i / N) (1 + rho (n_i - 1)).
///
/// # Shapes and ranges
/// - `arms`: (successes, trials), 0 <= successes <= trials; arms without trials and impossible pairs are left out.
/// - returns two values > 0 with a sum in [1e-3, [`MAX_PRIOR_TRIALS`]]; [`PESSIMISTIC_BETA`] when fewer than two arms are left, none
///   was tried twice, or the pooled rate is 0 or 1.
///
/// # References
/// J. C. Kleinman (1973), "Proportions with extraneous variance: single and independent samples", Journal of the American
/// Statistical Association 68(341), 46-54, with weights n_i.
#[must_use]
pub fn beta_prior(arms: impl IntoIterator<Item = (f64, f64)>) -> (f64, f64) {
    let possible = |arm: &(f64, f64)| arm.1.is_finite() && arm.1 > 0.0 && (0.0..=arm.1).contains(&arm.0);
    let arms: Vec<(f64, f64)> = arms.into_iter().filter(possible).collect();
    let trials: f64 = arms.iter().map(|arm| arm.1).sum();
    let mean = arms.iter().map(|arm| arm.0).sum::<f64>() / trials;
    let (mut spread, mut by_luck, mut by_arm) = (0.0, 0.0, 0.0);
    for (successes, n) in &arms {
        let away = successes / n - mean;
        spread += n * away * away;
        by_luck += 1.0 - n / trials;
        by_arm += (1.0 - n / trials) * (n - 1.0);
    }
    if !(mean > 0.0 && mean < 1.0 && by_arm > 0.0) {
        return PESSIMISTIC_BETA;
    }
    let rho = (spread / (mean * (1.0 - mean)) - by_luck) / by_arm;
    let s = (1.0 / rho.max(1e-9) - 1.0).clamp(1e-3, MAX_PRIOR_TRIALS);
    (s * mean, s * (1.0 - mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed_moments() {
        // Two arms of 10 trials with rates 0.2 and 0.6: m = 0.4, S = 10 (0.04 + 0.04) = 0.8, N = 20; S / (m (1 - m)) = 10 / 3;
        // less 1, over 2 x 0.5 x 9 = 9: rho = 7 / 27, s = 27 / 7 - 1 = 20 / 7.
        let (alpha, beta) = beta_prior([(2.0, 10.0), (6.0, 10.0)]);
        assert!((alpha - 8.0 / 7.0).abs() < 1e-12 && (beta - 12.0 / 7.0).abs() < 1e-12, "{alpha} {beta}");
        // What cannot be is left out.
        let odd = [(2.0, 10.0), (f64::NAN, 3.0), (5.0, 2.0), (0.0, 0.0), (-1.0, 4.0), (1.0, f64::INFINITY), (6.0, 10.0)];
        assert_eq!(beta_prior(odd), (alpha, beta));
    }

    #[test]
    fn too_little_is_pessimistic_and_no_spread_is_bounded() {
        for arms in
            [vec![], vec![(3.0, 10.0)], vec![(0.0, 5.0), (0.0, 9.0)], vec![(4.0, 4.0), (2.0, 2.0)], vec![(1.0, 1.0), (0.0, 1.0)]]
        {
            assert_eq!(beta_prior(arms), PESSIMISTIC_BETA);
        }
        let (alpha, beta) = beta_prior([(50.0, 100.0), (50.0, 100.0)]);
        assert_eq!((alpha, beta), (MAX_PRIOR_TRIALS / 2.0, MAX_PRIOR_TRIALS / 2.0));
        let (alpha, beta) = beta_prior([(0.0, 1e6), (1e6, 1e6)]);
        assert!(alpha > 0.0 && beta > 0.0 && alpha + beta >= 1e-3);
    }

    #[test]
    fn recovers_the_prior_of_simulated_arms() {
        use crate::random::{Purpose, Seed, unit};
        // Arms from Beta(2, 18), each the second of 19 ordered uniforms, with 50 to 149 trials.
        let mut rng = Seed::from_number(5).stream(Purpose::Host, 0);
        let mut arms = Vec::new();
        for _ in 0..2_000 {
            let mut ordered: Vec<f64> = (0..19).map(|_| unit(&mut rng)).collect();
            ordered.sort_by(f64::total_cmp);
            let trials = 50 + (unit(&mut rng) * 100.0) as u32;
            arms.push(((0..trials).filter(|_| unit(&mut rng) < ordered[1]).count() as f64, f64::from(trials)));
        }
        let (alpha, beta) = beta_prior(arms);
        // The rate is 0.1 with standard error 0.0017 (variance 0.09 / 21 between, 0.09 / 100 within arms, over 2,000); s = 20 with
        // a relative error near sqrt(2 / 2,000) / (share of the spread between arms, 0.83), doubled for the long tail: 8 %.
        assert!((alpha / (alpha + beta) - 0.1).abs() < 5.0 * 0.0017);
        assert!((alpha + beta - 20.0).abs() < 5.0 * 0.08 * 20.0, "{alpha} {beta}");
    }

    #[test]
    fn the_bias_lies_one_deviation_below_the_base_rate() {
        assert!((pessimistic_bias(0.04, 0.5) - (crate::math::ln(0.04 / 0.96) - 0.5)).abs() < 1e-12);
    }
}
