//! Listening events become history, rewards and learning.

use super::Ranker;
use super::controls::Replaced;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::feedback::{ATTRIBUTION_WINDOW_MS, EventKind, ListeningEvent, OpenPlay, SESSION_GAP_MS, event_time};
use crate::history::{BY_HIDE, BY_SKIP, LISTEN_MS, Lesson, Listen, UNSEEN};
use crate::log::{DecisionId, DecisionRecord, Impression, MAX_IMPRESSIONS};
use crate::page::{CardHandle, ShelfHandle};

/// What the device holds, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Listening events kept.
    pub events: usize,
    /// Cards with a history.
    pub cards: usize,
    /// Decisions in the local log.
    pub decisions: usize,
    /// Impressions whose reward is not final.
    pub pending: usize,
    /// Outcomes the head has learned.
    pub updates: u64,
    /// Cards registered with the catalogue.
    pub registered: usize,
}

/// When what was shown at `at` is final.
pub(super) fn final_at(at: Timestamp) -> Timestamp {
    at.plus_ms(ATTRIBUTION_WINDOW_MS)
}

impl Ranker {
    /// Takes in one event.
    ///
    /// # Errors
    /// `future_event`; `unknown_decision` when the event names a decision that is not in the log: the history has taken the
    /// event in, nothing was learned from it; `no_consent` when personalization is off.
    pub fn observe(&mut self, event: &ListeningEvent, now: Timestamp) -> Result<(), Error> {
        if !self.consent.personalize {
            return Err(Error::privacy("no_consent", "expected consent to personalize, it is off"));
        }
        let at = event_time(event.at, now)?;
        if self.concerns_private(event, at) {
            return Ok(());
        }
        // Plays of the past, as an import brings them, do not touch the visit of today.
        let today = now.since(at) < SESSION_GAP_MS;
        if today {
            self.settle(now);
        }
        if matches!(event.kind, EventKind::Unhide | EventKind::Unskip) {
            self.undo(event);
            return Ok(());
        }
        self.controls.last = matches!(event.kind, EventKind::Hide | EventKind::Skip).then(|| Replaced {
            kind: event.kind,
            card: event.card,
            open_play: self.open_play,
            last_event_at: self.last_event_at,
            heard: self.contribution.watch.as_ref().map(|watch| (watch.coin.epoch, watch.heard.len())),
        });
        if today {
            self.last_event_at = self.last_event_at.max(at);
        }
        let used = !self.is_excluded(event.card);
        let (decision, shelf, card) = (event.decision, event.shelf, event.card);
        match event.kind {
            EventKind::Impression => {
                if used {
                    self.history.see(card, at);
                }
                self.see(event, at, true);
            }
            EventKind::Play => self.play(event, at, today),
            EventKind::Progress => self.progress(event, at),
            EventKind::Finish | EventKind::Skip => self.end_play(event, at),
            EventKind::Like | EventKind::Follow => {
                if used && event.kind == EventKind::Like {
                    self.history.like(card);
                } else if used {
                    self.history.follow(card, &self.catalogue);
                }
                self.outcome(decision, shelf, card, 1.0, at, 0, None);
            }
            EventKind::Hide => {
                self.history.hide(card);
                self.outcome(decision, shelf, card, 0.0, at, BY_HIDE, None);
            }
            EventKind::Unhide | EventKind::Unskip => {}
        }
        match event.decision {
            Some(id) if self.log.find(id).is_none() => Err(Error::event(
                "unknown_decision",
                "expected a decision of the local log, got another; the history has the event, nothing was learned",
            )),
            _ => Ok(()),
        }
    }

    fn play(&mut self, event: &ListeningEvent, at: Timestamp, today: bool) {
        if let Some(ms) = event.ms_played {
            self.heard(event.decision, event.shelf, event.card, ms, at, 0);
        } else if today {
            self.close_play(at);
            self.see(event, at, false);
            if self.is_excluded(event.card) {
                return;
            }
            self.open_play =
                Some(OpenPlay { card: event.card, decision: event.decision, shelf: event.shelf, started_at: at, reported_ms: 0 });
        } else {
            // A play of the past without a length lasted as long as the card.
            let ms = self.catalogue.card(event.card).duration_ms.unwrap_or(LISTEN_MS);
            self.heard(event.decision, event.shelf, event.card, ms, at, 0);
        }
    }

    fn progress(&mut self, event: &ListeningEvent, at: Timestamp) {
        let Some(ms) = event.ms_played else { return };
        let same = self.open_play.is_some_and(|play| play.card == event.card);
        if !same {
            self.close_play(at);
            if self.is_excluded(event.card) {
                return;
            }
            self.open_play = Some(OpenPlay {
                card: event.card,
                decision: event.decision,
                shelf: event.shelf,
                started_at: at.plus_ms(-i64::from(ms)),
                reported_ms: ms,
            });
        }
        let Some(play) = &mut self.open_play else { return };
        play.reported_ms = play.reported_ms.max(ms);
        play.decision = play.decision.or(event.decision);
        play.shelf = play.shelf.or(event.shelf);
        let play = *play;
        let (decision, shelf) = (play.decision, play.shelf);
        self.probe_played(&OpenPlay { started_at: at.plus_ms(-i64::from(ms)), ..play }, ms);
        if ms >= LISTEN_MS {
            self.outcome(decision, shelf, event.card, 1.0, at, 0, None);
        }
    }

    fn end_play(&mut self, event: &ListeningEvent, at: Timestamp) {
        let duration = self.catalogue.card(event.card).duration_ms;
        let started = self.open_play.filter(|play| play.card == event.card);
        let ms = match (event.ms_played, started) {
            (Some(ms), started) => ms.max(started.map_or(0, |play| play.reported_ms)),
            (None, Some(play)) => play.length_ms(at, duration),
            (None, None) if event.kind == EventKind::Finish => duration.unwrap_or(LISTEN_MS),
            (None, None) => 0,
        };
        let (mut decision, mut shelf) = (event.decision, event.shelf);
        if let Some(play) = started {
            decision = decision.or(play.decision);
            shelf = shelf.or(play.shelf);
            self.open_play = None;
            self.probe_played(&OpenPlay { decision, shelf, ..play }, ms);
        }
        let marks = if event.kind == EventKind::Skip { BY_SKIP } else { 0 };
        self.heard(decision, shelf, event.card, ms, at, marks);
    }

    /// A whole listen: into the history, and final for its impression.
    fn heard(
        &mut self,
        decision: Option<DecisionId>,
        shelf: Option<ShelfHandle>,
        card: CardHandle,
        ms: u32,
        at: Timestamp,
        marks: u8,
    ) {
        if self.is_excluded(card) {
            return;
        }
        self.history.listen(Listen { card, ms, at }, marks & BY_SKIP != 0, self.utc_offset_minutes, &self.catalogue);
        self.probe_played(&OpenPlay { card, decision, shelf, started_at: at.plus_ms(-i64::from(ms)), reported_ms: ms }, ms);
        self.outcome(decision, shelf, card, if ms >= LISTEN_MS { 1.0 } else { 0.0 }, at, marks, None);
    }

    /// Ends the play under way, if any.
    fn close_play(&mut self, at: Timestamp) {
        if let Some(play) = self.open_play.take() {
            // What came after a hide or a skip is not undone with it.
            self.controls.last = None;
            let ms = play.length_ms(at, self.catalogue.card(play.card).duration_ms);
            self.probe_played(&play, ms);
            self.heard(play.decision, play.shelf, play.card, ms, at, 0);
        }
    }

    /// Notes that a card of a decision was seen; pending until its outcome is known.
    fn see(&mut self, event: &ListeningEvent, at: Timestamp, viewport: bool) {
        if let Some(id) = event.decision
            && let Some(record) = self.log.find_mut(id)
        {
            record.viewport |= viewport;
            self.pend(id, event.shelf, event.card, at);
        }
    }

    /// Adds a pending impression unless there is one; whether it did.
    fn pend(&mut self, id: DecisionId, shelf: Option<ShelfHandle>, card: CardHandle, at: Timestamp) -> bool {
        if self.is_excluded(card) {
            return false;
        }
        let Some(record) = self.log.find_mut(id) else { return false };
        if record.impressions.len() >= MAX_IMPRESSIONS
            || record.impressions.iter().any(|i| i.card == card && shelf.is_none_or(|wanted| i.shelf == wanted))
        {
            return false;
        }
        let open = self.open.iter().rev().find(|open| open.id == id);
        let Some((shelf, features)) = open.and_then(|open| open.row(shelf, card, &self.bundle.schema)) else { return false };
        record.impressions.push(Impression { shelf, card, seen_at: at, features, reward: None });
        self.log.held += 1;
        self.log.quiet_until = Timestamp::default();
        true
    }

    /// The final outcome of a card on a decision; later ones change nothing.
    ///
    /// - `marks`, `because`: as in [`Lesson`].
    #[expect(clippy::too_many_arguments, reason = "what an event says of a card, and what it rests on")]
    fn outcome(
        &mut self,
        decision: Option<DecisionId>,
        shelf: Option<ShelfHandle>,
        card: CardHandle,
        reward: f32,
        at: Timestamp,
        marks: u8,
        because: Option<CardHandle>,
    ) {
        let Some(id) = decision else { return };
        // What was known to be seen does not rest on another card.
        let (marks, because) = if self.pend(id, shelf, card, at) { (marks | UNSEEN, because) } else { (marks, None) };
        let Some(record) = self.log.find_mut(id) else { return };
        let Some(impression) = record
            .impressions
            .iter_mut()
            .find(|i| i.card == card && shelf.is_none_or(|wanted| i.shelf == wanted) && i.reward.is_none())
        else {
            return;
        };
        impression.reward = Some(reward);
        let (row, shelf) = (std::mem::take(&mut impression.features), impression.shelf);
        let kind = self.catalogue.shelf(shelf).kind;
        self.teach(Lesson { card: Some(card), kind, reward, marks, because, row, ..Lesson::end(id, shelf, at) });
    }

    /// Ends what is over: the visit after half an hour of silence, impressions whose window has passed. Returns the number of
    /// outcomes learned.
    pub fn settle(&mut self, now: Timestamp) -> u64 {
        if self.controls.private {
            return 0;
        }
        let before = self.bundle.model.head().updates();
        if let Some(play) = self.open_play
            && now.since(play.started_at) >= ATTRIBUTION_WINDOW_MS
        {
            self.close_play(play.started_at.plus_ms(ATTRIBUTION_WINDOW_MS));
        }
        let silent = self.last_event_at.ms() > 0 && now.since(self.last_event_at) >= SESSION_GAP_MS;
        if silent && self.open_play.is_none() {
            self.finish(0, now);
        } else {
            self.finish(ATTRIBUTION_WINDOW_MS, now);
        }
        self.bundle.model.head().updates() - before
    }

    /// Ends the visit: the play under way and everything pending. Returns the number of outcomes learned.
    pub fn end_session(&mut self, now: Timestamp) -> u64 {
        if self.controls.private {
            return 0;
        }
        let before = self.bundle.model.head().updates();
        self.close_play(now);
        self.finish(0, now);
        self.bundle.model.head().updates() - before
    }

    /// Makes pending impressions final that are at least `age` milliseconds old, with reward 0, and closes decisions that are final.
    /// An age of 0 means all of them, whatever the clock says.
    fn finish(&mut self, age: i64, now: Timestamp) {
        if age > 0 && now < self.log.quiet_until {
            let quiet = |record: &DecisionRecord| record.closed || (record.impressions.is_empty() && now.since(record.at) < age);
            debug_assert!(self.log.records().all(quiet), "a record is due before the log is said to have one");
            return;
        }
        let over = |at: Timestamp| age == 0 || now.since(at) >= age;
        let playing = self.open_play.map(|play| (play.decision, play.card));
        let mut ids = Vec::new();
        let mut quiet_until = Timestamp::clamped(i64::MAX);
        for record in self.log.records().filter(|record| !record.closed) {
            let is_over = over(record.at);
            if is_over {
                ids.push(record.id);
            }
            let quiet = if is_over || !record.impressions.is_empty() { Timestamp::default() } else { final_at(record.at) };
            quiet_until = quiet_until.min(quiet);
        }
        self.log.quiet_until = quiet_until;
        for id in ids {
            self.assume_seen(id, now);
            self.learn_unreported(id, now);
            let Some(record) = self.log.find(id) else { continue };
            let due: Vec<(ShelfHandle, CardHandle)> = record
                .impressions
                .iter()
                .filter(|i| i.reward.is_none() && over(i.seen_at) && playing != Some((Some(id), i.card)))
                .map(|i| (i.shelf, i.card))
                .collect();
            for (shelf, card) in due {
                self.outcome(Some(id), Some(shelf), card, 0.0, now, 0, None);
            }
            // A page that nobody has said anything about may still be played from while it is in memory.
            let in_memory = self.open.iter().any(|open| open.id == id);
            let Some(record) = self.log.find_mut(id) else { continue };
            if record.impressions.iter().any(|i| i.reward.is_none()) || (record.impressions.is_empty() && in_memory) {
                continue;
            }
            record.closed = true;
            let played =
                |shelf, card| record.impressions.iter().any(|i| i.shelf == shelf && i.card == card && i.reward == Some(1.0));
            let settings = &self.bundle.settings;
            let weight = match self.open.iter().find(|open| open.id == id) {
                Some(open) => open.baseline_weight(played),
                // Whatever its weight: nothing was played.
                None => {
                    let nothing = record.impressions.iter().all(|i| i.reward != Some(1.0));
                    (settings.baseline_share > 0.0 && nothing).then_some((0.0, false))
                }
            };
            if let Some((weight, any)) = weight {
                self.safety.learn(weight, any, settings.baseline_share, settings.safety_margin, settings.safety_level);
            }
            if let Some(first) = record.shelves.first().filter(|_| !record.impressions.is_empty()) {
                let shelf = first.shelf;
                self.teach(Lesson::end(id, shelf, now));
            }
        }
    }

    /// Where the app does not report what is visible: the visible cards of a shelf up to a played one were seen, as in the cascade
    /// model (Craswell et al. 2008). Without a play nothing is assumed.
    fn assume_seen(&mut self, id: DecisionId, at: Timestamp) {
        let Some(record) = self.log.find(id) else { return };
        if record.viewport {
            return;
        }
        let mut seen: Vec<(ShelfHandle, CardHandle, CardHandle)> = Vec::new();
        for shelf in &record.shelves {
            let played = |card: CardHandle| record.reward(shelf.shelf, card) == Some(1.0);
            if let Some(last) = shelf.cards.iter().rposition(|card| played(card.card)) {
                let because = shelf.cards[last].card;
                let before = shelf.cards[..last].iter().map(|card| card.card).filter(|card| !played(*card));
                seen.extend(before.map(|card| (shelf.shelf, card, because)));
            }
        }
        for (shelf, card, because) in seen {
            self.outcome(Some(id), Some(shelf), card, 0.0, at, 0, Some(because));
        }
    }

    /// The outcomes kept, oldest first, that were surely seen: feature row when the page was drawn, and reward in [0, 1].
    pub fn lessons(&self) -> impl Iterator<Item = (&[f32], f32)> {
        let taught = self.history.lessons.iter().filter(|lesson| !lesson.row.is_empty() && lesson.weight >= 1.0);
        taught.map(|lesson| (lesson.row.as_slice(), lesson.reward))
    }

    /// What the device holds, in numbers.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            events: self.history.event_count(),
            cards: self.history.cards.len(),
            decisions: self.log.records().len(),
            pending: self.log.pending(),
            updates: self.bundle.model.head().updates(),
            registered: self.catalogue.len(),
        }
    }
}
