//! Policies: scores in, a slate with its propensities out; and the propensities of a given slate.
//!
//! A page is decided top down: the shelf of position 0, its visible cards, the shelf of position 1, and so on, without
//! replacement. A policy says one thing only, the chance of each remaining candidate for the next place. Drawing a page and
//! judging a given page walk the same path through the same code; they differ in who picks.

use rand_core::Rng;

use crate::error::{Error, ErrorKind, shown};
use crate::math::{exp, falling};
use crate::random::unit;
use crate::slate::{Candidates, Placed, PlacedShelf, Slate};

mod epsilon_page;
mod greedy;
mod plackett_luce;

/// Smallest conditional probability that a logging policy may give to a candidate it can draw.
pub const MIN_LOGGED_PROPENSITY: f64 = 1e-6;

/// How a page is drawn from its scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// Two-level Plackett-Luce with a floor: (1 - floor) softmax + floor uniform over what remains.
    PlackettLuce {
        /// Floor for shelves, in [0, 1]. 0 is plain Plackett-Luce, 1 uniform.
        floor_shelves: f64,
        /// Floor for cards, in [0, 1].
        floor_cards: f64,
    },
    /// With chance 1 - epsilon the whole greedy page, else a uniformly drawn one.
    EpsilonPage {
        /// Chance of the uniform page, in [0, 1].
        epsilon: f64,
    },
    /// The candidates by falling logit; deterministic. With popularity or the server's order as logits these are the plain baselines.
    Greedy,
}

/// Which choice is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A shelf for a position on the page.
    Shelf,
    /// A card for a position in its shelf.
    Card,
}

/// What a policy needs to know of everything placed before.
#[derive(Clone, Copy, Debug)]
struct Prefix {
    /// Every choice so far was the greedy one.
    greedy: bool,
    /// Chance of the choices so far under uniform draws.
    uniform: f64,
}

/// Who picks at each place.
trait Choose {
    /// Index into `open` of the candidate to place.
    fn pick(&mut self, level: Level, shelf: u32, position: usize, open: &[u32], pmf: &[f64]) -> Result<usize, Error>;
}

/// Picks at random with the stated chances.
struct Draw<'a, R: ?Sized>(&'a mut R);

impl<R: Rng + ?Sized> Choose for Draw<'_, R> {
    fn pick(&mut self, _: Level, _: u32, _: usize, _: &[u32], pmf: &[f64]) -> Result<usize, Error> {
        // A certain choice needs no coin.
        if let Some(certain) = pmf.iter().position(|p| *p >= 1.0) {
            return Ok(certain);
        }
        let u = unit(self.0);
        let mut below = 0.0;
        let mut last = 0;
        for (index, p) in pmf.iter().enumerate() {
            if *p > 0.0 {
                below += p;
                last = index;
                if u < below {
                    return Ok(index);
                }
            }
        }
        // Rounding left the sum a hair under 1.
        Ok(last)
    }
}

/// Picks what a given slate holds.
struct Follow<'a> {
    slate: &'a Slate,
}

impl Choose for Follow<'_> {
    fn pick(&mut self, level: Level, shelf: u32, position: usize, open: &[u32], _: &[f64]) -> Result<usize, Error> {
        let wanted = match level {
            Level::Shelf => self.slate.shelves.get(position).map(|s| s.placed.index),
            Level::Card => self
                .slate
                .shelves
                .iter()
                .find(|s| s.placed.index == shelf)
                .and_then(|s| self.slate.cards.get(s.cards.start + position).filter(|_| position < s.cards.len()))
                .map(|card| card.index),
        };
        wanted.and_then(|index| open.iter().position(|&candidate| candidate == index)).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidSlate,
                "invalid_slate",
                format!("position {position} holds a candidate that cannot be placed there"),
            )
        })
    }
}

/// The candidates of one list (the shelves, or the cards of one shelf) on their way into places.
struct Places<'a> {
    logits: &'a [f64],
    weights: Vec<f64>,
    /// What may be drawn, in index order.
    open: Vec<u32>,
    /// Not drawn because shown above already; placed after the open ones.
    shown: Vec<u32>,
    /// Not drawn because the listener hid it; placed last.
    barred: Vec<u32>,
    /// Candidate by position, or [`FREE`]; empty when nothing is pinned.
    pinned: Vec<u32>,
    tail: Option<std::vec::IntoIter<u32>>,
}

/// A position that belongs to nobody.
const FREE: u32 = u32::MAX;

/// Why a candidate is not drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closed {
    Shown,
    Barred,
}

impl<'a> Places<'a> {
    fn new(logits: &'a [f64], pins: &[(u32, u32)], closed: impl Fn(u32) -> Option<Closed>) -> Self {
        let mut places = Self {
            logits,
            weights: Vec::new(),
            open: Vec::with_capacity(logits.len()),
            shown: Vec::new(),
            barred: Vec::new(),
            pinned: Vec::new(),
            tail: None,
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

    fn pinned(&self, position: usize) -> Option<u32> {
        self.pinned.get(position).copied().filter(|index| *index != FREE)
    }

    /// The next candidate in the order of falling logit, ties by index, closed ones last.
    fn next_of_tail(&mut self) -> Option<u32> {
        if self.tail.is_none() {
            let mut order = Vec::new();
            for group in [&mut self.open, &mut self.shown, &mut self.barred] {
                let pairs: Vec<(f64, u32)> = group.drain(..).map(|i| (self.logits[i as usize], i)).collect();
                order.extend(falling(&pairs));
            }
            self.tail = Some(order.into_iter());
        }
        self.tail.as_mut()?.next()
    }
}

impl Policy {
    /// Checks floors and rates.
    ///
    /// # Errors
    /// `bad_policy` when one lies outside [0, 1].
    pub fn checked(self) -> Result<Self, Error> {
        let rates = match self {
            Self::PlackettLuce { floor_shelves, floor_cards } => [floor_shelves, floor_cards],
            Self::EpsilonPage { epsilon } => [epsilon, epsilon],
            Self::Greedy => [0.0, 0.0],
        };
        match rates.iter().find(|rate| !(0.0..=1.0).contains(*rate)) {
            None => Ok(self),
            Some(rate) => {
                Err(Error::settings("bad_policy", format!("a floor or epsilon must be within 0 and 1, got {}", shown(*rate))))
            }
        }
    }

    /// Refuses a policy that may give a candidate less than [`MIN_LOGGED_PROPENSITY`] on lists of up to `candidates`: importance
    /// weights over its log would have no useful bound.
    ///
    /// # Errors
    /// `not_for_logging`, with the smallest conditional that can occur.
    pub fn for_logging(self, candidates: usize) -> Result<Self, Error> {
        let n = candidates.max(1) as f64;
        let smallest = match self {
            Self::PlackettLuce { floor_shelves, floor_cards } => floor_shelves.min(floor_cards) / n,
            // While the greedy page is followed, a deviation at depth k has chance epsilon U / (1 - epsilon + epsilon U).
            Self::EpsilonPage { .. } | Self::Greedy => 0.0,
        };
        if smallest >= MIN_LOGGED_PROPENSITY {
            Ok(self)
        } else {
            Err(Error::settings(
                "not_for_logging",
                format!(
                    "expected conditional probabilities of at least {}, this policy can give {}",
                    shown(MIN_LOGGED_PROPENSITY),
                    shown(smallest)
                ),
            ))
        }
    }

    /// Whether the policy draws at random at all.
    #[must_use]
    pub fn is_random(self) -> bool {
        !matches!(self, Self::Greedy)
    }

    /// Draws a page.
    ///
    /// # Errors
    /// `invalid_slate` when `candidates` contradict themselves.
    ///
    /// # Determinism
    /// Takes one `u64` from `rng` for each visible place with more than one candidate and no certain one.
    ///
    /// # References
    /// R. L. Plackett (1975), "The Analysis of Permutations", Applied Statistics 24(2), 193-202, with v_i = exp(logit_i); the floor
    /// mixes every conditional with the uniform one. Epsilon on the page: McInerney et al. (2018), "Explore, Exploit, and
    /// Explain", RecSys, with the uniform page drawn without replacement.
    pub fn draw<R: Rng + ?Sized>(self, candidates: &Candidates, rng: &mut R) -> Result<Slate, Error> {
        self.walk(candidates, &mut Draw(rng))
    }

    /// The slate with the propensities this policy gives it.
    ///
    /// Only visible places matter; the order of the others is the policy's own.
    ///
    /// # Errors
    /// `invalid_slate` when a visible place holds a candidate that cannot stand there.
    ///
    /// # Determinism
    /// Draws nothing.
    pub fn propensities(self, candidates: &Candidates, slate: &Slate) -> Result<Slate, Error> {
        self.walk(candidates, &mut Follow { slate })
    }

    /// For each card, the probability that it stands first in the first shelf.
    ///
    /// # Shapes and ranges
    /// One value for each card, shelf after shelf; they sum to 1.
    #[must_use]
    pub fn first_card_marginals(self, candidates: &Candidates) -> Vec<f64> {
        let mut marginals = vec![0.0; candidates.card_logits.len()];
        let mut pmf = Vec::new();
        let start = Prefix { greedy: true, uniform: 1.0 };
        let mut places = Places::new(&candidates.shelf_logits, &candidates.shelf_pins, |_| None);
        let first: Vec<(u32, f64, Prefix)> = if let Some(shelf) = places.pinned(0) {
            vec![(shelf, 1.0, start)]
        } else {
            self.weigh(Level::Shelf, places.logits, &mut places.weights);
            self.fill(start, Level::Shelf, &places, &mut pmf);
            places.open.iter().zip(&pmf).map(|(&s, &p)| (s, p, self.advance(start, &places, s))).collect()
        };
        for (shelf, chance, prefix) in first {
            let range = candidates.cards_of(shelf);
            let mut places = card_places(candidates, shelf, &[]);
            if let Some(card) = places.pinned(0) {
                marginals[range.start + card as usize] += chance;
            } else if places.open.is_empty() {
                if let Some(card) = places.next_of_tail() {
                    marginals[range.start + card as usize] += chance;
                }
            } else {
                self.weigh(Level::Card, places.logits, &mut places.weights);
                self.fill(prefix, Level::Card, &places, &mut pmf);
                for (&card, p) in places.open.iter().zip(&pmf) {
                    marginals[range.start + card as usize] += chance * p;
                }
            }
        }
        marginals
    }

    fn walk(self, candidates: &Candidates, choose: &mut dyn Choose) -> Result<Slate, Error> {
        let mut prefix = Prefix { greedy: true, uniform: 1.0 };
        let mut slate = Slate::default();
        slate.cards.reserve(candidates.card_logits.len());
        let mut shown: Vec<u32> = Vec::new();
        let mut pmf = Vec::new();
        let mut shelves = Places::new(&candidates.shelf_logits, &candidates.shelf_pins, |_| None);
        self.weigh(Level::Shelf, shelves.logits, &mut shelves.weights);
        for position in 0..candidates.shelf_count() {
            let visible = position < candidates.visible.shelves;
            let placed = self.place(&mut shelves, Level::Shelf, 0, position, visible, &mut prefix, &mut pmf, choose)?;
            slate.randomized |= placed.propensity < 1.0;
            let range = candidates.cards_of(placed.index);
            let start = slate.cards.len();
            let mut cards = card_places(candidates, placed.index, if visible { &shown } else { &[] });
            if visible {
                self.weigh(Level::Card, cards.logits, &mut cards.weights);
            }
            for place in 0..range.len() {
                let drawn = visible && place < candidates.visible.cards;
                let card = self.place(&mut cards, Level::Card, placed.index, place, drawn, &mut prefix, &mut pmf, choose)?;
                slate.randomized |= card.propensity < 1.0;
                if drawn && candidates.show_once {
                    shown.push(candidates.identity[range.start + card.index as usize]);
                }
                slate.cards.push(card);
            }
            slate.shelves.push(PlacedShelf { placed, cards: start..slate.cards.len() });
        }
        Ok(slate)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the walk, called from two lines")]
    fn place(
        self,
        places: &mut Places<'_>,
        level: Level,
        shelf: u32,
        position: usize,
        drawn: bool,
        prefix: &mut Prefix,
        pmf: &mut Vec<f64>,
        choose: &mut dyn Choose,
    ) -> Result<Placed, Error> {
        if let Some(index) = places.pinned(position) {
            return Ok(Placed { index, propensity: 1.0 });
        }
        if drawn && places.tail.is_none() && !places.open.is_empty() {
            if places.open.len() == 1 {
                return Ok(Placed { index: places.open.remove(0), propensity: 1.0 });
            }
            self.fill(*prefix, level, places, pmf);
            let pick = choose.pick(level, shelf, position, &places.open, pmf)?;
            let index = places.open[pick];
            *prefix = self.advance(*prefix, places, index);
            places.open.remove(pick);
            return Ok(Placed { index, propensity: pmf[pick].min(1.0) });
        }
        places.next_of_tail().map(|index| Placed { index, propensity: 1.0 }).ok_or_else(|| {
            Error::new(ErrorKind::InvalidSlate, "invalid_slate", format!("no candidate is left for position {position}"))
        })
    }

    /// Turns the logits of one list into weights, once for the list.
    fn weigh(self, _: Level, logits: &[f64], weights: &mut Vec<f64>) {
        weights.clear();
        if let Self::PlackettLuce { .. } = self {
            let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            weights.extend(logits.iter().map(|l| exp(l - max)));
        }
    }

    /// Fills `pmf` with the chance of each open candidate for the next place.
    fn fill(self, prefix: Prefix, level: Level, places: &Places<'_>, pmf: &mut Vec<f64>) {
        pmf.clear();
        match self {
            Self::PlackettLuce { floor_shelves, floor_cards } => {
                let floor = if level == Level::Shelf { floor_shelves } else { floor_cards };
                plackett_luce::fill(floor, places.logits, &places.weights, &places.open, pmf);
            }
            Self::EpsilonPage { epsilon } => epsilon_page::fill(epsilon, prefix, places.logits, &places.open, pmf),
            Self::Greedy => greedy::fill(places.logits, &places.open, pmf),
        }
    }

    /// The prefix once `chosen` is placed.
    fn advance(self, prefix: Prefix, places: &Places<'_>, chosen: u32) -> Prefix {
        match self {
            Self::EpsilonPage { .. } => Prefix {
                greedy: prefix.greedy && greedy::best(places.logits, &places.open) == Some(chosen),
                uniform: prefix.uniform / places.open.len() as f64,
            },
            Self::PlackettLuce { .. } | Self::Greedy => prefix,
        }
    }
}

fn card_places<'a>(candidates: &'a Candidates, shelf: u32, shown: &[u32]) -> Places<'a> {
    let range = candidates.cards_of(shelf);
    let pins: Vec<(u32, u32)> = candidates.card_pins.iter().filter(|pin| pin.0 == shelf).map(|pin| (pin.1, pin.2)).collect();
    let closed = |index: u32| {
        let at = range.start + index as usize;
        if candidates.barred[at] {
            Some(Closed::Barred)
        } else if shown.contains(&candidates.identity[at]) {
            Some(Closed::Shown)
        } else {
            None
        }
    };
    Places::new(&candidates.card_logits[range.clone()], &pins, closed)
}

#[cfg(test)]
mod tests;
