//! The proof of what a visit to the demo page costs: bytes, times, the longest task, what moves.

use super::{Units, json_of, measured, number};
use crate::process::command;
use crate::results::{Claim, Record};
use crate::{Result, install, project, site};
use serde_json::Value;

const FOLDER: &str = "tests/e2e";
/// Most bytes of a whole visit.
const TRANSFER: f64 = 400_000.0;
/// Most milliseconds of processor time of one task of the main thread outside the fast-forward.
const TASK_MS: f64 = 50.0;

/// Builds the site and measures it in one Chromium.
pub fn run(units: &Units) -> Result<Record> {
    let site = site::build()?;
    let folder = project::root().join(FOLDER);
    install::node_packages(&folder, "what drives the demo", &mut install::watched)?;
    let browser = install::browser(&mut install::watched)?.ok_or("the demo is measured in Chromium; set CHROME_PATH")?;
    let report = units.unit("one Chromium", || {
        json_of(|file| {
            let mut run = command("node");
            run.arg(folder.join("measure.mjs")).arg(site).arg("--json").arg(file).env("CHROME_PATH", browser.chromium);
            Ok(run)
        })
    })?;
    Ok(Record {
        name: "demo".to_owned(),
        command: "cargo xtask prove demo".to_owned(),
        seeds: vec![1, 7],
        claims: claims(&report)?,
    })
}

/// Bytes by compression, times by network, the longest task, the layout shift.
fn claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for (key, name) in [("br", "brotli"), ("gzip", "gzip")] {
        let first = number(&report["bytes"][key], "first")?;
        claims.push(measured(&format!("up to the ranked page, {name}"), kilobytes(first), vec![("bytes".to_owned(), first)]));
        let all = number(&report["bytes"][key], "all")?;
        claims.push(Claim {
            claim: format!("every tab and a fast-forward, {name}"),
            value: kilobytes(all),
            wanted: "below 400 kB".to_owned(),
            pass: all < TRANSFER,
            numbers: vec![("bytes".to_owned(), all)],
        });
    }
    for (network, times) in report["times"].as_object().ok_or("expected \"times\" by network")? {
        for (key, name) in [("first", "first content"), ("ranked", "ranked page"), ("interactive", "interactive")] {
            claims.push(measured(&format!("{name}, {network}"), milliseconds(number(&times[key], "median")?), of(&times[key])?));
        }
    }
    let longest = number(&report["longest"], "median")?;
    claims.push(Claim {
        claim: "longest task outside the fast-forward".to_owned(),
        value: milliseconds(longest),
        wanted: "at most 50 ms of processor time".to_owned(),
        pass: longest <= TASK_MS,
        numbers: of(&report["longest"])?,
    });
    let shift = number(report, "shift")?;
    claims.push(Claim {
        claim: "layout shift".to_owned(),
        value: format!("{shift}"),
        wanted: "0".to_owned(),
        pass: shift == 0.0,
        numbers: vec![("shift".to_owned(), shift)],
    });
    Ok(claims)
}

fn of(times: &Value) -> Result<Vec<(String, f64)>> {
    ["best", "median", "worst"].iter().map(|key| Ok(((*key).to_owned(), number(times, key)?))).collect()
}

fn kilobytes(bytes: f64) -> String {
    format!("{:.0} kB", bytes / 1000.0)
}

fn milliseconds(ms: f64) -> String {
    format!("{ms:.0} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_held() {
        let times = serde_json::json!({ "best": 1.0, "median": 2.4, "worst": 3.0 });
        let mut report = serde_json::json!({
            "bytes": { "br": { "first": 1e5, "all": 387_400.0 }, "gzip": { "first": 1e5, "all": 400_000.0 } },
            "times": { "here": { "first": times, "ranked": times, "interactive": times } },
            "longest": { "best": 40.0, "median": 50.0, "worst": 55.0 }, "shift": 0.0,
        });
        let failed = |report: &Value| {
            let claims = claims(report).unwrap();
            claims.into_iter().filter(|claim| !claim.pass).map(|claim| claim.claim).collect::<Vec<_>>()
        };
        assert_eq!(failed(&report), ["every tab and a fast-forward, gzip"]);
        assert_eq!(claims(&report).unwrap()[1].value, "387 kB");
        report["longest"]["median"] = 50.5.into();
        report["shift"] = 0.01.into();
        report["bytes"]["gzip"]["all"] = 399_000.0.into();
        assert_eq!(failed(&report), ["longest task outside the fast-forward", "layout shift"]);
        assert!(claims(&Value::Null).is_err());
    }
}
