//! The shortcut that looks right and is wrong: the device draws an arm by its own policy, and the log carries the propensity averaged over
//! everybody with the same code.
//!
//! The arm then depends on what the code leaves out, and so does the reward: among the records of an arm are those who like it. IPS
//! with the averaged propensity takes this for a good arm. No finer code and no larger log removes it. It is kept to be caught.

use ears_only::math::{exp, ln, sigmoid};
use ears_only::privacy::{Epsilon, randomise};
use ears_only::random::{Purpose, Seed, unit};
use rand_pcg::Pcg32;
use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::check::Words;
use super::{Estimate, Scored};
use crate::error::LabError;

const CODES: usize = 16;
const TRAITS: usize = 64;
const ARMS: usize = 8;

/// How far the listeners of one code differ, and how strongly the private policy follows their taste.
pub const CASES: [(f64, f64); 4] = [(0.5, 0.0), (0.5, 2.0), (1.0, 6.0), (1.5, 6.0)];

/// What the shortcut makes of the value of the uniform policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shortcut {
    /// Standard deviation, in log-odds, of listeners of one code.
    pub spread: f64,
    /// Inverse temperature of the private policy; 0 is a history-free coin.
    pub greed: f64,
    /// True value.
    pub truth: f64,
    /// What the estimate tends to, without any noise of sampling.
    pub limit: f64,
    /// Mean estimate over repetitions.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Share of 95 % intervals that hold the truth.
    pub coverage: f64,
}

struct World {
    codes: Vec<f64>,
    reward: Vec<[f64; ARMS]>,
    policy: Vec<[f64; ARMS]>,
    marginal: Vec<[f64; ARMS]>,
}

fn normal(rng: &mut Pcg32) -> f64 {
    let (radius, angle) = ((-2.0 * ln(1.0 - unit(rng))).sqrt(), std::f64::consts::TAU * unit(rng));
    radius * libm::cos(angle)
}

impl World {
    fn new(spread: f64, greed: f64) -> Self {
        let mut rng = Seed::from_number(11).stream(Purpose::Host, 0);
        let raw: Vec<f64> = (0..CODES).map(|_| 0.5 + unit(&mut rng)).collect();
        let sum: f64 = raw.iter().sum();
        let (mut reward, mut policy, mut marginal) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..CODES {
            let of_code: [f64; ARMS] = std::array::from_fn(|_| 0.6 * normal(&mut rng));
            let mut mean = [0.0; ARMS];
            for _ in 0..TRAITS {
                let logits = of_code.map(|logit| logit + spread * normal(&mut rng));
                let weights = logits.map(|logit| exp(greed * logit));
                let total: f64 = weights.iter().sum();
                let of = weights.map(|weight| 0.05 / ARMS as f64 + 0.95 * weight / total);
                mean.iter_mut().zip(of).for_each(|(mean, of)| *mean += of / TRAITS as f64);
                reward.push(logits.map(|logit| sigmoid(logit - 1.6)));
                policy.push(of);
            }
            marginal.push(mean);
        }
        Self { codes: raw.iter().map(|x| x / sum).collect(), reward, policy, marginal }
    }

    /// Value of the uniform policy, and what IPS with marginal propensities tends to.
    fn values(&self) -> (f64, f64) {
        let (mut truth, mut limit) = (0.0, 0.0);
        for code in 0..CODES {
            for at in code * TRAITS..(code + 1) * TRAITS {
                for arm in 0..ARMS {
                    let share = self.codes[code] / TRAITS as f64 / ARMS as f64 * self.reward[at][arm];
                    truth += share;
                    limit += share * self.policy[at][arm] / self.marginal[code][arm];
                }
            }
        }
        (truth, limit)
    }

    fn estimate(&self, records: u32, epsilon: Epsilon, seed: u64) -> Result<Estimate, LabError> {
        let channel = Channel::bit(epsilon)?;
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 1);
        let mut words = Words(Seed::from_number(seed).stream(Purpose::Flip, 1));
        let mut scores: Vec<Scored> = Vec::with_capacity(records as usize);
        for _ in 0..records {
            let code = drawn(&self.codes, unit(&mut rng));
            let at = code * TRAITS + (unit(&mut rng) * TRAITS as f64) as usize;
            let arm = drawn(&self.policy[at], unit(&mut rng));
            let played = unit(&mut rng) < self.reward[at][arm];
            let sent = randomise(u8::from(played), 2, epsilon, &mut words)?;
            scores.push((channel.undo_bit(sent.into()) / ARMS as f64 / self.marginal[code][arm], 1.0));
        }
        Ok(Estimate::mean(&scores, records.into(), 1.0))
    }
}

/// The index that `point`, uniform in [0, 1), draws.
pub(super) fn drawn(chances: &[f64], point: f64) -> usize {
    let mut upto = 0.0;
    let at = chances.iter().position(|chance| {
        upto += chance;
        point < upto
    });
    at.unwrap_or(chances.len() - 1)
}

/// Measures one case.
///
/// # Errors
/// Only when the randomiser refuses.
pub fn measure((spread, greed): (f64, f64), repetitions: u32, records: u32, epsilon: Epsilon) -> Result<Shortcut, LabError> {
    let world = World::new(spread, greed);
    let (truth, limit) = world.values();
    let (mut sum, mut squares, mut covered) = (0.0, 0.0, 0u32);
    for repetition in 0..repetitions {
        let found = world.estimate(records, epsilon, u64::from(repetition))?;
        sum += found.value;
        squares += found.value * found.value;
        covered += u32::from((found.low..=found.high).contains(&truth));
    }
    let n = f64::from(repetitions);
    let mean = sum / n;
    let standard_error = ((squares / n - mean * mean).max(0.0) / (n - 1.0).max(1.0)).sqrt();
    Ok(Shortcut { spread, greed, truth, limit, mean, standard_error, coverage: f64::from(covered) / n })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noisy::channel::epsilon_of;

    #[test]
    fn the_shortcut_is_right_for_a_free_coin_and_wrong_for_any_other() {
        for case in CASES {
            let (truth, limit) = World::new(case.0, case.1).values();
            let bias = limit / truth - 1.0;
            if case.1 == 0.0 {
                assert!(bias.abs() < 1e-12, "{bias}");
            } else {
                assert!(bias > 0.15, "{case:?}: {bias}");
            }
        }
        let found = measure(CASES[2], 20, 4_000, epsilon_of(1.0).unwrap()).unwrap();
        // Off by 80 % of the truth; the mean of 20 estimates lies within six of its standard errors of the limit.
        assert!((found.mean - found.limit).abs() < 6.0 * found.standard_error && found.coverage < 0.5, "{found:?}");
    }
}
