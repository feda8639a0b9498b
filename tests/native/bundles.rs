//! Shipped bundles at work: the same bits everywhere, learning, taking back, and models that follow each other.

use ears_only::features::{Column, FeatureSchema, Source};
use ears_only::model::body::{Linear, Trees};
use ears_only::model::{Body, HeadPrior, RewardModel};
use ears_only::page::{Page, Visible};
use ears_only::ranker::{Exclusion, Ranker, Restored};

use super::shipped::{self, BUNDLES};

#[test]
fn scores_pages_and_learning_are_stable() {
    let got = shipped::transcript().unwrap();
    if std::env::var_os("EARS_BLESS").is_some() {
        std::fs::write(format!("{}/tests/golden/bundles/transcript.txt", env!("CARGO_MANIFEST_DIR")), &got).unwrap();
        return;
    }
    for (line, (got, want)) in got.lines().zip(shipped::GOLDEN.lines()).enumerate() {
        assert_eq!(got, want, "line {}", line + 1);
    }
    assert_eq!(got.lines().count(), shipped::GOLDEN.lines().count());
    assert_eq!(got.matches("restored Whole, again equal true").count(), BUNDLES.len());
}

/// The ranker of a bundle after `visits` visits.
fn heard(bytes: &[u8], visits: i64) -> (Ranker, Page) {
    let mut ranker = shipped::ranker(shipped::open(bytes).unwrap()).unwrap();
    let page = shipped::page(&mut ranker).unwrap();
    for visit in 0..visits {
        let ranked = ranker.rank(&page, shipped::hour(24 * visit)).unwrap();
        shipped::listen(&mut ranker, &ranked, visit).unwrap();
    }
    (ranker, page)
}

fn bits(ranker: &Ranker) -> Vec<u64> {
    ranker.weights().iter().map(|weight| weight.to_bits()).collect()
}

#[test]
fn what_is_taken_back_is_unlearned_beside_every_body() {
    for (name, bytes) in BUNDLES {
        let (mut ranker, _) = heard(bytes, 3);
        let (learned, updates) = (bits(&ranker), ranker.summary().updates);
        let started = bits(&heard(bytes, 0).0);
        assert_ne!(learned, started, "{name}");
        ranker.exclude(&Exclusion::Artist("Artist 1".into())).unwrap();
        assert!(bits(&ranker) != learned && ranker.summary().updates < updates, "{name}");
        for artist in 0..5 {
            ranker.exclude(&Exclusion::Artist(format!("Artist {artist}"))).unwrap();
        }
        assert_eq!(bits(&ranker), started, "{name}: with everything taken back, the head is where it started");
    }
}

#[test]
fn pages_are_explained_beside_every_body() {
    for (name, bytes) in BUNDLES {
        let (mut ranker, page) = heard(bytes, 2);
        let ranked = ranker.rank(&page, shipped::hour(100)).unwrap();
        let explanation = ranker.explain(ranked.id).unwrap();
        let cards: Vec<_> = explanation.shelves.iter().flat_map(|shelf| &shelf.cards).collect();
        assert!(cards.iter().all(|card| card.sd.is_none_or(|sd| sd > 0.0)), "{name}");
        let explained = cards.iter().filter(|card| !card.contributions.is_empty()).count();
        // Beside a body the visible cards only; a card may lie at every default that matters.
        let range = if name == "plain" { 18..=18 } else { 4..=6 };
        assert!(range.contains(&explained), "{name}: {explained}");
        for card in cards.iter().filter(|card| card.visible) {
            // What a column adds is what its absence would take away; taken one by one they need not sum to the score.
            assert!(card.contributions.iter().all(|c| c.contribution.is_finite() && c.contribution != 0.0), "{name}");
        }
    }
}

#[test]
fn a_model_that_follows_takes_what_means_the_same() {
    let bundle = |name: &str| shipped::open(BUNDLES.iter().find(|b| b.0 == name).unwrap().1).unwrap();
    let of = |name: &str| BUNDLES.iter().find(|b| b.0 == name).unwrap().1;
    // Columns of a linear body and of a factorization machine mean the same beside their margins; leaves and hidden units do not.
    for (from, to, want) in [
        ("linear", "linear", Restored::Whole),
        ("trees", "trees", Restored::Whole),
        ("linear", "factorization", Restored::HeadCarried),
        ("factorization", "linear", Restored::HeadCarried),
        ("linear", "trees", Restored::HeadRestarted),
        ("trees", "network", Restored::HeadRestarted),
        ("network", "network-int8", Restored::HeadRestarted),
        ("plain", "linear", Restored::HeadRestarted),
        ("linear", "plain", Restored::HeadRestarted),
    ] {
        let (mut ranker, page) = heard(of(from), 3);
        let (old, bytes) = (ranker.weights().to_vec(), ranker.snapshot());
        assert_eq!(ranker.set_bundle(bundle(to)), want, "{from} to {to}");
        let fresh = heard(of(to), 0).0.weights().to_vec();
        let new = ranker.weights().to_vec();
        match want {
            Restored::Whole => assert_eq!(new, old),
            Restored::HeadCarried => {
                // The bias and the five columns go on; the margin and everything else start anew.
                assert_eq!((new[0], &new[2..7]), (old[0], &old[2..7]), "{from} to {to}");
                assert!(new[1] == fresh[1] && new[7..] == fresh[7..] && new != fresh, "{from} to {to}");
            }
            Restored::HeadRestarted => assert_eq!(new, fresh, "{from} to {to}"),
        }
        // The same by way of a snapshot, and the page comes back.
        let (mut other, _) = heard(of(to), 0);
        assert_eq!(other.restore(&bytes).unwrap(), want);
        assert_eq!(other.weights(), new);
        let rank = |ranker: &mut Ranker| ranker.rank(&page, shipped::hour(100)).map(|ranked| ranked.cards.len());
        match (rank(&mut ranker), rank(&mut other)) {
            (Ok(a), Ok(b)) => assert_eq!((a, b), (18, 18)),
            // The page of a model that keeps what is missing leaves values out.
            (Err(a), Err(b)) => assert!(from == "trees" && a.code() == "not_finite" && b.code() == "not_finite"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn outcomes_that_are_pending_teach_the_model_that_follows() {
    let (mut ranker, page) = heard(BUNDLES[1].1, 1);
    let ranked = ranker.rank(&page, shipped::hour(48)).unwrap();
    let event = ears_only::feedback::ListeningEvent {
        kind: ears_only::feedback::EventKind::Impression,
        decision: Some(ranked.id),
        shelf: None,
        card: ranked.cards[0].card,
        ms_played: None,
        at: shipped::hour(48),
    };
    ranker.observe(&event, shipped::hour(48)).unwrap();
    assert_eq!(ranker.set_bundle(shipped::open(BUNDLES[4].1).unwrap()), Restored::HeadRestarted);
    assert_eq!(ranker.explain(ranked.id).unwrap_err().code(), "unknown_decision");
    let before = bits(&ranker);
    assert_eq!(ranker.end_session(shipped::hour(49)), 1);
    assert_ne!(bits(&ranker), before);
}

#[test]
fn limits_expiry_and_manifest_of_a_bundle_hold() {
    let bundle = shipped::open(BUNDLES[2].1).unwrap();
    assert!(bundle.check_expiry(shipped::hour(0)).is_ok());
    let last = bundle.shipping().unwrap().expires.unwrap();
    assert!(bundle.check_expiry(last.plus_ms(-1)).is_ok());
    assert_eq!(bundle.check_expiry(last).unwrap_err().code(), "bundle_expired");
    assert!(bundle.check_manifest(b"any, since it names none").is_ok());
    // A value that is missing where the model takes none.
    let mut ranker = shipped::ranker(bundle).unwrap();
    let shelf = ranker.catalogue_mut().register_shelf("s", "popular", "").unwrap();
    let card = ranker.catalogue_mut().register(ears_only::page::Card { id: "a".into(), ..Default::default() }).unwrap();
    let mut builder = Page::builder(Visible::default());
    builder.shelf(shelf, false).card(card, false);
    let page = builder.features(2, vec![f32::NAN, 0.5]).build().unwrap();
    assert_eq!(ranker.rank(&page, shipped::hour(0)).unwrap_err().code(), "not_finite");
}

fn schema(columns: usize) -> FeatureSchema {
    FeatureSchema::new((0..columns).map(|at| Column::new(&format!("c{at}"), Source::Given)).collect()).unwrap()
}

#[test]
fn a_model_is_refused_where_its_parts_do_not_fit() {
    let linear = || Body::Linear(Linear::new(0.0, vec![1.0; 3], Vec::new()).unwrap());
    let prior = |width: usize| HeadPrior::new(vec![0.0; width], &vec![1.0; width], 1e9).unwrap();
    let code = |columns, body, prior| RewardModel::new(&schema(columns), body, prior).map_or_else(|e| e.code(), |_| "ok");
    assert_eq!(code(3, linear(), prior(5)), "ok");
    assert_eq!(code(3, linear(), prior(4)), "bad_prior");
    assert_eq!(code(4, linear(), prior(5)), "bad_schema");
    let trees = || {
        use ears_only::model::body::{Level, Missing, Rule, Tree};
        let level = Level { column: 2, rule: Rule::Less(0.5), missing: Missing::Nan, missing_left: true };
        Body::Trees(Trees::new(0.0, vec![Tree::Oblivious { levels: vec![level], leaves: vec![-1.0, 1.0] }]).unwrap())
    };
    assert_eq!(code(7, trees(), prior(4)), "ok");
    assert_eq!(code(2, trees(), prior(4)), "bad_schema");
    let full = HeadPrior::with_covariance(vec![0.0; 4], (0..16).map(|at| if at % 5 == 0 { 1.0 } else { 0.0 }).collect(), 1e9);
    assert_eq!(code(3, trees(), full.unwrap()), "bad_prior");
    let mut columns = schema(3).columns().to_vec();
    columns[0].keeps_missing = true;
    let schema = FeatureSchema::new(columns).unwrap();
    assert_eq!(RewardModel::new(&schema, linear(), prior(5)).unwrap_err().code(), "bad_schema");
    assert!(RewardModel::new(&schema, trees(), prior(4)).is_ok());
}

/// One weight at a time: the diagonal step beside trees against the exact one over the few weights that are met.
#[test]
fn beside_trees_only_what_is_met_moves() {
    let bundle = shipped::open(BUNDLES[3].1).unwrap();
    let mut model = bundle.model().clone();
    let rows = shipped::rows(&bundle);
    let before = model.head().mean().to_vec();
    let others: Vec<u64> = rows.iter().map(|row| model.score(row).to_bits()).collect();
    model.learn(&rows[0], 1.0, 1.0);
    let moved: Vec<usize> = (0..before.len()).filter(|at| model.head().mean()[*at] != before[*at]).collect();
    // Bias, margin and one leaf of each of three trees.
    assert_eq!((moved.len(), &moved[..2]), (5, &[0, 1][..]), "{moved:?}");
    assert!(rows.iter().zip(others).skip(1).any(|(row, bits)| model.score(row).to_bits() != bits));
    // Half of it is forgotten in a half-life, all of it in many.
    model.forget(0);
    let far = 86_400_000 * 60 * 1_000;
    model.forget(far);
    for (now, then) in model.head().mean().iter().zip(&before) {
        assert!((now - then).abs() < 1e-9);
    }
}
