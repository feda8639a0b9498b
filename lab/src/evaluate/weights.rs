//! What the importance weights say about a question before any estimate does.

use super::estimator::Estimate;
use super::exact::ExactSum;
use super::lanes;

/// Effective sample size below which no estimate is given.
pub const LEAST_SAMPLE: f64 = 30.0;
/// Standard errors by which the mean weight may differ from 1.
pub const MEAN_WEIGHT_ERRORS: f64 = 4.0;
/// Share of the sum of weights that one row may hold.
pub const MOST_IN_ONE_ROW: f64 = 0.2;
/// Bins of the histogram.
pub(super) const BINS: usize = 32;

/// Sums over importance weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WeightSums {
    rows: u64,
    zeros: u64,
    sum: ExactSum,
    squares: ExactSum,
    largest: f64,
    /// Rows with weights in (2^(i-13), 2^(i-12)]; the ends hold all beyond.
    histogram: [u64; BINS],
}

impl WeightSums {
    /// Adds the weight of a row, not below 0.
    pub fn add(&mut self, weight: f64) {
        self.rows += 1;
        self.sum.add(weight);
        self.squares.add_product(weight, weight);
        self.largest = self.largest.max(weight);
        self.zeros += u64::from(weight == 0.0);
        self.histogram[bin(weight)] += u64::from(weight > 0.0);
    }

    /// Adds the weights of many rows, none below 0: summed in `f64` first, as [`Gram::quick`](super::gram::Gram::quick).
    pub fn add_all(&mut self, weights: &[f64]) {
        let ([sum], [squares]) = lanes::moments([weights]);
        let (largest, zeros) = lanes::wide(
            #[inline(always)]
            || {
                let count =
                    |(most, zeros): (f64, u64), w: &f64| (if *w > most { *w } else { most }, zeros + u64::from(*w == 0.0));
                weights.iter().fold((0.0, 0), count)
            },
        );
        // Two counters for each bin, so that equal neighbours do not wait for each other.
        let mut counts = [[0u32; BINS]; 2];
        for chunk in weights.chunks(64) {
            let mut bins = [0u8; 64];
            lanes::wide(
                #[inline(always)]
                || bins.iter_mut().zip(chunk).for_each(|(at, weight)| *at = bin(*weight) as u8),
            );
            bins[..chunk.len()].iter().enumerate().for_each(|(i, at)| counts[i % 2][usize::from(*at) % BINS] += 1);
        }
        let [mut counts, others] = counts;
        counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
        self.add_summed([sum, squares], largest, zeros, &counts);
    }

    /// Adds weights of which sum, sum of squares, the largest, the number of zeros and the bins are known; zeros are in the least bin.
    pub(super) fn add_summed(&mut self, [sum, squares]: [f64; 2], largest: f64, zeros: u64, counts: &[u32; BINS]) {
        self.sum.add(sum);
        self.squares.add(squares);
        self.largest = self.largest.max(largest);
        self.zeros += zeros;
        for (all, count) in self.histogram.iter_mut().zip(counts) {
            *all += u64::from(*count);
            self.rows += u64::from(*count);
        }
        self.histogram[0] -= zeros;
    }

    /// Adds the rows of another.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.zeros += other.zeros;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        self.largest = self.largest.max(other.largest);
        self.histogram.iter_mut().zip(other.histogram).for_each(|(a, b)| *a += b);
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Sum of the weights.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum.value()
    }

    /// Sum of their squares.
    #[must_use]
    pub fn sum_of_squares(&self) -> f64 {
        self.squares.value()
    }

    /// Mean weight: 1 in expectation when the propensities are right and the logging policy could do all that the target does.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum.double().over(self.rows as f64).value()
    }

    /// Largest weight; 0 without rows.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.largest
    }

    /// Share of rows whose action the target policy would never take.
    #[must_use]
    pub fn share_of_zeros(&self) -> f64 {
        self.zeros as f64 / self.rows as f64
    }

    /// Rows by size of weight, from weights up to 2^-12 to weights above 2^18, doubling.
    #[must_use]
    pub fn histogram(&self) -> &[u64] {
        &self.histogram
    }

    /// How many rows logged by the target itself would be worth as much: (sum of w)^2 / (sum of w^2).
    ///
    /// # References
    /// A. Kong (1992), "A note on importance sampling using standardized weights", University of Chicago technical report 348.
    #[must_use]
    pub fn effective_sample_size(&self) -> f64 {
        let sum = self.sum.double();
        sum.times(sum).over(self.squares.double()).value()
    }

    /// (mean weight - 1) in its own standard errors; nothing where that error is unknown, or 0 but for rounding.
    #[must_use]
    pub fn mean_in_errors(&self) -> Option<f64> {
        let rows = self.rows as f64;
        let mean = self.sum.double().over(rows);
        let variance = self.squares.double().minus(mean.times(mean).times(rows)).value() / (rows - 1.0);
        let spread = libm::sqrt(variance);
        (self.rows >= 2 && spread > 1e-7 * mean.value()).then(|| (mean.value() - 1.0) * libm::sqrt(rows) / spread)
    }

    /// Whether these logs can answer.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let sample = self.effective_sample_size();
        if self.rows == 0 {
            return Verdict::NoRows;
        }
        if self.largest == 0.0 {
            return Verdict::NoOverlap;
        }
        if sample.is_nan() || sample < LEAST_SAMPLE {
            return Verdict::TooFew { sample };
        }
        let off = self.mean_in_errors().unwrap_or(if (self.mean() - 1.0).abs() < 1e-6 { 0.0 } else { f64::INFINITY });
        if off.abs() > MEAN_WEIGHT_ERRORS {
            return Verdict::WrongMean { mean: self.mean(), errors: off };
        }
        let share = self.largest / self.sum();
        if share > MOST_IN_ONE_ROW {
            return Verdict::OneRow { share };
        }
        Verdict::Answers
    }
}

/// Bin of a weight: its exponent rounded up, 12 for weights in (1/2, 1]; 0 for weights up to 2^-12, 31 for all above 2^18.
#[inline(always)]
pub(super) fn bin(weight: f64) -> usize {
    let up = (weight.to_bits() & (u64::MAX >> 1)).wrapping_add((1 << 52) - 1) >> 52;
    usize::from((up as u16).saturating_sub(1023 - 12).min(BINS as u16 - 1))
}

/// Whether logs can answer what a policy is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// They can; how well, the interval says.
    Answers,
    /// Nothing was logged.
    NoRows,
    /// The target takes none of the logged actions.
    NoOverlap,
    /// Too few rows count.
    TooFew {
        /// Effective sample size.
        sample: f64,
    },
    /// The mean weight is not 1: the propensities are wrong, or the target does what the logging policy never could.
    WrongMean {
        /// Mean weight.
        mean: f64,
        /// Its distance from 1 in standard errors.
        errors: f64,
    },
    /// A single row holds much of the weight.
    OneRow {
        /// Its share of the sum of weights.
        share: f64,
    },
}

impl Verdict {
    /// Whether an estimate may be shown as an answer.
    #[must_use]
    pub fn answers(self) -> bool {
        self == Self::Answers
    }

    /// In words.
    #[must_use]
    pub fn sentence(self) -> String {
        let cannot = "these logs cannot answer this question";
        match self {
            Self::Answers => "these logs answer this question within the interval".to_owned(),
            Self::NoRows => format!("{cannot}: no rows"),
            Self::NoOverlap => format!("{cannot}: the target policy takes none of the logged actions"),
            Self::TooFew { sample } => format!("{cannot}: effective sample size {sample:.0}"),
            Self::WrongMean { mean, errors } => format!(
                "{cannot}: the mean weight is {mean:.3}, {:.0} standard errors from 1; the propensities are wrong, or the target does \
                 what the logging policy never did",
                errors.abs()
            ),
            Self::OneRow { share } => format!("{cannot}: one row holds {:.0} % of the weight", 100.0 * share),
        }
    }

    /// The estimate, unless these logs cannot answer.
    #[must_use]
    pub fn allows(self, estimate: Estimate) -> Option<Estimate> {
        Some(estimate).filter(|_| self.answers())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(weights: &[f64]) -> WeightSums {
        let mut sums = WeightSums::default();
        weights.iter().for_each(|w| sums.add(*w));
        sums
    }

    #[test]
    fn sizes_and_means() {
        let sums = of(&[0.0, 1.0, 3.0, 0.5]);
        assert_eq!((sums.rows(), sums.sum(), sums.sum_of_squares(), sums.max(), sums.mean()), (4, 4.5, 10.25, 3.0, 1.125));
        assert_eq!(sums.effective_sample_size(), 4.5 * 4.5 / 10.25);
        assert_eq!(sums.share_of_zeros(), 0.25);
        let filled: Vec<usize> = (0..32).filter(|i| sums.histogram()[*i] == 1).collect();
        // 0.5 in (2^-2, 2^-1], 1 in (2^-1, 1], 3 in (2, 4].
        assert_eq!(filled, [11, 12, 14]);
    }

    #[test]
    fn many_at_once_are_counted_as_one_by_one() {
        let weights: Vec<f64> = (0..1_000).map(|i| libm::exp2(f64::from(i % 41 - 20) / 2.0) * f64::from(i % 7)).collect();
        let (one_by_one, mut at_once) = (of(&weights), WeightSums::default());
        at_once.add_all(&weights);
        assert_eq!(at_once.histogram(), one_by_one.histogram());
        assert_eq!((at_once.rows, at_once.zeros, at_once.largest), (one_by_one.rows, one_by_one.zeros, one_by_one.largest));
        assert!((at_once.sum() / one_by_one.sum() - 1.0).abs() < 1e-14);
        assert!((at_once.effective_sample_size() / one_by_one.effective_sample_size() - 1.0).abs() < 1e-13);
        // Equal weights have no spread, whatever rounding says.
        let mut alike = WeightSums::default();
        alike.add_all(&[1.000_000_1; 1_000]);
        assert_eq!((alike.mean_in_errors(), alike.verdict()), (None, Verdict::Answers));
    }

    #[test]
    fn verdicts() {
        assert_eq!(of(&[]).verdict(), Verdict::NoRows);
        assert_eq!(of(&[0.0; 100]).verdict(), Verdict::NoOverlap);
        assert_eq!(of(&[1.0; 100]).verdict(), Verdict::Answers);
        let two = of(&[vec![50.0; 2], vec![0.0; 98]].concat());
        assert_eq!(two.verdict().sentence(), "these logs cannot answer this question: effective sample size 2");
        assert_eq!(two.verdict().allows(Estimate { value: 0.5, error: None, rows: 100 }), None);
        assert!(matches!(of(&[2.0; 100]).verdict(), Verdict::WrongMean { mean: 2.0, .. }));
        let spread: Vec<f64> = (0..10_000).map(|i| f64::from(i % 3)).collect();
        assert_eq!(of(&spread).verdict(), Verdict::Answers);
        let halved: Vec<f64> = spread.iter().map(|w| w / 2.0).collect();
        assert!(matches!(of(&halved).verdict(), Verdict::WrongMean { .. }));
        // 1,000 rows of 0.75 and one of 250: mean 0.999, and a quarter of all weight in one row; the sample is 16.
        assert_eq!(
            of(&[vec![0.75; 1_000], vec![250.0]].concat()).verdict(),
            Verdict::TooFew { sample: 1_000.0 * 1_000.0 / 63_062.5 }
        );
    }
}
