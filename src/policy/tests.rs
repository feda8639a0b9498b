use super::*;
use crate::math::{exp, ln};
use crate::page::Visible;
use crate::random::{Purpose, Seed};

fn policies() -> Vec<PagePolicy> {
    let normal = thompson::Posterior::NORMAL;
    vec![
        PagePolicy::of(Rule::plackett_luce(0.1, 0.2)),
        PagePolicy::of(Rule::plackett_luce(0.0, 0.0)),
        PagePolicy::of(Rule::uniform()),
        PagePolicy::of(Rule::Greedy(Floors { shelves: 0.3, cards: 0.2 })),
        PagePolicy::of(Rule::greedy()),
        PagePolicy::of(Rule::SquareCb { gamma: 4.0 }),
        PagePolicy::of(Rule::Thompson { posterior: normal, floors: Floors::default() }),
        PagePolicy::of(Rule::Thompson { posterior: normal, floors: Floors::both(0.1) }),
        PagePolicy::epsilon_page(0.2),
        PagePolicy::beside_baseline(Rule::plackett_luce(0.1, 0.1), 0.3, Floors::both(0.05)),
        PagePolicy::beside_baseline(Rule::greedy(), 0.5, Floors::default()),
    ]
}

/// Three shelves of three cards with posteriors, a baseline, artists and families, and logits that depend on what is shown.
fn small() -> Candidates {
    let free = Candidates::free(
        vec![0.4, -0.5, 1.2],
        &[vec![-0.5, -0.9, -1.3], vec![-3.0, -2.1, -1.4], vec![-1.0, -1.7, -1.0]],
        Visible { shelves: 2, cards: 2 },
    );
    Candidates {
        shelf_spread: vec![0.6, 0.9, 0.4],
        card_spread: vec![0.5, 0.3, 0.8, 1.0, 0.7, 0.2, 0.6, 0.6, 0.6],
        baseline_shelves: vec![0.0, 2.0, 1.0],
        baseline_cards: vec![0.1, 0.2, 0.3, 0.6, 0.5, 0.4, 0.7, 0.9, 0.8],
        along: Along { diversity: 0.4, calibration: 0.3, wanted: vec![(1, 0.7), (2, 0.3)] },
        artist: vec![1, 2, 3, 1, 2, 3, 4, 4, 1],
        family: vec![1, 1, 2, 2, 1, 2, 3, 3, 1],
        ..free
    }
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
    for policy in policies() {
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
    for policy in policies() {
        let mut expected = std::collections::BTreeMap::new();
        for page in pages(&candidates) {
            if let Ok(slate) = policy.propensities(&candidates, &page) {
                expected.insert(key(&slate, candidates.visible), joint(&slate));
            }
        }
        // Thompson sampling integrates anew for every page; its share of draws keeps the test short.
        let draws: u32 = if format!("{policy:?}").contains("Thompson") { 2_000 } else { 20_000 };
        let mut counts = std::collections::BTreeMap::new();
        let mut rng = Seed::from_number(11).stream(Purpose::Rank, 0);
        for _ in 0..draws {
            let slate = policy.draw(&candidates, &mut rng).unwrap();
            assert_eq!(policy.propensities(&candidates, &slate).unwrap(), slate);
            *counts.entry(key(&slate, candidates.visible)).or_insert(0u32) += 1;
        }
        // Chi-square over pages expected at least 10 times, the rest pooled. With k cells the 1e-6 quantile is below
        // k + 5 sqrt(2 k) + 20 (Laurent and Massart 2000, lemma 1: x = ln 1e6 = 13.8, 2 sqrt(k x) + 2 x).
        let (mut chi, mut cells, mut rest, mut rest_count) = (0.0, 0.0, 0.0, 0.0);
        for (key, p) in &expected {
            let (want, got) = (p * f64::from(draws), f64::from(*counts.get(key).unwrap_or(&0)));
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
    let drawn = PagePolicy::of(Rule::plackett_luce(0.0, 0.22));
    let stated = PagePolicy::of(Rule::plackett_luce(0.0, 0.2)).first_card_marginals(&candidates);
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
    for policy in policies() {
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
    for policy in policies() {
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
    for policy in policies() {
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
    let policy = PagePolicy::of(Rule::plackett_luce(0.0, 0.0));
    let candidates = Candidates::free(vec![0.0], &[vec![2000.0, 0.0, 0.0]], Visible { shelves: 1, cards: 3 });
    let mut rng = Seed::from_number(4).stream(Purpose::Rank, 0);
    let slate = policy.draw(&candidates, &mut rng).unwrap();
    assert_eq!(slate.cards[0].index, 0);
    assert!((slate.cards[1].propensity - 0.5).abs() < 1e-15);
}

#[test]
fn rates_outside_their_range_are_refused() {
    let code = |policy: PagePolicy| policy.checked().unwrap_err().code();
    assert_eq!(code(PagePolicy::epsilon_page(1.5)), "bad_policy");
    assert_eq!(code(PagePolicy::of(Rule::plackett_luce(f64::NAN, 0.1))), "bad_policy");
    assert_eq!(code(PagePolicy::of(Rule::Greedy(Floors::both(-0.1)))), "bad_policy");
    assert_eq!(code(PagePolicy::of(Rule::SquareCb { gamma: -1.0 })), "bad_policy");
    assert_eq!(code(PagePolicy::beside_baseline(Rule::greedy(), 0.1, Floors::both(2.0))), "bad_policy");
    for policy in policies() {
        assert!(policy.checked().is_ok());
    }
}

#[test]
fn only_policies_with_bounded_weights_may_log() {
    let normal = thompson::Posterior::NORMAL;
    for policy in [
        PagePolicy::of(Rule::plackett_luce(0.1, 0.1)),
        PagePolicy::of(Rule::Greedy(Floors::both(0.01))),
        PagePolicy::of(Rule::SquareCb { gamma: 1_000.0 }),
        PagePolicy::of(Rule::Thompson { posterior: normal, floors: Floors::both(0.02) }),
        PagePolicy::beside_baseline(Rule::plackett_luce(0.1, 0.1), 0.3, Floors::both(0.02)),
    ] {
        assert_eq!(LoggingPolicy::new(policy, 1_000).unwrap().get(), &policy);
    }
    for policy in [
        PagePolicy::of(Rule::greedy()),
        PagePolicy::epsilon_page(0.1),
        PagePolicy::of(Rule::plackett_luce(0.1, 0.0)),
        PagePolicy::of(Rule::Thompson { posterior: normal, floors: Floors::default() }),
        PagePolicy::beside_baseline(Rule::plackett_luce(0.1, 0.1), 0.3, Floors::default()),
    ] {
        assert_eq!(LoggingPolicy::new(policy, 10).unwrap_err().code(), "not_for_logging");
    }
}

#[test]
fn no_conditional_is_smaller_than_promised() {
    let candidates = small();
    for policy in policies() {
        let bound = policy.smallest_conditional(3);
        for page in pages(&candidates) {
            let slate = policy.propensities(&candidates, &page).unwrap();
            let smallest = slate.shelves.iter().map(|s| s.placed.propensity).chain(slate.cards.iter().map(|c| c.propensity));
            assert!(smallest.fold(1.0, f64::min) >= bound * (1.0 - 1e-12), "{policy:?}");
        }
    }
}

/// One shelf, Thompson sampling without a floor.
fn thompson_list(posterior: thompson::Posterior, logits: &[f64], spread: &[f64]) -> (PagePolicy, Candidates) {
    let visible = Visible { shelves: 1, cards: logits.len() };
    let mut candidates = Candidates::free(vec![0.0], &[logits.to_vec()], visible);
    candidates.card_spread = spread.to_vec();
    (PagePolicy::of(Rule::Thompson { posterior, floors: Floors::default() }), candidates)
}

/// The running integrals of the walk against the Poisson-binomial recursion: two formulas, at every depth.
#[test]
fn thompson_orders_add_up_to_the_rank_marginals() {
    let (normal, beta) = (thompson::Posterior::NORMAL, thompson::Posterior::BETA);
    for (posterior, logits, spread) in [
        (normal, [0.3, -0.2, 0.9, 0.1], [0.5, 0.2, 1.4, 0.03]),
        (normal, [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]),
        (beta, [0.04, 0.03, 0.1, 0.05], [100.0, 400.0, 20.0, 3.0]),
    ] {
        let (policy, candidates) = thompson_list(posterior, &logits, &spread);
        let mut found = vec![vec![0.0; 4]; 4];
        for page in pages(&candidates) {
            let slate = policy.propensities(&candidates, &page).unwrap();
            for (rank, card) in slate.cards.iter().enumerate() {
                found[card.index as usize][rank] += joint(&slate);
            }
        }
        let wanted = thompson::rank_marginals(posterior, &logits, &spread, 4);
        for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-10, "{posterior:?} {found} {wanted}");
        }
        for rank in 0..4 {
            let sum: f64 = wanted.iter().map(|row| row[rank]).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        }
    }
}

#[test]
fn two_thompson_arms_have_the_closed_form() {
    // P(N(a, s^2) > N(b, t^2)) = Phi((a - b) / sqrt(s^2 + t^2)), from almost certain to hopeless.
    for (a, s, b, t) in [(0.0, 1.0, 0.0, 1.0), (1.0, 0.3, 0.2, 0.9), (0.0, 1e-6, 0.5, 1.0), (3.0, 0.5, 0.0, 0.6)] {
        let (policy, candidates) = thompson_list(thompson::Posterior::NORMAL, &[a, b], &[s, t]);
        let want = 0.5 * crate::math::erfc(-(a - b) / f64::sqrt(2.0 * (s * s + t * t)));
        let found = policy.first_card_marginals(&candidates)[0];
        assert!((found - want).abs() < 1e-12, "{found} {want}");
    }
}

#[test]
fn thompson_with_many_arms_and_no_spread_stays_finite() {
    let n = 300;
    let logits: Vec<f64> = (0..n).map(|i| f64::from(i % 17) * 0.1).collect();
    let spread: Vec<f64> = (0..n).map(|i| if i % 3 == 0 { 0.0 } else { f64::from(i % 5) * 0.2 }).collect();
    let (policy, candidates) = thompson_list(thompson::Posterior::NORMAL, &logits, &spread);
    let mut rng = Seed::from_number(6).stream(Purpose::Rank, 0);
    let slate = policy.draw(&Candidates { visible: Visible { shelves: 1, cards: 6 }, ..candidates }, &mut rng).unwrap();
    assert!(slate.cards.iter().all(|card| card.propensity > 0.0 && card.propensity <= 1.0));
}

#[test]
fn a_family_shown_above_loses_its_next_card() {
    let mut candidates = Candidates::free(vec![0.0], &[vec![1.0, 0.9, 0.2, 0.1]], Visible { shelves: 1, cards: 3 });
    candidates.artist = vec![1, 1, 2, 3];
    candidates.family = vec![5, 5, 5, 6];
    let greedy = PagePolicy::of(Rule::greedy());
    let order = |candidates: &Candidates| -> Vec<u32> {
        let slate = greedy.draw(candidates, &mut Forbidden).unwrap();
        slate.cards.iter().map(|card| card.index).collect()
    };
    assert_eq!(order(&candidates), [0, 1, 2, 3]);
    candidates.along.diversity = 0.5;
    // 0.9 - 0.5 (same artist) = 0.4 still beats 0.2 - 0.25 and 0.1.
    assert_eq!(order(&candidates), [0, 1, 3, 2]);
    candidates.along.diversity = 2.0;
    assert_eq!(order(&candidates), [0, 3, 2, 1]);
    // The listener wants both families evenly; what a page above shows counts.
    candidates.along = Along { diversity: 0.0, calibration: 5.0, wanted: vec![(5, 0.5), (6, 0.5)] };
    assert_eq!(order(&candidates)[..2], [0, 3]);
    candidates.identity.push(9);
    candidates.artist.push(4);
    candidates.family.push(5);
    candidates.before = vec![4];
    assert_eq!(order(&candidates)[0], 3);
}

#[test]
fn logits_along_the_page_are_the_formula() {
    let mut candidates = Candidates::free(vec![0.0], &[vec![0.4, 0.0, -0.3]], Visible { shelves: 1, cards: 2 });
    candidates.artist = vec![1, 2, 1];
    candidates.family = vec![5, 6, 6];
    candidates.along = Along { diversity: 0.7, calibration: 0.9, wanted: vec![(5, 0.25), (6, 0.75)] };
    let policy = PagePolicy::of(Rule::plackett_luce(0.0, 0.0));
    let kl = |q5: f64, q6: f64| 0.25 * ln(0.25 / (0.99 * q5 + 0.01 * 0.25)) + 0.75 * ln(0.75 / (0.99 * q6 + 0.01 * 0.75));
    let first = [0.4 - 0.9 * kl(1.0, 0.0), -0.9 * kl(0.0, 1.0), -0.3 - 0.9 * kl(0.0, 1.0)].map(exp);
    for (found, want) in policy.first_card_marginals(&candidates).iter().zip(first) {
        assert!((found - want / first.iter().sum::<f64>()).abs() < 1e-12);
    }
    // After card 0: card 1 shares nothing, card 2 the artist.
    let second = [-0.9 * kl(0.5, 0.5), -0.3 - 0.7 - 0.9 * kl(0.5, 0.5)].map(exp);
    let page = pages(&candidates).into_iter().find(|p| p.cards[0].index == 0 && p.cards[1].index == 1).unwrap();
    let slate = policy.propensities(&candidates, &page).unwrap();
    assert!((slate.cards[1].propensity - second[0] / (second[0] + second[1])).abs() < 1e-12);
}

#[test]
fn the_baseline_gets_its_share_of_pages() {
    let candidates = small();
    let policy = PagePolicy::beside_baseline(Rule::greedy(), 0.3, Floors::default());
    let mut baseline_page = Candidates { along: Along::default(), ..candidates.clone() };
    baseline_page.shelf_logits.clone_from(&candidates.baseline_shelves);
    baseline_page.card_logits.clone_from(&candidates.baseline_cards);
    let greedy = PagePolicy::of(Rule::greedy());
    for (page, share) in [(greedy.draw(&candidates, &mut Forbidden), 0.7), (greedy.draw(&baseline_page, &mut Forbidden), 0.3)] {
        let page = page.unwrap();
        let judged = policy.propensities(&candidates, &page).unwrap();
        assert!((joint(&judged) - share).abs() < 1e-12, "{}", joint(&judged));
    }
}

#[test]
fn a_slate_that_cannot_stand_is_refused() {
    let candidates = small();
    let mut slate = PagePolicy::of(Rule::greedy()).draw(&candidates, &mut Seed::from_number(1).stream(Purpose::Rank, 0)).unwrap();
    slate.cards[0].index = 77;
    assert_eq!(policies()[0].propensities(&candidates, &slate).unwrap_err().code(), "invalid_slate");
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
    for policy in policies() {
        assert_eq!(policy.draw(&candidates, &mut Forbidden).unwrap().cards[0].propensity, 1.0);
    }
}
