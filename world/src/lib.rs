//! Worlds with a known truth: simulated listeners of the demo catalogue.
//!
//! A policy sees what a real one would: cards with names, families, popularity and embeddings ([`catalogue`]), a page of
//! candidates ([`candidates`]), and afterwards what was looked at and played ([`listener`]). What listeners like ([`truth`]) is
//! drawn under other keys and stays out of its reach, except through what they do.
//!
//! A run: listeners come to Home twice a day for a month ([`constants`] has all numbers and their reasons). Half of them bring a
//! short history. They look down the page as in a cascade, play a card with a chance that the truth knows, give up a third of
//! the plays within half a minute, tire of cards shown again and again, and change a little every day.
//!
//! Every draw is a function of its name ([`chance`]), so that all policies meet the same luck. There is no clock, no thread and
//! no ambient randomness here; the crate builds for wasm32.

pub mod baseline;
pub mod candidates;
pub mod catalogue;
pub mod chance;
pub mod constants;
pub mod device;
mod embedding;
pub mod listener;
pub mod run;
pub mod truth;

use catalogue::DemoCatalogue;
use truth::Truth;

/// Seed of the truth about cards; of no public number.
const TRUTH_SEED: u64 = 2;

/// The demo world.
#[derive(Clone, Debug)]
pub struct World {
    catalogue: DemoCatalogue,
    truth: Truth,
}

impl Default for World {
    fn default() -> Self {
        Self::demo()
    }
}

impl World {
    /// The demo world.
    #[must_use]
    pub fn demo() -> Self {
        Self::with_truth(TRUTH_SEED)
    }

    /// The same catalogue with another truth.
    #[must_use]
    pub fn with_truth(seed: u64) -> Self {
        Self::over(DemoCatalogue::new(), seed)
    }

    /// The demo's truth over its catalogue, read from elsewhere: equal to [`World::demo`] where the tables are.
    #[must_use]
    pub fn of(catalogue: DemoCatalogue) -> Self {
        Self::over(catalogue, TRUTH_SEED)
    }

    fn over(catalogue: DemoCatalogue, seed: u64) -> Self {
        let truth = Truth::new(&catalogue, seed);
        Self { catalogue, truth }
    }

    /// What everybody sees.
    #[must_use]
    pub fn catalogue(&self) -> &DemoCatalogue {
        &self.catalogue
    }

    /// What no policy is told.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        &self.truth
    }
}
