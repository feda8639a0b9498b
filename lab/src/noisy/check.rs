//! Bias and coverage of every estimator in a world that knows the truth, with answers randomised by the product's own randomiser.
//!
//! Eight codes of listeners with a private trait each, eight arms with unequal weights; the reward depends on code, trait and arm. All
//! numbers of the world are drawn once, by a fixed seed.

use std::sync::Mutex;

use ears_only::error::Error;
use ears_only::privacy::{EPSILONS, randomise};
use ears_only::random::{Entropy, Purpose, Seed, unit};
use rand_core::Rng;
use rand_pcg::Pcg32;
use serde::{Deserialize, Serialize};

use super::channel::{Channel, epsilon_of};
use super::marginal::{self, Shortcut, drawn};
use super::{Counts, Estimate, arms, codes, vote};
use crate::error::LabError;
use crate::simulate::units::{Units, each};

const CODES: usize = 8;
const ARMS: usize = 8;
const ROWS: usize = CODES;
/// Weights of the public coin, in 65536ths.
const WEIGHTS: [u16; ARMS] = [16_384, 12_288, 8_192, 8_192, 8_192, 4_096, 4_096, 4_096];
/// Lifts that devices compute, clipped already, and their chances.
const LIFTS: [(f64, f64); 5] = [(-0.2, 0.03), (-0.06, 0.20), (0.0, 0.45), (0.05, 0.26), (0.2, 0.06)];
const CLIP: f64 = 0.2;
/// Repetitions of one unit.
const BATCH: u32 = 50;

/// Random words of one stream as entropy of the randomiser.
pub struct Words(pub Pcg32);

impl Entropy for Words {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

/// What is run.
pub struct Settings {
    /// Data sets.
    pub repetitions: u32,
    /// Records of each, for each probe.
    pub records: u32,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// One estimator at one epsilon.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which.
    pub estimator: String,
    /// Epsilon.
    pub epsilon: f64,
    /// The truth.
    pub truth: f64,
    /// Mean estimate minus truth.
    pub bias: f64,
    /// Standard error of the bias.
    pub bias_error: f64,
    /// Standard deviation of the estimates.
    pub deviation: f64,
    /// Mean of the stated standard errors.
    pub stated: f64,
    /// Share of 95 % intervals that hold the truth.
    pub coverage: f64,
    /// Repetitions whose verdict was that the records cannot answer.
    pub unanswered: u32,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Data sets.
    pub repetitions: u32,
    /// Records of each, for each probe.
    pub records: u32,
    /// Estimators.
    pub rows: Vec<Row>,
    /// The shortcut that must be caught.
    pub shortcut: Vec<Shortcut>,
}

struct World {
    codes: Vec<f64>,
    traits: Vec<f64>,
    /// By code, trait, arm.
    reward: Vec<[[f64; ARMS]; 2]>,
    coin: Vec<f64>,
    arm_policy: Vec<f64>,
    code_policy: Vec<Vec<f64>>,
    /// A public model that is wrong: one number for each arm, a little off.
    model: Vec<Vec<f64>>,
}

impl World {
    fn new() -> Self {
        let mut rng = Seed::from_number(7).stream(Purpose::Host, 0);
        let mut between = |low: f64, high: f64| low + (high - low) * unit(&mut rng);
        let raw: Vec<f64> = (0..CODES).map(|_| between(0.5, 1.5)).collect();
        let sum: f64 = raw.iter().sum();
        let traits: Vec<f64> = (0..CODES).map(|_| between(0.2, 0.8)).collect();
        let reward: Vec<[[f64; ARMS]; 2]> = (0..CODES)
            .map(|_| {
                let base: [f64; ARMS] = std::array::from_fn(|_| between(0.15, 0.45));
                let apart: [f64; ARMS] = std::array::from_fn(|_| between(-0.1, 0.1));
                [std::array::from_fn(|arm| base[arm] - apart[arm]), std::array::from_fn(|arm| base[arm] + apart[arm])]
            })
            .collect();
        let mut world = Self {
            codes: raw.iter().map(|x| x / sum).collect(),
            traits,
            reward,
            coin: WEIGHTS.iter().map(|weight| f64::from(*weight) / 65_536.0).collect(),
            arm_policy: vec![0.3, 0.1, 0.05, 0.05, 0.1, 0.2, 0.1, 0.1],
            code_policy: Vec::new(),
            model: Vec::new(),
        };
        for code in 0..CODES {
            let best = (0..ARMS).max_by(|a, b| world.mean(code, *a).total_cmp(&world.mean(code, *b))).unwrap_or(0);
            world.code_policy.push((0..ARMS).map(|arm| 0.05 + if arm == best { 0.6 } else { 0.0 }).collect());
            world.model.push((0..ARMS).map(|arm| 0.3 + 0.02 * arm as f64).collect());
        }
        world
    }

    fn mean(&self, code: usize, arm: usize) -> f64 {
        (1.0 - self.traits[code]) * self.reward[code][0][arm] + self.traits[code] * self.reward[code][1][arm]
    }

    fn arm_mean(&self, arm: usize) -> f64 {
        (0..CODES).map(|code| self.codes[code] * self.mean(code, arm)).sum()
    }

    /// Code, arm and reward of one device.
    fn device(&self, rng: &mut Pcg32) -> (usize, usize, bool) {
        let code = drawn(&self.codes, unit(rng));
        let known = usize::from(unit(rng) < self.traits[code]);
        let arm = drawn(&self.coin, unit(rng));
        (code, arm, unit(rng) < self.reward[code][known][arm])
    }

    /// Name, epsilon and truth of everything that is judged.
    fn judged(&self) -> Vec<(&'static str, f64, f64)> {
        let value: f64 = (0..ARMS).map(|arm| self.arm_policy[arm] * self.arm_mean(arm)).sum();
        let by_code: f64 = (0..CODES)
            .map(|code| self.codes[code] * (0..ARMS).map(|arm| self.code_policy[code][arm] * self.mean(code, arm)).sum::<f64>())
            .sum();
        let share: f64 = self.codes[0] * (0..ARMS).map(|arm| self.coin[arm] * self.mean(0, arm)).sum::<f64>();
        let lift: f64 = LIFTS.iter().map(|(lift, chance)| lift * chance).sum();
        let mut judged = Vec::new();
        for epsilon in EPSILONS {
            judged.push(("arm mean", epsilon, self.arm_mean(0)));
            judged.push(("A/B difference", epsilon, self.arm_mean(1) - self.arm_mean(0)));
            judged.push(("IPS over arms", epsilon, value));
            judged.push(("Hájek over arms", epsilon, value));
            judged.push(("vote lift", epsilon, lift));
            judged.push(("Hadamard rows", epsilon, by_code));
        }
        for name in ["joint symbols, IPS", "joint symbols, SNIPS", "joint symbols, DR"] {
            judged.push((name, 1.0, by_code));
        }
        judged.push(("joint symbols, any functional", 1.0, share));
        judged
    }

    /// One data set, everything estimated from it, in the order of [`World::judged`].
    fn estimates(&self, records: u32, repetition: u32) -> Result<Vec<Estimate>, LabError> {
        let seed = Seed::from_number(1 << 32 | u64::from(repetition));
        let mut rng = seed.stream(Purpose::Host, 0);
        let mut words = Words(seed.stream(Purpose::Flip, 0));
        let mut found = Vec::new();
        for value in EPSILONS {
            let epsilon = epsilon_of(value)?;
            let channel = Channel::bit(epsilon)?;
            let mut played = Counts::new(ARMS, 1, 2);
            let mut rows = Counts::new(ARMS, ROWS, 2);
            let mut votes = Counts::new(1, 1, 2);
            for _ in 0..records {
                let (code, arm, reward) = self.device(&mut rng);
                played.add(arm, 0, randomise(reward.into(), 2, epsilon, &mut words)?.into(), 1.0);
                let row = (unit(&mut rng) * ROWS as f64) as usize;
                let answer = if reward { codes::hadamard(row, code) > 0.0 } else { unit(&mut rng) < 0.5 };
                rows.add(arm, row, randomise(answer.into(), 2, epsilon, &mut words)?.into(), 1.0);
                let lift = LIFTS[drawn(&LIFTS.map(|(_, chance)| chance), unit(&mut rng))].0;
                let answer = unit(&mut rng) < (lift + CLIP) / (2.0 * CLIP);
                votes.add(0, 0, randomise(answer.into(), 2, epsilon, &mut words)?.into(), 1.0);
            }
            found.push(arms::mean(&played, channel, 0));
            found.push(arms::difference(&played, channel, 1, 0));
            found.push(arms::ips(&played, channel, &self.coin, &self.arm_policy)?);
            found.push(arms::hajek(&played, channel, &self.coin, &self.arm_policy)?);
            found.push(vote::lift(&votes, channel, 0, CLIP));
            found.push(codes::from_rows(&rows, channel, &self.coin, &self.code_policy)?);
        }
        let epsilon = epsilon_of(1.0)?;
        let channel = Channel::new(epsilon, (2 * CODES) as u8)?;
        let mut symbols = Counts::new(ARMS, 1, 2 * CODES);
        for _ in 0..records {
            let (code, arm, reward) = self.device(&mut rng);
            let symbol = code + CODES * usize::from(reward);
            symbols.add(arm, 0, randomise(symbol as u8, (2 * CODES) as u8, epsilon, &mut words)?.into(), 1.0);
        }
        found.push(codes::ips(&symbols, channel, &self.coin, &self.code_policy)?);
        found.push(codes::snips(&symbols, channel, &self.coin, &self.code_policy)?);
        found.push(codes::doubly_robust(&symbols, channel, &self.coin, &self.code_policy, &self.model)?);
        found.push(codes::functional(&symbols, channel, 1.0, |_, answer| f64::from(u8::from(answer == CODES))));
        Ok(found)
    }
}

/// Sums over repetitions of one estimator.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sums {
    error: f64,
    squares: f64,
    stated: f64,
    covered: u32,
    unanswered: u32,
}

/// Runs all repetitions.
///
/// # Errors
/// When there is nothing to run or units cannot be kept.
pub fn run(settings: &Settings, units: &Units, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    if settings.repetitions < 2 || settings.records < 100 {
        let (repetitions, records) = (settings.repetitions, settings.records);
        let what = format!("expected at least 2 repetitions of 100 records, got {repetitions} of {records}");
        return Err(LabError::unreadable(what));
    }
    let world = World::new();
    let judged = world.judged();
    let starts: Vec<u32> = (0..settings.repetitions).step_by(BATCH as usize).collect();
    let done = Mutex::new(0);
    let batches = each(&starts, settings.threads, |start| {
        let end = (start + BATCH).min(settings.repetitions);
        let name = format!("{} records, repetitions {start} to {end}", settings.records);
        let sums = units.unit(&name, || {
            let mut sums = vec![Sums::default(); judged.len()];
            for repetition in *start..end {
                let found = world.estimates(settings.records, repetition)?;
                for ((sums, estimate), (_, _, truth)) in sums.iter_mut().zip(found).zip(&judged) {
                    let error = estimate.value - truth;
                    sums.error += error;
                    sums.squares += error * error;
                    sums.stated += estimate.standard_error;
                    sums.covered += u32::from((estimate.low..=estimate.high).contains(truth));
                    sums.unanswered += u32::from(estimate.cannot.is_some());
                }
            }
            Ok(sums)
        });
        let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *done += 1;
        progress(*done, starts.len() as u64);
        sums
    })?;
    let n = f64::from(settings.repetitions);
    let rows = judged
        .iter()
        .enumerate()
        .map(|(at, (estimator, epsilon, truth))| {
            let sum = |of: &dyn Fn(&Sums) -> f64| batches.iter().map(|batch| of(&batch[at])).sum::<f64>();
            let bias = sum(&|sums| sums.error) / n;
            let variance = (sum(&|sums| sums.squares) / n - bias * bias).max(0.0) * n / (n - 1.0);
            Row {
                estimator: (*estimator).to_owned(),
                epsilon: *epsilon,
                truth: *truth,
                bias,
                bias_error: (variance / n).sqrt(),
                deviation: variance.sqrt(),
                stated: sum(&|sums| sums.stated) / n,
                coverage: sum(&|sums| sums.covered.into()) / n,
                unanswered: batches.iter().map(|batch| batch[at].unanswered).sum(),
            }
        })
        .collect();
    let shortcut = each(&marginal::CASES, settings.threads, |case| {
        let repetitions = settings.repetitions.min(200);
        let name = format!("shortcut {case:?}, {repetitions} repetitions of {} records", settings.records);
        units.unit(&name, || marginal::measure(*case, repetitions, settings.records, epsilon_of(1.0)?))
    })?;
    Ok(Report { format: 1, repetitions: settings.repetitions, records: settings.records, rows, shortcut })
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{} repetitions of {} records for each probe\n\n", self.repetitions, self.records);
        text.push_str("estimator                      epsilon    truth     bias (its error)   deviation   stated  coverage\n");
        for row in &self.rows {
            text.push_str(&format!(
                "{:<30} {:>7} {:>8.4} {:>+8.5} ({:.5}) {:>11.5} {:>8.5} {:>8.1} %\n",
                row.estimator,
                row.epsilon,
                row.truth,
                row.bias,
                row.bias_error,
                row.deviation,
                row.stated,
                100.0 * row.coverage
            ));
        }
        text.push_str("\nthe shortcut: propensities averaged over a code\n");
        for row in &self.shortcut {
            text.push_str(&format!(
                "  spread {:.1}, greed {:.0}: truth {:.4}, mean estimate {:.4} ({:+.0} %), intervals that hold it {:.1} %\n",
                row.spread,
                row.greed,
                row.truth,
                row.mean,
                100.0 * (row.mean / row.truth - 1.0),
                100.0 * row.coverage
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_run_is_unbiased_and_covers_and_repeats_itself() {
        let settings = |threads| Settings { repetitions: 60, records: 3_000, threads };
        let report = run(&settings(2), &Units::nowhere(), &|_, _| ()).unwrap();
        assert_eq!(report, run(&settings(1), &Units::nowhere(), &|_, _| ()).unwrap());
        assert_eq!(report.rows.len(), 3 * 6 + 4);
        for row in report.rows.iter().filter(|row| row.unanswered == 0) {
            // Five standard errors of the bias; a count of 60 at 95 % lies below 47 (78 %) with a chance of 2e-6. 22 rows: below 1e-4.
            assert!(row.bias.abs() < 5.0 * row.bias_error, "{row:?}");
            assert!(row.coverage >= 0.78, "{row:?}");
            assert!((row.stated / row.deviation - 1.0).abs() < 0.45, "{row:?}");
        }
        assert!(report.rows.iter().filter(|row| row.unanswered == 0).count() >= 14);
        // Only the history-free coin may pass; the others must be caught.
        for row in &report.shortcut {
            let off = (row.mean - row.truth).abs() / row.standard_error;
            assert_eq!(off > 6.0, row.greed > 0.0, "{row:?}");
        }
    }

    #[test]
    fn too_little_to_run_is_said() {
        assert!(run(&Settings { repetitions: 1, records: 1_000, threads: 1 }, &Units::nowhere(), &|_, _| ()).is_err());
    }
}
