//! Intervals and tests: what a count can and cannot say.

use statrs::function::beta::beta_reg;
use statrs::function::gamma::gamma_ur;

/// Lower end of the one-sided Clopper-Pearson interval of a chance: `hits` of `trials`, wrong with chance at most `alpha`.
///
/// # References
/// C. J. Clopper, E. S. Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of the binomial",
/// Biometrika 26(4).
#[must_use]
pub fn at_least(hits: u64, trials: u64, alpha: f64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    let (a, b) = (hits as f64, (trials - hits) as f64 + 1.0);
    bisect(|p| beta_reg(a, b, p) < alpha)
}

/// Upper end of the same interval.
#[must_use]
pub fn at_most(hits: u64, trials: u64, alpha: f64) -> f64 {
    1.0 - at_least(trials - hits, trials, alpha)
}

/// Where `below` turns from true to false on [0, 1].
fn bisect(below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0f64, 1.0f64);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if below(middle) { low = middle } else { high = middle }
    }
    low
}

/// Chance that a chi-square with `freedom` degrees of freedom is at least `value`.
#[must_use]
pub fn chi_square_tail(value: f64, freedom: f64) -> f64 {
    if freedom <= 0.0 {
        return 1.0;
    }
    if value <= 0.0 { 1.0 } else { gamma_ur(freedom / 2.0, value / 2.0) }
}

/// Chi-square of counts against chances that sum to 1, as a tail chance. An impossible outcome that occurred gives 0.
#[must_use]
pub fn goodness(counts: &[u64], chances: &[f64]) -> f64 {
    let total: u64 = counts.iter().sum();
    let mut value = 0.0;
    let mut cells = 0.0f64;
    for (&count, &chance) in counts.iter().zip(chances) {
        let expected = chance * total as f64;
        if expected > 0.0 {
            let gap = count as f64 - expected;
            value += gap * gap / expected;
            cells += 1.0;
        } else if count > 0 {
            return 0.0;
        }
    }
    chi_square_tail(value, cells - 1.0)
}

/// The standard normal quantile that a one-sided error of `alpha` leaves above it.
#[must_use]
pub fn normal_above(alpha: f64) -> f64 {
    let (mut low, mut high) = (-40.0f64, 40.0f64);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        let tail = 0.5 * libm::erfc(middle / std::f64::consts::SQRT_2);
        if tail > alpha { low = middle } else { high = middle }
    }
    low
}

/// Area under the ROC curve of scores: chance that a positive scores above a negative, ties counted half.
#[must_use]
pub fn auc(positive: &[f64], negative: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        positive.iter().map(|&score| (score, true)).chain(negative.iter().map(|&score| (score, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut area) = (0.0f64, 0.0f64);
    let mut at = 0;
    while at < all.len() {
        let tied = all[at..].iter().take_while(|other| other.0 == all[at].0).count();
        let positives = all[at..at + tied].iter().filter(|(_, positive)| *positive).count() as f64;
        let negatives = tied as f64 - positives;
        area += positives * (below + negatives / 2.0);
        below += negatives;
        at += tied;
    }
    area / (positive.len() as f64 * negative.len() as f64)
}

/// Standard error of an AUC, whatever the distributions.
///
/// # References
/// J. A. Hanley, B. J. McNeil (1982), "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
/// Radiology 143(1), with the bound Var <= A (1 - A) / min(m, n).
#[must_use]
pub fn auc_error(auc: f64, positive: usize, negative: usize) -> f64 {
    (auc * (1.0 - auc) / positive.min(negative) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // 10 of 100, two-sided 95 %: 0.0490 to 0.1762 (R, binom.test).
        assert!((at_least(10, 100, 0.025) - 0.049_005).abs() < 1e-6);
        assert!((at_most(10, 100, 0.025) - 0.176_223).abs() < 1e-6);
        assert_eq!((at_least(0, 5, 0.1), at_most(5, 5, 0.1)), (0.0, 1.0));
        assert!((at_most(0, 100, 0.05) - 0.029_513).abs() < 1e-6);
    }

    #[test]
    fn tails_are_those_of_the_tables() {
        assert!((chi_square_tail(3.841_459, 1.0) - 0.05).abs() < 1e-6);
        assert!((chi_square_tail(33.376_8, 4.0) - 1e-6).abs() < 1e-8);
        assert!((normal_above(0.025) - 1.959_964).abs() < 1e-5);
        assert_eq!(goodness(&[1, 0], &[0.0, 1.0]), 0.0);
        assert!(goodness(&[500, 500], &[0.5, 0.5]) > 0.99);
        assert!(goodness(&[600, 400], &[0.5, 0.5]) < 1e-8);
    }

    #[test]
    fn auc_counts_pairs() {
        assert_eq!(auc(&[2.0, 3.0], &[0.0, 1.0]), 1.0);
        assert_eq!(auc(&[1.0, 1.0], &[1.0]), 0.5);
        assert_eq!(auc(&[0.0, 2.0], &[1.0]), 0.5);
    }
}
