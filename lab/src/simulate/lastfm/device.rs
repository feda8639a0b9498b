//! The shipped core, one ranker for each listener: the same calls, in the same order, as a page in a browser makes.

use ears_only::bundle::{Bundle, BundleSettings};
use ears_only::clock::Timestamp;
use ears_only::context::Context;
use ears_only::features::FeatureMaker;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::log::DecisionId;
use ears_only::page::{CardHandle, Page, ShelfHandle, Visible};
use ears_only::random::Seed;
use ears_only::ranker::{RankedPage, Ranker, ShelfSource};

use super::constants::{HISTORY_PLAY_MS, SHELF_LOGIT, VISIBLE_CARDS, VISIBLE_SHELVES};
use super::home::{CandidateShelf, Home};
use super::listener::{Listener, Look, PlacedShelf, VISITS, Visit, base_logit};
use super::opponents::{self, Moment, Policy};
use super::pilot;
use super::truth::Truth;
use super::{Data, World, middle};
use crate::error::LabError;
use crate::propensities::subjects::Told;

/// The core on the device of one listener.
pub struct Device<'a> {
    home: &'a Home,
    ranker: Ranker,
    handles: Vec<Option<CardHandle>>,
    /// The page shown last.
    shown: Option<(DecisionId, Vec<ShelfHandle>)>,
    /// Weights of the targets uniform and server on the first card of each page shown since they were last taken.
    weights: Vec<(f64, f64)>,
}

impl<'a> Device<'a> {
    /// A device that starts with `model` and has imported the listener's known history.
    ///
    /// # Errors
    /// When the core refuses the model or the history.
    pub fn new(home: &'a Home, model: BundleSettings, seed: u64, listener: u32, now: Timestamp) -> Result<Self, LabError> {
        let ranker = Ranker::seeded(Bundle::new(model)?, Seed::from_number(seed << 32 | u64::from(listener)))?;
        let mut device = Self { home, ranker, handles: vec![None; home.cards()], shown: None, weights: Vec::new() };
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
        let flat: Vec<u32> = page.iter().flat_map(|shelf| shelf.cards.iter().copied()).collect();
        let ranked = self.rank_whole(page, now)?;
        self.weigh(page, &flat, &ranked);
        Ok(Self::placed(&flat, &ranked))
    }

    /// What stands where on a ranked page; `flat` are the page's cards, shelf after shelf.
    pub(super) fn placed(flat: &[u32], ranked: &RankedPage) -> Vec<PlacedShelf> {
        let mut placed = Vec::with_capacity(ranked.shelves.len());
        for shelf in &ranked.shelves {
            // No local shelves were asked for.
            let ShelfSource::Page(index) = shelf.source else { continue };
            let cards = &ranked.cards[shelf.cards.clone()];
            placed
                .push(PlacedShelf { shelf: index, cards: cards.iter().filter_map(|card| card.index.map(|i| flat[i])).collect() });
        }
        placed
    }

    /// Ranks a page and hands over all that the core says of it.
    ///
    /// # Errors
    /// When the core refuses it.
    pub fn rank_whole(&mut self, page: &[CandidateShelf], now: Timestamp) -> Result<RankedPage, LabError> {
        let (built, shelves) = self.page(page)?;
        let ranked = self.ranker.rank(&built, now)?;
        self.shown = Some((ranked.id, shelves));
        Ok(ranked)
    }

    /// The page as the app hands it over, and its shelves.
    fn page(&mut self, page: &[CandidateShelf]) -> Result<(Page, Vec<ShelfHandle>), LabError> {
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
        if self.ranker.bundle().schema().given().next().is_some() {
            let (columns, values) = pilot::given(self.home, page);
            builder = builder.features(columns, values);
        }
        Ok((builder.build()?, shelves))
    }

    /// Notes how much likelier the first card of the first shelf is under the two targets than under the policy that placed it.
    fn weigh(&mut self, page: &[CandidateShelf], flat: &[u32], ranked: &RankedPage) {
        let (Some(shelf), Some(card)) = (ranked.shelves.first(), ranked.cards.first()) else { return };
        let (ShelfSource::Page(index), Some(at)) = (shelf.source, card.index) else { return };
        let propensity = shelf.propensity * card.propensity;
        let uniform = 1.0 / (page.len() * page[index].cards.len()) as f64;
        // The server puts the shelf of the best-known cards first; within a shelf cards come by falling popularity already.
        let wanted = opponents::best_shelf(page, |_, card| self.home.card_popularity(card));
        let server = if wanted == Some(index) && page[index].cards.first() == Some(&flat[at]) { 1.0 } else { 0.0 };
        self.weights.push((uniform / propensity, server / propensity));
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

    /// A device that has taken back what this one saves, under another model.
    fn restored(&self, model: BundleSettings, seed: u64) -> Result<Device<'a>, LabError> {
        let mut ranker = Ranker::seeded(Bundle::new(model)?, Seed::from_number(seed))?;
        let mut handles = vec![None; self.home.cards()];
        for (card, _) in (0u32..).zip(&self.handles).filter(|(_, handle)| handle.is_some()) {
            handles[card as usize] = Some(ranker.catalogue_mut().register(self.home.card(card))?);
        }
        ranker.restore(&self.ranker.snapshot())?;
        Ok(Device { home: self.home, ranker, handles, shown: None, weights: Vec::new() })
    }

    /// The feature rows of the page's cards in the page's order, without the constant, as the model would see them now.
    ///
    /// # Errors
    /// When the core refuses the page.
    pub fn rows(&mut self, page: &[CandidateShelf], now: Timestamp) -> Result<Vec<Vec<f32>>, LabError> {
        let (_, shelves) = self.page(page)?;
        let mut cards = Vec::new();
        for (shelf, handle) in page.iter().zip(shelves) {
            for &card in &shelf.cards {
                cards.push((self.handle(card)?, handle));
            }
        }
        let (columns, given) = pilot::given(self.home, page);
        let schema = self.ranker.bundle().schema();
        let context = Context::new(now, 0, Vec::new());
        let maker = FeatureMaker::new(schema, self.ranker.history(), self.ranker.catalogue(), &context);
        let mut row = vec![0.0; schema.stride()];
        let made = cards.into_iter().zip(given.chunks_exact(columns)).map(|((card, shelf), given)| {
            maker.write(card, self.ranker.catalogue().kind_of(shelf), given, &mut row);
            row[1..schema.width()].to_vec()
        });
        Ok(made.collect())
    }

    /// The scores of the page's cards in the page's order.
    fn scores(&mut self, page: &[CandidateShelf], now: Timestamp) -> Result<Vec<f64>, LabError> {
        let (built, _) = self.page(page)?;
        let ranked = self.ranker.rank(&built, now)?;
        let mut scores = vec![0.0; ranked.cards.len()];
        for card in &ranked.cards {
            if let Some(at) = card.index {
                scores[at] = card.score;
            }
        }
        Ok(scores)
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

/// Ranks pages of the first run's listeners, one after the other, until `told` has seen enough; then those of the next run.
///
/// # Errors
/// When the core refuses a page or an event.
pub fn watched(data: &Data, truth: &Truth, model: &BundleSettings, told: Told<'_>) -> Result<(), LabError> {
    for seed in 1.. {
        let world = World::new(data, truth, WATCHED.min(data.counts.listeners.len() as u32), seed);
        let base = base_logit(&world, middle());
        for number in 0..world.halves.run.len() as u32 {
            let mut listener = Listener::new(&world, middle(), base, number);
            let mut device = Device::new(&world.home, model.clone(), seed, number, listener.visit(0, 0).at)?;
            for day in 0..WATCHED_DAYS {
                listener.begin_day(day);
                let page = world.home.page(number, day);
                let flat: Vec<u32> = page.iter().flat_map(|shelf| shelf.cards.iter().copied()).collect();
                for visit in 0..VISITS {
                    let visit = listener.visit(day, visit);
                    let ranked = device.rank_whole(&page, visit.at)?;
                    if !told(&device.ranker, &ranked) {
                        return Ok(());
                    }
                    let looks = listener.browse(visit, &page, &Device::placed(&flat, &ranked));
                    device.observe(&looks)?;
                }
            }
        }
    }
    Ok(())
}

/// Listeners of each run that is watched, and their days.
const WATCHED: u32 = 50;
const WATCHED_DAYS: u32 = 30;

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

impl<'a> Core<'a> {
    /// The same devices after a restart with another model: what they have learned is saved and taken back.
    ///
    /// # Errors
    /// When the core refuses the model or the snapshot.
    pub fn restored(&self, model: BundleSettings) -> Result<Core<'a>, LabError> {
        let mut devices = Vec::with_capacity(self.devices.len());
        for (number, device) in (0u64..).zip(&self.devices) {
            devices.push(match device {
                None => None,
                Some(device) => Some(device.restored(model.clone(), self.seed << 32 | number)?),
            });
        }
        Ok(Core { home: self.home, model, seed: self.seed, devices })
    }

    /// Chance that of two candidates of the listener's page of `day` the truly better one has the larger score; nothing for one who
    /// has not come yet.
    ///
    /// # Errors
    /// When the core refuses the page.
    pub fn concordance(&self, world: &World<'_>, listener: &Listener<'_>, day: u32) -> Result<Option<f64>, LabError> {
        let number = listener.number();
        let Some(device) = &self.devices[number as usize] else { return Ok(None) };
        // A copy: being asked must not change what the device does next.
        let mut device = device.restored(self.model.clone(), self.seed << 32 | u64::from(number))?;
        let page = world.home.page(number, day);
        let at = listener.visit(day, 0).at;
        let scores = device.scores(&page, at)?;
        let truth: Vec<f64> =
            page.iter().flat_map(|shelf| shelf.cards.iter().map(|card| listener.true_chance(shelf.kind, *card, at))).collect();
        let (mut right, mut pairs) = (0.0, 0.0);
        for i in 0..truth.len() {
            for j in 0..i {
                pairs += 1.0;
                let same = (truth[i] - truth[j]) * (scores[i] - scores[j]);
                right += if same > 0.0 {
                    1.0
                } else if same == 0.0 {
                    0.5
                } else {
                    0.0
                };
            }
        }
        Ok(Some(right / f64::max(pairs, 1.0)))
    }

    /// Hands over the weights of the targets uniform and server on the pages shown since the last call.
    pub fn first_card_weights(&mut self, mut take: impl FnMut(f64, f64)) {
        for device in self.devices.iter_mut().flatten() {
            device.weights.drain(..).for_each(|(uniform, server)| take(uniform, server));
        }
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
