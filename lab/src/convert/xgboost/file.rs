//! How an XGBoost model is written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Visitor};

use super::ImportError;

/// A model file.
#[derive(Deserialize)]
pub struct File {
    pub learner: Learner,
}

/// What was learned.
#[derive(Deserialize)]
pub struct Learner {
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub feature_names: Vec<String>,
    pub gradient_booster: Booster,
    pub learner_model_param: Parameters,
    pub objective: Named,
}

/// Something of which only the name counts.
#[derive(Deserialize)]
pub struct Named {
    pub name: String,
}

/// Numbers for the whole model.
#[derive(Deserialize)]
pub struct Parameters {
    pub base_score: Loose,
    pub num_class: Option<Loose>,
    pub num_target: Option<Loose>,
    pub num_feature: Loose,
}

/// Either booster; others have other parts and are refused by their name.
#[derive(Deserialize)]
pub struct Booster {
    pub name: String,
    pub model: Option<Forest>,
    pub gbtree: Option<Inner>,
    pub weight_drop: Option<Vec<f32>>,
}

/// The trees within a `dart` booster.
#[derive(Deserialize)]
pub struct Inner {
    pub model: Forest,
}

/// The trees.
#[derive(Deserialize)]
pub struct Forest {
    #[serde(default)]
    pub trees: Vec<RawTree>,
    #[serde(default)]
    pub tree_info: Vec<i64>,
    pub cats: Option<Categories>,
}

/// Names of categories, since 3.1; only whether there are any counts.
#[derive(Deserialize)]
pub struct Categories {
    #[serde(default)]
    pub enc: Vec<de::IgnoredAny>,
}

/// A tree: one entry for each node in each list.
#[derive(Deserialize)]
pub struct RawTree {
    pub left_children: Vec<i64>,
    pub right_children: Vec<i64>,
    pub split_indices: Vec<i64>,
    pub split_conditions: Vec<Condition>,
    pub default_left: Vec<Flag>,
    #[serde(default)]
    pub split_type: Vec<i64>,
    #[serde(default)]
    pub categories: Vec<i64>,
    #[serde(default)]
    pub categories_nodes: Vec<i64>,
    #[serde(default)]
    pub categories_segments: Vec<i64>,
    #[serde(default)]
    pub categories_sizes: Vec<i64>,
    pub tree_param: Option<TreeParameters>,
}

/// Numbers for a tree.
#[derive(Deserialize)]
pub struct TreeParameters {
    pub size_leaf_vector: Option<Loose>,
}

/// A number that may stand in quotes or, since 3.1, in a list.
pub struct Loose(pub String);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, in quotes or not")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Loose, E> {
        Ok(Loose(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose(number.to_string()))
    }

    fn visit_f32<E: de::Error>(self, number: f32) -> Result<Loose, E> {
        Ok(Loose(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Loose, E> {
        Ok(Loose(number.to_string()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
        match (list.next_element::<f64>()?, list.next_element::<f64>()?) {
            (Some(number), None) => Ok(Loose(number.to_string())),
            _ => Err(de::Error::custom("expected a list of one number")),
        }
    }
}

impl Loose {
    /// A whole number.
    pub fn whole(&self, place: &str) -> Result<u64, ImportError> {
        self.0.parse().map_err(|_| ImportError::broken(place, "a whole number", &self.0))
    }
}

/// A flag: true and false, or 1 and 0.
#[derive(Clone, Copy)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, 0 or 1")
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Flag, E> {
        match number {
            0 => Ok(Flag(false)),
            1 => Ok(Flag(true)),
            other => Err(E::invalid_value(de::Unexpected::Signed(other), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Flag, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A threshold or a leaf; null stands for NaN.
#[derive(Clone, Copy)]
pub struct Condition(pub f32);

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or(f32::NAN)))
    }
}

/// The text with null for each NaN outside quotes: XGBoost before 3 writes it as the threshold of a categorical split.
pub fn without_nan(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.windows(3).any(|window| window == b"NaN") {
        return Cow::Borrowed(bytes);
    }
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    let (mut rest, mut quoted) = (bytes, false);
    while let [first, ..] = rest {
        if !quoted && rest.starts_with(b"NaN") {
            text.extend_from_slice(b"null");
            rest = rest.get(3..).unwrap_or_default();
            continue;
        }
        // What a backslash stands before ends no text.
        let taken = if quoted && *first == b'\\' { 2 } else { 1 };
        quoted ^= *first == b'"';
        let (now, later) = rest.split_at(taken.min(rest.len()));
        text.extend_from_slice(now);
        rest = later;
    }
    Cow::Owned(text)
}
