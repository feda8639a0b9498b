//! The page of candidates that the server sends: the same for every policy, and blind to what anybody likes.
//!
//! Sixteen shelves of twelve cards: some for everybody (popular, fresh, editorial), some drawn by day and listener (genres,
//! mixes, recommendations, podcasts). A card stands on a page once. The order within says nothing.

use crate::catalogue::DemoCatalogue;
use crate::chance::{Draw, Key, sample};
use crate::constants::CARDS;
use ears_only::page::CardKind;

/// A shelf of candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateShelf {
    /// Its id; the same shelf of another day has the same id.
    pub id: String,
    /// Its kind.
    pub kind: &'static str,
    /// Its title.
    pub title: String,
    /// Numbers of its items.
    pub cards: Vec<u32>,
}

/// Draws candidate pages.
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    catalogue: &'a DemoCatalogue,
    popular_music: Vec<u32>,
    popular_podcasts: Vec<u32>,
    albums: Vec<u32>,
    artists: Vec<u32>,
    mixes: Vec<u32>,
    music_families: Vec<u32>,
    topics: Vec<u32>,
}

/// The popular shelf draws from this many of the best-known cards.
const POPULAR_POOL: usize = 48;
/// Genre shelves on a page, and topic shelves of podcasts.
const GENRES: usize = 6;
const TOPICS: usize = 2;

impl<'a> Candidates<'a> {
    /// Prepares the pools.
    #[must_use]
    pub fn new(catalogue: &'a DemoCatalogue) -> Self {
        let popular = |podcast: bool| {
            let mut numbers = catalogue.numbers(|item| (item.card.kind == CardKind::Podcast) == podcast);
            let popularity = |number: u32| catalogue.items()[number as usize].card.popularity.unwrap_or(0.0);
            numbers.sort_by(|a, b| popularity(*b).total_cmp(&popularity(*a)).then(a.cmp(b)));
            numbers.truncate(POPULAR_POOL);
            numbers
        };
        let of_kind = |kind: CardKind| catalogue.numbers(|item| item.card.kind == kind);
        let families = |podcast: bool| {
            (0u32..).zip(catalogue.families()).filter(|(_, family)| family.podcast == podcast).map(|(number, _)| number).collect()
        };
        Self {
            catalogue,
            popular_music: popular(false),
            popular_podcasts: popular(true),
            albums: of_kind(CardKind::Album),
            artists: of_kind(CardKind::Artist),
            mixes: of_kind(CardKind::Playlist),
            music_families: families(false),
            topics: families(true),
        }
    }

    /// The candidates of one listener on one day.
    ///
    /// # Determinism
    /// Follows from `seed`, `listener` and `day` alone.
    #[must_use]
    pub fn page(&self, seed: u64, listener: u32, day: u32) -> Vec<CandidateShelf> {
        let everybody = Key::new(seed, Draw::Candidates);
        let today = everybody.with(1).with(u64::from(day));
        let week = everybody.with(2).with(u64::from(day / 7));
        let own = everybody.with(3).with(u64::from(listener)).with(u64::from(day));
        let mut page = Filling { taken: vec![false; self.catalogue.items().len()], shelves: Vec::new() };

        let decade = 1960 + 10 * week.with(1).below(6) as u32;
        let of_decade: Vec<u32> = self.albums_where(|year| (decade..decade + 10).contains(&year));
        page.add("decade", "editorial", format!("The {decade}s"), &of_decade, week.with(2));
        page.add("spotlight", "editorial", "Artists in the spotlight".into(), &self.artists, week.with(3));
        page.add("popular", "popular", "Popular right now".into(), &self.popular_music, today.with(1));
        let late: Vec<u32> = self.albums_where(|year| year >= 2010);
        page.add("fresh", "fresh", "Fresh this week".into(), &late, today.with(2));
        for family in sample(&self.music_families, GENRES, own.with(1)) {
            let name = &self.catalogue.families()[family as usize];
            let cards = self.catalogue.numbers(|item| item.family == family && item.card.kind != CardKind::Playlist);
            page.add(&format!("genre-{}", name.id), "genre", name.title.clone(), &cards, own.with(2).with(u64::from(family)));
        }
        page.add("mixes", "made_for_you", "Mixes".into(), &self.mixes, own.with(3));
        page.add("albums", "recommended", "Albums to try".into(), &self.albums, own.with(4));
        page.add("artists", "new_artists", "Artists to meet".into(), &self.artists, own.with(5));
        page.add("podcasts", "podcasts", "Popular podcasts".into(), &self.popular_podcasts, today.with(3));
        for family in sample(&self.topics, TOPICS, own.with(6)) {
            let name = &self.catalogue.families()[family as usize];
            let cards = self.catalogue.numbers(|item| item.family == family);
            page.add(&format!("topic-{}", name.id), "podcasts", name.title.clone(), &cards, own.with(7).with(u64::from(family)));
        }
        page.shelves
    }

    fn albums_where(&self, year: impl Fn(u32) -> bool) -> Vec<u32> {
        self.catalogue.numbers(|item| item.year.is_some_and(&year))
    }
}

struct Filling {
    taken: Vec<bool>,
    shelves: Vec<CandidateShelf>,
}

impl Filling {
    fn add(&mut self, id: &str, kind: &'static str, title: String, pool: &[u32], key: Key) {
        let free: Vec<u32> = pool.iter().copied().filter(|number| !self.taken[*number as usize]).collect();
        let cards = sample(&free, CARDS, key);
        for card in &cards {
            self.taken[*card as usize] = true;
        }
        if !cards.is_empty() {
            self.shelves.push(CandidateShelf { id: id.into(), kind, title, cards });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::SHELVES;

    #[test]
    fn pages_have_sixteen_shelves_and_every_card_once() {
        let catalogue = DemoCatalogue::new();
        let candidates = Candidates::new(&catalogue);
        for (listener, day) in [(0, 0), (1, 0), (7, 12), (3, 29)] {
            let page = candidates.page(5, listener, day);
            assert_eq!(page.len(), SHELVES);
            let mut cards: Vec<u32> = page.iter().flat_map(|shelf| shelf.cards.clone()).collect();
            assert!(cards.len() > 170, "{}", cards.len());
            cards.sort_unstable();
            assert!(cards.windows(2).all(|pair| pair[0] < pair[1]));
            let mut ids: Vec<&str> = page.iter().map(|shelf| shelf.id.as_str()).collect();
            ids.sort_unstable();
            assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        }
        assert_eq!(candidates.page(5, 1, 2), candidates.page(5, 1, 2));
        assert_ne!(candidates.page(5, 1, 2), candidates.page(5, 1, 3));
        assert_ne!(candidates.page(5, 1, 2), candidates.page(5, 2, 2));
    }
}
