//! Data validation: what it finds, and how often it takes chance for a fault.

use super::{Units, json_of, measured, number};
use crate::Result;
use crate::results::{Claim, Record};
use crate::test;
use serde_json::Value;

/// Runs the proof in full.
pub(super) fn run(units: &Units) -> Result<Record> {
    let report = units.unit("1,000 draws of 50,000 rows", || {
        json_of(|file| {
            let mut command = test::lab(&["check-validate", "--draws", "1000", "--rows", "50000", "--json"]);
            command.arg(file);
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
    Ok(vec![tiers, false_alarms])
}
