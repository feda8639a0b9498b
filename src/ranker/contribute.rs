//! The public-coin lane: once a week, one probe, one noisy bit.
//!
//! Order of steps: the coin is tossed from public input; the first Home opened after its hour carries the probe; when the
//! window is over the ledger is debited and saved; only then the outcome is read, randomised and put into a record.

use super::Ranker;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::history::LISTEN_MS;
use crate::log::DecisionId;
use crate::page::{CardHandle, Page};
use crate::privacy::{Budget, Coin, Ledger, Manifest, Permit, Private, ProbeRecord, Refusal, epoch_of, release};
use crate::random::Entropy;

/// A probe that is running: what was shown where, and whether it was played.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watch {
    pub(super) coin: Coin,
    pub(super) decision: DecisionId,
    /// The card shown; `None` when the arm could not be placed, which counts as reward 0 and is never redrawn.
    pub(super) card: Option<CardHandle>,
    pub(super) started_at: Timestamp,
    pub(super) ready_at: Timestamp,
    pub(super) played: bool,
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

/// A shelf at its position, as (position, shelf), and a card at its, as (shelf, position, card).
pub(super) type Pins = ((u32, u32), (u32, u32, u32));

/// This visit's probe.
pub(super) struct Probe {
    coin: Coin,
    card: Option<CardHandle>,
    /// What to pin; `None` when the arm cannot be placed.
    pub(super) pins: Option<Pins>,
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
        if now < coin.due_at {
            return None;
        }
        let slot = &manifest.slots()[usize::from(coin.slot)];
        let arm = &manifest.arms()[usize::from(coin.arm)].card;
        let (shelf_position, card_position) = (usize::from(slot.shelf_position), usize::from(slot.card_position));
        let placed = || -> Option<(CardHandle, Pins)> {
            let card = self.catalogue.find(arm)?;
            let wanted = self.catalogue.find_shelf(&slot.shelf)?;
            let s = page.shelves.iter().position(|shelf| shelf.shelf == wanted)?;
            let cards = &page.cards[page.shelves[s].cards.clone()];
            let c = cards.iter().position(|place| place.card == card)?;
            let taken = page.shelves.get(shelf_position)?.fixed
                || page.shelves[s].fixed
                || cards.get(card_position)?.fixed
                || cards[c].fixed
                || self.history.is_hidden(card);
            (!taken).then_some((card, ((shelf_position as u32, s as u32), (s as u32, card_position as u32, c as u32))))
        };
        Some(match placed() {
            Some((card, pins)) => Probe { coin, card: Some(card), pins: Some(pins) },
            None => Probe { coin, card: None, pins: None },
        })
    }

    pub(super) fn start_watching(&mut self, probe: &Probe, decision: DecisionId, now: Timestamp) {
        let lane = &mut self.contribution;
        let (Some(manifest), Some(ledger)) = (&lane.manifest, &mut lane.ledger) else { return };
        ledger.set_probed(probe.coin.epoch);
        lane.watch = Some(Watch {
            coin: probe.coin,
            decision,
            card: probe.card,
            started_at: now,
            ready_at: now.plus_ms(i64::from(manifest.window_ms())),
            played: false,
        });
    }

    /// Notes that the probe's card was played for `ms` from `started_at`, if it was: 30 seconds of it within the window.
    pub(super) fn probe_played(&mut self, decision: Option<DecisionId>, card: CardHandle, started_at: Timestamp, ms: u32) {
        if let Some(watch) = &mut self.contribution.watch
            && decision == Some(watch.decision)
            && watch.card == Some(card)
            && ms >= LISTEN_MS
            && started_at.plus_ms(LISTEN_MS.into()) <= watch.ready_at
        {
            watch.played = true;
        }
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
            self.probe_played(play.decision, play.card, play.started_at, ms);
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
        release(Private::new(watch.played), permit, manifest, &watch.coin, lane.flip.as_mut())
    }
}
