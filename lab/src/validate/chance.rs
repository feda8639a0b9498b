//! Could chance alone do this? Every alarm on a difference goes through here, so that their rate on equal data is known.
//!
//! On two samples of one population a run raises a false alarm with a chance of at most [`FALSE_ALARMS`], whatever the number of columns,
//! values and rows. It is shared out in four equal parts: shares of values, distributions, counts of faulty cells, and the
//! checks of decision logs.

use libm::{lgamma, log, log1p, sqrt};
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

/// Chance of a false alarm in one comparison of equal data.
pub const FALSE_ALARMS: f64 = 5e-4;

/// The part of it that each of the four families of tests has.
pub const FAMILY: f64 = FALSE_ALARMS / 4.0;

/// ln of (a bound of) the chance that `a` of `n` and `b` of `m` lie as far apart, either way, if both come from one population.
///
/// Fisher's exact test (1935, "The logic of inductive inference"): given a + b, the count `a` is hypergeometric. Beyond the middle its masses fall
/// ever faster, so that a tail is at most its first mass over 1 - the ratio of the next two. Either way is twice one way. No count
/// is too small for it.
#[must_use]
pub fn log_chance(a: f64, n: f64, b: f64, m: f64) -> f64 {
    // `a` is the one that is lower than expected.
    let ((a, n), (b, m)) = if a * m <= b * n { ((a, n), (b, m)) } else { ((b, m), (a, n)) };
    if n <= 0.0 || m <= 0.0 || a * m == b * n {
        return 0.0;
    }
    let choose = |all: f64, some: f64| lgamma(all + 1.0) - lgamma(some + 1.0) - lgamma(all - some + 1.0);
    let mass = choose(n, a) + choose(m, b) - choose(n + m, a + b);
    let ratio = a * (m - b) / ((b + 1.0) * (n - a + 1.0));
    (std::f64::consts::LN_2 + mass - log1p(-ratio.min(1.0 - 1e-9))).min(0.0)
}

/// Which of the tests with these ln of chances are discoveries, with a share of false ones of at most `rate`; when nothing is
/// true, the chance of any is at most `rate`.
///
/// # References
/// Y. Benjamini and Y. Hochberg (1995), "Controlling the false discovery rate".
#[must_use]
pub fn discoveries(log_chances: &[f64], rate: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..log_chances.len()).collect();
    order.sort_by(|a, b| log_chances[*a].total_cmp(&log_chances[*b]));
    let limit = |rank: usize| log(rate * (rank + 1) as f64 / log_chances.len() as f64);
    let last = (0..order.len()).rev().find(|rank| log_chances[order[*rank]] <= limit(*rank));
    let mut found = vec![false; log_chances.len()];
    if let Some(last) = last {
        order[..=last].iter().for_each(|test| found[*test] = true);
    }
    found
}

/// The distance of Kolmogorov and Smirnov that samples of `n` and `m` exceed with a chance of at most `rate`.
///
/// # References
/// F. Wei and R. M. Dudley (2012), "Two-sample Dvoretzky-Kiefer-Wolfowitz inequalities": 2 exp(-2 nm/(n+m) d^2), asymptotically and
/// with a factor near 1 for all sizes.
#[must_use]
pub fn kolmogorov_limit(n: f64, m: f64, rate: f64) -> f64 {
    sqrt(-log(rate / 2.0) / 2.0 * (1.0 / n + 1.0 / m))
}

/// The sum over `buckets` of (p - q)^2 / mean that samples of `n` and `m` exceed with a chance of about `rate`: the population stability index has
/// this limit, the divergence of Jensen and Shannon (in nats) an eighth of it.
///
/// Both are (1/n + 1/m) chi-squared with `buckets` - 1 degrees of freedom to second order (Yurdakul and Naranjo 2020,
/// "Statistical properties of the population stability index"), which needs buckets that are not nearly empty.
#[must_use]
pub fn stability_limit(buckets: usize, n: f64, m: f64, rate: f64) -> f64 {
    ChiSquared::new((buckets.max(2) - 1) as f64).map_or(f64::INFINITY, |law| {
        let mut high = 4.0 * (buckets as f64 + 100.0);
        let mut low = 0.0;
        // Through the upper tail, which keeps its digits where 1 - rate would not.
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if law.sf(middle) > rate { low = middle } else { high = middle }
        }
        high * (1.0 / n + 1.0 / m)
    })
}

/// The standard normal deviation that is exceeded, either way, with the chance `rate`.
#[must_use]
pub fn normal_limit(rate: f64) -> f64 {
    Normal::new(0.0, 1.0).map_or(f64::INFINITY, |law| -law.inverse_cdf(rate / 2.0))
}

/// The distance of Wasserstein that samples of `n` and `m` exceed with a chance of about `rate`, for data with standard deviation
/// `deviation` and `spread` = integral of sqrt(F (1 - F)).
///
/// sqrt(nm/(n+m)) W1 tends to the integral of |B(F)| with B a Brownian bridge. Its mean is sqrt(2/pi) `spread`, and since its weak variance is the
/// largest variance of a 1-Lipschitz function of the data, at most `deviation` squared, it exceeds the mean by t with a chance of
/// at most exp(-t^2 / (2 deviation^2)) (Borell 1975, Tsirelson, Ibragimov and Sudakov 1976).
#[must_use]
pub fn wasserstein_limit(spread: f64, deviation: f64, n: f64, m: f64, rate: f64) -> f64 {
    let mean = sqrt(2.0 / std::f64::consts::PI) * spread;
    (mean + deviation * sqrt(-2.0 * log(rate))) * sqrt(1.0 / n + 1.0 / m)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_lies_above_the_exact_chance() {
        // 2 ln 2 - ln C(40, 20): all 20 of 40 on one side, either way; the bound is 2 exp(-G/2).
        let exact = log(2.0) - (1..=20).map(|i| log((20 + i) as f64 / i as f64)).sum::<f64>();
        let bound = log_chance(20.0, 20.0, 0.0, 20.0);
        assert!((bound - exact).abs() < 1e-9, "{bound} {exact}");
        // 3 of 100 against 15 of 100: twice the lower tail of the hypergeometric law, summed.
        let choose = |all: u32, some: u32| (0..some).map(|i| log(f64::from(all - i) / f64::from(some - i))).sum::<f64>();
        let tail: f64 = (0..=3).map(|a| libm::exp(choose(100, a) + choose(100, 18 - a) - choose(200, 18))).sum();
        let bound = log_chance(15.0, 100.0, 3.0, 100.0);
        assert!(bound >= log(2.0 * tail) && bound < log(2.0 * tail) + 0.1, "{bound} {}", log(2.0 * tail));
        assert_eq!(log_chance(3.0, 10.0, 3.0, 10.0), 0.0);
        assert_eq!(log_chance(0.0, 0.0, 3.0, 10.0), 0.0);
        // A tier of 1 % of 500,000 rows that is gone.
        assert!(log_chance(0.0, 500_000.0, 5000.0, 500_000.0) < -3000.0);
    }

    #[test]
    fn discoveries_are_the_smallest_chances_below_the_line() {
        let logs = [0.04_f64, 0.001, 0.013, 0.5, 0.02].map(log);
        assert_eq!(discoveries(&logs, 0.05), [true, true, true, false, true]);
        assert_eq!(discoveries(&logs, 0.004), [false; 5]);
        assert!(discoveries(&[], 0.05).is_empty());
    }

    #[test]
    fn limits_agree_with_tables() {
        // Two-sided 1 % point of the Kolmogorov distribution: 1.628.
        assert!((kolmogorov_limit(2e6, 2e6, 0.01) * sqrt(1e6) - 1.628).abs() < 2e-3);
        // 0.1 % point of chi-squared with 9 degrees of freedom: 27.877.
        assert!((stability_limit(10, 2e6, 2e6, 0.001) * 1e6 - 27.877).abs() < 1e-2);
        assert!((normal_limit(0.05) - 1.959_964).abs() < 1e-5);
    }
}
