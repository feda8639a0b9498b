//! The weekly record: when it may exist, and what it may depend on.

use ears_only::clock::{DAY_MS, HOUR_MS, Timestamp};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::Page;
use ears_only::privacy::ProbeRecord;
use ears_only::random::{NoEntropy, Purpose, Seed, SeededEntropy};
use ears_only::ranker::{Consent, ContributionState, Ranker};

use super::scenario::{day, manifest, page, ranker};

fn contributing(seed: u64) -> (Ranker, Page) {
    let mut ranker = ranker(seed).unwrap();
    let page = page(&mut ranker).unwrap();
    ranker.set_consent(Consent { personalize: true, contribute: true });
    ranker.set_manifest(manifest().unwrap());
    ranker.start_ledger(day(0));
    (ranker, page)
}

/// Opens Home every hour from `from` until a probe runs; the time of that visit.
fn until_probe(ranker: &mut Ranker, page: &Page, from: Timestamp) -> Timestamp {
    (0..400)
        .map(|hour| from.plus_ms(hour * HOUR_MS))
        .find(|now| ranker.rank(page, *now).unwrap().probe)
        .expect("a probe within the week")
}

#[test]
fn nothing_happens_for_28_days_then_one_record_a_week() {
    let (mut ranker, page) = contributing(1);
    let mut records = Vec::new();
    for visit in 0..70 * 4 {
        let now = day(0).plus_ms(visit * 6 * HOUR_MS);
        let ranked = ranker.rank(&page, now).unwrap();
        assert!(!ranked.probe || now.since(day(0)) >= 28 * DAY_MS);
        if ranker.debit(now.plus_ms(HOUR_MS)).unwrap().is_some() {
            records.push((now, ranker.make_record().unwrap()));
        }
    }
    assert_eq!(records.len(), 6, "weeks 4 to 9");
    for pair in records.windows(2) {
        let epochs = pair.iter().map(|(_, record)| ProbeRecord::describe(&record.bytes()).unwrap().epoch);
        assert!(epochs.is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn states_follow_each_other() {
    let (mut ranker, page) = contributing(2);
    let state = |ranker: &Ranker, now| ranker.contribution(now).state;
    assert_eq!(state(&ranker, day(1)), ContributionState::Spent);
    assert_eq!(state(&ranker, day(28)), ContributionState::Scheduled);
    let probe = until_probe(&mut ranker, &page, day(28));
    assert_eq!(state(&ranker, probe), ContributionState::Watching);
    let over = probe.plus_ms(HOUR_MS);
    assert_eq!(state(&ranker, over), ContributionState::Ready);
    assert_eq!(ranker.make_record().unwrap_err().code(), "not_paid");
    let send_after = ranker.contribution(over).send_after.unwrap();
    assert!((24..=73).contains(&(send_after.since(probe) / HOUR_MS)));
    let first = ranker.debit(over).unwrap().unwrap();
    assert_eq!(ranker.debit(over).unwrap().unwrap(), first, "asking again pays nothing");
    ranker.make_record().unwrap();
    assert_eq!(state(&ranker, over), ContributionState::Done);
    assert_eq!(ranker.contribution(over).budget.unwrap().spent, 1.0);
    assert!(ranker.debit(over).unwrap().is_none());
    ranker.set_consent(Consent { personalize: true, contribute: false });
    assert_eq!(state(&ranker, over), ContributionState::Off);
}

#[test]
fn the_record_is_the_manifests_table_and_one_bit() {
    let (mut ranker, page) = contributing(3);
    let probe = until_probe(&mut ranker, &page, day(28));
    ranker.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
    let fields = ProbeRecord::describe(&ranker.make_record().unwrap().bytes()).unwrap();
    let manifest = manifest().unwrap();
    assert_eq!(fields.manifest, manifest.id());
    assert_eq!((fields.shelf_position, fields.card_position), (1, 2));
    assert_eq!(fields.propensity_numerator, manifest.probes()[0].arms[usize::from(fields.arm)].weight);
    assert!(fields.symbol <= 1);
}

#[test]
fn the_arm_stands_in_its_public_place() {
    let (mut ranker, page) = contributing(4);
    let probe = until_probe(&mut ranker, &page, day(28));
    let ranked = ranker.rank(&page, probe.plus_ms(1)).unwrap();
    assert!(!ranked.probe, "one visit carries the probe");
    let (mut ranker, page) = contributing(4);
    for hour in 0.. {
        let now = day(28).plus_ms(hour * HOUR_MS);
        let ranked = ranker.rank(&page, now).unwrap();
        if ranked.probe {
            let shelf = &ranked.shelves[1];
            assert_eq!(ranker.catalogue().card(ranked.cards[shelf.cards.start].card).id.split('-').next(), Some("card"));
            assert_eq!((shelf.propensity, ranked.cards[shelf.cards.start + 2].propensity), (1.0, 1.0));
            break;
        }
    }
}

#[test]
fn twin_histories_give_the_same_record_up_to_the_bit() {
    // Two listeners with the same coin and flip and nothing else in common.
    for seed in 0..40 {
        let records: Vec<Vec<u8>> = (0..2)
            .map(|twin| {
                let (mut ranker, page) = contributing(seed);
                for i in 0..30 {
                    let card = page.cards()[(i * 7 + twin * 31) % 60].card;
                    let kind = if twin == 0 { EventKind::Finish } else { EventKind::Hide };
                    // The twin may not hide the arms themselves: that would move the page, not the record; see the next test.
                    let kind = if ranker.catalogue().card(card).id.len() < 7 { EventKind::Like } else { kind };
                    let event = ListeningEvent {
                        kind,
                        decision: None,
                        shelf: None,
                        card,
                        ms_played: Some(90_000),
                        at: day(i as i64 / 2),
                    };
                    ranker.observe(&event, day(i as i64 / 2)).unwrap();
                }
                let probe = until_probe(&mut ranker, &page, day(28));
                ranker.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
                ranker.make_record().unwrap().bytes().to_vec()
            })
            .collect();
        // Everything but the six bits of the symbol: bits 97 to 102 of 128.
        let public = |record: &[u8]| u128::from_be_bytes(record.try_into().unwrap()) & !(0x3f << 25);
        assert_eq!(public(&records[0]), public(&records[1]));
    }
}

#[test]
fn an_arm_that_cannot_be_placed_counts_as_not_played_and_is_not_redrawn() {
    let (mut ranker, page) = contributing(5);
    for place in page.cards().iter().take(8) {
        let event =
            ListeningEvent { kind: EventKind::Hide, decision: None, shelf: None, card: place.card, ms_played: None, at: day(1) };
        ranker.observe(&event, day(1)).unwrap();
    }
    let (mut other, other_page) = contributing(5);
    let record = |ranker: &mut Ranker, page: &Page| {
        let probe = until_probe(ranker, page, day(28));
        ranker.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
        ProbeRecord::describe(&ranker.make_record().unwrap().bytes()).unwrap()
    };
    let (hidden, shown) = (record(&mut ranker, &page), record(&mut other, &other_page));
    assert_eq!(hidden, shown, "neither was played, both were flipped alike");
}

#[test]
fn a_play_turns_the_bit() {
    // With the same flip, playing the arm gives the other symbol.
    let (mut idle, page) = contributing(6);
    let probe = until_probe(&mut idle, &page, day(28));
    idle.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
    let without = ProbeRecord::describe(&idle.make_record().unwrap().bytes()).unwrap();

    let (mut ranker, page) = contributing(6);
    let mut now = day(28);
    let ranked = loop {
        let ranked = ranker.rank(&page, now).unwrap();
        if ranked.probe {
            break ranked;
        }
        now = now.plus_ms(HOUR_MS);
    };
    let card = ranker.catalogue().find(&format!("card-{}", without.arm)).unwrap();
    let event = ListeningEvent {
        kind: EventKind::Finish,
        decision: Some(ranked.id),
        shelf: None,
        card,
        ms_played: Some(45_000),
        at: now,
    };
    ranker.observe(&event, now).unwrap();
    ranker.debit(now.plus_ms(HOUR_MS)).unwrap().unwrap();
    let with = ProbeRecord::describe(&ranker.make_record().unwrap().bytes()).unwrap();
    assert_eq!(with.symbol, 1 - without.symbol);
}

#[test]
fn a_debit_that_was_not_saved_gives_no_right_to_a_record() {
    let (mut ranker, page) = contributing(7);
    let unspent = ranker.ledger().unwrap();
    let probe = until_probe(&mut ranker, &page, day(28));
    ranker.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
    ranker.restore_ledger(&unspent).unwrap();
    assert_eq!(ranker.make_record().unwrap_err().code(), "not_paid");
}

#[test]
fn a_crash_between_debit_and_record_loses_the_record_and_never_pays_twice() {
    let (mut ranker, page) = contributing(8);
    let probe = until_probe(&mut ranker, &page, day(28));
    let state = ranker.snapshot();
    let ledger = ranker.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
    // The page dies here; another life starts from what was saved.
    let (mut next, _) = contributing(8);
    next.restore_ledger(&ledger).unwrap();
    next.restore(&state).unwrap();
    assert!(next.debit(probe.plus_ms(2 * HOUR_MS)).unwrap().is_none());
    assert_eq!(next.make_record().unwrap_err().code(), "not_paid");
    assert_eq!(next.contribution(probe.plus_ms(2 * HOUR_MS)).budget.unwrap().spent, 1.0);
}

#[test]
fn a_probe_survives_a_restart_and_is_reported_whatever_came_of_it() {
    let (mut ranker, page) = contributing(9);
    let probe = until_probe(&mut ranker, &page, day(28));
    let (state, ledger) = (ranker.snapshot(), ranker.ledger().unwrap());
    let (mut next, _) = contributing(9);
    next.restore_ledger(&ledger).unwrap();
    next.restore(&state).unwrap();
    assert_eq!(next.contribution(probe.plus_ms(HOUR_MS)).state, ContributionState::Ready);
    assert!(next.debit(probe.plus_ms(HOUR_MS)).unwrap().is_some());
    assert!(next.make_record().is_ok());
}

#[test]
fn without_entropy_there_is_no_coin_and_no_record() {
    use ears_only::bundle::Bundle;
    let build = |coin: bool| {
        let seeded = |purpose| Box::new(SeededEntropy::new(Seed::from_number(1), purpose));
        let bundle = Bundle::built_in().unwrap();
        let seed = Seed::from_number(1);
        let mut ranker = if coin {
            Ranker::new(bundle, seed, seeded(Purpose::Coin), Box::new(NoEntropy)).unwrap()
        } else {
            Ranker::new(bundle, seed, Box::new(NoEntropy), seeded(Purpose::Flip)).unwrap()
        };
        let page = page(&mut ranker).unwrap();
        ranker.set_consent(Consent { personalize: true, contribute: true });
        ranker.set_manifest(manifest().unwrap());
        ranker.start_ledger(day(0));
        (ranker, page)
    };
    let (mut ranker, page) = build(false);
    assert!((0..168).all(|hour| !ranker.rank(&page, day(28).plus_ms(hour * HOUR_MS)).unwrap().probe));
    let (mut ranker, page) = build(true);
    let probe = until_probe(&mut ranker, &page, day(28));
    ranker.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
    assert_eq!(ranker.make_record().unwrap_err().code(), "no_entropy");
    assert_eq!(ranker.make_record().unwrap_err().code(), "not_paid", "what was paid is gone");
}

/// A contributing listener at the visit that carries the probe, with the probe's card.
fn at_probe(seed: u64) -> (Ranker, ears_only::ranker::RankedPage, ears_only::page::CardHandle, Timestamp) {
    let (mut idle, page) = contributing(seed);
    let probe = until_probe(&mut idle, &page, day(28));
    idle.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
    let arm = ProbeRecord::describe(&idle.make_record().unwrap().bytes()).unwrap().arm;
    let (mut ranker, page) = contributing(seed);
    let mut now = day(28);
    loop {
        let ranked = ranker.rank(&page, now).unwrap();
        if ranked.probe {
            let card = ranker.catalogue().find(&format!("card-{arm}")).unwrap();
            return (ranker, ranked, card, now);
        }
        now = now.plus_ms(HOUR_MS);
    }
}

fn symbol(mut ranker: Ranker, probe: Timestamp) -> u8 {
    ranker.debit(probe.plus_ms(HOUR_MS)).unwrap().unwrap();
    ProbeRecord::describe(&ranker.make_record().unwrap().bytes()).unwrap().symbol
}

#[test]
fn a_like_is_no_play_and_a_long_play_that_outlasts_the_window_is_one() {
    let idle = at_probe(10);
    let not_played = symbol(idle.0, idle.3);

    let (mut ranker, ranked, card, now) = at_probe(10);
    let event = |kind, at: Timestamp| ListeningEvent { kind, decision: Some(ranked.id), shelf: None, card, ms_played: None, at };
    ranker.observe(&event(EventKind::Like, now), now).unwrap();
    assert_eq!(symbol(ranker, now), not_played);

    // Started ten minutes into a window of thirty, still playing when the record is made.
    let (mut ranker, ..) = at_probe(10);
    let start = now.plus_ms(10 * 60_000);
    ranker.observe(&event(EventKind::Play, start), start).unwrap();
    ranker.debit(now.plus_ms(31 * 60_000)).unwrap().unwrap();
    let played = ProbeRecord::describe(&ranker.make_record().unwrap().bytes()).unwrap().symbol;
    assert_eq!(played, 1 - not_played);

    // The same, reported as finished after the window.
    let (mut ranker, ..) = at_probe(10);
    ranker.observe(&event(EventKind::Play, start), start).unwrap();
    let end = start.plus_ms(25 * 60_000);
    ranker.observe(&event(EventKind::Finish, end), end).unwrap();
    assert_eq!(symbol(ranker, now), 1 - not_played);

    // A play that starts when the window is over does not count.
    let (mut ranker, ..) = at_probe(10);
    let late = now.plus_ms(31 * 60_000);
    ranker.observe(&event(EventKind::Play, late), late).unwrap();
    assert_eq!(symbol(ranker, now), not_played);
}

#[test]
fn a_probe_outlives_a_reload_that_tells_the_consent_after_the_snapshot() {
    let (ranker, _, _, probe) = at_probe(11);
    let (state, ledger) = (ranker.snapshot(), ranker.ledger().unwrap());
    let mut next = super::scenario::ranker(11).unwrap();
    next.restore(&state).unwrap();
    next.set_consent(Consent { personalize: true, contribute: false });
    next.restore_ledger(&ledger).unwrap();
    next.set_manifest(manifest().unwrap());
    next.set_consent(Consent { personalize: true, contribute: true });
    assert!(next.debit(probe.plus_ms(HOUR_MS)).unwrap().is_some());
    assert!(next.make_record().is_ok());
}

#[test]
fn what_is_spent_carries_the_time_of_the_probe_not_of_the_listening() {
    let budget_at = |delay_ms: i64| {
        let (mut ranker, _, _, probe) = at_probe(12);
        ranker.debit(probe.plus_ms(delay_ms)).unwrap().unwrap();
        ranker.contribution(probe.plus_ms(20 * DAY_MS)).budget.unwrap().next_at
    };
    assert_eq!(budget_at(HOUR_MS), budget_at(9 * DAY_MS));
}
