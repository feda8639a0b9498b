//! The proofs of counterfactual evaluation: accuracy in worlds that know the truth, and speed on long logs.

use super::{AS_MEASURED, Timed, Units, json_of, measured, number, timed};
use crate::process::{captured, command};
use crate::results::{Claim, Record};
use crate::{Result, project, test};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
    let means = report["mean_sample"].as_array().ok_or("expected mean effective sample sizes, found none")?;
    let sample = means.iter().filter_map(Value::as_f64).fold(f64::INFINITY, f64::min);
    let shown = format!("{sample:.0}");
    claims.push(claim(
        "effective sample size, mean over logs, of the least target",
        sample,
        shown,
        "at least 500",
        sample >= 500.0,
    ));
    // One log in hundreds holds a weight so large that little else counts.
    let least = number(report, "least_sample")?;
    claims.push(claim("least effective sample size of any log and target", least, format!("{least:.0}"), AS_MEASURED, true));
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
const ROWS: u64 = 100_000_000;
/// Times that each program runs, ours and numpy's in turn; the quickest counts.
const ROUNDS: usize = 2;
/// What numpy's side needs, from PyPI.
const PACKAGES: [&str; 2] = ["numpy", "pyarrow"];
/// The log read fast: normal intervals, as numpy's side has them.
const FAST: [&str; 8] = ["--policy", "scored:a", "--policy", "scored:b", "--slice", "ctx_slice", "--fast", "--json"];

pub(super) fn speed(_: &Units) -> Result<Record> {
    let rows = match std::env::var("EARS_ROWS") {
        Ok(text) => text.parse::<u64>().map_err(|_| format!("expected a number of rows in EARS_ROWS, got {text}"))?,
        Err(_) => ROWS,
    };
    let folder = project::scratch("evaluate")?;
    let python = python()?;
    let write = |rows: u64| -> Result<PathBuf> {
        let log = folder.join(format!("{rows}.parquet"));
        captured(test::lab(&["sample-log", "--timing", "--rows"]).arg(rows.to_string()).arg("--output").arg(&log))?;
        Ok(log)
    };
    let answer = folder.join("answer.json");
    let run = |log: &Path, words: &[&str]| -> Result<Timed> {
        let mut arguments: Vec<OsString> = vec!["evaluate".into(), log.into()];
        arguments.extend(words.iter().map(OsString::from));
        arguments.push(answer.clone().into_os_string());
        timed(&arguments, &folder)
    };
    let quarter = write(rows / 4)?;
    let mut of_quarter = f64::INFINITY;
    for _ in 0..ROUNDS {
        of_quarter = of_quarter.min(run(&quarter, &FAST)?.cpu);
    }
    remove(&quarter)?;

    let log = write(rows)?;
    let (mut ours, mut theirs) = (None::<Timed>, None::<(f64, Value)>);
    for _ in 0..ROUNDS {
        let now = run(&log, &FAST)?;
        let text = captured(command(&python).arg("lab/benches/evaluate_numpy.py").arg(&log))?;
        let numpy: Value = serde_json::from_str(&text).map_err(|error| format!("numpy: {error}"))?;
        let cpu = number(&numpy, "cpu")?;
        println!("CPU seconds: {:.2}, numpy's {cpu:.2}", now.cpu);
        if ours.as_ref().is_none_or(|best| now.cpu < best.cpu) {
            ours = Some(now);
        }
        if theirs.as_ref().is_none_or(|best| cpu < best.0) {
            theirs = Some((cpu, numpy));
        }
    }
    let (Some(ours), Some((cpu, numpy))) = (ours, theirs) else { return Err("expected a round or more".to_owned()) };
    let report: Value = serde_json::from_str(&project::read(&answer)?).map_err(|error| format!("our report: {error}"))?;
    // Bootstrap and likelihood as well: without --fast.
    let whole = run(&log, &[&FAST[..6], &["--json"]].concat())?;
    remove(&log)?;

    let mut claims = vec![measured("rows", format!("{rows}"), vec![("number".to_owned(), rows as f64)])];
    let rate = |name: &str, cpu: f64| {
        let rate = rows as f64 / cpu;
        measured(name, format!("{:.1} million", rate / 1e6), vec![("number".to_owned(), rate), ("cpu".to_owned(), cpu)])
    };
    claims.push(rate("rows per CPU-second", ours.cpu));
    claims.push(rate("numpy, rows per CPU-second", cpu));
    let judged = |name: &str, shown: String, value: f64, wanted: &str, pass: bool| Claim {
        claim: name.to_owned(),
        value: shown,
        wanted: wanted.to_owned(),
        pass,
        numbers: vec![("number".to_owned(), value)],
    };
    let ratio = cpu / ours.cpu;
    claims.push(judged("rows per CPU-second over numpy's", format!("{ratio:.1}"), ratio, "at least 5", ratio >= 5.0));
    let off = furthest(&report, &numpy)?;
    claims.push(judged("furthest from numpy's estimates and errors", format!("{off:.1e}"), off, "at most 1e-9", off <= 1e-9));
    claims.push(measured("seconds", format!("{:.1} s", ours.seconds), vec![("seconds".to_owned(), ours.seconds)]));
    let most = ours.bytes.max(whole.bytes);
    claims.push(judged("memory", format!("{:.0} MB", most / 1e6), most, "at most 512 MB", most <= 512e6));
    let growth = ours.cpu / rows as f64 / (of_quarter / (rows / 4) as f64);
    claims.push(judged(
        "CPU for each row, all rows over a quarter",
        format!("{growth:.2}"),
        growth,
        "at most 1.2",
        growth <= 1.2,
    ));
    claims.push(rate("with bootstrap and likelihood, rows per CPU-second", whole.cpu));
    Ok(Record { name: "evaluate".to_owned(), command: "cargo xtask prove evaluate".to_owned(), seeds: vec![1], claims })
}

fn remove(log: &Path) -> Result<()> {
    std::fs::remove_file(log).map_err(|error| format!("cannot remove {}: {error}", log.display()))
}

/// The interpreter that `EARS_PYTHON` names, or one made here with what numpy's side needs.
fn python() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("EARS_PYTHON") {
        return Ok(named.into());
    }
    let home = project::target().join("tools/python-evaluate");
    let python = home.join("bin/python");
    if !python.exists() {
        captured(command("python3").args(["-m", "venv"]).arg(&home))?;
    }
    captured(command(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES))
        .map_err(|error| format!("{error}; EARS_PYTHON may name an interpreter with {}", PACKAGES.join(" and ")))?;
    Ok(python)
}

/// The largest difference between our estimates and standard errors and numpy's, over all rows and every slice.
fn furthest(report: &Value, numpy: &Value) -> Result<f64> {
    let mut most = 0.0;
    let mut compare = |ours: &Value, theirs: &Value| -> Result<()> {
        let lines = ours["estimates"].as_array().filter(|lines| lines.len() == 4).ok_or("expected four estimates")?;
        for line in lines {
            let name = line["estimator"].as_str().unwrap_or_default();
            let at = |i: usize| theirs[name][i].as_f64().ok_or_else(|| format!("expected {name} from numpy"));
            for off in [number(line, "value")? - at(0)?, number(line, "error")? - at(1)?] {
                most = f64::max(most, off.abs());
            }
        }
        Ok(())
    };
    for (policy, name) in report["policies"].as_array().into_iter().flatten().zip(["a", "b"]) {
        let theirs = &numpy["policies"][name];
        compare(&policy["all"], &theirs["all"])?;
        let slices = policy["slices"].as_array().filter(|slices| slices.len() == 20).ok_or("expected twenty slices")?;
        for slice in slices {
            let number: usize =
                slice[0][0].as_str().and_then(|text| text.parse().ok()).ok_or("expected the number of a slice")?;
            compare(&slice[1], &theirs["slices"][number])?;
        }
    }
    if most > 0.0 { Ok(most) } else { Err("expected estimates that differ in their last digits, found none".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_held_to_their_targets() {
        let record = serde_json::json!({"relative_error": 0.06, "worst_target": 0.1, "rank_correlation": 0.95});
        let report = serde_json::json!({
            "world": "home", "logs": 20, "pages": 20000, "least_sample": 30.0, "mean_sample": [900.0, 499.0], "coverage": 0.95,
            "cascade_dr": record, "rips": record, "replay": record,
        });
        let claims = estimate_claims(&report).unwrap();
        let failed: Vec<&str> = claims.iter().filter(|claim| !claim.pass).map(|claim| claim.claim.as_str()).collect();
        assert_eq!(
            failed,
            ["home, effective sample size, mean over logs, of the least target", "home, relative error of cascade-DR"]
        );
        assert!(estimate_claims(&serde_json::json!({"world": "home"})).is_err());
    }

    #[test]
    fn the_furthest_estimate_is_found() {
        let lines = |by: f64| {
            let line = |name: &str| serde_json::json!({"estimator": name, "value": 0.5, "error": 0.25 + by});
            serde_json::json!({"estimates": [line("IPS"), line("SNIPS"), line("DR"), line("SwitchDR(10)")]})
        };
        let slices: Vec<Value> =
            (0..20).map(|i| serde_json::json!([[i.to_string()], lines(if i == 7 { 0.125 } else { 1e-12 })])).collect();
        let report = serde_json::json!({"policies": [{"all": lines(1e-12), "slices": slices}]});
        let pair = [0.5, 0.25];
        let of = serde_json::json!({"IPS": pair, "SNIPS": pair, "DR": pair, "SwitchDR(10)": pair});
        let numpy = serde_json::json!({"policies": {"a": {"all": of, "slices": vec![of.clone(); 20]}}});
        assert_eq!(furthest(&report, &numpy), Ok(0.125));
        assert!(furthest(&serde_json::json!({"policies": [{"all": {}}]}), &numpy).is_err());
    }
}
