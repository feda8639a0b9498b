//! The listener's controls: what is taken back is as if it had never been, bit for bit.

use ears_only::bundle::{Bundle, BundleSettings};
use ears_only::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use ears_only::features::{Column, Source};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::log::DecisionId;
use ears_only::page::{CardHandle, Page, Visible};
use ears_only::random::Seed;
use ears_only::ranker::{Consent, ContributionState, Exclusion, RankedPage, Ranker, Restored};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::scenario::{day, manifest, page, ranker};

/// The artist that the tests take back: of cards 3, 20, 37 and 54.
const ARTIST: &str = "Artist 3";

fn exclude(ranker: &mut Ranker, artist: &str) -> usize {
    ranker.exclude(&Exclusion::Artist(artist.into())).unwrap()
}

fn by_artist(ranker: &Ranker, card: CardHandle) -> bool {
    ranker.catalogue().card(card).artist == ARTIST
}

fn card(ranker: &Ranker, number: usize) -> CardHandle {
    ranker.catalogue().find(&format!("card-{}", number % 60)).unwrap()
}

fn event(kind: EventKind, decision: Option<DecisionId>, card: CardHandle, ms: Option<u32>, at: Timestamp) -> ListeningEvent {
    ListeningEvent { kind, decision, shelf: None, card, ms_played: ms, at }
}

fn import(ranker: &mut Ranker, card: CardHandle, ms: u32, at: Timestamp) {
    ranker.observe(&event(EventKind::Finish, None, card, Some(ms), at), day(60)).unwrap();
}

/// Two listeners on the same pages, ranked before anything is heard, so that log and features are the same.
fn twins(seed: u64) -> ([Ranker; 2], Vec<DecisionId>) {
    let mut decisions = Vec::new();
    let twins = [(); 2].map(|()| {
        let mut ranker = ranker(seed).unwrap();
        let page = page(&mut ranker).unwrap();
        decisions = (0..4).map(|i| ranker.rank(&page, day(60).plus_ms(i - 9)).unwrap().id).collect();
        ranker
    });
    (twins, decisions)
}

/// One step of a random visit: what happens, to which card, on which page, after how many seconds.
type Step = (u8, usize, usize, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // At most 24 minutes: no window passes within a visit.
    prop::collection::vec((0u8..8, 0usize..60, 0usize..4, 1i64..40), 1..36)
}

/// The event of a step. Most cards are those of [`ARTIST`] and their neighbours, so that they meet on the same shelf.
fn of_step(ranker: &Ranker, decisions: &[DecisionId], step: Step, at: Timestamp) -> ListeningEvent {
    let (kind, number, page, _) = step;
    let number = if number < 30 { [3, 20, 37, 54, 4, 2, 1, 21][number % 8] } else { number };
    let card = card(ranker, number);
    let (kind, ms) = match kind {
        0 => (EventKind::Impression, None),
        1 => (EventKind::Play, Some(45_000)),
        2 => (EventKind::Skip, Some(4_000)),
        3 => (EventKind::Finish, Some(90_000)),
        4 => (EventKind::Like, None),
        5 => (EventKind::Follow, None),
        6 => (EventKind::Play, None),
        _ => (EventKind::Progress, Some(35_000)),
    };
    event(kind, (number % 5 != 0).then_some(decisions[page]), card, ms, at)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: RngSeed::Fixed(3), failure_persistence: None, ..ProptestConfig::default() })]

    /// Exclude first and hear everything, or hear everything and exclude somewhere on the way: the same bytes.
    #[test]
    fn excluding_late_equals_excluding_early(
        steps in steps(), when in 0usize..36, saved in any::<bool>(), past in prop::collection::vec((0usize..60, 0u32..90_000, 0i64..50), 0..20),
    ) {
        let ([mut late, mut early], decisions) = twins(1);
        exclude(&mut early, ARTIST);
        for (number, ms, at) in past {
            for ranker in [&mut late, &mut early] {
                let card = card(ranker, number);
                import(ranker, card, ms, day(at));
            }
        }
        let mut at = day(60);
        for (place, step) in steps.iter().enumerate() {
            if place == when {
                exclude(&mut late, ARTIST);
            }
            at = at.plus_ms(step.3 * SECOND_MS);
            for ranker in [&mut late, &mut early] {
                ranker.observe(&of_step(ranker, &decisions, *step, at), at).unwrap();
            }
        }
        for ranker in [&mut late, &mut early] {
            ranker.end_session(at.plus_ms(MINUTE_MS));
        }
        if when >= steps.len() {
            if saved {
                for old in [&mut late, &mut early] {
                    let mut new = ranker(1).unwrap();
                    page(&mut new).unwrap();
                    new.restore(&old.snapshot()).unwrap();
                    *old = new;
                }
            }
            exclude(&mut late, ARTIST);
        }
        // A decision without any outcome left is over as soon as anyone asks.
        for ranker in [&mut late, &mut early] {
            ranker.settle(at.plus_ms(90 * MINUTE_MS));
        }
        prop_assert!(late.snapshot() == early.snapshot());
    }

    /// The state after excluding is the one that the history without the artist makes, fed to a listener who never heard it.
    #[test]
    fn excluding_equals_never_having_heard(
        steps in steps(), past in prop::collection::vec((0usize..60, 0u32..90_000, 0i64..50), 0..40),
    ) {
        let ([mut heard, mut never], decisions) = twins(2);
        for (number, ms, at) in past {
            let card = card(&heard, number);
            import(&mut heard, card, ms, day(at));
            if !by_artist(&never, card) {
                import(&mut never, card, ms, day(at));
            }
        }
        let mut at = day(60);
        for step in steps {
            at = at.plus_ms(step.3 * SECOND_MS);
            // A play that starts ends another one, whoever it is by: whole plays only.
            let step = if step.0 >= 6 { (1, step.1, step.2, step.3) } else { step };
            let event = of_step(&heard, &decisions, step, at);
            if event.kind == EventKind::Impression && by_artist(&heard, event.card) {
                continue;
            }
            heard.observe(&event, at).unwrap();
            if !by_artist(&never, event.card) {
                never.observe(&event, at).unwrap();
            }
        }
        let neutral = card(&heard, 10);
        for ranker in [&mut heard, &mut never] {
            ranker.observe(&event(EventKind::Like, None, neutral, None, at), at).unwrap();
            ranker.end_session(at.plus_ms(MINUTE_MS));
            exclude(ranker, ARTIST);
            ranker.settle(at.plus_ms(90 * MINUTE_MS));
        }
        prop_assert!(heard.snapshot() == never.snapshot());
    }

    /// A hide or a skip that is undone before anything else happens leaves no trace, now or later.
    #[test]
    fn undoing_equals_never_having_done(steps in steps(), when in 0usize..36, skip in any::<bool>(), number in 0usize..12, ms in 0u32..60_000) {
        let ([mut undone, mut never], decisions) = twins(3);
        let mut at = day(60);
        for (place, step) in steps.iter().enumerate() {
            at = at.plus_ms(step.3 * SECOND_MS);
            for ranker in [&mut undone, &mut never] {
                ranker.observe(&of_step(ranker, &decisions, *step, at), at).unwrap();
            }
            if place == when {
                at = at.plus_ms(SECOND_MS);
                let before = undone.snapshot();
                let (done, undo) = if skip { (EventKind::Skip, EventKind::Unskip) } else { (EventKind::Hide, EventKind::Unhide) };
                let card = [card(&undone, step.1), card(&undone, number)][usize::from(ms % 2 == 0)];
                undone.observe(&event(done, Some(decisions[number % 4]), card, skip.then_some(ms), at), at).unwrap();
                prop_assert!(undone.snapshot() != before, "it did something");
                undone.observe(&event(undo, None, card, None, at), at.plus_ms(1)).unwrap();
                prop_assert!(undone.snapshot() == before);
            }
        }
        for ranker in [&mut undone, &mut never] {
            ranker.end_session(at.plus_ms(MINUTE_MS));
        }
        prop_assert!(undone.snapshot() == never.snapshot());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]

    /// Over many visits, with features that the app gives, so that no feature holds any history: head, willingness and pages.
    #[test]
    fn the_head_unlearns_over_many_visits(visits in prop::collection::vec(steps(), 1..5), artist in 0usize..17) {
        let column = |name: &str| Column::new(name, Source::Given);
        let bundle = || {
            let columns = vec![column("a"), column("b")];
            Bundle::new(BundleSettings { columns: Some(columns), ..BundleSettings::default() }).unwrap()
        };
        let [mut heard, mut never] = [(); 2].map(|()| Ranker::seeded(bundle(), Seed::from_number(5)).unwrap());
        page(&mut heard).unwrap();
        page(&mut never).unwrap();
        let name = format!("Artist {artist}");
        let mut builder = Page::builder(Visible::default());
        let mut features = Vec::new();
        for s in 0..6 {
            builder.shelf(heard.catalogue_mut().register_shelf(&format!("shelf-{s}"), ["popular", "fresh"][s % 2], "").unwrap(), false);
            never.catalogue_mut().register_shelf(&format!("shelf-{s}"), ["popular", "fresh"][s % 2], "").unwrap();
            for c in 0..10 {
                builder.card(card(&heard, 10 * s + c), false);
                features.extend([(c as f32 * 0.37).fract(), (s as f32 * 0.61).fract()]);
            }
        }
        let page = builder.features(2, features).build().unwrap();
        let mut now = day(10);
        for steps in visits {
            now = now.plus_ms(9 * 60 * MINUTE_MS);
            let decision = [heard.rank(&page, now).unwrap().id; 4];
            prop_assert_eq!(never.rank(&page, now).unwrap().id, decision[0]);
            let mut at = now;
            // The app says what is visible: nothing is assumed.
            let neutral = (0..60).map(|number| card(&heard, number)).find(|c| heard.catalogue().card(*c).artist != name).unwrap();
            let first = event(EventKind::Impression, Some(decision[0]), neutral, None, at);
            let events: Vec<ListeningEvent> = steps
                .into_iter()
                .map(|step| {
                    at = at.plus_ms(step.3 * SECOND_MS);
                    let step = if step.0 >= 6 { (0, step.1, step.2, step.3) } else { step };
                    of_step(&heard, &decision, step, at)
                })
                .collect();
            for event in std::iter::once(&first).chain(&events) {
                heard.observe(event, event.at).unwrap();
                if never.catalogue().card(event.card).artist != name {
                    never.observe(event, event.at).unwrap();
                }
            }
            heard.end_session(at.plus_ms(MINUTE_MS));
            never.end_session(at.plus_ms(MINUTE_MS));
        }
        exclude(&mut heard, &name);
        let bits = |ranker: &Ranker| ranker.weights().iter().map(|w| w.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&heard), bits(&never));
        prop_assert_eq!(heard.summary().updates, never.summary().updates);
        let later = now.plus_ms(9 * 60 * MINUTE_MS);
        prop_assert_eq!(heard.rank(&page, later).unwrap(), never.rank(&page, later).unwrap());
    }
}

/// Imports of the listener whose artist is taken back in the tests below.
fn plays(ranker: &mut Ranker, without: Option<&str>) {
    for i in 0..200usize {
        let card = card(ranker, i * 7);
        if without != Some(ranker.catalogue().card(card).artist.as_str()) {
            import(ranker, card, if i % 5 == 0 { 9_000 } else { 60_000 + i as u32 }, day((i as i64 * 13) % 50));
        }
    }
}

#[test]
fn hiding_alone_would_not_pass() {
    let ([mut hidden, mut never], _) = twins(4);
    plays(&mut hidden, None);
    plays(&mut never, Some(ARTIST));
    let of_artist: Vec<CardHandle> = (0..60).map(|n| card(&hidden, n)).filter(|c| by_artist(&hidden, *c)).collect();
    assert_eq!(of_artist.len(), 4);
    for ranker in [&mut hidden, &mut never] {
        for card in &of_artist {
            ranker.observe(&event(EventKind::Hide, None, *card, None, day(60)), day(60)).unwrap();
        }
    }
    let next = |ranker: &mut Ranker| {
        let page = page(ranker).unwrap();
        ranker.rank(&page, day(60)).unwrap()
    };
    assert!(hidden.snapshot() != never.snapshot(), "what the plays did to totals and taste is still there");
    assert_ne!(next(&mut hidden), next(&mut never));
    assert_eq!(exclude(&mut hidden, ARTIST), 13);
    assert_eq!(exclude(&mut never, ARTIST), 0);
    assert!(hidden.snapshot() != never.snapshot(), "the pages that were ranked meanwhile differ");
    assert_eq!(next(&mut hidden), next(&mut never), "and what follows is the same; hides stay");
}

#[test]
fn unlearning_needs_no_registered_cards() {
    let ([mut here, _], _) = twins(5);
    plays(&mut here, None);
    let bytes = here.snapshot();
    let mut elsewhere = ranker(5).unwrap();
    assert_eq!(elsewhere.restore(&bytes).unwrap(), Restored::Whole);
    assert_eq!(exclude(&mut here, ARTIST), exclude(&mut elsewhere, ARTIST));
    let next = |ranker: &mut Ranker| {
        let page = page(ranker).unwrap();
        let ranked = ranker.rank(&page, day(60)).unwrap();
        let ids: Vec<String> = ranked.cards.iter().map(|c| ranker.catalogue().card(c.card).id.clone()).collect();
        let bits: Vec<(u64, u64)> = ranked.cards.iter().map(|c| (c.propensity.to_bits(), c.score.to_bits())).collect();
        (ranked.id, ids, bits)
    };
    assert_eq!(next(&mut here), next(&mut elsewhere));
}

#[test]
fn an_excluded_artist_is_ranked_without_what_was_played_and_comes_back_new() {
    let ([mut ranker, _], _) = twins(6);
    let cards = page(&mut ranker).unwrap();
    plays(&mut ranker, None);
    assert!(exclude(&mut ranker, ARTIST) > 0);
    assert_eq!(ranker.excluded().collect::<Vec<_>>(), [Exclusion::Artist(ARTIST.into())]);
    let theirs = card(&ranker, 3);
    let kept = ranker.summary().events;
    import(&mut ranker, theirs, 60_000, day(55));
    assert_eq!(ranker.summary().events, kept, "later plays are not used either");
    let ranked = ranker.rank(&cards, day(60)).unwrap();
    assert!(ranked.cards.iter().any(|c| c.card == theirs), "it is still ranked");
    let explanation = ranker.explain(ranked.id).unwrap();
    let about =
        explanation.shelves.iter().flat_map(|s| &s.cards).find(|c| c.id == "card-3" && !c.contributions.is_empty()).unwrap();
    for played in ["artist_affinity", "card_affinity", "recency"] {
        assert!(about.contributions.iter().all(|c| c.feature != played), "{played}");
    }
    let bytes = ranker.snapshot();
    assert!(ranker.include(&Exclusion::Artist(ARTIST.into())));
    assert!(!ranker.include(&Exclusion::Artist(ARTIST.into())));
    import(&mut ranker, theirs, 60_000, day(55));
    assert_eq!(ranker.summary().events, kept + 1);
    ranker.restore(&bytes).unwrap();
    assert_eq!(ranker.excluded().count(), 1, "the choice outlives the visit");
    ranker.reset();
    assert_eq!(ranker.excluded().count(), 0);
    assert_eq!(ranker.exclude(&Exclusion::Artist(String::new())).unwrap_err().code(), "bad_exclusion");
}

#[test]
fn one_play_is_taken_back_and_the_next_one_counts() {
    let ([mut once, mut never], decisions) = twins(7);
    plays(&mut once, None);
    plays(&mut never, None);
    let kids = card(&once, 20);
    let (start, end) = (day(59).plus_ms(MINUTE_MS), day(59).plus_ms(4 * MINUTE_MS));
    for (kind, ms, at) in
        [(EventKind::Impression, None, start), (EventKind::Play, None, start), (EventKind::Finish, Some(180_000), end)]
    {
        once.observe(&event(kind, Some(decisions[1]), kids, ms, at), at).unwrap();
        // The other one's page was on as long, and nothing was played from it.
        let beside = event(EventKind::Impression, Some(decisions[2]), kids, None, at);
        once.observe(&beside, at).unwrap();
        never.observe(&beside, at).unwrap();
    }
    let viewport = card(&once, 1);
    for ranker in [&mut once, &mut never] {
        ranker.observe(&event(EventKind::Impression, Some(decisions[1]), viewport, None, start), end).unwrap();
    }
    assert!(once.snapshot() != never.snapshot());
    let play = Exclusion::Play(kids, start.plus_ms(MINUTE_MS));
    assert_eq!(once.exclude(&play).unwrap(), 1);
    // The card was seen on that page, which is no listening: it counts as that and no more.
    never.observe(&event(EventKind::Impression, None, kids, None, start), end).unwrap();
    let facts = |ranker: &Ranker| (ranker.summary(), ranker.weights().to_vec());
    assert_eq!(facts(&once), facts(&never));
    let next = |ranker: &mut Ranker| {
        let page = page(ranker).unwrap();
        ranker.rank(&page, day(60)).unwrap()
    };
    assert_eq!(next(&mut once), next(&mut never));
    assert_eq!(once.exclude(&play).unwrap(), 0, "it is gone");
    import(&mut once, kids, 60_000, day(59).plus_ms(10 * MINUTE_MS));
    assert_eq!(once.excluded().count(), 0, "one play is no standing wish");
}

#[test]
fn a_hide_can_be_undone_long_after_and_brings_the_like_back() {
    let ([mut undone, mut never], decisions) = twins(8);
    let liked = card(&undone, 2);
    for ranker in [&mut undone, &mut never] {
        for kind in [EventKind::Impression, EventKind::Like] {
            ranker.observe(&event(kind, None, liked, None, day(59)), day(59)).unwrap();
        }
    }
    undone.observe(&event(EventKind::Hide, Some(decisions[0]), liked, None, day(59)), day(59)).unwrap();
    let bytes = undone.snapshot();
    undone.restore(&bytes).unwrap();
    for ranker in [&mut undone, &mut never] {
        let other = card(ranker, 9);
        ranker.observe(&event(EventKind::Finish, None, other, Some(50_000), day(60)), day(60)).unwrap();
    }
    assert!(undone.snapshot() != never.snapshot());
    undone.observe(&event(EventKind::Unhide, None, liked, None, day(60)), day(60)).unwrap();
    undone.settle(day(61));
    never.settle(day(61));
    let page = |ranker: &mut Ranker| {
        let page = page(ranker).unwrap();
        ranker.rank(&page, day(61)).unwrap()
    };
    assert_eq!(page(&mut undone), page(&mut never));
}

fn private_visit(ranker: &mut Ranker, cards: &Page, now: Timestamp) -> RankedPage {
    ranker.set_private(true, now);
    let ranked = ranker.rank(cards, now).unwrap();
    let card = ranked.cards[0].card;
    for kind in [EventKind::Impression, EventKind::Play, EventKind::Progress, EventKind::Like, EventKind::Hide, EventKind::Unhide]
    {
        let ms = (kind == EventKind::Progress).then_some(40_000);
        ranker.observe(&event(kind, Some(ranked.id), card, ms, now), now).unwrap();
    }
    ranked
}

#[test]
fn private_listening_leaves_nothing() {
    let ([mut ranker, mut other], _) = twins(9);
    let cards = page(&mut ranker).unwrap();
    for ranker in [&mut ranker, &mut other] {
        plays(ranker, None);
        ranker.end_session(day(60));
    }
    let before = ranker.snapshot();
    let ranked = private_visit(&mut ranker, &cards, day(60));
    assert!(ranker.is_private() && ranked.randomized && !ranked.probe);
    assert!(ranker.explain(ranked.id).is_ok(), "a page can be explained while it is shown");
    ranker.settle(day(60).plus_ms(40 * MINUTE_MS));
    ranker.end_session(day(60).plus_ms(41 * MINUTE_MS));
    assert!(ranker.snapshot() == before);
    let left = day(60).plus_ms(50 * MINUTE_MS);
    ranker.set_private(false, left);
    assert!(ranker.snapshot() == before);
    // What arrives late: about the private page, about a private time, the end of a play that began then.
    let later = left.plus_ms(MINUTE_MS);
    let card = ranked.cards[0].card;
    for event in [
        event(EventKind::Finish, Some(ranked.id), card, Some(30_000), later),
        event(EventKind::Like, None, card, None, left.plus_ms(-1)),
        event(EventKind::Finish, None, card, Some(90_000), later),
        event(EventKind::Finish, None, card, None, later),
    ] {
        ranker.observe(&event, later).unwrap();
    }
    assert!(ranker.snapshot() == before);
    assert_eq!(ranker.explain(ranked.id).unwrap_err().code(), "unknown_decision");
    // Another process knows the private page by its name alone.
    let mut reloaded = super::scenario::ranker(9).unwrap();
    page(&mut reloaded).unwrap();
    reloaded.restore(&before).unwrap();
    reloaded.observe(&event(EventKind::Finish, Some(ranked.id), card, Some(90_000), later), later).unwrap();
    assert!(reloaded.snapshot() == before);
    // What comes after is as it would have been.
    let now = day(61);
    assert_eq!(ranker.rank(&cards, now).unwrap(), other.rank(&cards, now).unwrap());
    ranker.observe(&event(EventKind::Finish, None, card, Some(30_000), now), now).unwrap();
    assert!(ranker.snapshot() != before);
}

#[test]
fn private_listening_starts_by_ending_the_visit() {
    let ([mut ranker, _], decisions) = twins(10);
    let card = card(&ranker, 1);
    let now = day(59).plus_ms(MINUTE_MS);
    ranker.observe(&event(EventKind::Play, Some(decisions[0]), card, None, now), now).unwrap();
    ranker.set_private(true, now.plus_ms(2 * MINUTE_MS));
    assert_eq!(ranker.summary().events, 1, "the play counts up to here");
    assert_eq!(ranker.summary().pending, 0);
}

#[test]
fn pages_that_nobody_sees_change_nothing_of_the_visit() {
    let ([mut ranker, mut other], decisions) = twins(10);
    let cards = page(&mut ranker).unwrap();
    let started = card(&ranker, 1);
    let now = day(59).plus_ms(MINUTE_MS);
    for ranker in [&mut ranker, &mut other] {
        ranker.observe(&event(EventKind::Play, Some(decisions[0]), started, None, now), now).unwrap();
    }
    let (pending, before) = (ranker.summary().pending, ranker.snapshot());
    assert!(pending > 0);
    ranker.set_unseen(true);
    let unseen = ranker.rank(&cards, now).unwrap();
    ranker.set_unseen(false);
    assert!(unseen.randomized && !unseen.probe && !ranker.is_private());
    assert_eq!(ranker.explain(unseen.id).unwrap_err().code(), "unknown_decision");
    assert_eq!(ranker.summary().pending, pending);
    assert!(ranker.snapshot() == before);
    // The play under way ends as it would have, and the next page is the same.
    let end = now.plus_ms(2 * MINUTE_MS);
    for ranker in [&mut ranker, &mut other] {
        ranker.observe(&event(EventKind::Finish, Some(decisions[0]), started, Some(100_000), end), end).unwrap();
    }
    assert!(ranker.snapshot() == other.snapshot());
    assert_eq!(ranker.rank(&cards, end).unwrap(), other.rank(&cards, end).unwrap());
    // Private listening stays what it is.
    ranker.set_private(true, end);
    ranker.set_unseen(true);
    ranker.set_unseen(false);
    assert!(ranker.is_private());
}

#[test]
fn no_probe_starts_or_ends_while_listening_privately() {
    let mut ranker = ranker(11).unwrap();
    let cards = page(&mut ranker).unwrap();
    ranker.set_consent(Consent { personalize: true, contribute: true });
    ranker.set_manifest(manifest().unwrap());
    ranker.start_ledger(day(0));
    let mut probed = false;
    for visit in 1..90 {
        let now = day(visit);
        let before = ranker.ledger();
        let private = private_visit(&mut ranker, &cards, now);
        assert!(!private.probe);
        assert_eq!(ranker.ledger(), before, "not even the coin is tossed");
        assert_eq!(ranker.debit(now).unwrap(), None);
        ranker.set_private(false, now.plus_ms(1));
        probed |= ranker.rank(&cards, now.plus_ms(2)).unwrap().probe;
        if ranker.contribution(now.plus_ms(90 * MINUTE_MS)).state == ContributionState::Ready {
            let over = now.plus_ms(90 * MINUTE_MS);
            ranker.set_private(true, over);
            assert_eq!(ranker.debit(over).unwrap(), None);
            ranker.set_private(false, over.plus_ms(1));
            assert!(ranker.debit(over.plus_ms(1)).unwrap().is_some());
            ranker.make_record().unwrap();
        }
    }
    assert!(probed);
}
