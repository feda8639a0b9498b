//! Models of the field's own tools with inputs and expected outputs, as an `index.json` names them.
//!
//! The index has `features`, `models` (each with `files` and `tolerance_abs`, a number or one for each of `margin` and `prob`), `impute` and
//! `standardise`. Beside it stand `inputs.csv.gz`, where there are such `inputs_standardised.csv.gz`, and `expected_NAME.csv.gz` for each
//! model. Trees read the inputs as they are, other models standardised where there are such, else with missing values replaced; `input` says
//! otherwise (`raw`, `imputed`, `standardised`). A model with `refused` in place of a tolerance must not be imported, and the error must
//! have those words.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;

use super::{Checked, FileFinding, Finding, relative};
use crate::bundle;
use crate::convert::architecture::Architecture;
use crate::convert::draft::{draft, score};
use crate::convert::{Converted, Format, Imported};
use crate::error::LabError;

/// The parts of an index that are read.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    features: Vec<String>,
    models: std::collections::BTreeMap<String, Model>,
    #[serde(default)]
    impute: std::collections::BTreeMap<String, f64>,
}

/// One model of an index, perhaps in several files.
#[derive(Deserialize)]
struct Model {
    library: Option<String>,
    files: Vec<String>,
    tolerance_abs: Option<Tolerance>,
    arch: Option<String>,
    input: Option<String>,
    refused: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Tolerance {
    Both(f64),
    Each { prob: f64, margin: f64 },
}

impl Tolerance {
    fn of(self, column: &str) -> f64 {
        match self {
            Self::Both(both) => both,
            Self::Each { prob, margin } => {
                if column == "prob" {
                    prob
                } else {
                    margin
                }
            }
        }
    }
}

/// One file of one model, recomputed.
pub struct Measured {
    /// The file.
    pub path: PathBuf,
    /// The tool that made it, as the index says.
    pub library: String,
    /// The architecture that the index gives.
    pub arch: Option<String>,
    /// Whether the index wants it refused; then a result without an error means that it was.
    pub refused: bool,
    /// Largest deviations, or why there are none.
    pub result: Result<Worst, LabError>,
}

/// Largest deviations of a model, over the body that ships and the evaluator that computes as its tool does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Worst {
    /// Rows compared.
    pub rows: u64,
    /// Of the log-odds; 0 when none are given.
    pub margin: f64,
    /// Of the chances; 0 when none are given.
    pub prob: f64,
    /// The deviation that takes most of its tolerance, and that tolerance.
    pub closest: (f64, f64),
    /// Whether all are within their tolerance.
    pub within: bool,
}

/// Recomputes every model of every index under `folder`.
///
/// # Errors
/// When there is no index, or one cannot be read.
pub fn measure(folder: &Path) -> Result<Vec<Measured>, LabError> {
    let mut files = Vec::new();
    super::collect_json(folder, &mut files)?;
    files.retain(|file| file.file_name().is_some_and(|name| name == "index.json"));
    if files.is_empty() {
        return Err(LabError::file(folder, "a folder with an index.json", "none"));
    }
    let mut all = Vec::new();
    for file in files {
        let index = read_index(&file)?;
        let folder = file.parent().unwrap_or(folder);
        for (name, model) in &index.models {
            for file in &model.files {
                let path = folder.join(file);
                let result = match (&model.refused, model.tolerance_abs) {
                    (Some(words), _) => check_refusal(words, model, &path).map(|()| Worst::default()),
                    (None, Some(tolerance)) => check_model(&index, folder, name, model, &path, tolerance),
                    (None, None) => continue,
                };
                let library = model.library.clone().unwrap_or_else(|| "model".to_owned());
                all.push(Measured { path, library, arch: model.arch.clone(), refused: model.refused.is_some(), result });
            }
        }
    }
    Ok(all)
}

fn read_index(file: &Path) -> Result<Index, LabError> {
    serde_json::from_value(super::read_json(file)?).map_err(|error| LabError::file(file, "an index of models", error))
}

/// Checks every file of every model that the index names, in the order of the index.
///
/// # Errors
/// When the index itself cannot be read.
pub fn check_index(root: &Path, file: &Path) -> Result<Vec<Result<FileFinding, LabError>>, LabError> {
    let index = read_index(file)?;
    let folder = file.parent().unwrap_or(root);
    let mut findings = Vec::new();
    for (name, model) in &index.models {
        for file in &model.files {
            let path = folder.join(file);
            let finding = match (&model.refused, model.tolerance_abs) {
                (Some(words), _) => check_refusal(words, model, &path)
                    .map(|()| Finding::Checked(Checked { known: 1, cases: 1, worst: 0.0, tolerance: 0.0 })),
                (None, Some(tolerance)) => check_model(&index, folder, name, model, &path, tolerance).map(|worst| {
                    let rows = worst.rows as usize;
                    Finding::Checked(Checked { known: rows, cases: rows, worst: worst.closest.0, tolerance: worst.closest.1 })
                }),
                // Named only, without anything to compare with.
                (None, None) => Ok(Finding::Unknown { kind: model.library.clone().unwrap_or_else(|| "model".to_owned()) }),
            };
            findings.push(finding.map(|finding| FileFinding { path: relative(root, &path), finding }));
        }
    }
    Ok(findings)
}

/// The file is refused in the words of the index.
fn check_refusal(words: &str, model: &Model, path: &Path) -> Result<(), LabError> {
    let imported = read_model(path, model.arch.as_deref()).and_then(|imported| convert(path, &imported));
    match imported {
        Err(error) if error.to_string().contains(words) => Ok(()),
        Err(error) => Err(LabError::failed(format!("{error}: expected a refusal with \"{words}\""))),
        Ok(_) => Err(LabError::failed(format!("{}: expected a refusal with \"{words}\", found a model", path.display()))),
    }
}

fn convert(path: &Path, imported: &Imported) -> Result<Converted, LabError> {
    Converted::new(imported.source()).map_err(|error| LabError::unreadable(format!("{}: {error}", path.display())))
}

fn check_model(
    index: &Index,
    folder: &Path,
    name: &str,
    model: &Model,
    path: &Path,
    tolerance: Tolerance,
) -> Result<Worst, LabError> {
    let imported = read_model(path, model.arch.as_deref())?;
    let source = imported.source();
    let converted = convert(path, &imported)?;
    // As it reaches a device: written, read and checked.
    let of_file = |error: &dyn std::fmt::Display| LabError::failed(format!("{}: {error}", path.display()));
    let written = draft(&imported, name, "1", None).map_err(|error| of_file(&error))?.write().map_err(|error| of_file(&error))?;
    let opened = bundle::read(&written).map_err(|error| of_file(&error))?;
    let rows = rows(index, folder, model, &imported)?;
    let expected = Table::read(&folder.join(format!("expected_{name}.csv.gz")))?;
    if rows.iter().any(|row| row.len() != source.columns()) || expected.rows.len() != rows.len() {
        let expected = format!("{} rows of {} columns", expected.rows.len(), source.columns());
        return Err(LabError::file(path, &expected, format!("{} rows of {}", rows.len(), rows.first().map_or(0, Vec::len))));
    }
    for row in &rows {
        let (shipped, own) = (score(&opened, row), converted.margin(row));
        if shipped.to_bits() != own.to_bits() {
            return Err(of_file(&format!("expected the body's margin {own:e} from the bundle, found {shipped:e}")));
        }
    }
    let mut worst = Worst { rows: rows.len() as u64, closest: (0.0, tolerance.of("margin")), within: true, ..Worst::default() };
    for (column, name) in expected.names.iter().enumerate() {
        let tolerance = tolerance.of(name);
        for (row, expected) in rows.iter().zip(&expected.rows) {
            // The body that ships, and the evaluator that computes as the tool does.
            for margin in [converted.margin(row), source.evaluate(row).margin] {
                let found = if name == "prob" { ears_only::math::sigmoid(margin) } else { margin };
                let deviation = (found - expected[column]).abs();
                // NaN is the worst of all.
                let deviation = if deviation.is_nan() { f64::INFINITY } else { deviation };
                worst.within &= deviation <= tolerance;
                let of_name = if name == "prob" { &mut worst.prob } else { &mut worst.margin };
                *of_name = of_name.max(deviation);
                if deviation / tolerance > worst.closest.0 / worst.closest.1 {
                    worst.closest = (deviation, tolerance);
                }
            }
        }
    }
    Ok(worst)
}

/// A model file, with the architecture that the index or its own metadata names.
///
/// # Errors
/// When it cannot be read or holds what no body can.
pub fn read_model(path: &Path, arch: Option<&str>) -> Result<Imported, LabError> {
    let bytes = fs::read(path).map_err(|error| LabError::file(path, "a readable file", error))?;
    let read = || {
        let format = Format::of(&bytes)?;
        let architecture = arch.filter(|_| format == Format::Safetensors).map(Architecture::read).transpose()?;
        Imported::read(format, &bytes, architecture.as_ref())
    };
    read().map_err(|error| LabError::unreadable(format!("{}: {error}", path.display())))
}

/// The rows that a model is given.
fn rows(index: &Index, folder: &Path, model: &Model, imported: &Imported) -> Result<Vec<Vec<f32>>, LabError> {
    let standardised = folder.join("inputs_standardised.csv.gz");
    let input = model.input.as_deref().unwrap_or(match imported {
        Imported::Network(_) | Imported::Logistic(_) if standardised.exists() => "standardised",
        Imported::Network(_) | Imported::Logistic(_) => "imputed",
        _ => "raw",
    });
    let file = match input {
        "standardised" => standardised,
        "raw" | "imputed" => folder.join("inputs.csv.gz"),
        other => return Err(LabError::file(folder, "input raw, imputed or standardised", other)),
    };
    let table = Table::read(&file)?;
    if !index.features.is_empty() && table.names != index.features {
        return Err(LabError::file(&file, "the features of the index as columns", table.names.join(", ")));
    }
    let missing: Vec<f64> = table
        .names
        .iter()
        .map(|name| index.impute.get(name).copied().filter(|_| input == "imputed").unwrap_or(f64::NAN))
        .collect();
    let value = |(x, missing): (&f64, &f64)| if x.is_nan() { *missing as f32 } else { *x as f32 };
    Ok(table.rows.iter().map(|row| row.iter().zip(&missing).map(value).collect()).collect())
}

/// A table of numbers with a head; an empty cell is NaN.
struct Table {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl Table {
    fn read(path: &PathBuf) -> Result<Self, LabError> {
        let unreadable = |error| LabError::file(path, "a compressed table", error);
        let mut text = String::new();
        GzDecoder::new(fs::File::open(path).map_err(unreadable)?).read_to_string(&mut text).map_err(unreadable)?;
        let mut lines = text.lines();
        let names: Vec<String> = lines.next().unwrap_or_default().split(',').map(|name| name.trim().to_owned()).collect();
        let mut rows = Vec::new();
        // With one column, an empty line is a missing value.
        for (number, line) in lines.enumerate().filter(|(_, line)| !line.is_empty() || names.len() == 1) {
            let cell = |cell: &str| if cell.trim().is_empty() { Some(f64::NAN) } else { cell.trim().parse().ok() };
            let row: Option<Vec<f64>> = line.split(',').map(cell).collect();
            let row = row.filter(|row| row.len() == names.len());
            rows.push(row.ok_or_else(|| LabError::file(path, &format!("{} numbers in line {}", names.len(), number + 2), line))?);
        }
        Ok(Self { names, rows })
    }
}
