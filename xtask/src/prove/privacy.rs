//! The proofs of what the lab does with records that carry noise.

use super::{Units, json_of, measured, number};
use crate::results::{Claim, Record};
use crate::{Result, test};
use serde_json::Value;

pub(super) fn accountant(units: &Units) -> Result<Record> {
    let report = units.unit("the accountant's table", || {
        json_of(|file| {
            let mut command = test::lab(&["disclosure", "--json"]);
            command.arg(file);
            Ok(command)
        })
    })?;
    Ok(Record {
        name: "accountant".to_owned(),
        command: "cargo xtask prove accountant".to_owned(),
        seeds: Vec::new(),
        claims: disclosed_claims(&report)?,
    })
}

/// A number with two or four digits that is held to a bound.
fn judged(claim: &str, number: f64, shown: String, wanted: &str, pass: bool) -> Claim {
    Claim { wanted: wanted.to_owned(), pass, ..measured(claim, shown, vec![("number".to_owned(), number)]) }
}

fn disclosed_claims(report: &Value) -> Result<Vec<Claim>> {
    let rows = |key: &str| report[key].as_array().ok_or_else(|| format!("the table has no \"{key}\""));
    let mut claims = Vec::new();
    for row in rows("together")? {
        let (each, records, exact) = (number(row, "each")?, number(row, "records")?, number(row, "exact")?);
        let claim = format!("epsilon of {records:.0} records of epsilon {each}");
        // The known value of a year at epsilon 1 is 49.15.
        let year = each == 1.0 && records == 52.0;
        let wanted = if year { "49.1 to 49.2" } else { super::AS_MEASURED };
        claims.push(judged(&claim, exact, format!("{exact:.2}"), wanted, !year || (49.1..=49.2).contains(&exact)));
    }
    for row in rows("crowds")? {
        let (each, records, bits) = (number(row, "each")?, number(row, "records")?, number(row, "bits")?);
        let claim = format!("epsilon of a record of epsilon {each} among {records:.0}");
        let many = each == 1.0 && records == 100_000.0;
        let wanted = if many { "at most 0.0125" } else { super::AS_MEASURED };
        claims.push(judged(&claim, bits, format!("{bits:.4}"), wanted, !many || bits <= 0.0125));
        if many {
            let ratio = number(row, "closed")? / bits;
            claims.push(judged(
                "closed form over the sum, among 100000",
                ratio,
                format!("{ratio:.1}"),
                "at least 5",
                ratio >= 5.0,
            ));
        }
    }
    let (below, cases) = (number(report, "below_enumeration")?, number(report, "enumerated")?);
    let shown = format!("{below:.0} of {cases:.0}");
    claims.push(judged("crowds below the exact enumeration", below, shown, "none", below == 0.0 && cases > 0.0));
    let milliseconds = number(report, "milliseconds")?;
    let shown = format!("{milliseconds:.0} ms");
    claims.push(judged("time for a crowd of 100000", milliseconds, shown, "under 100 ms", milliseconds < 100.0));
    Ok(claims)
}

/// Repetitions of the full check.
const REPETITIONS: &str = "2000";

pub(super) fn noise(units: &Units) -> Result<Record> {
    let report = json_of(|file| {
        let mut command =
            test::lab(&["check-noise", "--repetitions", REPETITIONS, "--records", "50000", "--resume", "--partial"]);
        command.arg(&units.file).arg("--json").arg(file);
        Ok(command)
    })?;
    Ok(Record {
        name: "noise".to_owned(),
        command: "cargo xtask prove noise".to_owned(),
        seeds: vec![7],
        claims: noise_claims(&report, (0.93, 0.97))?,
    })
}

/// Coverage and bias of each estimator, and the shortcut that must be caught.
pub fn noise_claims(report: &Value, (least, most): (f64, f64)) -> Result<Vec<Claim>> {
    let rows = |key: &str| report[key].as_array().ok_or_else(|| format!("the report has no \"{key}\""));
    let percent = |x: f64| format!("{:.1} %", 100.0 * x);
    let mut claims = Vec::new();
    for what in ["repetitions", "records"] {
        let count = number(report, what)?;
        claims.push(measured(what, format!("{count:.0}"), vec![("number".to_owned(), count)]));
    }
    for row in rows("rows")? {
        let name = row["estimator"].as_str().ok_or("an estimator without its name")?;
        let (epsilon, coverage) = (number(row, "epsilon")?, number(row, "coverage")?);
        let (bias, error) = (number(row, "bias")?, number(row, "bias_error")?);
        let of = |what: &str| format!("{what}, {name}, epsilon {epsilon}");
        let wanted = format!("{:.0} to {:.0} %", 100.0 * least, 100.0 * most);
        claims.push(judged(&of("coverage"), coverage, percent(coverage), &wanted, (least..=most).contains(&coverage)));
        let shown = format!("{bias:+.5} (error {error:.5})");
        claims.push(judged(&of("bias"), bias, shown, "within 4 of its errors of 0", bias.abs() <= 4.0 * error));
        let shown = format!("{:.5}", number(row, "deviation")?);
        claims.push(measured(&of("standard deviation"), shown, vec![("number".to_owned(), number(row, "deviation")?)]));
    }
    for row in rows("shortcut")? {
        let (spread, greed) = (number(row, "spread")?, number(row, "greed")?);
        let bias = number(row, "mean")? / number(row, "truth")? - 1.0;
        let error = number(row, "standard_error")? / number(row, "truth")?;
        let claim = format!("bias of averaged propensities, spread {spread}, greed {greed}");
        let (free, shown) = (greed == 0.0, format!("{:+.1} %", 100.0 * bias));
        let wanted = if free { "within 4 of its errors of 0" } else { "caught: beyond 6 of its errors" };
        claims.push(judged(&claim, bias, shown, wanted, if free { bias.abs() <= 4.0 * error } else { bias.abs() > 6.0 * error }));
    }
    Ok(claims)
}

pub(super) fn training(units: &Units) -> Result<Record> {
    let report = json_of(|file| {
        let mut command = test::lab(&["train-probes", "--seeds", SEEDS, "--resume", "--partial"]);
        command.arg(&units.file).arg("--json").arg(file);
        Ok(command)
    })?;
    Ok(Record {
        name: "probes-training".to_owned(),
        command: "cargo xtask prove probes-training".to_owned(),
        seeds: super::seeds(&report),
        claims: training_claims(&report)?,
    })
}

/// Runs of the training.
const SEEDS: &str = "5";

fn training_claims(report: &Value) -> Result<Vec<Claim>> {
    let runs = report["runs"].as_array().filter(|runs| !runs.is_empty()).ok_or("the report has no runs")?;
    let mean =
        |key: &str| -> Result<f64> { Ok(runs.iter().map(|run| number(run, key)).sum::<Result<f64>>()? / runs.len() as f64) };
    let weights = number(report, "parameters")?;
    let mut claims = vec![judged("weights", weights, format!("{weights:.0}"), "at least 32", weights >= 32.0)];
    let bits = runs.iter().map(|run| number(run, "bits")).collect::<Result<Vec<f64>>>()?.into_iter().fold(0.0, f64::max);
    claims.push(judged("bits of a run", bits, format!("{:.1} million", bits / 1e6), "at most 5 million", bits <= 5e6));
    for (claim, key) in [
        ("value at the start", "start"),
        ("value, trained from randomised bits", "private"),
        ("value, trained from bits told in truth", "plain"),
        ("value, best of the class", "best"),
        ("value, built-in model", "built_in"),
        ("value, pages ordered by the truth", "truth"),
    ] {
        let value = mean(key)?;
        claims.push(measured(claim, format!("{value:.3}"), vec![("number".to_owned(), value)]));
    }
    for (claim, key, least) in [
        ("gap to the class's best closed without noise", "plain_share", Some(0.8)),
        ("gain with noise over gain without", "private_over_plain", Some(0.9)),
        ("gap to the class's best closed with noise", "private_share", None),
    ] {
        let of = |at: usize| report[key][at].as_f64().ok_or_else(|| format!("the report has no \"{key}\""));
        let interval = super::Interval { middle: of(0)?, low: of(1)?, high: of(2)? };
        let shown = format!("{:.1} % [{:.1}, {:.1}]", 100.0 * interval.middle, 100.0 * interval.low, 100.0 * interval.high);
        claims.push(Claim {
            claim: claim.to_owned(),
            value: shown,
            wanted: least.map_or(super::AS_MEASURED.to_owned(), |least| format!("at least {:.0} %", 100.0 * least)),
            pass: least.is_none_or(|least| interval.middle >= least),
            numbers: interval.numbers("share"),
        });
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimators_are_held_to_coverage_and_the_shortcut_must_be_caught() {
        let of = |coverage: f64, bias: f64, mean: f64| {
            serde_json::json!({
                "repetitions": 10, "records": 100,
                "rows": [{"estimator": "vote lift", "epsilon": 1.0, "coverage": coverage, "bias": bias, "bias_error": 0.01, "deviation": 0.1}],
                "shortcut": [{"spread": 1.0, "greed": 6.0, "truth": 0.2, "mean": mean, "standard_error": 0.01}],
            })
        };
        let passes =
            |report: &Value| noise_claims(report, (0.93, 0.97)).unwrap().iter().map(|claim| claim.pass).collect::<Vec<bool>>();
        assert_eq!(passes(&of(0.95, 0.03, 0.4)), [true; 6]);
        assert_eq!(passes(&of(0.92, 0.05, 0.22)), [true, true, false, false, true, false]);
    }

    #[test]
    fn training_is_held_to_its_gains_and_bits() {
        let of = |plain: f64, ratio: f64, bits: f64| {
            let run = serde_json::json!({
                "start": 0.4, "private": 0.5, "plain": 0.55, "best": 0.6, "built_in": 0.5, "truth": 0.7, "bits": bits,
            });
            serde_json::json!({
                "parameters": 33, "runs": [run], "plain_share": [plain, 0.7, 0.9], "private_over_plain": [ratio, 0.8, 1.0],
                "private_share": [0.1, 0.0, 0.2],
            })
        };
        let failed = |report: &Value| training_claims(report).unwrap().iter().filter(|claim| !claim.pass).count();
        assert_eq!((failed(&of(0.85, 0.95, 4e6)), failed(&of(0.75, 0.85, 6e6))), (0, 3));
        assert!(training_claims(&serde_json::json!({"parameters": 33, "runs": []})).is_err());
    }

    #[test]
    fn disclosures_are_held_to_their_bounds() {
        let of = |exact: f64, bits: f64, below: u32| {
            serde_json::json!({
                "together": [{"each": 1.0, "records": 52, "exact": exact}],
                "crowds": [{"each": 1.0, "records": 100_000, "bits": bits, "closed": 0.0726}],
                "below_enumeration": below, "enumerated": 10, "milliseconds": 3.0,
            })
        };
        let passes = |report: &Value| disclosed_claims(report).unwrap().iter().map(|claim| claim.pass).collect::<Vec<bool>>();
        assert_eq!(passes(&of(49.15, 0.0124, 0)), [true; 5]);
        assert_eq!(passes(&of(52.0, 0.0153, 1)), [false, false, false, false, true]);
    }
}
