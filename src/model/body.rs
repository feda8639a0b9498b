//! The fixed part of a reward model: turns a feature row into the margin of the shipped model and the inputs of the head.
//!
//! | body | margin | inputs of the head |
//! |---|---|---|
//! | [`Body::Plain`] | none | the row itself |
//! | [`Linear`] | weights and declared crosses | columns and crosses |
//! | [`Factorization`] | factorization machine of order 2 or 3 | columns and interaction terms |
//! | [`Trees`] | sum of leaves | which leaf of each tree is active |
//! | [`Network`] | multilayer perceptron | its last hidden layer |
//!
//! Every body reads a row as [`crate::features`] writes it: the constant 1 first, then the columns. A column's number does not count
//! that constant. NaN stands for a missing value; only trees take it.
//!
//! # Determinism
//! Margins are summed in `f64` in a written order, the hidden layers of a network in the order of [`crate::math::dot`]; transcendental
//! functions come from [`crate::math`]. The bits are the same on every target.

use crate::error::{Error, shown};
use crate::page::MAX_COLUMNS;
use ears_kernels::ROWS;

mod factorization;
mod linear;
mod network;
mod trees;

pub use factorization::{Factorization, MAX_RANK};
pub use linear::{Linear, MAX_CROSSES};
pub use network::{Activation, Dense, MAX_LAYERS, MAX_UNITS, Network};
pub(crate) use trees::MAX_SET_WORDS;
pub use trees::{Level, MAX_DEPTH, MAX_LEVELS, MAX_NODES, MAX_TREES, Missing, Node, Rule, Split, Tree, Trees};

/// Largest weight, factor, leaf or intercept, in absolute value.
pub const MAX_WEIGHT: f64 = 1e6;

/// What turns features into a margin and the inputs of the head.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// No model of its own: the head weighs the features themselves.
    #[default]
    Plain,
    /// Logistic regression with crosses.
    Linear(Linear),
    /// Factorization machine.
    Factorization(Factorization),
    /// Boosted trees.
    Trees(Trees),
    /// Multilayer perceptron.
    Network(Network),
}

/// What a body makes of one row. Reused from row to row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// Log-odds of the shipped model; never -0.
    pub margin: f64,
    /// Dense inputs of the head.
    pub values: Vec<f64>,
    /// Sparse inputs of the head: the active leaf of each tree, counted through all trees; each has the value 1.
    pub leaves: Vec<u32>,
}

/// What a body makes of [`ROWS`] rows. Reused from block to block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) margins: [f64; ROWS],
    /// Dense inputs of the head, row after row.
    pub(crate) values: Vec<f32>,
    /// What a layer makes of another.
    spare: Vec<f32>,
    /// The active leaf of each tree in each row.
    pub(crate) leaves: Vec<[u32; ROWS]>,
}

impl Body {
    /// The margin of one row, in log-odds.
    ///
    /// # Shapes and ranges
    /// `row`: the constant 1 and at least as many columns as the body was made for; a shorter row gives the intercept.
    #[must_use]
    pub fn margin(&self, row: &[f32]) -> f64 {
        let mut inputs = Inputs::default();
        self.evaluate(row, &mut inputs);
        inputs.margin
    }

    /// Writes margin and head inputs of one row into `into`. [`Body::Plain`] has margin 0 and none.
    pub fn evaluate(&self, row: &[f32], into: &mut Inputs) {
        into.values.clear();
        into.leaves.clear();
        let columns = row.get(1..=self.columns()).unwrap_or_default();
        let margin = match self {
            Self::Plain => 0.0,
            Self::Linear(linear) => linear.evaluate(columns, &mut into.values),
            Self::Factorization(machine) => machine.evaluate(columns, &mut into.values),
            Self::Trees(trees) => trees.evaluate(columns, &mut into.leaves),
            Self::Network(network) => network.evaluate(columns, &mut into.values),
        };
        // A sum of -0 becomes 0: the score adds zeros to the margin and must keep its bits.
        into.margin = margin + 0.0;
    }

    /// Margins of many rows, and what the head reads of each, where that is faster than row by row; bits as [`Body::evaluate`] gives them.
    ///
    /// - `rows`: [`ROWS`] rows of `stride` values that are no NaN, of columns as the body reads them, from one to the next `pitch`.
    pub(crate) fn evaluate_rows(&self, rows: &[f32], [pitch, stride]: [usize; 2], into: &mut Block) -> bool {
        match self {
            Self::Network(network) => {
                let margins = network.evaluate_rows(rows, pitch, &mut into.values, &mut into.spare);
                for (margin, value) in into.margins.iter_mut().zip(margins) {
                    *margin = value + 0.0;
                }
                true
            }
            Self::Trees(trees) => {
                let Some(forest) = trees.forest() else { return false };
                into.margins = [trees.intercept(); ROWS];
                into.leaves.resize(forest.trees.len(), [0; ROWS]);
                forest.run(rows, [pitch, stride], trees.leaves(), &mut into.margins, &mut into.leaves);
                for margin in &mut into.margins {
                    *margin += 0.0;
                }
                true
            }
            Self::Plain | Self::Linear(_) | Self::Factorization(_) => false,
        }
    }

    /// Number of columns that a row must have, without the constant; for trees the largest one read. 0 for [`Body::Plain`].
    #[must_use]
    pub fn columns(&self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Linear(linear) => linear.columns(),
            Self::Factorization(machine) => machine.columns(),
            Self::Trees(trees) => trees.columns(),
            Self::Network(network) => network.columns(),
        }
    }

    /// Number of head inputs besides bias and margin: dense ones, or the leaves of all trees. 0 for [`Body::Plain`].
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Linear(linear) => linear.columns() + linear.crosses().len(),
            Self::Factorization(machine) => machine.width(),
            Self::Trees(trees) => trees.leaf_count(),
            Self::Network(network) => network.width(),
        }
    }

    /// Its name in a bundle.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Linear(_) => "linear",
            Self::Factorization(_) => "factorization",
            Self::Trees(_) => "trees",
            Self::Network(_) => "network",
        }
    }
}

#[cold]
fn bad_body(message: String) -> Error {
    Error::settings("bad_body", message)
}

/// Refuses anything but `expected` entries.
fn check_count(what: &str, expected: usize, got: usize) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(bad_body(format!("expected {expected} {what}, got {got}"))) }
}

/// Refuses a number outside `least..=most`.
fn check_range(what: &str, least: usize, most: usize, got: usize) -> Result<(), Error> {
    if (least..=most).contains(&got) { Ok(()) } else { Err(bad_body(format!("expected {least} to {most} {what}, got {got}"))) }
}

/// Refuses a number of columns that no schema has.
fn check_columns(columns: usize) -> Result<(), Error> {
    check_range("columns", 1, MAX_COLUMNS, columns)
}

/// Refuses values that are not finite or beyond [`MAX_WEIGHT`].
fn check_weights(what: &str, values: &mut dyn Iterator<Item = f64>) -> Result<(), Error> {
    for (index, value) in values.enumerate() {
        // Also false for NaN.
        if !(-MAX_WEIGHT..=MAX_WEIGHT).contains(&value) {
            return Err(bad_body(format!("{what} {index} must be within -1000000 and 1000000, got {}", shown(value))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_too_short_gives_the_intercept() {
        let body = Body::Linear(Linear::new(0.25, vec![1.0, 2.0], Vec::new()).unwrap());
        assert_eq!(body.margin(&[1.0, 3.0]), 0.25);
        assert_eq!(body.margin(&[1.0, 3.0, 4.0]), 11.25);
        assert_eq!(Body::Plain.margin(&[1.0, 3.0]), 0.0);
    }

    #[test]
    fn a_margin_is_never_minus_zero() {
        let body = Body::Linear(Linear::new(-0.0, vec![-0.0], Vec::new()).unwrap());
        assert_eq!(body.margin(&[1.0, 0.0]).to_bits(), 0);
    }
}
