//! How many instructions the work of ranking takes, against what is written down: code that became slower shows on any machine, however
//! busy it is.

use crate::install::Runner;
use crate::process::{captured, command};
use crate::{Result, install, project};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// More instructions than this share above what is written down fail; so do fewer, so that a gain is written down and kept.
const TOLERANCE: f64 = 0.03;
/// Work is done so often, and then twice as often: the difference is the work alone.
const REPEATS: u64 = 4;

fn file() -> PathBuf {
    project::root().join("xtask/instructions.json")
}

/// The machine and the compiler that counts hold for.
fn target() -> Result<String> {
    let version = captured(command("rustc").arg("-vV"))?;
    let of = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    Ok(format!("{} rustc {}", of("host:"), of("release:")))
}

/// Instructions of each work: name, now, as written down.
pub struct Counted {
    rows: Vec<(String, u64, Option<u64>)>,
}

impl Counted {
    /// The table.
    pub fn table(&self) -> String {
        let line = |(name, now, before): &(String, u64, Option<u64>)| {
            let change =
                before.map_or("new".to_owned(), |before| format!("{:+.1} %", 100.0 * (*now as f64 / before as f64 - 1.0)));
            format!("{name:<52} {now:>12} instructions {change:>8}\n")
        };
        self.rows.iter().map(line).collect()
    }

    /// Whether all are as written down.
    pub fn passes(&self) -> bool {
        let near = |now: u64, before: u64| (now as f64 - before as f64).abs() <= TOLERANCE * before as f64;
        self.rows.iter().all(|(_, now, before)| before.is_some_and(|before| near(*now, before)))
    }
}

/// What is written down. The file is tracked: without it nothing would be compared, so that it is an error.
fn written(file: &Path) -> Result<Value> {
    let text = project::read(file).map_err(|error| format!("{error}: `cargo xtask instructions` writes it"))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Counts and compares with what is written down; a sentence where it cannot be done here.
///
/// # Errors
/// If nothing is written down.
pub fn compared(run: Runner) -> Result<std::result::Result<Counted, String>> {
    let written = written(&file())?;
    let (here, there) = (target()?, written.get("target").and_then(Value::as_str));
    if let Some(there) = there.filter(|there| *there != here) {
        return Ok(Err(format!("counted on {there}, this is {here}")));
    }
    count(run, &written)
}

fn count(run: Runner, written: &Value) -> Result<std::result::Result<Counted, String>> {
    let Some(valgrind) = install::valgrind(run)? else {
        return Ok(Err("no valgrind here, and none can be installed".to_owned()));
    };
    run(command("cargo").args(["build", "--quiet", "--release", "--package", "ears-only", "--example", "work"]))?;
    let program = project::target().join("release/examples/work");
    let mut rows = Vec::new();
    for name in captured(&mut command(&program))?.lines() {
        let once = |repeats: u64| -> Result<u64> {
            let out = project::scratch("callgrind")?.join("out");
            captured(
                command(&valgrind)
                    .args(["--tool=callgrind", "--quiet"])
                    .arg(format!("--callgrind-out-file={}", out.display()))
                    .arg(&program)
                    .args([name, &repeats.to_string()]),
            )?;
            let text = project::read(&out)?;
            let total = text.lines().find_map(|line| line.strip_prefix("summary:").or_else(|| line.strip_prefix("totals:")));
            total.and_then(|total| total.trim().parse().ok()).ok_or_else(|| format!("callgrind gave no total for \"{name}\""))
        };
        let now = once(2 * REPEATS)?.saturating_sub(once(REPEATS)?) / REPEATS;
        let before = written.get("instructions").and_then(|counts| counts.get(name)).and_then(Value::as_u64);
        rows.push((name.to_owned(), now, before));
    }
    Ok(Ok(Counted { rows }))
}

/// Counts with the reader watching, and writes the counts down: what was written before stays until all are there.
pub fn write() -> Result<()> {
    let before = written(&file()).unwrap_or_default();
    let counted = count(&mut install::watched, &before)?.map_err(|why| format!("cannot count instructions: {why}"))?;
    let counts: Map<String, Value> = counted.rows.iter().map(|(name, now, _)| (name.clone(), Value::from(*now))).collect();
    let all = serde_json::json!({ "target": target()?, "instructions": counts });
    print!("{}", counted.table());
    let text = serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?;
    replace(&file(), &format!("{text}\n"))
}

/// Writes a file beside the one it then takes the place of.
fn replace(file: &Path, text: &str) -> Result<()> {
    let next = file.with_extension("json.next");
    project::write(&next, text)?;
    std::fs::rename(&next, file).map_err(|error| format!("cannot replace {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_there_and_its_absence_is_an_error() {
        let known = written(&file()).unwrap();
        assert!(known["instructions"]["rank, linear"].as_u64().is_some(), "{known}");
        let folder = project::scratch("instructions-test").unwrap();
        let (missing, kept) = (folder.join("missing.json"), folder.join("kept.json"));
        assert!(written(&missing).unwrap_err().contains("cargo xtask instructions"));
        for text in ["{}", "{\"target\": \"here\"}"] {
            replace(&kept, text).unwrap();
            assert_eq!(project::read(&kept).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else stays");
    }

    #[test]
    fn counts_near_what_is_written_pass() {
        let of = |now, before| Counted { rows: vec![("rank".to_owned(), now, before)] }.passes();
        assert!(of(1_000, Some(1_000)) && of(1_030, Some(1_000)) && of(970, Some(1_000)));
        assert!(!of(1_031, Some(1_000)) && !of(960, Some(1_000)) && !of(1_000, None));
        let table = Counted { rows: vec![("rank".to_owned(), 1_100, Some(1_000))] }.table();
        assert!(table.contains("1100 instructions") && table.contains("+10.0 %"), "{table}");
    }
}
