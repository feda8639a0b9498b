//! Parquet, with flat columns, lists, and groups whose fields are columns of their own.
//!
//! The column reader of the `parquet` crate is used without Arrow, a few thousand rows at a time.

use std::fs::File;
use std::path::Path;

use parquet::basic::{Compression, ConvertedType, Repetition};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, Type};

use super::{Cell, MAX_COLUMNS, TakeRow};
use crate::error::LabError;

/// Rows that are read at a time.
const BATCH: usize = 4096;

pub fn read(path: &Path, file: File, take: &mut TakeRow<'_>) -> Result<(), LabError> {
    let reader = SerializedFileReader::new(file).map_err(|error| LabError::file(path, "a whole Parquet file", error))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    if schema.num_columns() > MAX_COLUMNS {
        return Err(LabError::file(path, &format!("at most {MAX_COLUMNS} columns"), schema.num_columns()));
    }
    let names: Vec<String> = schema.columns().iter().map(|column| name(column)).collect();
    if let Some(twice) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        return Err(LabError::file(path, "different names of columns", format!("{} twice", twice.1)));
    }
    let mut columns: Vec<Column> =
        schema.columns().iter().enumerate().map(|(place, column)| Column::new(column, schema.get_column_root(place))).collect();
    let mut before = 0_u64;
    for (number, about) in reader.metadata().row_groups().iter().enumerate() {
        let first = before + 1;
        let wrong = |error: ParquetError| {
            LabError::file(path, "readable Parquet", format!("{error} (row group {number}, from row {first})"))
        };
        packed(about)
            .map_err(|found| LabError::file(path, PACKINGS, format!("{found} (row group {number}, from row {first})")))?;
        let group = reader.get_row_group(number).map_err(wrong)?;
        let mut readers =
            (0..names.len()).map(|place| group.get_column_reader(place)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let mut left = usize::try_from(about.num_rows()).unwrap_or(0);
        while left > 0 {
            let count = left.min(BATCH);
            for (column, reader) in columns.iter_mut().zip(&mut readers) {
                let read = column.read(reader, count).map_err(wrong)?;
                if read != count {
                    let found = format!("{read} (row group {number}, from row {first})");
                    return Err(LabError::file(path, &format!("{count} rows of the column {}", column.name), found));
                }
            }
            rows(&names, &columns, count, take)?;
            left -= count;
            before += count as u64;
        }
    }
    Ok(())
}

/// What this program unpacks.
const PACKINGS: &str = "columns that are plain or packed by Snappy, Gzip, LZ4 or Zstandard";

/// Refuses a column that is packed in another way.
fn packed(group: &RowGroupMetaData) -> Result<(), String> {
    let known = |packing: Compression| {
        use Compression::{GZIP, LZ4, LZ4_RAW, SNAPPY, UNCOMPRESSED, ZSTD};
        matches!(packing, UNCOMPRESSED | SNAPPY | GZIP(_) | LZ4 | LZ4_RAW | ZSTD(_))
    };
    match group.columns().iter().find(|column| !known(column.compression())) {
        Some(column) => Err(format!("{} in the column {}", column.compression_codec(), column.column_path().string())),
        None => Ok(()),
    }
}

/// Hands over the rows that the columns hold.
fn rows(names: &[String], columns: &[Column], count: usize, take: &mut TakeRow<'_>) -> Result<(), LabError> {
    let lists: Vec<Vec<Cell<'_>>> =
        columns
            .iter()
            .map(|column| {
                if column.repeated > 0 { column.cells.iter().map(|held| held.cell(&column.bytes)).collect() } else { Vec::new() }
            })
            .collect();
    let mut cells = Vec::with_capacity(columns.len());
    for row in 0..count {
        cells.clear();
        for (column, items) in columns.iter().zip(&lists) {
            cells.push(if column.repeated == 0 {
                column.cells[row].cell(&column.bytes)
            } else {
                match column.lists[row] {
                    Some((start, end)) => Cell::List { items: &items[start..end], depth: column.repeated.unsigned_abs() as u8 },
                    None => Cell::Missing,
                }
            });
        }
        take(names, &cells)?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Held {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Place among the bytes of the column.
    Bytes(usize),
}

impl Held {
    #[inline]
    fn cell(self, bytes: &[ByteArray]) -> Cell<'_> {
        match self {
            Held::Missing => Cell::Missing,
            Held::Bool(truth) => Cell::Bool(truth),
            Held::Int(number) => Cell::Int(number),
            Held::Float(number) => Cell::Float(number),
            Held::Bytes(place) => Cell::Text(bytes[place].data()),
        }
    }
}

/// How whole numbers and bytes are meant.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    Plain,
    Unsigned,
    /// Digits behind the point.
    Decimal(i32),
}

/// A column and the rows of it that were read last.
struct Column {
    name: String,
    /// The level of a value that is there.
    full: i16,
    /// Lists in lists.
    repeated: i16,
    /// The level from which on a list is there, if empty.
    list: i16,
    /// The level from which on an item is there, be it null.
    item: i16,
    meaning: Meaning,
    definition: Vec<i16>,
    repetition: Vec<i16>,
    /// Values, and what is missing between them; one for each row, or the items of all lists.
    cells: Vec<Held>,
    bytes: Vec<ByteArray>,
    lists: Vec<Option<(usize, usize)>>,
}

impl Column {
    fn new(descriptor: &ColumnDescriptor, root: &Type) -> Self {
        let (full, repeated) = (descriptor.max_def_level(), descriptor.max_rep_level());
        let (list, item) = list_levels(root, descriptor.path().parts());
        let meaning = match descriptor.converted_type() {
            ConvertedType::DECIMAL => Meaning::Decimal(descriptor.type_scale()),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64 => Meaning::Unsigned,
            _ => Meaning::Plain,
        };
        Self {
            name: name(descriptor),
            full,
            repeated,
            list,
            item,
            meaning,
            definition: Vec::new(),
            repetition: Vec::new(),
            cells: Vec::new(),
            bytes: Vec::new(),
            lists: Vec::new(),
        }
    }

    /// Reads the next rows and returns how many there were.
    fn read(&mut self, reader: &mut ColumnReader, count: usize) -> Result<usize, ParquetError> {
        self.definition.clear();
        self.repetition.clear();
        self.cells.clear();
        self.bytes.clear();
        self.lists.clear();
        let meaning = self.meaning;
        let read = match reader {
            ColumnReader::BoolColumnReader(reader) => self.values(reader, count, |truth, _| Held::Bool(*truth)),
            ColumnReader::Int32ColumnReader(reader) => self.values(reader, count, |number, _| match meaning {
                Meaning::Plain => Held::Int(i64::from(*number)),
                Meaning::Unsigned => Held::Int(i64::from(number.cast_unsigned())),
                Meaning::Decimal(scale) => Held::Float(scaled(f64::from(*number), scale)),
            }),
            ColumnReader::Int64ColumnReader(reader) => self.values(reader, count, |number, _| match meaning {
                Meaning::Plain => Held::Int(*number),
                Meaning::Unsigned if *number < 0 => Held::Float(number.cast_unsigned() as f64),
                Meaning::Unsigned => Held::Int(*number),
                Meaning::Decimal(scale) => Held::Float(scaled(*number as f64, scale)),
            }),
            ColumnReader::Int96ColumnReader(reader) => self.values(reader, count, |time, _| Held::Int(time.to_millis())),
            ColumnReader::FloatColumnReader(reader) => self.values(reader, count, |number, _| Held::Float(f64::from(*number))),
            ColumnReader::DoubleColumnReader(reader) => self.values(reader, count, |number, _| Held::Float(*number)),
            ColumnReader::ByteArrayColumnReader(reader) => {
                self.values(reader, count, |bytes: &ByteArray, held| of_bytes(bytes, meaning, held))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                self.values(reader, count, |bytes: &FixedLenByteArray, held| of_bytes(bytes, meaning, held))
            }
        }?;
        if self.repeated > 0 {
            self.cut();
        }
        Ok(read)
    }

    fn values<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        count: usize,
        hold: impl Fn(&T::T, &mut Vec<ByteArray>) -> Held,
    ) -> Result<usize, ParquetError> {
        let mut values = Vec::with_capacity(count);
        let mut rows = 0;
        while rows < count {
            let definition = (self.full > 0).then_some(&mut self.definition);
            let repetition = (self.repeated > 0).then_some(&mut self.repetition);
            let (read, _, levels) = reader.read_records(count - rows, definition, repetition, &mut values)?;
            if read == 0 && levels == 0 {
                break;
            }
            rows += read;
        }
        if self.full == 0 {
            self.cells.extend(values.iter().map(|value| hold(value, &mut self.bytes)));
            return Ok(rows);
        }
        let mut values = values.iter();
        for level in &self.definition {
            let held = if *level == self.full { values.next().map(|value| hold(value, &mut self.bytes)) } else { None };
            self.cells.push(held.unwrap_or(Held::Missing));
        }
        Ok(rows)
    }

    /// Cuts the items into the lists of the rows. Places without an item are left out.
    fn cut(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        for ((held, level), repeat) in cells.into_iter().zip(&self.definition).zip(&self.repetition) {
            let at = self.cells.len();
            if *repeat == 0 {
                self.lists.push((*level >= self.list).then_some((at, at)));
            }
            if *level >= self.item {
                self.cells.push(held);
                if let Some(Some((_, end))) = self.lists.last_mut() {
                    *end = at + 1;
                }
            }
        }
    }
}

/// The levels from which on the outermost list of a column and the items of its innermost list are there: each group that may be missing counts
/// one level, each repeated one another.
fn list_levels(root: &Type, path: &[String]) -> (i16, i16) {
    let (mut at, mut level, mut list, mut item) = (root, 0, None, 0);
    for (depth, part) in path.iter().enumerate() {
        if depth > 0 {
            let Some(field) = at.get_fields().iter().find(|field| field.name() == part) else { break };
            at = field;
        }
        match at.get_basic_info().repetition() {
            Repetition::REPEATED => {
                list.get_or_insert(level);
                level += 1;
                item = level;
            }
            Repetition::OPTIONAL => level += 1,
            Repetition::REQUIRED => {}
        }
    }
    (list.unwrap_or(0), item)
}

fn of_bytes(bytes: &impl AsBytes, meaning: Meaning, held: &mut Vec<ByteArray>) -> Held {
    if let Meaning::Decimal(scale) = meaning {
        // Big-endian, two's complement.
        let digits = bytes.bytes();
        let negative = digits.first().is_some_and(|byte| byte & 0x80 > 0);
        let whole = digits.iter().fold(if negative { -1.0 } else { 0.0 }, |number: f64, byte| number * 256.0 + f64::from(*byte));
        return Held::Float(scaled(whole, scale));
    }
    held.push(bytes.array());
    Held::Bytes(held.len() - 1)
}

/// Both kinds of bytes.
trait AsBytes {
    fn bytes(&self) -> &[u8];
    fn array(&self) -> ByteArray;
}

impl AsBytes for ByteArray {
    fn bytes(&self) -> &[u8] {
        self.data()
    }

    fn array(&self) -> ByteArray {
        self.clone()
    }
}

impl AsBytes for FixedLenByteArray {
    fn bytes(&self) -> &[u8] {
        self.data()
    }

    fn array(&self) -> ByteArray {
        ByteArray::clone(self)
    }
}

fn scaled(number: f64, scale: i32) -> f64 {
    number / libm::pow(10.0, f64::from(scale))
}

/// The path of a column, without the groups that only make a list.
fn name(descriptor: &ColumnDescriptor) -> String {
    let parts = descriptor.path().parts();
    let mut names: Vec<&str> = parts.iter().map(String::as_str).collect();
    let mut lists = descriptor.max_rep_level();
    // `list.element`, `bag.array_element`, `array`: what writers put between a list and its items.
    while lists > 0 {
        match names.as_slice() {
            [_, .., "list" | "bag", "element" | "item" | "array_element" | "array"] => names.truncate(names.len() - 2),
            [_, .., "array" | "element" | "item"] => names.truncate(names.len() - 1),
            _ => break,
        }
        lists -= 1;
    }
    names.join(".")
}
