//! `docs/results/NAME.json`: what was measured; and the check that numbers in the texts come from there.
//!
//! In Markdown a number taken from a results file stands between two comments,
//! `<!-- results:NAME.json#CLAIM -->the number<!-- /results -->`, where CLAIM is the `claim` of one entry and the
//! number is that entry's `value`.

use crate::{Result, project, tracked};
use serde_json::Value;
use std::path::{Path, PathBuf};

const OPEN: &str = "<!-- results:";
const OPEN_END: &str = " -->";
const CLOSE: &str = "<!-- /results -->";

/// One thing that was claimed, and what came out.
#[derive(Clone, Debug)]
pub struct Claim {
    pub claim: String,
    /// As the texts quote it.
    pub value: String,
    pub wanted: String,
    pub pass: bool,
    /// The same as plain numbers, by name.
    pub numbers: Vec<(String, f64)>,
}

/// A whole results file.
pub struct Record {
    pub name: String,
    pub command: String,
    pub seeds: Vec<u64>,
    pub claims: Vec<Claim>,
}

impl Record {
    /// The file's text, with the commit and the date of now.
    pub fn text(&self, commit: &str, date: &str) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut text = format!(
            "{{\n  \"format\": 1,\n  \"name\": {},\n  \"commit\": {},\n  \"date\": {},\n  \"command\": {},\n  \"seeds\": {},\n  \"claims\": [\n",
            quoted(&self.name),
            quoted(commit),
            quoted(date),
            quoted(&self.command),
            Value::from(self.seeds.clone()),
        );
        let last = self.claims.len().saturating_sub(1);
        for (index, claim) in self.claims.iter().enumerate() {
            text.push_str(&format!(
                "    {{\"claim\": {}, \"value\": {}, \"wanted\": {}, \"pass\": {}",
                quoted(&claim.claim),
                quoted(&claim.value),
                quoted(&claim.wanted),
                claim.pass
            ));
            for (name, number) in &claim.numbers {
                text.push_str(&format!(", {}: {}", quoted(name), Value::from(*number)));
            }
            text.push_str(if index == last { "}\n" } else { "},\n" });
        }
        text.push_str("  ]\n}\n");
        text
    }
}

/// The folder of the results files.
pub fn folder() -> PathBuf {
    project::root().join("docs/results")
}

/// Compares every quoted number with its file, and checks the files themselves.
pub fn check() -> Result<()> {
    let mut problems = Vec::new();
    for file in files()? {
        if let Err(problem) = load(&file) {
            problems.push(problem);
        }
    }
    let mut quoted = 0;
    for path in texts()? {
        let text = project::read(&path)?;
        let updated = update(&text, &value_of).map_err(|problem| format!("{}: {problem}", path.display()))?;
        quoted += updated.quoted;
        for difference in updated.differences {
            problems.push(format!("{}: {difference}", path.display()));
        }
    }
    if problems.is_empty() {
        println!("{quoted} numbers in the texts agree with docs/results");
        Ok(())
    } else {
        Err(format!("{}\n`cargo xtask docs --write` updates the texts", problems.join("\n")))
    }
}

/// Puts the values of the results files into the texts.
pub fn write() -> Result<()> {
    for path in texts()? {
        let text = project::read(&path)?;
        let updated = update(&text, &value_of).map_err(|problem| format!("{}: {problem}", path.display()))?;
        if updated.text != text {
            project::write(&path, &updated.text)?;
            println!("updated {}", path.display());
        }
    }
    Ok(())
}

/// Markdown files of the project.
fn texts() -> Result<Vec<PathBuf>> {
    let mut files = tracked::files()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    Ok(files)
}

fn files() -> Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(folder()) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn load(path: &Path) -> Result<Value> {
    let text = project::read(path)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    checked(&text, &stem).map_err(|problem| format!("{}: {problem}", path.display()))
}

/// Parses a results file called `name`.json and checks its shape.
fn checked(text: &str, name: &str) -> Result<Value> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.get("format").and_then(Value::as_u64) != Some(1) {
        return Err("expected \"format\": 1".to_owned());
    }
    if value.get("name").and_then(Value::as_str) != Some(name) {
        return Err(format!("expected \"name\": \"{name}\""));
    }
    for key in ["commit", "date", "command"] {
        if value.get(key).and_then(Value::as_str).is_none() {
            return Err(format!("expected a text \"{key}\""));
        }
    }
    for key in ["seeds", "claims"] {
        if value.get(key).and_then(Value::as_array).is_none() {
            return Err(format!("expected a list \"{key}\""));
        }
    }
    for claim in value["claims"].as_array().into_iter().flatten() {
        for key in ["claim", "value", "wanted", "pass"] {
            if claim.get(key).is_none() {
                return Err(format!("a claim has no \"{key}\": {claim}"));
            }
        }
    }
    Ok(value)
}

/// What the texts have to say for `file`#`claim`.
fn value_of(file: &str, claim: &str) -> Result<String> {
    if file.contains(['/', '\\']) {
        return Err(format!("expected the name of a file in docs/results, got {file}"));
    }
    let value = load(&folder().join(file))?;
    find_claim(&value, claim).ok_or_else(|| format!("{file} has no claim {claim:?}"))
}

fn find_claim(value: &Value, claim: &str) -> Option<String> {
    let claims = value.get("claims")?.as_array()?;
    let entry = claims.iter().find(|entry| entry.get("claim").and_then(Value::as_str) == Some(claim))?;
    Some(match entry.get("value")? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

struct Updated {
    text: String,
    quoted: usize,
    differences: Vec<String>,
}

/// Replaces every quoted number by what `value_of(file, claim)` says.
///
/// # Errors
/// If a comment is not closed or names no claim that exists.
fn update(text: &str, value_of: &dyn Fn(&str, &str) -> Result<String>) -> Result<Updated> {
    let mut updated = Updated { text: String::with_capacity(text.len()), quoted: 0, differences: Vec::new() };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        updated.text.push_str(before);
        if before.ends_with('`') {
            // The notation itself, explained in a text.
            updated.text.push_str(OPEN);
            rest = after;
            continue;
        }
        let (reference, after) = after.split_once(OPEN_END).ok_or_else(|| format!("a comment \"{OPEN}\" is not closed"))?;
        let (now, after) = after.split_once(CLOSE).ok_or_else(|| format!("no \"{CLOSE}\" after \"{OPEN}{reference}\""))?;
        let (file, claim) = reference.split_once('#').ok_or_else(|| format!("expected FILE#CLAIM, got \"{reference}\""))?;
        let value = value_of(file, claim)?;
        if now.trim() != value {
            updated.differences.push(format!("says {:?} where {file} has {value:?} ({claim})", now.trim()));
        }
        updated.text.push_str(&format!("{OPEN}{reference}{OPEN_END}{value}{CLOSE}"));
        updated.quoted += 1;
        rest = after;
    }
    updated.text.push_str(rest);
    Ok(updated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(file: &str, claim: &str) -> Result<String> {
        match (file, claim) {
            ("size.json", "fetched") => Ok("61.2 kB".to_owned()),
            _ => Err(format!("{file} has no claim {claim:?}")),
        }
    }

    #[test]
    fn equal_numbers_pass_and_others_are_named_and_replaced() {
        let good = "| x | <!-- results:size.json#fetched -->61.2 kB<!-- /results --> |";
        let updated = update(good, &lookup).unwrap();
        assert_eq!((updated.quoted, updated.differences.len()), (1, 0));
        assert_eq!(updated.text, good);

        let stale = good.replace("61.2", "58");
        let updated = update(&stale, &lookup).unwrap();
        assert!(updated.differences[0].contains("58 kB"), "{:?}", updated.differences);
        assert_eq!(updated.text, good);
    }

    #[test]
    fn broken_references_are_refused() {
        for text in [
            "<!-- results:size.json#fetched -->61.2 kB",
            "<!-- results:size.json#fetched",
            "<!-- results:size.json -->61.2 kB<!-- /results -->",
            "<!-- results:size.json#other -->61.2 kB<!-- /results -->",
        ] {
            assert!(update(text, &lookup).is_err(), "{text}");
        }
        assert!(value_of("../x.json", "y").is_err());
    }

    #[test]
    fn the_notation_may_be_explained() {
        let text = "written `<!-- results:NAME.json#CLAIM -->` in Markdown";
        let updated = update(text, &lookup).unwrap();
        assert_eq!((updated.text.as_str(), updated.quoted), (text, 0));
    }

    #[test]
    fn a_record_is_read_back() {
        let record = Record {
            name: "size".to_owned(),
            command: "cargo xtask prove size".to_owned(),
            seeds: vec![1, 2],
            claims: vec![Claim {
                claim: "fetched \"all\"".to_owned(),
                value: "61.2 kB".to_owned(),
                wanted: "at most 90 kB".to_owned(),
                pass: true,
                numbers: vec![("bytes".to_owned(), 61_200.0)],
            }],
        };
        let text = record.text("0123abc", "2026-11-23");
        let value = checked(&text, "size").unwrap();
        assert_eq!(find_claim(&value, "fetched \"all\"").as_deref(), Some("61.2 kB"));
        assert_eq!(value["claims"][0]["bytes"], 61_200.0);
        assert!(checked(&text, "other").is_err());
        assert!(checked("{\"format\": 2}", "size").is_err());
    }
}
