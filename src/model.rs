//! The reward model: a fixed body and a Bayesian head that learns on the device.

use std::borrow::Cow;

use crate::error::Error;
use crate::features::FeatureSchema;

pub mod body;
pub mod cold_start;
mod gaussian;
mod head;
mod meaning;

pub use body::Body;
use body::Inputs;
use gaussian::HeadInput;
pub use gaussian::MAX_FULL_COVARIANCE;
pub(crate) use head::HeadState;
pub use head::{Head, HeadPrior, MAX_SEGMENTS, SEGMENT_CERTAIN, SEGMENT_OUTCOMES};
pub(crate) use meaning::{Kept, Shipped};

/// Most weights of the head beside trees, those of all segments together: what is learned of them must fit into a snapshot.
pub const MAX_SPARSE_WEIGHTS: usize = 65_536;

/// Score of a card: the log-odds that it is played when seen.
///
/// Without a body the score is mean of the head . row. Beside a body the head weighs the constant 1 (the bias), the body's margin, and the
/// body's inputs, in this order; a bundle starts it at 1 for the margin and 0 for the rest, so that the score equals the margin bit for bit
/// until something is learned.
#[derive(Clone, Debug)]
pub struct RewardModel {
    body: Body,
    // A function and not a call, so that a build that never makes a body does not carry what evaluates it.
    evaluate: fn(&Body, &[f32], &mut Inputs),
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
        let evaluate = if cfg!(without_bodies) { |_: &Body, _: &[f32], _: &mut Inputs| {} } else { Body::evaluate };
        Ok(Self { evaluate, ..Self::checked(schema, body, prior)? })
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
        Ok(Self { body, evaluate: |_, _, _| {}, head, scaling, shipped: Shipped::default() })
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
        self.score_by(&self.head, row, &mut Scratch::default())
    }

    /// The same with another state of the head.
    pub(crate) fn score_by(&self, head: &Head, row: &[f32], scratch: &mut Scratch) -> f64 {
        if self.body == Body::Plain {
            return head.score(row);
        }
        head.score_of(self.input(row, scratch))
    }

    /// Standard deviation of the score of one feature row under the head's posterior.
    #[must_use]
    pub fn score_sd(&self, row: &[f32]) -> f64 {
        self.score_sd_by(&self.head, row, &mut Scratch::default())
    }

    /// The same with another state of the head.
    pub(crate) fn score_sd_by(&self, head: &Head, row: &[f32], scratch: &mut Scratch) -> f64 {
        head.variance_of(self.input(row, scratch)).max(0.0).sqrt()
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
        let columns = schema.columns();
        additions.clear();
        if self.body == Body::Plain {
            additions.extend(Self::products(mean, row));
            return;
        }
        let scratch = &mut Scratch::default();
        let score = self.input(row, scratch).dot(mean);
        let mut changed = row.to_vec();
        for (at, column) in columns.iter().enumerate() {
            let value = row[at + 1];
            if value == column.default {
                additions.push(0.0);
                continue;
            }
            changed[at + 1] = column.default;
            additions.push(score - self.input(&changed, scratch).dot(mean));
            changed[at + 1] = value;
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
