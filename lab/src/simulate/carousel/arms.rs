//! One logistic regression for each playlist, under a prior that is learned from all of them.
//!
//! ```text
//! P(user u streams playlist a when seen) = sigmoid(w_a . z_u)      z_u = (leading principal components of the features, 1)
//! w_a ~ N(mean, s_a Sigma)                                          s_a: how strongly tastes differ about playlist a
//! ```
//!
//! Most playlists please everybody a little; a few please some users very much and others not at all. One Sigma for all would be
//! too wide for the first and too narrow for the second, hence the scale s_a: the weights follow a multivariate t distribution.
//! Mean, Sigma and scales are fitted to what was observed (empirical Bayes), so evidence is shared twice: over users with similar
//! features, and over playlists through the prior.
//!
//! # References
//! - G. C. G. Wei, M. A. Tanner (1990) and A. P. Dempster, N. M. Laird, D. B. Rubin (1977), "Maximum likelihood from incomplete data
//!   via the EM algorithm", JRSS B 39: the steps for mean and Sigma, with Laplace's approximation of each posterior.
//! - D. J. C. MacKay (1992), "Bayesian interpolation", Neural Computation 4, eq. 4.10: the scale from the number of weights that the
//!   data determine; it converges where EM creeps.

use ears_only::math::{dot, sigmoid};
use nalgebra::{DMatrix, DVector};

use super::product::Weights;
use super::world::Public;

/// Principal components in use.
const RANK: usize = 48;
/// Log-odds at the start that a playlist is streamed when seen: one in two hundred.
const START: f64 = -5.3;
/// Variance of the bias at the start.
const BIAS_VARIANCE: f64 = 1.0;
/// Variance over users of a playlist's log-odds at the start.
const TASTE_VARIANCE: f64 = 0.5;
/// Degrees of freedom of the scales: how strongly each is held near 1.
const FREEDOM: f64 = 1.0;
/// Range of the scales.
const SCALES: (f64, f64) = (0.02, 400.0);
/// Newton steps in one fit.
const STEPS: usize = 5;
/// A fit is good when half of this is left to gain in log posterior.
const GAIN_LEFT: f64 = 0.1;
/// A step that gains at most this keeps the covariance for the next one.
const OLD_COVARIANCE: f64 = 1.0;
/// Largest change of a segment's log-odds in one step.
const LONGEST: f64 = 2.0;
/// Above this chance an observation enters the curvature by itself, below through the moments of its segment.
const OWN_CURVATURE: f64 = 0.02;
/// Growth of what was shown of a playlist after which its covariance is computed anew.
const GROWN: f64 = 1.1;

/// What one user did with one playlist.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Evidence {
    user: u32,
    seen: f32,
    streamed: f32,
}

/// What is known of one playlist.
#[derive(Clone, Debug)]
struct Arm {
    /// By user.
    evidence: Vec<Evidence>,
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
    scale: f64,
    seen: f64,
    /// The same when the covariance was computed.
    seen_then: f64,
}

/// All playlists.
#[derive(Clone, Debug)]
pub(super) struct Arms<'a> {
    public: Public<'a>,
    width: usize,
    /// z of each user, row by row.
    rows: Vec<f32>,
    /// Mean of z z' over each segment.
    moments: Vec<DMatrix<f64>>,
    arms: Vec<Arm>,
    mean: DVector<f64>,
    /// Inverse of Sigma.
    precision: DMatrix<f64>,
    /// Mean over each segment of the variance of the log-odds, playlist by playlist.
    variance: Vec<f64>,
}

impl<'a> Arms<'a> {
    /// Nothing observed.
    pub(super) fn new(public: Public<'a>) -> Self {
        let (rows, width) = components(public);
        let mut moments = vec![DMatrix::zeros(width, width); public.segments];
        let mut sizes = vec![0.0f64; public.segments];
        let mut spread = 0.0;
        for (row, segment) in rows.chunks_exact(width).zip(public.segment_of) {
            let z = column(row);
            spread += (z.dot(&z) - 1.0) / public.segment_of.len() as f64;
            moments[usize::from(*segment)].ger(1.0, &z, &z, 1.0);
            sizes[usize::from(*segment)] += 1.0;
        }
        for (moment, size) in moments.iter_mut().zip(&sizes) {
            *moment /= size.max(1.0);
        }
        let mut mean = DVector::zeros(width);
        mean[width - 1] = START;
        let mut sigma = DMatrix::from_diagonal_element(width, width, TASTE_VARIANCE / spread.max(1e-9));
        sigma[(width - 1, width - 1)] = BIAS_VARIANCE;
        let precision = DMatrix::from_diagonal(&sigma.diagonal().map(|variance| 1.0 / variance));
        let variance = moments.iter().flat_map(|m| std::iter::repeat_n(m.dot(&sigma), public.playlists)).collect();
        let arm = Arm { evidence: Vec::new(), mean: mean.clone(), covariance: sigma, scale: 1.0, seen: 0.0, seen_then: 0.0 };
        Self { public, width, rows, moments, arms: vec![arm; public.playlists], mean, precision, variance }
    }

    /// Means of the weights, for the scores of one user after the other.
    pub(super) fn weights(&self) -> Weights {
        Weights::new(self.arms.len(), self.width, |playlist, column| self.arms[playlist].mean[column] as f32)
    }

    /// z of a user.
    pub(super) fn row(&self, user: u32) -> &[f32] {
        &self.rows[user as usize * self.width..][..self.width]
    }

    /// Variance of the log-odds of each playlist, mean over the segment of `user`.
    pub(super) fn variances(&self, user: u32) -> &[f64] {
        &self.variance[self.public.segment(user) * self.arms.len()..][..self.arms.len()]
    }

    /// Adds what was observed of each playlist: (user, streamed) for every card seen.
    pub(super) fn observe(&mut self, observed: Vec<Vec<(u32, bool)>>) {
        for (arm, mut new) in self.arms.iter_mut().zip(observed) {
            arm.seen += new.len() as f64;
            new.sort_unstable();
            arm.evidence = merged(&arm.evidence, &new);
        }
    }

    /// Fits every playlist to its evidence; with `prior` also the prior, and every covariance anew.
    pub(super) fn fit(&mut self, prior: bool) {
        for playlist in 0..self.arms.len() {
            let anew = prior || self.arms[playlist].seen > GROWN * self.arms[playlist].seen_then;
            self.fit_arm(playlist, anew);
        }
        if prior {
            self.fit_prior();
        }
    }

    fn fit_arm(&mut self, playlist: usize, mut anew: bool) {
        for _ in 0..STEPS {
            let (gradient, precision) = self.slope(&self.arms[playlist], anew);
            if let Some(cholesky) = precision.and_then(DMatrix::cholesky) {
                let covariance = cholesky.inverse();
                for (segment, moment) in self.moments.iter().enumerate() {
                    self.variance[segment * self.arms.len() + playlist] = moment.dot(&covariance).max(0.0);
                }
                self.arms[playlist].covariance = covariance;
                self.arms[playlist].seen_then = self.arms[playlist].seen;
            }
            let arm = &mut self.arms[playlist];
            let step = &arm.covariance * &gradient;
            let gain = gradient.dot(&step);
            // The last column of a moment is the segment's mean z.
            let change = self.moments.iter().map(|m| m.column(self.width - 1).dot(&step).abs()).fold(0.0, f64::max);
            arm.mean += step * (LONGEST / change).min(1.0);
            if gain < GAIN_LEFT {
                break;
            }
            anew = gain > OLD_COVARIANCE;
        }
    }

    /// Gradient of the log posterior, and its curvature when asked for.
    fn slope(&self, arm: &Arm, curved: bool) -> (DVector<f64>, Option<DMatrix<f64>>) {
        let width = self.width;
        let weights: Vec<f32> = arm.mean.iter().map(|weight| *weight as f32).collect();
        let mut pull = vec![0.0f32; width];
        let mut own = vec![0.0f32; if curved { width * width } else { 0 }];
        let mut of_segment = vec![0.0; self.moments.len()];
        for evidence in &arm.evidence {
            let row = self.row(evidence.user);
            let chance = sigmoid(f64::from(dot(&weights, row)));
            let error = evidence.streamed - evidence.seen * chance as f32;
            for (pull, z) in pull.iter_mut().zip(row) {
                *pull += error * z;
            }
            let curvature = f64::from(evidence.seen) * chance * (1.0 - chance);
            if curved && chance > OWN_CURVATURE {
                for (i, z) in row.iter().enumerate() {
                    let z = curvature as f32 * z;
                    for (cell, other) in own[i * width..=i * width + i].iter_mut().zip(row) {
                        *cell += z * other;
                    }
                }
            } else {
                of_segment[self.public.segment(evidence.user)] += curvature;
            }
        }
        let mut gradient = &self.precision * (&self.mean - &arm.mean) / arm.scale;
        for (slope, pull) in gradient.iter_mut().zip(&pull) {
            *slope += f64::from(*pull);
        }
        if !curved {
            return (gradient, None);
        }
        let mut precision = &self.precision / arm.scale;
        for (moment, curvature) in self.moments.iter().zip(&of_segment).filter(|(_, curvature)| **curvature > 0.0) {
            for (cell, moment) in precision.as_mut_slice().iter_mut().zip(moment.as_slice()) {
                *cell += curvature * moment;
            }
        }
        for i in 0..width {
            for j in 0..=i {
                precision[(i, j)] += f64::from(own[i * width + j]);
                precision[(j, i)] = precision[(i, j)];
            }
        }
        (gradient, Some(precision))
    }

    fn fit_prior(&mut self) {
        let width = self.width as f64;
        for arm in &mut self.arms {
            let away = &arm.mean - &self.mean;
            let distance = away.dot(&(&self.precision * &away));
            let determined = (width - self.precision.dot(&arm.covariance) / arm.scale).max(0.0);
            arm.scale = ((FREEDOM + distance) / (FREEDOM + determined)).clamp(SCALES.0, SCALES.1);
        }
        let total: f64 = self.arms.iter().map(|arm| 1.0 / arm.scale).sum();
        let zero = DVector::zeros(self.width);
        self.mean = self.arms.iter().fold(zero, |sum, arm| sum + &arm.mean / arm.scale) / total;
        // A trace of variance everywhere keeps Sigma invertible.
        let mut sigma = DMatrix::from_diagonal_element(self.width, self.width, 1e-7);
        for arm in &self.arms {
            let share = 1.0 / (arm.scale * self.arms.len() as f64);
            let away = &arm.mean - &self.mean;
            sigma += &arm.covariance * share;
            sigma.ger(share, &away, &away, 1.0);
        }
        if let Some(cholesky) = sigma.cholesky() {
            self.precision = cholesky.inverse();
        }
    }
}

fn column(row: &[f32]) -> DVector<f64> {
    DVector::from_iterator(row.len(), row.iter().map(|x| f64::from(*x)))
}

/// Leading principal components of the features and a 1, row by row; and the length of a row.
fn components(public: Public<'_>) -> (Vec<f32>, usize) {
    let dimensions = public.dimensions;
    let users = public.segment_of.len() as f64;
    let mut centre = DVector::zeros(dimensions);
    for row in public.features.chunks_exact(dimensions) {
        centre += column(row) / users;
    }
    let mut covariance = DMatrix::zeros(dimensions, dimensions);
    for row in public.features.chunks_exact(dimensions) {
        let x = column(row) - &centre;
        covariance.ger(1.0 / users, &x, &x, 1.0);
    }
    let eigen = covariance.symmetric_eigen();
    let mut order: Vec<usize> = (0..dimensions).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let rank = RANK.min(dimensions);
    let basis = DMatrix::from_fn(dimensions, rank, |i, j| eigen.eigenvectors[(i, order[j])]);
    let mut rows = Vec::with_capacity(public.segment_of.len() * (rank + 1));
    for row in public.features.chunks_exact(dimensions) {
        rows.extend(basis.tr_mul(&(column(row) - &centre)).iter().map(|z| *z as f32));
        rows.push(1.0);
    }
    (rows, rank + 1)
}

/// Evidence with sorted observations added, by user.
fn merged(known: &[Evidence], new: &[(u32, bool)]) -> Vec<Evidence> {
    let mut all: Vec<Evidence> = Vec::with_capacity(known.len() + new.len());
    let mut known = known.iter().peekable();
    for &(user, streamed) in new {
        while let Some(before) = known.next_if(|evidence| evidence.user <= user) {
            all.push(*before);
        }
        let streamed = f32::from(u8::from(streamed));
        match all.last_mut().filter(|last| last.user == user) {
            Some(last) => {
                last.seen += 1.0;
                last.streamed += streamed;
            }
            None => all.push(Evidence { user, seen: 1.0, streamed }),
        }
    }
    all.extend(known);
    all
}

#[cfg(test)]
mod tests {
    use super::super::world::tests::small;
    use super::*;
    use ears_only::random::{Purpose, Seed, unit};

    #[test]
    fn evidence_is_merged_by_user() {
        let evidence = |user, seen, streamed| Evidence { user, seen, streamed };
        let first = merged(&[], &[(2, false), (2, true), (7, false)]);
        assert_eq!(first, [evidence(2, 2.0, 1.0), evidence(7, 1.0, 0.0)]);
        let both = merged(&first, &[(1, true), (7, true), (9, false)]);
        assert_eq!(both, [evidence(1, 1.0, 1.0), evidence(2, 2.0, 1.0), evidence(7, 2.0, 1.0), evidence(9, 1.0, 0.0)]);
    }

    /// Every user sees every playlist `times` times; streams by the truth.
    fn observed(world: &super::super::world::World, times: usize) -> Vec<Vec<(u32, bool)>> {
        let mut rng = Seed::from_number(6).stream(Purpose::Host, 0);
        (0..30)
            .map(|playlist| {
                let looks = (0..60u32).flat_map(|user| std::iter::repeat_n(user, times));
                looks.map(|user| (user, unit(&mut rng) < f64::from(world.chances(user)[playlist]))).collect()
            })
            .collect()
    }

    #[test]
    fn much_evidence_brings_the_scores_to_the_truth() {
        let world = small();
        let mut arms = Arms::new(world.public());
        arms.observe(observed(&world, 300));
        for _ in 0..5 {
            arms.fit(true);
        }
        let weights = arms.weights();
        let mut scores = vec![0.0; 30];
        let mut worst: f64 = 0.0;
        for user in 0..60 {
            weights.scores(arms.row(user), &mut scores);
            for ((score, chance), variance) in scores.iter().zip(world.chances(user)).zip(arms.variances(user)) {
                let truth = ears_only::math::logit(f64::from(*chance));
                worst = worst.max((f64::from(*score) - truth).abs() / variance.sqrt());
            }
        }
        // 1,800 log-odds from 150 weights: the largest of 150 normal numbers exceeds 5 once in 12,000 seeds; users of a segment
        // differ from its mean variance by less than a factor 2.
        assert!(worst < 7.0, "{worst}");
    }

    #[test]
    fn the_fit_is_where_the_log_posterior_is_flat() {
        let world = small();
        let mut arms = Arms::new(world.public());
        arms.observe(observed(&world, 20));
        for _ in 0..6 {
            arms.fit(false);
        }
        for arm in &arms.arms {
            let (gradient, _) = arms.slope(arm, false);
            assert!(gradient.dot(&(&arm.covariance * &gradient)) < GAIN_LEFT, "{gradient}");
        }
    }

    #[test]
    fn evidence_narrows_the_posterior() {
        let world = small();
        let mut arms = Arms::new(world.public());
        let before: f64 = arms.variances(0).iter().sum();
        arms.observe(observed(&world, 20));
        arms.fit(false);
        let after: f64 = arms.variances(0).iter().sum();
        assert!(after < 0.7 * before, "{after} {before}");
    }
}
