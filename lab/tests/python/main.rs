//! Our logs in Python: every Python block of `docs/logs.md` runs, and says what `ears-lab` says.
//!
//! `EARS_PYTHON` names the interpreter, otherwise `python3`. A block whose packages it does not have is not run, and the closing line counts it as
//! such; hence a runner of its own.
#![allow(clippy::panic, reason = "a check that cannot go on should stop")]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;

/// Cards and tiers are those of `ears-lab sample-log`.
const ROWS: &str = "2000";

fn main() -> ExitCode {
    let folder = std::env::temp_dir().join(format!("ears-lab-python-{}", std::process::id()));
    let counts = std::fs::create_dir_all(&folder).ok().and_then(|()| run(&folder));
    let _ = std::fs::remove_dir_all(&folder);
    let Some([passed, failed, skipped]) = counts else {
        println!("FAILED: no log to read");
        return ExitCode::FAILURE;
    };
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    ExitCode::from(u8::from(failed > 0))
}

/// Makes a log, and runs every block on it: passed, failed, not run.
fn run(folder: &Path) -> Option<[usize; 3]> {
    ears_lab(folder, &["sample-log", "--rows", ROWS, "--output", "log.parquet"])?;
    ears_lab(folder, &["export", "--to", "obp", "log.parquet", "--output", "feedback.json"])?;
    let report = ears_lab(folder, &["evaluate", "log.parquet", "--policy", "logging", "--json", "-"])?;
    let report: Value = serde_json::from_str(&report).ok()?;
    let truth = report["policies"][0]["all"]["estimates"][0]["value"].as_f64()?;
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/logs.md")).ok()?;
    let mut counts = [0; 3];
    for (number, block) in blocks(&text).into_iter().enumerate() {
        let name = format!("block {} of docs/logs.md", number + 1);
        let lacking = modules(&block).into_iter().find(|module| python(folder, &format!("import {module}")).is_err());
        if let Some(module) = lacking {
            println!("not run: {name} (Python has no {module})");
            counts[2] += 1;
            continue;
        }
        let passed = catch_unwind(|| says(folder, &block, truth)).is_ok();
        println!("{name}: {}", if passed { "ok" } else { "FAILED" });
        counts[usize::from(!passed)] += 1;
    }
    // The document has blocks for polars, pandas, numpy and the pipeline itself.
    (counts.iter().sum::<usize>() >= 4).then_some(counts)
}

/// The last number that a block prints is the mean reward.
fn says(folder: &Path, block: &str, truth: f64) {
    let said = python(folder, block).unwrap_or_else(|error| panic!("{error}"));
    let number = said.split(|c: char| !(c.is_ascii_digit() || ".e-".contains(c))).rev().find_map(|word| word.parse::<f64>().ok());
    assert!(number.is_some_and(|number| (number - truth).abs() < 1e-12), "expected {truth}, found {said}");
}

/// What stands between ```` ```python ```` and ```` ``` ````.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.any(|line| line == "```python") {
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(block.join("\n") + "\n");
    }
    blocks
}

/// Packages that a block imports, by their first names.
fn modules(block: &str) -> Vec<String> {
    let first = |name: &str| name.trim().split(['.', ' ']).next().unwrap_or_default().to_owned();
    let of = |line: &str| -> Vec<String> {
        if let Some(names) = line.strip_prefix("import ") {
            names.split(',').map(first).collect()
        } else {
            line.strip_prefix("from ").map(|names| vec![first(names)]).unwrap_or_default()
        }
    };
    block.lines().flat_map(of).collect()
}

/// Runs a script in the folder: what it prints, or what went wrong.
fn python(folder: &Path, script: &str) -> Result<String, String> {
    let interpreter = std::env::var_os("EARS_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let output =
        Command::new(interpreter).args(["-c", script]).current_dir(folder).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn ears_lab(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_ears-lab")).args(arguments).current_dir(folder).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
