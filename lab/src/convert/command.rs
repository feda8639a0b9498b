//! The arguments of `ears-lab convert` and `ears-lab check-models`, and what they do.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ears_only::model::Body;
use ears_only::model::body::Tree;

use super::architecture::Architecture;
use super::{Format, Imported, check, draft};
use crate::arguments::{Output, Threads};
use crate::bundle::{self, Opened, Quantisation};
use crate::error::{EXIT_FAILED, LabError};

/// Makes a bundle of a model.
#[derive(Args)]
pub struct Convert {
    /// The model.
    input: PathBuf,
    /// Where the bundle goes.
    #[arg(short, long)]
    output: PathBuf,
    /// For safetensors: the architecture, as JSON or a line of text.
    #[arg(long)]
    arch: Option<PathBuf>,
    /// The columns as JSON: {"columns": [{"name", "source", "unit", "default", "missing", "min", "max", "mean", "scale"}]}.
    #[arg(long)]
    schema: Option<PathBuf>,
    /// What the file is, where its beginning does not tell: xgboost-json, xgboost-ubj, lightgbm, onnx, safetensors, logistic-json.
    #[arg(long)]
    format: Option<String>,
    /// Name of the model. Default: the file's.
    #[arg(long)]
    name: Option<String>,
    /// Name of this version; appears in every decision.
    #[arg(long, default_value = "1")]
    model_version: String,
    /// Place in the channel, from 1 on.
    #[arg(long, default_value_t = 1)]
    sequence: u64,
    /// When it was made, in milliseconds since 1970, UTC.
    #[arg(long, default_value_t = 0)]
    created: u64,
    /// How weights of networks are stored: none, float16, int8. The summary says what it costs.
    #[arg(long, default_value = "none")]
    quantise: String,
}

/// Recomputes a folder of models.
#[derive(Args)]
pub struct CheckModels {
    /// Folder with models as an index.json names them.
    folder: PathBuf,
    /// How often each format is damaged.
    #[arg(long, default_value_t = 0)]
    mutations: u64,
    /// Draws the damages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: Output,
}

/// A choice by its name.
fn chosen<T: Copy>(what: &str, name: &str, all: &[(&str, T)]) -> Result<T, LabError> {
    all.iter().find(|(known, _)| *known == name).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        LabError::unreadable(format!("{what}: expected one of {}, got {name}", names.join(", ")))
    })
}

fn text(path: &Path) -> Result<String, LabError> {
    fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable text file", error))
}

impl Convert {
    /// Writes the bundle and prints what it holds.
    ///
    /// # Errors
    /// What is wrong with the model or not supported, and where.
    pub fn run(&self) -> Result<ExitCode, LabError> {
        let refused = |path: &Path, error: &dyn std::fmt::Display| LabError::unreadable(format!("{}: {error}", path.display()));
        let bytes = fs::read(&self.input).map_err(|error| LabError::file(&self.input, "a readable file", error))?;
        let format = match &self.format {
            Some(name) => chosen("format", name, &Format::ALL)?,
            None => Format::of(&bytes).map_err(|error| refused(&self.input, &error))?,
        };
        let architecture = match &self.arch {
            Some(path) if format != Format::Safetensors => {
                return Err(refused(path, &format!("an architecture goes with safetensors, found a model in {}", format.name())));
            }
            Some(path) => Some(Architecture::read(&text(path)?).map_err(|error| refused(path, &error))?),
            None => None,
        };
        let imported = Imported::read(format, &bytes, architecture.as_ref()).map_err(|error| refused(&self.input, &error))?;
        let schema = match &self.schema {
            Some(path) => Some(draft::columns(&text(path)?).map_err(|error| refused(path, &error))?),
            None => None,
        };
        let stem = self.input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let name = self.name.clone().unwrap_or(stem);
        let mut draft =
            draft::draft(&imported, &name, &self.model_version, schema).map_err(|error| refused(&self.input, &error))?;
        draft.sequence = self.sequence;
        draft.created_ms = self.created;
        draft.quantisation = chosen("quantise", &self.quantise, &Quantisation::ALL)?;
        draft.provenance = serde_json::json!({"convertedFrom": format.name(), "sha256": bundle::address(&bytes)});
        let written = draft.write().map_err(|error| refused(&self.input, &error))?;
        let opened = bundle::read(&written)?;
        let checked = draft::check(&imported, &opened, &draft.columns);
        if checked.share > 1.0 && draft.quantisation == Quantisation::None {
            return Err(LabError::failed(format!(
                "{}: the bundle lies {:e} from the model's own evaluator, more than rounding explains; nothing was written",
                self.input.display(),
                checked.worst
            )));
        }
        fs::write(&self.output, &written).map_err(|error| LabError::file(&self.output, "a writable file", error))?;
        print!("{}", summary(&imported, format, &opened, written.len(), checked));
        Ok(ExitCode::SUCCESS)
    }
}

/// What a conversion made, one fact a line.
fn summary(imported: &Imported, format: Format, opened: &Opened, bytes: usize, checked: draft::Checked) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    let body = opened.bundle.model().body();
    line("format", format.name().to_owned());
    line("body", body.kind().to_owned());
    line("columns", imported.source().columns().to_string());
    match body {
        Body::Trees(trees) => {
            let nodes = |tree: &Tree| match tree {
                Tree::General { nodes } => nodes.len(),
                Tree::Oblivious { levels, leaves } => levels.len() + leaves.len(),
            };
            let all: usize = trees.to_trees().iter().map(nodes).sum();
            line("trees", format!("{}, {all} nodes, {} leaves", trees.tree_count(), trees.leaf_count()));
        }
        Body::Network(network) => {
            let sizes: Vec<String> = network.layers().iter().map(|layer| layer.outputs.to_string()).collect();
            let weights: usize = network.layers().iter().map(|layer| layer.weights.len() + layer.bias.len()).sum();
            line("layers", format!("{} units, {weights} weights", sizes.join(", ")));
        }
        Body::Linear(linear) => line("weights", format!("{}, {} crosses", linear.weights().len(), linear.crosses().len())),
        Body::Plain | Body::Factorization(_) => {}
    }
    line("bytes", bytes.to_string());
    line("address", opened.address());
    line("checked", format!("{} rows, at most {:.1e} from the model's own evaluator", checked.rows, checked.worst));
    for note in imported.source().notes() {
        line("note", note.clone());
    }
    text
}

impl CheckModels {
    /// Prints or writes the report.
    ///
    /// # Errors
    /// When the folder has no index or one cannot be read.
    pub fn run(&self) -> Result<ExitCode, LabError> {
        let report = check::run(&self.folder, self.mutations, self.seed, self.threads.count())?;
        self.output.finish(&report, &report.table())?;
        Ok(if report.passes() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
    }
}
