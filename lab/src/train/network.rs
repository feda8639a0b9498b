//! A multilayer perceptron with one output, in `f32`.

use std::ops::Range;

use super::descent::{self, Model, Normals};
use super::parallel::PIECE;
use super::sample::{Sample, base_margin};
use crate::error::LabError;

/// What stands between layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// max(0, z).
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-z).
    Sigmoid,
    /// z Phi(z), Phi the normal distribution function (Hendrycks and Gimpel 2016).
    Gelu,
}

impl Activation {
    /// The activation called `name`.
    ///
    /// # Errors
    /// For any other name.
    pub fn from_name(name: &str) -> Result<Self, LabError> {
        match name {
            "relu" => Ok(Self::Relu),
            "tanh" => Ok(Self::Tanh),
            "sigmoid" => Ok(Self::Sigmoid),
            "gelu" => Ok(Self::Gelu),
            _ => Err(LabError::unreadable(format!("expected the activation relu, tanh, sigmoid or gelu, found {name}"))),
        }
    }

    fn of(self, z: f32) -> f32 {
        match self {
            Self::Relu => z.max(0.0),
            Self::Tanh => libm::tanhf(z),
            Self::Sigmoid => 1.0 / (1.0 + libm::expf(-z)),
            Self::Gelu => z * normal(z),
        }
    }

    /// The slope at `z`, where the value is `a`.
    fn slope(self, z: f32, a: f32) -> f32 {
        match self {
            Self::Relu => f32::from(u8::from(z > 0.0)),
            Self::Tanh => 1.0 - a * a,
            Self::Sigmoid => a * (1.0 - a),
            Self::Gelu => normal(z) + z * 0.398_942_3 * libm::expf(-0.5 * z * z),
        }
    }
}

fn normal(z: f32) -> f32 {
    0.5 * (1.0 + libm::erff(z * std::f32::consts::FRAC_1_SQRT_2))
}

/// What to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Width of each hidden layer.
    pub hidden: Vec<usize>,
    /// Between the layers.
    pub activation: Activation,
    /// How to descend.
    pub descent: descent::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self { hidden: vec![32, 16], activation: Activation::Relu, descent: descent::Settings::default() }
    }
}

/// Most hidden layers and widest layer.
pub const MAX_HIDDEN: usize = 7;
/// Widest layer.
pub const MAX_WIDTH: usize = 256;

/// One layer: its shape, and where its numbers lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Inputs.
    pub inputs: usize,
    /// Outputs.
    pub outputs: usize,
    /// Weights in the parameters, row by row: one row for each output.
    pub weights: Range<usize>,
    /// Biases in the parameters.
    pub biases: Range<usize>,
}

/// A network.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// From the columns to the one output.
    pub layers: Vec<Layer>,
    /// After every layer but the last.
    pub activation: Activation,
    /// Weights and biases of all layers.
    pub parameters: Vec<f32>,
}

/// Fits a network to `learn`, which holds no missing values; `judge` says when to stop.
///
/// # Errors
/// When a setting is out of range, or the loss is no number any more.
pub fn fit(
    learn: &Sample,
    judge: &Sample,
    settings: &Settings,
    progress: &mut dyn FnMut(usize, f64),
) -> Result<Network, LabError> {
    let fits = (1..=MAX_HIDDEN).contains(&settings.hidden.len()) && settings.hidden.iter().all(|w| (1..=MAX_WIDTH).contains(w));
    if !fits {
        return Err(LabError::unreadable(format!(
            "network: expected 1 to {MAX_HIDDEN} hidden layers of 1 to {MAX_WIDTH}, found {:?}",
            settings.hidden
        )));
    }
    let start = Network::start(learn, settings);
    descent::descend(start, learn, judge, &settings.descent, progress)
}

/// z and activation of a layer on a batch.
type Passed = (Vec<f32>, Vec<f32>);

impl Network {
    /// Random weights of variance 2 / (inputs + outputs) (Glorot and Bengio 2010) in the hidden layers; 0 in the last one, whose bias is that
    /// of the mean: training starts from the best constant.
    fn start(learn: &Sample, settings: &Settings) -> Self {
        let widths: Vec<usize> = [learn.width].into_iter().chain(settings.hidden.iter().copied()).chain([1]).collect();
        let mut normals = Normals::new(settings.descent.seed);
        let mut network = Self { layers: Vec::new(), activation: settings.activation, parameters: Vec::new() };
        for (number, pair) in widths.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let last = number == settings.hidden.len();
            let sd = if last { 0.0 } else { (2.0 / (inputs + outputs) as f32).sqrt() };
            let start = network.parameters.len();
            network.parameters.extend((0..inputs * outputs).map(|_| sd * normals.draw()));
            let middle = network.parameters.len();
            network.parameters.resize(middle + outputs, 0.0);
            network.layers.push(Layer { inputs, outputs, weights: start..middle, biases: middle..middle + outputs });
        }
        if let Some(last) = network.parameters.last_mut() {
            *last = base_margin(learn) as f32;
        }
        network
    }

    /// Inputs and, of each layer, what [`Passed`] holds; unit by unit, the rows of the batch side by side.
    fn forward(&self, sample: &Sample, rows: &[usize]) -> (Vec<f32>, Vec<Passed>) {
        let count = rows.len();
        let mut inputs = vec![0f32; sample.width * count];
        for (at, &row) in rows.iter().enumerate() {
            for (column, x) in sample.row(row).iter().enumerate() {
                inputs[column * count + at] = *x;
            }
        }
        let mut passed: Vec<(Vec<f32>, Vec<f32>)> = Vec::with_capacity(self.layers.len());
        for (number, layer) in self.layers.iter().enumerate() {
            let from = passed.last().map_or(&inputs, |(_, a)| a);
            let weights = &self.parameters[layer.weights.clone()];
            let mut z = Vec::with_capacity(layer.outputs * count);
            for bias in &self.parameters[layer.biases.clone()] {
                z.resize(z.len() + count, *bias);
            }
            for (z, weights) in z.chunks_exact_mut(count).zip(weights.chunks_exact(layer.inputs)) {
                for (weight, from) in weights.iter().zip(from.chunks_exact(count)) {
                    z.iter_mut().zip(from).for_each(|(z, a)| *z += weight * a);
                }
            }
            let a = if number + 1 == self.layers.len() { Vec::new() } else { z.iter().map(|z| self.activation.of(*z)).collect() };
            passed.push((z, a));
        }
        (inputs, passed)
    }

    /// Makes every margin `scale` x margin + `shift`.
    pub(super) fn rescale(&mut self, scale: f32, shift: f32) {
        if let Some(last) = self.layers.last() {
            self.parameters[last.weights.start..last.biases.end].iter_mut().for_each(|parameter| *parameter *= scale);
            self.parameters[last.biases.start] += shift;
        }
    }

    /// The last hidden layer of each row, row by row.
    #[must_use]
    pub fn last_hidden(&self, sample: &Sample) -> Vec<f32> {
        let width = self.layers.last().map_or(0, |layer| layer.inputs);
        let mut hidden = vec![0f32; width * sample.rows()];
        let all: Vec<usize> = (0..sample.rows()).collect();
        for rows in all.chunks(PIECE) {
            let (inputs, passed) = self.forward(sample, rows);
            let a = passed.iter().rev().nth(1).map_or(&inputs, |(_, a)| a);
            for (unit, a) in a.chunks_exact(rows.len()).enumerate() {
                rows.iter().zip(a).for_each(|(row, a)| hidden[row * width + unit] = *a);
            }
        }
        hidden
    }
}

/// Sum of products in sixteen lanes, each in index order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let (a_blocks, b_blocks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_blocks.zip(b_blocks) {
        for lane in 0..16 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

impl Model for Network {
    fn parameters(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    fn is_ridged(&self, parameter: usize) -> bool {
        self.layers.iter().any(|layer| layer.weights.contains(&parameter))
    }

    fn back(&self, sample: &Sample, rows: &[usize], of_margins: &mut dyn FnMut(&mut [f32]), slopes: &mut [f32]) {
        let count = rows.len();
        let (inputs, mut passed) = self.forward(sample, rows);
        let Some((mut of_z, _)) = passed.pop() else { return };
        // Slope of the function with each z of the layer, from the last to the first.
        of_margins(&mut of_z);
        for (number, layer) in self.layers.iter().enumerate().rev() {
            let from = if number == 0 { &inputs } else { &passed[number - 1].1 };
            let weights = &self.parameters[layer.weights.clone()];
            for (output, of_z) in of_z.chunks_exact(count).enumerate() {
                slopes[layer.biases.start + output] += of_z.iter().sum::<f32>();
                let start = layer.weights.start + output * layer.inputs;
                for (slope, from) in slopes[start..].iter_mut().zip(from.chunks_exact(count)) {
                    *slope += dot(of_z, from);
                }
            }
            if number == 0 {
                break;
            }
            let mut before = vec![0f32; layer.inputs * count];
            for (of_z, weights) in of_z.chunks_exact(count).zip(weights.chunks_exact(layer.inputs)) {
                for (before, weight) in before.chunks_exact_mut(count).zip(weights) {
                    before.iter_mut().zip(of_z).for_each(|(before, of_z)| *before += weight * of_z);
                }
            }
            let (z, a) = &passed[number - 1];
            before.iter_mut().zip(z.iter().zip(a)).for_each(|(before, (z, a))| *before *= self.activation.slope(*z, *a));
            of_z = before;
        }
    }

    fn margins(&self, sample: &Sample) -> Vec<f64> {
        let all: Vec<usize> = (0..sample.rows()).collect();
        let mut margins = Vec::with_capacity(all.len());
        for rows in all.chunks(PIECE) {
            if let Some((z, _)) = self.forward(sample, rows).1.last() {
                margins.extend(z.iter().map(|z| f64::from(*z)));
            }
        }
        margins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::descent::check_slopes;
    use crate::train::sample::Quality;

    /// Rows of which the reward is whether two columns have the same sign: no linear model sees it.
    fn same_sign(rows: u32) -> Sample {
        let mut normals = Normals::new(5);
        let mut sample = Sample { width: 3, ..Sample::default() };
        for row in 0..rows {
            let values = [normals.draw(), normals.draw(), normals.draw()];
            sample.target.push(f64::from(u8::from(values[0] * values[1] > 0.0)));
            sample.values.extend(values);
            sample.weight.push(f64::from(1 + row % 2));
            sample.group.push(row);
        }
        sample
    }

    #[test]
    fn the_slopes_are_those_of_finite_differences() {
        let sample = same_sign(40);
        for activation in [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Gelu] {
            let settings = Settings { hidden: vec![5, 4], activation, ..Settings::default() };
            let mut network = Network::start(&sample, &settings);
            // Away from the kinks that fresh zero biases may sit on.
            network.parameters.iter_mut().enumerate().for_each(|(i, p)| *p += 0.01 * (i % 7) as f32);
            check_slopes(&network, &sample, if activation == Activation::Relu { 0.05 } else { 0.01 });
        }
    }

    #[test]
    fn a_network_learns_what_no_linear_model_can() {
        let (learn, judge) = same_sign(3_000).split(0.2, 1);
        let descent = descent::Settings { epochs: 60, rate: 0.01, ridge: 0.0, ..descent::Settings::default() };
        let settings = Settings { hidden: vec![16, 8], descent, ..Settings::default() };
        let network = fit(&learn, &judge, &settings, &mut |_, _| ()).unwrap();
        let quality = Quality::of(&judge, &network.margins(&judge));
        assert!(quality.log_loss < 0.15, "{quality:?}");
        let hidden = network.last_hidden(&judge);
        assert_eq!(hidden.len(), 8 * judge.rows());
        let last = network.layers.last().unwrap();
        let weights = &network.parameters[last.weights.clone()];
        let margin = network.parameters[last.biases.start] + weights.iter().zip(&hidden).map(|(w, a)| w * a).sum::<f32>();
        assert!((f64::from(margin) - network.margins(&judge)[0]).abs() < 1e-4);
    }

    #[test]
    fn the_seed_decides_everything() {
        let (learn, judge) = same_sign(300).split(0.2, 1);
        let run = |seed| {
            let descent = descent::Settings { epochs: 3, seed, ..descent::Settings::default() };
            fit(&learn, &judge, &Settings { descent, ..Settings::default() }, &mut |_, _| ()).unwrap()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn shapes_out_of_range_are_refused() {
        let sample = same_sign(10);
        for hidden in [vec![], vec![0], vec![257], vec![4; 8]] {
            assert!(fit(&sample, &sample, &Settings { hidden, ..Settings::default() }, &mut |_, _| ()).is_err());
        }
        let descent = descent::Settings { rate: 0.0, ..descent::Settings::default() };
        assert!(fit(&sample, &sample, &Settings { descent, ..Settings::default() }, &mut |_, _| ()).is_err());
        assert!(Activation::from_name("swish").is_err());
    }
}
