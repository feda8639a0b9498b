//! The proofs of counterfactual evaluation: accuracy in worlds that know the truth, and speed on long logs.

use super::{AS_MEASURED, Timed, Units, json_of, measured, number, timed};
use crate::process::{captured, command};
use crate::results::{Claim, Record};
use crate::{Result, project, test};
use serde_json::Value;
use std::ffi::OsString;

/// Logs of each world.
const LOGS: &str = "2000";

pub(super) fn estimates(units: &Units) -> Result<Record> {
    let folder = project::reference_data()?.ok_or("this proof needs the reference data: set EARS_SHARED to its folder")?;
    let mut claims = Vec::new();
    for world in ["carousel", "home"] {
        let report = json_of(|file| {
            let mut command = test::lab(&["check-estimates", "--world", world, "--logs", LOGS, "--resume", "--data"]);
            command.arg(folder.join("data")).arg("--partial").arg(&units.file).arg("--json").arg(file);
            Ok(command)
        })?;
        claims.extend(estimate_claims(&report)?);
    }
    Ok(Record { name: "ope".to_owned(), command: "cargo xtask prove ope".to_owned(), seeds: Vec::new(), claims })
}

/// Errors, coverage and order of one world, each beside the naive answer.
pub fn estimate_claims(report: &Value) -> Result<Vec<Claim>> {
    let world = report["world"].as_str().ok_or("a report without its world")?;
    let percent = |x: f64| format!("{:.2} %", 100.0 * x);
    let claim = |what: &str, value: f64, shown: String, wanted: &str, pass: bool| Claim {
        claim: format!("{world}, {what}"),
        value: shown,
        wanted: wanted.to_owned(),
        pass,
        numbers: vec![("number".to_owned(), value)],
    };
    let mut claims = Vec::new();
    for what in ["logs", "pages"] {
        let count = number(report, what)?;
        claims.push(claim(what, count, format!("{count:.0}"), AS_MEASURED, true));
    }
    let sample = number(report, "least_sample")?;
    claims.push(claim("least effective sample size", sample, format!("{sample:.0}"), "at least 500", sample >= 500.0));
    let coverage = number(report, "coverage")?;
    let inside = (0.93..=0.97).contains(&coverage);
    claims.push(claim("coverage of 95 % intervals", coverage, percent(coverage), "93 to 97 %", inside));
    for (name, key) in [("cascade-DR", "cascade_dr"), ("RIPS", "rips"), ("replay", "replay")] {
        let (error, order) = (number(&report[key], "relative_error")?, number(&report[key], "rank_correlation")?);
        let judged = key == "cascade_dr";
        let wanted = |text: &'static str| if judged { text } else { AS_MEASURED };
        claims.push(claim(
            &format!("relative error of {name}"),
            error,
            percent(error),
            wanted("at most 5 %"),
            !judged || error <= 0.05,
        ));
        let shown = format!("{order:.3}");
        claims.push(claim(&format!("rank correlation of {name}"), order, shown, wanted("at least 0.9"), !judged || order >= 0.9));
    }
    Ok(claims)
}

/// The same for a few logs. 20 logs with 8 targets each, whose intervals hold or miss together, leave 85 to 100 % with a chance far below one in
/// a thousand when they hold in 95 %: even if all 8 went together, 4 or more misses of 20 have a chance of 1.6 %, and they do not.
pub fn sampled_claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = estimate_claims(report)?;
    for claim in claims.iter_mut().filter(|claim| claim.claim.ends_with("coverage of 95 % intervals")) {
        claim.wanted = "at least 85 %".to_owned();
        claim.pass = claim.numbers.iter().all(|(_, coverage)| *coverage >= 0.85);
    }
    Ok(claims)
}

/// Rows of the log that is timed, unless `EARS_ROWS` says otherwise.
const ROWS: u64 = 10_000_000;

pub(super) fn speed(_: &Units) -> Result<Record> {
    let rows = match std::env::var("EARS_ROWS") {
        Ok(text) => text.parse::<u64>().map_err(|_| format!("expected a number of rows in EARS_ROWS, got {text}"))?,
        Err(_) => ROWS,
    };
    let folder = project::scratch("evaluate")?;
    let mut claims = vec![measured("rows", format!("{rows}"), vec![("number".to_owned(), rows as f64)])];
    let mut per_row = Vec::new();
    for part in [rows / 4, rows] {
        let log = folder.join(format!("{part}.parquet"));
        captured(test::lab(&["sample-log", "--timing", "--rows"]).arg(part.to_string()).arg("--output").arg(&log))?;
        let mut arguments: Vec<OsString> = vec!["evaluate".into(), log.clone().into_os_string()];
        let words = ["--policy", "scored:a", "--policy", "scored:b", "--slice", "ctx_slice", "--fast", "--json"];
        arguments.extend(words.map(OsString::from));
        arguments.push(folder.join("answer.json").into_os_string());
        let Timed { cpu, bytes, seconds } = timed(&arguments, &folder)?;
        per_row.push(cpu / part as f64);
        if part == rows {
            let rate = rows as f64 / cpu;
            claims.push(measured("rows per CPU-second", format!("{:.1} million", rate / 1e6), vec![("number".to_owned(), rate)]));
            claims.push(measured("seconds", format!("{seconds:.1} s"), vec![("seconds".to_owned(), seconds)]));
            let mut memory = measured("memory", format!("{:.0} MB", bytes / 1e6), vec![("bytes".to_owned(), bytes)]);
            memory.wanted = "at most 512 MB".to_owned();
            memory.pass = bytes <= 512e6;
            claims.push(memory);
            claims.extend(beside_numpy(&log, rate)?);
        }
    }
    let growth = per_row[1] / per_row[0];
    let mut linear =
        measured("CPU for each row, all rows over a quarter", format!("{growth:.2}"), vec![("ratio".to_owned(), growth)]);
    linear.wanted = "at most 1.2".to_owned();
    linear.pass = growth <= 1.2;
    claims.push(linear);
    Ok(Record { name: "evaluate".to_owned(), command: "cargo xtask prove evaluate".to_owned(), seeds: vec![1], claims })
}

/// The same sums with numpy over pyarrow, where `EARS_PYTHON` (or `python3`) has them.
fn beside_numpy(log: &std::path::Path, rate: f64) -> Result<Vec<Claim>> {
    let python = std::env::var("EARS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = project::root().join("lab/benches/evaluate_numpy.py");
    let Ok(text) = captured(command(&python).arg(script).arg(log)) else {
        println!("no numpy and pyarrow: not compared");
        return Ok(Vec::new());
    };
    let answer: Value = serde_json::from_str(&text).map_err(|error| format!("numpy: {error}"))?;
    let theirs = number(&answer, "rows")? / number(&answer, "cpu")?;
    let ratio = rate / theirs;
    let mut claim = measured("rows per CPU-second over numpy's", format!("{ratio:.1}"), vec![("ratio".to_owned(), ratio)]);
    claim.wanted = "at least 5".to_owned();
    claim.pass = ratio >= 5.0;
    let numpy =
        measured("numpy, rows per CPU-second", format!("{:.1} million", theirs / 1e6), vec![("number".to_owned(), theirs)]);
    Ok(vec![numpy, claim])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_held_to_their_targets() {
        let record = serde_json::json!({"relative_error": 0.06, "worst_target": 0.1, "rank_correlation": 0.95});
        let report = serde_json::json!({
            "world": "home", "logs": 20, "pages": 20000, "least_sample": 499.0, "coverage": 0.95,
            "cascade_dr": record, "rips": record, "replay": record,
        });
        let claims = estimate_claims(&report).unwrap();
        let failed: Vec<&str> = claims.iter().filter(|claim| !claim.pass).map(|claim| claim.claim.as_str()).collect();
        assert_eq!(failed, ["home, least effective sample size", "home, relative error of cascade-DR"]);
        assert!(estimate_claims(&serde_json::json!({"world": "home"})).is_err());
    }
}
