//! Tables of any length with the columns of a decision log, to time `validate` and what it is compared with.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

use crate::error::LabError;

/// The columns: 4 whole numbers, 3 texts, 5 numbers of 64 bits, 3 of 32 bits, of which the last is missing in 5 % of the rows.
const SCHEMA: &str = "message log {
    required int32 hour; required binary tier (UTF8); required binary platform (UTF8); required binary country (UTF8);
    required int32 slot; required int32 action; required double p_log; required double p_a; required double p_b;
    required double q_hat; required double reward; required float x0; required float x1; optional float x2;
}";
const TIERS: [(&str, f64); 4] = [("free", 0.55), ("premium", 0.3), ("family", 0.1), ("student", 0.05)];
const PLATFORMS: [&str; 5] = ["ios", "android", "web", "desktop", "tv"];
const COUNTRIES: f64 = 40.0;
/// Rows of a group in Parquet.
const GROUP: u64 = 250_000;

/// One row.
#[derive(Clone, Copy, Debug)]
struct Row {
    whole: [i32; 3],
    tier: &'static str,
    platform: &'static str,
    country: u8,
    numbers: [f64; 5],
    x: [f32; 2],
    last: Option<f32>,
}

struct Rows {
    rng: Pcg64Mcg,
}

impl Rows {
    fn new(seed: u64) -> Self {
        Self { rng: Pcg64Mcg::new(u128::from(super::sketch::mix(seed)) << 64 | u128::from(seed) << 1 | 1) }
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: f64) -> i32 {
        (self.unit() * end) as i32
    }

    fn next(&mut self) -> Row {
        let mut at = self.unit();
        let tier = TIERS.iter().find(|(_, share)| {
            at -= share;
            at < 0.0
        });
        let action = self.below(20.0);
        let logged = 0.01 + 0.49 * self.unit();
        let (a, b) = (logged * (0.2 + 1.8 * self.unit()), logged * (0.5 + self.unit()));
        let chance = if action % 3 == 0 { 0.2 } else { 0.1 };
        // Sums of evenly distributed numbers are as good as any for a test of speed.
        let bell = |rows: &mut Self| (rows.unit() + rows.unit() + rows.unit() - 1.5) as f32 * 2.0;
        Row {
            whole: [self.below(24.0), self.below(10.0), action],
            tier: tier.map_or("free", |(name, _)| *name),
            platform: PLATFORMS[self.below(5.0) as usize % 5],
            country: (-8.0 * libm::log(1.0 - self.unit())).min(COUNTRIES - 1.0) as u8,
            numbers: [logged, a.min(1.0), b.min(1.0), 0.3 * self.unit(), f64::from(u8::from(self.unit() < chance))],
            x: [bell(self), (-2.0 * libm::log(1.0 - self.unit())) as f32],
            last: if self.unit() < 0.05 { None } else { Some(bell(self)) },
        }
    }
}

/// Writes `rows` rows to `output`: Parquet when its name ends so, else CSV.
///
/// # Errors
/// When it cannot be written.
pub fn write(rows: u64, seed: u64, output: &Path) -> Result<(), LabError> {
    write_some(rows, &mut Rows::new(seed), output)
}

/// Writes the rows that [`write`] writes as CSV into a folder, cut into `parts` of unlike lengths.
///
/// # Errors
/// When they cannot be written.
pub fn write_parts(rows: u64, seed: u64, folder: &Path, parts: u64) -> Result<(), LabError> {
    std::fs::create_dir_all(folder).map_err(|error| LabError::file(folder, "a folder to write to", error))?;
    let mut source = Rows::new(seed);
    // The ends of the parts lie as squares do.
    let end = |part: u64| (u128::from(rows) * u128::from(part * part) / u128::from(parts * parts)) as u64;
    for part in 0..parts {
        write_some(end(part + 1) - end(part), &mut source, &folder.join(format!("part-{part:04}.csv")))?;
    }
    Ok(())
}

fn write_some(rows: u64, source: &mut Rows, output: &Path) -> Result<(), LabError> {
    let file = File::create(output).map_err(|error| LabError::file(output, "a writable file", error))?;
    if output.extension().is_some_and(|extension| extension == "parquet") {
        write_parquet(rows, source, file).map_err(|error| LabError::file(output, "a writable file", error))
    } else {
        write_csv(rows, source, BufWriter::with_capacity(1 << 20, file))
            .map_err(|error| LabError::file(output, "a writable file", error))
    }
}

fn write_csv(rows: u64, source: &mut Rows, mut text: impl Write) -> std::io::Result<()> {
    writeln!(text, "hour,tier,platform,country,slot,action,p_log,p_a,p_b,q_hat,reward,x0,x1,x2")?;
    for _ in 0..rows {
        let Row { whole: [hour, slot, action], tier, platform, country, numbers: [log, a, b, q, reward], x: [x0, x1], last } =
            source.next();
        write!(text, "{hour},{tier},{platform},c{country:02},{slot},{action},{log},{a},{b},{q},{reward},{x0},{x1},")?;
        match last {
            Some(x2) => writeln!(text, "{x2}")?,
            None => writeln!(text)?,
        }
    }
    text.flush()
}

fn write_parquet(rows: u64, source: &mut Rows, file: File) -> Result<(), ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    let mut left = rows;
    while left > 0 {
        let count = left.min(GROUP);
        let held: Vec<Row> = (0..count).map(|_| source.next()).collect();
        write_group(&held, writer.next_row_group()?)?;
        left -= count;
    }
    writer.close().map(drop)
}

fn write_group<W: Write + Send>(rows: &[Row], mut group: SerializedRowGroupWriter<'_, W>) -> Result<(), ParquetError> {
    fn column<T: DataType, W: Write + Send>(
        group: &mut SerializedRowGroupWriter<'_, W>,
        values: &[T::T],
        levels: Option<&[i16]>,
    ) -> Result<(), ParquetError> {
        let missing = || ParquetError::General("fewer columns than the schema says".to_owned());
        let mut writer = group.next_column()?.ok_or_else(missing)?;
        writer.typed::<T>().write_batch(values, levels, None)?;
        writer.close()
    }
    let whole = |place: usize| rows.iter().map(|row| row.whole[place]).collect::<Vec<_>>();
    let text = |of: &dyn Fn(&Row) -> ByteArray| rows.iter().map(of).collect::<Vec<_>>();
    column::<Int32Type, W>(&mut group, &whole(0), None)?;
    column::<ByteArrayType, W>(&mut group, &text(&|row| row.tier.into()), None)?;
    column::<ByteArrayType, W>(&mut group, &text(&|row| row.platform.into()), None)?;
    column::<ByteArrayType, W>(&mut group, &text(&|row| format!("c{:02}", row.country).as_str().into()), None)?;
    column::<Int32Type, W>(&mut group, &whole(1), None)?;
    column::<Int32Type, W>(&mut group, &whole(2), None)?;
    for place in 0..5 {
        let numbers: Vec<f64> = rows.iter().map(|row| row.numbers[place]).collect();
        column::<DoubleType, W>(&mut group, &numbers, None)?;
    }
    for place in 0..2 {
        let numbers: Vec<f32> = rows.iter().map(|row| row.x[place]).collect();
        column::<FloatType, W>(&mut group, &numbers, None)?;
    }
    let there: Vec<f32> = rows.iter().filter_map(|row| row.last).collect();
    let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.last.is_some())).collect();
    column::<FloatType, W>(&mut group, &there, Some(&levels))?;
    group.close().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::{Settings, run};

    #[test]
    fn both_formats_hold_the_same_rows() {
        let path = |kind: &str| std::env::temp_dir().join(format!("ears-sample-{}.{kind}", std::process::id()));
        let stats: Vec<_> = ["csv", "parquet"]
            .into_iter()
            .map(|kind| {
                let file = path(kind);
                write(3000, 7, &file).unwrap();
                let outcome = run(&Settings { train: file.clone(), ..Settings::default() }).unwrap();
                std::fs::remove_file(file).unwrap();
                assert!(outcome.findings.is_empty());
                outcome.train
            })
            .collect();
        let [csv, parquet] = &stats[..] else { panic!("two formats") };
        assert_eq!((csv.rows(), parquet.rows(), csv.names().len()), (3000, 3000, 14));
        assert_eq!(csv.names(), parquet.names());
        for (name, column) in csv.columns() {
            let other = parquet.column(name).unwrap();
            assert_eq!((column.present, column.texts), (other.present, other.texts), "{name}");
            let (ours, theirs) = (column.moments.mean(), other.moments.mean());
            assert!((ours - theirs).abs() < 1e-6 || ours.is_nan() && theirs.is_nan(), "{name}: {ours} {theirs}");
        }
    }
}
