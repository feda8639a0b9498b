//! One shipped ranker for each listener: the same calls, in the same order, as a page in a browser makes.

use ears_only::clock::Timestamp;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::log::DecisionId;
use ears_only::page::{CardHandle, Page, ShelfHandle, Visible};
use ears_only::random::Seed;
use ears_only::ranker::{RankedPage, Ranker, ShelfSource};
use ears_world::candidates::CandidateShelf;
use ears_world::constants::{VISIBLE_CARDS, VISIBLE_SHELVES};
use ears_world::listener::{Listener, Look, VISITS};

use super::Stage;
use crate::error::LabError;
use crate::propensities::subjects::Told;

/// Streams of all listeners of the run; `told` of every page, false stops.
pub(super) fn run(stage: &Stage<'_>, told: Told<'_>) -> Result<u64, LabError> {
    let mut streams = 0;
    for number in 0..stage.settings.listeners {
        let mut listener = Listener::new(stage.world, stage.seed, number);
        let mut device = Device::new(stage, number)?;
        device.import(&listener)?;
        for day in 0..stage.settings.days {
            listener.begin_day(day);
            let page = stage.candidates.page(stage.seed, number, day);
            for visit in 0..VISITS {
                let visit = listener.visit(day, visit);
                let (shown, ranked) = device.rank(&page, visit.at)?;
                if !told(&device.ranker, &ranked) {
                    return Ok(streams);
                }
                let looks = listener.browse(visit, &shown.items);
                streams += looks.iter().filter(|look| look.is_stream()).count() as u64;
                device.observe(&shown, &looks, |_, _| ())?;
            }
        }
    }
    Ok(streams)
}

pub(crate) struct Device {
    pub(crate) ranker: Ranker,
    pub(crate) cards: Vec<CardHandle>,
}

/// A ranked page and what its places hold.
pub(crate) struct Shown {
    pub(crate) id: DecisionId,
    pub(crate) shelves: Vec<ShelfHandle>,
    pub(crate) items: Vec<Vec<u32>>,
}

impl Device {
    pub(crate) fn new(stage: &Stage<'_>, number: u32) -> Result<Self, LabError> {
        let mut ranker = Ranker::seeded(stage.settings.bundle.clone(), Seed::from_number(stage.seed << 32 | u64::from(number)))?;
        let items = stage.world.catalogue().items();
        let cards = items.iter().map(|item| ranker.catalogue_mut().register(item.card.clone())).collect::<Result<_, _>>()?;
        Ok(Self { ranker, cards })
    }

    pub(crate) fn import(&mut self, listener: &Listener<'_>) -> Result<(), LabError> {
        let now = listener.visit(0, 0).at;
        for play in listener.history() {
            let card = self.cards[play.item as usize];
            self.tell(None, card, EventKind::Play, Some(play.ms), play.at, now)?;
        }
        Ok(())
    }

    pub(crate) fn rank(&mut self, page: &[CandidateShelf], now: Timestamp) -> Result<(Shown, RankedPage), LabError> {
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
    pub(crate) fn observe(
        &mut self,
        shown: &Shown,
        looks: &[Look],
        mut seen: impl FnMut(&Ranker, &Look),
    ) -> Result<(), LabError> {
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
    ) -> Result<(), LabError> {
        let (decision, shelf) = place.unzip();
        self.ranker.observe(&ListeningEvent { kind, decision, shelf, card, ms_played, at }, now)?;
        Ok(())
    }
}
