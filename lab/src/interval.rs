//! Paired bootstrap intervals.

use ears_only::random::{Purpose, Seed, below};

/// Resamples of every interval.
pub const RESAMPLES: usize = 10_000;

/// Seed of the resamples: the same columns give the same interval.
const RESAMPLE_SEED: u64 = 0x6561_7273;

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The statistic of all units.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// 95 % bias-corrected bootstrap interval of a statistic of column sums; units (rows) are drawn together, so the columns stay
/// paired.
///
/// # Shapes and ranges
/// - `columns`: at least one, of equal length, one value for each unit.
/// - `statistic`: from the sums of the columns, in their order. One unit gives an interval of no width.
///
/// # Determinism
/// One fixed stream of resamples; nothing else is drawn.
///
/// # References
/// B. Efron (1981), "Nonparametric standard errors and confidence intervals", Canadian Journal of Statistics 9(2), section 5:
/// bias-corrected percentiles. Resamples equal to the estimate count half, as ties are common with counts.
#[must_use]
pub fn paired(columns: &[&[f64]], statistic: impl Fn(&[f64]) -> f64) -> Estimate {
    let units = columns.first().map_or(0, |column| column.len());
    let value = statistic(&columns.iter().map(|column| column.iter().sum()).collect::<Vec<f64>>());
    if units < 2 {
        return Estimate { value, low: value, high: value };
    }
    let mut rng = Seed::from_number(RESAMPLE_SEED).stream(Purpose::Host, 0);
    let mut sums = vec![0.0; columns.len()];
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            sums.fill(0.0);
            for _ in 0..units {
                let unit = below(&mut rng, units as u32) as usize;
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum += column[unit];
                }
            }
            statistic(&sums)
        })
        .collect();
    resampled.sort_by(f64::total_cmp);
    let less = resampled.partition_point(|v| *v < value) as f64;
    let at_most = resampled.partition_point(|v| *v <= value) as f64;
    let below_value = ((less + at_most) / 2.0 / RESAMPLES as f64).clamp(0.5 / RESAMPLES as f64, 1.0 - 0.5 / RESAMPLES as f64);
    let bias = normal_quantile(below_value);
    let end = |z: f64| quantile(&resampled, normal_cdf(2.0 * bias + z));
    Estimate { value, low: end(-Z95), high: end(Z95) }
}

/// (sum of `a` - sum of `b`) / sum of `b`, with its interval.
#[must_use]
pub fn relative_difference(a: &[f64], b: &[f64]) -> Estimate {
    paired(&[a, b], |sums| (sums[0] - sums[1]) / sums[1])
}

/// The 97.5 % point of the standard normal.
const Z95: f64 = 1.959_963_984_540_054;

/// Value at share `p` of sorted values, between neighbours by straight line.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (below, share) = (at as usize, at.fract());
    let next = (below + 1).min(sorted.len() - 1);
    sorted[below] + share * (sorted[next] - sorted[below])
}

/// Standard normal distribution function.
pub(crate) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// Its inverse, by bisection: for a few thousand calls, not more.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if normal_cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_right() {
        assert!((normal_cdf(Z95) - 0.975).abs() < 1e-12);
        assert!((normal_quantile(0.975) - Z95).abs() < 1e-9);
        assert!(normal_quantile(0.5).abs() < 1e-9);
    }

    #[test]
    fn the_interval_of_a_mean_is_near_the_normal_one() {
        // 400 values 0..399 against ones: the mean is 199.5, its standard error 115.47 / 20 = 5.77.
        let values: Vec<f64> = (0..400).map(f64::from).collect();
        let found = paired(&[&values, &[1.0; 400]], |sums| sums[0] / sums[1]);
        assert_eq!(found.value, 199.5);
        // A bootstrap quantile from 10,000 draws lies within 5 of its own standard errors (about 0.16) of the normal one.
        assert!((found.low - (199.5 - Z95 * 5.773)).abs() < 0.8, "{found:?}");
        assert!((found.high - (199.5 + Z95 * 5.773)).abs() < 0.8, "{found:?}");
    }

    #[test]
    fn pairing_removes_what_the_columns_share() {
        let b: Vec<f64> = (0..50).map(|i| 100.0 + 37.0 * f64::from(i % 7)).collect();
        let a: Vec<f64> = b.iter().map(|v| v * 1.1).collect();
        let found = relative_difference(&a, &b);
        assert!((found.value - 0.1).abs() < 1e-12 && (found.low - 0.1).abs() < 1e-9 && (found.high - 0.1).abs() < 1e-9);
    }

    #[test]
    fn the_same_columns_give_the_same_interval_and_one_unit_none() {
        let (a, b) = ([3.0, 5.0, 9.0, 2.0], [2.0, 4.0, 9.0, 1.0]);
        assert_eq!(relative_difference(&a, &b), relative_difference(&a, &b));
        let one = relative_difference(&[3.0], &[2.0]);
        assert_eq!((one.low, one.high), (0.5, 0.5));
    }
}
