//! Sizes stay within their limits, and broken bytes are refused whole.

use ears_only::MAX_SNAPSHOT_BYTES;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::Card;

use super::scenario::{day, page, ranker};

#[test]
fn a_state_of_any_age_stays_under_two_megabytes() {
    let mut ranker = ranker(1).unwrap();
    let page = page(&mut ranker).unwrap();
    // 30,000 plays of 10,000 cards with the longest texts allowed.
    for i in 0..10_000 {
        let long = |what: &str| format!("{what}-{i}-{}", "x".repeat(380));
        let card = Card {
            id: long("id"),
            title: long("title"),
            artist: long("artist"),
            family: format!("f{}", i % 300),
            ..Card::default()
        };
        let handle = ranker.catalogue_mut().register(card).unwrap();
        for repeat in 0..3 {
            let at = day(i / 500 + repeat);
            let event =
                ListeningEvent { kind: EventKind::Play, decision: None, shelf: None, card: handle, ms_played: Some(60_000), at };
            ranker.observe(&event, day(40)).unwrap();
        }
    }
    for visit in 0..250 {
        let ranked = ranker.rank(&page, day(40 + visit)).unwrap();
        for card in ranked.cards.iter().take(20) {
            let event = ListeningEvent {
                kind: EventKind::Impression,
                decision: Some(ranked.id),
                shelf: None,
                card: card.card,
                ms_played: None,
                at: day(40 + visit),
            };
            ranker.observe(&event, day(40 + visit)).unwrap();
        }
    }
    let bytes = ranker.snapshot();
    assert!(bytes.len() <= MAX_SNAPSHOT_BYTES, "{}", bytes.len());
    let mut next = super::scenario::ranker(1).unwrap();
    next.restore(&bytes).unwrap();
    assert!(next.summary().events > 0 && next.summary().decisions > 0);
}

#[test]
fn corrupt_truncated_and_newer_snapshots_change_nothing() {
    let mut ranker = ranker(2).unwrap();
    let page = page(&mut ranker).unwrap();
    let ranked = ranker.rank(&page, day(0)).unwrap();
    let event = ListeningEvent {
        kind: EventKind::Play,
        decision: Some(ranked.id),
        shelf: None,
        card: page.cards()[0].card,
        ms_played: Some(60_000),
        at: day(0),
    };
    ranker.observe(&event, day(0)).unwrap();
    let good = ranker.snapshot();
    for cut in (0..good.len()).step_by(7) {
        assert_eq!(ranker.restore(&good[..cut]).unwrap_err().code(), "snapshot_corrupt");
    }
    for at in (0..good.len()).step_by(3) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let code = ranker.restore(&bad).unwrap_err().code();
        assert!(code == "snapshot_corrupt" || code == "snapshot_newer", "{code}");
    }
    assert_eq!(ranker.snapshot(), good);
    ranker.restore(&good).unwrap();
    assert_eq!(ranker.snapshot(), good);
}
