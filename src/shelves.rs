//! Shelves the device builds itself, because only it knows the history.

use crate::clock::Timestamp;
use crate::history::History;
use crate::math::dot;
use crate::page::{CardHandle, Catalogue, LocalShelves, Page};

/// Most cards on a local shelf.
pub const MAX_LOCAL_CARDS: usize = 20;
/// Fewest cards a local shelf needs to appear.
pub const MIN_LOCAL_CARDS: usize = 3;

/// The kinds of local shelf, in the order of their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalKind {
    /// The cards played last, newest first.
    RecentlyPlayed,
    /// The cards played most of late.
    HeavyRotation,
    /// Podcasts played or followed.
    YourShows,
    /// Cards of the page that are close to a card played lately.
    BecauseYouPlayed,
}

impl LocalKind {
    /// All kinds, by bit.
    pub const ALL: [Self; 4] = [Self::RecentlyPlayed, Self::HeavyRotation, Self::YourShows, Self::BecauseYouPlayed];

    /// The name used as shelf kind.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RecentlyPlayed => "recently_played",
            Self::HeavyRotation => "heavy_rotation",
            Self::YourShows => "your_shows",
            Self::BecauseYouPlayed => "because_you_played",
        }
    }

    /// Its bit number.
    #[must_use]
    pub fn bit(self) -> u32 {
        self as u32
    }
}

/// A shelf built here.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalShelf {
    /// Which kind.
    pub kind: LocalKind,
    /// For "because you played": the card played.
    pub because: Option<CardHandle>,
    /// Its cards; best first.
    pub cards: Vec<CardHandle>,
}

/// The local shelves that `wanted` asks for and the history can fill, in the order of their bits.
#[must_use]
pub fn build(wanted: LocalShelves, history: &History, catalogue: &Catalogue, page: &Page, now: Timestamp) -> Vec<LocalShelf> {
    LocalKind::ALL
        .into_iter()
        .filter(|kind| wanted.0 & (1 << kind.bit()) != 0)
        .filter_map(|kind| {
            let (because, cards) = match kind {
                LocalKind::RecentlyPlayed => (None, recently_played(history, catalogue)),
                LocalKind::HeavyRotation => (None, heavy_rotation(history, catalogue, now)),
                LocalKind::YourShows => (None, your_shows(history, catalogue, now)),
                LocalKind::BecauseYouPlayed => because_you_played(history, catalogue, page)?,
            };
            (cards.len() >= MIN_LOCAL_CARDS).then_some(LocalShelf { kind, because, cards })
        })
        .collect()
}

/// The first cards by falling `rank`; ties by card id, which no order of registration changes. A rank of 0 or less leaves a card out.
fn best(catalogue: &Catalogue, candidates: impl Iterator<Item = (CardHandle, f64)>) -> Vec<CardHandle> {
    let id = |card: CardHandle| catalogue.card(card).id.as_str();
    let mut best: Vec<(CardHandle, f64)> = Vec::new();
    for (card, rank) in candidates.filter(|(_, rank)| *rank > 0.0) {
        let place = best.partition_point(|&(other, higher)| higher > rank || (higher == rank && id(other) < id(card)));
        if place < MAX_LOCAL_CARDS {
            best.truncate(MAX_LOCAL_CARDS - 1);
            best.insert(place, (card, rank));
        }
    }
    best.into_iter().map(|(card, _)| card).collect()
}

fn played(history: &History) -> impl Iterator<Item = (CardHandle, &crate::history::CardStats)> {
    history.cards.iter().map(|(card, stats)| (CardHandle(card), stats)).filter(|(_, stats)| !stats.hidden)
}

fn recently_played(history: &History, catalogue: &Catalogue) -> Vec<CardHandle> {
    best(catalogue, played(history).map(|(card, stats)| (card, stats.last_played as f64)))
}

fn heavy_rotation(history: &History, catalogue: &Catalogue, now: Timestamp) -> Vec<CardHandle> {
    best(catalogue, played(history).map(|(card, _)| (card, history.card_plays(card, now) - 1.0)))
}

fn your_shows(history: &History, catalogue: &Catalogue, now: Timestamp) -> Vec<CardHandle> {
    best(
        catalogue,
        played(history).filter(|(card, _)| catalogue.card(*card).kind.is_show()).map(|(card, stats)| {
            let liked = if stats.liked { 1.0 } else { 0.0 };
            (card, liked + history.card_plays(card, now))
        }),
    )
}

/// Cards of the page near the card listened to last, by embedding where both have one, else by artist and family.
fn because_you_played(history: &History, catalogue: &Catalogue, page: &Page) -> Option<(Option<CardHandle>, Vec<CardHandle>)> {
    let source = history.last_listen?.card;
    if history.is_hidden(source) {
        return None;
    }
    let of = catalogue.registered(source);
    let largest = page.cards().iter().map(|place| place.card.0).max()?;
    let mut on_page = vec![false; largest as usize + 1];
    for place in page.cards() {
        on_page[place.card.0 as usize] = true;
    }
    let candidates = (0..=largest).filter(|card| on_page[*card as usize]).map(CardHandle);
    let near = best(
        catalogue,
        candidates.filter(|&card| card != source && !history.is_hidden(card)).map(|card| {
            let other = catalogue.registered(card);
            let same = |a: u32, b: u32| if a != 0 && a == b { 1.0 } else { 0.0 };
            let cosine = f64::from(dot(catalogue.unit(source), catalogue.unit(card)));
            // Half a cosine on its own is no reason to say "because".
            let close = if cosine > 0.5 { cosine } else { 0.0 };
            (card, close + same(of.family, other.family) + 0.5 * same(of.artist, other.artist))
        }),
    );
    Some((Some(source), near))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY_MS;
    use crate::history::{LISTEN_MS, Listen};
    use crate::page::{Card, CardKind, Visible};

    fn setting() -> (Catalogue, Page) {
        let mut catalogue = Catalogue::default();
        let shelf = catalogue.register_shelf("s", "popular", "Popular").unwrap();
        let mut builder = Page::builder(Visible::default());
        builder.shelf(shelf, false);
        for i in 0..12 {
            let card = catalogue
                .register(Card {
                    id: format!("c{i}"),
                    artist: format!("artist {}", i % 6),
                    family: if i % 2 == 0 { "jazz".into() } else { "metal".into() },
                    kind: if i >= 9 { CardKind::Podcast } else { CardKind::Album },
                    ..Card::default()
                })
                .unwrap();
            builder.card(card, false);
        }
        (catalogue, builder.build().unwrap())
    }

    fn play(history: &mut History, catalogue: &Catalogue, card: u32, day: i64) {
        let at = Timestamp::clamped(day * DAY_MS);
        history.listen(Listen { card: CardHandle(card), ms: LISTEN_MS, at }, false, 0, catalogue);
    }

    #[test]
    fn nothing_without_history() {
        let (catalogue, page) = setting();
        assert!(build(LocalShelves(15), &History::default(), &catalogue, &page, Timestamp::clamped(0)).is_empty());
    }

    #[test]
    fn shelves_follow_the_history() {
        let (catalogue, page) = setting();
        let mut history = History::default();
        for (day, card) in [(1, 0), (2, 2), (3, 4), (4, 0), (5, 2), (6, 4), (6, 9), (6, 10), (6, 11), (7, 0), (8, 0)] {
            play(&mut history, &catalogue, card, day);
        }
        let now = Timestamp::clamped(9 * DAY_MS);
        let shelves = build(LocalShelves(15), &history, &catalogue, &page, now);
        let by_kind = |kind| shelves.iter().find(|s: &&LocalShelf| s.kind == kind).unwrap();
        assert_eq!(by_kind(LocalKind::RecentlyPlayed).cards[0], CardHandle(0));
        assert_eq!(by_kind(LocalKind::HeavyRotation).cards[0], CardHandle(0));
        assert_eq!(by_kind(LocalKind::HeavyRotation).cards.len(), 3);
        assert_eq!(by_kind(LocalKind::YourShows).cards.len(), 3);
        let because = by_kind(LocalKind::BecauseYouPlayed);
        assert_eq!(because.because, Some(CardHandle(0)));
        assert_eq!(because.cards[0], CardHandle(6), "same artist and family first");
        assert!(because.cards.iter().all(|card| catalogue.card(*card).family == "jazz"));
        history.hide(CardHandle(0));
        let shelves = build(LocalShelves(15), &history, &catalogue, &page, now);
        assert!(shelves.iter().all(|s| !s.cards.contains(&CardHandle(0))), "hidden cards appear nowhere");
        assert!(build(LocalShelves(0), &history, &catalogue, &page, now).is_empty());
    }

    #[test]
    fn equal_cards_stand_in_the_order_of_their_ids_however_they_were_registered() {
        let order = |ids: &[&str]| {
            let mut catalogue = Catalogue::default();
            let mut history = History::default();
            for id in ids {
                let card = catalogue.register(Card { id: (*id).into(), ..Card::default() }).unwrap();
                history.listen(Listen { card, ms: LISTEN_MS, at: Timestamp::clamped(DAY_MS) }, false, 0, &catalogue);
            }
            recently_played(&history, &catalogue).iter().map(|card| catalogue.card(*card).id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(&["b", "d", "a", "c"]), ["a", "b", "c", "d"]);
        assert_eq!(order(&["c", "a", "b", "d"]), ["a", "b", "c", "d"]);
    }
}
