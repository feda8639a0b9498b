//! What an evaluation says: as text, as JSON, and as one HTML page ([`html`]).

use std::collections::BTreeMap;
use std::fmt::Write;

use ears_only::math::erfc;
use serde::Serialize;

use super::estimator::{Accumulator, Estimator};
use super::interval::{self, Interval, Range, Unit};
use super::run::pages::{PageAnswer, PageSums, PageTarget};
use super::run::{Answer, Sums, TargetAnswer};
use super::slate::{SlateAccumulator, SlateEstimator};
use super::slope::{self, Asked, Candidate};
use super::weights::WeightSums;
use crate::logs::check::Summary;

pub mod html;

/// Units below which nothing is resampled.
const LEAST_UNITS: usize = 20;

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of this form.
    pub format: u32,
    /// Files and their rows.
    pub files: Vec<(String, u64)>,
    /// Rows used.
    pub rows: u64,
    /// Where whole pages were judged: what of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
    /// Rows whose reward is not known yet, left out.
    pub pending: u64,
    /// Bad rows, left out.
    pub bad: Vec<Summary>,
    /// Rows with a decision id; duplicates can be found among these alone.
    pub identified: u64,
    /// Logging policies by rows.
    pub logging: Vec<(String, u64)>,
    /// Estimators left out for want of a reward model.
    pub left_out: Vec<String>,
    /// Do the logged probabilities fit what was logged?
    pub calibration: Option<Calibration>,
    /// Each policy judged.
    pub policies: Vec<Policy>,
}

/// What pages the rows made up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pages {
    /// Pages used.
    pub pages: u64,
    /// Rows of the longest.
    pub longest: usize,
    /// Good rows that were left out because another row of their page was bad.
    pub with_bad: u64,
}

/// Observed against expected counts of actions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Actions compared.
    pub actions: usize,
    /// The action that is furthest off.
    pub worst: i32,
    /// Times it was taken.
    pub taken: u64,
    /// Times it should have been.
    pub expected: f64,
    /// Chance that one of so many actions lies that far off when the probabilities are right (Bonferroni).
    pub chance: f64,
}

/// One policy, over all rows and by slice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Over all rows.
    pub all: Part,
    /// By values of the slice columns.
    pub slices: Vec<(Vec<String>, Part)>,
}

/// What some rows say of a policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Rows, or pages where whole ones were judged.
    pub rows: u64,
    /// Whether these rows can answer.
    pub answers: bool,
    /// In words.
    pub verdict: String,
    /// Whether the weights of rows, or of whole pages, can answer: what `verdict` says.
    #[serde(skip)]
    weights_answer: bool,
    /// (sum of w)^2 / sum of w^2.
    pub effective_sample_size: f64,
    /// Mean weight; 1 when all is well.
    pub mean_weight: f64,
    /// Its distance from 1 in standard errors.
    pub mean_weight_errors: Option<f64>,
    /// Largest weight.
    pub max_weight: f64,
    /// Share of rows whose action the policy would never take.
    pub zero_weights: f64,
    /// Share of the policy's choices that the logging policy never makes; known where candidates are logged.
    pub unsupported: Option<f64>,
    /// Rows by weight, from up to 2^-12 to above 2^18, doubling.
    pub weights: Vec<u64>,
    /// Where whole pages were judged: the weights of single cards, for the estimators that use these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cards: Option<Weighed>,
    /// Where whole pages were judged: by position, the weights of everything up to there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<Weighed>,
    /// The estimates; none when these rows cannot answer.
    pub estimates: Vec<Line>,
}

/// What some weights say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Weighed {
    /// How many.
    pub rows: u64,
    /// Whether they can answer.
    pub answers: bool,
    /// In words.
    pub verdict: String,
    /// (sum of w)^2 / sum of w^2.
    pub effective_sample_size: f64,
    /// Mean weight; 1 when all is well.
    pub mean_weight: f64,
    /// Largest weight.
    pub max_weight: f64,
}

impl Weighed {
    fn new(weights: &WeightSums) -> Self {
        let verdict = weights.verdict();
        Self {
            rows: weights.rows(),
            answers: verdict.answers(),
            verdict: verdict.sentence(),
            effective_sample_size: weights.effective_sample_size(),
            mean_weight: weights.mean(),
            max_weight: weights.max(),
        }
    }
}

/// One estimate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Which estimator, as it was asked for.
    pub estimator: String,
    /// Where its parameter was to be chosen: with the one that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// Reward of a decision under the policy.
    pub value: f64,
    /// Standard error of independent rows.
    pub error: Option<f64>,
    /// 95 % intervals by name.
    pub intervals: Vec<(&'static str, f64, f64)>,
}

/// What is known of rewards and weights beforehand, for the intervals that hold for any number of rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Least and largest reward.
    pub reward: Range,
    /// Largest weight that is possible; nothing when nobody knows.
    pub weight: Option<f64>,
}

impl Bounds {
    /// The least and the most that a row can add to an estimator that is a mean of rows.
    #[must_use]
    pub fn of(&self, estimator: Estimator) -> Option<Range> {
        let Range { low, high } = self.reward;
        let capped = |limit: f64| self.weight.map_or(limit, |weight| weight.min(limit));
        let weight = match estimator {
            Estimator::Ips | Estimator::DoublyRobust | Estimator::ShrunkDr(_) => self.weight?,
            Estimator::ClippedIps(limit) | Estimator::SwitchDr(limit) => capped(limit),
            Estimator::SubGaussianIps(share) | Estimator::SubGaussianDr(share) => capped(1.0 / share),
            _ => return None,
        };
        if !weight.is_finite() {
            return None;
        }
        if estimator.needs_model() {
            // Predictions within the rewards.
            let spread = weight * (high - low);
            return Some(Range { low: low - spread, high: high + spread });
        }
        Some(Range { low: (weight * low).min(0.0), high: (weight * high).max(0.0) })
    }
}

impl Bounds {
    /// The same for a whole page of up to `cards` rows.
    #[must_use]
    pub fn of_pages(self, estimator: SlateEstimator, cards: usize) -> Option<Range> {
        let Range { low, high } = self.reward;
        // No weight of a prefix is beyond the largest of a page: it is the mean over the pages that begin so.
        let weight = self
            .weight
            .filter(|weight| weight.is_finite() && matches!(estimator, SlateEstimator::Sips | SlateEstimator::Rips))?;
        let most = weight * cards as f64;
        Some(Range { low: (most * low).min(0.0), high: (most * high).max(0.0) })
    }
}

impl Report {
    /// From what was added up; `asked` are the estimators as they were asked for.
    #[must_use]
    pub fn new(answer: &Answer, asked: &[Asked], bounds: Bounds) -> Self {
        let policy = |target: &TargetAnswer| Policy {
            name: target.name.clone(),
            all: Part::new(&target.all, asked, Some(&target.units), bounds),
            slices: target.slices.iter().map(|(values, sums)| (values.clone(), Part::new(sums, asked, None, bounds))).collect(),
        };
        let left_out = |asked: &&Asked| asked.estimators().iter().any(|estimator| answer.left_out.contains(estimator));
        Self {
            format: 1,
            files: answer.files.iter().map(|(path, rows)| (path.display().to_string(), *rows)).collect(),
            rows: answer.rows,
            pages: None,
            pending: answer.pending,
            bad: answer.findings.summaries(),
            identified: answer.identified,
            logging: answer.logging.iter().map(|(name, rows)| (name.clone(), *rows)).collect(),
            left_out: asked.iter().filter(left_out).map(ToString::to_string).collect(),
            calibration: calibration(&answer.calibration),
            policies: answer.targets.iter().map(policy).collect(),
        }
    }

    /// From what was added up over whole pages.
    #[must_use]
    pub fn of_pages(answer: &PageAnswer, bounds: Bounds) -> Self {
        let policy = |target: &PageTarget| Policy {
            name: target.name.clone(),
            all: Part::of_pages(&target.all, Some(&target.units), bounds),
            slices: target.slices.iter().map(|(values, sums)| (values.clone(), Part::of_pages(sums, None, bounds))).collect(),
        };
        Self {
            format: 1,
            files: answer.files.iter().map(|(path, rows)| (path.display().to_string(), *rows)).collect(),
            rows: answer.rows,
            pages: Some(Pages { pages: answer.pages, longest: answer.longest, with_bad: answer.with_bad }),
            pending: answer.pending,
            bad: answer.findings.summaries(),
            identified: answer.rows,
            logging: answer.logging.iter().map(|(name, rows)| (name.clone(), *rows)).collect(),
            left_out: answer.left_out.iter().map(|(estimator, lacks)| format!("{estimator}: needs {lacks}")).collect(),
            calibration: calibration(&answer.calibration),
            policies: answer.targets.iter().map(policy).collect(),
        }
    }

    /// The table for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = match &self.pages {
            Some(pages) => format!("{} pages, {} rows of {} files", pages.pages, self.rows, self.files.len()),
            None => format!("{} rows of {} files", self.rows, self.files.len()),
        };
        // Writing to a string cannot fail.
        let mut line = |words: String| {
            let _ = write!(text, "{words}");
        };
        if self.pending > 0 {
            line(format!(", {} more whose reward is not known yet", self.pending));
        }
        line("\n".to_owned());
        for bad in &self.bad {
            line(format!("left out: {} rows: {}\n", bad.rows, bad.kind.words()));
        }
        if let Some(pages) = self.pages.as_ref().filter(|pages| pages.with_bad > 0) {
            line(format!("left out with them: {} more rows of their pages\n", pages.with_bad));
        }
        if self.identified < self.rows {
            line(format!("{} rows have no decision id: duplicates among them cannot be found\n", self.rows - self.identified));
        }
        if let Some(calibration) = self.calibration.as_ref().filter(|calibration| calibration.chance < 0.001) {
            line(format!(
                "the logged probabilities do not fit: action {} was taken {} times, {:.1} were to be expected\n",
                calibration.worst, calibration.taken, calibration.expected
            ));
        }
        if self.pages.is_some() {
            self.left_out.iter().for_each(|why| line(format!("without {why}\n")));
        } else if !self.left_out.is_empty() {
            line(format!("without a reward model: no {}\n", self.left_out.join(", ")));
        }
        for policy in &self.policies {
            line(format!("\n{}\n{}", policy.name, policy.all.text()));
            for (values, part) in &policy.slices {
                line(format!("{} | {}\n{}", policy.name, values.join(", "), part.text()));
            }
        }
        text
    }
}

impl Part {
    fn new(sums: &Sums, asked: &[Asked], units: Option<&[Vec<Unit>]>, bounds: Bounds) -> Self {
        let weights = &sums.weights;
        let verdict = weights.verdict();
        let estimates = if verdict.answers() {
            asked.iter().filter_map(|asked| Line::asked(*asked, &sums.estimators, units, bounds)).collect()
        } else {
            Vec::new()
        };
        Self {
            rows: weights.rows(),
            answers: verdict.answers(),
            verdict: verdict.sentence(),
            weights_answer: verdict.answers(),
            effective_sample_size: weights.effective_sample_size(),
            mean_weight: weights.mean(),
            mean_weight_errors: weights.mean_in_errors(),
            max_weight: weights.max(),
            zero_weights: weights.share_of_zeros(),
            unsupported: sums.unsupported.as_ref().map(|mass| mass.value() / weights.rows() as f64),
            weights: weights.histogram().to_vec(),
            cards: None,
            prefixes: Vec::new(),
            estimates,
        }
    }

    /// Of whole pages. An estimator is shown when the weights that it uses can answer: of whole pages, or of single cards.
    fn of_pages(sums: &PageSums, units: Option<&[Vec<Unit>]>, bounds: Bounds) -> Self {
        let cards = Weighed::new(&sums.cards);
        let whole = sums.weights.verdict();
        let by_card = |estimator: SlateEstimator| {
            use SlateEstimator::{Iips, PseudoInverse, SnIips, SnPseudoInverse};
            matches!(estimator, Iips | SnIips | PseudoInverse | SnPseudoInverse)
        };
        let answers = |estimator| if by_card(estimator) { cards.answers } else { whole.answers() };
        let shown = sums.estimators.iter().enumerate().filter(|(_, of)| answers(of.estimator()));
        let line = |(i, of): (usize, &SlateAccumulator)| {
            Line::of_pages(of, units.map_or(&[], |units| &units[i]), bounds, sums.prefixes.len())
        };
        let mut part =
            Self::new(&Sums { weights: sums.weights.clone(), estimators: Vec::new(), unsupported: None }, &[], None, bounds);
        part.unsupported = sums.unsupported.as_ref().map(|(mass, rows)| mass.value() / *rows as f64);
        part.prefixes = sums.prefixes.iter().map(Weighed::new).collect();
        part.estimates = shown.map(line).collect();
        part.answers = !part.estimates.is_empty();
        part.cards = Some(cards);
        part
    }

    fn text(&self) -> String {
        let mut text = format!(
            "  {} {} worth {:.0}; weights: mean {:.4}, largest {:.1}, {:.0} % zero\n",
            self.rows,
            self.unit(),
            self.effective_sample_size,
            self.mean_weight,
            self.max_weight,
            100.0 * self.zero_weights
        );
        if let Some(share) = self.unsupported.filter(|share| *share > 0.0) {
            let _ = writeln!(text, "  {:.2} % of its choices are never made by the logging policy", 100.0 * share);
        }
        if !self.prefixes.is_empty() {
            let sizes: Vec<String> = self.prefixes.iter().map(|of| format!("{:.0}", of.effective_sample_size)).collect();
            let _ = writeln!(text, "  worth by position, with all that stands above: {}", sizes.join(", "));
        }
        if !self.weights_answer {
            let _ = writeln!(text, "  {}", self.verdict);
        }
        if let Some(cards) = self.cards.as_ref().filter(|cards| !cards.answers) {
            let _ = writeln!(text, "  of single cards: {}", cards.verdict);
        }
        for line in &self.estimates {
            let _ = write!(text, "  {:<14} {:>10.6}", line.estimator, line.value);
            for (name, low, high) in &line.intervals {
                let _ = write!(text, "  {name} [{low:.6}, {high:.6}]");
            }
            if let Some(chosen) = &line.chosen {
                let _ = write!(text, "  chosen: {chosen}");
            }
            text.push('\n');
        }
        text
    }
}

impl Line {
    /// Of an estimator as it was asked for; nothing where it was left out. A parameter is chosen from what these very rows say.
    fn asked(asked: Asked, sums: &[Accumulator], units: Option<&[Vec<Unit>]>, bounds: Bounds) -> Option<Self> {
        let members = asked.estimators();
        let places: Option<Vec<usize>> =
            members.iter().map(|member| sums.iter().position(|sums| sums.estimator() == *member)).collect();
        let places = places?;
        let of = |place: usize| Some(Self::new(sums.get(place)?, units.map_or(&[], |units| &units[place]), bounds));
        let Asked::Chosen(_) = asked else { return of(*places.first()?) };
        let candidates: Vec<Candidate> = places.iter().map(|place| Candidate::of(&sums[*place].estimate())).collect();
        // Where no interval is known nothing speaks against the least biased.
        let mut line = of(places[slope::choose(&candidates).unwrap_or(0)])?;
        line.chosen = Some(std::mem::replace(&mut line.estimator, asked.to_string()));
        Some(line)
    }

    fn new(sums: &Accumulator, units: &[Unit], bounds: Bounds) -> Self {
        let estimate = sums.estimate();
        let estimator = sums.estimator().to_string();
        let mut line = Self { estimator, chosen: None, value: estimate.value, error: estimate.error, intervals: Vec::new() };
        line.push("normal", interval::normal(&estimate));
        if units.len() >= LEAST_UNITS {
            line.push("bootstrap", interval::studentized_bootstrap(units));
            line.push("likelihood", interval::empirical_likelihood(units));
        }
        if let (Some(range), Some(deviation)) = (bounds.of(sums.estimator()), sums.deviation()) {
            line.push("bernstein", interval::empirical_bernstein(estimate.rows, estimate.value, deviation, range));
            let (sum, squares) = (sums.gram().sum(0).value(), sums.gram().product(0, 0).value());
            line.push("anytime", interval::confidence_sequence(estimate.rows, sum, squares, range));
        }
        line
    }
}

impl Part {
    /// What is counted.
    fn unit(&self) -> &'static str {
        if self.prefixes.is_empty() { "rows" } else { "pages" }
    }
}

impl Line {
    fn of_pages(sums: &SlateAccumulator, units: &[Unit], bounds: Bounds, longest: usize) -> Self {
        let estimate = sums.estimate();
        let mut line = Self {
            estimator: sums.estimator().to_string(),
            chosen: None,
            value: estimate.value,
            error: estimate.error,
            intervals: Vec::new(),
        };
        line.push("normal", interval::normal(&estimate));
        if units.len() >= LEAST_UNITS {
            line.push("bootstrap", interval::studentized_bootstrap(units));
            line.push("likelihood", interval::empirical_likelihood(units));
        }
        if let (Some(range), Some([sum, squares])) = (bounds.of_pages(sums.estimator(), longest), sums.sums()) {
            let deviation = estimate.error.map(|error| error * libm::sqrt(estimate.rows as f64));
            if let Some(deviation) = deviation {
                line.push("bernstein", interval::empirical_bernstein(estimate.rows, estimate.value, deviation, range));
            }
            line.push("anytime", interval::confidence_sequence(estimate.rows, sum, squares, range));
        }
        line
    }

    fn push(&mut self, name: &'static str, interval: Interval) {
        if interval.low.is_finite() && interval.high.is_finite() {
            self.intervals.push((name, interval.low, interval.high));
        }
    }
}

/// The action whose count is furthest from what the logged probabilities say.
fn calibration(counts: &BTreeMap<i32, (u64, f64, f64)>) -> Option<Calibration> {
    let off = |(taken, expected, variance): &(u64, f64, f64)| {
        let distance = (*taken as f64 - expected).abs();
        if distance < 1e-6 { 0.0 } else { distance / libm::sqrt(*variance) }
    };
    let worst = counts.iter().max_by(|a, b| off(a.1).total_cmp(&off(b.1)))?;
    let (action, found) = worst;
    let actions = counts.len();
    let chance = (actions as f64 * erfc(off(found) / std::f64::consts::SQRT_2)).min(1.0);
    Some(Calibration { actions, worst: *action, taken: found.0, expected: found.1, chance })
}
