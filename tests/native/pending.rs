//! What is pending moves the next page, and leaves no trace once it is final; what nobody reports teaches by position, if asked to.

use ears_only::bundle::{Bundle, BundleSettings, FeedbackSettings};
use ears_only::clock::{DAY_MS, MINUTE_MS, Timestamp};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::CardHandle;
use ears_only::random::Seed;
use ears_only::ranker::{RankedPage, Ranker};
use ears_only::seeing::Unreported;

use super::scenario::{day, page, ranker};

fn tell(ranker: &mut Ranker, kind: EventKind, ranked: &RankedPage, card: CardHandle, ms: Option<u32>, at: Timestamp) {
    let event = ListeningEvent { kind, decision: Some(ranked.id), shelf: None, card, ms_played: ms, at };
    ranker.observe(&event, at).unwrap();
}

fn score(ranked: &RankedPage, card: CardHandle) -> f64 {
    ranked.cards.iter().find(|place| place.card == card).unwrap().score
}

fn bits(ranker: &Ranker) -> Vec<u64> {
    ranker.weights().iter().map(|weight| weight.to_bits()).collect()
}

#[test]
fn ranking_changes_nothing_that_was_learned() {
    let mut ranker = ranker(8).unwrap();
    let page = page(&mut ranker).unwrap();
    let ranked = ranker.rank(&page, day(0)).unwrap();
    tell(&mut ranker, EventKind::Play, &ranked, ranked.cards[0].card, Some(60_000), day(0));
    ranker.end_session(day(0));
    let before = bits(&ranker);
    let early = ranker.rank(&page, day(1)).unwrap();
    let late = ranker.rank(&page, day(200)).unwrap();
    assert_eq!(bits(&ranker), before);
    // What is used to rank has been forgotten all the same: after 200 days less is left of the play than after one.
    let card = ranked.cards[0].card;
    assert_ne!(score(&early, card), score(&late, card));
}

#[test]
fn silence_lowers_and_a_play_under_way_raises() {
    let mut ranker = ranker(9).unwrap();
    let page = page(&mut ranker).unwrap();
    let start = day(0);
    // Past plays make the scores of this page ordinary ones.
    let first = ranker.rank(&page, start).unwrap();
    let card = first.cards.iter().find(|card| (-3.0..2.0).contains(&card.score)).unwrap().card;
    tell(&mut ranker, EventKind::Impression, &first, card, None, start);
    let again = |ranker: &mut Ranker, ms: i64| score(&ranker.rank(&page, start.plus_ms(ms)).unwrap(), card);
    let scores = [0, 5_000, 60_000].map(|ms| again(&mut ranker, ms));
    assert!(scores[0] > scores[1] && scores[1] > scores[2], "{scores:?}");
    tell(&mut ranker, EventKind::Play, &first, card, None, start.plus_ms(60_000));
    let playing = [61_000, 85_000].map(|ms| again(&mut ranker, ms));
    assert!(playing[0] > scores[2] && playing[1] > playing[0], "{playing:?}");
    assert_eq!(ranker.summary().updates, 0);
    assert_eq!(ranker.summary().pending, 1);
}

#[test]
fn once_final_nothing_is_left_of_what_was_expected() {
    let run = |ranks: &[i64]| {
        let mut ranker = ranker(10).unwrap();
        let page = page(&mut ranker).unwrap();
        for visit in 0..3 {
            let start = day(visit).plus_ms(visit * 5 * MINUTE_MS);
            let first = ranker.rank(&page, start).unwrap();
            for (place, card) in first.cards.iter().take(12).enumerate() {
                tell(&mut ranker, EventKind::Impression, &first, card.card, None, start.plus_ms(place as i64 * 1_000));
            }
            let played = first.cards[2].card;
            tell(&mut ranker, EventKind::Play, &first, played, None, start.plus_ms(13_000));
            // In the last visit only: the pages drawn after an additional one are others.
            for ms in ranks.iter().filter(|_| visit == 2) {
                ranker.rank(&page, start.plus_ms(14_000 + ms)).unwrap();
            }
            tell(&mut ranker, EventKind::Finish, &first, played, Some(170_000), start.plus_ms(200_000));
            ranker.end_session(start.plus_ms(DAY_MS / 24));
        }
        (bits(&ranker), ranker.summary().updates)
    };
    let never = run(&[]);
    assert_eq!(never.1, 36);
    assert_eq!(run(&[0]), never);
    assert_eq!(run(&[0, 10_000, 100_000]), never);
}

#[test]
fn a_page_without_reports_teaches_by_position_when_the_bundle_says_so() {
    let updates = |unreported: Unreported, told: bool| {
        let settings = BundleSettings {
            feedback: FeedbackSettings { unreported, examination: 0.5, ..FeedbackSettings::default() },
            ..BundleSettings::default()
        };
        let mut ranker = Ranker::seeded(Bundle::new(settings).unwrap(), Seed::from_number(11)).unwrap();
        let page = page(&mut ranker).unwrap();
        let ranked = ranker.rank(&page, day(0)).unwrap();
        if told {
            tell(&mut ranker, EventKind::Impression, &ranked, ranked.cards[0].card, None, day(0));
        }
        let before = ranked.cards.iter().map(|card| card.score).collect::<Vec<_>>();
        let learned = ranker.end_session(day(0).plus_ms(MINUTE_MS));
        assert_eq!(ranker.end_session(day(0).plus_ms(2 * MINUTE_MS)), 0, "a page teaches once");
        let after = ranker.rank(&page, day(0).plus_ms(3 * MINUTE_MS)).unwrap();
        let lower = ranked.cards.iter().zip(before).filter(|(place, before)| score(&after, place.card) < *before).count();
        (learned, lower > ranked.cards.len() / 2)
    };
    // Three shelves of four cards are visible.
    assert_eq!(updates(Unreported::Cascade, false), (0, false));
    assert_eq!(updates(Unreported::Position, false), (12, true));
    assert_eq!(updates(Unreported::Cascade, true).0, 1);
    assert_eq!(updates(Unreported::Position, true).0, 1);
}
