//! The edges of coin, ledger, randomiser and record, value by value: a change of any rule by one turns one of these red.

use sha2::{Digest, Sha256};

use super::coin::{MAX_DELAY_MS, MIN_DELAY_MS};
use super::manifest::tests::settings;
use super::{
    Action, Answer, Arm, Coin, Epsilon, FIRST_EPOCH, Ledger, Manifest, Place, Private, Probe, ProbeKind, ProbeRecord, Question,
    Refusal, epoch_of, epoch_start, release,
};
use crate::clock::{DAY_MS, HOUR_MS, Timestamp, WEEK_MS};
use crate::error::Error;
use crate::random::Entropy;

/// Bytes in the order given, then an error.
struct Given(Vec<u8>);

impl Entropy for Given {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        if self.0.len() < bytes.len() {
            return crate::random::NoEntropy.fill(bytes);
        }
        bytes.copy_from_slice(&self.0[..bytes.len()]);
        self.0.drain(..bytes.len());
        Ok(())
    }
}

fn words(words: &[u32]) -> Given {
    Given(words.iter().flat_map(|word| word.to_be_bytes()).collect())
}

fn epsilon(index: u8) -> Epsilon {
    Epsilon::from_index(index).unwrap()
}

/// A card probe with two questions, a vote and a shelf probe.
fn manifest() -> Manifest {
    let mut settings = settings();
    settings.probes[0].kind = ProbeKind::Card { shelf: "popular".into(), place: Place { shelf_position: 3, card_position: 5 } };
    settings.probes[0].questions = vec![Question::Played30s, Question::HowLong];
    let vote = |name: &str, weight| Arm {
        weight,
        action: Action::Vote(
            super::Candidate { name: name.into(), ..super::Candidate::default() },
            super::Block::Cards(name.into()),
        ),
    };
    settings.probes.push(Probe {
        kind: ProbeKind::Vote { clip: 0.2 },
        questions: vec![Question::Vote],
        arms: vec![vote("x", 30_000), vote("y", 35_536)],
    });
    let shelf = |name: &str| Arm { weight: 32_768, action: Action::Shelf(name.into()) };
    settings.probes.push(Probe {
        kind: ProbeKind::Shelf { position: 7 },
        questions: vec![Question::Played30s],
        arms: vec![shelf("s"), shelf("t")],
    });
    Manifest::new(b"edges", settings).unwrap()
}

fn coin(slot: u8, arm: u16, question: u8) -> Coin {
    Coin { epoch: 41, manifest: manifest().id().0, due_at: epoch_start(41), slot, arm, question, delay_ms: MIN_DELAY_MS }
}

fn day(day: i64) -> Timestamp {
    FIRST_EPOCH.plus_ms(40 * WEEK_MS + day * DAY_MS)
}

/// A ledger that has room from day 0 on.
fn roomy() -> Ledger {
    Ledger::start(day(-28))
}

fn pay(ledger: &mut Ledger, index: u8, at: Timestamp) -> Result<(), &'static str> {
    ledger.debit(epsilon(index), epoch_of(at).unwrap(), at, at).map(drop).map_err(|error| error.code())
}

/// The record of an answer at epsilon 1, with these random words.
fn record(answer: Answer, coin: &Coin, random: &[u32]) -> Result<ProbeRecord, Error> {
    let permit = roomy().debit(epsilon(2), 40, day(0), day(0)).unwrap();
    release(Private::new(answer), permit, &manifest(), coin, &mut words(random))
}

fn symbol(answer: Answer, coin: &Coin, random: &[u32]) -> u8 {
    ProbeRecord::describe(&record(answer, coin, random).unwrap().bytes()).unwrap().symbol
}

#[test]
fn every_byte_of_the_coin_has_its_use() {
    assert_eq!((MIN_DELAY_MS, MAX_DELAY_MS), (24 * 3_600_000, 72 * 3_600_000));
    let toss = |bytes: [u8; 16]| Coin::toss(&manifest(), 41, &mut Given(bytes.to_vec())).unwrap();
    // Hour 0x0203 = 515 = 3 x 168 + 11, probe 0x0405 = 1029 = 343 x 3 + 0, arm word 0x9c41 = 40001, question 0x0301 = 769, odd.
    let delay: u64 = 0x0a0b_0c0d_0e0f_1011;
    let mut bytes = [0x02, 0x03, 0x04, 0x05, 0x9c, 0x41, 0x03, 0x01, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[8..].copy_from_slice(&delay.to_be_bytes());
    let drawn = toss(bytes);
    assert_eq!(drawn.epoch, 41);
    assert_eq!(drawn.manifest, manifest().id().0);
    assert_eq!(drawn.due_at, epoch_start(41).plus_ms(11 * HOUR_MS));
    assert_eq!((drawn.slot, drawn.arm, drawn.question), (0, 2, 1));
    assert_eq!(drawn.delay_ms, MIN_DELAY_MS + (delay % (48 * 3_600_000)) as i64);
    // The next probe, its second arm by the last word below the first weight and the first above, its only question.
    for (word, arm) in [(29_999u16, 0), (30_000, 1)] {
        bytes[3] = 0x06;
        bytes[4..6].copy_from_slice(&word.to_be_bytes());
        let drawn = toss(bytes);
        assert_eq!((drawn.slot, drawn.arm, drawn.question), (1, arm, 0));
    }
    let short = Coin::toss(&manifest(), 41, &mut Given(vec![0; 15]));
    assert_eq!(short.unwrap_err().code(), "no_entropy");
}

#[test]
fn a_coin_fits_its_manifest_up_to_the_last_of_everything() {
    let other = Manifest::new(b"other", settings()).unwrap();
    for (slot, arm, question, fits) in [
        (0, 2, 1, true),
        (0, 3, 1, false),
        (0, 2, 2, false),
        (1, 1, 0, true),
        (1, 2, 0, false),
        (1, 1, 1, false),
        (3, 0, 0, false),
    ] {
        let coin = coin(slot, arm, question);
        assert_eq!(coin.fits(&manifest()), fits, "{slot} {arm} {question}");
        assert_eq!(coin.drawn(&manifest()).is_some(), fits);
        assert_eq!(coin.question_of(&manifest()).is_some(), fits);
        assert!(!coin.fits(&other));
    }
    assert_eq!(coin(0, 0, 1).question_of(&manifest()), Some(Question::HowLong));
    assert_eq!(coin(1, 0, 0).question_of(&manifest()), Some(Question::Vote));
    assert_eq!(coin(0, 1, 0).drawn(&manifest()).unwrap().1, &Action::Card("b".into()));
}

#[test]
fn a_ledger_with_everything_in_it_comes_back_from_its_bytes() {
    let mut ledger = roomy();
    pay(&mut ledger, 1, day(0)).unwrap();
    pay(&mut ledger, 2, day(9)).unwrap();
    ledger.set_probed(41);
    ledger.set_coin(Coin { slot: 2, arm: 1, question: 0, delay_ms: MIN_DELAY_MS + 5, ..coin(0, 0, 0) });
    let back = Ledger::from_bytes(&ledger.to_bytes()).unwrap();
    assert_eq!(back, ledger);
    assert_eq!(back.coin(), ledger.coin());
    assert_eq!((back.probed(), back.coin().map(|coin| coin.slot)), (Some(41), Some(2)));
    assert_eq!(back.budget(day(9)).ever, [0, 1, 1]);
    assert!(back.has_paid(40) && back.has_paid(41) && !back.has_paid(42));
    assert!(!roomy().has_paid(0));
}

/// The bytes of a ledger as the first format had them: without the counts at the end of its whole numbers. `change` may alter them
/// before they are sealed.
fn in_format_1(ledger: &Ledger, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = ledger.to_bytes();
    // Checksum of 8, no texts, no fractions, three counts below 128.
    bytes.truncate(bytes.len() - 8 - 2 - 3);
    bytes[6] = 1;
    bytes[8] -= 3;
    bytes.extend([0, 0]);
    change(&mut bytes);
    let checksum = Sha256::digest(&bytes);
    bytes.extend(&checksum[..8]);
    bytes
}

#[test]
fn a_ledger_of_the_first_format_counts_its_debits_but_not_what_it_started_with() {
    let mut ledger = roomy();
    for (index, at) in [(0, 0), (2, 7), (1, 14), (2, 21)] {
        pay(&mut ledger, index, day(at)).unwrap();
    }
    let back = Ledger::from_bytes(&in_format_1(&ledger, |_| ())).unwrap();
    assert_eq!(back.budget(day(21)).ever, [1, 1, 2]);
    assert_eq!(back, ledger);
    // An amount that no epsilon has counts as the largest: 250 thousandths, 0xfa 0x01, become 251.
    let odd = in_format_1(&ledger, |bytes| {
        let at = bytes.windows(2).position(|pair| pair == [0xfa, 0x01]).unwrap();
        bytes[at] = 0xfb;
    });
    assert_eq!(Ledger::from_bytes(&odd).unwrap().budget(day(21)).ever, [0, 1, 3]);
}

#[test]
fn spending_counts_for_28_days_to_the_millisecond() {
    let mut ledger = roomy();
    assert_eq!(ledger.allows(epsilon(2), day(0).plus_ms(-1)), Err(Refusal::Period));
    assert_eq!(ledger.allows(epsilon(0), day(0).plus_ms(-1)), Err(Refusal::Period));
    assert_eq!(ledger.allows(epsilon(2), day(0)), Ok(40));
    for week in 0..4 {
        pay(&mut ledger, 2, day(7 * week)).unwrap();
    }
    // The fifth falls into a week of its own only once the first is 28 days old.
    let mut late = roomy();
    for at in [6, 7, 14, 21] {
        pay(&mut late, 2, day(at)).unwrap();
    }
    assert_eq!(late.allows(epsilon(0), day(34).plus_ms(-1)), Err(Refusal::Period));
    assert_eq!(late.allows(epsilon(2), day(34)), Ok(44));
    assert_eq!(ledger.allows(epsilon(2), day(28)), Ok(44));
    // Three and a half spent: a half fits, and not a thousandth more.
    let mut mixed = roomy();
    for (index, at) in [(2, 0), (2, 7), (1, 14), (2, 21)] {
        pay(&mut mixed, index, day(at)).unwrap();
    }
    assert_eq!(mixed.allows(epsilon(1), day(27)), Err(Refusal::Week));
    assert_eq!(mixed.budget(day(27)).left, 0.5);
}

#[test]
fn a_budget_says_what_is_spent_and_when_there_is_room() {
    let mut ledger = roomy();
    for (index, at) in [(2, 2), (1, 7), (0, 14)] {
        pay(&mut ledger, index, day(at)).unwrap();
    }
    let budget = ledger.budget(day(15));
    assert_eq!((budget.spent, budget.left, budget.records), (1.75, 2.25, 3));
    // Four were spent when it started, which is this year too.
    assert_eq!((budget.spent_year, budget.left_year), (5.75, 46.25));
    assert_eq!(budget.ever, [1, 1, 1]);
    // One a week.
    assert_eq!(budget.next_at, epoch_start(43));
    // Later in a week without a record there is room at once.
    assert_eq!(ledger.budget(day(22)).next_at, day(22));
    pay(&mut ledger, 2, day(22)).unwrap();
    // 2.75 spent: at most 3 leave room for one of 1.
    assert_eq!(ledger.budget(day(23)).next_at, epoch_start(44));
    pay(&mut ledger, 2, day(29)).unwrap();
    assert_eq!((ledger.budget(day(29)).spent, ledger.budget(day(30)).spent), (3.75, 2.75));
    let mut full = roomy();
    for at in [6, 7, 14, 21] {
        pay(&mut full, 2, day(at)).unwrap();
    }
    assert_eq!(full.budget(day(22)).next_at, day(34));
    assert_eq!((full.budget(day(33)).records, full.budget(day(34)).records), (4, 3));
}

#[test]
fn small_debits_leave_the_window_one_after_the_other() {
    // 3.5 spent in debits of a half and of one: room for one more when the first, a half, is 28 days old.
    let mut ledger = roomy();
    for (index, at) in [(1, 3), (2, 7), (2, 14), (2, 21)] {
        pay(&mut ledger, index, day(at)).unwrap();
    }
    assert_eq!(ledger.budget(day(24)).next_at, day(31));
    // Where the first is smaller than what is missing, the second has to go too.
    let mut slow = roomy();
    for (index, at) in [(0, 6), (2, 7), (2, 14), (2, 21)] {
        pay(&mut slow, index, day(at)).unwrap();
    }
    assert_eq!(slow.budget(day(24)).spent, 3.25);
    assert_eq!(slow.budget(day(24)).next_at, day(34));
}

#[test]
fn a_year_of_consent_begins_anew_on_its_day() {
    let mut ledger = Ledger::start(day(0));
    for week in 4..52 {
        pay(&mut ledger, 2, day(7 * week)).unwrap();
    }
    assert_eq!(ledger.budget(day(364)).spent_year, 52.0);
    assert_eq!(ledger.allows(epsilon(0), day(365).plus_ms(-1)), Err(Refusal::Year));
    assert_eq!(ledger.allows(epsilon(2), day(365)), Ok(40 + 52));
    pay(&mut ledger, 2, day(365)).unwrap();
    // What is spent on the first instant of a year belongs to it.
    assert_eq!(ledger.budget(day(366)).spent_year, 1.0);
    for week in 53..104 {
        pay(&mut ledger, 2, day(7 * week + 1)).unwrap();
    }
    assert_eq!(ledger.budget(day(729)).spent_year, 52.0);
    assert_eq!(ledger.allows(epsilon(0), day(729)), Err(Refusal::Year));
    assert_eq!(ledger.budget(day(730)).spent_year, 0.0);
    assert_eq!(ledger.budget(day(1_095)).left_year, 52.0);
    // Before it began there was no year.
    assert_eq!(Ledger::start(day(0)).budget(day(-3)).spent_year, 4.0);
}

#[test]
fn what_no_longer_counts_is_dropped_after_two_years() {
    let mut ledger = roomy();
    pay(&mut ledger, 2, day(0)).unwrap();
    pay(&mut ledger, 2, day(730)).unwrap();
    // Exactly two years old is kept, what it started with is gone: two debits are left, and two after the next.
    assert_eq!(ledger.budget(day(5)).spent, 2.0);
    // An epoch above 127 takes one byte more than that of day 0.
    let two = ledger.to_bytes().len() + 1;
    let mut later = ledger.clone();
    pay(&mut ledger, 2, day(740)).unwrap();
    assert_eq!((ledger.to_bytes().len(), ledger.budget(day(5)).spent), (two, 2.0));
    pay(&mut later, 2, day(1_460)).unwrap();
    assert_eq!((later.to_bytes().len(), later.budget(day(735)).spent), (two, 2.0));
}

#[test]
fn a_clock_far_ahead_does_not_make_it_forget() {
    // Four probes within 28 days are paid for; then the clock goes three years ahead, and two probes of then come back.
    let mut ledger = roomy();
    for at in [6, 13, 20, 27] {
        pay(&mut ledger, 2, day(at)).unwrap();
    }
    let ahead = day(3 * 365);
    assert!(ledger.debit(epsilon(2), 44, day(34), ahead).is_ok());
    assert_eq!(ledger.debit(epsilon(2), 45, day(35), ahead).unwrap_err().code(), "budget_spent");
}

#[test]
fn a_refusal_says_which_limit() {
    let mut ledger = roomy();
    let message = |ledger: &mut Ledger, week, at| ledger.debit(epsilon(2), week, at, at).unwrap_err().to_string();
    pay(&mut ledger, 2, day(0)).unwrap();
    assert!(message(&mut ledger, 77, day(1)).contains("the limit of the week is reached"));
    let mut fresh = Ledger::start(day(0));
    assert!(message(&mut fresh, 77, day(9)).contains("the limit of the 28 days is reached"));
    let names = [Refusal::Week, Refusal::Period, Refusal::Year, Refusal::ClockBack, Refusal::Calendar].map(Refusal::name);
    assert_eq!(names, ["week", "28 days", "year", "clock", "calendar"]);
    // A clock that stands still is none that goes back.
    assert!(roomy().debit(epsilon(2), 40, day(0), day(-28)).is_ok());
    assert_eq!(ledger.allows(epsilon(2), day(0)), Err(Refusal::Week));
    assert_eq!(ledger.allows(epsilon(2), day(0).plus_ms(-1)), Err(Refusal::ClockBack));
    assert_eq!(pay(&mut roomy(), 2, day(0)), Ok(()));
    assert_eq!(ledger.debit(epsilon(2), 41, day(7), day(0).plus_ms(-1)).unwrap_err().code(), "clock_back");
    assert!(ledger.debit(epsilon(2), 41, day(7), day(7)).is_ok());
    assert_eq!(ledger.allows(epsilon(2), FIRST_EPOCH.plus_ms(5_000 * WEEK_MS)), Err(Refusal::Calendar));
}

#[test]
fn a_permit_carries_its_epsilon_into_the_record() {
    for index in 0..3 {
        let permit = roomy().debit(epsilon(index), 40, day(0), day(0)).unwrap();
        let record =
            release(Private::new(Answer::Symbol(0)), permit, &manifest(), &coin(0, 0, 0), &mut words(&[u32::MAX])).unwrap();
        assert_eq!(ProbeRecord::describe(&record.bytes()).unwrap().epsilon_index, index);
        assert_eq!(epsilon(index).milli(), [250, 500, 1_000][usize::from(index)]);
        assert_eq!(epsilon(index).value(), [0.25, 0.5, 1.0][usize::from(index)]);
    }
    assert!(Epsilon::from_index(3).is_none());
}

#[test]
fn a_record_takes_place_and_chance_from_the_table() {
    let fields = |slot, arm, question| {
        ProbeRecord::describe(&record(Answer::Symbol(0), &coin(slot, arm, question), &[0; 4]).unwrap().bytes()).unwrap()
    };
    let card = fields(0, 1, 1);
    assert_eq!((card.shelf_position, card.card_position, card.propensity_numerator), (3, 5, 40_000));
    assert_eq!((card.version, card.epoch, card.manifest, card.slot, card.arm, card.question), (1, 41, manifest().id(), 0, 1, 1));
    let shelf = fields(2, 1, 0);
    assert_eq!((shelf.shelf_position, shelf.card_position, shelf.propensity_numerator), (7, 0, 32_768));
    let vote = fields(1, 1, 0);
    assert_eq!((vote.shelf_position, vote.card_position, vote.propensity_numerator), (0, 0, 35_536));
    for (slot, arm, question) in [(3, 0, 0), (0, 3, 0), (0, 0, 2)] {
        assert_eq!(record(Answer::Symbol(0), &coin(slot, arm, question), &[0; 4]).unwrap_err().code(), "bad_record");
    }
}

#[test]
fn an_answer_beyond_the_last_counts_as_the_last() {
    // The first word keeps a bit from the threshold on, and a symbol of four below it.
    assert_eq!([0, 1, 2, 200].map(|answer| symbol(Answer::Symbol(answer), &coin(0, 0, 0), &[u32::MAX])), [0, 1, 1, 1]);
    assert_eq!([0, 2, 3, 4, 200].map(|answer| symbol(Answer::Symbol(answer), &coin(0, 0, 1), &[0])), [0, 2, 3, 3, 3]);
    // Of four, the first word keeps below the threshold; what replaces 2 is 0, 1 or 3 by the remainder, and only the last word of all
    // belongs to no whole run of three.
    let four = |random: &[u32]| symbol(Answer::Symbol(2), &coin(0, 0, 1), random);
    assert_eq!([four(&[2_041_685_229]), four(&[2_041_685_230, 0])], [2, 0]);
    assert_eq!([1, 2, 3, 4].map(|word| four(&[u32::MAX, word])), [1, 3, 0, 1]);
    assert_eq!([four(&[u32::MAX, u32::MAX - 1]), four(&[u32::MAX, u32::MAX, 1])], [3, 1]);
    // Two answers take one word; without it there is no record.
    assert_eq!(record(Answer::Symbol(0), &coin(0, 0, 0), &[]).unwrap_err().code(), "no_entropy");
}

#[test]
fn a_vote_draws_its_bit_from_its_chance_first() {
    let vote = coin(1, 0, 0);
    let bit = |chance: u64, word: u32| symbol(Answer::Chance(chance), &vote, &[word, u32::MAX]);
    assert_eq!([bit(7, 6), bit(7, 7), bit(0, 0), bit(1 << 32, u32::MAX)], [1, 0, 0, 1]);
    // The second word flips it.
    assert_eq!(symbol(Answer::Chance(7), &vote, &[6, 0]), 0);
    // A word is taken for the chance whatever the answer is, and for no other question.
    assert_eq!(record(Answer::Chance(7), &vote, &[6]).unwrap_err().code(), "no_entropy");
    assert_eq!(record(Answer::Symbol(1), &vote, &[6]).unwrap_err().code(), "no_entropy");
    assert_eq!(symbol(Answer::Symbol(1), &vote, &[6, u32::MAX]), 1);
    // A chance given to another question is drawn against nothing.
    assert_eq!(symbol(Answer::Chance(1), &coin(0, 0, 0), &[u32::MAX]), 1);
}

#[test]
fn every_field_of_a_record_is_checked_by_itself() {
    let good = record(Answer::Symbol(0), &coin(0, 0, 0), &[u32::MAX]).unwrap().bytes();
    assert!(ProbeRecord::describe(&good).is_ok());
    let set = |bits: u32, width: u32, value: u128| {
        let mask = ((1u128 << width) - 1) << bits;
        (u128::from_be_bytes(good) & !mask | value << bits).to_be_bytes()
    };
    let code = |bytes: [u8; 16]| ProbeRecord::describe(&bytes).map_or_else(|error| error.code(), |_| "ok");
    // Symbol: 16 values. Epsilon: 3. Padding and propensity.
    assert_eq!([code(set(25, 6, 15)), code(set(25, 6, 16))], ["ok", "bad_record"]);
    assert_eq!([code(set(31, 3, 2)), code(set(31, 3, 3))], ["ok", "bad_record"]);
    assert_eq!([code(set(34, 16, 1)), code(set(34, 16, 0))], ["ok", "bad_record"]);
    assert_eq!([code(set(0, 25, 0)), code(set(0, 25, 1)), code(set(0, 25, 1 << 24))], ["ok", "bad_record", "bad_record"]);
    assert_eq!([code(set(124, 4, 0)), code(set(124, 4, 2))], ["bad_record", "bad_record"]);
}
