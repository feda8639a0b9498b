//! The only maker of what may leave the device.
//!
//! A record says: in this week, the public coin drew this arm of this probe with this published chance, and the answer to the
//! public question was, after a coin flip that lies with a known rate, this symbol. Everything but the symbol follows from the
//! manifest and the coin, which never read the history.
//!
//! This module knows neither the history nor the decision log: the one private value comes in wrapped as [`Private`], which
//! cannot be printed, copied, compared or serialised, and leaves through [`release`] only.
//!
//! # What compiles, and what does not
//!
//! An answer becomes a record in one way: through a debit and [`release`].
//!
//! ```
//! use ears_only::privacy::{Answer, BUDGET_PERIOD_MS, Coin, Ledger, Manifest, Private, ProbeRecord, epoch_of, epoch_start, release};
//! use ears_only::random::{Purpose, Seed, SeededEntropy};
//!
//! fn make(manifest: &Manifest) -> Result<ProbeRecord, ears_only::error::Error> {
//!     let now = epoch_start(50);
//!     let mut ledger = Ledger::start(now.plus_ms(-BUDGET_PERIOD_MS));
//!     let mut entropy = SeededEntropy::new(Seed::from_number(1), Purpose::Coin);
//!     let coin = Coin::toss(manifest, 50, &mut entropy)?;
//!     let permit = ledger.debit(manifest.epsilon(), 50, now, now)?;
//!     release(Private::new(Answer::Symbol(1)), permit, manifest, &coin, &mut entropy)
//! }
//! ```
//!
//! A permit is used up, and there is no second one:
//!
//! ```compile_fail,E0382
//! # use ears_only::privacy::{Answer, Coin, Manifest, Permit, Private, release};
//! # use ears_only::random::Entropy;
//! fn twice(permit: Permit, manifest: &Manifest, coin: &Coin, entropy: &mut dyn Entropy) {
//!     let _ = release(Private::new(Answer::Symbol(1)), permit, manifest, coin, entropy);
//!     let _ = release(Private::new(Answer::Symbol(1)), permit, manifest, coin, entropy);
//! }
//! ```
//! ```compile_fail,E0308
//! # use ears_only::privacy::Permit;
//! fn copied(permit: &Permit) -> Permit {
//!     permit.clone()
//! }
//! ```
//! ```compile_fail,E0451
//! # use ears_only::privacy::{Epsilon, Permit};
//! fn by_hand(epsilon: Epsilon) -> Permit {
//!     Permit { epsilon }
//! }
//! ```
//! ```compile_fail,E0061
//! # use ears_only::privacy::{Answer, Coin, Manifest, Private, release};
//! # use ears_only::random::Entropy;
//! fn without(manifest: &Manifest, coin: &Coin, entropy: &mut dyn Entropy) {
//!     let _ = release(Private::new(Answer::Symbol(1)), manifest, coin, entropy);
//! }
//! ```
//!
//! A record is made nowhere else, and not read back from what was stored or sent:
//!
//! ```compile_fail,E0423
//! let record = ears_only::privacy::ProbeRecord([0; 16]);
//! ```
//! ```compile_fail,E0624
//! # use ears_only::privacy::{Coin, Manifest, Permit, ProbeRecord};
//! fn by_hand(manifest: &Manifest, coin: &Coin, permit: &Permit) {
//!     let _ = ProbeRecord::new(manifest, coin, permit, 1);
//! }
//! ```
//! ```compile_fail,E0277
//! fn read<T: serde::de::DeserializeOwned>() {}
//! read::<ears_only::privacy::ProbeRecord>();
//! ```
//!
//! An answer that was wrapped comes out in no other way:
//!
//! ```compile_fail,E0614
//! let bit: bool = *ears_only::privacy::Private::new(true);
//! ```
//! ```compile_fail,E0599
//! let bit: &bool = ears_only::privacy::Private::new(true).as_ref();
//! ```
//! ```compile_fail,E0277
//! let bit: bool = ears_only::privacy::Private::new(true).into();
//! ```
//! ```compile_fail,E0277
//! fn hashed<T: std::hash::Hash>(value: T) {}
//! hashed(ears_only::privacy::Private::new(true));
//! ```
//! ```compile_fail,E0277
//! fn read<T: serde::de::DeserializeOwned>() {}
//! read::<ears_only::privacy::Private<bool>>();
//! ```
//! ```compile_fail,E0277
//! fn empty<T: Default>() {}
//! empty::<ears_only::privacy::Private<bool>>();
//! ```
//! ```compile_fail,E0369
//! let less = ears_only::privacy::Private::new(1) < ears_only::privacy::Private::new(2);
//! ```
//! ```compile_fail,E0277
//! let text = format!("{}", ears_only::privacy::Private::new(true));
//! ```
//! ```compile_fail,E0532
//! let ears_only::privacy::Private(bit) = ears_only::privacy::Private::new(true);
//! ```

pub mod accountant;
mod coin;
#[cfg(test)]
mod edges;
mod ledger;
mod manifest;
mod perturbation;
mod randomiser;
mod record;

pub use coin::Coin;
pub use ledger::{Budget, Debit, Ledger, Permit, Refusal};
pub use manifest::{
    Action, Arm, Block, Candidate, Manifest, ManifestId, ManifestSettings, Place, Probe, ProbeKind, Question, WEIGHT_SUM,
};
pub use perturbation::perturbation;
pub use randomiser::{ANSWERS, Answer, EPSILONS, Epsilon, FLIP_THRESHOLDS, KEEP_THRESHOLDS, Private, randomise, release};
pub use record::{ProbeRecord, RECORD_BYTES, RECORD_VERSION, RecordFields};

use crate::clock::{DAY_MS, Timestamp, WEEK_MS};

/// Monday 2026-01-05 00:00 UTC, the start of epoch 0.
pub const FIRST_EPOCH: Timestamp = Timestamp::clamped(1_767_571_200_000);
/// Largest epoch a record can carry: 12 bits, until the year 2104.
pub const MAX_EPOCH: u16 = 4_095;
/// Days over which the short budget runs.
pub const BUDGET_DAYS: i64 = 28;
/// Length of the budget's short period.
pub const BUDGET_PERIOD_MS: i64 = BUDGET_DAYS * DAY_MS;
/// Length of a consent year.
pub const CONSENT_YEAR_MS: i64 = 365 * DAY_MS;

/// The ISO week of `now`, counted from [`FIRST_EPOCH`]; `None` before it or beyond [`MAX_EPOCH`].
#[must_use]
pub fn epoch_of(now: Timestamp) -> Option<u16> {
    let weeks = now.since(FIRST_EPOCH).div_euclid(WEEK_MS);
    u16::try_from(weeks).ok().filter(|epoch| *epoch <= MAX_EPOCH)
}

/// When an epoch begins.
#[must_use]
pub fn epoch_start(epoch: u16) -> Timestamp {
    FIRST_EPOCH.plus_ms(i64::from(epoch) * WEEK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_iso_weeks_since_the_first() {
        assert_eq!(FIRST_EPOCH.ms() % DAY_MS, 0);
        // The Unix epoch was a Thursday; Mondays are 4 days later.
        assert_eq!((FIRST_EPOCH.ms() / DAY_MS - 4).rem_euclid(7), 0);
        assert_eq!(epoch_of(FIRST_EPOCH), Some(0));
        assert_eq!(epoch_of(FIRST_EPOCH.plus_ms(-1)), None);
        assert_eq!(epoch_of(FIRST_EPOCH.plus_ms(WEEK_MS - 1)), Some(0));
        assert_eq!(epoch_of(FIRST_EPOCH.plus_ms(46 * WEEK_MS)), Some(46));
        assert_eq!(epoch_of(FIRST_EPOCH.plus_ms(4_096 * WEEK_MS)), None);
        assert_eq!(epoch_start(46), FIRST_EPOCH.plus_ms(46 * WEEK_MS));
    }
}
