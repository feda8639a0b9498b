//! The shipped core, one ranker for each listener: the same calls, in the same order, as a page in a browser makes.

use ears_only::bundle::{Bundle, BundleSettings};
use ears_only::clock::Timestamp;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::log::DecisionId;
use ears_only::page::{CardHandle, Page, ShelfHandle, Visible};
use ears_only::random::Seed;
use ears_only::ranker::{Ranker, ShelfSource};

use super::constants::{HISTORY_PLAY_MS, SHELF_LOGIT, VISIBLE_CARDS, VISIBLE_SHELVES};
use super::home::{CandidateShelf, Home};
use super::listener::{Look, PlacedShelf, Visit};
use super::opponents::{Moment, Policy};
use super::pilot;
use crate::error::LabError;

/// The core on the device of one listener.
pub struct Device<'a> {
    home: &'a Home,
    ranker: Ranker,
    handles: Vec<Option<CardHandle>>,
    /// The page shown last.
    shown: Option<(DecisionId, Vec<ShelfHandle>)>,
}

impl<'a> Device<'a> {
    /// A device that starts with `model` and has imported the listener's known history.
    ///
    /// # Errors
    /// When the core refuses the model or the history.
    pub fn new(home: &'a Home, model: BundleSettings, seed: u64, listener: u32, now: Timestamp) -> Result<Self, LabError> {
        let ranker = Ranker::seeded(Bundle::new(model)?, Seed::from_number(seed << 32 | u64::from(listener)))?;
        let mut device = Self { home, ranker, handles: vec![None; home.cards()], shown: None };
        for play in home.history(listener) {
            let card = device.handle(play.card)?;
            device.tell(None, card, EventKind::Play, Some(HISTORY_PLAY_MS), play.at, now)?;
        }
        Ok(device)
    }

    /// The handle of a card, registered when met first.
    fn handle(&mut self, card: u32) -> Result<CardHandle, LabError> {
        if let Some(handle) = self.handles[card as usize] {
            return Ok(handle);
        }
        let handle = self.ranker.catalogue_mut().register(self.home.card(card))?;
        self.handles[card as usize] = Some(handle);
        Ok(handle)
    }

    /// Ranks a page.
    ///
    /// # Errors
    /// When the core refuses it.
    pub fn rank(&mut self, page: &[CandidateShelf], now: Timestamp) -> Result<Vec<PlacedShelf>, LabError> {
        let mut builder = Page::builder(Visible { shelves: VISIBLE_SHELVES, cards: VISIBLE_CARDS });
        let mut shelves = Vec::with_capacity(page.len());
        for shelf in page {
            let kind = SHELF_LOGIT[shelf.kind].0;
            let handle = self.ranker.catalogue_mut().register_shelf(&shelf.id, kind, &shelf.id)?;
            builder.shelf(handle, false);
            shelves.push(handle);
            for &card in &shelf.cards {
                builder.card(self.handle(card)?, false);
            }
        }
        let flat: Vec<u32> = page.iter().flat_map(|shelf| shelf.cards.iter().copied()).collect();
        if self.ranker.bundle().schema().given().next().is_some() {
            let (columns, values) = pilot::given(self.home, page);
            builder = builder.features(columns, values);
        }
        let ranked = self.ranker.rank(&builder.build()?, now)?;
        self.shown = Some((ranked.id, shelves));
        let mut placed = Vec::with_capacity(page.len());
        for shelf in &ranked.shelves {
            // No local shelves were asked for.
            let ShelfSource::Page(index) = shelf.source else { continue };
            let cards = &ranked.cards[shelf.cards.clone()];
            placed
                .push(PlacedShelf { shelf: index, cards: cards.iter().filter_map(|card| card.index.map(|i| flat[i])).collect() });
        }
        Ok(placed)
    }

    /// Tells the ranker what was seen and played, as it happened.
    ///
    /// # Errors
    /// When the core refuses an event.
    pub fn observe(&mut self, looks: &[Look]) -> Result<(), LabError> {
        let Some((decision, shelves)) = self.shown.clone() else { return Ok(()) };
        for look in looks {
            let card = self.handle(look.card)?;
            let place = Some((decision, shelves[look.shelf]));
            self.tell(place, card, EventKind::Impression, None, look.at, look.at)?;
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

/// The shipped core as a policy of the world.
pub struct Core<'a> {
    home: &'a Home,
    model: BundleSettings,
    seed: u64,
    devices: Vec<Option<Device<'a>>>,
}

impl<'a> Core<'a> {
    /// One device for each listener, made at the first visit.
    #[must_use]
    pub fn new(home: &'a Home, model: BundleSettings, seed: u64, listeners: usize) -> Self {
        Self { home, model, seed, devices: (0..listeners).map(|_| None).collect() }
    }

    /// What each device has learned from: feature row and reward of every outcome kept.
    #[must_use]
    pub fn lessons(&self) -> Vec<Vec<(Vec<f32>, f32)>> {
        let of = |device: &Device<'_>| device.ranker.lessons().map(|(row, reward)| (row.to_vec(), reward)).collect();
        self.devices.iter().flatten().map(of).collect()
    }
}

impl Policy for Core<'_> {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        let number = moment.listener.number();
        let device = match &mut self.devices[number as usize] {
            Some(device) => device,
            empty => {
                let device = Device::new(self.home, self.model.clone(), self.seed, number, moment.visit.at)?;
                empty.insert(device)
            }
        };
        device.rank(moment.page, moment.visit.at)
    }

    fn observe(&mut self, listener: u32, _: Visit, _: &[CandidateShelf], looks: &[Look]) -> Result<(), LabError> {
        self.devices[listener as usize].as_mut().map_or(Ok(()), |device| device.observe(looks))
    }
}
