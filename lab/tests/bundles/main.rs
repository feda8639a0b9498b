//! Hostile bundles: whatever the bytes are, the core refuses them with a code or uses them safely, and takes at most 64 MB.
//!
//! `EARS_MUTATIONS` says how many structured mutations are tried (default 4,000; with more, every byte of a bundle takes every other
//! value), `EARS_REPORT` where a report goes as JSON.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::Mutex;

use cap::Cap;
use ears_lab::bundle::example::{NAMES, example};
use ears_lab::bundle::seal;
use ears_only::bundle::{Bundle, header};
use ears_only::clock::Timestamp;
use ears_only::page::{Card, Page, Visible};
use ears_only::random::Seed;
use ears_only::ranker::Ranker;
use ears_only::settings::Value;
use mutation::Mutator;
use serde_json::json;

mod mutation;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The counts are of one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Most memory that any bytes may take.
const MOST: usize = 64 << 20;
/// Structured mutations unless asked otherwise; with more of them, every byte of a bundle takes every other value.
const SAMPLED: u64 = 4_000;

fn mutations() -> u64 {
    std::env::var("EARS_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(SAMPLED)
}

fn open(bytes: &[u8]) -> Result<Bundle, String> {
    let text = header(bytes).map_err(|error| error.code().to_owned())?;
    let value: Value = serde_json::from_slice(text).map_err(|_| "not JSON".to_owned())?;
    Bundle::from_bytes(bytes, &value).map_err(|error| error.code().to_owned())
}

/// Opens with the limit set: one byte more and the process ends.
fn open_within(bytes: &[u8]) -> Result<Bundle, String> {
    let _ = ALLOCATOR.set_limit(ALLOCATOR.allocated() + MOST);
    let opened = open(bytes);
    let _ = ALLOCATOR.set_limit(usize::MAX);
    opened
}

/// Ranks a page, learns and ranks again.
fn use_it(bundle: Bundle) {
    let now = Timestamp::from_ms(1_800_000_000_000.0).unwrap();
    let (given, context) = (bundle.schema().given().len(), bundle.schema().context().len());
    let mut ranker = Ranker::seeded(bundle, Seed::from_number(1)).unwrap();
    let shelf = ranker.catalogue_mut().register_shelf("s", "popular", "").unwrap();
    let mut builder = Page::builder(Visible { shelves: 1, cards: 2 });
    builder.shelf(shelf, false);
    let mut handles = Vec::new();
    for id in ["a", "b", "c"] {
        let card = ranker.catalogue_mut().register(Card { id: id.into(), ..Card::default() }).unwrap();
        builder.card(card, false);
        handles.push(card);
    }
    let builder = builder.features(given, vec![0.5; 3 * given]).with_context(vec![1.0; context]);
    let page = builder.build().unwrap();
    // Refused is well; stopping is not.
    if let Ok(ranked) = ranker.rank(&page, now) {
        let event = ears_only::feedback::ListeningEvent {
            kind: ears_only::feedback::EventKind::Finish,
            decision: Some(ranked.id),
            shelf: None,
            card: handles[0],
            ms_played: Some(60_000),
            at: now,
        };
        ranker.observe(&event, now).unwrap();
        let _ = ranker.explain(ranked.id);
        let again = ranker.rank(&page, now).unwrap();
        assert!(again.cards.iter().all(|card| card.score.is_finite()));
        let bytes = ranker.snapshot();
        ranker.restore(&bytes).unwrap();
    }
}

#[test]
fn every_changed_byte_and_every_truncation_is_refused() {
    let _alone = ALONE.lock();
    for name in NAMES {
        let bytes = example(name).unwrap().write().unwrap();
        assert!(open(&bytes).is_ok());
        for length in 0..bytes.len() {
            assert!(open(&bytes[..length]).is_err(), "{name}: cut to {length}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(open(&longer).is_err());
        let mut changed = bytes.clone();
        for at in 0..bytes.len() {
            let changes = if mutations() > SAMPLED { 1..=0xff } else { 0x7f..=0x81 };
            for value in changes {
                changed[at] ^= value;
                assert!(open(&changed).is_err(), "{name}: byte {at} changed by {value}");
                changed[at] = bytes[at];
            }
        }
    }
}

#[test]
fn with_a_good_checksum_mutations_are_refused_by_code_or_harmless() {
    let _alone = ALONE.lock();
    let count = mutations();
    let drafts: Vec<Vec<u8>> = NAMES.iter().map(|name| example(name).unwrap().write().unwrap()).collect();
    let parts: Vec<(serde_json::Value, Vec<u8>)> = drafts
        .iter()
        .map(|bytes| {
            let text = header(bytes).unwrap();
            let area = bytes[(16 + text.len()).next_multiple_of(8)..bytes.len() - 32].to_vec();
            (serde_json::from_slice(text).unwrap(), area)
        })
        .collect();
    let before = ALLOCATOR.allocated();
    let mut codes: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..count {
        let (header, area) = &parts[number as usize % parts.len()];
        let (header, area) = Mutator::new(number).mutate(header, area);
        let code = match open_within(&seal(&header, &area)) {
            Ok(bundle) => {
                use_it(bundle);
                "taken".to_owned()
            }
            Err(code) => code,
        };
        *codes.entry(code).or_default() += 1;
    }
    let most = ALLOCATOR.max_allocated() - before;
    let taken = codes.get("taken").copied().unwrap_or(0);
    assert!(taken > count / 100 && taken < count / 2, "{codes:?}");
    for code in ["bundle_corrupt", "bad_bundle", "bad_schema", "bad_body", "bad_prior", "bad_policy", "bundle_golden"] {
        assert!(codes.contains_key(code), "{code} of {codes:?}");
    }
    if let Some(report) = std::env::var_os("EARS_REPORT") {
        let text = json!({"mutations": count, "codes": codes, "most_bytes_allocated": most, "panics": 0}).to_string();
        std::fs::write(report, text).unwrap();
    }
    assert!(most <= MOST, "{most} bytes allocated");
}

/// The largest that every count allows, in the fewest bytes, and wrong at the very end.
#[test]
fn the_largest_bundles_stay_within_the_limit() {
    let _alone = ALONE.lock();
    let table = |sections: &[(&str, &str, usize, usize)]| {
        let (mut offset, mut table) = (0usize, serde_json::Map::new());
        for (name, kind, count, size) in sections {
            table.insert((*name).to_owned(), json!({"type": kind, "offset": offset, "length": count}));
            offset = (offset + count * size).next_multiple_of(8);
        }
        (serde_json::Value::from(table), vec![0u8; offset])
    };
    let column = |at: usize| json!({"name": format!("c{at}"), "source": "given"});
    let outline = |columns: usize, body: serde_json::Value, segments: usize, sections: serde_json::Value| {
        json!({
            "format": 1, "minReader": 1, "name": "x", "version": "x", "sequence": 1, "created": 0, "expires": null,
            "schema": {"columns": (0..columns).map(column).collect::<Vec<_>>()}, "body": body,
            "head": {"halfLifeDays": 60, "segments": vec![1; segments]}, "policy": {}, "feedback": {}, "privacyManifest": null,
            "limits": {}, "provenance": {}, "off": false, "sections": sections,
        })
    };
    let layers: Vec<serde_json::Value> = (0..8).map(|_| json!({"units": 256, "activation": "relu"})).collect();
    let mut network: Vec<(String, &str, usize, usize)> = Vec::new();
    for layer in 0..8 {
        network.push((format!("bias{layer}"), "i8", 256, 1));
        network.push((format!("weights{layer}"), "i8", 65_536, 1));
    }
    network.sort();
    let network: Vec<(&str, &str, usize, usize)> = network.iter().map(|(n, k, c, s)| (n.as_str(), *k, *c, *s)).collect();
    let many: Vec<String> = (0..40).flat_map(|at| [format!("headMean{at}"), format!("headSd{at}")]).collect();
    let mut trees = vec![
        ("categories", "i8", 262_144, 1),
        ("intercept", "f64", 1, 8),
        ("leaves", "i8", 100_000, 1),
        ("splits", "i8", 400_000, 1),
    ];
    trees.extend(many.iter().map(|name| (name.as_str(), "i8", 100_002, 1)));
    trees.push(("trees", "i8", 3_000, 1));
    trees.sort_by_key(|section| section.0);
    let everything = [
        (256, json!({"kind": "network", "layers": layers}), 16, network),
        (256, json!({"kind": "trees"}), 40, trees),
        (256, json!({"kind": "plain"}), 100_000, vec![("goldenInputs", "i8", 8_000_000, 1)]),
    ];
    let before = ALLOCATOR.max_allocated();
    for (columns, body, segments, sections) in everything {
        let (table, area) = table(&sections);
        let bytes = seal(&outline(columns, body, segments, table).to_string(), &area);
        let code = open_within(&bytes).unwrap_err();
        assert!(["bad_body", "bad_prior", "bundle_corrupt"].contains(&code.as_str()), "{code}");
    }
    assert!(ALLOCATOR.max_allocated() - before < MOST);
}
