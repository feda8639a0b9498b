//! The candidates of one list, the shelves or the cards of one shelf, on their way into places.

use super::thompson;
use crate::math::falling;
use crate::slate::Candidates;

/// A position that belongs to nobody.
const FREE: u32 = u32::MAX;

/// Why a candidate is not drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// Shown above already; placed after the open ones.
    Shown,
    /// The listener hid it; placed last.
    Barred,
}

pub(super) struct Places<'a> {
    /// Where the list starts in the card vectors; 0 for shelves.
    pub(super) start: usize,
    pub(super) logits: &'a [f64],
    /// Spread of each posterior, for Thompson sampling; empty when there is none.
    pub(super) spread: &'a [f64],
    /// Logits of the baseline; empty when there is none.
    pub(super) baseline: &'a [f64],
    /// exp(logit - largest logit), made once for the list; empty before.
    pub(super) weights: Vec<f64>,
    /// Logits of the open candidates for the next place, where they depend on what is shown; empty where they do not.
    pub(super) adjusted: Vec<f64>,
    /// Quadrature over the list's posteriors, made once.
    pub(super) draws: Option<thompson::Draws>,
    /// How many places of the list are visible.
    pub(super) visible: usize,
    /// What may be drawn, in index order.
    pub(super) open: Vec<u32>,
    shown: Vec<u32>,
    barred: Vec<u32>,
    /// Candidate by position, or [`FREE`]; empty when nothing is pinned.
    pinned: Vec<u32>,
    tail: Option<std::vec::IntoIter<u32>>,
}

/// The shelves of a page.
pub(super) fn of_shelves(candidates: &Candidates) -> Places<'_> {
    Places {
        spread: &candidates.shelf_spread,
        baseline: &candidates.baseline_shelves,
        visible: candidates.visible.shelves,
        ..Places::new(&candidates.shelf_logits, &candidates.shelf_pins, Some(&|_| None))
    }
}

/// The cards of one shelf; `shown` are the cards, by place in the card vectors, that are visible above.
pub(super) fn of_cards<'a>(candidates: &'a Candidates, shelf: u32, shown: &[u32]) -> Places<'a> {
    let range = candidates.cards_of(shelf);
    let pins: Vec<(u32, u32)> = candidates.card_pins.iter().filter(|pin| pin.0 == shelf).map(|pin| (pin.1, pin.2)).collect();
    let shown = if candidates.show_once { shown } else { &[] };
    let closed = |index: u32| {
        let at = range.start + index as usize;
        if candidates.is_barred(at) {
            Some(Closed::Barred)
        } else if shown.iter().any(|above| candidates.identity[*above as usize] == candidates.identity[at]) {
            Some(Closed::Shown)
        } else {
            None
        }
    };
    let free = pins.is_empty() && shown.is_empty() && candidates.barred.is_empty();
    Places {
        start: range.start,
        spread: candidates.card_spread.get(range.clone()).unwrap_or(&[]),
        baseline: candidates.baseline_cards.get(range.clone()).unwrap_or(&[]),
        visible: candidates.visible.cards,
        ..Places::new(&candidates.card_logits[range.clone()], &pins, (!free).then_some(&closed))
    }
}

impl<'a> Places<'a> {
    /// - `closed`: none where all candidates are open and none is pinned.
    fn new(logits: &'a [f64], pins: &[(u32, u32)], closed: Option<&dyn Fn(u32) -> Option<Closed>>) -> Self {
        let mut places = Self {
            start: 0,
            logits,
            spread: &[],
            baseline: &[],
            weights: Vec::new(),
            adjusted: Vec::new(),
            draws: None,
            visible: 0,
            open: Vec::new(),
            shown: Vec::new(),
            barred: Vec::new(),
            pinned: Vec::new(),
            tail: None,
        };
        let Some(closed) = closed else {
            places.open = (0..logits.len() as u32).collect();
            return places;
        };
        let mut is_pinned = Vec::new();
        if !pins.is_empty() {
            places.pinned = vec![FREE; logits.len()];
            is_pinned = vec![false; logits.len()];
        }
        for &(position, index) in pins {
            places.pinned[position as usize] = index;
            is_pinned[index as usize] = true;
        }
        for index in 0..logits.len() as u32 {
            if is_pinned.get(index as usize) == Some(&true) {
                continue;
            }
            match closed(index) {
                None => places.open.push(index),
                Some(Closed::Shown) => places.shown.push(index),
                Some(Closed::Barred) => places.barred.push(index),
            }
        }
        places
    }

    pub(super) fn pinned(&self, position: usize) -> Option<u32> {
        self.pinned.get(position).copied().filter(|index| *index != FREE)
    }

    /// Whether the next place can be drawn at all.
    pub(super) fn can_draw(&self) -> bool {
        self.tail.is_none() && !self.open.is_empty()
    }

    /// Takes the open candidate at `pick`.
    pub(super) fn take(&mut self, pick: usize) -> u32 {
        let index = self.open.remove(pick);
        if let Some(draws) = &mut self.draws {
            draws.place(index);
        }
        index
    }

    /// Whether any position belongs to one candidate.
    pub(super) fn has_pins(&self) -> bool {
        !self.pinned.is_empty()
    }

    /// The next candidate in the order of falling logit, ties by index, closed ones last.
    pub(super) fn next_of_tail(&mut self) -> Option<u32> {
        self.rest().next()
    }

    /// All candidates that have no place yet, in that order.
    pub(super) fn rest(&mut self) -> &mut std::vec::IntoIter<u32> {
        self.tail.get_or_insert_with(|| {
            let by_logit = |group: &mut Vec<u32>| falling(group.drain(..).map(|i| (self.logits[i as usize], i)).collect());
            let mut order = by_logit(&mut self.open);
            for group in [&mut self.shown, &mut self.barred] {
                order.append(&mut by_logit(group));
            }
            order.into_iter()
        })
    }
}
