//! The arrays of a bundle.

use std::collections::BTreeMap;

use ears_only::clock::DAY_MS;
use ears_only::model::body::{Activation, Dense, Factorization, Network};
use ears_only::model::{Body, HeadPrior};
use serde_json::{Value, json};

use super::{Spread, Start};
use crate::error::LabError;

/// How factors and network weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantisation {
    /// As 32-bit floats: nothing is lost.
    #[default]
    None,
    /// As 16-bit floats, rounded to nearest even.
    Float16,
    /// As 8-bit steps of each row's largest value / 127.
    Int8,
}

impl Quantisation {
    /// Every way with its name in commands.
    pub const ALL: [(&'static str, Self); 3] = [("none", Self::None), ("float16", Self::Float16), ("int8", Self::Int8)];
}

/// Sections by name: type, number of values, bytes.
#[derive(Default)]
pub(super) struct Sections(BTreeMap<String, (&'static str, usize, Vec<u8>)>);

impl Sections {
    fn add(&mut self, name: &str, kind: &'static str, count: usize, bytes: Vec<u8>) {
        self.0.insert(name.to_owned(), (kind, count, bytes));
    }

    pub(super) fn doubles(&mut self, name: &str, values: Vec<f64>) {
        self.add(name, "f64", values.len(), values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }

    pub(super) fn singles(&mut self, name: &str, values: impl Iterator<Item = f32>) {
        let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        self.add(name, "f32", bytes.len() / 4, bytes);
    }

    fn words(&mut self, name: &str, values: &[u32]) {
        self.add(name, "u32", values.len(), values.iter().flat_map(|v| v.to_le_bytes()).collect());
    }

    /// Rows of `width` values; returns what a device reads back.
    fn rows(&mut self, name: &str, values: &[f32], width: usize, quantisation: Quantisation) -> Result<Vec<f32>, LabError> {
        match quantisation {
            Quantisation::None => {
                self.singles(name, values.iter().copied());
                Ok(values.to_vec())
            }
            Quantisation::Float16 => {
                let halves: Vec<half::f16> = values.iter().map(|value| half::f16::from_f32(*value)).collect();
                if let Some(at) = halves.iter().position(|half| !half.is_finite()) {
                    return Err(LabError::failed(format!("expected {name} within 65504 for float16, got {}", values[at])));
                }
                self.add(name, "f16", halves.len(), halves.iter().flat_map(|half| half.to_le_bytes()).collect());
                Ok(halves.iter().map(|half| half.to_f32()).collect())
            }
            Quantisation::Int8 => {
                let (mut scales, mut steps, mut read) = (Vec::new(), Vec::new(), Vec::new());
                for row in values.chunks(width.max(1)) {
                    let largest = row.iter().fold(0f32, |most, value| most.max(value.abs()));
                    let scale = largest / 127.0;
                    for value in row {
                        let step = if scale > 0.0 { (value / scale).round() as i8 } else { 0 };
                        steps.push(step as u8);
                        read.push(f32::from(step) * scale);
                    }
                    scales.push(scale);
                }
                self.add(name, "i8", steps.len(), steps);
                self.singles(&format!("{name}Scale"), scales.into_iter());
                Ok(read)
            }
        }
    }

    /// The body's part of the header, and the body as a device reads it.
    pub(super) fn body(&mut self, body: &Body, quantisation: Quantisation) -> Result<(Value, Body), LabError> {
        let mut read = body.clone();
        let mut kind = json!({"kind": body.kind()});
        match body {
            Body::Plain => {}
            Body::Linear(linear) => {
                self.doubles("intercept", vec![linear.intercept()]);
                self.doubles("weights", linear.weights().to_vec());
                let crosses = linear.crosses();
                if !crosses.is_empty() {
                    let columns: Vec<u32> = crosses.iter().flat_map(|(a, b, _)| [u32::from(*a), u32::from(*b)]).collect();
                    self.words("crossColumns", &columns);
                    self.doubles("crossWeights", crosses.iter().map(|cross| cross.2).collect());
                }
            }
            Body::Factorization(machine) => {
                self.doubles("intercept", vec![machine.intercept()]);
                self.doubles("weights", machine.weights().to_vec());
                let (rank, factors) = machine.factors();
                kind["rank"] = json!(rank);
                let factors = self.rows("factors", factors, rank, quantisation)?;
                let mut third = None;
                if let Some((rank, factors)) = machine.third() {
                    kind["thirdRank"] = json!(rank);
                    third = Some((rank, self.rows("thirdFactors", factors, rank, quantisation)?));
                }
                let weights = machine.weights().to_vec();
                read = Body::Factorization(Factorization::new(machine.intercept(), weights, rank, factors, third)?);
            }
            Body::Trees(trees) => {
                self.doubles("intercept", vec![trees.intercept()]);
                self.doubles("leaves", trees.leaves().to_vec());
                for (name, words) in ["trees", "splits", "categories"].into_iter().zip(trees.to_words()) {
                    if !words.is_empty() {
                        self.words(name, &words);
                    }
                }
            }
            Body::Network(network) => {
                let mut layers = Vec::new();
                let mut stored = Vec::new();
                for (index, layer) in network.layers().iter().enumerate() {
                    let name = Activation::ALL.iter().find(|(_, known)| *known == layer.activation).map_or("", |known| known.0);
                    stored.push(json!({"units": layer.outputs, "activation": name}));
                    let weights = self.rows(&format!("weights{index}"), &layer.weights, layer.inputs, quantisation)?;
                    self.singles(&format!("bias{index}"), layer.bias.iter().copied());
                    layers.push(Dense { weights, ..layer.clone() });
                }
                kind["layers"] = Value::Array(stored);
                read = Body::Network(Network::new(layers)?);
            }
        }
        Ok((kind, read))
    }

    /// Where the head starts; `which` stands behind the names of its sections.
    pub(super) fn start(
        &mut self,
        start: &Start,
        which: &str,
        plain: bool,
        width: usize,
        half_life_days: f64,
    ) -> Result<HeadPrior, LabError> {
        let half_life = half_life_days * DAY_MS as f64;
        let mean = match &start.mean {
            Some(mean) => {
                self.doubles(&format!("headMean{which}"), mean.clone());
                mean.clone()
            }
            None if plain => return Err(LabError::failed("expected means of the head without a body, got none")),
            None => {
                let mut mean = vec![0.0; width];
                mean[1] = 1.0;
                mean
            }
        };
        let sd = match &start.spread {
            Spread::Covariance(covariance) => {
                self.doubles(&format!("headCovariance{which}"), covariance.clone());
                return Ok(HeadPrior::with_covariance(mean, covariance.clone(), half_life)?);
            }
            Spread::Each(sd) => sd.clone(),
            Spread::Alike { bias, margin, inputs } => {
                let mut sd = vec![*inputs; width];
                sd[0] = *bias;
                if !plain && width > 1 {
                    sd[1] = *margin;
                }
                sd
            }
        };
        // As 32-bit floats: a spread needs no more digits, and trees have one for each leaf.
        self.singles(&format!("headSd{which}"), sd.iter().map(|sd| *sd as f32));
        let sd: Vec<f64> = sd.iter().map(|sd| f64::from(*sd as f32)).collect();
        Ok(HeadPrior::new(mean, &sd, half_life)?)
    }

    /// The header's table: offsets count from the first section.
    pub(super) fn table(&self) -> Value {
        let mut offset = 0;
        let mut table = serde_json::Map::new();
        for (name, (kind, count, bytes)) in &self.0 {
            table.insert(name.clone(), json!({"type": kind, "offset": offset, "length": count}));
            offset = (offset + bytes.len()).next_multiple_of(8);
        }
        table.into()
    }

    /// The bytes of all sections.
    pub(super) fn area(&self) -> Vec<u8> {
        let mut area = Vec::new();
        for (_, _, bytes) in self.0.values() {
            area.extend(bytes);
            area.resize(area.len().next_multiple_of(8), 0);
        }
        area
    }
}
