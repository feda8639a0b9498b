//! Reads and writes logs as Parquet, a few thousand rows at a time.
//!
//! The column reader of the `parquet` crate is used as it is, without Arrow: the columns are flat numbers, words and two lists. Pages of plain
//! numbers without missing ones are copied past it, or lent where the file is mapped into memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use self::direct::Direct;
use self::plain::{Next, Plain, copy, width};
use self::source::{Mapped, Source};
use super::{Place, SCHEMA_KEY, SCHEMA_VERSION};
use crate::error::LabError;

mod direct;
mod plain;
mod source;
mod writer;

pub use writer::{Packing, Writer};

/// Rows that are read at a time.
pub const BATCH: usize = 8_192;
/// Rows that are read at a time where columns are lent, which takes no memory.
pub const LENT_BATCH: usize = 4 * BATCH;
/// Rows after which the memory of what was read is given back.
const KEPT: u64 = 64 * BATCH as u64;

/// A number of eight bytes as it stands in memory, wherever that is.
pub type Stored = [u8; 8];

/// One file of a log, opened.
pub struct LogFile {
    path: PathBuf,
    reader: SerializedFileReader<Source>,
    /// The same file in memory, where the system can do that.
    mapped: Option<(Mapped, Bytes)>,
    /// Leaf columns by path.
    columns: BTreeMap<String, usize>,
    /// Rows before each row group.
    starts: Vec<u64>,
    rows: u64,
}

impl LogFile {
    /// Opens a file and checks its schema version and that the columns every log has are there.
    ///
    /// # Errors
    /// When it is no Parquet file, is cut short, has another schema version or lacks a column.
    pub fn open(path: &Path) -> Result<Self, LabError> {
        let source = Source::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
        let mapped = Mapped::of(&source, path).map(|mapped| (mapped.clone(), mapped.bytes()));
        let reader = SerializedFileReader::new(source).map_err(|error| LabError::file(path, "a whole Parquet file", error))?;
        let metadata = reader.metadata();
        let version = version(metadata);
        if version != Some(SCHEMA_VERSION) {
            let expected = format!("\"{SCHEMA_KEY}\" {SCHEMA_VERSION} in the footer");
            return Err(LabError::file(path, &expected, version.unwrap_or("none")));
        }
        let leaves = metadata.file_metadata().schema_descr().columns();
        let columns: BTreeMap<String, usize> = leaves.iter().enumerate().map(|(i, leaf)| (leaf.path().string(), i)).collect();
        let mut starts = Vec::new();
        let mut rows = 0;
        for group in metadata.row_groups() {
            for chunk in group.columns() {
                let places = [Some(chunk.data_page_offset()), chunk.dictionary_page_offset(), Some(chunk.compressed_size())];
                if let Some(wrong) = places.into_iter().flatten().find(|place| *place < 0) {
                    return Err(LabError::file(path, "pages at places in the file", format!("one at {wrong}")));
                }
            }
            starts.push(rows);
            rows += group.num_rows().max(0) as u64;
        }
        let log = Self { path: path.to_path_buf(), reader, mapped, columns, starts, rows };
        for required in ["policy", "shelf_position", "position", "action", "propensity", "reward"] {
            log.leaf(required)?;
        }
        Ok(log)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows, by the footer.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Row groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.starts.len()
    }

    /// Rows of a row group.
    #[must_use]
    pub fn rows_of(&self, group: usize) -> u64 {
        self.starts.get(group + 1).copied().unwrap_or(self.rows) - self.starts[group]
    }

    /// Rows before a row group.
    #[must_use]
    pub fn start_of(&self, group: usize) -> u64 {
        self.starts[group]
    }

    /// Whether there is such a column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// Names of all columns with a prefix, in order of name.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.columns.keys().map(String::as_str).filter(move |name| name.starts_with(prefix) && !name.contains('.'))
    }

    /// Whether a column holds words rather than numbers.
    #[must_use]
    pub fn is_words(&self, column: &str) -> bool {
        let descriptor = self.reader.metadata().file_metadata().schema_descr();
        self.columns.get(column).is_some_and(|i| descriptor.column(*i).physical_type() == Physical::BYTE_ARRAY)
    }

    /// The one word that a column holds in every row, if the statistics of every row group say so.
    #[must_use]
    pub fn only_word(&self, column: &str) -> Option<String> {
        let leaf = *self.columns.get(column)?;
        let mut only: Option<&[u8]> = None;
        for group in self.reader.metadata().row_groups() {
            let statistics = group.column(leaf).statistics()?;
            let exact = statistics.min_is_exact() && statistics.max_is_exact() && statistics.null_count_opt() == Some(0);
            let (least, most) = (statistics.min_bytes_opt()?, statistics.max_bytes_opt()?);
            if !exact || least != most || only.is_some_and(|only| only != least) {
                return None;
            }
            only = Some(least);
        }
        only.and_then(|word| std::str::from_utf8(word).ok()).map(str::to_owned)
    }

    /// Whether no row of a group has a word in a column. The footer is believed only when it says otherwise.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn is_blank(&self, group: usize, column: &str) -> Result<bool, LabError> {
        let chunk = self.reader.metadata().row_group(group).column(self.leaf(column)?);
        let missing = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
        if missing.is_some_and(|missing| i64::try_from(missing) != Ok(chunk.num_values())) {
            return Ok(false);
        }
        let wanted = Wanted { words: vec![column.to_owned()], ..Wanted::default() };
        let mut blank = true;
        self.read(group, &wanted, &mut |batch| {
            blank &= batch.words[0].is_blank();
            Ok(())
        })?;
        Ok(blank)
    }

    fn leaf(&self, column: &str) -> Result<usize, LabError> {
        let names = || self.columns.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let leaf = self.columns.get(column).copied();
        leaf.ok_or_else(|| LabError::file(&self.path, &format!("a column {column}"), names()))
    }

    /// Leaf of a list, whatever its inner groups are called.
    fn list(&self, column: &str) -> Option<usize> {
        let inside = |name: &&String| name.strip_prefix(column).is_some_and(|rest| rest.starts_with('.'));
        self.columns.keys().find(inside).and_then(|name| self.columns.get(name)).copied()
    }

    /// Whether the candidates of each decision and their probabilities were logged.
    #[must_use]
    pub fn has_candidates(&self) -> bool {
        self.list("candidates").is_some() && self.list("probs").is_some()
    }

    /// Reads the wanted columns of a row group, a batch at a time.
    ///
    /// # Errors
    /// When a column is missing or cannot be decoded, or `take` refuses.
    pub fn read(
        &self,
        group: usize,
        wanted: &Wanted,
        take: &mut dyn FnMut(&Batch) -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        self.read_first(group, u64::MAX, wanted, take)
    }

    /// The same for the first `most` rows of the group.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_first(
        &self,
        group: usize,
        most: u64,
        wanted: &Wanted,
        take: &mut dyn FnMut(&Batch) -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        let start = self.starts[group];
        let broken = |row: u64| {
            move |error: ParquetError| LabError::file(&self.path, &format!("readable rows from row {}", row + 1), error)
        };
        let row_group = self.reader.get_row_group(group).map_err(broken(start))?;
        let rows = (row_group.metadata().num_rows().max(0) as u64).min(most);
        let mut numbers = Vec::new();
        for (number, name) in wanted.numbers.iter().enumerate() {
            numbers.push(self.numbers(&*row_group, name, wanted.lent.contains(&number), broken(start))?);
        }
        let in_memory = numbers.iter().any(|reader| matches!(reader.reader, Reader::Direct(_)));
        let mut words = Vec::new();
        for name in &wanted.words {
            words.push(self.words(&*row_group, name, broken(start))?);
        }
        let mut lists = Vec::new();
        if wanted.candidates {
            for name in ["candidates", "probs"] {
                let leaf = self.list(name).ok_or_else(|| LabError::file(&self.path, &format!("a list {name}"), "none"))?;
                let column = self.reader.metadata().file_metadata().schema_descr().column(leaf);
                let reader = row_group.get_column_reader(leaf).map_err(broken(start))?;
                lists.push(ListReader { reader, full: column.max_def_level(), name: name.to_owned() });
            }
        }
        let mut batch = Batch {
            file: self.path.clone(),
            first: 0,
            rows: 0,
            numbers: vec![Column::default(); numbers.len()],
            words: vec![Words::default(); words.len()],
            candidates: List::default(),
            probabilities: List::default(),
        };
        let most = if wanted.lent.is_empty() { BATCH } else { LENT_BATCH };
        let mut done = 0;
        while done < rows {
            let count = (rows - done).min(most as u64) as usize;
            let at = start + done;
            batch.first = at;
            batch.rows = count;
            for (reader, column) in numbers.iter_mut().zip(&mut batch.numbers) {
                reader.read(count, column).map_err(broken(at))?;
            }
            for (reader, column) in words.iter_mut().zip(&mut batch.words) {
                reader.read(count, column).map_err(broken(at))?;
            }
            for (reader, list) in lists.iter_mut().zip([&mut batch.candidates, &mut batch.probabilities]) {
                reader.read(count, list).map_err(broken(at))?;
            }
            take(&batch)?;
            done += count as u64;
            if in_memory && (done == rows || done.is_multiple_of(KEPT)) {
                batch.numbers.iter_mut().for_each(|column| column.lent.clear());
                self.release(group);
            }
        }
        Ok(())
    }

    /// Gives back the memory of what was read of a row group.
    fn release(&self, group: usize) {
        let Some((mapped, _)) = &self.mapped else { return };
        let ranges = self.reader.metadata().row_group(group).columns().iter().map(|chunk| chunk.byte_range());
        let (start, end) = ranges.fold((u64::MAX, 0), |(start, end), (at, length)| (start.min(at), end.max(at + length)));
        mapped.release(start..end);
    }

    fn numbers(
        &self,
        group: &dyn RowGroupReader,
        name: &str,
        lend: bool,
        broken: impl Fn(ParquetError) -> LabError,
    ) -> Result<NumberReader, LabError> {
        let leaf = self.leaf(name)?;
        let column = self.reader.metadata().file_metadata().schema_descr().column(leaf);
        if column.max_rep_level() > 0 || column.physical_type() == Physical::BYTE_ARRAY {
            return Err(LabError::file(&self.path, &format!("numbers in column {name}"), column.physical_type()));
        }
        let (physical, full) = (column.physical_type(), column.max_def_level());
        let direct = self.mapped.as_ref().and_then(|(_, bytes)| Direct::open(bytes, group.metadata().column(leaf)));
        let reader = match direct {
            Some(direct) => Reader::Direct(direct),
            None => Reader::Plain(Plain::new(column, group.get_column_page_reader(leaf).map_err(broken)?)),
        };
        Ok(NumberReader { reader, physical, full, lend, name: name.to_owned(), scratch: Scratch::default() })
    }

    fn words(
        &self,
        group: &dyn RowGroupReader,
        name: &str,
        broken: impl Fn(ParquetError) -> LabError,
    ) -> Result<WordReader, LabError> {
        let leaf = self.leaf(name)?;
        let column = self.reader.metadata().file_metadata().schema_descr().column(leaf);
        if column.max_rep_level() > 0 || column.physical_type() != Physical::BYTE_ARRAY {
            return Err(LabError::file(&self.path, &format!("words in column {name}"), column.physical_type()));
        }
        let pages = group.get_column_page_reader(leaf).map_err(broken)?;
        let full = column.max_def_level();
        Ok(WordReader { reader: Reader::Plain(Plain::new(column, pages)), full, name: name.to_owned() })
    }
}

fn version(metadata: &ParquetMetaData) -> Option<&str> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == SCHEMA_KEY).and_then(|pair| pair.value.as_deref())
}

/// Which columns to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Columns of numbers.
    pub numbers: Vec<String>,
    /// Columns of words.
    pub words: Vec<String>,
    /// The lists of candidates and their probabilities.
    pub candidates: bool,
    /// Which of `numbers` may stay where the file has them, for [`Column::stretches`].
    pub lent: Vec<usize>,
}

/// A column of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// One for each row; not a number where missing. None at all where they are lent.
    pub values: Vec<f64>,
    /// Whether each row is missing; empty when none can be.
    pub missing: Vec<bool>,
    /// The values where the file has them, one stretch after the other.
    lent: Vec<Bytes>,
}

impl Column {
    /// The values in stretches, wherever they stand.
    #[must_use]
    pub fn stretches(&self) -> Vec<&[Stored]> {
        if self.lent.is_empty() {
            return vec![bytemuck::cast_slice(&self.values)];
        }
        self.lent.iter().map(|bytes| bytes.as_chunks().0).collect()
    }

    /// Copies what is lent to `values`.
    fn own(&mut self) {
        let lent = std::mem::take(&mut self.lent);
        self.values.extend(lent.iter().flat_map(|bytes| bytes.as_chunks().0).map(|x| f64::from_ne_bytes(*x)));
    }

    /// Marks the rows up to the last one, as far as they are not marked yet, once any row is missing.
    fn extend_missing(&mut self, missing: bool) {
        if missing || !self.missing.is_empty() {
            self.missing.resize(self.values.len(), missing);
        }
    }

    /// From here on rows are marked.
    fn some_missing(&mut self) {
        self.missing.resize(self.values.len(), false);
    }

    /// Whether no row is missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether a row has no value.
    #[must_use]
    pub fn is_missing(&self, row: usize) -> bool {
        self.missing.get(row).copied().unwrap_or(false)
    }
}

/// A column of words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words(Vec<Option<ByteArray>>);

impl Words {
    /// The word of a row, if it has one.
    #[must_use]
    pub fn of(&self, row: usize) -> Option<&[u8]> {
        self.0.get(row)?.as_ref().map(ByteArray::data)
    }

    /// The same as text; empty where there is none.
    #[must_use]
    pub fn text(&self, row: usize) -> String {
        self.of(row).map_or_else(String::new, |word| String::from_utf8_lossy(word).into_owned())
    }

    /// Whether no row has a word.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// A column of lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    values: Vec<f64>,
    /// Where each row's list ends.
    ends: Vec<usize>,
}

impl List {
    /// The list of a row.
    #[must_use]
    pub fn of(&self, row: usize) -> &[f64] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.values[start..self.ends[row]]
    }
}

/// Rows in memory, column by column.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    file: PathBuf,
    first: u64,
    /// Rows.
    pub rows: usize,
    /// The columns of numbers, as asked for.
    pub numbers: Vec<Column>,
    /// The columns of words, as asked for; nothing where missing.
    pub words: Vec<Words>,
    /// Candidates, when asked for.
    pub candidates: List,
    /// Their probabilities.
    pub probabilities: List,
}

impl Batch {
    /// Where a row stands.
    #[must_use]
    pub fn place(&self, row: usize) -> Place {
        Place { file: self.file.clone(), row: self.first + row as u64 + 1 }
    }

    /// Name of the file, without its folder.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The same, with nothing lent.
    #[must_use]
    pub fn owned(&self) -> Self {
        let mut batch = self.clone();
        batch.numbers.iter_mut().for_each(Column::own);
        batch
    }

    /// Number of a row within its file, from 0.
    #[must_use]
    pub fn number(&self, row: usize) -> u64 {
        self.first + row as u64
    }
}

#[derive(Default)]
struct Scratch {
    levels: Vec<i16>,
    doubles: Vec<f64>,
    floats: Vec<f32>,
    longs: Vec<i64>,
    shorts: Vec<i32>,
    words: Vec<bool>,
}

/// A flat column, as far as it was read.
enum Reader {
    Direct(Direct),
    Plain(Plain),
    /// From the first page on that is not plain.
    Decoder(Box<ColumnReader>),
}

struct NumberReader {
    reader: Reader,
    physical: Physical,
    full: i16,
    /// Whether values may stay where the file has them.
    lend: bool,
    name: String,
    scratch: Scratch,
}

fn short(name: &str) -> ParquetError {
    ParquetError::EOF(format!("column {name} ends before its row group"))
}

/// Reads exactly `count` records.
fn fill<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    name: &str,
    mut levels: Option<&mut Vec<i16>>,
    mut repeats: Option<&mut Vec<i16>>,
    values: &mut Vec<T::T>,
) -> Result<(), ParquetError> {
    let mut read = 0;
    while read < count {
        let (records, _, _) = reader.read_records(count - read, levels.as_deref_mut(), repeats.as_deref_mut(), values)?;
        if records == 0 {
            return Err(short(name));
        }
        read += records;
    }
    Ok(())
}

impl NumberReader {
    fn read(&mut self, count: usize, column: &mut Column) -> Result<(), ParquetError> {
        if let Reader::Direct(direct) = &mut self.reader {
            return if direct.read(count, self.lend, column) { Ok(()) } else { Err(short(&self.name)) };
        }
        column.lent.clear();
        column.values.clear();
        column.missing.clear();
        while column.values.len() < count {
            let left = count - column.values.len();
            match &mut self.reader {
                Reader::Plain(pages) => match pages.next(left)? {
                    Next::Values(bytes) => {
                        let start = column.values.len();
                        column.values.resize(start + bytes.len() / width(self.physical).unwrap_or(1), 0.0);
                        copy(self.physical, &bytes, &mut column.values[start..]);
                        column.extend_missing(false);
                    }
                    Next::Missing(rows) => {
                        column.some_missing();
                        column.values.resize(column.values.len() + rows, f64::NAN);
                        column.extend_missing(true);
                    }
                    Next::Other(reader) => self.reader = Reader::Decoder(reader),
                    Next::End => return Err(short(&self.name)),
                },
                Reader::Decoder(_) => self.decode(left, column)?,
                Reader::Direct(_) => return Err(short(&self.name)),
            }
        }
        Ok(())
    }

    /// The next `count` rows by the column reader.
    fn decode(&mut self, count: usize, column: &mut Column) -> Result<(), ParquetError> {
        let Self { reader, full, name, scratch, .. } = self;
        let Reader::Decoder(reader) = reader else { return Ok(()) };
        let start = column.values.len();
        scratch.levels.clear();
        let levels = (*full > 0).then_some(&mut scratch.levels);
        macro_rules! converted {
            ($reader:expr, $buffer:expr, $convert:expr) => {{
                $buffer.clear();
                fill($reader, count, name, levels, None, &mut $buffer)?;
                column.values.extend($buffer.iter().map($convert));
            }};
        }
        match reader.as_mut() {
            ColumnReader::DoubleColumnReader(reader) => converted!(reader, scratch.doubles, |x| *x),
            ColumnReader::FloatColumnReader(reader) => converted!(reader, scratch.floats, |x| f64::from(*x)),
            ColumnReader::Int32ColumnReader(reader) => converted!(reader, scratch.shorts, |x| f64::from(*x)),
            ColumnReader::Int64ColumnReader(reader) => converted!(reader, scratch.longs, |x| *x as f64),
            ColumnReader::BoolColumnReader(reader) => converted!(reader, scratch.words, |x| f64::from(u8::from(*x))),
            _ => return Err(ParquetError::General(format!("column {name} holds no numbers"))),
        }
        if *full > 0 && column.values.len() < start + count {
            column.missing.resize(start, false);
            // Values stand packed; each goes to its row, from the back.
            column.missing.extend(scratch.levels.iter().map(|level| level < full));
            let mut from = column.values.len();
            column.values.resize(start + count, f64::NAN);
            for row in (start..start + count).rev() {
                if column.missing[row] {
                    column.values[row] = f64::NAN;
                } else {
                    from = from.checked_sub(1).filter(|from| *from >= start).ok_or_else(|| short(name))?;
                    column.values[row] = column.values[from];
                }
            }
        } else {
            column.extend_missing(false);
        }
        Ok(())
    }
}

struct WordReader {
    reader: Reader,
    full: i16,
    name: String,
}

impl WordReader {
    fn read(&mut self, count: usize, column: &mut Words) -> Result<(), ParquetError> {
        column.0.clear();
        let mut missing = 0;
        while column.0.len().max(missing) < count {
            let left = count - column.0.len().max(missing);
            match &mut self.reader {
                Reader::Plain(pages) => match pages.next(left)? {
                    Next::Missing(rows) if column.0.is_empty() => missing += rows,
                    Next::Missing(rows) => column.0.resize(column.0.len() + rows, None),
                    Next::Other(reader) => self.reader = Reader::Decoder(reader),
                    Next::Values(_) | Next::End => return Err(short(&self.name)),
                },
                Reader::Direct(_) => return Err(short(&self.name)),
                Reader::Decoder(reader) => {
                    let ColumnReader::ByteArrayColumnReader(reader) = reader.as_mut() else {
                        return Err(ParquetError::General(format!("column {} holds no words", self.name)));
                    };
                    column.0.resize(column.0.len().max(missing), None);
                    let (mut levels, mut values) = (Vec::new(), Vec::with_capacity(left));
                    fill(reader, left, &self.name, (self.full > 0).then_some(&mut levels), None, &mut values)?;
                    if self.full == 0 {
                        column.0.extend(values.into_iter().map(Some));
                    } else {
                        let mut values = values.into_iter();
                        column.0.extend(levels.iter().map(|level| if *level < self.full { None } else { values.next() }));
                    }
                }
            }
        }
        Ok(())
    }
}

struct ListReader {
    reader: ColumnReader,
    full: i16,
    name: String,
}

impl ListReader {
    fn read(&mut self, count: usize, list: &mut List) -> Result<(), ParquetError> {
        let (mut levels, mut repeats) = (Vec::new(), Vec::new());
        list.values.clear();
        list.ends.clear();
        macro_rules! values {
            ($reader:expr, $convert:expr) => {{
                let mut values = Vec::new();
                fill($reader, count, &self.name, Some(&mut levels), Some(&mut repeats), &mut values)?;
                list.values.extend(values.iter().map($convert));
            }};
        }
        match &mut self.reader {
            ColumnReader::DoubleColumnReader(reader) => values!(reader, |x| *x),
            ColumnReader::FloatColumnReader(reader) => values!(reader, |x| f64::from(*x)),
            ColumnReader::Int32ColumnReader(reader) => values!(reader, |x| f64::from(*x)),
            ColumnReader::Int64ColumnReader(reader) => values!(reader, |x| *x as f64),
            _ => return Err(ParquetError::General(format!("list {} holds no numbers", self.name))),
        }
        let mut end = 0;
        for (level, repeat) in levels.iter().zip(&repeats) {
            if *repeat == 0 {
                list.ends.push(end);
            }
            end += usize::from(*level == self.full);
            if let Some(last) = list.ends.last_mut() {
                *last = end;
            }
        }
        if list.ends.len() == count && end == list.values.len() { Ok(()) } else { Err(short(&self.name)) }
    }
}

#[cfg(test)]
mod tests;
