//! The loop: what is played moves the page, what is forgotten leaves no trace.

use ears_only::clock::{MINUTE_MS, Timestamp};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{CardHandle, Page};
use ears_only::ranker::{CARD_WORDS, Consent, HEADER_WORDS, RankedPage, Ranker, Restored, SHELF_WORDS, ShelfSource};
use ears_only::reasons::{Reason, ReasonCode};

use super::scenario::{day, page, ranker};

/// Chance that the first shelf's first card is of `family`.
fn first_place(ranker: &Ranker, ranked: &RankedPage, family: &str) -> f64 {
    let explanation = ranker.explain(ranked.id).unwrap();
    explanation
        .marginals
        .iter()
        .filter(|m| ranker.catalogue().card(ranker.catalogue().find(&m.card).unwrap()).family == family)
        .map(|m| m.probability)
        .sum()
}

fn play(ranker: &mut Ranker, card: CardHandle, ranked: Option<&RankedPage>, at: Timestamp) {
    let event = ListeningEvent {
        kind: EventKind::Play,
        decision: ranked.map(|page| page.id),
        shelf: None,
        card,
        ms_played: Some(60_000),
        at,
    };
    ranker.observe(&event, at).unwrap();
}

#[test]
fn ten_plays_of_one_family_raise_its_chance_to_stand_first() {
    let mut ranker = ranker(3).unwrap();
    let page = page(&mut ranker).unwrap();
    let before = ranker.rank(&page, day(0)).unwrap();
    // The family that a listener without history is shown least.
    let families = ["jazz", "techno", "folk"];
    let chance = |ranked: &RankedPage, ranker: &Ranker| families.map(|family| first_place(ranker, ranked, family));
    let start = chance(&before, &ranker);
    let least = (0..3).min_by(|a, b| start[*a].total_cmp(&start[*b])).unwrap();
    for i in 0..10 {
        let card = page.cards()[4 * i + least].card;
        assert_eq!(ranker.catalogue().card(card).family, families[least]);
        play(&mut ranker, card, Some(&before), day(0).plus_ms(i as i64 * MINUTE_MS));
    }
    let after = ranker.rank(&page, day(1)).unwrap();
    let end = chance(&after, &ranker);
    assert!(end[least] > 1.5 * start[least], "{start:?} {end:?}");
}

#[test]
fn an_explanation_gives_the_reasons_that_were_shown_whatever_was_learned_since() {
    let mut ranker = ranker(4).unwrap();
    let page = page(&mut ranker).unwrap();
    let mut moved = 0;
    let mut earlier: Option<RankedPage> = None;
    for visit in 0..12 {
        let ranked = ranker.rank(&page, day(visit)).unwrap();
        for at in 0..4 {
            play(&mut ranker, ranked.cards[at].card, Some(&ranked), day(visit).plus_ms(at as i64 * MINUTE_MS));
        }
        ranker.end_session(day(visit).plus_ms(60 * MINUTE_MS));
        let next = ranker.rank(&page, day(visit).plus_ms(61 * MINUTE_MS)).unwrap();
        for shown in [&ranked, &next] {
            let explained = ranker.explain(shown.id).unwrap();
            for (shelf, told) in shown.shelves.iter().zip(&explained.shelves) {
                assert_eq!((told.reason, told.argument), (shelf.reason.code as u8, shelf.reason.argument), "visit {visit}");
                for (card, told) in shown.cards[shelf.cards.clone()].iter().zip(&told.cards) {
                    assert_eq!((told.reason, told.argument), (card.reason.code as u8, card.reason.argument), "visit {visit}");
                }
            }
        }
        let opens = |page: &RankedPage| page.shelves.iter().filter(|s| s.reason.code == ReasonCode::YouOpenThisShelf).count();
        moved += opens(&next).abs_diff(earlier.as_ref().map_or(0, opens));
        earlier = Some(next);
    }
    assert!(moved > 0, "what was learned gave other reasons to later pages");
}

/// What [`Ranker::rank_into`] writes says the same as [`Ranker::rank`], of every card or of those that were drawn.
#[test]
fn a_page_as_words_is_the_page_as_values() {
    for all in [true, false] {
        let (mut one, mut other) = (ranker(6).unwrap(), ranker(6).unwrap());
        let (page, same) = (page(&mut one).unwrap(), page(&mut other).unwrap());
        let (mut words, mut local, mut untold) = (Vec::new(), 0, 0);
        for visit in 0..10 {
            let ranked = one.rank(&page, day(visit)).unwrap();
            other.rank_into(&same, day(visit), all, &mut words).unwrap();
            let argument = |reason: Reason| reason.argument.map_or(-1.0, f64::from);
            let (high, low) = ranked.id.halves();
            let flag = |yes: bool| f64::from(u8::from(yes));
            let head = [2.0, ranked.shelves.len() as f64, words.len() as f64, high.into(), low.into()];
            assert_eq!(words[..5], head);
            assert_eq!(words[5..HEADER_WORDS], [flag(ranked.probe), flag(ranked.randomized), 0.0]);
            let mut at = HEADER_WORDS + SHELF_WORDS * ranked.shelves.len();
            for (position, shelf) in ranked.shelves.iter().enumerate() {
                let cards = &ranked.cards[shelf.cards.clone()];
                let (source, told) = match shelf.source {
                    ShelfSource::Page(index) => (
                        index as f64,
                        if all {
                            cards.len()
                        } else if position < 3 {
                            cards.len().min(4)
                        } else {
                            0
                        },
                    ),
                    ShelfSource::Local(kind) => (-1.0 - f64::from(kind.bit()), cards.len()),
                };
                local += usize::from(source < 0.0);
                untold += cards.len() - told;
                let start = HEADER_WORDS + SHELF_WORDS * position;
                let want = [source, shelf.propensity, f64::from(shelf.reason.code as u8), argument(shelf.reason)];
                assert_eq!(words[start..start + 4], want, "visit {visit}, shelf {position}");
                assert_eq!(words[start + 4..start + SHELF_WORDS], [cards.len() as f64, told as f64]);
                for (place, card) in cards.iter().enumerate() {
                    let which = card.index.map_or(f64::from(card.card.index()), |index| index as f64);
                    assert_eq!(words[at + place], which, "visit {visit}, shelf {position}, card {place}");
                    if place < told {
                        let word = at + cards.len() + CARD_WORDS * place;
                        let want = [card.propensity, f64::from(card.reason.code as u8), argument(card.reason)];
                        assert_eq!(words[word..word + CARD_WORDS], want, "visit {visit}, shelf {position}, card {place}");
                    } else {
                        assert_eq!(card.propensity, 1.0);
                    }
                }
                at += cards.len() + CARD_WORDS * told;
            }
            assert_eq!(at, words.len());
            for ranker in [&mut one, &mut other] {
                play(ranker, ranked.cards[0].card, Some(&ranked), day(visit));
            }
        }
        assert!(local > 0);
        assert_eq!(untold == 0, all);
    }
}

#[test]
fn explanations_agree_with_the_page() {
    let mut ranker = ranker(4).unwrap();
    let page = page(&mut ranker).unwrap();
    let ranked = ranker.rank(&page, day(0)).unwrap();
    let explanation = ranker.explain(ranked.id).unwrap();
    let total: f64 = explanation.marginals.iter().map(|m| m.probability).sum();
    assert!((total - 1.0).abs() < 1e-12, "{total}");
    assert_eq!(explanation.marginal_values.len(), page.card_count());
    assert_eq!(explanation.marginal_values, ranker.marginals(ranked.id).unwrap());
    for (shelf, explained) in ranked.shelves.iter().zip(&explanation.shelves) {
        assert_eq!(shelf.propensity, explained.propensity);
        for (card, explained) in ranked.cards[shelf.cards.clone()].iter().zip(&explained.cards) {
            assert_eq!(card.score, explained.score);
            assert!(explained.sd.is_some_and(|sd| sd > 0.0));
        }
    }
    let other = ears_only::log::DecisionId::parse("0000000000000000").unwrap();
    assert_eq!(ranker.explain(other).unwrap_err().code(), "unknown_decision");
}

#[test]
fn fixed_shelves_and_cards_keep_their_place() {
    let mut ranker = ranker(5).unwrap();
    let page = page(&mut ranker).unwrap();
    for visit in 0..60 {
        let ranked = ranker.rank(&page, day(visit)).unwrap();
        assert_eq!(ranked.shelves[4].source, ShelfSource::Page(4));
        let shelf = ranked.shelves.iter().find(|shelf| shelf.source == ShelfSource::Page(2)).unwrap();
        assert_eq!(ranked.cards[shelf.cards.start + 1].index, Some(21));
    }
}

#[test]
fn hidden_cards_come_last_and_are_not_on_local_shelves() {
    let mut ranker = ranker(6).unwrap();
    let page = page(&mut ranker).unwrap();
    let first = ranker.rank(&page, day(0)).unwrap();
    let card = page.cards()[0].card;
    for i in 0..5 {
        play(&mut ranker, page.cards()[i].card, None, day(0));
    }
    let hide = ListeningEvent { kind: EventKind::Hide, decision: Some(first.id), shelf: None, card, ms_played: None, at: day(0) };
    ranker.observe(&hide, day(0)).unwrap();
    let ranked = ranker.rank(&page, day(0).plus_ms(1)).unwrap();
    for shelf in &ranked.shelves {
        let cards: Vec<CardHandle> = ranked.cards[shelf.cards.clone()].iter().map(|c| c.card).collect();
        match shelf.source {
            ShelfSource::Page(_) => assert!(!cards[..cards.len() - 1].contains(&card)),
            ShelfSource::Local(_) => assert!(!cards.contains(&card)),
        }
    }
}

#[test]
fn after_reset_the_page_equals_a_fresh_profile() {
    let mut used = ranker(7).unwrap();
    let used_page = page(&mut used).unwrap();
    for visit in 0..5 {
        let ranked = used.rank(&used_page, day(visit)).unwrap();
        play(&mut used, used_page.cards()[visit as usize].card, Some(&ranked), day(visit));
    }
    used.reset();
    let mut fresh = ranker(7).unwrap();
    let fresh_page = page(&mut fresh).unwrap();
    assert_eq!(used.rank(&used_page, day(9)).unwrap(), fresh.rank(&fresh_page, day(9)).unwrap());
    used.reset();
    assert_eq!(used.snapshot(), ranker(7).unwrap().snapshot(), "forgetting leaves no bytes");
}

#[test]
fn a_snapshot_brings_everything_back_even_without_the_apps_cards() {
    let mut first = ranker(8).unwrap();
    let first_page = page(&mut first).unwrap();
    for visit in 0..8 {
        let ranked = first.rank(&first_page, day(visit)).unwrap();
        for i in 0..4 {
            play(&mut first, first_page.cards()[(visit as usize * 4 + i) % 60].card, Some(&ranked), day(visit));
        }
    }
    let bytes = first.snapshot();
    let mut second = ranker(8).unwrap();
    assert_eq!(second.restore(&bytes).unwrap(), Restored::Whole);
    assert_eq!(second.summary().events, first.summary().events);
    let second_page: Page = page(&mut second).unwrap();
    let (a, b) = (first.rank(&first_page, day(20)).unwrap(), second.rank(&second_page, day(20)).unwrap());
    assert_eq!(a.id, b.id);
    let ids = |ranker: &Ranker, page: &RankedPage| -> Vec<(String, u64)> {
        page.cards.iter().map(|c| (ranker.catalogue().card(c.card).id.clone(), c.propensity.to_bits())).collect()
    };
    assert_eq!(ids(&first, &a), ids(&second, &b));
}

#[test]
fn another_schema_keeps_the_history_and_restarts_the_head() {
    use ears_only::bundle::{Bundle, BundleSettings};
    use ears_only::features::{Column, Source};
    use ears_only::random::Seed;
    let mut first = ranker(9).unwrap();
    let first_page = page(&mut first).unwrap();
    let ranked = first.rank(&first_page, day(0)).unwrap();
    play(&mut first, first_page.cards()[0].card, Some(&ranked), day(0));
    let columns = vec![Column::new("artist", Source::ArtistAffinity)];
    let bundle = Bundle::new(BundleSettings { columns: Some(columns), ..BundleSettings::default() }).unwrap();
    let mut other = Ranker::seeded(bundle, Seed::from_number(9)).unwrap();
    assert_eq!(other.restore(&first.snapshot()).unwrap(), Restored::HeadRestarted);
    assert_eq!(other.summary().events, 1);
    assert_eq!(other.summary().updates, 0);
}

#[test]
fn an_unseen_page_teaches_nothing_and_a_cascade_teaches_up_to_the_play() {
    let mut ranker = ranker(10).unwrap();
    let page = page(&mut ranker).unwrap();
    ranker.rank(&page, day(0)).unwrap();
    assert_eq!(ranker.end_session(day(1)), 0);
    let ranked = ranker.rank(&page, day(1)).unwrap();
    // The third visible card of the first drawn shelf is played; nothing was reported as seen.
    let card = ranked.cards[ranked.shelves[0].cards.start + 2].card;
    play(&mut ranker, card, Some(&ranked), day(1));
    assert_eq!(ranker.summary().updates, 1);
    assert_eq!(ranker.end_session(day(1).plus_ms(MINUTE_MS)), 2, "the two cards before it were seen and not played");
}

#[test]
fn a_pending_impression_is_not_a_failure_until_its_window_is_over() {
    let mut ranker = ranker(11).unwrap();
    let page = page(&mut ranker).unwrap();
    let ranked = ranker.rank(&page, day(0)).unwrap();
    let event = |kind, ms, at| ListeningEvent {
        kind,
        decision: Some(ranked.id),
        shelf: None,
        card: ranked.cards[0].card,
        ms_played: ms,
        at,
    };
    ranker.observe(&event(EventKind::Impression, None, day(0)), day(0)).unwrap();
    assert_eq!(ranker.settle(day(0).plus_ms(29 * MINUTE_MS)), 0);
    assert_eq!(ranker.summary().pending, 1);
    ranker.observe(&event(EventKind::Play, None, day(0).plus_ms(10 * MINUTE_MS)), day(0).plus_ms(10 * MINUTE_MS)).unwrap();
    assert_eq!(ranker.settle(day(0).plus_ms(35 * MINUTE_MS)), 0, "the play is still under way");
    let end = day(0).plus_ms(12 * MINUTE_MS);
    ranker.observe(&event(EventKind::Finish, Some(120_000), end), day(0).plus_ms(36 * MINUTE_MS)).unwrap();
    assert_eq!(ranker.summary().pending, 0);
    assert_eq!(ranker.summary().updates, 1);
}

#[test]
fn without_consent_nothing_is_ranked_or_kept() {
    let mut ranker = ranker(12).unwrap();
    let page = page(&mut ranker).unwrap();
    ranker.set_consent(Consent { personalize: false, contribute: false });
    assert_eq!(ranker.rank(&page, day(0)).unwrap_err().code(), "no_consent");
    let event = ListeningEvent {
        kind: EventKind::Like,
        decision: None,
        shelf: None,
        card: page.cards()[0].card,
        ms_played: None,
        at: day(0),
    };
    assert_eq!(ranker.observe(&event, day(0)).unwrap_err().code(), "no_consent");
    assert!(ranker.history().is_empty());
}

#[test]
fn an_event_of_an_unknown_decision_reaches_the_history_and_says_so() {
    let mut ranker = ranker(13).unwrap();
    let page = page(&mut ranker).unwrap();
    let event = ListeningEvent {
        kind: EventKind::Finish,
        decision: Some(ears_only::log::DecisionId::parse("00000000000000aa").unwrap()),
        shelf: None,
        card: page.cards()[0].card,
        ms_played: Some(40_000),
        at: day(0),
    };
    assert_eq!(ranker.observe(&event, day(0)).unwrap_err().code(), "unknown_decision");
    assert_eq!(ranker.summary().events, 1);
    let future = ListeningEvent { decision: None, at: day(1), ..event };
    assert_eq!(ranker.observe(&future, day(0)).unwrap_err().code(), "future_event");
    assert_eq!(ranker.summary().events, 1);
}
