//! The reward model: a fixed body and a Bayesian head that learns on the device.

use std::borrow::Cow;

use crate::error::Error;
use crate::features::FeatureSchema;
use ears_kernels::{ROWS, add_active, add_products, score_rows};

pub mod body;
pub mod cold_start;
mod gaussian;
mod head;
mod meaning;

pub use body::Body;
use body::{Block, Inputs};
use gaussian::HeadInput;
pub use gaussian::MAX_FULL_COVARIANCE;
pub(crate) use head::HeadState;
pub use head::{Head, HeadPrior, MAX_SEGMENTS, SEGMENT_CERTAIN, SEGMENT_OUTCOMES};
pub(crate) use meaning::{Kept, Shipped};

/// Most weights of the head beside trees, those of all segments together: what is learned of them must fit into a snapshot.
pub const MAX_SPARSE_WEIGHTS: usize = 65_536;

/// Scores of rows under a mean of the head: model, mean, rows, how many, numbers from one row to the next and of one.
type ScoreBodies = fn(&RewardModel, &[f64], &[f32], usize, [usize; 2], &mut Scratch) -> Vec<f64>;

/// Score of a card: the log-odds that it is played when seen.
///
/// Without a body the score is mean of the head . row. Beside a body the head weighs the constant 1 (the bias), the body's margin, and the
/// body's inputs, in this order; a bundle starts it at 1 for the margin and 0 for the rest, so that the score equals the margin bit for bit
/// until something is learned.
#[derive(Clone, Debug)]
pub struct RewardModel {
    body: Body,
    // Functions and not calls, so that a build that never makes a body does not carry what evaluates it.
    evaluate: fn(&Body, &[f32], &mut Inputs),
    score_bodies: ScoreBodies,
    add_bodies: fn(&Self, &FeatureSchema, &[f64], &[f32], &mut Vec<f64>),
    /// Whether a value of a row may be missing.
    missing: bool,
    head: Head,
    /// What is subtracted from each column, and what it is then divided by, before the body reads it; empty when nothing is.
    scaling: Vec<(f32, f32)>,
    shipped: Shipped,
}

/// Memory for scoring one row after another.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    row: Vec<f32>,
    inputs: Inputs,
    head: HeadInput,
}

impl RewardModel {
    /// A model that starts at `prior`.
    ///
    /// # Errors
    /// `bad_prior` when the prior has not one mean and one standard deviation for each feature and the bias; beside a body for the bias, the
    /// margin and each of its inputs ([`Body::width`] + 2), and for more than [`MAX_SPARSE_WEIGHTS`] beside trees or a covariance there.
    /// `bad_schema` when the body reads other columns than the schema has, or cannot take one that stays missing.
    pub fn new(schema: &FeatureSchema, body: Body, prior: HeadPrior) -> Result<Self, Error> {
        // The size proof builds the module without them, to see what they take.
        let model = Self::checked(schema, body, prior)?;
        Ok(if cfg!(without_bodies) {
            model
        } else {
            Self { evaluate: Body::evaluate, score_bodies: Self::score_bodies, add_bodies: Self::add_bodies, ..model }
        })
    }

    /// A model without a body; errors as [`RewardModel::new`].
    pub(crate) fn plain(schema: &FeatureSchema, prior: HeadPrior) -> Result<Self, Error> {
        Self::checked(schema, Body::Plain, prior)
    }

    fn checked(schema: &FeatureSchema, body: Body, prior: HeadPrior) -> Result<Self, Error> {
        let plain = body == Body::Plain;
        let sparse = matches!(body, Body::Trees(_));
        let width = if plain { schema.width() } else { body.width() + 2 };
        if prior.width() != width {
            return Err(Error::settings(
                "bad_prior",
                format!("expected {width} means (bias, then margin and inputs or columns), got {}", prior.width()),
            ));
        }
        if sparse && (prior.cells() > MAX_SPARSE_WEIGHTS || prior.is_full()) {
            return Err(Error::settings(
                "bad_prior",
                format!("expected at most {MAX_SPARSE_WEIGHTS} weights beside trees, without covariances, got {}", prior.cells()),
            ));
        }
        let columns = schema.columns();
        let fits = plain || if sparse { body.columns() <= columns.len() } else { body.columns() == columns.len() };
        if !fits {
            return Err(Error::settings(
                "bad_schema",
                format!("expected the {} columns that the body reads, got {}", body.columns(), columns.len()),
            ));
        }
        if let Some(column) = columns.iter().find(|column| column.keeps_missing && !sparse) {
            return Err(Error::settings(
                "bad_schema",
                format!("only trees take a missing value, column \"{}\" keeps it", column.name),
            ));
        }
        let scaling: Vec<(f32, f32)> = columns.iter().map(|column| (column.mean, column.scale)).collect();
        let scaling = if plain || scaling.iter().all(|pair| *pair == (0.0, 1.0)) { Vec::new() } else { scaling };
        let head = Head::of(prior, if plain { schema.stride() } else { 0 }, sparse);
        let missing = columns.iter().any(|column| column.keeps_missing);
        Ok(Self {
            body,
            evaluate: |_, _, _| {},
            score_bodies: |_, _, _, _, _, _| Vec::new(),
            add_bodies: |_, _, _, _, _| {},
            missing,
            head,
            scaling,
            shipped: Shipped::default(),
        })
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Margin of one feature row: what the shipped model says. 0 without a body.
    #[must_use]
    pub fn margin(&self, row: &[f32]) -> f64 {
        let mut scratch = Scratch::default();
        self.evaluate(row, &mut scratch);
        scratch.inputs.margin
    }

    /// Score of one feature row, in log-odds.
    ///
    /// # Shapes and ranges
    /// `row`: [`FeatureSchema::stride`] values, finite unless their column keeps what is missing.
    ///
    /// # Determinism
    /// As [`Head::score`]; beside a body, the margin's bits and an `f64` sum in order.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f64 {
        if self.body == Body::Plain {
            return self.head.score(row);
        }
        self.head.score_of(self.input(row, &mut Scratch::default()))
    }

    /// The scores of `count` rows of `stride` values, as [`RewardModel::score`] gives each under this head; from one row to the next are `pitch` values.
    pub(crate) fn scores_by(
        &self,
        head: &Head,
        rows: &[f32],
        count: usize,
        [pitch, stride]: [usize; 2],
        scratch: &mut Scratch,
    ) -> Vec<f64> {
        if self.body == Body::Plain {
            let mut scores = vec![0.0; count];
            score_rows(rows, pitch, head.weights(), &mut scores);
            return scores;
        }
        (self.score_bodies)(self, head.mean(), rows, count, [pitch, stride], scratch)
    }

    /// Beside a body: by blocks of rows where the body takes them, else row by row.
    fn score_bodies(
        &self,
        mean: &[f64],
        rows: &[f32],
        count: usize,
        [pitch, stride]: [usize; 2],
        scratch: &mut Scratch,
    ) -> Vec<f64> {
        let mut scores = Vec::with_capacity(count);
        let mut block = Block::default();
        let mut last = Vec::new();
        // Before anything is learned of the body's inputs none weighs anything, unless the prior says so.
        let met = mean.iter().skip(2).any(|mean| *mean != 0.0);
        for first in (0..count).step_by(ROWS) {
            let (left, mut rows) = (ROWS.min(count - first), &rows[first * pitch..]);
            if left < ROWS {
                last.extend_from_slice(rows);
                last.resize(ROWS * pitch + stride, 0.0);
                rows = &last;
            }
            if self.missing || !self.scaling.is_empty() || !self.body.evaluate_rows(rows, [pitch, stride], &mut block) {
                let row = |at: usize| &rows[at * pitch..at * pitch + stride];
                scores.extend((0..left).map(|at| self.input(row(at), scratch).dot(mean)));
                continue;
            }
            let mut sums = block.margins.map(|margin| mean[0] + mean[1] * margin);
            if met && matches!(self.body, Body::Trees(_)) {
                add_active(&block.leaves, &mean[2..], &mut sums);
            } else if met {
                add_products(&block.values, &mean[2..], &mut sums);
            }
            scores.extend_from_slice(&sums[..left]);
        }
        scores
    }

    /// Standard deviation of the score of one feature row under the head's posterior.
    #[must_use]
    pub fn score_sd(&self, row: &[f32]) -> f64 {
        self.score_sd_by(&self.head, row, &mut Scratch::default())
    }

    /// The same with another state of the head.
    pub(crate) fn score_sd_by(&self, head: &Head, row: &[f32], scratch: &mut Scratch) -> f64 {
        self.score_sds_by(head, row, row.len(), scratch).first().copied().unwrap_or_default()
    }

    /// The same with another state of the head, for rows that lie one after another.
    pub(crate) fn score_sds_by(&self, head: &Head, rows: &[f32], stride: usize, scratch: &mut Scratch) -> Vec<f64> {
        let mut sds = if self.body == Body::Plain { head.variances(rows, stride) } else { Vec::new() };
        if sds.is_empty() {
            sds.extend(rows.chunks_exact(stride.max(1)).map(|row| head.variance_of(self.input(row, scratch))));
        }
        for sd in &mut sds {
            *sd = sd.max(0.0).sqrt();
        }
        sds
    }

    /// Learns that `row` earned `reward`, counted `weight` times; see [`Head::learn_weighted`].
    pub fn learn(&mut self, row: &[f32], reward: f64, weight: f64) {
        let mut scratch = Scratch::default();
        self.input(row, &mut scratch);
        self.head.learn_input(&scratch.head, reward, weight);
    }

    /// Forgets towards the prior; see [`Head::forget`].
    pub fn forget(&mut self, now_ms: i64) {
        self.head.forget(now_ms);
    }

    /// Back to the prior, as if nothing had been learned.
    pub(crate) fn restart(&mut self) {
        self.head.restart();
    }

    /// The head to rank with; see [`Head::working`].
    ///
    /// - `pending`: rows with expected reward and weight.
    pub(crate) fn working(&self, now_ms: i64, pending: &[(&[f32], f64, f64)]) -> Cow<'_, Head> {
        let mut inputs = Vec::with_capacity(pending.len());
        for (row, reward, weight) in pending {
            let mut scratch = Scratch::default();
            self.input(row, &mut scratch);
            inputs.push((scratch.head, *reward, *weight));
        }
        self.head.working(now_ms, &inputs)
    }

    /// The means that scores are made with: those of the head, without a body rounded to `f32` as its dot product takes them.
    pub(crate) fn means(&self, head: &Head) -> Vec<f64> {
        if self.body == Body::Plain {
            head.weights().iter().take(head.mean().len()).map(|weight| f64::from(*weight)).collect()
        } else {
            head.mean().to_vec()
        }
    }

    /// What each column adds to the score of a row without a body: value times weight.
    pub(crate) fn products<'a>(means: &'a [f64], row: &'a [f32]) -> impl Iterator<Item = f64> + 'a {
        let (row, means) = (row.get(1..).unwrap_or_default(), means.get(1..).unwrap_or_default());
        row.iter().zip(means).map(|(x, weight)| f64::from(*x) * weight)
    }

    /// What each column adds to the score of a row under the head's means ([`RewardModel::means`]), in log-odds.
    ///
    /// Without a body that is value times weight. Beside one it is what the score loses when the column alone is set to its default: a
    /// column at its default adds nothing, and interactions count for every column that takes part. Costs one score for each column
    /// that is not at its default.
    pub(crate) fn additions(&self, schema: &FeatureSchema, mean: &[f64], row: &[f32], additions: &mut Vec<f64>) {
        additions.clear();
        if self.body == Body::Plain {
            additions.extend(Self::products(mean, row));
        } else {
            (self.add_bodies)(self, schema, mean, row, additions);
        }
    }

    /// Beside a body.
    fn add_bodies(&self, schema: &FeatureSchema, mean: &[f64], row: &[f32], additions: &mut Vec<f64>) {
        let columns = schema.columns();
        let (stride, mut rows) = (row.len(), row.to_vec());
        for (at, column) in columns.iter().enumerate().filter(|(at, column)| row[at + 1] != column.default) {
            rows.extend_from_slice(row);
            let changed = rows.len() - stride + at + 1;
            rows[changed] = column.default;
        }
        let count = rows.len() / stride;
        let mut scores = (self.score_bodies)(self, mean, &rows, count, [stride; 2], &mut Scratch::default()).into_iter();
        let score = scores.next().unwrap_or_default();
        for (column, value) in columns.iter().zip(&row[1..]) {
            let at_default = *value == column.default;
            additions.push(if at_default { 0.0 } else { score - scores.next().unwrap_or(score) });
        }
    }

    /// Runs the body on a row, scaled as the schema says.
    fn evaluate(&self, row: &[f32], scratch: &mut Scratch) {
        if self.scaling.is_empty() {
            return (self.evaluate)(&self.body, row, &mut scratch.inputs);
        }
        scratch.row.clear();
        scratch.row.extend(row.first());
        for (value, (mean, scale)) in row.iter().skip(1).zip(&self.scaling) {
            scratch.row.push((value - mean) / scale);
        }
        (self.evaluate)(&self.body, &scratch.row, &mut scratch.inputs);
    }

    fn input<'a>(&self, row: &[f32], scratch: &'a mut Scratch) -> &'a HeadInput {
        scratch.head.x.clear();
        scratch.head.at.clear();
        if self.body == Body::Plain {
            scratch.head.x.extend(row.iter().take(self.head.mean().len()).map(|v| f64::from(*v)));
            return &scratch.head;
        }
        self.evaluate(row, scratch);
        let HeadInput { x, at } = &mut scratch.head;
        x.extend([1.0, scratch.inputs.margin]);
        x.extend_from_slice(&scratch.inputs.values);
        if matches!(self.body, Body::Trees(_)) {
            at.extend([0, 1]);
            at.extend(scratch.inputs.leaves.iter().map(|leaf| leaf + 2));
            x.resize(at.len(), 1.0);
        }
        &scratch.head
    }
}

#[cfg(test)]
mod tests {
    use super::body::{Activation, Dense, Level, Missing, Network, Node, Rule, Split, Tree, Trees};
    use super::*;
    use crate::features::{Column, Source};

    const COLUMNS: usize = 6;

    fn number(seed: usize) -> f32 {
        ((seed * 7_919 + 13) % 1_000) as f32 / 500.0 - 1.0
    }

    fn network(activation: Activation, units: usize) -> Body {
        let dense = |inputs: usize, outputs: usize, activation, seed: usize| Dense {
            inputs,
            outputs,
            weights: (0..inputs * outputs).map(|at| number(at + seed)).collect(),
            bias: (0..outputs).map(|at| number(at + seed + 500)).collect(),
            activation,
        };
        let layers =
            vec![dense(COLUMNS, 9, activation, 1), dense(9, units, activation, 200), dense(units, 1, Activation::Identity, 300)];
        Body::Network(Network::new(layers).unwrap())
    }

    fn trees(missing: Missing) -> Body {
        let split = |column: u16, threshold: f32, left, right| {
            Node::Split(Split { column, rule: Rule::Less(threshold), missing, missing_left: true, left, right })
        };
        let mut all = Vec::new();
        for tree in 0..7u16 {
            let value = |leaf: usize| f64::from(number(leaf + usize::from(tree) * 10));
            // Of different depths, one a leaf alone.
            all.push(match tree {
                0 => Tree::General { nodes: vec![Node::Leaf(0.125)] },
                1..4 => Tree::General {
                    nodes: vec![
                        split(tree, 0.1, 1, 2),
                        Node::Leaf(value(0)),
                        split(tree + 1, -0.3, 3, 4),
                        Node::Leaf(value(1)),
                        Node::Leaf(value(2)),
                    ],
                },
                _ => {
                    let level = |column| Level { column, rule: Rule::Less(0.2), missing, missing_left: false };
                    Tree::Oblivious { levels: vec![level(tree - 4), level(5)], leaves: (0..4).map(value).collect() }
                }
            });
        }
        Body::Trees(Trees::new(-0.25, all).unwrap())
    }

    /// Rows one by one have a way of their own; both must agree before and after learning.
    #[test]
    fn rows_scored_together_have_the_bits_of_rows_scored_one_by_one() {
        for scaled in [false, true] {
            let columns = (0..COLUMNS).map(|at| {
                let (mean, scale) = if scaled { (0.1, 1.5) } else { (0.0, 1.0) };
                Column { mean, scale, ..Column::new(&format!("c{at}"), Source::Given) }
            });
            let schema = FeatureSchema::new(columns.collect()).unwrap();
            let stride = schema.stride();
            let mut rows = vec![0.0; 37 * stride];
            for (at, row) in rows.chunks_exact_mut(stride).enumerate() {
                row[0] = 1.0;
                for (column, value) in row[1..=COLUMNS].iter_mut().enumerate() {
                    *value = number(31 * at + column);
                }
            }
            let bodies = [
                Body::Plain,
                network(Activation::Relu, 5),
                network(Activation::Tanh, 8),
                trees(Missing::Nan),
                trees(Missing::Nothing),
                trees(Missing::Zero),
            ];
            for body in bodies {
                let width = if body == Body::Plain { schema.width() } else { body.width() + 2 };
                let mean: Vec<f64> = (0..width).map(|at| if at == 1 { 1.0 } else { 0.0 }).collect();
                let mut model = RewardModel::new(&schema, body, HeadPrior::new(mean, &vec![0.5; width], 1e9).unwrap()).unwrap();
                for round in 0..2 {
                    let scratch = &mut Scratch::default();
                    let together = model.scores_by(model.head(), &rows, rows.len() / stride, [stride; 2], scratch);
                    for (row, sd) in rows.chunks_exact(stride).zip(model.score_sds_by(model.head(), &rows, stride, scratch)) {
                        assert_eq!(sd.to_bits(), model.score_sd(row).to_bits(), "{} {round}", model.body().kind());
                    }
                    assert_eq!(together.len(), 37);
                    // As they lie in a page: what stands before a row and behind it is its neighbours'.
                    let mut lying = vec![5.0];
                    lying.extend(rows.chunks_exact(stride).flat_map(|row| &row[1..=COLUMNS]));
                    lying.extend([7.0; 4]);
                    assert_eq!(model.scores_by(model.head(), &lying, 37, [COLUMNS, stride], scratch), together);
                    for (row, score) in rows.chunks_exact(stride).zip(together) {
                        assert_eq!(score.to_bits(), model.score(row).to_bits(), "{} {round}", model.body().kind());
                    }
                    model.learn(&rows[..stride], 1.0, 1.0);
                    model.learn(&rows[stride..2 * stride], 0.0, 1.0);
                }
            }
        }
    }
}
