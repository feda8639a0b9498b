//! A slate: the shelves and cards of one page in the order shown, each with its propensity.

use crate::page::Visible;
use crate::policy::Along;

/// One page as it was placed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slate {
    /// The shelves, top down.
    pub shelves: Vec<PlacedShelf>,
    /// The cards of all shelves, shelf after shelf as placed.
    pub cards: Vec<Placed>,
    /// Whether any visible place was drawn at random.
    pub randomized: bool,
    /// Where a share of pages is the baseline's: for each visible card, shelf after shelf as placed, the chance of the page up to it
    /// under the baseline over its chance under the policy; at most 1 / share. Else empty.
    pub baseline_weights: Vec<f64>,
}

/// A shelf in its position.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedShelf {
    /// Which candidate, and with what propensity.
    pub placed: Placed,
    /// Where its cards lie in [`Slate::cards`].
    pub cards: std::ops::Range<usize>,
}

/// A candidate in a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Index of the candidate: of the shelf among the shelves, of the card within its shelf.
    pub index: u32,
    /// Probability of this candidate here given everything placed before, in (0, 1] when drawn; 1 when fixed or not visible.
    /// A slate that is judged may hold choices its policy never makes: 0.
    pub propensity: f64,
}

/// What a policy chooses from: shelves of cards with their logits, and the rules of the page.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// One logit for each shelf.
    pub shelf_logits: Vec<f64>,
    /// Positions that belong to one shelf: (position, shelf).
    pub shelf_pins: Vec<(u32, u32)>,
    /// Where each shelf's cards start in the card vectors; one more entry than shelves.
    pub starts: Vec<u32>,
    /// One logit for each card, shelf after shelf.
    pub card_logits: Vec<f64>,
    /// Positions that belong to one card: (shelf, position, card within the shelf).
    pub card_pins: Vec<(u32, u32, u32)>,
    /// For each card whether it may not be drawn and comes last; empty when all may.
    pub barred: Vec<bool>,
    /// Which card it is, for `show_once`; may be empty without it.
    pub identity: Vec<u32>,
    /// How much is visible.
    pub visible: Visible,
    /// Whether a card visible in one shelf is not drawn again in a shelf below.
    pub show_once: bool,
    /// Spread of each shelf's posterior, for Thompson sampling; else empty.
    pub shelf_spread: Vec<f64>,
    /// Spread of each card's posterior, for Thompson sampling; else empty.
    pub card_spread: Vec<f64>,
    /// Logits of the baseline for each shelf, where a share of pages is the baseline's; else empty.
    pub baseline_shelves: Vec<f64>,
    /// Logits of the baseline for each card, where a share of pages is the baseline's; else empty.
    pub baseline_cards: Vec<f64>,
    /// How logits depend on the cards shown above.
    pub along: Along,
    /// Cards that are visible above this page already, as places in the card vectors: `identity`, `artist` and `family` may hold more
    /// entries than there are cards, and those are never drawn.
    pub before: Vec<u32>,
    /// Artist of each card for [`Along`], 0 for none; may be empty.
    pub artist: Vec<u32>,
    /// Family of each card for [`Along`], 0 for none; may be empty.
    pub family: Vec<u32>,
}

impl Candidates {
    /// Candidates with free shelves of free, distinct cards.
    #[must_use]
    pub fn free(shelf_logits: Vec<f64>, card_logits: &[Vec<f64>], visible: Visible) -> Self {
        let mut starts = vec![0];
        for cards in card_logits {
            starts.push(starts[starts.len() - 1] + cards.len() as u32);
        }
        let flat: Vec<f64> = card_logits.concat();
        Self {
            shelf_logits,
            starts,
            barred: vec![false; flat.len()],
            identity: (0..flat.len() as u32).collect(),
            card_logits: flat,
            visible,
            ..Self::default()
        }
    }

    /// Whether the card at this place of the card vectors may not be drawn.
    #[must_use]
    pub fn is_barred(&self, at: usize) -> bool {
        self.barred.get(at) == Some(&true)
    }

    /// Number of shelves.
    #[must_use]
    pub fn shelf_count(&self) -> usize {
        self.shelf_logits.len()
    }

    /// Where the cards of a shelf lie in the card vectors.
    #[must_use]
    pub fn cards_of(&self, shelf: u32) -> std::ops::Range<usize> {
        self.starts[shelf as usize] as usize..self.starts[shelf as usize + 1] as usize
    }
}
