//! Where the head starts beside a body: at the body's margin, with room for what one listener may differ by.
//!
//! The room has two parts, added as variances. One is what training does not know of the weights: the inverse of the ridge and the
//! curvatures of the rows, weight by weight (Laplace). The other is how much listeners differ, and is found by trying: among some sizes the one
//! under which heads that start there predict each outcome of the judging listeners best before they learn it (Dawid 1984, "Present
//! position and potential developments: the prequential approach").

use std::ops::Range;

use ears_only::features::{Column, FeatureSchema};
use ears_only::math::{ln, sigmoid};
use ears_only::model::body::{Body, Inputs as BodyInputs};
use ears_only::model::{HeadPrior, RewardModel};

use super::parallel::Threads;
use super::sample::Sample;
use crate::error::LabError;

/// A Gaussian over the head's weights: bias, margin, then the body's inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// 0, 1, 0, 0...: before anything is learned the score is the margin.
    pub mean: Vec<f64>,
    /// Standard deviations.
    pub sd: Vec<f64>,
}

/// What the prior was made of.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    /// Spread over listeners of the bias, in log-odds.
    pub bias: f64,
    /// Of the weight of the margin.
    pub margin: f64,
    /// Of the weights of the body's inputs, each times the input's size.
    pub inputs: f64,
    /// Mean log-loss of the judging listeners' outcomes, each predicted before it is learned, from this prior.
    pub log_loss: f64,
    /// The same without learning.
    pub log_loss_without: f64,
}

/// Sizes that are tried for each of the three; the smallest is as good as none.
const SIZES: [f64; 8] = [0.001, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0];
/// Rounds over the three.
const ROUNDS: usize = 2;
/// Standard deviation of what training knows nothing of.
const UNKNOWN: f64 = 1.0;
/// What freezes a head: just above the least standard deviation that one takes, whatever rounding a bundle does.
pub const FROZEN: f64 = 2e-6;
/// Rows of the judging listeners that are tried on at most: whole listeners, the first ones.
const MOST_ROWS: usize = 40_000;

/// A head at the body's margin that hardly moves.
#[must_use]
pub fn frozen(body: &Body) -> Prior {
    let width = body.width() + 2;
    Prior { mean: start(width), sd: vec![FROZEN; width] }
}

fn start(width: usize) -> Vec<f64> {
    let mut mean = vec![0.0; width];
    mean[1] = 1.0;
    mean
}

/// A body with what is known of its inputs.
struct Known<'a> {
    schema: &'a FeatureSchema,
    body: &'a Body,
    /// Variance of each input's weight that training leaves.
    left: Vec<f64>,
    /// Size of each input; 1 for leaves.
    size: Vec<f64>,
}

impl Known<'_> {
    fn prior(&self, sizes: [f64; 3]) -> Prior {
        let of = |(left, size): (&f64, &f64)| (left + (sizes[2] / size).powi(2)).sqrt().clamp(FROZEN, 1e3);
        let inputs = self.left.iter().zip(&self.size).map(of);
        Prior { mean: start(self.left.len() + 2), sd: [sizes[0], sizes[1]].into_iter().chain(inputs).collect() }
    }

    fn model(&self, prior: &Prior) -> Result<RewardModel, LabError> {
        let prior = HeadPrior::new(prior.mean.clone(), &prior.sd, f64::INFINITY)?;
        Ok(RewardModel::new(self.schema, self.body.clone(), prior)?)
    }
}

/// Finds the spread.
///
/// - `columns`: as the bundle says them.
/// - `learn`: the rows that the body was fitted to.
/// - `lived`: what the judging listeners' devices would learn from, each listener's rows in order of time with reward and weight 1.
///
/// # Errors
/// When the body and the columns do not fit together.
pub fn find(
    columns: &[Column],
    body: &Body,
    learn: &Sample,
    lived: &Sample,
    threads: &Threads,
) -> Result<(Prior, Spread), LabError> {
    let schema = FeatureSchema::new(columns.to_vec())?;
    let (left, size) = uncertainty(columns, body, learn);
    let known = Known { schema: &schema, body, left, size };
    let listeners = by_listener(lived);
    let loss = |sizes: [f64; 3]| prequential(&known.model(&known.prior(sizes))?, lived, &listeners, threads);
    let mut best = [SIZES[4], SIZES[2], SIZES[2]];
    let mut least = loss(best)?;
    for round in 0..ROUNDS {
        let before = best;
        for which in 0..3 {
            for size in SIZES {
                let mut tried = best;
                tried[which] = size;
                if tried != best {
                    let found = loss(tried)?;
                    if found < least {
                        (best, least) = (tried, found);
                    }
                }
            }
        }
        if round > 0 && before == best {
            break;
        }
    }
    let log_loss_without = prequential(&known.model(&frozen(body))?, lived, &listeners, threads)?;
    let [bias, margin, inputs] = best;
    Ok((known.prior(best), Spread { bias, margin, inputs, log_loss: least, log_loss_without }))
}

/// Rows of each listener, in order.
fn by_listener(lived: &Sample) -> Vec<Vec<usize>> {
    let mut rows = std::collections::BTreeMap::<u32, Vec<usize>>::new();
    for (row, group) in lived.group.iter().enumerate() {
        rows.entry(*group).or_default().push(row);
    }
    let mut left = MOST_ROWS;
    let within = |rows: &Vec<usize>| {
        let fits = left > 0;
        left = left.saturating_sub(rows.len());
        fits
    };
    rows.into_values().take_while(within).collect()
}

/// Mean log-loss of outcomes predicted one by one, each listener from the start.
fn prequential(model: &RewardModel, lived: &Sample, listeners: &[Vec<usize>], threads: &Threads) -> Result<f64, LabError> {
    let mut losses: Vec<(f64, usize)> = vec![(0.0, 0); listeners.len()];
    threads.each(&mut losses, |number, loss| {
        let mut model = model.clone();
        let mut row = Vec::new();
        for &at in &listeners[number] {
            row.clear();
            row.push(1.0);
            row.extend_from_slice(lived.row(at));
            let reward = lived.target[at];
            // The chance averaged over the posterior (MacKay 1992, equation for the moderated output).
            let (score, sd) = (model.score(&row), model.score_sd(&row));
            let chance = sigmoid(score / (1.0 + std::f64::consts::PI * sd * sd / 8.0).sqrt()).clamp(1e-12, 1.0 - 1e-12);
            loss.0 -= reward * ln(chance) + (1.0 - reward) * ln(1.0 - chance);
            loss.1 += 1;
            model.learn(&row, reward, 1.0);
        }
    });
    let (sum, count) = losses.iter().fold((0.0, 0), |all, loss| (all.0 + loss.0, all.1 + loss.1));
    if count == 0 {
        return Err(LabError::unreadable("expected outcomes of judging listeners for the head's spread, found none"));
    }
    Ok(sum / count as f64)
}

/// For each input of the body: the variance that training leaves of its weight, and its size.
fn uncertainty(columns: &[Column], body: &Body, learn: &Sample) -> (Vec<f64>, Vec<f64>) {
    let width = body.width();
    let sparse = matches!(body, Body::Trees(_));
    let scale = learn.effective_size() / learn.total_weight();
    let (mut known, mut sums, mut squares) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
    let mut inputs = BodyInputs::default();
    let mut row = Vec::new();
    let every: Range<usize> = 0..learn.rows();
    for at in every {
        row.clear();
        row.push(1.0);
        row.extend(learn.row(at).iter().zip(columns).map(|(x, column)| (column.guarded(*x) - column.mean) / column.scale));
        body.evaluate(&row, &mut inputs);
        let p = sigmoid(inputs.margin);
        let weight = learn.weight[at];
        let curvature = scale * weight * p * (1.0 - p);
        for leaf in &inputs.leaves {
            known[*leaf as usize] += curvature;
        }
        for (input, value) in inputs.values.iter().enumerate() {
            known[input] += curvature * value * value;
            sums[input] += weight * value;
            squares[input] += weight * value * value;
        }
    }
    let left = known.iter().map(|known| 1.0 / (1.0 / (UNKNOWN * UNKNOWN) + known)).collect();
    let total = learn.total_weight();
    let size = |(sum, square): (&f64, &f64)| (square / total - (sum / total).powi(2)).max(0.0).sqrt().max(1e-3);
    let sizes = if sparse { vec![1.0; width] } else { sums.iter().zip(&squares).map(size).collect() };
    (left, sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::descent::Normals;
    use crate::train::fitted::{self, Settings};

    /// Listeners who differ by `spread` in the bias and in the weight of column 0.
    fn listeners(count: u32, rows: usize, spread: f32) -> Sample {
        let mut normals = Normals::new(21);
        let mut sample = Sample { width: 2, ..Sample::default() };
        for listener in 0..count {
            let own = [spread * normals.draw(), spread * normals.draw()];
            for _ in 0..rows {
                let x = [normals.draw(), normals.draw()];
                let chance = sigmoid(f64::from(-1.0 + own[0] + (1.0 + own[1]) * x[0] - 0.5 * x[1]));
                sample.target.push(f64::from(u8::from(f64::from(normals.draw()) < crate::interval::normal_quantile(chance))));
                sample.values.extend(x);
                sample.weight.push(1.0);
                sample.group.push(listener);
            }
        }
        sample
    }

    fn found(name: &str, spread: f32) -> Spread {
        let (learn, judge) = listeners(150, 60, spread).split(0.3, 1);
        let threads = Threads::new(1).unwrap();
        let mut settings = Settings::from_name(name, 1).unwrap();
        if let Settings::Trees(trees) = &mut settings {
            trees.trees = 20;
        }
        let fitted = fitted::fit(&learn, &judge, &settings, &threads, &mut |_, _| ()).unwrap();
        let columns: Vec<Column> = ["a", "b"].iter().map(|name| crate::train::log::column(name).unwrap()).collect();
        let columns = fitted.columns(&columns, &learn);
        let body = fitted.body().unwrap();
        let (prior, spread) = find(&columns, &body, &learn, &judge, &threads).unwrap();
        assert_eq!(prior.mean.len(), body.width() + 2);
        assert_eq!(prior.mean[..3], [0.0, 1.0, 0.0]);
        spread
    }

    #[test]
    fn listeners_who_differ_are_given_room_and_learning_helps() {
        let apart = found("linear", 1.0);
        assert!(apart.bias >= 0.5 && apart.log_loss < apart.log_loss_without - 0.01, "{apart:?}");
        let trees = found("trees", 1.0);
        assert!(trees.log_loss < trees.log_loss_without - 0.005, "{trees:?}");
    }

    #[test]
    fn listeners_who_are_alike_are_given_none() {
        let alike = found("linear", 0.0);
        assert!(alike.bias <= 0.12 && alike.inputs <= 0.12 && alike.log_loss <= alike.log_loss_without + 1e-9, "{alike:?}");
    }
}
