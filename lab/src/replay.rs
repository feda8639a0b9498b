//! Real listeners: does the shipped core, knowing half of the artists somebody plays, bring the other half to the top?
//!
//! For each test listener half of the artists become the history on the device. Each artist of the other half is hidden among the
//! four artists nearest to it in play-count rank that the listener never played, so that popularity alone can hardly tell them
//! apart. The page is one shelf of all these cards in random order, [`VISIBLE`] of them visible. Counted is how many of the
//! visible cards are hidden favourites.
//!
//! Test listeners are drawn by seed and taken in groups of at most [`GROUP`]; what is learned from others for a group (artist
//! embeddings, popularity, play-count ranks) is learned from everybody outside the group. With up to [`GROUP`] test listeners
//! there is one group, and no test listener has any part in the embeddings or counts.
//!
//! An artist whom nobody outside the group plays stays in the trial: popularity 0, no embedding, ranked after all played artists
//! in the order of its id. Nothing but chance can find it.
//!
//! History: an artist played n times becomes 1 + log2(n) plays, at most [`MAX_PLAYS`], of three minutes each, spread evenly
//! over the [`HISTORY_DAYS`] days before the visit, since the data have no times.

use ears_only::bundle::{Bundle, BundleSettings, PolicyKind, PolicySettings};
use ears_only::clock::{DAY_MS, Timestamp};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{Card, CardHandle, CardKind, Page, Visible};
use ears_only::random::{Purpose, Seed};
use ears_only::ranker::Ranker;
use serde::Serialize;

use crate::error::LabError;
use crate::interval::relative_difference;
use crate::table::Comparison;

pub mod command;
pub mod embedding;
pub mod lastfm;
pub mod trial;

use lastfm::PlayCounts;
use trial::Trial;

/// Cards that the listener sees.
pub const VISIBLE: usize = 12;
/// Most test listeners left out of one set of embeddings.
pub const GROUP: usize = 500;
/// Fewest artists of a test listener: two for the history and two to find.
pub const MIN_ARTISTS: usize = 4;
/// Most plays that stand for one artist in the history.
pub const MAX_PLAYS: u32 = 8;
/// Days over which the history is spread.
pub const HISTORY_DAYS: i64 = 60;

/// When the visit takes place: any fixed time does.
const VISIT_MS: i64 = 1_800_000_000_000;
const PLAY_MS: u32 = 180_000;

/// What to replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Test listeners; `None` takes all that have enough artists.
    pub listeners: Option<usize>,
    /// Draws test listeners, halves and pages.
    pub seed: u64,
    /// The model that the core starts with; the baselines replace its policy.
    pub model: BundleSettings,
}

/// Hidden favourites among the visible cards, one number for each test listener.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hits {
    /// In the order of the test listeners.
    pub hits: Vec<f64>,
    /// Their mean.
    pub mean: f64,
}

impl From<Vec<f64>> for Hits {
    fn from(hits: Vec<f64>) -> Self {
        let mean = hits.iter().sum::<f64>() / hits.len().max(1) as f64;
        Self { hits, mean }
    }
}

/// Hits by policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ByPolicy {
    /// The shipped core with its built-in model.
    pub ears: Hits,
    /// The shipped core's popularity policy.
    pub popularity: Hits,
    /// Uniform pages.
    pub random: Hits,
}

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Number of test listeners.
    pub listeners: usize,
    /// Visible cards.
    pub visible: usize,
    /// Seed of listeners, halves and pages.
    pub seed: u64,
    /// Mean number of hidden favourites on a page.
    pub hidden: f64,
    /// Mean number of cards on a page.
    pub cards: f64,
    /// Hits by policy.
    pub policies: ByPolicy,
    /// Relative differences with paired intervals.
    pub comparisons: Vec<Comparison>,
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} real listeners; {:.1} of {:.1} cards are hidden favourites, {} cards visible\n\nhidden favourites visible, mean\n",
            self.listeners, self.hidden, self.cards, self.visible
        );
        let policies = &self.policies;
        for (name, hits) in [("ears", &policies.ears), ("popularity", &policies.popularity), ("random", &policies.random)] {
            text.push_str(&format!("  {name:<12} {:>8.3}\n", hits.mean));
        }
        text.push_str("\nrelative difference, paired 95 % interval\n");
        for comparison in &self.comparisons {
            text.push_str(&format!("  {}\n", comparison.line()));
        }
        text
    }
}

/// Replays `counts`; calls `progress` with the number of listeners done and of all.
///
/// # Errors
/// When there are fewer listeners than asked for, or the core refuses a page.
pub fn run(counts: &PlayCounts, settings: &Settings, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, LabError> {
    let mut test: Vec<usize> = (0..counts.listeners.len()).filter(|&l| counts.listeners[l].len() >= MIN_ARTISTS).collect();
    trial::shuffle(&mut test, &mut Seed::from_number(settings.seed).stream(Purpose::Coin, 0));
    let wanted = settings.listeners.unwrap_or(test.len());
    if wanted < 1 || wanted > test.len() {
        return Err(LabError::unreadable(format!(
            "expected 1 to {} listeners (those with at least {MIN_ARTISTS} artists), got {wanted}",
            test.len()
        )));
    }
    test.truncate(wanted);
    let (mut ears, mut popularity, mut random) = (Vec::new(), Vec::new(), Vec::new());
    let (mut hidden, mut cards) = (0, 0);
    for group in test.chunks(GROUP) {
        let others = Others::learn(counts, group);
        for &listener in group {
            let plays = &counts.listeners[listener];
            let trial = Trial::new(plays, &others.by_rank, &others.rank_of, settings.seed, listener);
            hidden += trial.hidden.len();
            cards += trial.page.len();
            let draw = Seed::from_number(settings.seed ^ (listener as u64) << 20);
            let policy = settings.model.policy;
            let ranked_by = |policy: PolicySettings| {
                let model = BundleSettings { policy, ..settings.model.clone() };
                hits(counts, &others, &trial, model, &draw)
            };
            ears.push(ranked_by(policy)?);
            let by_popularity = PolicySettings { kind: PolicyKind::Popularity, ..policy };
            popularity.push(ranked_by(by_popularity)?);
            let uniform = PolicySettings { kind: PolicyKind::Uniform, ..policy };
            random.push(ranked_by(uniform)?);
            progress(ears.len() as u64, wanted as u64);
        }
    }
    let comparisons = vec![
        Comparison::new("ears", "popularity", relative_difference(&ears, &popularity)),
        Comparison::new("ears", "random", relative_difference(&ears, &random)),
        Comparison::new("popularity", "random", relative_difference(&popularity, &random)),
    ];
    Ok(Report {
        format: 1,
        listeners: wanted,
        visible: VISIBLE,
        seed: settings.seed,
        hidden: f64::from(hidden as u32) / wanted as f64,
        cards: f64::from(cards as u32) / wanted as f64,
        policies: ByPolicy { ears: ears.into(), popularity: popularity.into(), random: random.into() },
        comparisons,
    })
}

/// What is learned from everybody outside a group.
struct Others {
    embeddings: Vec<f32>,
    /// Share of the others who play the artist.
    popularity: Vec<f32>,
    /// Artists by falling plays, ties by id.
    by_rank: Vec<u32>,
    rank_of: Vec<u32>,
}

impl Others {
    fn learn(counts: &PlayCounts, left_out: &[usize]) -> Self {
        let others: Vec<&[(u32, u32)]> = (0..counts.listeners.len())
            .filter(|listener| !left_out.contains(listener))
            .map(|listener| counts.listeners[listener].as_slice())
            .collect();
        let artists = counts.artists.len();
        let mut plays = vec![0u64; artists];
        let mut players = vec![0u32; artists];
        for &(artist, count) in others.iter().copied().flatten() {
            plays[artist as usize] += u64::from(count);
            players[artist as usize] += 1;
        }
        let mut by_rank: Vec<u32> = (0..artists as u32).collect();
        by_rank.sort_by(|a, b| plays[*b as usize].cmp(&plays[*a as usize]).then(a.cmp(b)));
        let mut rank_of = vec![0; artists];
        for (rank, artist) in by_rank.iter().enumerate() {
            rank_of[*artist as usize] = rank as u32;
        }
        Self {
            embeddings: embedding::of_artists(&others, artists),
            popularity: players.iter().map(|&p| (f64::from(p) / others.len() as f64) as f32).collect(),
            by_rank,
            rank_of,
        }
    }
}

/// Hidden favourites among the visible cards of the page that the shipped core ranks, starting with `model`.
fn hits(counts: &PlayCounts, others: &Others, trial: &Trial, model: BundleSettings, seed: &Seed) -> Result<f64, LabError> {
    let mut ranker = Ranker::seeded(Bundle::new(model)?, seed.clone())?;
    let register = |ranker: &mut Ranker, artist: u32| -> Result<CardHandle, LabError> {
        let embedding = &others.embeddings[artist as usize * embedding::DIMENSIONS..][..embedding::DIMENSIONS];
        let known = embedding.iter().any(|v| *v != 0.0);
        Ok(ranker.catalogue_mut().register(Card {
            id: format!("artist:{artist}"),
            title: counts.artists[artist as usize].clone(),
            // By number: two artists may share a name.
            artist: format!("artist:{artist}"),
            kind: CardKind::Artist,
            popularity: Some(others.popularity[artist as usize]),
            embedding: if known { embedding.to_vec() } else { Vec::new() },
            ..Card::default()
        })?)
    };
    let now = Timestamp::clamped(VISIT_MS);
    let mut listens = Vec::new();
    for &(artist, plays) in &trial.history {
        let card = register(&mut ranker, artist)?;
        let times = (1 + plays.max(1).ilog2()).min(MAX_PLAYS);
        listens.extend((0..times).map(|time| (time, times, card)));
    }
    // Each artist's plays lie evenly over the whole span, the first half a step after its start.
    for (time, times, card) in listens {
        let back = HISTORY_DAYS * DAY_MS * i64::from(2 * (times - time) - 1) / i64::from(2 * times);
        let event = ListeningEvent {
            kind: EventKind::Play,
            decision: None,
            shelf: None,
            card,
            ms_played: Some(PLAY_MS),
            at: now.plus_ms(-back),
        };
        ranker.observe(&event, now)?;
    }
    let shelf = ranker.catalogue_mut().register_shelf("recommended", "recommended", "Recommended for you")?;
    let mut page = Page::builder(Visible { shelves: 1, cards: VISIBLE });
    page.shelf(shelf, false);
    for &artist in &trial.page {
        let card = register(&mut ranker, artist)?;
        page.card(card, false);
    }
    let ranked = ranker.rank(&page.build()?, now)?;
    let shown = ranked.cards.iter().take(VISIBLE).filter_map(|card| card.index);
    Ok(shown.filter(|&index| trial.hidden.contains(&trial.page[index])).count() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two circles of listeners who share no artist.
    fn circles() -> PlayCounts {
        let listeners = (0..60u32)
            .map(|u| (0..40u32).filter(|a| (a * 7 + u * 3) % 5 < 2).map(|a| (a + 40 * (u % 2), 1 + (a * u) % 90)).collect());
        PlayCounts { listeners: listeners.collect(), artists: (0..80).map(|a| format!("Artist {a}")).collect() }
    }

    #[test]
    fn finds_the_circle_of_a_listener_and_repeats_itself() {
        let settings = Settings { listeners: Some(20), seed: 4, model: BundleSettings::default() };
        let report = run(&circles(), &settings, &mut |_, _| ()).unwrap();
        assert_eq!(report.policies.ears.hits.len(), 20);
        assert!(report.policies.ears.mean > report.policies.random.mean + 1.0, "{:?}", report.comparisons);
        assert_eq!(report, run(&circles(), &settings, &mut |_, _| ()).unwrap());
        assert!(run(&circles(), &Settings { listeners: Some(61), ..settings }, &mut |_, _| ()).is_err());
    }
}
