//! `ears-audit`: the checks, on the shipped code and on planted faults.

use ears_audit::check::{self, Size};
use ears_audit::finding::Finding;
use ears_audit::subject::Shipped;
use ears_audit::{attack, fault, source, speed};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
ears-audit NAME... [--full] [--report] [--draws FILE] [--root DIR] [--json FILE]

  NAME   law, table, native, wasm, pairs, twins, ledger, codec, faults, source, speed,
         linkability, membership, shuffle, identity, reconstruction
  --full   the full sizes instead of seconds of each
  --report ends well whatever is found: the answer stands in the file
  --draws  what audit/scripts/draws.mjs has counted, for wasm
  --root   the repository, for source; here by default
";

struct Options {
    names: Vec<String>,
    full: bool,
    report: bool,
    draws: Option<PathBuf>,
    root: PathBuf,
    json: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { names: Vec::new(), full: false, report: false, draws: None, root: ".".into(), json: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut file = || words.next().map(PathBuf::from).ok_or_else(|| format!("expected a path after {word}"));
        match word.as_str() {
            "--full" => options.full = true,
            "--report" => options.report = true,
            "--draws" => options.draws = Some(file()?),
            "--root" => options.root = file()?,
            "--json" => options.json = Some(file()?),
            name if name.starts_with('-') => return Err(format!("unknown option {name}\n{USAGE}")),
            name => options.names.push(name.to_owned()),
        }
    }
    if options.names.is_empty() { Err(USAGE.into()) } else { Ok(options) }
}

fn wasm_draws(options: &Options) -> Result<Value, String> {
    let path = options.draws.as_ref().ok_or("expected --draws FILE")?;
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn wasm(options: &Options) -> Result<Vec<Finding>, String> {
    let counted = wasm_draws(options)?;
    let cases = counted["draws"].as_array().ok_or("expected a list \"draws\"")?;
    let all = cases.iter().map(check::draws::Draws::read).collect::<Result<Vec<_>, _>>()?;
    let mut findings = check::draws::judge(&all, "the wasm build");
    findings.push(speed::wasm(&counted));
    Ok(findings)
}

fn run(name: &str, options: &Options) -> Result<(Vec<Finding>, Value), String> {
    let size = if options.full { Size::FULL } else { Size::SAMPLED };
    let found = match name {
        "law" => vec![check::law::check(&Shipped)],
        "table" => vec![check::table::check(&Shipped)],
        "native" => check::draws::check(&Shipped, size.draws),
        "wasm" => wasm(options)?,
        "pairs" => vec![check::pairs::check(&Shipped, size.pairs)],
        "twins" => vec![check::twins::check(&Shipped, size.twins)],
        "ledger" => vec![check::ledger::check(&Shipped, size.schedules)],
        "codec" => vec![check::codec::check(&Shipped, size.codes)],
        "source" => vec![source::check(&options.root)],
        "speed" => vec![speed::native()],
        "linkability" => vec![attack::linkability(options.full)],
        "membership" => vec![attack::membership(options.full)],
        "shuffle" => vec![attack::shuffle(options.full)],
        "identity" => attack::identity(options.full),
        "reconstruction" => vec![attack::reconstruction(options.full)],
        "faults" => {
            let caught = fault::run(Size { draws: 60_000, pairs: 20_000, twins: 60, schedules: 1_000, codes: 20_000 });
            return Ok((vec![fault::finding(&caught)], caught.iter().map(fault::Caught::json).collect()));
        }
        other => return Err(format!("unknown check {other}\n{USAGE}")),
    };
    Ok((found, Value::Null))
}

fn main() -> ExitCode {
    match audited() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn audited() -> Result<bool, String> {
    let options = options()?;
    let mut findings = Vec::new();
    let mut faults = Value::Null;
    for name in &options.names {
        let (found, table) = run(name, &options)?;
        for finding in &found {
            println!("{} {}: {}", if finding.pass { "ok  " } else { "FAIL" }, finding.check, finding.result);
        }
        findings.extend(found);
        if name == "faults" {
            faults = table;
        }
    }
    if let Some(file) = &options.json {
        let findings_json: Vec<Value> = findings.iter().map(Finding::json).collect();
        let text = json!({"format": 1, "findings": findings_json, "faults": faults}).to_string();
        std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(options.report || findings.iter().all(|finding| finding.pass))
}
