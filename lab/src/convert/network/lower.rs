//! A tape becomes the scaling of columns and the layers of the device.

use ears_only::model::body::{Activation, Body, Dense, Linear, Network};

use super::super::error::ImportError;
use super::{Arithmetic, Step, Tape};

/// What the device computes.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// [`Body::Linear`] for a tape without hidden layers, [`Body::Network`] for others.
    pub body: Body,
    /// Mean and scale of each column: `(x - mean) / scale` stands before the body.
    pub scaling: Option<Vec<(f32, f32)>>,
}

/// scale * x + shift, for each value.
#[derive(Clone)]
struct Diagonal {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

impl Diagonal {
    fn identity(width: usize) -> Self {
        Self { scale: vec![1.0; width], shift: vec![0.0; width] }
    }

    /// The same followed by one more operation.
    fn then(mut self, arithmetic: Arithmetic, constants: &[f32]) -> Self {
        for ((scale, shift), constant) in self.scale.iter_mut().zip(&mut self.shift).zip(constants) {
            let constant = f64::from(*constant);
            match arithmetic {
                Arithmetic::Add => *shift += constant,
                Arithmetic::Subtract => *shift -= constant,
                Arithmetic::SubtractFrom => (*scale, *shift) = (-*scale, constant - *shift),
                Arithmetic::Multiply => (*scale, *shift) = (*scale * constant, *shift * constant),
                Arithmetic::Divide => (*scale, *shift) = (*scale / constant, *shift / constant),
            }
        }
        self
    }

    /// The sign of each scale.
    fn signs(&self) -> Self {
        Self { scale: self.scale.iter().map(|scale| 1_f64.copysign(*scale)).collect(), shift: vec![0.0; self.scale.len()] }
    }

    fn layer(&self) -> Layer {
        let width = self.scale.len();
        let mut weights = vec![0.0; width * width];
        for (index, scale) in self.scale.iter().enumerate() {
            weights[index * width + index] = *scale;
        }
        Layer { inputs: width, weights, bias: self.shift.clone(), activation: Activation::Identity }
    }
}

/// A dense layer before its numbers are rounded.
struct Layer {
    inputs: usize,
    weights: Vec<f64>,
    bias: Vec<f64>,
    activation: Activation,
}

impl Layer {
    fn scale_outputs(&mut self, by: &Diagonal) {
        let units = self.weights.chunks_exact_mut(self.inputs).zip(&mut self.bias);
        for ((weights, bias), (scale, shift)) in units.zip(by.scale.iter().zip(&by.shift)) {
            weights.iter_mut().for_each(|weight| *weight *= scale);
            *bias = *bias * scale + shift;
        }
    }

    fn scale_inputs(&mut self, by: &Diagonal) {
        for (weights, bias) in self.weights.chunks_exact_mut(self.inputs).zip(&mut self.bias) {
            for ((weight, scale), shift) in weights.iter_mut().zip(&by.scale).zip(&by.shift) {
                *bias += *weight * shift;
                *weight *= scale;
            }
        }
    }

    /// The second unit minus the first.
    fn difference(&mut self) {
        let (first, second) = self.weights.split_at(self.inputs);
        self.weights = second.iter().zip(first).map(|(second, first)| second - first).collect();
        self.bias = vec![self.bias.get(1).copied().unwrap_or_default() - self.bias.first().copied().unwrap_or_default()];
    }
}

/// Layers as they come together.
#[derive(Default)]
struct Stack {
    layers: Vec<Layer>,
    /// Elementwise steps that no layer has taken yet.
    pending: Option<Diagonal>,
    scaling: Option<Diagonal>,
}

impl Stack {
    /// The last layer when nothing follows its sums yet.
    fn open_layer(&mut self) -> Option<&mut Layer> {
        self.layers.last_mut().filter(|layer| layer.activation == Activation::Identity && self.pending.is_none())
    }

    /// Makes a layer of what is pending, or of nothing.
    fn settle(&mut self, width: usize) {
        let diagonal = self.pending.take().unwrap_or_else(|| Diagonal::identity(width));
        self.layers.push(diagonal.layer());
    }

    fn take(&mut self, step: &Step, width: usize, inputs: usize) {
        match step {
            Step::Input => {}
            Step::Dense { weights, bias, .. } => {
                let mut wide: Vec<f64> = bias.iter().map(|bias| f64::from(*bias)).collect();
                wide.resize(width, 0.0);
                let weights = weights.iter().map(|weight| f64::from(*weight)).collect();
                let mut layer = Layer { inputs, weights, bias: wide, activation: Activation::Identity };
                match self.pending.take() {
                    // Before the first layer: the columns are scaled, which keeps more digits than scaled weights would.
                    Some(diagonal) if self.layers.is_empty() => {
                        // A scale is positive; the weights take its sign.
                        layer.scale_inputs(&diagonal.signs());
                        self.scaling = Some(diagonal);
                    }
                    Some(diagonal) => layer.scale_inputs(&diagonal),
                    None => {}
                }
                self.layers.push(layer);
            }
            Step::Elementwise { arithmetic, constants, .. } => {
                if let Some(layer) = self.open_layer() {
                    layer.scale_outputs(&Diagonal::identity(width).then(*arithmetic, constants));
                } else {
                    let before = self.pending.take().unwrap_or_else(|| Diagonal::identity(width));
                    self.pending = Some(before.then(*arithmetic, constants));
                }
            }
            Step::Apply { activation, .. } => {
                if self.open_layer().is_none() {
                    self.settle(width);
                }
                if let Some(layer) = self.layers.last_mut() {
                    layer.activation = *activation;
                }
            }
            Step::Difference { .. } => {
                if self.open_layer().is_none() {
                    self.settle(inputs);
                }
                if let Some(layer) = self.layers.last_mut() {
                    layer.difference();
                }
            }
        }
    }
}

/// The device's form of a tape.
///
/// # Errors
/// When a column is scaled by 0, or the device takes no network like it.
pub fn body(tape: &Tape) -> Result<Lowered, ImportError> {
    let mut stack = Stack::default();
    for (step, width) in chain(tape) {
        let inputs = from(step).map_or(0, |from| tape.width(from));
        stack.take(step, width, inputs);
    }
    if stack.open_layer().is_none() {
        stack.settle(1);
    }
    let scaling = stack.scaling.map(|diagonal| scaling(&diagonal)).transpose()?;
    let hidden = stack.layers.len() > 1;
    let body = match stack.layers.pop() {
        Some(layer) if !hidden => {
            Body::Linear(Linear::new(layer.bias.first().copied().unwrap_or_default(), layer.weights, Vec::new())?)
        }
        last => {
            stack.layers.extend(last);
            Body::Network(Network::new(stack.layers.into_iter().map(rounded).collect())?)
        }
    };
    Ok(Lowered { body, scaling })
}

fn rounded(layer: Layer) -> Dense {
    let narrow = |numbers: Vec<f64>| numbers.into_iter().map(|number| number as f32).collect::<Vec<f32>>();
    Dense {
        inputs: layer.inputs,
        outputs: layer.bias.len(),
        weights: narrow(layer.weights),
        bias: narrow(layer.bias),
        activation: layer.activation,
    }
}

/// scale * x + shift as (x - mean) / scale.
fn scaling(diagonal: &Diagonal) -> Result<Vec<(f32, f32)>, ImportError> {
    let mut columns = Vec::with_capacity(diagonal.scale.len());
    for (index, (scale, shift)) in diagonal.scale.iter().zip(&diagonal.shift).enumerate() {
        let (mean, scale) = ((-shift / scale) as f32, (1.0 / scale.abs()) as f32);
        if !mean.is_finite() || !scale.is_finite() || scale == 0.0 {
            return Err(ImportError::broken(
                format!("column {index}"),
                "a scale and a mean in the range of f32",
                format!("{scale}, {mean}"),
            ));
        }
        columns.push((mean, scale));
    }
    Ok(columns)
}

fn from(step: &Step) -> Option<usize> {
    match step {
        Step::Input => None,
        Step::Dense { from, .. } | Step::Elementwise { from, .. } | Step::Apply { from, .. } | Step::Difference { from } => {
            Some(*from)
        }
    }
}

/// The steps that lead to the last one, first to last.
fn chain(tape: &Tape) -> Vec<(&Step, usize)> {
    let mut chain = Vec::new();
    let mut at = tape.steps().len().checked_sub(1);
    while let Some((step, width)) = at.and_then(|at| tape.steps().get(at)) {
        chain.push((step, *width));
        at = from(step);
    }
    chain.reverse();
    chain
}
