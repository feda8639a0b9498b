//! Reads tables row by row: CSV, JSON lines, each also gzipped, and Parquet.
//!
//! A reader never holds more than one record and refuses one longer than [`MAX_RECORD`]. What it cannot read it refuses with the
//! file, the line and the byte.

mod csv;
mod jsonl;
mod parquet;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::LabError;

/// The longest record, in bytes.
pub const MAX_RECORD: usize = 16 << 20;

/// The most columns of a table.
pub const MAX_COLUMNS: usize = 10_000;

/// What stands in one column of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: null, absent, or nothing between two commas.
    Missing,
    /// True or false; never from CSV, where these are texts.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number, NaN and infinities among them.
    Float(f64),
    /// A text; UTF-8 unless the reader was asked to let other bytes pass.
    Text(&'a [u8]),
    /// Several values.
    List {
        /// The values, without lists.
        items: &'a [Cell<'a>],
        /// 1 for a list of values, 2 for a list of lists...
        depth: u8,
    },
}

/// Takes the rows of a table: the names of the columns known so far, and as many cells.
pub type TakeRow<'t> = dyn FnMut(&[String], &[Cell<'_>]) -> Result<(), LabError> + 't;

/// How a table is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Texts that are not UTF-8 are counted and not refused.
    pub any_bytes: bool,
}

/// The files of a data set in the order of their names: `path` itself, or what stands in the folder. Names that begin with a dot or an underscore
/// are those of other programs.
///
/// # Errors
/// When the folder cannot be read or has no files.
pub fn parts(path: &Path) -> Result<Vec<PathBuf>, LabError> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let unreadable = |error| LabError::file(path, "a readable folder", error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let other = file.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with(['.', '_']));
        if file.is_file() && !other {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(LabError::file(path, "a folder with files", "none"));
    }
    files.sort();
    Ok(files)
}

/// Reads the table at `path`, of the kind its name and its first bytes say.
///
/// # Errors
/// When the file cannot be read or is refused, with the place; and what `take` returns.
pub fn read(path: &Path, reading: Reading, take: &mut TakeRow<'_>) -> Result<(), LabError> {
    let file = File::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        return Err(LabError::file(path, "a file", "a directory"));
    }
    let mut bytes = BufReader::with_capacity(1 << 16, file);
    let unreadable = |error| LabError::file(path, "a readable file", error);
    let start = bytes.fill_buf().map_err(unreadable)?;
    if start.starts_with(b"PAR1") {
        let file = File::open(path).map_err(unreadable)?;
        return parquet::read(path, file, take);
    }
    if start.starts_with(&[0x1f, 0x8b]) {
        let name = path.file_stem().unwrap_or_default();
        return read_plain(path, Path::new(name), MultiGzDecoder::new(bytes), reading, take);
    }
    read_plain(path, path, bytes, reading, take)
}

fn read_plain(path: &Path, name: &Path, bytes: impl Read, reading: Reading, take: &mut TakeRow<'_>) -> Result<(), LabError> {
    let mut bytes = BufReader::with_capacity(1 << 18, bytes);
    let start = bytes.fill_buf().map_err(|error| LabError::file(path, "a readable file", error))?;
    let bom = match start {
        [0xef, 0xbb, 0xbf, ..] => 3,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(LabError::file(path, "UTF-8 text", "UTF-16 text (byte 0)")),
        [b'P', b'A', b'R', b'1', ..] => return Err(LabError::file(path, "CSV or JSON lines", "gzipped Parquet (byte 0)")),
        [b'P', b'A', b'R', b'E', ..] => {
            return Err(LabError::file(path, "CSV, JSON lines or Parquet", "encrypted Parquet (byte 0)"));
        }
        [b'P', b'K', 3, 4, ..] => return Err(LabError::file(path, "CSV, JSON lines or Parquet", "a zip archive (byte 0)")),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
            return Err(LabError::file(path, "CSV, JSON lines or Parquet", "Arrow (byte 0)"));
        }
        _ => 0,
    };
    if let Some(at) = memchr::memchr(0, &start[..start.len().min(4096)]) {
        let what = format!("a zero byte: binary data or UTF-16 text (byte {at})");
        return Err(LabError::file(path, "UTF-8 text", what));
    }
    let json = match name.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl" | "ndjson" | "json") => true,
        Some("csv" | "tsv" | "txt") => false,
        _ => start[bom..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{'),
    };
    bytes.consume(bom);
    if json { jsonl::read(path, bom, bytes, take) } else { csv::read(path, bom, bytes, reading, take) }
}

/// Lines of a file, one at a time, with their place.
struct Lines<R> {
    bytes: R,
    /// Number of the line read last, from 1.
    number: u64,
    /// Where it starts, in bytes of the text.
    offset: u64,
    next: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(bytes: R, start: usize) -> Self {
        Self { bytes, number: 0, offset: 0, next: start as u64 }
    }

    /// Reads a line into `line`, without its end; false at the end of the file.
    fn read(&mut self, path: &Path, line: &mut Vec<u8>) -> Result<bool, LabError> {
        line.clear();
        let room = MAX_RECORD as u64 + 2;
        let read = (&mut self.bytes).take(room).read_until(b'\n', line);
        let read = read.map_err(|error| LabError::file(path, "readable text", format!("{error} (line {})", self.number + 1)))?;
        self.number += 1;
        self.offset = self.next;
        self.next += read as u64;
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        if line.len() > MAX_RECORD {
            return Err(self.error(path, "a line of at most 16 MiB", "a longer one"));
        }
        Ok(read > 0)
    }

    fn error(&self, path: &Path, expected: &str, found: &str) -> LabError {
        LabError::file(path, expected, format!("{found} (line {}, byte {})", self.number, self.offset))
    }
}

/// The values of a text without type, as they stand in CSV.
#[inline]
#[must_use]
pub fn typed(text: &[u8]) -> Cell<'_> {
    let Some(first) = text.first() else { return Cell::Missing };
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.' | b'n' | b'N' | b'i' | b'I')) {
        return Cell::Text(text);
    }
    if let Some(number) = whole(text) {
        return Cell::Int(number);
    }
    // A leading zero tells a code from a number.
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if matches!(digits, [b'0', b'0'..=b'9', ..]) {
        return Cell::Text(text);
    }
    match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
        Some(number) => Cell::Float(number),
        None => Cell::Text(text),
    }
}

/// A whole number without leading zeros, if it fits.
#[inline]
fn whole(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.len() == 19 && digits.iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    if digits.is_empty() || digits.len() > 18 || (digits[0] == b'0' && (digits.len() > 1 || negative)) {
        return None;
    }
    let mut number = 0_i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(if negative { -number } else { number })
}

/// Refuses a text that is not UTF-8, unless `reading` lets it pass.
fn check_utf8(reading: Reading, text: &[u8]) -> Result<(), String> {
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(_) if reading.any_bytes => Ok(()),
        Err(error) => {
            let byte = text.get(error.valid_up_to()).copied().unwrap_or_default();
            Err(format!("the byte 0x{byte:02x} after {} bytes (Latin-1 or Windows-1252?)", error.valid_up_to()))
        }
    }
}

#[cfg(test)]
mod tests;
