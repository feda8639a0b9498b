//! `cargo xtask audit`: what may leave the device, checked in two minutes; one screen for a privacy officer.

use crate::process::{captured, command};
use crate::results::Claim;
use crate::{Result, package, project};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Draws from the wasm module for the default setting; the others get a twentieth each.
const DRAWS: u64 = 200_000;

/// The checks, in the order in which one would ask. `wasm` needs the draws' file.
pub const CHECKS: [&str; 15] = [
    "law",
    "table",
    "wasm",
    "native",
    "pairs",
    "twins",
    "ledger",
    "codec",
    "source",
    "linkability",
    "membership",
    "shuffle",
    "identity",
    "reconstruction",
    "faults",
];

/// Builds, draws, checks and prints; whether every promise holds.
pub fn run(json: Option<PathBuf>) -> Result<bool> {
    package::build()?;
    let folder = project::scratch("audit")?;
    let draws = folder.join("draws.json");
    println!("drawing records from the wasm module");
    captured(&mut draw(DRAWS, &draws))?;
    println!("checking");
    let answer = folder.join("answer.json");
    let mut audit = checks(&CHECKS, &draws);
    audit.args(["--report", "--json"]).arg(&answer);
    captured(&mut audit)?;
    let text = project::read(&answer)?;
    let report = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", answer.display()))?;
    let (screen, pass) = screen(&report)?;
    print!("{screen}");
    if let Some(file) = json {
        project::write(&file, text)?;
    }
    Ok(pass)
}

/// Counts draws from the wasm module of the built package into a file.
pub fn draw(count: u64, into: &Path) -> Command {
    let mut node = command("node");
    node.args(["audit/scripts/draws.mjs", "--package", "js/dist", "--manifests", "audit/manifests"]);
    node.arg("--draws").arg(count.to_string()).arg("--out").arg(into);
    node
}

/// The same for a quick test.
pub fn sampled_draw(into: &Path) -> Command {
    draw(DRAWS, into)
}

/// `ears-audit` with these checks.
pub fn checks(names: &[&str], draws: &Path) -> Command {
    let mut cargo = command("cargo");
    cargo.args(["run", "--release", "--quiet", "--package", "ears-audit", "--"]).args(names).arg("--draws").arg(draws);
    cargo
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).ok_or_else(|| format!("expected a text \"{key}\" in {value}"))
}

fn passed(value: &Value, key: &str) -> Result<bool> {
    value.get(key).and_then(Value::as_bool).ok_or_else(|| format!("expected true or false as \"{key}\" in {value}"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value.get(key).and_then(Value::as_array).ok_or_else(|| format!("expected a list \"{key}\" in the audit's answer"))
}

/// Promise by promise: whether it holds, how it was looked at, what was seen.
fn screen(report: &Value) -> Result<(String, bool)> {
    let findings = list(report, "findings")?;
    let mut screen = String::from("\nWhat may leave the device\n\n");
    let mut broken = 0;
    for finding in findings {
        let pass = passed(finding, "pass")?;
        broken += usize::from(!pass);
        let verdict = if pass { "holds  " } else { "BROKEN " };
        screen.push_str(&format!("{verdict} {}\n", text(finding, "promise")?));
        screen.push_str(&format!("         {}: {}\n", text(finding, "check")?, text(finding, "result")?));
        if !pass {
            screen.push_str(&format!("         looked at: {}\n", text(finding, "how")?));
        }
    }
    screen.push_str(&match broken {
        0 => format!("\nAll {} checks hold. docs/privacy.md says what they do not cover.\n", findings.len()),
        _ => format!("\n{broken} of {} checks do not hold.\n", findings.len()),
    });
    Ok((screen, broken == 0 && !findings.is_empty()))
}

/// One claim for each finding, and one for each planted fault.
pub fn claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for finding in list(report, "findings")? {
        let numbers = finding.get("numbers").and_then(Value::as_object);
        claims.push(Claim {
            claim: text(finding, "check")?.to_owned(),
            value: text(finding, "result")?.to_owned(),
            wanted: format!("{} ({})", text(finding, "promise")?, text(finding, "how")?),
            pass: passed(finding, "pass")?,
            numbers: numbers.into_iter().flatten().filter_map(|(name, number)| Some((name.clone(), number.as_f64()?))).collect(),
        });
    }
    for fault in report.get("faults").and_then(Value::as_array).into_iter().flatten() {
        claims.push(Claim {
            claim: format!("fault: {}", text(fault, "fault")?),
            value: text(fault, "evidence")?.to_owned(),
            wanted: format!("{}: caught by \"{}\"", text(fault, "what")?, text(fault, "check")?),
            pass: passed(fault, "caught")?,
            numbers: Vec::new(),
        });
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(pass: bool) -> Value {
        serde_json::json!({
            "findings": [{"check": "twins", "promise": "nothing differs", "how": "pairs", "result": "0 bits", "pass": pass, "numbers": {"pairs": 2.0}}],
            "faults": [{"fault": "double send", "what": "sent twice", "check": "twins", "evidence": "two records", "caught": pass}],
        })
    }

    #[test]
    fn the_screen_says_what_is_broken() {
        let (good, pass) = screen(&report(true)).unwrap();
        assert!(pass && good.contains("holds") && good.contains("All 1 checks hold"));
        let (bad, pass) = screen(&report(false)).unwrap();
        assert!(!pass && bad.contains("BROKEN") && bad.contains("looked at: pairs") && bad.contains("1 of 1 checks do not hold"));
        assert!(!screen(&serde_json::json!({"findings": []})).unwrap().1, "nothing checked is nothing shown");
    }

    #[test]
    fn claims_are_findings_and_faults() {
        let claims = claims(&report(false)).unwrap();
        assert_eq!(claims.iter().map(|claim| claim.claim.as_str()).collect::<Vec<_>>(), ["twins", "fault: double send"]);
        assert!(claims.iter().all(|claim| !claim.pass));
        assert_eq!(claims[0].numbers, [("pairs".to_owned(), 2.0)]);
    }
}
