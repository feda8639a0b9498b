//! Intervals around estimates: 95 % unless said otherwise.
//!
//! | interval | holds | needs |
//! |---|---|---|
//! | [`normal`] | for many rows | sums |
//! | [`studentized_bootstrap`] | for many rows, skewed ones sooner | units: rows, or blocks of rows |
//! | [`empirical_likelihood`] | for many rows, stays within what is possible | units |
//! | [`empirical_bernstein`] | for any number of rows | sums, and the range of a row's part |
//! | [`confidence_sequence`] | for any number of rows, however often one looks | sums, and the range |

use ears_only::math::{ln, ln_1p, log_sum_exp};
use ears_only::random::{Purpose, Seed, below};

use super::estimator::Estimate;

/// The 97.5 % point of the standard normal.
pub const Z95: f64 = 1.959_963_984_540_054;
/// Chance that a 95 % interval misses.
pub const MISSES: f64 = 0.05;
/// Resamples of the studentised bootstrap.
const RESAMPLES: usize = 1_000;
/// Seed of the resamples: the same units give the same interval.
const RESAMPLE_SEED: u64 = 0x6f70_6531;

/// Two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies inside.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The estimate plus and minus 1.96 standard errors; not numbers where the error is unknown.
#[must_use]
pub fn normal(estimate: &Estimate) -> Interval {
    let half = Z95 * estimate.error.unwrap_or(f64::NAN);
    Interval { low: estimate.value - half, high: estimate.value + half }
}

/// The least and the most that one row can add to an estimate that is a mean of rows. For IPS: 0 and largest possible weight times largest
/// reward; it has to be known beforehand, not read from the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

/// Empirical Bernstein interval of the mean of `rows` independent terms within `range`, with standard deviation `deviation` (n - 1).
///
/// # References
/// A. Maurer and M. Pontil (2009), "Empirical Bernstein bounds and sample variance penalization", COLT, theorem 4, on each side with half
/// the chance of a miss.
#[must_use]
pub fn empirical_bernstein(rows: u64, mean: f64, deviation: f64, range: Range) -> Interval {
    if rows < 2 {
        return Interval { low: range.low, high: range.high };
    }
    let n = rows as f64;
    let l = ln(4.0 / MISSES);
    let half = libm::sqrt(2.0 * deviation * deviation * l / n) + 7.0 * (range.high - range.low) * l / (3.0 * (n - 1.0));
    Interval { low: (mean - half).max(range.low), high: (mean + half).min(range.high) }
}

/// Anytime interval of the mean of `rows` terms within `range`, from their sum and sum of squares: with chance 95 % the means are inside
/// at every number of rows at once, so one may look after each row and stop when one likes.
///
/// For c fixed beforehand and 0 <= s < 1 / (c - low), exp(s (sum of x - n mean) - psi(s) sum of (x - c)^2) is a nonnegative supermartingale, with
/// psi(s) = (-ln(1 - s b) - s b) / b^2 and b = c - low. So is a mixture over any c and s. Its start is 1; where it passes 2 / 0.05 for a mean, that
/// mean is given up. The upper end is the lower end of -x.
///
/// # References
/// X. Fan, I. Grama, Q. Liu (2015), "Exponential inequalities for martingales with applications", EJP 20, inequality (4.11); S. R. Howard, A.
/// Ramdas, J. McAuliffe, J. Sekhon (2021), "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2),
/// theorem 4; J. Ville (1939). Departure: a finite mixture over s and over fixed predictions c, so that sums suffice.
#[must_use]
pub fn confidence_sequence(rows: u64, sum: f64, squares: f64, range: Range) -> Interval {
    let n = rows as f64;
    let low = lower_end(n, sum, squares, range);
    let mirrored = lower_end(n, -sum, squares, Range { low: -range.high, high: -range.low });
    Interval { low, high: -mirrored }
}

/// Fixed predictions of a row's part, as shares of the range.
const PREDICTIONS: [f64; 7] = [1.0 / 512.0, 1.0 / 128.0, 1.0 / 32.0, 0.125, 0.25, 0.5, 0.75];
/// Stakes s for each prediction, halving.
const STAKES: usize = 40;

fn lower_end(n: f64, sum: f64, squares: f64, range: Range) -> f64 {
    let width = range.high - range.low;
    if n < 1.0 || !width.is_finite() || width <= 0.0 {
        return range.low;
    }
    // Logarithm of (weight times exp(...)) without the part that depends on the mean, and s n.
    let mut parts = Vec::with_capacity(PREDICTIONS.len() * STAKES);
    for share in PREDICTIONS {
        let c = range.low + share * width;
        let b = share * width;
        let spread = squares - 2.0 * c * sum + c * c * n;
        for step in 0..STAKES {
            let staked = 0.9 * libm::scalbn(1.0, -(step as i32));
            let s = staked / b;
            let psi = (-ln_1p(-staked) - staked) / (b * b);
            // 1 / ((j + 1) (j + 2)) sums to less than 1.
            let weight = 1.0 / (PREDICTIONS.len() as f64 * ((step + 1) * (step + 2)) as f64);
            parts.push((ln(weight) + s * sum - psi * spread, s * n));
        }
    }
    let passes = |mean: f64| {
        let of: Vec<f64> = parts.iter().map(|(fixed, slope)| fixed - slope * mean).collect();
        log_sum_exp(&of) > ln(2.0 / MISSES)
    };
    // Falls in the mean: bisection between an end that passes and one that does not.
    let (mut given_up, mut kept) = (range.low, range.high);
    if !passes(given_up) {
        return range.low;
    }
    if passes(kept) {
        return range.high;
    }
    for _ in 0..60 {
        let middle = 0.5 * (given_up + kept);
        if passes(middle) { given_up = middle } else { kept = middle }
    }
    given_up
}

/// A row, or a block of rows, as resampling sees it: the estimate is the sum of numerators over the sum of denominators.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Unit {
    /// Sum of the terms (means), or of the weighted rewards (ratios).
    pub numerator: f64,
    /// Number of rows (means), or sum of the weights (ratios).
    pub denominator: f64,
    /// Something whose mean is known to be 0, such as the sum of (w - 1); 0 where there is nothing.
    pub control: f64,
}

/// Estimate and standard error of a ratio of sums over units.
fn ratio(units: impl Iterator<Item = Unit> + Clone) -> (f64, f64) {
    let mut count = 0.0;
    let (mut above, mut below) = (0.0, 0.0);
    for unit in units.clone() {
        count += 1.0;
        above += unit.numerator;
        below += unit.denominator;
    }
    let value = above / below;
    let squares: f64 = units.map(|u| u.numerator - value * u.denominator).map(|x| x * x).sum();
    (value, libm::sqrt(squares * count / (count - 1.0)) / below)
}

/// Studentised bootstrap interval (bootstrap-t) over units.
///
/// # Determinism
/// One fixed stream of resamples, in the order of the units.
///
/// # References
/// B. Efron (1981), "Nonparametric standard errors and confidence intervals", Canadian Journal of Statistics 9(2), section 9; P. Hall
/// (1988), "Theoretical comparison of bootstrap confidence intervals", Annals of Statistics 16(3).
#[must_use]
pub fn studentized_bootstrap(units: &[Unit]) -> Interval {
    let (value, error) = ratio(units.iter().copied());
    if units.len() < 2 || !error.is_finite() || error == 0.0 {
        return Interval { low: value, high: value };
    }
    let mut rng = Seed::from_number(RESAMPLE_SEED).stream(Purpose::Host, 0);
    let mut drawn = vec![Unit::default(); units.len()];
    let mut pivots = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.fill_with(|| units[below(&mut rng, units.len() as u32) as usize]);
        let (resampled, its_error) = ratio(drawn.iter().copied());
        let pivot = (resampled - value) / its_error;
        // A resample of equal units has no spread and says nothing of either side.
        if pivot.is_finite() {
            pivots.push(pivot);
        }
    }
    if pivots.is_empty() {
        return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
    }
    pivots.sort_by(f64::total_cmp);
    let at = |share: f64| pivots[((share * pivots.len() as f64) as usize).min(pivots.len() - 1)];
    Interval { low: value - at(1.0 - MISSES / 2.0) * error, high: value - at(MISSES / 2.0) * error }
}

/// Empirical likelihood interval over units: every value V for which weights on the units exist that are about as likely as equal ones,
/// make the controls vanish and the ratio V.
///
/// # References
/// A. B. Owen (2001), "Empirical likelihood", sections 2.4, 3.14 and 12.2 (pseudo-logarithm); N. Karampatziakis, J. Langford, P. Mineiro (2020),
/// "Empirical likelihood for contextual bandits", NeurIPS: the weights' mean of 1 as the control. Departure: weights stay on the logged rows;
/// hypothetical rows of extreme weight are not added.
#[must_use]
pub fn empirical_likelihood(units: &[Unit]) -> Interval {
    let (value, error) = ratio(units.iter().copied());
    if units.len() < 3 || !error.is_finite() || error == 0.0 {
        return Interval { low: value, high: value };
    }
    let scale = libm::sqrt(units.iter().map(|unit| unit.control * unit.control).sum::<f64>() / units.len() as f64);
    // Both constraints at about the same scale, which keeps the Newton steps sound.
    let control = |unit: &Unit| if scale > 0.0 { unit.control / scale } else { 0.0 };
    let term_scale = error * units.iter().map(|unit| unit.denominator).sum::<f64>() / libm::sqrt(units.len() as f64);
    let alone: Vec<[f64; 2]> = units.iter().map(|unit| [control(unit), 0.0]).collect();
    let (free, start) = likelihood(&alone, [0.0; 2]);
    let weight = |g: &[f64; 2]| 1.0 / (1.0 + start[0] * g[0]);
    let (mut above, mut below) = (0.0, 0.0);
    for (unit, g) in units.iter().zip(&alone) {
        above += weight(g) * unit.numerator;
        below += weight(g) * unit.denominator;
    }
    let centre = above / below;
    let mut constraints = alone;
    let mut last = start;
    let mut statistic = |v: f64| {
        for (g, unit) in constraints.iter_mut().zip(units) {
            g[1] = (unit.numerator - v * unit.denominator) / term_scale;
        }
        let (all, at) = likelihood(&constraints, last);
        last = at;
        2.0 * (all - free)
    };
    let mut end = |direction: f64| {
        let (mut inside, mut step) = (centre, error);
        while step < 1e3 * error && statistic(centre + direction * step) < Z95 * Z95 {
            inside = centre + direction * step;
            step *= 1.5;
        }
        let mut outside = centre + direction * step;
        for _ in 0..40 {
            let middle = 0.5 * (inside + outside);
            if statistic(middle) < Z95 * Z95 { inside = middle } else { outside = middle }
        }
        inside
    };
    Interval { low: end(-1.0), high: end(1.0) }
}

/// Largest sum of log(1 + t . g) over t, with Owen's pseudo-logarithm, and where it lies.
fn likelihood(constraints: &[[f64; 2]], start: [f64; 2]) -> (f64, [f64; 2]) {
    let least = 1.0 / constraints.len() as f64;
    // Value, first and second derivative of the pseudo-logarithm.
    let log = |z: f64| {
        if z >= least {
            (ln(z), 1.0 / z, -1.0 / (z * z))
        } else {
            let share = z / least;
            (ln(least) - 1.5 + 2.0 * share - 0.5 * share * share, (2.0 - share) / least, -1.0 / (least * least))
        }
    };
    let sum = |t: [f64; 2]| constraints.iter().map(|g| log(1.0 + t[0] * g[0] + t[1] * g[1]).0).sum::<f64>();
    let mut t = start;
    let mut value = sum(t);
    if value < 0.0 || !value.is_finite() {
        (t, value) = ([0.0; 2], 0.0);
    }
    for _ in 0..50 {
        let (mut d0, mut d1, mut h00, mut h01, mut h11) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for g in constraints {
            let (_, first, second) = log(1.0 + t[0] * g[0] + t[1] * g[1]);
            d0 += first * g[0];
            d1 += first * g[1];
            h00 += second * g[0] * g[0];
            h01 += second * g[0] * g[1];
            h11 += second * g[1] * g[1];
        }
        // A constraint that is always 0 leaves its multiplier where it is.
        let tiny = -1e-300;
        let (h00, h11) = (if h00 < tiny { h00 } else { -1.0 }, if h11 < tiny { h11 } else { -1.0 });
        let determinant = h00 * h11 - h01 * h01;
        let step = if determinant > 1e-12 * h00 * h11 {
            [(h01 * d1 - h11 * d0) / determinant, (h01 * d0 - h00 * d1) / determinant]
        } else {
            [-d0 / h00, -d1 / h11]
        };
        let gain = step[0] * d0 + step[1] * d1;
        if gain < 1e-10 {
            break;
        }
        let mut share = 1.0;
        loop {
            let next = [t[0] + share * step[0], t[1] + share * step[1]];
            let there = sum(next);
            if there > value {
                (t, value) = (next, there);
                break;
            }
            share *= 0.5;
            if share < 1e-9 {
                return (value, t);
            }
        }
    }
    (value, t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_only::random::unit;

    /// Weights of 0.5 or 2 with mean 1, rewards of 0 or 1.
    fn terms(seed: u64, n: usize) -> Vec<(f64, f64)> {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 7);
        let mut one = || {
            let w = if unit(&mut rng) < 2.0 / 3.0 { 0.5 } else { 2.0 };
            (w, if unit(&mut rng) < 0.1 * w { 1.0 } else { 0.0 })
        };
        (0..n).map(|_| one()).collect()
    }

    /// E[w r] = 2/3 * 0.5 * 0.05 + 1/3 * 2 * 0.2.
    const TRUTH: f64 = 0.15;

    fn units(terms: &[(f64, f64)]) -> Vec<Unit> {
        terms.iter().map(|(w, r)| Unit { numerator: w * r, denominator: 1.0, control: w - 1.0 }).collect()
    }

    fn moments(terms: &[(f64, f64)]) -> (u64, f64, f64) {
        let of: Vec<f64> = terms.iter().map(|(w, r)| w * r).collect();
        (of.len() as u64, of.iter().sum(), of.iter().map(|x| x * x).sum())
    }

    const RANGE: Range = Range { low: 0.0, high: 2.0 };

    #[test]
    fn asymptotic_intervals_cover_as_often_as_they_say() {
        // 200 logs of 400 rows. A count from Binomial(200, 0.95) leaves [177, 199] with chance below 1e-3; the intervals' own error at
        // 400 rows is about half a percent, 1 log.
        let (mut normal_covers, mut bootstrap, mut likelihood, mut width) = (0, 0, 0, [0.0; 2]);
        for seed in 0..200 {
            let terms = terms(seed, 400);
            let (n, sum, squares) = moments(&terms);
            let mean = sum / n as f64;
            let error = libm::sqrt((squares - sum * mean) / (n - 1) as f64 / n as f64);
            let plain = normal(&Estimate { value: mean, error: Some(error), rows: n });
            let units = units(&terms);
            let el = empirical_likelihood(&units);
            normal_covers += usize::from(plain.holds(TRUTH));
            likelihood += usize::from(el.holds(TRUTH));
            if seed < 30 {
                bootstrap += usize::from(studentized_bootstrap(&units).holds(TRUTH));
            }
            width[0] += plain.high - plain.low;
            width[1] += el.high - el.low;
        }
        assert!((176..=200).contains(&normal_covers), "{normal_covers}");
        assert!((176..=200).contains(&likelihood), "{likelihood}");
        // Binomial(30, 0.95): below 24 with chance below 1e-3.
        assert!((24..=30).contains(&bootstrap), "{bootstrap}");
        // The control takes its part of the variance away: narrower than the normal interval.
        assert!(width[1] < width[0], "{width:?}");
    }

    #[test]
    fn finite_sample_intervals_miss_less_often_than_they_may() {
        let (mut bernstein, mut sequence) = (0, 0);
        for seed in 0..100 {
            let terms = terms(1_000 + seed, 2_000);
            let (n, sum, squares) = moments(&terms);
            let deviation = libm::sqrt((squares - sum * sum / n as f64) / (n - 1) as f64);
            bernstein += usize::from(!empirical_bernstein(n, sum / n as f64, deviation, RANGE).holds(TRUTH));
            // Misses if it ever does, looking 10 times on the way.
            let ever = (1..=10).any(|look| {
                let (n, sum, squares) = moments(&terms[..look * 200]);
                !confidence_sequence(n, sum, squares, RANGE).holds(TRUTH)
            });
            sequence += usize::from(ever);
        }
        // At most Binomial(100, 0.05): above 14 with chance below 2e-4.
        assert!(bernstein <= 14 && sequence <= 14, "{bernstein} {sequence}");
    }

    #[test]
    fn finite_sample_intervals_close_in() {
        let of = |n: usize| {
            let (n, sum, squares) = moments(&terms(5, n));
            let deviation = libm::sqrt((squares - sum * sum / n as f64) / (n - 1) as f64);
            let (a, b) = (empirical_bernstein(n, sum / n as f64, deviation, RANGE), confidence_sequence(n, sum, squares, RANGE));
            let plain = 2.0 * Z95 * deviation / libm::sqrt(n as f64);
            [(a.high - a.low) / plain, (b.high - b.low) / plain]
        };
        let (few, many) = (of(500), of(50_000));
        assert!(many[0] < few[0] && many[0] < 2.0, "{few:?} {many:?}");
        assert!(many[1] < 3.0, "{few:?} {many:?}");
        assert_eq!(confidence_sequence(0, 0.0, 0.0, RANGE), Interval { low: 0.0, high: 2.0 });
        assert_eq!(empirical_bernstein(1, 1.0, 0.0, RANGE), Interval { low: 0.0, high: 2.0 });
    }

    #[test]
    fn units_that_are_all_alike_have_an_interval_of_no_width() {
        let alike = vec![Unit { numerator: 0.5, denominator: 1.0, control: 0.0 }; 10];
        let point = Interval { low: 0.5, high: 0.5 };
        assert_eq!(studentized_bootstrap(&alike), point);
        assert_eq!(empirical_likelihood(&alike), point);
    }

    #[test]
    fn likelihood_stays_within_what_was_seen() {
        // 3 plays in 40: the normal interval would reach below 0.
        let units: Vec<Unit> =
            (0..40).map(|i| Unit { numerator: f64::from(u8::from(i < 3)), denominator: 1.0, control: 0.0 }).collect();
        let found = empirical_likelihood(&units);
        assert!(found.low > 0.0 && found.low < 0.075 && found.high > 0.16 && found.high < 0.25, "{found:?}");
        // Binomial data: the statistic is that of the binomial likelihood.
        let deviance = |p: f64| 2.0 * (3.0 * ln(0.075 / p) + 37.0 * ln(0.925 / (1.0 - p)));
        assert!((deviance(found.low) - Z95 * Z95).abs() < 1e-4 && (deviance(found.high) - Z95 * Z95).abs() < 1e-4);
    }
}
