//! One Gaussian over the weights: the exact step of one outcome, and forgetting towards where it started.

use crate::math::{exp, ln, sigmoid};
use nalgebra::{DMatrix, DVector};

/// Largest width with a full covariance matrix; wider heads keep its diagonal.
pub const MAX_FULL_COVARIANCE: usize = 128;

/// Newton steps for one outcome; quadratic convergence makes the rest vanish.
const NEWTON_STEPS: usize = 30;

/// Nodes above 0 and weights of the Gauss-Hermite rule of seven points, for the standard normal (Abramowitz and Stegun 1964, table
/// 25.10); the weight of the node at 0 is 16/35.
const QUADRATURE: [(f64, f64); 3] = [
    (1.154_405_394_739_968_1, 0.240_123_178_605_012_7),
    (2.366_759_410_734_541, 0.030_757_123_967_586_5),
    (3.750_439_717_725_742, 0.000_548_268_855_972_218),
];

/// N(m, S) over the weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gaussian {
    pub(super) mean: Vec<f64>,
    /// S column by column, or its diagonal.
    pub(super) covariance: Vec<f64>,
}

/// What a head is given for one row: all its inputs, or only those that are not 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadInput {
    pub(super) x: Vec<f64>,
    /// Which weight each value of `x` belongs to, rising; empty when they are all there.
    pub(super) at: Vec<u32>,
}

impl HeadInput {
    /// The weights it meets, out of `values`.
    fn pick(&self, values: &[f64]) -> Vec<f64> {
        self.at.iter().map(|at| values[*at as usize]).collect()
    }

    /// Sum of the products with the values that it meets, in index order.
    pub(super) fn dot(&self, values: &[f64]) -> f64 {
        if self.at.is_empty() {
            sum_of_products(values, &self.x)
        } else {
            self.at.iter().zip(&self.x).map(|(at, x)| values[*at as usize] * x).sum()
        }
    }
}

impl Gaussian {
    /// The Gaussian that learning starts from: with a diagonal as a matrix up to [`MAX_FULL_COVARIANCE`], unless it is to stay one.
    pub(super) fn started_at(start: &Self, diagonal: bool) -> Self {
        let width = start.mean.len();
        if diagonal || width > MAX_FULL_COVARIANCE || start.is_full() {
            return start.clone();
        }
        let mut covariance = vec![0.0; width * width];
        for (i, variance) in start.covariance.iter().enumerate() {
            covariance[i * (width + 1)] = *variance;
        }
        Self { mean: start.mean.clone(), covariance }
    }

    /// Whether the whole matrix is kept. A single weight has no other elements.
    pub(super) fn is_full(&self) -> bool {
        self.covariance.len() == self.mean.len() * self.mean.len()
    }

    /// S S0^-1 change, S0 being the covariance of `start`; see [`super::Head::carried`].
    pub(super) fn carried(&self, start: &Self, change: &[f64]) -> Vec<f64> {
        let width = self.mean.len();
        let weighed: Vec<f64> = if start.is_full() && width > 1 {
            let Some(cholesky) = DMatrix::from_column_slice(width, width, &start.covariance).cholesky() else {
                return change.to_vec();
            };
            cholesky.solve(&DVector::from_column_slice(change)).iter().copied().collect()
        } else {
            change.iter().zip(&start.covariance).map(|(change, variance)| change / variance).collect()
        };
        self.times_covariance(&HeadInput { x: weighed, at: Vec::new() })
    }

    /// m . x and x' S x.
    pub(super) fn score(&self, x: &HeadInput) -> (f64, f64) {
        (x.dot(&self.mean), sum_of_products(&self.times_covariance(x), &x.x))
    }

    /// S x for the weights that `x` meets, each element summed in index order.
    fn times_covariance(&self, x: &HeadInput) -> Vec<f64> {
        if !x.at.is_empty() {
            return x.pick(&self.covariance).iter().zip(&x.x).map(|(s, x)| s * x).collect();
        }
        if self.is_full() {
            // Columns of a symmetric matrix are its rows.
            self.covariance.chunks_exact(x.x.len()).map(|column| sum_of_products(column, &x.x)).collect()
        } else {
            self.covariance.iter().zip(&x.x).map(|(s, x)| s * x).collect()
        }
    }

    /// Learns that `x` earned `reward`, which counts `weight` times; see [`super::Head::learn_weighted`]. Gives m . x and x' S x as they
    /// were before; `None` when the step is undefined and nothing was learned.
    pub(super) fn learn(&mut self, x: &HeadInput, reward: f64, weight: f64) -> Option<(f64, f64)> {
        let sx = self.times_covariance(x);
        let v = sum_of_products(&sx, &x.x);
        if !v.is_finite() || v <= 0.0 {
            return None;
        }
        let a = x.dot(&self.mean);
        // t lies within weight [reward - 1, reward]; bisection guards the Newton steps.
        let (mut low, mut high) = (weight * (reward - 1.0), weight * reward);
        let mut t = weight * (reward - sigmoid(a)) / (1.0 + weight * v * sigmoid(a) * (1.0 - sigmoid(a)));
        for _ in 0..NEWTON_STEPS {
            let p = sigmoid(a + t * v);
            let residual = t - weight * (reward - p);
            if residual.abs() < 1e-15 {
                break;
            }
            if residual > 0.0 {
                high = t;
            } else {
                low = t;
            }
            t -= residual / (1.0 + weight * v * p * (1.0 - p));
            if !(low..=high).contains(&t) {
                t = 0.5 * (low + high);
            }
        }
        let p = sigmoid(a + t * v);
        let h = weight * p * (1.0 - p);
        let added = |s: f64, x: f64| s / (1.0 + h * x * x * s);
        if !x.at.is_empty() {
            for ((at, x), sx) in x.at.iter().zip(&x.x).zip(&sx) {
                let at = *at as usize;
                self.mean[at] += t * sx;
                self.covariance[at] = added(self.covariance[at], *x);
            }
            return Some((a, v));
        }
        for (mean, sx) in self.mean.iter_mut().zip(&sx) {
            *mean += t * sx;
        }
        let width = sx.len();
        if self.is_full() {
            let scale = -h / (1.0 + h * v);
            for j in 0..width {
                let column = scale * sx[j];
                for (i, sx) in sx.iter().enumerate().skip(j) {
                    let value = self.covariance[j * width + i] + column * sx;
                    self.covariance[j * width + i] = value;
                    self.covariance[i * width + j] = value;
                }
            }
        } else {
            for (s, x) in self.covariance.iter_mut().zip(&x.x) {
                *s = added(*s, *x);
            }
        }
        Some((a, v))
    }

    /// Precision and precision-weighted mean move to `start` + g (present - `start`). In a diagonal, the weights that `only` names: all others
    /// are at the start.
    pub(super) fn forget(&mut self, g: f64, start: &Self, only: &[u32]) {
        let width = self.mean.len();
        if !self.is_full() {
            let mut fade = |i: usize| {
                let (old, prior) = (g / self.covariance[i], 1.0 / start.covariance[i]);
                let new = old + (1.0 - g) * prior;
                self.mean[i] = (old * self.mean[i] + (1.0 - g) * prior * start.mean[i]) / new;
                self.covariance[i] = 1.0 / new;
            };
            if only.is_empty() {
                (0..width).for_each(fade);
            } else {
                only.iter().for_each(|i| fade(*i as usize));
            }
            return;
        }
        let Some(mut precision) = inverse(&self.covariance, width) else { return };
        for value in precision.as_mut_slice() {
            *value *= g;
        }
        let shift = precision.as_slice().chunks_exact(width).map(|column| sum_of_products(column, &self.mean));
        let mut shift = DVector::from_iterator(width, shift);
        if start.is_full() && width > 1 {
            let Some(prior) = inverse(&start.covariance, width) else { return };
            for (i, column) in prior.as_slice().chunks_exact(width).enumerate() {
                for (j, value) in column.iter().enumerate() {
                    precision[(j, i)] += (1.0 - g) * value;
                }
                shift[i] += (1.0 - g) * sum_of_products(column, &start.mean);
            }
        } else {
            for i in 0..width {
                let prior = 1.0 / start.covariance[i];
                precision[(i, i)] += (1.0 - g) * prior;
                shift[i] += (1.0 - g) * prior * start.mean[i];
            }
        }
        let Some(cholesky) = precision.cholesky() else { return };
        self.mean = cholesky.solve(&shift).as_slice().to_vec();
        let mut s = cholesky.inverse();
        s.fill_upper_triangle_with_lower_triangle();
        self.covariance = s.as_slice().to_vec();
    }

    /// This Gaussian with the weights that go on from those of `old`: their means, variances and covariances among themselves. They are
    /// independent of the others.
    pub(super) fn carrying(mut self, old: &Self, from: &[Option<usize>]) -> Self {
        let width = self.mean.len();
        let full = self.is_full();
        let of_old = |i: usize, j: usize| match old.is_full() {
            true => old.covariance[i * old.mean.len() + j],
            false if i == j => old.covariance[i],
            false => 0.0,
        };
        for (i, old_i) in from.iter().enumerate() {
            if let Some(old_i) = old_i {
                self.mean[i] = old.mean[*old_i];
            }
            for (j, old_j) in from.iter().enumerate() {
                let cell = if full { i * width + j } else { i };
                if i != j && !full {
                    continue;
                }
                match (old_i, old_j) {
                    (Some(old_i), Some(old_j)) => self.covariance[cell] = of_old(*old_i, *old_j),
                    (None, None) => {}
                    _ => self.covariance[cell] = 0.0,
                }
            }
        }
        self
    }

    /// The Gaussian with the mean and the covariance of the mixture of `parts` with these weights.
    pub(super) fn blend(parts: &[Self], weights: &[f64]) -> Self {
        let mut blend = Self { mean: vec![0.0; parts[0].mean.len()], covariance: vec![0.0; parts[0].covariance.len()] };
        let (width, cells) = (blend.mean.len(), blend.covariance.len());
        for (part, weight) in parts.iter().zip(weights) {
            for i in 0..width {
                blend.mean[i] += weight * part.mean[i];
            }
        }
        for (part, weight) in parts.iter().zip(weights) {
            for cell in 0..cells {
                let (i, j) = if cells > width { (cell / width, cell % width) } else { (cell, cell) };
                let away = (part.mean[i] - blend.mean[i]) * (part.mean[j] - blend.mean[j]);
                blend.covariance[cell] += weight * (part.covariance[cell] + away);
            }
        }
        blend
    }
}

/// The inverse of a symmetric positive definite matrix.
fn inverse(matrix: &[f64], width: usize) -> Option<DMatrix<f64>> {
    Some(DMatrix::from_column_slice(width, width, matrix).cholesky()?.inverse())
}

/// ln of the chance of `reward`, counted `weight` times, when the score is N(a, v): the logistic likelihood averaged over seven
/// points of the normal distribution.
pub(super) fn ln_evidence(a: f64, v: f64, reward: f64, weight: f64) -> f64 {
    // reward z - ln(1 + e^z), without overflow.
    let ln_likelihood = |z: f64| weight * (reward * z - z.max(0.0) - ln(1.0 + exp(-z.abs())));
    let sd = v.max(0.0).sqrt();
    let mut sum = 16.0 / 35.0 * exp(ln_likelihood(a));
    for (node, share) in QUADRATURE {
        sum += share * (exp(ln_likelihood(a + sd * node)) + exp(ln_likelihood(a - sd * node)));
    }
    ln(sum.max(f64::MIN_POSITIVE))
}

/// Sum of products in index order.
pub(super) fn sum_of_products(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
