//! A device's weeks through the real ranker, in the order in which the package does things: Home is ranked, then listened to, then what
//! is over is paid for, at once or much later.

use crate::fixture::{ALL_CARDS, arm_card, bundle, page, part, roomy_ledger};
use crate::subject::{EPOCH, Made, Person, Sent, Subject, Words};
use ears_only::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use ears_only::error::Error;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{CardHandle, Page};
use ears_only::privacy::{Coin, Debit, Ledger, Manifest};
use ears_only::random::{Entropy, Seed};
use ears_only::ranker::{Consent, ContributionState, RankedPage, Ranker};
use ears_world::chance::Key;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What two twins have in common, and nothing else.
#[derive(Clone, Debug)]
pub struct Shared<'a> {
    /// The manifest in force.
    pub manifest: &'a Manifest,
    /// When Home is opened.
    pub opens: Vec<Timestamp>,
    /// Seed of the coin's bytes.
    pub coin: u64,
    /// Seed of the flip's bytes.
    pub flip: u64,
}

/// What the ledger says after a visit's pages, and whether one of them carried a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Whether the page, or a part that it grew by, was another for the probe's sake.
    pub probe: bool,
    /// The coin of the week.
    pub coin: Option<Coin>,
    /// The last week in which a probe began.
    pub probed: Option<u16>,
}

/// Everything of a life that must not depend on the listener, but for the symbols.
#[derive(Clone, Debug, Default)]
pub struct Lived {
    /// The records, in the order in which they were made.
    pub sent: Vec<Sent>,
    /// One for each time that Home was opened.
    pub visits: Vec<Visit>,
    /// What was paid, in the end.
    pub debits: Vec<Debit>,
    /// How often this listener did what the other did at other times, or not: see [`DEEDS`].
    pub deeds: [u64; 5],
}

/// What the twins do each at times of their own.
pub const DEEDS: [&str; 5] = ["visits with something unpaid", "parts", "pauses", "debits that were not saved", "restarts"];

/// From opening Home to the end of the last play on it; it is opened again later than that.
pub const LONGEST_VISIT_MS: i64 = 110 * MINUTE_MS;

/// Most probes that run or wait when Home is opened; the core keeps that many, and what it drops was nobody's to pay.
const MAX_WAITING: usize = 4;

/// The history that a person brings: up to 40 events on cards of their own choice, artists excluded, cards hidden.
fn bring_history(ranker: &mut Ranker, cards: &[CardHandle], person: Person, before: Timestamp) -> Result<(), Error> {
    let key = person.key(10);
    for i in 0..key.below(41) as u64 {
        let key = key.with(i);
        let card = cards[key.with(1).below(cards.len())];
        let kind =
            [EventKind::Finish, EventKind::Skip, EventKind::Like, EventKind::Play, EventKind::Follow][key.with(2).below(5)];
        let at = before.plus_ms(-(i as i64 + 1) * 7 * HOUR_MS);
        let ms_played = Some(key.with(3).below(400_000) as u32);
        ranker.observe(&ListeningEvent { kind, decision: None, shelf: None, card, ms_played, at }, before)?;
    }
    for (number, &card) in cards.iter().enumerate() {
        if person.hides(number) {
            let event = ListeningEvent { kind: EventKind::Hide, decision: None, shelf: None, card, ms_played: None, at: before };
            ranker.observe(&event, before)?;
        }
    }
    Ok(())
}

/// What they do with a page: look at it, play what they like for as long as they like, hide now and then. What was played for half a
/// minute, and when they are done.
fn listen(
    ranker: &mut Ranker,
    ranked: &RankedPage,
    person: Person,
    visit: Key,
    now: Timestamp,
) -> Result<(Vec<CardHandle>, Timestamp), Error> {
    let mut played = Vec::new();
    let mut at = now;
    for shelf in ranked.shelves.iter().take(2) {
        for placed in ranked.cards[shelf.cards.clone()].iter().take(4) {
            let card = placed.card;
            at = at.plus_ms(1_000);
            let number = card.index() as usize;
            let key = visit.with(number as u64);
            let mut tell = |kind, ms_played, at| {
                ranker.observe(&ListeningEvent { kind, decision: Some(ranked.id), shelf: None, card, ms_played, at }, at)
            };
            tell(EventKind::Impression, None, at)?;
            if person.likes(number) && key.below(3) == 0 {
                let ms = key.with(1).below(240_000) as u32;
                tell(EventKind::Play, None, at)?;
                at = at.plus_ms(i64::from(ms));
                tell(if ms > 30_000 { EventKind::Finish } else { EventKind::Skip }, Some(ms), at)?;
                if ms >= 30_000 {
                    played.push(card);
                }
            } else if key.with(2).below(40) == 0 {
                tell(EventKind::Hide, None, at)?;
            }
        }
    }
    Ok((played, at))
}

/// Lives through the visits.
///
/// # Errors
/// As the core's: an error ends the life, and the twins with it.
pub fn live(subject: &dyn Subject, shared: &Shared<'_>, person: Person) -> Result<Lived, Error> {
    let (coin, flip) = subject.sources(person, shared.manifest, Words::new(shared.coin), Words::new(shared.flip));
    let (Some(&first), Some(&last)) = (shared.opens.first(), shared.opens.last()) else { return Ok(Lived::default()) };
    let disk = roomy_ledger().to_bytes();
    let device = Device { subject, shared, person, coin: Bytes::of(coin), flip: Bytes::of(flip) };
    let (mut ranker, page) = device.start(&disk, 0)?;
    let cards: Vec<CardHandle> = page.cards().iter().map(|place| place.card).collect();
    bring_history(&mut ranker, &cards, person, first.plus_ms(-DAY_MS))?;
    let mut life = Life { device, ranker, page, disk, lived: Lived::default(), answers: BTreeMap::new(), propensity: 0.0 };
    for (visit, &now) in shared.opens.iter().enumerate() {
        life.visit(visit, now)?;
    }
    life.pay(last.plus_ms(8 * DAY_MS), usize::MAX)?;
    life.lived.debits = Ledger::from_bytes(&life.disk)?.debits().to_vec();
    Ok(life.lived)
}

/// Random bytes that outlive a page.
#[derive(Clone)]
struct Bytes(Rc<RefCell<Box<dyn Entropy>>>);

impl Bytes {
    fn of(source: Box<dyn Entropy>) -> Self {
        Self(Rc::new(RefCell::new(source)))
    }
}

impl Entropy for Bytes {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.borrow_mut().fill(bytes)
    }
}

/// What outlives every page of the app.
struct Device<'a> {
    subject: &'a dyn Subject,
    shared: &'a Shared<'a>,
    person: Person,
    coin: Bytes,
    flip: Bytes,
}

impl Device<'_> {
    /// The app's page is loaded for the `time`-th time.
    fn start(&self, ledger: &[u8], time: u64) -> Result<(Ranker, Page), Error> {
        let ranking = Seed::from_number(self.person.0 ^ 0x9e37_79b9 ^ time << 40);
        let mut ranker = Ranker::new(bundle()?, ranking, Box::new(self.coin.clone()), Box::new(self.flip.clone()))?;
        let page = page(&mut ranker)?;
        ranker.set_consent(Consent { personalize: true, contribute: true });
        ranker.restore_ledger(ledger)?;
        ranker.set_manifest(self.shared.manifest.clone());
        Ok((ranker, page))
    }
}

struct Life<'a> {
    device: Device<'a>,
    ranker: Ranker,
    page: Page,
    /// The ledger as saved.
    disk: Vec<u8>,
    lived: Lived,
    /// The true answers of the weeks, as far as they are about a card.
    answers: BTreeMap<u16, u8>,
    propensity: f64,
}

impl Life<'_> {
    fn save_ledger(&mut self) {
        self.disk.clone_from(&self.ranker.ledger().unwrap_or_default());
    }

    /// Home is opened, listened to, and grows as far as it is scrolled.
    fn visit(&mut self, visit: usize, now: Timestamp) -> Result<(), Error> {
        let (subject, shared, person) = (self.device.subject, self.device.shared, self.device.person);
        let key = person.key(20).with(visit as u64);
        self.ranker.set_consent(Consent { personalize: true, contribute: subject.takes_part(person, visit) });
        self.ranker.pause_contribution(subject.holds_back(self.ranker.contribution(now).state));
        let ranked = self.ranker.rank(&self.page, now)?;
        self.ranker.pause_contribution(false);
        self.save_ledger();
        if !ranked.probe
            && let Some(first) = self.ranker.marginals(ranked.id)?.first()
        {
            self.propensity = *first;
        }
        let (played, at) = listen(&mut self.ranker, &ranked, person, key, now.plus_ms(1_000))?;
        let mut probe = ranked.probe;
        if let (true, Some(week)) = (ranked.probe, self.ranker.contribution(now).epoch) {
            let arms = (0..16).filter_map(|arm| arm_card(shared.manifest, 0, arm));
            let cards: Vec<u32> = arms.filter(|card| *card < ALL_CARDS).map(|card| card as u32).collect();
            self.answers.insert(week, u8::from(played.iter().any(|card| cards.contains(&self.number_of(*card)))));
        }
        // Half of the visits scroll, one part at once or one hours later, on a page that was left open.
        let from = now.plus_ms(LONGEST_VISIT_MS);
        let next = self.next_open(visit, now);
        let mut over = from;
        if let scrolls @ 0..2 = key.with(1_001).below(4) {
            self.lived.deeds[1] += 1;
            let late = from.plus_ms((next.since(from) as f64 * key.with(1_002).unit()) as i64 / 2);
            let at = if scrolls == 0 { at.plus_ms(MINUTE_MS) } else { late };
            let part = part(&mut self.ranker, subject.grows_from(ranked.id))?;
            let grown = self.ranker.rank(&part, at)?;
            self.save_ledger();
            probe |= grown.probe;
            if scrolls == 0 {
                listen(&mut self.ranker, &grown, person, key.with(2_000), at.plus_ms(MINUTE_MS))?;
            } else {
                over = late;
            }
        }
        let ledger = Ledger::from_bytes(&self.disk)?;
        self.lived.visits.push(Visit { probe, coin: ledger.coin().copied(), probed: ledger.probed() });
        self.ranker.end_session(over);
        self.between(visit, over, next)
    }

    fn next_open(&self, visit: usize, now: Timestamp) -> Timestamp {
        self.device.shared.opens.get(visit + 1).copied().unwrap_or(now.plus_ms(DAY_MS))
    }

    /// Until Home is opened again: pauses, restarts, and paying, each at a time of this listener's own, or not at all.
    fn between(&mut self, visit: usize, from: Timestamp, next: Timestamp) -> Result<(), Error> {
        let key = self.device.person.key(40).with(visit as u64);
        let at = |part: u64, of: u64| from.plus_ms((next.since(from) as f64 * key.with(part).unit()) as i64 / of as i64);
        if key.with(1).below(4) == 0 {
            self.lived.deeds[2] += 1;
            self.ranker.pause_contribution(true);
            self.pay(at(1, 4), usize::MAX)?;
            self.ranker.pause_contribution(false);
        }
        if key.with(2).below(6) == 0 {
            self.restart(visit, None)?;
        }
        // Is the page to die after it has paid, and the state that was saved older than the ledger?
        let (dies, older) = (key.with(7).below(6) == 0, key.with(8).below(2) == 0);
        let earlier = (dies && older).then(|| self.ranker.snapshot());
        // Some pay after every visit, some now and then, some only before anything is lost.
        let often = [1, 3, 1_000][self.device.person.key(41).below(3)];
        let must = self.unpaid()? > MAX_WAITING;
        if must || key.with(3).below(often) == 0 {
            let at = if key.with(4).below(2) == 0 { from } else { at(4, 2) };
            if key.with(5).below(6) == 0 {
                // The debit could not be saved: what is on disk is the truth.
                if self.ranker.debit(at)?.is_some() {
                    self.lived.deeds[3] += 1;
                    self.ranker.restore_ledger(&self.disk)?;
                }
            }
            let most = if !must && key.with(6).below(4) == 0 { 1 } else { usize::MAX };
            self.pay(at, most)?;
        } else {
            self.lived.deeds[0] += u64::from(self.ranker.contribution(next).state == ContributionState::Ready);
        }
        if dies {
            self.restart(visit + 1_000, earlier)?;
        }
        Ok(())
    }

    /// Probes that began and are not paid for.
    fn unpaid(&self) -> Result<usize, Error> {
        let ledger = Ledger::from_bytes(&self.disk)?;
        let mut begun: Vec<u16> = self.lived.visits.iter().filter_map(|visit| visit.probed).collect();
        begun.dedup();
        Ok(begun.iter().filter(|week| !ledger.has_paid(**week)).count())
    }

    /// The page dies and is loaded again, with the state and the ledger that were saved.
    fn restart(&mut self, time: usize, state: Option<Vec<u8>>) -> Result<(), Error> {
        self.lived.deeds[4] += 1;
        let state = state.unwrap_or_else(|| self.ranker.snapshot());
        (self.ranker, self.page) = self.device.start(&self.disk, time as u64 + 1)?;
        self.ranker.restore(&state)?;
        Ok(())
    }

    fn number_of(&self, card: CardHandle) -> u32 {
        let id = &self.ranker.catalogue().card(card).id;
        id.strip_prefix("card-").and_then(|number| number.parse().ok()).unwrap_or(u32::MAX)
    }

    /// The package's steps, for up to `most` records: debit, save, make, and note when it may leave.
    fn pay(&mut self, now: Timestamp, most: usize) -> Result<(), Error> {
        let mut made = 0;
        while made < most {
            let stands = self.ranker.contribution(now);
            let (ContributionState::Ready, Some(send_after)) = (stands.state, stands.send_after) else { return Ok(()) };
            let Some(ledger) = self.ranker.debit(now)? else {
                // Paid for before the state was saved, or a pause.
                if self.ranker.contribution(now) == stands {
                    return Ok(());
                }
                continue;
            };
            self.disk = ledger;
            let record = self.ranker.make_record()?.bytes();
            let answer = self.answers.get(&(EPOCH.of(&record) as u16)).copied().unwrap_or(0);
            let (person, manifest, propensity) = (self.device.person, self.device.shared.manifest, self.propensity);
            let record = Made { person, manifest, answer, propensity, record, send_after };
            self.lived.sent.extend(self.device.subject.send(&record));
            made += 1;
        }
        Ok(())
    }
}
