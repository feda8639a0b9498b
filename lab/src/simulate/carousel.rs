//! The carousel of a streaming app: 862 playlists, 12 slots, 100 rounds of 20,000 visitors, one update after each round.
//!
//! | file | holds |
//! |---|---|
//! | [`world`] | users, playlists, chances; what is seen of a page |
//! | [`policy`] | what a policy does, and the list of all |
//! | `segment`, `thompson`, `linear` | the policies of the article, and plain baselines |
//! | `pooled`, `arms` | ours, with the evidence of all users in one place |
//! | `device` | ours, each listener alone |
//! | [`report`] | what came out |
//!
//! All policies meet the same visitors and the same luck. Counted is the expected value of the pages: the chance that something
//! is streamed, 1 - product of (1 - chance); regret is what is missing to the best page of each visitor.
//!
//! # References
//! W. Bendada, G. Salha, T. Bontempelli (2020), "Carousel Personalization in Music Streaming Apps with Contextual Bandits",
//! RecSys, sections 3 and 4.

use std::sync::atomic::{AtomicU64, Ordering};

use ears_world::chance::{Draw, Key};
use serde::{Deserialize, Serialize};

use super::exposure::Exposure;
use super::units::{self, Units};
use crate::error::LabError;

mod arms;
mod device;
mod linear;
pub mod policy;
mod pooled;
mod product;
pub mod report;
mod segment;
mod thompson;
mod top;
pub mod world;

use policy::{ALL, Named};
use report::Report;
use world::World;

/// Rounds of a run.
pub const ROUNDS: u32 = 100;
/// Visitors of a round.
pub const VISITORS: u32 = 20_000;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs; each has visitors and luck of its own.
    pub seeds: Vec<u64>,
    /// Rounds of each run.
    pub rounds: u32,
    /// Visitors of each round.
    pub visitors: u32,
    /// Names of the policies; all when empty.
    pub policies: Vec<String>,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// What came of one policy under one seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Cumulative expected regret after each of [`Settings::marks`].
    pub regret: Vec<f64>,
    /// Expected streams of all pages.
    pub expected_streams: f64,
    /// Pages from which something was streamed.
    pub streams: u64,
    /// What was shown; playlists by falling mean chance over all users.
    pub exposure: Exposure,
}

impl Settings {
    /// Rounds after which regret is noted: the first, then every tenth of all.
    #[must_use]
    pub fn marks(&self) -> Vec<u32> {
        let mut marks: Vec<u32> = (1..=10).map(|tenth| self.rounds * tenth / 10).collect();
        marks.insert(0, 1);
        marks.retain(|mark| *mark > 0);
        marks.dedup();
        marks
    }
}

/// Runs every policy under every seed; calls `progress` with the number of runs done and of all.
///
/// # Errors
/// When there is nothing to run, a policy is unknown or a finished run cannot be kept.
pub fn run(world: &World, settings: &Settings, kept: &Units, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    if settings.seeds.is_empty() || settings.rounds == 0 || settings.visitors == 0 {
        return Err(LabError::unreadable(format!(
            "expected at least one seed, round and visitor, got {}, {} and {}",
            settings.seeds.len(),
            settings.rounds,
            settings.visitors
        )));
    }
    let policies = named(&settings.policies)?;
    let jobs: Vec<(u64, &Named)> = settings.seeds.iter().flat_map(|seed| policies.iter().map(|named| (*seed, *named))).collect();
    let done = AtomicU64::new(0);
    let outcomes = units::each(&jobs, settings.threads, |(seed, named)| {
        let unit = format!("carousel, {}, seed {seed}, {} rounds, {} visitors", named.name, settings.rounds, settings.visitors);
        let outcome = kept.unit(&unit, || Ok(play(world, named, *seed, settings)))?;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len() as u64);
        Ok(outcome)
    })?;
    let of_seed: Vec<&[Outcome]> = outcomes.chunks(policies.len()).collect();
    Ok(Report::new(settings, &policies, &of_seed))
}

/// The policies with these names in the order of [`ALL`]; all for no name.
fn named(names: &[String]) -> Result<Vec<&'static Named>, LabError> {
    if let Some(unknown) = names.iter().find(|name| ALL.iter().all(|named| named.name != name.as_str())) {
        let known: Vec<&str> = ALL.iter().map(|named| named.name).collect();
        return Err(LabError::unreadable(format!("expected policies of {}, got {unknown}", known.join(", "))));
    }
    Ok(ALL.iter().filter(|named| names.is_empty() || names.iter().any(|name| name == named.name)).collect())
}

/// Runs one policy under one seed.
fn play(world: &World, named: &Named, seed: u64, settings: &Settings) -> Outcome {
    let marks = settings.marks();
    let mut policy = named.start(world, seed);
    let mut outcome = Outcome::default();
    let mut shown = vec![0u32; world.public().playlists];
    let mut regret = 0.0;
    for round in 0..settings.rounds {
        let visitors = world.visitors(seed, round, settings.visitors);
        let slates = policy.show(&visitors);
        let luck = Key::new(seed, Draw::Play).with(u64::from(round));
        let mut streams = Vec::with_capacity(visitors.len());
        for (number, (user, slate)) in (0u64..).zip(visitors.iter().zip(&slates)) {
            let value = world.value(*user, slate);
            regret += world.best(*user) - value;
            outcome.expected_streams += value;
            let stream = world.first_stream(luck.with(number), *user, slate);
            outcome.streams += u64::from(stream.is_some());
            streams.push(stream);
            for playlist in slate {
                shown[usize::from(*playlist)] += 1;
            }
        }
        policy.learn(&visitors, &slates, &streams);
        if marks.contains(&(round + 1)) {
            outcome.regret.push(regret);
        }
    }
    let by_appeal: Vec<u32> = world.by_appeal().iter().map(|playlist| shown[*playlist]).collect();
    outcome.exposure = Exposure::new(&by_appeal);
    outcome
}

#[cfg(test)]
mod tests;
