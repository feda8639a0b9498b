//! The proofs made of reference data: worlds of real plays, and replays.

use super::{Interval, Units, comparisons, json_of, measured, number, seeds};
use crate::results::{Claim, Record};
use crate::{Result, project, test};
use serde_json::Value;

pub fn lastfm(units: &Units) -> Result<Record> {
    let report = world(units, "lastfm", &["--seeds", "20"])?;
    Ok(Record {
        name: "lastfm".to_owned(),
        command: "cargo xtask prove lastfm".to_owned(),
        seeds: seeds(&report),
        claims: lastfm_claims(&report)?,
    })
}

/// Simulates a world made of reference data; the lab keeps and takes up the finished runs itself.
pub(super) fn world(units: &Units, world: &str, arguments: &[&str]) -> Result<Value> {
    let folder = project::reference_data()?.ok_or("this proof needs the reference data: set EARS_SHARED to its folder")?;
    json_of(|file| {
        let mut command = test::lab(&["simulate", "--world", world, "--resume", "--data"]);
        command.arg(folder.join("data")).arg("--partial").arg(&units.file).args(arguments).arg("--json").arg(file);
        Ok(command)
    })
}

/// What is wanted of the core in the middle of the grid, and of all cells.
fn lastfm_claims(report: &Value) -> Result<Vec<Claim>> {
    const WANTED: [(&str, f64); 2] = [("popularity", 0.25), ("server", 0.15)];
    let mut claims = comparisons(report, "streams", &["random", "ts_segment"])?;
    for (against, least) in WANTED {
        for claim in claims.iter_mut().filter(|claim| claim.claim == format!("streams, ears over {against}")) {
            at_least(claim, least);
        }
    }
    let first = serde_json::json!({ "comparisons": report["first_impressions"] });
    for mut claim in comparisons(&first, "streams in a new listener's first 20 impressions", &[])? {
        if claim.claim.ends_with("over popularity") {
            at_least(&mut claim, 0.10);
        }
        claims.push(claim);
    }
    let gap = number(report, "oracle_gap_closed")?;
    claims.push(measured("oracle gap closed", format!("{:.0} %", gap * 100.0), vec![("share".to_owned(), gap)]));
    for cell in report["grid"].as_array().ok_or("the lab wrote no grid")? {
        let (affinity, boost) = (number(cell, "affinity")?, number(cell, "boost")?);
        let what = format!("affinity {affinity}, boost {boost}");
        claims.extend(comparisons(cell, &what, &["popularity", "server"])?);
        let gap = number(cell, "oracle_gap_closed")?;
        let claim = format!("{what}, oracle gap closed");
        claims.push(measured(&claim, format!("{:.0} %", gap * 100.0), vec![("share".to_owned(), gap)]));
    }
    for (name, policy) in report["policies"].as_object().ok_or("the lab wrote no policies")? {
        let mean = |key: &str| {
            let of = policy[key].as_array().map(|all| all.iter().filter_map(Value::as_f64).collect::<Vec<f64>>());
            of.filter(|all| !all.is_empty()).map(|all| all.iter().sum::<f64>() / all.len() as f64)
        };
        let streams = mean("streams").ok_or_else(|| format!("no streams of {name}"))?;
        claims.push(measured(&format!("streams, {name}"), format!("{streams:.0}"), vec![("mean".to_owned(), streams)]));
        claims.push(exposed(&format!("impressions by artist, {name}"), "artists", &policy["exposure"])?);
    }
    Ok(claims)
}

/// How a policy spreads what it shows, as measured.
pub(super) fn exposed(claim: &str, what: &str, exposure: &Value) -> Result<Claim> {
    let (gini, top) = (number(exposure, "gini")?, number(exposure, "top_percent")?);
    let mut numbers = vec![("gini".to_owned(), gini), ("top_percent".to_owned(), top)];
    for (tenth, share) in exposure["by_size"].as_array().into_iter().flatten().filter_map(Value::as_f64).enumerate() {
        numbers.push((format!("tenth_{}", tenth + 1), share));
    }
    Ok(measured(claim, format!("Gini {gini:.2}, top 1 % of {what} {:.0} %", top * 100.0), numbers))
}

pub fn propensities(units: &Units) -> Result<Record> {
    let folder = project::reference_data()?.ok_or("this proof needs the reference data: set EARS_SHARED to its folder")?;
    let report = units.unit("all policies, all worlds", || {
        json_of(|file| {
            let mut command = test::lab(&["check-propensities", "--pages", "30000", "--data"]);
            command.arg(folder.join("data")).arg("--json").arg(file);
            Ok(command)
        })
    })?;
    Ok(Record {
        name: "propensities".to_owned(),
        command: "cargo xtask prove propensities".to_owned(),
        seeds: Vec::new(),
        claims: propensity_claims(&report)?,
    })
}

/// One claim for each policy in each world: both tests silent, or both loud where an error was planted.
pub fn propensity_claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for row in report["rows"].as_array().ok_or("the lab wrote no rows")? {
        let word = |key: &str| row[key].as_str().unwrap_or_default();
        let flag = |key: &str| row[key].as_bool().ok_or_else(|| format!("a row without \"{key}\""));
        let (planted, alarms) = (flag("planted")?, [flag("weights_alarm")?, flag("chi_square_alarm")?]);
        let means: Vec<f64> = row["mean_weights"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let (pages, chi, freedom) = (number(row, "pages")?, number(row, "chi_square")?, number(row, "freedom")?);
        let shown: Vec<String> = means.iter().map(|mean| format!("{mean:.3}")).collect();
        let mut numbers: Vec<(String, f64)> =
            (1..).zip(means).map(|(prefix, mean)| (format!("mean_weight_{prefix}"), mean)).collect();
        numbers.extend([("pages".to_owned(), pages), ("evidence".to_owned(), number(row, "evidence")?)]);
        numbers.extend([("chi_square".to_owned(), chi), ("freedom".to_owned(), freedom)]);
        claims.push(Claim {
            claim: format!("propensities, {}, {}", word("world"), word("policy")),
            value: format!("mean weight {} over {pages:.0} pages, chi-square {chi:.1} ({freedom:.0})", shown.join(" ")),
            wanted: if planted { "both tests alarm" } else { "no alarm" }.to_owned(),
            pass: alarms == [planted; 2],
            numbers,
        });
    }
    Ok(claims)
}

pub fn exploration(units: &Units) -> Result<Record> {
    let report = world(units, "lastfm", &["--explore", "--seeds", "20"])?;
    Ok(Record {
        name: "exploration".to_owned(),
        command: "cargo xtask prove exploration".to_owned(),
        seeds: seeds(&report),
        claims: explored_claims(&report)?,
    })
}

/// A row of the table for each rate and stop; nothing is wanted of it but the numbers.
fn explored_claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for rate in report["rates"].as_array().ok_or("the lab wrote no rates")? {
        let name = rate["rate"].as_str().ok_or("a rate without its name")?;
        for stop in rate["stops"].as_array().into_iter().flatten() {
            let what = format!("exploring {name} until day {}", number(stop, "day")?);
            for (key, title) in
                [("price", "streams until then"), ("bought", "streams from then to day 90"), ("net", "streams of both")]
            {
                let interval = Interval::read(&stop[key], "relative")?;
                claims.push(measured(&format!("{what}, {title}"), interval.percent(), interval.numbers("relative")));
            }
            for (key, title, unit) in [
                ("concordance", "concordance of learned scores", ""),
                ("kept_uniform", "pages that count for the target uniform", " %"),
                ("kept_server", "pages that count for the target server", " %"),
            ] {
                let value = number(stop, key)?;
                let shown = if unit.is_empty() { format!("{value:.3}") } else { format!("{value:.1}{unit}") };
                claims.push(measured(&format!("{what}, {title}"), shown, vec![("number".to_owned(), value)]));
            }
        }
    }
    Ok(claims)
}

pub fn sanity(units: &Units) -> Result<Record> {
    let report = world(units, "lastfm", &["--sanity", "--seeds", "20"])?;
    Ok(Record {
        name: "sanity".to_owned(),
        command: "cargo xtask prove sanity".to_owned(),
        seeds: seeds(&report),
        claims: sanity_claims(&report)?,
    })
}

/// The two orders have to agree; each estimate stands beside its truth.
fn sanity_claims(report: &Value) -> Result<Vec<Claim>> {
    let order = |key: &str| -> Result<String> {
        let names = report[key].as_array().ok_or_else(|| format!("the lab wrote no \"{key}\""))?;
        Ok(names.iter().filter_map(Value::as_str).collect::<Vec<&str>>().join(" > "))
    };
    let (log, world) = (order("order_by_estimate")?, order("order_by_truth")?);
    let mut claims = vec![Claim {
        claim: "order of the candidates by the log".to_owned(),
        pass: log == world && !log.is_empty(),
        value: log,
        wanted: format!("that of the world: {world}"),
        numbers: Vec::new(),
    }];
    let pages = number(report, "pages")?;
    claims.push(measured("pages logged", format!("{pages:.0}"), vec![("number".to_owned(), pages)]));
    for candidate in report["candidates"].as_array().ok_or("the lab wrote no candidates")? {
        let name = candidate["candidate"].as_str().ok_or("a candidate without its name")?;
        for (estimate, truth, what) in
            [("estimate", "truth", "the first place"), ("estimate_of_two", "truth_of_two", "the first two places")]
        {
            let interval = Interval::read(&candidate[estimate], "relative")?;
            let truth = number(candidate, truth)?;
            let shown = [interval.middle, interval.low, interval.high, truth].map(|value| format!("{:.2}", value * 100.0));
            let value = format!("{} % [{}, {}], in truth {} %", shown[0], shown[1], shown[2], shown[3]);
            let mut numbers = interval.numbers("estimate");
            numbers.push(("truth".to_owned(), truth));
            claims.push(measured(&format!("pages with a play at {what}, {name}"), value, numbers));
        }
    }
    Ok(claims)
}

/// Holds a relative difference to at least `least`: the middle, not the interval's end.
pub(super) fn at_least(claim: &mut Claim, least: f64) {
    let found = claim.numbers.iter().find(|(name, _)| name == "relative").map(|(_, value)| *value);
    claim.wanted = format!("at least {:+.0} %", least * 100.0);
    claim.pass = found.is_some_and(|found| found >= least);
}

/// A replay of real ratings.
pub fn movielens(units: &Units) -> Result<Record> {
    let report = world(units, "movielens", &["--seeds", "20"])?;
    Ok(Record {
        name: "movielens".to_owned(),
        command: "cargo xtask prove movielens".to_owned(),
        seeds: seeds(&report),
        claims: movielens_claims(&report)?,
    })
}

fn movielens_claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = comparisons(report, "liked titles seen", &["popularity", "random"])?;
    for (key, title) in [("listeners", "listeners"), ("visits", "visits of all listeners")] {
        let count = number(report, key)?;
        claims.push(measured(title, format!("{count:.0}"), vec![("number".to_owned(), count)]));
    }
    for (policy, hits) in report["hits"].as_object().ok_or("the lab wrote no hits")? {
        let hits = hits.as_f64().ok_or_else(|| format!("no hits of {policy}"))?;
        claims.push(measured(
            &format!("liked titles seen on a visit, {policy}"),
            format!("{hits:.2}"),
            vec![("mean".to_owned(), hits)],
        ));
    }
    Ok(claims)
}

/// A replay of real impressions.
pub fn kuairand(units: &Units) -> Result<Record> {
    let report = world(units, "kuairand", &[])?;
    Ok(Record {
        name: "kuairand".to_owned(),
        command: "cargo xtask prove kuairand".to_owned(),
        seeds: Vec::new(),
        claims: kuairand_claims(&report)?,
    })
}

fn kuairand_claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = comparisons(report, "plays of 30 seconds", &["random"])?;
    let by_length = serde_json::json!({ "comparisons": report["comparisons_by_length"] });
    claims.extend(comparisons(&by_length, "reward by length", &["random"])?);
    for (key, title) in [("listeners", "listeners"), ("pages", "pages")] {
        let count = number(report, key)?;
        claims.push(measured(title, format!("{count:.0}"), vec![("number".to_owned(), count)]));
    }
    let pending = number(report, "pending")?;
    let shown = format!("{:.0} %", pending * 100.0);
    claims.push(measured("pages that came while something was playing", shown, vec![("share".to_owned(), pending)]));
    for quality in report["quality"].as_array().ok_or("the lab wrote no quality")? {
        let name = quality["model"].as_str().ok_or("a model without its name")?;
        let (loss, error) = (number(quality, "log_loss")?, number(quality, "calibration_error")?);
        let mut numbers = vec![("log_loss".to_owned(), loss), ("calibration_error".to_owned(), error)];
        for (key, what) in [("calibration", "prediction"), ("by_length", "length")] {
            for (tenth, pair) in quality[key].as_array().into_iter().flatten().enumerate() {
                for (side, value) in ["predicted", "happened"].iter().zip(pair.as_array().into_iter().flatten()) {
                    numbers.push((format!("{what}_{}_{side}", tenth + 1), value.as_f64().unwrap_or(f64::NAN)));
                }
            }
        }
        let value = format!("log-loss {loss:.3}, calibration error {error:.3}");
        claims.push(measured(&format!("predictions of a play of 30 seconds, {name}"), value, numbers));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::AS_MEASURED;

    #[test]
    fn home_claims_hold_the_core_to_its_targets() {
        let compare = |against: &str, relative: f64| serde_json::json!({"policy": "ears", "against": against, "relative": relative, "low": relative - 0.02, "high": 0.5});
        let report = serde_json::json!({
            "seeds": [1, 2],
            "comparisons": [compare("popularity", 0.26), compare("server", 0.14), compare("random", 0.3), compare("oracle", -0.2)],
            "first_impressions": [compare("popularity", 0.11)],
            "oracle_gap_closed": 0.5,
            "grid": [{"affinity": 0.5, "boost": 1.0, "comparisons": [compare("server", 0.01)], "oracle_gap_closed": 0.1}],
            "policies": {"ears": {"streams": [10, 20], "exposure": {"gini": 0.6, "top_percent": 0.1, "by_size": [0.9, 0.1]}}},
        });
        let claims = lastfm_claims(&report).unwrap();
        let verdict = |name: &str| claims.iter().find(|c| c.claim == name).map(|c| (c.wanted.as_str(), c.pass)).unwrap();
        assert_eq!(verdict("streams, ears over popularity"), ("at least +25 %", true));
        assert_eq!(verdict("streams, ears over server"), ("at least +15 %", false));
        assert_eq!(verdict("streams, ears over random"), ("interval above 0", true));
        assert_eq!(verdict("streams, ears over oracle"), (AS_MEASURED, true));
        assert_eq!(verdict("streams in a new listener's first 20 impressions, ears over popularity"), ("at least +10 %", true));
        assert_eq!(verdict("affinity 0.5, boost 1, ears over server"), ("interval above 0", false));
        assert_eq!(claims.iter().find(|c| c.claim == "streams, ears").unwrap().value, "15");
        assert!(lastfm_claims(&serde_json::json!({"comparisons": []})).is_err());
    }

    #[test]
    fn propensity_claims_want_silence_or_both_alarms() {
        let row = |planted: bool, weights: bool, chi: bool| {
            serde_json::json!({
                "world": "demo", "policy": "softmax", "pages": 10, "mean_weights": [1.0, 0.9, 1.1], "evidence": 0.5,
                "chi_square": 3.0, "freedom": 4, "planted": planted, "weights_alarm": weights, "chi_square_alarm": chi,
            })
        };
        let rows = [row(false, false, false), row(false, true, false), row(true, true, true), row(true, true, false)];
        let claims = propensity_claims(&serde_json::json!({ "rows": rows })).unwrap();
        assert_eq!(claims.iter().map(|claim| claim.pass).collect::<Vec<_>>(), [true, false, true, false]);
        assert_eq!(claims[0].value, "mean weight 1.000 0.900 1.100 over 10 pages, chi-square 3.0 (4)");
        assert!(propensity_claims(&serde_json::json!({})).is_err());
    }

    #[test]
    fn sanity_claims_want_the_order_of_the_world() {
        let candidate = serde_json::json!({
            "candidate": "server", "estimate": {"relative": 0.06, "low": 0.05, "high": 0.07}, "truth": 0.055,
            "estimate_of_two": {"relative": 0.1, "low": 0.08, "high": 0.12}, "truth_of_two": 0.09,
        });
        let mut report = serde_json::json!({
            "pages": 100, "candidates": [candidate],
            "order_by_estimate": ["server", "random"], "order_by_truth": ["server", "random"],
        });
        let claims = sanity_claims(&report).unwrap();
        assert!(claims[0].pass && claims[0].value == "server > random");
        assert_eq!(claims[2].value, "6.00 % [5.00, 7.00], in truth 5.50 %");
        report["order_by_truth"] = serde_json::json!(["random", "server"]);
        assert!(!sanity_claims(&report).unwrap()[0].pass);
        assert!(sanity_claims(&serde_json::json!({})).is_err());
    }

    #[test]
    fn explored_claims_have_six_numbers_for_each_stop() {
        let interval = serde_json::json!({"relative": 0.01, "low": -0.01, "high": 0.03});
        let stop = serde_json::json!({
            "day": 30, "price": interval, "bought": interval, "net": interval,
            "concordance": 0.61, "kept_uniform": 1.0, "kept_server": 0.2,
        });
        let report = serde_json::json!({"rates": [{"rate": "small", "stops": [stop]}]});
        let claims = explored_claims(&report).unwrap();
        assert_eq!(claims.len(), 6);
        assert_eq!(claims[0].claim, "exploring small until day 30, streams until then");
        assert_eq!(
            (claims[0].value.as_str(), claims[3].value.as_str(), claims[4].value.as_str()),
            ("+1.0 % [-1.0, 3.0]", "0.610", "1.0 %")
        );
        assert!(explored_claims(&serde_json::json!({})).is_err());
    }

    #[test]
    fn replays_are_held_to_chance_and_their_numbers_are_kept() {
        let compare = |against: &str, low: f64| serde_json::json!({"policy": "ears", "against": against, "relative": 0.2, "low": low, "high": 0.3});
        let report = serde_json::json!({
            "comparisons": [compare("popularity", 0.1), compare("random", -0.1), compare("oracle", -0.5)],
            "comparisons_by_length": [compare("random", 0.1)],
            "listeners": 10, "visits": 100, "hits": {"ears": 1.81, "random": 1.2}, "pages": 50, "pending": 0.1,
            "quality": [{"model": "ears", "log_loss": 0.37, "calibration_error": 0.045,
                "calibration": [[0.04, 0.03]], "by_length": [[0.1, 0.2]]}],
        });
        let movielens = movielens_claims(&report).unwrap();
        assert_eq!(movielens.iter().map(|claim| claim.pass).take(3).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(movielens.last().unwrap().value, "1.20");
        let kuairand = kuairand_claims(&report).unwrap();
        let quality = kuairand.last().unwrap();
        assert_eq!(quality.value, "log-loss 0.370, calibration error 0.045");
        assert!(quality.numbers.contains(&("length_1_happened".to_owned(), 0.2)));
        assert!(kuairand_claims(&serde_json::json!({})).is_err() && movielens_claims(&serde_json::json!({})).is_err());
    }
}
