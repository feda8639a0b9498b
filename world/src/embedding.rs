//! Embeddings of cards: what a server would have learned from who plays what, and all that a policy knows of likeness.
//!
//! A family has a direction, an artist a smaller one of its own, a card a smaller one still. Tastes are not made from these
//! directions: what listeners like follows other numbers, drawn under other keys.

use crate::chance::Key;
use crate::constants::{ARTIST_DIRECTION, CARD_DIRECTION, EMBEDDING};

/// Draws directions by name.
pub(crate) struct Directions(Key);

impl Directions {
    pub(crate) fn new(key: Key) -> Self {
        Self(key)
    }

    /// Embedding of a card; not scaled to length 1, the core does that.
    pub(crate) fn embedding(&self, family: u32, artist: Option<u32>, card: u64) -> Vec<f32> {
        let mut sum = self.direction(1, u64::from(family));
        let own = artist.map(|artist| self.direction(2, u64::from(artist)));
        let card = self.direction(3, card);
        for (d, value) in sum.iter_mut().enumerate() {
            *value += own.as_ref().map_or(0.0, |own| ARTIST_DIRECTION * own[d]) + CARD_DIRECTION * card[d];
        }
        sum.into_iter().map(|value| value as f32).collect()
    }

    /// A random direction of length 1.
    fn direction(&self, level: u64, number: u64) -> Vec<f64> {
        let key = self.0.with(level).with(number);
        let values: Vec<f64> = (0..EMBEDDING as u64).map(|d| key.with(d).normal()).collect();
        let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
        values.into_iter().map(|v| v / length).collect()
    }
}
