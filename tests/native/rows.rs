//! Features that a page brings as words are read where they lie; those of a page built by hand are laid out. Nobody can tell which.

use ears_only::bundle::{Bundle, BundleSettings, PolicyKind, PriorSettings};
use ears_only::clock::MINUTE_MS;
use ears_only::features::{Column, Source};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{Card, CardHandle, Page, ShelfHandle, Visible};
use ears_only::random::Seed;
use ears_only::ranker::Ranker;

use super::scenario::day;

const SHELVES: usize = 3;
const CARDS: usize = 21;

fn ranker(kind: PolicyKind, columns: usize) -> (Ranker, Vec<ShelfHandle>, Vec<CardHandle>) {
    let names: Vec<String> = (0..columns).map(|at| format!("c{at}")).collect();
    let mut settings = BundleSettings {
        columns: Some(names.iter().map(|name| Column::new(name, Source::Given)).collect()),
        prior: PriorSettings {
            mean: names.iter().zip(0..).map(|(name, at)| (name.clone(), f64::from(at % 5) / 4.0 - 0.5)).collect(),
            ..PriorSettings::default()
        },
        ..BundleSettings::default()
    };
    settings.policy.kind = kind;
    let mut ranker = Ranker::seeded(Bundle::new(settings).unwrap(), Seed::from_number(3)).unwrap();
    let catalogue = ranker.catalogue_mut();
    let shelves = (0..SHELVES).map(|s| catalogue.register_shelf(&format!("shelf {s}"), "", "").unwrap()).collect();
    let card = |at| Card { id: format!("card {at}"), ..Card::default() };
    let cards = (0..SHELVES * CARDS).map(|at| catalogue.register(card(at)).unwrap()).collect();
    (ranker, shelves, cards)
}

fn features(columns: usize, visit: usize) -> Vec<f32> {
    (0..SHELVES * CARDS * columns).map(|at| ((at + visit) * 7_919 % 1_013) as f32 / 500.0 - 1.0).collect()
}

fn built(shelves: &[ShelfHandle], cards: &[CardHandle], columns: usize, features: Vec<f32>) -> Page {
    let mut builder = Page::builder(Visible { shelves: 2, cards: 3 });
    for (shelf, cards) in shelves.iter().zip(cards.chunks(CARDS)) {
        builder.shelf(*shelf, false);
        for (at, card) in cards.iter().enumerate() {
            // The last card is fixed: what stands right before the features is its flag.
            builder.card(*card, at + 1 == CARDS);
        }
    }
    builder.features(columns, features).build().unwrap()
}

fn words(shelves: &[ShelfHandle], cards: &[CardHandle], columns: usize, features: &[f32]) -> Vec<f32> {
    let mut words = vec![1.0, SHELVES as f32, cards.len() as f32, columns as f32, 2.0, 3.0];
    words.resize(16, 0.0);
    for shelf in shelves {
        words.extend([shelf.index() as f32, CARDS as f32, 0.0, 0.0]);
    }
    for (at, card) in cards.iter().enumerate() {
        words.extend([card.index() as f32, f32::from(u8::from((at + 1) % CARDS == 0))]);
    }
    words.resize(words.len().next_multiple_of(4), 0.0);
    words.extend_from_slice(features);
    words
}

#[test]
fn rows_that_lie_and_rows_that_are_laid_are_the_same() {
    for kind in [PolicyKind::PlackettLuce, PolicyKind::EpsilonPage, PolicyKind::LinUcb, PolicyKind::Thompson] {
        for columns in [1, 2, 3, 4, 8, 13] {
            let run = |lying: bool| {
                let (mut ranker, shelves, cards) = ranker(kind, columns);
                let mut told = Vec::new();
                // Longer than decisions stay open, so that memory is used again.
                for visit in 0..9usize {
                    let features = features(columns, visit);
                    let page = if lying {
                        Page::from_words(words(&shelves, &cards, columns, &features), ranker.catalogue()).unwrap()
                    } else {
                        built(&shelves, &cards, columns, features)
                    };
                    let now = day(0).plus_ms(visit as i64 * MINUTE_MS);
                    let ranked = ranker.rank(&page, now).unwrap();
                    for (kind, card) in [(EventKind::Impression, 0), (EventKind::Impression, 1), (EventKind::Play, 1)] {
                        let event = ListeningEvent {
                            kind,
                            decision: Some(ranked.id),
                            shelf: None,
                            card: ranked.cards[card].card,
                            ms_played: Some(60_000),
                            at: now,
                        };
                        ranker.observe(&event, now).unwrap();
                    }
                    told.push(format!("{ranked:?} {:?}", ranker.explain(ranked.id).unwrap()));
                }
                ranker.end_session(day(1));
                told.push(format!("{:?}", ranker.weights()));
                (told, ranker.snapshot())
            };
            assert_eq!(run(true), run(false), "{kind:?}, {columns} columns");
        }
    }
}

#[test]
fn a_feature_that_is_no_number_is_named_whatever_its_weight() {
    let (mut ranker, shelves, cards) = ranker(PolicyKind::PlackettLuce, 5);
    let good = features(5, 0);
    let untouched = ranker.snapshot();
    // The third of five columns weighs nothing.
    for at in [0, 2, 4, 5, 7, good.len() - 3, good.len() - 1] {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut features = good.clone();
            features[at] = bad;
            let mut words = words(&shelves, &cards, 5, &features);
            words[8] = 60.0;
            let page = Page::from_words(words, ranker.catalogue()).unwrap();
            let error = ranker.rank(&page, day(0)).unwrap_err();
            assert_eq!(error.code(), "not_finite");
            let said = if bad.is_nan() { format!("NaN for c{}", at % 5) } else { format!("card {} column {}", at / 5, at % 5) };
            assert!(error.to_string().contains(&said), "{error} without {said}");
            assert!(ranker.snapshot() == untouched, "nothing has changed");
        }
    }
    // Finite ones are ranked, however large.
    let mut features = good;
    features[..10].fill(f32::MAX);
    let page = Page::from_words(words(&shelves, &cards, 5, &features), ranker.catalogue()).unwrap();
    assert_eq!(ranker.rank(&page, day(0)).unwrap().cards.len(), cards.len());
    assert_eq!(ranker.log().records().len(), 1);
}
