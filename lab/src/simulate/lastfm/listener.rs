//! A listener of the run: comes twice a day, looks down the page, plays what they like.

use ears_only::clock::{DAY_MS, Timestamp};
use ears_only::history::LISTEN_MS;
use ears_only::math::{decay, sigmoid};
use ears_world::chance::{Draw, Key};

use super::World;
use super::constants::{
    BASE_RATE, DRIFT, FATIGUE, FATIGUE_HALF_LIFE_MS, FATIGUE_MOST, FIRST_DAY_MS, LOOK_MS, NEW_ARRIVE_DAYS, NEXT_CARD, NEXT_SHELF,
    SHELF_LOGIT, VISIT_FROM_MS, VISIT_SPREAD_MS,
};
use super::home::{CandidateShelf, Stands};
use super::truth::{Factors, product};

/// Visits a day.
pub const VISITS: u32 = VISIT_FROM_MS.len() as u32;

/// Strength of what is hidden: a cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Log-odds for each standard deviation of affinity.
    pub affinity: f64,
    /// Log-odds added for an artist of the hidden half.
    pub boost: f64,
}

/// A visit to Home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Day of the run, from 0.
    pub day: u32,
    /// Which visit of the day, from 0.
    pub number: u32,
    /// When it begins.
    pub at: Timestamp,
}

/// A shelf as placed: which of the candidate shelves, its cards in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedShelf {
    /// Index of the candidate shelf.
    pub shelf: usize,
    /// Numbers of its cards.
    pub cards: Vec<u32>,
}

/// A card that the listener looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Index of the candidate shelf.
    pub shelf: usize,
    /// Number of the card.
    pub card: u32,
    /// When.
    pub at: Timestamp,
    /// Milliseconds played, if it was played at all.
    pub played_ms: Option<u32>,
}

impl Look {
    /// Whether it was played for at least 30 seconds.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.played_ms.is_some_and(|ms| ms >= LISTEN_MS)
    }
}

/// A listener.
#[derive(Clone)]
pub struct Listener<'a> {
    world: &'a World<'a>,
    cell: Cell,
    base: f64,
    /// Number within the run.
    number: u32,
    day: u32,
    factors: Factors,
    /// Artists of the hidden half, as numbers in the data.
    hidden: Vec<u32>,
    is_hidden: Vec<bool>,
    /// Recent showings of each card without a play, and when that was so.
    shown: Vec<(f64, i64)>,
}

impl<'a> Listener<'a> {
    /// Listener `number` of the run, on day 0; `base` as of [`base_logit`].
    #[must_use]
    pub fn new(world: &'a World<'a>, cell: Cell, base: f64, number: u32) -> Self {
        let data = world.halves.run[number as usize] as usize;
        let hidden: Vec<u32> = world.halves.hidden[data].iter().map(|(artist, _)| *artist).collect();
        let mut is_hidden = vec![false; world.truth.artists.len()];
        for artist in &hidden {
            is_hidden[*artist as usize] = true;
        }
        let shown = vec![(0.0, 0); world.home.cards()];
        Self { world, cell, base, number, day: 0, factors: world.truth.listeners[data], hidden, is_hidden, shown }
    }

    /// Their number within the run.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether nobody knows anything about them.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.world.halves.new[self.number as usize]
    }

    fn key(&self, draw: Draw) -> Key {
        Key::new(self.world.seed, draw).with(u64::from(self.number))
    }

    /// The day of their first visit.
    #[must_use]
    pub fn first_day(&self) -> u32 {
        if self.is_new() { self.key(Draw::Visit).with(u64::MAX).below(NEW_ARRIVE_DAYS as usize) as u32 } else { 0 }
    }

    /// Moves their taste on to `day`.
    pub fn begin_day(&mut self, day: u32) {
        let truth = self.world.truth;
        let counts = &self.world.counts.listeners;
        let move_by = (1.0 - (1.0 - DRIFT) * (1.0 - DRIFT)).sqrt();
        while self.day < day {
            self.day += 1;
            let key = self.key(Draw::Drift).with(u64::from(self.day));
            let other = &truth.listeners[key.with(1).below(truth.listeners.len())];
            for ((own, mean), other) in self.factors.iter_mut().zip(&truth.mean).zip(other) {
                *own = mean + (1.0 - DRIFT) * (*own - mean) + move_by * (other - mean);
            }
            for place in 0..self.hidden.len() {
                let key = key.with(2).with(place as u64);
                let from = &counts[key.with(1).below(counts.len())];
                if key.unit() < DRIFT && !from.is_empty() {
                    let (artist, _) = from[key.with(2).below(from.len())];
                    if !self.is_hidden[artist as usize] {
                        let gone = std::mem::replace(&mut self.hidden[place], artist);
                        self.is_hidden[gone as usize] = false;
                        self.is_hidden[artist as usize] = true;
                    }
                }
            }
        }
    }

    /// Visit `number` of `day`.
    #[must_use]
    pub fn visit(&self, day: u32, number: u32) -> Visit {
        let key = self.key(Draw::Visit).with(u64::from(day)).with(u64::from(number));
        let from = VISIT_FROM_MS.get(number as usize).copied().unwrap_or(0);
        let offset = (key.with(1).unit() * VISIT_SPREAD_MS as f64) as i64;
        Visit { day, number, at: Timestamp::clamped(FIRST_DAY_MS + i64::from(day) * DAY_MS + from + offset) }
    }

    /// Log-odds of an artist beyond base and shelf: affinity and boost.
    fn appeal(&self, artist: u32) -> f64 {
        let data = self.world.home.artists[artist as usize] as usize;
        let z = self.world.scale.affinity(product(&self.factors, &self.world.truth.artists[data]));
        self.cell.affinity * z + if self.is_hidden[data] { self.cell.boost } else { 0.0 }
    }

    /// The log-odds that they play a card of a shelf kind when seeing it, without base and fatigue; a mix is worth the mean of its
    /// artists.
    fn logit(&self, kind: usize, card: u32) -> f64 {
        let appeal = match self.world.home.stands(card) {
            Stands::Artist(artist) => self.appeal(artist),
            Stands::Mix(mix) => {
                let of = &self.world.home.mixes[mix as usize];
                of.iter().map(|artist| self.appeal(*artist)).sum::<f64>() / of.len().max(1) as f64
            }
        };
        SHELF_LOGIT[kind].1 + appeal
    }

    /// The true chance that they play a card when seeing it now. For oracles and checks; a policy must not ask.
    #[must_use]
    pub fn true_chance(&self, kind: usize, card: u32, at: Timestamp) -> f64 {
        let tired = FATIGUE * self.shown_lately(card, at).min(FATIGUE_MOST);
        sigmoid(self.base + self.logit(kind, card) - tired)
    }

    fn shown_lately(&self, card: u32, at: Timestamp) -> f64 {
        let (count, since) = self.shown[card as usize];
        if count == 0.0 { 0.0 } else { count * decay((at.ms() - since) as f64, FATIGUE_HALF_LIFE_MS) }
    }

    /// Looks down a page as in a cascade (Craswell et al. 2008). A stream ends the visit; a play given up within 30 seconds does
    /// not.
    ///
    /// # Determinism
    /// How far they look and whether and how long they play a card follow from seed, listener, visit and card, never from the
    /// policy: all policies meet the same luck.
    pub fn browse(&mut self, visit: Visit, page: &[CandidateShelf], placed: &[PlacedShelf]) -> Vec<Look> {
        let of_visit = |key: Key| key.with(u64::from(visit.day)).with(u64::from(visit.number));
        let patience = of_visit(self.key(Draw::Visit));
        let play = of_visit(self.key(Draw::Play));
        let length = of_visit(self.key(Draw::Length));
        let mut looks: Vec<Look> = Vec::new();
        let mut at = visit.at;
        'page: for (position, shelf) in placed.iter().enumerate().take(1 + patience.with(2).steps(NEXT_SHELF)) {
            let depth = 1 + patience.with(3).with(position as u64).steps(NEXT_CARD);
            for &card in shelf.cards.iter().take(depth) {
                at = at.plus_ms(LOOK_MS);
                let chance = self.true_chance(page[shelf.shelf].kind, card, at);
                let plays = play.with(u64::from(card)).unit() < chance;
                let played_ms = plays.then(|| self.world.play_times.at(length.with(u64::from(card)).unit()));
                let look = Look { shelf: shelf.shelf, card, at, played_ms };
                at = at.plus_ms(i64::from(played_ms.unwrap_or(0)));
                looks.push(look);
                if !plays {
                    self.shown[card as usize] = (self.shown_lately(card, at) + 1.0, at.ms());
                }
                if look.is_stream() {
                    break 'page;
                }
            }
        }
        looks
    }
}

/// The base log-odds with which the cards of a uniformly drawn page of the first day are played at [`BASE_RATE`] when seen.
///
/// Every card stands at every place of its shelf, and every shelf at every place, equally often on such pages: the mean is that over
/// shelves of the mean over their cards.
#[must_use]
pub fn base_logit(world: &World<'_>, cell: Cell) -> f64 {
    let mut logits: Vec<(f64, f64)> = Vec::new();
    for number in 0..world.halves.run.len() as u32 {
        let listener = Listener::new(world, cell, 0.0, number);
        let page = world.home.page(number, 0);
        for shelf in &page {
            let weight = 1.0 / (page.len() * shelf.cards.len()) as f64;
            logits.extend(shelf.cards.iter().map(|card| (listener.logit(shelf.kind, *card), weight)));
        }
    }
    let people = world.halves.run.len().max(1) as f64;
    let (mut low, mut high) = (-20.0, 20.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let rate = logits.iter().map(|(logit, weight)| weight * sigmoid(middle + logit)).sum::<f64>() / people;
        if rate < BASE_RATE { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}
