//! Every policy of a bundle on a whole page, and pages that grow.

use std::collections::BTreeMap;

use ears_only::bundle::{Baseline, Bundle, BundleSettings, PolicyKind, PolicySettings};
use ears_only::features::{Column, Source};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{CardHandle, LocalShelves, Page, Visible};
use ears_only::random::Seed;
use ears_only::ranker::{RankedPage, Ranker, ShelfSource};

use super::scenario::{day, page};

fn ranker_with(policy: PolicySettings, seed: u64) -> Ranker {
    let bundle = Bundle::new(BundleSettings { policy, ..BundleSettings::default() }).unwrap();
    Ranker::seeded(bundle, Seed::from_number(seed)).unwrap()
}

fn play(ranker: &mut Ranker, card: CardHandle, ranked: Option<&RankedPage>, visit: i64) {
    let event = ListeningEvent {
        kind: EventKind::Play,
        decision: ranked.map(|page| page.id),
        shelf: None,
        card,
        ms_played: Some(60_000),
        at: day(visit),
    };
    ranker.observe(&event, day(visit)).unwrap();
}

#[test]
fn every_kind_ranks_learns_and_explains() {
    for kind in PolicyKind::ALL {
        let mut ranker = ranker_with(PolicySettings { kind, ..PolicySettings::default() }, 3);
        let page = page(&mut ranker).unwrap();
        for visit in 0..30 {
            let ranked = ranker.rank(&page, day(visit)).unwrap();
            let mut cards: Vec<usize> = ranked.cards.iter().filter_map(|card| card.index).collect();
            cards.sort_unstable();
            assert_eq!(cards, (0..page.card_count()).collect::<Vec<_>>(), "{kind:?}");
            let propensities =
                ranked.cards.iter().map(|card| card.propensity).chain(ranked.shelves.iter().map(|shelf| shelf.propensity));
            assert!(propensities.clone().all(|p| p > 0.0 && p <= 1.0), "{kind:?}");
            let explanation = ranker.explain(ranked.id).unwrap();
            assert_eq!(explanation.policy, kind.name());
            let sum: f64 = explanation.marginals.iter().map(|m| m.probability).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{kind:?} {sum}");
            // Deterministic pages say so; so does the log, which nobody may then evaluate.
            let deterministic = matches!(kind, PolicyKind::Fixed | PolicyKind::Popularity);
            assert_eq!(ranked.randomized, !deterministic, "{kind:?} {visit}");
            let loggable = ranker.log().find(ranked.id).unwrap().randomized;
            assert_eq!(loggable, !deterministic && kind != PolicyKind::EpsilonPage, "{kind:?}");
            play(&mut ranker, ranked.cards[0].card, Some(&ranked), visit);
        }
        assert!(ranker.summary().updates > 0, "{kind:?}");
    }
}

#[test]
fn exploring_comes_first_and_then_ends() {
    let kind = PolicyKind::ExploreThenCommit;
    let settings = PolicySettings { kind, explore: 5.0, floor_cards: Some(0.0), floor_shelves: Some(0.0), ..Default::default() };
    let mut ranker = ranker_with(settings, 3);
    let page = page(&mut ranker).unwrap();
    for visit in 0..10 {
        assert_eq!(ranker.rank(&page, day(visit)).unwrap().randomized, visit < 5);
    }
}

#[test]
fn a_bundle_that_is_off_ranks_nothing() {
    let bundle = Bundle::new(BundleSettings { off: true, ..BundleSettings::default() }).unwrap();
    let mut ranker = Ranker::seeded(bundle, Seed::from_number(1)).unwrap();
    let page = page(&mut ranker).unwrap();
    assert_eq!(ranker.rank(&page, day(0)).unwrap_err().code(), "switched_off");
    assert_eq!(ranker.summary().decisions, 0);
}

/// A page of shelves `from..to` of the scenario's page, two of them and three cards visible, that goes on from `after`.
fn part(ranker: &mut Ranker, from: usize, to: usize, after: Option<&RankedPage>) -> Page {
    let whole = page(ranker).unwrap();
    let mut builder =
        Page::builder(Visible { shelves: 2, cards: 3 }).with_local(LocalShelves(15)).with_after(after.map(|ranked| ranked.id));
    for s in from..to {
        let handle = ranker.catalogue_mut().register_shelf(&format!("shelf-{s}"), "popular", "").unwrap();
        builder.shelf(handle, false);
        for place in &whole.cards()[s * 10..(s + 1) * 10] {
            builder.card(place.card, false);
        }
        // One card that stands on every shelf.
        if s != 0 {
            builder.card(whole.cards()[0].card, false);
        }
    }
    builder.build().unwrap()
}

fn visible_cards(ranked: &RankedPage) -> Vec<CardHandle> {
    let shelves = ranked.shelves.iter().take(2);
    shelves.flat_map(|shelf| ranked.cards[shelf.cards.clone()].iter().take(3).map(|card| card.card)).collect()
}

#[test]
fn a_page_that_grows_repeats_nothing_and_keeps_its_propensities_exact() {
    let settings = PolicySettings { show_once: true, diversity: 1.0, temperature: 1.0, ..PolicySettings::default() };
    for seed in 0..40 {
        let mut ranker = ranker_with(settings, seed);
        let whole = page(&mut ranker).unwrap();
        for i in 0..5 {
            play(&mut ranker, whole.cards()[i * 7].card, None, 0);
        }
        let mut shown: Vec<CardHandle> = Vec::new();
        let mut kinds = Vec::new();
        let mut last: Option<RankedPage> = None;
        for (from, to) in [(0, 2), (2, 4), (4, 6)] {
            let part = part(&mut ranker, from, to, last.as_ref());
            let ranked = ranker.rank(&part, day(1)).unwrap();
            for shelf in &ranked.shelves[..2] {
                let cards = ranked.cards[shelf.cards.clone()].iter().take(3).map(|card| card.card);
                // A short local shelf may have nothing else to show.
                let repeats = cards.clone().any(|card| shown.contains(&card));
                assert!(!repeats || shelf.cards.len() < 10, "a card came twice");
                shown.extend(cards);
                if let ShelfSource::Local(kind) = shelf.source {
                    assert!(!kinds.contains(&kind), "a shelf came twice");
                    kinds.push(kind);
                }
            }
            let explanation = ranker.explain(ranked.id).unwrap();
            let sum: f64 = explanation.marginals.iter().map(|m| m.probability).sum();
            assert!((sum - 1.0).abs() < 1e-12);
            last = Some(ranked);
        }
    }
    let mut other = ranker_with(settings, 9);
    let page = part(&mut other, 0, 2, None);
    let stranger = other.rank(&page, day(0)).unwrap();
    let mut ranker = ranker_with(settings, 1);
    let gone = part(&mut ranker, 2, 4, Some(&stranger));
    let refused = ranker.rank(&gone, day(0));
    assert!(refused.is_err_and(|error| error.code() == "unknown_decision"));
}

#[test]
fn what_is_shown_above_moves_the_chances_below() {
    // The family of the first visible cards is less likely further down than on a page of its own.
    let settings = PolicySettings { diversity: 2.0, temperature: 1.0, ..PolicySettings::default() };
    let mut ranker = ranker_with(settings, 2);
    let first_part = part(&mut ranker, 0, 2, None);
    let first = ranker.rank(&first_part, day(0)).unwrap();
    let below = part(&mut ranker, 2, 4, Some(&first));
    let alone = part(&mut ranker, 2, 4, None);
    let (below, alone) = (ranker.rank(&below, day(0)).unwrap(), ranker.rank(&alone, day(0)).unwrap());
    let chances = |ranked: &RankedPage| ranker.marginals(ranked.id).unwrap();
    let artists: Vec<&str> = visible_cards(&first).iter().map(|card| ranker.catalogue().card(*card).artist.as_str()).collect();
    let mut moved = 0;
    for (index, (after, before)) in chances(&below).iter().zip(chances(&alone)).enumerate() {
        let card = below.cards.iter().find(|card| card.index == Some(index)).unwrap().card;
        if artists.contains(&ranker.catalogue().card(card).artist.as_str()) {
            assert!(*after < before, "{after} {before}");
            moved += 1;
        }
    }
    assert!(moved > 0);
}

#[test]
fn a_policy_worse_than_its_baseline_is_given_up() {
    // A model that knows popularity only and has its sign wrong, for a listener who plays what is popular.
    let popularity = Column::new("popularity", Source::Popularity);
    let backwards = BundleSettings {
        columns: Some(vec![popularity]),
        prior: ears_only::bundle::PriorSettings {
            mean: vec![("popularity".into(), -12.0)],
            sd: vec![("popularity".into(), 1e-3)],
            ..Default::default()
        },
        policy: PolicySettings { baseline: Baseline::Popularity, baseline_share: 0.3, safety_level: 0.05, ..Default::default() },
        ..BundleSettings::default()
    };
    let forwards = BundleSettings {
        prior: ears_only::bundle::PriorSettings { mean: vec![("popularity".into(), 12.0)], ..backwards.prior.clone() },
        ..backwards.clone()
    };
    let mut given_up: BTreeMap<bool, u32> = BTreeMap::new();
    for (is_backwards, settings) in [(true, &backwards), (false, &forwards)] {
        for seed in 0..20 {
            let mut ranker = Ranker::seeded(Bundle::new(settings.clone()).unwrap(), Seed::from_number(seed)).unwrap();
            let page = page(&mut ranker).unwrap();
            let mut visits = 0;
            while visits < 150 && !ranker.safety().is_worse() {
                let ranked = ranker.rank(&page, day(visits)).unwrap();
                let first = &ranked.cards[ranked.shelves[0].cards.clone()];
                let popular = first.iter().take(4).find(|card| ranker.catalogue().card(card.card).popularity.unwrap() > 0.8);
                if let Some(card) = popular.map(|card| card.card) {
                    play(&mut ranker, card, Some(&ranked), visits);
                }
                ranker.end_session(day(visits));
                visits += 1;
            }
            if ranker.safety().is_worse() {
                *given_up.entry(is_backwards).or_default() += 1;
                let ranked = ranker.rank(&page, day(visits)).unwrap();
                assert_eq!(ranker.explain(ranked.id).unwrap().policy, "popularity");
                // It stays given up when the app starts again, until there is another model.
                let bytes = ranker.snapshot();
                let mut again = Ranker::seeded(Bundle::new(settings.clone()).unwrap(), Seed::from_number(seed)).unwrap();
                again.restore(&bytes).unwrap();
                assert!(again.safety().is_worse());
                let other = BundleSettings { version: Some("next".into()), ..settings.clone() };
                let mut next = Ranker::seeded(Bundle::new(other).unwrap(), Seed::from_number(seed)).unwrap();
                next.restore(&bytes).unwrap();
                assert!(!next.safety().is_worse());
            }
        }
    }
    assert!(given_up.get(&true).is_some_and(|count| *count >= 18), "{given_up:?}");
    assert!(!given_up.contains_key(&false), "{given_up:?}");
}
