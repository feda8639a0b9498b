//! Every kind of probe: what it does with the page, and what its answer says.

use ears_only::bundle::{Bundle, BundleSettings, PolicyKind, PolicySettings};
use ears_only::clock::{DAY_MS, HOUR_MS, Timestamp};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::math::sigmoid;
use ears_only::page::{CardHandle, Page, ShelfHandle, Visible};
use ears_only::privacy::{
    Action, Arm, Block, Candidate, EPSILONS, Epsilon, Place, Probe, ProbeKind, ProbeRecord, Question, RecordFields, epoch_of,
    epoch_start, randomise,
};
use ears_only::random::{Entropy, Purpose, Seed, SeededEntropy};
use ears_only::ranker::{Consent, ContributionState, Exclusion, RankedPage, Ranker, ShelfSource};

use super::scenario::{day, of_probes, page, ranker};

fn arms(actions: Vec<Action>) -> Vec<Arm> {
    let weight = (65_536 / actions.len()) as u16;
    actions.into_iter().map(|action| Arm { weight, action }).collect()
}

fn contributing(mut ranker: Ranker, probe: Probe) -> (Ranker, Page) {
    let page = page(&mut ranker).unwrap();
    ranker.set_consent(Consent { personalize: true, contribute: true });
    ranker.set_manifest(of_probes(vec![probe]).unwrap());
    ranker.start_ledger(day(0));
    (ranker, page)
}

/// Opens Home every hour until a page carries the probe.
fn probe_page(ranker: &mut Ranker, page: &Page) -> (RankedPage, Timestamp) {
    (0..400)
        .map(|hour| day(28).plus_ms(hour * HOUR_MS))
        .find_map(|now| Some((ranker.rank(page, now).unwrap(), now)).filter(|(ranked, _)| ranked.probe))
        .expect("a probe within the week")
}

fn play(ranker: &mut Ranker, ranked: &RankedPage, shelf: Option<ShelfHandle>, card: CardHandle, ms: u32, at: Timestamp) {
    let decision = Some(ranked.id);
    let event = ListeningEvent { kind: EventKind::Finish, decision, shelf, card, ms_played: Some(ms), at };
    ranker.observe(&event, at).unwrap();
}

fn record(ranker: &mut Ranker, now: Timestamp) -> RecordFields {
    ranker.debit(now).unwrap().unwrap();
    ProbeRecord::describe(&ranker.make_record().unwrap().bytes()).unwrap()
}

/// Id and handle of the shelf in a position.
fn shelf_at(ranker: &mut Ranker, ranked: &RankedPage, position: usize) -> (String, ShelfHandle) {
    let ShelfSource::Page(index) = ranked.shelves[position].source else { panic!("a shelf of the page") };
    let id = format!("shelf-{index}");
    let handle = ranker.catalogue_mut().register_shelf(&id, "", "").unwrap();
    (id, handle)
}

fn shelf_probe() -> Probe {
    let actions = ["shelf-0", "shelf-1", "shelf-3", "shelf-5"].map(|id| Action::Shelf(id.into()));
    Probe { kind: ProbeKind::Shelf { position: 1 }, questions: vec![Question::Played30s], arms: arms(actions.to_vec()) }
}

#[test]
fn a_shelf_probe_puts_the_shelf_in_its_place_and_any_play_on_it_counts() {
    let plays = |which: usize| {
        let (mut ranker, page) = contributing(ranker(31).unwrap(), shelf_probe());
        let (ranked, now) = probe_page(&mut ranker, &page);
        let (id, shelf) = shelf_at(&mut ranker, &ranked, 1);
        assert_eq!(ranked.shelves[1].propensity, 1.0);
        let other = ranked.shelves.iter().enumerate().position(|(at, shelf)| at != 1 && shelf.source != ranked.shelves[1].source);
        match which {
            0 => {}
            // Without the shelf's name it is the first that has the card.
            1 => play(&mut ranker, &ranked, None, ranked.cards[ranked.shelves[1].cards.start + 3].card, 40_000, now),
            2 => play(&mut ranker, &ranked, Some(shelf), ranked.cards[ranked.shelves[1].cards.start].card, 40_000, now),
            3 => play(&mut ranker, &ranked, Some(shelf), ranked.cards[ranked.shelves[1].cards.start].card, 29_000, now),
            _ => {
                let at = ranked.shelves[other.unwrap()].cards.start;
                play(&mut ranker, &ranked, None, ranked.cards[at].card, 40_000, now);
            }
        }
        let fields = record(&mut ranker, now.plus_ms(HOUR_MS));
        assert_eq!(["shelf-0", "shelf-1", "shelf-3", "shelf-5"][usize::from(fields.arm)], id);
        assert_eq!((fields.shelf_position, fields.card_position, fields.propensity_numerator), (1, 0, 16_384));
        fields.symbol
    };
    let silent = plays(0);
    assert_eq!([plays(1), plays(2), plays(3), plays(4)], [1 - silent, 1 - silent, silent, silent]);
}

fn fixed() -> PolicySettings {
    PolicySettings { kind: PolicyKind::Fixed, ..PolicySettings::default() }
}

#[test]
fn a_policy_probe_draws_the_page_of_its_visit_and_no_other() {
    let candidate = |name: &str, policy| Action::Policy(Candidate { name: name.into(), policy, weights: Vec::new() });
    let probe = Probe {
        kind: ProbeKind::Policy,
        questions: vec![Question::Played30s],
        arms: arms(vec![candidate("server", fixed()), candidate("now", PolicySettings::default())]),
    };
    let mut seen = [false; 2];
    for seed in 0..12 {
        let (mut ranker, page) = contributing(ranker(seed).unwrap(), probe.clone());
        let (ranked, now) = probe_page(&mut ranker, &page);
        let of_page = |shelf: &ears_only::ranker::RankedShelf| match shelf.source {
            ShelfSource::Page(index) => Some(index),
            ShelfSource::Local(_) => None,
        };
        let in_order = ranked.shelves.iter().filter_map(of_page).is_sorted();
        let next = ranker.rank(&page, now.plus_ms(1)).unwrap();
        assert!(!next.probe && next.randomized);
        let anything = ranked.cards[ranked.shelves[2].cards.start + 1].card;
        play(&mut ranker, &ranked, None, anything, 40_000, now);
        let fields = record(&mut ranker, now.plus_ms(HOUR_MS));
        seen[usize::from(fields.arm)] = true;
        assert_eq!(in_order && !ranked.randomized, fields.arm == 0, "seed {seed}");
        assert_eq!((fields.shelf_position, fields.card_position), (0, 0));
    }
    assert_eq!(seen, [true; 2]);
}

/// The first page of all, drawn by the arm, and its scores less those of the page without a probe; the arm.
fn moved(probe: &Probe, seed: u64) -> (Vec<f64>, usize) {
    let (mut ranker, page) = contributing(ranker(seed).unwrap(), probe.clone());
    // The last hour of the week: nothing was learned before.
    let now = day(28).plus_ms(167 * HOUR_MS);
    let ranked = ranker.rank(&page, now).unwrap();
    assert!(ranked.probe);
    ranker.set_consent(Consent { personalize: true, contribute: true });
    let arm = usize::from(record(&mut ranker, now.plus_ms(HOUR_MS)).arm);
    let (mut plain, _) = contributing(super::scenario::ranker(seed).unwrap(), probe.clone());
    plain.set_consent(Consent { personalize: true, contribute: false });
    let same = plain.rank(&page, now).unwrap();
    let score = |ranked: &RankedPage, index: usize| ranked.cards.iter().find(|c| c.index == Some(index)).unwrap().score;
    ((0..page.cards().len()).map(|index| score(&ranked, index) - score(&same, index)).collect(), arm)
}

#[test]
fn a_training_probe_moves_the_scores_along_its_direction_or_against_it() {
    let probe = Probe {
        kind: ProbeKind::Training { scale: 0.5 },
        questions: vec![Question::Played30s],
        arms: arms(vec![Action::Perturbed { seed: 9, negative: false }, Action::Perturbed { seed: 9, negative: true }]),
    };
    let mut along = [None, None];
    for seed in 0..12 {
        let (by, arm) = moved(&probe, seed);
        let first = along[arm].get_or_insert_with(|| by.clone());
        assert!(first.iter().zip(&by).all(|(a, b)| (a - b).abs() < 1e-5), "the same for everybody who draws the arm");
    }
    let [Some(along), Some(against)] = along else { panic!("both arms are drawn") };
    assert!(along.iter().zip(&against).all(|(a, b)| (a + b).abs() < 1e-5));
    assert!(along.iter().any(|by| (by - along[0]).abs() > 0.1), "{along:?}");
}

#[test]
fn a_candidate_may_move_single_weights() {
    let candidate = |by: f64| {
        let weights = vec![("bias".to_owned(), by)];
        Action::Policy(Candidate { name: String::new(), policy: PolicySettings::default(), weights })
    };
    let probe = Probe {
        kind: ProbeKind::Policy,
        questions: vec![Question::Played30s],
        arms: arms(vec![candidate(0.5), candidate(-0.25)]),
    };
    for seed in 0..6 {
        let (by, arm) = moved(&probe, seed);
        let want = [0.5, -0.25][arm];
        assert!(by.iter().all(|by| (by - want).abs() < 1e-5), "{by:?}");
    }
}

fn vote_probe(candidates: Vec<(Candidate, Block)>) -> Probe {
    let actions = candidates.into_iter().map(|(candidate, block)| Action::Vote(candidate, block)).collect();
    Probe { kind: ProbeKind::Vote { clip: 0.5 }, questions: vec![Question::Vote], arms: arms(actions) }
}

#[test]
fn a_vote_lasts_from_the_toss_to_the_end_of_the_week_and_changes_no_page() {
    let candidate =
        Candidate { policy: PolicySettings { shelf_temperature: 1.0, ..PolicySettings::default() }, ..Candidate::default() };
    let other = Candidate { name: "other".into(), ..candidate.clone() };
    let probe = vote_probe(vec![(candidate, Block::Shelves), (other, Block::Cards("shelf-0".into()))]);
    let (mut ranker, page) = contributing(ranker(41).unwrap(), probe);
    let first = day(28).plus_ms(HOUR_MS);
    assert_eq!(ranker.contribution(first).state, ContributionState::Scheduled);
    let ranked = ranker.rank(&page, first).unwrap();
    assert!(!ranked.probe, "the page is the one it would have been");
    let (mut plain, _) = contributing(super::scenario::ranker(41).unwrap(), shelf_probe());
    plain.set_consent(Consent { personalize: true, contribute: false });
    assert_eq!(plain.rank(&page, first).unwrap(), ranked);
    let end = epoch_start(epoch_of(first).unwrap() + 1);
    let state = ranker.contribution(first.plus_ms(DAY_MS));
    assert_eq!((state.state, state.ready_at), (ContributionState::Watching, Some(end)));
    assert!(ranker.debit(end.plus_ms(-1)).unwrap().is_none());
    // A page of another day, and the state through a restart.
    ranker.rank(&page, first.plus_ms(2 * DAY_MS)).unwrap();
    let (bytes, ledger) = (ranker.snapshot(), ranker.ledger().unwrap());
    let mut next = super::scenario::ranker(41).unwrap();
    super::scenario::page(&mut next).unwrap();
    next.set_consent(Consent { personalize: true, contribute: true });
    next.set_manifest(ranker.manifest().unwrap().clone());
    next.restore_ledger(&ledger).unwrap();
    next.restore(&bytes).unwrap();
    assert!(next.snapshot() == bytes);
    assert_eq!(next.contribution(end).state, ContributionState::Ready);
    let (a, b) = (record(&mut ranker, end), record(&mut next, end));
    assert_eq!((a.epoch, a.question, a.propensity_numerator), (epoch_of(first).unwrap(), 0, 32_768));
    assert_eq!((a.slot, a.arm), (b.slot, b.arm));
    assert_eq!(ranker.contribution(end).budget.unwrap().ever, [0, 0, 1]);
}

/// Says no to every flip: the symbol is the answer.
struct Honest(SeededEntropy);

impl Entropy for Honest {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ears_only::error::Error> {
        self.0.fill(bytes)
    }
}

/// The chance of a yes, over many flips of one state.
fn yes_share(state: &dyn Fn(u64) -> Ranker, end: Timestamp, count: u64) -> f64 {
    let yes: u64 = (0..count).map(|seed| u64::from(record(&mut state(seed), end).symbol)).sum();
    let epsilon = EPSILONS[2];
    let (p, share) = (sigmoid(epsilon), yes as f64 / count as f64);
    (share - (1.0 - p)) / (2.0 * p - 1.0)
}

#[test]
fn a_vote_says_what_the_prefix_ratio_at_the_topmost_play_says() {
    // The server's order against the policy in force, on the shelves: the ratio at the first place is 0 or 1 / propensity.
    let probe = vote_probe(vec![
        (Candidate { policy: fixed(), ..Candidate::default() }, Block::Shelves),
        (Candidate { name: "again".into(), policy: fixed(), ..Candidate::default() }, Block::Shelves),
    ]);
    let with_flip = |seed: u64| {
        let bundle = Bundle::new(BundleSettings::default()).unwrap();
        let coin = Box::new(SeededEntropy::new(Seed::from_number(5), Purpose::Coin));
        let flip = Box::new(Honest(SeededEntropy::new(Seed::from_number(seed), Purpose::Flip)));
        Ranker::new(bundle, Seed::from_number(5), coin, flip).unwrap()
    };
    let state = |seed: u64, plays: &[usize], excluded: bool| {
        let (mut ranker, page) = contributing(with_flip(seed), probe.clone());
        let now = day(28).plus_ms(HOUR_MS);
        let ranked = ranker.rank(&page, now).unwrap();
        for shelf in plays {
            let card = ranked.cards[ranked.shelves[*shelf].cards.start].card;
            play(&mut ranker, &ranked, None, card, 60_000, now.plus_ms(60_000));
            if excluded {
                ranker.exclude(&Exclusion::Card(card)).unwrap();
            }
        }
        (ranker, page, ranked)
    };
    let end = epoch_start(epoch_of(day(28)).unwrap() + 1);
    let (_, _, ranked) = state(0, &[], false);
    let first = ranked.shelves[0].clone();
    let ratio = if first.source == ShelfSource::Page(0) { 1.0 / first.propensity } else { 0.0 };
    let count = 3_000;
    // Standard error of the debiased share below 0.02; five of them.
    let close = |got: f64, want: f64| assert!((got - want).abs() < 0.1, "{got} against {want}");
    close(yes_share(&|seed| state(seed, &[], false).0, end, count), 0.5);
    close(yes_share(&|seed| state(seed, &[0], false).0, end, count), (ratio - 1.0).clamp(-0.5, 0.5) + 0.5);
    close(yes_share(&|seed| state(seed, &[0, 2], false).0, end, count), (ratio - 1.0).clamp(-0.5, 0.5) + 0.5);
    close(yes_share(&|seed| state(seed, &[0], true).0, end, count), 0.5);
}

#[test]
fn how_long_has_four_answers_each_as_private_as_a_bit() {
    let probe = Probe {
        kind: ProbeKind::Card { shelf: "shelf-0".into(), place: Place { shelf_position: 1, card_position: 2 } },
        questions: vec![Question::HowLong],
        arms: arms((0..4).map(|card| Action::Card(format!("card-{card}"))).collect()),
    };
    // The same flips with another answer give the answer itself wherever the flips keep it.
    let symbol = |ms: Option<u32>, seed: u64| {
        let (mut ranker, page) = contributing(ranker(seed).unwrap(), probe.clone());
        let (ranked, now) = probe_page(&mut ranker, &page);
        let card = ranked.cards[ranked.shelves[1].cards.start + 2].card;
        let whole = ranker.catalogue().card(card).duration_ms.unwrap();
        if let Some(ms) = ms {
            play(&mut ranker, &ranked, None, card, if ms == u32::MAX { whole } else { ms }, now);
        }
        let fields = record(&mut ranker, now.plus_ms(HOUR_MS));
        assert!(fields.symbol < 4);
        fields.symbol
    };
    let mut kept = 0;
    for seed in 60..90 {
        let answers = [None, Some(10_000), Some(40_000), Some(u32::MAX)].map(|ms| symbol(ms, seed));
        kept += u32::from(answers == [0, 1, 2, 3]);
        let entropy = || SeededEntropy::new(Seed::from_number(seed), Purpose::Flip);
        let want = [0, 1, 2, 3].map(|answer| randomise(answer, 4, Epsilon::from_index(2).unwrap(), &mut entropy()).unwrap());
        assert_eq!(answers, want, "seed {seed}");
    }
    assert!((8..=22).contains(&kept), "kept in 48 % of 30: {kept}");
}

#[test]
fn an_arm_that_cannot_be_judged_answers_with_no_lift_and_stays() {
    let candidate = |weights: Vec<(String, f64)>| Candidate { weights, ..Candidate::default() };
    let probe = vote_probe(vec![
        (candidate(vec![("no such column".into(), 1.0)]), Block::Shelves),
        (candidate(vec![("nor this".into(), 1.0)]), Block::Shelves),
    ]);
    let (mut ranker, page) = contributing(ranker(71).unwrap(), probe);
    let now = day(28).plus_ms(HOUR_MS);
    ranker.rank(&page, now).unwrap();
    let end = epoch_start(epoch_of(now).unwrap() + 1);
    assert_eq!(ranker.contribution(now).state, ContributionState::Watching);
    assert!(record(&mut ranker, end).symbol < 2);
}

/// A vote of the first week, then a card probe in the next.
fn two_weeks(pay_late: bool) -> (Vec<RecordFields>, Vec<Timestamp>) {
    let candidate = |name: &str| {
        let policy = PolicySettings { shelf_temperature: 1.0, ..PolicySettings::default() };
        (Candidate { name: name.into(), policy, weights: Vec::new() }, Block::Shelves)
    };
    let (mut ranker, page) = contributing(ranker(91).unwrap(), vote_probe(vec![candidate("a"), candidate("b")]));
    let mut records = Vec::new();
    let mut begun = Vec::new();
    for visit in 0..3 * 14 {
        let now = day(28).plus_ms(visit * 12 * HOUR_MS + HOUR_MS);
        ranker.rank(&page, now).unwrap();
        begun.extend(ranker.contribution(now).due_at);
        // The host pays at once, or only days after.
        if !pay_late || visit % 10 == 9 {
            while ranker.debit(now.plus_ms(60_000)).unwrap().is_some() {
                records.push(ProbeRecord::describe(&ranker.make_record().unwrap().bytes()).unwrap());
            }
        }
    }
    begun.dedup();
    (records, begun)
}

#[test]
fn when_the_host_pays_decides_nothing() {
    let (at_once, coins) = two_weeks(false);
    let (late, same_coins) = two_weeks(true);
    let public = |records: &[RecordFields]| -> Vec<(u16, u8, u16)> {
        records.iter().map(|record| (record.epoch, record.slot, record.arm)).collect()
    };
    assert_eq!(public(&at_once).len(), 2, "the third week is not over");
    assert_eq!((public(&at_once), coins), (public(&late), same_coins));
}

#[test]
fn what_waits_to_be_paid_counts_against_the_budget() {
    let actions = (0..4).map(|card| Action::Card(format!("card-{card}"))).collect();
    let probe = Probe {
        kind: ProbeKind::Card { shelf: "shelf-0".into(), place: Place { shelf_position: 1, card_position: 2 } },
        questions: vec![Question::Played30s],
        arms: arms(actions),
    };
    let (mut ranker, page) = contributing(ranker(92).unwrap(), probe);
    let mut probes: Vec<Timestamp> = Vec::new();
    for hour in 0..24 * 7 * 5 {
        let now = day(28).plus_ms(hour * HOUR_MS);
        if ranker.rank(&page, now).unwrap().probe {
            probes.push(now);
        }
    }
    for (at, probe) in probes.iter().enumerate() {
        let within = probes[..=at].iter().filter(|other| probe.since(**other) < 28 * DAY_MS).count();
        assert!(within <= 4, "{probes:?}");
    }
    assert!(probes.len() >= 4);
    let (state, ledger, now) = (ranker.snapshot(), ranker.ledger().unwrap(), day(28 + 35));
    let mut next = super::scenario::ranker(92).unwrap();
    super::scenario::page(&mut next).unwrap();
    next.set_consent(Consent { personalize: true, contribute: true });
    next.set_manifest(ranker.manifest().unwrap().clone());
    next.restore_ledger(&ledger).unwrap();
    next.restore(&state).unwrap();
    assert!(next.snapshot() == state);
    for ranker in [&mut ranker, &mut next] {
        let mut epochs = Vec::new();
        while ranker.debit(now).unwrap().is_some() {
            epochs.push(ProbeRecord::describe(&ranker.make_record().unwrap().bytes()).unwrap().epoch);
        }
        assert!(epochs.len() >= 4 && epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
    }
}

#[test]
fn scrolling_starts_no_probe_and_a_pause_keeps_the_one_that_runs() {
    let (mut ranker, page) = contributing(ranker(93).unwrap(), shelf_probe());
    let start = day(28).plus_ms(-HOUR_MS);
    let first = ranker.rank(&page, start).unwrap();
    let mut builder = Page::builder(Visible { shelves: 1, cards: 2 }).with_after(Some(first.id));
    builder.shelf(ranker.catalogue_mut().register_shelf("shelf-0", "popular", "").unwrap(), false);
    page.cards()[..4].iter().for_each(|place| {
        builder.card(place.card, false);
    });
    let grown = builder.build().unwrap();
    // The last hour of the week: due, but not for a part that a page grows by.
    let late = day(28).plus_ms(166 * HOUR_MS);
    assert!(!ranker.rank(&grown, late).unwrap().probe);
    ranker.pause_contribution(true);
    assert!(!ranker.rank(&page, late).unwrap().probe, "none starts in a pause");
    ranker.pause_contribution(false);
    assert!(ranker.rank(&page, late).unwrap().probe);
    ranker.pause_contribution(true);
    assert!(ranker.debit(late.plus_ms(HOUR_MS)).unwrap().is_none(), "none is paid for in a pause");
    ranker.pause_contribution(false);
    assert!(ranker.debit(late.plus_ms(HOUR_MS)).unwrap().is_some(), "and none is lost");
    assert!(ranker.make_record().is_ok());
    ranker.drop_probes();
    assert!(ranker.debit(late.plus_ms(2 * HOUR_MS)).unwrap().is_none());
}
