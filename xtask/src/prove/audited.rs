//! What may leave the device, in full: the checks of `cargo xtask audit` at their full sizes, each a unit of its own.

use super::{Units, json_of, measured};
use crate::results::{Claim, Record};
use crate::{Result, audit, install, package, process, project, size, wasm};

/// Draws of the default setting from the wasm module.
const DRAWS: u64 = 10_000_000;
/// Most bytes, gzip, that making records may add to the module.
const CORE_LIMIT: u64 = 25_000;

/// The law, the build, twins, ledger, encoding, planted faults, and what it costs.
pub fn run(units: &Units) -> Result<Record> {
    let mut claims =
        checked(units, &["law", "table", "native", "pairs", "twins", "ledger", "codec", "source", "speed", "faults"])?;
    package::build()?;
    let wasm = units.unit("wasm", || {
        let draws = project::scratch("audit")?.join("draws-full.json");
        process::shown(&mut audit::draw(DRAWS, &draws))?;
        json_of(|file| {
            let mut checks = audit::checks(&["wasm"], &draws);
            checks.args(["--full", "--report", "--json"]).arg(file);
            Ok(checks)
        })
    })?;
    claims.extend(audit::claims(&wasm)?.into_iter().map(|claim| Claim { claim: format!("wasm: {}", claim.claim), ..claim }));
    claims.push(core_size()?);
    Ok(Record { name: "privacy".to_owned(), command: "cargo xtask prove privacy".to_owned(), seeds: Vec::new(), claims })
}

/// What somebody with the records can find out.
pub fn attacks(units: &Units) -> Result<Record> {
    let claims = checked(units, &["linkability", "membership", "shuffle", "identity", "reconstruction"])?;
    Ok(Record { name: "attacks".to_owned(), command: "cargo xtask prove attacks".to_owned(), seeds: Vec::new(), claims })
}

fn checked(units: &Units, names: &[&str]) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for name in names {
        let report = units.unit(name, || {
            json_of(|file| {
                let mut checks = audit::checks(&[name], &project::root());
                checks.args(["--full", "--report", "--json"]).arg(file);
                Ok(checks)
            })
        })?;
        claims.extend(audit::claims(&report)?);
    }
    Ok(claims)
}

/// Gzip of the module with what makes records, less that of the one without.
fn core_size() -> Result<Claim> {
    wasm::build_without_contribution(&mut install::watched)?;
    let modules = [wasm::OUT, wasm::WITHOUT_CONTRIBUTION_OUT].map(|folder| project::root().join(folder).join("core_bg.wasm"));
    let [with, without] = &size::compress(&modules)?[..] else {
        return Err("expected the sizes of two modules".to_owned());
    };
    let bytes = with.gzip.saturating_sub(without.gzip);
    let mut claim = measured(
        "privacy core, gzip of wasm",
        format!("{:.1} kB", bytes as f64 / 1000.0),
        vec![("bytes".to_owned(), bytes as f64), ("raw".to_owned(), with.raw.saturating_sub(without.raw) as f64)],
    );
    claim.wanted = format!("at most {} kB", CORE_LIMIT / 1000);
    claim.pass = bytes <= CORE_LIMIT;
    Ok(claim)
}
