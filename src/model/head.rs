//! Bayesian logistic regression, updated one outcome at a time: a Gaussian posterior, or a mixture of them while it is not known to
//! which segment of listeners this one belongs.

use std::borrow::Cow;

use super::gaussian::{Gaussian, HeadInput, MAX_FULL_COVARIANCE, ln_evidence};
use super::meaning::Shipped;
use crate::error::{Error, shown};
use crate::math::{decay, dot, exp, ln, log_sum_exp};
use crate::store::{Tape, TapeReader};
use ears_kernels::quadratic_forms;
use nalgebra::DMatrix;

/// Most segments of a prior.
pub const MAX_SEGMENTS: usize = 16;

/// Once one segment has this weight, the mixture becomes one Gaussian.
pub const SEGMENT_CERTAIN: f64 = 0.99;

/// After this many outcomes the mixture becomes one Gaussian even if its segments are still in doubt, because every outcome costs as
/// many updates as there are segments. Measured on four segments of simulated listeners (those of this module's tests), in log-loss
/// for each of the outcomes 100 to 200, against keeping the mixture for ever: merged after 80 outcomes, a difference below 0.0001;
/// after 20, 0.001 worse; one prior without segments, 0.003 worse.
pub const SEGMENT_OUTCOMES: u64 = 100;

/// Where the head starts: a Gaussian over the weights, independent or with a full covariance; or a mixture of such starts, one for each
/// segment of listeners.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadPrior {
    /// One, or one for each segment; diagonal or full, all alike.
    starts: Vec<Gaussian>,
    /// Shares of the listeners, in the order of the starts; they sum to 1.
    shares: Vec<f64>,
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
        let covariance = sd.iter().map(|s| s * s).collect();
        Ok(Self { starts: vec![Gaussian { mean, covariance }], shares: vec![1.0], half_life_ms })
    }

    /// A prior with a covariance matrix, row by row.
    ///
    /// # Errors
    /// `bad_prior` as [`HeadPrior::new`], and for more than [`MAX_FULL_COVARIANCE`] weights or a matrix that is not symmetric and positive definite.
    pub fn with_covariance(mean: Vec<f64>, covariance: Vec<f64>, half_life_ms: f64) -> Result<Self, Error> {
        let width = mean.len();
        let at = |i: usize, j: usize| covariance.get(i * width + j).copied().unwrap_or(f64::NAN);
        let sds: Vec<f64> = (0..width).map(|i| at(i, i).sqrt()).collect();
        let mut prior = Self::new(mean, &sds, half_life_ms)?;
        let sound = width <= MAX_FULL_COVARIANCE
            && covariance.len() == width * width
            && (0..width).all(|i| (0..i).all(|j| at(i, j) == at(j, i)))
            && DMatrix::from_column_slice(width, width, &covariance).cholesky().is_some();
        if !sound {
            return Err(Error::settings(
                "bad_prior",
                format!(
                    "expected a symmetric positive definite covariance of {width} x {width} weights, at most {MAX_FULL_COVARIANCE}"
                ),
            ));
        }
        prior.starts[0].covariance = covariance;
        Ok(prior)
    }

    /// A mixture of segments of listeners, each with its weight and its prior; the half-life is the first one's. A weight counts in
    /// proportion to the others.
    ///
    /// # Errors
    /// `bad_prior` for none or more than [`MAX_SEGMENTS`], priors of different widths, or a weight outside [1e-6, 1e6].
    pub fn mixture(segments: Vec<(f64, Self)>) -> Result<Self, Error> {
        let sum: f64 = segments.iter().map(|(weight, _)| weight).sum();
        let mut mixture = Self { starts: Vec::new(), shares: Vec::new(), half_life_ms: f64::NAN };
        for (weight, prior) in segments {
            if mixture.starts.is_empty() {
                mixture.half_life_ms = prior.half_life_ms;
            }
            // Anything not as it should be shows in the checks below.
            mixture.shares.push(if (1e-6..=1e6).contains(&weight) && prior.starts.len() == 1 { weight / sum } else { f64::NAN });
            mixture.starts.extend(prior.starts);
        }
        if mixture.starts.iter().any(Gaussian::is_full) {
            mixture.starts = mixture.starts.iter().map(|start| Gaussian::started_at(start, false)).collect();
        }
        let (count, width) = (mixture.starts.len(), mixture.width());
        let fits =
            mixture.starts.iter().all(|start| start.mean.len() == width) && mixture.shares.iter().all(|share| *share > 0.0);
        if !(1..=MAX_SEGMENTS).contains(&count) || !fits {
            return Err(Error::settings(
                "bad_prior",
                format!("expected 1 to {MAX_SEGMENTS} segments of one width with weights within 1e-6 and 1e6, got {count}"),
            ));
        }
        Ok(mixture)
    }

    pub(super) fn is_full(&self) -> bool {
        self.starts.iter().any(|start| start.is_full() && start.mean.len() > 1)
    }

    /// Number of weights in all segments together.
    pub(super) fn cells(&self) -> usize {
        self.width() * self.starts.len()
    }

    /// Number of weights, the bias included.
    #[must_use]
    pub fn width(&self) -> usize {
        self.starts.first().map_or(0, |start| start.mean.len())
    }

    /// ln of the shares; empty when there is one start only.
    fn ln_shares(&self) -> Vec<f64> {
        if self.starts.len() > 1 { self.shares.iter().map(|share| ln(*share)).collect() } else { Vec::new() }
    }

    /// The start with mean and variances of the mixture under these weights.
    fn blended(&self, ln_weights: &[f64]) -> Gaussian {
        Gaussian::blend(&self.starts, &exps(ln_weights))
    }
}

fn exps(logs: &[f64]) -> Vec<f64> {
    logs.iter().map(|log| exp(*log)).collect()
}

/// The learned part of a head as plain numbers, for snapshots.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HeadState {
    /// Number of weights.
    pub(crate) width: usize,
    pub(crate) shipped: Shipped,
    /// Of each Gaussian, one after the other.
    mean: Vec<f64>,
    /// Lower triangle row by row, or the diagonal; of each Gaussian.
    covariance: Vec<f64>,
    full: bool,
    /// ln of the weight of each segment; empty without segments.
    ln_weights: Vec<f64>,
    updates: u64,
    learned_at: i64,
    /// Which weights the means and variances are of, when not of all.
    pub(super) at: Vec<u32>,
}

/// Set in the form of a state that does not hold all weights.
const SPARSE: u64 = 1 << 8;
/// Set in the form of a state that was learned with a model from a bundle.
const SHIPPED: u64 = 1 << 9;

impl HeadState {
    pub(crate) fn save(&self, tape: &mut Tape) {
        tape.whole(self.updates);
        tape.signed(self.learned_at);
        let sparse = if self.at.is_empty() { 0 } else { SPARSE };
        let shipped = if self.shipped.model == 0 { 0 } else { SHIPPED };
        tape.whole(u64::from(self.full) | (self.ln_weights.len() as u64) << 1 | sparse | shipped);
        if shipped > 0 {
            tape.whole(self.shipped.model);
            tape.whole(self.shipped.row);
            tape.count(self.width);
            tape.count(self.shipped.meanings.len());
            for meaning in &self.shipped.meanings {
                tape.whole(*meaning);
            }
        }
        if sparse > 0 {
            tape.count(self.at.len());
            let mut last = 0;
            for at in &self.at {
                tape.whole(u64::from(at - last));
                last = *at;
            }
        }
        for values in [&self.mean, &self.covariance] {
            tape.count(values.len());
            for value in values {
                tape.fraction(*value);
            }
        }
        for value in &self.ln_weights {
            tape.fraction(*value);
        }
    }

    /// - `width`: number of weights where the state does not say.
    pub(crate) fn load(tape: &mut TapeReader, width: usize) -> Self {
        let mut state = Self { width, updates: tape.whole(), learned_at: tape.signed(), ..Self::default() };
        let form = tape.whole();
        if form & SHIPPED != 0 {
            state.shipped.model = tape.whole();
            state.shipped.row = tape.whole();
            state.width = tape.number() as usize;
            state.shipped.meanings = tape.list(TapeReader::whole);
        }
        if form & SPARSE != 0 {
            let mut last = 0u32;
            state.at = tape.list(|tape| {
                last = last.saturating_add(tape.number());
                last
            });
        }
        state.full = form & 1 == 1;
        state.mean = tape.list(TapeReader::fraction);
        state.covariance = tape.list(TapeReader::fraction);
        let segments = (form & !(SHIPPED | SPARSE)) >> 1;
        if segments > MAX_SEGMENTS as u64 {
            tape.fail();
            return state;
        }
        for _ in 0..segments {
            state.ln_weights.push(tape.fraction());
        }
        state
    }

    /// The Gaussians over the weights that the state holds, or `None` when the numbers are none.
    fn gaussians(&self) -> Option<Vec<Gaussian>> {
        let width = if self.at.is_empty() { self.width } else { self.at.len() };
        let cells = if self.full { width.checked_mul(width + 1)? / 2 } else { width };
        let count = self.mean.len().checked_div(width)?;
        let fits = self.mean.len() == count * width
            && self.covariance.len() == count.checked_mul(cells)?
            && (count == 1 || (count > 1 && count == self.ln_weights.len()))
            && self.at.is_sorted_by(|a, b| a < b)
            && self.mean.iter().chain(&self.covariance).chain(&self.ln_weights).all(|v| v.is_finite());
        if !fits {
            return None;
        }
        let mut gaussians = Vec::with_capacity(count);
        for (mean, cells) in self.mean.chunks_exact(width).zip(self.covariance.chunks_exact(cells)) {
            let mut covariance = cells.to_vec();
            if self.full {
                let mut next = 0;
                covariance = vec![0.0; width * width];
                for i in 0..width {
                    for j in 0..=i {
                        covariance[i * width + j] = cells[next];
                        covariance[j * width + i] = cells[next];
                        next += 1;
                    }
                }
                // A matrix that is no covariance would make every later step wrong.
                DMatrix::from_column_slice(width, width, &covariance).cholesky()?;
            } else if cells.iter().any(|v| *v <= 0.0) {
                return None;
            }
            gaussians.push(Gaussian { mean: mean.to_vec(), covariance });
        }
        Some(gaussians)
    }
}

/// Posterior over the weights: N(m, S), or a mixture of such Gaussians, one for each segment of listeners.
///
/// Every outcome updates every Gaussian and multiplies its weight by the chance it gave the outcome. The mixture becomes one Gaussian
/// with its mean and covariance once a weight exceeds [`SEGMENT_CERTAIN`] or after [`SEGMENT_OUTCOMES`] outcomes.
///
/// # References
/// D. J. Spiegelhalter and S. L. Lauritzen (1990), "Sequential updating of conditional probabilities on directed graphical
/// structures", Networks 20, section 5: Laplace approximation after each outcome. Here the one-dimensional mode is found
/// exactly instead of by one Newton step. Mixtures of conjugate priors: S. R. Dalal and W. J. Hall (1983), "Approximating priors by
/// mixtures of natural conjugate priors", Journal of the Royal Statistical Society B 45(2), 278-286.
#[derive(Clone, Debug)]
pub struct Head {
    prior: HeadPrior,
    /// One for each start of the prior, or a single one.
    gaussians: Vec<Gaussian>,
    /// What each Gaussian forgets to.
    towards: Vec<Gaussian>,
    /// ln of the weight of each segment, as they stood when the mixture became one Gaussian; empty without segments.
    ln_weights: Vec<f64>,
    /// Mean of the mixture.
    mean: Vec<f64>,
    /// The mean as `f32`, padded with zeros to whole SIMD lanes; empty beside a body, whose inputs are weighed in `f64`.
    weights: Vec<f32>,
    updates: u64,
    learned_at: i64,
    /// For sparse inputs: the weights that differ from the prior, rising. Empty otherwise.
    met: Vec<u32>,
    sparse: bool,
}

impl Head {
    /// A head at its prior, with rows padded to `stride`; 0 beside a body.
    #[must_use]
    pub fn new(prior: HeadPrior, stride: usize) -> Self {
        Self::of(prior, stride, false)
    }

    /// - `sparse`: most inputs of a row are 0, the first two never; the covariance stays diagonal.
    pub(super) fn of(prior: HeadPrior, stride: usize, sparse: bool) -> Self {
        let mut head = Self {
            gaussians: prior.starts.iter().map(|start| Gaussian::started_at(start, sparse)).collect(),
            towards: prior.starts.clone(),
            ln_weights: prior.ln_shares(),
            mean: vec![0.0; prior.width()],
            weights: vec![0.0; if stride > 0 { stride.max(prior.width()) } else { 0 }],
            updates: 0,
            learned_at: 0,
            met: if sparse { vec![0, 1] } else { Vec::new() },
            sparse,
            prior,
        };
        head.refresh(&[]);
        head
    }

    /// The posterior mean as 32-bit floats, zero-padded.
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    pub(super) fn width(&self) -> usize {
        self.mean.len()
    }

    /// The posterior mean.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Score of one feature row under the mean, in log-odds.
    ///
    /// # Determinism
    /// 32-bit dot product in the order of [`crate::math::dot`].
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f64 {
        f64::from(dot(&self.weights, row))
    }

    /// Score of the inputs that a body gave, in log-odds: their sum in `f64`, in order.
    pub(super) fn score_of(&self, input: &HeadInput) -> f64 {
        input.dot(&self.mean)
    }

    /// Number of outcomes learned.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The weight of each Gaussian, in the order of the prior's segments; they sum to 1. A single 1 when there is one.
    #[must_use]
    pub fn segment_weights(&self) -> Vec<f64> {
        if self.gaussians.len() > 1 { exps(&self.ln_weights) } else { vec![1.0] }
    }

    /// [`Head::variance`] of rows that lie one after another, under one Gaussian with a full covariance; else nothing.
    pub(super) fn variances(&self, rows: &[f32], stride: usize) -> Vec<f64> {
        let mut variances = Vec::new();
        if let [only] = self.gaussians.as_slice()
            && only.is_full()
            && stride > 0
        {
            variances.resize(rows.len() / stride, 0.0);
            quadratic_forms(&only.covariance, self.mean.len(), rows, stride, &mut variances);
        }
        variances
    }

    /// Variance of the score of one feature row: x' S x, or that of the mixture, sum of w_k (x' S_k x + (m_k . x - m . x)^2).
    #[must_use]
    pub fn variance(&self, row: &[f32]) -> f64 {
        self.variances(row, row.len()).pop().unwrap_or_else(|| self.variance_of(&self.input(row)))
    }

    /// The same for the inputs that a body gave.
    pub(super) fn variance_of(&self, input: &HeadInput) -> f64 {
        if let [only] = self.gaussians.as_slice() {
            return only.score(input).1;
        }
        let middle = input.dot(&self.mean);
        let part = |(gaussian, weight): (&Gaussian, f64)| {
            let (a, v) = gaussian.score(input);
            weight * (v + (a - middle) * (a - middle))
        };
        self.gaussians.iter().zip(self.segment_weights()).map(part).sum()
    }

    /// Standard deviation of the score of one feature row.
    #[must_use]
    pub fn score_sd(&self, row: &[f32]) -> f64 {
        self.variance(row).max(0.0).sqrt()
    }

    /// The row as wide as the head: what is not there is 0.
    fn input(&self, row: &[f32]) -> HeadInput {
        let values = row.iter().map(|v| f64::from(*v)).chain(std::iter::repeat(0.0));
        HeadInput { x: values.take(self.mean.len()).collect(), at: Vec::new() }
    }

    /// Makes the mean anew from the Gaussians: of the weights that `only` names, or of all.
    fn refresh(&mut self, only: &[u32]) {
        let shares = self.segment_weights();
        let mean_of = |i: usize| match self.gaussians.as_slice() {
            [one] => one.mean[i],
            several => several.iter().zip(&shares).map(|(gaussian, share)| share * gaussian.mean[i]).sum(),
        };
        if only.is_empty() {
            for (i, mean) in self.mean.iter_mut().enumerate() {
                *mean = mean_of(i);
            }
        } else {
            for i in only {
                self.mean[*i as usize] = mean_of(*i as usize);
            }
        }
        for (weight, mean) in self.weights.iter_mut().zip(&self.mean) {
            *weight = *mean as f32;
        }
    }

    /// Learns that `row` earned `reward`: [`Head::learn_weighted`] with weight 1.
    pub fn learn(&mut self, row: &[f32], reward: f64) {
        self.learn_weighted(row, reward, 1.0);
    }

    /// Learns that `row` earned `reward`, an outcome that counts `weight` times.
    ///
    /// The mode of N(m, S) x Bernoulli(reward; sigmoid(w . x))^weight lies on the line m + t S x; its place t solves
    /// t = weight (reward - sigmoid(m . x + t x' S x)), found by Newton steps on the concave problem. The covariance becomes
    /// S - h (S x)(S x)' / (1 + h x' S x) with h = weight p (1 - p) at the mode.
    ///
    /// # Shapes and ranges
    /// - `row`: at least as many finite values as weights.
    /// - `reward`: within [0, 1]; fractions are allowed.
    /// - `weight`: within (0, 1]; at 0 and below nothing is learned.
    pub fn learn_weighted(&mut self, row: &[f32], reward: f64, weight: f64) {
        self.learn_input(&self.input(row), reward, weight);
    }

    /// The same for the inputs that a body gave.
    pub(super) fn learn_input(&mut self, x: &HeadInput, reward: f64, weight: f64) {
        if weight <= 0.0 {
            return;
        }
        let mut learned = false;
        for (k, gaussian) in self.gaussians.iter_mut().enumerate() {
            let Some((a, v)) = gaussian.learn(x, reward, weight) else { continue };
            learned = true;
            if self.towards.len() > 1 {
                self.ln_weights[k] += ln_evidence(a, v, reward, weight);
            }
        }
        if learned {
            self.updates += 1;
            for at in &x.at {
                if let Err(place) = self.met.binary_search(at) {
                    self.met.insert(place, *at);
                }
            }
            self.settle_segments();
            // The weights of segments have changed for all.
            self.refresh(if self.prior.starts.len() > 1 { &[] } else { &x.at });
        }
    }

    /// Makes the weights sum to 1, and one Gaussian of the mixture when it is time.
    fn settle_segments(&mut self) {
        if self.gaussians.len() < 2 {
            return;
        }
        let sum = log_sum_exp(&self.ln_weights);
        for weight in &mut self.ln_weights {
            *weight -= sum;
        }
        let certain = self.ln_weights.iter().any(|weight| *weight > ln(SEGMENT_CERTAIN));
        if certain || self.updates >= SEGMENT_OUTCOMES {
            self.gaussians = vec![Gaussian::blend(&self.gaussians, &self.segment_weights())];
            self.towards = vec![self.prior.blended(&self.ln_weights)];
        }
    }

    /// Forgets towards the prior for the time since the last call.
    ///
    /// With g = 2^(-elapsed / half-life): precision and precision-weighted mean move to prior + g (present - prior); so does the ln of
    /// the weight of each segment.
    pub fn forget(&mut self, now_ms: i64) {
        let Some(g) = self.fades(now_ms) else {
            if self.updates == 0 {
                self.learned_at = self.learned_at.max(now_ms);
            }
            return;
        };
        self.learned_at = now_ms;
        for (gaussian, start) in self.gaussians.iter_mut().zip(&self.towards) {
            gaussian.forget(g, start, &self.met);
        }
        if self.gaussians.len() > 1 {
            for (weight, share) in self.ln_weights.iter_mut().zip(&self.prior.shares) {
                *weight = g * *weight + (1.0 - g) * ln(*share);
            }
            self.settle_segments();
        }
        let met = if self.prior.starts.len() > 1 { Vec::new() } else { self.met.clone() };
        self.refresh(&met);
    }

    /// What is left of what was learned at `now_ms`; `None` when nothing was learned, or less than a thousandth is lost, which is not
    /// worth a matrix inversion: the time is kept and added up.
    fn fades(&self, now_ms: i64) -> Option<f64> {
        let g = decay((now_ms - self.learned_at) as f64, self.prior.half_life_ms);
        (self.updates > 0 && g <= 0.999).then_some(g)
    }

    /// The head to rank with: forgotten to `now_ms`, with what is pending learned as what it is expected to become. This head, which
    /// only final outcomes change, stays as it is; nothing is copied when there is nothing to do.
    ///
    /// - `pending`: inputs with expected reward and weight, as for [`Head::learn_weighted`].
    pub(super) fn working(&self, now_ms: i64, pending: &[(HeadInput, f64, f64)]) -> Cow<'_, Self> {
        let mut head = Cow::Borrowed(self);
        if self.fades(now_ms).is_some() {
            head.to_mut().forget(now_ms);
        }
        for (input, reward, weight) in pending {
            head.to_mut().learn_input(input, *reward, *weight);
        }
        head
    }

    /// How a change of the prior's means would show in the posterior's: S S0^-1 change, with the covariances S now and S0 at the start.
    ///
    /// Exact for the step that learning takes at each outcome: it multiplies precisions and adds evidence that the means of the start do
    /// not enter, but for where the likelihood is expanded. With segments, or where learning keeps a diagonal beside a full prior, the
    /// change itself.
    pub(crate) fn carried(&self, change: &[f64]) -> Vec<f64> {
        match (self.gaussians.as_slice(), self.towards.as_slice()) {
            ([now], [start]) => now.carried(start, change),
            _ => change.to_vec(),
        }
    }

    /// The head with something added to its means, for ranking only.
    pub(crate) fn shifted(&self, shift: &[f64]) -> Self {
        let mut head = self.clone();
        for gaussian in &mut head.gaussians {
            gaussian.mean.iter_mut().zip(shift).for_each(|(mean, by)| *mean += by);
        }
        head.refresh(&[]);
        head
    }

    /// Back to the prior, as if nothing had been learned.
    pub(crate) fn restart(&mut self) {
        *self = Self::of(self.prior.clone(), self.weights.len(), self.sparse);
    }

    pub(crate) fn state(&self) -> HeadState {
        let width = self.mean.len();
        let full = self.gaussians.iter().all(Gaussian::is_full);
        let mut state = HeadState {
            full,
            ln_weights: self.ln_weights.clone(),
            updates: self.updates,
            learned_at: self.learned_at,
            at: self.met.clone(),
            width,
            ..HeadState::default()
        };
        for gaussian in &self.gaussians {
            if self.sparse {
                for at in &self.met {
                    state.mean.push(gaussian.mean[*at as usize]);
                    state.covariance.push(gaussian.covariance[*at as usize]);
                }
                continue;
            }
            state.mean.extend_from_slice(&gaussian.mean);
            for i in 0..width {
                let row = if full { &gaussian.covariance[i * width..=i * (width + 1)] } else { &gaussian.covariance[i..=i] };
                state.covariance.extend_from_slice(row);
            }
        }
        state
    }

    /// A head with this prior and the learned numbers of `state`, or `None` when they do not fit together.
    ///
    /// - `from`: for each weight the one of the state that it goes on from, if any; the others start from the prior. `None` when the
    ///   weights are the same.
    ///
    /// A state of other segments than this prior's becomes one Gaussian.
    pub(crate) fn with_state(&self, state: &HeadState, from: Option<&[Option<usize>]>) -> Option<Self> {
        let width = self.mean.len();
        let mut gaussians = state.gaussians()?;
        if from.is_none() && (state.width != width || state.at.is_empty() == self.sparse) {
            return None;
        }
        let mut head = self.clone();
        head.updates = state.updates;
        head.learned_at = state.learned_at;
        head.ln_weights = head.prior.ln_shares();
        if state.ln_weights.len() == head.ln_weights.len() && from.is_none() {
            head.ln_weights.clone_from(&state.ln_weights);
        } else if gaussians.len() > 1 {
            gaussians = vec![Gaussian::blend(&gaussians, &exps(&state.ln_weights))];
        }
        if gaussians.len() == 1 && head.prior.starts.len() > 1 {
            head.towards = vec![head.prior.blended(&head.ln_weights)];
        }
        let started = |start: &Gaussian| Gaussian::started_at(start, self.sparse);
        if let Some(from) = from {
            gaussians = vec![started(head.towards.first()?).carrying(gaussians.first()?, from)];
        } else if self.sparse {
            // What the state does not name is at the start.
            for (gaussian, start) in gaussians.iter_mut().zip(&head.towards) {
                let met = std::mem::replace(gaussian, started(start));
                for ((at, mean), variance) in state.at.iter().zip(met.mean).zip(met.covariance) {
                    *gaussian.mean.get_mut(*at as usize)? = mean;
                    *gaussian.covariance.get_mut(*at as usize)? = variance;
                }
            }
            head.met.clone_from(&state.at);
        } else if state.full != self.gaussians.iter().all(Gaussian::is_full) {
            return None;
        }
        head.gaussians = gaussians;
        head.refresh(&[]);
        Some(head)
    }
}

#[cfg(test)]
mod tests;
