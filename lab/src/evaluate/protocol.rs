//! How good are the estimates? Many logs of worlds that know the truth, eight target policies each.
//!
//! | world | a page | a reward |
//! |---|---|---|
//! | [`carousel`] | 12 of 862 playlists, one after the other | the first stream; it ends the visit |
//! | [`home`] | 2 of about 10 shelves, 3 cards of each, top down | the first stream; it ends the visit |
//!
//! Logging and target policies draw from a softmax over the scores of a middling model, each choice with a floor; they differ in how sharp they are
//! and in what else they follow. Per log: relative error of each estimate, whether the 95 % interval holds the truth, Spearman's rank correlation
//! with the truth over the targets. Beside it the naive answer, a replay: the mean reward of the pages whose first card is the target's, however
//! likely the logging policy made it.

use std::sync::atomic::{AtomicU64, Ordering};

use ears_only::random::unit;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

use super::interval;
use super::slate::{Place, SlateAccumulator, SlateEstimator};
use super::weights::WeightSums;
use crate::error::LabError;
use crate::simulate::units::{self, Units};

pub mod carousel;
pub mod command;
pub mod home;

/// Target policies of each world.
pub const TARGETS: usize = 8;
/// Folds of a log for its reward model.
const FOLDS: usize = 2;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Logs.
    pub logs: u64,
    /// Pages of each log.
    pub pages: usize,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// A world that draws logs and knows what policies are worth.
pub trait PageWorld: Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// What each target is worth.
    fn truth(&self) -> [f64; TARGETS];
    /// Draws a log and adds up its pages for every target.
    fn log(&self, seed: u64, pages: usize) -> [Tally; TARGETS];
}

/// Sums of one log for one target.
#[derive(Clone, Debug)]
pub struct Tally {
    estimators: [SlateAccumulator; 2],
    weights: WeightSums,
    /// Sum of the target's chances of the logged first card, and of these times the page's reward.
    replay: [f64; 2],
}

impl Tally {
    fn new(positions: usize) -> Self {
        let of = |estimator| SlateAccumulator::new(estimator, positions);
        Self {
            estimators: [of(SlateEstimator::CascadeDr), of(SlateEstimator::Rips)],
            weights: WeightSums::default(),
            replay: [0.0; 2],
        }
    }

    /// Adds a page; `first` is the target's chance of its first card.
    fn add(&mut self, page: &[Place], first: f64) {
        self.estimators.iter_mut().for_each(|sums| sums.add(page));
        self.weights.add(page.last().map_or(1.0, |place| place.prefix_weight));
        self.replay[0] += first;
        self.replay[1] += first * page.iter().map(|place| place.reward).sum::<f64>();
    }
}

/// What one log said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Said {
    /// By target: cascade-DR and its interval, RIPS, replay, effective sample size.
    of: Vec<[f64; 6]>,
}

/// One estimator's record over all logs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Mean over logs and targets of |estimate - truth| / truth.
    pub relative_error: f64,
    /// The largest mean of a single target.
    pub worst_target: f64,
    /// Mean over logs of Spearman's rank correlation with the truth over the targets.
    pub rank_correlation: f64,
}

/// The result of one world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// The world.
    pub world: String,
    /// Seeds: 0 to logs - 1.
    pub logs: u64,
    /// Pages of each log.
    pub pages: usize,
    /// What each target is worth.
    pub truth: Vec<f64>,
    /// The smallest effective sample size of any log and target.
    pub least_sample: f64,
    /// Mean effective sample size of each target.
    pub mean_sample: Vec<f64>,
    /// Cascade-DR, cross-fitted.
    pub cascade_dr: Record,
    /// Share of its 95 % intervals that hold the truth.
    pub coverage: f64,
    /// The same for each target.
    pub coverage_of: Vec<f64>,
    /// RIPS, without a model.
    pub rips: Record,
    /// The naive answer.
    pub replay: Record,
}

/// Runs the protocol in a world.
///
/// # Errors
/// When there is nothing to run, or a unit cannot be kept.
pub fn run(
    world: &dyn PageWorld,
    settings: Settings,
    kept: &Units,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Report, LabError> {
    if settings.logs == 0 || settings.pages < 100 {
        return Err(LabError::unreadable(format!(
            "expected logs of 100 pages or more, got {} of {}",
            settings.logs, settings.pages
        )));
    }
    let truth = world.truth();
    let done = AtomicU64::new(0);
    let seeds: Vec<u64> = (0..settings.logs).collect();
    let said = units::each(&seeds, settings.threads, |&seed| {
        let unit = format!("{}, log {seed}, {} pages", world.name(), settings.pages);
        let said = kept.unit(&unit, || Ok(Said::new(&world.log(seed, settings.pages))))?;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, settings.logs);
        Ok::<Said, LabError>(said)
    })?;
    Ok(report(world.name(), settings, truth, &said))
}

impl Said {
    fn new(tallies: &[Tally; TARGETS]) -> Self {
        let of = |tally: &Tally| {
            let estimate = tally.estimators[0].estimate();
            let normal = interval::normal(&estimate);
            let replay = tally.replay[1] / tally.replay[0];
            let sample = tally.weights.effective_sample_size();
            [estimate.value, normal.low, normal.high, tally.estimators[1].estimate().value, replay, sample]
        };
        Self { of: tallies.iter().map(of).collect() }
    }
}

fn report(world: &str, settings: Settings, truth: [f64; TARGETS], said: &[Said]) -> Report {
    let logs = said.len() as f64;
    let mean = |value: &dyn Fn(&[f64; 6], f64) -> f64, target: usize| {
        said.iter().map(|said| value(&said.of[target], truth[target])).sum::<f64>() / logs
    };
    let record = |column: usize| {
        let errors: Vec<f64> = (0..TARGETS).map(|t| mean(&|of, truth| (of[column] - truth).abs() / truth, t)).collect();
        let correlation = |said: &Said| spearman(&said.of.iter().map(|of| of[column]).collect::<Vec<_>>(), &truth);
        Record {
            relative_error: errors.iter().sum::<f64>() / TARGETS as f64,
            worst_target: errors.iter().fold(0.0, |a, b| b.max(a)),
            rank_correlation: said.iter().map(correlation).sum::<f64>() / logs,
        }
    };
    let inside = |of: &[f64; 6], truth: f64| f64::from(u8::from(of[1] <= truth && truth <= of[2]));
    let coverage_of: Vec<f64> = (0..TARGETS).map(|t| mean(&inside, t)).collect();
    Report {
        format: 1,
        world: world.to_owned(),
        logs: said.len() as u64,
        pages: settings.pages,
        truth: truth.to_vec(),
        least_sample: said.iter().flat_map(|said| &said.of).fold(f64::INFINITY, |least, of| least.min(of[5])),
        mean_sample: (0..TARGETS).map(|t| mean(&|of, _| of[5], t)).collect(),
        cascade_dr: record(0),
        coverage: coverage_of.iter().sum::<f64>() / TARGETS as f64,
        coverage_of,
        rips: record(3),
        replay: record(4),
    }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let line = |name: &str, record: &Record| {
            format!(
                "  {name:<11} relative error {:>6.2} %, worst target {:>6.2} %, rank correlation {:.3}\n",
                100.0 * record.relative_error,
                100.0 * record.worst_target,
                record.rank_correlation
            )
        };
        format!(
            "{}: {} logs of {} pages, {TARGETS} targets worth {:.4} to {:.4}, effective sample size at least {:.0}\n{}{}{}  95 % intervals of \
             cascade-DR hold the truth in {:.1} %\n",
            self.world,
            self.logs,
            self.pages,
            self.truth.iter().fold(f64::INFINITY, |a, b| b.min(a)),
            self.truth.iter().fold(0.0, |a, b| b.max(a)),
            self.least_sample,
            line("cascade-DR", &self.cascade_dr),
            line("RIPS", &self.rips),
            line("replay", &self.replay),
            100.0 * self.coverage
        )
    }
}

/// Spearman's rank correlation; ties share their ranks' mean.
fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let ranks = |of: &[f64]| -> Vec<f64> {
        of.iter()
            .map(|x| {
                of.iter()
                    .map(|y| {
                        if y < x {
                            1.0
                        } else if y == x {
                            0.5
                        } else {
                            0.0
                        }
                    })
                    .sum()
            })
            .collect()
    };
    let (a, b) = (ranks(a), ranks(b));
    let middle = a.len() as f64 / 2.0;
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum::<f64>();
    product(&a, &b) / libm::sqrt(product(&a, &a) * product(&b, &b))
}

/// A softmax over a pool with a floor: (1 - floor) e / (sum of e) + floor / (number of items), over the items not yet taken.
#[derive(Clone, Debug)]
struct Softmax {
    odds: Vec<f64>,
    cumulated: Vec<f64>,
}

impl Softmax {
    fn new(logits: impl Iterator<Item = f64>) -> Self {
        let odds: Vec<f64> = logits.map(ears_only::math::exp).collect();
        let mut total = 0.0;
        let cumulated = odds.iter().map(|e| {
            total += e;
            total
        });
        Self { cumulated: cumulated.collect(), odds }
    }

    fn total(&self) -> f64 {
        self.cumulated.last().copied().unwrap_or(0.0)
    }

    /// Draws an item that is not in `taken`.
    fn draw<R: Rng + ?Sized>(&self, rng: &mut R, floor: f64, taken: &[usize]) -> usize {
        let uniform = unit(rng) < floor;
        loop {
            let at = if uniform {
                (unit(rng) * self.odds.len() as f64) as usize
            } else {
                let point = unit(rng) * self.total();
                self.cumulated.partition_point(|c| *c <= point).min(self.odds.len() - 1)
            };
            if !taken.contains(&at) {
                return at;
            }
        }
    }
}

/// What is left of a pool while a page is walked down: sums over the items not yet taken.
#[derive(Clone, Copy, Debug)]
struct Left {
    odds: f64,
    /// Sum of odds times prediction, and of predictions.
    weighted: f64,
    plain: f64,
    items: f64,
}

impl Left {
    fn chance(&self, odds: f64, floor: f64) -> f64 {
        (1.0 - floor) * odds / self.odds + floor / self.items
    }

    /// Mean prediction over the next choice.
    fn expected(&self, floor: f64) -> f64 {
        (1.0 - floor) * self.weighted / self.odds + floor * self.plain / self.items
    }

    fn take(&mut self, odds: f64, predicted: f64) {
        self.odds -= odds;
        self.weighted -= odds * predicted;
        self.plain -= predicted;
        self.items -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_only::random::{Purpose, Seed};

    #[test]
    fn correlations_of_ranks() {
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), 1.0);
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        assert!((spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]) - 0.8).abs() < 1e-12);
        assert!((spearman(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0]) - 0.866).abs() < 1e-3);
    }

    #[test]
    fn draws_follow_the_chances() {
        let softmax = Softmax::new([0.0, 1.0, 2.0].into_iter());
        let mut left = Left { odds: softmax.total(), weighted: 0.0, plain: 0.0, items: 3.0 };
        left.take(softmax.odds[1], 0.0);
        let expected = left.chance(softmax.odds[2], 0.2);
        assert!((expected + left.chance(softmax.odds[0], 0.2) - 1.0).abs() < 1e-12);
        let mut rng = Seed::from_number(1).stream(Purpose::Host, 0);
        let drawn = (0..20_000).filter(|_| softmax.draw(&mut rng, 0.2, &[1]) == 2).count() as f64 / 20_000.0;
        // Standard error 0.003: beyond 5 of them once in two million.
        assert!((drawn - expected).abs() < 0.015, "{drawn} {expected}");
    }
}
