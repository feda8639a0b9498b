//! The listener's controls: private listening, "don't use this", undo.
//!
//! What is taken back is unlearned: the state becomes the one that the facts and lessons left would have made, bit for bit.

use super::Ranker;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::feedback::{EventKind, ListeningEvent, OpenPlay};
use crate::history::{BY_HIDE, BY_SKIP, LISTEN_MS, Lesson, MAX_LESSON_BYTES, MAX_LESSONS, Table, UNSEEN};
use crate::page::CardHandle;
use crate::safety::Safety;

/// Most artists, and most cards, that can be excluded at a time.
pub const MAX_EXCLUDED: usize = 1_000;
/// Stretches of private listening remembered in this visit, for events that arrive late.
const PRIVATE_STRETCHES: usize = 16;

/// What the listener does not want used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// Everything by this artist, now and later.
    Artist(String),
    /// Everything about this card, now and later.
    Card(CardHandle),
    /// One play: the last one of this card that was under way at this time.
    Play(CardHandle, Timestamp),
}

/// Where the controls stand.
#[derive(Default)]
pub(super) struct Controls {
    /// Nothing is recorded.
    pub(super) private: bool,
    /// Because nobody sees it.
    unseen: bool,
    /// Pages ranked privately in this visit.
    pub(super) decisions: u64,
    /// Stretches of private listening that are over.
    past: Vec<(Timestamp, Timestamp)>,
    since: Timestamp,
    /// Catalogue numbers.
    pub(super) artists: Vec<u32>,
    pub(super) cards: Vec<CardHandle>,
    /// What the last event replaced, while that was a hide or a skip.
    pub(super) last: Option<Replaced>,
}

/// State that no journal holds, as it was before a hide or a skip.
pub(super) struct Replaced {
    pub(super) kind: EventKind,
    pub(super) card: CardHandle,
    pub(super) open_play: Option<OpenPlay>,
    pub(super) last_event_at: Timestamp,
    /// The week of the probe that ran, and how many plays it knew.
    pub(super) heard: Option<(u16, usize)>,
}

impl Controls {
    /// Forgets what is excluded.
    pub(super) fn forget(&mut self) {
        self.artists.clear();
        self.cards.clear();
        self.last = None;
    }

    /// Whether a stretch of private listening covers `at`.
    fn covers(&self, at: Timestamp) -> bool {
        self.past.iter().any(|(from, to)| (*from..*to).contains(&at))
    }
}

impl Ranker {
    /// Starts or ends private listening. It starts by ending the visit: the play under way counts up to here.
    ///
    /// Meanwhile pages are ranked with what is known and nothing is recorded: no decision enters the log, no event shapes anything,
    /// no probe starts and none ends. Events about a private page or a private time are dropped later, too. Not part of a snapshot.
    pub fn set_private(&mut self, private: bool, now: Timestamp) {
        if private == self.controls.private {
            return;
        }
        if private {
            self.end_session(now);
            self.controls.since = now;
        } else {
            if self.controls.past.len() == PRIVATE_STRETCHES {
                self.controls.past.remove(0);
            }
            self.controls.past.push((self.controls.since, now));
            self.open.retain(|open| !open.id.is_private());
        }
        self.controls.private = private;
        self.controls.last = None;
    }

    /// Starts or ends drawing pages that nobody will see: nothing is recorded of them, as in private listening, and the visit goes on as if
    /// there were none. While the listener listens privately it does nothing, nor does it end that.
    pub fn set_unseen(&mut self, unseen: bool) {
        if unseen != self.controls.private && unseen != self.controls.unseen {
            self.controls.private = unseen;
            self.controls.unseen = unseen;
            self.open.retain(|open| !open.id.is_private());
        }
    }

    /// Whether the listener listens privately.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.controls.private
    }

    /// Whether an event belongs to private listening: by when it happened or began, or by the decision it names.
    pub(super) fn concerns_private(&self, event: &ListeningEvent, at: Timestamp) -> bool {
        let ms = event.ms_played.unwrap_or_else(|| match event.kind {
            EventKind::Finish if self.open_play.is_none_or(|play| play.card != event.card) => {
                self.catalogue.card(event.card).duration_ms.unwrap_or(LISTEN_MS)
            }
            _ => 0,
        });
        let named = event.decision.is_some_and(|id| id.is_private() && self.log.find(id).is_none());
        named || self.controls.private || self.controls.covers(at) || self.controls.covers(at.plus_ms(-i64::from(ms)))
    }

    /// Whether the listener excluded a card or its artist.
    pub(super) fn is_excluded(&self, card: CardHandle) -> bool {
        let artist = self.catalogue.registered(card).artist;
        self.controls.cards.contains(&card) || artist != 0 && self.controls.artists.contains(&artist)
    }

    /// Takes back everything that came of an artist, a card or one play; an artist or a card also teaches nothing from now on.
    /// Returns how many plays were taken back.
    ///
    /// Likes and follows of what is excluded go, hides stay. What is older than the plays and outcomes kept cannot be told apart:
    /// it leaves the totals, the taste and the head with the first exclusion that concerns them. The features noted with the
    /// outcomes that stay are those of their time.
    ///
    /// # Errors
    /// `bad_exclusion` for an artist without a name, or beyond `MAX_EXCLUDED`.
    pub fn exclude(&mut self, what: &Exclusion) -> Result<usize, Error> {
        let before = self.history.event_count();
        match *what {
            Exclusion::Artist(ref name) => {
                let number = self.catalogue.artists.number(name);
                add(&mut self.controls.artists, number, number != 0)?;
                self.unlearn_excluded(number);
            }
            Exclusion::Card(card) => {
                add(&mut self.controls.cards, card, true)?;
                self.unlearn_excluded(0);
            }
            Exclusion::Play(card, at) => self.unlearn_play(card, at),
        }
        self.controls.last = None;
        Ok(before - self.history.event_count())
    }

    /// Uses an artist or a card again, from now on. Returns whether it was excluded.
    pub fn include(&mut self, what: &Exclusion) -> bool {
        let before = self.controls.artists.len() + self.controls.cards.len();
        match what {
            Exclusion::Artist(name) => {
                let number = self.catalogue.artists.find(name);
                self.controls.artists.retain(|artist| Some(*artist) != number);
            }
            Exclusion::Card(card) | Exclusion::Play(card, _) => self.controls.cards.retain(|other| other != card),
        }
        self.controls.artists.len() + self.controls.cards.len() < before
    }

    /// The artists and cards that are excluded, in the order they were.
    pub fn excluded(&self) -> impl Iterator<Item = Exclusion> {
        let artists =
            self.controls.artists.iter().map(|artist| Exclusion::Artist(self.catalogue.artists.name(*artist).to_owned()));
        artists.chain(self.controls.cards.iter().map(|card| Exclusion::Card(*card)))
    }

    fn unlearn_excluded(&mut self, artist: u32) {
        let gone: Vec<bool> = (0..self.catalogue.len() as u32).map(|card| self.is_excluded(CardHandle(card))).collect();
        let gone = |card: CardHandle| gone[card.0 as usize];
        self.history.take_back(&|fact| gone(fact.card) || artist != 0 && fact.artist == artist, &gone, artist);
        if self.open_play.is_some_and(|play| gone(play.card)) {
            self.open_play = None;
        }
        self.contribution.watches().for_each(|watch| watch.take_back(gone));
        for record in &mut self.log.records {
            let before = record.impressions.len();
            record.impressions.retain(|impression| !gone(impression.card));
            self.log.held -= before - record.impressions.len();
            record.closed &= before == record.impressions.len() || !record.impressions.is_empty();
        }
        self.unteach(&|lesson| lesson.card.is_some_and(gone), true, false);
    }

    fn unlearn_play(&mut self, card: CardHandle, at: Timestamp) {
        if self.open_play.is_some_and(|play| play.card == card && play.started_at <= at) {
            self.open_play = None;
        }
        let mut facts = self.history.facts.ring.iter().rev().filter(|fact| fact.card == card);
        let Some((from, to, ms)) = facts.find_map(|fact| {
            let from = fact.at.plus_ms(-i64::from(fact.ms?));
            (from..=fact.at).contains(&at).then_some((from, fact.at, fact.ms))
        }) else {
            return;
        };
        self.history.take_back(&|fact| fact.card == card && fact.at == to && fact.ms == ms, &|_| false, 0);
        for watch in self.contribution.watches().filter(|watch| to >= watch.started_at) {
            watch.take_back(|heard| heard == card);
        }
        self.unteach(&|lesson| lesson.card == Some(card) && (from..=to).contains(&lesson.at), false, false);
    }

    /// Undoes the last hide or skip of a card.
    pub(super) fn undo(&mut self, event: &ListeningEvent) {
        let card = event.card;
        let skip = event.kind == EventKind::Unskip;
        let last = self.controls.last.take();
        let mut skipped_at = None;
        if skip {
            let Some(fact) = self.history.facts.ring.iter().rev().find(|fact| fact.skipped && fact.card == card) else { return };
            let at = fact.at;
            skipped_at = Some(at);
            self.history.take_back(&|fact| fact.skipped && fact.card == card && fact.at == at, &|_| false, 0);
        } else {
            self.history.unhide(card);
        }
        let mark = if skip { BY_SKIP } else { BY_HIDE };
        self.unteach(
            &|lesson| lesson.card == Some(card) && lesson.marks & mark != 0 && skipped_at.is_none_or(|at| at == lesson.at),
            false,
            true,
        );
        let undone = if skip { EventKind::Skip } else { EventKind::Hide };
        if let Some(last) = last.filter(|last| last.kind == undone && last.card == card) {
            self.last_event_at = last.last_event_at;
            self.open_play = last.open_play;
            for watch in self.contribution.watches().filter(|watch| Some(watch.coin.epoch) == last.heard.map(|(epoch, _)| epoch))
            {
                watch.heard.truncate(last.heard.map_or(0, |(_, count)| count));
            }
        }
    }

    /// Learns a final outcome, or that a decision is over.
    pub(super) fn teach(&mut self, lesson: Lesson) {
        if !lesson.row.is_empty() {
            let model = &mut self.bundle.model;
            model.forget(lesson.at.ms());
            model.learn(&lesson.row, f64::from(lesson.reward), lesson.weight);
        }
        let most = MAX_LESSONS.min(MAX_LESSON_BYTES / (4 * self.bundle.schema.stride()));
        self.history.take_lesson(lesson, most);
    }

    /// Takes back the lessons that `gone` names, and those that rest on them; head and willingness are made again from the others.
    ///
    /// - `thorough`: also when nothing is named, if the head has learned more than is kept and could hold any of it.
    /// - `pending`: the cards were seen all the same, and what comes of them is open again.
    fn unteach(&mut self, gone: &dyn Fn(&Lesson) -> bool, thorough: bool, pending: bool) {
        self.log.quiet_until = Timestamp::default();
        let known = self.history.lessons.iter().filter(|lesson| !lesson.row.is_empty()).count() as u64;
        let unknown = thorough && self.bundle.model.head().updates() > known;
        if !unknown && !self.history.lessons.iter().any(gone) {
            return;
        }
        let (back, stay): (Vec<Lesson>, Vec<Lesson>) = std::mem::take(&mut self.history.lessons).into_iter().partition(gone);
        for lesson in &back {
            self.unsettle(lesson, pending);
        }
        self.history.willingness = Table::default();
        // Pages on which something was played that no longer counts: the test of the policy starts anew.
        self.safety = Safety::default();
        self.bundle.model.restart();
        for mut lesson in stay {
            let record = self.log.find(lesson.decision);
            if let Some(card) = lesson.card
                && let Some(because) = lesson.because
            {
                // Still seen if something further down the shelf was played.
                let shelf = record.and_then(|record| record.shelves.iter().find(|shelf| shelf.shelf == lesson.shelf));
                lesson.because = match (record, shelf) {
                    (Some(record), Some(shelf)) => {
                        let below = shelf.cards.iter().rev().map(|below| below.card).take_while(|below| *below != card);
                        { below }.find(|below| record.reward(lesson.shelf, *below) == Some(1.0))
                    }
                    _ => Some(because).filter(|_| back.iter().all(|b| b.decision != lesson.decision || b.card != Some(because))),
                };
                if lesson.because.is_none() {
                    self.unsettle(&lesson, false);
                    continue;
                }
            } else if lesson.card.is_none() && record.is_some_and(|record| !record.closed) {
                continue;
            }
            self.teach(lesson);
        }
    }

    /// Takes an outcome out of the log.
    fn unsettle(&mut self, lesson: &Lesson, pending: bool) {
        let Some(record) = self.log.find_mut(lesson.decision) else { return };
        let Some(at) = record.impressions.iter().position(|i| Some(i.card) == lesson.card && i.shelf == lesson.shelf) else {
            return;
        };
        if pending && lesson.marks & UNSEEN == 0 {
            let impression = &mut record.impressions[at];
            impression.reward = None;
            impression.features.clone_from(&lesson.row);
            record.closed = false;
        } else {
            record.impressions.remove(at);
            record.closed &= !record.impressions.is_empty();
            self.log.held -= 1;
        }
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, entry: T, named: bool) -> Result<(), Error> {
    if !named || list.len() >= MAX_EXCLUDED {
        return Err(Error::event("bad_exclusion", format!("expected a name, and at most {MAX_EXCLUDED} that are excluded")));
    }
    if !list.contains(&entry) {
        list.push(entry);
    }
    Ok(())
}
