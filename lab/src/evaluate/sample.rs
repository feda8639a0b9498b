//! Logs of a small world with a known truth: to try `evaluate` on, and to time it.

use std::path::Path;

use ears_only::features::{Column, Source};
use ears_only::random::{Purpose, Seed, below, unit};
use rand_pcg::Pcg32;

use crate::error::LabError;
use crate::logs::parquet::{Packing, Writer};
use crate::logs::{Decision, Header};
use crate::train::log::{Log, Slices};

/// Chance of a play, by tier and card.
pub const CHANCES: [[f64; 5]; 2] = [[0.05, 0.10, 0.15, 0.30, 0.02], [0.20, 0.10, 0.05, 0.02, 0.30]];
/// What the logging policy does, by tier.
pub const LOGGING: [[f64; 5]; 2] = [[0.4, 0.3, 0.1, 0.1, 0.1], [0.3, 0.3, 0.2, 0.1, 0.1]];
/// What the policy `better` would do.
pub const BETTER: [[f64; 5]; 2] = [[0.05, 0.10, 0.15, 0.65, 0.05], [0.30, 0.05, 0.05, 0.05, 0.55]];
/// Names of the tiers, each half of the listeners.
pub const TIERS: [&str; 2] = ["free", "paid"];
/// Slices of a log for timing.
pub const SLICES: u32 = 20;

/// The value of a policy, P(card) by tier.
#[must_use]
pub fn value(policy: &[[f64; 5]; 2]) -> f64 {
    let tier = |t: usize| policy[t].iter().zip(CHANCES[t]).map(|(p, chance)| p * chance).sum::<f64>();
    0.5 * (tier(0) + tier(1))
}

/// What a log is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Single decisions, with candidates and the policy `better`.
    Decisions,
    /// Pages of [`CARDS`] cards, with the policy `better` and what a model expects.
    Pages,
    /// A table to train from: every candidate a row, with what it is and whose visit it is as features.
    Training,
    /// To be timed: no ids and no candidates, not compressed, 20 slices and two scored policies with predictions, of arbitrary numbers.
    Timing,
}

/// Cards of a page.
pub const CARDS: usize = 3;
/// Chance that a listener who reached a card and passed it by looks at the next.
pub const ON: f64 = 0.7;

/// P(card next | what stands above): its share among the cards that are left.
fn next(policy: &[f64; 5], above: &[usize], card: usize) -> f64 {
    if above.contains(&card) { 0.0 } else { policy[card] / (1.0 - above.iter().map(|card| policy[*card]).sum::<f64>()) }
}

/// Every page with its probability under a policy.
fn every_page(policy: &[f64; 5]) -> Vec<([usize; CARDS], f64)> {
    let mut all = Vec::new();
    for a in 0..5 {
        for b in (0..5).filter(|b| *b != a) {
            for c in (0..5).filter(|c| *c != a && *c != b) {
                all.push(([a, b, c], next(policy, &[], a) * next(policy, &[a], b) * next(policy, &[a, b], c)));
            }
        }
    }
    all
}

/// The value of a policy of pages, from its chances of the first card by tier: plays of a page, at most one.
#[must_use]
pub fn page_value(policy: &[[f64; 5]; 2]) -> f64 {
    let of = |(tier, policy): (usize, &[f64; 5])| -> f64 {
        let plays = |page: &[usize; CARDS]| {
            let mut looking = 1.0;
            page.iter().fold(0.0, |plays, card| {
                let chance = CHANCES[tier][*card];
                let here = looking * chance;
                looking *= (1.0 - chance) * ON;
                plays + here
            })
        };
        every_page(policy).iter().map(|(page, p)| p * plays(page)).sum()
    };
    policy.iter().enumerate().map(of).sum::<f64>() / TIERS.len() as f64
}

/// Pages of three cards: a visitor goes down them and stops at the first card played, or in between.
fn pages(pages: u64, seed: u64, output: &Path) -> Result<u64, LabError> {
    let mut rng = Seed::from_number(seed).stream(Purpose::Host, 1);
    let numbers = ["predicted", "target_better", "expected_better"].map(str::to_owned).to_vec();
    let mut writer = Writer::packed(output, Header { words: vec!["ctx_tier".to_owned()], numbers }, true, Packing::Zstd)?;
    for page in 0..pages {
        let tier = below(&mut rng, 2) as usize;
        let (mut above, mut looking) = (Vec::new(), true);
        for position in 0..CARDS {
            let left: Vec<usize> = (0..5).filter(|card| !above.contains(card)).collect();
            let chances: Vec<f64> = left.iter().map(|card| next(&LOGGING[tier], &above, *card)).collect();
            let mut point = unit(&mut rng);
            let at = chances.iter().position(|p| {
                point -= p;
                point < 0.0
            });
            let at = at.unwrap_or(left.len() - 1);
            let card = left[at];
            let played = looking && unit(&mut rng) < CHANCES[tier][card];
            looking = looking && !played && unit(&mut rng) < ON;
            // A middling model: it knows the cards, and of places only that lower ones are seen less often.
            let predict = |card: usize| 0.9 * CHANCES[tier][card] * [1.0, 0.6, 0.35][position];
            let expected = left.iter().map(|card| next(&BETTER[tier], &above, *card) * predict(*card)).sum();
            writer.write(Decision {
                decision: Some(format!("{seed}-{page}")),
                policy: "exploring".to_owned(),
                position: position as i32,
                action: card as i32,
                propensity: chances[at],
                reward: Some(f64::from(u8::from(played))),
                candidates: left.iter().map(|card| *card as i32).collect(),
                words: vec![TIERS[tier].to_owned()],
                numbers: vec![Some(predict(card)), Some(next(&BETTER[tier], &above, card)), Some(expected)],
                probabilities: chances,
                ..Decision::default()
            })?;
            above.push(card);
        }
    }
    writer.finish()
}

/// Writes a log of `rows` decisions to `output`.
///
/// # Errors
/// When it cannot be written.
pub fn write(rows: u64, seed: u64, kind: Kind, output: &Path) -> Result<u64, LabError> {
    match kind {
        Kind::Pages => return pages(rows, seed, output),
        Kind::Training => return training(rows, seed, output),
        Kind::Decisions | Kind::Timing => (),
    }
    let timing = kind == Kind::Timing;
    let mut rng = Seed::from_number(seed).stream(Purpose::Host, 0);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (header, packing) = if timing {
        let numbers = ["ctx_slice", "predicted", "target_a", "expected_a", "target_b", "expected_b"];
        (Header { words: Vec::new(), numbers: names(&numbers) }, Packing::Plain)
    } else {
        (Header { words: names(&["ctx_tier"]), numbers: names(&["target_better"]) }, Packing::Zstd)
    };
    let mut writer = Writer::packed(output, header, !timing, packing)?;
    for row in 0..rows {
        let decision = if timing { timed(&mut rng) } else { decision(&mut rng, row) };
        writer.write(decision)?;
    }
    writer.finish()
}

/// Decisions of a listener in a table to train from.
const VISITS: u64 = 5;

/// A table of `decisions`, in which a listener comes [`VISITS`] times and stays in one tier.
fn training(decisions: u64, seed: u64, output: &Path) -> Result<u64, LabError> {
    let mut rng = Seed::from_number(seed).stream(Purpose::Host, 2);
    let number = |decision: u64| {
        u32::try_from(decision)
            .map_err(|_| LabError::unreadable(format!("expected up to {} decisions, got {decisions}", u32::MAX)))
    };
    let names = ["paid".to_owned()].into_iter().chain((0..5).map(|card| format!("is_{card}")));
    let mut log = Log { columns: names.map(|name| Column::new(&name, Source::Given)).collect(), ..Log::default() };
    let mut tiers = Slices { name: "tier".to_owned(), labels: TIERS.map(str::to_owned).to_vec(), of: Vec::new() };
    let mut tier = 0;
    for decision in 0..decisions {
        if decision % VISITS == 0 {
            tier = below(&mut rng, 2) as usize;
        }
        let shown = drawn(&mut rng, tier);
        let reward = f64::from(u8::from(unit(&mut rng) < CHANCES[tier][shown]));
        for (card, propensity) in LOGGING[tier].into_iter().enumerate() {
            log.values.push(tier as f32);
            log.values.extend((0..5).map(|other| f32::from(u8::from(other == card))));
            log.reward.push(if card == shown { reward } else { f64::NAN });
            log.propensity.push(propensity);
            log.decision_propensity.push(1.0);
            log.weight.push(1.0);
            log.listener.push(number(decision / VISITS)?);
            log.decision.push(number(decision)?);
            tiers.of.push(tier as u32);
        }
    }
    log.slices = vec![tiers];
    log.write(output)?;
    Ok(log.rows() as u64)
}

/// A card by the logging policy.
fn drawn(rng: &mut Pcg32, tier: usize) -> usize {
    let mut left = unit(rng);
    let drawn = LOGGING[tier].iter().position(|p| {
        left -= p;
        left < 0.0
    });
    drawn.unwrap_or(LOGGING[tier].len() - 1)
}

fn decision(rng: &mut Pcg32, row: u64) -> Decision {
    let tier = below(rng, 2) as usize;
    let action = drawn(rng, tier);
    Decision {
        decision: Some(row.to_string()),
        policy: "exploring".to_owned(),
        action: action as i32,
        propensity: LOGGING[tier][action],
        reward: Some(f64::from(u8::from(unit(rng) < CHANCES[tier][action]))),
        candidates: (0..5).collect(),
        probabilities: LOGGING[tier].to_vec(),
        words: vec![TIERS[tier].to_owned()],
        numbers: vec![Some(BETTER[tier][action])],
        ..Decision::default()
    }
}

/// Weights with mean 1: the target's probability is the propensity times 0.5 or 2 or anything between, two thirds of the time low.
fn timed(rng: &mut Pcg32) -> Decision {
    let propensity = 0.01 + 0.49 * unit(rng);
    let mut target = || propensity * if unit(rng) < 2.0 / 3.0 { 0.5 } else { 2.0 };
    let (a, b) = (target(), target());
    let predicted = 0.3 * unit(rng);
    let reward = f64::from(u8::from(unit(rng) < 0.15));
    let slice = f64::from(below(rng, SLICES));
    let (expected_a, expected_b) = (0.3 * unit(rng), 0.3 * unit(rng));
    Decision {
        policy: "exploring".to_owned(),
        action: below(rng, 20) as i32,
        propensity,
        reward: Some(reward),
        numbers: [slice, predicted, a, expected_a, b, expected_b].into_iter().map(Some).collect(),
        ..Decision::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_that_the_documentation_states() {
        assert!((value(&LOGGING) - 0.1145).abs() < 1e-12 && (value(&BETTER) - 0.232_25).abs() < 1e-12);
        assert!((value(&[[0.2; 5]; 2]) - 0.129).abs() < 1e-12);
        assert!((page_value(&LOGGING) - 0.238_769_895_833_333_3).abs() < 1e-12);
        assert!((page_value(&BETTER) - 0.364_724_204_156_661_1).abs() < 1e-12);
        for policy in [LOGGING, BETTER].iter().flatten() {
            assert!((policy.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
