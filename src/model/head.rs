//! Bayesian logistic regression with a Gaussian posterior, updated one outcome at a time.

use crate::error::{Error, shown};
use crate::math::{decay, sigmoid};
use crate::store::{Tape, TapeReader};
use nalgebra::{DMatrix, DVector};

/// Largest width with a full covariance matrix; wider heads keep its diagonal.
pub const MAX_FULL_COVARIANCE: usize = 128;

/// Newton steps for one outcome; quadratic convergence makes the rest vanish.
const NEWTON_STEPS: usize = 30;

/// Where the head starts: independent Gaussians, one for the bias and each column.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadPrior {
    mean: Vec<f64>,
    variance: Vec<f64>,
    half_life_ms: f64,
}

impl HeadPrior {
    /// A prior with these means and standard deviations; the bias comes first.
    ///
    /// - `half_life_ms`: time in which half of what was learned is forgotten, towards the prior. Infinity never forgets.
    ///
    /// # Errors
    /// `bad_prior` for different lengths, a non-finite mean, a standard deviation outside [1e-6, 1e3], or a half-life that is not > 0.
    pub fn new(mean: Vec<f64>, sd: &[f64], half_life_ms: f64) -> Result<Self, Error> {
        if mean.len() != sd.len() || mean.is_empty() {
            return Err(Error::settings(
                "bad_prior",
                format!("expected as many means as sds, got {} and {}", mean.len(), sd.len()),
            ));
        }
        if let Some(value) = mean.iter().find(|v| !v.is_finite() || v.abs() > 1e6) {
            return Err(Error::settings("bad_prior", format!("a mean must be finite and within 1e6, got {}", shown(*value))));
        }
        if let Some(value) = sd.iter().find(|v| !(1e-6..=1e3).contains(*v)) {
            return Err(Error::settings(
                "bad_prior",
                format!("a standard deviation must be within 1e-6 and 1000, got {}", shown(*value)),
            ));
        }
        if half_life_ms.is_nan() || half_life_ms <= 0.0 {
            return Err(Error::settings("bad_prior", format!("half-life must be > 0, got {}", shown(half_life_ms))));
        }
        Ok(Self { mean, variance: sd.iter().map(|s| s * s).collect(), half_life_ms })
    }

    /// Number of weights, the bias included.
    #[must_use]
    pub fn width(&self) -> usize {
        self.mean.len()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Covariance {
    Full(DMatrix<f64>),
    Diagonal(DVector<f64>),
}

/// The learned part of a head as plain numbers, for snapshots.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeadState {
    mean: Vec<f64>,
    /// Lower triangle row by row, or the diagonal.
    covariance: Vec<f64>,
    full: bool,
    updates: u64,
    learned_at: i64,
}

impl HeadState {
    pub(crate) fn save(&self, tape: &mut Tape) {
        tape.whole(self.updates);
        tape.signed(self.learned_at);
        tape.flag(self.full);
        for values in [&self.mean, &self.covariance] {
            tape.count(values.len());
            for value in values {
                tape.fraction(*value);
            }
        }
    }

    pub(crate) fn load(tape: &mut TapeReader) -> Result<Self, Error> {
        Ok(Self {
            updates: tape.whole()?,
            learned_at: tape.signed()?,
            full: tape.flag()?,
            mean: tape.list(TapeReader::fraction)?,
            covariance: tape.list(TapeReader::fraction)?,
        })
    }
}

/// Gaussian posterior N(m, S) over the weights.
///
/// # References
/// D. J. Spiegelhalter and S. L. Lauritzen (1990), "Sequential updating of conditional probabilities on directed graphical
/// structures", Networks 20, section 5: Laplace approximation after each outcome. Here the one-dimensional mode is found
/// exactly instead of by one Newton step.
#[derive(Clone, Debug)]
pub struct Head {
    prior: HeadPrior,
    mean: DVector<f64>,
    covariance: Covariance,
    /// The mean as `f32`, padded with zeros to whole SIMD lanes.
    weights: Vec<f32>,
    updates: u64,
    learned_at: i64,
}

impl Head {
    /// A head at its prior, with rows padded to `stride`.
    #[must_use]
    pub fn new(prior: HeadPrior, stride: usize) -> Self {
        let width = prior.width();
        let variance = DVector::from_vec(prior.variance.clone());
        let covariance = if width <= MAX_FULL_COVARIANCE {
            Covariance::Full(DMatrix::from_diagonal(&variance))
        } else {
            Covariance::Diagonal(variance)
        };
        let mut head = Self {
            mean: DVector::from_vec(prior.mean.clone()),
            covariance,
            weights: vec![0.0; stride.max(width)],
            updates: 0,
            learned_at: 0,
            prior,
        };
        head.refresh();
        head
    }

    /// The posterior mean as 32-bit floats, zero-padded.
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The posterior mean.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// Number of outcomes learned.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// x' S x for one feature row.
    #[must_use]
    pub fn variance(&self, row: &[f32]) -> f64 {
        let x = self.input(row);
        sum_of_products(&self.times_covariance(&x), &x)
    }

    fn input(&self, row: &[f32]) -> Vec<f64> {
        row.iter().take(self.mean.len()).map(|v| f64::from(*v)).collect()
    }

    /// S x, each element summed in index order.
    fn times_covariance(&self, x: &[f64]) -> Vec<f64> {
        match &self.covariance {
            // Columns of a symmetric matrix are its rows.
            Covariance::Full(s) => s.as_slice().chunks_exact(x.len()).map(|column| sum_of_products(column, x)).collect(),
            Covariance::Diagonal(s) => s.iter().zip(x).map(|(s, x)| s * x).collect(),
        }
    }

    fn refresh(&mut self) {
        for (weight, mean) in self.weights.iter_mut().zip(self.mean.iter()) {
            *weight = *mean as f32;
        }
    }

    /// Learns that `row` earned `reward`.
    ///
    /// The mode of N(m, S) x Bernoulli(reward; sigmoid(w . x)) lies on the line m + t S x; its place t solves
    /// t = reward - sigmoid(m . x + t x' S x), found by Newton steps on the concave problem. The covariance becomes
    /// S - h (S x)(S x)' / (1 + h x' S x) with h = p (1 - p) at the mode.
    ///
    /// # Shapes and ranges
    /// - `row`: at least as many finite values as weights.
    /// - `reward`: within [0, 1]; fractions are allowed.
    pub fn learn(&mut self, row: &[f32], reward: f64) {
        let x = self.input(row);
        let sx = self.times_covariance(&x);
        let v = sum_of_products(&sx, &x);
        if !v.is_finite() || v <= 0.0 {
            return;
        }
        let a = sum_of_products(self.mean.as_slice(), &x);
        // t lies within [reward - 1, reward]; bisection guards the Newton steps.
        let (mut low, mut high) = (reward - 1.0, reward);
        let mut t = (reward - sigmoid(a)) / (1.0 + v * sigmoid(a) * (1.0 - sigmoid(a)));
        for _ in 0..NEWTON_STEPS {
            let p = sigmoid(a + t * v);
            let residual = t - (reward - p);
            if residual.abs() < 1e-15 {
                break;
            }
            if residual > 0.0 {
                high = t;
            } else {
                low = t;
            }
            t -= residual / (1.0 + v * p * (1.0 - p));
            if !(low..=high).contains(&t) {
                t = 0.5 * (low + high);
            }
        }
        let p = sigmoid(a + t * v);
        let h = p * (1.0 - p);
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
                for (s, x) in s.iter_mut().zip(&x) {
                    *s /= 1.0 + h * x * x * *s;
                }
            }
        }
        self.updates += 1;
        self.refresh();
    }

    /// Forgets towards the prior for the time since the last call.
    ///
    /// With g = 2^(-elapsed / half-life): precision and precision-weighted mean move to prior + g (present - prior).
    pub fn forget(&mut self, now_ms: i64) {
        let elapsed = (now_ms - self.learned_at) as f64;
        if self.updates == 0 || elapsed <= 0.0 {
            self.learned_at = self.learned_at.max(now_ms);
            return;
        }
        let g = decay(elapsed, self.prior.half_life_ms);
        // Less than a thousandth is not worth a matrix inversion; the time is kept and added up.
        if g > 0.999 {
            return;
        }
        self.learned_at = now_ms;
        let prior_mean = DVector::from_vec(self.prior.mean.clone());
        let prior_precision = DVector::from_iterator(self.mean.len(), self.prior.variance.iter().map(|v| 1.0 / v));
        match &mut self.covariance {
            Covariance::Full(s) => {
                let Some(inverse) = s.clone().cholesky().map(|c| c.inverse()) else { return };
                let mut precision = inverse;
                for value in precision.as_mut_slice() {
                    *value *= g;
                }
                let width = self.mean.len();
                let mut shift = DVector::from_iterator(
                    width,
                    precision.as_slice().chunks_exact(width).map(|column| sum_of_products(column, self.mean.as_slice())),
                );
                for i in 0..self.mean.len() {
                    precision[(i, i)] += (1.0 - g) * prior_precision[i];
                    shift[i] += (1.0 - g) * prior_precision[i] * prior_mean[i];
                }
                let Some(cholesky) = precision.cholesky() else { return };
                self.mean = cholesky.solve(&shift);
                *s = cholesky.inverse();
                s.fill_upper_triangle_with_lower_triangle();
            }
            Covariance::Diagonal(s) => {
                for i in 0..self.mean.len() {
                    let old = g / s[i];
                    let new = old + (1.0 - g) * prior_precision[i];
                    self.mean[i] = (old * self.mean[i] + (1.0 - g) * prior_precision[i] * prior_mean[i]) / new;
                    s[i] = 1.0 / new;
                }
            }
        }
        self.refresh();
    }

    /// Back to the prior, as if nothing had been learned.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.prior.clone(), self.weights.len());
    }

    pub(crate) fn state(&self) -> HeadState {
        let (covariance, full) = match &self.covariance {
            Covariance::Full(s) => ((0..s.nrows()).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|at| s[at]).collect(), true),
            Covariance::Diagonal(s) => (s.as_slice().to_vec(), false),
        };
        HeadState { mean: self.mean.as_slice().to_vec(), covariance, full, updates: self.updates, learned_at: self.learned_at }
    }

    /// A head with this prior and the learned numbers of `state`, or `None` when they do not fit together.
    pub(crate) fn with_state(&self, state: HeadState) -> Option<Self> {
        let width = self.mean.len();
        let cells = if state.full { width * (width + 1) / 2 } else { width };
        let fits = state.mean.len() == width
            && state.covariance.len() == cells
            && state.full == matches!(self.covariance, Covariance::Full(_))
            && state.mean.iter().chain(&state.covariance).all(|v| v.is_finite());
        if !fits {
            return None;
        }
        let mut head = self.clone();
        head.mean = DVector::from_vec(state.mean);
        head.covariance = if state.full {
            let mut next = state.covariance.into_iter();
            let mut s = DMatrix::zeros(width, width);
            for i in 0..width {
                for j in 0..=i {
                    let value = next.next()?;
                    s[(i, j)] = value;
                    s[(j, i)] = value;
                }
            }
            // A matrix that is no covariance would make every later step wrong.
            s.clone().cholesky()?;
            Covariance::Full(s)
        } else {
            if state.covariance.iter().any(|v| *v <= 0.0) {
                return None;
            }
            Covariance::Diagonal(DVector::from_vec(state.covariance))
        };
        head.updates = state.updates;
        head.learned_at = state.learned_at;
        head.refresh();
        Some(head)
    }
}

/// Sum of products in index order.
fn sum_of_products(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY_MS;
    use crate::math::{exp, ln};

    fn head(width: usize, half_life_ms: f64) -> Head {
        Head::new(HeadPrior::new(vec![0.0; width], &vec![1.0; width], half_life_ms).unwrap(), width.next_multiple_of(4))
    }

    #[test]
    fn refuses_bad_priors() {
        let code = |mean: Vec<f64>, sd: &[f64], half: f64| HeadPrior::new(mean, sd, half).unwrap_err().code();
        assert_eq!(code(vec![], &[], 1.0), "bad_prior");
        assert_eq!(code(vec![0.0], &[1.0, 1.0], 1.0), "bad_prior");
        assert_eq!(code(vec![f64::NAN], &[1.0], 1.0), "bad_prior");
        assert_eq!(code(vec![0.0], &[0.0], 1.0), "bad_prior");
        assert_eq!(code(vec![0.0], &[1.0], 0.0), "bad_prior");
    }

    #[test]
    fn one_weight_update_is_the_mode_found_by_search() {
        for (reward, x) in [(1.0, 1.0), (0.0, 2.0), (0.3, -1.5)] {
            let mut head = head(1, f64::INFINITY);
            head.learn(&[x as f32], reward);
            // The log posterior on a fine grid.
            let log_posterior = |w: f64| -0.5 * w * w + reward * w * x - ln(1.0 + exp(w * x));
            let best = (-40_000..=40_000)
                .map(|i| f64::from(i) * 1e-4)
                .max_by(|a, b| log_posterior(*a).total_cmp(&log_posterior(*b)))
                .unwrap();
            assert!((head.mean()[0] - best).abs() < 2e-4, "{} {best}", head.mean()[0]);
            let p = sigmoid(head.mean()[0] * x);
            let curvature = 1.0 + x * x * p * (1.0 - p);
            assert!((head.variance(&[1.0]) - 1.0 / curvature).abs() < 1e-9);
        }
    }

    #[test]
    fn learns_the_weights_of_a_simulated_listener() {
        use crate::random::{Purpose, Seed, unit};
        let truth = [-1.0, 2.0, 0.0, -1.5];
        let mut rng = Seed::from_number(3).stream(Purpose::Host, 0);
        let mut head = head(4, f64::INFINITY);
        for _ in 0..4_000 {
            let row = [1.0, unit(&mut rng) as f32, unit(&mut rng) as f32, unit(&mut rng) as f32];
            let a: f64 = row.iter().zip(truth).map(|(x, w)| f64::from(*x) * w).sum();
            head.learn(&row, if unit(&mut rng) < sigmoid(a) { 1.0 } else { 0.0 });
        }
        // Posterior standard deviations are near 0.15 here; five of them.
        for (mean, truth) in head.mean().iter().zip(truth) {
            assert!((mean - truth).abs() < 0.75, "{mean} {truth}");
        }
    }

    #[test]
    fn wide_heads_keep_a_diagonal_and_learn() {
        let width = MAX_FULL_COVARIANCE + 1;
        let mut head = head(width, f64::INFINITY);
        assert!(matches!(head.covariance, Covariance::Diagonal(_)));
        let mut row = vec![0.0; width];
        row[5] = 1.0;
        head.learn(&row, 1.0);
        assert!(head.mean()[5] > 0.3 && head.mean()[6] == 0.0);
        assert!(head.variance(&row) < 1.0);
    }

    #[test]
    fn forgetting_goes_back_to_the_prior() {
        for width in [3, MAX_FULL_COVARIANCE + 2] {
            let mut head = head(width, DAY_MS as f64);
            let mut row = vec![0.0; width];
            row[0] = 1.0;
            row[1] = 0.5;
            for _ in 0..20 {
                head.learn(&row, 1.0);
            }
            let (before, mean) = (head.variance(&row), head.mean()[0]);
            head.forget(DAY_MS);
            assert!(head.variance(&row) > before && head.mean()[0] < mean);
            head.forget(400 * DAY_MS);
            assert!((head.variance(&row) - 1.25).abs() < 1e-9);
            assert!(head.mean()[0].abs() < 1e-9);
        }
    }

    #[test]
    fn state_round_trips_to_the_bit_and_refuses_nonsense() {
        for width in [5, MAX_FULL_COVARIANCE + 3] {
            let mut head = head(width, f64::INFINITY);
            let row: Vec<f32> = (0..width).map(|i| (i as f32 * 0.7).fract() - 0.4).collect();
            head.learn(&row, 1.0);
            head.learn(&row, 0.0);
            let back = head.with_state(head.state()).unwrap();
            assert_eq!(back.mean, head.mean);
            assert_eq!(back.covariance, head.covariance);
            let mut bad = head.state();
            bad.covariance[0] = -1.0;
            assert!(head.with_state(bad).is_none());
            let mut bad = head.state();
            bad.mean.pop();
            assert!(head.with_state(bad).is_none());
        }
    }

    #[test]
    fn extreme_inputs_keep_everything_finite() {
        let mut head = head(2, f64::INFINITY);
        for i in 0..200 {
            head.learn(&[1e6, -1e6], f64::from(i % 2));
        }
        assert!(head.mean().iter().all(|v| v.is_finite()));
        assert!(head.variance(&[1.0, 1.0]).is_finite());
    }
}
