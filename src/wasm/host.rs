//! What the browser lends: entropy from `crypto.getRandomValues`.

use crate::error::{Error, ErrorKind};
use crate::random::{Entropy, Seed};

/// Fresh random bytes for each call.
pub(super) struct Crypto;

impl Entropy for Crypto {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes)
            .map_err(|_| Error::new(ErrorKind::Entropy, "no_entropy", "expected crypto.getRandomValues, found none"))
    }
}

/// A seed nobody can guess.
pub(super) fn fresh_seed() -> Result<Seed, Error> {
    let mut bytes = [0; 32];
    Crypto.fill(&mut bytes)?;
    Ok(Seed::from_bytes(bytes))
}

/// The seed the app gave.
pub(super) fn seed_from(bytes: &[u8]) -> Result<Seed, Error> {
    let array: [u8; 32] =
        bytes.try_into().map_err(|_| Error::settings("bad_seed", format!("expected a seed of 32 bytes, got {}", bytes.len())))?;
    Ok(Seed::from_bytes(array))
}
