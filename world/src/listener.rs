//! A simulated listener: comes twice a day, looks down the page, plays what they like.

use ears_only::clock::{DAY_MS, Timestamp};

use crate::World;
use crate::chance::{Draw, Key};
use crate::constants::{
    FIRST_DAY_MS, HISTORY_DAYS, HISTORY_PLAYS, MUSIC_PLAY_MS, NEXT_CARD, NEXT_SHELF, PODCAST_PLAY_MS, SKIP_WITHIN, VISIT_FROM_MS,
    VISIT_SPREAD_MS, WITH_HISTORY,
};
use crate::truth::Taste;
use ears_only::history::LISTEN_MS;
use ears_only::page::CardKind;

/// Visits a day.
pub const VISITS: u32 = VISIT_FROM_MS.len() as u32;
/// Time between two cards looked at.
const LOOK_MS: i64 = 1_500;

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

/// A play of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastPlay {
    /// Number of the item.
    pub item: u32,
    /// How long.
    pub ms: u32,
    /// When it ended.
    pub at: Timestamp,
}

/// A card that the listener looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Position of the shelf.
    pub shelf: usize,
    /// Position on the shelf.
    pub position: usize,
    /// Number of the item.
    pub item: u32,
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

/// A listener of a run.
#[derive(Clone, Debug)]
pub struct Listener<'a> {
    world: &'a World,
    seed: u64,
    number: u32,
    taste: Taste,
}

impl<'a> Listener<'a> {
    /// Listener `number` of the run `seed`, on day 0.
    #[must_use]
    pub fn new(world: &'a World, seed: u64, number: u32) -> Self {
        Self { world, seed, number, taste: Taste::new(world.catalogue(), world.truth(), seed, number) }
    }

    /// Their number within the run.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    fn key(&self, draw: Draw) -> Key {
        Key::new(self.seed, draw).with(u64::from(self.number))
    }

    /// What they played before the first visit; nothing for a new listener. Drawn from their taste of day 0: items come up by
    /// chance and are played as they would be on a page.
    #[must_use]
    pub fn history(&self) -> Vec<PastPlay> {
        let key = self.key(Draw::History);
        if key.with(1).unit() >= WITH_HISTORY {
            return Vec::new();
        }
        let [least, most] = HISTORY_PLAYS;
        let count = least as usize + key.with(2).below((most - least + 1) as usize);
        let items = self.world.catalogue().items().len();
        let first = FIRST_DAY_MS - HISTORY_DAYS * DAY_MS;
        let mut plays = Vec::with_capacity(count);
        let mut attempt = 0;
        while plays.len() < count {
            attempt += 1;
            let key = key.with(3).with(attempt);
            let item = key.with(1).below(items) as u32;
            let offset = (key.with(2).unit() * (HISTORY_DAYS * DAY_MS) as f64) as i64;
            let at = Timestamp::clamped(first + offset);
            if key.with(3).unit() < self.taste.chance(self.world.catalogue(), item, at) {
                plays.push(PastPlay { item, ms: self.length_ms(item, key.with(4)), at });
            }
        }
        plays.sort_by_key(|play| (play.at, play.item));
        plays
    }

    /// Moves their taste on to `day`.
    pub fn begin_day(&mut self, day: u32) {
        self.taste.drift_to(self.world.catalogue(), day);
    }

    /// Visit `number` of `day`.
    #[must_use]
    pub fn visit(&self, day: u32, number: u32) -> Visit {
        let key = self.key(Draw::Visit).with(u64::from(day)).with(u64::from(number));
        let from = VISIT_FROM_MS.get(number as usize).copied().unwrap_or(0);
        let offset = (key.with(1).unit() * VISIT_SPREAD_MS as f64) as i64;
        Visit { day, number, at: Timestamp::clamped(FIRST_DAY_MS + i64::from(day) * DAY_MS + from + offset) }
    }

    /// The true chance that they play `item` when seeing it now. For the oracle and for checks; a policy must not ask.
    #[must_use]
    pub fn true_chance(&self, item: u32, at: Timestamp) -> f64 {
        self.taste.chance(self.world.catalogue(), item, at)
    }

    /// Looks down a page of items, shelf after shelf as placed. A stream ends the visit; a play given up within 30 seconds does
    /// not.
    ///
    /// # Determinism
    /// How far they look and whether and how long they play a card follow from seed, listener, visit and card, never from the
    /// policy: all policies meet the same luck.
    ///
    /// # References
    /// N. Craswell, O. Zoeter, M. Taylor, B. Ramsey (2008), "An experimental comparison of click position-bias models", WSDM:
    /// the cascade, here with a chance of going on at each step, down the shelves and along each shelf.
    pub fn browse(&mut self, visit: Visit, page: &[Vec<u32>]) -> Vec<Look> {
        let of_visit = |key: Key| key.with(u64::from(visit.day)).with(u64::from(visit.number));
        let patience = of_visit(self.key(Draw::Visit));
        let play = of_visit(self.key(Draw::Play));
        let length = of_visit(self.key(Draw::Length));
        let mut looks: Vec<Look> = Vec::new();
        let mut at = visit.at;
        'page: for (shelf, items) in page.iter().enumerate().take(1 + patience.with(2).steps(NEXT_SHELF)) {
            let depth = 1 + patience.with(3).with(shelf as u64).steps(NEXT_CARD);
            for (position, &item) in items.iter().enumerate().take(depth) {
                at = at.plus_ms(LOOK_MS);
                let chance = self.taste.chance(self.world.catalogue(), item, at);
                let plays = play.with(u64::from(item)).unit() < chance;
                let played_ms = plays.then(|| self.length_ms(item, length.with(u64::from(item))));
                let look = Look { shelf, position, item, at, played_ms };
                at = at.plus_ms(i64::from(played_ms.unwrap_or(0)));
                looks.push(look);
                if !plays {
                    self.taste.tire(item, at);
                }
                if look.is_stream() {
                    break 'page;
                }
            }
        }
        looks
    }

    /// How long a play lasts: given up early, in the middle, or heard to the end.
    fn length_ms(&self, item: u32, key: Key) -> u32 {
        let full = match self.world.catalogue().items()[item as usize].card.kind {
            CardKind::Podcast => PODCAST_PLAY_MS,
            _ => MUSIC_PLAY_MS,
        };
        let ends = [0, 5_000, LISTEN_MS, full];
        let u = key.unit();
        let mut from = 0.0;
        for (within, span) in SKIP_WITHIN.iter().zip(ends.windows(2)) {
            if u < *within {
                let share = (u - from) / (within - from);
                return span[0] + (share * f64::from(span[1] - span[0])) as u32;
            }
            from = *within;
        }
        full
    }
}
