//! Comma-separated values (RFC 4180), also with tabs or semicolons; the first record names the columns.

use std::io::BufRead;
use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::{memchr, memchr_iter};

use super::{Cell, Lines, MAX_COLUMNS, MAX_RECORD, Reading, TakeRow, check_utf8, typed};
use crate::error::LabError;

pub fn read(path: &Path, start: usize, bytes: impl BufRead, reading: Reading, take: &mut TakeRow<'_>) -> Result<(), LabError> {
    let mut records = Records::new(path, Lines::new(bytes, start));
    if !records.next()? {
        return Err(LabError::file(path, "a header that names the columns", "an empty file (byte 0)"));
    }
    records.delimiter = delimiter(&records.line);
    records.split()?;
    let columns = header(path, &records)?;
    loop {
        if !records.next()? {
            return Ok(());
        }
        // A line with nothing on it is a row only where there is one column.
        if records.line.is_empty() && columns.len() > 1 {
            continue;
        }
        records.split()?;
        if records.ends.len() != columns.len() {
            let (expected, found) = (format!("{} fields", columns.len()), records.ends.len().to_string());
            return Err(records.error(&expected, &found));
        }
        let mut cells = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let cell = typed(records.field(index));
            if let Cell::Text(text) = cell {
                check_utf8(reading, text).map_err(|what| records.error("UTF-8 text", &format!("{what} in column {column}")))?;
            }
            cells.push(cell);
        }
        take(&columns, &cells)?;
    }
}

fn header<R: BufRead>(path: &Path, records: &Records<'_, R>) -> Result<Vec<String>, LabError> {
    let mut columns: Vec<String> = Vec::with_capacity(records.ends.len());
    if records.ends.len() > MAX_COLUMNS {
        return Err(LabError::file(path, &format!("at most {MAX_COLUMNS} columns"), records.ends.len()));
    }
    for index in 0..records.ends.len() {
        let name =
            std::str::from_utf8(records.field(index)).map_err(|_| records.error("UTF-8 names of columns", "other bytes"))?;
        let name = name.trim();
        if name.is_empty() {
            return Err(records.error("a name for every column", &format!("none for column {}", index + 1)));
        }
        if columns.iter().any(|known| known == name) {
            return Err(records.error("different names of columns", &format!("{name} twice")));
        }
        columns.push(name.to_owned());
    }
    Ok(columns)
}

/// What separates the fields: a comma, or else the tab or semicolon that the header has.
fn delimiter(header: &[u8]) -> u8 {
    *[b',', b'\t', b';'].iter().find(|byte| memchr(**byte, header).is_some()).unwrap_or(&b',')
}

/// Records one at a time. One without quotes is a line and is cut by hand; one with quotes is read by `csv-core`.
struct Records<'p, R> {
    path: &'p Path,
    lines: Lines<R>,
    delimiter: u8,
    reader: Option<Reader>,
    /// The bytes of the record.
    line: Vec<u8>,
    /// The fields, one after the other, when they had quotes.
    fields: Vec<u8>,
    quoted: bool,
    ends: Vec<usize>,
    /// Where the record starts.
    at: (u64, u64),
}

impl<'p, R: BufRead> Records<'p, R> {
    fn new(path: &'p Path, lines: Lines<R>) -> Self {
        Self {
            path,
            lines,
            delimiter: b',',
            reader: None,
            line: Vec::new(),
            fields: Vec::new(),
            quoted: false,
            ends: Vec::new(),
            at: (0, 0),
        }
    }

    fn error(&self, expected: &str, found: &str) -> LabError {
        LabError::file(self.path, expected, format!("{found} (line {}, byte {})", self.at.0, self.at.1))
    }

    /// Reads the next line.
    fn next(&mut self) -> Result<bool, LabError> {
        let read = self.lines.read(self.path, &mut self.line)?;
        self.at = (self.lines.number, self.lines.offset);
        Ok(read)
    }

    /// Finds the fields of the record that starts in `line`, reading on where it has quotes that are still open.
    fn split(&mut self) -> Result<(), LabError> {
        self.ends.clear();
        self.quoted = memchr(b'"', &self.line).is_some();
        if self.quoted {
            return self.split_quoted();
        }
        self.ends.extend(memchr_iter(self.delimiter, &self.line));
        self.ends.push(self.line.len());
        Ok(())
    }

    fn split_quoted(&mut self) -> Result<(), LabError> {
        let delimiter = self.delimiter;
        self.reader.get_or_insert_with(|| ReaderBuilder::new().delimiter(delimiter).build()).reset();
        self.fields.clear();
        let (mut fields, mut written) = (0, 0);
        let mut line = std::mem::take(&mut self.line);
        loop {
            // The end of the line comes apart from it: if it ends the record, no quote is open.
            let inside = self.feed(&line, &mut written, &mut fields)?;
            if inside || self.feed(b"\n", &mut written, &mut fields)? {
                self.ends.truncate(fields);
                self.line = line;
                return Ok(());
            }
            // A field goes on in the next line.
            if !self.lines.read(self.path, &mut line)? {
                return Err(self.error("a closing quote", "the end of the file"));
            }
            if written + line.len() > MAX_RECORD {
                return Err(self.error("a record of at most 16 MiB", "a longer one: is a quote left open?"));
            }
        }
    }

    /// Gives bytes to the reader; true when they end the record.
    fn feed(&mut self, bytes: &[u8], written: &mut usize, fields: &mut usize) -> Result<bool, LabError> {
        if bytes.is_empty() {
            return Ok(false);
        }
        self.fields.resize(*written + bytes.len() + 1, 0);
        self.ends.resize(MAX_COLUMNS + 1, 0);
        let Some(reader) = &mut self.reader else { return Ok(false) };
        let (result, _, wrote, ended) = reader.read_record(bytes, &mut self.fields[*written..], &mut self.ends[*fields..]);
        *written += wrote;
        *fields += ended;
        match result {
            ReadRecordResult::InputEmpty => Ok(false),
            ReadRecordResult::Record => Ok(true),
            _ => Err(self.error(&format!("at most {MAX_COLUMNS} fields"), "more")),
        }
    }

    fn field(&self, index: usize) -> &[u8] {
        let end = self.ends[index];
        if self.quoted {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            &self.fields[start..end]
        } else {
            let start = if index == 0 { 0 } else { self.ends[index - 1] + 1 };
            &self.line[start..end]
        }
    }
}
