//! The proof of what a start costs: from the import to the first ranked page, beside what one could use instead.

use super::{AS_MEASURED, Units, json_of, number};
use crate::process::command;
use crate::results::{Claim, Record};
use crate::{Result, install, package, project};
use serde_json::Value;

const FOLDER: &str = "js/bench/cold";
/// Most milliseconds that evaluating the entry may take, best of the rounds.
const IMPORT_MS: f64 = 1.0;
/// The opponents, as they are called in the report and in the texts.
const OPPONENTS: [(&str, &str); 3] =
    [("plain", "plain JavaScript"), ("tfjs-wasm", "tfjs-wasm"), ("onnxruntime-web", "onnxruntime-web")];
/// What has to start later than ours. Plain JavaScript has nothing to load; it neither learns nor keeps anything.
const SLOWER: [&str; 2] = ["tfjs-wasm", "onnxruntime-web"];

/// Installs the opponents, then starts each app in new contexts of one Chromium.
pub fn run(units: &Units) -> Result<Record> {
    package::build()?;
    let folder = project::root().join(FOLDER);
    install::node_packages(&folder, "what the cold start is measured beside", &mut install::watched)?;
    let browser = install::browser(&mut install::watched)?.ok_or("the cold start needs Chromium; set CHROME_PATH")?;
    let cache = project::scratch("cold-start")?;
    let report = units.unit("one Chromium run", || {
        json_of(|file| {
            let mut run = command("node");
            run.arg(folder.join("run.mjs")).arg("--json").arg(file).arg("--cache").arg(cache);
            run.env("CHROME_PATH", browser.chromium);
            Ok(run)
        })
    })?;
    Ok(Record {
        name: "cold-start".to_owned(),
        command: "cargo xtask prove cold-start".to_owned(),
        seeds: Vec::new(),
        claims: claims(&report)?,
    })
}

/// Times and bytes of each app on each connection, ratios to ours, and what importing alone does.
fn claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    let apps = report["apps"].as_object().ok_or("expected \"apps\" by connection")?;
    for (network, by_name) in apps {
        let by_name = by_name.as_object().ok_or("expected apps by name")?;
        for (name, row) in by_name {
            let shown = if name.starts_with("ours") { name.replace("ours-memory", "ours without storage") } else { called(name) };
            for (key, what) in
                [("total", "first page"), ("rank", "ranking it"), ("main", "main thread"), ("longest", "longest task")]
            {
                claims.push(time(&format!("{shown}, {what}, {network}"), &row[key])?);
            }
        }
        for (name, shown) in OPPONENTS {
            let Some(row) = by_name.get(name) else { continue };
            for (key, what) in [("total", "first page"), ("main", "main thread")] {
                let ours = &by_name["ours"][key];
                let best = number(&row[key], "best")? / number(ours, "best")?;
                let median = number(&row[key], "median")? / number(ours, "median")?;
                let judged = SLOWER.contains(&name);
                claims.push(Claim {
                    claim: format!("{shown} / ours, {what}, {network}"),
                    value: format!("{best:.2}"),
                    wanted: if judged { "above 1 by the best rounds".to_owned() } else { AS_MEASURED.to_owned() },
                    pass: !judged || best > 1.0,
                    numbers: vec![("best".to_owned(), best), ("median".to_owned(), median)],
                });
            }
        }
    }
    // The bytes are the same on every connection.
    let first = apps.values().next().and_then(Value::as_object).ok_or("expected a connection")?;
    for (name, row) in first {
        if name == "ours-memory" {
            continue;
        }
        // With the app's own lines; `prove size` holds the package alone to its limit.
        let bytes = number(&row["bytes"], "best")?;
        claims.push(Claim {
            claim: format!("{}, bytes fetched", called(name)),
            value: format!("{:.1} kB", bytes / 1_000.0),
            wanted: AS_MEASURED.to_owned(),
            pass: true,
            numbers: vec![("bytes".to_owned(), bytes), ("requests".to_owned(), number(&row["requests"], "best")?)],
        });
    }
    claims.extend(import(&report["import"])?);
    Ok(claims)
}

/// Nothing runs when the package is imported.
fn import(report: &Value) -> Result<Vec<Claim>> {
    let calls = report["calls"].as_array().ok_or("expected a list \"calls\"")?;
    let requests = number(report, "requests")?;
    let mut evaluated = time("importing alone, evaluated in", &report["ms"])?;
    let best = number(&report["ms"], "best")?;
    evaluated.value = format!("{best:.1} ms");
    evaluated.wanted = format!("at most {IMPORT_MS:.0} ms in the best round");
    evaluated.pass = best <= IMPORT_MS;
    let said: Vec<&str> = calls.iter().filter_map(Value::as_str).collect();
    Ok(vec![
        Claim {
            claim: "importing alone, calls that load, compile, store or wait".to_owned(),
            value: if said.is_empty() { "0".to_owned() } else { said.join(", ") },
            wanted: "0".to_owned(),
            pass: calls.is_empty(),
            numbers: vec![("calls".to_owned(), calls.len() as f64)],
        },
        Claim {
            claim: "importing alone, further requests".to_owned(),
            value: format!("{requests:.0}"),
            wanted: "0".to_owned(),
            pass: requests == 0.0,
            numbers: vec![("requests".to_owned(), requests)],
        },
        evaluated,
    ])
}

fn called(name: &str) -> String {
    OPPONENTS.iter().find(|(app, _)| *app == name).map_or(name, |(_, shown)| shown).to_owned()
}

/// Milliseconds: the median as it is quoted, the best round beside it.
fn time(claim: &str, row: &Value) -> Result<Claim> {
    let (best, median) = (number(row, "best")?, number(row, "median")?);
    Ok(Claim {
        claim: claim.to_owned(),
        value: format!("{best:.1} ms ({median:.1})"),
        wanted: AS_MEASURED.to_owned(),
        pass: true,
        numbers: vec![("best".to_owned(), best), ("median".to_owned(), median)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ms: f64, bytes: f64) -> Value {
        let spread = |value: f64| serde_json::json!({"best": value, "median": value * 2.0});
        serde_json::json!({
            "total": spread(ms), "rank": spread(1.0), "main": spread(ms), "longest": spread(0.0),
            "bytes": spread(bytes), "requests": spread(2.0),
        })
    }

    #[test]
    fn what_starts_sooner_than_ours_is_a_miss() {
        let apps = serde_json::json!({
            "ours": row(50.0, 90_001.0), "ours-memory": row(40.0, 90_001.0), "plain": row(10.0, 700.0),
            "tfjs-wasm": row(45.0, 1e5), "onnxruntime-web": row(500.0, 2e6),
        });
        let report = serde_json::json!({
            "apps": {"loopback": apps},
            "import": {"ms": {"best": 0.4, "median": 2.0}, "calls": ["fetch"], "requests": 0},
        });
        let claims = claims(&report).unwrap();
        let of = |name: &str| claims.iter().find(|claim| claim.claim == name).unwrap();
        assert!(of("plain JavaScript / ours, first page, loopback").pass);
        assert!(!of("tfjs-wasm / ours, first page, loopback").pass);
        assert!(of("onnxruntime-web / ours, first page, loopback").pass);
        assert_eq!(of("onnxruntime-web / ours, first page, loopback").value, "10.00");
        assert_eq!(of("ours without storage, first page, loopback").value, "40.0 ms (80.0)");
        assert_eq!(of("ours, bytes fetched").value, "90.0 kB");
        assert!(of("importing alone, evaluated in").pass);
        assert_eq!(of("importing alone, calls that load, compile, store or wait").value, "fetch");
        assert!(!of("importing alone, calls that load, compile, store or wait").pass);
    }
}
