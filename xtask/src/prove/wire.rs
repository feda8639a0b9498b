//! The wire, in full: simulated listeners over a year in a headless browser, every request recorded.

use super::{Units, json_of};
use crate::process::command;
use crate::results::{Claim, Record};
use crate::{Result, install, package, project};
use serde_json::Value;

const LISTENERS: u64 = 1_000;
const WEEKS: u64 = 52;

pub fn run(units: &Units) -> Result<Record> {
    package::build()?;
    let browser = install::browser(&mut install::watched)?.ok_or("this proof needs Chromium; set CHROME_PATH")?;
    let report = units.unit("one Chromium run", || {
        json_of(|file| {
            let mut node = command("node");
            node.arg(project::root().join("js/tests/wire.mjs")).arg("--json").arg(file);
            node.env("EARS_LISTENERS", LISTENERS.to_string()).env("EARS_WEEKS", WEEKS.to_string());
            node.env("CHROME_PATH", &browser.chromium);
            Ok(node)
        })
    })?;
    Ok(Record {
        name: "wire".to_owned(),
        command: "cargo xtask prove wire".to_owned(),
        seeds: Vec::new(),
        claims: claims(&report)?,
    })
}

/// The claims as the run judged them; their numbers are what else stands in them.
fn claims(report: &Value) -> Result<Vec<Claim>> {
    let list = report["claims"].as_array().ok_or("expected claims in the report of the wire, found none")?;
    list.iter().map(claim).collect()
}

fn claim(value: &Value) -> Result<Claim> {
    let word =
        |key: &str| value[key].as_str().map(str::to_owned).ok_or_else(|| format!("expected a claim with {key}, found {value}"));
    let pass = value["pass"].as_bool().ok_or_else(|| format!("expected a claim with a verdict, found {value}"))?;
    let fields = value.as_object().into_iter().flatten();
    let numbers = fields.filter_map(|(name, number)| Some((name.clone(), number.as_f64()?))).collect();
    Ok(Claim { claim: word("claim")?, value: word("value")?, wanted: word("wanted")?, pass, numbers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_read_whole_or_not_at_all() {
        let good = json!({ "claims": [{ "claim": "bytes", "value": "311", "wanted": "one size", "pass": true, "bytes": 311 }] });
        let read = claims(&good).unwrap();
        assert_eq!((read[0].value.as_str(), read[0].pass), ("311", true));
        assert_eq!(read[0].numbers, [("bytes".to_owned(), 311.0)]);
        for broken in [
            json!({}),
            json!({ "claims": [{ "claim": "bytes", "value": "311", "wanted": "x" }] }),
            json!({ "claims": [{ "pass": true }] }),
        ] {
            assert!(claims(&broken).is_err());
        }
    }
}
