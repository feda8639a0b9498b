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
const MAX_HEARD: usize = 256;

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
    permit: Option<Permit>,
    coin: Box<dyn Entropy>,
    flip: Box<dyn Entropy>,
}

impl Lane {
    pub(super) fn new(coin: Box<dyn Entropy>, flip: Box<dyn Entropy>) -> Self {
        Self { manifest: None, ledger: None, watch: None, permit: None, coin, flip }
    }
}

impl Lane {
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
            self.contribution.watch = None;
            self.contribution.void();
        }
        self.consent = consent;
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
    pub(super) fn probe_for(&mut self, page: &Page, now: Timestamp) -> Option<Probe> {
        let lane = &mut self.contribution;
        if !self.consent.contribute || lane.watch.is_some() {
            return None;
        }
        let (manifest, ledger) = (lane.manifest.as_ref()?, lane.ledger.as_mut()?);
        let epoch = epoch_of(now).filter(|epoch| manifest.covers(*epoch))?;
        if ledger.allows(manifest.epsilon(), now).is_err() || ledger.probed().is_some_and(|probed| probed >= epoch) {
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
        Some(Probe { coin, deed: self.deed(probe, action, page).unwrap_or(if vote { Deed::Vote } else { Deed::Nothing }) })
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

    /// Notes for the probe that a card was played for `ms` from `started_at`: 30 seconds of it have to lie within the window.
    pub(super) fn probe_played(&mut self, play: &OpenPlay, ms: u32) {
        let Some(watch) = &self.contribution.watch else { return };
        let Some(decision) = play.decision.filter(|id| watch.concerns(*id)) else { return };
        if ms == 0 || play.started_at > watch.ready_at || watch.heard.len() == MAX_HEARD {
            return;
        }
        let listened = ms >= LISTEN_MS && play.started_at.plus_ms(LISTEN_MS.into()) <= watch.ready_at;
        let whole = self.catalogue.card(play.card).duration_ms.is_some_and(|whole| 10 * u64::from(ms) >= 9 * u64::from(whole));
        let how_long = if !listened { 1 } else { LISTENED + u8::from(whole) };
        let shelf = play.shelf.or_else(|| self.shelf_of(decision, play.card));
        let known = |heard: &Heard| {
            (heard.decision, heard.shelf, heard.card) == (decision, shelf, play.card) && heard.how_long >= how_long
        };
        if let Some(watch) = self.contribution.watch.as_mut().filter(|watch| !watch.heard.iter().any(known)) {
            watch.heard.push(Heard { decision, shelf, card: play.card, how_long });
        }
    }

    /// The first shelf of a decision that has the card.
    fn shelf_of(&self, id: DecisionId, card: CardHandle) -> Option<ShelfHandle> {
        if let Some(open) = self.open.iter().rev().find(|open| open.id == id) {
            return open.row(None, card, self.bundle.schema.stride()).map(|(shelf, _)| shelf);
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
        let watch = lane.watch.as_ref();
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
        if let Some(play) = self.open_play {
            // Still under way: what has passed of it counts.
            let ms = play.length_ms(now, self.catalogue.card(play.card).duration_ms);
            self.probe_played(&play, ms);
        }
        let lane = &mut self.contribution;
        let (Some(watch), Some(manifest), Some(ledger)) = (&lane.watch, &lane.manifest, &mut lane.ledger) else {
            return Ok(None);
        };
        if !self.consent.contribute || now < watch.ready_at {
            return Ok(None);
        }
        if lane.permit.is_none() {
            // Paid for in an earlier life of this page: the record was lost with it and is not made twice.
            if ledger.has_paid(watch.coin.epoch) || !watch.coin.fits(manifest) {
                lane.watch = None;
                return Ok(None);
            }
            match ledger.debit(manifest.epsilon(), watch.coin.epoch, watch.started_at, now) {
                Ok(permit) => lane.permit = Some(permit),
                Err(error) => {
                    lane.watch = None;
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
        let (Some(permit), Some(manifest)) = (lane.permit.take(), lane.manifest.as_ref()) else {
            return Err(Error::privacy("not_paid", "expected a debit that was saved, found none"));
        };
        let Some(watch) = lane.watch.take() else {
            return Err(Error::privacy("not_paid", "expected a probe that is over, found none"));
        };
        let (Some((probe, _)), Some(question)) = (watch.coin.drawn(manifest), watch.coin.question_of(manifest)) else {
            return Err(Error::privacy("not_paid", "expected a probe of the manifest in force, found that of another"));
        };
        let answer = Private::new(watch.answer(question, &probe.kind));
        release(answer, permit, manifest, &watch.coin, lane.flip.as_mut())
    }
}
