//! Writes logs, a row group at a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use crate::error::LabError;
use crate::logs::{CONTEXT, Decision, Header, SCHEMA_KEY, SCHEMA_VERSION};

/// Rows of a row group.
const GROUP: usize = 100_000;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Compressed with zstd.
    Zstd,
    /// Neither compressed nor by dictionary.
    Plain,
}

/// Writes a log, a row group at a time.
pub struct Writer {
    path: PathBuf,
    file: SerializedFileWriter<File>,
    header: Header,
    lists: bool,
    rows: Vec<Decision>,
    written: u64,
}

impl Writer {
    /// Starts a file; with `candidates` it has the two lists.
    ///
    /// # Errors
    /// When it cannot be created, or a column has a name that Parquet cannot hold.
    pub fn create(path: &Path, header: Header, candidates: bool) -> Result<Self, LabError> {
        Self::packed(path, header, candidates, Packing::Zstd)
    }

    /// The same, packed as said. Numbers named `ctx_...` are written as whole ones.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn packed(path: &Path, header: Header, candidates: bool, packing: Packing) -> Result<Self, LabError> {
        let mut schema = String::from(
            "message decisions { optional binary decision (STRING); required binary policy (STRING); required int32 shelf_position; \
             required int32 position; required int32 action; required double propensity; optional double reward;",
        );
        if candidates {
            schema += "optional group candidates (LIST) { repeated group list { required int32 element; } }";
            schema += "optional group probs (LIST) { repeated group list { required double element; } }";
        }
        for name in &header.words {
            schema += &format!("optional binary {name} (STRING);");
        }
        for name in &header.numbers {
            schema += &format!("optional {} {name};", if name.starts_with(CONTEXT) { "int32" } else { "double" });
        }
        schema += "}";
        let name = |name: &&String| name.is_empty() || name.chars().any(|c| c.is_whitespace() || "(){};,=".contains(c));
        if let Some(wrong) = header.words.iter().chain(&header.numbers).find(name) {
            return Err(LabError::unreadable(format!("expected a column name without spaces and punctuation, got {wrong:?}")));
        }
        let schema =
            parse_message_type(&schema).map_err(|error| LabError::failed(format!("schema of {}: {error}", path.display())))?;
        let builder = match packing {
            Packing::Zstd => WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())),
            Packing::Plain => WriterProperties::builder()
                .set_dictionary_enabled(false)
                .set_column_dictionary_enabled(ColumnPath::from("policy"), true),
        };
        let properties = builder
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(vec![KeyValue::new(SCHEMA_KEY.to_owned(), SCHEMA_VERSION.to_owned())]))
            .build();
        let file = File::create(path).map_err(|error| LabError::file(path, "a file that can be written", error))?;
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties));
        let file = writer.map_err(|error| LabError::failed(format!("{}: {error}", path.display())))?;
        Ok(Self { path: path.to_path_buf(), file, header, lists: candidates, rows: Vec::new(), written: 0 })
    }

    /// Adds a row. Words and numbers are those of the header, in its order.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, decision: Decision) -> Result<(), LabError> {
        self.rows.push(decision);
        if self.rows.len() >= GROUP { self.flush() } else { Ok(()) }
    }

    /// Ends the file: the number of rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<u64, LabError> {
        self.flush()?;
        let path = self.path;
        self.file.close().map_err(|error| LabError::failed(format!("{}: {error}", path.display())))?;
        Ok(self.written)
    }

    fn flush(&mut self) -> Result<(), LabError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        self.written += rows.len() as u64;
        self.group(&rows).map_err(|error| LabError::failed(format!("{}: {error}", self.path.display())))
    }

    fn group(&mut self, rows: &[Decision]) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        let all = |get: &dyn Fn(&Decision) -> i32| rows.iter().map(get).collect::<Vec<i32>>();
        let text = |text: &str| ByteArray::from(text);
        let some: Vec<Option<ByteArray>> = rows.iter().map(|row| row.decision.as_deref().map(text)).collect();
        column::<ByteArrayType>(&mut group, optional(some))?;
        column::<ByteArrayType>(&mut group, (rows.iter().map(|row| text(&row.policy)).collect(), None, None))?;
        column::<Int32Type>(&mut group, (all(&|row| row.shelf_position), None, None))?;
        column::<Int32Type>(&mut group, (all(&|row| row.position), None, None))?;
        column::<Int32Type>(&mut group, (all(&|row| row.action), None, None))?;
        column::<DoubleType>(&mut group, (rows.iter().map(|row| row.propensity).collect(), None, None))?;
        column::<DoubleType>(&mut group, optional(rows.iter().map(|row| row.reward).collect()))?;
        if self.lists {
            column::<Int32Type>(&mut group, list(rows.iter().map(|row| &row.candidates[..])))?;
            column::<DoubleType>(&mut group, list(rows.iter().map(|row| &row.probabilities[..])))?;
        }
        for i in 0..self.header.words.len() {
            column::<ByteArrayType>(
                &mut group,
                optional(rows.iter().map(|row| row.words.get(i).map(|word| text(word))).collect()),
            )?;
        }
        for (i, name) in self.header.numbers.iter().enumerate() {
            let values = rows.iter().map(|row| row.numbers.get(i).copied().flatten());
            if name.starts_with(CONTEXT) {
                column::<Int32Type>(&mut group, optional(values.map(|value| value.map(|x| x as i32)).collect()))?;
            } else {
                column::<DoubleType>(&mut group, optional(values.collect()))?;
            }
        }
        group.close()?;
        Ok(())
    }
}

/// Values, definition levels, repetition levels.
type Levels<T> = (Vec<T>, Option<Vec<i16>>, Option<Vec<i16>>);

fn optional<T>(values: Vec<Option<T>>) -> Levels<T> {
    let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
    (values.into_iter().flatten().collect(), Some(levels), None)
}

fn list<'a, T: Copy + 'a>(rows: impl Iterator<Item = &'a [T]>) -> Levels<T> {
    let (mut values, mut levels, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        if row.is_empty() {
            levels.push(1);
            repeats.push(0);
        }
        for (i, value) in row.iter().enumerate() {
            values.push(*value);
            levels.push(2);
            repeats.push(i16::from(i > 0));
        }
    }
    (values, Some(levels), Some(repeats))
}

fn column<T: DataType>(
    group: &mut parquet::file::writer::SerializedRowGroupWriter<'_, File>,
    (values, levels, repeats): Levels<T::T>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns than the row".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(&values, levels.as_deref(), repeats.as_deref())?;
    column.close()
}
