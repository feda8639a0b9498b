//! Outcomes in doubt: impressions that are pending, and pages about which the app said nothing.

use std::borrow::Cow;

use super::Ranker;
use crate::clock::Timestamp;
use crate::history::Lesson;
use crate::log::{DecisionId, DecisionRecord};
use crate::math::sigmoid;
use crate::model::Head;
use crate::seeing::{Unreported, examined_unplayed};
use crate::survival::{tapped_by, waiting};

/// Most pending impressions that count while a page is ranked, the latest; each costs one update of the head.
pub const MAX_PENDING_USED: usize = 32;

/// The latest plays, of any kind, among which those of a card's kind are counted; the play curve forgets the ones before.
const RECENT_EVENTS: usize = 500;

impl Ranker {
    /// The head to rank with: forgotten to `now`, with pending impressions as what they are expected to become. The head itself is
    /// changed by final outcomes only.
    pub(super) fn working_head(&self, now: Timestamp) -> Cow<'_, Head> {
        let model = &self.bundle.model;
        let feedback = &self.bundle.feedback;
        let mut expected = Vec::new();
        if self.log.quiet_until > Timestamp::default() {
            return model.working(now.ms(), &expected);
        }
        for record in self.log.records.iter().rev().filter(|record| !record.closed) {
            for i in record.impressions.iter().rev() {
                if i.reward.is_some() || i.features.is_empty() || expected.len() == MAX_PENDING_USED {
                    continue;
                }
                let (reward, weight) = match self.open_play {
                    Some(play) if play.card == i.card && play.decision == Some(record.id) => {
                        let card = self.catalogue.card(i.card);
                        let mut recent = Vec::new();
                        for fact in self.history.facts.ring.iter().rev().take(RECENT_EVENTS) {
                            if self.catalogue.card(fact.card).kind == card.kind
                                && let Some(ms) = fact.ms
                            {
                                recent.push(ms);
                            }
                        }
                        (feedback.play_curve(card.kind).lasts(play.length_ms(now, card.duration_ms), &recent), 1.0)
                    }
                    _ => waiting(sigmoid(model.score(&i.features)), tapped_by(now.since(i.seen_at), feedback.tap_half_ms)),
                };
                expected.push((i.features.as_slice(), reward, weight));
            }
        }
        model.working(now.ms(), &expected)
    }

    /// Under the position-based model, a page that is over and about which nothing was reported teaches once: each visible card
    /// reward 0 with the chance that it was looked at.
    pub(super) fn learn_unreported(&mut self, id: DecisionId, at: Timestamp) {
        let feedback = &self.bundle.feedback;
        let silent = |record: &&mut DecisionRecord| !record.viewport && record.impressions.is_empty();
        let Some(record) = self.log.find_mut(id).filter(silent) else { return };
        let Some(open) = self.open.iter().find(|open| open.id == id) else { return };
        if feedback.unreported != Unreported::Position {
            return;
        }
        let row = |shelf, card| Some(open.row(Some(shelf), card, &self.bundle.schema)?.1);
        // Over first: what comes after says nothing about shelf kinds.
        let shelf = record.shelves.first().map_or(self.local_shelves[0], |shelf| shelf.shelf);
        let mut lessons = vec![Lesson::end(id, shelf, at)];
        let mut shelf_examined = 1.0;
        for shelf in &record.shelves {
            let mut examined = shelf_examined;
            for card in &shelf.cards {
                if let Some(row) = row(shelf.shelf, card.card) {
                    lessons.push(Lesson {
                        card: Some(card.card),
                        shelf: shelf.shelf,
                        kind: self.catalogue.shelf(shelf.shelf).kind,
                        weight: examined_unplayed(examined, sigmoid(card.score.into())),
                        row,
                        ..lessons[0].clone()
                    });
                }
                examined *= feedback.examination;
            }
            shelf_examined *= feedback.shelf_examination;
        }
        record.closed = true;
        for lesson in lessons {
            if lesson.card.is_none_or(|card| !self.is_excluded(card)) {
                self.teach(lesson);
            }
        }
    }
}
