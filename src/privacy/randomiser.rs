//! Randomised response with integer thresholds: no floating point between the answer and what leaves.

use super::{Coin, Manifest, Permit, ProbeRecord};
use crate::error::Error;
use crate::random::Entropy;

/// The privacy parameters a manifest may name, by index; the last is the ceiling.
pub const EPSILONS: [f64; 3] = [0.25, 0.5, 1.0];

/// For each epsilon: a bit is flipped when a uniform 32-bit word lies below this.
///
/// ceil(2^32 / (1 + e^eps)): rounding up flips a hair more often than the formula, so the realised epsilon never exceeds the
/// nominal one.
///
/// # References
/// S. L. Warner (1965), "Randomized response", JASA 60(309), 63-69.
pub const FLIP_THRESHOLDS: [u32; 3] = [1_880_437_611, 1_621_524_826, 1_155_094_610];

/// Index into [`EPSILONS`], checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epsilon(u8);

impl Epsilon {
    /// The parameter with this index, if there is one.
    #[must_use]
    pub fn from_index(index: u8) -> Option<Self> {
        (usize::from(index) < EPSILONS.len()).then_some(Self(index))
    }

    /// The index, 3 bits in a record.
    #[must_use]
    pub fn index(self) -> u8 {
        self.0
    }

    /// The nominal value.
    #[must_use]
    pub fn value(self) -> f64 {
        EPSILONS[usize::from(self.0)]
    }

    /// Thousandths, for exact sums in the ledger.
    #[must_use]
    pub fn milli(self) -> u32 {
        [250, 500, 1_000][usize::from(self.0)]
    }

    fn flip_threshold(self) -> u32 {
        FLIP_THRESHOLDS[usize::from(self.0)]
    }
}

/// A value that depends on the history. It can be made anywhere and read nowhere: the only way out is [`release`].
///
/// ```compile_fail
/// let answer = ears_only::privacy::Private::new(true);
/// println!("{answer:?}");
/// ```
/// ```compile_fail
/// let answer = ears_only::privacy::Private::new(true);
/// let copy = answer.clone();
/// ```
/// ```compile_fail
/// let answer = ears_only::privacy::Private::new(true);
/// let bit = answer.0;
/// ```
/// ```compile_fail
/// let answer = ears_only::privacy::Private::new(true);
/// if answer == ears_only::privacy::Private::new(true) {}
/// ```
/// ```compile_fail
/// fn serialise<T: serde::Serialize>(value: T) {}
/// serialise(ears_only::privacy::Private::new(true));
/// ```
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(value)
    }
}

/// Randomises the answer and makes the record. Uses up the permit, whatever happens: one debit, at most one record.
///
/// # Errors
/// `no_entropy` when no random word can be had; there is then no record.
///
/// # Determinism
/// Takes exactly 4 bytes of entropy, whatever the answer.
pub fn release(
    answer: Private<bool>,
    permit: Permit,
    manifest: &Manifest,
    coin: &Coin,
    entropy: &mut dyn Entropy,
) -> Result<ProbeRecord, Error> {
    let mut word = [0u8; 4];
    entropy.fill(&mut word)?;
    let flipped = u32::from_be_bytes(word) < permit.epsilon().flip_threshold();
    Ok(ProbeRecord::new(manifest, coin, &permit, u8::from(answer.0 ^ flipped)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// e^x with 2^-60 steps as a pair of bounds, from the Taylor series in integers.
    fn exp_bounds(numerator: u128, denominator: u128) -> (u128, u128) {
        const ONE: u128 = 1 << 60;
        let (mut low, mut high) = (ONE, ONE);
        let (mut term_low, mut term_high) = (ONE, ONE);
        for k in 1..40u128 {
            term_low = term_low * numerator / (denominator * k);
            term_high = term_high * numerator / (denominator * k) + 1;
            low += term_low;
            high += term_high;
        }
        // The rest of the series is below the last term.
        (low, high + term_high)
    }

    #[test]
    fn thresholds_are_the_exact_ceilings() {
        const ONE: u128 = 1 << 60;
        for (index, (numerator, denominator)) in [(1, 4), (1, 2), (1, 1)].into_iter().enumerate() {
            let (low, high) = exp_bounds(numerator, denominator);
            let threshold = u128::from(FLIP_THRESHOLDS[index]);
            // threshold >= 2^32 / (1 + e) and threshold - 1 < 2^32 / (1 + e), both in integers.
            assert!(threshold * (ONE + low) >= (1 << 32) * ONE, "index {index}: flips too rarely");
            assert!((threshold - 1) * (ONE + high) < (1 << 32) * ONE, "index {index}: flips too often");
            // Realised ratio (2^32 - t) / t is at most e^eps.
            assert!(((1u128 << 32) - threshold) * ONE <= low * threshold, "index {index}: realised epsilon above nominal");
        }
    }

    #[test]
    fn the_realised_epsilon_is_within_1e_8_below_nominal() {
        for (epsilon, threshold) in EPSILONS.iter().zip(FLIP_THRESHOLDS) {
            let realised = crate::math::ln((4_294_967_296.0 - f64::from(threshold)) / f64::from(threshold));
            assert!(realised <= *epsilon && epsilon - realised < 1e-8, "{epsilon} {realised}");
        }
    }
}
