//! What the server ships: schema, prior and policy. Checked whole before any of it is used.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::DAY_MS;
use crate::error::Error;
use crate::features::{Column, FeatureSchema, Source};
use crate::model::{Body, HeadPrior, RewardModel};
use crate::policy::Policy;

/// Version of the model that is built in.
pub const BUILT_IN_VERSION: &str = "built-in-1";

/// The `model` option as JSON, not yet checked. Every part may be left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleSettings {
    /// Name of this version; appears in every decision.
    #[serde(default)]
    pub version: Option<String>,
    /// Columns of the feature vector.
    #[serde(default)]
    pub schema: Option<SchemaSettings>,
    /// Where learning starts.
    #[serde(default)]
    pub prior: Option<PriorSettings>,
    /// How pages are drawn.
    #[serde(default)]
    pub policy: Option<PolicySettings>,
}

/// Columns of the feature vector.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaSettings {
    /// In the order of the vector.
    pub columns: Vec<Column>,
}

/// Independent Gaussians over the weights, in log-odds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriorSettings {
    /// Mean of the bias. Default -3: below the usual base rate, so that what is unknown does not push out what is known.
    #[serde(default = "default_bias")]
    pub bias: f64,
    /// Standard deviation of the bias. Default 1.
    #[serde(default = "default_sd")]
    pub bias_sd: f64,
    /// Means by column name. Default 0.
    #[serde(default)]
    pub mean: BTreeMap<String, f64>,
    /// Standard deviations by column name.
    #[serde(default)]
    pub sd: BTreeMap<String, f64>,
    /// Standard deviation of the columns not named. Default 1.
    #[serde(default = "default_sd")]
    pub default_sd: f64,
    /// Days in which half of what was learned is forgotten. Default 60.
    #[serde(default = "default_half_life")]
    pub half_life_days: f64,
}

fn default_bias() -> f64 {
    -3.0
}

fn default_sd() -> f64 {
    1.0
}

fn default_half_life() -> f64 {
    60.0
}

/// Names of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// Two-level Plackett-Luce with a floor.
    PlackettLuce,
    /// With chance epsilon a uniform page, else the greedy one.
    EpsilonPage,
    /// The server's order.
    Fixed,
    /// Cards by popularity, shelves by the popularity of their visible cards.
    Popularity,
}

impl PolicyKind {
    /// The name in settings and decisions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PlackettLuce => "plackett_luce",
            Self::EpsilonPage => "epsilon_page",
            Self::Fixed => "fixed",
            Self::Popularity => "popularity",
        }
    }
}

/// How pages are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySettings {
    /// Which policy. Default: Plackett-Luce.
    #[serde(default = "default_kind")]
    pub kind: PolicyKind,
    /// Score units in which one card is e times likelier than another; > 0. Small is greedy, large is uniform.
    #[serde(default = "default_temperature")]
    pub temperature: f64,
    /// The same for shelves, in units of log shelf value.
    #[serde(default = "default_temperature")]
    pub shelf_temperature: f64,
    /// Uniform share of every draw of a shelf, in [0, 1].
    #[serde(default = "default_floor")]
    pub floor_shelves: f64,
    /// Uniform share of every draw of a card, in [0, 1].
    #[serde(default = "default_floor")]
    pub floor_cards: f64,
    /// For epsilon on the page: chance of a uniform page, in [0, 1].
    #[serde(default = "default_epsilon")]
    pub epsilon: f64,
    /// A card visible in one shelf is not drawn in a shelf below. Default: no.
    #[serde(default)]
    pub show_once: bool,
}

fn default_kind() -> PolicyKind {
    PolicyKind::PlackettLuce
}

fn default_temperature() -> f64 {
    0.15
}

fn default_floor() -> f64 {
    0.02
}

fn default_epsilon() -> f64 {
    0.05
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            kind: default_kind(),
            temperature: default_temperature(),
            shelf_temperature: default_temperature(),
            floor_shelves: default_floor(),
            floor_cards: default_floor(),
            epsilon: default_epsilon(),
            show_once: false,
        }
    }
}

impl PolicySettings {
    /// The policy behind the settings.
    ///
    /// # Errors
    /// `bad_policy` for a temperature that is not > 0 or a rate outside [0, 1].
    pub fn policy(&self) -> Result<Policy, Error> {
        for temperature in [self.temperature, self.shelf_temperature] {
            if !(temperature.is_finite() && temperature > 0.0) {
                return Err(Error::settings("bad_policy", format!("a temperature must be > 0 and finite, got {temperature}")));
            }
        }
        match self.kind {
            PolicyKind::PlackettLuce => {
                Policy::PlackettLuce { floor_shelves: self.floor_shelves, floor_cards: self.floor_cards }.checked()
            }
            PolicyKind::EpsilonPage => Policy::EpsilonPage { epsilon: self.epsilon }.checked(),
            PolicyKind::Fixed | PolicyKind::Popularity => Ok(Policy::Greedy),
        }
    }
}

/// A checked bundle.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub(crate) version: String,
    pub(crate) schema: FeatureSchema,
    pub(crate) model: RewardModel,
    pub(crate) settings: PolicySettings,
    pub(crate) policy: Policy,
}

/// (name, source, prior mean, prior standard deviation) of the built-in model, written by hand: signs are common sense, sizes
/// such that a well-known artist beats a popular stranger, spreads wide enough for a week of listening to overrule them.
const BUILT_IN: [(&str, Source, f64, f64); 14] = [
    ("popularity", Source::Popularity, 1.5, 0.7),
    ("artist_affinity", Source::ArtistAffinity, 1.2, 0.7),
    ("family_affinity", Source::FamilyAffinity, 2.0, 1.0),
    ("card_affinity", Source::CardAffinity, 0.5, 0.7),
    ("taste_short", Source::TasteShort, 0.7, 0.7),
    ("taste_long", Source::TasteLong, 0.7, 0.7),
    ("new_artist", Source::NewArtist, -0.1, 0.5),
    ("recency", Source::Recency, 0.0, 0.7),
    ("skip_rate", Source::SkipRate, -1.0, 0.7),
    ("time_of_day", Source::TimeOfDay, 1.0, 1.0),
    ("liked", Source::Liked, 0.8, 0.5),
    ("fatigue", Source::Fatigue, -0.7, 0.7),
    ("is_podcast", Source::IsPodcast, 0.0, 1.0),
    ("is_playlist", Source::IsPlaylist, 0.0, 1.0),
];

impl Bundle {
    /// The built-in model with the default policy.
    ///
    /// # Errors
    /// None in practice: the parts are constants that a test checks.
    pub fn built_in() -> Result<Self, Error> {
        Self::new(BundleSettings::default())
    }

    /// Checks settings as a whole.
    ///
    /// # Errors
    /// `bad_schema`, `bad_prior`, `bad_policy` or `bad_version`, with what was expected and what was found.
    pub fn new(settings: BundleSettings) -> Result<Self, Error> {
        let built_in = settings.schema.is_none();
        let version = settings.version.unwrap_or_else(|| if built_in { BUILT_IN_VERSION.into() } else { "unnamed".into() });
        if version.is_empty() || version.len() > 100 {
            return Err(Error::settings("bad_version", format!("expected a version of 1 to 100 bytes, got {}", version.len())));
        }
        let schema = match settings.schema {
            Some(schema) => FeatureSchema::new(schema.columns)?,
            None => FeatureSchema::new(
                BUILT_IN
                    .iter()
                    .map(|(name, source, ..)| Column { name: (*name).into(), source: *source, default: 0.0 })
                    .collect(),
            )?,
        };
        let prior = settings.prior.unwrap_or_else(|| PriorSettings {
            bias: default_bias(),
            bias_sd: default_sd(),
            mean: BTreeMap::new(),
            sd: BTreeMap::new(),
            default_sd: default_sd(),
            half_life_days: default_half_life(),
        });
        for name in prior.mean.keys().chain(prior.sd.keys()) {
            if !schema.columns().iter().any(|column| &column.name == name) {
                return Err(Error::settings("bad_prior", format!("expected a column of the schema, got \"{name}\"")));
            }
        }
        let built_in_of = |name: &str| BUILT_IN.iter().find(|entry| built_in && entry.0 == name);
        let mut mean = vec![prior.bias];
        let mut sd = vec![prior.bias_sd];
        for Column { name, .. } in schema.columns() {
            mean.push(prior.mean.get(name).copied().or(built_in_of(name).map(|e| e.2)).unwrap_or(0.0));
            sd.push(prior.sd.get(name).copied().or(built_in_of(name).map(|e| e.3)).unwrap_or(prior.default_sd));
        }
        let prior = HeadPrior::new(mean, &sd, prior.half_life_days * DAY_MS as f64)?;
        let model = RewardModel::new(&schema, Body::Linear, prior)?;
        let settings = settings.policy.unwrap_or_default();
        let policy = settings.policy()?;
        Ok(Self { version, schema, model, settings, policy })
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its feature schema.
    #[must_use]
    pub fn schema(&self) -> &FeatureSchema {
        &self.schema
    }

    /// Its policy settings.
    #[must_use]
    pub fn policy_settings(&self) -> &PolicySettings {
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(json: &str) -> &'static str {
        match serde_json::from_str::<BundleSettings>(json) {
            Ok(settings) => Bundle::new(settings).map_or_else(|e| e.code(), |_| "ok"),
            Err(_) => "json",
        }
    }

    #[test]
    fn the_built_in_model_is_sound() {
        let bundle = Bundle::built_in().unwrap();
        assert_eq!(bundle.version(), BUILT_IN_VERSION);
        assert_eq!(bundle.schema().columns().len(), BUILT_IN.len());
        assert!(bundle.policy.for_logging(1_000).is_ok());
    }

    #[test]
    fn settings_are_checked_as_a_whole() {
        assert_eq!(code("{}"), "ok");
        assert_eq!(code(r#"{"prior": {"mean": {"popularity": 2}}}"#), "ok");
        assert_eq!(code(r#"{"prior": {"mean": {"nonsense": 2}}}"#), "bad_prior");
        assert_eq!(code(r#"{"prior": {"biasSd": 0}}"#), "bad_prior");
        assert_eq!(code(r#"{"policy": {"temperature": 0}}"#), "bad_policy");
        assert_eq!(code(r#"{"policy": {"kind": "epsilon_page", "epsilon": 2}}"#), "bad_policy");
        assert_eq!(code(r#"{"policy": {"kind": "magic"}}"#), "json");
        assert_eq!(code(r#"{"colour": 1}"#), "json");
        assert_eq!(code(r#"{"schema": {"columns": []}}"#), "bad_schema");
        assert_eq!(code(r#"{"version": "", "schema": {"columns": [{"name": "x", "source": "given"}]}}"#), "bad_version");
        assert_eq!(code(r#"{"schema": {"columns": [{"name": "x", "source": "given", "default": 0.5}]}}"#), "ok");
    }
}
