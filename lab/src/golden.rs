//! Recomputes golden files with the shipped core.
//!
//! A golden file is JSON with `format` 1, a `tolerance` and `cases` or estimates. What it holds is told by its shape, not by its name, so a
//! renamed file or another directory of the same formats works alike. Shapes that the core cannot compute are named and skipped.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::LabError;

mod estimates;
pub mod models;
pub(crate) mod page;
mod propensities;
mod slates;
mod two_level;

/// How far recomputed values lie from a golden file's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// Cases recomputed.
    pub known: usize,
    /// Cases in the file.
    pub cases: usize,
    /// Largest absolute deviation.
    pub worst: f64,
    /// Deviation that the file allows.
    pub tolerance: f64,
}

impl Checked {
    /// Whether everything recomputed lies within the tolerance.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.worst <= self.tolerance
    }
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// Recomputed.
    Checked(Checked),
    /// Holds something the core does not compute.
    Unknown {
        /// What it seems to be.
        kind: String,
    },
}

/// One file of a golden directory.
#[derive(Clone, Debug, PartialEq)]
pub struct FileFinding {
    /// Path within the directory, with `/` between its parts.
    pub path: String,
    /// What became of it.
    pub finding: Finding,
}

impl FileFinding {
    /// The line that reports it.
    #[must_use]
    pub fn line(&self) -> String {
        match &self.finding {
            Finding::Checked(c) => format!(
                "{}: {} of {} cases, worst {:.1e}, tolerance {:e}, {}",
                self.path,
                c.known,
                c.cases,
                c.worst,
                c.tolerance,
                if c.passes() { "ok" } else { "FAIL" }
            ),
            Finding::Unknown { kind } => format!("{}: unknown kind {kind}", self.path),
        }
    }

    /// Whether the file was recomputed and lies outside its tolerance.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(&self.finding, Finding::Checked(checked) if !checked.passes())
    }
}

/// Checks every golden file under `directory`, in order of path; one result for each file. Data files that they name are looked for
/// under `data`.
///
/// Every `.json` file is one, except those that an `index.json` beside them names: an index stands for the models it names.
///
/// # Errors
/// When the directory cannot be read or holds no golden file.
pub fn check_directory(directory: &Path, data: &Path) -> Result<Vec<Result<FileFinding, LabError>>, LabError> {
    let mut files = Vec::new();
    collect_json(directory, &mut files)?;
    if files.is_empty() {
        return Err(LabError::file(directory, "a directory with golden .json files", "none"));
    }
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name == "index.json")) {
        let Some(folder) = file.parent() else { continue };
        match models::check_index(directory, file).and_then(|checked| Ok((checked, models_of(file)?))) {
            Ok((checked, models)) => {
                findings.extend(checked);
                named.extend(models.into_iter().map(|name| folder.join(name)));
            }
            Err(error) => findings.push(Err(error)),
        }
        named.insert(file.clone());
    }
    for file in files.iter().filter(|file| !named.contains(*file)) {
        findings.push(check_file(file, data).map(|finding| FileFinding { path: relative(directory, file), finding }));
    }
    // Paths in order, unreadable files last.
    findings.sort_by_key(|finding| finding.as_ref().map_or((true, String::new()), |file| (false, file.path.clone())));
    Ok(findings)
}

/// Checks one golden file.
///
/// # Errors
/// When it cannot be read or its shape is broken.
pub fn check_file(path: &Path, data: &Path) -> Result<Finding, LabError> {
    let value = read_json(path)?;
    if value.get("campaigns").is_some() {
        return estimates::check(path, value, data).map(Finding::Checked);
    }
    if value.get("n_slates").is_some() {
        return slates::check(path, value).map(Finding::Checked);
    }
    let first = value.get("cases").and_then(|cases| cases.get(0));
    if first.is_some_and(|case| case.get("shelf_logits").is_some()) {
        two_level::check(path, value).map(Finding::Checked)
    } else if first.is_some_and(|case| case.get("kind").is_some()) {
        propensities::check(path, value)
    } else {
        let kind = value.get("kind").and_then(Value::as_str).map(str::to_owned);
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Finding::Unknown { kind: kind.or(stem).unwrap_or_default() })
    }
}

/// Compares numbers of a file of estimates with ours, and counts its cases.
struct Deviation<'a> {
    path: &'a Path,
    known: usize,
    cases: usize,
    worst: f64,
}

impl<'a> Deviation<'a> {
    fn new(path: &'a Path) -> Self {
        Self { path, known: 0, cases: 0, worst: 0.0 }
    }

    /// A case begins.
    fn case(&mut self) {
        self.known += 1;
        self.cases += 1;
    }

    /// A case that cannot be computed.
    fn unknown(&mut self) {
        self.cases += 1;
    }

    /// Compares with a number of the file; null and text such as NaN stand for no number.
    fn number(&mut self, expected: &Value, found: f64) {
        self.float(expected.as_f64().unwrap_or(f64::NAN), found);
    }

    /// The deviation: absolute up to 1, relative beyond, where no `f64` has nine digits after the point for ever.
    fn float(&mut self, expected: f64, found: f64) {
        let deviation = if expected.is_nan() && !found.is_finite() || expected == found {
            0.0
        } else {
            (found - expected).abs() / expected.abs().max(1.0)
        };
        // A deviation that is no number is the worst of all.
        self.worst = if deviation.is_nan() { f64::INFINITY } else { self.worst.max(deviation) };
    }

    fn checked(self, tolerance: f64) -> Checked {
        debug_assert!(self.known <= self.cases, "{}", self.path.display());
        Checked { known: self.known, cases: self.cases, worst: self.worst, tolerance }
    }
}

/// Refuses a data file whose SHA-256 is not the one that is named.
fn digest(path: &Path, expected: Option<&str>) -> Result<(), LabError> {
    let Some(expected) = expected else { return Ok(()) };
    let bytes = fs::read(path).map_err(|error| LabError::file(path, "a readable file", error))?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected { Ok(()) } else { Err(LabError::file(path, &format!("sha256 {expected}"), found)) }
}

fn read_json(path: &Path) -> Result<Value, LabError> {
    let text = fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable text file", error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| LabError::file(path, "JSON", error))?;
    if !value.is_object() {
        return Err(LabError::file(path, "a JSON object", kind_of(&value)));
    }
    match value.get("format") {
        Some(format) if format.as_u64() == Some(1) => Ok(value),
        Some(other) => Err(LabError::file(path, "format 1", other)),
        None => Err(LabError::file(path, "a field \"format\"", "none")),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// File names of the models that an index names.
fn models_of(index: &Path) -> Result<Vec<String>, LabError> {
    let value = read_json(index)?;
    let models = value.get("models").and_then(Value::as_object);
    let files = models.into_iter().flatten().filter_map(|(_, model)| model.get("files").and_then(Value::as_array));
    Ok(files.flatten().filter_map(|file| file.as_str().map(str::to_owned)).collect())
}

fn collect_json(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), LabError> {
    let unreadable = |error| LabError::file(directory, "a readable directory", error);
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            collect_json(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn relative(directory: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(directory).unwrap_or(path);
    inner.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
