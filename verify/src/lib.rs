//! Verifies what is published where the browser cannot: Ed25519 signatures (RFC 8032) and SHA-256.
//!
//! The module imports nothing. The page writes into [`input`] and calls; there is one page and one thread.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// Bytes of a public key.
const KEY: usize = 32;
/// Bytes of a signature.
const SIGNATURE: usize = 64;
/// Room for a key, a signature and a signed file of 64 kB with its frame.
const ROOM: usize = 70_000;

/// Atomics, since JavaScript writes here between two calls.
static INPUT: [AtomicU8; ROOM] = [const { AtomicU8::new(0) }; ROOM];

static DIGEST: Mutex<Option<Sha256>> = Mutex::new(None);

/// The input from `from` on, on the stack: with no heap, the module needs no allocator.
fn read<const N: usize>(from: usize) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, input) in bytes.iter_mut().zip(INPUT.iter().skip(from)) {
        *byte = input.load(Ordering::Relaxed);
    }
    bytes
}

/// Where the page writes to.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *const u8 {
    INPUT.as_ptr().cast()
}

/// How much may be written there.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn room() -> usize {
    ROOM
}

/// 1 when the input holds a key, its signature and the signed message of `length` bytes, else 0. Strict: keys of small order and
/// signatures that are not in their one canonical form are refused.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn verify(length: usize) -> u32 {
    let Ok(key) = VerifyingKey::from_bytes(&read(0)) else { return 0 };
    let signature = Signature::from_bytes(&read(KEY));
    let message: [u8; ROOM - KEY - SIGNATURE] = read(KEY + SIGNATURE);
    u32::from(message.get(..length).is_some_and(|message| key.verify_strict(message, &signature).is_ok()))
}

/// Begins a digest.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    if let Ok(mut digest) = DIGEST.lock() {
        *digest = Some(Sha256::new());
    }
}

/// Takes `length` bytes of the input into the digest.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn update(length: usize) {
    let input: [u8; ROOM] = read(0);
    if let (Ok(mut digest), Some(part)) = (DIGEST.lock(), input.get(..length))
        && let Some(digest) = digest.as_mut()
    {
        digest.update(part);
    }
}

/// Ends the digest: it stands in the first 32 bytes of the input.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn finish() {
    let Some(digest) = DIGEST.lock().ok().and_then(|mut digest| digest.take()) else { return };
    for (to, byte) in INPUT.iter().zip(digest.finalize()) {
        to.store(byte, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn write(bytes: &[u8]) {
        for (to, byte) in INPUT.iter().zip(bytes) {
            to.store(*byte, Ordering::Relaxed);
        }
    }

    /// Key, signature, message: RFC 8032, section 7.1, test 3.
    const KEY_3: &str = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
    const SIGNATURE_3: &str = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";

    // One test, since there is one input.
    #[test]
    fn published_vectors() {
        let whole = [bytes(KEY_3), bytes(SIGNATURE_3), bytes("af82")].concat();
        write(&whole);
        assert_eq!(verify(2), 1);
        assert_eq!([verify(1), verify(3), verify(0)], [0, 0, 0]);
        assert_eq!([verify(ROOM), verify(ROOM - 96 + 1), verify(usize::MAX)], [0, 0, 0]);
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            write(&broken);
            assert_eq!(verify(2), 0, "byte {at}");
        }
        // A key of small order signs everything for whoever does not look.
        write(&[&bytes("0100000000000000000000000000000000000000000000000000000000000000")[..], &[0; 66]].concat());
        assert_eq!(verify(2), 0);

        let digest = || INPUT.iter().take(32).map(|byte| format!("{:02x}", byte.load(Ordering::Relaxed))).collect::<String>();
        start();
        write(b"ab");
        update(2);
        write(b"c");
        update(1);
        finish();
        assert_eq!(digest(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        // Without a beginning there is no digest, and nothing is written.
        write(&[7; 32]);
        update(1);
        finish();
        assert_eq!(digest(), "07".repeat(32));
    }
}
