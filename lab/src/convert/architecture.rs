//! How the tensors of a safetensors file make a network: a small JSON file, or a line of text.
//!
//! JSON: `{"format": 1, "layers": [{"linear": "0", "activation": "relu"}, {"linear": "2", "activation": "sigmoid"}]}`. A layer named
//! `0` reads the tensors `0.weight` (units x inputs) and, where there is one, `0.bias`. The last activation is `identity` or `sigmoid`;
//! either way its sum is the log-odds. `columns` may name the columns; `mean` and `scale` may scale them.
//!
//! Text: `Linear(0)-ReLU-Linear(2)-Sigmoid`, or with sizes `Linear(8,24)-ReLU-Linear(24,1)`, whose modules are then called by their
//! place as in `torch.nn.Sequential`.

use ears_only::model::body::Activation;
use serde::Deserialize;

use super::error::ImportError;

/// Layers, first to last.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    format: u32,
    /// The layers.
    pub layers: Vec<ArchitectureLayer>,
    /// Names of the columns.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Means of the columns, subtracted first.
    #[serde(default)]
    pub mean: Vec<f32>,
    /// Scales of the columns, divided by next.
    #[serde(default)]
    pub scale: Vec<f32>,
}

/// One layer.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ArchitectureLayer {
    /// Its tensors are called this with `.weight` and `.bias` behind it.
    pub linear: String,
    /// Its activation; identity when left out.
    pub activation: Option<String>,
}

impl Architecture {
    /// Reads JSON when it starts like it, else the text form.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn read(text: &str) -> Result<Self, ImportError> {
        if !text.trim_start().starts_with('{') {
            return Self::from_line(text);
        }
        let read: Self =
            serde_json::from_str(text).map_err(|error| ImportError::broken("architecture", "layers as documented", error))?;
        if read.format == 1 { Ok(read) } else { Err(ImportError::broken("architecture", "format 1", read.format)) }
    }

    /// Reads the text form; anything behind a semicolon is a remark.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn from_line(line: &str) -> Result<Self, ImportError> {
        let line = line.split(';').next().unwrap_or_default().trim();
        let mut layers: Vec<ArchitectureLayer> = Vec::new();
        for (place, word) in line.split('-').map(str::trim).enumerate() {
            let inner = word.strip_prefix("Linear(").and_then(|word| word.strip_suffix(')'));
            match (inner, layers.last_mut()) {
                (Some(inner), _) => {
                    let linear = if inner.contains(',') { place.to_string() } else { inner.trim().to_owned() };
                    layers.push(ArchitectureLayer { linear, activation: None });
                }
                (None, Some(last)) if last.activation.is_none() => last.activation = Some(word.to_ascii_lowercase()),
                _ => return Err(ImportError::broken(format!("architecture, part {}", place + 1), "Linear(NAME)", word)),
            }
        }
        Ok(Self { format: 1, layers, columns: Vec::new(), mean: Vec::new(), scale: Vec::new() })
    }
}

/// The activation called `name`.
///
/// # Errors
/// For any other name.
pub fn activation(name: &str) -> Result<Activation, ImportError> {
    let known = Activation::ALL.iter().find(|(known, _)| *known == name);
    known.map(|(_, activation)| *activation).ok_or_else(|| {
        let names: Vec<&str> = Activation::ALL.iter().map(|(name, _)| *name).collect();
        ImportError::unsupported_but(format!("activation {name}"), names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let json =
            r#"{"format": 1, "layers": [{"linear": "0", "activation": "relu"}, {"linear": "2", "activation": "sigmoid"}]}"#;
        let read = Architecture::read(json).unwrap();
        assert_eq!(Architecture::read("Linear(0)-ReLU-Linear(2)-Sigmoid").unwrap(), read);
        assert_eq!(Architecture::read("Linear(8,24)-ReLU-Linear(24,1)-sigmoid; weight is [out,in]").unwrap(), read);
    }

    #[test]
    fn refuses_what_is_no_architecture() {
        for (text, expected) in [
            ("ReLU-Linear(0)", "part 1: expected Linear(NAME), found ReLU"),
            ("Linear(0)-ReLU-Tanh", "part 3: expected Linear(NAME), found Tanh"),
            ("Conv(1)", "found Conv(1)"),
            ("{\"format\": 2, \"layers\": []}", "expected format 1, found 2"),
            ("{\"format\": 1, \"layers\": [], \"dropout\": 1}", "unknown field `dropout`"),
        ] {
            let error = Architecture::read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(
            activation("swish")
                .unwrap_err()
                .to_string()
                .starts_with("activation swish is not supported: expected identity, relu")
        );
    }
}
