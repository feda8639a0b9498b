//! `ears-lab evaluate`, as it is called.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use super::embedding::Embeddings;
use super::estimator::Estimator;
use super::interval::Range;
use super::report::{Bounds, Report, html};
use super::run::pages::Slates;
use super::run::{self, ModelChoice, Settings};
use super::slate::SlateEstimator;
use super::slope::Asked;
use super::target::Target;
use crate::arguments::{Output, Threads};
use crate::error::{EXIT_FAILED, LabError};
use crate::logs::PREDICTED;
use crate::logs::parquet::LogFile;
use crate::progress;
use crate::validate::gate::Gate;

/// Estimators of single decisions, unless others are named.
const USUAL: [Estimator; 4] = [Estimator::Ips, Estimator::Snips, Estimator::DoublyRobust, Estimator::SwitchDr(10.0)];
/// Estimators of whole pages, unless others are named.
const USUAL_OF_PAGES: [SlateEstimator; 9] = SlateEstimator::ALL;

/// What other policies would have earned on logged decisions; exit 1 when rows are bad or no policy can be judged.
#[derive(clap::Args)]
pub struct Arguments {
    /// Log files (Parquet, `decisions` schema 1; see docs/logs.md).
    #[arg(required = true)]
    logs: Vec<PathBuf>,
    /// Policy to judge: logging, uniform, scored:NAME (columns of the log) or table:FILE. May be given again.
    #[arg(long = "policy", required = true)]
    policies: Vec<String>,
    /// Estimators; with (slope) in place of a parameter it is chosen by SLOPE++. Default: IPS, SNIPS, DR and SwitchDR(10), the last two where
    /// there is a reward model; with --slates all that there are.
    #[arg(long, value_delimiter = ',')]
    estimators: Vec<String>,
    /// For MIPS: what each card is, a CSV with the columns action and embedding (any text).
    #[arg(long, conflicts_with = "slates")]
    embeddings: Option<PathBuf>,
    /// Judge whole pages: the rows of a decision together, top down.
    #[arg(long)]
    slates: bool,
    /// With --slates: the policies draw each position independently of the others, so that IIPS and the pseudo-inverse apply.
    #[arg(long, requires = "slates")]
    independent_positions: bool,
    /// Reward model: none, logged (columns of the log), ridge (fitted here, cross-fitted), or auto for the best there is.
    #[arg(long, default_value = "auto")]
    model: String,
    /// Columns whose values are reported apart.
    #[arg(long, value_delimiter = ',')]
    slice: Vec<String>,
    /// Largest weight that is possible, for intervals that hold for any number of rows.
    #[arg(long)]
    largest_weight: Option<f64>,
    /// Least and largest possible reward.
    #[arg(long, num_args = 2, value_names = ["LEAST", "LARGEST"], default_values_t = [0.0, 1.0], allow_negative_numbers = true)]
    rewards: Vec<f64>,
    /// Leave bad rows out, counted, in place of stopping.
    #[arg(long)]
    skip_bad: bool,
    /// Allow several logging policies in one log.
    #[arg(long)]
    mixed_policies: bool,
    /// Normal intervals only: no sums of blocks for bootstrap and likelihood.
    #[arg(long)]
    fast: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    output: Output,
    /// Where the report goes as one HTML page.
    #[arg(long)]
    html: Option<PathBuf>,
    // Validation before anything is judged, when one of these is given.
    #[command(flatten)]
    gate: Gate,
}

impl Arguments {
    /// Evaluates, prints and writes; exit 1 when no policy can be judged.
    ///
    /// # Errors
    /// When an argument is wrong, a log cannot be read, or its rows are bad.
    pub fn run(&self) -> Result<ExitCode, LabError> {
        let [low, high] = self.rewards[..] else { return Err(LabError::unreadable("expected two numbers for --rewards")) };
        if low.is_nan() || high.is_nan() || low >= high {
            return Err(LabError::unreadable(format!("expected --rewards LEAST LARGEST in order, got {low} {high}")));
        }
        if let Some(weight) = self.largest_weight.filter(|weight| weight.is_nan() || *weight < 1.0) {
            return Err(LabError::unreadable(format!("expected --largest-weight of at least 1, got {weight}")));
        }
        let slates = || {
            let estimators = named(&self.estimators, &USUAL_OF_PAGES)?;
            Ok::<_, LabError>(Slates { estimators, independent: self.independent_positions })
        };
        let asked = if self.slates { Vec::new() } else { named(&self.estimators, &USUAL.map(Asked::Fixed))? };
        let settings = Settings {
            targets: self.policies.iter().map(|text| text.parse()).collect::<Result<Vec<Target>, _>>()?,
            estimators: Asked::all(&asked),
            embeddings: self.embeddings.as_deref().map(Embeddings::read).transpose()?,
            slates: self.slates.then(slates).transpose()?,
            slices: self.slice.clone(),
            model: choice(&self.model, &self.logs)?,
            threads: self.threads.count(),
            skip_bad: self.skip_bad,
            mixed: self.mixed_policies,
            blocks: !self.fast,
        };
        // Without it, rows are still checked one by one while they are read.
        if self.gate.is_asked() {
            self.gate.pass(&self.logs, true, &mut |line| eprintln!("ears-lab: {line}"))?;
        }
        let bar = progress::bar("row groups");
        let shown = |done, all| progress::show(&bar, done, all);
        let bounds = Bounds { reward: Range { low, high }, weight: self.largest_weight };
        let report = if settings.slates.is_some() {
            Report::of_pages(&run::evaluate_pages(&self.logs, &settings, &shown)?, bounds)
        } else {
            Report::new(&run::evaluate(&self.logs, &settings, &shown)?, &asked, bounds)
        };
        bar.finish_and_clear();
        self.output.finish(&report, &report.text())?;
        if let Some(target) = &self.html {
            std::fs::write(target, html::page(&report))
                .map_err(|error| LabError::file(target, "a file that can be written", error))?;
        }
        let judged = report.policies.iter().any(|policy| policy.all.answers);
        Ok(if judged { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
    }
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
