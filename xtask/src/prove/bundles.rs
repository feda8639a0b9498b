//! Hostile bundles, in full: mutations with a good checksum, each refused by a code or harmless, memory limited.

use super::{Units, json_of, number};
use crate::process::command;
use crate::results::{Claim, Record};
use crate::{Result, project};

/// Mutations of the full proof.
const MUTATIONS: u64 = 1_000_000;
/// Most bytes that any bundle may take.
const MOST: f64 = (64 << 20) as f64;

pub fn run(_: &Units) -> Result<Record> {
    let report = json_of(|file| {
        let mut cargo = command("cargo");
        cargo.args(["test", "--release", "--quiet", "--test", "bundles", "--manifest-path"]);
        cargo.arg(project::root().join("lab/Cargo.toml")).env("EARS_MUTATIONS", MUTATIONS.to_string()).env("EARS_REPORT", file);
        Ok(cargo)
    })?;
    let (mutations, most) = (number(&report, "mutations")?, number(&report, "most_bytes_allocated")?);
    let codes = report["codes"].as_object().ok_or("expected codes in the report, found none")?;
    let of = |code: &str| codes.get(code).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
    let claim = |claim: &str, value: String, wanted: &str, pass: bool, numbers: Vec<(String, f64)>| Claim {
        claim: claim.to_owned(),
        value,
        wanted: wanted.to_owned(),
        pass,
        numbers,
    };
    let counts = codes.keys().map(|code| (code.clone(), of(code))).collect();
    Ok(Record {
        name: "bundles".to_owned(),
        command: "cargo xtask prove bundles".to_owned(),
        seeds: Vec::new(),
        claims: vec![
            // The run fails otherwise.
            claim(
                "bundles with one byte of any other value, or cut anywhere",
                "all refused".to_owned(),
                "all refused",
                true,
                Vec::new(),
            ),
            claim(
                "structured mutations without a panic",
                format!("{mutations:.0}"),
                "at least 1,000,000",
                mutations >= MUTATIONS as f64,
                counts,
            ),
            claim(
                "refused by a code",
                format!("{:.1} %", 100.0 * (1.0 - of("taken") / mutations)),
                "as measured; the rest was taken, ranked, learned and saved",
                true,
                Vec::new(),
            ),
            claim(
                "most memory taken by any of them",
                format!("{:.1} MB", most / f64::from(1 << 20)),
                "at most 64 MB",
                most <= MOST,
                vec![("bytes".to_owned(), most)],
            ),
        ],
    })
}
