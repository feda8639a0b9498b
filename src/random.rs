//! The one named generator, and one independent stream of it for each decision.
//!
//! PCG32 is fixed by its specification (M. E. O'Neill, 2014, "PCG: A family of simple fast space-efficient statistically good
//! algorithms for random number generation", HMC-CS-2014-0905), so the same seed gives the same bits on every target and in
//! every release. State and sequence of each stream are SHA-256 of seed, purpose and index: streams share nothing. Privacy does
//! not rest on this generator: in production the coin and the flip take their bytes from the host ([`Entropy`]).

use rand_core::Rng;
use rand_pcg::Pcg32;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind};

/// What a stream of random words is for; streams of different purposes never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Drawing a page.
    Rank,
    /// Drawing a page while listening privately.
    Private,
    /// The public coin: when, which slot, which arm, which question.
    Coin,
    /// The flip of the private symbol.
    Flip,
    /// Delays of uploads and other choices of the host.
    Host,
    /// Public directions of training probes.
    Perturbation,
}

/// 32 bytes from which every random choice follows.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed from 32 bytes, all equally likely.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A seed for tests and simulations: the number, little-endian, then zeros.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The generator for the `index`-th use of `purpose`.
    ///
    /// # Determinism
    /// The same seed, purpose and index give the same words on every target.
    #[must_use]
    pub fn stream(&self, purpose: Purpose, index: u64) -> Pcg32 {
        let purpose = match purpose {
            Purpose::Rank => 0,
            Purpose::Coin => 1,
            Purpose::Flip => 2,
            Purpose::Host => 3,
            Purpose::Private => 4,
            Purpose::Perturbation => 5,
        };
        let mut bytes = [0u8; 41];
        bytes[..32].copy_from_slice(&self.0);
        bytes[32] = purpose;
        bytes[33..].copy_from_slice(&index.to_le_bytes());
        let digest = Sha256::digest(bytes);
        let word = |at: usize| digest[at..at + 8].iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        Pcg32::new(word(0), word(8))
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// Where fresh random bytes come from.
pub trait Entropy {
    /// Fills `bytes`; every bit equally likely and independent.
    ///
    /// # Errors
    /// `no_entropy` when the source is missing; the caller then does not go on.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// Seeded entropy, for tests, simulations and `createHome({ seed })`.
#[derive(Clone, Debug)]
pub struct SeededEntropy {
    seed: Seed,
    purpose: Purpose,
    index: u64,
}

impl SeededEntropy {
    /// Successive streams of `purpose` from `seed`.
    #[must_use]
    pub fn new(seed: Seed, purpose: Purpose) -> Self {
        Self { seed, purpose, index: 0 }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.seed.stream(self.purpose, self.index).fill_bytes(bytes);
        self.index += 1;
        Ok(())
    }
}

/// A source that always fails; shows that nothing goes on without entropy.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Entropy, "no_entropy", "expected a source of random bytes, found none"))
    }
}

/// A uniform number in [0, 1): 53 random bits.
///
/// # Determinism
/// Takes one `u64` from `rng`.
pub fn unit<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    const SCALE: f64 = 1.0 / (1u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * SCALE
}

/// A uniform whole number below `bound`, without bias (rejection sampling).
///
/// # Determinism
/// Takes one or more `u32` from `rng`. `bound` 0 gives 0 and takes none.
pub fn below<R: Rng + ?Sized>(rng: &mut R, bound: u32) -> u32 {
    if bound == 0 {
        return 0;
    }
    let zone = u32::MAX - (u32::MAX - bound + 1) % bound;
    loop {
        let word = rng.next_u32();
        if word <= zone {
            return word % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_stable_and_apart() {
        let seed = Seed::from_number(7);
        let first = seed.stream(Purpose::Rank, 0).next_u64();
        assert_eq!(first, seed.stream(Purpose::Rank, 0).next_u64());
        assert_ne!(first, seed.stream(Purpose::Rank, 1).next_u64());
        assert_ne!(first, seed.stream(Purpose::Coin, 0).next_u64());
        assert_ne!(first, Seed::from_number(8).stream(Purpose::Rank, 0).next_u64());
    }

    #[test]
    fn below_is_uniform_and_in_range() {
        let mut rng = Seed::from_number(1).stream(Purpose::Host, 0);
        let mut counts = [0u32; 5];
        for _ in 0..50_000 {
            counts[below(&mut rng, 5) as usize] += 1;
        }
        // Chi-square with 4 degrees of freedom; 33.4 is exceeded by chance once in a million.
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 10_000.0) * (f64::from(c) - 10_000.0) / 10_000.0).sum();
        assert!(chi < 33.4, "chi-square {chi}");
        assert_eq!(below(&mut rng, 0), 0);
    }

    #[test]
    fn missing_entropy_is_an_error() {
        assert_eq!(NoEntropy.fill(&mut [0; 4]).unwrap_err().code(), "no_entropy");
    }
}
