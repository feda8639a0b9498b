//! What a bundle would have done on logged decisions: a log to train from becomes a log to judge policies on.
//!
//! The bundle's model scores every candidate of a decision, and its policy says how likely it would have placed each of them where the log has
//! the card that was shown, given what stands above. Both are the core's own. What comes out is a `decisions` log with the columns
//! `target_NAME` and `expected_NAME` of each policy, which `evaluate --policy scored:NAME` takes.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use ears_only::bundle::{Bundle, BundleSettings, PolicyKind, PolicySettings};
use ears_only::math::sigmoid;
use ears_only::page::Visible;
use ears_only::policy::Policy;
use ears_only::settings::Value;
use ears_only::slate::{Candidates, Placed, PlacedShelf, Slate};
use serde::Serialize;

use crate::error::LabError;
use crate::logs::parquet::Writer;
use crate::logs::{CONTEXT, Decision, EXPECTED, Header, PREDICTED, TARGET};
use crate::train::log::Log;

pub mod command;

/// What a propensity may lack of 1 where nothing else was left to place.
const AGREES: f64 = 1e-6;
/// Columns or decisions that a message names; the rest are counted.
const NAMED: usize = 5;

/// Policies that depend on nothing but the scores of a decision's candidates.
const KINDS: [PolicyKind; 8] = [
    PolicyKind::PlackettLuce,
    PolicyKind::Softmax,
    PolicyKind::EpsilonPage,
    PolicyKind::Epsilon,
    PolicyKind::SquareCb,
    PolicyKind::LinUcb,
    PolicyKind::Thompson,
    PolicyKind::Uniform,
];

/// A policy over the bundle's scores, with the name of its columns.
///
/// Written `[NAME=]POLICY`, where POLICY is `bundle` (what the bundle says), `greedy`, the name of a kind with its defaults, or the `policy` of
/// model settings as a JSON object, which needs a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The policy; nothing for the bundle's own.
    pub settings: Option<PolicySettings>,
}

impl FromStr for Named {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let named = text.split_once('=').filter(|(name, _)| !name.contains('{'));
        let policy = named.map_or(text, |(_, policy)| policy).trim();
        let name = match named {
            Some((name, _)) => name.trim(),
            None if policy.starts_with('{') => {
                return Err(LabError::unreadable(format!("expected a name before a policy in JSON, NAME={{...}}, found {text}")));
            }
            None => policy,
        };
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            return Err(LabError::unreadable(format!("expected a name of letters, digits, _ and -, found \"{name}\"")));
        }
        let json = match policy {
            "bundle" => return Ok(Self { name: name.to_owned(), settings: None }),
            "greedy" => r#"{"kind":"epsilon","epsilon":0}"#.to_owned(),
            _ if policy.starts_with('{') => policy.to_owned(),
            kind if KINDS.iter().any(|known| known.name() == kind) => format!("{{\"kind\":\"{kind}\"}}"),
            other => {
                let known = KINDS.map(PolicyKind::name).join(", ");
                return Err(LabError::unreadable(format!("expected the policy bundle, greedy, {known} or JSON, found {other}")));
            }
        };
        let value: Value = serde_json::from_str(&format!("{{\"policy\":{json}}}"))
            .map_err(|error| LabError::unreadable(format!("policy {name}: expected JSON, found {error}")))?;
        let model = BundleSettings { policy: BundleSettings::read(&value)?.policy, ..BundleSettings::default() };
        // What lies out of range is refused as it would be in a model.
        Ok(Self { name: name.to_owned(), settings: Some(*Bundle::new(model)?.policy_settings()) })
    }
}

/// Refuses a policy that depends on more than a log says.
fn scorable(name: &str, settings: &PolicySettings) -> Result<(), LabError> {
    let wrong =
        |expected: &str, found: String| Err(LabError::unreadable(format!("policy {name}: expected {expected}, found {found}")));
    if !KINDS.contains(&settings.kind) {
        let known = KINDS.map(PolicyKind::name).join(", ");
        return wrong(&format!("one that depends on the scores alone ({known})"), settings.kind.name().to_owned());
    }
    for (what, value) in
        [("baselineShare", settings.baseline_share), ("diversity", settings.diversity), ("calibration", settings.calibration)]
    {
        if value > 0.0 {
            return wrong(
                &format!("{what} 0, since a log says nothing of the server's order, artists and families"),
                value.to_string(),
            );
        }
    }
    Ok(())
}

/// What was scored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Version of the bundle.
    pub bundle: String,
    /// Decisions written.
    pub decisions: usize,
    /// Rows written: one for each card shown.
    pub rows: u64,
    /// Decisions of which no card has a reward, left out.
    pub without_reward: usize,
    /// Names of the policies.
    pub policies: Vec<String>,
    /// Features of the log that the bundle does not read.
    pub not_read: Vec<String>,
}

impl Report {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let names: Vec<String> = self.policies.iter().map(|name| format!("scored:{name}")).collect();
        let mut text =
            format!("{} decisions, {} rows scored by {}; judge {}\n", self.decisions, self.rows, self.bundle, names.join(", "));
        if self.without_reward > 0 {
            text += &format!("left out: {} decisions without a reward\n", self.without_reward);
        }
        if !self.not_read.is_empty() {
            text += &format!("the bundle does not read {}\n", self.not_read.join(", "));
        }
        text
    }
}

/// Scores `log`, which was read from `path`, and writes what `bundle` would have done to `output`.
///
/// # Errors
/// When a policy depends on more than scores, the log lacks a column that the bundle reads or candidates of a decision, rows count
/// differently, or the output cannot be written.
pub fn score(bundle: &Bundle, policies: &[Named], log: &Log, path: &Path, output: &Path) -> Result<Report, LabError> {
    let mut names = BTreeSet::new();
    for policy in policies {
        scorable(&policy.name, policy.settings.as_ref().unwrap_or(bundle.policy_settings()))?;
        if !names.insert(&policy.name) {
            return Err(LabError::unreadable(format!("expected policies with names of their own, found {} twice", policy.name)));
        }
    }
    if policies.is_empty() {
        return Err(LabError::unreadable("expected at least one policy, found none"));
    }
    let (places, not_read) = columns(bundle, log, path)?;
    let (decisions, without_reward) = decisions(log, path)?;
    let numbers = policies.iter().flat_map(|policy| [format!("{TARGET}{}", policy.name), format!("{EXPECTED}{}", policy.name)]);
    let header = Header {
        words: log.slices.iter().map(|slices| format!("{CONTEXT}{}", slices.name)).collect(),
        numbers: [PREDICTED.to_owned()].into_iter().chain(numbers).collect(),
    };
    let mut writer = Writer::create(output, header, false)?;
    for decision in &decisions {
        let scored = Scored::of(bundle, log, &places, decision.rows.clone());
        let mut by_policy = Vec::with_capacity(policies.len());
        for policy in policies {
            by_policy.push(scored.chances(policy.settings.as_ref().unwrap_or(bundle.policy_settings()), &decision.shown)?);
        }
        for (place, &shown) in decision.shown.iter().enumerate() {
            let row = decision.rows.start + shown as usize;
            let mut numbers = vec![Some(sigmoid(scored.scores[shown as usize]))];
            for chances in &by_policy {
                let here = &chances[place];
                let expected = here.iter().zip(&scored.scores).map(|(p, score)| p * sigmoid(*score)).sum();
                numbers.extend([Some(here[shown as usize]), Some(expected)]);
            }
            writer.write(Decision {
                decision: Some(log.decision[row].to_string()),
                policy: "logging".to_owned(),
                position: place as i32,
                action: shown as i32,
                propensity: log.propensity[row],
                reward: Some(log.reward[row]),
                words: log.slices.iter().map(|slices| slices.labels[slices.of[row] as usize].clone()).collect(),
                numbers,
                ..Decision::default()
            })?;
        }
    }
    Ok(Report {
        format: 1,
        bundle: bundle.version().to_owned(),
        decisions: decisions.len(),
        rows: writer.finish()?,
        without_reward,
        policies: policies.iter().map(|policy| policy.name.clone()).collect(),
        not_read,
    })
}

/// Where each column of the bundle stands among the log's features, and the features that it does not read.
fn columns(bundle: &Bundle, log: &Log, path: &Path) -> Result<(Vec<usize>, Vec<String>), LabError> {
    let known = || log.columns.iter().map(|column| column.name.as_str());
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    for column in bundle.schema().columns() {
        match known().position(|name| name == column.name) {
            Some(at) if log.columns[at].source == column.source => places.push(at),
            Some(at) => {
                return Err(LabError::file(
                    path,
                    &format!("the column {} from the source {}, as the bundle has it", column.name, column.source.name()),
                    log.columns[at].source.name(),
                ));
            }
            None => missing.push(column.name.as_str()),
        }
    }
    if !missing.is_empty() {
        let expected = format!("{} in the header, which the bundle reads", listed("column", &missing));
        return Err(LabError::file(path, &expected, format!("the features {}", known().collect::<Vec<_>>().join(", "))));
    }
    let not_read = (0..log.columns.len()).filter(|at| !places.contains(at)).map(|at| log.columns[at].name.clone()).collect();
    Ok((places, not_read))
}

/// The first of some names.
fn listed(what: &str, names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(NAMED);
    let plural = if names.len() == 1 { "" } else { "s" };
    if more > 0 { format!("the {what}{plural} {shown} and {more} more") } else { format!("the {what}{plural} {shown}") }
}

/// One decision: its rows, and which of them were shown, in the order of their places.
struct Logged {
    rows: Range<usize>,
    shown: Vec<u32>,
}

/// The decisions of a log of which something was shown, and how many others there are.
fn decisions(log: &Log, path: &Path) -> Result<(Vec<Logged>, usize), LabError> {
    if log.decision.is_empty() {
        return Err(LabError::file(path, "a column decision, to know which cards were candidates together", "none"));
    }
    let row =
        |row: usize, expected: &str, found: String| Err(LabError::file(path, &format!("{expected} in row {}", row + 1), found));
    if let Some(at) = log.weight.iter().position(|weight| *weight != 1.0) {
        return row(at, "weight 1, since an estimate weighs rows by the policies alone,", log.weight[at].to_string());
    }
    let mut met = vec![false; log.decision.iter().max().map_or(0, |most| *most as usize + 1)];
    let (mut decisions, mut without_reward, mut start) = (Vec::new(), 0, 0);
    while start < log.rows() {
        let number = log.decision[start];
        let end = (start..log.rows()).find(|row| log.decision[*row] != number).unwrap_or(log.rows());
        if std::mem::replace(&mut met[number as usize], true) {
            return row(start, "all candidates of a decision beside each other", "a decision that was met before".to_owned());
        }
        let shown: Vec<u32> = (start..end).filter(|row| !log.reward[*row].is_nan()).map(|row| (row - start) as u32).collect();
        match shown.last().map(|last| start + *last as usize) {
            None => without_reward += 1,
            Some(last) => {
                // What is placed when nothing else is left has no other chance than 1.
                let propensity = log.propensity[last];
                if shown.len() == end - start && propensity < 1.0 - AGREES {
                    let expected = "all candidates of the decision, those that were not shown with an empty reward,";
                    return row(last, expected, format!("none but what was shown, with propensity {propensity}"));
                }
                decisions.push(Logged { rows: start..end, shown });
            }
        }
        start = end;
    }
    if decisions.is_empty() {
        return Err(LabError::file(path, "decisions with a reward", "none"));
    }
    Ok((decisions, without_reward))
}

/// The candidates of a decision as the model sees them.
struct Scored {
    /// In log-odds.
    scores: Vec<f64>,
    /// Standard deviations of the scores.
    spread: Vec<f64>,
}

impl Scored {
    fn of(bundle: &Bundle, log: &Log, places: &[usize], rows: Range<usize>) -> Self {
        let (schema, model) = (bundle.schema(), bundle.model());
        let width = log.columns.len();
        let mut row = vec![0.0; schema.stride()];
        let (mut scores, mut spread) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for number in rows {
            let values = &log.values[number * width..(number + 1) * width];
            row[0] = 1.0;
            row.iter_mut().skip(1).zip(places).for_each(|(value, at)| *value = values[*at]);
            schema.guard(&mut row);
            scores.push(model.score(&row));
            spread.push(model.score_sd(&row));
        }
        Self { scores, spread }
    }

    /// The chance of every candidate at each place, given the shown cards above; 0 for these.
    fn chances(&self, settings: &PolicySettings, shown: &[u32]) -> Result<Vec<Vec<f64>>, LabError> {
        let value = |(score, sd): (&f64, &f64)| match settings.kind {
            PolicyKind::LinUcb => score + settings.alpha * sd,
            _ => *score,
        };
        let values = self.scores.iter().zip(&self.spread).map(value);
        let logits = values.map(|value| settings.kind.card_logit(value, settings.temperature)).collect();
        let mut candidates = Candidates::free(vec![0.0], &[logits], Visible::default());
        if settings.kind == PolicyKind::Thompson {
            candidates.card_spread = self.spread.iter().map(|sd| settings.alpha * sd).collect();
            candidates.shelf_spread = vec![0.0];
        }
        let policy = settings.policy(0);
        let placed = |index: u32| Placed { index, propensity: 1.0 };
        let mut all = Vec::with_capacity(shown.len());
        for place in 0..shown.len() {
            let above = &shown[..place];
            candidates.visible = Visible { shelves: 1, cards: place + 1 };
            let mut here = vec![0.0; self.scores.len()];
            for card in (0..self.scores.len() as u32).filter(|card| !above.contains(card)) {
                let cards: Vec<Placed> = above.iter().copied().chain([card]).map(placed).collect();
                let shelves = vec![PlacedShelf { placed: placed(0), cards: 0..cards.len() }];
                let judged = policy.propensities(&candidates, &Slate { shelves, cards, ..Slate::default() })?;
                here[card as usize] = judged.cards.get(place).map_or(0.0, |card| card.propensity);
            }
            all.push(here);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests;
