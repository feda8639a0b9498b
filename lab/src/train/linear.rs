//! Logistic regression: the exact optimum by Newton steps, with its covariance.

use ears_only::math::sigmoid;
use nalgebra::{DMatrix, DVector};

use super::parallel::Threads;
use super::sample::{Sample, log_loss};
use crate::error::LabError;
use crate::noisy::Channel;

/// What to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Strength of the ridge: half of it times the squared weights is added to the weighted sum of log-losses. The intercept is free.
    pub ridge: f64,
    /// Pairs of columns whose products are inputs of their own.
    pub crosses: Vec<(u16, u16)>,
    /// What the rewards went through: they are then bits that lie with a known chance, and P(1) = q + (p - q) sigmoid(margin).
    pub channel: Option<Channel>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ridge: 1.0, crosses: Vec::new(), channel: None }
    }
}

/// Newton steps before giving up; a handful is usual.
const MOST_STEPS: usize = 100;
/// Largest gradient element, as a share of the total weight, that counts as none.
const FLAT: f64 = 1e-12;
/// Mean p (1 - p) below which nothing is in doubt any more.
const CERTAIN: f64 = 1e-9;

/// A fitted regression over the intercept, the columns and the crosses, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Most likely weights.
    pub weights: Vec<f64>,
    /// Their covariance under the Laplace approximation, row by row: the inverse of the Hessian. Importance weights are scaled for it to sum
    /// to the effective sample size, so that heavy weights do not feign knowledge.
    pub covariance: Vec<f64>,
    /// Pairs of columns of the crosses.
    pub crosses: Vec<(u16, u16)>,
    /// Newton steps taken.
    pub steps: usize,
}

impl Linear {
    /// Log-odds of a row.
    #[must_use]
    pub fn margin(&self, row: &[f32]) -> f64 {
        let crossed = self.crosses.iter().map(|pair| product(row, *pair));
        let inputs = row.iter().copied().map(f64::from).chain(crossed);
        self.weights[1..].iter().zip(inputs).fold(self.weights[0], |sum, (weight, x)| sum + weight * x)
    }

    /// Standard deviations of the weights.
    #[must_use]
    pub fn sds(&self) -> Vec<f64> {
        let width = self.weights.len();
        (0..width).map(|i| self.covariance[i * (width + 1)].sqrt()).collect()
    }
}

fn product(row: &[f32], (a, b): (u16, u16)) -> f64 {
    f64::from(row[a as usize]) * f64::from(row[b as usize])
}

/// Loss, gradient and Hessian (lower triangle, row by row) of some rows.
struct Sums {
    loss: f64,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
}

/// Loss of a target under log-odds `margin`, its slope and its curvature.
///
/// Through a channel the likelihood is that of the bit sent, b: L = -b ln P - (1 - b) ln(1 - P), P = q + (p - q) s, s = sigmoid(margin). Its
/// slope is (P - b) (p - q) s (1 - s) / (P (1 - P)); for the curvature stands its expectation, Fisher's information
/// ((p - q) s (1 - s))^2 / (P (1 - P)), which is never negative, as L is not convex. Taking flipped bits at face value pulls all chances
/// towards one half.
///
/// # References
/// J. A. Hausman, J. Abrevaya, F. M. Scott-Morton (1998), "Misclassification of the dependent variable in a discrete-response setting",
/// Journal of Econometrics 87(2), equation 5.
fn likelihood(margin: f64, target: f64, channel: Option<Channel>) -> [f64; 3] {
    let s = sigmoid(margin);
    let Some(channel) = channel else {
        return [log_loss(margin, target), s - target, s * (1.0 - s)];
    };
    // Within [q, p], so never 0 or 1.
    let sent = channel.other() + channel.signal() * s;
    let (turn, doubt) = (channel.signal() * s * (1.0 - s), sent * (1.0 - sent));
    let loss = -target * ears_only::math::ln(sent) - (1.0 - target) * ears_only::math::ln(1.0 - sent);
    [loss, (sent - target) * turn / doubt, turn * turn / doubt]
}

/// Fits by iteratively reweighted least squares (Newton's method, Fisher scoring through a channel), with steps halved while they do not
/// help.
///
/// `sample` holds no missing values; targets may lie outside [0, 1].
///
/// # Errors
/// When a cross names no column, the ridge is negative, or no optimum is found: without a ridge none exists for separable data.
///
/// # References
/// D. R. Cox (1958), "The regression analysis of binary sequences"; J. A. Nelder and R. W. M. Wedderburn (1972), "Generalized linear models".
pub fn fit(sample: &Sample, settings: &Settings, threads: &Threads) -> Result<Linear, LabError> {
    if !(settings.ridge >= 0.0 && settings.ridge.is_finite()) {
        return Err(LabError::unreadable(format!("expected a ridge of 0 or more, found {}", settings.ridge)));
    }
    if let Some(pair) = settings.crosses.iter().find(|pair| pair.0.max(pair.1) as usize >= sample.width) {
        return Err(LabError::unreadable(format!(
            "expected a cross of columns 0 to {}, found {} and {}",
            sample.width - 1,
            pair.0,
            pair.1
        )));
    }
    let width = 1 + sample.width + settings.crosses.len();
    let problem = Problem { sample, settings, threads, width };
    let mut weights = vec![0.0; width];
    weights[0] = match settings.channel {
        // A mean that only luck can have made counts as a rare event.
        Some(channel) => {
            ears_only::math::logit(((sample.mean_target() - channel.other()) / channel.signal()).clamp(1e-3, 1.0 - 1e-3))
        }
        None => super::sample::base_margin(sample),
    };
    let mut sums = problem.sums(&weights);
    let flat = FLAT * sample.total_weight().max(1.0);
    for steps in 0..MOST_STEPS {
        if sums.gradient.iter().all(|g| g.abs() <= flat) {
            return problem.done(weights, &sums, steps);
        }
        let step = solve(&sums, width)?;
        let mut share = 1.0;
        let next = loop {
            let tried: Vec<f64> = weights.iter().zip(step.iter()).map(|(w, s)| w - share * s).collect();
            let found = problem.sums(&tried);
            // Near the optimum the loss is equal but for rounding: the gradient decides there.
            if found.loss < sums.loss || (share == 1.0 && steepest(&found) < steepest(&sums)) {
                break Some((tried, found));
            }
            share *= 0.5;
            if share < 1e-6 {
                break None;
            }
        };
        match next {
            Some((tried, found)) => (weights, sums) = (tried, found),
            // No step helps any more: this is the optimum as far as numbers tell, or there is none.
            None if steepest(&sums) <= 1e-7 * sample.total_weight().max(1.0) => return problem.done(weights, &sums, steps),
            None => break,
        }
    }
    Err(LabError::failed(format!(
        "logistic regression: expected an optimum within {MOST_STEPS} steps, found a gradient of {:.1e}",
        steepest(&sums)
    )))
}

fn steepest(sums: &Sums) -> f64 {
    sums.gradient.iter().fold(0.0, |most, g| f64::max(most, g.abs()))
}

fn matrix(sums: &Sums, width: usize) -> DMatrix<f64> {
    DMatrix::from_fn(width, width, |i, j| {
        let (i, j) = if i >= j { (i, j) } else { (j, i) };
        sums.hessian[i * (i + 1) / 2 + j]
    })
}

fn solve(sums: &Sums, width: usize) -> Result<DVector<f64>, LabError> {
    let gradient = DVector::from_column_slice(&sums.gradient);
    let solved = matrix(sums, width).cholesky().map(|cholesky| cholesky.solve(&gradient));
    solved.ok_or_else(|| {
        LabError::failed("logistic regression: expected columns that are independent of each other, found some that are not; a ridge above 0 helps")
    })
}

struct Problem<'a> {
    sample: &'a Sample,
    settings: &'a Settings,
    threads: &'a Threads,
    width: usize,
}

impl Problem<'_> {
    fn sums(&self, weights: &[f64]) -> Sums {
        let cells = self.width * (self.width + 1) / 2;
        let mut all = Sums { loss: 0.0, gradient: vec![0.0; self.width], hessian: vec![0.0; cells] };
        let add = |to: &mut [f64], from: &[f64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        self.threads.pieces(
            self.sample.rows(),
            |rows| self.piece(weights, rows),
            |piece| {
                all.loss += piece.loss;
                add(&mut all.gradient, &piece.gradient);
                add(&mut all.hessian, &piece.hessian);
            },
        );
        for (i, weight) in weights.iter().enumerate().take(self.width).skip(1) {
            all.loss += 0.5 * self.settings.ridge * weight * weight;
            all.gradient[i] += self.settings.ridge * weight;
            all.hessian[i * (i + 1) / 2 + i] += self.settings.ridge;
        }
        all
    }

    fn piece(&self, weights: &[f64], rows: std::ops::Range<usize>) -> Sums {
        let mut sums = Sums { loss: 0.0, gradient: vec![0.0; self.width], hessian: vec![0.0; self.width * (self.width + 1) / 2] };
        let mut x = vec![1.0; self.width];
        for row in rows {
            let (target, weight) = (self.sample.target[row], self.sample.weight[row]);
            let values = self.sample.row(row);
            let inputs =
                values.iter().copied().map(f64::from).chain(self.settings.crosses.iter().map(|pair| product(values, *pair)));
            x[1..].iter_mut().zip(inputs).for_each(|(x, value)| *x = value);
            let margin = weights.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
            let [loss, slope, curve] = likelihood(margin, target, self.settings.channel);
            sums.loss += weight * loss;
            let (slope, curve) = (weight * slope, weight * curve);
            let mut cell = 0;
            for i in 0..self.width {
                sums.gradient[i] += slope * x[i];
                let scaled = curve * x[i];
                for (sum, x) in sums.hessian[cell..=cell + i].iter_mut().zip(&x) {
                    *sum += scaled * x;
                }
                cell += i + 1;
            }
        }
        sums
    }

    fn done(&self, weights: Vec<f64>, sums: &Sums, steps: usize) -> Result<Linear, LabError> {
        let total = self.sample.total_weight();
        // Without a ridge the weights of separable data grow until every chance is 0 or 1 and the slope vanishes.
        if sums.hessian[0] < CERTAIN * total {
            return Err(LabError::failed(
                "logistic regression: expected rewards that cannot be told apart without error, found some that can; a larger ridge helps",
            ));
        }
        let scale = self.sample.effective_size() / total;
        let mut hessian = matrix(sums, self.width);
        for i in 1..self.width {
            hessian[(i, i)] -= self.settings.ridge;
        }
        hessian *= scale;
        for i in 1..self.width {
            hessian[(i, i)] += self.settings.ridge;
        }
        let cholesky = hessian.cholesky().ok_or_else(|| {
            LabError::failed("logistic regression: expected a positive definite Hessian, found none; a ridge above 0 helps")
        })?;
        Ok(Linear { weights, covariance: cholesky.inverse().as_slice().to_vec(), crosses: self.settings.crosses.clone(), steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows whose chances follow known weights, as fractional targets: the fit must find exactly these.
    fn known(weights: &[f64], crosses: &[(u16, u16)]) -> Sample {
        let width = weights.len() - 1 - crosses.len();
        let mut rng = 1u64;
        let mut next = || {
            rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((rng >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 4.0
        };
        let mut sample = Sample { width, ..Sample::default() };
        let model = Linear { weights: weights.to_vec(), covariance: Vec::new(), crosses: crosses.to_vec(), steps: 0 };
        for row in 0..5_000u32 {
            let values: Vec<f32> = (0..width).map(|_| next()).collect();
            sample.target.push(sigmoid(model.margin(&values)));
            sample.values.extend(values);
            sample.weight.push(f64::from(1 + row % 3));
            sample.group.push(row);
        }
        sample
    }

    #[test]
    fn finds_the_weights_that_made_the_data() {
        let weights = [-1.5, 0.8, -0.3, 0.0, 0.25];
        let sample = known(&weights, &[(0, 2)]);
        let settings = Settings { ridge: 0.0, crosses: vec![(0, 2)], ..Settings::default() };
        let found = fit(&sample, &settings, &Threads::new(1).unwrap()).unwrap();
        for (got, want) in found.weights.iter().zip(weights) {
            assert!((got - want).abs() < 1e-9, "{:?}", found.weights);
        }
        assert!(found.steps < 12);
    }

    #[test]
    fn the_gradient_and_hessian_are_those_of_finite_differences() {
        let sample = known(&[-0.4, 0.8, -0.3, 0.2], &[(0, 1)]);
        let settings = Settings { ridge: 0.7, crosses: vec![(0, 1)], ..Settings::default() };
        let threads = Threads::new(1).unwrap();
        let problem = Problem { sample: &sample, settings: &settings, threads: &threads, width: 4 };
        let at = [0.1, -0.2, 0.3, 0.4];
        let sums = problem.sums(&at);
        for i in 0..4 {
            let moved = |by: f64| {
                let mut at = at;
                at[i] += by;
                problem.sums(&at)
            };
            let (up, down) = (moved(1e-5), moved(-1e-5));
            let slope = (up.loss - down.loss) / 2e-5;
            assert!((slope - sums.gradient[i]).abs() < 1e-5 * sums.gradient[i].abs().max(1.0), "{slope} {}", sums.gradient[i]);
            for j in 0..=i {
                let curve = (up.gradient[j] - down.gradient[j]) / 2e-5;
                let want = sums.hessian[i * (i + 1) / 2 + j];
                assert!((curve - want).abs() < 1e-5 * want.abs().max(1.0), "{curve} {want}");
            }
        }
    }

    fn channel(epsilon: f64) -> Channel {
        Channel::bit(crate::noisy::channel::epsilon_of(epsilon).unwrap()).unwrap()
    }

    #[test]
    fn through_a_channel_slopes_are_those_of_finite_differences_and_curves_their_expectation() {
        for epsilon in [0.25, 0.5, 1.0] {
            let channel = channel(epsilon);
            for margin in [-6.0, -1.2, 0.0, 0.7, 4.0] {
                let mut mean = [0.0; 2];
                for target in [0.0, 1.0] {
                    let of = |by: f64| likelihood(margin + by, target, Some(channel));
                    let slope = (of(1e-5)[0] - of(-1e-5)[0]) / 2e-5;
                    assert!((slope - of(0.0)[1]).abs() < 1e-8, "{epsilon} {margin} {target}: {slope}");
                    let curve = (of(1e-5)[1] - of(-1e-5)[1]) / 2e-5;
                    let sent = channel.other() + channel.signal() * sigmoid(margin);
                    let chance = if target == 1.0 { sent } else { 1.0 - sent };
                    mean[0] += chance * of(0.0)[1];
                    mean[1] += chance * curve;
                }
                let [_, _, information] = likelihood(margin, 0.0, Some(channel));
                assert!(mean[0].abs() < 1e-12 && (mean[1] - information).abs() < 1e-8, "{epsilon} {margin}: {mean:?}");
            }
        }
    }

    #[test]
    fn noise_is_undone_in_the_weights_where_a_naive_fit_is_biased() {
        let weights = [-1.0, 0.8, -0.5, 0.3];
        let mut sample = known(&weights, &[]);
        let threads = Threads::new(1).unwrap();
        let settings = |channel| Settings { ridge: 0.0, channel, ..Settings::default() };
        // At the exact chances of the bits sent, exactly.
        for epsilon in [0.25, 0.5, 1.0] {
            let channel = channel(epsilon);
            let mut sent = sample.clone();
            sent.target.iter_mut().for_each(|chance| *chance = channel.other() + channel.signal() * *chance);
            let found = fit(&sent, &settings(Some(channel)), &threads).unwrap();
            for (got, want) in found.weights.iter().zip(weights) {
                assert!((got - want).abs() < 1e-6, "{epsilon}: {:?}", found.weights);
            }
            let naive = fit(&sent, &settings(None), &threads).unwrap();
            assert!(naive.weights[1] < 0.5 * weights[1], "{:?}", naive.weights);
        }
        // From bits of the product's own randomiser, within what the fit says of itself; five standard deviations, four weights.
        let epsilon = crate::noisy::channel::epsilon_of(1.0).unwrap();
        let mut flips =
            ears_only::random::SeededEntropy::new(ears_only::random::Seed::from_number(3), ears_only::random::Purpose::Flip);
        let mut state = 9u64;
        for chance in &mut sample.target {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let played = ((state >> 11) as f64 / (1u64 << 53) as f64) < *chance;
            *chance = f64::from(ears_only::privacy::randomise(played.into(), 2, epsilon, &mut flips).unwrap());
        }
        sample.weight.fill(1.0);
        let found = fit(&sample, &settings(Some(channel(1.0))), &threads).unwrap();
        let naive = fit(&sample, &settings(None), &threads).unwrap();
        for (at, want) in weights.iter().enumerate() {
            let off = (found.weights[at] - want).abs() / found.sds()[at];
            assert!(off < 5.0, "{at}: {:?} {:?}", found.weights, found.sds());
        }
        // The naive fit is off by many of its own standard deviations, and knows nothing of it.
        assert!((naive.weights[1] - weights[1]).abs() > 8.0 * naive.sds()[1], "{:?} {:?}", naive.weights, naive.sds());
    }

    #[test]
    fn the_covariance_is_the_inverse_hessian_of_the_effective_sample() {
        let sample = known(&[-0.4, 0.8], &[]);
        let threads = Threads::new(1).unwrap();
        let once = fit(&sample, &Settings::default(), &threads).unwrap();
        let mut tripled = sample.clone();
        tripled.weight.iter_mut().for_each(|weight| *weight *= 3.0);
        // A ridge three times as strong gives the same optimum; what is known does not grow with the scale of the weights.
        let thrice = fit(&tripled, &Settings { ridge: 3.0, ..Settings::default() }, &threads).unwrap();
        assert!((once.weights[1] - thrice.weights[1]).abs() < 1e-9);
        // A binary outcome known 4,286 effective times: the sd of an intercept alone would be about 2 / sqrt(4286) = 0.031.
        assert!((0.03..0.04).contains(&once.sds()[0]), "{:?}", once.sds());
        assert!((once.sds()[1] / thrice.sds()[1] - 1.0).abs() < 0.01);
    }

    #[test]
    fn separable_data_need_a_ridge_and_say_so() {
        let sample = Sample {
            width: 1,
            values: vec![-2.0, -1.0, 1.0, 2.0],
            target: vec![0.0, 0.0, 1.0, 1.0],
            weight: vec![1.0; 4],
            group: vec![0, 1, 2, 3],
        };
        let threads = Threads::new(1).unwrap();
        assert!(fit(&sample, &Settings { ridge: 0.0, ..Settings::default() }, &threads).is_err());
        let ridged = fit(&sample, &Settings { ridge: 0.1, ..Settings::default() }, &threads).unwrap();
        assert!(ridged.weights[1] > 1.0 && ridged.weights[1] < 10.0);
        assert!(fit(&sample, &Settings { ridge: -1.0, ..Settings::default() }, &threads).is_err());
        assert!(fit(&sample, &Settings { crosses: vec![(0, 1)], ..Settings::default() }, &threads).is_err());
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let sample = known(&[-1.0, 0.5, 0.5, -0.5], &[]);
        let fitted = |threads| fit(&sample, &Settings::default(), &Threads::new(threads).unwrap()).unwrap();
        assert_eq!(fitted(1), fitted(3));
    }
}
