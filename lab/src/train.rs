//! Trains reward models from logged decisions: the bodies that a bundle carries.
//!
//! A [`log`] of cards, features, rewards and propensities becomes rows with targets and weights ([`objective`]), a part of the listeners is
//! kept aside to judge by ([`sample`]), a model is fitted to the others ([`fitted`]: [`linear`], [`factorization`], [`trees`], [`network`]), and
//! a report says how good it is, apart for each group of rows. Everything is a function of the log and the seed, whatever the number of
//! threads.

use ears_only::features::Column;
use ears_only::model::Body;
use serde::Serialize;

pub mod command;
pub mod descent;
pub mod factorization;
pub mod fitted;
pub mod gradient;
pub mod html;
pub mod inputs;
pub mod keep;
pub mod linear;
pub mod log;
pub mod network;
pub mod objective;
pub mod parallel;
pub mod reference;
pub mod sample;
pub mod spread;
pub mod trees;

use crate::bundle::{self, Draft, Start};
use crate::error::LabError;
use crate::noisy::Channel;
use fitted::{Fitted, Model};
use log::Log;
use objective::Objective;
use parallel::Threads;
use sample::{Calibrated, Quality, Sample, calibration};
use spread::{Prior, Spread};

/// What to train, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The model.
    pub model: fitted::Settings,
    /// What it is to be good at.
    pub objective: Objective,
    /// Largest inverse propensity that counts.
    pub clip: f64,
    /// Strength of the penalty of `poem`, in standard errors, or of the multiplier of `banditnet`, in values of the start; several are tried
    /// where there is none.
    pub penalty: Option<f64>,
    /// Share of the listeners that judge: they say when to stop, and the report is about them.
    pub judge: f64,
    /// Decides who judges.
    pub seed: u64,
    /// Threads; the result does not depend on it.
    pub threads: usize,
    /// File in which the trees and passes done so far are kept, and whether to go on from there.
    pub keep: Option<(std::path::PathBuf, bool)>,
}

impl Settings {
    /// The usual settings around a model.
    #[must_use]
    pub fn new(model: fitted::Settings) -> Self {
        Self { model, objective: Objective::Ips, clip: 100.0, penalty: None, judge: 0.2, seed: 1, threads: 1, keep: None }
    }
}

/// A trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The columns it reads, as a bundle says them.
    pub columns: Vec<Column>,
    /// The model.
    pub fitted: Fitted,
    /// The same as devices evaluate it.
    pub body: Body,
    /// Where the head starts; `None` when no listener has several outcomes to tell how much listeners differ.
    pub prior: Option<Prior>,
    /// Some rows of the judging listeners, for checking what devices make of them.
    pub golden: Vec<Vec<f32>>,
    /// How good it is.
    pub report: Report,
}

/// How good a model is on a group of the judging rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// What divides the rows.
    pub slice: String,
    /// The group.
    pub group: String,
    /// How good.
    #[serde(flatten)]
    pub quality: Quality,
}

/// What came of a training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Which model.
    pub body: String,
    /// Its size in words.
    pub size: String,
    /// What it is to be good at.
    pub objective: String,
    /// Decides who judges.
    pub seed: u64,
    /// Rows in the log.
    pub rows: usize,
    /// Rows among them that count under the objective.
    pub counted: usize,
    /// Kish's effective sample size of these.
    pub effective_size: f64,
    /// Largest weight, the mean being 1.
    pub largest_weight: f64,
    /// On the rows learned from.
    pub learned: Quality,
    /// On the rows of other listeners.
    pub judged: Quality,
    /// Predictions beside what came, by tenths of these rows.
    pub calibration: Vec<Calibrated>,
    /// The same as `judged` for groups of these rows.
    pub groups: Vec<Group>,
    /// How much listeners differ, when the log tells.
    pub spread: Option<Spread>,
    /// What the ranking earns by the decisions of the judging listeners by whom no pass was chosen, for `poem` and `banditnet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking: Option<gradient::Found>,
    /// Loss of the judging rows after each pass or tree; empty for the logistic regression. For `poem` and `banditnet` what the ranking earns
    /// after each pass by the decisions that it is chosen by.
    pub curve: Vec<f64>,
}

/// Rows of the judging listeners that go into a bundle.
const GOLDEN: usize = 8;

/// Trains a model on a log. `progress` hears how many passes or trees are done, of how many at most.
///
/// # Errors
/// When a setting is out of range, the log does not hold what the objective needs, or no fit is found.
pub fn train(log: &Log, settings: &Settings, progress: &mut dyn FnMut(usize, usize)) -> Result<Trained, LabError> {
    if !(settings.judge > 0.0 && settings.judge < 1.0) {
        return Err(LabError::unreadable(format!("expected a judging share within 0 and 1, found {}", settings.judge)));
    }
    let threads = Threads::new(settings.threads)?;
    let (counted, rows) = objective::sample(log, settings.objective, settings.clip, settings.seed, &threads)?;
    let (learning, judging) = counted.divide(settings.judge, settings.seed);
    let (learn, judge) = (counted.subset(&learning), counted.subset(&judging));
    for (what, part) in [("to learn from", &learn), ("to judge by", &judge)] {
        if part.total_weight() <= 0.0 {
            return Err(LabError::unreadable(format!("expected listeners enough for rows {what}, found {} rows", part.rows())));
        }
    }
    let fitted = fitted::fit(&learn, &judge, &kept(log, settings), &threads, progress)?;
    let (fitted, ranking) = match rank_by(settings)? {
        Some(how) => {
            // What the best of many passes earns is not asked of those by whom it was chosen.
            let (all, half) = (settings.judge, 0.5 * settings.judge);
            let pages = |least: f64, most: f64| {
                gradient::Pages::of(log, settings.clip, |listener| (least..most).contains(&sample::unit(settings.seed, listener)))
            };
            let pages = [pages(all, 1.0)?, pages(0.0, half)?, pages(half, all)?];
            let (fitted, found) = gradient::improve(fitted, &learn, pages, &how, &threads, progress)?;
            (fitted, Some(found))
        }
        None => (fitted, None),
    };
    // The loss is a straight line in the target: with the noise undone its mean is that of the true rewards.
    let channel = noise(log, settings)?;
    let (learn, judge) = (undone(learn, channel), undone(judge, channel));
    let margins = fitted.margins(&judge, &threads);
    let columns = fitted.columns(&log.columns, &learn);
    let body = fitted.body()?;
    let (prior, spread) = match (lived(log, &judge, settings)?, lived(log, &learn, settings)?) {
        // What one listener's rewards have in common cannot be told from bits that nothing links.
        (Some(lived), Some(others)) if channel.is_none() => {
            let (prior, spread) = spread::find(&columns, &body, &learn, [&lived, &others], &threads)?;
            (Some(prior), Some(spread))
        }
        _ => (None, None),
    };
    let report = Report {
        format: 1,
        body: kind(&settings.model).to_owned(),
        size: size(&fitted.model),
        objective: settings.objective.name().to_owned(),
        seed: settings.seed,
        rows: log.rows(),
        counted: counted.rows(),
        effective_size: counted.effective_size(),
        largest_weight: counted.weight.iter().fold(0.0, |most: f64, w| most.max(*w)) * counted.rows() as f64
            / counted.total_weight(),
        learned: Quality::of(&learn, &fitted.margins(&learn, &threads)),
        judged: Quality::of(&judge, &margins),
        calibration: calibration(&judge, &margins),
        groups: groups(log, &rows, &judging, &judge, &margins),
        spread,
        ranking,
        curve: fitted.curve.clone(),
    };
    let golden = (0..judge.rows().min(GOLDEN)).map(|row| judge.row(row).to_vec()).collect();
    Ok(Trained { columns, fitted, body, prior, golden, report })
}

/// The model's settings, with the file that keeps what is done.
fn kept(log: &Log, settings: &Settings) -> fitted::Settings {
    let mut model = settings.model.clone();
    let Some((file, resume)) = &settings.keep else { return model };
    // Threads change nothing.
    let named = Settings { threads: 1, keep: None, ..settings.clone() };
    let keep = keep::Keep::in_file(file.clone(), keep::mark(log, &format!("{named:?}")), *resume);
    match &mut model {
        fitted::Settings::Linear(_) => (),
        fitted::Settings::Factorization(machine) => machine.descent.keep = keep,
        fitted::Settings::Trees(trees) => trees.keep = keep,
        fitted::Settings::Network(network) => network.descent.keep = keep,
    }
    model
}

/// How to follow the slope of what a ranking earns, where the objective says so.
fn rank_by(settings: &Settings) -> Result<Option<gradient::Settings>, LabError> {
    if !settings.objective.ranks() {
        return Ok(None);
    }
    if let Some(penalty) = settings.penalty.filter(|penalty| !(*penalty >= 0.0 && penalty.is_finite())) {
        return Err(LabError::unreadable(format!("expected a penalty of 0 or more, found {penalty}")));
    }
    let descent = match &settings.model {
        fitted::Settings::Factorization(machine) => machine.descent.clone(),
        fitted::Settings::Network(network) => network.descent.clone(),
        fitted::Settings::Linear(linear) => {
            descent::Settings { rate: gradient::RATE, ridge: linear.ridge, seed: settings.seed, ..descent::Settings::default() }
        }
        fitted::Settings::Trees(_) => {
            return Err(LabError::unreadable(format!(
                "objective {}: expected the body linear, fm or network, found trees",
                settings.objective.name()
            )));
        }
    };
    Ok(Some(gradient::Settings {
        objective: settings.objective,
        clip: settings.clip,
        penalties: settings.penalty.map_or_else(|| gradient::PENALTIES.to_vec(), |penalty| vec![penalty]),
        batch: gradient::BATCH,
        descent,
    }))
}

/// The channel that the rewards went through, if any; checked against the log.
fn noise(log: &Log, settings: &Settings) -> Result<Option<Channel>, LabError> {
    let fitted::Settings::Linear(linear::Settings { channel: Some(channel), .. }) = &settings.model else { return Ok(None) };
    if settings.objective == Objective::Dr || settings.objective.ranks() {
        return Err(LabError::unreadable(format!(
            "expected the objective naive, ips, snips or mtr with noisy rewards, found {}",
            settings.objective.name()
        )));
    }
    let bit = |reward: f64| reward.is_nan() || reward == 0.0 || reward == 1.0;
    match log.reward.iter().position(|reward| !bit(*reward)) {
        Some(row) => Err(LabError::unreadable(format!(
            "row {}: expected a noisy bit as reward, 0 or 1, found {}",
            row + 1,
            log.reward[row]
        ))),
        None => Ok(Some(*channel)),
    }
}

/// Targets with the noise undone; they may lie outside [0, 1].
fn undone(mut sample: Sample, channel: Option<Channel>) -> Sample {
    if let Some(channel) = channel {
        sample.target.iter_mut().for_each(|bit| *bit = channel.undo_bit(usize::from(*bit > 0.5)));
    }
    sample
}

/// The outcomes of a part's listeners as their devices would learn from them; `None` when hardly any has two.
///
/// Their weights undo, for every objective but `naive`, how the rows came about, as those of `snips` do: a log that shows people what they
/// are known to like would otherwise say that listeners differ from a model that does not know it.
fn lived(log: &Log, part: &Sample, settings: &Settings) -> Result<Option<Sample>, LabError> {
    let listeners: std::collections::BTreeSet<u32> = part.group.iter().copied().collect();
    let rows: Vec<usize> =
        (0..log.rows()).filter(|row| !log.reward[*row].is_nan() && listeners.contains(&log.listener[*row])).collect();
    if rows.len() < 2 * listeners.len() {
        return Ok(None);
    }
    let rewards = rows.iter().map(|&row| log.reward[row]).collect();
    let mut weights: Vec<f64> = match settings.objective {
        Objective::Naive => vec![1.0; rows.len()],
        _ => rows.iter().map(|&row| log.weight[row] * (1.0 / log.chance(row)).min(settings.clip)).collect(),
    };
    let mean = weights.iter().sum::<f64>() / rows.len() as f64;
    if mean > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= mean);
    }
    Ok(Some(objective::rows_of(log, &rows, rewards, weights)?))
}

impl Trained {
    /// A bundle with this model, first of its channel; its head starts at [`Trained::prior`].
    #[must_use]
    pub fn draft(&self, name: &str, version: &str) -> Draft {
        let mut draft = Draft::new(name, version, self.columns.clone(), self.body.clone());
        if let Some(prior) = &self.prior {
            draft.starts = vec![Start { weight: 1.0, mean: None, spread: bundle::Spread::Each(prior.sd.clone()) }];
        }
        if !self.golden.is_empty() {
            draft.golden.clone_from(&self.golden);
        }
        draft.provenance = serde_json::json!({
            "body": self.report.body,
            "objective": self.report.objective,
            "rows": self.report.counted,
            "seed": self.report.seed,
            "logLoss": self.report.judged.log_loss,
        });
        draft
    }
}

/// Quality of each group of the judging rows that has any weight.
fn groups(log: &Log, rows: &[usize], judging: &[usize], judge: &Sample, margins: &[f64]) -> Vec<Group> {
    let mut groups = Vec::new();
    for slices in &log.slices {
        for (label, name) in (0u32..).zip(&slices.labels) {
            let inside: Vec<usize> = (0..judging.len()).filter(|at| slices.of[rows[judging[*at]]] == label).collect();
            let part = judge.subset(&inside);
            if part.total_weight() > 0.0 {
                let margins: Vec<f64> = inside.iter().map(|at| margins[*at]).collect();
                groups.push(Group { slice: slices.name.clone(), group: name.clone(), quality: Quality::of(&part, &margins) });
            }
        }
    }
    groups
}

/// The name of a body as the command takes it.
#[must_use]
pub fn kind(model: &fitted::Settings) -> &'static str {
    match model {
        fitted::Settings::Linear(_) => "linear",
        fitted::Settings::Factorization(_) => "fm",
        fitted::Settings::Trees(settings) if settings.shape == trees::Shape::Oblivious => "oblivious",
        fitted::Settings::Trees(_) => "trees",
        fitted::Settings::Network(_) => "network",
    }
}

fn size(model: &Model) -> String {
    match model {
        Model::Linear(linear) => format!("{} weights", linear.weights.len()),
        Model::Factorization(machine) => format!("{} numbers", machine.parameters.len()),
        Model::Trees(trees) => {
            format!("{} trees, {} nodes", trees.trees.len(), trees.trees.iter().map(trees::Tree::nodes).sum::<usize>())
        }
        Model::Network(network) => format!("{} numbers", network.parameters.len()),
    }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let line = |name: &str, quality: &Quality| {
            format!(
                "  {name:<28} {:>9} {:>10.5} {:>10.5} {:>9.4} {:>9.4} {:>8.4}\n",
                quality.rows,
                quality.log_loss,
                quality.log_loss_of_mean,
                quality.predicted,
                quality.observed,
                quality.calibration_error
            )
        };
        let mut text = format!(
            "{} ({}), objective {}, seed {}\n{} of {} rows count, effective sample size {:.0}, largest weight {:.1} times the mean\n\n",
            self.body, self.size, self.objective, self.seed, self.counted, self.rows, self.effective_size, self.largest_weight
        );
        text.push_str("  rows of                          count   log-loss  of a mean predicted  observed    error\n");
        let mut spread_line = String::new();
        text.push_str(&line("listeners learned from", &self.learned));
        text.push_str(&line("other listeners", &self.judged));
        if let Some(spread) = &self.spread {
            spread_line = format!(
                "\nlisteners differ by {} (bias), {} (margin), {} times the moments of {} inputs: log-loss of outcomes one by one {:.5}, without learning {:.5}\n",
                spread.bias, spread.margin, spread.inputs, spread.differ, spread.log_loss, spread.log_loss_without
            );
        }
        if let Some(ranking) = &self.ranking {
            let of = |value: &gradient::Value| {
                format!(
                    "{:.5} (standard error {:.5}, {:.0} effective decisions)",
                    value.normalised, value.error, value.effective_size
                )
            };
            spread_line.push_str(&format!(
                "\nthe ranking earns {} a decision of listeners by whom nothing was chosen, that of the regression {}; penalty {}, {} passes\n",
                of(&ranking.end),
                of(&ranking.start),
                ranking.penalty,
                ranking.passes
            ));
        }
        for group in &self.groups {
            text.push_str(&line(&format!("  {} {}", group.slice, group.group), &group.quality));
        }
        text + &spread_line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::{Slices, column};

    /// A log in which the feature says everything and the logging policy prefers what it says.
    fn log(rows: u32) -> Log {
        let mut log = Log { columns: vec![column("x").unwrap()], ..Log::default() };
        for row in 0..rows {
            let x = (row % 7) as f32 - 3.0;
            log.values.push(x);
            log.reward.push(f64::from(u8::from((row * 31 % 11) as f32 - 5.0 < x)));
            log.propensity.push(if x > 0.0 { 0.5 } else { 0.1 });
            log.decision_propensity.push(1.0);
            log.weight.push(1.0);
            log.listener.push(row / 10);
            log.decision.push(row / 2);
        }
        let of = (0..rows).map(|row| row % 2).collect();
        log.slices.push(Slices { name: "half".into(), labels: vec!["a".into(), "b".into()], of });
        log
    }

    #[test]
    fn a_report_says_how_good_a_model_is_and_for_whom() {
        for name in ["linear", "fm", "trees", "oblivious", "network"] {
            let mut model = fitted::Settings::from_name(name, 1).unwrap();
            match &mut model {
                fitted::Settings::Factorization(settings) => settings.descent.rate = 0.02,
                fitted::Settings::Network(settings) => settings.descent.rate = 0.01,
                _ => (),
            }
            let trained = train(&log(2_000), &Settings::new(model), &mut |_, _| ()).unwrap();
            let report = &trained.report;
            assert_eq!(report.body, name);
            assert!(report.judged.log_loss < 0.9 * report.judged.log_loss_of_mean, "{report:?}");
            assert!(report.effective_size < 2_000.0 && report.largest_weight > 1.2);
            assert_eq!(report.groups.len(), 2);
            assert_eq!(report.groups.iter().map(|group| group.quality.rows).sum::<usize>(), report.judged.rows);
            assert!(report.table().contains("half b"));
            let bytes = trained.draft("test", "1").write().unwrap();
            assert_eq!(bytes, trained.draft("test", "1").write().unwrap());
            assert_eq!(bundle::read(&bytes).unwrap().bundle.version(), "1");
            assert!(report.spread.is_some());
        }
    }

    #[test]
    fn a_training_that_broke_off_goes_on_and_ends_with_the_same_bytes() {
        let log = log(2_000);
        for name in ["fm", "trees", "oblivious", "network"] {
            let file = std::env::temp_dir().join(format!("ears-lab-train-{name}-{}.json", std::process::id()));
            let mut settings = Settings::new(fitted::Settings::from_name(name, 1).unwrap());
            let whole = train(&log, &settings, &mut |_, _| ()).unwrap();
            // The state is what the first write leaves: after the first tree or pass.
            settings.keep = Some((file.clone(), false));
            assert_eq!(train(&log, &settings, &mut |_, _| ()).unwrap(), whole);
            let left = std::fs::read_to_string(&file).unwrap();
            settings.keep = Some((file.clone(), true));
            assert_eq!(train(&log, &settings, &mut |_, _| ()).unwrap(), whole, "{name}");
            // What another training left is not taken up: with a state of its own kind that says otherwise it would end elsewhere.
            std::fs::write(&file, left.replacen("\"mark\":\"", "\"mark\":\"0", 1)).unwrap();
            assert_eq!(train(&log, &settings, &mut |_, _| ()).unwrap(), whole, "{name}");
            // And it is the state that counts: one that is changed under the right mark changes the end.
            let of = if name == "fm" || name == "network" { "\"best_loss\":" } else { "\"value\":" };
            std::fs::write(&file, left.replacen(of, &format!("{of}-9,\"was\":"), 1)).unwrap();
            assert_ne!(train(&log, &settings, &mut |_, _| ()).unwrap(), whole, "{name}");
            std::fs::remove_file(&file).unwrap();
        }
    }

    #[test]
    fn the_heads_prior_covariance_is_in_the_bundle() {
        for name in ["linear", "network"] {
            let trained =
                train(&log(2_000), &Settings::new(fitted::Settings::from_name(name, 1).unwrap()), &mut |_, _| ()).unwrap();
            let prior = trained.prior.clone().unwrap();
            let read = bundle::read(&trained.draft("test", "1").write().unwrap()).unwrap().bundle;
            let schema = read.schema();
            let mut inputs = ears_only::model::body::Inputs::default();
            for x in [-2.0f32, 0.0, 1.5] {
                let mut row = vec![0.0; schema.stride()];
                (row[0], row[1]) = (1.0, x);
                schema.guard(&mut row);
                // The body sees columns standardised.
                let column = &trained.columns[0];
                let seen = [1.0, (row[1] - column.mean) / column.scale];
                read.model().body().evaluate(&seen, &mut inputs);
                let weighed = [1.0, inputs.margin].into_iter().chain(inputs.values.iter().copied());
                let variance: f64 = weighed.zip(&prior.sd).map(|(x, sd)| x * x * sd * sd).sum();
                let found = read.model().score_sd(&row);
                // Spreads are written in single precision.
                assert!((found / variance.sqrt() - 1.0).abs() < 1e-5, "{name}, {x}: {found} {}", variance.sqrt());
                assert_eq!(read.model().score(&row).to_bits(), read.model().margin(&row).to_bits());
            }
            assert!(prior.sd.iter().any(|sd| *sd > 0.01), "{:?}", prior.sd);
        }
    }

    #[test]
    fn noisy_rewards_train_the_model_of_the_true_ones_and_are_judged_by_them() {
        use ears_only::privacy::{Epsilon, randomise};
        use ears_only::random::{Purpose, Seed, SeededEntropy};
        let clean = log(40_000);
        let mut noisy = clean.clone();
        let epsilon = Epsilon::from_index(2).unwrap();
        let mut flips = SeededEntropy::new(Seed::from_number(1), Purpose::Flip);
        for reward in &mut noisy.reward {
            *reward = f64::from(randomise((*reward > 0.5).into(), 2, epsilon, &mut flips).unwrap());
        }
        let with = |channel| Settings {
            objective: Objective::Naive,
            ..Settings::new(fitted::Settings::Linear(linear::Settings { channel, ..linear::Settings::default() }))
        };
        let channel = Some(Channel::bit(epsilon).unwrap());
        let trained = |log: &Log, channel| train(log, &with(channel), &mut |_, _| ()).unwrap();
        let (true_one, found, naive) = (trained(&clean, None), trained(&noisy, channel), trained(&noisy, None));
        let ends = Sample { width: 1, values: vec![3.0, -3.0], target: vec![0.0; 2], weight: vec![1.0; 2], group: vec![0, 1] };
        let weight = |trained: &Trained| {
            let margins = trained.fitted.margins(&ends, &Threads::new(1).unwrap());
            margins[0] - margins[1]
        };
        // The weight of the fit has a standard error of about 3 %.
        assert!((weight(&found) / weight(&true_one) - 1.0).abs() < 0.15, "{} {}", weight(&found), weight(&true_one));
        assert!(weight(&naive) < 0.6 * weight(&true_one), "{}", weight(&naive));
        // The loss is that of true rewards: 8,000 undone bits of variance about 1.2 and margins of about 1.5.
        assert!((found.report.judged.log_loss - true_one.report.judged.log_loss).abs() < 0.1, "{:?}", found.report.judged);
        assert!(found.report.spread.is_none() && found.draft("test", "1").write().is_ok());
        let mut wrong = noisy.clone();
        wrong.reward[3] = 0.5;
        let message = train(&wrong, &with(channel), &mut |_, _| ()).unwrap_err().to_string();
        assert_eq!(message, "row 4: expected a noisy bit as reward, 0 or 1, found 0.5");
        assert!(train(&noisy, &Settings { objective: Objective::Dr, ..with(channel) }, &mut |_, _| ()).is_err());
    }

    #[test]
    fn nothing_to_judge_by_is_said() {
        let model = fitted::Settings::from_name("linear", 1).unwrap();
        let mut alone = log(100);
        alone.listener.fill(3);
        assert!(train(&alone, &Settings::new(model.clone()), &mut |_, _| ()).unwrap_err().to_string().contains("found 0 rows"));
        assert!(train(&log(100), &Settings { judge: 1.0, ..Settings::new(model) }, &mut |_, _| ()).is_err());
    }
}
