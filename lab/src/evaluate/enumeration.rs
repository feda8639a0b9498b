//! Unbiasedness without drawing anything: every outcome of a tiny page with its probability, summed.
//!
//! Two contexts, three cards, two positions, rewards 0 or 1: 48 outcomes. An estimator that claims to be unbiased must give the true value
//! as its expectation to the last digits, for arbitrary conditionals, rewards and reward models; one that does not claim it must miss, or these
//! tests could not fail.

use ears_only::random::{Purpose, Seed, unit};
use rand_pcg::Pcg32;

use super::estimator::{Accumulator, Estimator, Row};
use super::slate::{Marginals, Place, SlateAccumulator, SlateEstimator, pseudo_inverse_weight};

const CARDS: usize = 3;
const CONTEXTS: [f64; 2] = [0.375, 0.625];
/// Rounding of some hundred products.
const EXACT: f64 = 1e-13;
/// Far beyond rounding.
const BIASED: f64 = 1e-6;

fn slates() -> impl Iterator<Item = [usize; 2]> {
    (0..CARDS).flat_map(|a| (0..CARDS).filter(move |b| *b != a).map(move |b| [a, b]))
}

/// Positive numbers that sum to 1.
fn shares<const N: usize>(rng: &mut Pcg32) -> [f64; N] {
    let of: [f64; N] = std::array::from_fn(|_| 0.1 + unit(rng));
    let total: f64 = of.iter().sum();
    of.map(|x| x / total)
}

/// A policy with conditionals of its own for every context and prefix.
struct AnyPolicy {
    first: [[f64; CARDS]; 2],
    second: [[[f64; CARDS]; CARDS]; 2],
}

impl AnyPolicy {
    fn new(rng: &mut Pcg32) -> Self {
        let first = [shares(rng), shares(rng)];
        let mut second = [[[0.0; CARDS]; CARDS]; 2];
        for (a, row) in second.iter_mut().flat_map(|of| of.iter_mut().enumerate()) {
            let [b, c] = shares(rng);
            (row[(a + 1) % CARDS], row[(a + 2) % CARDS]) = (b, c);
        }
        Self { first, second }
    }

    fn of(&self, x: usize, slate: [usize; 2]) -> f64 {
        self.first[x][slate[0]] * self.second[x][slate[0]][slate[1]]
    }

    /// P(card second), whatever stands first.
    fn at_second(&self, x: usize, card: usize) -> f64 {
        slates().filter(|slate| slate[1] == card).map(|slate| self.of(x, slate)).sum()
    }

    fn marginals(&self, x: usize) -> Marginals {
        let all: Vec<([usize; 2], f64)> = slates().map(|slate| (slate, self.of(x, slate))).collect();
        Marginals::of(2, CARDS, all.iter().map(|(slate, chance)| (&slate[..], *chance)))
    }
}

/// What the reward at a position depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Depends {
    Slate,
    Prefix,
    Card,
}

/// Chances of a play by context, slate and position.
struct World {
    chance: Vec<[f64; 2]>,
}

fn index(x: usize, slate: [usize; 2]) -> usize {
    (x * CARDS + slate[0]) * CARDS + slate[1]
}

impl World {
    fn new(rng: &mut Pcg32, depends: Depends) -> Self {
        let table: Vec<[f64; 2]> = (0..2 * CARDS * CARDS).map(|_| [unit(rng), unit(rng)]).collect();
        let of = |x: usize, slate: [usize; 2]| match depends {
            Depends::Slate => table[index(x, slate)],
            Depends::Prefix => [table[index(x, [slate[0], 0])][0], table[index(x, slate)][1]],
            Depends::Card => [table[index(x, [slate[0], 0])][0], table[index(x, [slate[1], 0])][1]],
        };
        let mut chance = vec![[0.0; 2]; 2 * CARDS * CARDS];
        for x in 0..2 {
            slates().for_each(|slate| chance[index(x, slate)] = of(x, slate));
        }
        Self { chance }
    }

    fn of(&self, x: usize, slate: [usize; 2]) -> [f64; 2] {
        self.chance[index(x, slate)]
    }

    fn value(&self, policy: &AnyPolicy) -> f64 {
        let of = |x: usize| slates().map(|s| policy.of(x, s) * self.of(x, s).iter().sum::<f64>()).sum::<f64>();
        CONTEXTS[0] * of(0) + CONTEXTS[1] * of(1)
    }
}

/// Calls `visit` with every outcome: its probability under the logging policy, context, slate and rewards.
fn outcomes(world: &World, logging: &AnyPolicy, mut visit: impl FnMut(f64, usize, [usize; 2], [f64; 2])) {
    for (x, share) in CONTEXTS.iter().enumerate() {
        for slate in slates() {
            for rewards in [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] {
                let of = |k: usize| {
                    let chance = world.of(x, slate)[k];
                    if rewards[k] == 1.0 { chance } else { 1.0 - chance }
                };
                visit(share * logging.of(x, slate) * of(0) * of(1), x, slate, rewards);
            }
        }
    }
}

/// The expectation of every slate estimator's term, with arbitrary predictions.
fn slate_expectations(rng: &mut Pcg32, world: &World, logging: &AnyPolicy, target: &AnyPolicy) -> Vec<(SlateEstimator, f64)> {
    // Predictions of position 0 by card, of position 1 by prefix and card: arbitrary.
    let first: [[f64; CARDS]; 2] = [shares(rng), shares(rng)];
    let second: [[[f64; CARDS]; CARDS]; 2] = std::array::from_fn(|_| std::array::from_fn(|_| shares(rng)));
    let marginals: [[Marginals; 2]; 2] = std::array::from_fn(|x| [target.marginals(x), logging.marginals(x)]);
    let mut expectations = vec![0.0; SlateEstimator::ALL.len()];
    outcomes(world, logging, |chance, x, slate, rewards| {
        let [a, b] = slate;
        let slate_weight = target.of(x, slate) / logging.of(x, slate);
        let [e, l] = &marginals[x];
        let pseudo_weight = pseudo_inverse_weight(e, l, &slate);
        let places = [
            Place {
                reward: rewards[0],
                slate_weight,
                position_weight: target.first[x][a] / logging.first[x][a],
                prefix_weight: target.first[x][a] / logging.first[x][a],
                predicted: first[x][a],
                expected: (0..CARDS).map(|c| target.first[x][c] * first[x][c]).sum(),
                pseudo_weight,
            },
            Place {
                reward: rewards[1],
                slate_weight,
                position_weight: target.at_second(x, b) / logging.at_second(x, b),
                prefix_weight: slate_weight,
                predicted: second[x][a][b],
                expected: (0..CARDS).map(|c| target.second[x][a][c] * second[x][a][c]).sum(),
                pseudo_weight,
            },
        ];
        for (expectation, estimator) in expectations.iter_mut().zip(SlateEstimator::ALL) {
            *expectation += chance * estimator.term(&places);
        }
    });
    SlateEstimator::ALL.into_iter().zip(expectations).collect()
}

#[test]
fn slate_estimators_are_unbiased_exactly_where_they_claim_it() {
    use SlateEstimator::{CascadeDr, Iips, PseudoInverse, Rips, Sips};
    for seed in 0..10 {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 1);
        let (logging, target) = (AnyPolicy::new(&mut rng), AnyPolicy::new(&mut rng));
        for (depends, unbiased) in [
            (Depends::Slate, &[Sips][..]),
            (Depends::Prefix, &[Sips, Rips, CascadeDr]),
            (Depends::Card, &[Sips, Rips, CascadeDr, Iips, PseudoInverse]),
        ] {
            let world = World::new(&mut rng, depends);
            let value = world.value(&target);
            let of_mean = |estimator: &SlateEstimator| matches!(estimator, Sips | Iips | Rips | CascadeDr | PseudoInverse);
            let found = slate_expectations(&mut rng, &world, &logging, &target);
            for (estimator, expectation) in found.iter().filter(|(estimator, _)| of_mean(estimator)) {
                let bias = (expectation - value).abs();
                // The pseudo-inverse comes from an iteration of its own.
                let exact = if *estimator == PseudoInverse { 1e-10 } else { EXACT };
                if unbiased.contains(estimator) {
                    assert!(bias < exact, "{estimator} {depends:?} seed {seed}: {bias:e}");
                } else {
                    assert!(bias > BIASED, "{estimator} {depends:?} seed {seed}: {bias:e}");
                }
            }
        }
    }
}

/// Single decisions: the card of position 0, with its embedding: cards 0 and 1 share one.
const EMBEDDING: [usize; CARDS] = [0, 0, 1];

fn decision(logging: &AnyPolicy, target: &AnyPolicy, q: &[[f64; CARDS]; 2], x: usize, action: usize, reward: f64) -> Row {
    let alike = |policy: &AnyPolicy| -> f64 {
        (0..CARDS).filter(|c| EMBEDDING[*c] == EMBEDDING[action]).map(|c| policy.first[x][c]).sum()
    };
    Row {
        weight: target.first[x][action] / logging.first[x][action],
        reward,
        predicted: q[x][action],
        expected: (0..CARDS).map(|c| target.first[x][c] * q[x][c]).sum(),
        embedding_weight: alike(target) / alike(logging),
    }
}

#[test]
fn estimators_of_decisions_are_unbiased_exactly_where_they_claim_it() {
    for seed in 0..10 {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 2);
        let (logging, target) = (AnyPolicy::new(&mut rng), AnyPolicy::new(&mut rng));
        let q: [[f64; CARDS]; 2] = [shares(&mut rng), shares(&mut rng)];
        let chances: [[f64; CARDS]; 2] = std::array::from_fn(|_| std::array::from_fn(|_| unit(&mut rng)));
        // The second world: the action matters through its embedding alone.
        let through_embedding = chances.map(|of| EMBEDDING.map(|e| of[e]));
        for (chances, mips) in [(chances, false), (through_embedding, true)] {
            let value: f64 =
                (0..2).map(|x| CONTEXTS[x] * (0..CARDS).map(|a| target.first[x][a] * chances[x][a]).sum::<f64>()).sum();
            let expectation = |estimator: Estimator| {
                let mut sum = 0.0;
                for x in 0..2 {
                    for (a, played) in chances[x].into_iter().enumerate() {
                        for (reward, chance) in [(1.0, played), (0.0, 1.0 - played)] {
                            let row = decision(&logging, &target, &q, x, a, reward);
                            sum += CONTEXTS[x] * logging.first[x][a] * chance * estimator.term(&row);
                        }
                    }
                }
                sum
            };
            let all = [
                "IPS",
                "CIPS(inf)",
                "CIPS(0.5)",
                "DM",
                "DR",
                "SwitchDR(inf)",
                "SwitchDR(0.5)",
                "DRos(inf)",
                "DRos(1)",
                "SGIPS(0)",
            ];
            for name in all.iter().chain(&["SGIPS(0.5)", "SGDR(0)", "SGDR(0.5)", "MIPS"]) {
                let estimator: Estimator = name.parse().unwrap();
                let bias = (expectation(estimator) - value).abs();
                if estimator.is_unbiased() || (mips && estimator == Estimator::MarginalizedIps) {
                    assert!(bias < EXACT, "{name} seed {seed}: {bias:e}");
                } else {
                    assert!(bias > BIASED, "{name} seed {seed}: {bias:e}");
                }
            }
        }
    }
}

#[test]
fn a_log_that_holds_every_outcome_as_often_as_expected_gives_the_value() {
    // Chances in quarters and eighths, so that 2 contexts x 3 actions x 2 rewards fill 512 rows exactly; the ratios, which are only
    // consistent, must then be exact too.
    let logging = [[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]];
    let target = [[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]];
    let chances = [[0.25, 0.5, 0.75], [0.5, 0.25, 1.0]];
    let q = [[0.1, 0.7, 0.4], [0.2, 0.3, 0.9]];
    let names = ["IPS", "SNIPS", "NCIS(inf)", "DR", "SNDR", "SwitchDR(inf)", "SGDR(0)"];
    let mut sums: Vec<Accumulator> = names.iter().map(|name| Accumulator::new(name.parse().unwrap())).collect();
    let mut value = 0.0;
    for x in 0..2 {
        let d: f64 = (0..3).map(|a| target[x][a] * q[x][a]).sum();
        for a in 0..3 {
            value += 0.5 * target[x][a] * chances[x][a];
            for (reward, chance) in [(1.0, chances[x][a]), (0.0, 1.0 - chances[x][a])] {
                let times = 512.0 * 0.5 * logging[x][a] * chance;
                assert_eq!(times.fract(), 0.0);
                for _ in 0..times as usize {
                    let row = Row::new(target[x][a] / logging[x][a], reward).with_model(q[x][a], d);
                    sums.iter_mut().for_each(|sums| sums.add(&row));
                }
            }
        }
    }
    for sums in &sums {
        let found = sums.estimate();
        assert_eq!(found.rows, 512);
        assert!((found.value - value).abs() < EXACT, "{}: {found:?} {value}", sums.estimator());
    }
}

#[test]
fn self_normalised_slates_are_exact_on_such_a_log() {
    // One context, two cards, slates (0, 1) and (1, 0): logging 3/4 and 1/4, target halves; rewards depend on the card at the place.
    let mut sums: Vec<SlateAccumulator> =
        ["SNSIPS", "SNIIPS", "SNRIPS", "SNPI"].iter().map(|name| SlateAccumulator::new(name.parse().unwrap(), 2)).collect();
    for (slate, times) in [([0usize, 1usize], 12), ([1, 0], 4)] {
        let weight = 0.5 / (f64::from(times) / 16.0);
        for number in 0..times {
            let places = [0, 1].map(|k| {
                // Card 0 is played in half of the slates, card 1 in three of four.
                let share = [2, 3][slate[k]];
                let reward = if number % 4 < share { 1.0 } else { 0.0 };
                let weights = Place { slate_weight: weight, position_weight: weight, prefix_weight: weight, ..Place::default() };
                Place { reward, pseudo_weight: weight, ..weights }
            });
            sums.iter_mut().for_each(|sums| sums.add(&places));
        }
    }
    for sums in &sums {
        assert!((sums.estimate().value - 1.25).abs() < EXACT, "{}: {:?}", sums.estimator(), sums.estimate());
    }
}
