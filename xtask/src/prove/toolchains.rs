//! The proof that the package works in every toolchain as it comes.

use super::{Units, json_of, number};
use crate::process::command;
use crate::results::{Claim, Record};
use crate::{Result, install, package, project};
use serde_json::Value;

/// Where the toolchains are; the larger ones are installed in a folder of their own.
const FOLDER: &str = "tests/package/toolchains";
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
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_that_fails_and_an_adapter_that_is_too_large_are_named() {
        let report = serde_json::json!({
            "fixtures": [
                {"name": "Vite 8, build", "problem": null, "seconds": 2.5},
                {"name": "Parcel 2", "problem": "cannot resolve\nmore", "seconds": 1.0},
            ],
            "adapters": [{"name": "react", "brotli": 1_001}, {"name": "vue", "brotli": 1_000}],
        });
        let claims = claims(&report).unwrap();
        let passes: Vec<bool> = claims.iter().map(|claim| claim.pass).collect();
        assert_eq!(passes, [true, false, false, false, true]);
        assert_eq!(claims[1].value, "cannot resolve");
        assert_eq!(claims[2].value, "1 of 2");
        assert!(super::claims(&serde_json::json!({"fixtures": []})).is_err());
        assert!(!super::claims(&serde_json::json!({"fixtures": [], "adapters": []})).unwrap()[0].pass);
    }
}
