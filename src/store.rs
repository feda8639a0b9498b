//! Bytes that outlive a visit: a sealed envelope with format, version and checksum. Where they are kept is the host's business.

use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::Error;

/// First bytes of everything stored.
const MAGIC: [u8; 4] = *b"EARS";
const HEADER_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 8;
const MAX_VARINT_BYTES: usize = 10;

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
        match self {
            Self::Snapshot => 3,
            Self::Ledger => 2,
        }
    }

    fn corrupt(self, what: impl Into<String>) -> Error {
        Error::snapshot(if self == Self::Snapshot { "snapshot_corrupt" } else { "ledger_corrupt" }, what)
    }
}

/// The values of one kind, as they are stored.
#[derive(Clone, Debug, Default)]
struct Column {
    count: usize,
    bytes: Vec<u8>,
}

/// A state written out field by field: whole numbers, fractions and texts, each in the order of writing.
///
/// Three plain columns instead of a nested structure keep the code that reads them small: it runs in every browser. They are kept as
/// they are stored, most numbers in one or two bytes: a save needs little more memory than what is saved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape([Column; 3]);

/// Places of a tape's columns, in the order in which they are stored.
const WHOLE: usize = 0;
const FRACTIONS: usize = 1;
const TEXTS: usize = 2;

impl Tape {
    #[inline(never)]
    pub(crate) fn whole(&mut self, value: u64) {
        push_varint(self.column(WHOLE), value);
    }

    /// The bytes of a column that takes one value more.
    fn column(&mut self, column: usize) -> &mut Vec<u8> {
        let column = &mut self.0[column];
        column.count += 1;
        &mut column.bytes
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.whole(count as u64);
    }

    /// A whole number of either sign, small ones in few bytes.
    #[inline(never)]
    pub(crate) fn signed(&mut self, value: i64) {
        self.whole((value << 1 ^ value >> 63) as u64);
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.whole(u64::from(value));
    }

    pub(crate) fn time(&mut self, at: Timestamp) {
        self.signed(at.ms());
    }

    #[inline(never)]
    pub(crate) fn fraction(&mut self, value: f64) {
        self.column(FRACTIONS).extend_from_slice(&value.to_le_bytes());
    }

    #[inline(never)]
    pub(crate) fn text(&mut self, value: &str) {
        let column = self.column(TEXTS);
        push_varint(column, value.len() as u64);
        column.extend_from_slice(value.as_bytes());
    }

    /// Writes nothing or something.
    pub(crate) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Puts the tapes, one after the other, into an envelope.
    pub(crate) fn seal(kind: Kind, tapes: &[Self]) -> Vec<u8> {
        let stored: usize = tapes.iter().flat_map(|tape| &tape.0).map(|column| column.bytes.len()).sum();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + (TEXTS + 1) * MAX_VARINT_BYTES + stored + CHECKSUM_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(kind.tag());
        bytes.push(0);
        bytes.extend_from_slice(&kind.version().to_le_bytes());
        for column in [WHOLE, FRACTIONS, TEXTS] {
            push_varint(&mut bytes, tapes.iter().map(|tape| tape.0[column].count as u64).sum());
            for tape in tapes {
                bytes.extend_from_slice(&tape.0[column].bytes);
            }
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
        bytes
    }
}

/// A whole number in groups of seven bits, the lowest first; the top bit says that more follow (LEB128).
#[inline(never)]
fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes `count` bytes off the front.
fn take<'a>(rest: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(usize::try_from(count).ok()?)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// What stands on a tape, taken apart.
#[derive(Default)]
struct Values {
    whole: Vec<u64>,
    fractions: Vec<f64>,
    texts: Vec<String>,
}

fn take_values(mut rest: &[u8]) -> Option<Values> {
    let rest = &mut rest;
    let mut tape = Values::default();
    for _ in 0..take_varint(rest)? {
        tape.whole.push(take_varint(rest)?);
    }
    for _ in 0..take_varint(rest)? {
        tape.fractions.push(f64::from_le_bytes(take(rest, 8)?.try_into().ok()?));
    }
    for _ in 0..take_varint(rest)? {
        let length = take_varint(rest)?;
        tape.texts.push(std::str::from_utf8(take(rest, length)?).ok()?.to_owned());
    }
    rest.is_empty().then_some(tape)
}

/// Reads a [`Tape`] back in the order of writing.
///
/// What cannot be read comes as 0, empty or nothing, and is an error at [`TapeReader::end`]: one check in place of one for each value,
/// which every listener would have to fetch.
pub(crate) struct TapeReader {
    kind: Kind,
    version: u16,
    failed: bool,
    tape: Values,
    next: [usize; 3],
}

impl TapeReader {
    /// Opens an envelope of this kind.
    ///
    /// # Errors
    /// `snapshot_corrupt`, `snapshot_newer`, `ledger_corrupt` or `ledger_newer`; what was expected and what was found.
    pub(crate) fn open(kind: Kind, bytes: &[u8]) -> Result<Self, Error> {
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
        let tape = take_values(&body[HEADER_BYTES..])
            .ok_or_else(|| kind.corrupt("expected a complete state, got one that does not parse"))?;
        Ok(Self { kind, version, failed: false, tape, next: [0; 3] })
    }

    /// The format version of what is read.
    pub(crate) fn version(&self) -> u16 {
        self.version
    }

    /// Gives up: from here on there is nothing to read, and [`TapeReader::end`] says so.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Whether what was read so far does not hold together.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    #[inline(never)]
    pub(crate) fn whole(&mut self) -> u64 {
        let value = self.tape.whole.get(self.next[0]).copied().filter(|_| !self.failed);
        self.next[0] += 1;
        self.failed |= value.is_none();
        value.unwrap_or_default()
    }

    /// A whole number of at most 32 bits.
    #[inline(never)]
    pub(crate) fn number(&mut self) -> u32 {
        let value = self.whole();
        self.failed |= value > u32::MAX.into();
        value as u32
    }

    /// How many entries follow; never more than the tape has numbers left.
    #[inline(never)]
    pub(crate) fn count(&mut self) -> usize {
        let count = self.number() as usize;
        self.failed |= count > self.tape.whole.len() + self.tape.fractions.len() + self.tape.texts.len();
        if self.failed { 0 } else { count }
    }

    #[inline(never)]
    pub(crate) fn signed(&mut self) -> i64 {
        let value = self.whole();
        (value >> 1) as i64 ^ -((value & 1) as i64)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.whole() != 0
    }

    #[inline(never)]
    pub(crate) fn time(&mut self) -> Timestamp {
        Timestamp::clamped(self.signed())
    }

    /// A finite number.
    #[inline(never)]
    pub(crate) fn fraction(&mut self) -> f64 {
        let value = self.tape.fractions.get(self.next[1]).copied().filter(|v| v.is_finite());
        self.next[1] += 1;
        self.failed |= value.is_none();
        value.unwrap_or_default()
    }

    #[inline(never)]
    pub(crate) fn text(&mut self) -> String {
        let value = self.tape.texts.get_mut(self.next[2]).map(std::mem::take);
        self.next[2] += 1;
        self.failed |= value.is_none();
        value.unwrap_or_default()
    }

    /// Reads nothing or something.
    pub(crate) fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(read(self)) } else { None }
    }

    /// Reads a list.
    pub(crate) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.count()).map(|_| read(self)).collect()
    }

    /// Checks that everything was read, and that it held together; what was read is of no use otherwise.
    ///
    /// # Errors
    /// `snapshot_corrupt` or `ledger_corrupt`.
    pub(crate) fn end(self) -> Result<(), Error> {
        let lengths = [self.tape.whole.len(), self.tape.fractions.len(), self.tape.texts.len()];
        if self.next == lengths && !self.failed {
            Ok(())
        } else {
            Err(self.kind.corrupt("expected a state that agrees with itself, got one that does not"))
        }
    }
}

/// The same bytes with one of its whole numbers changed and the checksum mended; `None` past the last one.
#[cfg(test)]
pub(crate) fn with_number(kind: Kind, bytes: &[u8], at: usize, value: u64) -> Option<Vec<u8>> {
    let mut values = TapeReader::open(kind, bytes).ok()?.tape;
    *values.whole.get_mut(at)? = value;
    let mut tape = Tape::default();
    values.whole.into_iter().for_each(|value| tape.whole(value));
    values.fractions.into_iter().for_each(|value| tape.fraction(value));
    values.texts.iter().for_each(|value| tape.text(value));
    Some(Tape::seal(kind, &[tape]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape() -> Tape {
        let mut tape = Tape::default();
        tape.whole(7);
        tape.signed(-9);
        tape.flag(true);
        tape.text("Kind of Blue");
        tape.fraction(1.5);
        tape.maybe(None::<u64>, Tape::whole);
        tape.time(Timestamp::clamped(12));
        tape
    }

    #[test]
    fn reads_back_what_was_written() {
        let mut reader = TapeReader::open(Kind::Snapshot, &Tape::seal(Kind::Snapshot, &[tape()])).unwrap();
        assert_eq!(reader.number(), 7);
        assert_eq!(reader.signed(), -9);
        assert!(reader.flag());
        assert_eq!(reader.text(), "Kind of Blue");
        assert_eq!(reader.fraction(), 1.5);
        assert_eq!(reader.maybe(TapeReader::whole), None);
        assert_eq!(reader.time().ms(), 12);
        reader.end().unwrap();
        let reader = TapeReader::open(Kind::Snapshot, &Tape::seal(Kind::Snapshot, &[tape()])).unwrap();
        assert_eq!(reader.end().unwrap_err().code(), "snapshot_corrupt");
    }

    #[test]
    fn what_does_not_hold_together_is_an_error_at_the_end_and_never_grows() {
        let read = |tape: Tape, reads: &dyn Fn(&mut TapeReader)| {
            let mut reader = TapeReader::open(Kind::Snapshot, &Tape::seal(Kind::Snapshot, &[tape])).unwrap();
            reads(&mut reader);
            reader.end().map_or_else(|e| e.code(), |()| "ok")
        };
        let with = |values: &[u64]| {
            let mut tape = Tape::default();
            values.iter().for_each(|value| tape.whole(*value));
            tape.fraction(f64::NAN);
            tape
        };
        let corrupt = "snapshot_corrupt";
        assert_eq!(read(with(&[u64::MAX]), &|tape| assert!(tape.number() > 0)), corrupt);
        assert_eq!(read(with(&[1 << 20]), &|tape| assert!(tape.list(TapeReader::whole).is_empty())), corrupt);
        assert_eq!(read(with(&[2, 7]), &|tape| assert_eq!(tape.list(TapeReader::whole), [7, 0])), corrupt);
        assert_eq!(read(with(&[]), &|tape| assert_eq!(tape.fraction(), 0.0)), corrupt);
        assert_eq!(read(with(&[]), &|tape| assert_eq!((tape.text(), tape.whole()), (String::new(), 0))), corrupt);
        assert_eq!(read(tape(), &TapeReader::fail), corrupt);
    }

    #[test]
    fn every_single_change_is_seen() {
        let bytes = Tape::seal(Kind::Snapshot, &[tape()]);
        let code = |bytes: &[u8]| TapeReader::open(Kind::Snapshot, bytes).map_or_else(|e| e.code(), |_| "ok");
        assert_eq!(code(&bytes), "ok");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            let code = code(&changed);
            assert!(code == "snapshot_corrupt" || (code == "snapshot_newer" && (6..8).contains(&at)), "{at} {code}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(code(&bytes[..cut]), "snapshot_corrupt");
        }
    }

    #[test]
    fn a_newer_version_and_another_kind_are_named() {
        let mut bytes = Tape::seal(Kind::Ledger, &[tape()]);
        let code = |kind, bytes: &[u8]| TapeReader::open(kind, bytes).map_or_else(|e| e.code(), |_| "ok");
        assert_eq!(code(Kind::Snapshot, &bytes), "snapshot_corrupt");
        bytes[6] = 3;
        assert_eq!(code(Kind::Ledger, &bytes), "ledger_newer");
    }
}
