//! Bundle format v1: the bytes a server ships, checked whole (`docs/bundle.md`).

use sha2::{Digest, Sha256};

use super::{Bundle, BundleSettings};
use crate::clock::{DAY_MS, Timestamp};
use crate::error::{Error, ErrorKind, shown};
use crate::features::FeatureSchema;
use crate::model::{Body, HeadPrior, MAX_SEGMENTS, MAX_SPARSE_WEIGHTS, RewardModel};
use crate::page::{MAX_CARDS, MAX_SHELVES};
use crate::settings::{Field, Value, field};
use sections::Sections;

mod body;
mod sections;

/// First bytes of a bundle.
pub const MAGIC: [u8; 8] = *b"EARSBNDL";
/// The format of this release, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// Most bytes of a bundle.
pub const MAX_BUNDLE_BYTES: usize = 8 << 20;
/// Most bytes of its header.
pub const MAX_HEADER_BYTES: usize = 1 << 18;
/// Most golden vectors.
pub const MAX_GOLDEN: usize = 256;

/// Bytes before the header.
const PRELUDE: usize = 16;
/// Bytes of the checksum behind the sections.
const CHECKSUM: usize = 32;

/// What a shipped bundle says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Shipping {
    /// The model's name: 1 to 100 bytes.
    pub name: String,
    /// Its place in its channel; a device never goes back.
    pub sequence: u64,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is not to be used; `None` for never.
    pub expires: Option<Timestamp>,
    /// SHA-256 of the privacy manifest it goes with, in lower-case hex.
    pub privacy_manifest: Option<String>,
    /// SHA-256 of the whole file: its address.
    pub address: [u8; 32],
}

/// Largest page that a bundle wants to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Shelves; at most [`MAX_SHELVES`].
    pub shelves: usize,
    /// Cards; at most [`MAX_CARDS`].
    pub cards: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { shelves: MAX_SHELVES, cards: MAX_CARDS }
    }
}

#[cold]
fn corrupt(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSettings, "bundle_corrupt", message)
}

fn word(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, |word| u32::from_le_bytes(word) as usize)
}

/// The header's bytes within those of a bundle. Nothing else is checked but what stands before it.
///
/// # Errors
/// `bundle_corrupt` for other bytes, `bundle_newer` for a format of a newer release.
pub fn header(bytes: &[u8]) -> Result<&[u8], Error> {
    if bytes.len() < PRELUDE + CHECKSUM || bytes.len() > MAX_BUNDLE_BYTES || bytes[..8] != MAGIC {
        return Err(corrupt(format!(
            "expected {} to {MAX_BUNDLE_BYTES} bytes that start with EARSBNDL, got {} bytes",
            PRELUDE + CHECKSUM,
            bytes.len()
        )));
    }
    let (format, length) = (word(bytes, 8), word(bytes, 12));
    if format != FORMAT as usize {
        return Err(newer("format", format));
    }
    bytes[PRELUDE..bytes.len() - CHECKSUM].get(..length).filter(|header| header.len() <= MAX_HEADER_BYTES).ok_or_else(|| {
        corrupt(format!("expected a header of at most {MAX_HEADER_BYTES} bytes within the bundle, got {length} bytes"))
    })
}

fn newer(what: &str, got: usize) -> Error {
    Error::new(ErrorKind::InvalidSettings, "bundle_newer", format!("expected {what} {FORMAT}, got {got}"))
}

impl Bundle {
    /// Checks the bytes of a bundle and what the host read from its header, [`header`], as JSON.
    ///
    /// Everything is checked: lengths and checksum, schema, body, where the head starts, policy, feedback, and that the golden vectors
    /// come out bit for bit. Whatever the bytes are, at most 64 MB of memory are taken. Neither signature nor clock is looked at; see
    /// [`Bundle::check_expiry`].
    ///
    /// # Errors
    /// `bundle_corrupt`, `bundle_newer`, `bad_bundle`, `bad_schema`, `bad_body`, `bad_prior`, `bad_policy`, `bad_feedback`, or
    /// `bundle_golden` when this device computes other scores than the maker's.
    pub fn from_bytes(bytes: &[u8], value: &Value) -> Result<Self, Error> {
        let length = header(bytes)?.len();
        let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        let hash = Sha256::new_with_prefix(content);
        if hash.clone().finalize()[..] != *checksum {
            return Err(corrupt("expected the checksum of the bytes before it, got another"));
        }
        let address = hash.chain_update(checksum).finalize().into();
        let head = Field::root(value, "header", "bad_bundle").entries()?;
        let of = |name| field(head, name, "bad_bundle");
        for (name, code) in [("format", "format"), ("minReader", "a reader of version")] {
            let version = of(name).whole(u32::MAX)?;
            if version != FORMAT && (name == "format" || version > FORMAT) {
                return Err(newer(code, version as usize));
            }
        }
        let sections = Sections::new(of("sections"), &content[PRELUDE..], length)?;
        let mut settings = BundleSettings::default();
        settings.read_fields(head)?;
        let mut bundle = Self::shipped(settings, of("body"), of("head"), &sections)?;
        bundle.limits = read_limits(of("limits"))?;
        let name = of("name").text()?;
        if name.is_empty() || name.len() > 100 {
            return Err(Error::settings("bad_bundle", format!("name must have 1 to 100 bytes, got {}", name.len())));
        }
        bundle.shipping = Some(Shipping {
            name: name.to_owned(),
            sequence: number(of("sequence"), 1.0)? as u64,
            created: Timestamp::from_ms(number(of("created"), 0.0)?)?,
            expires: if of("expires").is_null() { None } else { Some(Timestamp::from_ms(number(of("expires"), 0.0)?)?) },
            privacy_manifest: read_hash(of("privacyManifest"))?,
            address,
        });
        bundle.check_golden(&sections)?;
        Ok(bundle)
    }

    /// Schema, body and head.
    fn shipped(mut settings: BundleSettings, body: Field<'_>, head: Field<'_>, sections: &Sections<'_>) -> Result<Self, Error> {
        let (Some(columns), Some(version)) = (settings.columns.take(), settings.version.take()) else {
            return Err(Error::settings("bad_bundle", "expected a schema and a version, got none"));
        };
        let schema = FeatureSchema::new(columns)?;
        let body = body::read(body, sections, schema.columns().len())?;
        let width = if body == Body::Plain { schema.width() } else { body.width() + 2 };
        let prior = read_head(head, sections, &body, width)?;
        let model = RewardModel::new(&schema, body, prior)?.shipped(&schema);
        Self::of(version, schema, model, settings)
    }

    /// Every golden vector comes out as its maker saw it.
    fn check_golden(&self, sections: &Sections<'_>) -> Result<(), Error> {
        let columns = self.schema.columns().len();
        let scores = sections.numbers("goldenScores", 1, MAX_GOLDEN)?;
        let inputs = sections.numbers("goldenInputs", scores.len() * columns, scores.len() * columns)?;
        let mut row = vec![0.0; self.schema.stride()];
        for (index, (inputs, want)) in inputs.chunks_exact(columns).zip(&scores).enumerate() {
            row[0] = 1.0;
            for (value, input) in row.iter_mut().skip(1).zip(inputs) {
                *value = *input as f32;
            }
            self.schema.guard(&mut row);
            let got = self.model.score(&row);
            if got.to_bits() != want.to_bits() {
                return Err(Error::settings(
                    "bundle_golden",
                    format!("golden vector {index} must score {}, got {}", shown(*want), shown(got)),
                ));
            }
        }
        Ok(())
    }

    /// Whether the bundle may still be used.
    ///
    /// # Errors
    /// `bundle_expired` from its last moment on.
    pub fn check_expiry(&self, now: Timestamp) -> Result<(), Error> {
        match self.shipping.as_ref().and_then(|shipping| shipping.expires) {
            Some(expires) if now >= expires => {
                Err(Error::settings("bundle_expired", "expected a bundle that has not expired, got one that has"))
            }
            _ => Ok(()),
        }
    }

    /// Whether these are the bytes of the privacy manifest that the bundle goes with, if it names one.
    ///
    /// # Errors
    /// `manifest_mismatch`.
    pub fn check_manifest(&self, manifest: &[u8]) -> Result<(), Error> {
        let Some(wanted) = self.shipping.as_ref().and_then(|shipping| shipping.privacy_manifest.as_ref()) else { return Ok(()) };
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
        let hash = Sha256::digest(manifest);
        for (byte, pair) in hash.iter().zip(wanted.as_bytes().chunks_exact(2)) {
            if pair != [digit(byte >> 4), digit(byte & 15)] {
                return Err(Error::privacy("manifest_mismatch", "expected the manifest that the bundle names, got another"));
            }
        }
        Ok(())
    }
}

/// A whole number from `least` to 2^53.
fn number(from: Field<'_>, least: f64) -> Result<f64, Error> {
    let number = from.number()?;
    if number >= least && number <= 9_007_199_254_740_992.0 && number.trunc() == number {
        Ok(number)
    } else {
        Err(Error::settings(
            "bad_bundle",
            format!("expected a whole number from {} to 2^53, got {}", shown(least), shown(number)),
        ))
    }
}

fn read_limits(from: Field<'_>) -> Result<Limits, Error> {
    let mut limits = Limits::default();
    if from.is_null() {
        return Ok(limits);
    }
    let fields = from.object(&["shelves", "cards"])?;
    for (name, limit) in [("shelves", &mut limits.shelves), ("cards", &mut limits.cards)] {
        let given = field(fields, name, "bad_bundle");
        if !given.is_null() {
            *limit = given.whole(*limit as u32)? as usize;
        }
    }
    Ok(limits)
}

fn read_hash(from: Field<'_>) -> Result<Option<String>, Error> {
    if from.is_null() {
        return Ok(None);
    }
    let text = from.text()?;
    if text.len() == 64 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        Ok(Some(text.to_owned()))
    } else {
        Err(Error::settings("bad_bundle", "privacyManifest must be 64 lower-case hex digits or null, got something else"))
    }
}

/// Where the head starts. Without means it trusts the margin: 1 for it and 0 for everything else.
fn read_head(from: Field<'_>, sections: &Sections<'_>, body: &Body, width: usize) -> Result<HeadPrior, Error> {
    let fields = from.object(&["halfLifeDays", "segments"])?;
    let days = field(fields, "halfLifeDays", "bad_prior");
    let half_life = if days.is_null() { 60.0 } else { days.number()? } * DAY_MS as f64;
    let segments = field(fields, "segments", "bad_prior");
    if segments.is_null() {
        return read_start(sections, "", body, width, half_life);
    }
    let weights = segments.list(|weight| weight.number())?;
    // Before memory is taken for what will be refused.
    let most = if matches!(body, Body::Trees(_)) { MAX_SPARSE_WEIGHTS / width } else { MAX_SEGMENTS };
    if weights.len() > most.min(MAX_SEGMENTS) {
        return Err(Error::settings(
            "bad_prior",
            format!("expected at most {most} segments for {width} weights, got {}", weights.len()),
        ));
    }
    let mut starts = Vec::new();
    for (index, weight) in weights.into_iter().enumerate() {
        starts.push((weight, read_start(sections, &index.to_string(), body, width, half_life)?));
    }
    HeadPrior::mixture(starts)
}

fn read_start(sections: &Sections<'_>, which: &str, body: &Body, width: usize, half_life: f64) -> Result<HeadPrior, Error> {
    let name = |part: &str| format!("{part}{which}");
    let mut mean = sections.numbers(&name("headMean"), 0, width)?;
    if mean.is_empty() && *body != Body::Plain {
        mean.resize(width, 0.0);
        mean[1] = 1.0;
    }
    let covariance = sections.numbers(&name("headCovariance"), 0, width.saturating_mul(width))?;
    if covariance.is_empty() {
        HeadPrior::new(mean, &sections.numbers(&name("headSd"), width, width)?, half_life)
    } else {
        HeadPrior::with_covariance(mean, covariance, half_life)
    }
}
