//! A run: listeners of one seed, each day by day, under the shipped core or under a policy to compare it with.
//!
//! | policy | ranks by |
//! |---|---|
//! | [`Life`] | the shipped core, one ranker for each listener, learning from what that listener does |
//! | [`Run::random`] | nothing: the shipped policy with floors of 1 |
//! | [`Run::server`] | the true mean chance over this run's listeners, before the first day: the best fixed order |
//! | [`crate::baseline::Popularity`] | streams among showings over all listeners so far, updated every night; one page in twenty at random |
//! | [`Run::oracle`] | the true chance of this listener now |
//!
//! All meet the same listeners, pages and luck (see [`crate::chance`]). Counted are streams: plays of at least 30 seconds.

use ears_only::bundle::Bundle;
use ears_only::error::Error;
use ears_only::ranker::{RankedPage, Ranker};

use crate::World;
use crate::candidates::{CandidateShelf, Candidates};
use crate::device::{Device, Shown};
use crate::listener::{Listener, Look, VISITS, Visit};

/// Streams of each day.
pub type ByDay = Vec<u64>;

/// Is told of every page of the core: the device after it ranked, the page, and where it was drawn.
pub type Watcher<'a> = &'a mut dyn FnMut(&Ranker, &RankedPage) -> bool;

/// Listeners of one seed.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The world they live in.
    pub world: &'a World,
    /// What the server sends.
    pub candidates: &'a Candidates<'a>,
    /// Seed of the run; each has listeners of its own.
    pub seed: u64,
    /// How many.
    pub listeners: u32,
    /// For how long.
    pub days: u32,
}

impl Run<'_> {
    /// Streams of one listener by day when the shipped core ranks. `told` hears of every page before it is looked at; false ends the
    /// run there.
    ///
    /// # Errors
    /// When the core refuses a page or an event.
    pub fn ears(&self, bundle: &Bundle, number: u32, told: Watcher<'_>) -> Result<ByDay, Error> {
        let mut life = Life::new(*self, bundle, number)?;
        let mut streams = Vec::with_capacity(self.days as usize);
        let mut more = true;
        while more && life.day() < self.days {
            streams.push(life.live(&mut |moment| {
                if let Moment::Ranked { device, ranked, .. } = moment {
                    more = told(&device.ranker, ranked);
                }
                more
            })?);
        }
        Ok(streams)
    }

    /// Streams of one listener by day when `order` puts every page in order.
    pub(crate) fn ordered(
        &self,
        number: u32,
        order: impl Fn(&Listener<'_>, Visit, &[CandidateShelf]) -> Result<Vec<Vec<u32>>, Error>,
    ) -> Result<ByDay, Error> {
        let mut listener = Listener::new(self.world, self.seed, number);
        (0..self.days)
            .map(|day| {
                listener.begin_day(day);
                let page = self.candidates.page(self.seed, number, day);
                let mut streams = 0;
                for visit in 0..VISITS {
                    let visit = listener.visit(day, visit);
                    let shown = order(&listener, visit, &page)?;
                    streams += streamed(&listener.browse(visit, &shown));
                }
                Ok(streams)
            })
            .collect()
    }
}

/// Plays of at least 30 seconds.
fn streamed(looks: &[Look]) -> u64 {
    looks.iter().filter(|look| look.is_stream()).count() as u64
}

/// What happens to a listener with the shipped core.
pub enum Moment<'m> {
    /// A page was ranked and not looked at yet.
    Ranked {
        /// The device.
        device: &'m Device,
        /// The listener before this visit; the truth is theirs.
        listener: &'m Listener<'m>,
        /// When.
        visit: Visit,
        /// What the server sent.
        page: &'m [CandidateShelf],
        /// The page as ranked.
        ranked: &'m RankedPage,
        /// What its places hold.
        shown: &'m Shown,
    },
    /// It was looked at, and the device knows.
    Looked {
        /// What the listener saw and played.
        looks: &'m [Look],
    },
}

/// A listener whose pages the shipped core ranks, day after day.
pub struct Life<'a> {
    run: Run<'a>,
    listener: Listener<'a>,
    device: Device,
    day: u32,
}

impl<'a> Life<'a> {
    /// Listener `number` of a run, before the first day and with their history imported.
    ///
    /// # Errors
    /// When the core refuses a card or an event.
    pub fn new(run: Run<'a>, bundle: &Bundle, number: u32) -> Result<Self, Error> {
        let listener = Listener::new(run.world, run.seed, number);
        let mut device = Device::new(run.world, bundle, run.seed, number)?;
        device.import(&listener)?;
        Ok(Self { run, listener, device, day: 0 })
    }

    /// The day that comes next, from 0.
    #[must_use]
    pub fn day(&self) -> u32 {
        self.day
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The listener.
    #[must_use]
    pub fn listener(&self) -> &Listener<'a> {
        &self.listener
    }

    /// Lives one day and returns its streams. `told` hears of every moment; false after a page was ranked ends the day there.
    ///
    /// # Errors
    /// When the core refuses a page or an event.
    pub fn live(&mut self, told: &mut dyn FnMut(&Moment<'_>) -> bool) -> Result<u64, Error> {
        let Self { run, listener, device, day } = self;
        listener.begin_day(*day);
        let page = run.candidates.page(run.seed, listener.number(), *day);
        let mut streams = 0;
        for visit in 0..VISITS {
            let visit = listener.visit(*day, visit);
            let (shown, ranked) = device.rank(&page, visit.at)?;
            if !told(&Moment::Ranked { device, listener, visit, page: &page, ranked: &ranked, shown: &shown }) {
                break;
            }
            let looks = listener.browse(visit, &shown.items);
            streams += streamed(&looks);
            device.observe(&shown, &looks, |_, _| ())?;
            told(&Moment::Looked { looks: &looks });
        }
        *day += 1;
        Ok(streams)
    }
}
