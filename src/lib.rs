//! Ranks a streaming app's Home page on the listener's own device.
//!
//! A page from the server and a history on the device become features, a reward model scores them, a policy draws the page and
//! says with what probability, feedback teaches the model, and only an anonymized record leaves the device.
//!
//! The modules, in the order of that story: [`page`] and [`history`]; [`context`] and [`features`]; [`model`]; [`slate`] and
//! [`policy`]; [`shelves`] and [`reasons`]; [`ranker`], the loop; [`feedback`], [`seeing`], [`survival`] and [`log`]; [`privacy`];
//! [`bundle`], `settings` and `store`.
//!
//! # What stays true
//!
//! 1. **A page always comes back.** Whatever fails while ranking, the host shows the server's order with a reason: a Home page
//!    must not break because of us.
//! 2. **The code that samples also reports the propensity.** No second formula computes it, so the two cannot drift apart.
//! 3. **No ambient time, entropy, storage or network** outside the wasm boundary: they come in as arguments, so that every
//!    decision can be replayed.
//! 4. **History cannot reach an upload.** A record is made in [`privacy`] only, which knows neither history nor log.
//! 5. **Spend, save, then send.** The privacy budget is debited and saved before a record exists.
//! 6. **Same inputs, same seed, same bits,** on wasm32 and on x86-64.
//! 7. **One implementation.** Tools call these modules; nothing is written again for analysis.
//! 8. **A bundle is checked in full before it replaces the active one.**
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | page, shelf, card | what the server sends: a page of shelves of cards |
//! | decision | one call to [`ranker::Ranker::rank`] |
//! | slate, position | cards shown together; a 0-based place |
//! | impression | a card that was really visible |
//! | reward | number in [0, 1]: played for at least 30 seconds from this page |
//! | score | what the reward model predicts, in log-odds; never a probability |
//! | propensity | probability in (0, 1] with which the policy took the logged choice, given everything placed before |
//! | privacy budget | epsilon allowed, spent and left in a period |
//!
//! # Example
//!
//! ```
//! use ears_only::bundle::Bundle;
//! use ears_only::clock::Timestamp;
//! use ears_only::page::{Card, Page, Visible};
//! use ears_only::random::Seed;
//! use ears_only::ranker::Ranker;
//!
//! # fn main() -> Result<(), ears_only::error::Error> {
//! let mut ranker = Ranker::seeded(Bundle::built_in()?, Seed::from_number(7))?;
//! let shelf = ranker.catalogue_mut().register_shelf("commute", "editorial", "Morning commute")?;
//! let mut page = Page::builder(Visible { shelves: 1, cards: 2 });
//! page.shelf(shelf, false);
//! for id in ["kind-of-blue", "blue-train", "mingus-ah-um"] {
//!     let card = ranker.catalogue_mut().register(Card { id: id.into(), ..Card::default() })?;
//!     page.card(card, false);
//! }
//! let ranked = ranker.rank(&page.build()?, Timestamp::from_ms(1_800_000_000_000.0)?)?;
//! assert_eq!(ranked.cards.len(), 3);
//! assert!(ranked.cards[0].propensity > 0.0 && ranked.cards[0].propensity < 1.0);
//! # Ok(())
//! # }
//! ```

pub mod bundle;
pub mod clock;
pub mod context;
pub mod error;
pub mod features;
pub mod feedback;
pub mod history;
pub mod log;
pub mod math;
pub mod model;
pub mod page;
pub mod policy;
pub mod privacy;
pub mod random;
pub mod ranker;
pub mod reasons;
pub mod safety;
pub mod seeing;
pub mod settings;
pub mod shelves;
pub mod slate;
mod store;
pub mod survival;

pub use store::MAX_SNAPSHOT_BYTES;

#[cfg(target_arch = "wasm32")]
mod wasm;

/// Runs the examples of the page on bandits with those of the code.
#[cfg(doctest)]
#[doc = include_str!("../docs/bandits.md")]
mod bandits {}
