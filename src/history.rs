//! What was played here: listening events, decayed aggregates and taste. Never leaves the device.
//!
//! Aggregates are made from the facts of `journal`, one after the other. Taking a fact back makes again what it was part of.

use crate::clock::{DAY_MS, Timestamp};
use crate::math::{decay, falling};
use crate::page::{CardHandle, Catalogue};
use crate::store::{Tape, TapeReader};

mod journal;

pub(crate) use journal::{BY_HIDE, BY_SKIP, Fact, Facts, Lesson, UNSEEN, quantised};
pub use journal::{MAX_EVENTS, MAX_LESSON_BYTES, MAX_LESSONS, MAX_SEEN};

/// A play of at least this long counts as listening, in milliseconds (McInerney et al. 2018 use the same 30 s).
pub const LISTEN_MS: u32 = 30_000;
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

/// Plays that the start, no taste at all, counts for.
const TASTE_STRENGTH: f64 = 1.0;

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

    pub(crate) fn load(tape: &mut TapeReader) -> Self {
        Self { value: tape.fraction(), at: tape.signed() }
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

impl FamilyStats {
    fn add(&mut self, at: Timestamp, bucket: usize) {
        self.plays.add(1.0, at, FAMILY_HALF_LIFE_MS);
        self.by_hour[bucket].add(1.0, at, FAMILY_HALF_LIFE_MS);
    }
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
    fn load(tape: &mut TapeReader) -> Self;
}

impl Stats for CardStats {
    fn save(&self, tape: &mut Tape) {
        self.plays.save(tape);
        self.seen.save(tape);
        tape.signed(self.last_played);
        tape.signed(self.touched);
        tape.whole(u64::from(self.liked) | u64::from(self.hidden) << 1);
    }

    fn load(tape: &mut TapeReader) -> Self {
        let (plays, seen) = (Decayed::load(tape), Decayed::load(tape));
        let (last_played, touched) = (tape.signed(), tape.signed());
        let flags = tape.whole();
        Self { plays, seen, last_played, touched, liked: flags & 1 != 0, hidden: flags & 2 != 0 }
    }
}

impl Stats for ArtistStats {
    fn save(&self, tape: &mut Tape) {
        self.plays.save(tape);
        self.skips.save(tape);
        tape.signed(self.touched);
        tape.flag(self.followed);
    }

    fn load(tape: &mut TapeReader) -> Self {
        Self { plays: Decayed::load(tape), skips: Decayed::load(tape), touched: tape.signed(), followed: tape.flag() }
    }
}

impl Stats for FamilyStats {
    fn save(&self, tape: &mut Tape) {
        self.plays.save(tape);
        for bucket in &self.by_hour {
            bucket.save(tape);
        }
    }

    fn load(tape: &mut TapeReader) -> Self {
        let mut stats = Self { plays: Decayed::load(tape), ..Self::default() };
        for bucket in &mut stats.by_hour {
            *bucket = Decayed::load(tape);
        }
        stats
    }
}

impl Stats for Willingness {
    fn save(&self, tape: &mut Tape) {
        self.seen.save(tape);
        self.acted.save(tape);
    }

    fn load(tape: &mut TapeReader) -> Self {
        Self { seen: Decayed::load(tape), acted: Decayed::load(tape) }
    }
}

/// A place in the app's embedding space: the decayed sum of the directions played, and how many they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Taste {
    sum: Vec<f64>,
    count: f64,
    at: i64,
}

impl Taste {
    fn add(&mut self, direction: &[i8], at: Timestamp, half_life_ms: f64) {
        let square: f64 = direction.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
        if square == 0.0 {
            return;
        }
        if self.sum.len() != direction.len() {
            *self = Self { sum: vec![0.0; direction.len()], count: 0.0, at: at.ms() };
        }
        let elapsed = (at.ms() - self.at) as f64;
        let (keep, weight) = if elapsed >= 0.0 {
            self.at = at.ms();
            (decay(elapsed, half_life_ms), 1.0)
        } else {
            (1.0, decay(-elapsed, half_life_ms))
        };
        self.count = self.count * keep + weight;
        let scale = weight / square.sqrt();
        for (sum, value) in self.sum.iter_mut().zip(direction) {
            *sum = *sum * keep + scale * f64::from(*value);
        }
    }

    pub(crate) fn save(&self, tape: &mut Tape) {
        tape.signed(self.at);
        tape.count(self.sum.len());
        for value in &self.sum {
            tape.fraction(*value);
        }
        tape.fraction(self.count);
    }

    pub(crate) fn load(tape: &mut TapeReader) -> Self {
        let (at, sum) = (tape.signed(), tape.list(TapeReader::fraction));
        // Format 1 has no count: its plays are taken to agree with each other.
        let count = if tape.version() < 2 { sum.iter().map(|v| v * v).sum::<f64>().sqrt() } else { tape.fraction() };
        Self { sum, count, at }
    }

    /// The mean direction, drawn towards none by [`TASTE_STRENGTH`] plays, so that an old taste fades; empty while nothing with an
    /// embedding was played. Its length is below 1.
    ///
    /// # References
    /// The semi-personal mean m_u = (n_u r_u + s m) / (n_u + s) of L. Briand et al. (2021), "A Semi-Personalized System for User
    /// Cold Start Recommendation on Music Streaming Apps", KDD 2021, here with m = 0.
    pub(crate) fn mean(&self, now: Timestamp, half_life_ms: f64) -> Vec<f32> {
        let kept = decay((now.ms() - self.at) as f64, half_life_ms);
        let scale = kept / (self.count * kept + TASTE_STRENGTH);
        self.sum.iter().map(|v| (v * scale) as f32).collect()
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

    /// Place of an entry, below [`Table::len`].
    pub(crate) fn place(&self, key: u32) -> Option<usize> {
        self.slots.get(key as usize).and_then(|slot| slot.checked_sub(1)).map(|place| place as usize)
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
        let dropped: Vec<u32> = falling(ages).into_iter().skip(keep).collect();
        let mut gone = vec![false; self.slots.len()];
        for key in &dropped {
            gone[*key as usize] = true;
        }
        self.retain(|key| !gone[key as usize]);
        dropped
    }

    /// Keeps the entries whose key `keep` names, in their present order.
    fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        let mut kept = Self::default();
        for (key, value) in self.iter() {
            if keep(key) {
                *kept.entry(key) = *value;
            }
        }
        *self = kept;
    }
}

/// Everything that listening left behind, bounded in size.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(crate) facts: Facts,
    pub(crate) lessons: Vec<Lesson>,
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
        self.cards.len() == 0 && self.facts.ring.is_empty()
    }

    /// Number of listening events kept.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.facts.listens
    }

    pub(crate) fn listen(&mut self, listen: Listen, skipped: bool, utc_offset_minutes: i32, catalogue: &Catalogue) {
        let Listen { card, ms, at } = listen;
        let known = catalogue.registered(card);
        let unit = if ms >= LISTEN_MS { catalogue.unit(card) } else { &[] };
        self.take_in(Fact {
            card,
            at,
            ms: Some(ms),
            artist: known.artist,
            family: known.family,
            bucket: hour_bucket(at.local_hour(utc_offset_minutes)),
            skipped,
            direction: quantised(unit),
        });
        self.bound();
    }

    pub(crate) fn see(&mut self, card: CardHandle, at: Timestamp) {
        self.take_in(Fact { card, at, ms: None, artist: 0, family: 0, bucket: 0, skipped: false, direction: Vec::new() });
        self.bound();
    }

    /// Counts a fact and keeps it.
    fn take_in(&mut self, fact: Fact) {
        let at = fact.at;
        let stats = self.cards.entry(fact.card.0);
        stats.touched = stats.touched.max(at.ms());
        if fact.ms.is_none() {
            stats.seen.add(1.0, at, FATIGUE_HALF_LIFE_MS);
        } else if fact.counts() {
            stats.plays.add(1.0, at, CARD_HALF_LIFE_MS);
            stats.last_played = stats.last_played.max(at.ms());
            stats.seen = Decayed::default();
        }
        if fact.artist != 0 {
            let artist = self.artists.entry(fact.artist);
            artist.touched = artist.touched.max(at.ms());
            let count = if fact.counts() { &mut artist.plays } else { &mut artist.skips };
            count.add(1.0, at, ARTIST_HALF_LIFE_MS);
        }
        if let Some(ms) = fact.ms.filter(|_| fact.counts()) {
            if fact.family != 0 {
                self.families.entry(fact.family).add(at, fact.bucket);
            }
            self.total.add(at, fact.bucket);
            self.short_taste.add(&fact.direction, at, SHORT_TASTE_HALF_LIFE_MS);
            self.long_taste.add(&fact.direction, at, LONG_TASTE_HALF_LIFE_MS);
            if self.last_listen.is_none_or(|last| last.at <= at) {
                self.last_listen = Some(Listen { card: fact.card, ms, at });
            }
        }
        self.facts.push(fact);
    }

    /// Takes back the facts that `gone` names and everything of the cards that `excluded` names and of `artist` (0 for none).
    ///
    /// What many cards share (families, totals, taste, last listen) is made again from the facts that stay. So are the cards and
    /// artists of facts that go; others keep their numbers, which rest on nothing else. A card that is excluded keeps only that it
    /// is hidden; likes and follows of the others stay.
    pub(crate) fn take_back(&mut self, gone: &dyn Fn(&Fact) -> bool, excluded: &dyn Fn(CardHandle) -> bool, artist: u32) {
        let known = |key: u32| excluded(CardHandle(key));
        let nothing = !self.cards.keys.iter().any(|key| known(*key)) && self.artists.get(artist).is_none();
        if nothing && !self.facts.ring.iter().any(gone) {
            return;
        }
        let old = std::mem::take(self);
        let (mut cards, mut artists) = (Vec::new(), Vec::new());
        for fact in old.facts.ring {
            if gone(&fact) {
                cards.push(fact.card.0);
                artists.push(fact.artist);
            } else {
                self.take_in(fact);
            }
        }
        for (key, stats) in old.cards.iter() {
            let (liked, hidden) = (stats.liked && !known(key), stats.hidden);
            if !known(key) && !cards.contains(&key) {
                *self.cards.entry(key) = *stats;
            } else if liked || hidden {
                let fresh = self.cards.entry(key);
                (fresh.liked, fresh.hidden) = (liked, hidden);
            }
        }
        for (key, stats) in old.artists.iter() {
            if key != artist && !artists.contains(&key) {
                *self.artists.entry(key) = *stats;
            } else if key != artist && stats.followed {
                self.artists.entry(key).followed = true;
            }
        }
        (self.lessons, self.willingness) = (old.lessons, old.willingness);
    }

    /// Counts what a lesson says of its shelf's kind, and keeps it; at most `most` are kept.
    pub(crate) fn take_lesson(&mut self, lesson: Lesson, most: usize) {
        let (id, at) = (lesson.decision, lesson.at);
        let mut of_decision = self.lessons.iter().rev().filter(|other| other.decision == id);
        if lesson.card.is_none() {
            // A shelf kind that was seen and not acted on; acts were counted when they happened.
            let mut seen: Vec<(u32, bool)> = Vec::new();
            for other in of_decision.filter(|other| other.card.is_some()) {
                match seen.iter_mut().find(|(kind, _)| *kind == other.kind) {
                    Some((_, acted)) => *acted |= other.reward >= 1.0,
                    None => seen.push((other.kind, other.reward >= 1.0)),
                }
            }
            for (kind, _) in seen.into_iter().filter(|(_, acted)| !acted) {
                self.shelf_seen(kind, false, at);
            }
        } else if lesson.reward >= 1.0
            && !of_decision.any(|other| other.card.is_none() || other.kind == lesson.kind && other.reward >= 1.0)
        {
            self.shelf_seen(lesson.kind, true, at);
        }
        self.lessons.push(lesson);
        if self.lessons.len() > most {
            self.lessons.drain(..most / 8);
        }
    }

    fn bound(&mut self) {
        self.facts.bound();
        let most = MAX_AGGREGATES + MAX_AGGREGATES / 4;
        if self.cards.len() > most {
            // A like or a hide outlives any number of plays.
            let dropped = self.cards.keep_latest(MAX_AGGREGATES, |stats| {
                if stats.liked || stats.hidden { f64::INFINITY } else { stats.touched as f64 }
            });
            if !dropped.is_empty() {
                let cards = &self.cards;
                self.facts.retain(&mut |fact| cards.get(fact.card.0).is_some());
            }
        }
        if self.artists.len() > most {
            self.artists.keep_latest(MAX_AGGREGATES, |stats| if stats.followed { f64::INFINITY } else { stats.touched as f64 });
        }
    }

    pub(crate) fn like(&mut self, card: CardHandle) {
        let stats = self.cards.entry(card.0);
        stats.liked = true;
        stats.hidden = false;
        self.bound();
    }

    pub(crate) fn follow(&mut self, card: CardHandle, catalogue: &Catalogue) {
        self.like(card);
        let artist = catalogue.registered(card).artist;
        if artist != 0 {
            self.artists.entry(artist).followed = true;
        }
    }

    /// Hides a card; that it is liked is kept for when it is shown again.
    pub(crate) fn hide(&mut self, card: CardHandle) {
        self.cards.entry(card.0).hidden = true;
        self.bound();
    }

    /// Undoes [`History::hide`].
    pub(crate) fn unhide(&mut self, card: CardHandle) {
        if !self.is_hidden(card) {
            return;
        }
        let stats = self.cards.entry(card.0);
        stats.hidden = false;
        if *stats == CardStats::default() {
            self.cards.retain(|key| key != card.0);
        }
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

    /// Where the taste of the last weeks, and of the last months, lies; see [`Taste::mean`].
    pub(crate) fn tastes(&self, now: Timestamp) -> [Vec<f32>; 2] {
        [self.short_taste.mean(now, SHORT_TASTE_HALF_LIFE_MS), self.long_taste.mean(now, LONG_TASTE_HALF_LIFE_MS)]
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
        history.listen(Listen { card, ms: 29_999, at: at(1) }, false, 0, &catalogue);
        assert_eq!(history.card_plays(card, at(1)), 0.0);
        assert_eq!(history.artist_plays(1, at(1)), (0.0, 1.0));
        history.listen(Listen { card, ms: 30_000, at: at(1) }, false, 0, &catalogue);
        assert_eq!(history.card_plays(card, at(1)), 1.0);
        assert_eq!(history.artist_plays(1, at(1)), (1.0, 1.0));
        assert_eq!(history.tastes(at(1)), [[0.5, 0.0], [0.5, 0.0]], "one play against a start that counts for one");
    }

    #[test]
    fn stays_bounded_and_keeps_likes() {
        let mut catalogue = Catalogue::default();
        let mut history = History::default();
        for i in 0..2 * MAX_AGGREGATES {
            let card = catalogue.register(Card { id: format!("c{i}"), artist: format!("a{i}"), ..Card::default() }).unwrap();
            history.listen(Listen { card, ms: LISTEN_MS, at: Timestamp::clamped(i as i64) }, false, 0, &catalogue);
            if i == 0 {
                history.like(card);
            }
        }
        assert!(history.cards.len() <= MAX_AGGREGATES + MAX_AGGREGATES / 4);
        assert!(history.artists.len() <= MAX_AGGREGATES + MAX_AGGREGATES / 4);
        assert!(history.facts.listens <= MAX_EVENTS);
        assert!(history.cards.get(0).is_some_and(|stats| stats.liked));
        assert!(history.facts.ring.iter().all(|fact| history.cards.get(fact.card.0).is_some()));
    }

    #[test]
    fn the_last_listen_is_the_latest_whatever_the_order_of_arrival() {
        let catalogue = catalogue();
        let mut history = History::default();
        for day in [3, 1, 2] {
            history.listen(Listen { card: CardHandle(1), ms: LISTEN_MS, at: at(day) }, false, 0, &catalogue);
        }
        let days: Vec<i64> = history.facts.ring.iter().map(|fact| fact.at.ms() / DAY_MS).collect();
        assert_eq!(days, [3, 1, 2], "facts stay as they came, so that they can be counted again with the same bits");
        assert_eq!(history.last_listen.map(|l| l.at), Some(at(3)));
    }

    #[test]
    fn an_old_taste_fades() {
        let catalogue = catalogue();
        let mut history = History::default();
        for _ in 0..4 {
            history.listen(Listen { card: CardHandle(0), ms: LISTEN_MS, at: at(10) }, false, 0, &catalogue);
        }
        let [short, long] = history.tastes(at(10));
        assert_eq!((short[0], long[0]), (0.8, 0.8), "4 plays / (4 + 1)");
        let [short, long] = history.tastes(at(10 + 28));
        assert!((short[0] - 0.5).abs() < 1e-6, "two half-lives leave one play: {short:?}");
        assert!(long[0] > 0.77 && long[0] < 0.8, "{long:?}");
        assert!(history.tastes(at(400))[0][0] < 1e-6);
    }

    #[test]
    fn willingness_moves_from_the_prior() {
        let mut history = History::default();
        assert!((history.willingness(3, at(1)) - 0.1).abs() < 1e-12);
        history.shelf_seen(3, true, at(1));
        assert!(history.willingness(3, at(1)) > 0.18);
    }
}
