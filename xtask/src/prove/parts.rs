//! What the bytes are that a browser fetches to rank: by file, and in the compiled core by the part of the code.

use super::{Units, measured, number};
use crate::process::{captured, command};
use crate::results::{Claim, Record};
use crate::{Result, install, package, project, size, wasm};
use serde_json::Value;

/// A part smaller than this share of the module goes with the others.
const LEAST_SHARE: f64 = 0.01;
/// So many functions are named, the largest first.
const FUNCTIONS: usize = 10;

/// Builds the small core with its names and counts.
pub fn run(_: &Units) -> Result<Record> {
    package::build()?;
    let module = wasm::named_small(&mut install::watched)?;
    let script = project::root().join("xtask/scripts/parts.mjs");
    let report = captured(command("node").arg(script).arg(&module))?;
    let report: Value = serde_json::from_str(&report).map_err(|error| format!("parts.mjs: {error}"))?;
    let sizes = size::measure()?;
    let mut claims: Vec<Claim> = sizes
        .fetched
        .iter()
        .map(|file| {
            measured(
                &format!("{}, brotli", file.name),
                kilobytes(file.brotli as f64),
                vec![("bytes".to_owned(), file.brotli as f64)],
            )
        })
        .collect();
    claims.extend(parts(&report, sizes.module.raw as f64)?);
    Ok(Record { name: "parts".to_owned(), command: "cargo xtask prove parts".to_owned(), seeds: Vec::new(), claims })
}

/// One claim for each part and for each of the largest functions; the parts have to add up to the module that ships.
fn parts(report: &Value, shipped: f64) -> Result<Vec<Claim>> {
    let mut found = Vec::new();
    for (name, bytes) in report["parts"].as_object().ok_or("expected \"parts\" by name")? {
        found.push((name.as_str(), bytes.as_f64().ok_or_else(|| format!("expected bytes of {name}"))?));
    }
    found.sort_by(|(a, more), (b, less)| less.total_cmp(more).then(a.cmp(b)));
    let total: f64 = found.iter().map(|(_, bytes)| bytes).sum();
    let (named, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, bytes)| *bytes >= LEAST_SHARE * total);
    let others = ("parts of less than 1 %", rest.iter().map(|(_, bytes)| bytes).sum());
    let mut claims = Vec::new();
    for (name, bytes) in named.into_iter().chain([others]) {
        let share = bytes / total;
        let value = format!("{} ({:.0} %)", kilobytes(bytes), share * 100.0);
        claims.push(measured(&format!("core, {name}"), value, vec![("bytes".to_owned(), bytes), ("share".to_owned(), share)]));
    }
    for function in report["largest"].as_array().ok_or("expected a list \"largest\"")?.iter().take(FUNCTIONS) {
        let name = function["name"].as_str().ok_or("expected a function's \"name\"")?;
        let bytes = number(function, "bytes")?;
        claims.push(measured(&format!("function {name}"), kilobytes(bytes), vec![("bytes".to_owned(), bytes)]));
    }
    // Names change neither code nor data; shorter names of imports do, by a kilobyte.
    let difference = (total - shipped).abs() / shipped;
    claims.push(Claim {
        claim: "the parts add up to the module that ships".to_owned(),
        value: format!("{} of {}", kilobytes(total), kilobytes(shipped)),
        wanted: "within 2 %".to_owned(),
        pass: difference <= 0.02,
        numbers: vec![("parts".to_owned(), total), ("shipped".to_owned(), shipped)],
    });
    Ok(claims)
}

fn kilobytes(bytes: f64) -> String {
    format!("{:.1} kB", bytes / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn parts_are_sorted_and_add_up() {
        let report = serde_json::json!({
            "parts": {"data": 20_000, "our ranker": 79_500, "x": 400, "y": 100},
            "largest": [{"name": "our::rank", "bytes": 9_000}],
        });
        let claims = parts(&report, 100_500.0).unwrap();
        let rows: Vec<(&str, &str)> = claims.iter().map(|claim| (claim.claim.as_str(), claim.value.as_str())).collect();
        assert_eq!(rows[0], ("core, our ranker", "79.5 kB (80 %)"));
        assert_eq!(rows[2], ("core, parts of less than 1 %", "0.5 kB (0 %)"));
        assert_eq!(rows[3], ("function our::rank", "9.0 kB"));
        assert!(claims[4].pass);
        assert!(!parts(&report, 110_000.0).unwrap()[4].pass);
    }
}
