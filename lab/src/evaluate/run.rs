//! Evaluates policies on log files: checks every row, fits the reward model, adds up. Threads share row groups; what comes out does not depend on how
//! many there are, nor on the order of the files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::embedding::Embeddings;
use super::estimator::{Accumulator, Estimator};
use super::exact::ExactSum;
use super::interval::Unit;
use super::model::{Ridge, RidgeSums};
use super::target::Target;
use super::weights::WeightSums;
use crate::error::LabError;
use crate::logs::check::Findings;
use crate::logs::parquet::LogFile;

mod blocks;
pub mod pages;
mod part;
mod plan;
mod sorted;

use pages::{PageAnswer, Slates};
use part::Part;
use plan::Plan;

/// Most slices.
pub const MAX_SLICES: usize = 1_000;
/// Blocks of decisions for the intervals that resample.
pub const BLOCKS: usize = 256;

/// Which reward model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// None: estimators that need one are left out.
    None,
    /// The log's columns `predicted` and `expected_NAME`.
    Logged,
    /// [`RidgeSums`], fitted on the log itself, cross-fitted; needs the candidates of each decision.
    Ridge,
}

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Policies to judge.
    pub targets: Vec<Target>,
    /// Estimators of each.
    pub estimators: Vec<Estimator>,
    /// What the cards are, for [`Estimator::MarginalizedIps`], which needs it and the candidates of each decision.
    pub embeddings: Option<Embeddings>,
    /// Columns of context whose values are reported apart.
    pub slices: Vec<String>,
    /// The reward model.
    pub model: ModelChoice,
    /// Threads; at least 1.
    pub threads: usize,
    /// Leave bad rows out, counted, in place of stopping.
    pub skip_bad: bool,
    /// Several logging policies in one log are meant.
    pub mixed: bool,
    /// Keep sums of blocks for the intervals that resample.
    pub blocks: bool,
    /// Judge whole pages, by [`evaluate_pages`].
    pub slates: Option<Slates>,
}

/// What was added up for one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// Of the weights.
    pub weights: WeightSums,
    /// Of each estimator.
    pub estimators: Vec<Accumulator>,
    /// Target probability of candidates that the logging policy never places; known where candidates are logged.
    pub unsupported: Option<ExactSum>,
}

impl Sums {
    fn new(estimators: &[Estimator]) -> Self {
        let estimators = estimators.iter().map(|estimator| Accumulator::quick(*estimator)).collect();
        Self { weights: WeightSums::default(), estimators, unsupported: None }
    }

    fn merge(&mut self, other: &Self) {
        self.weights.merge(&other.weights);
        self.estimators.iter_mut().zip(&other.estimators).for_each(|(a, b)| a.merge(b));
        if let Some(other) = &other.unsupported {
            self.unsupported.get_or_insert_default().merge(other);
        }
    }
}

/// Everything added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Files, rows in their footers, in order of path.
    pub files: Vec<(PathBuf, u64)>,
    /// Rows that were used.
    pub rows: u64,
    /// Rows whose reward is not known yet; not used.
    pub pending: u64,
    /// Bad rows; not used.
    pub findings: Findings,
    /// Rows with a decision id; duplicates can be found among these alone.
    pub identified: u64,
    /// Logging policies by number of rows.
    pub logging: BTreeMap<String, u64>,
    /// Estimators that were left out for want of a model.
    pub left_out: Vec<Estimator>,
    /// For each target policy.
    pub targets: Vec<TargetAnswer>,
    /// How often each action was taken, and how often the logged probabilities said it would be, with its variance.
    pub calibration: BTreeMap<i32, (u64, f64, f64)>,
}

/// What was added up for one target policy.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetAnswer {
    /// Its name.
    pub name: String,
    /// Over all rows.
    pub all: Sums,
    /// By the values of the slice columns.
    pub slices: BTreeMap<Vec<String>, Sums>,
    /// For each estimator, the blocks as units; empty where it has none.
    pub units: Vec<Vec<Unit>>,
}

/// Evaluates `settings` on the files at `paths`.
///
/// # Errors
/// When a file cannot be read, lacks what a policy needs, or has bad rows and they are not to be skipped.
pub fn evaluate(paths: &[PathBuf], settings: &Settings, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Answer, LabError> {
    let files = opened(paths)?;
    let plan = Plan::new(&files, settings)?;
    let mut duplicates = Findings::default();
    let doubled = plan.duplicates(&files, &mut duplicates)?;
    let model = match settings.model {
        ModelChoice::Ridge => {
            let parts =
                plan.over_groups(&files, settings.threads, &|_, _| {}, &|_: &LogFile| RidgeSums::default(), &|sums, batch| {
                    plan.fit(batch, &doubled, sums);
                    Ok(())
                })?;
            let mut all = RidgeSums::default();
            parts.iter().for_each(|part| all.merge(part));
            all.fit()
        }
        _ => Ridge::default(),
    };
    let parts = plan.over_groups(&files, settings.threads, progress, &|_: &LogFile| Part::new(&plan), &|part, batch| {
        part.add(&plan, &model, &doubled, batch)
    })?;
    let mut all = Part::new(&plan);
    all.findings.merge(duplicates);
    parts.into_iter().for_each(|part| all.merge(part));
    plan.refuse(&files, &all.logging, &all.findings)?;
    Ok(all.answer(&files, &plan))
}

/// Evaluates `settings`, which has [`Slates`], on whole pages.
///
/// # Errors
/// As [`evaluate`], and when rows have no decision id or a page is longer than [`pages::MAX_CARDS`].
pub fn evaluate_pages(
    paths: &[PathBuf],
    settings: &Settings,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<PageAnswer, LabError> {
    let slates = settings.slates.as_ref().ok_or_else(|| LabError::unreadable("expected estimators of slates, got none"))?;
    pages::evaluate(&opened(paths)?, settings, slates, progress)
}

/// The files in order of path.
fn opened(paths: &[PathBuf]) -> Result<Vec<LogFile>, LabError> {
    let mut paths = paths.to_vec();
    paths.sort();
    let files: Vec<LogFile> = paths.iter().map(|path| LogFile::open(path)).collect::<Result<_, _>>()?;
    if files.is_empty() { Err(LabError::unreadable("expected a log file, got none")) } else { Ok(files) }
}

#[cfg(test)]
mod tests;
