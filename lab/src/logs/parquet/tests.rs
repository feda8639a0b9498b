use std::fs::File;
use std::sync::Arc;

use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::logs::{Decision, Header};

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("ears-lab-log-{}-{name}.parquet", std::process::id()))
}

fn decisions(n: usize) -> Vec<Decision> {
    let one = |i: usize| Decision {
        decision: (!i.is_multiple_of(5)).then(|| format!("page {}", i / 2)),
        policy: "explore".to_owned(),
        shelf_position: 1,
        position: (i % 2) as i32,
        action: (i % 3) as i32,
        propensity: 0.25 + (i % 3) as f64 / 8.0,
        reward: (!i.is_multiple_of(4)).then_some((i % 2) as f64),
        candidates: (0..(i % 3 + 1) as i32).collect(),
        probabilities: vec![1.0 / (i % 3 + 1) as f64; i % 3 + 1],
        words: vec![["free", "paid"][i % 2].to_owned()],
        numbers: vec![(!i.is_multiple_of(3)).then_some(i as f64)],
    };
    (0..n).map(one).collect()
}

fn write(path: &Path, rows: &[Decision]) {
    let header = Header { words: vec!["ctx_tier".to_owned()], numbers: vec!["x_age".to_owned()] };
    let mut writer = Writer::create(path, header, true).unwrap();
    rows.iter().for_each(|row| writer.write(row.clone()).unwrap());
    assert_eq!(writer.finish().unwrap(), rows.len() as u64);
}

#[test]
fn what_is_written_is_read() {
    // More than two batches.
    let (path, rows) = (scratch("round"), decisions(20_000));
    write(&path, &rows);
    let file = LogFile::open(&path).unwrap();
    assert_eq!((file.rows(), file.groups(), file.has_candidates()), (20_000, 1, true));
    assert!(file.is_words("ctx_tier") && !file.is_words("x_age"));
    let header = crate::logs::export::header(&file);
    let mut read = Vec::new();
    crate::logs::export::rows(&file, &header, &mut |row, place| {
        read.push(row);
        assert_eq!(place.row, read.len() as u64);
        Ok(())
    })
    .unwrap();
    assert_eq!(read, rows);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn files_cut_short_are_named_wherever_the_cut_is() {
    let (path, cut) = (scratch("whole"), scratch("cut"));
    write(&path, &decisions(3_000));
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 3, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let error = LogFile::open(&cut).err().unwrap().to_string();
        assert!(error.contains("cut.parquet: expected a whole Parquet file, found"), "{length}: {error}");
    }
    // A hole in the pages, under a footer that is whole.
    let mut holed = bytes.clone();
    let end = bytes.len() / 2;
    holed[8..end].fill(0);
    std::fs::write(&cut, &holed).unwrap();
    let file = LogFile::open(&cut).unwrap();
    let error =
        crate::logs::export::rows(&file, &crate::logs::export::header(&file), &mut |_, _| Ok(())).unwrap_err().to_string();
    assert!(error.contains("cut.parquet: expected readable rows from row 1, found"), "{error}");
    [path, cut].iter().for_each(|path| std::fs::remove_file(path).unwrap());
}

#[test]
fn other_files_and_other_versions_are_refused() {
    let path = scratch("version");
    let schema = Arc::new(parse_message_type("message other { required int32 action; }").unwrap());
    for (pairs, expected) in [
        (None, "expected \"ears_only.decisions\" 1 in the footer, found none"),
        (Some("2"), "expected \"ears_only.decisions\" 1 in the footer, found 2"),
        (Some("1"), "expected a column policy, found action"),
    ] {
        let metadata = pairs.map(|version| vec![KeyValue::new(SCHEMA_KEY.to_owned(), version.to_owned())]);
        let properties = WriterProperties::builder().set_key_value_metadata(metadata).build();
        let writer = SerializedFileWriter::new(File::create(&path).unwrap(), schema.clone(), Arc::new(properties)).unwrap();
        writer.close().unwrap();
        let error = LogFile::open(&path).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    std::fs::remove_file(&path).unwrap();
    let header = Header { words: vec!["ctx_a b".to_owned()], numbers: Vec::new() };
    assert!(Writer::create(&path, header, false).err().unwrap().to_string().contains("without spaces"));
}

#[test]
fn plain_files_are_read_as_packed_ones_are() {
    let (plain, packed) = (scratch("plain"), scratch("packed"));
    // Two row groups; numbers of which none, some and all are missing; whole ones.
    let header = Header { words: Vec::new(), numbers: ["x_a", "x_b", "x_c", "ctx_d"].map(str::to_owned).to_vec() };
    let rows: Vec<Decision> = (0..130_000)
        .map(|i| Decision {
            policy: "explore".to_owned(),
            position: i % 7,
            propensity: 1.0 / f64::from(i + 1),
            reward: Some(f64::from(i % 2)),
            numbers: vec![Some(f64::from(i).sqrt()), (i % 1_000 != 3).then_some(0.5), None, Some(f64::from(i % 20))],
            ..Decision::default()
        })
        .collect();
    let mut read = Vec::new();
    for (path, packing) in [(&plain, Packing::Plain), (&packed, Packing::Zstd)] {
        let mut writer = Writer::packed(path, header.clone(), false, packing).unwrap();
        rows.iter().for_each(|row| writer.write(row.clone()).unwrap());
        writer.finish().unwrap();
        let file = LogFile::open(path).unwrap();
        assert_eq!((file.rows_of(0), file.rows_of(1), file.start_of(1)), (100_000, 30_000, 100_000));
        assert!(file.is_blank(0, "decision").unwrap() && !file.is_blank(1, "policy").unwrap());
        let wanted = Wanted {
            numbers: ["position", "propensity", "reward", "x_a", "x_b", "x_c", "ctx_d"].map(str::to_owned).to_vec(),
            ..Wanted::default()
        };
        let mut columns = vec![Vec::new(); wanted.numbers.len()];
        for group in 0..2 {
            let mut add = |batch: &Batch| {
                for (all, column) in columns.iter_mut().zip(&batch.numbers) {
                    assert_eq!(column.values.len(), batch.rows);
                    all.extend((0..batch.rows).map(|row| (!column.is_missing(row)).then(|| column.values[row])));
                }
                Ok(())
            };
            file.read(group, &wanted, &mut add).unwrap();
        }
        read.push(columns);
    }
    assert_eq!(read[0], read[1]);
    // Lent, where the file is in memory, and read where it is not.
    let mapped = LogFile::open(&plain).unwrap();
    let unmapped = LogFile { mapped: None, ..LogFile::open(&plain).unwrap() };
    for (file, stretches) in [(&mapped, 3), (&unmapped, 1)] {
        let wanted = Wanted { numbers: vec!["propensity".to_owned(), "ctx_d".to_owned()], lent: vec![0], ..Wanted::default() };
        let (mut lent, mut most) = (Vec::new(), 0);
        for group in 0..2 {
            let mut add = |batch: &Batch| {
                most = most.max(batch.numbers[0].stretches().len());
                lent.extend(batch.numbers[0].stretches().concat().into_iter().map(f64::from_ne_bytes));
                let owned = batch.owned();
                assert_eq!(owned.numbers[0].values, lent[lent.len() - batch.rows..]);
                assert_eq!(owned.numbers[1], batch.numbers[1]);
                Ok(())
            };
            file.read(group, &wanted, &mut add).unwrap();
        }
        assert_eq!(most, stretches);
        assert!(lent.iter().zip(&rows).all(|(x, row)| *x == row.propensity) && lent.len() == rows.len());
    }
    for (i, row) in rows.iter().enumerate() {
        let of = |column: usize| read[0][column][i];
        assert_eq!((of(0), of(1), of(2)), (Some(f64::from(row.position)), Some(row.propensity), row.reward));
        assert_eq!([of(3), of(4), of(5), of(6)], row.numbers[..]);
    }
    // Cut within its pages a file is named with the row from which it cannot be read.
    let bytes = std::fs::read(&plain).unwrap();
    let mut holed = bytes.clone();
    holed[..bytes.len() / 2].fill(0xff);
    std::fs::write(&plain, &holed).unwrap();
    let file = LogFile::open(&plain).unwrap();
    let wanted = Wanted { numbers: vec!["propensity".to_owned()], ..Wanted::default() };
    let error = file.read(0, &wanted, &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("plain.parquet: expected readable rows from row 1, found"), "{error}");
    [plain, packed].iter().for_each(|path| std::fs::remove_file(path).unwrap());
}
