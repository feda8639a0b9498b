//! Multilayer perceptron.

use super::{bad_body, check_columns, check_count, check_range, check_weights};
use crate::error::Error;
use crate::math::{dot, erfc, sigmoid, tanh};
use ears_kernels::{ROWS, add_products, dense, gather, rectify};

/// Most layers, the last one included.
pub const MAX_LAYERS: usize = 8;
/// Most units of a layer.
pub const MAX_UNITS: usize = 256;

/// Largest input and output of a hidden unit, in absolute value: nothing overflows whatever the weights are.
const MAX_ACTIVATION: f32 = 1e9;

/// What a unit makes of its sum. Computed in `f64` and rounded to `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Activation {
    /// z.
    Identity = 0,
    /// max(z, 0).
    Relu = 1,
    /// tanh z.
    Tanh = 2,
    /// 1 / (1 + e^-z).
    Sigmoid = 3,
    /// z times the chance that a standard normal number is below z: the exact form with erf, not the approximation with tanh.
    Gelu = 4,
}

impl Activation {
    /// Every activation with its name in a bundle, by its number.
    pub const ALL: [(&'static str, Self); 5] = [
        ("identity", Self::Identity),
        ("relu", Self::Relu),
        ("tanh", Self::Tanh),
        ("sigmoid", Self::Sigmoid),
        ("gelu", Self::Gelu),
    ];

    fn of(self, z: f32) -> f32 {
        let wide = f64::from(z);
        let value = match self {
            Self::Identity => z,
            Self::Relu => z.max(0.0),
            Self::Tanh => tanh(wide) as f32,
            Self::Sigmoid => sigmoid(wide) as f32,
            Self::Gelu => (0.5 * wide * erfc(-wide * std::f64::consts::FRAC_1_SQRT_2)) as f32,
        };
        value.clamp(-MAX_ACTIVATION, MAX_ACTIVATION)
    }
}

/// One fully connected layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of units.
    pub outputs: usize,
    /// outputs x inputs, the weights of a unit side by side.
    pub weights: Vec<f32>,
    /// One for each unit.
    pub bias: Vec<f32>,
    /// Applied to each unit.
    pub activation: Activation,
}

/// Layers one after another; the last has one unit and no activation, and gives the margin.
///
/// # Determinism
/// Hidden sums are `f32` in the order of [`crate::math::dot`], then the bias is added; the last one is an `f64` sum in index order that
/// starts at the bias. Against a forward pass in `f64` the golden networks differ by less than 1e-6.
///
/// # References
/// The last hidden layer as features of a Bayesian head: C. Riquelme, G. Tucker and J. Snoek (2018), "Deep Bayesian bandits showdown",
/// ICLR, section 3 (neural linear).
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    layers: Vec<Dense>,
}

impl Network {
    /// Checks the layers.
    ///
    /// # Errors
    /// `bad_body` for no layers or more than [`MAX_LAYERS`], a layer wider than [`MAX_UNITS`], sizes that do not follow from each other, a
    /// last layer with several units or an activation, or a weight that is not finite or beyond [`super::MAX_WEIGHT`].
    pub fn new(layers: Vec<Dense>) -> Result<Self, Error> {
        check_range("layers", 1, MAX_LAYERS, layers.len())?;
        check_columns(layers[0].inputs)?;
        let mut inputs = layers[0].inputs;
        for layer in &layers {
            check_count("inputs of a layer", inputs, layer.inputs)?;
            check_range("units of a layer", 1, MAX_UNITS, layer.outputs)?;
            check_count("weights of a layer", inputs * layer.outputs, layer.weights.len())?;
            check_count("biases of a layer", layer.outputs, layer.bias.len())?;
            check_weights("weight", &mut layer.weights.iter().chain(&layer.bias).map(|v| f64::from(*v)))?;
            inputs = layer.outputs;
        }
        check_count("unit of the last layer", 1, inputs)?;
        if layers[layers.len() - 1].activation != Activation::Identity {
            return Err(bad_body("the last layer must have no activation: its unit is the log-odds".to_owned()));
        }
        Ok(Self { layers })
    }

    /// The layers, first to last.
    #[must_use]
    pub fn layers(&self) -> &[Dense] {
        &self.layers
    }

    pub(super) fn columns(&self) -> usize {
        self.layers[0].inputs
    }

    /// Width of the last hidden layer; the columns when there is none.
    pub(super) fn width(&self) -> usize {
        self.layers[self.layers.len() - 1].inputs
    }

    /// The margin; adds the last hidden layer to `inputs`.
    pub(super) fn evaluate(&self, x: &[f32], inputs: &mut Vec<f64>) -> f64 {
        let (mut one, mut other) = ([0f32; MAX_UNITS], [0f32; MAX_UNITS]);
        // Layers write in turns: what is exchanged are references, not the units.
        let (mut from, mut to) = (&mut one, &mut other);
        for (to, x) in from.iter_mut().zip(x) {
            *to = x.clamp(-MAX_ACTIVATION, MAX_ACTIVATION);
        }
        let Some((last, hidden)) = self.layers.split_last() else { return 0.0 };
        for layer in hidden {
            let units = layer.weights.chunks_exact(layer.inputs).zip(&layer.bias);
            for (to, (weights, bias)) in to.iter_mut().zip(units) {
                *to = layer.activation.of(dot(weights, from) + bias);
            }
            std::mem::swap(&mut from, &mut to);
        }
        let mut margin = f64::from(last.bias.first().copied().unwrap_or_default());
        // A row that is too short has no columns at all.
        let known = if x.is_empty() { 0 } else { last.inputs };
        for (value, weight) in from.iter().zip(&last.weights).take(known) {
            inputs.push(f64::from(*value));
            margin += f64::from(*weight) * f64::from(*value);
        }
        margin
    }

    /// Margins of [`ROWS`] rows, with the bits of [`Network::evaluate`].
    ///
    /// - `from`: becomes the last hidden layer of each row.
    /// - `to`: memory for layers.
    pub(super) fn evaluate_rows(&self, rows: &[f32], pitch: usize, from: &mut Vec<f32>, to: &mut Vec<f32>) -> [f64; ROWS] {
        gather(rows, pitch, ROWS, self.columns(), MAX_ACTIVATION, from);
        let Some((last, hidden)) = self.layers.split_last() else { return [0.0; ROWS] };
        for layer in hidden {
            to.resize(ROWS * layer.outputs, 0.0);
            dense(from, layer.inputs, &layer.weights, &layer.bias, to);
            if layer.activation == Activation::Relu {
                rectify(to, MAX_ACTIVATION);
            } else {
                for value in to.iter_mut() {
                    *value = layer.activation.of(*value);
                }
            }
            std::mem::swap(from, to);
        }
        let weights: Vec<f64> = last.weights.iter().map(|weight| f64::from(*weight)).collect();
        let mut margins = [f64::from(last.bias.first().copied().unwrap_or_default()); ROWS];
        add_products(from, &weights, &mut margins);
        margins
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Inputs};
    use super::*;
    use Activation::{Gelu, Identity, Relu, Sigmoid, Tanh};

    fn dense(inputs: usize, weights: &[f32], bias: &[f32], activation: Activation) -> Dense {
        Dense { inputs, outputs: bias.len(), weights: weights.to_vec(), bias: bias.to_vec(), activation }
    }

    #[test]
    fn margin_and_hidden_layer_by_hand() {
        let hidden = dense(3, &[1.0, -1.0, 0.5, 2.0, 0.0, -4.0], &[0.25, 0.5], Relu);
        let body = Body::Network(Network::new(vec![hidden, dense(2, &[3.0, -2.0], &[0.125], Identity)]).unwrap());
        let mut inputs = Inputs::default();
        // 2 - 0.5 + 2 + 0.25 = 3.75 and 4 - 16 + 0.5 < 0
        body.evaluate(&[1.0, 2.0, 0.5, 4.0], &mut inputs);
        assert_eq!(inputs.values, [3.75, 0.0]);
        assert_eq!(inputs.margin, 0.125 + 3.0 * 3.75);
        assert_eq!((body.columns(), body.width()), (3, 2));
    }

    #[test]
    fn activations_by_their_tables() {
        for (activation, z, want) in [
            (Identity, -1.5, -1.5),
            (Relu, -1.5, 0.0),
            (Relu, 2.0, 2.0),
            (Tanh, 0.5, 0.462_117_16),
            (Tanh, -1e-7, -1e-7),
            (Sigmoid, -2.0, 0.119_202_92),
            (Gelu, 1.0, 0.841_344_8),
            (Gelu, -0.5, -0.154_268_77),
            (Gelu, -1e4, 0.0),
            (Identity, 1e20, 1e9),
        ] {
            assert!((activation.of(z) - want).abs() <= want.abs() * 1e-7, "{activation:?} {z}: {}", activation.of(z));
        }
    }

    #[test]
    fn without_hidden_layers_the_columns_are_the_inputs() {
        let body = Body::Network(Network::new(vec![dense(2, &[0.5, -1.0], &[1.0], Identity)]).unwrap());
        let mut inputs = Inputs::default();
        body.evaluate(&[1.0, 4.0, 0.25], &mut inputs);
        assert_eq!((inputs.margin, inputs.values.as_slice()), (2.75, &[4.0, 0.25][..]));
    }

    #[test]
    fn no_input_overflows() {
        let wide = |activation| dense(2, &[1e6, 1e6, 1e6, 1e6], &[0.0, 0.0], activation);
        for activation in [Identity, Relu, Tanh, Sigmoid, Gelu] {
            let layers = vec![wide(activation), wide(activation), wide(activation), dense(2, &[1e6, 1e6], &[0.0], Identity)];
            let body = Body::Network(Network::new(layers).unwrap());
            assert!(body.margin(&[1.0, f32::MAX, f32::MAX]).is_finite(), "{activation:?}");
        }
    }

    #[test]
    fn refuses_bad_layers() {
        let message = |layers: Vec<Dense>| {
            let error = Network::new(layers).unwrap_err();
            assert_eq!(error.code(), "bad_body");
            error.message().to_owned()
        };
        let last = || dense(1, &[1.0], &[0.0], Identity);
        for (layers, want) in [
            (Vec::new(), "expected 1 to 8 layers, got 0"),
            ((0..9).map(|_| last()).collect(), "expected 1 to 8 layers, got 9"),
            (vec![dense(0, &[], &[0.0], Identity)], "expected 1 to 256 columns, got 0"),
            (vec![dense(1, &[1.0, 1.0], &[0.0, 0.0], Relu), last()], "expected 2 inputs of a layer, got 1"),
            (vec![dense(1, &[0.0; 257], &[0.0; 257], Relu), last()], "expected 1 to 256 units of a layer, got 257"),
            (vec![dense(1, &[1.0; 2], &[0.0], Identity)], "expected 1 weights of a layer, got 2"),
            (vec![Dense { outputs: 2, ..dense(1, &[1.0; 2], &[0.0], Relu) }], "expected 2 biases of a layer, got 1"),
            (vec![dense(1, &[1.0; 2], &[0.0; 2], Identity)], "expected 1 unit of the last layer, got 2"),
            (vec![dense(1, &[f32::NAN], &[0.0], Identity)], "weight 0 must be within -1000000 and 1000000, got NaN"),
            (vec![dense(1, &[1.0], &[0.0], Tanh)], "the last layer must have no activation: its unit is the log-odds"),
        ] {
            assert_eq!(message(layers), want);
        }
    }
}
