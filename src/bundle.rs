//! What the server ships: schema, prior and policy. Checked whole before any of it is used.

use crate::clock::DAY_MS;
use crate::error::{Error, shown};
use crate::features::{Column, FeatureSchema, Source};
use crate::model::cold_start::pessimistic_bias;
use crate::model::{HeadPrior, RewardModel};
use crate::settings::{Field, Value, field};

mod feedback;
mod policy;
mod shipped;

pub use feedback::FeedbackSettings;
pub use policy::{Baseline, PolicyKind, PolicySettings};
pub use shipped::{FORMAT, Limits, MAGIC, MAX_BUNDLE_BYTES, MAX_GOLDEN, MAX_HEADER_BYTES, Shipping, header};

/// Version of the model that is built in.
pub const BUILT_IN_VERSION: &str = "built-in-1";

/// The `model` option, not yet checked as a whole. Every part may be left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BundleSettings {
    /// Name of this version; appears in every decision.
    pub version: Option<String>,
    /// Columns of the feature vector, in order. Default: the built-in ones.
    pub columns: Option<Vec<Column>>,
    /// Where learning starts.
    pub prior: PriorSettings,
    /// How pages are drawn.
    pub policy: PolicySettings,
    /// How feedback is read.
    pub feedback: FeedbackSettings,
    /// Switches everything off: pages keep the server's order, nothing is learned. Default: no.
    pub off: bool,
}

/// Independent Gaussians over the weights, in log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorSettings {
    /// Mean of the bias. Default -3: below the usual base rate, so that what is unknown does not push out what is known.
    pub bias: f64,
    /// Standard deviation of the bias. Default 1.
    pub bias_sd: f64,
    /// Means by column name. Default 0, or the built-in value for built-in columns.
    pub mean: Vec<(String, f64)>,
    /// Standard deviations by column name.
    pub sd: Vec<(String, f64)>,
    /// Standard deviation of the columns not named. Default 1.
    pub default_sd: f64,
    /// Days in which half of what was learned is forgotten. Default 60.
    pub half_life_days: f64,
    /// Segments of listeners as (weight, prior): up to [`crate::model::MAX_SEGMENTS`], the half-life being the one above. A new listener starts from
    /// their mixture, in which the first outcomes tell one from the other. Default: none, everybody starts from the prior above.
    pub segments: Vec<(f64, PriorSettings)>,
}

impl Default for PriorSettings {
    fn default() -> Self {
        Self {
            bias: -3.0,
            bias_sd: 1.0,
            mean: Vec::new(),
            sd: Vec::new(),
            default_sd: 1.0,
            half_life_days: 60.0,
            segments: Vec::new(),
        }
    }
}

/// Sets `target` from a field, if the field is there.
fn set_number(target: &mut f64, from: Field<'_>) -> Result<(), Error> {
    if !from.is_null() {
        *target = from.number()?;
    }
    Ok(())
}

impl BundleSettings {
    /// Reads the `model` option: `{version, schema: {columns: [{name, source, default}]}, prior: {bias, baseRate, biasSd, mean, sd,
    /// defaultSd, halfLifeDays, segments: [{weight, bias, baseRate, biasSd, mean, sd, defaultSd}]}, policy: see [`PolicySettings::read`], off,
    /// feedback: {unreported, examination, shelfExamination, tapHalfMs, plays: {KIND: [at 5 s, at 10 s, at 30 s]}}}`.
    ///
    /// # Errors
    /// `bad_model`, `bad_schema`, `bad_prior`, `bad_policy` or `bad_feedback`, naming the field, what was expected and what was found.
    pub fn read(value: &Value) -> Result<Self, Error> {
        let mut settings = Self::default();
        let root = Field::root(value, "model", "bad_model");
        if root.is_null() {
            return Ok(settings);
        }
        settings.read_fields(root.object(&["version", "schema", "prior", "policy", "feedback", "off"])?)?;
        Ok(settings)
    }

    /// Reads what is among `fields`.
    fn read_fields(&mut self, fields: &[(String, Value)]) -> Result<(), Error> {
        let settings = self;
        let version = field(fields, "version", "bad_model");
        if !version.is_null() {
            settings.version = Some(version.text()?.to_owned());
        }
        let schema = field(fields, "schema", "bad_schema");
        if !schema.is_null() {
            settings.columns = Some(field(schema.object(&["columns"])?, "columns", "bad_schema").list(read_column)?);
        }
        let prior = field(fields, "prior", "bad_prior");
        if !prior.is_null() {
            settings.prior.read(prior)?;
        }
        let policy = field(fields, "policy", "bad_policy");
        if !policy.is_null() {
            settings.policy.read(policy)?;
        }
        let feedback = field(fields, "feedback", "bad_feedback");
        if !feedback.is_null() {
            settings.feedback.read(feedback)?;
        }
        let off = field(fields, "off", "bad_model");
        if !off.is_null() {
            settings.off = off.flag()?;
        }
        Ok(())
    }
}

fn read_column(column: Field<'_>) -> Result<Column, Error> {
    let fields = column.object(&["name", "source", "unit", "default", "missing", "min", "max", "mean", "scale"])?;
    let of = |name| field(fields, name, "bad_schema");
    let mut column = Column::new(of("name").text()?, Source::from_name(of("source").text()?)?);
    for (name, target) in [
        ("default", &mut column.default),
        ("min", &mut column.min),
        ("max", &mut column.max),
        ("mean", &mut column.mean),
        ("scale", &mut column.scale),
    ] {
        if !of(name).is_null() {
            *target = of(name).number()? as f32;
        }
    }
    if !of("unit").is_null() {
        of("unit").text()?;
    }
    let missing = of("missing");
    if !missing.is_null() {
        column.keeps_missing = match missing.text()? {
            "keep" => true,
            "default" => false,
            other => return Err(Error::settings("bad_schema", format!("missing must be default or keep, got \"{other}\""))),
        };
    }
    Ok(column)
}

impl PriorSettings {
    /// `baseRate` in place of `bias` puts the bias one standard deviation below that rate. What a segment leaves out is as in the
    /// prior that holds it.
    fn read(&mut self, from: Field<'_>) -> Result<(), Error> {
        let fields = from.object(&["bias", "baseRate", "biasSd", "mean", "sd", "defaultSd", "halfLifeDays", "segments"])?;
        self.read_start(fields)?;
        set_number(&mut self.half_life_days, field(fields, "halfLifeDays", "bad_prior"))?;
        let segments = field(fields, "segments", "bad_prior");
        if !segments.is_null() {
            self.segments = segments.list(|segment| {
                let fields = segment.object(&["weight", "bias", "baseRate", "biasSd", "mean", "sd", "defaultSd"])?;
                let mut start = self.clone();
                start.read_start(fields)?;
                Ok((field(fields, "weight", "bad_prior").number()?, start))
            })?;
        }
        Ok(())
    }

    fn read_start(&mut self, fields: &[(String, Value)]) -> Result<(), Error> {
        let of = |name| field(fields, name, "bad_prior");
        set_number(&mut self.bias, of("bias"))?;
        set_number(&mut self.bias_sd, of("biasSd"))?;
        set_number(&mut self.default_sd, of("defaultSd"))?;
        if !of("baseRate").is_null() {
            let rate = of("baseRate").number()?;
            if !(rate > 0.0 && rate < 1.0 && of("bias").is_null()) {
                return Err(Error::settings(
                    "bad_prior",
                    format!("baseRate must be within 0 and 1 and without a bias, got {}", shown(rate)),
                ));
            }
            self.bias = pessimistic_bias(rate, self.bias_sd);
        }
        for (name, target) in [("mean", &mut self.mean), ("sd", &mut self.sd)] {
            if !of(name).is_null() {
                for (column, value) in of(name).entries()? {
                    target.push((column.clone(), Field::root(value, column, "bad_prior").number()?));
                }
            }
        }
        Ok(())
    }

    /// The head's start over the columns of `schema`; `known` gives mean and standard deviation of columns that are not named.
    fn start(&self, schema: &FeatureSchema, known: impl Fn(&str) -> Option<(f64, f64)>) -> Result<HeadPrior, Error> {
        for name in self.mean.iter().chain(&self.sd).map(|(name, _)| name) {
            if !schema.columns().iter().any(|column| &column.name == name) {
                return Err(Error::settings("bad_prior", format!("expected a column of the schema, got \"{name}\"")));
            }
        }
        // The last entry of a name counts: a segment's own stand after the ones it overrides.
        let named = |list: &[(String, f64)], name: &str| list.iter().rfind(|entry| entry.0 == name).map(|entry| entry.1);
        let mut mean = vec![self.bias];
        let mut sd = vec![self.bias_sd];
        for Column { name, .. } in schema.columns() {
            let known = known(name);
            mean.push(named(&self.mean, name).or(known.map(|known| known.0)).unwrap_or(0.0));
            sd.push(named(&self.sd, name).or(known.map(|known| known.1)).unwrap_or(self.default_sd));
        }
        HeadPrior::new(mean, &sd, self.half_life_days * DAY_MS as f64)
    }
}

/// A checked bundle.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub(crate) version: String,
    pub(crate) schema: FeatureSchema,
    pub(crate) model: RewardModel,
    pub(crate) settings: PolicySettings,
    pub(crate) off: bool,
    pub(crate) feedback: FeedbackSettings,
    pub(crate) limits: Limits,
    shipping: Option<Shipping>,
}

/// (name, source, prior mean, prior standard deviation) of the built-in model, written by hand: signs are common sense. Shares such as
/// p / (p + 3) are small numbers in the first weeks, so their weights are large; what most listeners agree on (sd 0.3) moves
/// slowly, what differs between them (genres, part of the day) faster. Sizes were compared on simulated listeners of the demo world,
/// with other seeds than the published ones; no data set of real listeners had a say.
const BUILT_IN: [(&str, Source, f64, f64); 14] = [
    ("popularity", Source::Popularity, 3.0, 0.3),
    ("artist_affinity", Source::ArtistAffinity, 2.0, 0.3),
    ("family_affinity", Source::FamilyAffinity, 4.0, 1.0),
    ("card_affinity", Source::CardAffinity, 2.0, 0.3),
    ("taste_short", Source::TasteShort, 0.2, 0.3),
    ("taste_long", Source::TasteLong, 0.2, 0.3),
    ("new_artist", Source::NewArtist, -0.05, 0.3),
    ("recency", Source::Recency, 0.0, 0.3),
    ("skip_rate", Source::SkipRate, -0.5, 0.3),
    ("time_of_day", Source::TimeOfDay, 0.5, 1.0),
    ("liked", Source::Liked, 0.4, 0.3),
    ("fatigue", Source::Fatigue, -2.0, 0.3),
    ("is_podcast", Source::IsPodcast, -0.25, 1.0),
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
    /// `bad_schema`, `bad_prior`, `bad_policy`, `bad_feedback` or `bad_version`, with what was expected and what was found.
    pub fn new(mut settings: BundleSettings) -> Result<Self, Error> {
        let built_in = settings.columns.is_none();
        let named = settings.version.take();
        let version = named.unwrap_or_else(|| if built_in { BUILT_IN_VERSION.into() } else { "unnamed".into() });
        let built = || BUILT_IN.iter().map(|(name, source, ..)| Column::new(name, *source)).collect();
        let schema = FeatureSchema::new(settings.columns.take().unwrap_or_else(built))?;
        let known = |name: &str| BUILT_IN.iter().find(|entry| built_in && entry.0 == name).map(|entry| (entry.2, entry.3));
        let prior = if settings.prior.segments.is_empty() {
            settings.prior.start(&schema, known)?
        } else {
            let mut segments = Vec::new();
            for (weight, prior) in &settings.prior.segments {
                segments.push((*weight, prior.start(&schema, known)?));
            }
            HeadPrior::mixture(segments)?
        };
        let model = RewardModel::plain(&schema, prior)?;
        Self::of(version, schema, model, settings)
    }

    /// A bundle around a model; columns and prior of the settings are not looked at.
    fn of(version: String, schema: FeatureSchema, model: RewardModel, settings: BundleSettings) -> Result<Self, Error> {
        if version.is_empty() || version.len() > 100 {
            return Err(Error::settings("bad_version", format!("expected a version of 1 to 100 bytes, got {}", version.len())));
        }
        let feedback = settings.feedback.checked()?;
        let (off, settings) = (settings.off, settings.policy);
        settings.check()?;
        Ok(Self { version, schema, model, settings, feedback, off, limits: Limits::default(), shipping: None })
    }

    /// The reward model.
    #[must_use]
    pub fn model(&self) -> &RewardModel {
        &self.model
    }

    /// What it says of itself, if it was shipped.
    #[must_use]
    pub fn shipping(&self) -> Option<&Shipping> {
        self.shipping.as_ref()
    }

    /// Largest page that it scores.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
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
    use crate::policy::LoggingPolicy;

    fn code(json: &str) -> &'static str {
        let value: Value = serde_json::from_str(json).unwrap();
        BundleSettings::read(&value).and_then(Bundle::new).map_or_else(|e| e.code(), |_| "ok")
    }

    #[test]
    fn the_built_in_model_is_sound() {
        let bundle = Bundle::built_in().unwrap();
        assert_eq!(bundle.version(), BUILT_IN_VERSION);
        assert_eq!(bundle.schema().columns().len(), BUILT_IN.len());
        assert!(LoggingPolicy::new(bundle.settings.policy(0), 1_000).is_ok());
    }

    fn means(json: &str) -> (Vec<f64>, Vec<f64>) {
        let value: Value = serde_json::from_str(json).unwrap();
        let bundle = Bundle::new(BundleSettings::read(&value).unwrap()).unwrap();
        (bundle.model.head().mean().to_vec(), bundle.model.head().segment_weights())
    }

    #[test]
    fn a_base_rate_makes_a_pessimistic_bias() {
        let (mean, weights) = means(r#"{"prior": {"baseRate": 0.04, "biasSd": 0.5}}"#);
        assert!((mean[0] - (crate::math::ln(0.04 / 0.96) - 0.5)).abs() < 1e-12);
        assert_eq!(weights, [1.0]);
    }

    #[test]
    fn segments_override_the_prior_that_holds_them() {
        let (mean, weights) = means(
            r#"{"prior": {"bias": -2, "mean": {"popularity": 2, "recency": 3}, "segments": [
                {"weight": 3, "mean": {"popularity": 6}},
                {"weight": 1, "bias": -4, "sd": {"recency": 0.1}}]}}"#,
        );
        assert_eq!(weights.iter().map(|w| (w * 100.0).round()).collect::<Vec<_>>(), [75.0, 25.0]);
        let column = |name: &str| 1 + BUILT_IN.iter().position(|entry| entry.0 == name).unwrap();
        for (got, want) in [(mean[0], -2.5), (mean[column("popularity")], 5.0), (mean[column("recency")], 3.0)] {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        assert!((mean[column("liked")] - 0.4).abs() < 1e-12);
    }

    #[test]
    fn settings_are_checked_as_a_whole() {
        assert_eq!(code("{}"), "ok");
        assert_eq!(code(r#"{"prior": {"mean": {"popularity": 2}}}"#), "ok");
        assert_eq!(code(r#"{"prior": {"mean": {"nonsense": 2}}}"#), "bad_prior");
        assert_eq!(code(r#"{"prior": {"biasSd": 0}}"#), "bad_prior");
        for prior in [
            r#"{"baseRate": 0}"#,
            r#"{"baseRate": 1}"#,
            r#"{"baseRate": 0.1, "bias": -3}"#,
            r#"{"segments": []}"#,
            r#"{"segments": [{"bias": 1}]}"#,
            r#"{"segments": [{"weight": 0}]}"#,
            r#"{"segments": [{"weight": 1, "halfLifeDays": 3}]}"#,
            r#"{"segments": [{"weight": 1, "mean": {"nonsense": 1}}]}"#,
        ] {
            let expected = if prior.contains("[]") { "ok" } else { "bad_prior" };
            assert_eq!(code(&format!(r#"{{"prior": {prior}}}"#)), expected, "{prior}");
        }
        assert_eq!(code(r#"{"policy": {"temperature": 0}}"#), "bad_policy");
        assert_eq!(code(r#"{"policy": {"kind": "epsilon_page", "epsilon": 2}}"#), "bad_policy");
        assert_eq!(code(r#"{"policy": {"kind": "magic"}}"#), "bad_policy");
        assert_eq!(code(r#"{"feedback": {"unreported": "position", "plays": {"album": [0.9, 0.8, 0.6]}}}"#), "ok");
        for feedback in [
            r#"{"unreported": "magic"}"#,
            r#"{"examination": 1.5}"#,
            r#"{"shelfExamination": -1}"#,
            r#"{"tapHalfMs": -1}"#,
            r#"{"plays": {"album": [0.9, 0.8]}}"#,
            r#"{"plays": {"album": [0.7, 0.8, 0.6]}}"#,
            r#"{"colour": 1}"#,
        ] {
            assert_eq!(code(&format!(r#"{{"feedback": {feedback}}}"#)), "bad_feedback", "{feedback}");
        }
        assert_eq!(code(r#"{"colour": 1}"#), "bad_model");
        assert_eq!(code(r#"{"schema": {"columns": []}}"#), "bad_schema");
        assert_eq!(code(r#"{"version": "", "schema": {"columns": [{"name": "x", "source": "given"}]}}"#), "bad_version");
        assert_eq!(code(r#"{"schema": {"columns": [{"name": "x", "source": "given", "default": 0.5}]}}"#), "ok");
    }
}
