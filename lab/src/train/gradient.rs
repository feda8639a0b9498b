//! Learning a ranking itself: a Plackett-Luce policy over the scores of a model is moved up the slope of what it would have earned on the log.
//!
//! A decision is a list of candidates of which the first m were shown, in the order of their places. The policy picks place after place,
//! each time among the cards that are left, with chances exp(score) / sum of exp(score). With w_k the product over the places up to k of
//! its chance over the logged propensity, and r_k the reward at place k, a decision says u = v sum over k of min(w_k, M) r_k, where v is
//! what the decision counts (its weight over the chance that it came about, mean 1) and M the clip. The mean of u is without bias when
//! nothing is clipped and rewards depend on what stands at their place and above only (McInerney et al. 2020, equation 7).
//!
//! | objective | minimised over a pass |
//! |---|---|
//! | `poem` | - mean u + penalty x standard error of u, by a straight line and a square that touch it where the pass starts |
//! | `banditnet` | - mean of v (sum of min(w_k, M) r_k - penalty x min(w_1, M)) |
//!
//! Both start from the regression that `snips` gives and are held near it by the ridge, stop by what the decisions of one half of the judging
//! listeners say the policy earns, self-normalised (V = sum of u over sum of v min(w_1, M)), and keep the best of several penalties. The
//! best of many is better by luck too on the decisions that it was chosen by: what is reported is by the other half's. What comes out is a
//! ranking score; a straight line in it, fitted to the shown cards by their inverse propensities, makes it the log-odds that a device
//! expects (Platt 1999).
//!
//! # References
//! A. Swaminathan, T. Joachims (2015), "Counterfactual risk minimization: learning from logged bandit feedback", ICML, equation 8 and
//! section 5 (POEM). T. Joachims, A. Swaminathan, M. de Rijke (2018), "Deep learning with logged bandit feedback", ICLR, section 4
//! (BanditNet). R. L. Plackett (1975). J. Platt (1999), "Probabilistic outputs for support vector machines".

use std::collections::BTreeMap;
use std::ops::Range;

use ears_only::math::{exp, ln};

use super::descent::{self, Adam, Model};
use super::fitted::{self, Fitted};
use super::linear::{self, Linear};
use super::log::Log;
use super::objective::{Objective, rows_of};
use super::parallel::Threads;
use super::sample::Sample;
use crate::error::LabError;

/// One decision: candidates, what was shown of them, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Its candidates among the rows: the shown ones first, in the order of their places.
    pub rows: Range<usize>,
    /// Propensity of each shown card, given everything placed before, and its reward.
    pub shown: Vec<(f64, f64)>,
    /// How much it counts.
    pub weight: f64,
    /// Whose it is.
    pub listener: u32,
}

/// Decisions over rows of features.
#[derive(Clone, Debug, PartialEq)]
pub struct Pages {
    /// The candidates' features; targets, weights and groups mean nothing.
    pub rows: Sample,
    /// The decisions.
    pub decisions: Vec<Decision>,
}

/// What a policy earns by a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Value {
    /// Decisions.
    pub decisions: usize,
    /// Mean of u.
    pub mean: f64,
    /// Its standard error if decisions were independent: what `poem` penalises.
    pub mean_error: f64,
    /// V, the self-normalised mean.
    pub normalised: f64,
    /// Its standard error, by the residuals u - V v min(w_1, M) summed by listener; no number with a single listener.
    pub error: f64,
    /// Kish's effective sample size of v min(w_1, M).
    pub effective_size: f64,
}

/// What the descent found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Found {
    /// The penalty that was best for the listeners chosen by, of those tried.
    pub penalty: f64,
    /// What the policy of the regression would have earned on the decisions of judging listeners by whom nothing was chosen.
    pub start: Value,
    /// What the trained one would have.
    pub end: Value,
    /// Passes that were kept.
    pub passes: usize,
}

/// How to learn.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `poem` or `banditnet`.
    pub objective: Objective,
    /// Largest w_k, and largest inverse chance of a decision.
    pub clip: f64,
    /// The penalties to try.
    pub penalties: Vec<f64>,
    /// Decisions of a step.
    pub batch: usize,
    /// How to descend; its batch counts rows and is not used.
    pub descent: descent::Settings,
}

/// Penalties that are tried unless one is given: standard errors for `poem`, rewards per decision in units of the start's for `banditnet`.
pub const PENALTIES: [f64; 3] = [0.0, 0.5, 1.0];
/// Decisions of a step, unless asked otherwise.
pub const BATCH: usize = 64;
/// Size of a step of the linear score, unless asked otherwise.
pub const RATE: f64 = 0.005;

impl Pages {
    /// The decisions of the listeners that `takes`.
    ///
    /// - `clip`: largest inverse chance of a decision that counts.
    ///
    /// # Errors
    /// When the log names no decisions, the rows of one do not stand together, or none has several candidates of which one was shown.
    pub fn of(log: &Log, clip: f64, takes: impl Fn(u32) -> bool) -> Result<Self, LabError> {
        if log.decision.is_empty() {
            return Err(LabError::unreadable("objectives poem and banditnet: expected a column decision in the log, found none"));
        }
        let (mut order, mut decisions) = (Vec::new(), Vec::new());
        let mut met = vec![false; log.decision.iter().max().map_or(0, |most| *most as usize + 1)];
        let mut start = 0;
        while start < log.rows() {
            let decision = log.decision[start];
            let end = (start..log.rows()).find(|row| log.decision[*row] != decision).unwrap_or(log.rows());
            if std::mem::replace(&mut met[decision as usize], true) {
                return Err(LabError::unreadable(format!(
                    "row {}: expected all candidates of a decision beside each other, found one that was met before",
                    start + 1
                )));
            }
            let (shown, rest): (Vec<usize>, Vec<usize>) = (start..end).partition(|row| !log.reward[*row].is_nan());
            start = end;
            // One candidate leaves nothing to choose.
            if shown.is_empty() || shown.len() + rest.len() < 2 || !takes(log.listener[shown[0]]) {
                continue;
            }
            let first = shown[0];
            let weight = log.weight[first] * (1.0 / log.decision_propensity[first]).min(clip);
            let from = order.len();
            let of = |row: &usize| (log.propensity[*row], log.reward[*row]);
            decisions.push(Decision {
                rows: from..from + shown.len() + rest.len(),
                shown: shown.iter().map(of).collect(),
                weight,
                listener: log.listener[first],
            });
            order.extend(shown.into_iter().chain(rest));
        }
        let total: f64 = decisions.iter().map(|decision| decision.weight).sum();
        if total <= 0.0 {
            return Err(LabError::unreadable(
                "objectives poem and banditnet: expected decisions with several candidates, rows without a reward for those that were not shown, found none",
            ));
        }
        let mean = total / decisions.len() as f64;
        decisions.iter_mut().for_each(|decision| decision.weight /= mean);
        let count = order.len();
        Ok(Self { rows: rows_of(log, &order, vec![0.0; count], vec![1.0; count])?, decisions })
    }

    /// What the policy of these scores earns.
    #[must_use]
    pub fn value(&self, scores: &[f64], clip: f64) -> Value {
        let mut walk = Walk::default();
        let (mut sum, mut squares, mut first, mut first_squares) = (0.0, 0.0, 0.0, 0.0);
        let mut listeners: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for decision in &self.decisions {
            let (u, w) = walk.earned(decision, &scores[decision.rows.clone()], clip);
            sum += u;
            squares += u * u;
            first += w;
            first_squares += w * w;
            let own = listeners.entry(decision.listener).or_default();
            *own = (own.0 + u, own.1 + w);
        }
        let n = self.decisions.len() as f64;
        let mean = sum / n;
        let normalised = if first > 0.0 { sum / first } else { 0.0 };
        let residuals: f64 = listeners.values().map(|(u, w)| (u - normalised * w) * (u - normalised * w)).sum();
        let g = listeners.len() as f64;
        Value {
            decisions: self.decisions.len(),
            mean,
            mean_error: ((squares / n - mean * mean).max(0.0) / n).sqrt(),
            normalised,
            error: if listeners.len() > 1 && first > 0.0 { (residuals * g / (g - 1.0)).sqrt() / first } else { f64::NAN },
            effective_size: if first_squares > 0.0 { first * first / first_squares } else { 0.0 },
        }
    }
}

/// Chances of a decision, place after place.
#[derive(Debug, Default)]
struct Walk {
    /// Of each place, the logarithm of the sum of exp(score) over what is left.
    left: Vec<f64>,
    /// min(w_k, M), 0 in place of its slope where clipped.
    weights: Vec<(f64, bool)>,
}

impl Walk {
    /// Finds the weights; gives u and v min(w_1, M).
    fn earned(&mut self, decision: &Decision, scores: &[f64], clip: f64) -> (f64, f64) {
        let shown = decision.shown.len();
        self.left.clear();
        self.left.resize(shown, 0.0);
        // From the last place up: what is left at a place is what is left after it and the card that stands there.
        let highest = scores.iter().fold(f64::NEG_INFINITY, |most, score| most.max(*score));
        let mut sum: f64 = scores[shown..].iter().map(|score| exp(score - highest)).sum();
        for place in (0..shown).rev() {
            sum += exp(scores[place] - highest);
            self.left[place] = highest + ln(sum);
        }
        self.weights.clear();
        let (mut ratio, mut u) = (1.0, 0.0);
        for (place, (propensity, reward)) in decision.shown.iter().enumerate() {
            ratio *= exp(scores[place] - self.left[place]) / propensity;
            let within = ratio < clip;
            let weight = if within { ratio } else { clip };
            u += weight * reward;
            self.weights.push((weight, within));
        }
        (decision.weight * u, decision.weight * self.weights.first().map_or(0.0, |first| first.0))
    }

    /// Adds to `slopes` those with each score of: `of_u` u + `of_first` v min(w_1, M), after [`Walk::earned`].
    fn slopes(&self, decision: &Decision, scores: &[f64], (of_u, of_first): (f64, f64), slopes: &mut [f64]) {
        let shown = decision.shown.len();
        // A place's chance enters its own weight and all below.
        let mut below = 0.0;
        let mut of_place = vec![0.0; shown];
        for place in (0..shown).rev() {
            let (weight, within) = self.weights[place];
            if within {
                let of = of_u * decision.shown[place].1 + if place == 0 { of_first } else { 0.0 };
                below += decision.weight * weight * of;
            }
            of_place[place] = below;
        }
        for (place, of) in of_place.iter().enumerate().filter(|(_, of)| **of != 0.0) {
            slopes[place] += of;
            for (slope, score) in slopes[place..].iter_mut().zip(&scores[place..]) {
                *slope -= of * exp(score - self.left[place]);
            }
        }
    }
}

/// What is minimised within a pass, decision by decision, as slopes with u and with v min(w_1, M).
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// -u + penalty (u - mean)^2 / (2 sd sqrt n): touches mean and standard error where the pass starts.
    Poem { penalty: f64, mean: f64, scale: f64 },
    /// -(u - penalty v min(w_1, M)).
    BanditNet { penalty: f64 },
}

impl Aim {
    fn new(objective: Objective, penalty: f64, now: &Value, start: &Value) -> Self {
        if objective == Objective::Poem {
            // error = sd / sqrt n, so that sd sqrt n = error n.
            Self::Poem { penalty, mean: now.mean, scale: (now.mean_error * now.decisions as f64).max(1e-12) }
        } else {
            Self::BanditNet { penalty: penalty * start.normalised }
        }
    }

    fn slopes(self, u: f64) -> (f64, f64) {
        match self {
            Self::Poem { penalty, mean, scale } => (-1.0 + penalty * (u - mean) / scale, 0.0),
            Self::BanditNet { penalty } => (-1.0, penalty),
        }
    }
}

/// Adds the slopes of the mean of an aim over some decisions to those of the parameters.
fn back<M: Model>(model: &M, pages: &Pages, decisions: &[usize], clip: f64, aim: Aim, slopes: &mut [f32]) {
    let rows: Vec<usize> = decisions.iter().flat_map(|decision| pages.decisions[*decision].rows.clone()).collect();
    let share = 1.0 / decisions.len() as f64;
    let mut walk = Walk::default();
    let mut of_margins = |margins: &mut [f32]| {
        let mut rest = margins;
        for &decision in decisions {
            let decision = &pages.decisions[decision];
            let (own, others) = std::mem::take(&mut rest).split_at_mut(decision.rows.len());
            rest = others;
            let scores: Vec<f64> = own.iter().map(|score| f64::from(*score)).collect();
            let (u, _) = walk.earned(decision, &scores, clip);
            let mut of_scores = vec![0.0; scores.len()];
            walk.slopes(decision, &scores, aim.slopes(u), &mut of_scores);
            own.iter_mut().zip(of_scores).for_each(|(own, slope)| *own = (share * slope) as f32);
        }
    };
    model.back(&pages.rows, &rows, &mut of_margins, slopes);
}

/// Moves `start` until the decisions to choose by say that it earns no more, and says by those to report by what it earns; `progress` hears
/// of each pass, of how many at most.
fn climb<M: Model>(
    start: &M,
    [learn, choose, report]: [&Pages; 3],
    settings: &Settings,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(M, Found, Vec<f64>), LabError> {
    let value = |model: &M, pages: &Pages| pages.value(&model.margins(&pages.rows), settings.clip);
    let (learned, chosen) = (value(start, learn), value(start, choose));
    let (mut best, mut best_value, mut curve) = (start.clone(), chosen.normalised, Vec::new());
    let (mut best_penalty, mut passes) = (0.0, 0);
    let most = settings.penalties.len() * settings.descent.epochs;
    for (number, &penalty) in settings.penalties.iter().enumerate() {
        let mut model = start.clone();
        let ridge = settings.descent.ridge / learn.decisions.len() as f64;
        // What is alike for all candidates of a decision orders nothing here, but shelves on a page: it stays as the regression has it.
        let mut adam = Adam::new(&mut model, settings.descent.rate, ridge).around(&mut start.clone());
        let mut slopes = vec![0f32; model.parameters().len()];
        let mut order: Vec<usize> = (0..learn.decisions.len()).collect();
        let (mut now, mut own_best) = (learned, (chosen.normalised, 0));
        for pass in 1..=settings.descent.epochs {
            descent::shuffle(&mut order, settings.descent.seed, pass as u64);
            let aim = Aim::new(settings.objective, penalty, &now, &learned);
            adam.begin_pass();
            for decisions in order.chunks(settings.batch) {
                slopes.fill(0.0);
                back(&model, learn, decisions, settings.clip, aim, &mut slopes);
                adam.step(model.parameters(), &slopes);
            }
            let mean = adam.mean(&model);
            let earned = value(&mean, choose);
            if !earned.mean.is_finite() {
                return Err(LabError::failed(format!(
                    "training: expected a finite value, found {} after {pass} passes; a smaller rate helps",
                    earned.mean
                )));
            }
            curve.push(earned.normalised);
            progress(number * settings.descent.epochs + pass, most);
            if earned.normalised > own_best.0 {
                own_best = (earned.normalised, pass);
            }
            if earned.normalised > best_value {
                (best, best_value, best_penalty, passes) = (mean, earned.normalised, penalty, pass);
            } else if pass - own_best.1 >= settings.descent.patience {
                break;
            }
            if settings.objective == Objective::Poem {
                now = value(&model, learn);
            }
        }
    }
    let found = Found { penalty: best_penalty, start: value(start, report), end: value(&best, report), passes };
    Ok((best, found, curve))
}

/// A linear score in `f32`: the bias, which orders nothing, then the weights.
#[derive(Clone, Debug, PartialEq)]
struct Line(Vec<f32>);

impl Model for Line {
    fn parameters(&mut self) -> &mut [f32] {
        &mut self.0
    }

    fn is_ridged(&self, parameter: usize) -> bool {
        parameter > 0
    }

    fn back(&self, sample: &Sample, rows: &[usize], of_margins: &mut dyn FnMut(&mut [f32]), slopes: &mut [f32]) {
        let mut margins: Vec<f32> = rows.iter().map(|row| self.margin(sample.row(*row)) as f32).collect();
        of_margins(&mut margins);
        for (&row, of) in rows.iter().zip(margins) {
            slopes[0] += of;
            slopes[1..].iter_mut().zip(sample.row(row)).for_each(|(slope, x)| *slope += of * x);
        }
    }

    fn margins(&self, sample: &Sample) -> Vec<f64> {
        (0..sample.rows()).map(|row| self.margin(sample.row(row))).collect()
    }
}

impl Line {
    fn margin(&self, row: &[f32]) -> f64 {
        f64::from(self.0[0]) + self.0[1..].iter().zip(row).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>()
    }
}

/// Moves a fitted regression up the slope of what its ranking earns, and makes its score log-odds again.
///
/// - `regressed`: the rows that the regression was fitted to, with the weights that undo how they came about;
/// - the pages to learn from, to choose by, and to report by, of different listeners.
///
/// # Errors
/// When the body is one of trees, the log holds no decisions to learn from, the value is no number any more, or the trained score says
/// nothing about the rewards.
pub fn improve(
    fitted: Fitted,
    regressed: &Sample,
    pages: [Pages; 3],
    settings: &Settings,
    threads: &Threads,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Fitted, Found), LabError> {
    settings.descent.check()?;
    let Fitted { inputs, model, .. } = fitted;
    let seen = |pages: Pages, crosses: &[(u16, u16)]| {
        let rows = inputs.as_ref().map_or_else(|| pages.rows.clone(), |inputs| inputs.applied(&pages.rows));
        Pages { rows: crossed(rows, crosses), decisions: pages.decisions }
    };
    let (model, found, curve) = match model {
        fitted::Model::Linear(linear) => {
            let line = Line(linear.weights.iter().map(|weight| *weight as f32).collect());
            let pages = pages.map(|pages| seen(pages, &linear.crosses));
            let (line, found, curve) = climb(&line, pages.each_ref(), settings, progress)?;
            let weights = line.0.iter().map(|weight| f64::from(*weight)).collect();
            (fitted::Model::Linear(Linear { weights, ..linear }), found, curve)
        }
        fitted::Model::Factorization(machine) => {
            let (machine, found, curve) = climb(&machine, pages.map(|pages| seen(pages, &[])).each_ref(), settings, progress)?;
            (fitted::Model::Factorization(machine), found, curve)
        }
        fitted::Model::Network(network) => {
            let (network, found, curve) = climb(&network, pages.map(|pages| seen(pages, &[])).each_ref(), settings, progress)?;
            (fitted::Model::Network(network), found, curve)
        }
        fitted::Model::Trees(_) => {
            return Err(LabError::unreadable(format!(
                "objective {}: expected the body linear, fm or network, found trees",
                settings.objective.name()
            )));
        }
    };
    let mut fitted = Fitted { inputs, model, curve };
    calibrate(&mut fitted, regressed, threads)?;
    Ok((fitted, found))
}

/// The same rows with products of columns beside them.
fn crossed(rows: Sample, crosses: &[(u16, u16)]) -> Sample {
    if crosses.is_empty() {
        return rows;
    }
    let mut values = Vec::with_capacity(rows.rows() * (rows.width + crosses.len()));
    for row in 0..rows.rows() {
        let row = rows.row(row);
        values.extend_from_slice(row);
        values.extend(crosses.iter().map(|(a, b)| row[*a as usize] * row[*b as usize]));
    }
    Sample { width: rows.width + crosses.len(), values, ..rows }
}

/// Makes a ranking score the log-odds of a reward: a straight line in it, by a regression on the shown cards.
fn calibrate(fitted: &mut Fitted, regressed: &Sample, threads: &Threads) -> Result<(), LabError> {
    let margins = fitted.margins(regressed, threads);
    let sample = Sample { width: 1, values: margins.iter().map(|margin| *margin as f32).collect(), ..regressed.clone() };
    let line = linear::fit(&sample.checked()?, &linear::Settings::default(), threads)?;
    let [shift, scale] = line.weights[..] else { return Err(LabError::failed("expected a straight line, found none")) };
    if scale <= 0.0 {
        return Err(LabError::failed(format!(
            "training: expected a score that rises with the reward, found a slope of {scale:.3}; more decisions help"
        )));
    }
    fitted.rescale(scale, shift);
    Ok(())
}

#[cfg(test)]
mod tests;
