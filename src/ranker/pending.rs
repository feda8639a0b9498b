//! What pending impressions are worth while their outcome is not known.

use std::borrow::Cow;

use super::Ranker;
use crate::clock::Timestamp;
use crate::math::sigmoid;
use crate::model::Head;
use crate::survival::{tapped_by, waiting};

/// Most pending impressions that count while a page is ranked, the latest; each costs one update of the head.
pub const MAX_PENDING_USED: usize = 32;

impl Ranker {
    /// The head to rank with: forgotten to `now`, with pending impressions as what they are expected to become. The head itself is
    /// changed by final outcomes only.
    pub(super) fn working_head(&self, now: Timestamp) -> Cow<'_, Head> {
        let head = self.bundle.model.head();
        let feedback = &self.bundle.feedback;
        let records = self.log.records.iter().rev().filter(|record| !record.closed);
        let pending = records.flat_map(|record| record.impressions.iter().rev().map(move |impression| (record.id, impression)));
        let expected =
            pending.filter(|(_, i)| i.reward.is_none() && !i.features.is_empty()).take(MAX_PENDING_USED).map(|(id, i)| {
                let (reward, weight) = match self.open_play.filter(|play| play.card == i.card && play.decision == Some(id)) {
                    Some(play) => {
                        let card = self.catalogue.card(i.card);
                        let same_kind =
                            self.history.events.iter().rev().filter(|e| self.catalogue.card(e.card).kind == card.kind);
                        let played = play.length_ms(now, card.duration_ms);
                        (feedback.play_curve(card.kind).lasts(played, same_kind.map(|event| event.ms)), 1.0)
                    }
                    None => waiting(sigmoid(head.score(&i.features)), tapped_by(now.since(i.seen_at), feedback.tap_half_ms)),
                };
                (i.features.as_slice(), reward, weight)
            });
        head.working(now.ms(), expected)
    }
}
