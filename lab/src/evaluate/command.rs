//! `ears-lab evaluate`, as it is called.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use super::estimator::Estimator;
use super::interval::Range;
use super::report::{Bounds, Report, html};
use super::run::pages::Slates;
use super::run::{self, ModelChoice, Settings};
use super::slate::SlateEstimator;
use super::target::Target;
use crate::error::{EXIT_FAILED, LabError};
use crate::logs::PREDICTED;
use crate::logs::parquet::LogFile;
use crate::validate::gate::Gate;
use crate::{progress, table};

/// Estimators of single decisions, unless others are named.
const USUAL: [Estimator; 4] = [Estimator::Ips, Estimator::Snips, Estimator::DoublyRobust, Estimator::SwitchDr(10.0)];
/// Estimators of whole pages, unless others are named.
const USUAL_OF_PAGES: [SlateEstimator; 9] = SlateEstimator::ALL;

/// The arguments, as words.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Policies to judge.
    pub policies: Vec<String>,
    /// Estimators; none for the usual ones.
    pub estimators: Vec<String>,
    /// Judge whole pages.
    pub slates: bool,
    /// Whether both policies draw each position independently of the others.
    pub independent: bool,
    /// none, logged, ridge or auto.
    pub model: String,
    /// Columns to slice by.
    pub slices: Vec<String>,
    /// Largest possible weight.
    pub largest_weight: Option<f64>,
    /// Least and largest possible reward.
    pub rewards: Vec<f64>,
    /// Leave bad rows out.
    pub skip_bad: bool,
    /// Allow several logging policies.
    pub mixed: bool,
    /// Normal intervals only.
    pub fast: bool,
    /// Threads.
    pub threads: Option<usize>,
    /// Validation before anything is judged, when it was asked for.
    pub gate: Gate,
}

/// Evaluates, prints and writes; exit 1 when no policy can be judged.
///
/// # Errors
/// When an argument is wrong, a log cannot be read, or its rows are bad.
pub fn evaluate(logs: &[PathBuf], asked: &Evaluation, json: Option<&Path>, page: Option<&Path>) -> Result<ExitCode, LabError> {
    let [low, high] = asked.rewards[..] else { return Err(LabError::unreadable("expected two numbers for --rewards")) };
    if low.is_nan() || high.is_nan() || low >= high {
        return Err(LabError::unreadable(format!("expected --rewards LEAST LARGEST in order, got {low} {high}")));
    }
    if let Some(weight) = asked.largest_weight.filter(|weight| weight.is_nan() || *weight < 1.0) {
        return Err(LabError::unreadable(format!("expected --largest-weight of at least 1, got {weight}")));
    }
    let settings = Settings {
        targets: asked.policies.iter().map(|text| text.parse()).collect::<Result<Vec<Target>, _>>()?,
        estimators: if asked.slates { Vec::new() } else { named(&asked.estimators, &USUAL)? },
        slates: asked
            .slates
            .then(|| {
                Ok::<_, LabError>(Slates {
                    estimators: named(&asked.estimators, &USUAL_OF_PAGES)?,
                    independent: asked.independent,
                })
            })
            .transpose()?,
        slices: asked.slices.clone(),
        model: choice(&asked.model, logs)?,
        threads: asked.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        skip_bad: asked.skip_bad,
        mixed: asked.mixed,
        blocks: !asked.fast,
    };
    // Without it, rows are still checked one by one while they are read.
    if asked.gate.is_asked() {
        asked.gate.pass(logs, true, &mut |line| eprintln!("ears-lab: {line}"))?;
    }
    let bar = progress::bar("row groups");
    let shown = |done, all| progress::show(&bar, done, all);
    let bounds = Bounds { reward: Range { low, high }, weight: asked.largest_weight };
    let report = if settings.slates.is_some() {
        Report::of_pages(&run::evaluate_pages(logs, &settings, &shown)?, bounds)
    } else {
        Report::new(&run::evaluate(logs, &settings, &shown)?, &settings, bounds)
    };
    bar.finish_and_clear();
    if json != Some(Path::new("-")) {
        print!("{}", report.text());
    }
    if let Some(target) = json {
        table::write_json(&report, target)?;
    }
    if let Some(target) = page {
        std::fs::write(target, html::page(&report))
            .map_err(|error| LabError::file(target, "a file that can be written", error))?;
    }
    let judged = report.policies.iter().any(|policy| policy.all.answers);
    Ok(if judged { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Estimators by name; the usual ones when none is named.
fn named<E: Copy + FromStr<Err = String>>(names: &[String], usual: &[E]) -> Result<Vec<E>, LabError> {
    if names.is_empty() {
        return Ok(usual.to_vec());
    }
    names.iter().map(|text| text.trim().parse().map_err(LabError::unreadable)).collect()
}

fn choice(word: &str, logs: &[PathBuf]) -> Result<ModelChoice, LabError> {
    match word {
        "none" => Ok(ModelChoice::None),
        "logged" => Ok(ModelChoice::Logged),
        "ridge" => Ok(ModelChoice::Ridge),
        "auto" => {
            let files: Vec<LogFile> = logs.iter().map(|path| LogFile::open(path)).collect::<Result<_, _>>()?;
            Ok(if files.iter().all(|file| file.has(PREDICTED)) {
                ModelChoice::Logged
            } else if files.iter().all(LogFile::has_candidates) {
                ModelChoice::Ridge
            } else {
                ModelChoice::None
            })
        }
        _ => Err(LabError::unreadable(format!("expected a model none, logged, ridge or auto, got {word}"))),
    }
}
