//! The proof that the package works in every toolchain as it comes.

use super::{Units, json_of, number};
use crate::process::command;
use crate::results::{Claim, Record};
use crate::{Result, install, package, project};
use serde_json::Value;

/// Where the toolchains are; the larger ones are installed in a folder of their own.
const FOLDER: &str = "tests/package/toolchains";
/// Most growth of the JavaScript heap over a long life, and of the compiled core's memory.
const MOST_GROWTH: f64 = 0.05;
/// Most bytes that all namespaces of a long life store.
const MOST_STORED_BYTES: f64 = 2_000_000.0;
/// Most bytes of a framework's adapter, brotli.
const MOST_ADAPTER_BYTES: f64 = 1_000.0;

/// Installs every toolchain and runs each fixture.
pub fn run(units: &Units) -> Result<Record> {
    package::build()?;
    let folder = project::root().join(FOLDER);
    install::node_packages(&folder, "the toolchains that the package is tried with", &mut install::watched)?;
    install::node_packages(&folder.join("more"), "the larger toolchains", &mut install::watched)?;
    let browser = install::browser(&mut install::watched)?.ok_or("the toolchains need Chromium; set CHROME_PATH")?;
    let report = units.unit("every toolchain", || {
        json_of(|file| {
            let mut all = command("node");
            all.arg(folder.join("all.mjs")).arg("--json").arg(file).env("CHROME_PATH", browser.chromium);
            Ok(all)
        })
    })?;
    Ok(Record {
        name: "package".to_owned(),
        command: "cargo xtask prove package".to_owned(),
        seeds: Vec::new(),
        claims: claims(&report)?,
    })
}

/// One claim for each toolchain, one for all of them, one for each adapter.
fn claims(report: &Value) -> Result<Vec<Claim>> {
    let list = |key: &str| report[key].as_array().ok_or_else(|| format!("expected a list \"{key}\", got {}", report[key]));
    let name = |of: &Value| of["name"].as_str().map(str::to_owned).ok_or_else(|| format!("expected a \"name\" in {of}"));
    let mut claims = Vec::new();
    let fixtures = list("fixtures")?;
    for fixture in fixtures {
        let problem = fixture["problem"].as_str();
        claims.push(Claim {
            claim: name(fixture)?,
            value: problem.map_or("yes", |problem| problem.lines().next().unwrap_or_default()).to_owned(),
            wanted: "yes".to_owned(),
            pass: problem.is_none(),
            numbers: vec![("seconds".to_owned(), number(fixture, "seconds")?)],
        });
    }
    let passed = claims.iter().filter(|claim| claim.pass).count();
    claims.push(Claim {
        claim: "toolchains that pass".to_owned(),
        value: format!("{passed} of {}", fixtures.len()),
        wanted: "all".to_owned(),
        pass: passed == fixtures.len() && passed > 0,
        numbers: vec![("passed".to_owned(), passed as f64)],
    });
    for adapter in list("adapters")? {
        let bytes = number(adapter, "brotli")?;
        claims.push(Claim {
            claim: format!("ears-only/{}, brotli", name(adapter)?),
            value: format!("{bytes:.0} bytes"),
            wanted: format!("at most {MOST_ADAPTER_BYTES:.0} bytes"),
            pass: bytes <= MOST_ADAPTER_BYTES,
            numbers: vec![("bytes".to_owned(), bytes)],
        });
    }
    claims.extend(lives(&report["lives"])?);
    Ok(claims)
}

/// What long lives leave behind.
fn lives(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for (key, what) in
        [("cycles", "pages ranked and heard"), ("mounts", "mounts under StrictMode"), ("homes", "pairs of Homes made and closed")]
    {
        let life = &report[key];
        let count = number(life, "count")?;
        for (memory, name) in [("heap", "JavaScript heap"), ("objects", "JavaScript objects"), ("wasm", "memory of the core")] {
            let (start, end) = (number(&life["start"], memory)?, number(&life["end"], memory)?);
            let growth = end / start - 1.0;
            claims.push(Claim {
                claim: format!("{name} after {count:.0} {what}"),
                value: format!("{:+.1} %", growth * 100.0),
                wanted: format!("at most {:+.0} %", MOST_GROWTH * 100.0),
                pass: growth <= MOST_GROWTH,
                numbers: vec![("start".to_owned(), start), ("end".to_owned(), end)],
            });
        }
    }
    let mut stored = 0.0;
    for bytes in report["stored"].as_object().ok_or("expected \"stored\" by key")?.values() {
        stored += bytes.as_f64().ok_or("expected bytes in \"stored\"")?;
    }
    claims.push(Claim {
        claim: "stored after these lives".to_owned(),
        value: format!("{:.0} kB", stored / 1_000.0),
        wanted: format!("at most {:.0} kB", MOST_STORED_BYTES / 1_000.0),
        pass: stored > 0.0 && stored <= MOST_STORED_BYTES,
        numbers: vec![("bytes".to_owned(), stored)],
    });
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_that_fails_and_an_adapter_that_is_too_large_are_named() {
        let life = serde_json::json!({"count": 10, "start": {"heap": 100, "objects": 70, "wasm": 50}, "end": {"heap": 106, "objects": 73, "wasm": 50}});
        let lives = serde_json::json!({"cycles": life, "mounts": life, "homes": life, "stored": {"a/snapshot": 1_500_000, "b/snapshot": 600_000}});
        let report = serde_json::json!({
            "fixtures": [
                {"name": "Vite 8, build", "problem": null, "seconds": 2.5},
                {"name": "Parcel 2", "problem": "cannot resolve\nmore", "seconds": 1.0},
            ],
            "adapters": [{"name": "react", "brotli": 1_001}, {"name": "vue", "brotli": 1_000}],
            "lives": lives,
        });
        let claims = claims(&report).unwrap();
        let passes: Vec<bool> = claims.iter().map(|claim| claim.pass).collect();
        assert_eq!(passes, [true, false, false, false, true, false, true, true, false, true, true, false, true, true, false]);
        assert_eq!(claims[5].claim, "JavaScript heap after 10 pages ranked and heard");
        assert_eq!(claims[5].value, "+6.0 %");
        assert_eq!(claims[1].value, "cannot resolve");
        assert_eq!(claims[2].value, "1 of 2");
        assert!(super::claims(&serde_json::json!({"fixtures": []})).is_err());
        assert!(!super::claims(&serde_json::json!({"fixtures": [], "adapters": [], "lives": lives})).unwrap()[0].pass);
    }
}
