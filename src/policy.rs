//! Policies: scores in, a slate with its propensities out; and the propensities of a given slate.
//!
//! A page is decided top down: the shelf of position 0, its visible cards, the shelf of position 1, and so on, without
//! replacement. A [`Rule`] says one thing only, the chance of each remaining candidate for the next place. Drawing a page and
//! judging a given page walk the same path through the same code; they differ in who picks.
//!
//! | policy | rule | logits hold |
//! |---|---|---|
//! | two-level Plackett-Luce, softmax | [`Rule::PlackettLuce`] | scores / temperature |
//! | uniform | [`Rule::PlackettLuce`] with floors of 1 | anything |
//! | fixed order, popularity | [`Rule::Greedy`] | minus the place; popularity |
//! | epsilon on the page | [`PagePolicy::epsilon_page`] | scores |
//! | epsilon for each position | [`Rule::Greedy`] with floors of epsilon | scores |
//! | SquareCB | [`Rule::SquareCb`] | predicted rewards in [0, 1] |
//! | LinUCB, KL-UCB, explore-then-commit | [`Rule::Greedy`] with a floor | the index: see [`arms`] |
//! | Thompson sampling | [`Rule::Thompson`] | posterior means, with their spread |
//!
//! What may write a log that others evaluate is a type of its own, [`LoggingPolicy`]: only a [`Policy`], which states its
//! propensities exactly, can become one, and only when none of them can fall under [`MIN_LOGGED_PROPENSITY`].

use rand_core::Rng;

use crate::error::{Error, ErrorKind, shown};
use crate::random::unit;
use crate::slate::{Candidates, Placed, PlacedShelf, Slate};
use places::Places;

mod along;
pub mod arms;
mod beta;
mod greedy;
mod places;
mod plackett_luce;
mod quadrature;
mod square_cb;
pub mod thompson;

pub use along::Along;

/// Smallest conditional probability that a logging policy may give to a candidate it can draw.
pub const MIN_LOGGED_PROPENSITY: f64 = 1e-6;

/// Uniform share of every draw, by level, each in [0, 1]: conditionals are (1 - floor) rule + floor / n. 0 leaves the rule alone,
/// 1 makes it uniform.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Floors {
    /// For shelves.
    pub shelves: f64,
    /// For cards.
    pub cards: f64,
}

impl Floors {
    /// The same floor for shelves and cards.
    #[must_use]
    pub fn both(floor: f64) -> Self {
        Self { shelves: floor, cards: floor }
    }

    fn of(self, level: Level) -> f64 {
        if level == Level::Shelf { self.shelves } else { self.cards }
    }
}

/// How the next place is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Softmax over what remains: Plackett (1975) with v_i = exp(logit_i).
    PlackettLuce(Floors),
    /// The largest logit that remains, ties by index; with a floor, epsilon-greedy for each position.
    Greedy(Floors),
    /// Inverse gap weighting over predicted rewards in [0, 1].
    SquareCb {
        /// Larger is greedier, > 0; 0 is uniform.
        gamma: f64,
    },
    /// The order of independent draws, one from the posterior of each candidate.
    Thompson {
        /// What the posteriors look like.
        posterior: thompson::Posterior,
        /// Uniform share.
        floors: Floors,
    },
}

impl Rule {
    /// Two-level Plackett-Luce with these floors.
    #[must_use]
    pub fn plackett_luce(shelves: f64, cards: f64) -> Self {
        Self::PlackettLuce(Floors { shelves, cards })
    }

    /// The order of falling logits, without chance.
    #[must_use]
    pub fn greedy() -> Self {
        Self::Greedy(Floors::default())
    }

    /// Every order equally likely.
    #[must_use]
    pub fn uniform() -> Self {
        Self::PlackettLuce(Floors::both(1.0))
    }

    /// Fills `pmf` with the chance of each open candidate for the next place.
    fn fill(self, level: Level, places: &mut Places<'_>, pmf: &mut Vec<f64>) {
        pmf.clear();
        match self {
            Self::PlackettLuce(floors) => {
                if floors.of(level) < 1.0 {
                    plackett_luce::fill(places, pmf);
                }
                mix_floor(floors.of(level), places.open.len(), pmf);
            }
            Self::Greedy(floors) => {
                greedy::fill(places, pmf);
                mix_floor(floors.of(level), places.open.len(), pmf);
            }
            Self::SquareCb { gamma } => square_cb::fill(gamma, places, pmf),
            Self::Thompson { posterior, floors } => {
                if floors.of(level) < 1.0 {
                    thompson::fill(posterior, places, pmf);
                }
                mix_floor(floors.of(level), places.open.len(), pmf);
            }
        }
    }

    /// Smallest conditional on lists of up to `n` candidates.
    fn smallest(self, n: f64) -> f64 {
        match self {
            Self::PlackettLuce(floors) | Self::Greedy(floors) | Self::Thompson { floors, .. } => {
                floors.shelves.min(floors.cards) / n
            }
            Self::SquareCb { gamma } => 1.0 / (n + gamma),
        }
    }
}

/// (1 - floor) pmf + floor / n; an empty `pmf` stands for one that a floor of 1 covers.
fn mix_floor(floor: f64, n: usize, pmf: &mut Vec<f64>) {
    if floor > 0.0 {
        pmf.resize(n, 0.0);
        let share = floor / n as f64;
        for p in pmf {
            *p = *p * (1.0 - floor) + share;
        }
    }
}

/// What draws the pages that a [`PagePolicy`] does not draw by its rule.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Other {
    /// A uniform page.
    Uniform,
    /// The order of [`Candidates::baseline_shelves`] and [`Candidates::baseline_cards`], with these floors.
    Baseline(Floors),
}

impl Other {
    fn fill(self, level: Level, places: &Places<'_>, pmf: &mut Vec<f64>) {
        pmf.clear();
        match self {
            Self::Uniform => pmf.resize(places.open.len(), 1.0 / places.open.len() as f64),
            Self::Baseline(floors) => {
                let logits = if places.baseline.is_empty() { places.logits } else { places.baseline };
                let best = greedy::best(logits, &places.open);
                pmf.extend(places.open.iter().map(|candidate| if Some(*candidate) == best { 1.0 } else { 0.0 }));
                mix_floor(floors.of(level), places.open.len(), pmf);
            }
        }
    }
}

/// A rule for most pages, and another one for a share of them: one coin for the whole page.
///
/// Its conditionals are those of the mixture: with q the posterior chance that the page is the rule's, given everything placed so
/// far, the next place has chance q rule + (1 - q) other, and Bayes' rule moves q.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PagePolicy {
    rule: Rule,
    share: f64,
    other: Other,
}

/// A policy with exact propensities.
pub trait Policy {
    /// Draws a page.
    ///
    /// # Errors
    /// `invalid_slate` when `candidates` contradict themselves.
    ///
    /// # Determinism
    /// Takes one `u64` from `rng` for each visible place with more than one candidate and no certain one.
    fn draw(&self, candidates: &Candidates, rng: &mut dyn Rng) -> Result<Slate, Error>;

    /// The slate with the propensities this policy gives it.
    ///
    /// Only visible places matter; the order of the others is the policy's own.
    ///
    /// # Errors
    /// `invalid_slate` when a visible place holds a candidate that cannot stand there.
    ///
    /// # Determinism
    /// Draws nothing.
    fn propensities(&self, candidates: &Candidates, slate: &Slate) -> Result<Slate, Error>;

    /// For each card, the probability that it stands first in the first shelf.
    ///
    /// # Shapes and ranges
    /// One value for each card, shelf after shelf; they sum to 1.
    fn first_card_marginals(&self, candidates: &Candidates) -> Vec<f64>;

    /// A lower bound of the conditionals this policy can give on lists of up to `candidates`; 0 when there is none.
    fn smallest_conditional(&self, candidates: usize) -> f64;
}

/// A policy whose log others may evaluate: no candidate it can draw has a conditional below [`MIN_LOGGED_PROPENSITY`], so
/// importance weights over its log are bounded.
///
/// A ranking without exact propensities is no [`Policy`] and cannot become one:
///
/// ```compile_fail
/// use ears_only::policy::LoggingPolicy;
/// struct SharedDraw; // one weight vector for all cards: an order, and no propensity in closed form
/// let refused = LoggingPolicy::new(SharedDraw, 10);
/// ```
///
/// ```
/// use ears_only::policy::{LoggingPolicy, PagePolicy, Rule};
/// assert!(LoggingPolicy::new(PagePolicy::of(Rule::plackett_luce(0.02, 0.02)), 1_000).is_ok());
/// assert!(LoggingPolicy::new(PagePolicy::of(Rule::greedy()), 1_000).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoggingPolicy<P>(P);

impl<P: Policy> LoggingPolicy<P> {
    /// Admits `policy` for lists of up to `candidates`.
    ///
    /// # Errors
    /// `not_for_logging`, with the smallest conditional that can occur.
    pub fn new(policy: P, candidates: usize) -> Result<Self, Error> {
        if Self::admits(&policy, candidates) {
            return Ok(Self(policy));
        }
        let smallest = policy.smallest_conditional(candidates.max(1));
        Err(Error::settings(
            "not_for_logging",
            format!(
                "expected conditional probabilities of at least {}, this policy can give {}",
                shown(MIN_LOGGED_PROPENSITY),
                shown(smallest)
            ),
        ))
    }

    /// Whether [`LoggingPolicy::new`] admits `policy` for lists of up to `candidates`.
    #[must_use]
    pub fn admits(policy: &P, candidates: usize) -> bool {
        policy.smallest_conditional(candidates.max(1)) >= MIN_LOGGED_PROPENSITY
    }

    /// The policy.
    #[must_use]
    pub fn get(&self) -> &P {
        &self.0
    }
}

/// Which choice is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// A shelf for a position on the page.
    Shelf,
    /// A card for a position in its shelf.
    Card,
}

/// Who picks at each place.
trait Choose {
    /// Index into `open` of the candidate to place.
    fn pick(&mut self, level: Level, shelf: u32, position: usize, open: &[u32], pmf: &[f64]) -> Result<usize, Error>;
}

/// Picks at random with the stated chances.
struct Draw<'a>(&'a mut dyn Rng);

impl Choose for Draw<'_> {
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

impl PagePolicy {
    /// Every page by `rule`.
    #[must_use]
    pub fn of(rule: Rule) -> Self {
        Self { rule, share: 0.0, other: Other::Uniform }
    }

    /// With chance `epsilon` a uniform page, else the greedy one.
    #[must_use]
    pub fn epsilon_page(epsilon: f64) -> Self {
        Self { rule: Rule::greedy(), share: epsilon, other: Other::Uniform }
    }

    /// With chance `share`, > 0, a page of the baseline with these floors, else one by `rule`.
    #[must_use]
    pub fn beside_baseline(rule: Rule, share: f64, floors: Floors) -> Self {
        Self { rule, share, other: Other::Baseline(floors) }
    }

    /// Checks floors, shares and rates.
    ///
    /// # Errors
    /// `bad_policy` when a floor or share lies outside [0, 1], or gamma outside [0, 1e9].
    pub fn checked(self) -> Result<Self, Error> {
        let mut rates = [self.share, 0.0, 0.0, 0.0, 0.0];
        match self.rule {
            Rule::PlackettLuce(floors) | Rule::Greedy(floors) | Rule::Thompson { floors, .. } => {
                rates[1..3].copy_from_slice(&[floors.shelves, floors.cards]);
            }
            Rule::SquareCb { gamma } => rates[1] = gamma / 1e9,
        }
        if let Other::Baseline(floors) = self.other {
            rates[3..].copy_from_slice(&[floors.shelves, floors.cards]);
        }
        match rates.iter().find(|rate| !(0.0..=1.0).contains(*rate)) {
            None => Ok(self),
            Some(rate) => Err(Error::settings(
                "bad_policy",
                format!("a floor, share or epsilon must be within 0 and 1 (gamma within 1e9), got {}", shown(*rate)),
            )),
        }
    }

    fn walk(&self, candidates: &Candidates, choose: &mut dyn Choose) -> Result<Slate, Error> {
        let mut step = Step { policy: self, of_rule: 1.0 - self.share, pmf: Vec::new(), mixed: Vec::new(), choose };
        let mut slate = Slate::default();
        slate.cards.reserve(candidates.card_logits.len());
        let mut shown = candidates.before.clone();
        let mut shelves = places::of_shelves(candidates);
        for position in 0..candidates.shelf_count() {
            let visible = position < candidates.visible.shelves;
            let placed = step.place(&mut shelves, Level::Shelf, 0, position, visible)?;
            slate.randomized |= placed.propensity < 1.0;
            let start = slate.cards.len();
            let mut cards = places::of_cards(candidates, placed.index, if visible { &shown } else { &[] });
            let drawn = if visible { candidates.visible.cards.min(cards.logits.len()) } else { 0 };
            for place in 0..drawn {
                along::adjust(candidates, &shown, &mut cards);
                let card = step.place(&mut cards, Level::Card, placed.index, place, true)?;
                slate.randomized |= card.propensity < 1.0;
                if matches!(self.other, Other::Baseline(_)) {
                    slate.baseline_weights.push((1.0 - step.of_rule) / self.share);
                }
                shown.push(candidates.cards_of(placed.index).start as u32 + card.index);
                slate.cards.push(card);
            }
            // What is not drawn stands as it falls.
            if cards.has_pins() {
                for place in drawn..cards.logits.len() {
                    slate.cards.push(step.place(&mut cards, Level::Card, placed.index, place, false)?);
                }
            } else {
                slate.cards.extend(cards.rest().map(|index| Placed { index, propensity: 1.0 }));
            }
            slate.shelves.push(PlacedShelf { placed, cards: start..slate.cards.len() });
        }
        Ok(slate)
    }
}

/// One walk down a page.
struct Step<'a> {
    policy: &'a PagePolicy,
    /// Posterior chance that this page is the rule's own.
    of_rule: f64,
    pmf: Vec<f64>,
    mixed: Vec<f64>,
    choose: &'a mut dyn Choose,
}

impl Step<'_> {
    /// Fills `pmf` with the chances of the open candidates under the rule; `mixed` with those of the mixture, if the other rule has a say.
    fn fill(&mut self, level: Level, places: &mut Places<'_>) {
        self.policy.rule.fill(level, places, &mut self.pmf);
        self.mixed.clear();
        let q = self.of_rule;
        if q < 1.0 {
            self.policy.other.fill(level, places, &mut self.mixed);
            for (other, p) in self.mixed.iter_mut().zip(&self.pmf) {
                *other = q * p + (1.0 - q) * *other;
            }
        }
    }

    /// The chances of the open candidates, once they are filled in.
    fn chances(&self) -> &[f64] {
        if self.mixed.is_empty() { &self.pmf } else { &self.mixed }
    }

    fn place(
        &mut self,
        places: &mut Places<'_>,
        level: Level,
        shelf: u32,
        position: usize,
        drawn: bool,
    ) -> Result<Placed, Error> {
        if let Some(index) = places.pinned(position) {
            return Ok(Placed { index, propensity: 1.0 });
        }
        if drawn && places.can_draw() {
            if places.open.len() == 1 {
                return Ok(Placed { index: places.open.remove(0), propensity: 1.0 });
            }
            self.fill(level, places);
            let chances = if self.mixed.is_empty() { &self.pmf } else { &self.mixed };
            let pick = self.choose.pick(level, shelf, position, &places.open, chances)?;
            let propensity = chances[pick];
            if !self.mixed.is_empty() && propensity > 0.0 {
                self.of_rule *= self.pmf[pick] / propensity;
            }
            return Ok(Placed { index: places.take(pick), propensity: propensity.min(1.0) });
        }
        places.next_of_tail().map(|index| Placed { index, propensity: 1.0 }).ok_or_else(|| {
            Error::new(ErrorKind::InvalidSlate, "invalid_slate", format!("no candidate is left for position {position}"))
        })
    }
}

impl Policy for PagePolicy {
    fn draw(&self, candidates: &Candidates, rng: &mut dyn Rng) -> Result<Slate, Error> {
        self.walk(candidates, &mut Draw(rng))
    }

    fn propensities(&self, candidates: &Candidates, slate: &Slate) -> Result<Slate, Error> {
        self.walk(candidates, &mut Follow { slate })
    }

    fn first_card_marginals(&self, candidates: &Candidates) -> Vec<f64> {
        let mut marginals = vec![0.0; candidates.card_logits.len()];
        let mut nobody = Follow { slate: &Slate::default() };
        let mut step = Step { policy: self, of_rule: 1.0 - self.share, pmf: Vec::new(), mixed: Vec::new(), choose: &mut nobody };
        let mut shelves = places::of_shelves(candidates);
        // (shelf, its chance, posterior chance that the page is the rule's)
        let mut first = Vec::new();
        if let Some(shelf) = shelves.pinned(0) {
            first.push((shelf, 1.0, step.of_rule));
        } else {
            step.fill(Level::Shelf, &mut shelves);
            for ((&shelf, &own), &p) in shelves.open.iter().zip(&step.pmf).zip(step.chances()) {
                first.push((shelf, p, if p > 0.0 { step.of_rule * own / p } else { 0.0 }));
            }
        }
        for (shelf, chance, of_rule) in first {
            step.of_rule = of_rule;
            let start = candidates.cards_of(shelf).start;
            let mut cards = places::of_cards(candidates, shelf, &candidates.before);
            if let Some(card) = cards.pinned(0) {
                marginals[start + card as usize] += chance;
            } else if cards.open.is_empty() {
                if let Some(card) = cards.next_of_tail() {
                    marginals[start + card as usize] += chance;
                }
            } else {
                along::adjust(candidates, &candidates.before, &mut cards);
                step.fill(Level::Card, &mut cards);
                for (&card, p) in cards.open.iter().zip(step.chances()) {
                    marginals[start + card as usize] += chance * p;
                }
            }
        }
        marginals
    }

    fn smallest_conditional(&self, candidates: usize) -> f64 {
        let n = candidates.max(1) as f64;
        let own = self.rule.smallest(n);
        match self.other {
            _ if self.share == 0.0 => own,
            // Once the page has left one of the two rules, only the other one speaks.
            Other::Uniform => own.min(1.0 / n),
            Other::Baseline(floors) => own.min(floors.shelves.min(floors.cards) / n),
        }
    }
}

#[cfg(test)]
mod tests;
