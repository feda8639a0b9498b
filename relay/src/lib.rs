//! Oblivious HTTP (RFC 9458) for one record: seals a POST for a gateway behind a relay, and opens the answer.
//!
//! The relay sees who sends and never what; the gateway sees what and never who. What is inside is a request in binary HTTP (RFC 9292) that is
//! filled up with zeros to [`MESSAGE`] bytes, so that every encapsulated request has [`SEALED`] bytes whatever the addresses are.
//!
//! The module imports nothing: entropy comes with the call. The page writes into [`input`] and calls; there is one page and one thread.

mod message;
mod oblivious;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

pub use message::{CONTENT, MESSAGE, request, status};
pub use oblivious::{ENTROPY, Problem, SEALED, Sealed, seal};

/// Room for entropy, content, keys and addresses, or for an answer.
const ROOM: usize = 4096;

/// Atomics, since JavaScript writes here between two calls.
static INPUT: [AtomicU8; ROOM] = [const { AtomicU8::new(0) }; ROOM];

/// What is needed to open the answer to what was sealed last.
static PENDING: Mutex<Option<Sealed>> = Mutex::new(None);

fn read() -> [u8; ROOM] {
    let mut bytes = [0; ROOM];
    for (byte, input) in bytes.iter_mut().zip(&INPUT) {
        *byte = input.load(Ordering::Relaxed);
    }
    bytes
}

fn write(bytes: &[u8]) {
    for (to, byte) in INPUT.iter().zip(bytes) {
        to.store(*byte, Ordering::Relaxed);
    }
}

/// Where the page writes to, and reads from.
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

/// Seals. The input holds 32 bytes of entropy, the 33 bytes of content, the gateway's keys, its authority and its path, whose lengths are given.
/// Returns how many bytes stand in the input then, or a negative [`Problem`].
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn encapsulate(keys: usize, authority: usize, path: usize) -> i32 {
    let result = taken(keys, authority, path);
    // Entropy and content do not stay.
    write(&[0; ROOM]);
    let sealed = match result {
        Ok(sealed) => sealed,
        Err(problem) => return problem.code(),
    };
    write(&sealed.bytes);
    let Ok(mut pending) = PENDING.lock() else { return Problem::Sealing.code() };
    *pending = Some(sealed);
    SEALED as i32
}

fn taken(keys: usize, authority: usize, path: usize) -> Result<Sealed, Problem> {
    let input = read();
    let (entropy, rest) = input.split_first_chunk::<ENTROPY>().ok_or(Problem::Length)?;
    let (content, rest) = rest.split_first_chunk::<CONTENT>().ok_or(Problem::Length)?;
    let (keys, rest) = rest.split_at_checked(keys).ok_or(Problem::Length)?;
    let (authority, rest) = rest.split_at_checked(authority).ok_or(Problem::Length)?;
    let path = rest.get(..path).ok_or(Problem::Length)?;
    let message = request(authority, path, content).ok_or(Problem::Address)?;
    seal(keys, &message, entropy)
}

/// Opens the answer of `length` bytes that stands in the input, once. Returns its HTTP status, or a negative [`Problem`].
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn open(length: usize) -> i32 {
    let Some(sealed) = PENDING.lock().ok().and_then(|mut pending| pending.take()) else { return Problem::Opening.code() };
    let mut input = read();
    let Some(answer) = input.get_mut(..length) else { return Problem::Length.code() };
    match sealed.open(answer) {
        Ok(message) => status(message).map_or(Problem::Answer.code(), i32::from),
        Err(problem) => problem.code(),
    }
}

#[cfg(test)]
mod tests;
