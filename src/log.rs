//! The local log of decisions with exact propensities. It stays on the device.

use std::collections::VecDeque;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::page::{CardHandle, ShelfHandle};

/// Most decisions kept; the oldest go first.
pub const MAX_DECISIONS: usize = 200;
/// Most placed cards and impressions kept over all decisions.
pub const MAX_LOGGED_CARDS: usize = 12_000;
/// Most impressions kept of one decision.
pub const MAX_IMPRESSIONS: usize = 400;

/// Names one decision: 64 bits, written as 16 hexadecimal digits. The first bit says whether the listener was listening privately,
/// the others are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DecisionId(pub(crate) u64);

impl DecisionId {
    /// An id from random bits.
    pub(crate) fn drawn(bits: u64, private: bool) -> Self {
        Self(bits & (u64::MAX >> 1) | u64::from(private) << 63)
    }

    /// Whether it names a decision that the log must not know. Ids of snapshots in format 1 may look so and be in the log.
    pub(crate) fn is_private(self) -> bool {
        self.0 >> 63 == 1
    }

    /// Reads the 16 digits.
    ///
    /// # Errors
    /// `unknown_decision` when the text is not 16 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(Self).ok_or_else(|| {
            Error::event("unknown_decision", format!("a decision id has 16 hexadecimal digits, got {} bytes", text.len()))
        })
    }

    /// The upper and the lower 32 bits.
    #[must_use]
    pub fn halves(self) -> (u32, u32) {
        ((self.0 >> 32) as u32, self.0 as u32)
    }
}

impl std::fmt::Display for DecisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A card that was placed where it could be seen without scrolling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoggedCard {
    /// Which card.
    pub card: CardHandle,
    /// Its propensity given everything placed before.
    pub propensity: f64,
    /// Its score when the page was drawn, in log-odds.
    pub score: f32,
}

/// A shelf that was placed where it could be seen without scrolling.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedShelf {
    /// Which shelf.
    pub shelf: ShelfHandle,
    /// Its propensity given everything placed before.
    pub propensity: f64,
    /// Its visible cards, in order.
    pub cards: Vec<LoggedCard>,
}

/// A card that was really seen, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Impression {
    /// On which shelf.
    pub shelf: ShelfHandle,
    /// Which card.
    pub card: CardHandle,
    /// When it was seen first.
    pub seen_at: Timestamp,
    /// Its features when the page was drawn; empty once learned.
    pub features: Vec<f32>,
    /// Reward in [0, 1] once it is final; `None` while pending.
    pub reward: Option<f32>,
}

/// One decision: what was shown with what chance, what was seen, what was played.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    /// Its name.
    pub id: DecisionId,
    /// When.
    pub at: Timestamp,
    /// Whether any visible place was drawn at random.
    pub randomized: bool,
    /// Whether this visit carried the week's probe: its shelf and card were placed by the public draw, and their propensities here
    /// are given that draw.
    pub probe: bool,
    /// Version of the model that scored.
    pub model_version: String,
    /// The visible shelves, top down.
    pub shelves: Vec<LoggedShelf>,
    /// What was seen.
    pub impressions: Vec<Impression>,
    /// The app reports what is visible, so silence means "not seen".
    pub viewport: bool,
    /// Everything is final; willingness has been counted.
    pub closed: bool,
}

impl DecisionRecord {
    /// The final reward of a card on a shelf, if it was seen there.
    pub(crate) fn reward(&self, shelf: ShelfHandle, card: CardHandle) -> Option<f32> {
        self.impressions.iter().find(|i| i.shelf == shelf && i.card == card)?.reward
    }
}

/// The decisions of the last weeks, oldest first.
#[derive(Clone, Debug, Default)]
pub struct DecisionLog {
    pub(crate) records: VecDeque<DecisionRecord>,
    /// Placed cards and impressions in all records.
    pub(crate) held: usize,
    /// Before then no impression is pending and no decision becomes final; 0 where that is not known. So that ranking a page need not go through
    /// all records.
    pub(crate) quiet_until: Timestamp,
}

impl DecisionLog {
    pub(crate) fn push(&mut self, record: DecisionRecord) {
        let holds =
            |record: &DecisionRecord| record.impressions.len() + record.shelves.iter().map(|s| s.cards.len()).sum::<usize>();
        self.held += holds(&record);
        self.records.push_back(record);
        debug_assert_eq!(self.held, self.records.iter().map(holds).sum::<usize>());
        while self.records.len() > MAX_DECISIONS || (self.held > MAX_LOGGED_CARDS && self.records.len() > 1) {
            if let Some(gone) = self.records.pop_front() {
                self.held -= holds(&gone);
            }
        }
    }

    /// The decision called `id`.
    #[must_use]
    pub fn find(&self, id: DecisionId) -> Option<&DecisionRecord> {
        self.records.iter().rev().find(|record| record.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: DecisionId) -> Option<&mut DecisionRecord> {
        self.records.iter_mut().rev().find(|record| record.id == id)
    }

    /// The decisions, oldest first.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &DecisionRecord> {
        self.records.iter()
    }

    /// Impressions whose reward is not final.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.records.iter().flat_map(|r| &r.impressions).filter(|i| i.reward.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_nonsense_is_refused() {
        let id = DecisionId(0x00ab_cdef_0123_4567);
        assert_eq!(DecisionId::parse(&id.to_string()).unwrap(), id);
        for bad in ["", "xyz", "00abcdef0123456", "00abcdef012345678", "+0abcdef01234567"] {
            assert_eq!(DecisionId::parse(bad).unwrap_err().code(), "unknown_decision");
        }
    }

    #[test]
    fn the_log_is_bounded() {
        let mut log = DecisionLog::default();
        for i in 0..2 * MAX_DECISIONS as u64 {
            let cards = vec![LoggedCard { card: CardHandle(0), propensity: 1.0, score: 0.0 }; 100];
            log.push(DecisionRecord {
                id: DecisionId(i),
                at: Timestamp::default(),
                randomized: true,
                probe: false,
                model_version: String::new(),
                shelves: vec![LoggedShelf { shelf: ShelfHandle(0), propensity: 1.0, cards }],
                impressions: Vec::new(),
                viewport: false,
                closed: false,
            });
        }
        assert!(log.records.len() <= MAX_LOGGED_CARDS / 100);
        assert!(log.find(DecisionId(2 * MAX_DECISIONS as u64 - 1)).is_some());
        assert!(log.find(DecisionId(0)).is_none());
    }
}
