//! One shipped ranker for each listener: the same calls, in the same order, as a page in a browser makes.

use ears_only::bundle::Bundle;
use ears_only::clock::Timestamp;
use ears_only::error::Error;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::log::DecisionId;
use ears_only::page::{CardHandle, Page, ShelfHandle, Visible};
use ears_only::random::Seed;
use ears_only::ranker::{RankedPage, Ranker, ShelfSource};

use crate::World;
use crate::candidates::CandidateShelf;
use crate::constants::{VISIBLE_CARDS, VISIBLE_SHELVES};
use crate::listener::{Listener, Look};

/// A listener's device: the shipped ranker, with the cards of the catalogue registered.
pub struct Device {
    /// The shipped core.
    pub ranker: Ranker,
    /// For each item of the catalogue, its handle.
    pub cards: Vec<CardHandle>,
}

/// A ranked page and what its places hold.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The decision.
    pub id: DecisionId,
    /// The shelves, top down.
    pub shelves: Vec<ShelfHandle>,
    /// For each of them, the items on it.
    pub items: Vec<Vec<u32>>,
}

impl Device {
    /// The device of listener `number` of the run `seed`, which knows nothing yet. Its draws are those of the seed `seed * 2^32 + number`.
    ///
    /// # Errors
    /// When the core refuses a card.
    pub fn new(world: &World, bundle: &Bundle, seed: u64, number: u32) -> Result<Self, Error> {
        let mut ranker = Ranker::seeded(bundle.clone(), Seed::from_number(seed << 32 | u64::from(number)))?;
        let items = world.catalogue().items();
        let cards = items.iter().map(|item| ranker.catalogue_mut().register(item.card.clone())).collect::<Result<_, _>>()?;
        Ok(Self { ranker, cards })
    }

    /// Imports what the listener played before the first visit.
    ///
    /// # Errors
    /// When the core refuses a play.
    pub fn import(&mut self, listener: &Listener<'_>) -> Result<(), Error> {
        let now = listener.visit(0, 0).at;
        for play in listener.history() {
            let card = self.cards[play.item as usize];
            self.tell(None, card, EventKind::Play, Some(play.ms), play.at, now)?;
        }
        Ok(())
    }

    /// Ranks the page of a visit.
    ///
    /// # Errors
    /// When the core refuses the page.
    pub fn rank(&mut self, page: &[CandidateShelf], now: Timestamp) -> Result<(Shown, RankedPage), Error> {
        self.rank_given(page, Vec::new(), now)
    }

    /// Ranks a page of whose cards the app says one more number each, in the page's order; nothing when `given` is empty.
    ///
    /// # Errors
    /// When the core refuses the page.
    pub fn rank_given(&mut self, page: &[CandidateShelf], given: Vec<f32>, now: Timestamp) -> Result<(Shown, RankedPage), Error> {
        let mut builder = Page::builder(Visible { shelves: VISIBLE_SHELVES, cards: VISIBLE_CARDS });
        let mut handles = Vec::with_capacity(page.len());
        for shelf in page {
            let handle = self.ranker.catalogue_mut().register_shelf(&shelf.id, shelf.kind, &shelf.title)?;
            builder.shelf(handle, false);
            handles.push(handle);
            for &item in &shelf.cards {
                builder.card(self.cards[item as usize], false);
            }
        }
        if !given.is_empty() {
            builder = builder.features(1, given);
        }
        let flat: Vec<u32> = page.iter().flat_map(|shelf| shelf.cards.iter().copied()).collect();
        let ranked: RankedPage = self.ranker.rank(&builder.build()?, now)?;
        let mut shown = Shown { id: ranked.id, shelves: Vec::new(), items: Vec::new() };
        for shelf in &ranked.shelves {
            // No local shelves were asked for.
            let ShelfSource::Page(index) = shelf.source else { continue };
            shown.shelves.push(handles[index]);
            let cards = &ranked.cards[shelf.cards.clone()];
            shown.items.push(cards.iter().filter_map(|card| card.index.map(|index| flat[index])).collect());
        }
        Ok((shown, ranked))
    }

    /// Tells the ranker what was seen and played, as it happened. `seen` hears of each look when the ranker knows that it was seen and
    /// not yet what came of it.
    ///
    /// # Errors
    /// When the core refuses an event.
    pub fn observe(&mut self, shown: &Shown, looks: &[Look], mut seen: impl FnMut(&Ranker, &Look)) -> Result<(), Error> {
        for look in looks {
            let card = self.cards[look.item as usize];
            let place = Some((shown.id, shown.shelves[look.shelf]));
            self.tell(place, card, EventKind::Impression, None, look.at, look.at)?;
            seen(&self.ranker, look);
            if let Some(ms) = look.played_ms {
                self.tell(place, card, EventKind::Play, None, look.at, look.at)?;
                let end = look.at.plus_ms(i64::from(ms));
                let kind = if look.is_stream() { EventKind::Finish } else { EventKind::Skip };
                self.tell(place, card, kind, Some(ms), end, end)?;
            }
        }
        if let Some(last) = looks.last() {
            self.ranker.end_session(last.at.plus_ms(i64::from(last.played_ms.unwrap_or(0))));
        }
        Ok(())
    }

    fn tell(
        &mut self,
        place: Option<(DecisionId, ShelfHandle)>,
        card: CardHandle,
        kind: EventKind,
        ms_played: Option<u32>,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (decision, shelf) = place.unzip();
        self.ranker.observe(&ListeningEvent { kind, decision, shelf, card, ms_played, at }, now)?;
        Ok(())
    }
}
