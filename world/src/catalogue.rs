//! The demo catalogue as everybody sees it: cards with names, families, popularity and embeddings.

use ears_only::math::{exp, ln};
use ears_only::page::{Card, CardKind};

use crate::chance::{Draw, Key};
use crate::constants::{POPULARITY_EXPONENT, POPULARITY_TOP};
use crate::embedding::Directions;

/// The tables of a catalogue: a heading line, then lines whose columns are apart by tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables<'a> {
    /// Id, name, kind of each family.
    pub families: &'a str,
    /// Id, name, family and one column more of each artist.
    pub artists: &'a str,
    /// Id, title, artist, year of each album.
    pub albums: &'a str,
    /// Id, title, publisher, family of each podcast.
    pub podcasts: &'a str,
}

impl Tables<'static> {
    /// Those of the demo, which are in the library.
    pub const DEMO: Self = Self {
        families: include_str!("../catalogue/families.tsv"),
        artists: include_str!("../catalogue/artists.tsv"),
        albums: include_str!("../catalogue/albums.tsv"),
        podcasts: include_str!("../catalogue/podcasts.tsv"),
    };
}

/// Seed of the public side: popularity and embeddings are part of the catalogue, not of a run.
const CATALOGUE_SEED: u64 = 1;

/// A genre, or a topic of podcasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its id, as on the cards.
    pub id: String,
    /// Its name.
    pub title: String,
    /// Whether it is spoken word.
    pub podcast: bool,
}

/// A card and its place in the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What a page shows of it, and all that a policy receives.
    pub card: Card,
    /// Index of its family.
    pub family: u32,
    /// Index of its artist; `None` for podcasts and mixes.
    pub artist: Option<u32>,
    /// Year of an album.
    pub year: Option<u32>,
}

/// The catalogue. Items, families and artists are named by their index.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoCatalogue {
    items: Vec<Item>,
    families: Vec<Family>,
    artists: u32,
}

/// The columns of a table without its header line.
fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().skip(1).filter(|line| !line.is_empty()).map(|line| line.split('\t').collect())
}

impl Default for DemoCatalogue {
    fn default() -> Self {
        Self::new()
    }
}

impl DemoCatalogue {
    /// Reads the tables of the demo.
    #[must_use]
    pub fn new() -> Self {
        Self::read(Tables::DEMO)
    }

    /// Reads tables. Rows whose columns or references do not fit are left out; a test holds that there are none in the demo's.
    #[must_use]
    pub fn read(tables: Tables) -> Self {
        let families: Vec<Family> = rows(tables.families)
            .filter_map(|row| {
                let &[id, title, kind] = row.as_slice() else { return None };
                Some(Family { id: id.into(), title: title.into(), podcast: kind == "podcast" })
            })
            .collect();
        let family_of = |id: &str| families.iter().position(|family| family.id == id).map(|index| index as u32);
        let mut items = Vec::new();
        let mut artists: Vec<(&str, &str, u32)> = Vec::new();
        for row in rows(tables.artists) {
            let &[id, name, family, _] = row.as_slice() else { continue };
            let Some(family) = family_of(family) else { continue };
            let artist = artists.len() as u32;
            artists.push((id, name, family));
            let card = public_card(format!("artist:{id}"), name, name, CardKind::Artist, &families[family as usize]);
            items.push(Item { card, family, artist: Some(artist), year: None });
        }
        for row in rows(tables.albums) {
            let &[id, title, artist_id, year] = row.as_slice() else { continue };
            let Some(artist) = artists.iter().position(|(id, ..)| *id == artist_id) else { continue };
            let (_, name, family) = artists[artist];
            let card = public_card(format!("album:{id}"), title, name, CardKind::Album, &families[family as usize]);
            items.push(Item { card, family, artist: Some(artist as u32), year: year.parse().ok() });
        }
        for row in rows(tables.podcasts) {
            let &[id, title, publisher, family] = row.as_slice() else { continue };
            let Some(family) = family_of(family) else { continue };
            let card = public_card(format!("podcast:{id}"), title, publisher, CardKind::Podcast, &families[family as usize]);
            items.push(Item { card, family, artist: None, year: None });
        }
        for (index, family) in families.iter().enumerate().filter(|(_, family)| !family.podcast) {
            let title = format!("{} mix", family.title);
            let card = public_card(format!("mix:{}", family.id), &title, "", CardKind::Playlist, family);
            items.push(Item { card, family: index as u32, artist: None, year: None });
        }
        let mut catalogue = Self { items, families, artists: artists.len() as u32 };
        catalogue.draw_popularity();
        catalogue.draw_embeddings();
        catalogue
    }

    /// The cards.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Genres and topics.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// Number of artists.
    #[must_use]
    pub fn artists(&self) -> u32 {
        self.artists
    }

    /// Numbers of the items that `keep` keeps.
    pub fn numbers(&self, keep: impl Fn(&Item) -> bool) -> Vec<u32> {
        (0u32..).zip(&self.items).filter(|(_, item)| keep(item)).map(|(number, _)| number).collect()
    }

    /// Popularity by rank; artists are known or not, and their cards with them.
    fn draw_popularity(&mut self) {
        let key = Key::new(CATALOGUE_SEED, Draw::Catalogue).with(1);
        let fame: Vec<f64> = (0u64..)
            .zip(&self.items)
            .map(|(number, item)| {
                let own = key.with(1_000_000 + number).normal();
                item.artist.map_or(own, |artist| key.with(u64::from(artist)).normal() + 0.4 * own)
            })
            .collect();
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_by(|a, b| fame[*b].total_cmp(&fame[*a]).then(a.cmp(b)));
        for (rank, item) in order.into_iter().enumerate() {
            let popularity = POPULARITY_TOP * exp(-POPULARITY_EXPONENT * ln(rank as f64 + 1.0));
            self.items[item].card.popularity = Some(popularity as f32);
        }
    }

    fn draw_embeddings(&mut self) {
        let directions = Directions::new(Key::new(CATALOGUE_SEED, Draw::Catalogue).with(2));
        for (number, item) in (0u64..).zip(&mut self.items) {
            item.card.embedding = directions.embedding(item.family, item.artist, number);
        }
    }
}

fn public_card(id: String, title: &str, artist: &str, kind: CardKind, family: &Family) -> Card {
    Card { id, title: title.into(), artist: artist.into(), family: family.id.clone(), kind, ..Card::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_tables_is_a_card() {
        let catalogue = DemoCatalogue::new();
        let lines = |table: &str| table.lines().skip(1).filter(|line| !line.is_empty()).count();
        let mixes = catalogue.families().iter().filter(|family| !family.podcast).count();
        assert_eq!(catalogue.families().len(), lines(Tables::DEMO.families));
        assert_eq!(catalogue.artists() as usize, lines(Tables::DEMO.artists));
        assert_eq!(
            catalogue.items().len(),
            lines(Tables::DEMO.artists) + lines(Tables::DEMO.albums) + lines(Tables::DEMO.podcasts) + mixes
        );
        assert!(lines(Tables::DEMO.artists) >= 300 && lines(Tables::DEMO.albums) >= 300 && lines(Tables::DEMO.podcasts) >= 100);
        let mut ids: Vec<&str> = catalogue.items().iter().map(|item| item.card.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), catalogue.items().len());
    }

    #[test]
    fn popularity_and_embeddings_are_the_same_every_time() {
        let (a, b) = (DemoCatalogue::new(), DemoCatalogue::new());
        assert_eq!(a, b);
        let most = a.items().iter().filter_map(|item| item.card.popularity).fold(0.0, f32::max);
        assert!((f64::from(most) - POPULARITY_TOP).abs() < 1e-6);
    }
}
