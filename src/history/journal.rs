//! What the listener did, kept so that any part of it can be taken back: everything learned can be made again from here.
//!
//! Facts shape the history, lessons the head and the willingness. Both are bounded and stand in the order in which they were
//! learned; making the state again runs the functions that learn, in that order and with the same times, so it gives the same bits.

use super::LISTEN_MS;
use crate::clock::Timestamp;
use crate::log::DecisionId;
use crate::math::falling;
use crate::page::{CardHandle, ShelfHandle};

/// Most listening events kept; the oldest eighth goes when there are more.
pub const MAX_EVENTS: usize = 5_000;
/// Most cards seen that are kept, likewise. A card seen counts for three days.
pub const MAX_SEEN: usize = 2_000;
/// Most outcomes kept; the oldest eighth goes when there are more.
pub const MAX_LESSONS: usize = 4_000;
/// Most bytes of feature rows in them.
pub const MAX_LESSON_BYTES: usize = 512_000;

/// A card that was heard or seen, with all that counting it needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fact {
    pub(crate) card: CardHandle,
    pub(crate) at: Timestamp,
    /// Milliseconds played; `None` for a card that was only seen.
    pub(crate) ms: Option<u32>,
    /// Catalogue numbers of artist and family when it was heard: what the app says of a card may change later.
    pub(crate) artist: u32,
    pub(crate) family: u32,
    /// Part of the listener's day.
    pub(crate) bucket: usize,
    /// Reported as a skip, which can be undone.
    pub(crate) skipped: bool,
    /// Where the card lies in the app's embedding space; empty when unknown or not heard long enough.
    pub(crate) direction: Vec<i8>,
}

impl Fact {
    /// Whether it is a play of at least [`LISTEN_MS`].
    pub(crate) fn counts(&self) -> bool {
        self.ms.is_some_and(|ms| ms >= LISTEN_MS)
    }
}

/// A unit vector in steps of its largest element / 127: small enough to keep with each play, so that the taste can be made again
/// whether or not the app registers the card once more. For 64 random dimensions the angle to the original is below one degree.
pub(crate) fn quantised(unit: &[f32]) -> Vec<i8> {
    let largest = unit.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    if largest > 0.0 {
        // Truncating after adding a half and a whole range rounds to nearest.
        unit.iter().map(|value| ((value / largest * 127.0 + 128.5) as i32 - 128) as i8).collect()
    } else {
        Vec::new()
    }
}

/// The outcome of a card on a decision was a hide.
pub(crate) const BY_HIDE: u8 = 1;
/// It was a skip.
pub(crate) const BY_SKIP: u8 = 2;
/// Nothing had said that the card was seen before.
pub(crate) const UNSEEN: u8 = 4;

/// A final outcome, or the end of a decision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lesson {
    pub(crate) decision: DecisionId,
    pub(crate) at: Timestamp,
    /// `None` when the decision is over: shelf kinds that were seen and not acted on are counted then.
    pub(crate) card: Option<CardHandle>,
    pub(crate) shelf: ShelfHandle,
    /// Catalogue number of the shelf's kind.
    pub(crate) kind: u32,
    /// In [0, 1].
    pub(crate) reward: f32,
    /// How much the outcome counts for the head; 1 when the card is known to have been seen.
    pub(crate) weight: f64,
    /// [`BY_HIDE`], [`BY_SKIP`], [`UNSEEN`].
    pub(crate) marks: u8,
    /// The played card behind it on its shelf, from which follows that this one was seen.
    pub(crate) because: Option<CardHandle>,
    /// Feature row when the page was drawn; empty when it is of another schema.
    pub(crate) row: Vec<f32>,
}

impl Lesson {
    /// The lesson that a decision is over. The shelf is any one of its shelves.
    pub(crate) fn end(decision: DecisionId, shelf: ShelfHandle, at: Timestamp) -> Self {
        Self { decision, at, card: None, shelf, kind: 0, reward: 0.0, weight: 1.0, marks: 0, because: None, row: Vec::new() }
    }
}

/// Facts in the order they were learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) ring: Vec<Fact>,
    /// How many of them are listening events.
    pub(crate) listens: usize,
}

impl Facts {
    pub(crate) fn push(&mut self, fact: Fact) {
        self.listens += usize::from(fact.ms.is_some());
        self.ring.push(fact);
    }

    pub(crate) fn retain(&mut self, keep: &mut dyn FnMut(&Fact) -> bool) {
        self.ring.retain(keep);
        self.listens = self.ring.iter().filter(|fact| fact.ms.is_some()).count();
    }

    /// Keeps to the bounds: the latest seven eighths of what has grown too long.
    pub(crate) fn bound(&mut self) {
        for (heard, most) in [(true, MAX_EVENTS), (false, MAX_SEEN)] {
            let count = if heard { self.listens } else { self.ring.len() - self.listens };
            if count <= most {
                continue;
            }
            let times: Vec<(f64, u32)> = self
                .ring
                .iter()
                .zip(0..)
                .filter(|(fact, _)| fact.ms.is_some() == heard)
                .map(|(fact, place)| (fact.at.ms() as f64, place))
                .collect();
            let mut gone = vec![false; self.ring.len()];
            for place in falling(times).into_iter().skip(most - most / 8) {
                gone[place as usize] = true;
            }
            let mut gone = gone.into_iter();
            self.retain(&mut |_| gone.next() != Some(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(at: i64, ms: Option<u32>) -> Fact {
        Fact {
            card: CardHandle(0),
            at: Timestamp::clamped(at),
            ms,
            artist: 0,
            family: 0,
            bucket: 0,
            skipped: false,
            direction: Vec::new(),
        }
    }

    #[test]
    fn a_quantised_direction_is_nearly_the_same_direction() {
        use crate::random::{Purpose, Seed, unit};
        let mut rng = Seed::from_number(4).stream(Purpose::Host, 0);
        for size in [2, 16, 64, 256] {
            for _ in 0..50 {
                let vector: Vec<f32> = (0..size).map(|_| unit(&mut rng) as f32 - 0.5).collect();
                let steps = quantised(&vector);
                let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
                for (a, b) in vector.iter().zip(&steps) {
                    let (a, b) = (f64::from(*a), f64::from(*b));
                    (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
                }
                // The cosine of one degree.
                assert!(ab / (aa * bb).sqrt() > 0.999_847, "{size} {}", ab / (aa * bb).sqrt());
            }
        }
        assert!(quantised(&[0.0, 0.0]).is_empty() && quantised(&[]).is_empty());
        assert_eq!(quantised(&[1.0, -1.0, 0.5]), [127, -127, 64]);
    }

    #[test]
    fn the_latest_facts_stay_in_the_order_they_came() {
        let mut facts = Facts::default();
        for at in (0..MAX_EVENTS as i64 + 1).rev() {
            facts.push(fact(at, Some(1)));
        }
        for at in 0..9 {
            facts.push(fact(at, None));
        }
        facts.bound();
        assert_eq!(facts.listens, MAX_EVENTS - MAX_EVENTS / 8);
        assert_eq!(facts.ring.len(), facts.listens + 9, "each kind has a bound of its own");
        assert_eq!(facts.ring[0].at.ms(), MAX_EVENTS as i64);
        assert!(facts.ring.iter().filter(|fact| fact.ms.is_some()).all(|fact| fact.at.ms() > MAX_EVENTS as i64 / 8));
    }
}
