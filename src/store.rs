//! Bytes that outlive a visit: a sealed envelope with format, version and checksum. Where they are kept is the host's business.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::Error;

/// First bytes of everything stored.
const MAGIC: [u8; 4] = *b"EARS";
const HEADER_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 8;

/// Most bytes of a snapshot.
pub const MAX_SNAPSHOT_BYTES: usize = 2_000_000;

/// What an envelope holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Snapshot,
    Ledger,
}

impl Kind {
    fn tag(self) -> u8 {
        match self {
            Self::Snapshot => 1,
            Self::Ledger => 2,
        }
    }

    /// The format version written today.
    fn version(self) -> u16 {
        1
    }

    fn corrupt(self, what: impl Into<String>) -> Error {
        Error::snapshot(if self == Self::Snapshot { "snapshot_corrupt" } else { "ledger_corrupt" }, what)
    }
}

/// Writes `value` into an envelope.
pub(crate) fn seal<T: Serialize>(kind: Kind, value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(4_096);
    bytes.extend_from_slice(&MAGIC);
    bytes.push(kind.tag());
    bytes.push(0);
    bytes.extend_from_slice(&kind.version().to_le_bytes());
    let mut bytes = postcard::to_extend(value, bytes).map_err(|_| kind.corrupt("the state could not be written"))?;
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
    Ok(bytes)
}

/// Reads an envelope of this kind.
///
/// # Errors
/// `snapshot_corrupt`, `snapshot_newer`, `ledger_corrupt` or `ledger_newer`; what was expected and what was found.
pub(crate) fn open<T: DeserializeOwned>(kind: Kind, bytes: &[u8]) -> Result<T, Error> {
    if bytes.len() < HEADER_BYTES + CHECKSUM_BYTES {
        return Err(kind.corrupt(format!("expected at least {} bytes, got {}", HEADER_BYTES + CHECKSUM_BYTES, bytes.len())));
    }
    let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
    if body[..4] != MAGIC || body[4] != kind.tag() {
        return Err(kind.corrupt("expected the mark of a stored state of this kind, got other bytes"));
    }
    let version = u16::from_le_bytes([body[6], body[7]]);
    if version > kind.version() {
        let code = if kind == Kind::Snapshot { "snapshot_newer" } else { "ledger_newer" };
        return Err(Error::snapshot(
            code,
            format!("expected format version {} or older, got {version}: it was written by a newer release", kind.version()),
        ));
    }
    if Sha256::digest(body)[..CHECKSUM_BYTES] != *checksum {
        return Err(kind.corrupt("expected a matching checksum, got another: the bytes are cut or changed"));
    }
    postcard::from_bytes(&body[HEADER_BYTES..])
        .map_err(|_| kind.corrupt("expected a complete state, got one that does not parse"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_single_change_is_seen() {
        let value = (7u64, String::from("Kind of Blue"), vec![1.5f64, -2.0]);
        let bytes = seal(Kind::Snapshot, &value).unwrap();
        assert_eq!(open::<(u64, String, Vec<f64>)>(Kind::Snapshot, &bytes).unwrap(), value);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            let code = open::<(u64, String, Vec<f64>)>(Kind::Snapshot, &changed).unwrap_err().code();
            assert!(code == "snapshot_corrupt" || (code == "snapshot_newer" && (6..8).contains(&at)), "{at} {code}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(open::<(u64, String, Vec<f64>)>(Kind::Snapshot, &bytes[..cut]).unwrap_err().code(), "snapshot_corrupt");
        }
    }

    #[test]
    fn a_newer_version_and_another_kind_are_named() {
        let mut bytes = seal(Kind::Ledger, &1u8).unwrap();
        assert_eq!(open::<u8>(Kind::Snapshot, &bytes).unwrap_err().code(), "snapshot_corrupt");
        bytes[6] = 2;
        assert_eq!(open::<u8>(Kind::Ledger, &bytes).unwrap_err().code(), "ledger_newer");
    }
}
