//! The proof of imported models: models of other tools made afresh, and damaged model files.

use super::{AS_MEASURED, Units, number};
use crate::process::{command, shown};
use crate::results::{Claim, Record};
use crate::{Result, project};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// How often each format is damaged.
const MUTATIONS: &str = "100000";
/// Fewest models made by the tools.
const LEAST_MODELS: f64 = 20.0;
/// Most memory while files are damaged, for two threads and the report, in bytes.
const MOST_MEMORY: f64 = 128e6;

/// `EARS_PYTHON` names the interpreter that has the tools, `EARS_OLD_TOOLS` folders of older ones, separated as in `PATH`. `EARS_MODELS` names
/// a folder that `tests/models/make.py` has filled before, perhaps on another machine.
pub fn run(units: &Units) -> Result<Record> {
    let made = units.unit("models made by the tools", || {
        if let Some(folder) = std::env::var_os("EARS_MODELS") {
            return check(Path::new(&folder), "0");
        }
        let folder = project::scratch("models")?;
        std::fs::remove_dir_all(&folder).map_err(|error| format!("cannot empty {}: {error}", folder.display()))?;
        let python = std::env::var_os("EARS_PYTHON").unwrap_or_else(|| "python3".into());
        let mut make = command(python);
        make.arg("tests/models/make.py").arg(&folder);
        if let Some(old) = std::env::var_os("EARS_OLD_TOOLS") {
            make.arg("--also").args(std::env::split_paths(&old));
        }
        shown(&mut make)
            .map_err(|error| format!("{error}; EARS_PYTHON names an interpreter with the tools of tests/models/make.py"))?;
        check(&folder, "0")
    })?;
    let damaged = units.unit("damaged files", || check(&project::root().join("tests/golden/models"), MUTATIONS))?;
    let reference = match project::reference_data()? {
        Some(folder) => Some(units.unit("reference models", || check(&folder.join("golden/models"), "0"))?),
        None => None,
    };
    Ok(Record {
        name: "models".to_owned(),
        command: "cargo xtask prove models".to_owned(),
        seeds: vec![1],
        claims: claims(&made, &damaged, reference.as_ref())?,
    })
}

/// The report of `check-models`, whether all is well or not.
fn check(folder: &Path, mutations: &str) -> Result<Value> {
    let file = project::scratch("prove")?.join("models.json");
    let _ = std::fs::remove_file(&file);
    // Not optimised: so overflows are noticed too, and a panic is what the damage looks for.
    let mut lab = command("cargo");
    lab.args([
        "run",
        "--quiet",
        "--bin",
        "ears-lab",
        "--manifest-path",
        "lab/Cargo.toml",
        "--",
        "check-models",
        "--threads",
        "2",
    ]);
    lab.args(["--mutations", mutations, "--json"]).arg(&file).arg(folder);
    // Models that fail are claims that do not hold; only a missing report is an error.
    let failed = shown(&mut lab).err();
    let text = project::read(&file).map_err(|error| failed.unwrap_or(error))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// One claim for each tool, for the refusals, for each damaged format, and for the memory that the damage took.
fn claims(made: &Value, damaged: &Value, reference: Option<&Value>) -> Result<Vec<Claim>> {
    let tools = tools(made)?;
    let total: f64 = tools.values().map(|tool| tool.files).sum();
    let within: f64 = tools.values().map(|tool| tool.within).sum();
    let mut claims = vec![counted("model files made by the tools, within their tolerance", within, total, LEAST_MODELS)];
    for (name, tool) in &tools {
        claims.push(tool.claim(name));
    }
    let versions: Vec<&str> = made["families"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    claims.push(Claim {
        claim: "versions of the tools".to_owned(),
        value: versions.join("; "),
        wanted: AS_MEASURED.to_owned(),
        pass: true,
        numbers: Vec::new(),
    });
    claims.push(counted("models outside the subset, refused by name", number(made, "refused")?, number(made, "to_refuse")?, 1.0));
    if let Some(reference) = reference {
        let tools = self::tools(reference)?;
        let total = tools.values().map(|tool| tool.files).sum();
        claims.push(counted(
            "reference model files within their tolerance",
            tools.values().map(|tool| tool.within).sum(),
            total,
            1.0,
        ));
    }
    for (format, tally) in damaged["mutations"].as_object().ok_or("the lab wrote no mutations")? {
        claims.push(damage(format, tally)?);
    }
    let memory = number(damaged, "peak_memory")?;
    claims.push(Claim {
        claim: "memory while files are damaged, at most".to_owned(),
        value: format!("{:.0} MB", memory / 1e6),
        wanted: format!("at most {:.0} MB", MOST_MEMORY / 1e6),
        pass: memory > 0.0 && memory <= MOST_MEMORY,
        numbers: vec![("bytes".to_owned(), memory)],
    });
    Ok(claims)
}

/// What a tool's models came to, over its versions.
#[derive(Default)]
struct Tool {
    files: f64,
    within: f64,
    rows: f64,
    margin: f64,
    prob: f64,
}

impl Tool {
    fn claim(&self, name: &str) -> Claim {
        let Tool { files, within, rows, margin, prob } = self;
        Claim {
            claim: format!("{name}, largest deviation of a margin"),
            value: format!("{margin:.1e}"),
            wanted: "all files within their tolerance".to_owned(),
            pass: within == files,
            numbers: vec![
                ("files".to_owned(), *files),
                ("within".to_owned(), *within),
                ("rows".to_owned(), *rows),
                ("margin".to_owned(), *margin),
                ("chance".to_owned(), *prob),
            ],
        }
    }
}

/// By the first word of a family's name.
fn tools(report: &Value) -> Result<BTreeMap<String, Tool>> {
    let mut tools: BTreeMap<String, Tool> = BTreeMap::new();
    for (name, family) in report["families"].as_object().ok_or("the lab wrote no families")? {
        let name = name.split([' ', ',']).next().unwrap_or_default().to_owned();
        let tool = tools.entry(name).or_default();
        tool.files += number(family, "files")?;
        tool.within += number(family, "within")?;
        tool.rows += number(family, "rows")?;
        tool.margin = tool.margin.max(number(family, "worst_margin")?);
        tool.prob = tool.prob.max(number(family, "worst_prob")?);
    }
    Ok(tools)
}

fn counted(claim: &str, good: f64, all: f64, least: f64) -> Claim {
    Claim {
        claim: claim.to_owned(),
        value: format!("{good:.0} of {all:.0}"),
        wanted: format!("all, and {least:.0} or more"),
        pass: good == all && all >= least,
        numbers: vec![("good".to_owned(), good), ("all".to_owned(), all)],
    }
}

fn damage(format: &str, tally: &Value) -> Result<Claim> {
    let of = |key: &str| number(tally, key);
    let (different, panics) = (of("different")?, of("panics")?);
    let keys = ["mutated", "refused", "same", "other", "rows", "out_of_range", "different", "panics", "worst_share"];
    let numbers = keys.iter().map(|key| Ok(((*key).to_owned(), of(key)?))).collect::<Result<Vec<_>>>()?;
    Ok(Claim {
        claim: format!("damaged {format} files that were accepted and compared"),
        value: format!("{:.0} of {:.0}", of("same")? + of("other")?, of("mutated")?),
        wanted: "no row that differs, no panic".to_owned(),
        pass: different == 0.0 && panics == 0.0 && of("mutated")? > 0.0 && of("other")? > 0.0,
        numbers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(within: u64, different: u64) -> Value {
        serde_json::json!({
            "families": {
                "boost 1.0": {"files": 15, "within": within, "rows": 10, "worst_margin": 1e-6, "worst_prob": 1e-7},
                "boost 2.0": {"files": 5, "within": 5, "rows": 10, "worst_margin": 3e-6, "worst_prob": 1e-8},
            },
            "to_refuse": 3, "refused": 3, "peak_memory": 3e7,
            "mutations": {"onnx": {
                "mutated": 10, "refused": 7, "same": 2, "other": 1, "rows": 36, "out_of_range": 0, "different": different, "panics": 0,
                "worst_share": 0.5,
            }},
        })
    }

    #[test]
    fn models_are_held_to_their_tolerances() {
        let good = report(15, 0);
        let claims = claims(&good, &good, Some(&good)).unwrap();
        assert!(claims.iter().all(|claim| claim.pass));
        assert_eq!((claims[0].value.as_str(), claims[1].value.as_str()), ("20 of 20", "3.0e-6"));
        assert_eq!(claims[1].claim, "boost, largest deviation of a margin");
        let failed = |bad: &Value| super::claims(bad, bad, None).unwrap().iter().filter(|claim| !claim.pass).count();
        assert_eq!(failed(&report(14, 0)), 2);
        assert_eq!(failed(&report(15, 1)), 1);
    }
}
