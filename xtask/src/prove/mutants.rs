//! Mutation testing of what makes records: every change of an operator, a value or a body of coin, ledger, randomiser and record, one at
//! a time, must turn a test red.
//!
//! The files are copied byte for byte into a crate of their own with the few modules that they use, which compiles in seconds where the
//! whole core takes half a minute; there are some two hundred changes.

use super::{Units, measured};
use crate::process::{captured, command};
use crate::results::{Claim, Record};
use crate::{Result, install, project};
use serde_json::{Value, json};
use std::path::Path;

/// The files that are changed.
const CHANGED: [&str; 4] = ["src/privacy/coin.rs", "src/privacy/ledger.rs", "src/privacy/randomiser.rs", "src/privacy/record.rs"];
/// What they need.
const NEEDED: [&str; 8] = [
    "src/privacy",
    "src/privacy.rs",
    "src/clock.rs",
    "src/error.rs",
    "src/math.rs",
    "src/random.rs",
    "src/settings.rs",
    "src/store.rs",
];
/// Tests that draw a lot and see nothing that the others do not.
const SLOW: [&str; 4] = ["random_schedules", "tosses_stay", "manifest::", "perturbation"];

pub fn run(units: &Units) -> Result<Record> {
    let mut claims = Vec::new();
    let (mut total, mut seen) = (0.0, 0.0);
    let mut version = String::new();
    for file in CHANGED {
        let outcome = units.unit(file, || mutate(file))?;
        outcome["version"].as_str().unwrap_or_default().clone_into(&mut version);
        let count = |key: &str| outcome[key].as_f64().ok_or_else(|| format!("expected a number \"{key}\" in {outcome}"));
        let (caught, timeout, missed, unviable) = (count("caught")?, count("timeout")?, count("missed")?, count("unviable")?);
        total += caught + timeout + missed;
        seen += caught + timeout;
        let survivors = outcome["survivors"].as_array().ok_or("expected a list of survivors")?;
        let unexplained: Vec<&str> = survivors.iter().filter_map(Value::as_str).filter(|name| reason(name).is_none()).collect();
        let explained: Vec<String> = survivors
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|name| reason(name).map(|reason| format!("{name} ({reason})")))
            .collect();
        claims.push(Claim {
            claim: format!("changes of {file}"),
            value: if explained.is_empty() {
                format!("{:.0} of {:.0} seen by a test", caught + timeout, caught + timeout + missed)
            } else {
                format!(
                    "{:.0} of {:.0} seen by a test; the rest changes nothing: {}",
                    caught + timeout,
                    caught + timeout + missed,
                    explained.join("; ")
                )
            },
            wanted: "none survives that changes what the code does".to_owned(),
            pass: unexplained.is_empty() && caught > 0.0,
            numbers: vec![
                ("caught".to_owned(), caught),
                ("endless".to_owned(), timeout),
                ("missed".to_owned(), missed),
                ("unviable".to_owned(), unviable),
            ],
        });
        claims.extend(unexplained.iter().map(|name| Claim {
            claim: format!("survivor: {name}"),
            value: "no test sees it".to_owned(),
            wanted: "a test, or a reason why nothing changes".to_owned(),
            pass: false,
            numbers: Vec::new(),
        }));
    }
    claims.push(measured("changes seen by a test, by cargo-mutants", format!("{seen:.0} of {total:.0} ({version})"), Vec::new()));
    Ok(Record { name: "mutants".to_owned(), command: "cargo xtask prove mutants".to_owned(), seeds: Vec::new(), claims })
}

/// Changes that change nothing, by file and what is changed, with the reason.
const NOTHING_CHANGES: &[(&str, &str)] =
    &[("src/privacy/record.rs: replace | with ^ in pack", "the bits of a field are zero before it is put in")];

fn reason(name: &str) -> Option<&'static str> {
    // "src/privacy/coin.rs:10:34: replace ...": the place in the line moves with every edit.
    let (file, rest) = name.split_once(':')?;
    let what = rest.splitn(3, ':').nth(2)?.trim();
    let key = format!("{file}: {what}");
    NOTHING_CHANGES.iter().find(|(known, _)| *known == key).map(|(_, reason)| *reason)
}

fn mutate(file: &str) -> Result<Value> {
    let program = install::cargo_mutants(&mut install::watched)?;
    let folder = project::scratch("mutants")?;
    lay_out(&folder)?;
    let out = folder.join("out");
    let _ = std::fs::remove_dir_all(&out);
    let mut mutants = command(program);
    mutants.current_dir(&folder).args(["mutants", "--in-place", "--no-shuffle", "--timeout", "120", "--file", file, "--output"]);
    mutants.arg(&out).args(["--", "--lib", "privacy::", "--"]);
    for slow in SLOW {
        mutants.args(["--skip", slow]);
    }
    mutants.env("CARGO_TARGET_DIR", folder.join("target"));
    // Its exit code says that something survived, which is judged here.
    let _ = mutants.status().map_err(|error| format!("cannot start cargo-mutants: {error}"))?;
    let path = out.join("mutants.out/outcomes.json");
    let outcomes: Value = serde_json::from_str(&project::read(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
    let survivors: Vec<&str> = outcomes["outcomes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|outcome| outcome["summary"] == "MissedMutant")
        .filter_map(|outcome| outcome["scenario"]["Mutant"]["name"].as_str())
        .collect();
    Ok(json!({
        "version": format!("cargo-mutants {}", outcomes["cargo_mutants_version"].as_str().unwrap_or("of unknown version")),
        "caught": outcomes["caught"], "timeout": outcomes["timeout"], "missed": outcomes["missed"],
        "unviable": outcomes["unviable"], "survivors": survivors,
    }))
}

/// The crate: the core's files as they are, and what stands for the rest.
fn lay_out(folder: &Path) -> Result<()> {
    let root = project::root();
    for name in NEEDED {
        captured(command("cp").arg("-R").arg(root.join(name)).arg(folder_of(folder, name)?))?;
    }
    project::write(&folder.join("src/lib.rs"), project::read(&root.join("audit/mutants/lib.rs"))?)?;
    project::write(&folder.join("Cargo.toml"), project::read(&root.join("audit/mutants/crate.toml"))?)?;
    project::write(&folder.join("Cargo.lock"), project::read(&root.join("Cargo.lock"))?)
}

fn folder_of(folder: &Path, name: &str) -> Result<std::path::PathBuf> {
    let source = folder.join("src");
    std::fs::create_dir_all(&source).map_err(|error| format!("cannot make {}: {error}", source.display()))?;
    if name == "src/privacy" {
        // Copied as a whole: what is no longer there must not stay.
        let _ = std::fs::remove_dir_all(source.join("privacy"));
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_found_wherever_the_line_stands() {
        assert!(reason("src/privacy/coin.rs:1:2: replace + with - in nothing").is_none());
        for (known, _) in NOTHING_CHANGES {
            let (file, what) = known.split_once(": ").unwrap();
            assert!(CHANGED.contains(&file), "{known}");
            assert!(reason(&format!("{file}:12:34: {what}")).is_some(), "{known}");
        }
    }
}
