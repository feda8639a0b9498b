//! Released records as Parquet, `probes` schema 1: one row for each record, in random order, nothing about how or when it came.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ears_only::privacy::{EPSILONS, ManifestId, RECORD_VERSION, RecordFields};
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::error::LabError;

/// Key in the footer of a file of released records.
pub const SCHEMA_KEY: &str = "ears_only.probes";
/// Version of the schema that this release writes, and the only one it reads.
pub const SCHEMA_VERSION: &str = "1";

/// Whole numbers of a row, in the order of the file, after the manifest.
const NUMBERS: [&str; 9] =
    ["epoch", "slot", "shelf_position", "card_position", "arm", "question", "propensity_65536ths", "epsilon_index", "symbol"];

fn numbers(record: &RecordFields) -> [i32; 9] {
    [
        record.epoch.into(),
        record.slot.into(),
        record.shelf_position.into(),
        record.card_position.into(),
        record.arm.into(),
        record.question.into(),
        record.propensity_numerator.into(),
        record.epsilon_index.into(),
        record.symbol.into(),
    ]
}

/// Writes records in the order given; that order must say nothing.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, records: &[RecordFields]) -> Result<(), LabError> {
    let failed = |error: parquet::errors::ParquetError| LabError::failed(format!("{}: {error}", path.display()));
    let columns = NUMBERS.map(|name| format!("required int32 {name};")).join(" ");
    let schema = format!("message probes {{ required binary manifest (STRING); {columns} }}");
    let schema = parse_message_type(&schema).map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![KeyValue::new(SCHEMA_KEY.to_owned(), SCHEMA_VERSION.to_owned())]))
        .build();
    let file = File::create(path).map_err(|error| LabError::file(path, "a file that can be written", error))?;
    let kept = file.try_clone().map_err(|error| LabError::file(path, "a file that can be written", error))?;
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
    let mut group = writer.next_row_group().map_err(failed)?;
    let missing = || LabError::failed(format!("{}: the schema has fewer columns than a row", path.display()));
    let ids: Vec<ByteArray> = records.iter().map(|record| ByteArray::from(record.manifest.to_string().as_str())).collect();
    let mut column = group.next_column().map_err(failed)?.ok_or_else(missing)?;
    column.typed::<ByteArrayType>().write_batch(&ids, None, None).map_err(failed)?;
    column.close().map_err(failed)?;
    for at in 0..NUMBERS.len() {
        let values: Vec<i32> = records.iter().map(|record| numbers(record)[at]).collect();
        let mut column = group.next_column().map_err(failed)?.ok_or_else(missing)?;
        column.typed::<Int32Type>().write_batch(&values, None, None).map_err(failed)?;
        column.close().map_err(failed)?;
    }
    group.close().map_err(failed)?;
    writer.close().map_err(failed)?;
    kept.sync_all().map_err(|error| LabError::file(path, "a file that can be written", error))
}

/// Reads a file of released records.
///
/// # Errors
/// When it is no whole Parquet file, has another schema version, lacks a column, or holds a value that no record can have: file, row,
/// column and value are named.
pub fn read(path: &Path) -> Result<Vec<RecordFields>, LabError> {
    let file = File::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
    let reader = SerializedFileReader::new(file).map_err(|error| LabError::file(path, "a whole Parquet file", error))?;
    let metadata = reader.metadata().file_metadata();
    let found = metadata.key_value_metadata().into_iter().flatten().find(|pair| pair.key == SCHEMA_KEY);
    let version = found.and_then(|pair| pair.value.as_deref());
    if version != Some(SCHEMA_VERSION) {
        let expected = format!("\"{SCHEMA_KEY}\" {SCHEMA_VERSION} in the footer");
        return Err(LabError::file(path, &expected, version.unwrap_or("none")));
    }
    let leaf = |name: &str| {
        let leaves = metadata.schema_descr().columns();
        let at = leaves.iter().position(|leaf| leaf.path().string() == name);
        let names = || leaves.iter().map(|leaf| leaf.path().string()).collect::<Vec<_>>().join(", ");
        at.ok_or_else(|| LabError::file(path, &format!("a column {name}"), names()))
    };
    let id_leaf = leaf("manifest")?;
    let leaves = NUMBERS.map(leaf);
    let mut records = Vec::new();
    for group in 0..reader.num_row_groups() {
        let broken = |error: parquet::errors::ParquetError| LabError::file(path, "readable rows", error);
        let group = reader.get_row_group(group).map_err(broken)?;
        let rows = group.metadata().num_rows().max(0) as usize;
        let mut ids: Vec<ByteArray> = Vec::with_capacity(rows);
        let ColumnReader::ByteArrayColumnReader(mut column) = group.get_column_reader(id_leaf).map_err(broken)? else {
            return Err(LabError::file(path, "text in the column manifest", "another type"));
        };
        column.read_records(rows, None, None, &mut ids).map_err(broken)?;
        let mut columns: Vec<Vec<i32>> = Vec::with_capacity(NUMBERS.len());
        for (name, leaf) in NUMBERS.iter().zip(&leaves) {
            let reader = group.get_column_reader(leaf.clone()?).map_err(broken)?;
            if !matches!(reader, ColumnReader::Int32ColumnReader(_)) {
                return Err(LabError::file(path, &format!("32-bit whole numbers in the column {name}"), "another type"));
            }
            let mut values = Vec::with_capacity(rows);
            get_typed_column_reader::<Int32Type>(reader).read_records(rows, None, None, &mut values).map_err(broken)?;
            columns.push(values);
        }
        if ids.len() != rows || columns.iter().any(|column| column.len() != rows) {
            return Err(LabError::file(path, &format!("{rows} rows without nulls"), "fewer"));
        }
        for row in 0..rows {
            let place = records.len() + 1;
            let values: Vec<i32> = columns.iter().map(|column| column[row]).collect();
            records.push(record(ids[row].data(), &values).map_err(|(column, expected, found)| {
                LabError::file(path, &format!("{expected} in row {place}, column {column}"), found)
            })?);
        }
    }
    Ok(records)
}

/// A row as a record; else the column, what was expected, what was found.
fn record(id: &[u8], values: &[i32]) -> Result<RecordFields, (&'static str, &'static str, String)> {
    let hex = std::str::from_utf8(id).ok().filter(|text| text.len() == 8 && text.is_ascii());
    let id = hex.and_then(|text| u32::from_str_radix(text, 16).ok());
    let id = id.ok_or_else(|| ("manifest", "eight hexadecimal digits", hex.unwrap_or("other bytes").to_owned()))?;
    let whole = |at: usize, low: i32, high: i32, expected: &'static str| {
        let value = values[at];
        if (low..=high).contains(&value) { Ok(value) } else { Err((NUMBERS[at], expected, value.to_string())) }
    };
    Ok(RecordFields {
        version: RECORD_VERSION,
        epoch: whole(0, 0, 4_095, "0 to 4095")? as u16,
        manifest: ManifestId(id.to_be_bytes()),
        slot: whole(1, 0, 15, "0 to 15")? as u8,
        shelf_position: whole(2, 0, 31, "0 to 31")? as u8,
        card_position: whole(3, 0, 31, "0 to 31")? as u8,
        arm: whole(4, 0, 1_023, "0 to 1023")? as u16,
        question: whole(5, 0, 63, "0 to 63")? as u8,
        propensity_numerator: whole(6, 1, 65_535, "1 to 65535")? as u16,
        epsilon_index: whole(7, 0, EPSILONS.len() as i32 - 1, "a known index")? as u8,
        symbol: whole(8, 0, 63, "0 to 63")? as u8,
    })
}
