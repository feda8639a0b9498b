//! The Open Bandit Pipeline's `bandit_feedback` dictionary as JSON, arrays as lists.
//!
//! The dictionary is column by column and therefore read as a whole, as the pipeline itself holds it; its data set's CSV files stream through
//! `import --from csv`.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::Imported;
use crate::error::LabError;
use crate::logs::parquet::Writer;
use crate::logs::{Decision, Header, NUMBER};

#[derive(Deserialize)]
struct Feedback {
    n_rounds: usize,
    n_actions: usize,
    action: Vec<i32>,
    reward: Vec<Option<f64>>,
    pscore: Vec<f64>,
    #[serde(default)]
    position: Option<Vec<i32>>,
    #[serde(default)]
    context: Option<Vec<Vec<f64>>>,
    /// P(action) by round, action and position.
    #[serde(default)]
    pi_b: Option<Vec<Vec<Vec<f64>>>>,
}

pub(super) fn import(input: &Path, output: &Path) -> Result<Imported, LabError> {
    let mut text = String::new();
    super::open(input)?.read_to_string(&mut text).map_err(|error| LabError::file(input, "text", error))?;
    let feedback: Feedback = serde_json::from_str(&text).map_err(|error| LabError::file(input, "a bandit_feedback", error))?;
    let rounds = feedback.n_rounds;
    let check = |name: &str, found: Option<usize>| match found {
        Some(found) if found != rounds => Err(LabError::file(input, &format!("{rounds} values of {name}"), found)),
        _ => Ok(()),
    };
    check("action", Some(feedback.action.len()))?;
    check("reward", Some(feedback.reward.len()))?;
    check("pscore", Some(feedback.pscore.len()))?;
    check("position", feedback.position.as_ref().map(Vec::len))?;
    check("context", feedback.context.as_ref().map(Vec::len))?;
    check("pi_b", feedback.pi_b.as_ref().map(Vec::len))?;
    let dimensions = feedback.context.as_ref().and_then(|context| context.first()).map_or(0, Vec::len);
    let header = Header { words: Vec::new(), numbers: (0..dimensions).map(|i| format!("{NUMBER}{i}")).collect() };
    let mut writer = Writer::create(output, header, feedback.pi_b.is_some())?;
    let mut imported = Imported::default();
    for round in 0..rounds {
        let position = feedback.position.as_ref().map_or(0, |of| of[round]);
        let mut decision = Decision {
            decision: Some(round.to_string()),
            policy: "logging".to_owned(),
            position,
            action: feedback.action[round],
            propensity: feedback.pscore[round],
            reward: feedback.reward[round],
            ..Decision::default()
        };
        if let Some(context) = &feedback.context {
            decision.numbers = context[round].iter().map(|x| Some(*x)).collect();
        }
        if let Some(table) = feedback.pi_b.as_ref().map(|of| &of[round]) {
            let at = |of: &Vec<f64>| of.get(position as usize).or_else(|| of.first()).copied();
            let probabilities: Option<Vec<f64>> = table.iter().map(at).collect();
            let whole = probabilities.filter(|of| of.len() == feedback.n_actions);
            decision.probabilities = whole.ok_or_else(|| {
                LabError::file(input, &format!("pi_b of {} actions in round {round}", feedback.n_actions), table.len())
            })?;
            decision.candidates = (0..feedback.n_actions as i32).collect();
        }
        imported.write(&mut writer, decision, input, round as u64 + 1)?;
    }
    writer.finish()?;
    Ok(imported)
}
