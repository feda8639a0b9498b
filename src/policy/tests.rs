use super::*;
use crate::page::Visible;
use crate::random::{Purpose, Seed};

const POLICIES: [Policy; 4] = [
    Policy::PlackettLuce { floor_shelves: 0.1, floor_cards: 0.2 },
    Policy::PlackettLuce { floor_shelves: 0.0, floor_cards: 0.0 },
    Policy::EpsilonPage { epsilon: 0.2 },
    Policy::Greedy,
];

fn small() -> Candidates {
    Candidates::free(
        vec![0.4, -0.5, 1.2],
        &[vec![-0.5, -0.9, -1.3], vec![-3.0, -2.1, -1.4], vec![-1.0, -1.7, -1.0]],
        Visible { shelves: 2, cards: 2 },
    )
}

/// Every page that differs in visible places, as slates without propensities.
fn pages(candidates: &Candidates) -> Vec<Slate> {
    fn orders(items: Vec<u32>, take: usize) -> Vec<Vec<u32>> {
        if take == 0 || items.is_empty() {
            return vec![Vec::new()];
        }
        items
            .iter()
            .flat_map(|&first| {
                let rest = items.iter().copied().filter(|&other| other != first).collect();
                orders(rest, take - 1).into_iter().map(move |mut tail| {
                    tail.insert(0, first);
                    tail
                })
            })
            .collect()
    }
    let place = |index: u32| Placed { index, propensity: 1.0 };
    let mut slates = vec![Slate::default()];
    let mut all = Vec::new();
    for shelves in orders((0..candidates.shelf_count() as u32).collect(), candidates.visible.shelves) {
        let mut partial = std::mem::replace(&mut slates, vec![Slate::default()]);
        for &shelf in &shelves {
            let cards = orders((0..candidates.cards_of(shelf).len() as u32).collect(), candidates.visible.cards);
            partial = partial
                .into_iter()
                .flat_map(|slate| {
                    cards.iter().map(move |order| {
                        let mut slate = slate.clone();
                        let start = slate.cards.len();
                        slate.cards.extend(order.iter().copied().map(place));
                        slate.shelves.push(PlacedShelf { placed: place(shelf), cards: start..slate.cards.len() });
                        slate
                    })
                })
                .collect();
        }
        all.extend(partial);
    }
    all
}

fn joint(slate: &Slate) -> f64 {
    slate.shelves.iter().map(|s| s.placed.propensity).chain(slate.cards.iter().map(|c| c.propensity)).product()
}

/// The visible part of a slate, as a key.
fn key(slate: &Slate, visible: Visible) -> Vec<u32> {
    slate
        .shelves
        .iter()
        .take(visible.shelves)
        .flat_map(|s| {
            std::iter::once(s.placed.index).chain(slate.cards[s.cards.clone()].iter().take(visible.cards).map(|c| c.index))
        })
        .collect()
}

#[test]
fn propensities_over_all_pages_sum_to_one() {
    let mut pinned = small();
    pinned.shelf_pins = vec![(1, 0)];
    pinned.card_pins = vec![(0, 1, 2), (2, 0, 1)];
    let mut barred = small();
    barred.barred[4] = true;
    let mut once = small();
    once.identity = vec![0, 1, 2, 0, 1, 3, 2, 1, 4];
    once.show_once = true;
    for policy in POLICIES {
        for candidates in [small(), pinned.clone(), barred.clone(), once.clone()] {
            // Pages that differ only in pinned or closed places are one page; count each once.
            let mut seen = std::collections::BTreeMap::new();
            for page in pages(&candidates) {
                if let Ok(slate) = policy.propensities(&candidates, &page) {
                    seen.insert(key(&slate, candidates.visible), joint(&slate));
                }
            }
            let distinct: f64 = seen.values().sum();
            assert!((distinct - 1.0).abs() < 1e-12, "{policy:?} {distinct}");
        }
    }
}

#[test]
fn drawn_pages_carry_the_propensities_of_the_judge_and_follow_them() {
    let mut candidates = small();
    candidates.card_pins = vec![(2, 0, 1)];
    for policy in POLICIES {
        let mut expected = std::collections::BTreeMap::new();
        for page in pages(&candidates) {
            if let Ok(slate) = policy.propensities(&candidates, &page) {
                expected.insert(key(&slate, candidates.visible), joint(&slate));
            }
        }
        const DRAWS: u32 = 60_000;
        let mut counts = std::collections::BTreeMap::new();
        let mut rng = Seed::from_number(11).stream(Purpose::Rank, 0);
        for _ in 0..DRAWS {
            let slate = policy.draw(&candidates, &mut rng).unwrap();
            assert_eq!(policy.propensities(&candidates, &slate).unwrap(), slate);
            *counts.entry(key(&slate, candidates.visible)).or_insert(0u32) += 1;
        }
        // Chi-square over pages expected at least 10 times, the rest pooled. With k cells the 1e-6 quantile is below
        // k + 5 sqrt(2 k) + 20 (Laurent and Massart 2000, lemma 1: x = ln 1e6 = 13.8, 2 sqrt(k x) + 2 x).
        let (mut chi, mut cells, mut rest, mut rest_count) = (0.0, 0.0, 0.0, 0.0);
        for (key, p) in &expected {
            let (want, got) = (p * f64::from(DRAWS), f64::from(*counts.get(key).unwrap_or(&0)));
            if want >= 10.0 {
                chi += (got - want) * (got - want) / want;
                cells += 1.0;
            } else {
                rest += want;
                rest_count += got;
            }
        }
        if rest >= 10.0 {
            chi += (rest_count - rest) * (rest_count - rest) / rest;
            cells += 1.0;
        } else {
            assert!(rest_count <= rest + 40.0);
        }
        let x = 13.8f64;
        assert!(chi < cells + 2.0 * (cells * x).sqrt() + 2.0 * x, "{policy:?}: chi-square {chi} on {cells} cells");
        assert!(counts.keys().all(|key| expected.contains_key(key)));
    }
}

#[test]
fn the_chi_square_test_sees_a_planted_error_of_two_percent() {
    // Drawn with a floor of 0.22, stated with 0.2: cards' chances are off by about two percent.
    let candidates = Candidates::free(vec![0.0], &[vec![2.0, 0.0, 0.0, -1.0]], Visible { shelves: 1, cards: 1 });
    let drawn = Policy::PlackettLuce { floor_shelves: 0.0, floor_cards: 0.22 };
    let stated = Policy::PlackettLuce { floor_shelves: 0.0, floor_cards: 0.2 }.first_card_marginals(&candidates);
    let mut counts = [0.0; 4];
    let mut rng = Seed::from_number(5).stream(Purpose::Rank, 0);
    let draws = 200_000.0;
    for _ in 0..200_000 {
        counts[drawn.draw(&candidates, &mut rng).unwrap().cards[0].index as usize] += 1.0;
    }
    let chi: f64 = counts.iter().zip(&stated).map(|(c, p)| (c - p * draws) * (c - p * draws) / (p * draws)).sum();
    // 3 degrees of freedom: 30.7 is the 1e-6 quantile.
    assert!(chi > 30.7, "{chi}");
}

#[test]
fn fixed_places_never_move_and_every_page_is_a_permutation() {
    let mut candidates = Candidates::free(
        vec![0.1, 0.9, -0.3, 0.4],
        &[vec![0.1, 0.2], vec![0.3, 0.1, 0.9], vec![1.0], vec![0.5, 0.4, 0.3, 0.2]],
        Visible { shelves: 3, cards: 2 },
    );
    candidates.shelf_pins = vec![(0, 2), (3, 0)];
    candidates.card_pins = vec![(3, 1, 3)];
    let mut rng = Seed::from_number(1).stream(Purpose::Rank, 0);
    for policy in POLICIES {
        for _ in 0..500 {
            let slate = policy.draw(&candidates, &mut rng).unwrap();
            let mut shelves: Vec<u32> = slate.shelves.iter().map(|s| s.placed.index).collect();
            assert_eq!((shelves[0], shelves[3]), (2, 0));
            shelves.sort_unstable();
            assert_eq!(shelves, [0, 1, 2, 3]);
            for shelf in &slate.shelves {
                let mut cards: Vec<u32> = slate.cards[shelf.cards.clone()].iter().map(|c| c.index).collect();
                if shelf.placed.index == 3 {
                    assert_eq!(cards[1], 3);
                    assert_eq!(slate.cards[shelf.cards.start + 1].propensity, 1.0);
                }
                cards.sort_unstable();
                assert_eq!(cards, (0..candidates.cards_of(shelf.placed.index).len() as u32).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn barred_cards_come_last_and_shown_cards_are_not_drawn_again() {
    let mut candidates =
        Candidates::free(vec![5.0, -5.0], &[vec![9.0, 0.0, 0.0], vec![9.0, 0.0, 0.0]], Visible { shelves: 2, cards: 2 });
    candidates.barred[0] = true;
    candidates.identity = vec![7, 8, 9, 8, 9, 10];
    candidates.show_once = true;
    let mut rng = Seed::from_number(2).stream(Purpose::Rank, 0);
    for policy in POLICIES {
        let slate = policy.draw(&candidates, &mut rng).unwrap();
        let of = |position: usize| -> Vec<u32> {
            let shelf = &slate.shelves[position];
            let start = candidates.cards_of(shelf.placed.index).start;
            slate.cards[shelf.cards.clone()].iter().map(|c| candidates.identity[start + c.index as usize]).collect()
        };
        let (first, second) = (of(0), of(1));
        if slate.shelves[0].placed.index == 0 {
            assert_eq!(first[2], 7, "the barred card is last");
            assert_eq!(second[0], 10, "the only card not shown above comes first");
        }
    }
}

#[test]
fn first_card_marginals_match_enumeration() {
    let mut pinned = small();
    pinned.card_pins = vec![(1, 0, 2)];
    for policy in POLICIES {
        for candidates in [small(), pinned.clone()] {
            let mut want = vec![0.0; candidates.card_logits.len()];
            let mut seen = std::collections::BTreeMap::new();
            for page in pages(&candidates) {
                if let Ok(slate) = policy.propensities(&candidates, &page) {
                    let shelf = slate.shelves[0].placed.index;
                    let at = candidates.cards_of(shelf).start + slate.cards[slate.shelves[0].cards.start].index as usize;
                    seen.insert(key(&slate, candidates.visible), (at, joint(&slate)));
                }
            }
            for (at, p) in seen.values() {
                want[*at] += p;
            }
            for (got, want) in policy.first_card_marginals(&candidates).iter().zip(&want) {
                assert!((got - want).abs() < 1e-12, "{policy:?} {got} {want}");
            }
        }
    }
}

#[test]
fn huge_logit_gaps_keep_conditionals_exact() {
    let policy = Policy::PlackettLuce { floor_shelves: 0.0, floor_cards: 0.0 };
    let candidates = Candidates::free(vec![0.0], &[vec![2000.0, 0.0, 0.0]], Visible { shelves: 1, cards: 3 });
    let mut rng = Seed::from_number(4).stream(Purpose::Rank, 0);
    let slate = policy.draw(&candidates, &mut rng).unwrap();
    assert_eq!(slate.cards[0].index, 0);
    assert!((slate.cards[1].propensity - 0.5).abs() < 1e-15);
}

#[test]
fn rates_outside_their_range_are_refused() {
    assert_eq!(Policy::EpsilonPage { epsilon: 1.5 }.checked().unwrap_err().code(), "bad_policy");
    assert_eq!(Policy::PlackettLuce { floor_shelves: f64::NAN, floor_cards: 0.1 }.checked().unwrap_err().code(), "bad_policy");
    assert!(Policy::PlackettLuce { floor_shelves: 0.1, floor_cards: 0.1 }.for_logging(1_000).is_ok());
    for policy in
        [Policy::Greedy, Policy::EpsilonPage { epsilon: 0.1 }, Policy::PlackettLuce { floor_shelves: 0.1, floor_cards: 0.0 }]
    {
        assert_eq!(policy.for_logging(10).unwrap_err().code(), "not_for_logging");
    }
}

#[test]
fn a_slate_that_cannot_stand_is_refused() {
    let candidates = small();
    let mut slate = Policy::Greedy.draw(&candidates, &mut Seed::from_number(1).stream(Purpose::Rank, 0)).unwrap();
    slate.cards[0].index = 77;
    assert_eq!(POLICIES[0].propensities(&candidates, &slate).unwrap_err().code(), "invalid_slate");
}

/// A generator that must not be used.
struct Forbidden;

impl rand_core::TryRng for Forbidden {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        panic!("a deterministic policy drew a random number")
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        panic!("a deterministic policy drew a random number")
    }
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
        panic!("a deterministic policy drew random bytes")
    }
}

#[test]
fn one_candidate_draws_nothing() {
    let candidates = Candidates::free(vec![0.0], &[vec![1.0]], Visible { shelves: 1, cards: 1 });
    for policy in POLICIES {
        assert_eq!(policy.draw(&candidates, &mut Forbidden).unwrap().cards[0].propensity, 1.0);
    }
}
