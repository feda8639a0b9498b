//! Last.fm Home: a semi-synthetic world on real play counts.
//!
//! Each listener's artists are split in half by plays. One half is known: it is the history on the device, and from everybody's
//! known halves come popularity, embeddings, genres, segments and the candidates of a page ([`home`]). The other half is the hidden
//! taste. The truth ([`truth`]) is another factorisation, of all plays, with another rank and seed; a card is played when seen with
//! chance
//!
//! ```text
//! sigmoid(base + kind of shelf + a z + boost if hidden taste - fatigue)
//! ```
//!
//! where z is the affinity of listener and artist, in standard deviations. How long it is played is drawn from KuaiRand's plays; a
//! play of 30 seconds is a stream and ends the visit. Listeners look down the page as in a cascade, tire of cards shown again and
//! again, and change a little every day. One in five is new: nothing is known of them, and they arrive during the first month.
//!
//! # What a policy receives
//! - Of each card: id, artist, genre, kind, popularity (share of listeners whose known half has the artist) and an embedding (singular
//!   vectors of the known halves).
//! - Of the listener: the known half as plays of the past 60 days; nothing of a new one.
//! - The page: shelves and cards drawn from the known halves, the listener's number and the day.
//! - Then what was seen, played and for how long.
//!
//! Nothing of the hidden halves or of the factors of the truth: [`Home`] is made from the known halves alone, and a test changes the
//! hidden halves and the truth's seed and finds every input the same. Oracles alone ask the listener for true chances.
//!
//! # What is measured
//! Streams over all visits. `ears` is the shipped core, one ranker for each listener, learning on its own. The opponents
//! ([`opponents`]) learn from everybody together, which the core may not. The grid varies `a` and the boost; its middle, with all
//! policies, is the main result. All constants were fixed before a policy ran ([`constants`]).

use std::collections::BTreeMap;

use ears_only::bundle::{BundleSettings, PolicyKind, PolicySettings};
use serde::{Deserialize, Serialize};

use super::exposure::Exposure;
use super::kuairand::PlayTimes;
use super::units::{self, Units};
use crate::error::LabError;
use crate::replay::lastfm::PlayCounts;

pub mod clusters;
pub mod constants;
pub mod device;
pub mod explore;
pub mod halves;
pub mod home;
pub mod listener;
pub mod opponents;
pub mod pilot;
pub mod report;
pub mod truth;
pub mod vowpal;

use constants::{AFFINITY, BOOST, EPSILON, FIRST_IMPRESSIONS, SHELF_LOGIT};
use device::Core;
use halves::Halves;
use home::{CandidateShelf, Home, Stands};
use listener::{Cell, Listener, Look, VISITS, base_logit};
use opponents::{Editorial, Moment, Oracle, Policy, Pooled, Popularity, Random, SegmentOracle, Segments, Server};
use report::Report;
use truth::{Scale, Truth};

/// Listeners for each seed in the cells around the middle of the grid, unless asked otherwise: together they cost more than the
/// middle.
pub const GRID_LISTENERS: u32 = 100;
/// Seed of the truth: of no run.
pub const TRUTH_SEED: u64 = 0x74_72_75_74_68;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs; each has listeners and halves of its own.
    pub seeds: Vec<u64>,
    /// Listeners of each run.
    pub listeners: u32,
    /// Days of each run.
    pub days: u32,
    /// The model that the core starts with.
    pub model: BundleSettings,
    /// Listeners of each run of the eight cells around the middle; none leaves them out.
    pub grid: Option<u32>,
    /// The pilot that the bundle of `ears` comes from.
    pub pilot: pilot::Size,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// The data of the world.
#[derive(Clone, Debug)]
pub struct Data {
    /// Who plays what.
    pub counts: PlayCounts,
    /// How long plays last.
    pub play_times: PlayTimes,
}

impl Data {
    /// Reads them from `directory`, at any depth.
    ///
    /// # Errors
    /// When they are missing or cannot be read.
    pub fn read(directory: &std::path::Path) -> Result<Self, LabError> {
        Ok(Self { counts: crate::replay::lastfm::read(directory)?, play_times: PlayTimes::read(directory)? })
    }
}

/// One run's world.
pub struct World<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// Everybody's plays.
    pub counts: &'a PlayCounts,
    /// How long plays last.
    pub play_times: &'a PlayTimes,
    /// Who takes part, and the halves.
    pub halves: Halves,
    /// What policies are given.
    pub home: Home,
    /// What they are not.
    pub truth: &'a Truth,
    /// From products of factors to affinity.
    pub scale: Scale,
}

impl<'a> World<'a> {
    /// Draws a run.
    #[must_use]
    pub fn new(data: &'a Data, truth: &'a Truth, listeners: u32, seed: u64) -> Self {
        Self::beside(data, truth, listeners, seed, &[])
    }

    /// Draws a run of listeners that are none of `others`.
    #[must_use]
    pub fn beside(data: &'a Data, truth: &'a Truth, listeners: u32, seed: u64, others: &[u32]) -> Self {
        let halves = Halves::new(&data.counts, listeners, seed, others);
        let home = Home::new(&halves.known, &halves.run, data.counts.artists.len(), seed);
        let scale = Scale::new(truth, &home.artists, seed);
        Self { seed, counts: &data.counts, play_times: &data.play_times, halves, home, truth, scale }
    }
}

/// The policies, by the names used in reports.
pub const POLICIES: [&str; 11] = [
    "ears",
    "built_in",
    "random",
    "server",
    "editorial",
    "popularity",
    "pooled",
    "ts_segment",
    "epsilon",
    "oracle_segment",
    "oracle",
];
/// Those of the cells around the middle.
pub const GRID_POLICIES: [&str; 4] = ["ears", "server", "popularity", "oracle"];

/// What came of one policy on one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Plays of at least 30 seconds.
    pub streams: u64,
    /// Cards seen.
    pub looks: u64,
    /// Streams among the first impressions of new listeners.
    pub first_streams: u64,
    /// Those impressions.
    pub first_looks: u64,
    /// Cards seen and streams by kind of shelf.
    pub shelves: BTreeMap<String, [u64; 2]>,
    /// Who was shown.
    pub exposure: Exposure,
}

/// Outcomes by policy.
pub type Outcomes = BTreeMap<String, Outcome>;

/// Runs the world; calls `progress` with the number of units done and of all.
///
/// # Errors
/// When there is nothing to run, or the core refuses a page or an event.
pub fn run(data: &Data, settings: &Settings, kept: &Units, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    let most = data.counts.listeners.len() as u32;
    let around = settings.grid.unwrap_or(1);
    if settings.seeds.is_empty() || settings.days == 0 || ![settings.listeners, around].iter().all(|l| (1..=most).contains(l)) {
        return Err(LabError::unreadable(format!(
            "expected at least one seed and day and 1 to {most} listeners, got {}, {}, {} and {around}",
            settings.seeds.len(),
            settings.days,
            settings.listeners
        )));
    }
    let truth = Truth::new(&data.counts, TRUTH_SEED);
    let cells = cells(settings.grid.is_some());
    let done = std::sync::atomic::AtomicU64::new(0);
    let all = (settings.seeds.len() * cells.len()) as u64;
    let runs = units::each(&settings.seeds, settings.threads, |&seed| {
        let worlds = [std::cell::OnceCell::new(), std::cell::OnceCell::new()];
        cells
            .iter()
            .map(|&cell| {
                let (world, policies, listeners): (_, &[&str], _) = if cell == middle() {
                    (&worlds[0], &POLICIES, settings.listeners)
                } else {
                    (&worlds[1], &GRID_POLICIES, around)
                };
                let name = unit_name(settings, seed, cell, listeners);
                let outcomes: Outcomes = kept.unit(&name, || {
                    let world = world.get_or_init(|| World::new(data, &truth, listeners, seed));
                    let base = base_logit(world, cell);
                    policies.iter().map(|&name| Ok((name.to_owned(), play(data, world, cell, base, name, settings)?))).collect()
                })?;
                progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, all);
                Ok(outcomes)
            })
            .collect::<Result<Vec<Outcomes>, LabError>>()
    })?;
    Ok(Report::new(settings, &cells, &runs))
}

/// The middle of the grid.
#[must_use]
pub fn middle() -> Cell {
    Cell { affinity: AFFINITY[1], boost: BOOST[1] }
}

/// The middle first, then the cells around it.
fn cells(grid: bool) -> Vec<Cell> {
    let mut cells = vec![middle()];
    if grid {
        let all = AFFINITY.iter().flat_map(|&affinity| BOOST.iter().map(move |&boost| Cell { affinity, boost }));
        cells.extend(all.filter(|cell| *cell != middle()));
    }
    cells
}

fn unit_name(settings: &Settings, seed: u64, cell: Cell, listeners: u32) -> String {
    let model = settings.model.version.as_deref().unwrap_or(ears_only::bundle::BUILT_IN_VERSION);
    format!(
        "lastfm, seed {seed}, affinity {}, boost {}, {listeners} listeners, {} days, model {model}",
        cell.affinity, cell.boost, settings.days
    )
}

/// Plays all visits of a run under the policy called `name`.
fn play(data: &Data, world: &World<'_>, cell: Cell, base: f64, name: &str, settings: &Settings) -> Result<Outcome, LabError> {
    let mut listeners: Vec<Listener<'_>> =
        (0..world.halves.run.len() as u32).map(|number| Listener::new(world, cell, base, number)).collect();
    let core = |model: BundleSettings| Core::new(&world.home, model, world.seed, listeners.len());
    let mut policy: Box<dyn Policy + '_> = match name {
        "ears" => Box::new(core(pilot::bundle(data, world.truth, world, cell, settings.model.policy, settings.pilot)?)),
        "built_in" => Box::new(core(settings.model.clone())),
        "epsilon" => {
            let policy = PolicySettings { kind: PolicyKind::EpsilonPage, epsilon: EPSILON, ..settings.model.policy };
            Box::new(core(BundleSettings { policy, ..settings.model.clone() }))
        }
        "random" => Box::new(Random { seed: world.seed }),
        "server" => Box::new(Server { home: &world.home }),
        "editorial" => Box::new(Editorial),
        "popularity" => Box::new(Popularity::new(world)),
        "pooled" => Box::new(Pooled::new(&world.home, world.seed)),
        "ts_segment" => Box::new(Segments::new(&world.home, world.seed)),
        "oracle_segment" => Box::new(SegmentOracle::new(&world.home, &listeners)),
        "oracle" => Box::new(Oracle),
        other => return Err(LabError::failed(format!("expected one of {}, got {other}", POLICIES.join(", ")))),
    };
    let mut outcome = Outcome::default();
    let mut kinds = [[0u64; 2]; SHELF_LOGIT.len()];
    let mut first = vec![0usize; listeners.len()];
    let mut shown = vec![0u32; world.home.artists.len()];
    visits(world, &mut listeners, policy.as_mut(), 0..settings.days, &mut |listener, shelf, look| {
        let stream = u64::from(look.is_stream());
        outcome.looks += 1;
        outcome.streams += stream;
        let kind = &mut kinds[shelf.kind];
        *kind = [kind[0] + 1, kind[1] + stream];
        if let Stands::Artist(artist) = world.home.stands(look.card) {
            shown[artist as usize] += 1;
        }
        let first = &mut first[listener.number() as usize];
        if listener.is_new() && *first < FIRST_IMPRESSIONS {
            *first += 1;
            outcome.first_looks += 1;
            outcome.first_streams += stream;
        }
    })?;
    outcome.exposure = Exposure::new(&shown);
    outcome.shelves = SHELF_LOGIT.iter().zip(kinds).map(|((kind, _), counts)| ((*kind).to_owned(), counts)).collect();
    Ok(outcome)
}

/// All visits of some days, listener after listener within a day; `seen` is told of every look.
fn visits<'w>(
    world: &World<'_>,
    listeners: &mut [Listener<'w>],
    policy: &mut (dyn Policy + '_),
    days: std::ops::Range<u32>,
    seen: &mut dyn FnMut(&Listener<'w>, &CandidateShelf, &Look),
) -> Result<(), LabError> {
    for day in days {
        for listener in listeners.iter_mut() {
            listener.begin_day(day);
            if day < listener.first_day() {
                continue;
            }
            let page = world.home.page(listener.number(), day);
            for visit in 0..VISITS {
                let visit = listener.visit(day, visit);
                let placed = policy.place(&Moment { listener, visit, page: &page })?;
                let looks = listener.browse(visit, &page, &placed);
                for look in &looks {
                    seen(listener, &page[look.shelf], look);
                }
                policy.observe(listener.number(), visit, &page, &looks)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
