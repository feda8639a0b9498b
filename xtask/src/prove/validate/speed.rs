//! How fast `validate` is and how much memory it takes, beside others.

use super::super::{Units, measured, number, timed};
use crate::process::{captured, command, shown};
use crate::results::{Claim, Record};
use crate::{Result, project, test};
use serde_json::{Value, json};
use std::path::Path;

/// Rows of the table that every tool reads.
const ROWS: u64 = 500_000;
/// Rows of the long tables, unless `EARS_ROWS` says otherwise.
const MANY: u64 = 100_000_000;
/// Parts whose sketches are merged.
const PARTS: u64 = 64;
/// Memory, whatever the rows.
const MEMORY: f64 = 300e6;
/// How far a sum of numbers with fractions may depend on the order of the parts.
const ROUNDING: f64 = 1e-9;

/// Runs the proof. `EARS_PYTHON_TFDV` and `EARS_PYTHON_WHYLOGS` name interpreters that have them.
pub fn run(units: &Units) -> Result<Record> {
    let many = match std::env::var("EARS_ROWS") {
        Ok(text) => text.parse::<u64>().map_err(|_| format!("expected a number of rows in EARS_ROWS, got {text}"))?,
        Err(_) => MANY,
    };
    let folder = project::scratch("validate")?;
    let sample = |rows: u64, path: &Path| -> Result<()> {
        let mut make = test::lab(&["check-validate", "--rows"]);
        make.arg(rows.to_string()).arg("--sample").arg(path);
        shown(&mut make)
    };
    let csv = folder.join("rows.csv");
    let mut claims = vec![measured("rows", format!("{ROWS}"), vec![("number".to_owned(), ROWS as f64)])];
    let mut rates = Vec::new();
    for kind in ["csv", "parquet"] {
        let file = folder.join(format!("rows.{kind}"));
        sample(ROWS, &file)?;
        let rate = units.unit(&format!("{kind}, {ROWS} rows"), || validated(&folder, &[&file]))?;
        claims.extend(of_run(&rate, ROWS, kind)?);
        rates.push(ROWS as f64 / number(&rate, "cpu")?);
    }
    for (tool, variable, least) in [("tfdv", "EARS_PYTHON_TFDV", 20.0), ("whylogs", "EARS_PYTHON_WHYLOGS", 3.0)] {
        let python = std::env::var(variable).unwrap_or_else(|_| "python3".to_owned());
        let script = project::root().join("lab/benches/validate.py");
        let run = || -> Result<Value> {
            let text = captured(command(&python).arg(&script).arg(tool).arg(&csv))?;
            serde_json::from_str(text.lines().last().unwrap_or_default()).map_err(|error| format!("{tool}: {error}"))
        };
        match units.unit(tool, run) {
            Ok(answer) => claims.extend(beside(tool, &answer, &rates, least)?),
            Err(_) => println!("no {tool}: not compared"),
        }
    }
    let parts = units.unit("64 parts", || merged(&folder))?;
    claims.push(parts_claim(&parts)?);
    let long = units.unit(&format!("parquet, {many} rows"), || {
        let file = folder.join("long.parquet");
        sample(many, &file)?;
        let answer = validated(&folder, &[&file]);
        std::fs::remove_file(&file).map_err(|error| error.to_string())?;
        answer
    })?;
    claims.extend(of_run(&long, many, "parquet, many rows")?);
    let piped = units.unit(&format!("csv, {many} rows"), || piped(&folder, many))?;
    claims.extend(of_run(&piped, many, "csv, many rows")?);
    // Scratch files are large.
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(Record {
        name: "validate-speed".to_owned(),
        command: "cargo xtask prove validate-speed".to_owned(),
        seeds: vec![1],
        claims,
    })
}

/// CPU seconds, memory and seconds of one validation.
fn validated(folder: &Path, files: &[&Path]) -> Result<Value> {
    let mut arguments = vec!["validate".into()];
    arguments.extend(files.iter().map(|file| file.as_os_str().to_owned()));
    let run = timed(&arguments, folder)?;
    Ok(json!({ "cpu": run.cpu, "bytes": run.bytes, "seconds": run.seconds }))
}

/// The same of rows that are never on a disk.
fn piped(folder: &Path, rows: u64) -> Result<Value> {
    let pipe = folder.join("pipe.csv");
    captured(command("mkfifo").arg(&pipe))?;
    let mut writer = test::lab(&["check-validate", "--rows"]);
    writer.arg(rows.to_string()).arg("--sample").arg(&pipe);
    let mut writer = writer.spawn().map_err(|error| format!("cannot write to a pipe: {error}"))?;
    let answer = validated(folder, &[&pipe]);
    let written = writer.wait().map_err(|error| error.to_string())?;
    if !written.success() {
        return Err(format!("expected {rows} rows in a pipe, the writer ended with {written}"));
    }
    answer
}

/// The report of one file, and that of the same rows in 64.
fn merged(folder: &Path) -> Result<Value> {
    let parts = folder.join("parts");
    let mut make = test::lab(&["check-validate", "--rows"]);
    make.arg(ROWS.to_string()).arg("--parts").arg(PARTS.to_string()).arg("--sample").arg(&parts);
    shown(&mut make)?;
    let report = |path: &Path| -> Result<Value> {
        super::super::json_of(|file| {
            let mut command = test::lab(&["validate", "--slice", "tier", "--json"]);
            command.arg(file).arg(path);
            Ok(command)
        })
    };
    let (one, other) = (report(&folder.join("rows.csv"))?, report(&parts)?);
    let (mut compared, mut largest) = (0_u64, 0.0_f64);
    differences(&one, &other, "report", &mut compared, &mut largest)?;
    Ok(json!({ "compared": compared, "largest": largest }))
}

/// Goes through two reports; anything but numbers with fractions must be equal.
fn differences(one: &Value, other: &Value, place: &str, compared: &mut u64, largest: &mut f64) -> Result<()> {
    match (one, other) {
        (Value::Object(ours), Value::Object(theirs)) if ours.len() == theirs.len() => ours
            .iter()
            .try_for_each(|(key, value)| differences(value, &theirs[key], &format!("{place}.{key}"), compared, largest)),
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => ours
            .iter()
            .zip(theirs)
            .enumerate()
            .try_for_each(|(at, (a, b))| differences(a, b, &format!("{place}[{at}]"), compared, largest)),
        (Value::Number(a), Value::Number(b)) => {
            *compared += 1;
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            if a != b {
                *largest = largest.max((a - b).abs() / a.abs().max(b.abs()));
            }
            Ok(())
        }
        _ if one == other => Ok(()),
        _ => Err(format!("{place}: one pass has {one}, 64 parts have {other}")),
    }
}

fn parts_claim(parts: &Value) -> Result<Claim> {
    let (compared, largest) = (number(parts, "compared")?, number(parts, "largest")?);
    let mut claim = measured(
        "largest relative difference between one pass and 64 merged parts",
        if largest == 0.0 { format!("0 ({compared:.0} numbers)") } else { format!("{largest:.1e} ({compared:.0} numbers)") },
        vec![("largest".to_owned(), largest), ("compared".to_owned(), compared)],
    );
    claim.wanted = format!("at most {ROUNDING:.0e}");
    claim.pass = largest <= ROUNDING && compared > 100.0;
    Ok(claim)
}

/// Speed and memory of one run.
fn of_run(run: &Value, rows: u64, name: &str) -> Result<Vec<Claim>> {
    let (rate, bytes) = (rows as f64 / number(run, "cpu")?, number(run, "bytes")?);
    let speed = measured(
        &format!("rows per CPU-second, {name}"),
        format!("{:.2} million", rate / 1e6),
        vec![("number".to_owned(), rate), ("rows".to_owned(), rows as f64)],
    );
    let mut memory = measured(&format!("memory, {name}"), format!("{:.0} MB", bytes / 1e6), vec![("bytes".to_owned(), bytes)]);
    memory.wanted = format!("at most {:.0} MB", MEMORY / 1e6);
    memory.pass = bytes <= MEMORY;
    Ok(vec![speed, memory])
}

/// How many times as fast as another tool.
fn beside(tool: &str, answer: &Value, rates: &[f64], least: f64) -> Result<Vec<Claim>> {
    let name = format!(
        "{} {}",
        if tool == "tfdv" { "TensorFlow Data Validation" } else { tool },
        answer["version"].as_str().unwrap_or("?")
    );
    if number(answer, "rows")? != ROWS as f64 {
        return Err(format!("{name}: expected {ROWS} rows, found {}", answer["rows"]));
    }
    let (theirs, bytes) = (ROWS as f64 / number(answer, "cpu")?, number(answer, "memory")?);
    let mut claims = vec![measured(
        &format!("rows per CPU-second, {name}"),
        format!("{theirs:.0}"),
        vec![("number".to_owned(), theirs), ("bytes".to_owned(), bytes)],
    )];
    for (kind, rate) in ["CSV", "Parquet"].into_iter().zip(rates) {
        let ratio = rate / theirs;
        let mut claim = measured(
            &format!("{kind}, times as fast as {tool} on CSV"),
            format!("{ratio:.1}"),
            vec![("ratio".to_owned(), ratio)],
        );
        claim.wanted = format!("at least {least}");
        claim.pass = ratio >= least;
        claims.push(claim);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_that_differ_in_more_than_rounding_are_refused() {
        let compare = |one: Value, other: Value| {
            let (mut compared, mut largest) = (0, 0.0);
            differences(&one, &other, "report", &mut compared, &mut largest).map(|()| (compared, largest))
        };
        let report = |mean: f64, top: &str| json!({ "rows": 3, "columns": [{ "mean": mean, "top": top }] });
        assert_eq!(compare(report(1.0, "a"), report(1.0, "a")), Ok((2, 0.0)));
        assert_eq!(compare(report(1.0, "a"), report(0.5, "a")), Ok((2, 0.5)));
        assert!(compare(report(1.0, "a"), report(1.0, "b")).unwrap_err().starts_with("report.columns[0].top"));
        assert!(!parts_claim(&json!({ "compared": 200, "largest": 1e-3 })).unwrap().pass);
    }

    #[test]
    fn speed_and_memory_are_held_to_their_targets() {
        let claims = of_run(&json!({ "cpu": 0.5, "bytes": 400e6, "seconds": 1.0 }), 500_000, "csv").unwrap();
        assert_eq!((claims[0].value.as_str(), claims[1].pass), ("1.00 million", false));
        let answer = json!({ "version": "1", "rows": 500_000, "cpu": 25.0, "memory": 1e9 });
        let claims = beside("tfdv", &answer, &[300_000.0, 900_000.0], 20.0).unwrap();
        assert_eq!((claims[1].pass, claims[2].pass), (false, true));
    }
}
