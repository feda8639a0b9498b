//! Unbiasedness without drawing anything: every arm, code, outcome and symbol of a tiny world with its probability, summed.
//!
//! One or two records at a time, every channel shipped. What claims to be unbiased must give the truth to the last digits; what does not must
//! miss it, or these tests could not fail.

use ears_only::privacy::EPSILONS;

use super::channel::epsilon_of;
use super::codes::CodePolicy;
use super::*;

const EXACT: f64 = 1e-11;
const COIN: [f64; 3] = [0.5, 0.375, 0.125];
const POLICY: [f64; 3] = [0.2, 0.1, 0.7];
/// Chance of each code, and reward of each code and arm.
const CODES: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
const REWARD: [[f64; 3]; 4] = [[0.1, 0.5, 0.3], [0.7, 0.2, 0.4], [0.05, 0.9, 0.35], [0.6, 0.15, 0.8]];

fn code_policy() -> Vec<Vec<f64>> {
    vec![vec![0.6, 0.3, 0.1], vec![0.1, 0.2, 0.7], vec![0.0, 0.0, 1.0], vec![1.0, 0.0, 0.0]]
}

fn model() -> Vec<Vec<f64>> {
    vec![vec![0.3, 0.1, 0.9], vec![0.2, 0.2, 0.2], vec![0.0, 1.0, 0.5], vec![0.4, 0.7, 0.1]]
}

fn arm_mean(arm: usize) -> f64 {
    CODES.iter().zip(REWARD).map(|(chance, reward)| chance * reward[arm]).sum()
}

/// One possible record: arm, question, symbol, and its probability.
type Possible = (usize, usize, usize, f64);

/// A bit that asks whether it was played.
fn played(channel: Channel) -> Vec<Possible> {
    let mut all = Vec::new();
    for (arm, weight) in COIN.iter().enumerate() {
        for sent in 0..2 {
            let chance = arm_mean(arm) * channel.chance(sent, 1) + (1.0 - arm_mean(arm)) * channel.chance(sent, 0);
            all.push((arm, 0, sent, weight * chance));
        }
    }
    all
}

/// Hadamard rows over four codes.
fn rows(channel: Channel) -> Vec<Possible> {
    let mut all = Vec::new();
    for (code, arm, row, sent) in
        (0..4).flat_map(|c| (0..3).flat_map(move |a| (0..4).flat_map(move |j| (0..2).map(move |b| (c, a, j, b)))))
    {
        let (reward, own) = (REWARD[code][arm], usize::from(codes::hadamard(row, code) > 0.0));
        let coin = 0.5 * (channel.chance(sent, 0) + channel.chance(sent, 1));
        let chance = reward * channel.chance(sent, own) + (1.0 - reward) * coin;
        all.push((arm, row, sent, COIN[arm] * CODES[code] / 4.0 * chance));
    }
    all
}

/// Joint symbols code + 4 reward.
fn joint(channel: Channel) -> Vec<Possible> {
    let mut all = Vec::new();
    for (code, arm, reward, sent) in
        (0..4).flat_map(|c| (0..3).flat_map(move |a| (0..2).flat_map(move |r| (0..8).map(move |y| (c, a, r, y)))))
    {
        let outcome = if reward == 1 { REWARD[code][arm] } else { 1.0 - REWARD[code][arm] };
        all.push((arm, 0, sent, COIN[arm] * CODES[code] * outcome * channel.chance(sent, code + 4 * reward)));
    }
    all
}

fn counts(questions: usize, answers: usize, records: &[&Possible]) -> Counts {
    let mut counts = Counts::new(3, questions, answers);
    records.iter().for_each(|(arm, question, sent, _)| counts.add(*arm, *question, *sent, 1.0));
    counts
}

/// Expected value over all pairs of records, and the expectation of the stated variance beside the true one.
fn expected(questions: usize, answers: usize, all: &[Possible], of: impl Fn(&Counts) -> Estimate) -> [f64; 3] {
    let [mut mean, mut square, mut stated] = [0.0; 3];
    for a in all {
        for b in all {
            let (found, chance) = (of(&counts(questions, answers, &[a, b])), a.3 * b.3);
            mean += chance * found.value;
            square += chance * found.value * found.value;
            stated += chance * found.standard_error * found.standard_error;
        }
    }
    [mean, stated, square - mean * mean]
}

#[track_caller]
fn unbiased([mean, stated, variance]: [f64; 3], truth: f64) {
    assert!((mean - truth).abs() < EXACT, "expected {truth}, got {mean}");
    // The stated variance is unbiased too.
    assert!((stated / variance - 1.0).abs() < 1e-9, "variance {variance}, stated {stated}");
}

#[test]
fn arms_are_unbiased() {
    let value: f64 = (0..3).map(|arm| POLICY[arm] * arm_mean(arm)).sum();
    for epsilon in EPSILONS {
        let channel = Channel::bit(epsilon_of(epsilon).unwrap()).unwrap();
        let all = played(channel);
        unbiased(expected(1, 2, &all, |counts| arms::ips(counts, channel, &COIN, &POLICY).unwrap()), value);
        // Given two records of an arm: every outcome of both.
        for (arm, weight) in COIN.iter().enumerate() {
            let of: Vec<Possible> =
                all.iter().filter(|one| one.0 == arm).map(|one| (one.0, one.1, one.2, one.3 / weight)).collect();
            unbiased(expected(1, 2, &of, |counts| arms::mean(counts, channel, arm)), arm_mean(arm));
        }
        // Two records of each of two arms: differences.
        let (mut mean, mut chances) = (0.0, 0.0);
        let of = |arm: usize| all.iter().filter(move |one| one.0 == arm);
        for (a, b) in of(1).flat_map(|a| of(1).map(move |b| (a, b))) {
            for (c, d) in of(2).flat_map(|c| of(2).map(move |d| (c, d))) {
                let chance = a.3 * b.3 * c.3 * d.3;
                mean += chance * arms::difference(&counts(1, 2, &[a, b, c, d]), channel, 1, 2).value;
                chances += chance;
            }
        }
        assert!((mean / chances - (arm_mean(1) - arm_mean(2))).abs() < EXACT);
        // Flipped bits taken at face value are far off.
        let naive: f64 = all.iter().map(|(arm, _, sent, chance)| chance * POLICY[*arm] / COIN[*arm] * *sent as f64).sum();
        assert!((naive - value).abs() > 0.01, "{naive} {value}");
    }
}

#[test]
fn self_normalised_ones_are_right_at_the_exact_shares() {
    let value: f64 = (0..3).map(|arm| POLICY[arm] * arm_mean(arm)).sum();
    let by_code: f64 = (0..4).map(|c| CODES[c] * (0..3).map(|a| code_policy()[c][a] * REWARD[c][a]).sum::<f64>()).sum();
    for epsilon in EPSILONS {
        let epsilon = epsilon_of(epsilon).unwrap();
        let channel = Channel::bit(epsilon).unwrap();
        let mut counts = Counts::new(3, 1, 2);
        played(channel).iter().for_each(|(arm, _, sent, chance)| counts.add(*arm, 0, *sent, 1e6 * chance));
        assert!((arms::hajek(&counts, channel, &COIN, &POLICY).unwrap().value - value).abs() < EXACT);
        let channel = Channel::new(epsilon, 8).unwrap();
        let mut counts = Counts::new(3, 1, 8);
        joint(channel).iter().for_each(|(arm, _, sent, chance)| counts.add(*arm, 0, *sent, 1e6 * chance));
        assert!((codes::snips(&counts, channel, &COIN, &code_policy()).unwrap().value - by_code).abs() < EXACT);
    }
    // They do not claim to be unbiased for few records, and are not.
    let channel = Channel::bit(epsilon_of(1.0).unwrap()).unwrap();
    let few = expected(1, 2, &played(channel), |counts| arms::hajek(counts, channel, &COIN, &POLICY).unwrap());
    assert!((few[0] - value).abs() > 1e-3);
}

#[test]
fn policies_over_codes_are_unbiased() {
    let truth: f64 = (0..4).map(|c| CODES[c] * (0..3).map(|a| code_policy()[c][a] * REWARD[c][a]).sum::<f64>()).sum();
    let policy: &CodePolicy = &code_policy();
    for epsilon in EPSILONS {
        let epsilon = epsilon_of(epsilon).unwrap();
        let channel = Channel::bit(epsilon).unwrap();
        let all = rows(channel);
        unbiased(expected(4, 2, &all, |counts| codes::from_rows(counts, channel, &COIN, policy).unwrap()), truth);
        let channel = Channel::new(epsilon, 8).unwrap();
        let all = joint(channel);
        unbiased(expected(1, 8, &all, |counts| codes::ips(counts, channel, &COIN, policy).unwrap()), truth);
        let robust = |counts: &Counts| codes::doubly_robust(counts, channel, &COIN, policy, &model()).unwrap();
        unbiased(expected(1, 8, &all, robust), truth);
        // Any functional: the chance of code 2 and no play with arm 1.
        let value = |arm: usize, answer: usize| f64::from(u8::from(arm == 1 && answer == 2));
        let want = COIN[1] * CODES[2] * (1.0 - REWARD[2][1]);
        unbiased(expected(1, 8, &all, |counts| codes::functional(counts, channel, 1.0, value)), want);
    }
}

#[test]
fn votes_are_unbiased_for_the_clipped_lift() {
    let lifts = [(-0.2, 0.1), (-0.05, 0.3), (0.0, 0.2), (0.13, 0.4)];
    let truth: f64 = lifts.iter().map(|(x, chance)| x * chance).sum();
    for epsilon in EPSILONS {
        let channel = Channel::bit(epsilon_of(epsilon).unwrap()).unwrap();
        let one: f64 = lifts.iter().map(|(x, chance)| chance * (x + 0.2) / 0.4).sum();
        let all: Vec<Possible> =
            (0..2).map(|sent| (0, 0, sent, one * channel.chance(sent, 1) + (1.0 - one) * channel.chance(sent, 0))).collect();
        unbiased(expected(1, 2, &all, |counts| vote::lift(counts, channel, 0, 0.2)), truth);
    }
    // 7.85 (0.2 coth(1/2))^2 / 0.003^2.
    let channel = Channel::bit(epsilon_of(1.0).unwrap()).unwrap();
    assert!((vote::records_needed(channel, 0.2, 0.003) / 163_353.0 - 1.0).abs() < 2e-3);
}

#[test]
fn what_cannot_be_answered_is_said() {
    let channel = Channel::bit(epsilon_of(1.0).unwrap()).unwrap();
    let mut counts = Counts::new(3, 1, 2);
    counts.add(0, 0, 1, 40.0);
    counts.add(0, 0, 0, 39.0);
    let few = arms::mean(&counts, channel, 0).cannot.unwrap();
    assert_eq!(few, "these records cannot answer this question: effective sample size 79");
    counts.add(0, 0, 1, 4_000.0);
    counts.add(0, 0, 0, 6_000.0);
    assert_eq!(arms::mean(&counts, channel, 0).cannot, None);
    let missing = arms::ips(&counts, channel, &COIN, &POLICY).unwrap().cannot.unwrap();
    assert_eq!(missing, "these records cannot answer this question: 80 % of the policy's choices have no records");
    assert!(arms::ips(&counts, channel, &COIN, &[0.5, 0.5, 0.5]).is_err());
    assert!(arms::ips(&counts, channel, &[1.0, 0.0, 0.0], &POLICY).is_err());
    let channel = Channel::new(epsilon_of(0.25).unwrap(), 16).unwrap();
    let mut counts = Counts::new(3, 1, 16);
    (0..16).for_each(|symbol| counts.add(symbol % 3, 0, symbol, 30.0));
    let policy = vec![vec![0.0, 0.0, 1.0]; 8];
    assert!(codes::ips(&counts, channel, &COIN, &policy).unwrap().cannot.unwrap().contains("times as wide"));
    assert!(codes::snips(&counts, channel, &COIN, &policy).unwrap().cannot.is_some());
    assert!(codes::ips(&counts, channel, &COIN, &policy[..4]).is_err());
}
