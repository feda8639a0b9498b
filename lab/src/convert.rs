//! Models of the field's own tools become bodies of the device, offline.
//!
//! | format | module | what it becomes |
//! |---|---|---|
//! | XGBoost, JSON and UBJ | [`xgboost`] | trees |
//! | LightGBM, text | [`lightgbm`] | trees |
//! | ONNX of PyTorch and scikit-learn | [`onnx`] | network, linear or trees |
//! | safetensors with an architecture | [`safetensors`] | network or linear |
//! | JSON logistic regression | [`logistic`] | linear |
//!
//! An importer keeps what the file says, with an evaluator that computes as the tool itself does ([`Source::evaluate`]), and makes a body
//! from it ([`Source::body`]). The two share no code, so either checks the other. What no body can hold is refused by its name.

use ears_only::model::body::Body;

pub mod architecture;
pub mod check;
pub mod command;
pub mod draft;
pub mod error;
pub mod lightgbm;
pub mod logistic;
pub mod mutate;
pub mod network;
pub mod onnx;
pub mod safetensors;
pub mod trees;
pub mod ubjson;
pub mod xgboost;

use architecture::Architecture;
use error::ImportError;

/// Largest file of text, in bytes.
pub const MAX_TEXT_BYTES: usize = 32 << 20;
/// Largest file of another kind, in bytes.
pub const MAX_BINARY_BYTES: usize = 16 << 20;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// XGBoost's JSON.
    XgboostJson,
    /// XGBoost's Universal Binary JSON.
    XgboostUbj,
    /// LightGBM's text.
    LightGbm,
    /// ONNX.
    Onnx,
    /// Safetensors.
    Safetensors,
    /// Logistic regression as JSON.
    Logistic,
}

impl Format {
    /// Every format with its name in commands.
    pub const ALL: [(&'static str, Self); 6] = [
        ("xgboost-json", Self::XgboostJson),
        ("xgboost-ubj", Self::XgboostUbj),
        ("lightgbm", Self::LightGbm),
        ("onnx", Self::Onnx),
        ("safetensors", Self::Safetensors),
        ("logistic-json", Self::Logistic),
    ];

    /// Its name in commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// What the bytes look like.
    ///
    /// # Errors
    /// When they look like none.
    pub fn of(bytes: &[u8]) -> Result<Self, ImportError> {
        let text = bytes.trim_ascii_start();
        if text.starts_with(b"tree") {
            return Ok(Self::LightGbm);
        }
        // The length of a safetensors header comes before it.
        if bytes.get(8) == Some(&b'{') && bytes.get(4..8) == Some(&[0; 4]) {
            return Ok(Self::Safetensors);
        }
        match (text.first(), text.get(1)) {
            (Some(b'{'), Some(b'i' | b'U' | b'I' | b'l' | b'L')) => Ok(Self::XgboostUbj),
            (Some(b'{'), _) => {
                let learner = b"\"learner\"";
                let is_booster = text.windows(learner.len()).any(|window| window == learner);
                Ok(if is_booster { Self::XgboostJson } else { Self::Logistic })
            }
            // The version of the format, the first field of a model.
            (Some(0x08), _) => Ok(Self::Onnx),
            _ => {
                let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
                Err(ImportError::broken("model", format!("one of {}", names.join(", ")), "something else"))
            }
        }
    }
}

/// What an evaluator says about one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Log-odds, as the tool computes them.
    pub margin: f64,
    /// How far a computation in another order may lie from it: a bound on the rounding of the sums.
    pub error: f64,
    /// Whether every value on the way is one that the device does not clamp.
    pub in_range: bool,
}

impl Evaluation {
    /// How far the device's margin may lie from this one.
    #[must_use]
    pub fn allowed(&self) -> f64 {
        self.error + 1e-12 * (1.0 + self.margin.abs())
    }
}

/// A model as its file has it.
pub trait Source {
    /// Number of columns of a row.
    fn columns(&self) -> usize;

    /// Names of the columns, where the file has them.
    fn names(&self) -> &[String] {
        &[]
    }

    /// What whoever converts should know.
    fn notes(&self) -> &[String] {
        &[]
    }

    /// The margin as the tool itself computes it. NaN stands for what is missing.
    fn evaluate(&self, row: &[f32]) -> Evaluation;

    /// The device's body.
    ///
    /// # Errors
    /// When the device takes no body like it.
    fn body(&self) -> Result<Body, ImportError>;

    /// Mean and scale of each column: the body reads `(x - mean) / scale`.
    fn scaling(&self) -> Option<Vec<(f32, f32)>> {
        None
    }

    /// Columns that hold categories.
    fn categorical(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Values at which something changes, by column; for test rows.
    fn thresholds(&self) -> Vec<(usize, f32)> {
        Vec::new()
    }
}

/// A model that was read.
#[derive(Clone, Debug)]
pub enum Imported {
    /// Trees of XGBoost.
    Xgboost(xgboost::Xgboost),
    /// Trees of LightGBM.
    LightGbm(lightgbm::LightGbm),
    /// Layers, from ONNX or safetensors.
    Network(network::Tape),
    /// Trees from ONNX.
    OnnxTrees(onnx::Ensemble),
    /// Logistic regression.
    Logistic(logistic::Logistic),
}

impl Imported {
    /// Reads a model of a known format.
    ///
    /// # Errors
    /// What is wrong or not supported, and where.
    pub fn read(format: Format, bytes: &[u8], architecture: Option<&Architecture>) -> Result<Self, ImportError> {
        let most = match format {
            Format::XgboostJson | Format::LightGbm => MAX_TEXT_BYTES,
            _ => MAX_BINARY_BYTES,
        };
        if bytes.len() > most {
            return Err(ImportError::broken("model", format!("at most {most} bytes"), bytes.len()));
        }
        match format {
            Format::XgboostJson => xgboost::from_json(bytes).map(Self::Xgboost),
            Format::XgboostUbj => xgboost::from_ubj(bytes).map(Self::Xgboost),
            Format::LightGbm => lightgbm::from_text(bytes).map(Self::LightGbm),
            Format::Onnx => onnx::from_bytes(bytes),
            Format::Safetensors => safetensors::from_bytes(bytes, architecture).map(Self::Network),
            Format::Logistic => logistic::from_json(bytes).map(Self::Logistic),
        }
    }

    /// The model.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        match self {
            Self::Xgboost(model) => model,
            Self::LightGbm(model) => model,
            Self::Network(model) => model,
            Self::OnnxTrees(model) => model,
            Self::Logistic(model) => model,
        }
    }
}

/// What the device computes from raw columns: scaling, then the body.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The body.
    pub body: Body,
    /// Mean and scale of each column, subtracted and divided by before the body reads it.
    pub scaling: Option<Vec<(f32, f32)>>,
}

impl Converted {
    /// Converts a model.
    ///
    /// # Errors
    /// When the device takes no body like it.
    pub fn new(source: &dyn Source) -> Result<Self, ImportError> {
        Ok(Self { body: source.body()?, scaling: source.scaling() })
    }

    /// The margin of a row of columns, without the constant.
    #[must_use]
    pub fn margin(&self, row: &[f32]) -> f64 {
        let mut whole = Vec::with_capacity(row.len() + 1);
        whole.push(1.0);
        match &self.scaling {
            None => whole.extend_from_slice(row),
            Some(scaling) => whole.extend(row.iter().zip(scaling).map(|(x, (mean, scale))| (x - mean) / scale)),
        }
        self.body.margin(&whole)
    }
}

#[cfg(test)]
mod tests;
