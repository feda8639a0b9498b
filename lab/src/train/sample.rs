//! What a trainer learns from: rows of numbers with a target and a weight.

use ears_only::math::{ln, sigmoid};

use crate::error::LabError;

/// Most columns, as many as a bundle may have.
pub const MAX_COLUMNS: usize = 256;

/// Dense rows with targets and weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Number of columns.
    pub width: usize,
    /// Row by row; NaN is missing.
    pub values: Vec<f32>,
    /// What a row should be predicted as: a reward in [0, 1], or an estimate of one that may lie outside.
    pub target: Vec<f64>,
    /// How much a row counts, 0 or more.
    pub weight: Vec<f64>,
    /// Whose row it is: rows of one group are never divided between learning and judging.
    pub group: Vec<u32>,
}

impl Sample {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// Names the row and what was expected: no rows, lengths that differ, infinite values, a target or weight that is no number, a
    /// negative weight, or weights that are all 0.
    pub fn checked(self) -> Result<Self, LabError> {
        let rows = self.target.len();
        let wrong = |what: String| Err(LabError::unreadable(what));
        if self.width == 0 || self.width > MAX_COLUMNS || rows == 0 {
            return wrong(format!(
                "expected 1 to {MAX_COLUMNS} columns and at least one row, found {} columns and {rows} rows",
                self.width
            ));
        }
        if self.values.len() != rows * self.width || self.weight.len() != rows || self.group.len() != rows {
            return wrong(format!(
                "expected {rows} rows of {} values with a weight and a group, found {} values, {} weights and {} groups",
                self.width,
                self.values.len(),
                self.weight.len(),
                self.group.len()
            ));
        }
        if let Some(at) = self.values.iter().position(|value| value.is_infinite()) {
            let (row, column) = (at / self.width, at % self.width);
            return wrong(format!("row {row}, column {column}: expected a finite value or none, found {}", self.values[at]));
        }
        for (row, (target, weight)) in self.target.iter().zip(&self.weight).enumerate() {
            if !target.is_finite() {
                return wrong(format!("row {row}: expected a finite target, found {target}"));
            }
            if !(weight.is_finite() && *weight >= 0.0) {
                return wrong(format!("row {row}: expected a weight of 0 or more, found {weight}"));
            }
        }
        if self.total_weight() <= 0.0 {
            return wrong("expected at least one row with a weight above 0, found none".to_owned());
        }
        Ok(self)
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.target.len()
    }

    /// The values of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// Sum of the weights.
    #[must_use]
    pub fn total_weight(&self) -> f64 {
        self.weight.iter().sum()
    }

    /// Weighted mean of the targets.
    #[must_use]
    pub fn mean_target(&self) -> f64 {
        self.target.iter().zip(&self.weight).map(|(target, weight)| target * weight).sum::<f64>() / self.total_weight()
    }

    /// Kish's effective sample size, (sum w)^2 / sum w^2.
    #[must_use]
    pub fn effective_size(&self) -> f64 {
        let squares: f64 = self.weight.iter().map(|weight| weight * weight).sum();
        self.total_weight() * self.total_weight() / squares
    }

    /// The rows with these numbers.
    #[must_use]
    pub fn subset(&self, rows: &[usize]) -> Self {
        Self {
            width: self.width,
            values: rows.iter().flat_map(|&row| self.row(row)).copied().collect(),
            target: rows.iter().map(|&row| self.target[row]).collect(),
            weight: rows.iter().map(|&row| self.weight[row]).collect(),
            group: rows.iter().map(|&row| self.group[row]).collect(),
        }
    }

    /// Numbers of the rows to learn from, and of those of about `share` of the groups to judge by. Which is which depends on `seed` and
    /// the group alone.
    #[must_use]
    pub fn divide(&self, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
        (0..self.rows()).partition(|row| unit(seed, self.group[*row]) >= share)
    }

    /// The two parts of [`Sample::divide`].
    #[must_use]
    pub fn split(&self, share: f64, seed: u64) -> (Self, Self) {
        let (learn, judge) = self.divide(share, seed);
        (self.subset(&learn), self.subset(&judge))
    }
}

/// A number in [0, 1) from a seed and a group (SplitMix64; Steele, Lea and Flood 2014).
#[must_use]
pub fn unit(seed: u64, group: u32) -> f64 {
    let mut z = seed
        .wrapping_mul(0xd134_2543_de82_ef95)
        .wrapping_add(u64::from(group).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Negative log-likelihood of a target under log-odds `margin`: ln(1 + e^m) - y m. Convex in m for any target.
#[must_use]
pub fn log_loss(margin: f64, target: f64) -> f64 {
    margin.max(0.0) + ears_only::math::ln_1p(ears_only::math::exp(-margin.abs())) - target * margin
}

/// Log-odds of the weighted mean target, kept away from the ends.
#[must_use]
pub fn base_margin(sample: &Sample) -> f64 {
    let mean = sample.mean_target().clamp(1e-6, 1.0 - 1e-6);
    ln(mean / (1.0 - mean))
}

/// How good predictions are.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Quality {
    /// Rows judged.
    pub rows: usize,
    /// Weighted mean of the log-loss, natural logarithm.
    pub log_loss: f64,
    /// The same when everything is predicted as the mean target of these rows.
    pub log_loss_of_mean: f64,
    /// Weighted mean of the predictions.
    pub predicted: f64,
    /// Weighted mean of the targets.
    pub observed: f64,
    /// Expected calibration error: mean distance of predicted and observed chance in tenths of the rows by prediction.
    pub calibration_error: f64,
}

impl Quality {
    /// Weighted mean of the log-loss.
    #[must_use]
    pub fn loss(sample: &Sample, margins: &[f64]) -> f64 {
        let rows = sample.target.iter().zip(&sample.weight).zip(margins);
        rows.map(|((target, weight), margin)| weight * log_loss(*margin, *target)).sum::<f64>() / sample.total_weight()
    }

    /// Judges the margins of a sample's rows.
    #[must_use]
    pub fn of(sample: &Sample, margins: &[f64]) -> Self {
        let total = sample.total_weight();
        if total <= 0.0 {
            return Self::default();
        }
        let mean =
            |value: &dyn Fn(usize) -> f64| (0..sample.rows()).map(|row| sample.weight[row] * value(row)).sum::<f64>() / total;
        let observed = mean(&|row| sample.target[row]);
        let base = base_margin(sample);
        Self {
            rows: sample.rows(),
            log_loss: Self::loss(sample, margins),
            log_loss_of_mean: mean(&|row| log_loss(base, sample.target[row])),
            predicted: mean(&|row| sigmoid(margins[row])),
            observed,
            calibration_error: calibration_error(sample, margins),
        }
    }
}

/// Parts of the rows, by prediction, over which calibration is judged.
const CALIBRATION_PARTS: f64 = 10.0;

/// A part of the rows, by prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Calibrated {
    /// Its share of all weight.
    pub share: f64,
    /// Weighted mean of its predictions.
    pub predicted: f64,
    /// Weighted mean of its targets.
    pub observed: f64,
}

fn calibration_error(sample: &Sample, margins: &[f64]) -> f64 {
    calibration(sample, margins).iter().map(|part| part.share * (part.predicted - part.observed).abs()).sum()
}

/// Predictions beside what came, by tenths of the rows; nothing without weight.
#[must_use]
pub fn calibration(sample: &Sample, margins: &[f64]) -> Vec<Calibrated> {
    let mut order: Vec<usize> = (0..sample.rows()).collect();
    order.sort_by(|a, b| margins[*a].total_cmp(&margins[*b]).then(a.cmp(b)));
    let total = sample.total_weight();
    let (mut parts, mut done, mut predicted, mut observed) = (Vec::new(), 0.0, 0.0, 0.0);
    let (mut part, mut before) = (1.0, 0.0);
    for (place, &row) in order.iter().enumerate() {
        let weight = sample.weight[row];
        done += weight;
        predicted += weight * sigmoid(margins[row]);
        observed += weight * sample.target[row];
        // Equal predictions stay together.
        let last = place + 1 == order.len();
        let ends = last || margins[order[place + 1]] > margins[row];
        if last || (ends && done >= part / CALIBRATION_PARTS * total) {
            let inside = done - before;
            if inside > 0.0 {
                parts.push(Calibrated { share: inside / total, predicted: predicted / inside, observed: observed / inside });
            }
            (predicted, observed, before) = (0.0, 0.0, done);
            while part / CALIBRATION_PARTS * total <= done {
                part += 1.0;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sample {
        Sample {
            width: 2,
            values: (0..200).map(|v| v as f32).collect(),
            target: (0..100).map(|row| f64::from(row % 2)).collect(),
            weight: vec![1.0; 100],
            group: (0..100).map(|row| row / 4).collect(),
        }
    }

    #[test]
    fn bad_samples_are_refused_with_the_row() {
        let message = |change: &dyn Fn(&mut Sample)| {
            let mut sample = sample();
            change(&mut sample);
            sample.checked().unwrap_err().to_string()
        };
        assert!(message(&|s| s.width = 0).contains("columns"));
        assert!(message(&|s| s.values[7] = f32::INFINITY).contains("row 3, column 1"));
        assert!(message(&|s| s.target[5] = f64::NAN).contains("row 5"));
        assert!(message(&|s| s.weight[6] = -1.0).contains("row 6"));
        assert!(message(&|s| s.weight.fill(0.0)).contains("above 0"));
        assert!(message(&|s| _ = s.group.pop()).contains("99 groups"));
        assert!(sample().checked().is_ok());
    }

    #[test]
    fn a_split_keeps_groups_whole_and_loses_no_row() {
        let sample = sample();
        let (learn, judge) = sample.split(0.3, 7);
        assert_eq!(learn.rows() + judge.rows(), 100);
        assert!(judge.rows() > 4 && judge.group.iter().all(|group| !learn.group.contains(group)));
        assert_eq!(sample.split(0.3, 7).0, learn);
        assert_ne!(sample.split(0.3, 8).0, learn);
    }

    #[test]
    fn log_loss_is_stable_and_right() {
        assert!((log_loss(0.0, 1.0) - libm::log(2.0)).abs() < 1e-15);
        assert!((log_loss(2.0, 0.0) + libm::log(sigmoid(-2.0))).abs() < 1e-12);
        assert!(log_loss(800.0, 1.0).abs() < 1e-12 && (log_loss(800.0, 0.0) - 800.0).abs() < 1e-9);
    }

    #[test]
    fn quality_of_known_predictions() {
        let sample = sample();
        let even = Quality::of(&sample, &[0.0; 100]);
        assert!((even.log_loss - libm::log(2.0)).abs() < 1e-12 && even.calibration_error.abs() < 1e-12);
        let high = Quality::of(&sample, &[ears_only::math::logit(0.8); 100]);
        assert!((high.calibration_error - 0.3).abs() < 1e-9 && (high.predicted - 0.8).abs() < 1e-9);
        // Half of the rows predicted 0.9 and all right, half 0.1 and all wrong: errors of 0.1 and 0.1.
        let sharp: Vec<f64> = (0..100).map(|row| ears_only::math::logit(if row % 2 == 1 { 0.9 } else { 0.1 })).collect();
        assert!((Quality::of(&sample, &sharp).calibration_error - 0.1).abs() < 1e-9);
        let parts = calibration(&sample, &sharp);
        assert_eq!(parts.len(), 2);
        for (part, (predicted, observed)) in parts.iter().zip([(0.1, 0.0), (0.9, 1.0)]) {
            assert!((part.share - 0.5).abs() < 1e-12 && (part.predicted - predicted).abs() < 1e-9, "{part:?}");
            assert!((part.observed - observed).abs() < 1e-12, "{part:?}");
        }
    }
}
