//! One Gaussian over the weights: the exact step of one outcome, and forgetting towards where it started.

use crate::math::{exp, ln, ln_1p, sigmoid};
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

/// Independent Gaussians: where a [`Gaussian`] starts and what it forgets to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Start {
    pub(super) mean: Vec<f64>,
    pub(super) variance: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Covariance {
    Full(DMatrix<f64>),
    Diagonal(DVector<f64>),
}

/// N(m, S) over the weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gaussian {
    pub(super) mean: DVector<f64>,
    pub(super) covariance: Covariance,
}

impl Gaussian {
    pub(super) fn new(start: &Start) -> Self {
        let variance = DVector::from_vec(start.variance.clone());
        let covariance = if variance.len() <= MAX_FULL_COVARIANCE {
            Covariance::Full(DMatrix::from_diagonal(&variance))
        } else {
            Covariance::Diagonal(variance)
        };
        Self { mean: DVector::from_vec(start.mean.clone()), covariance }
    }

    /// m . x and x' S x.
    pub(super) fn score(&self, x: &[f64]) -> (f64, f64) {
        (sum_of_products(self.mean.as_slice(), x), sum_of_products(&self.times_covariance(x), x))
    }

    /// S x, each element summed in index order.
    fn times_covariance(&self, x: &[f64]) -> Vec<f64> {
        match &self.covariance {
            // Columns of a symmetric matrix are its rows.
            Covariance::Full(s) => s.as_slice().chunks_exact(x.len()).map(|column| sum_of_products(column, x)).collect(),
            Covariance::Diagonal(s) => s.iter().zip(x).map(|(s, x)| s * x).collect(),
        }
    }

    /// Learns that `x` earned `reward`, which counts `weight` times; see [`super::Head::learn_weighted`]. False when the step is
    /// undefined and nothing was learned.
    pub(super) fn learn(&mut self, x: &[f64], reward: f64, weight: f64) -> bool {
        let sx = self.times_covariance(x);
        let v = sum_of_products(&sx, x);
        if !v.is_finite() || v <= 0.0 {
            return false;
        }
        let a = sum_of_products(self.mean.as_slice(), x);
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
        for (mean, sx) in self.mean.iter_mut().zip(&sx) {
            *mean += t * sx;
        }
        match &mut self.covariance {
            Covariance::Full(s) => {
                let scale = -h / (1.0 + h * v);
                for j in 0..sx.len() {
                    let column = scale * sx[j];
                    for i in j..sx.len() {
                        let value = s[(i, j)] + column * sx[i];
                        s[(i, j)] = value;
                        s[(j, i)] = value;
                    }
                }
            }
            Covariance::Diagonal(s) => {
                for (s, x) in s.iter_mut().zip(x) {
                    *s /= 1.0 + h * x * x * *s;
                }
            }
        }
        true
    }

    /// Precision and precision-weighted mean move to `start` + g (present - `start`).
    pub(super) fn forget(&mut self, g: f64, start: &Start) {
        let width = self.mean.len();
        let prior_precision = DVector::from_iterator(width, start.variance.iter().map(|v| 1.0 / v));
        match &mut self.covariance {
            Covariance::Full(s) => {
                let Some(inverse) = s.clone().cholesky().map(|c| c.inverse()) else { return };
                let mut precision = inverse;
                for value in precision.as_mut_slice() {
                    *value *= g;
                }
                let mut shift = DVector::from_iterator(
                    width,
                    precision.as_slice().chunks_exact(width).map(|column| sum_of_products(column, self.mean.as_slice())),
                );
                for i in 0..width {
                    precision[(i, i)] += (1.0 - g) * prior_precision[i];
                    shift[i] += (1.0 - g) * prior_precision[i] * start.mean[i];
                }
                let Some(cholesky) = precision.cholesky() else { return };
                self.mean = cholesky.solve(&shift);
                *s = cholesky.inverse();
                s.fill_upper_triangle_with_lower_triangle();
            }
            Covariance::Diagonal(s) => {
                for i in 0..width {
                    let old = g / s[i];
                    let new = old + (1.0 - g) * prior_precision[i];
                    self.mean[i] = (old * self.mean[i] + (1.0 - g) * prior_precision[i] * start.mean[i]) / new;
                    s[i] = 1.0 / new;
                }
            }
        }
    }

    /// The Gaussian with the mean and the covariance of the mixture of `parts` with these weights; `None` for no parts.
    pub(super) fn blend(parts: &[Self], weights: &[f64]) -> Option<Self> {
        let (first, _) = parts.split_first()?;
        let width = first.mean.len();
        let mut mean = DVector::zeros(width);
        for (part, weight) in parts.iter().zip(weights) {
            mean += &part.mean * *weight;
        }
        let mut covariance = match &first.covariance {
            Covariance::Full(_) => Covariance::Full(DMatrix::zeros(width, width)),
            Covariance::Diagonal(_) => Covariance::Diagonal(DVector::zeros(width)),
        };
        for (part, weight) in parts.iter().zip(weights) {
            let away = &part.mean - &mean;
            match (&mut covariance, &part.covariance) {
                (Covariance::Full(sum), Covariance::Full(s)) => {
                    for j in 0..width {
                        for i in 0..width {
                            sum[(i, j)] += weight * (s[(i, j)] + away[i] * away[j]);
                        }
                    }
                }
                (Covariance::Diagonal(sum), Covariance::Diagonal(s)) => {
                    for i in 0..width {
                        sum[i] += weight * (s[i] + away[i] * away[i]);
                    }
                }
                _ => return None,
            }
        }
        Some(Self { mean, covariance })
    }
}

/// ln of the chance of `reward`, counted `weight` times, when the score is N(a, v): the logistic likelihood averaged over seven
/// points of the normal distribution.
pub(super) fn ln_evidence(a: f64, v: f64, reward: f64, weight: f64) -> f64 {
    // reward z - ln(1 + e^z), without overflow.
    let ln_likelihood = |z: f64| weight * (reward * z - z.max(0.0) - ln_1p(exp(-z.abs())));
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
