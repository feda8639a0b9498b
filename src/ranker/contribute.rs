//! The public-coin lane: once a week, one probe, one noisy symbol.
//!
//! Order of steps: the coin is tossed from public input; the first Home opened after its hour carries the probe, a vote begins with the
//! toss and lasts until the week is over; when the window is over the ledger is debited and saved; only then the outcome is read,
//! randomised and put into a record.

use super::Ranker;
use super::vote::{self, Ballot, Way};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::feedback::OpenPlay;
use crate::history::LISTEN_MS;
use crate::log::DecisionId;
use crate::page::{CardHandle, Page, ShelfHandle};
use crate::privacy::{
    self, Action, Answer, Budget, Coin, Ledger, Manifest, Permit, Private, ProbeKind, ProbeRecord, Question, Refusal, epoch_of,
    epoch_start, release,
};
use crate::random::Entropy;
use crate::slate::Candidates;

/// Most plays kept of a probe.
pub(super) const MAX_HEARD: usize = 256;
/// Most probes that wait to be paid for: a month of them.
pub(super) const MAX_OVER: usize = 4;

/// A probe that is running: what was done with the page, and what was played.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watch {
    pub(super) coin: Coin,
    pub(super) started_at: Timestamp,
    pub(super) ready_at: Timestamp,
    pub(super) target: Target,
    /// In the order reported; never changed, only taken back.
    pub(super) heard: Vec<Heard>,
}

/// What the question is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// The arm could not be placed, which counts as not played and is never drawn again.
    Nothing,
    /// A card on a decision.
    Card(DecisionId, CardHandle),
    /// A shelf on a decision.
    Shelf(DecisionId, ShelfHandle),
    /// Everything on a decision.
    Page(DecisionId),
    /// All decisions of the week.
    Vote(Vec<Ballot>),
}

/// A card that was played on a decision of the probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) decision: DecisionId,
    pub(super) shelf: Option<ShelfHandle>,
    pub(super) card: CardHandle,
    /// 1 to 3: see [`Question::HowLong`].
    pub(super) how_long: u8,
}

/// [`Heard::how_long`] of a play that counts as a reward.
pub(super) const LISTENED: u8 = 2;

impl Watch {
    fn concerns(&self, id: DecisionId) -> bool {
        match &self.target {
            Target::Nothing => false,
            Target::Card(decision, _) | Target::Shelf(decision, _) | Target::Page(decision) => *decision == id,
            Target::Vote(ballots) => ballots.iter().any(|ballot| ballot.decision == id),
        }
    }

    fn hear(&mut self, mut heard: Heard, started_at: Timestamp) {
        if let Target::Vote(_) = self.target {
            // What is no reward is nothing to a vote, and would only take the room of what is.
            if heard.how_long < LISTENED {
                return;
            }
            heard.how_long = LISTENED;
        }
        let known = |other: &Heard| {
            (other.decision, other.shelf, other.card) == (heard.decision, heard.shelf, heard.card)
                && other.how_long >= heard.how_long
        };
        if started_at <= self.ready_at && self.heard.len() < MAX_HEARD && !self.heard.iter().any(known) {
            self.heard.push(heard);
        }
    }

    /// Forgets plays, because the listener took them back.
    pub(super) fn take_back(&mut self, gone: impl Fn(CardHandle) -> bool) {
        self.heard.retain(|heard| !gone(heard.card));
    }

    /// What the listener would answer.
    fn answer(&self, question: Question, kind: &ProbeKind) -> Answer {
        if let (Question::Vote, ProbeKind::Vote { clip }) = (question, kind) {
            let ballots: &[Ballot] = if let Target::Vote(ballots) = &self.target { ballots } else { &[] };
            return Answer::Chance(vote::chance(vote::lift(ballots, &self.heard), *clip));
        }
        let counts = |heard: &&Heard| match self.target {
            Target::Card(_, card) => heard.card == card,
            Target::Shelf(_, shelf) => heard.shelf == Some(shelf),
            Target::Page(_) => true,
            Target::Nothing | Target::Vote(_) => false,
        };
        let longest = self.heard.iter().filter(counts).map(|heard| heard.how_long).max().unwrap_or(0);
        Answer::Symbol(if question == Question::HowLong { longest } else { u8::from(longest >= LISTENED) })
    }
}

/// Everything of the public-coin lane that lives in this process.
pub(super) struct Lane {
    pub(super) manifest: Option<Manifest>,
    pub(super) ledger: Option<Ledger>,
    pub(super) watch: Option<Watch>,
    /// Probes that are over and not paid for yet, oldest first: they wait for the host and hold up no other.
    pub(super) over: Vec<Watch>,
    paused: bool,
    permit: Option<Permit>,
    coin: Box<dyn Entropy>,
    flip: Box<dyn Entropy>,
}

impl Lane {
    pub(super) fn new(coin: Box<dyn Entropy>, flip: Box<dyn Entropy>) -> Self {
        Self { manifest: None, ledger: None, watch: None, over: Vec::new(), paused: false, permit: None, coin, flip }
    }

    /// The probe to be paid for next: the oldest that is over.
    fn ready(&self, now: Timestamp) -> Option<&Watch> {
        self.over.first().or_else(|| self.watch.as_ref().filter(|watch| now >= watch.ready_at))
    }

    /// Takes it out.
    fn take_ready(&mut self) -> Option<Watch> {
        if self.over.is_empty() { self.watch.take() } else { Some(self.over.remove(0)) }
    }

    /// Every probe that has an outcome to come.
    pub(super) fn watches(&mut self) -> impl Iterator<Item = &mut Watch> {
        self.over.iter_mut().chain(&mut self.watch)
    }

    pub(super) fn forget(&mut self) {
        self.watch = None;
        self.over.clear();
        self.void();
    }

    /// Takes back the right to make a record; what was paid for it stays paid.
    pub(super) fn void(&mut self) {
        self.permit = None;
    }
}

/// This visit's probe.
pub(super) struct Probe {
    coin: Coin,
    pub(super) deed: Deed,
}

/// What the probe does with the page.
pub(super) enum Deed {
    /// Nothing: the arm cannot be placed.
    Nothing,
    /// Puts a card into a place: shelf pin as (position, shelf), card pin as (shelf, position, card).
    Card(CardHandle, (u32, u32), (u32, u32, u32)),
    /// Puts a shelf into a place: pin as (position, shelf).
    Shelf(ShelfHandle, (u32, u32)),
    /// Draws it in another way.
    Page(Way),
    /// Judges another way on it and on those of the week.
    Vote,
}

impl Probe {
    /// How the page is drawn, if not as always.
    pub(super) fn way(&self) -> Option<&Way> {
        if let Deed::Page(way) = &self.deed { Some(way) } else { None }
    }

    /// Whether the page of this visit is another than without the probe.
    pub(super) fn is_shown(&self) -> bool {
        !matches!(self.deed, Deed::Vote)
    }

    pub(super) fn pin(&self, candidates: &mut Candidates) {
        match self.deed {
            Deed::Card(_, shelf, card) => {
                candidates.shelf_pins.push(shelf);
                candidates.card_pins.push(card);
            }
            Deed::Shelf(_, shelf) => candidates.shelf_pins.push(shelf),
            Deed::Nothing | Deed::Page(_) | Deed::Vote => {}
        }
    }
}

/// Where the contribution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContributionState {
    /// The listener does not contribute.
    Off,
    /// No manifest for this week, or no ledger.
    NoManifest,
    /// The budget does not allow a record now.
    Spent,
    /// This week's hour has not come.
    Scheduled,
    /// The next Home opened carries the probe.
    Due,
    /// A probe is running.
    Watching,
    /// The outcome is final: debit, save, make the record.
    Ready,
    /// This week's probe is over.
    Done,
}

impl ContributionState {
    /// The name in JavaScript.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NoManifest => "no_manifest",
            Self::Spent => "spent",
            Self::Scheduled => "scheduled",
            Self::Due => "due",
            Self::Watching => "watching",
            Self::Ready => "ready",
            Self::Done => "done",
        }
    }
}

/// Where the contribution stands, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Where.
    pub state: ContributionState,
    /// This ISO week, counted from 2026-01-05; `None` outside the calendar.
    pub epoch: Option<u16>,
    /// From when the probe is due.
    pub due_at: Option<Timestamp>,
    /// When the running probe ends.
    pub ready_at: Option<Timestamp>,
    /// Earliest time at which its record may be sent; drawn by the coin.
    pub send_after: Option<Timestamp>,
    /// Spent and left; `None` without a ledger.
    pub budget: Option<Budget>,
    /// Epsilon of one record; `None` without a manifest.
    pub epsilon: Option<f64>,
}

impl Ranker {
    /// What the listener agrees to. Taking `contribute` back drops a running probe.
    pub fn set_consent(&mut self, consent: super::Consent) {
        if self.consent.contribute && !consent.contribute {
            self.contribution.forget();
        }
        self.consent = consent;
    }

    /// For now no probe starts and none is paid for, or again; what runs goes on. For faults of the host, which may come of how much was
    /// listened to and must not decide what is recorded.
    pub fn pause_contribution(&mut self, paused: bool) {
        self.contribution.paused = paused;
    }

    /// Drops the probes that run or wait: a state that was brought from another device has left its probes there.
    pub fn drop_probes(&mut self) {
        self.contribution.forget();
    }

    /// The consents.
    #[must_use]
    pub fn consent(&self) -> super::Consent {
        self.consent
    }

    /// Sets the manifest in force.
    pub fn set_manifest(&mut self, manifest: Manifest) {
        self.contribution.manifest = Some(manifest);
        self.contribution.void();
    }

    /// Starts a fully spent ledger unless there is one; the ledger's bytes.
    pub fn start_ledger(&mut self, now: Timestamp) -> Vec<u8> {
        self.contribution.ledger.get_or_insert_with(|| Ledger::start(now)).to_bytes()
    }

    /// The ledger's bytes, if there is one.
    #[must_use]
    pub fn ledger(&self) -> Option<Vec<u8>> {
        self.contribution.ledger.as_ref().map(Ledger::to_bytes)
    }

    /// Takes a stored ledger. What was debited on the one before and not saved is void, and so is the right it gave.
    ///
    /// # Errors
    /// As [`Ledger::from_bytes`]; the ledger in force stays.
    pub fn restore_ledger(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.contribution.ledger = Some(Ledger::from_bytes(bytes)?);
        self.contribution.void();
        Ok(())
    }

    /// The manifest in force.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.contribution.manifest.as_ref()
    }

    /// This visit's probe, if one is due. Reads clock, manifest, ledger, coin and the page's ids; from the history only whether
    /// the listener has hidden the arm, which then counts as reward 0.
    ///
    /// None on a part that a page grows by: how far somebody scrolls must not decide. A probe that is over steps aside, paid for or not:
    /// when the host pays may depend on what was played.
    pub(super) fn probe_for(&mut self, page: &Page, now: Timestamp) -> Option<Probe> {
        if !self.consent.contribute || self.contribution.paused || page.after.is_some() {
            return None;
        }
        self.set_aside(now);
        let lane = &mut self.contribution;
        let (manifest, ledger) = (lane.manifest.as_ref()?, lane.ledger.as_mut()?);
        let epoch = epoch_of(now).filter(|epoch| manifest.covers(*epoch))?;
        if lane.watch.is_some() || ledger.probed().is_some_and(|probed| probed >= epoch) {
            return None;
        }
        let waiting: Vec<Timestamp> = lane.over.iter().map(|watch| watch.started_at).collect();
        if ledger.allows_beside(manifest.epsilon(), now, &waiting).is_err() {
            return None;
        }
        let tossed = ledger.coin().filter(|coin| coin.epoch == epoch && coin.fits(manifest)).copied();
        let coin = match tossed {
            Some(coin) => coin,
            None => {
                let coin = Coin::toss(manifest, epoch, lane.coin.as_mut()).ok()?;
                ledger.set_coin(coin);
                coin
            }
        };
        let (probe, action) = coin.drawn(self.contribution.manifest.as_ref()?)?;
        let vote = matches!(probe.kind, ProbeKind::Vote { .. });
        if now < coin.due_at && !vote {
            return None;
        }
        Some(Probe { coin, deed: self.deed(probe, action, page).unwrap_or(Deed::Nothing) })
    }

    /// Moves a probe that is over out of the way of the next.
    fn set_aside(&mut self, now: Timestamp) {
        if self.contribution.watch.as_ref().is_none_or(|watch| now < watch.ready_at) {
            return;
        }
        self.count_open_play(now);
        let lane = &mut self.contribution;
        if lane.over.len() >= MAX_OVER {
            lane.over.remove(0);
        }
        lane.over.extend(lane.watch.take());
    }

    /// What has passed of a play under way counts.
    fn count_open_play(&mut self, now: Timestamp) {
        if let Some(play) = self.open_play {
            let ms = play.length_ms(now, self.catalogue.card(play.card).duration_ms);
            self.probe_played(&play, ms);
        }
    }

    /// What an arm does with a page; `None` when it cannot.
    fn deed(&self, probe: &privacy::Probe, action: &Action, page: &Page) -> Option<Deed> {
        let place = probe.kind.place();
        let (shelf_position, card_position) = (usize::from(place.shelf_position), usize::from(place.card_position));
        // The shelf of this id, where it may be moved to the position.
        let movable = |id: &str| -> Option<usize> {
            let wanted = self.catalogue.find_shelf(id)?;
            let s = page.shelves.iter().position(|shelf| shelf.shelf == wanted)?;
            (!page.shelves.get(shelf_position)?.fixed && !page.shelves[s].fixed).then_some(s)
        };
        match (&probe.kind, action) {
            (ProbeKind::Card { shelf, .. }, Action::Card(id)) => {
                let (card, s) = (self.catalogue.find(id)?, movable(shelf)?);
                let cards = &page.cards[page.shelves[s].cards.clone()];
                let c = cards.iter().position(|place| place.card == card)?;
                let taken = cards.get(card_position)?.fixed || cards[c].fixed || self.history.is_hidden(card);
                let pins = ((shelf_position as u32, s as u32), (s as u32, card_position as u32, c as u32));
                (!taken).then_some(Deed::Card(card, pins.0, pins.1))
            }
            (ProbeKind::Shelf { .. }, Action::Shelf(id)) => {
                let s = movable(id)?;
                Some(Deed::Shelf(page.shelves[s].shelf, (shelf_position as u32, s as u32)))
            }
            (_, Action::Vote(..)) => Some(Deed::Vote),
            (kind, action) => self.way(kind, action).map(Deed::Page),
        }
    }

    pub(super) fn start_watching(&mut self, probe: &Probe, decision: DecisionId, now: Timestamp) {
        let lane = &mut self.contribution;
        let (Some(manifest), Some(ledger)) = (&lane.manifest, &mut lane.ledger) else { return };
        ledger.set_probed(probe.coin.epoch);
        let window = i64::from(manifest.window_ms());
        let (target, ready_at) = match &probe.deed {
            Deed::Nothing => (Target::Nothing, now.plus_ms(window)),
            Deed::Card(card, ..) => (Target::Card(decision, *card), now.plus_ms(window)),
            Deed::Shelf(shelf, _) => (Target::Shelf(decision, *shelf), now.plus_ms(window)),
            Deed::Page(_) => (Target::Page(decision), now.plus_ms(window)),
            Deed::Vote => (Target::Vote(Vec::new()), epoch_start(probe.coin.epoch + 1)),
        };
        lane.watch = Some(Watch { coin: probe.coin, started_at: now, ready_at, target, heard: Vec::new() });
    }

    /// Notes for the probes that a card was played for `ms` from `started_at`: 30 seconds of it have to lie within the window.
    pub(super) fn probe_played(&mut self, play: &OpenPlay, ms: u32) {
        let Some(decision) = play.decision else { return };
        if ms == 0 || !self.contribution.watches().any(|watch| watch.concerns(decision)) {
            return;
        }
        let whole = self.catalogue.card(play.card).duration_ms.is_some_and(|whole| 10 * u64::from(ms) >= 9 * u64::from(whole));
        let shelf = play.shelf.or_else(|| self.shelf_of(decision, play.card));
        for watch in self.contribution.watches().filter(|watch| watch.concerns(decision)) {
            let listened = ms >= LISTEN_MS && play.started_at.plus_ms(LISTEN_MS.into()) <= watch.ready_at;
            let how_long = if !listened { 1 } else { LISTENED + u8::from(whole) };
            watch.hear(Heard { decision, shelf, card: play.card, how_long }, play.started_at);
        }
    }

    /// The topmost shelf of a decision, as shown, that has the card.
    fn shelf_of(&self, id: DecisionId, card: CardHandle) -> Option<ShelfHandle> {
        if let Some(open) = self.open.iter().rev().find(|open| open.id == id) {
            let mut shown = open.slate.shelves.iter().map(|placed| placed.placed.index);
            let has = |s: &u32| open.cards[open.candidates.cards_of(*s)].contains(&card);
            return shown.find(has).map(|s| open.shelves[s as usize]);
        }
        let shelves = &self.log.find(id)?.shelves;
        shelves.iter().find(|shelf| shelf.cards.iter().any(|placed| placed.card == card)).map(|shelf| shelf.shelf)
    }

    /// Where the contribution stands.
    #[must_use]
    pub fn contribution(&self, now: Timestamp) -> Contribution {
        let lane = &self.contribution;
        let epoch = epoch_of(now);
        let manifest = lane.manifest.as_ref().filter(|m| epoch.is_some_and(|epoch| m.covers(epoch)));
        let watch = lane.ready(now).or(lane.watch.as_ref());
        let coin = lane.ledger.as_ref().and_then(Ledger::coin).filter(|coin| Some(coin.epoch) == epoch);
        let probed = lane.ledger.as_ref().and_then(Ledger::probed);
        let state = match (&lane.ledger, manifest, watch) {
            _ if !self.consent.contribute => ContributionState::Off,
            (Some(_), _, Some(watch)) if now < watch.ready_at => ContributionState::Watching,
            (Some(_), _, Some(_)) => ContributionState::Ready,
            (None, ..) | (_, None, _) => ContributionState::NoManifest,
            _ if probed.is_some() && probed >= epoch => ContributionState::Done,
            (Some(ledger), Some(manifest), None) => match (ledger.allows(manifest.epsilon(), now), coin) {
                (Err(Refusal::Week | Refusal::Period | Refusal::Year | Refusal::ClockBack | Refusal::Calendar), _) => {
                    ContributionState::Spent
                }
                (Ok(_), Some(coin)) if coin.due_at <= now => ContributionState::Due,
                (Ok(_), _) => ContributionState::Scheduled,
            },
        };
        Contribution {
            state,
            epoch,
            due_at: coin.map(|coin| coin.due_at),
            ready_at: watch.map(|watch| watch.ready_at),
            send_after: watch.map(|watch| watch.ready_at.plus_ms(watch.coin.delay_ms)),
            budget: lane.ledger.as_ref().map(|ledger| ledger.budget(now)),
            epsilon: lane.manifest.as_ref().map(|manifest| manifest.epsilon().value()),
        }
    }

    /// What all records made here disclose together, at `delta`; `None` without a ledger. See [`Ledger::disclosure`].
    #[must_use]
    pub fn disclosure(&self, delta: f64) -> Option<f64> {
        self.contribution.ledger.as_ref().map(|ledger| ledger.disclosure(delta))
    }

    /// Pays for the record of a probe that is over. Returns the ledger's bytes, to be saved durably before
    /// [`Ranker::make_record`]; `None` when there is nothing to pay for. Calling it again before the record is made returns the
    /// bytes again and pays nothing. Nothing is paid while the listener listens privately.
    ///
    /// # Errors
    /// `budget_spent`, `clock_back`; the probe is then dropped and no record will be made.
    pub fn debit(&mut self, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        if self.is_private() {
            return Ok(None);
        }
        self.settle(now);
        self.count_open_play(now);
        let lane = &mut self.contribution;
        if !self.consent.contribute || lane.paused {
            return Ok(None);
        }
        let (Some(watch), Some(manifest)) = (lane.ready(now), &lane.manifest) else { return Ok(None) };
        let (coin, started_at, fits) = (watch.coin, watch.started_at, watch.coin.fits(manifest));
        let Some(ledger) = &mut lane.ledger else { return Ok(None) };
        if lane.permit.is_none() {
            // Paid for in an earlier life of this page: the record was lost with it and is not made twice.
            if ledger.has_paid(coin.epoch) || !fits {
                lane.take_ready();
                return Ok(None);
            }
            match ledger.debit(manifest.epsilon(), coin.epoch, started_at, now) {
                Ok(permit) => lane.permit = Some(permit),
                Err(error) => {
                    lane.take_ready();
                    return Err(error);
                }
            }
        }
        Ok(Some(ledger.to_bytes()))
    }

    /// Reads the outcome, randomises it, makes the record. Only after the bytes of [`Ranker::debit`] were saved.
    ///
    /// # Errors
    /// `not_paid` without a debit before; `no_entropy` when no random word can be had. There is then no record, and what was paid
    /// stays paid.
    pub fn make_record(&mut self) -> Result<ProbeRecord, Error> {
        let lane = &mut self.contribution;
        let Some(permit) = lane.permit.take() else {
            return Err(Error::privacy("not_paid", "expected a debit that was saved, found none"));
        };
        let (Some(watch), Some(manifest)) = (lane.take_ready(), lane.manifest.as_ref()) else {
            return Err(Error::privacy("not_paid", "expected a probe that is over, found none"));
        };
        let (Some((probe, _)), Some(question)) = (watch.coin.drawn(manifest), watch.coin.question_of(manifest)) else {
            return Err(Error::privacy("not_paid", "expected a probe of the manifest in force, found that of another"));
        };
        let answer = Private::new(watch.answer(question, &probe.kind));
        release(answer, permit, manifest, &watch.coin, lane.flip.as_mut())
    }
}
