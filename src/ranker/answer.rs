//! What ranking answers: the page as values, or as words for a host. Reasons are made for those who are told them.

use super::{OpenDecision, Ranker};
use crate::bundle::PolicyKind;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::log::DecisionId;
use crate::model::Body;
use crate::page::{CardHandle, Page};
use crate::reasons::{self, Reason, ReasonCode};
use crate::shelves::LocalKind;
use ears_kernels::largest_product;
use std::ops::Range;

/// First word of a ranked page.
const FORMAT: f64 = 2.0;
/// Words before the shelves of a ranked page.
pub const HEADER_WORDS: usize = 8;
/// Words of a shelf.
pub const SHELF_WORDS: usize = 6;
/// Words of a card that is told of.
pub const CARD_WORDS: usize = 3;

/// A drawn candidate is called exploration when another was at least this many times likelier.
const EXPLORING_RATIO_LN: f64 = std::f64::consts::LN_2;

/// Where a ranked shelf comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShelfSource {
    /// The page's shelf with this index.
    Page(usize),
    /// Built here.
    Local(LocalKind),
}

/// A shelf in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedShelf {
    /// Which shelf.
    pub source: ShelfSource,
    /// Propensity given everything placed before; 1 when fixed or not visible.
    pub propensity: f64,
    /// Why it stands here.
    pub reason: Reason,
    /// Chance that something on it is played, as far as scores can tell.
    pub value: f64,
    /// Where its cards lie in [`RankedPage::cards`].
    pub cards: Range<usize>,
}

/// A card in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankedCard {
    /// Which card.
    pub card: CardHandle,
    /// Its index in the page's flat list of cards; `None` on local shelves.
    pub index: Option<usize>,
    /// Propensity given everything placed before; 1 when fixed or not visible.
    pub propensity: f64,
    /// Why it stands here.
    pub reason: Reason,
    /// Log-odds of being played when seen.
    pub score: f64,
}

/// A page in the order to show.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedPage {
    /// Name of the decision, for feedback.
    pub id: DecisionId,
    /// Whether any visible place was drawn at random.
    pub randomized: bool,
    /// Whether this visit carries the week's probe, one that changes the page: not while a vote is under way.
    pub probe: bool,
    /// The shelves, top down.
    pub shelves: Vec<RankedShelf>,
    /// The cards of all shelves, shelf after shelf.
    pub cards: Vec<RankedCard>,
}

impl RankedPage {
    pub(super) fn empty(id: DecisionId) -> Self {
        Self { id, randomized: false, probe: false, shelves: Vec::new(), cards: Vec::new() }
    }
}

impl OpenDecision {
    /// The shelf built here that is candidate `shelf`; none for one of the page's.
    fn local_of(&self, shelf: usize) -> Option<&crate::shelves::LocalShelf> {
        shelf.checked_sub(self.shelves.len() - self.local.len()).and_then(|at| self.local.get(at))
    }

    fn source(&self, shelf: usize) -> ShelfSource {
        self.local_of(shelf).map_or(ShelfSource::Page(shelf), |local| ShelfSource::Local(local.kind))
    }

    /// Why a local shelf and its cards stand where they do.
    fn local_reason(&self, shelf: usize) -> Option<Reason> {
        let local = self.local_of(shelf)?;
        match local.kind {
            LocalKind::RecentlyPlayed => Some(Reason::plain(ReasonCode::RecentlyPlayed)),
            LocalKind::HeavyRotation => Some(Reason::plain(ReasonCode::HeavyRotation)),
            LocalKind::YourShows => Some(Reason::plain(ReasonCode::YourShows)),
            LocalKind::BecauseYouPlayed => local.because.map(|card| Reason::of_card(ReasonCode::BecauseYouPlayed, card)),
        }
    }

    /// The reason of everything under policies that ask nobody.
    fn policy_reason(&self) -> Option<Reason> {
        match self.kind {
            PolicyKind::Fixed => Some(Reason::plain(ReasonCode::ServerOrder)),
            PolicyKind::Popularity => Some(Reason::plain(ReasonCode::Popular)),
            _ => None,
        }
    }
}

fn pin_reason(is_app: bool) -> Reason {
    Reason::plain(if is_app { ReasonCode::Fixed } else { ReasonCode::Probe })
}

impl Ranker {
    /// [`Ranker::rank`] as numbers for a host that lays them out itself.
    ///
    /// Header of [`HEADER_WORDS`]: format, shelves S, words in all, decision id (high and low half), probe, randomized, the policy's
    /// number. For each shelf [`SHELF_WORDS`]: source (index in the page, or -(1 + bit) for a local one), propensity, reason, argument or
    /// -1, cards n, of how many first ones k more is told. Then for each shelf the sources of its n cards (index in the page's flat list;
    /// on local shelves the handle), and for k of them [`CARD_WORDS`]: propensity, reason, argument or -1; that of the others is 1.
    ///
    /// - `all`: tells of every card; else of those that were drawn, and of those on local shelves. [`Ranker::explain`] tells of the others.
    ///
    /// # Errors
    /// As [`Ranker::rank`].
    pub fn rank_into(&mut self, page: &Page, now: Timestamp, all: bool, words: &mut Vec<f64>) -> Result<(), Error> {
        self.decide(page, now)?;
        words.clear();
        let Some(open) = self.open.back() else { return Ok(()) };
        let slate = &open.slate;
        let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
        let argument = |reason: Reason| reason.argument.map_or(-1.0, f64::from);
        let (high, low) = open.id.halves();
        words.extend([
            FORMAT,
            slate.shelves.len() as f64,
            0.0,
            high.into(),
            low.into(),
            flag(open.probe),
            flag(slate.randomized),
        ]);
        words.push(f64::from(open.kind as u8));
        let told = |position: usize, shelf: usize, cards: usize| {
            let visible = open.candidates.visible;
            if all || open.local_of(shelf).is_some() {
                cards
            } else if position < visible.shelves {
                cards.min(visible.cards)
            } else {
                0
            }
        };
        for (position, placed) in slate.shelves.iter().enumerate() {
            let shelf = placed.placed.index as usize;
            let source = match open.source(shelf) {
                ShelfSource::Page(index) => index as f64,
                ShelfSource::Local(kind) => -1.0 - f64::from(kind.bit()),
            };
            let (reason, cards) = (self.shelf_reason(open, position), placed.cards.len());
            words.extend([source, placed.placed.propensity, f64::from(reason.code as u8), argument(reason), cards as f64]);
            words.push(told(position, shelf, cards) as f64);
        }
        for (position, placed) in slate.shelves.iter().enumerate() {
            let shelf = placed.placed.index as usize;
            let (start, cards) = (open.candidates.cards_of(shelf as u32).start, &slate.cards[placed.cards.clone()]);
            if start < open.own {
                words.extend(cards.iter().map(|card| (start + card.index as usize) as f64));
            } else {
                words.extend(cards.iter().map(|card| f64::from(open.cards[start + card.index as usize].index())));
            }
            let reasons = self.card_reasons(open, position, 0..told(position, shelf, cards.len()));
            for (card, reason) in cards.iter().zip(reasons) {
                words.extend([card.propensity, f64::from(reason.code as u8), argument(reason)]);
            }
        }
        words[2] = words.len() as f64;
        Ok(())
    }

    /// The decision as values.
    pub(super) fn page_of(&self, open: &OpenDecision) -> RankedPage {
        let slate = &open.slate;
        let mut shelves = Vec::with_capacity(slate.shelves.len());
        let mut cards = Vec::with_capacity(slate.cards.len());
        for (position, placed) in slate.shelves.iter().enumerate() {
            let (first, shelf) = (cards.len(), placed.placed.index as usize);
            let start = open.candidates.cards_of(placed.placed.index).start;
            let placed_cards = &slate.cards[placed.cards.clone()];
            let reasons = self.card_reasons(open, position, 0..placed_cards.len());
            for (card, reason) in placed_cards.iter().zip(reasons) {
                let at = start + card.index as usize;
                cards.push(RankedCard {
                    card: open.cards[at],
                    index: (at < open.own).then_some(at),
                    propensity: card.propensity,
                    reason,
                    score: open.scores[at],
                });
            }
            shelves.push(RankedShelf {
                source: open.source(shelf),
                propensity: placed.placed.propensity,
                reason: self.shelf_reason(open, position),
                value: open.values[shelf],
                cards: first..cards.len(),
            });
        }
        RankedPage { id: open.id, randomized: slate.randomized, probe: open.probe, shelves, cards }
    }

    pub(super) fn shelf_reason(&self, open: &OpenDecision, position: usize) -> Reason {
        let candidates = &open.candidates;
        let placed = open.slate.shelves[position].placed;
        let shelf = placed.index as usize;
        if let Some(pin) = candidates.shelf_pins.iter().position(|pin| pin.0 as usize == position) {
            return pin_reason(pin < open.app_pins.0);
        }
        if let Some(reason) = open.local_reason(shelf).or(open.policy_reason()) {
            return reason;
        }
        let logit = |index: u32| candidates.shelf_logits[index as usize];
        let best =
            || open.slate.shelves[position..].iter().map(|later| logit(later.placed.index)).fold(f64::NEG_INFINITY, f64::max);
        if placed.propensity < 1.0 && best() - logit(placed.index) > EXPLORING_RATIO_LN {
            return Reason::plain(ReasonCode::Exploring);
        }
        if open.willingness[shelf] > 0.2 {
            return Reason::plain(ReasonCode::YouOpenThisShelf);
        }
        // A shelf stands for its best card.
        let visible = position < candidates.visible.shelves;
        open.best[shelf]
            .map_or(Reason::plain(ReasonCode::General), |(at, _)| self.score_reason(open, at, visible, &mut Vec::new()))
    }

    /// Why the cards at some places of the shelf at `position` stand there.
    pub(super) fn card_reasons(&self, open: &OpenDecision, position: usize, places: Range<usize>) -> Vec<Reason> {
        let candidates = &open.candidates;
        let placed = &open.slate.shelves[position];
        let (shelf, cards) = (placed.placed.index, &open.slate.cards[placed.cards.clone()]);
        let start = candidates.cards_of(shelf).start;
        let mut reasons = Vec::new();
        if places.is_empty() {
            return reasons;
        }
        let general = open.local_reason(shelf as usize);
        let mut additions = Vec::new();
        let logits = &candidates.card_logits[candidates.cards_of(shelf)];
        // The best logit placed at or after each place, to tell exploration.
        let mut best = f64::NEG_INFINITY;
        for card in &cards[places.end..] {
            let logit = logits[card.index as usize];
            if logit > best && !candidates.is_barred(start + card.index as usize) {
                best = logit;
            }
        }
        for (place, card) in cards.iter().enumerate().take(places.end).skip(places.start).rev() {
            let (at, logit) = (start + card.index as usize, logits[card.index as usize]);
            if logit > best && !candidates.is_barred(at) {
                best = logit;
            }
            let pin = candidates.card_pins.iter().position(|pin| pin.0 == shelf && pin.1 as usize == place);
            let drawn = position < candidates.visible.shelves && place < candidates.visible.cards;
            reasons.push(if let Some(pin) = pin {
                pin_reason(pin < open.app_pins.1)
            } else if candidates.is_barred(at) {
                Reason::plain(ReasonCode::HiddenByYou)
            } else if let Some(reason) = open.policy_reason() {
                reason
            } else if drawn && card.propensity < 1.0 && best - logit > EXPLORING_RATIO_LN {
                Reason::plain(ReasonCode::Exploring)
            } else if let Some(reason) = general {
                reason
            } else {
                self.score_reason(open, at, drawn, &mut additions)
            });
        }
        reasons.reverse();
        reasons
    }

    /// The reason that a card's score gives. Beside a body, where each column costs a score, for what is visible only.
    fn score_reason(&self, open: &OpenDecision, at: usize, visible: bool, additions: &mut Vec<f64>) -> Reason {
        let (model, schema) = (&self.bundle.model, &self.bundle.schema);
        if *model.body() == Body::Plain {
            let column = largest_product(open.rows.columns(at, schema), &open.mean, reasons::LEAST);
            return reasons::of_column(schema, column.checked_sub(1).map(|at| at as usize), open.cards[at]);
        }
        if !visible {
            return Reason::plain(ReasonCode::General);
        }
        model.additions(schema, &open.mean, &open.rows.row(at, schema), additions);
        reasons::of_score(schema, additions, open.cards[at])
    }
}
