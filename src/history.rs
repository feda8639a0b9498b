//! What was played here: listening events, decayed aggregates and taste. Never leaves the device.

use crate::clock::{DAY_MS, Timestamp};
use crate::error::Error;
use crate::math::{decay, falling};
use crate::page::{CardHandle, Catalogue};
use crate::store::{Tape, TapeReader};

/// A play of at least this long counts as listening, in milliseconds (McInerney et al. 2018 use the same 30 s).
pub const LISTEN_MS: u32 = 30_000;
/// Most listening events kept; the oldest go first.
pub const MAX_EVENTS: usize = 5_000;
/// Most cards, and most artists, with aggregates; those touched longest ago go first.
pub const MAX_AGGREGATES: usize = 4_000;
/// Longest play that an event may report.
pub const MAX_PLAYED_MS: u32 = 24 * 60 * 60 * 1_000;

const CARD_HALF_LIFE_MS: f64 = 30.0 * DAY_MS as f64;
const ARTIST_HALF_LIFE_MS: f64 = 60.0 * DAY_MS as f64;
const FAMILY_HALF_LIFE_MS: f64 = 60.0 * DAY_MS as f64;
const SHORT_TASTE_HALF_LIFE_MS: f64 = 14.0 * DAY_MS as f64;
const LONG_TASTE_HALF_LIFE_MS: f64 = 180.0 * DAY_MS as f64;
const FATIGUE_HALF_LIFE_MS: f64 = 3.0 * DAY_MS as f64;
const WILLINGNESS_HALF_LIFE_MS: f64 = 60.0 * DAY_MS as f64;

/// Prior counts of "acted on when seen": one in ten.
const WILLINGNESS_PRIOR: (f64, f64) = (1.0, 9.0);

/// Parts of the listener's day: night, morning, afternoon, evening.
pub const HOUR_BUCKETS: usize = 4;

/// The part of the day of a local hour: 0 night (0-5), 1 morning, 2 afternoon, 3 evening.
#[must_use]
pub fn hour_bucket(local_hour: u8) -> usize {
    usize::from(local_hour / 6).min(HOUR_BUCKETS - 1)
}

/// A count that halves every half-life. Adding is independent of order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Decayed {
    value: f64,
    at: i64,
}

impl Decayed {
    pub(crate) fn add(&mut self, amount: f64, at: Timestamp, half_life_ms: f64) {
        let elapsed = (at.ms() - self.at) as f64;
        if elapsed >= 0.0 {
            self.value = self.value * decay(elapsed, half_life_ms) + amount;
            self.at = at.ms();
        } else {
            self.value += amount * decay(-elapsed, half_life_ms);
        }
    }

    pub(crate) fn save(&self, tape: &mut Tape) {
        tape.fraction(self.value);
        tape.signed(self.at);
    }

    pub(crate) fn load(tape: &mut TapeReader) -> Result<Self, Error> {
        Ok(Self { value: tape.fraction()?, at: tape.signed()? })
    }

    /// Time of the latest addition, in milliseconds.
    pub(crate) fn last(&self) -> f64 {
        self.at as f64
    }

    pub(crate) fn value(&self, now: Timestamp, half_life_ms: f64) -> f64 {
        self.value * decay((now.ms() - self.at) as f64, half_life_ms)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CardStats {
    pub(crate) plays: Decayed,
    pub(crate) seen: Decayed,
    /// Last listen of at least [`LISTEN_MS`]; 0 for never.
    pub(crate) last_played: i64,
    pub(crate) touched: i64,
    pub(crate) liked: bool,
    pub(crate) hidden: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ArtistStats {
    pub(crate) plays: Decayed,
    pub(crate) skips: Decayed,
    pub(crate) touched: i64,
    pub(crate) followed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct FamilyStats {
    pub(crate) plays: Decayed,
    pub(crate) by_hour: [Decayed; HOUR_BUCKETS],
}

/// "Acted on when seen" of one shelf kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Willingness {
    pub(crate) seen: Decayed,
    pub(crate) acted: Decayed,
}

/// What can be written to a tape and read back.
pub(crate) trait Stats: Sized + Default + Copy {
    fn save(&self, tape: &mut Tape);
    fn load(tape: &mut TapeReader) -> Result<Self, Error>;
}

impl Stats for CardStats {
    fn save(&self, tape: &mut Tape) {
        self.plays.save(tape);
        self.seen.save(tape);
        tape.signed(self.last_played);
        tape.signed(self.touched);
        tape.whole(u64::from(self.liked) | u64::from(self.hidden) << 1);
    }

    fn load(tape: &mut TapeReader) -> Result<Self, Error> {
        let (plays, seen) = (Decayed::load(tape)?, Decayed::load(tape)?);
        let (last_played, touched) = (tape.signed()?, tape.signed()?);
        let flags = tape.whole()?;
        Ok(Self { plays, seen, last_played, touched, liked: flags & 1 != 0, hidden: flags & 2 != 0 })
    }
}

impl Stats for ArtistStats {
    fn save(&self, tape: &mut Tape) {
        self.plays.save(tape);
        self.skips.save(tape);
        tape.signed(self.touched);
        tape.flag(self.followed);
    }

    fn load(tape: &mut TapeReader) -> Result<Self, Error> {
        Ok(Self { plays: Decayed::load(tape)?, skips: Decayed::load(tape)?, touched: tape.signed()?, followed: tape.flag()? })
    }
}

impl Stats for FamilyStats {
    fn save(&self, tape: &mut Tape) {
        self.plays.save(tape);
        for bucket in &self.by_hour {
            bucket.save(tape);
        }
    }

    fn load(tape: &mut TapeReader) -> Result<Self, Error> {
        let mut stats = Self { plays: Decayed::load(tape)?, ..Self::default() };
        for bucket in &mut stats.by_hour {
            *bucket = Decayed::load(tape)?;
        }
        Ok(stats)
    }
}

impl Stats for Willingness {
    fn save(&self, tape: &mut Tape) {
        self.seen.save(tape);
        self.acted.save(tape);
    }

    fn load(tape: &mut TapeReader) -> Result<Self, Error> {
        Ok(Self { seen: Decayed::load(tape)?, acted: Decayed::load(tape)? })
    }
}

/// A direction in the app's embedding space: the decayed sum of what was played.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Taste {
    sum: Vec<f64>,
    at: i64,
}

impl Taste {
    fn add(&mut self, unit: &[f32], at: Timestamp, half_life_ms: f64) {
        if self.sum.len() != unit.len() {
            self.sum = vec![0.0; unit.len()];
            self.at = at.ms();
        }
        let elapsed = (at.ms() - self.at) as f64;
        let (keep, weight) = if elapsed >= 0.0 {
            self.at = at.ms();
            (decay(elapsed, half_life_ms), 1.0)
        } else {
            (1.0, decay(-elapsed, half_life_ms))
        };
        for (sum, value) in self.sum.iter_mut().zip(unit) {
            *sum = *sum * keep + weight * f64::from(*value);
        }
    }

    pub(crate) fn save(&self, tape: &mut Tape) {
        tape.signed(self.at);
        tape.count(self.sum.len());
        for value in &self.sum {
            tape.fraction(*value);
        }
    }

    pub(crate) fn load(tape: &mut TapeReader) -> Result<Self, Error> {
        Ok(Self { at: tape.signed()?, sum: tape.list(TapeReader::fraction)? })
    }

    /// The direction as a unit vector; empty while nothing with an embedding was played.
    pub(crate) fn unit(&self) -> Vec<f32> {
        let square: f64 = self.sum.iter().map(|v| v * v).sum();
        if square > 0.0 {
            let length = square.sqrt();
            self.sum.iter().map(|v| (v / length) as f32).collect()
        } else {
            Vec::new()
        }
    }
}

/// A listen: one card, how long, when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Listen {
    pub(crate) card: CardHandle,
    pub(crate) ms: u32,
    pub(crate) at: Timestamp,
}

/// A table from catalogue numbers to dense statistics.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    slots: Vec<u32>,
    keys: Vec<u32>,
    values: Vec<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), keys: Vec::new(), values: Vec::new() }
    }
}

impl<T: Default + Copy> Table<T> {
    pub(crate) fn get(&self, key: u32) -> Option<&T> {
        match self.slots.get(key as usize) {
            Some(&slot) if slot > 0 => self.values.get(slot as usize - 1),
            _ => None,
        }
    }

    pub(crate) fn entry(&mut self, key: u32) -> &mut T {
        if self.slots.len() <= key as usize {
            self.slots.resize(key as usize + 1, 0);
        }
        if self.slots[key as usize] == 0 {
            self.keys.push(key);
            self.values.push(T::default());
            self.slots[key as usize] = self.keys.len() as u32;
        }
        let slot = self.slots[key as usize] as usize - 1;
        &mut self.values[slot]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.keys.iter().copied().zip(&self.values)
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Keeps the `keep` entries with the largest `age` (ties: smaller key), in their present order.
    fn keep_latest(&mut self, keep: usize, age: impl Fn(&T) -> f64) -> Vec<u32> {
        let ages: Vec<(f64, u32)> = self.iter().map(|(key, value)| (age(value), key)).collect();
        let dropped: Vec<u32> = falling(&ages).into_iter().skip(keep).collect();
        let mut gone = vec![false; self.slots.len()];
        for key in &dropped {
            gone[*key as usize] = true;
        }
        let mut kept = Self::default();
        for (key, value) in self.iter() {
            if !gone[key as usize] {
                *kept.entry(key) = *value;
            }
        }
        *self = kept;
        dropped
    }
}

/// Everything that listening left behind, bounded in size.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(crate) events: std::collections::VecDeque<Listen>,
    pub(crate) cards: Table<CardStats>,
    pub(crate) artists: Table<ArtistStats>,
    pub(crate) families: Table<FamilyStats>,
    pub(crate) total: FamilyStats,
    pub(crate) short_taste: Taste,
    pub(crate) long_taste: Taste,
    pub(crate) willingness: Table<Willingness>,
    pub(crate) last_listen: Option<Listen>,
}

impl History {
    /// Whether nothing was ever played, liked or hidden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cards.len() == 0 && self.events.is_empty()
    }

    /// Number of listening events kept.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn listen(&mut self, listen: Listen, utc_offset_minutes: i32, catalogue: &Catalogue) {
        let Listen { card, ms, at } = listen;
        let known = catalogue.registered(card);
        let long_enough = ms >= LISTEN_MS;
        let stats = self.cards.entry(card.0);
        stats.touched = stats.touched.max(at.ms());
        if long_enough {
            stats.plays.add(1.0, at, CARD_HALF_LIFE_MS);
            stats.last_played = stats.last_played.max(at.ms());
            stats.seen = Decayed::default();
        }
        if known.artist != 0 {
            let artist = self.artists.entry(known.artist);
            artist.touched = artist.touched.max(at.ms());
            let count = if long_enough { &mut artist.plays } else { &mut artist.skips };
            count.add(1.0, at, ARTIST_HALF_LIFE_MS);
        }
        if long_enough {
            let bucket = hour_bucket(at.local_hour(utc_offset_minutes));
            if known.family != 0 {
                let family = self.families.entry(known.family);
                family.plays.add(1.0, at, FAMILY_HALF_LIFE_MS);
                family.by_hour[bucket].add(1.0, at, FAMILY_HALF_LIFE_MS);
            }
            self.total.plays.add(1.0, at, FAMILY_HALF_LIFE_MS);
            self.total.by_hour[bucket].add(1.0, at, FAMILY_HALF_LIFE_MS);
            let unit = catalogue.unit(card);
            if !unit.is_empty() {
                self.short_taste.add(unit, at, SHORT_TASTE_HALF_LIFE_MS);
                self.long_taste.add(unit, at, LONG_TASTE_HALF_LIFE_MS);
            }
            if self.last_listen.is_none_or(|last| last.at <= at) {
                self.last_listen = Some(listen);
            }
        }
        self.remember(listen);
        self.bound();
    }

    /// Keeps the ring sorted by time, the newest at the back.
    fn remember(&mut self, listen: Listen) {
        let place = self.events.partition_point(|event| event.at <= listen.at);
        self.events.insert(place, listen);
        if self.events.len() > MAX_EVENTS {
            self.events.pop_front();
        }
    }

    fn bound(&mut self) {
        if self.cards.len() > MAX_AGGREGATES + MAX_AGGREGATES / 4 {
            // A like or a hide outlives any number of plays.
            let dropped = self.cards.keep_latest(MAX_AGGREGATES, |stats| {
                if stats.liked || stats.hidden { f64::INFINITY } else { stats.touched as f64 }
            });
            if !dropped.is_empty() {
                let cards = &self.cards;
                self.events.retain(|event| cards.get(event.card.0).is_some());
            }
        }
        if self.artists.len() > MAX_AGGREGATES + MAX_AGGREGATES / 4 {
            self.artists.keep_latest(MAX_AGGREGATES, |stats| if stats.followed { f64::INFINITY } else { stats.touched as f64 });
        }
    }

    pub(crate) fn see(&mut self, card: CardHandle, at: Timestamp) {
        let stats = self.cards.entry(card.0);
        stats.seen.add(1.0, at, FATIGUE_HALF_LIFE_MS);
        stats.touched = stats.touched.max(at.ms());
        self.bound();
    }

    pub(crate) fn like(&mut self, card: CardHandle, at: Timestamp) {
        let stats = self.cards.entry(card.0);
        stats.liked = true;
        stats.hidden = false;
        stats.touched = stats.touched.max(at.ms());
        self.bound();
    }

    pub(crate) fn follow(&mut self, card: CardHandle, at: Timestamp, catalogue: &Catalogue) {
        self.like(card, at);
        let artist = catalogue.registered(card).artist;
        if artist != 0 {
            let stats = self.artists.entry(artist);
            stats.followed = true;
            stats.touched = stats.touched.max(at.ms());
        }
    }

    pub(crate) fn hide(&mut self, card: CardHandle, at: Timestamp) {
        let stats = self.cards.entry(card.0);
        stats.hidden = true;
        stats.liked = false;
        stats.touched = stats.touched.max(at.ms());
        self.bound();
    }

    pub(crate) fn is_hidden(&self, card: CardHandle) -> bool {
        self.cards.get(card.0).is_some_and(|stats| stats.hidden)
    }

    pub(crate) fn shelf_seen(&mut self, kind: u32, acted: bool, at: Timestamp) {
        let stats = self.willingness.entry(kind);
        stats.seen.add(1.0, at, WILLINGNESS_HALF_LIFE_MS);
        if acted {
            stats.acted.add(1.0, at, WILLINGNESS_HALF_LIFE_MS);
        }
    }

    /// Posterior mean of "acted on when seen" for a shelf kind, in (0, 1); 0.1 before anything was seen.
    pub(crate) fn willingness(&self, kind: u32, now: Timestamp) -> f64 {
        let (a, b) = WILLINGNESS_PRIOR;
        let (acted, seen) = self.willingness.get(kind).map_or((0.0, 0.0), |stats| {
            (stats.acted.value(now, WILLINGNESS_HALF_LIFE_MS), stats.seen.value(now, WILLINGNESS_HALF_LIFE_MS))
        });
        (a + acted) / (a + b + seen)
    }

    /// Decayed plays of a card.
    pub(crate) fn card_plays(&self, card: CardHandle, now: Timestamp) -> f64 {
        self.cards.get(card.0).map_or(0.0, |stats| stats.plays.value(now, CARD_HALF_LIFE_MS))
    }

    pub(crate) fn fatigue(&self, card: CardHandle, now: Timestamp) -> f64 {
        self.cards.get(card.0).map_or(0.0, |stats| stats.seen.value(now, FATIGUE_HALF_LIFE_MS))
    }

    /// Decayed plays and skips of an artist.
    pub(crate) fn artist_plays(&self, artist: u32, now: Timestamp) -> (f64, f64) {
        self.artists.get(artist).map_or((0.0, 0.0), |stats| {
            (stats.plays.value(now, ARTIST_HALF_LIFE_MS), stats.skips.value(now, ARTIST_HALF_LIFE_MS))
        })
    }

    /// The families of what was played, as (family, share of decayed plays); shares sum to 1. Empty before anything was played.
    pub(crate) fn family_mix(&self, now: Timestamp) -> Vec<(u32, f64)> {
        let plays = self.families.iter().map(|(family, stats)| (family, stats.plays.value(now, FAMILY_HALF_LIFE_MS)));
        let plays: Vec<(u32, f64)> = plays.filter(|(_, plays)| *plays > 0.0).collect();
        let total: f64 = plays.iter().map(|(_, plays)| plays).sum();
        plays.into_iter().map(|(family, plays)| (family, plays / total)).collect()
    }

    /// Decayed plays of a family: in all, and in one part of the day; family 0 stands for all families together.
    pub(crate) fn family_plays(&self, family: u32, bucket: usize, now: Timestamp) -> (f64, f64) {
        let stats = if family == 0 { Some(&self.total) } else { self.families.get(family) };
        stats.map_or((0.0, 0.0), |stats| {
            (stats.plays.value(now, FAMILY_HALF_LIFE_MS), stats.by_hour[bucket].value(now, FAMILY_HALF_LIFE_MS))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Card;

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (id, artist, family, unit) in [
            ("a", "Nina Simone", "jazz", [1.0, 0.0]),
            ("b", "Nina Simone", "jazz", [0.0, 1.0]),
            ("c", "Can", "krautrock", [1.0, 0.0]),
        ] {
            catalogue
                .register(Card {
                    id: id.into(),
                    artist: artist.into(),
                    family: family.into(),
                    embedding: unit.to_vec(),
                    ..Card::default()
                })
                .unwrap();
        }
        catalogue
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::clamped(day * DAY_MS)
    }

    #[test]
    fn decayed_counts_do_not_depend_on_order() {
        let mut forwards = Decayed::default();
        let mut backwards = Decayed::default();
        for day in [1, 5, 9] {
            forwards.add(1.0, at(day), DAY_MS as f64);
        }
        for day in [9, 5, 1] {
            backwards.add(1.0, at(day), DAY_MS as f64);
        }
        let (a, b) = (forwards.value(at(10), DAY_MS as f64), backwards.value(at(10), DAY_MS as f64));
        assert!((a - b).abs() < 1e-12, "{a} {b}");
        assert!((a - (0.5 + 1.0 / 32.0 + 1.0 / 512.0)).abs() < 1e-12);
    }

    #[test]
    fn only_listens_of_thirty_seconds_count() {
        let catalogue = catalogue();
        let mut history = History::default();
        let card = CardHandle(0);
        history.listen(Listen { card, ms: 29_999, at: at(1) }, 0, &catalogue);
        assert_eq!(history.card_plays(card, at(1)), 0.0);
        assert_eq!(history.artist_plays(1, at(1)), (0.0, 1.0));
        history.listen(Listen { card, ms: 30_000, at: at(1) }, 0, &catalogue);
        assert_eq!(history.card_plays(card, at(1)), 1.0);
        assert_eq!(history.artist_plays(1, at(1)), (1.0, 1.0));
        assert_eq!(history.long_taste.unit(), vec![1.0, 0.0]);
    }

    #[test]
    fn stays_bounded_and_keeps_likes() {
        let mut catalogue = Catalogue::default();
        let mut history = History::default();
        for i in 0..2 * MAX_AGGREGATES {
            let card = catalogue.register(Card { id: format!("c{i}"), artist: format!("a{i}"), ..Card::default() }).unwrap();
            history.listen(Listen { card, ms: LISTEN_MS, at: Timestamp::clamped(i as i64) }, 0, &catalogue);
            if i == 0 {
                history.like(card, Timestamp::clamped(0));
            }
        }
        assert!(history.cards.len() <= MAX_AGGREGATES + MAX_AGGREGATES / 4);
        assert!(history.artists.len() <= MAX_AGGREGATES + MAX_AGGREGATES / 4);
        assert!(history.events.len() <= MAX_EVENTS);
        assert!(history.cards.get(0).is_some_and(|stats| stats.liked));
        assert!(history.events.iter().all(|event| history.cards.get(event.card.0).is_some()));
    }

    #[test]
    fn events_stay_in_order_of_time_whatever_the_order_of_arrival() {
        let catalogue = catalogue();
        let mut history = History::default();
        for day in [3, 1, 2] {
            history.listen(Listen { card: CardHandle(1), ms: LISTEN_MS, at: at(day) }, 0, &catalogue);
        }
        let days: Vec<i64> = history.events.iter().map(|event| event.at.ms() / DAY_MS).collect();
        assert_eq!(days, [1, 2, 3]);
        assert_eq!(history.last_listen.map(|l| l.at), Some(at(3)));
    }

    #[test]
    fn willingness_moves_from_the_prior() {
        let mut history = History::default();
        assert!((history.willingness(3, at(1)) - 0.1).abs() < 1e-12);
        history.shelf_seen(3, true, at(1));
        assert!(history.willingness(3, at(1)) > 0.18);
    }
}
