//! The public side: cards, what is known of them, known histories, and the page of candidates. Made from the known halves alone.

use ears_only::clock::{DAY_MS, Timestamp};
use ears_only::page::{Card, CardKind};
use ears_world::chance::{Draw, Key, sample};

use super::clusters::{self, Space};
use super::constants::{
    CARDS, FIRST_DAY_MS, GENRES, HISTORY_DAYS, HISTORY_MOST, MIN_LISTENERS, MIX_ARTISTS, MORE_LIKE, MORE_LIKE_POOL, POPULAR_POOL,
    RECOMMENDED_POOL, SEGMENTS, SHELF_LOGIT,
};
use super::halves::Half;
use crate::replay::embedding;

/// A shelf of candidates, cards by falling popularity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateShelf {
    /// Its id on this page.
    pub id: String,
    /// Its kind, an index into [`SHELF_LOGIT`].
    pub kind: usize,
    /// Numbers of its cards.
    pub cards: Vec<u32>,
}

/// What a card stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// An artist of the catalogue, or something new from them.
    Artist(u32),
    /// A mix of a genre's best-known artists.
    Mix(u32),
}

/// A listen of the imported history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastPlay {
    /// Number of the card.
    pub card: u32,
    /// When it ended.
    pub at: Timestamp,
}

/// Everything that a policy is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    seed: u64,
    /// Artists of the catalogue as numbers in the data, by falling popularity.
    pub artists: Vec<u32>,
    /// Share of known listeners who play each artist of the catalogue.
    pub popularity: Vec<f64>,
    /// Positions of artists and mixes: unit vectors.
    space: Space,
    /// Genre of each artist of the catalogue.
    pub genres: Vec<u32>,
    /// Artists that each mix stands for.
    pub mixes: Vec<Vec<u32>>,
    /// The nearest other artists of each artist.
    near: Vec<Vec<u32>>,
    /// What is known of each listener of the run: artists of the catalogue with their plays.
    pub known: Half,
    /// The nearest unknown artists and the mixes, nearest first, of each listener of the run; empty for new ones.
    recommended: Vec<Vec<u32>>,
    near_mixes: Vec<Vec<u32>>,
    /// Segment of each listener of the run; new ones have the last.
    pub segments: Vec<u32>,
}

impl Home {
    /// Learns what there is to learn from the known halves.
    ///
    /// - `known`: the known half of every listener of the data, new listeners empty.
    /// - `run`: the listeners of the run.
    #[must_use]
    pub fn new(known: &Half, run: &[u32], artists: usize, seed: u64) -> Self {
        let mut players = vec![0u32; artists];
        for (artist, _) in known.iter().flatten() {
            players[*artist as usize] += 1;
        }
        let mut catalogue: Vec<u32> = (0..artists as u32).filter(|a| players[*a as usize] >= MIN_LISTENERS).collect();
        catalogue.sort_by(|a, b| players[*b as usize].cmp(&players[*a as usize]).then(a.cmp(b)));
        let mut number = vec![u32::MAX; artists];
        for (place, artist) in (0u32..).zip(&catalogue) {
            number[*artist as usize] = place;
        }
        let inside: Half = known
            .iter()
            .map(|plays| {
                let of = |&(artist, count): &(u32, u32)| (number[artist as usize], count);
                let mut inside: Vec<(u32, u32)> = plays.iter().map(of).filter(|(artist, _)| *artist != u32::MAX).collect();
                inside.sort_unstable();
                inside
            })
            .collect();
        let people = known.iter().filter(|plays| !plays.is_empty()).count().max(1) as f64;
        let popularity: Vec<f64> = catalogue.iter().map(|a| f64::from(players[*a as usize]) / people).collect();
        let rows: Vec<&[(u32, u32)]> = inside.iter().map(Vec::as_slice).collect();
        let mut space = Space::new(embedding::of_artists(&rows, catalogue.len()), embedding::DIMENSIONS);
        let key = Key::new(seed, Draw::Catalogue);
        let everybody: Vec<u32> = (0..catalogue.len() as u32).collect();
        let genres = clusters::of(&space, &everybody, GENRES, key.with(1));
        let mixes: Vec<Vec<u32>> = (0..GENRES as u32)
            .map(|genre| everybody.iter().copied().filter(|a| genres[*a as usize] == genre).take(MIX_ARTISTS).collect())
            .collect();
        let near = everybody.iter().map(|a| space.nearest(space.at(*a), &everybody, MORE_LIKE_POOL, |b| b == *a)).collect();
        for mix in &mixes {
            let middle = space.middle(mix);
            space.push(&middle);
        }
        let listeners: Vec<Vec<f32>> =
            inside.iter().map(|plays| space.middle(&plays.iter().map(|p| p.0).collect::<Vec<u32>>())).collect();
        let mut people = Space::new(Vec::new(), embedding::DIMENSIONS);
        for listener in &listeners {
            people.push(listener);
        }
        let with_history: Vec<u32> = (0u32..).zip(&inside).filter(|(_, plays)| !plays.is_empty()).map(|(l, _)| l).collect();
        let segment_of = clusters::of(&people, &with_history, SEGMENTS, key.with(2));
        let place = |listener: u32| with_history.binary_search(&listener).ok();
        let known: Half = run.iter().map(|listener| inside[*listener as usize].clone()).collect();
        let all_mixes: Vec<u32> = (0..GENRES as u32).map(|genre| catalogue.len() as u32 + genre).collect();
        let nearest = |listener: usize, pool: &[u32], count: usize| {
            if known[listener].is_empty() {
                return Vec::new();
            }
            let from = &listeners[run[listener] as usize];
            space.nearest(from, pool, count, |b| known[listener].binary_search_by_key(&b, |p| p.0).is_ok())
        };
        let recommended = (0..run.len()).map(|l| nearest(l, &everybody, RECOMMENDED_POOL)).collect();
        let near_mixes = (0..run.len()).map(|l| nearest(l, &all_mixes, 2 * CARDS)).collect();
        let segments = run.iter().map(|l| place(*l).map_or(SEGMENTS as u32, |place| segment_of[place])).collect();
        Self { seed, artists: catalogue, popularity, space, genres, mixes, near, known, recommended, near_mixes, segments }
    }

    /// Cards: the artists, something new from each of them, the mixes.
    #[must_use]
    pub fn cards(&self) -> usize {
        2 * self.artists.len() + self.mixes.len()
    }

    /// What a card stands for.
    #[must_use]
    pub fn stands(&self, card: u32) -> Stands {
        let artists = self.artists.len() as u32;
        match card / artists {
            0 => Stands::Artist(card),
            1 => Stands::Artist(card - artists),
            _ => Stands::Mix(card - 2 * artists),
        }
    }

    /// Genre of a card.
    #[must_use]
    pub fn genre(&self, card: u32) -> u32 {
        match self.stands(card) {
            Stands::Artist(artist) => self.genres[artist as usize],
            Stands::Mix(mix) => mix,
        }
    }

    /// Public popularity of a card, 0 to 1; of a mix the mean of its artists.
    #[must_use]
    pub fn card_popularity(&self, card: u32) -> f64 {
        match self.stands(card) {
            Stands::Artist(artist) => self.popularity[artist as usize],
            Stands::Mix(mix) => {
                let of = &self.mixes[mix as usize];
                of.iter().map(|artist| self.popularity[*artist as usize]).sum::<f64>() / of.len().max(1) as f64
            }
        }
    }

    /// A card as the app registers it.
    #[must_use]
    pub fn card(&self, card: u32) -> Card {
        let family = format!("genre:{}", self.genre(card));
        let popularity = Some(self.card_popularity(card) as f32);
        let (artist, kind, place) = match self.stands(card) {
            Stands::Artist(artist) => {
                let kind = if card == artist { CardKind::Artist } else { CardKind::Album };
                (format!("artist:{artist}"), kind, artist)
            }
            Stands::Mix(mix) => (String::new(), CardKind::Playlist, self.artists.len() as u32 + mix),
        };
        let embedding = self.space.at(place);
        let known = embedding.iter().any(|v| *v != 0.0);
        Card {
            id: format!("card:{card}"),
            artist,
            family,
            kind,
            popularity,
            embedding: if known { embedding.to_vec() } else { Vec::new() },
            ..Card::default()
        }
    }

    /// The imported history of a listener of the run; nothing for a new one.
    ///
    /// Each artist's plays, 1 + log2(plays) and at most [`HISTORY_MOST`], lie at drawn times of the [`HISTORY_DAYS`] days before
    /// the first one, since the data have no times.
    #[must_use]
    pub fn history(&self, listener: u32) -> Vec<PastPlay> {
        let key = Key::new(self.seed, Draw::History).with(u64::from(listener));
        let mut plays = Vec::new();
        for &(artist, count) in &self.known[listener as usize] {
            for time in 0..(1 + count.max(1).ilog2()).min(HISTORY_MOST) {
                let back = key.with(u64::from(artist)).with(u64::from(time)).unit() * (HISTORY_DAYS * DAY_MS) as f64;
                plays.push(PastPlay { card: artist, at: Timestamp::clamped(FIRST_DAY_MS - back as i64) });
            }
        }
        plays.sort_by_key(|play| (play.at, play.card));
        plays
    }

    /// The candidates of one listener on one day, shelves in the order in which such a page is usually built, cards by falling
    /// popularity. A card stands on a page once.
    ///
    /// # Determinism
    /// Follows from the seed, the listener and the day alone.
    #[must_use]
    pub fn page(&self, listener: u32, day: u32) -> Vec<CandidateShelf> {
        let everybody = Key::new(self.seed, Draw::Candidates);
        let own = everybody.with(1).with(u64::from(listener)).with(u64::from(day));
        let week = everybody.with(2).with(u64::from(day / 7));
        let known: Vec<u32> = self.known[listener as usize].iter().map(|p| p.0).collect();
        let artists = self.artists.len() as u32;
        let all: Vec<u32> = (0..artists).collect();
        let popular = &all[..POPULAR_POOL.min(all.len())];
        let mut page = Filling { home: self, taken: Vec::new(), shelves: Vec::new() };
        page.add("recently_played", "recent", &known, own.with(1));
        let mut rotation = self.known[listener as usize].clone();
        rotation.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let rotation: Vec<u32> = rotation.iter().map(|p| p.0).take(2 * CARDS).collect();
        page.add("heavy_rotation", "heavy", &rotation, own.with(2));
        let releases: Vec<u32> = known.iter().map(|artist| artists + artist).collect();
        page.add("new_from_artists", "new", &releases, own.with(3));
        let anchors = sample(if known.is_empty() { popular } else { &known }, MORE_LIKE, own.with(4));
        for (number, anchor) in (0u64..).zip(anchors) {
            let pool: Vec<u32> = self.near[anchor as usize].iter().copied().filter(|a| known.binary_search(a).is_err()).collect();
            page.add("more_like", &format!("like-{number}"), &pool, own.with(5).with(number));
        }
        let recommended = &self.recommended[listener as usize];
        page.add("recommended", "recommended", if recommended.is_empty() { &all } else { recommended }, own.with(6));
        let mixes: Vec<u32> = match &self.near_mixes[listener as usize] {
            near if near.is_empty() => (0..self.mixes.len() as u32).map(|mix| 2 * artists + mix).collect(),
            near => near.iter().map(|place| artists + place).collect(),
        };
        page.add("made_for_you", "mixes", &mixes, own.with(7));
        page.add("popular", "popular", popular, own.with(8));
        let releases: Vec<u32> = all.iter().map(|artist| artists + artist).collect();
        page.add("fresh", "fresh", &releases, week);
        page.shelves
    }
}

struct Filling<'a> {
    home: &'a Home,
    taken: Vec<u32>,
    shelves: Vec<CandidateShelf>,
}

impl Filling<'_> {
    fn add(&mut self, kind: &str, id: &str, pool: &[u32], key: Key) {
        let free: Vec<u32> = pool.iter().copied().filter(|card| !self.taken.contains(card)).collect();
        let mut cards = sample(&free, CARDS, key);
        cards.sort_by(|a, b| self.home.card_popularity(*b).total_cmp(&self.home.card_popularity(*a)).then(a.cmp(b)));
        self.taken.extend(&cards);
        let kind = SHELF_LOGIT.iter().position(|(name, _)| *name == kind).unwrap_or(0);
        if !cards.is_empty() {
            self.shelves.push(CandidateShelf { id: id.to_owned(), kind, cards });
        }
    }
}
