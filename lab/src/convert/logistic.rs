//! Logistic regression as JSON: `{"weights": [0.5, -1.25], "bias": -3.5}`.
//!
//! Optional: `columns` (names), `crosses` (`[[column, column, weight]]`, columns by number), `mean` and `scale` of each column.

use ears_only::model::body::{Body, Linear};
use serde::Deserialize;

use super::error::ImportError;
use super::{Evaluation, Source};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "one")]
    format: u32,
    weights: Vec<f64>,
    #[serde(alias = "intercept")]
    bias: f64,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    crosses: Vec<(u16, u16, f64)>,
    #[serde(default)]
    mean: Vec<f32>,
    #[serde(default)]
    scale: Vec<f32>,
}

fn one() -> u32 {
    1
}

/// A model as its file has it, checked.
#[derive(Clone, Debug)]
pub struct Logistic {
    weights: Vec<f64>,
    bias: f64,
    columns: Vec<String>,
    crosses: Vec<(u16, u16, f64)>,
    scaling: Option<Vec<(f32, f32)>>,
}

/// Reads the file.
///
/// # Errors
/// What is wrong and where.
pub fn from_json(bytes: &[u8]) -> Result<Logistic, ImportError> {
    let File { format, weights, bias, columns, crosses, mean, scale } =
        serde_json::from_slice(bytes).map_err(|error| ImportError::broken("JSON", "weights and a bias", error))?;
    if format != 1 {
        return Err(ImportError::broken("JSON", "format 1", format));
    }
    let count = weights.len();
    for (what, length) in [("columns", columns.len()), ("mean", mean.len()), ("scale", scale.len())] {
        if length != 0 && length != count {
            return Err(ImportError::broken(what, format!("{count} entries, as weights has, or none"), length));
        }
    }
    if let Some((a, b, _)) = crosses.iter().find(|(a, b, _)| usize::from(*a.max(b)) >= count) {
        return Err(ImportError::broken("crosses", format!("columns below {count}"), a.max(b)));
    }
    if let Some(scale) = scale.iter().find(|scale| !scale.is_finite() || **scale <= 0.0) {
        return Err(ImportError::broken("scale", "finite numbers above 0", scale));
    }
    if let Some(mean) = mean.iter().find(|mean| !mean.is_finite()) {
        return Err(ImportError::broken("mean", "finite numbers", mean));
    }
    let of = |numbers: &[f32], index: usize, plain: f32| numbers.get(index).copied().unwrap_or(plain);
    let scaled = !mean.is_empty() || !scale.is_empty();
    let scaling = scaled.then(|| (0..count).map(|index| (of(&mean, index, 0.0), of(&scale, index, 1.0))).collect());
    Ok(Logistic { weights, bias, columns, crosses, scaling })
}

impl Source for Logistic {
    fn columns(&self) -> usize {
        self.weights.len()
    }

    fn names(&self) -> &[String] {
        &self.columns
    }

    /// Sums in `f64` from the last term to the first, unlike the device.
    fn evaluate(&self, row: &[f32]) -> Evaluation {
        let of = |column: usize| {
            let x = row.get(column).copied().unwrap_or(f32::NAN);
            let scaled = self.scaling.as_ref().and_then(|scaling| scaling.get(column));
            f64::from(scaled.map_or(x, |(mean, scale)| (x - mean) / scale))
        };
        let crossed = self.crosses.iter().map(|(a, b, weight)| of(usize::from(*a)) * of(usize::from(*b)) * weight);
        let plain = self.weights.iter().enumerate().map(|(column, weight)| of(column) * weight);
        let terms: Vec<f64> = plain.chain(crossed).collect();
        let margin = terms.iter().rev().sum::<f64>() + self.bias;
        let size = terms.iter().map(|term| term.abs()).sum::<f64>() + self.bias.abs();
        let error = f64::EPSILON * (2 * terms.len() + 4) as f64 * size;
        Evaluation { margin, error, in_range: margin.is_finite() }
    }

    fn body(&self) -> Result<Body, ImportError> {
        Ok(Body::Linear(Linear::new(self.bias, self.weights.clone(), self.crosses.clone())?))
    }

    fn scaling(&self) -> Option<Vec<(f32, f32)>> {
        self.scaling.clone()
    }
}
