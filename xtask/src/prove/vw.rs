//! The proof beside Vowpal Wabbit.

use super::{Interval, Units, json_of, measured, seeds};
use crate::results::{Claim, Record};
use crate::{Result, project, test};
use serde_json::Value;

/// Runs, listeners of each and of its pilot, days of both: five ways to run Vowpal Wabbit take a minute of one core for each run.
const SEEDS: &str = "10";
const LISTENERS: &str = "20";
const DAYS: &str = "30";
/// How far ahead the core has to be.
const AHEAD: f64 = 0.1;

/// The Last.fm world with the same pilot and features. `EARS_PYTHON_VW` names an interpreter with Vowpal Wabbit's package.
pub fn run(units: &Units) -> Result<Record> {
    let data =
        project::reference_data()?.ok_or("this proof needs the reference data: set EARS_SHARED to its folder")?.join("data");
    let python = std::env::var_os("EARS_PYTHON_VW").unwrap_or_else(|| "python3".into());
    // The lab keeps and takes up the finished runs itself.
    let partial = units.file.to_string_lossy();
    let report = json_of(|file| {
        let mut command = test::lab(&["beside-vw", "--resume", "--partial", &partial]);
        command.args(["--seeds", SEEDS, "--listeners", LISTENERS, "--days", DAYS, "--data"]);
        command.arg(&data).arg("--python").arg(&python).arg("--script").arg(project::root().join("lab/reference/vw.py"));
        command.arg("--json").arg(file);
        Ok(command)
    })?;
    Ok(Record {
        name: "vw".to_owned(),
        command: "cargo xtask prove vw".to_owned(),
        seeds: seeds(&report),
        claims: claims(&report)?,
    })
}

/// Streams a page of each policy, and the core over each of the others; over the best setting it has to be ahead.
pub fn claims(report: &Value) -> Result<Vec<Claim>> {
    let best = report["best"].as_str().ok_or("the lab names no best setting")?;
    let version = report["version"].as_str().ok_or("the lab names no version")?;
    let total = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_f64).sum::<f64>();
    let pages = total(&report["pages"]);
    let mut claims = vec![
        measured("version of Vowpal Wabbit", version.to_owned(), Vec::new()),
        measured("pages", format!("{pages:.0}"), vec![("pages".to_owned(), pages)]),
        measured("best setting of Vowpal Wabbit", best.to_owned(), Vec::new()),
    ];
    for (policy, streams) in report["streams"].as_object().ok_or("the lab wrote no streams")? {
        let rate = total(streams) / pages.max(1.0);
        claims.push(measured(&format!("streams a page, {policy}"), format!("{rate:.4}"), vec![("rate".to_owned(), rate)]));
    }
    let mut found = false;
    for comparison in report["comparisons"].as_array().ok_or("the lab wrote no comparisons")? {
        let against = comparison["against"].as_str().ok_or("a comparison without its policies")?;
        let interval = Interval::read(comparison, "relative")?;
        let mut claim = measured(&format!("streams, ears over {against}"), interval.percent(), interval.numbers("relative"));
        if against == best {
            found = true;
            let mut over = claim.clone();
            over.claim = "streams, ears over the best setting of Vowpal Wabbit".to_owned();
            over.wanted = format!("at least {:.0} % more, interval above 0", 100.0 * AHEAD);
            over.pass = interval.middle >= AHEAD && interval.low > 0.0;
            claims.push(over);
        }
        claim.pass = true;
        claims.push(claim);
    }
    if found { Ok(claims) } else { Err(format!("expected a comparison with {best}, found none")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_core_is_held_to_the_best_setting() {
        let report = |relative: f64, low: f64| {
            json!({"best": "b", "version": "9", "pages": [10, 10], "streams": {"ears": [3, 3], "a": [1, 1], "b": [2, 2]}, "comparisons": [
                {"policy": "ears", "against": "a", "relative": 2.0, "low": 1.0, "high": 3.0},
                {"policy": "ears", "against": "b", "relative": relative, "low": low, "high": 0.9},
            ]})
        };
        let failed = |relative, low| claims(&report(relative, low)).unwrap().iter().filter(|claim| !claim.pass).count();
        assert_eq!((failed(0.5, 0.1), failed(0.05, 0.01), failed(0.2, -0.1)), (0, 1, 1));
        let all = claims(&report(0.5, 0.1)).unwrap();
        assert!(all.iter().any(|claim| claim.claim == "streams a page, ears" && claim.value == "0.3000"));
        assert!(claims(&json!({})).is_err());
    }
}
