//! A trained model of any kind, and the body that a device evaluates.

use ears_only::features::{Column, Source};
use ears_only::model::body::{self, Body, Dense, Level, Missing, Rule};

use super::descent::Model as _;
use super::factorization::Factorization;
use super::inputs::Inputs;
use super::linear::Linear;
use super::network::{Activation, Network};
use super::parallel::Threads;
use super::sample::Sample;
use super::trees::{Node, Split, Tree, Trees};
use super::{factorization, linear, network, trees};
use crate::error::LabError;

/// What to fit.
#[derive(Clone, Debug, PartialEq)]
pub enum Settings {
    /// Logistic regression.
    Linear(linear::Settings),
    /// Factorization machine.
    Factorization(factorization::Settings),
    /// Boosted trees.
    Trees(trees::Settings),
    /// Multilayer perceptron.
    Network(network::Settings),
}

impl Settings {
    /// The usual settings of a body called `name`, everything drawn by `seed`.
    ///
    /// # Errors
    /// For any other name.
    pub fn from_name(name: &str, seed: u64) -> Result<Self, LabError> {
        Ok(match name {
            "linear" => Self::Linear(linear::Settings::default()),
            "fm" => {
                let mut settings = factorization::Settings::default();
                settings.descent.seed = seed;
                Self::Factorization(settings)
            }
            "trees" => Self::Trees(trees::Settings::default()),
            "oblivious" => Self::Trees(trees::Settings { shape: trees::Shape::Oblivious, ..trees::Settings::default() }),
            "network" => {
                let mut settings = network::Settings::default();
                settings.descent.seed = seed;
                Self::Network(settings)
            }
            _ => {
                return Err(LabError::unreadable(format!(
                    "expected the body linear, fm, trees, oblivious or network, found {name}"
                )));
            }
        })
    }
}

/// A model of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Logistic regression.
    Linear(Linear),
    /// Factorization machine.
    Factorization(Factorization),
    /// Boosted trees.
    Trees(Trees),
    /// Multilayer perceptron.
    Network(Network),
}

/// A model with what it sees of the columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// How columns are prepared; trees take them as they are.
    pub inputs: Option<Inputs>,
    /// The model.
    pub model: Model,
    /// Loss of the judging rows after each pass or tree; empty for the logistic regression.
    pub curve: Vec<f64>,
}

/// Fits a model to `learn`; `judge` says when to stop. `progress` hears how many passes or trees are done, of how many at most.
///
/// # Errors
/// When a setting is out of range or no fit is found.
pub fn fit(
    learn: &Sample,
    judge: &Sample,
    settings: &Settings,
    threads: &Threads,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Fitted, LabError> {
    let mut curve = Vec::new();
    let most = match settings {
        Settings::Linear(_) => 0,
        Settings::Factorization(settings) => settings.descent.epochs,
        Settings::Trees(settings) => settings.trees,
        Settings::Network(settings) => settings.descent.epochs,
    };
    let mut hear = |done: usize, loss: f64| {
        curve.push(loss);
        progress(done, most);
    };
    if let Settings::Trees(settings) = settings {
        let model = Model::Trees(trees::fit(learn, judge, settings, threads, &mut hear)?);
        return Ok(Fitted { inputs: None, model, curve });
    }
    let inputs = Inputs::fit(learn);
    let (learn, judge) = (inputs.applied(learn), inputs.applied(judge));
    let model = match settings {
        Settings::Linear(settings) => Model::Linear(linear::fit(&learn, settings, threads)?),
        Settings::Factorization(settings) => Model::Factorization(factorization::fit(&learn, &judge, settings, &mut hear)?),
        Settings::Network(settings) => Model::Network(network::fit(&learn, &judge, settings, &mut hear)?),
        Settings::Trees(settings) => Model::Trees(trees::fit(&learn, &judge, settings, threads, &mut hear)?),
    };
    Ok(Fitted { inputs: Some(inputs), model, curve })
}

impl Fitted {
    /// What the model sees of a sample.
    #[must_use]
    pub fn seen(&self, sample: &Sample) -> Sample {
        self.inputs.as_ref().map_or_else(|| sample.clone(), |inputs| inputs.applied(sample))
    }

    /// Log-odds of all rows.
    #[must_use]
    pub fn margins(&self, sample: &Sample, threads: &Threads) -> Vec<f64> {
        let seen = self.seen(sample);
        match &self.model {
            Model::Linear(linear) => (0..seen.rows()).map(|row| linear.margin(seen.row(row))).collect(),
            Model::Factorization(machine) => machine.margins(&seen),
            Model::Trees(trees) => trees.margins(&seen, threads),
            Model::Network(network) => network.margins(&seen),
        }
    }

    /// Makes every margin `scale` x margin + `shift`. Trees stay as they are.
    pub(super) fn rescale(&mut self, scale: f64, shift: f64) {
        match &mut self.model {
            Model::Linear(linear) => {
                linear.weights.iter_mut().for_each(|weight| *weight *= scale);
                linear.weights[0] += shift;
                linear.covariance.iter_mut().for_each(|cell| *cell *= scale * scale);
            }
            Model::Factorization(machine) => machine.rescale(scale, shift),
            Model::Network(network) => network.rescale(scale as f32, shift as f32),
            Model::Trees(_) => (),
        }
    }

    /// The columns as a bundle says them: what stands for a missing value, how they are scaled, and for those that the app gives the
    /// range met in `learn`, which the device keeps to.
    #[must_use]
    pub fn columns(&self, columns: &[Column], learn: &Sample) -> Vec<Column> {
        let prepared = |(at, column): (usize, &Column)| {
            let values = || (0..learn.rows()).map(|row| learn.row(row)[at]);
            let mut column = column.clone();
            match &self.inputs {
                Some(inputs) => {
                    (column.default, column.mean, column.scale) = (inputs.default[at], inputs.mean[at], inputs.scale[at]);
                }
                None => column.keeps_missing = values().any(f32::is_nan),
            }
            if matches!(column.source, Source::Given | Source::Context) {
                // f32::min and max leave out what is missing. A default outside, of a column never met, widens the range.
                column.min = values().fold(column.default, f32::min);
                column.max = values().fold(column.default, f32::max);
            }
            column
        };
        columns.iter().enumerate().map(prepared).collect()
    }

    /// The body that a device evaluates, on prepared columns.
    ///
    /// # Errors
    /// When the model is beyond what a device takes, or has not a single tree.
    pub fn body(&self) -> Result<Body, LabError> {
        let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
        Ok(match &self.model {
            Model::Linear(linear) => {
                let columns = linear.weights.len() - 1 - linear.crosses.len();
                let (weights, crossed) = linear.weights[1..].split_at(columns);
                let crosses = linear.crosses.iter().zip(crossed).map(|((a, b), weight)| (*a, *b, *weight)).collect();
                Body::Linear(body::Linear::new(linear.weights[0], weights.to_vec(), crosses)?)
            }
            Model::Factorization(machine) => {
                let third = (machine.third > 0).then(|| (machine.third, machine.third_factors().to_vec()));
                Body::Factorization(body::Factorization::new(
                    f64::from(machine.parameters[0]),
                    wide(machine.weights()),
                    machine.rank,
                    machine.factors().to_vec(),
                    third,
                )?)
            }
            Model::Trees(trees) if trees.trees.is_empty() => {
                return Err(LabError::failed(
                    "boosted trees: expected at least one split that helps the judging rows, found none",
                ));
            }
            Model::Trees(trees) => Body::Trees(body::Trees::new(trees.intercept, trees.trees.iter().map(tree).collect())?),
            Model::Network(network) => Body::Network(body::Network::new(layers(network))?),
        })
    }
}

fn tree(tree: &Tree) -> body::Tree {
    match tree {
        Tree::General(nodes) => {
            let node = |node: &Node| match *node {
                Node::Leaf(leaf) => body::Node::Leaf(leaf.value),
                Node::Split(Split { column, below, missing_left }, left, right) => body::Node::Split(body::Split {
                    column,
                    rule: Rule::Less(below),
                    missing: Missing::Nan,
                    missing_left,
                    left,
                    right,
                }),
            };
            body::Tree::General { nodes: nodes.iter().map(node).collect() }
        }
        Tree::Oblivious(splits, leaves) => {
            let level = |split: &Split| Level {
                column: split.column,
                rule: Rule::Less(split.below),
                missing: Missing::Nan,
                missing_left: split.missing_left,
            };
            body::Tree::Oblivious {
                levels: splits.iter().map(level).collect(),
                leaves: leaves.iter().map(|leaf| leaf.value).collect(),
            }
        }
    }
}

fn layers(network: &Network) -> Vec<Dense> {
    let hidden = match network.activation {
        Activation::Relu => body::Activation::Relu,
        Activation::Tanh => body::Activation::Tanh,
        Activation::Sigmoid => body::Activation::Sigmoid,
        Activation::Gelu => body::Activation::Gelu,
    };
    let last = network.layers.len() - 1;
    let dense = |(number, layer): (usize, &network::Layer)| Dense {
        inputs: layer.inputs,
        outputs: layer.outputs,
        weights: network.parameters[layer.weights.clone()].to_vec(),
        bias: network.parameters[layer.biases.clone()].to_vec(),
        activation: if number == last { body::Activation::Identity } else { hidden },
    };
    network.layers.iter().enumerate().map(dense).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::descent::Normals;

    /// Rows with missing values and a reward that columns 0 and 1 make together.
    fn sample(rows: u32) -> Sample {
        let mut normals = Normals::new(7);
        let mut sample = Sample { width: 4, ..Sample::default() };
        for row in 0..rows {
            let values: Vec<f32> = (0..4).map(|_| 3.0 + 2.0 * normals.draw()).collect();
            sample
                .target
                .push(f64::from(u8::from((values[0] - 3.0) * (values[1] - 3.0) + f64::from(normals.draw()) as f32 > 1.0)));
            sample.values.extend(values.iter().enumerate().map(|(c, x)| if c == 3 && *x < 1.0 { f32::NAN } else { *x }));
            sample.weight.push(1.0);
            sample.group.push(row);
        }
        sample
    }

    #[test]
    fn the_device_evaluates_every_body_as_the_trainer_does() {
        let (learn, judge) = sample(400).split(0.3, 1);
        let threads = Threads::new(1).unwrap();
        let crossed = Settings::Linear(linear::Settings { crosses: vec![(0, 1), (2, 2)], ..linear::Settings::default() });
        let mut third = factorization::Settings { third: 2, ..factorization::Settings::default() };
        third.descent.epochs = 3;
        let mut all = vec![crossed, Settings::Factorization(third)];
        for name in ["linear", "fm", "trees", "oblivious", "network"] {
            let mut settings = Settings::from_name(name, 3).unwrap();
            match &mut settings {
                Settings::Factorization(settings) => settings.descent.epochs = 3,
                Settings::Network(settings) => settings.descent.epochs = 3,
                Settings::Trees(settings) => settings.trees = 20,
                Settings::Linear(_) => (),
            }
            all.push(settings);
        }
        for settings in all {
            let fitted = fit(&learn, &judge, &settings, &threads, &mut |_, _| ()).unwrap();
            let body = fitted.body().unwrap();
            let seen = fitted.seen(&judge);
            for (row, margin) in fitted.margins(&judge, &threads).into_iter().enumerate() {
                let with_bias: Vec<f32> = [1.0].into_iter().chain(seen.row(row).iter().copied()).collect();
                let found = body.margin(&with_bias);
                assert!((found - margin).abs() < 1e-5, "{settings:?}: {found} {margin}");
                if matches!(fitted.model, Model::Trees(_) | Model::Linear(_)) {
                    assert_eq!(found.to_bits(), (margin + 0.0).to_bits());
                }
            }
        }
        assert!(Settings::from_name("forest", 1).is_err());
    }
}
