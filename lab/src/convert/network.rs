//! Networks as their files describe them: a tape of steps over one row, evaluated in `f32`.
//!
//! ONNX graphs and safetensors both become a tape. [`lower`] makes the device's layers from it.

use ears_only::model::body::{Activation, MAX_UNITS};

use super::error::ImportError;
use super::{Evaluation, Source};

pub mod lower;

/// Values beyond this are clamped on the device, so the two are not compared there.
const MAX_VALUE: f32 = 1e9;
/// Most steps of a tape; the device takes far fewer layers.
const MAX_STEPS: usize = 200;

/// An elementwise operation with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// x + c.
    Add,
    /// x - c.
    Subtract,
    /// c - x.
    SubtractFrom,
    /// x * c.
    Multiply,
    /// x / c.
    Divide,
}

/// One step; `from` is an earlier one.
#[derive(Clone, Debug)]
pub enum Step {
    /// The row.
    Input,
    /// Weights, outputs x inputs; and a bias for each output or none.
    Dense {
        /// The step it reads.
        from: usize,
        /// outputs x inputs.
        weights: Vec<f32>,
        /// One for each output, or none.
        bias: Vec<f32>,
    },
    /// One constant for each value.
    Elementwise {
        /// The step it reads.
        from: usize,
        /// What is done.
        arithmetic: Arithmetic,
        /// As many as the step has values.
        constants: Vec<f32>,
    },
    /// A function of each value.
    Apply {
        /// The step it reads.
        from: usize,
        /// The function.
        activation: Activation,
    },
    /// The second value minus the first: the log-odds of a softmax over two.
    Difference {
        /// The step it reads.
        from: usize,
    },
}

/// A network whose last step is one value, the log-odds.
#[derive(Clone, Debug)]
pub struct Tape {
    /// Each with its width.
    steps: Vec<(Step, usize)>,
    names: Vec<String>,
    notes: Vec<String>,
}

impl Tape {
    /// A tape that only reads the row.
    ///
    /// # Errors
    /// When there are no or too many columns.
    pub fn new(columns: usize) -> Result<Self, ImportError> {
        if !(1..=ears_only::page::MAX_COLUMNS).contains(&columns) {
            return Err(ImportError::broken("input", format!("1 to {} columns", ears_only::page::MAX_COLUMNS), columns));
        }
        Ok(Self { steps: vec![(Step::Input, columns)], names: Vec::new(), notes: Vec::new() })
    }

    /// Gives the columns their names.
    #[must_use]
    pub fn with_names(mut self, names: Vec<String>) -> Self {
        self.names = names;
        self
    }

    /// Adds something that whoever converts should know.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Values of a step.
    #[must_use]
    pub fn width(&self, step: usize) -> usize {
        self.steps.get(step).map_or(0, |(_, width)| *width)
    }

    fn push(&mut self, step: Step, width: usize) -> Result<usize, ImportError> {
        if self.steps.len() == MAX_STEPS {
            return Err(ImportError::broken("network", format!("at most {MAX_STEPS} steps"), "more"));
        }
        self.steps.push((step, width));
        Ok(self.steps.len() - 1)
    }

    /// Adds a dense step: `weights` outputs x inputs, `bias` one for each output or empty.
    ///
    /// # Errors
    /// When the sizes do not follow from each other.
    pub fn dense(&mut self, place: &str, from: usize, weights: Vec<f32>, bias: Vec<f32>) -> Result<usize, ImportError> {
        let inputs = self.width(from);
        if inputs == 0 || weights.is_empty() || !weights.len().is_multiple_of(inputs) {
            return Err(ImportError::broken(place, format!("weights of {inputs} inputs"), format!("{} numbers", weights.len())));
        }
        let outputs = weights.len() / inputs;
        if !bias.is_empty() && bias.len() != outputs {
            return Err(ImportError::broken(place, format!("{outputs} biases"), bias.len()));
        }
        // Also bounds what a hostile file makes of few weights.
        if outputs > MAX_UNITS {
            return Err(ImportError::unsupported_but(format!("{place} with {outputs} units"), format!("at most {MAX_UNITS}")));
        }
        self.push(Step::Dense { from, weights, bias }, outputs)
    }

    /// Adds an elementwise step; one constant stands for all values.
    ///
    /// # Errors
    /// When the number of constants does not fit.
    pub fn elementwise(
        &mut self,
        place: &str,
        from: usize,
        arithmetic: Arithmetic,
        mut constants: Vec<f32>,
    ) -> Result<usize, ImportError> {
        let width = self.width(from);
        if constants.len() == 1 {
            constants = vec![constants[0]; width];
        }
        if constants.len() != width {
            return Err(ImportError::broken(place, format!("1 or {width} constants"), constants.len()));
        }
        if arithmetic == Arithmetic::Divide && constants.contains(&0.0) {
            return Err(ImportError::broken(place, "divisors other than 0", 0));
        }
        self.push(Step::Elementwise { from, arithmetic, constants }, width)
    }

    /// Adds a function of each value.
    ///
    /// # Errors
    /// When there are too many steps.
    pub fn apply(&mut self, from: usize, activation: Activation) -> Result<usize, ImportError> {
        let width = self.width(from);
        self.push(Step::Apply { from, activation }, width)
    }

    /// Adds the log-odds of a softmax over two values.
    ///
    /// # Errors
    /// When there are too many steps.
    pub fn difference(&mut self, from: usize) -> Result<usize, ImportError> {
        self.push(Step::Difference { from }, 1)
    }

    /// Ends the tape at `step`.
    ///
    /// # Errors
    /// When that step has not one value, or a number of the tape is not finite.
    pub fn ending_at(mut self, step: usize) -> Result<Self, ImportError> {
        if self.width(step) != 1 {
            return Err(ImportError::unsupported_but(format!("an output of {} values", self.width(step)), "one, the log-odds"));
        }
        // Steps are in order, so nothing behind the last one matters.
        self.steps.truncate(step + 1);
        for (step, _) in &self.steps {
            let (weights, bias): (&[f32], &[f32]) = match step {
                Step::Dense { weights, bias, .. } => (weights, bias),
                Step::Elementwise { constants, .. } => (constants, &[]),
                _ => (&[], &[]),
            };
            if let Some(number) = weights.iter().chain(bias).find(|number| !number.is_finite()) {
                return Err(ImportError::broken("network", "finite weights", number));
            }
        }
        Ok(self)
    }

    pub(super) fn steps(&self) -> &[(Step, usize)] {
        &self.steps
    }
}

/// One value with how large the terms of its sum were and how far it may be off.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    value: f32,
    size: f64,
    error: f64,
}

const EPSILON: f64 = f32::EPSILON as f64;

impl Source for Tape {
    fn columns(&self) -> usize {
        self.width(0)
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Every step in `f32`, sums in index order.
    fn evaluate(&self, row: &[f32]) -> Evaluation {
        let mut lanes: Vec<Vec<Lane>> = Vec::with_capacity(self.steps.len());
        let mut in_range = true;
        for (step, width) in &self.steps {
            let mut values = match step {
                Step::Input => {
                    let value = |index: usize| row.get(index).copied().unwrap_or(f32::NAN);
                    (0..*width)
                        .map(|index| Lane { value: value(index), size: f64::from(value(index).abs()), error: 0.0 })
                        .collect()
                }
                Step::Dense { from, weights, bias } => dense(&lanes[*from], weights, bias),
                Step::Elementwise { from, arithmetic, constants } => {
                    lanes[*from].iter().zip(constants).map(|(lane, c)| elementwise(*lane, *arithmetic, *c)).collect()
                }
                Step::Apply { from, activation } => lanes[*from].iter().map(|lane| apply(*lane, *activation)).collect(),
                Step::Difference { from } => {
                    let (first, second) = (lanes[*from][0], lanes[*from][1]);
                    let size = first.size + second.size;
                    vec![Lane {
                        value: second.value - first.value,
                        size,
                        error: first.error + second.error + 4.0 * EPSILON * size,
                    }]
                }
            };
            in_range &= values.iter().all(|lane| lane.value.abs() <= MAX_VALUE);
            lanes.push(std::mem::take(&mut values));
        }
        let last = lanes.last().and_then(|values| values.first()).copied().unwrap_or_default();
        Evaluation { margin: f64::from(last.value), error: last.error, in_range }
    }

    fn body(&self) -> Result<ears_only::model::body::Body, ImportError> {
        lower::body(self).map(|lowered| lowered.body)
    }

    fn scaling(&self) -> Option<Vec<(f32, f32)>> {
        lower::body(self).ok().and_then(|lowered| lowered.scaling)
    }
}

fn dense(from: &[Lane], weights: &[f32], bias: &[f32]) -> Vec<Lane> {
    let rounding = EPSILON * (2 * from.len() + 8) as f64;
    let unit = |(index, weights): (usize, &[f32])| {
        let (mut sum, mut size, mut error) = (0.0_f32, 0.0, 0.0);
        for (lane, weight) in from.iter().zip(weights) {
            sum += lane.value * weight;
            size += lane.size * f64::from(weight.abs());
            error += lane.error * f64::from(weight.abs());
        }
        let bias = bias.get(index).copied().unwrap_or_default();
        size += f64::from(bias.abs());
        Lane { value: sum + bias, size, error: error + rounding * size }
    };
    weights.chunks_exact(from.len()).enumerate().map(unit).collect()
}

fn elementwise(lane: Lane, arithmetic: Arithmetic, constant: f32) -> Lane {
    let (x, wide) = (lane.value, f64::from(constant.abs()));
    let (value, size, error) = match arithmetic {
        Arithmetic::Add => (x + constant, lane.size + wide, lane.error),
        Arithmetic::Subtract => (x - constant, lane.size + wide, lane.error),
        Arithmetic::SubtractFrom => (constant - x, lane.size + wide, lane.error),
        Arithmetic::Multiply => (x * constant, lane.size * wide, lane.error * wide),
        Arithmetic::Divide => (x / constant, lane.size / wide, lane.error / wide),
    };
    Lane { value, size, error: error + 8.0 * EPSILON * size }
}

fn apply(lane: Lane, activation: Activation) -> Lane {
    let wide = f64::from(lane.value);
    let (value, size, steepest) = match activation {
        Activation::Identity => (lane.value, lane.size, 1.0),
        Activation::Relu => (lane.value.max(0.0), lane.size, 1.0),
        Activation::Tanh => (libm::tanhf(lane.value), 1.0, 1.0),
        Activation::Sigmoid => ((1.0 / (1.0 + libm::exp(-wide))) as f32, 1.0, 0.25),
        Activation::Gelu => {
            (0.5 * lane.value * (1.0 + libm::erff(lane.value * std::f32::consts::FRAC_1_SQRT_2)), lane.size, 1.13)
        }
    };
    Lane { value, size, error: lane.error * steepest + 4.0 * EPSILON * size }
}

#[cfg(test)]
mod tests;
