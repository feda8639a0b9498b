//! The price of exploring, and what it buys.
//!
//! The same listeners meet the core with four rates of exploration, everything else the same: none (the greedy page, learning all the
//! while), small, the shipped default, large. Asked is, for each rate:
//!
//! - **price**: streams of the first 30 and 60 days against the greedy core on the same days;
//! - **what it buys in streams**: after 30 (60) days each device goes on greedily with what it has learned, by snapshot and restore.
//!   Its streams up to day 90 against those of the core that was greedy all along, on the same days; and both together;
//! - **what it buys in knowledge**: concordance of the learned scores with the true chances on that day's candidates (chance that of
//!   two candidates the truly better one has the larger score; a half is ignorance);
//! - **what it buys in evidence**: how many of 100 logged pages a counterfactual estimate of a named target keeps (effective sample
//!   size, Kish 1965), from the logged propensities of the first card of the first shelf. Targets: `uniform`, and `server`, the
//!   popularity order. A greedy log says nothing about either.

use ears_only::bundle::{BundleSettings, PolicyKind, PolicySettings};
use serde::{Deserialize, Serialize};

use super::device::Core;
use super::listener::{Listener, base_logit};
use super::truth::Truth;
use super::{Data, TRUTH_SEED, World, middle, visits};
use crate::error::LabError;
use crate::interval::{Estimate, paired, relative_difference};
use crate::simulate::units::{self, Units};

/// Days after which exploration stops and the yield is measured.
pub const STOPS: [u32; 2] = [30, 60];
/// Days of the whole comparison.
pub const LAST_DAY: u32 = 90;
/// Listeners of each run, unless asked otherwise.
pub const LISTENERS: u32 = 60;

/// The rates, by name: temperatures and floors. Small and large are a fifth and five times the shipped ones.
pub const RATES: [(&str, f64); 4] = [("none", 0.0), ("small", 0.2), ("default", 1.0), ("large", 5.0)];

/// Floor of the shipped Plackett-Luce policy.
const DEFAULT_FLOOR: f64 = 0.02;

/// The default policy with its temperatures and floors times `rate`; 0 is the greedy page.
fn explored(policy: PolicySettings, rate: f64) -> PolicySettings {
    let floor = |floor: Option<f64>| Some((floor.unwrap_or(DEFAULT_FLOOR) * rate).min(1.0));
    PolicySettings {
        kind: PolicyKind::PlackettLuce,
        // The smallest temperature there is: scores closer than this are ties.
        temperature: (policy.temperature * rate).max(1e-6),
        shelf_temperature: (policy.shelf_temperature * rate).max(1e-6),
        floor_shelves: floor(policy.floor_shelves),
        floor_cards: floor(policy.floor_cards),
        ..policy
    }
}

/// What to compare.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs.
    pub seeds: Vec<u64>,
    /// Listeners of each run.
    pub listeners: u32,
    /// The model that the core starts with.
    pub model: BundleSettings,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// One rate on one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explored {
    /// Streams of each ten days while exploring all the time.
    pub streams: Vec<u64>,
    /// Streams from each of [`STOPS`] to [`LAST_DAY`] once exploration has stopped.
    pub after: Vec<u64>,
    /// Sum over listeners of the concordance of scores and truth at each stop, and their number.
    pub concordance: Vec<(f64, u64)>,
    /// Pages logged up to each stop, and the effective number kept for the targets uniform and server.
    pub kept: Vec<(u64, f64, f64)>,
}

/// Weights of a target on logged pages, on the way to the effective sample size.
#[derive(Clone, Copy, Default)]
struct Weights {
    pages: u64,
    uniform: (f64, f64),
    server: (f64, f64),
}

impl Weights {
    fn add(&mut self, uniform: f64, server: f64) {
        self.pages += 1;
        for (sums, w) in [(&mut self.uniform, uniform), (&mut self.server, server)] {
            *sums = (sums.0 + w, sums.1 + w * w);
        }
    }

    /// Pages, and the effective numbers; 0 where the log does not cover the targets, whose estimates it then cannot make.
    fn kept(&self, covered: bool) -> (u64, f64, f64) {
        let size = |(sum, squares): (f64, f64)| if covered && squares > 0.0 { sum * sum / squares } else { 0.0 };
        (self.pages, size(self.uniform), size(self.server))
    }
}

fn one(world: &World<'_>, base: f64, rate: f64, settings: &Settings) -> Result<Explored, LabError> {
    let of = |rate| BundleSettings { policy: explored(settings.model.policy, rate), ..settings.model.clone() };
    let (exploring, greedy) = (of(rate), of(0.0));
    let mut listeners: Vec<Listener<'_>> =
        (0..settings.listeners).map(|number| Listener::new(world, middle(), base, number)).collect();
    let mut core = Core::new(&world.home, exploring, world.seed, listeners.len());
    let mut found = Explored::default();
    let mut day = 0;
    let mut weights = Weights::default();
    let count = |listeners: &mut Vec<Listener<'_>>, core: &mut Core<'_>, days: std::ops::Range<u32>| {
        let mut streams = 0;
        visits(world, listeners, core, days, &mut |_, _, look| streams += u64::from(look.is_stream()))?;
        Ok::<u64, LabError>(streams)
    };
    while day < LAST_DAY {
        found.streams.push(count(&mut listeners, &mut core, day..day + 10)?);
        day += 10;
        if !STOPS.contains(&day) {
            continue;
        }
        let mut sum = (0.0, 0);
        for listener in &listeners {
            if let Some(share) = core.concordance(world, listener, day)? {
                sum = (sum.0 + share, sum.1 + 1);
            }
        }
        // Six decimals, so that a number read again is the same.
        found.concordance.push(((sum.0 * 1e6).round() / 1e6, sum.1));
        core.first_card_weights(|uniform, server| weights.add(uniform, server));
        let (pages, uniform, server) = weights.kept(rate > 0.0);
        found.kept.push((pages, (uniform * 1e6).round() / 1e6, (server * 1e6).round() / 1e6));
        let mut stopped = core.restored(greedy.clone())?;
        let mut from_here = listeners.clone();
        found.after.push(count(&mut from_here, &mut stopped, day..LAST_DAY)?);
    }
    Ok(found)
}

/// One rate over all seeds, against the greedy core.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfRate {
    /// Its name.
    pub rate: String,
    /// At each stop.
    pub stops: Vec<AtStop>,
}

/// What exploring until a day cost and bought.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtStop {
    /// The day exploration stops.
    pub day: u32,
    /// Relative difference of streams before it to the greedy core's: the price.
    pub price: Interval,
    /// Relative difference of streams from then on to day 90.
    pub bought: Interval,
    /// Relative difference of both together.
    pub net: Interval,
    /// Concordance of learned scores and true chances, mean over listeners.
    pub concordance: f64,
    /// Pages in 100 that count for the target `uniform`.
    pub kept_uniform: f64,
    /// The same for the target `server`.
    pub kept_server: f64,
}

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The value.
    pub relative: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<Estimate> for Interval {
    fn from(estimate: Estimate) -> Self {
        Self { relative: estimate.value, low: estimate.low, high: estimate.high }
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>+5.1} % [{:+.1}, {:+.1}]", 100.0 * self.relative, 100.0 * self.low, 100.0 * self.high)
    }
}

/// The comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// lastfm.
    pub world: String,
    /// The runs.
    pub seeds: Vec<u64>,
    /// Listeners of each run.
    pub listeners: u32,
    /// The rates, the greedy one first.
    pub rates: Vec<OfRate>,
}

/// Compares the rates.
///
/// # Errors
/// When there is nothing to run, or the core refuses something.
pub fn run(data: &Data, settings: &Settings, kept: &Units, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    let most = data.counts.listeners.len() as u32;
    if settings.seeds.is_empty() || !(1..=most).contains(&settings.listeners) {
        return Err(LabError::unreadable(format!(
            "expected at least one seed and 1 to {most} listeners, got {} and {}",
            settings.seeds.len(),
            settings.listeners
        )));
    }
    let truth = Truth::new(&data.counts, TRUTH_SEED);
    let done = std::sync::atomic::AtomicU64::new(0);
    let all = (settings.seeds.len() * RATES.len()) as u64;
    let runs = units::each(&settings.seeds, settings.threads, |&seed| {
        let world = std::cell::OnceCell::new();
        let of_seed: Result<Vec<Explored>, LabError> = RATES
            .iter()
            .map(|(name, rate)| {
                let model = settings.model.version.as_deref().unwrap_or(ears_only::bundle::BUILT_IN_VERSION);
                let unit = format!("explore, seed {seed}, rate {name}, {} listeners, model {model}", settings.listeners);
                let found = kept.unit(&unit, || {
                    let (world, base) = world.get_or_init(|| {
                        let world = World::new(data, &truth, settings.listeners, seed);
                        let base = base_logit(&world, middle());
                        (world, base)
                    });
                    one(world, *base, *rate, settings)
                })?;
                progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, all);
                Ok(found)
            })
            .collect();
        of_seed
    })?;
    Ok(report(settings, &runs))
}

fn report(settings: &Settings, runs: &[Vec<Explored>]) -> Report {
    let before = |rate: usize, stop: usize| -> Vec<f64> {
        let tens = STOPS[stop] as usize / 10;
        runs.iter().map(|run| run[rate].streams.iter().take(tens).sum::<u64>() as f64).collect()
    };
    let after = |rate: usize, stop: usize| -> Vec<f64> { runs.iter().map(|run| run[rate].after[stop] as f64).collect() };
    let rates = RATES
        .iter()
        .enumerate()
        .map(|(rate, (name, _))| {
            let stops = (0..STOPS.len()).map(|stop| {
                let own = (before(rate, stop), after(rate, stop));
                let greedy = (before(0, stop), after(0, stop));
                let total = paired(&[&own.0, &own.1, &greedy.0, &greedy.1], |s| (s[0] + s[1] - s[2] - s[3]) / (s[2] + s[3]));
                let sum = |value: &dyn Fn(&Explored) -> f64| runs.iter().map(|run| value(&run[rate])).sum::<f64>();
                let pages = sum(&|e| e.kept[stop].0 as f64).max(1.0);
                AtStop {
                    day: STOPS[stop],
                    price: relative_difference(&own.0, &greedy.0).into(),
                    bought: relative_difference(&own.1, &greedy.1).into(),
                    net: total.into(),
                    concordance: sum(&|e| e.concordance[stop].0) / sum(&|e| e.concordance[stop].1 as f64).max(1.0),
                    kept_uniform: 100.0 * sum(&|e| e.kept[stop].1) / pages,
                    kept_server: 100.0 * sum(&|e| e.kept[stop].2) / pages,
                }
            });
            OfRate { rate: (*name).to_owned(), stops: stops.collect() }
        })
        .collect();
    Report { format: 1, world: "lastfm".into(), seeds: settings.seeds.clone(), listeners: settings.listeners, rates }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} seeds of the lastfm world, {} listeners; against the greedy core on the same days\n\n{:<10}{:>5}  {:<24}{:<24}{:<24}{:>12}{:>14}{:>14}\n",
            self.seeds.len(),
            self.listeners,
            "explore",
            "until",
            "price, days before",
            "bought, then to day 90",
            "both together",
            "concordance",
            "kept, uniform",
            "kept, server"
        );
        for rate in &self.rates {
            for stop in &rate.stops {
                text.push_str(&format!(
                    "{:<10}{:>5}  {:<24}{:<24}{:<24}{:>12.3}{:>12.1} %{:>12.1} %\n",
                    rate.rate,
                    stop.day,
                    stop.price.to_string(),
                    stop.bought.to_string(),
                    stop.net.to_string(),
                    stop.concordance,
                    stop.kept_uniform,
                    stop.kept_server
                ));
            }
        }
        text
    }
}
