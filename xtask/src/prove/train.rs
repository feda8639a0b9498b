//! The proofs of training: our trainers beside those of the field, and every body on the devices of the demo world.

use super::{Interval, Units, json_of, lab_json, measured, number, seeds};
use crate::process::{captured, command};
use crate::results::{Claim, Record};
use crate::{Result, install, package, project, test};
use serde_json::Value;
use std::path::Path;

/// Scores of the field's trainers, made by the script beside it.
const REFERENCE: &str = "lab/reference/train.json";
/// How much larger our log-loss may be.
const WITHIN: f64 = 0.01;
/// How many times as long as XGBoost our trees may take.
const TIMES: f64 = 2.0;
/// Timings of each, in turns.
const ROUNDS: usize = 5;

/// Scores on the same rows and times in the same run. `EARS_PYTHON` names an interpreter with XGBoost for the latter.
pub fn train(units: &Units) -> Result<Record> {
    let data =
        project::reference_data()?.ok_or("this proof needs the reference data: set EARS_SHARED to its folder")?.join("data");
    let folder = project::scratch("train")?;
    let ours = units.unit("our trainers", || json_of(|file| lab(&data, &folder, file)))?;
    let text = project::read(&project::root().join(REFERENCE))?;
    let field: Value = serde_json::from_str(&text).map_err(|error| format!("{REFERENCE}: {error}"))?;
    let mut claims = scores(&ours, &field)?;
    for threads in [1, 2] {
        let times = units.unit(&format!("times, {threads} threads"), || times(&data, &folder, threads))?;
        claims.push(time_claim(&times, threads)?);
    }
    let versions = field["versions"].as_object().into_iter().flatten();
    let versions: Vec<String> = versions.map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("?"))).collect();
    claims.push(measured("versions of the field's trainers", versions.join(", "), Vec::new()));
    Ok(Record { name: "train".to_owned(), command: "cargo xtask prove train".to_owned(), seeds: seeds(&field), claims })
}

fn lab(data: &Path, folder: &Path, file: &Path) -> Result<std::process::Command> {
    let mut command = test::lab(&["train-reference", "--data"]);
    command.arg(data).arg("--folder").arg(folder).arg("--json").arg(file);
    Ok(command)
}

/// One claim for each split and model that the field has too; the rest as measured.
fn scores(ours: &Value, field: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for (split, found) in ours["splits"].as_object().ok_or("the lab wrote no splits")? {
        let other = &field["splits"][split];
        if found["sha256"] != other["sha256"] {
            return Err(format!(
                "{split}: expected the rows that {REFERENCE} was made from, {}, found {}",
                other["sha256"], found["sha256"]
            ));
        }
        for (model, loss) in found["log_loss"].as_object().ok_or("the lab wrote no losses")? {
            let loss = loss.as_f64().ok_or_else(|| format!("expected a loss of {model}, found {loss}"))?;
            let claim = format!("log-loss, {split}, {model}");
            let Some(theirs) = other["log_loss"][model].as_f64() else {
                claims.push(measured(&claim, format!("{loss:.5}"), vec![("ours".to_owned(), loss)]));
                continue;
            };
            let relative = loss / theirs - 1.0;
            claims.push(Claim {
                claim,
                value: format!("{loss:.5} against {theirs:.5} ({:+.2} %)", 100.0 * relative),
                wanted: format!("at most {:.0} % more", 100.0 * WITHIN),
                pass: relative <= WITHIN,
                numbers: vec![("ours".to_owned(), loss), ("theirs".to_owned(), theirs), ("relative".to_owned(), relative)],
            });
        }
    }
    Ok(claims)
}

/// Seconds of one training by each, in turns.
fn times(data: &Path, folder: &Path, threads: usize) -> Result<Value> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let count = threads.to_string();
    for _ in 0..ROUNDS {
        let report = json_of(|file| {
            let mut command = lab(data, folder, file)?;
            command.args(["--time", &count]);
            Ok(command)
        })?;
        ours.push(number(&report, "seconds")?);
        let python = std::env::var_os("EARS_PYTHON").unwrap_or_else(|| "python3".into());
        let mut script = command(python);
        script.arg(project::root().join("lab/reference/train.py")).arg("time").arg(folder).arg(&count);
        // Threads that wait in a loop would take the processor from whatever else runs.
        script.env("OMP_NUM_THREADS", &count).env("OMP_WAIT_POLICY", "PASSIVE");
        let text = captured(&mut script).map_err(|error| format!("{error}; EARS_PYTHON names an interpreter with XGBoost"))?;
        let report: Value = serde_json::from_str(&text).map_err(|error| format!("times of XGBoost: {error}"))?;
        theirs.push(number(&report, "seconds")?);
    }
    Ok(serde_json::json!({ "ours": ours, "theirs": theirs }))
}

fn time_claim(times: &Value, threads: usize) -> Result<Claim> {
    // The least of several turns is what other work on the machine disturbed least.
    let least = |key: &str| -> Result<f64> {
        let all = times[key].as_array().ok_or_else(|| format!("expected times \"{key}\" in {times}"))?;
        all.iter().filter_map(Value::as_f64).min_by(f64::total_cmp).ok_or_else(|| format!("no times in {times}"))
    };
    let (ours, theirs) = (least("ours")?, least("theirs")?);
    let plural = if threads == 1 { "thread" } else { "threads" };
    Ok(Claim {
        claim: format!("seconds of 100 trees on 200,000 rows of 20 columns, {threads} {plural}"),
        value: format!("{ours:.2} against {theirs:.2} of XGBoost"),
        wanted: format!("at most {TIMES:.0} times XGBoost's"),
        pass: ours <= TIMES * theirs,
        numbers: vec![("ours".to_owned(), ours), ("theirs".to_owned(), theirs), ("times".to_owned(), ours / theirs)],
    })
}

/// Every body trained on the same log and run on the devices of other listeners.
pub fn families(units: &Units) -> Result<Record> {
    // The lab keeps and takes up the finished runs itself.
    let partial = units.file.to_string_lossy();
    let report = lab_json(&["families", "--seeds", "5", "--listeners", "100", "--resume", "--partial", &partial])?;
    Ok(Record {
        name: "families".to_owned(),
        command: "cargo xtask prove families".to_owned(),
        seeds: seeds(&report),
        claims: family_claims(&report)?,
    })
}

/// For each body: lift over popularity, what the learning head adds, calibration, bytes and time.
pub fn family_claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for family in report["bodies"].as_array().ok_or("the lab wrote no bodies")? {
        let body = family["body"].as_str().ok_or("a body without a name")?;
        for comparison in family["comparisons"].as_array().ok_or("the lab wrote no comparisons")? {
            let word = |key: &str| comparison[key].as_str().unwrap_or("?");
            let interval = Interval::read(comparison, "relative")?;
            let what = match (word("policy"), word("against")) {
                ("learning", "popularity") => "streams, head learns, over popularity",
                ("frozen", "popularity") => "streams, head held still, over popularity",
                ("learning", "frozen") => "streams, head learns over head held still",
                _ => "streams of days 21 to 30, head learns over head held still",
            };
            let mut claim = measured(&format!("{body}: {what}"), interval.percent(), interval.numbers("relative"));
            if word("against") == "popularity" {
                claim.wanted = "interval above 0".to_owned();
                claim.pass = interval.low > 0.0;
            }
            claims.push(claim);
        }
        for (which, name) in [("learning", "head learns"), ("frozen", "head held still")] {
            for (key, what) in [("log_loss", "log-loss"), ("calibration_error", "calibration error")] {
                let runs = family[which].as_array().ok_or("the lab wrote no runs")?;
                let mean = runs.iter().filter_map(|run| run[key].as_f64()).sum::<f64>() / runs.len().max(1) as f64;
                let claim = format!("{body}: {what} on its own pages, {name}");
                claims.push(measured(&claim, format!("{mean:.4}"), vec![("mean".to_owned(), mean)]));
            }
        }
        let judged = number(family, "judged_log_loss")?;
        claims.push(measured(&format!("{body}: log-loss on the log"), format!("{judged:.4}"), vec![("mean".to_owned(), judged)]));
        let bytes = number(family, "bytes")?;
        claims.push(measured(
            &format!("{body}: bytes of the bundle"),
            format!("{:.1} kB", bytes / 1000.0),
            vec![("bytes".to_owned(), bytes)],
        ));
        let time = number(family, "page_ms")?;
        claims.push(measured(&format!("{body}: time of a page, native"), format!("{time:.2} ms"), vec![("ms".to_owned(), time)]));
    }
    Ok(claims)
}

/// Bodies trained naively and counterfactually on a confounded log, on the devices of other listeners; then their bundles in a browser.
pub fn confounded(units: &Units) -> Result<Record> {
    package::build()?;
    let browser = install::browser(&mut install::watched)?.ok_or("this proof needs Chromium; set CHROME_PATH")?;
    let folder = project::scratch("confounded")?;
    // The lab keeps and takes up the finished runs itself.
    let partial = units.file.to_string_lossy();
    let report = json_of(|file| {
        let mut command = test::lab(&[
            "confounded",
            "--resume",
            "--partial",
            &partial,
            "--seeds",
            RUNS,
            "--log-listeners",
            LOG_LISTENERS,
            "--bundles",
        ]);
        command.arg(&folder).arg("--json").arg(file);
        Ok(command)
    })?;
    let ranked = json_of(|file| {
        let mut node = command("node");
        node.arg(project::root().join("js/tests/trained.mjs")).arg(&folder).arg("--json").arg(file);
        node.env("CHROME_PATH", &browser.chromium);
        Ok(node)
    })?;
    let mut claims = confounded_claims(&report)?;
    claims.extend(browser_claims(&report, &ranked)?);
    Ok(Record {
        name: "confounded".to_owned(),
        command: "cargo xtask prove confounded".to_owned(),
        seeds: seeds(&report),
        claims,
    })
}

/// Runs, each with a hundred listeners of its own.
const RUNS: &str = "5";
/// Listeners of each of the log's three seeds: weights leave but a part of its rows, and trees have nothing else to go by.
const LOG_LISTENERS: &str = "1000";
/// The objective that has to beat the naive one with every body.
const HELD: &str = "snips";

/// What the log says of podcasts, and for each body and objective the streams over the naive one's.
pub fn confounded_claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for (key, what) in [("podcast_rates", "podcasts"), ("other_rates", "other cards")] {
        for (at, how) in ["as the log came", "by inverse propensities"].into_iter().enumerate() {
            let rate = report[key][at].as_f64().ok_or_else(|| format!("expected two rates \"{key}\", found {}", report[key]))?;
            let claim = format!("rewards of {what} in the log, {how}");
            claims.push(measured(&claim, format!("{:.1} %", 100.0 * rate), vec![("rate".to_owned(), rate)]));
        }
    }
    let decisions = number(report, "decisions")?;
    claims.push(measured("decisions of the log", format!("{decisions:.0}"), vec![("decisions".to_owned(), decisions)]));
    for arm in report["arms"].as_array().ok_or("the lab wrote no arms")? {
        let word = |key: &str| arm[key].as_str().ok_or_else(|| format!("expected a {key}, found {}", arm[key]));
        let (body, objective) = (word("body")?, word("objective")?);
        for (key, other) in [("over_naive", "naive"), ("over_regression", "snips")] {
            for comparison in arm[key].as_array().into_iter().flatten() {
                let interval = Interval::read(comparison, "relative")?;
                let learns = comparison["policy"].as_str() == Some("learning");
                let head = if learns { "head learns" } else { "head held still" };
                let claim = format!("{body}: streams, {objective} over {other}, {head}");
                let mut claim = measured(&claim, interval.percent(), interval.numbers("relative"));
                if objective == HELD && other == "naive" {
                    claim.wanted = "interval above 0".to_owned();
                    claim.pass = interval.low > 0.0;
                }
                claims.push(claim);
            }
        }
    }
    Ok(claims)
}

/// Every bundle has to be taken by the browser, to rank, and to be none that the browser was not given.
fn browser_claims(report: &Value, ranked: &Value) -> Result<Vec<Claim>> {
    let arms = report["arms"].as_array().map_or(0, Vec::len);
    let bundles = ranked["bundles"].as_array().ok_or("the browser wrote no bundles")?;
    let good = bundles.iter().filter(|bundle| bundle["pass"].as_bool() == Some(true)).count();
    Ok(vec![Claim {
        claim: "bundles that headless Chromium took, and ranked a page with".to_owned(),
        value: format!("{good} of {arms}"),
        wanted: "all".to_owned(),
        pass: arms > 0 && good == arms && bundles.len() == arms,
        numbers: vec![("good".to_owned(), good as f64), ("bundles".to_owned(), arms as f64)],
    }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_loss_too_large_fails_and_other_rows_are_refused() {
        let ours = json!({"splits": {"s": {"sha256": "a", "log_loss": {"trees": 0.102, "linear": 0.1, "fm": 0.1}}}});
        let field = json!({"splits": {"s": {"sha256": "a", "log_loss": {"trees": 0.1, "linear": 0.1}}}});
        let claims = scores(&ours, &field).unwrap();
        let passes: Vec<(&str, bool)> = claims.iter().map(|claim| (claim.claim.as_str(), claim.pass)).collect();
        assert_eq!(passes, [("log-loss, s, fm", true), ("log-loss, s, linear", true), ("log-loss, s, trees", false)]);
        let others = json!({"splits": {"s": {"sha256": "b", "log_loss": {}}}});
        assert!(scores(&ours, &others).unwrap_err().contains("expected the rows"));
    }

    #[test]
    fn times_are_compared_by_the_least() {
        let claim = time_claim(&json!({"ours": [9.0, 1.0], "theirs": [0.6, 5.0]}), 1).unwrap();
        assert!(claim.pass && claim.value == "1.00 against 0.60 of XGBoost");
        assert!(!time_claim(&json!({"ours": [1.0], "theirs": [0.4]}), 1).unwrap().pass);
        assert!(time_claim(&json!({"ours": [], "theirs": [0.4]}), 1).is_err());
    }

    #[test]
    fn a_body_that_inverse_propensities_do_not_help_fails_and_so_does_a_bundle_that_was_refused() {
        let report = |low: f64| {
            let of = |policy: &str| json!({"policy": policy, "against": "naive", "relative": 0.1, "low": low, "high": 0.2});
            json!({"podcast_rates": [0.1, 0.05], "other_rates": [0.05, 0.05], "decisions": 10, "arms": [
                {"body": "trees", "objective": "naive", "over_naive": [], "over_regression": []},
                {"body": "trees", "objective": "snips", "over_naive": [of("learning"), of("frozen")], "over_regression": []},
                {"body": "trees", "objective": "dr", "over_naive": [of("learning")], "over_regression": []},
            ]})
        };
        let passes = |low| confounded_claims(&report(low)).unwrap().iter().map(|claim| claim.pass).collect::<Vec<_>>();
        assert_eq!(passes(0.05), [true; 8]);
        assert_eq!(passes(-0.05), [true, true, true, true, true, false, false, true]);
        let bundles = |pass: bool| json!({"bundles": [{"pass": true}, {"pass": true}, {"pass": pass}]});
        assert!(browser_claims(&report(0.0), &bundles(true)).unwrap()[0].pass);
        assert!(!browser_claims(&report(0.0), &bundles(false)).unwrap()[0].pass);
        assert!(!browser_claims(&report(0.0), &json!({"bundles": []})).unwrap()[0].pass);
        assert!(confounded_claims(&json!({})).is_err());
    }

    #[test]
    fn a_body_that_is_no_better_than_popularity_fails() {
        let of = |low: f64| {
            json!({"bodies": [{"body": "trees", "bytes": 1000, "page_ms": 0.5, "judged_log_loss": 0.1,
                "learning": [{"log_loss": 0.2, "calibration_error": 0.01}], "frozen": [{"log_loss": 0.3, "calibration_error": 0.02}],
                "comparisons": [{"policy": "learning", "against": "popularity", "relative": 0.1, "low": low, "high": 0.2}]}]})
        };
        assert!(family_claims(&of(0.05)).unwrap()[0].pass && !family_claims(&of(-0.05)).unwrap()[0].pass);
        assert_eq!(family_claims(&of(0.05)).unwrap().len(), 8);
    }
}
