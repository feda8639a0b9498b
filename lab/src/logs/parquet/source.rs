//! A log file, read in place: pages where a reader asks for them, plain numbers from memory.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use mmap_io::{MemoryMappedFile, MmapAdvice, MmapMode};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Bytes in which a page's header usually ends.
const HEAD: usize = 256;

/// An open file. Readers of it do not move each other's place.
#[derive(Clone)]
pub(super) struct Source {
    file: Arc<File>,
    length: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), length })
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Source {
    type T = BufReader<Reading>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(HEAD, Reading { file: self.file.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF(format!("expected {length} bytes from byte {start}, found a file of {}", self.length)));
        }
        let mut bytes = vec![0; length];
        Reading { file: self.file.clone(), at: start }.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A place in a file, from which on it is read.
pub(super) struct Reading {
    file: Arc<File>,
    at: u64,
}

impl Read for Reading {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = read_at(&self.file, bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Reads from a place in a file, in one call where the system has it.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, at)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(at))?;
    file.read(bytes)
}

/// A file mapped into memory. Whoever cuts it short meanwhile ends the program that reads it.
#[derive(Clone)]
pub(super) struct Mapped(MemoryMappedFile);

impl Mapped {
    /// Maps an open file, called `path`; nothing where the system cannot.
    pub(super) fn of(source: &Source, path: &Path) -> Option<Self> {
        let file = source.file.try_clone().ok()?;
        MemoryMappedFile::from_file(file, MmapMode::ReadOnly, path).ok().map(Self)
    }

    /// All of its bytes; what is cut from them keeps it mapped.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }

    /// Lets the system take back the memory of a part that was read; it comes again when it is looked at again.
    pub(super) fn release(&self, part: Range<u64>) {
        // Advice that is not taken costs memory, nothing else.
        let _ = self.0.advise(part.start, part.end.saturating_sub(part.start), MmapAdvice::DontNeed);
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice_bytes(0, self.0.len()).unwrap_or_default()
    }
}
