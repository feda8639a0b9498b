//! Fully personal Thompson sampling: one Bayesian logistic regression over the user's features for each playlist.
//!
//! # References
//! O. Chapelle, L. Li (2011), "An Empirical Evaluation of Thompson Sampling", NIPS, algorithm 3: independent Gaussian weights,
//! fitted to each batch. As in the published code of Bendada et al. (2020): weights are drawn for every page, so that the score
//! of a card is drawn from N(m.x, sum of x^2 / q); a fit takes at most 15 steps, from weights drawn from the prior at first;
//! nothing holds the bias back; and the chance that sets the new precision is taken at the score less 1.

use ears_only::math::sigmoid;
use rand_pcg::Pcg32;

use super::policy::{Policy, Rule};
use super::product::Weights;
use super::thompson::normal;
use super::top::Top;
use super::world::{Public, Slate};

/// Steps of one fit.
const STEPS: usize = 15;
/// Pairs of steps and changes of gradient that a fit remembers.
const MEMORY: usize = 10;

pub(super) struct Linear<'a> {
    public: Public<'a>,
    /// Features and a 1, row by row.
    rows: Vec<f32>,
    mean: Vec<f64>,
    precision: Vec<f64>,
    /// Where the next fit starts.
    start: Vec<f64>,
    rng: Pcg32,
}

impl<'a> Linear<'a> {
    /// Weights that start at 0 with precision 1; that of the bias at `bias`.
    pub(super) fn new(public: Public<'a>, bias: f64, rng: Pcg32) -> Self {
        let mut rows = Vec::new();
        for row in public.features.chunks_exact(public.dimensions) {
            rows.extend_from_slice(row);
            rows.push(1.0);
        }
        let width = public.dimensions + 1;
        let mut mean = vec![0.0; width * public.playlists];
        mean.iter_mut().skip(public.dimensions).step_by(width).for_each(|weight| *weight = bias);
        let mut rng = rng;
        let start = mean.iter().map(|mean| mean + normal(&mut rng)).collect();
        Self { public, rows, precision: vec![1.0; mean.len()], mean, start, rng }
    }

    fn row(&self, user: u32) -> &[f32] {
        let width = self.public.dimensions + 1;
        &self.rows[user as usize * width..][..width]
    }
}

impl Policy for Linear<'_> {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        let (count, width) = (self.public.playlists, self.public.dimensions + 1);
        let means = Weights::new(count, width, |playlist, column| self.mean[playlist * width + column] as f32);
        let variances = Weights::new(count, width, |playlist, column| 1.0 / self.precision[playlist * width + column] as f32);
        let (mut mean, mut variance) = (vec![0.0; count], vec![0.0; count]);
        let mut pages = Vec::with_capacity(visitors.len());
        for user in visitors {
            let row = self.row(*user).to_vec();
            let squares: Vec<f32> = row.iter().map(|x| x * x).collect();
            means.scores(&row, &mut mean);
            variances.scores(&squares, &mut variance);
            let mut top = Top::default();
            for (playlist, (mean, variance)) in mean.iter().zip(&variance).enumerate() {
                top.draw(playlist as u16, f64::from(*mean), f64::from(*variance).sqrt(), &mut self.rng);
            }
            pages.push(top.slate());
        }
        pages
    }

    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]) {
        let width = self.public.dimensions + 1;
        let mut batches: Vec<Vec<(u32, bool)>> = vec![Vec::new(); self.public.playlists];
        for ((user, slate), stream) in visitors.iter().zip(slates).zip(streams) {
            for (position, playlist) in slate.iter().enumerate().take(Rule::AllSeen.seen(*stream)) {
                batches[usize::from(*playlist)].push((*user, *stream == Some(position)));
            }
        }
        for (playlist, batch) in batches.iter().enumerate().filter(|(_, batch)| !batch.is_empty()) {
            let cells = playlist * width..(playlist + 1) * width;
            let (mean, precision) = (self.mean[cells.clone()].to_vec(), self.precision[cells.clone()].to_vec());
            let fitted = minimum(&self.start[cells.clone()], |weights, gradient| {
                let mut value = 0.0;
                for i in 0..width - 1 {
                    let away = weights[i] - mean[i];
                    value += 0.5 * precision[i] * away * away;
                    gradient[i] = precision[i] * away;
                }
                gradient[width - 1] = 0.0;
                for (user, streamed) in batch {
                    let row = self.row(*user);
                    let score = dot(weights, row);
                    let chance = sigmoid(score);
                    value += ears_only::math::ln_1p(ears_only::math::exp(-score.abs())) + score.max(0.0);
                    value -= if *streamed { score } else { 0.0 };
                    let error = chance - f64::from(u8::from(*streamed));
                    for (g, x) in gradient.iter_mut().zip(row) {
                        *g += error * f64::from(*x);
                    }
                }
                value
            });
            let mut precision = precision;
            for (user, _) in batch {
                let row = self.row(*user);
                let chance = sigmoid(dot(&fitted, row) - 1.0);
                for (q, x) in precision.iter_mut().zip(row) {
                    *q += f64::from(x * x) * chance * (1.0 - chance);
                }
            }
            self.mean[cells.clone()].copy_from_slice(&fitted);
            self.start[cells.clone()].copy_from_slice(&fitted);
            self.precision[cells].copy_from_slice(&precision);
        }
    }
}

/// Four sums side by side, then together.
fn dot(weights: &[f64], row: &[f32]) -> f64 {
    let mut sums = [0.0; 4];
    for (w, x) in weights.chunks_exact(4).zip(row.chunks_exact(4)) {
        for lane in 0..4 {
            sums[lane] += w[lane] * f64::from(x[lane]);
        }
    }
    let rest = weights.len() / 4 * 4;
    let tail: f64 = weights[rest..].iter().zip(&row[rest..]).map(|(w, x)| w * f64::from(*x)).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + tail
}

/// The minimum of a convex function near `start`, by at most [`STEPS`] steps of limited-memory BFGS with backtracking.
///
/// # References
/// J. Nocedal (1980), "Updating quasi-Newton matrices with limited storage", Mathematics of Computation 35.
fn minimum(start: &[f64], mut function: impl FnMut(&[f64], &mut [f64]) -> f64) -> Vec<f64> {
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let mut at = start.to_vec();
    let mut gradient = vec![0.0; at.len()];
    let mut value = function(&at, &mut gradient);
    let mut memory: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    let mut next_gradient = gradient.clone();
    for _ in 0..STEPS {
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut shares = Vec::new();
        for (step, change) in memory.iter().rev() {
            let share = product(step, &direction) / product(step, change);
            direction.iter_mut().zip(change).for_each(|(d, c)| *d -= share * c);
            shares.push(share);
        }
        let scale = memory.last().map_or(1.0 / product(&gradient, &gradient).sqrt().max(1.0), |(step, change)| {
            product(step, change) / product(change, change)
        });
        direction.iter_mut().for_each(|d| *d *= scale);
        for ((step, change), share) in memory.iter().zip(shares.iter().rev()) {
            let back = product(change, &direction) / product(step, change);
            direction.iter_mut().zip(step).for_each(|(d, s)| *d += (share - back) * s);
        }
        let slope = product(&direction, &gradient);
        let mut length = 1.0;
        let next = loop {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(a, d)| a + length * d).collect();
            let next_value = function(&next, &mut next_gradient);
            if next_value <= value + 1e-4 * length * slope {
                value = next_value;
                break Some(next);
            }
            length *= 0.5;
            if length < 1e-6 {
                break None;
            }
        };
        let Some(next) = next else { return at };
        let step: Vec<f64> = next.iter().zip(&at).map(|(n, a)| n - a).collect();
        let change: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(n, g)| n - g).collect();
        at = next;
        gradient.copy_from_slice(&next_gradient);
        if gradient.iter().all(|g| g.abs() < 1e-5) {
            break;
        }
        if product(&step, &change) > 0.0 {
            memory.push((step, change));
            if memory.len() > MEMORY {
                memory.remove(0);
            }
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_a_stretched_bowl_is_found() {
        let centre = [1.0, -2.0, 0.5];
        let found = minimum(&[0.0; 3], |w, g| {
            let mut value = 0.0;
            for i in 0..3 {
                let (stretch, away) = (1.0 + 9.0 * i as f64, w[i] - centre[i]);
                value += 0.5 * stretch * away * away;
                g[i] = stretch * away;
            }
            value
        });
        assert!(found.iter().zip(centre).all(|(f, c)| (f - c).abs() < 1e-3), "{found:?}");
    }
}
