//! What waits in the collector, on the disk: appended before a body is answered, replaced whole when cells leave.
//!
//! `state.bin` begins with 20 bytes: "EARSCOLL", the number of the last file of released records, the epoch, two zeros, a checksum; then 36 bytes
//! for each record: nonce, record, checksum (the first four bytes of SHA-256). A line cut off at the end by a crash is cut away. A release
//! writes the next state beside the present one, then the released file under a temporary name; renaming that is the moment from
//! which the release counts, and the next start completes whatever was left to do.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ears_only::privacy::{RECORD_BYTES, RecordFields, epoch_start};
use sha2::{Digest, Sha256};

use crate::error::LabError;
use crate::logs::probes;

/// Length of a nonce.
pub const NONCE_BYTES: usize = 16;

const MAGIC: &[u8; 8] = b"EARSCOLL";
const HEADER: usize = 20;
const CHECK: usize = 4;
const ENTRY: usize = NONCE_BYTES + RECORD_BYTES + CHECK;
/// In place of an epoch before the first body.
const NO_EPOCH: u16 = u16::MAX;

/// A record that waits, and the nonce it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Forgotten when the record is released.
    pub nonce: [u8; NONCE_BYTES],
    /// The record.
    pub record: [u8; RECORD_BYTES],
}

/// The files of a collector's folder.
pub struct State {
    folder: PathBuf,
    file: File,
    sequence: u32,
    epoch: u16,
    /// Holds the lock for as long as the collector runs.
    _lock: File,
}

fn checksum(bytes: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::digest(bytes);
    [digest[0], digest[1], digest[2], digest[3]]
}

fn header(sequence: u32, epoch: u16) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&sequence.to_be_bytes());
    bytes[12..14].copy_from_slice(&epoch.to_be_bytes());
    let check = checksum(&bytes[..HEADER - CHECK]);
    bytes[HEADER - CHECK..].copy_from_slice(&check);
    bytes
}

fn entry(one: &Pending) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    bytes[..NONCE_BYTES].copy_from_slice(&one.nonce);
    bytes[NONCE_BYTES..ENTRY - CHECK].copy_from_slice(&one.record);
    let check = checksum(&bytes[..ENTRY - CHECK]);
    bytes[ENTRY - CHECK..].copy_from_slice(&check);
    bytes
}

/// Writes a file so that it is there whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let wrong = |error: std::io::Error| LabError::file(path, "a file that can be written", error);
    let next = path.with_extension("next");
    let mut file = File::create(&next).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(wrong)?;
    std::fs::rename(&next, path).map_err(wrong)
}

/// Where the released records of a number stand.
fn released(folder: &Path, sequence: u32) -> PathBuf {
    folder.join(format!("probes-{sequence:06}.parquet"))
}

impl State {
    /// Opens or begins the state of a folder: it and what waits.
    ///
    /// # Errors
    /// When another collector holds it, it cannot be read or written, or it is damaged elsewhere than at its end.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Pending>), LabError> {
        let path = folder.join("state.bin");
        let wrong = |error: std::io::Error| LabError::file(&path, "a file that can be read and written", error);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(wrong)?;
        lock.try_lock().map_err(|_| LabError::file(folder, "a folder of its own", "another collector that uses it"))?;
        let present = read_header(&path)?;
        // A release that was cut off: it counts if its file has its name, and not otherwise.
        let next = folder.join("state.next");
        if let Some((sequence, epoch)) = read_header(&next)?
            && released(folder, sequence).exists()
            && present.is_none_or(|(known, _)| known < sequence)
        {
            std::fs::rename(&next, &path).map_err(wrong)?;
            return Self::read(folder, &path, lock, sequence, epoch);
        }
        if next.exists() {
            std::fs::remove_file(&next).map_err(wrong)?;
        }
        let (sequence, epoch) = match present {
            Some(present) => present,
            None => {
                write_whole(&path, &header(0, NO_EPOCH))?;
                (0, NO_EPOCH)
            }
        };
        Self::read(folder, &path, lock, sequence, epoch)
    }

    fn read(folder: &Path, path: &Path, lock: File, sequence: u32, epoch: u16) -> Result<(Self, Vec<Pending>), LabError> {
        let wrong = |error: std::io::Error| LabError::file(path, "a file that can be read and written", error);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(wrong)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(wrong)?;
        let mut pending = Vec::new();
        let mut at = HEADER;
        while let Some(line) = bytes.get(at..at + ENTRY) {
            if line[ENTRY - CHECK..] != checksum(&line[..ENTRY - CHECK]) {
                // The last line may be a torn write; one with others after it was once whole.
                if bytes.len() >= at + 2 * ENTRY {
                    let expected = format!("a record with its checksum at byte {at}");
                    return Err(LabError::file(path, &expected, "another checksum: the file is damaged"));
                }
                break;
            }
            let mut one = Pending { nonce: [0; NONCE_BYTES], record: [0; RECORD_BYTES] };
            one.nonce.copy_from_slice(&line[..NONCE_BYTES]);
            one.record.copy_from_slice(&line[NONCE_BYTES..ENTRY - CHECK]);
            pending.push(one);
            at += ENTRY;
        }
        if at < bytes.len() {
            file.set_len(at as u64).and_then(|()| file.sync_all()).map_err(wrong)?;
        }
        file.seek(SeekFrom::Start(at as u64)).map_err(wrong)?;
        Ok((Self { folder: folder.to_owned(), file, sequence, epoch, _lock: lock }, pending))
    }

    /// The epoch last settled to; nothing before the first body.
    #[must_use]
    pub fn epoch(&self) -> Option<u16> {
        (self.epoch != NO_EPOCH).then_some(self.epoch)
    }

    /// Sets the epoch; saved by the next [`State::replace`].
    pub fn set_epoch(&mut self, epoch: u16) {
        self.epoch = epoch;
    }

    /// Adds a record; durable after [`State::sync`].
    ///
    /// # Errors
    /// When it cannot be written; what was written of it is cut away again.
    pub fn append(&mut self, one: &Pending) -> Result<(), LabError> {
        let wrong = |error: std::io::Error| LabError::failed(format!("state.bin: {error}"));
        let start = self.file.stream_position().map_err(wrong)?;
        if let Err(error) = self.file.write_all(&entry(one)) {
            // Best effort: a half line at the end is cut away by the next start as well.
            let _ = self.file.set_len(start).and_then(|()| self.file.seek(SeekFrom::Start(start)));
            return Err(wrong(error));
        }
        Ok(())
    }

    /// Waits until all is on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<(), LabError> {
        self.file.sync_data().map_err(|error| LabError::failed(format!("state.bin: {error}")))
    }

    /// Replaces what waits by `left`, and releases `rows` in the same stroke.
    ///
    /// # Errors
    /// When the disk fails; then either all of it has happened or nothing.
    pub fn replace(&mut self, left: &[Pending], rows: Option<&[RecordFields]>) -> Result<(), LabError> {
        let path = self.folder.join("state.bin");
        let wrong = |error: std::io::Error| LabError::file(&path, "a file that can be written", error);
        let sequence = self.sequence + u32::from(rows.is_some());
        let next = self.folder.join("state.next");
        let mut bytes = header(sequence, self.epoch).to_vec();
        left.iter().for_each(|one| bytes.extend(entry(one)));
        let mut file = File::create(&next).map_err(wrong)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(wrong)?;
        if let Some(rows) = rows {
            let name = released(&self.folder, sequence);
            let temporary = name.with_extension("next");
            probes::write(&temporary, rows)?;
            // The hour in which a cell became full is nobody's business.
            let week = SystemTime::UNIX_EPOCH + Duration::from_millis(epoch_start(self.epoch.min(4_095)).ms().max(0) as u64);
            File::options().write(true).open(&temporary).and_then(|file| file.set_modified(week)).map_err(wrong)?;
            std::fs::rename(&temporary, &name).map_err(wrong)?;
        }
        std::fs::rename(&next, &path).map_err(wrong)?;
        if let Ok(folder) = File::open(&self.folder) {
            // Names survive a power cut only with their folder; not every system can do this.
            let _ = folder.sync_all();
        }
        self.file = OpenOptions::new().read(true).write(true).open(&path).map_err(wrong)?;
        self.file.seek(SeekFrom::End(0)).map_err(wrong)?;
        self.sequence = sequence;
        Ok(())
    }
}

/// Sequence and epoch of a state file; nothing when there is none.
fn read_header(path: &Path) -> Result<Option<(u32, u16)>, LabError> {
    let mut bytes = [0; HEADER];
    match File::open(path).and_then(|mut file| file.read_exact(&mut bytes)) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        // A next state that was cut off while it was written does not count.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && path.ends_with("state.next") => return Ok(None),
        Err(error) => return Err(LabError::file(path, "the state of a collector", error)),
    }
    if bytes[..8] != MAGIC[..] || bytes[HEADER - CHECK..] != checksum(&bytes[..HEADER - CHECK]) {
        if path.ends_with("state.next") {
            return Ok(None);
        }
        return Err(LabError::file(path, "the state of a collector, EARSCOLL and a checksum", "other bytes"));
    }
    let sequence = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    Ok(Some((sequence, u16::from_be_bytes([bytes[12], bytes[13]]))))
}
