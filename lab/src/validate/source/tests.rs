use std::path::PathBuf;

use super::*;

/// Reads `bytes` as a file called `name`: every row as text, or the error.
fn rows(name: &str, bytes: &[u8]) -> Result<Vec<String>, String> {
    let path = std::env::temp_dir().join(format!("ears-source-{}-{:?}-{name}", std::process::id(), std::thread::current().id()));
    std::fs::write(&path, bytes).unwrap();
    let mut rows = Vec::new();
    let done = read(&path, Reading::default(), &mut |columns, cells| {
        let cells: Vec<String> = columns.iter().zip(cells).map(|(column, cell)| format!("{column}={}", shown(cell))).collect();
        rows.push(cells.join(" "));
        Ok(())
    });
    std::fs::remove_file(&path).unwrap();
    done.map(|()| rows).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

fn shown(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Missing => "-".to_owned(),
        Cell::Bool(truth) => truth.to_string(),
        Cell::Int(number) => format!("i{number}"),
        Cell::Float(number) => format!("f{number}"),
        Cell::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        Cell::List { items, depth } => format!("{depth}[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
    }
}

#[test]
fn csv_with_quotes_line_breaks_and_a_mark_of_order() {
    let text = "\u{feff}a,b,c\r\n1,\"x,\"\"y\"\"\",\n\"two\nlines\r\nhere\",2.5,\"\"\r\n,-0,007\n";
    assert_eq!(
        rows("t.csv", text.as_bytes()).unwrap(),
        ["a=i1 b=\"x,\\\"y\\\"\" c=-", "a=\"two\\nlines\\nhere\" b=f2.5 c=-", "a=- b=f-0 c=\"007\""]
    );
    assert_eq!(rows("t.tsv", b"a\tb\n1\tx,y\n").unwrap(), ["a=i1 b=\"x,y\""]);
    assert_eq!(rows("one.csv", b"a\n\nnan\n").unwrap(), ["a=-", "a=fNaN"]);
    assert_eq!(rows("long.csv", b"a,b\n12345678901234567890,1e400\n").unwrap(), ["a=f12345678901234567000 b=finf"]);
}

#[test]
fn gzip_is_seen_by_its_first_bytes() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, b"a,b\n1,2\n").unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(rows("t.csv.gz", &packed).unwrap(), ["a=i1 b=i2"]);
    assert!(rows("t.csv.gz", &packed[..packed.len() - 9]).unwrap_err().contains("(line "));
}

#[test]
fn json_lines_with_new_columns_objects_and_lists() {
    let text = "{\"a\":1,\"c\":{\"x\":true,\"y\":{\"z\":\"ü\\n\"}}}\n\n{\"b\":[1,null,\"t\",2.5],\"a\":null,\"d\":[[1],[2,3]],\"e\":[]}\n";
    assert_eq!(
        rows("t.jsonl", text.as_bytes()).unwrap(),
        ["a=i1 c.x=true c.y.z=\"ü\\n\"", "a=- c.x=- c.y.z=- b=1[i1,-,\"t\",f2.5] d=2[i1,i2,i3] e=1[]"]
    );
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let deeper = format!("{{\"a\":{}1{}}}", "{\"a\":".repeat(40), "}".repeat(40));
    let mut wide = b"a,b\n\"".to_vec();
    wide.resize(17 << 20, b'x');
    let mut lines = b"a,b\n1,\"open\n".to_vec();
    (0..1_000_000).for_each(|_| lines.extend_from_slice(b"1,2,3,4,5,6,7,8,9\n"));
    for (name, bytes, message) in [
        ("t.csv", &b""[..], "expected a header that names the columns, found an empty file (byte 0)"),
        ("t.csv", b"a,b\n1,2\n3\n", "expected 2 fields, found 1 (line 3, byte 8)"),
        ("t.csv", b"a,b\n1,2,3\n", "expected 2 fields, found 3 (line 2, byte 4)"),
        ("t.csv", b"a,a\n1,2\n", "expected different names of columns, found a twice (line 1, byte 0)"),
        ("t.csv", b"a,\n1,2\n", "expected a name for every column, found none for column 2 (line 1, byte 0)"),
        ("t.csv", b"a,b\n1,\"open\n2,3\n", "expected a closing quote, found the end of the file (line 2, byte 4)"),
        (
            "t.csv",
            b"a,b\n1,caf\xe9\n",
            "expected UTF-8 text, found the byte 0xe9 after 3 bytes (Latin-1 or Windows-1252?) in column b (line 2, byte 4)",
        ),
        ("t.csv", b"\xff\xfea\0,\0b\0", "expected UTF-8 text, found UTF-16 text (byte 0)"),
        ("t.csv", b"a\0,\0b\0", "expected UTF-8 text, found a zero byte: binary data or UTF-16 text (byte 1)"),
        ("t.csv", &wide, "expected a line of at most 16 MiB, found a longer one (line 2, byte 4)"),
        ("t.csv", &lines, "expected a record of at most 16 MiB, found a longer one: is a quote left open? (line 2, byte 4)"),
        (
            "t.jsonl",
            b"{\"a\":1}\n{\"a\":}\n",
            "expected one JSON object a line, found expected value at column 6 (line 2, byte 8)",
        ),
        (
            "t.jsonl",
            b"[1]\n",
            "expected one JSON object a line, found invalid type: sequence, expected an object at column 0 (line 1, byte 0)",
        ),
        (
            "t.jsonl",
            b"{\"a\":1}{\"a\":2}\n",
            "expected one JSON object a line, found trailing characters at column 8 (line 1, byte 0)",
        ),
        (
            "t.jsonl",
            b"{\"a\":1,\"a\":2}\n",
            "expected one JSON object a line, found the name a twice at column 12 (line 1, byte 0)",
        ),
        (
            "t.jsonl",
            b"{\"a\":[{\"b\":1}]}\n",
            "expected one JSON object a line, found invalid type: map, expected a number, a text or a list of these in the list a at column 7 (line 1, byte 0)",
        ),
        ("t.jsonl", deep.as_bytes(), "found lists more than 16 deep at column "),
        ("t.jsonl", deeper.as_bytes(), "found objects more than 16 deep at column "),
        (
            "t.jsonl",
            b"{\"a\":\"\xe9\"}\n",
            "expected UTF-8 text, found the byte 0xe9 after 6 bytes (Latin-1 or Windows-1252?) (line 1, byte 0)",
        ),
        ("t.csv", b"PK\x03\x04", "expected CSV, JSON lines or Parquet, found a zip archive (byte 0)"),
        ("t.parquet", b"PARE\0\0", "expected CSV, JSON lines or Parquet, found encrypted Parquet (byte 0)"),
        ("t.parquet", b"PAR1 and then something else", "expected a whole Parquet file, found "),
        ("t.arrow", b"ARROW1\0\0", "expected CSV, JSON lines or Parquet, found Arrow (byte 0)"),
        (
            "t.json",
            b"[\n {\"a\":1}\n]\n",
            "expected one JSON object a line, found invalid type: sequence, expected an object at column 0 (line 1, byte 0)",
        ),
        (
            "t.json",
            b"{\n \"a\":1\n}\n",
            "expected one JSON object a line, found EOF while parsing an object at column 1 (line 1, byte 0)",
        ),
    ] {
        let error = rows(name, bytes).unwrap_err();
        assert!(error.contains(message), "{name}: {error}\nwanted {message}");
    }
    let nowhere = read(&PathBuf::from("/nowhere/t.csv"), Reading::default(), &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(nowhere.exit(), 64);
}

/// Bytes without an end, and how many were taken.
struct Endless<'c> {
    start: &'static [u8],
    taken: &'c std::cell::Cell<u64>,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let at = self.taken.get() as usize;
        buffer.fill(b'7');
        let rest = self.start.get(at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken.set((at + buffer.len()) as u64);
        Ok(buffer.len())
    }
}

#[test]
fn a_line_of_a_gigabyte_is_refused_before_it_is_read() {
    for (name, start, message) in [
        ("t.csv", &b"a,b\n1,2\n"[..], "expected a line of at most 16 MiB, found a longer one (line 3, byte 8)"),
        ("t.csv", b"a,b\n1,\"", "expected a line of at most 16 MiB, found a longer one (line 2, byte 4)"),
        ("t.csv", b"", "expected a line of at most 16 MiB, found a longer one (line 1, byte 0)"),
        ("t.jsonl", b"{\"a\":1}\n{\"a\":", "expected a line of at most 16 MiB, found a longer one (line 2, byte 8)"),
    ] {
        let taken = std::cell::Cell::new(0);
        let gigabyte = Endless { start, taken: &taken }.take(1 << 30);
        let path = PathBuf::from(name);
        let error = read_plain(&path, &path, gigabyte, Reading::default(), &mut |_, _| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), format!("{name}: {message}"));
        assert!(taken.get() < 20 << 20, "{} bytes were read", taken.get());
    }
}

#[test]
fn a_folder_is_its_files_in_the_order_of_their_names() {
    let folder = std::env::temp_dir().join(format!("ears-parts-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("inner")).unwrap();
    assert!(parts(&folder).unwrap_err().to_string().ends_with("expected a folder with files, found none"));
    ["b.csv", "a.csv", "_SUCCESS", ".crc"].iter().for_each(|name| std::fs::write(folder.join(name), "x\n1\n").unwrap());
    let names: Vec<_> = parts(&folder).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["a.csv", "b.csv"]);
    assert_eq!(parts(&folder.join("a.csv")).unwrap(), [folder.join("a.csv")]);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A Parquet file of two row groups, written column by column.
fn parquet_bytes() -> Vec<u8> {
    use ::parquet::data_type::{BoolType, ByteArrayType, DoubleType, FixedLenByteArrayType, Int32Type, Int64Type};
    use ::parquet::file::writer::SerializedFileWriter;
    let schema = "message m {
        required int64 id; optional double x; required binary name (UTF8); optional boolean flag;
        required int32 big (UINT_32); required fixed_len_byte_array(2) price (DECIMAL(4,2));
        optional group tags (LIST) { repeated group list { optional int32 element; } }
        required group inner { optional binary deep (UTF8); }
    }";
    let schema = std::sync::Arc::new(::parquet::schema::parser::parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Default::default()).unwrap();
    for group in 0..2_i64 {
        let mut rows = writer.next_row_group().unwrap();
        macro_rules! column {
            ($type:ty, $values:expr, $levels:expr, $repeats:expr) => {{
                let mut column = rows.next_column().unwrap().unwrap();
                column.typed::<$type>().write_batch($values, $levels, $repeats).unwrap();
                column.close().unwrap();
            }};
        }
        column!(Int64Type, &[group, i64::MAX], None, None);
        column!(DoubleType, &[0.5], Some(&[1, 0]), None);
        column!(ByteArrayType, &["a".into(), "ü".into()], None, None);
        column!(BoolType, &[true], Some(&[0, 1]), None);
        column!(Int32Type, &[-1, 1], None, None);
        column!(FixedLenByteArrayType, &[vec![0xff, 0x9c].into(), vec![0x01, 0x00].into()], None, None);
        // [1, null] and, in the second group, nothing; then an empty list.
        if group == 0 {
            column!(Int32Type, &[1], Some(&[3, 2, 1]), Some(&[0, 1, 0]));
        } else {
            column!(Int32Type, &[], Some(&[0, 1]), Some(&[0, 0]));
        }
        column!(ByteArrayType, &["d".into()], Some(&[1, 0]), None);
        rows.close().unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn parquet_with_lists_groups_and_decimals() {
    let bytes = parquet_bytes();
    let max = i64::MAX;
    assert_eq!(
        rows("t.parquet", &bytes).unwrap(),
        [
            "id=i0 x=f0.5 name=\"a\" flag=- big=i4294967295 price=f-1 tags=1[i1,-] inner.deep=\"d\"".to_owned(),
            format!("id=i{max} x=- name=\"ü\" flag=true big=i1 price=f2.56 tags=1[] inner.deep=-"),
            "id=i1 x=f0.5 name=\"a\" flag=- big=i4294967295 price=f-1 tags=- inner.deep=\"d\"".to_owned(),
            format!("id=i{max} x=- name=\"ü\" flag=true big=i1 price=f2.56 tags=1[] inner.deep=-"),
        ]
    );
    // Every way of cutting the file short is refused, none crashes.
    for length in 4..bytes.len() {
        let error = rows("t.parquet", &bytes[..length]).unwrap_err();
        assert!(error.contains("Parquet"), "{error}");
    }
}

#[test]
fn parquet_of_other_writers() {
    // Written by pyarrow 10.
    let foreign = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign").join(name);
        rows(name, &std::fs::read(path).unwrap())
    };
    for packing in ["gzip", "lz4"] {
        assert_eq!(foreign(&format!("{packing}.parquet")).unwrap(), ["i=i1 s=\"a\"", "i=i2 s=\"b\"", "i=i3 s=-"]);
    }
    assert_eq!(
        foreign("brotli.parquet").unwrap_err(),
        "FILE: expected columns that are plain or packed by Snappy, Gzip, LZ4 or Zstandard, found BROTLI in the column i (row group 0, from row 1)"
    );
    assert_eq!(
        foreign("map.parquet").unwrap(),
        [
            "m.key_value.key=1[\"a\"] m.key_value.value=1[i1]",
            "m.key_value.key=1[\"b\",\"c\"] m.key_value.value=1[i2,i3]",
            "m.key_value.key=- m.key_value.value=-"
        ]
    );
    assert_eq!(
        foreign("liststruct.parquet").unwrap(),
        ["l.list.item.a=1[i1] l.list.item.b=2[i1,i2]", "l.list.item.a=1[] l.list.item.b=2[]", "l.list.item.a=- l.list.item.b=-"]
    );
    assert_eq!(foreign("time.parquet").unwrap()[0], "ts=i1577836800000000 d=i18262 dec=f1.25 t=i3600000000");
    assert_eq!(foreign("odd.parquet").unwrap(), ["u=f18446744073709552000 f16=-", "u=i1 f16=-", "u=i2 f16=-"]);
}

#[test]
fn types_of_texts() {
    for (text, cell) in [
        ("", Cell::Missing),
        ("0", Cell::Int(0)),
        ("-12", Cell::Int(-12)),
        ("-", Cell::Text(b"-")),
        ("1.5e3", Cell::Float(1500.0)),
        ("01", Cell::Text(b"01")),
        ("0.1", Cell::Float(0.1)),
        ("-inf", Cell::Float(f64::NEG_INFINITY)),
        ("999999999999999999", Cell::Int(999_999_999_999_999_999)),
        ("9999999999999999999", Cell::Float(1e19)),
        ("1,5", Cell::Text(b"1,5")),
        ("indie", Cell::Text(b"indie")),
        ("2022-04-08", Cell::Text(b"2022-04-08")),
    ] {
        assert_eq!(typed(text.as_bytes()), cell, "{text}");
    }
}
