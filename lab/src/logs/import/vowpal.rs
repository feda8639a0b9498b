//! Vowpal Wabbit's dsjson, one event a line.
//!
//! | there | here |
//! |---|---|
//! | `_label_cost` | reward = -cost |
//! | `_label_probability`, `_label_Action` (from 1), `_labelIndex` (from 0) | propensity, action (from 0) |
//! | `a`, `p` | candidates (from 0), probs |
//! | `_outcomes[]` with `_a` (from 0), `_p`, `_label_cost` | a row for each slot: position |
//! | `_outcomes[]` without costs, one `_label_cost` above (slates) | the same; the reward stands at the last position, others have 0 |
//! | `EventId` | decision |

use std::io::BufRead;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{Imported, Mapping};
use crate::error::LabError;
use crate::logs::Decision;
use crate::logs::parquet::Writer;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "_label_cost")]
    cost: Option<f64>,
    #[serde(rename = "_label_probability")]
    probability: Option<f64>,
    #[serde(rename = "_label_Action")]
    action: Option<i32>,
    #[serde(rename = "_labelIndex")]
    index: Option<i32>,
    #[serde(default)]
    a: Vec<i32>,
    #[serde(default)]
    p: Vec<f64>,
    #[serde(rename = "EventId", alias = "event_id")]
    id: Option<String>,
    #[serde(rename = "_outcomes")]
    outcomes: Option<Vec<Outcome>>,
    /// Share of events that the logger dropped.
    #[serde(default)]
    pdrop: f64,
    #[serde(rename = "_skipLearn", default)]
    skip: bool,
    #[serde(rename = "RewardValue")]
    late_reward: Option<Value>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(rename = "_label_cost")]
    cost: Option<f64>,
    #[serde(rename = "_a")]
    a: OneOrMany<i32>,
    #[serde(rename = "_p")]
    p: OneOrMany<f64>,
    #[serde(rename = "_id")]
    _id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn many(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

pub(super) fn import(input: &Path, mapping: &Mapping, output: &Path) -> Result<Imported, LabError> {
    let mut writer = Writer::create(output, mapping.header(), true)?;
    let mut imported = Imported::default();
    let (words, numbers) = mapping.sources();
    for (line, number) in super::open(input)?.lines().zip(1..) {
        let line = line.map_err(|error| LabError::file(input, &format!("text in line {number}"), error))?;
        if line.trim().is_empty() {
            continue;
        }
        let event: Event = super::parse(input, number, &line)?;
        if event.late_reward.is_some() {
            imported.leave_out("rewards that came late");
            continue;
        }
        if event.skip {
            imported.leave_out("events not to be learned from");
            continue;
        }
        if event.pdrop > 0.0 {
            return Err(LabError::file(
                input,
                &format!("pdrop 0 in line {number}: dropped events would bias every estimate"),
                event.pdrop,
            ));
        }
        let mut common = Decision { decision: event.id.clone(), policy: mapping.policy_name().to_owned(), ..Decision::default() };
        if !words.is_empty() || !numbers.is_empty() {
            let whole: Value = super::parse(input, number, &line)?;
            common.words = words.iter().map(|at| whole.pointer(at).map(super::word).unwrap_or_default()).collect();
            common.numbers = numbers.iter().map(|at| whole.pointer(at).and_then(Value::as_f64)).collect();
        }
        for decision in rows(event, common, input, number)? {
            imported.write(&mut writer, decision, input, number)?;
        }
    }
    writer.finish()?;
    Ok(imported)
}

/// The rows of an event.
fn rows(event: Event, common: Decision, input: &Path, line: u64) -> Result<Vec<Decision>, LabError> {
    let expected = |what: &str| LabError::file(input, &format!("{what} in line {line}"), "none");
    // Not -cost, which makes -0 of 0.
    let reward = |cost: f64| Some(0.0 - cost);
    let Some(outcomes) = event.outcomes else {
        let action = event.index.or(event.action.map(|action| action - 1)).or(event.a.first().map(|action| action - 1));
        let decision = Decision {
            action: action.ok_or_else(|| expected("_label_Action or _labelIndex"))?,
            propensity: event.probability.ok_or_else(|| expected("_label_probability"))?,
            reward: event.cost.and_then(reward),
            candidates: event.a.iter().map(|action| action - 1).collect(),
            probabilities: event.p,
            ..common
        };
        return Ok(vec![decision]);
    };
    // One cost for all slots: a slate.
    let whole = event.cost.filter(|_| outcomes.iter().all(|outcome| outcome.cost.is_none()));
    let last = outcomes.len().saturating_sub(1);
    let of = |(slot, outcome): (usize, Outcome)| {
        let (a, p) = (outcome.a.many(), outcome.p.many());
        Ok(Decision {
            position: slot as i32,
            action: *a.first().ok_or_else(|| expected("an action in _a"))?,
            propensity: *p.first().ok_or_else(|| expected("a probability in _p"))?,
            reward: match whole {
                Some(cost) => Some(if slot == last { 0.0 - cost } else { 0.0 }),
                None => outcome.cost.and_then(reward),
            },
            candidates: a,
            probabilities: p,
            ..common.clone()
        })
    };
    outcomes.into_iter().enumerate().map(of).collect()
}
