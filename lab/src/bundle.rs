//! Bundles: what a server ships and a device checks (`docs/bundle.md`). Writing is here, checking is the core's.

use std::fmt::Write as _;
use std::path::Path;

use ears_only::bundle::{Bundle, BundleSettings, FORMAT, Limits, MAGIC, MAX_BUNDLE_BYTES};
use ears_only::features::{Column, FeatureSchema};
use ears_only::model::{Body, HeadPrior, RewardModel};
use ears_only::settings::Value;
use serde_json::{Map, json};
use sha2::{Digest, Sha256};

use crate::error::LabError;
use sections::Sections;

pub mod example;
mod inspect;
mod sections;

pub use inspect::inspect;
pub use sections::Quantisation;

/// One column with its unit.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleColumn {
    /// What the device reads.
    pub column: Column,
    /// For readers: what the numbers are, such as `share` or `ms`.
    pub unit: Option<String>,
}

impl From<Column> for BundleColumn {
    fn from(column: Column) -> Self {
        Self { column, unit: None }
    }
}

/// Spread of the weights that learning starts from.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// One standard deviation for the bias, one for the margin (not without a body) and one for every other weight.
    Alike {
        /// Of the bias.
        bias: f64,
        /// Of the margin.
        margin: f64,
        /// Of everything else.
        inputs: f64,
    },
    /// One for each weight.
    Each(Vec<f64>),
    /// Covariance matrix, row by row; at most 128 weights, and not for trees.
    Covariance(Vec<f64>),
}

/// Where the head of a segment of listeners starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Share of the listeners, in proportion to the others.
    pub weight: f64,
    /// Means: bias, margin and the body's inputs; without a body bias and columns. `None` starts at the margin alone, and needs a body.
    pub mean: Option<Vec<f64>>,
    /// Spread.
    pub spread: Spread,
}

/// Everything that goes into a bundle.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Name of the model, 1 to 100 bytes.
    pub name: String,
    /// Name of this version; appears in every decision.
    pub version: String,
    /// Place in the channel, from 1 on.
    pub sequence: u64,
    /// When it was made, in milliseconds since the Unix epoch, UTC.
    pub created_ms: u64,
    /// From when on it is not to be used.
    pub expires_ms: Option<u64>,
    /// The schema.
    pub columns: Vec<BundleColumn>,
    /// The body.
    pub body: Body,
    /// How factors and network weights are stored.
    pub quantisation: Quantisation,
    /// Days in which half of what was learned is forgotten.
    pub half_life_days: f64,
    /// One start, or one for each segment of listeners.
    pub starts: Vec<Start>,
    /// The `policy` of the model settings.
    pub policy: serde_json::Value,
    /// The `feedback` of the model settings.
    pub feedback: serde_json::Value,
    /// SHA-256 of the privacy manifest that it goes with, as 64 lower-case hex digits.
    pub privacy_manifest: Option<String>,
    /// Largest page.
    pub limits: Limits,
    /// Rows as the app would give them, without the constant; NaN for what is missing. Their scores go into the bundle as golden vectors.
    pub golden: Vec<Vec<f32>>,
    /// Where the model comes from: anything. Not read by devices.
    pub provenance: serde_json::Value,
    /// Switches devices off: pages keep the server's order.
    pub off: bool,
}

impl Draft {
    /// A bundle that starts at the margin with moderate freedom: standard deviations 1 for the bias, 0.3 for the margin and 0.3 for
    /// everything else, a half-life of 60 days, the default policy, and the columns at their defaults as the only golden vector.
    #[must_use]
    pub fn new(name: &str, version: &str, columns: Vec<Column>, body: Body) -> Self {
        let golden = vec![columns.iter().map(|column| column.default).collect()];
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            sequence: 1,
            created_ms: 0,
            expires_ms: None,
            columns: columns.into_iter().map(Into::into).collect(),
            body,
            quantisation: Quantisation::None,
            half_life_days: 60.0,
            starts: vec![Start { weight: 1.0, mean: None, spread: Spread::Alike { bias: 1.0, margin: 0.3, inputs: 0.3 } }],
            policy: json!({}),
            feedback: json!({}),
            privacy_manifest: None,
            limits: Limits::default(),
            golden,
            provenance: json!({}),
            off: false,
        }
    }

    /// The bytes of the bundle; the same for the same draft. They have passed the core's own check.
    ///
    /// # Errors
    /// What the core says to a part that it does not take.
    pub fn write(&self) -> Result<Vec<u8>, LabError> {
        let columns: Vec<Column> = self.columns.iter().map(|column| column.column.clone()).collect();
        let schema = FeatureSchema::new(columns)?;
        let mut sections = Sections::default();
        let (kind, body) = sections.body(&self.body, self.quantisation)?;
        let width = if body == Body::Plain { schema.width() } else { body.width() + 2 };
        let mut priors = Vec::new();
        for (index, start) in self.starts.iter().enumerate() {
            let which = if self.starts.len() > 1 { index.to_string() } else { String::new() };
            priors.push((start.weight, sections.start(start, &which, body == Body::Plain, width, self.half_life_days)?));
        }
        let weights: Vec<f64> = priors.iter().map(|(weight, _)| *weight).collect();
        let segmented = priors.len() > 1;
        let prior = match priors.pop() {
            Some((_, only)) if priors.is_empty() => only,
            Some(last) => HeadPrior::mixture(priors.into_iter().chain([last]).collect())?,
            None => return Err(LabError::failed("expected at least one start of the head, got none")),
        };
        let model = RewardModel::new(&schema, body, prior)?;
        let mut scores = Vec::new();
        for row in &self.golden {
            if row.len() != self.columns.len() {
                return Err(LabError::failed(format!(
                    "expected {} values in a golden row, got {}",
                    self.columns.len(),
                    row.len()
                )));
            }
            let mut full = vec![0.0; schema.stride()];
            full[0] = 1.0;
            full[1..=row.len()].copy_from_slice(row);
            schema.guard(&mut full);
            scores.push(model.score(&full));
        }
        sections.singles("goldenInputs", self.golden.iter().flatten().copied());
        sections.doubles("goldenScores", scores);
        let head = if segmented {
            json!({"halfLifeDays": self.half_life_days, "segments": weights})
        } else {
            json!({"halfLifeDays": self.half_life_days})
        };
        let header = json!({
            "format": FORMAT,
            "minReader": FORMAT,
            "name": self.name,
            "version": self.version,
            "sequence": self.sequence,
            "created": self.created_ms,
            "expires": self.expires_ms,
            "schema": {"columns": self.columns.iter().map(column).collect::<Vec<_>>()},
            "body": kind,
            "head": head,
            "policy": self.policy,
            "feedback": self.feedback,
            "privacyManifest": self.privacy_manifest,
            "limits": {"shelves": self.limits.shelves, "cards": self.limits.cards},
            "provenance": self.provenance,
            "off": self.off,
            "sections": sections.table(),
        });
        let bytes = seal(&header.to_string(), &sections.area());
        read(&bytes)?;
        Ok(bytes)
    }
}

/// A column as the header has it; what is as usual is left out.
fn column(column: &BundleColumn) -> serde_json::Value {
    let BundleColumn { column, unit } = column;
    let usual = Column::new(&column.name, column.source);
    let mut fields = Map::new();
    fields.insert("name".into(), column.name.clone().into());
    fields.insert("source".into(), column.source.name().into());
    for (name, value, usual) in [
        ("default", column.default, usual.default),
        ("min", column.min, usual.min),
        ("max", column.max, usual.max),
        ("mean", column.mean, usual.mean),
        ("scale", column.scale, usual.scale),
    ] {
        if value != usual {
            fields.insert(name.into(), f64::from(value).into());
        }
    }
    if column.keeps_missing {
        fields.insert("missing".into(), "keep".into());
    }
    if let Some(unit) = unit {
        fields.insert("unit".into(), unit.clone().into());
    }
    fields.into()
}

/// Header and sections as the bytes of a bundle, with their checksum.
#[must_use]
pub fn seal(header: &str, sections: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(sections);
    let checksum = Sha256::digest(&bytes);
    bytes.extend(checksum);
    bytes
}

/// A bundle that was read and checked.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The header as JSON.
    pub header: serde_json::Value,
    /// What a device would use.
    pub bundle: Bundle,
}

impl Opened {
    /// SHA-256 of the bundle in lower-case hex: its address.
    #[must_use]
    pub fn address(&self) -> String {
        self.bundle.shipping().map_or_else(String::new, |shipping| hex(&shipping.address))
    }
}

/// SHA-256 of any bytes in lower-case hex.
#[must_use]
pub fn address(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads and checks the bytes of a bundle, as a device does; beyond that, the header must be canonical JSON.
///
/// # Errors
/// What was expected and what was found, with the core's code.
pub fn read(bytes: &[u8]) -> Result<Opened, LabError> {
    let text = ears_only::bundle::header(bytes)?;
    let wrong = |error: serde_json::Error| LabError::unreadable(format!("expected a header in JSON, found {error} (bad_bundle)"));
    let header: serde_json::Value = serde_json::from_slice(text).map_err(wrong)?;
    let value: Value = serde_json::from_slice(text).map_err(wrong)?;
    let bundle = Bundle::from_bytes(bytes, &value)?;
    if header.to_string().as_bytes() != text {
        return Err(LabError::unreadable("expected a header with sorted keys and no spaces, found another (bundle_corrupt)"));
    }
    Ok(Opened { header, bundle })
}

/// Reads and checks a file.
///
/// # Errors
/// As [`read`], with the file's name; a file that cannot be read or is too large.
pub fn read_file(path: &Path) -> Result<(Vec<u8>, Opened), LabError> {
    let unreadable = |error: std::io::Error| LabError::file(path, "a readable bundle", error);
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_BUNDLE_BYTES as u64 {
        return Err(LabError::file(path, "a bundle of at most 8 MB", format!("{size} bytes")));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let opened = read(&bytes).map_err(|error| LabError::file(path, "a bundle", error))?;
    Ok((bytes, opened))
}

/// The model in a file of settings, or the built-in one without a path.
///
/// # Errors
/// When the file cannot be read or is no model.
pub fn settings(path: Option<&Path>) -> Result<BundleSettings, LabError> {
    let Some(path) = path else { return Ok(BundleSettings::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable model", error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| LabError::file(path, "JSON", error))?;
    BundleSettings::read(&value).map_err(|error| LabError::file(path, "a model", error))
}

/// The bundle in a file, or a bundle of its [`settings`].
///
/// # Errors
/// As [`read_file`] for a bundle, as [`settings`] for anything else.
pub fn bundle_or_settings(path: Option<&Path>) -> Result<Bundle, LabError> {
    match path.map(|path| (path, std::fs::read(path))) {
        Some((path, Ok(bytes))) if bytes.starts_with(&MAGIC) => Ok(read_file(path)?.1.bundle),
        _ => Ok(Bundle::new(settings(path)?)?),
    }
}

#[cfg(test)]
mod tests;
