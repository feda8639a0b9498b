//! Listeners of a world with a known truth: the shipped core against baselines and the best possible.
//!
//! The policies are those of [`ears_world::run`].
//!
//! All meet the same listeners, pages and luck (see [`ears_world::chance`]). Counted are streams: plays of at least 30 seconds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ears_only::bundle::Bundle;
use ears_world::World;
use ears_world::candidates::Candidates;
use ears_world::constants::{CARDS, DAYS, LISTENERS, SHELVES};
use ears_world::run::Run;
use serde::Serialize;

use crate::error::LabError;
use crate::interval::{paired, relative_difference};
use crate::propensities::subjects::Told;
use crate::table::Comparison;

mod baseline;
pub mod carousel;
pub mod command;
pub mod confounded;
pub(crate) mod device;
pub mod exposure;
pub mod families;
pub mod judge;
pub mod kuairand;
pub mod lastfm;
pub mod logged;
pub mod movielens;
pub mod sanity;
pub mod units;
pub mod votes;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs; each has listeners of its own.
    pub seeds: Vec<u64>,
    /// Listeners of each run.
    pub listeners: u32,
    /// Days of each run.
    pub days: u32,
    /// The bundle that the core starts with.
    pub bundle: Bundle,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// Streams of one policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Streams {
    /// For each seed.
    pub streams: Vec<u64>,
}

impl Streams {
    fn numbers(&self) -> Vec<f64> {
        self.streams.iter().map(|streams| *streams as f64).collect()
    }
}

/// Streams by policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ByPolicy {
    /// The shipped core.
    pub ears: Streams,
    /// Uniform pages.
    pub random: Streams,
    /// The best fixed order.
    pub server: Streams,
    /// Learned popularity.
    pub popularity: Streams,
    /// The best possible by the truth.
    pub oracle: Streams,
}

/// Share of the way from learned popularity to the oracle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// (ears - popularity) / (oracle - popularity).
    pub closed: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The result of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Name of the world.
    pub world: String,
    /// The runs.
    pub seeds: Vec<u64>,
    /// Streams by policy.
    pub policies: ByPolicy,
    /// Relative differences with paired intervals over seeds.
    pub comparisons: Vec<Comparison>,
    /// (ears - popularity) / (oracle - popularity), all seeds together.
    pub oracle_gap_closed: f64,
    /// Its interval, for the table only.
    #[serde(skip)]
    pub gap: Gap,
}

/// Seed and policy by index, and what came of them.
type Done = (usize, usize, Result<u64, LabError>);

/// Streams of one run, in the order ears, random, server, popularity, oracle.
type Streamed = [u64; 5];

/// Runs the demo world; calls `progress` with the number of policy runs done and of all.
///
/// # Errors
/// When there is nothing to run, or the core refuses a page or an event.
pub fn run(settings: &Settings, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    if settings.seeds.is_empty() || settings.listeners == 0 || settings.days == 0 {
        return Err(LabError::unreadable(format!(
            "expected at least one seed, listener and day, got {}, {} and {}",
            settings.seeds.len(),
            settings.listeners,
            settings.days
        )));
    }
    let world = World::demo();
    let candidates = Candidates::new(world.catalogue());
    let jobs: Vec<(usize, usize)> = (0..settings.seeds.len()).flat_map(|seed| (0..5).map(move |policy| (seed, policy))).collect();
    let done: Mutex<Vec<Done>> = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..settings.threads.clamp(1, jobs.len()) {
            scope.spawn(|| {
                while let Some(&(seed, policy)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let stage = Stage { world: &world, candidates: &candidates, seed: settings.seeds[seed], settings };
                    let streams = match policy {
                        0 => device::run(&stage, &mut |_, _| true),
                        1 => baseline::random(&stage),
                        2 => baseline::server(&stage),
                        3 => baseline::popularity(&stage),
                        _ => baseline::oracle(&stage),
                    };
                    // A panic elsewhere poisons nothing that is used afterwards.
                    let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    done.push((seed, policy, streams));
                    progress(done.len() as u64, jobs.len() as u64);
                }
            });
        }
    });
    let mut runs: Vec<Streamed> = vec![[0; 5]; settings.seeds.len()];
    for (seed, policy, streams) in done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        runs[seed][policy] = streams?;
    }
    Ok(report(settings.seeds.clone(), &runs))
}

/// Candidates of the longest list of the demo world.
pub const LONGEST_LIST: usize = if SHELVES > CARDS { SHELVES } else { CARDS };

/// Ranks pages of the demo world until `told` has seen enough, with new listeners every 30 days.
///
/// # Errors
/// When the core refuses a page or an event.
pub fn watched(bundle: Bundle, told: Told<'_>) -> Result<(), LabError> {
    let world = World::demo();
    let candidates = Candidates::new(world.catalogue());
    let settings = Settings { seeds: Vec::new(), listeners: LISTENERS, days: DAYS, bundle, threads: 1 };
    let mut more = true;
    for seed in 1.. {
        let stage = Stage { world: &world, candidates: &candidates, seed, settings: &settings };
        device::run(&stage, &mut |ranker, ranked| {
            more = told(ranker, ranked);
            more
        })?;
        if !more {
            break;
        }
    }
    Ok(())
}

/// What a policy runs on.
pub(crate) struct Stage<'a> {
    pub(crate) world: &'a World,
    pub(crate) candidates: &'a Candidates<'a>,
    pub(crate) seed: u64,
    pub(crate) settings: &'a Settings,
}

impl<'a> Stage<'a> {
    /// Its listeners.
    pub(crate) fn run(&self) -> Run<'a> {
        let Settings { listeners, days, .. } = *self.settings;
        Run { world: self.world, candidates: self.candidates, seed: self.seed, listeners, days }
    }
}

fn report(seeds: Vec<u64>, runs: &[Streamed]) -> Report {
    let of = |policy: usize| Streams { streams: runs.iter().map(|run| run[policy]).collect() };
    let policies = ByPolicy { ears: of(0), random: of(1), server: of(2), popularity: of(3), oracle: of(4) };
    let ears = policies.ears.numbers();
    let popularity = policies.popularity.numbers();
    let oracle = policies.oracle.numbers();
    let compare = |name: &str, policy: &[f64], against: &str, other: &Streams| {
        Comparison::new(name, against, relative_difference(policy, &other.numbers()))
    };
    let comparisons = vec![
        compare("ears", &ears, "popularity", &policies.popularity),
        compare("ears", &ears, "server", &policies.server),
        compare("ears", &ears, "random", &policies.random),
        compare("ears", &ears, "oracle", &policies.oracle),
        compare("popularity", &popularity, "random", &policies.random),
        compare("server", &policies.server.numbers(), "random", &policies.random),
        compare("oracle", &oracle, "popularity", &policies.popularity),
    ];
    let gap = paired(&[&ears, &popularity, &oracle], |sums| (sums[0] - sums[1]) / (sums[2] - sums[1]));
    Report {
        format: 1,
        world: "demo".into(),
        seeds,
        policies,
        comparisons,
        oracle_gap_closed: gap.value,
        gap: Gap { closed: gap.value, low: gap.low, high: gap.high },
    }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{} seeds of the {} world\n\nstreams, mean over seeds\n", self.seeds.len(), self.world);
        let policies = &self.policies;
        for (name, streams) in [
            ("oracle", &policies.oracle),
            ("ears", &policies.ears),
            ("server", &policies.server),
            ("popularity", &policies.popularity),
            ("random", &policies.random),
        ] {
            let mean = streams.streams.iter().sum::<u64>() as f64 / self.seeds.len().max(1) as f64;
            text.push_str(&format!("  {name:<12} {mean:>10.1}\n"));
        }
        text.push_str("\nrelative difference, paired 95 % interval over seeds\n");
        for comparison in &self.comparisons {
            text.push_str(&format!("  {}\n", comparison.line()));
        }
        text.push_str(&format!(
            "\noracle gap closed {:.1} %   [{:.1}, {:.1}]\n",
            100.0 * self.gap.closed,
            100.0 * self.gap.low,
            100.0 * self.gap.high
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(threads: usize) -> Settings {
        Settings { seeds: vec![3, 4], listeners: 6, days: 3, bundle: Bundle::built_in().unwrap(), threads }
    }

    #[test]
    fn a_tiny_run_repeats_itself_on_any_number_of_threads() {
        let one = run(&settings(1), &|_, _| ()).unwrap();
        assert_eq!(one, run(&settings(1), &|_, _| ()).unwrap());
        assert_eq!(one, run(&settings(3), &|_, _| ()).unwrap());
        assert_eq!(one.policies.ears.streams.len(), 2);
        assert!(one.policies.oracle.streams.iter().sum::<u64>() > one.policies.random.streams.iter().sum::<u64>());
    }

    #[test]
    fn nothing_to_run_is_said() {
        assert!(run(&Settings { seeds: Vec::new(), ..settings(1) }, &|_, _| ()).is_err());
        assert!(run(&Settings { days: 0, ..settings(1) }, &|_, _| ()).is_err());
    }

    #[test]
    fn the_report_has_exactly_the_agreed_keys() {
        let report = report(vec![1, 2, 3], &[[12, 5, 8, 10, 20], [15, 6, 9, 11, 21], [13, 5, 9, 10, 22]]);
        let json = serde_json::to_value(&report).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["comparisons", "format", "oracle_gap_closed", "policies", "seeds", "world"]);
        assert_eq!(json["policies"]["ears"]["streams"], serde_json::json!([12, 15, 13]));
        assert!((report.oracle_gap_closed - 9.0 / 32.0).abs() < 1e-12);
        assert!(report.gap.low < report.gap.closed && report.gap.closed < report.gap.high);
    }
}
