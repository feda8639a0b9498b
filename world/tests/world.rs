//! The demo world holds what it promises.

use ears_only::page::Catalogue;
use ears_world::World;
use ears_world::candidates::Candidates;
use ears_world::chance::{Draw, Key};
use ears_world::constants::{FAVOURITES, NEXT_CARD, NEXT_SHELF, WITH_HISTORY};
use ears_world::listener::{Listener, Look, VISITS};

/// All looks of a run in which pages are shown in the order they were drawn.
fn looks(world: &World, seed: u64, listeners: u32, days: u32) -> Vec<Look> {
    let candidates = Candidates::new(world.catalogue());
    let mut looks = Vec::new();
    for number in 0..listeners {
        let mut listener = Listener::new(world, seed, number);
        for day in 0..days {
            listener.begin_day(day);
            for visit in 0..VISITS {
                let page: Vec<Vec<u32>> = candidates.page(seed, number, day).into_iter().map(|shelf| shelf.cards).collect();
                let visit = listener.visit(day, visit);
                looks.extend(listener.browse(visit, &page));
            }
        }
    }
    looks
}

#[test]
fn the_same_seed_gives_the_same_month() {
    let world = World::demo();
    let first = looks(&world, 3, 5, 10);
    assert_eq!(first, looks(&World::demo(), 3, 5, 10));
    assert_ne!(first, looks(&world, 4, 5, 10));
}

#[test]
fn cards_that_are_seen_are_played_at_about_the_base_rate() {
    let looks = looks(&World::demo(), 1, 400, 5);
    let plays = looks.iter().filter(|look| look.played_ms.is_some()).count() as f64;
    let streams = looks.iter().filter(|look| look.is_stream()).count() as f64;
    let seen = looks.len() as f64;
    assert!((0.03..=0.05).contains(&(plays / seen)), "{} of {}", plays, seen);
    // 64.95 % of plays last 30 s; five standard errors at 1,500 plays or more.
    assert!((streams / plays - 0.6495).abs() < 0.062, "{}", streams / plays);
}

#[test]
fn listeners_look_as_far_as_the_cascade_says() {
    // Without plays a page shows 1 / (1 - 0.85) shelves and 1 / (1 - 0.7) cards of each, cut at the ends of page and shelf.
    let looks = looks(&World::demo(), 2, 300, 2);
    let first = |shelf: usize| looks.iter().filter(|look| look.shelf == shelf && look.position == 0).count() as f64;
    let second = looks.iter().filter(|look| look.shelf == 0 && look.position == 1).count() as f64;
    // A stream ends the visit, so a little less than the chances of going on.
    assert!((NEXT_SHELF - 0.15..=NEXT_SHELF).contains(&(first(1) / first(0))), "{}", first(1) / first(0));
    assert!((NEXT_CARD - 0.1..=NEXT_CARD + 0.03).contains(&(second / first(0))), "{}", second / first(0));
}

#[test]
fn what_a_policy_receives_does_not_depend_on_the_truth() {
    let (one, other) = (World::with_truth(2), World::with_truth(99));
    assert_eq!(one.catalogue(), other.catalogue());
    for (listener, day) in [(0, 0), (5, 17)] {
        let page = |world: &World| Candidates::new(world.catalogue()).page(7, listener, day);
        assert_eq!(page(&one), page(&other));
    }
    let at = Listener::new(&one, 7, 0).visit(0, 0).at;
    let chances = |world: &World| -> Vec<f64> {
        let listener = Listener::new(world, 7, 0);
        (0..1_000).map(|item| listener.true_chance(item, at)).collect()
    };
    assert_ne!(chances(&one), chances(&other));
}

#[test]
fn embeddings_know_the_family_and_nothing_of_own_opinions() {
    // Among artists of one family, likeness of embeddings says nothing about likeness of how much they are liked.
    let world = World::demo();
    let items = world.catalogue().items();
    let artists: Vec<usize> = (0..items.len()).filter(|&i| items[i].card.id.starts_with("artist:")).collect();
    let at = Listener::new(&world, 1, 0).visit(0, 0).at;
    let listeners: Vec<Listener<'_>> = (0..60).map(|number| Listener::new(&world, 1, number)).collect();
    let opinions: Vec<Vec<f64>> = artists
        .iter()
        .map(|&item| {
            let chances: Vec<f64> = listeners.iter().map(|l| ears_only::math::logit(l.true_chance(item as u32, at))).collect();
            standardised(&chances)
        })
        .collect();
    let (mut within, mut pairs) = (Vec::new(), Vec::new());
    for i in 0..artists.len() {
        for j in 0..i {
            let (a, b) = (&items[artists[i]], &items[artists[j]]);
            if a.family == b.family {
                let near: f32 = a.card.embedding.iter().zip(&b.card.embedding).map(|(x, y)| x * y).sum();
                within.push(f64::from(near));
                pairs.push(opinions[i].iter().zip(&opinions[j]).map(|(x, y)| x * y).sum::<f64>());
            }
        }
    }
    let (x, y) = (standardised(&within), standardised(&pairs));
    let correlation: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
    // 3,213 pairs of 378 artists: even at a standard error four times that of independent pairs this is under three of them.
    assert!(correlation.abs() < 0.15, "{correlation} over {} pairs", x.len());
}

fn standardised(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let centred: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let length = centred.iter().map(|v| v * v).sum::<f64>().sqrt();
    centred.into_iter().map(|v| v / length).collect()
}

#[test]
fn half_of_the_listeners_bring_a_short_history_of_the_past() {
    let world = World::demo();
    let histories: Vec<_> =
        (0..400).map(|number| Listener::new(&world, 1, number)).map(|l| (l.history(), l.visit(0, 0).at)).collect();
    let with = histories.iter().filter(|(plays, _)| !plays.is_empty()).count() as f64 / 400.0;
    // Five standard errors of a share of one half.
    assert!((with - WITH_HISTORY).abs() < 0.125, "{with}");
    assert!(histories.iter().all(|(plays, first)| plays.iter().all(|play| play.at < *first)));
}

#[test]
fn favourites_are_liked_and_preferences_drift() {
    let world = World::demo();
    let mut listener = Listener::new(&world, 9, 3);
    let at = listener.visit(0, 0).at;
    let before: Vec<f64> = (0..300).map(|item| listener.true_chance(item, at)).collect();
    listener.begin_day(20);
    let after: Vec<f64> = (0..300).map(|item| listener.true_chance(item, at)).collect();
    let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    assert!(moved > 250, "{moved}");
    let taste = ears_world::truth::Taste::new(world.catalogue(), world.truth(), 9, 3);
    assert_eq!(taste.favourites().len(), FAVOURITES);
}

#[test]
fn showing_the_same_card_again_wears_it_out() {
    let world = World::demo();
    let mut listener = Listener::new(&world, 9, 3);
    let (first, last) = (listener.visit(0, 0), listener.visit(6, 0));
    let fresh = listener.true_chance(40, last.at);
    for day in 0..6 {
        let visit = listener.visit(day, 0);
        listener.browse(visit, &[vec![40]]);
    }
    assert!(listener.true_chance(40, last.at) < fresh);
    assert!(first.at < last.at);
}

#[test]
fn the_core_takes_every_card() {
    let world = World::demo();
    let mut catalogue = Catalogue::default();
    for item in world.catalogue().items() {
        catalogue.register(item.card.clone()).unwrap();
    }
    assert_eq!(catalogue.len(), world.catalogue().items().len());
}

#[test]
fn draws_for_different_purposes_are_apart() {
    assert_ne!(Key::new(1, Draw::Taste).unit(), Key::new(1, Draw::Truth).unit());
}
