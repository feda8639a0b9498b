//! `ears-lab train-probes`: a model trained from one noisy bit for each device and week, no context ever uploaded.
//!
//! Each round publishes a manifest with one training probe: pairs of arms that move the model's weights forward and back along public
//! random directions. A device draws its arm by the public coin, ranks its page with the moved weights and everything it knows, and
//! answers one bit: was something streamed? The answer goes through the product's randomiser. The server adds up
//! answer x sign x direction, which is an unbiased estimate of the gradient of the smoothed value, and publishes the next model.
//!
//! The population is the demo world's ([`pool`]); the same loop with answers told in truth, and the best model of the class that could be found
//! with exact values, are run beside it. Devices hold their heads still here: what is judged is the published model.
//!
//! # References
//! T. Salimans, J. Ho, X. Chen, S. Sidor, I. Sutskever (2017), "Evolution strategies as a scalable alternative to reinforcement
//! learning", arXiv:1703.03864: antithetic pairs, one seed for each direction.

use std::process::ExitCode;

use clap::Args;
use ears_only::privacy::{Action, Epsilon, Manifest, ManifestSettings, Probe, WEIGHT_SUM, perturbation, randomise};
use ears_only::random::{Purpose, Seed, below, unit};
use ears_only::settings::Value;
use rand_core::Rng;
use serde::{Deserialize, Serialize};

use crate::arguments::{Long, Seeds};
use crate::error::LabError;
use crate::interval::paired;
use crate::noisy::Channel;
use crate::noisy::channel::epsilon_of;
use crate::noisy::check::Words;
use crate::progress;
use crate::simulate::units::{Units, each};

pub mod pool;

use pool::Pool;

/// Parts into which the devices of a round are split; the result does not depend on threads.
const PARTS: u64 = 32;

/// Trains a model from one noisy bit for each device and week, in the demo world, beside the same loop without noise.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    #[command(flatten)]
    seeds: Seeds,
    /// Listeners whose weeks are trained on; half as many others judge.
    #[arg(long, default_value_t = 400)]
    listeners: u32,
    /// Rounds, each with a manifest of its own.
    #[arg(long, default_value_t = 24)]
    rounds: u32,
    /// Bits of all rounds.
    #[arg(long, default_value_t = 2_400_000)]
    bits: u64,
    /// Pairs of directions of a round, a power of two up to 256.
    #[arg(long, default_value_t = 256)]
    pairs: u32,
    /// Length of a step along a direction, in units of the weights.
    #[arg(long, default_value_t = 0.5)]
    scale: f64,
    /// Length by which the weights move in the first round; it falls to a fifth by the last.
    #[arg(long, default_value_t = 1.0)]
    step: f64,
    /// Share of the earlier gradients in the direction of a step.
    #[arg(long, default_value_t = 0.6)]
    momentum: f64,
    /// Epsilon of a bit.
    #[arg(long, default_value_t = 1.0)]
    epsilon: f64,
    #[command(flatten)]
    long: Long,
}

/// What one run came to; values are chances that a page earns a stream, on listeners never trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// With all weights 0: pages in no order.
    pub start: f64,
    /// Trained from bits told in truth.
    pub plain: f64,
    /// Trained from randomised bits.
    pub private: f64,
    /// The best model of the class that was found with exact values.
    pub best: f64,
    /// The built-in model.
    pub built_in: f64,
    /// Pages ordered by the true chances: what no model of the class can reach.
    pub truth: f64,
    /// Randomised bits used.
    pub bits: u64,
}

/// All runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Weights that are trained.
    pub parameters: usize,
    /// Epsilon of a bit.
    pub epsilon: f64,
    /// The runs.
    pub runs: Vec<Run>,
    /// Share of the gap from start to best that the plain loop closes, with its interval over runs.
    pub plain_share: [f64; 3],
    /// The private loop's gain over the plain loop's.
    pub private_over_plain: [f64; 3],
    /// Share of the gap that the private loop closes.
    pub private_share: [f64; 3],
}

/// How the answers come back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answers {
    /// Bits through the randomiser.
    Noisy(Epsilon),
    /// Bits in truth.
    Plain,
    /// The exact chance in place of a bit: what unlimited data without noise would say.
    Exact,
}

/// A model on the way: weights and the mean of gradients.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Model {
    weights: Vec<f64>,
    gradient: Vec<f64>,
}

impl Arguments {
    /// Runs it and prints the table.
    ///
    /// # Errors
    /// When settings make no sense, the core refuses, or a file cannot be written.
    pub fn run(self) -> Result<ExitCode, LabError> {
        let units = self.long.partial.units()?;
        let bar = progress::bar("rounds");
        let report = report(&self, &units, &|done, all| progress::show(&bar, done, all))?;
        bar.finish_and_clear();
        self.long.output.finish(&report, &report.table())?;
        Ok(ExitCode::SUCCESS)
    }

    fn threads(&self) -> usize {
        self.long.threads.count()
    }
}

/// Runs all seeds.
///
/// # Errors
/// When settings make no sense or the core refuses.
pub fn report(asked: &Arguments, units: &Units, progress: &dyn Fn(u64, u64)) -> Result<Report, LabError> {
    let positive = |x: f64| x.is_finite() && x > 0.0;
    let seeds = asked.seeds.all(3);
    let fine = !seeds.is_empty() && asked.listeners > 1 && asked.rounds > 0 && positive(asked.scale) && positive(asked.step);
    if !fine || !(0.0..1.0).contains(&asked.momentum) || !asked.pairs.is_power_of_two() || asked.pairs > 256 {
        return Err(LabError::unreadable(
            "expected at least one seed, two listeners and a round, scale and step above 0, a momentum below 1 and a power of two up to 256 \
             of pairs",
        ));
    }
    let epsilon = epsilon_of(asked.epsilon)?;
    let all = seeds.len() as u64 * u64::from(3 * asked.rounds);
    let mut runs = Vec::new();
    for (at, seed) in seeds.iter().enumerate() {
        let done = |rounds: u32| progress(at as u64 * u64::from(3 * asked.rounds) + u64::from(rounds), all);
        let name = format!("{} seed {seed}", key(asked));
        runs.push(units.unit(&name, || one(asked, units, *seed, epsilon, &done))?);
    }
    let column = |of: &dyn Fn(&Run) -> f64| runs.iter().map(of).collect::<Vec<f64>>();
    let (start, best) = (column(&|run| run.start), column(&|run| run.best));
    let (plain, private) = (column(&|run| run.plain), column(&|run| run.private));
    let share = |over: &[f64], under: &[f64]| {
        let found = paired(&[over, under, &start], |sums| (sums[0] - sums[2]) / (sums[1] - sums[2]));
        [found.value, found.low, found.high]
    };
    Ok(Report {
        format: 1,
        seeds,
        parameters: pool::schema()?.width(),
        epsilon: asked.epsilon,
        plain_share: share(&plain, &best),
        private_over_plain: share(&private, &plain),
        private_share: share(&private, &best),
        runs,
    })
}

/// What a unit's value depends on, beside seed, kind and round.
fn key(asked: &Arguments) -> String {
    format!(
        "{} listeners, {} bits in {} rounds, {} pairs, scale {}, step {}, momentum {}, epsilon {}",
        asked.listeners, asked.bits, asked.rounds, asked.pairs, asked.scale, asked.step, asked.momentum, asked.epsilon
    )
}

fn one(asked: &Arguments, units: &Units, seed: u64, epsilon: Epsilon, done: &dyn Fn(u32)) -> Result<Run, LabError> {
    let trained = Pool::new(2_000 + 2 * seed, asked.listeners, asked.threads())?;
    let judges = Pool::new(2_001 + 2 * seed, (asked.listeners / 2).max(1), asked.threads())?;
    let value = |weights: &[f64]| judges.value(weights, asked.threads());
    let start = vec![0.0; trained.width()];
    let private = train(asked, units, &trained, seed, Answers::Noisy(epsilon), &start, &|round| done(round))?;
    let plain = train(asked, units, &trained, seed, Answers::Plain, &start, &|round| done(asked.rounds + round))?;
    // The class's best: the better of logistic regression on the true chances, and the loop with exact values from there on.
    let fitted = trained.fitted()?;
    let climbed = train(asked, units, &trained, seed, Answers::Exact, &fitted, &|round| done(2 * asked.rounds + round))?;
    let candidates = [&fitted, &climbed, &plain];
    let mut best = (f64::NEG_INFINITY, &fitted);
    for weights in candidates {
        let value = trained.value(weights, asked.threads())?;
        if value > best.0 {
            best = (value, weights);
        }
    }
    Ok(Run {
        seed,
        start: value(&start)?,
        plain: value(&plain)?,
        private: value(&private)?,
        best: value(best.1)?,
        built_in: value(&pool::built_in()?)?,
        truth: judges.truth(),
        bits: asked.bits / u64::from(asked.rounds) * u64::from(asked.rounds),
    })
}

/// The manifest of a round: one training probe, arms equally likely.
fn manifest(round: u32, asked: &Arguments) -> Result<Manifest, LabError> {
    let weight = WEIGHT_SUM / (2 * asked.pairs);
    let arm = |seed: u32, sign: i32| serde_json::json!({"seed": seed, "sign": sign, "weight": weight});
    let arms: Vec<serde_json::Value> =
        (0..asked.pairs).flat_map(|pair| [arm(round * asked.pairs + pair, 1), arm(round * asked.pairs + pair, -1)]).collect();
    let probe = serde_json::json!({"kind": "training", "scale": asked.scale, "questions": ["played_30s"], "arms": arms});
    let json = serde_json::json!({
        "format": 2, "epochs": [round, round], "modelVersion": format!("round-{round}"), "epsilonIndex": epsilon_of(asked.epsilon)?.index(),
        "windowMs": 1_800_000, "probes": [probe],
    });
    let text = json.to_string();
    let value: Value = serde_json::from_str(&text).map_err(|error| LabError::failed(format!("manifest: {error}")))?;
    Ok(Manifest::new(text.as_bytes(), ManifestSettings::read(&value)?)?)
}

fn train(
    asked: &Arguments,
    units: &Units,
    pool: &Pool,
    seed: u64,
    answers: Answers,
    start: &[f64],
    done: &dyn Fn(u32),
) -> Result<Vec<f64>, LabError> {
    let kind = match answers {
        Answers::Noisy(_) => "noisy",
        Answers::Plain => "plain",
        Answers::Exact => "exact",
    };
    let mut model = Model { weights: start.to_vec(), gradient: vec![0.0; start.len()] };
    for round in 0..asked.rounds {
        let name = format!("{} seed {seed}, {kind}, round {round}", key(asked));
        model = units.unit(&name, || {
            let found = gradient(asked, pool, seed, answers, &model.weights, round)?;
            let mut next = model.clone();
            for (mean, found) in next.gradient.iter_mut().zip(&found) {
                *mean = asked.momentum * *mean + (1.0 - asked.momentum) * found;
            }
            let length = next.gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
            let share = f64::from(round) / f64::from((asked.rounds - 1).max(1));
            // The class's best is approached in small steps from where it starts.
            let first = if answers == Answers::Exact { 0.3 * asked.step } else { asked.step };
            let step = first * (1.0 - 0.8 * share);
            if length > 0.0 {
                next.weights.iter_mut().zip(&next.gradient).for_each(|(weight, mean)| *weight += step * mean / length);
            }
            Ok(next)
        })?;
        done(round + 1);
    }
    Ok(model.weights)
}

/// One round: the estimated gradient of the smoothed value, (1 / (n scale)) sum of answer x sign x direction.
fn gradient(
    asked: &Arguments,
    pool: &Pool,
    seed: u64,
    answers: Answers,
    weights: &[f64],
    round: u32,
) -> Result<Vec<f64>, LabError> {
    let manifest = manifest(round, asked)?;
    let probe = &manifest.probes()[0];
    let steps: Vec<(f64, Vec<f64>)> = probe.arms.iter().map(|arm| direction(&arm.action, weights.len())).collect();
    let moved: Vec<Vec<f32>> = steps
        .iter()
        .map(|(sign, along)| weights.iter().zip(along).map(|(w, d)| (w + asked.scale * sign * d) as f32).collect())
        .collect();
    let devices = asked.bits / u64::from(asked.rounds);
    let jobs: Vec<u64> = (0..PARTS).collect();
    let parts = each(&jobs, asked.threads(), |part| {
        let index = u64::from(round) * PARTS + part;
        let count = devices / PARTS + u64::from(*part < devices % PARTS);
        devices_of(pool, probe, &moved, answers, &Seed::from_number(seed), index, count)
    })?;
    let mut found = vec![0.0; weights.len()];
    for (arm, (sign, along)) in steps.iter().enumerate() {
        let sum: f64 = parts.iter().map(|part| part[arm]).sum();
        found.iter_mut().zip(along).for_each(|(found, along)| *found += sum * sign * along);
    }
    let all = devices as f64 * asked.scale;
    found.iter_mut().for_each(|x| *x /= all);
    Ok(found)
}

fn direction(action: &Action, columns: usize) -> (f64, Vec<f64>) {
    match action {
        Action::Perturbed { seed, negative } => (if *negative { -1.0 } else { 1.0 }, perturbation(*seed, columns)),
        _ => (0.0, vec![0.0; columns]),
    }
}

/// Answers of `count` devices, noise undone and summed by arm.
fn devices_of(
    pool: &Pool,
    probe: &Probe,
    moved: &[Vec<f32>],
    answers: Answers,
    seed: &Seed,
    index: u64,
    count: u64,
) -> Result<Vec<f64>, LabError> {
    let channel = match answers {
        Answers::Noisy(epsilon) => Some((epsilon, Channel::bit(epsilon)?)),
        _ => None,
    };
    let mut coin = seed.stream(Purpose::Coin, index);
    let mut rng = seed.stream(Purpose::Host, index);
    let mut words = Words(seed.stream(Purpose::Flip, index));
    let mut sums = vec![0.0; moved.len()];
    let mut page = pool::Page::default();
    for _ in 0..count {
        let week = below(&mut rng, pool.weeks() as u32) as usize;
        let arm = usize::from(probe.arm_of((coin.next_u32() >> 16) as u16));
        let chance = pool.stream_chance(week, &moved[arm], &mut page);
        sums[arm] += match channel {
            _ if answers == Answers::Exact => chance,
            None => f64::from(u8::from(unit(&mut rng) < chance)),
            Some((epsilon, channel)) => {
                let streamed = unit(&mut rng) < chance;
                channel.undo_bit(randomise(streamed.into(), 2, epsilon, &mut words)?.into())
            }
        };
    }
    Ok(sums)
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} weights from one bit for each device and week, epsilon {}\n\nchance of a stream on a page of listeners never trained on\n",
            self.parameters, self.epsilon
        );
        text.push_str("  seed    start  built-in   private     plain  class's best     truth        bits\n");
        for run in &self.runs {
            text.push_str(&format!(
                "  {:>4} {:>8.4} {:>9.4} {:>9.4} {:>9.4} {:>13.4} {:>9.4} {:>11}\n",
                run.seed, run.start, run.built_in, run.private, run.plain, run.best, run.truth, run.bits
            ));
        }
        for (what, [value, low, high]) in [
            ("gap to the class's best closed without noise", self.plain_share),
            ("gain with noise over gain without", self.private_over_plain),
            ("gap to the class's best closed with noise", self.private_share),
        ] {
            text.push_str(&format!("{what:<46} {:.1} %   [{:.1}, {:.1}]\n", 100.0 * value, 100.0 * low, 100.0 * high));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Threads;

    fn on(threads: usize) -> Long {
        Long { threads: Threads { threads: Some(threads) }, ..Long::default() }
    }

    fn arguments() -> Arguments {
        Arguments {
            seeds: Seeds { seeds: Some(1), first_seed: 5 },
            listeners: 12,
            rounds: 2,
            bits: 3_000,
            pairs: 16,
            scale: 0.5,
            step: 1.0,
            momentum: 0.6,
            epsilon: 1.0,
            long: on(2),
        }
    }

    #[test]
    fn a_tiny_run_repeats_itself_on_any_number_of_threads_and_resumes() {
        let run = |threads, units: &Units| report(&Arguments { long: on(threads), ..arguments() }, units, &|_, _| ()).unwrap();
        let file = std::env::temp_dir().join(format!("ears-lab-evolution-{}.jsonl", std::process::id()));
        let whole = run(1, &Units::open(&file, false).unwrap());
        assert_eq!(whole, run(2, &Units::nowhere()));
        // Cut off after some rounds: the rest is made again, with the same result.
        let text = std::fs::read_to_string(&file).unwrap();
        let some: Vec<&str> = text.lines().take(3).collect();
        std::fs::write(&file, some.join("\n")).unwrap();
        assert_eq!(whole, run(2, &Units::open(&file, true).unwrap()));
        std::fs::remove_file(&file).unwrap();
        assert!(whole.parameters >= 32 && whole.runs[0].bits == 3_000);
        assert!(whole.runs[0].truth > whole.runs[0].start);
        assert!(report(&Arguments { pairs: 3, ..arguments() }, &Units::nowhere(), &|_, _| ()).is_err());
    }

    #[test]
    fn the_gradient_is_unbiased_for_that_of_the_exact_values() {
        let asked = Arguments { bits: 2 * 60_000, ..arguments() };
        let pool = Pool::new(77, 8, 2).unwrap();
        let weights = vec![0.0; pool.width()];
        let of = |answers| gradient(&asked, &pool, 3, answers, &weights, 0).unwrap();
        let (exact, noisy) = (of(Answers::Exact), of(Answers::Noisy(epsilon_of(1.0).unwrap())));
        // Each coordinate: answers of variance at most 1.17 over 60,000 devices along directions of variance 1, over the scale 0.5: 0.0089;
        // directions are shared, so coordinates err together; six standard errors of 33 coordinates.
        for (exact, noisy) in exact.iter().zip(&noisy) {
            assert!((exact - noisy).abs() < 6.0 * 0.0089 * 1.5, "{exact} {noisy}");
        }
        let length = |of: &[f64]| of.iter().map(|x| x * x).sum::<f64>().sqrt();
        let along: f64 = exact.iter().zip(&noisy).map(|(a, b)| a * b).sum();
        assert!(along / length(&exact) / length(&noisy) > 0.3, "{along}");
    }
}
