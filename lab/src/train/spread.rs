//! Where the head starts beside a body: at the body's margin, with room for what one listener may differ by.
//!
//! The room has two parts, added as variances. One is what training does not know of the weights: the inverse of the ridge and the
//! curvatures of the rows, weight by weight (Laplace). The other is how much listeners differ. For each input it comes from moments: over
//! listeners, a sum S of residual times input has variance I + t^2 I^2, with I the sum of curvatures times squared input, so that
//! t^2 = sum (S^2 - I) / sum I^2 (as DerSimonian and Laird 1986 do for effects of studies). Inputs overlap, so one factor for all of
//! them is found by trying, as are the spreads of bias and margin: those under which heads that start there predict each outcome of the
//! judging listeners best before they learn it (Dawid 1984, "Present position and potential developments: the prequential approach").

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
    /// Factor on the spreads of the weights of the body's inputs, which come from moments.
    pub inputs: f64,
    /// Inputs among them whose weights differ at all.
    pub differ: usize,
    /// Mean log-loss of the judging listeners' outcomes, each predicted before it is learned, from this prior.
    pub log_loss: f64,
    /// The same without learning.
    pub log_loss_without: f64,
}

/// Sizes that are tried for each of the three; the smallest is as good as none.
const SIZES: [f64; 9] = [0.001, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 1.5];
/// Rounds over the three.
const ROUNDS: usize = 2;
/// Standard deviation of what training knows nothing of.
const UNKNOWN: f64 = 1.0;
/// What freezes a head: just above the least standard deviation that one takes, whatever rounding a bundle does.
pub const FROZEN: f64 = 2e-6;
/// Largest variance over listeners that moments may find: leaves that hardly anybody meets say little.
const MOST_APART: f64 = 4.0;
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
    /// Variance over listeners of each input's weight, by moments.
    apart: Vec<f64>,
}

impl Known<'_> {
    fn prior(&self, sizes: [f64; 3]) -> Prior {
        let of = |(left, apart): (&f64, &f64)| (left + sizes[2] * sizes[2] * apart).sqrt().clamp(FROZEN, 1e3);
        let inputs = self.left.iter().zip(&self.apart).map(of);
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
/// - `lived`: what the judging listeners' devices would learn from, each listener's rows in order of time with reward, and weights of mean 1 that
///   undo how the rows came about: predictions and moments count by them, devices learn without.
/// - `others`: the same of the listeners learned from.
///
/// # Errors
/// When the body and the columns do not fit together.
pub fn find(
    columns: &[Column],
    body: &Body,
    learn: &Sample,
    [lived, others]: [&Sample; 2],
    threads: &Threads,
) -> Result<(Prior, Spread), LabError> {
    let schema = FeatureSchema::new(columns.to_vec())?;
    let (left, apart) = (uncertainty(columns, body, learn), differences(columns, body, others));
    let differ = apart.iter().filter(|variance| **variance > 0.0).count();
    let known = Known { schema: &schema, body, left, apart };
    let lived = Lived { schema: &schema, sample: lived, listeners: by_listener(lived) };
    let loss = |sizes: [f64; 3]| lived.loss(&known.model(&known.prior(sizes))?, threads);
    let mut best = [SIZES[4], SIZES[2], SIZES[5]];
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
    let log_loss_without = lived.loss(&known.model(&frozen(body))?, threads)?;
    let [bias, margin, inputs] = best;
    Ok((known.prior(best), Spread { bias, margin, inputs, differ, log_loss: least, log_loss_without }))
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

/// Outcomes of listeners, as their devices learn from them.
struct Lived<'a> {
    schema: &'a FeatureSchema,
    sample: &'a Sample,
    /// Rows of each listener, in order.
    listeners: Vec<Vec<usize>>,
}

impl Lived<'_> {
    /// Mean log-loss of outcomes predicted one by one, each listener from the start.
    fn loss(&self, model: &RewardModel, threads: &Threads) -> Result<f64, LabError> {
        let mut losses: Vec<(f64, f64)> = vec![(0.0, 0.0); self.listeners.len()];
        threads.each(&mut losses, |number, loss| {
            let mut model = model.clone();
            let mut row = Vec::new();
            for &at in &self.listeners[number] {
                row.clear();
                row.push(1.0);
                row.extend_from_slice(self.sample.row(at));
                self.schema.guard(&mut row);
                let reward = self.sample.target[at];
                // The chance averaged over the posterior (MacKay 1992, equation for the moderated output).
                let (score, sd) = (model.score(&row), model.score_sd(&row));
                let chance = sigmoid(score / (1.0 + std::f64::consts::PI * sd * sd / 8.0).sqrt()).clamp(1e-12, 1.0 - 1e-12);
                // A device learns of what it sees as it comes; what counts of the prediction is what everybody would see.
                let weight = self.sample.weight[at];
                loss.0 -= weight * (reward * ln(chance) + (1.0 - reward) * ln(1.0 - chance));
                loss.1 += weight;
                model.learn(&row, reward, 1.0);
            }
        });
        let (sum, count) = losses.iter().fold((0.0, 0.0), |all, loss| (all.0 + loss.0, all.1 + loss.1));
        if count <= 0.0 {
            return Err(LabError::unreadable("expected outcomes of judging listeners for the head's spread, found none"));
        }
        Ok(sum / count)
    }
}

/// Hands over each row of a sample with what the body makes of it.
fn each_row(columns: &[Column], body: &Body, sample: &Sample, mut take: impl FnMut(usize, &BodyInputs)) {
    let mut inputs = BodyInputs::default();
    let mut row = Vec::new();
    for at in 0..sample.rows() {
        row.clear();
        row.push(1.0);
        row.extend(sample.row(at).iter().zip(columns).map(|(x, column)| (column.guarded(*x) - column.mean) / column.scale));
        body.evaluate(&row, &mut inputs);
        take(at, &inputs);
    }
}

/// Each input that is not 0, with its value.
fn active(inputs: &BodyInputs) -> impl Iterator<Item = (usize, f64)> {
    inputs.leaves.iter().map(|leaf| (*leaf as usize, 1.0)).chain(inputs.values.iter().copied().enumerate())
}

/// The variance that training leaves of each input's weight.
fn uncertainty(columns: &[Column], body: &Body, learn: &Sample) -> Vec<f64> {
    let mut known = vec![1.0 / (UNKNOWN * UNKNOWN); body.width()];
    let scale = learn.effective_size() / learn.total_weight();
    each_row(columns, body, learn, |at, inputs| {
        let p = sigmoid(inputs.margin);
        let curvature = scale * learn.weight[at] * p * (1.0 - p);
        active(inputs).for_each(|(input, value)| known[input] += curvature * value * value);
    });
    known.into_iter().map(|known| 1.0 / known).collect()
}

/// The variance over listeners of each input's weight, by moments; 0 where they differ no more than chance makes them.
fn differences(columns: &[Column], body: &Body, lived: &Sample) -> Vec<f64> {
    let mut sums = std::collections::BTreeMap::<u32, Vec<[f64; 3]>>::new();
    each_row(columns, body, lived, |at, inputs| {
        let p = sigmoid(inputs.margin);
        let weight = lived.weight[at];
        let of = sums.entry(lived.group[at]).or_insert_with(|| vec![[0.0; 3]; body.width()]);
        for (input, value) in active(inputs) {
            let curvature = p * (1.0 - p) * value * value;
            of[input][0] += weight * (lived.target[at] - p) * value;
            of[input][1] += weight * weight * curvature;
            of[input][2] += weight * curvature;
        }
    });
    let mut moments = vec![(0.0, 0.0); body.width()];
    for listener in sums.values() {
        for (moment, [s, chance, i]) in moments.iter_mut().zip(listener) {
            moment.0 += s * s - chance;
            moment.1 += i * i;
        }
    }
    let variance = |(over, squares): (f64, f64)| if squares > 0.0 { (over / squares).clamp(0.0, MOST_APART) } else { 0.0 };
    moments.into_iter().map(variance).collect()
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
        found_in(name, &listeners(150, 60, spread))
    }

    fn found_in(name: &str, sample: &Sample) -> Spread {
        let (learn, judge) = sample.split(0.3, 1);
        let threads = Threads::new(1).unwrap();
        let mut settings = Settings::from_name(name, 1).unwrap();
        if let Settings::Trees(trees) = &mut settings {
            trees.trees = 20;
        }
        let fitted = fitted::fit(&learn, &judge, &settings, &threads, &mut |_, _| ()).unwrap();
        let columns: Vec<Column> = ["a", "b"].iter().map(|name| crate::train::log::column(name).unwrap()).collect();
        let columns = fitted.columns(&columns, &learn);
        let body = fitted.body().unwrap();
        let (prior, spread) = find(&columns, &body, &learn, [&judge, &learn], &threads).unwrap();
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
    fn what_is_missing_or_out_of_range_is_learned_as_a_device_learns_it() {
        let mut sample = listeners(150, 60, 1.0);
        sample.values.iter_mut().step_by(7).for_each(|x| *x = f32::NAN);
        for name in ["linear", "trees"] {
            let found = found_in(name, &sample);
            assert!(found.log_loss < found.log_loss_without - 0.005, "{name}: {found:?}");
        }
    }

    #[test]
    fn listeners_who_are_alike_are_given_none() {
        let alike = found("linear", 0.0);
        assert!(alike.bias <= 0.12 && alike.log_loss <= alike.log_loss_without + 1e-9, "{alike:?}");
    }
}
