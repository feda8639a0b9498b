//! What the source of `src/privacy` may mention: no history, no ranking, and no fractions on the way from an answer to a record.

use crate::finding::Finding;
use std::path::{Path, PathBuf};

const NAME: &str = "source";
const PROMISE: &str = "the code that makes records cannot see what was listened to, and does not round";

/// What the privacy module may import from the rest of the core.
const MAY_IMPORT: [&str; 7] = ["clock", "error", "random", "store", "settings", "math", "bundle::PolicySettings"];

/// Files on the way from the coin and the answer to the record.
const EXACT: [&str; 4] = ["coin.rs", "manifest.rs", "randomiser.rs", "record.rs"];

/// Lines with a fraction that may stand there, with the reason.
const ALLOWED: [(&str, &str, &str); 6] = [
    ("randomiser.rs", "pub const EPSILONS: [f64; 3]", "the nominal values, for people and accountants"),
    ("randomiser.rs", "pub fn value(self) -> f64 {", "the same"),
    ("manifest.rs", "pub const MAX_WEIGHT_CHANGE: f64", "a limit of the policy that is asked about"),
    ("manifest.rs", "scale: f64,", "the step of a training probe: public, moves the page"),
    ("manifest.rs", "clip: f64,", "the clip of a vote: public, applied before the answer is handed over"),
    ("manifest.rs", "pub weights: Vec<(String, f64)>,", "the policy that is asked about"),
];

/// Reads the code of a file: without tests and without comments.
fn code(path: &Path) -> Result<Vec<(usize, String)>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let lines = text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    Ok(lines.map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default().trim().to_owned())).collect())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

/// Problems of one file.
fn problems(name: &str, lines: &[(usize, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, line) in lines {
        for (index, _) in line.match_indices("crate::") {
            let rest = &line[index + "crate::".len()..];
            if !MAY_IMPORT.iter().any(|may| rest.starts_with(may)) {
                problems.push(format!("src/privacy/{name}:{at}: imports {rest}"));
            }
        }
        if has_word(line, "unsafe") {
            problems.push(format!("src/privacy/{name}:{at}: unsafe code"));
        }
        let fraction = has_word(line, "f32") || has_word(line, "f64");
        let allowed = ALLOWED.iter().any(|(file, text, _)| *file == name && line.starts_with(text));
        if EXACT.contains(&name) && fraction && !allowed {
            problems.push(format!("src/privacy/{name}:{at}: a fraction on the way to the record: {line}"));
        }
    }
    problems
}

/// Reads the source below `root`.
#[must_use]
pub fn check(root: &Path) -> Finding {
    let folder = root.join("src/privacy");
    let all = match files(&folder) {
        Ok(all) => all,
        Err(problem) => return Finding::broken(NAME, PROMISE, &problem),
    };
    let mut found = Vec::new();
    let mut lines = 0;
    for path in &all {
        let name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().into_owned();
        match code(path) {
            Ok(code) => {
                lines += code.len();
                found.extend(problems(&name, &code));
            }
            Err(problem) => found.push(problem),
        }
    }
    if let Some(missing) = EXACT.iter().find(|name| !folder.join(name).is_file()) {
        found.push(format!("src/privacy/{missing} is not there to be read"));
    }
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!("{} files of src/privacy, {lines} lines; {} lines with fractions allowed by name", all.len(), ALLOWED.len()),
        pass: found.is_empty(),
        result: if found.is_empty() {
            "no import of history, log, features, model or ranker; no fraction".into()
        } else {
            found.join("; ")
        },
        numbers: vec![("files".into(), all.len() as f64), ("lines".into(), lines as f64)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, line: &str) -> usize {
        problems(name, &[(1, line.to_owned())]).len()
    }

    #[test]
    fn what_must_not_stand_there_is_seen() {
        assert_eq!(seen("coin.rs", "use crate::history::History;"), 1);
        assert_eq!(seen("coin.rs", "let taste = crate::ranker::Ranker::new();"), 1);
        assert_eq!(seen("manifest/read.rs", "use crate::bundle::Bundle;"), 1);
        assert_eq!(seen("randomiser.rs", "let p = 1.0f64.min(x as f64);"), 1);
        assert_eq!(seen("record.rs", "use crate::error::Error;"), 0);
        assert_eq!(seen("randomiser.rs", "pub fn value(self) -> f64 {"), 0);
        assert_eq!(seen("ledger.rs", "pub spent: f64,"), 0);
    }

    #[test]
    fn the_source_is_as_said() {
        let finding = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        assert!(finding.pass, "{finding:?}");
    }
}
