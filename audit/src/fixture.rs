//! What the checks are run on: a public manifest, a small page, and where a manifest's tables are read.

use ears_only::bundle::{Bundle, BundleSettings};
use ears_only::clock::{DAY_MS, Timestamp};
use ears_only::error::Error;
use ears_only::log::DecisionId;
use ears_only::page::{Card, CardKind, Page, Visible};
use ears_only::privacy::{Action, BUDGET_PERIOD_MS, FIRST_EPOCH, Ledger, Manifest, ManifestSettings};
use ears_only::ranker::Ranker;
use ears_only::settings::Value;

/// Manifests as served, with a mark where the index of epsilon stands, by the number of answers of their question.
const MANIFESTS: [(u8, &str); 2] = [(2, include_str!("../manifests/bit.json")), (4, include_str!("../manifests/four.json"))];

/// One probe of every kind.
const KINDS: &str = include_str!("../manifests/kinds.json");

/// Numbers of answers that questions have today.
pub const ASKED_ANSWERS: [u8; 2] = [2, 4];

/// Shelves of the page.
const SHELVES: usize = 3;
/// Cards of each.
const CARDS: usize = 8;

/// Monday 00:00 UTC of the week `weeks` after the first of the checks; it is epoch 60 + `weeks`.
#[must_use]
pub fn week(weeks: i64) -> Timestamp {
    FIRST_EPOCH.plus_ms((60 + weeks) * 7 * DAY_MS)
}

/// The manifest whose question has `answers` answers, as served.
#[must_use]
pub fn manifest_text(epsilon_index: u8, answers: u8) -> String {
    let text = MANIFESTS.iter().find(|(of, _)| *of == answers).map_or("", |(_, text)| text);
    text.replace("\"EPSILON\"", &epsilon_index.to_string())
}

/// The same, read as a device reads it.
///
/// # Errors
/// `bad_manifest` for a number of answers without a manifest and an index that is not shipped.
pub fn manifest_of(epsilon_index: u8, answers: u8) -> Result<Manifest, Error> {
    manifest_from(manifest_text(epsilon_index, answers).as_bytes())
}

/// Any manifest's bytes, read as a device reads them. What is no JSON counts as null.
///
/// # Errors
/// As the core's.
pub fn manifest_from(bytes: &[u8]) -> Result<Manifest, Error> {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    Manifest::new(bytes, ManifestSettings::read(&value)?)
}

/// The manifest with one probe of every kind.
///
/// # Errors
/// `bad_manifest` for an index that is not shipped.
pub fn manifest_of_kinds(epsilon_index: u8) -> Result<Manifest, Error> {
    manifest_from(KINDS.replace("\"EPSILON\"", &epsilon_index.to_string()).as_bytes())
}

/// Number of probes; a record's slot is below it.
#[must_use]
pub fn slots(manifest: &Manifest) -> usize {
    manifest.probes().len()
}

/// Weights of a probe's arms.
#[must_use]
pub fn weights(manifest: &Manifest, slot: usize) -> Vec<u16> {
    manifest.probes().get(slot).map_or_else(Vec::new, |probe| probe.arms.iter().map(|arm| arm.weight).collect())
}

/// For each question of a probe, the number of its answers.
#[must_use]
pub fn answers(manifest: &Manifest, slot: usize) -> Vec<u8> {
    manifest.probes().get(slot).map_or_else(Vec::new, |probe| probe.questions.iter().map(|question| question.answers()).collect())
}

/// Positions that a probe stands for.
#[must_use]
pub fn place(manifest: &Manifest, slot: usize) -> (u8, u8) {
    let place = manifest.probes().get(slot).map(|probe| probe.kind.place()).unwrap_or_default();
    (place.shelf_position, place.card_position)
}

/// Number of the card that an arm shows.
#[must_use]
pub fn arm_card(manifest: &Manifest, slot: usize, arm: usize) -> Option<usize> {
    match &manifest.probes().get(slot)?.arms.get(arm)?.action {
        Action::Card(id) => id.strip_prefix("card-")?.parse().ok(),
        _ => None,
    }
}

/// A ledger that has room for a record from the start of `week(0)`.
#[must_use]
pub fn roomy_ledger() -> Ledger {
    Ledger::start(week(0).plus_ms(-BUDGET_PERIOD_MS))
}

/// The model of every run: the built-in one.
///
/// # Errors
/// None: the settings are the defaults.
pub fn bundle() -> Result<Bundle, Error> {
    Bundle::new(BundleSettings::default())
}

/// The page of every visit: three shelves of eight cards, of which two and four are visible.
///
/// # Errors
/// None: all is within limits.
pub fn page(ranker: &mut Ranker) -> Result<Page, Error> {
    let mut builder = Page::builder(Visible { shelves: 2, cards: 4 });
    for s in 0..SHELVES {
        let shelf = ranker.catalogue_mut().register_shelf(&format!("shelf-{s}"), ["popular", "fresh", "editorial"][s], "")?;
        builder.shelf(shelf, false);
        for c in 0..CARDS {
            let i = s * CARDS + c;
            let card = ranker.catalogue_mut().register(Card {
                id: format!("card-{i}"),
                title: format!("Title {i}"),
                artist: format!("Artist {}", i % 9),
                family: ["jazz", "techno", "folk", "news"][i % 4].into(),
                kind: CardKind::Album,
                duration_ms: Some(180_000),
                popularity: Some((i * 37 % 100) as f32 / 100.0),
                embedding: vec![(i % 4) as f32, 1.0 - 0.1 * (i % 7) as f32],
            })?;
            builder.card(card, false);
        }
    }
    builder.build()
}

/// A part that the page grows by: its last shelf once more.
///
/// # Errors
/// None: all is within limits.
pub fn part(ranker: &mut Ranker, after: Option<DecisionId>) -> Result<Page, Error> {
    let whole = page(ranker)?;
    let mut builder = Page::builder(Visible { shelves: 1, cards: 4 }).with_after(after);
    builder.shelf(ranker.catalogue_mut().register_shelf(&format!("shelf-{}", SHELVES - 1), "editorial", "")?, false);
    for place in &whole.cards()[(SHELVES - 1) * CARDS..] {
        builder.card(place.card, false);
    }
    builder.build()
}

/// Number of cards on the page.
pub const ALL_CARDS: usize = SHELVES * CARDS;
