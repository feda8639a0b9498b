//! Data validation: what it finds, and how often it takes chance for a fault.

use super::{Units, json_of, measured, number};
use crate::results::{Claim, Record};
use crate::{Result, project, test};
use serde_json::Value;

pub(super) mod speed;

/// Runs the proof in full.
pub(super) fn run(units: &Units) -> Result<Record> {
    let folder = project::reference_data()?.ok_or("this proof needs the reference data: set EARS_SHARED to its folder")?;
    let report = units.unit("1,000 draws of 10,000 rows, faults in three data sets", || {
        json_of(|file| {
            let mut command = test::lab(&["check-validate", "--draws", "1000", "--rows", "10000", "--json"]);
            command.arg(file).arg("--faults").arg(folder.join("data"));
            Ok(command)
        })
    })?;
    Ok(Record {
        name: "validate".to_owned(),
        command: "cargo xtask prove validate".to_owned(),
        seeds: Vec::new(),
        claims: claims(&report)?,
    })
}

/// One claim for each thing that is counted.
pub fn claims(report: &Value) -> Result<Vec<Claim>> {
    let draws = &report["draws"];
    let (pairs, found) = (number(draws, "pairs")?, number(draws, "found")?);
    let (clean, alarms) = (number(draws, "clean_pairs")?, number(draws, "false_alarms")?);
    let mut tiers = measured(
        "missing tiers found as exactly one finding",
        format!("{found:.0} of {pairs:.0}"),
        vec![("found".to_owned(), found), ("pairs".to_owned(), pairs)],
    );
    tiers.wanted = "at least 999 in 1,000".to_owned();
    tiers.pass = found * 1000.0 >= pairs * 999.0;
    let mut false_alarms = measured(
        "false alarms on equal data",
        format!("{alarms:.0} of {clean:.0}"),
        vec![("alarms".to_owned(), alarms), ("pairs".to_owned(), clean)],
    );
    false_alarms.wanted = "at most 1 in 1,000".to_owned();
    false_alarms.pass = alarms * 1000.0 <= clean;
    let mut claims = vec![tiers, false_alarms];
    claims.extend(fault_claims(&report["faults"])?);
    Ok(claims)
}

/// Faults planted in real data, where there are any.
fn fault_claims(faults: &Value) -> Result<Vec<Claim>> {
    if faults.is_null() {
        return Ok(Vec::new());
    }
    let (planted, found) = (number(faults, "planted")?, number(faults, "found")?);
    let (kinds, clean) = (number(faults, "kinds")?, number(faults, "clean_findings")?);
    let missed: Vec<&str> = faults["missed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut all = measured(
        "planted faults found",
        format!("{found:.0} of {planted:.0} ({kinds:.0} kinds)"),
        vec![("found".to_owned(), found), ("planted".to_owned(), planted), ("kinds".to_owned(), kinds)],
    );
    all.wanted = "at least 98 % of 60 kinds in three data sets".to_owned();
    all.pass = found * 100.0 >= planted * 98.0 && kinds >= 60.0;
    let mut equal = measured(
        "findings in the same data before they were broken",
        format!("{clean:.0}"),
        vec![("findings".to_owned(), clean)],
    );
    equal.wanted = "none".to_owned();
    equal.pass = clean == 0.0;
    let mut claims = vec![all, equal];
    if !missed.is_empty() {
        claims.push(measured("planted faults not found", missed.join("; "), Vec::new()));
    }
    Ok(claims)
}
