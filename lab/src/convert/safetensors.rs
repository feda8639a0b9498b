//! Networks kept as safetensors, with an [`Architecture`] beside the file or in its metadata under `arch`.

use std::collections::BTreeSet;

use ears_only::model::body::Activation;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::architecture::{Architecture, activation};
use super::error::ImportError;
use super::network::{Arithmetic, Tape};

/// Reads the file; without `given`, the architecture in its metadata counts.
///
/// # Errors
/// What is wrong or not supported, and where.
pub fn from_bytes(bytes: &[u8], given: Option<&Architecture>) -> Result<Tape, ImportError> {
    let broken = |error| ImportError::broken("safetensors", "tensors with a header", error);
    let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
    let own;
    let architecture = match given {
        Some(given) => given,
        None => {
            let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
            let line = metadata.metadata().as_ref().and_then(|words| words.get("arch"));
            let line = line.ok_or_else(|| {
                ImportError::broken("safetensors", "an architecture (--arch FILE, or arch in the metadata)", "none")
            })?;
            own = Architecture::read(line)?;
            &own
        }
    };
    let mut unread: BTreeSet<String> = tensors.names().into_iter().map(ToOwned::to_owned).collect();
    let mut tape: Option<Tape> = None;
    let mut at = 0;
    let last = architecture.layers.len().saturating_sub(1);
    for (index, layer) in architecture.layers.iter().enumerate() {
        let name = format!("{}.weight", layer.linear);
        unread.remove(&name);
        let view =
            tensors.tensor(&name).map_err(|error| ImportError::broken("safetensors", format!("a tensor {name}"), error))?;
        let &[outputs, inputs] = view.shape() else {
            return Err(ImportError::broken(&name, "a shape [units, inputs]", format!("{:?}", view.shape())));
        };
        let mut started = match tape.take() {
            Some(tape) => tape,
            None => {
                let (tape, from) = start(architecture, inputs)?;
                at = from;
                tape
            }
        };
        if started.width(at) != inputs {
            return Err(ImportError::broken(&name, format!("{} inputs", started.width(at)), inputs));
        }
        let bias_name = format!("{}.bias", layer.linear);
        let bias = if unread.remove(&bias_name) {
            let view = tensors.tensor(&bias_name).map_err(broken)?;
            if view.shape() != [outputs] {
                return Err(ImportError::broken(&bias_name, format!("a shape [{outputs}]"), format!("{:?}", view.shape())));
            }
            numbers(&bias_name, &view)?
        } else {
            Vec::new()
        };
        at = started.dense(&name, at, numbers(&name, &view)?, bias)?;
        let applied = layer.activation.as_deref().map_or(Ok(Activation::Identity), activation)?;
        match applied {
            Activation::Identity => {}
            // The sigmoid of the log-odds.
            Activation::Sigmoid if index == last => {}
            other if index == last => {
                return Err(ImportError::unsupported_but(format!("{other:?} behind the last layer"), "sigmoid or identity"));
            }
            other => at = started.apply(at, other)?,
        }
        tape = Some(started);
    }
    if let Some(name) = unread.first() {
        return Err(ImportError::broken("safetensors", "no tensor that the architecture does not use", name));
    }
    tape.ok_or_else(|| ImportError::broken("architecture", "1 or more layers", "none"))?.ending_at(at)
}

/// A tape with the scaling of the columns, if there is any, and where it stands.
fn start(architecture: &Architecture, columns: usize) -> Result<(Tape, usize), ImportError> {
    let names = architecture.columns.clone();
    if !names.is_empty() && names.len() != columns {
        return Err(ImportError::broken("architecture, columns", format!("{columns} names"), names.len()));
    }
    let mut tape = Tape::new(columns)?.with_names(names);
    let mut at = 0;
    for (place, arithmetic, constants) in
        [("mean", Arithmetic::Subtract, &architecture.mean), ("scale", Arithmetic::Divide, &architecture.scale)]
    {
        if !constants.is_empty() {
            at = tape.elementwise(&format!("architecture, {place}"), at, arithmetic, constants.clone())?;
        }
    }
    Ok((tape, at))
}

/// The numbers of a tensor, none of them changed.
fn numbers(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, ImportError> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        Dtype::BF16 => {
            Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16)).collect())
        }
        Dtype::F16 => Ok(bytes.as_chunks().0.iter().map(|bytes| half(u16::from_le_bytes(*bytes))).collect()),
        Dtype::F64 => {
            let wide = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
            let narrow = wide.map(|wide| Some(wide as f32).filter(|narrow| f64::from(*narrow) == wide));
            narrow.collect::<Option<_>>().ok_or_else(|| {
                ImportError::unsupported_but(format!("tensor {name} of F64 with numbers that F32 has not"), "F32, F16 or BF16")
            })
        }
        other => Err(ImportError::unsupported_but(format!("tensor {name} of {other:?}"), "F32, F16 or BF16")),
    }
}

/// A half-precision number (IEEE 754 binary16).
#[must_use]
pub fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 0x3ff));
    match exponent {
        // Subnormal: fraction times 2^-24, exact in f32.
        0 => f32::from_bits(sign | (fraction as f32 * 5.960_464_5e-8).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_by_its_table() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65_504.0),
            (0x0400, 6.103_515_6e-5),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
