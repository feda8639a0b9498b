//! What a data set is expected to be: inferred from one, edited by hand, kept with the code.
//!
//! Its own form is TOML with comments ([`toml`]); the text format of TensorFlow Data Validation is read and written ([`tfdv`]), and what of it has
//! no counterpart here is kept as it stands.

pub mod check;
pub mod diff;
pub mod infer;
pub mod proto;
pub mod tfdv;
pub mod toml;

use std::path::Path;

use serde::Deserialize;

use crate::error::LabError;

/// The version of the form.
pub const FORMAT: u32 = 1;

/// Expectations of a data set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schema {
    /// Version of the form; 0 means that the file says none.
    pub format: u32,
    /// Version of this schema, raised by hand when its meaning changes.
    pub version: u64,
    /// Environments that features belong to when they say nothing.
    pub environments: Vec<String>,
    /// Rules for the data set as a whole.
    pub dataset: DatasetRules,
    /// Columns.
    pub feature: Vec<Feature>,
    /// Slices that must be there.
    pub slice: Vec<SliceRule>,
    /// Lists of values that several features share.
    pub domain: Vec<Domain>,
    /// Sparse features: columns of indices beside a column of values.
    pub sparse: Vec<Sparse>,
    /// Weighted features: a column of values beside a column of weights.
    pub weighted: Vec<Weighted>,
    /// What the TensorFlow schema says besides, in its text format.
    pub tfdv: String,
}

/// Rules for the number of rows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetRules {
    /// Rows at least.
    pub min_rows: Option<u64>,
    /// Rows at most.
    pub max_rows: Option<u64>,
    /// Rows over those of the other data set, at least and at most.
    pub drift: Option<Fractions>,
    /// The same against the version before.
    pub version: Option<Fractions>,
}

/// Bounds of a ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fractions {
    /// Lowest.
    pub min: Option<f64>,
    /// Highest.
    pub max: Option<f64>,
}

/// Bounds of a whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Counts {
    /// Lowest.
    pub min: Option<i64>,
    /// Highest.
    pub max: Option<i64>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Whole numbers, and truths.
    Int,
    /// Numbers.
    Float,
    /// Texts or bytes.
    Text,
    /// Objects, whose fields are columns of their own.
    Struct,
}

impl Type {
    /// Its name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Type::Int => "int",
            Type::Float => "float",
            Type::Text => "text",
            Type::Struct => "struct",
        }
    }
}

/// How far along a feature is; only features in use must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Says nothing: in use.
    #[default]
    Unknown,
    /// Not yet there.
    Planned,
    /// Being tried.
    Alpha,
    /// In use before release.
    Beta,
    /// In use.
    Production,
    /// On its way out.
    Deprecated,
    /// For debugging.
    Debug,
    /// Not looked at.
    Disabled,
    /// Made while validating.
    ValidationDerived,
}

impl Stage {
    /// All of them with their names.
    pub const ALL: [(Stage, &'static str); 9] = [
        (Stage::Unknown, "unknown"),
        (Stage::Planned, "planned"),
        (Stage::Alpha, "alpha"),
        (Stage::Beta, "beta"),
        (Stage::Production, "production"),
        (Stage::Deprecated, "deprecated"),
        (Stage::Debug, "debug"),
        (Stage::Disabled, "disabled"),
        (Stage::ValidationDerived, "validation_derived"),
    ];

    /// Whether the feature must be there.
    #[must_use]
    pub fn in_use(self) -> bool {
        matches!(self, Stage::Unknown | Stage::Beta | Stage::Production | Stage::ValidationDerived)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(stage, _)| *stage == self).map_or("unknown", |(_, name)| name)
    }
}

/// One column.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: Option<Type>,
    /// Its unit, for readers.
    pub unit: String,
    /// How far along it is.
    pub stage: Stage,
    /// Share of the rows that have a value, at least.
    pub min_fraction: Option<f64>,
    /// Rows that have a value, at least.
    pub min_count: Option<u64>,
    /// Values in each row, for each level of lists in lists; empty when it does not matter.
    pub value_count: Vec<Counts>,
    /// Dimensions of every value.
    pub shape: Option<Vec<u64>>,
    /// Name of a shared list of values.
    pub domain: Option<String>,
    /// All texts it may hold.
    pub values: Option<Vec<String>>,
    /// Share of the values that must be among those, 1 unless told.
    pub min_domain_mass: Option<f64>,
    /// Range of whole numbers, also when written as texts.
    pub int_range: Option<Counts>,
    /// Range of numbers, also when written as texts.
    pub float_range: Option<FloatRange>,
    /// It is a truth, written like this.
    pub truth: Option<Truth>,
    /// It is a sequence of tokens.
    pub language: Option<Language>,
    /// It holds images.
    pub image: Option<Image>,
    /// Different values, at least and at most.
    pub unique: Option<Counts>,
    /// Environments it belongs to.
    pub in_environments: Vec<String>,
    /// Environments it does not belong to.
    pub not_in_environments: Vec<String>,
    /// How far training and serving may lie apart.
    pub skew: Option<Comparator>,
    /// How far one day and the next may lie apart.
    pub drift: Option<Comparator>,
    /// It is made of other columns.
    pub derived: Option<Derived>,
    /// What the TensorFlow schema says besides, in its text format.
    pub tfdv: String,
}

/// A range of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FloatRange {
    /// Lowest.
    pub min: Option<f64>,
    /// Highest.
    pub max: Option<f64>,
    /// NaN is refused.
    pub no_nan: bool,
    /// Infinities are refused.
    pub no_infinite: bool,
}

/// How truths are written; as 0 and 1 when nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Truth {
    /// Text for true.
    #[serde(rename = "true")]
    pub yes: Option<String>,
    /// Text for false.
    #[serde(rename = "false")]
    pub no: Option<String>,
}

/// Rules for sequences of tokens.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Language {
    /// Name of the shared list of values that is the vocabulary.
    pub vocabulary: Option<String>,
    /// Share of the tokens that are in it, at least.
    pub min_coverage: Option<f64>,
    /// Mean bytes of a token, at least.
    pub min_token_length: Option<f64>,
    /// Rules for single tokens.
    pub token: Vec<Token>,
}

/// Rules for one token.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    /// The token; a number is written as its digits.
    pub value: String,
    /// How often it stands in a row, at least.
    pub min_per_row: Option<u64>,
    /// And at most.
    pub max_per_row: Option<u64>,
    /// Share of the rows that have it, at least.
    pub min_fraction: Option<f64>,
    /// And at most.
    pub max_fraction: Option<f64>,
}

/// Rules for images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Image {
    /// Share of the values that are BMP, GIF, JPEG or PNG, at least.
    pub min_supported: Option<f64>,
    /// Bytes at most.
    pub max_bytes: Option<u64>,
}

/// How far two data sets may lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Comparator {
    /// The largest difference of the shares of a value.
    pub infinity_norm: Option<f64>,
    /// Jensen-Shannon divergence, in bits as in TensorFlow Data Validation.
    pub jensen_shannon: Option<f64>,
    /// Half the sum of the differences of all counts, over the larger number of values.
    pub normalized_difference: Option<f64>,
}

/// How a feature is made of others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Derived {
    /// What makes it.
    pub by: String,
    /// The columns it is made of.
    pub from: Vec<String>,
}

/// A slice that must be there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SliceRule {
    /// Its column.
    pub column: String,
    /// Its value.
    pub value: String,
    /// Share of the rows, at least.
    pub min_share: f64,
    /// The share that is usual.
    pub usual_share: Option<f64>,
}

/// A list of values that several features share.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Vec<String>,
}

/// Columns of indices beside a column of values.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sparse {
    /// Its name.
    pub name: String,
    /// How far along it is.
    pub stage: Stage,
    /// The columns of indices.
    pub index: Vec<String>,
    /// The column of values.
    pub value: String,
    /// What the TensorFlow schema says besides.
    pub tfdv: String,
}

/// A column of values beside a column of weights.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weighted {
    /// Its name.
    pub name: String,
    /// How far along it is.
    pub stage: Stage,
    /// The column of values.
    pub feature: String,
    /// The column of weights.
    pub weight: String,
    /// What the TensorFlow schema says besides.
    pub tfdv: String,
}

impl Schema {
    /// Reads a schema: the TensorFlow text format from `.pbtxt`, TOML from anything else.
    ///
    /// # Errors
    /// When the file cannot be read or is no schema, with line and column.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable schema", error))?;
        if is_text_format(path) {
            return tfdv::read(&text).map_err(|error| LabError::file(path, "a schema of TensorFlow metadata", error));
        }
        let schema: Self = toml::read(&text).map_err(|error| LabError::file(path, "a schema", error))?;
        if schema.format != FORMAT {
            return Err(LabError::file(path, &format!("format = {FORMAT}"), schema.format));
        }
        Ok(schema)
    }

    /// Writes it, in the format that the name of the file says; `seen` are comments for features, by name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path, seen: &[(String, String)]) -> Result<(), LabError> {
        let text = if is_text_format(path) { tfdv::write(self) } else { toml::write(self, seen) };
        std::fs::write(path, text).map_err(|error| LabError::file(path, "a writable file", error))
    }

    /// The rules of a column.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.feature.iter().find(|feature| feature.name == name)
    }

    /// The values of a shared list.
    #[must_use]
    pub fn values_of(&self, domain: &str) -> Option<&[String]> {
        self.domain.iter().find(|known| known.name == domain).map(|known| known.values.as_slice())
    }
}

fn is_text_format(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pbtxt" || extension == "textproto" || extension == "prototxt")
}

#[cfg(test)]
mod tests;
