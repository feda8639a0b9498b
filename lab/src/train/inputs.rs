//! What linear models, factorization machines and networks see of a column: no missing values, mean 0 and standard deviation 1.

use super::sample::Sample;

/// For each column: what stands for a missing value, and (x - mean) / scale in `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// The mean of the values that are there.
    pub default: Vec<f32>,
    /// Subtracted.
    pub mean: Vec<f32>,
    /// Divides; 1 for a constant column.
    pub scale: Vec<f32>,
}

impl Inputs {
    /// Weighted means and standard deviations of the columns.
    #[must_use]
    pub fn fit(sample: &Sample) -> Self {
        let width = sample.width;
        let moment = |value: &dyn Fn(usize, f64) -> f64| {
            let (mut sum, mut seen) = (vec![0.0; width], vec![0.0; width]);
            for (row, weight) in sample.weight.iter().enumerate() {
                for (column, x) in sample.row(row).iter().enumerate().filter(|(_, x)| !x.is_nan()) {
                    sum[column] += weight * value(column, f64::from(*x));
                    seen[column] += weight;
                }
            }
            sum.iter().zip(&seen).map(|(sum, seen)| if *seen > 0.0 { sum / seen } else { 0.0 }).collect::<Vec<f64>>()
        };
        let mean = moment(&|_, x| x);
        let variance = moment(&|column, x| (x - mean[column]) * (x - mean[column]));
        let as_f32 = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<f32>>();
        Self {
            default: as_f32(&mean),
            mean: as_f32(&mean),
            scale: variance.iter().map(|v| if *v > 1e-12 { v.sqrt() as f32 } else { 1.0 }).collect(),
        }
    }

    /// Writes what a model sees of `row`.
    pub fn apply(&self, row: &[f32], seen: &mut [f32]) {
        for (column, (seen, x)) in seen.iter_mut().zip(row).enumerate() {
            let x = if x.is_nan() { self.default[column] } else { *x };
            *seen = (x - self.mean[column]) / self.scale[column];
        }
    }

    /// What a model sees of all rows.
    #[must_use]
    pub fn applied(&self, sample: &Sample) -> Sample {
        let mut seen = sample.clone();
        for row in 0..sample.rows() {
            self.apply(sample.row(row), &mut seen.values[row * sample.width..(row + 1) * sample.width]);
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_mean_0_and_sd_1_and_nothing_is_missing() {
        let sample = Sample {
            width: 3,
            values: vec![1.0, f32::NAN, 5.0, 3.0, 2.0, 5.0, 8.0, 4.0, 5.0],
            target: vec![0.0, 1.0, 0.0],
            weight: vec![2.0, 1.0, 1.0],
            group: vec![0, 1, 2],
        };
        let inputs = Inputs::fit(&sample);
        assert_eq!(inputs.mean, [3.25, 3.0, 5.0]);
        assert_eq!(inputs.scale[2], 1.0);
        let seen = inputs.applied(&sample);
        assert_eq!(seen.row(0)[1], 0.0);
        let of = |row: usize| f64::from(seen.row(row)[0]);
        assert!((2.0 * of(0) + of(1) + of(2)).abs() < 1e-6);
        assert!((2.0 * of(0) * of(0) + of(1) * of(1) + of(2) * of(2) - 4.0).abs() < 1e-5);
    }
}
