//! Rankings of one shelf under every policy.

use std::path::Path;

use ears_only::page::Visible;
use ears_only::policy::thompson::{self, Posterior};
use ears_only::policy::{Floors, PagePolicy, Policy, Rule};
use ears_only::slate::Candidates;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::page::{self, Conditionals, VisiblePage};
use super::{Checked, Finding, kind_of};
use crate::error::LabError;

#[derive(Deserialize)]
struct Ranking {
    #[serde(alias = "scores")]
    logits: Vec<f64>,
    #[serde(default)]
    epsilon: f64,
    slots: usize,
    #[serde(default)]
    greedy: Option<Vec<u32>>,
    #[serde(default)]
    marginal_item_slot: Option<Vec<Vec<f64>>>,
    slates: Vec<LoggedSlate>,
}

#[derive(Deserialize)]
struct LoggedSlate {
    slate: Vec<u32>,
    conditional: Vec<f64>,
    joint: f64,
}

/// Independent posteriors, ranked by one draw of each.
#[derive(Deserialize)]
struct Posteriors {
    /// Beta: alpha; Normal: mean.
    #[serde(alias = "alpha")]
    mean: Vec<f64>,
    /// Beta: beta; Normal: standard deviation.
    #[serde(alias = "beta")]
    sd: Vec<f64>,
    slots: usize,
    marginal_item_slot: Vec<Vec<f64>>,
    #[serde(default)]
    joint_first_two: Option<Vec<Vec<f64>>>,
}

/// One choice.
#[derive(Deserialize)]
struct Choice {
    rewards: Vec<f64>,
    #[serde(alias = "gamma", alias = "temperature", alias = "epsilon")]
    parameter: f64,
    probabilities: Vec<f64>,
}

pub(super) fn check(path: &Path, value: Value) -> Result<Finding, LabError> {
    let tolerance = value.get("tolerance").and_then(Value::as_f64);
    let tolerance = tolerance.ok_or_else(|| LabError::file(path, "a number \"tolerance\"", "none"))?;
    let cases = value.get("cases").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut checked = Checked { known: 0, cases: cases.len(), worst: 0.0, tolerance };
    let mut unknown: Vec<&str> = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let kind = case.get("kind").and_then(Value::as_str).ok_or_else(|| {
            LabError::file(path, &format!("a string \"kind\" in case {number}"), case.get("kind").map_or("none", kind_of))
        })?;
        let at = Place { path, number, kind };
        let deviation = match kind {
            "plackett_luce" => at.ranking(case, |_| PagePolicy::of(Rule::plackett_luce(0.0, 0.0)))?,
            "epsilon_page" => at.ranking(case, |ranking| PagePolicy::epsilon_page(ranking.epsilon))?,
            "epsilon_slot" => at.ranking(case, |ranking| PagePolicy::of(Rule::Greedy(Floors::both(ranking.epsilon))))?,
            "thompson_beta" => at.posteriors(case, Posterior::BETA)?,
            "thompson_normal" => at.posteriors(case, Posterior::NORMAL)?,
            "squarecb" => at.choice(case, |choice| (Rule::SquareCb { gamma: choice.parameter }, 1.0))?,
            "softmax" => at.choice(case, |choice| (Rule::plackett_luce(0.0, 0.0), choice.parameter))?,
            "epsilon_greedy" => at.choice(case, |choice| (Rule::Greedy(Floors::both(choice.parameter)), 1.0))?,
            _ => {
                unknown.push(kind);
                continue;
            }
        };
        checked.known += 1;
        // A deviation that is no number is the worst of all.
        checked.worst = if deviation.is_nan() { f64::INFINITY } else { checked.worst.max(deviation) };
    }
    if checked.known == 0 {
        unknown.sort_unstable();
        unknown.dedup();
        return Ok(Finding::Unknown { kind: unknown.join(" ") });
    }
    Ok(Finding::Checked(checked))
}

/// A case, for messages.
struct Place<'a> {
    path: &'a Path,
    number: usize,
    kind: &'a str,
}

impl Place<'_> {
    fn read<T: DeserializeOwned>(&self, case: &Value) -> Result<T, LabError> {
        let Self { path, number, kind } = self;
        serde_json::from_value(case.clone())
            .map_err(|error| LabError::file(path, &format!("a {kind} case in case {number}"), error))
    }

    fn broken(&self, found: Option<(String, String)>) -> Result<(), LabError> {
        found.map_or(Ok(()), |(expected, found)| {
            Err(LabError::file(self.path, &format!("{expected} in case {}", self.number), found))
        })
    }

    fn core<T>(&self, done: Result<T, LabError>) -> Result<T, LabError> {
        done.map_err(|error| LabError::file(self.path, &format!("slates of the items in case {}", self.number), error))
    }

    fn ranking(&self, case: &Value, policy: impl Fn(&Ranking) -> PagePolicy) -> Result<f64, LabError> {
        let ranking: Ranking = self.read(case)?;
        self.broken(ranking.broken())?;
        self.core(ranking.deviation(policy(&ranking)))
    }

    fn posteriors(&self, case: &Value, posterior: Posterior) -> Result<f64, LabError> {
        let posteriors: Posteriors = self.read(case)?;
        self.broken(posteriors.broken(posterior))?;
        self.core(posteriors.deviation(posterior))
    }

    fn choice(&self, case: &Value, rule: impl Fn(&Choice) -> (Rule, f64)) -> Result<f64, LabError> {
        let choice: Choice = self.read(case)?;
        self.broken(choice.broken())?;
        let (rule, temperature) = rule(&choice);
        let logits: Vec<f64> = choice.rewards.iter().map(|reward| reward / temperature).collect();
        let candidates = Candidates::free(vec![0.0], &[logits], Visible { shelves: 1, cards: 1 });
        let policy = self.core(PagePolicy::of(rule).checked().map_err(LabError::from))?;
        let found = policy.first_card_marginals(&candidates);
        Ok(worst(found.iter().zip(&choice.probabilities)))
    }
}

/// Largest absolute difference; not a number when one of them is not.
fn worst<'a>(pairs: impl Iterator<Item = (&'a f64, &'a f64)>) -> f64 {
    pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, |a, b| if b.is_nan() || b > a { b } else { a })
}

impl Choice {
    fn broken(&self) -> Option<(String, String)> {
        let n = self.rewards.len();
        (n == 0 || self.probabilities.len() != n || self.parameter.is_nan())
            .then(|| ("as many probabilities as rewards, at least one".into(), format!("{} and {n}", self.probabilities.len())))
    }
}

impl Posteriors {
    fn broken(&self, posterior: Posterior) -> Option<(String, String)> {
        let items = self.mean.len();
        if items < 2 || self.sd.len() != items {
            return Some(("two parameters for each of two items or more".into(), format!("{items} and {}", self.sd.len())));
        }
        let good = |value: &f64| value.is_finite() && *value > 0.0;
        let means = posterior == Posterior::NORMAL || self.mean.iter().all(good);
        if !means || !self.sd.iter().all(good) {
            return Some(("parameters > 0".into(), format!("{:?} and {:?}", self.mean, self.sd)));
        }
        if self.slots == 0 || self.slots > items {
            return Some((format!("1 to {items} slots"), self.slots.to_string()));
        }
        if self.marginal_item_slot.len() != items || self.marginal_item_slot.iter().any(|row| row.len() != self.slots) {
            return Some((format!("{items} x {} marginals", self.slots), format!("{} rows", self.marginal_item_slot.len())));
        }
        let square = |joint: &Vec<Vec<f64>>| joint.len() == items && joint.iter().all(|row| row.len() == items);
        self.joint_first_two
            .as_ref()
            .filter(|joint| !square(joint))
            .map(|joint| (format!("{items} x {items} joint chances of the first two"), format!("{} rows", joint.len())))
    }

    fn deviation(&self, posterior: Posterior) -> Result<f64, LabError> {
        let (logits, spread): (Vec<f64>, Vec<f64>) = if posterior == Posterior::NORMAL {
            (self.mean.clone(), self.sd.clone())
        } else {
            self.mean.iter().zip(&self.sd).map(|(a, b)| (a / (a + b), a + b)).unzip()
        };
        let marginals = thompson::rank_marginals(posterior, &logits, &spread, self.slots);
        let mut deviation = worst(marginals.iter().flatten().zip(self.marginal_item_slot.iter().flatten()));
        // The walk's own numbers: the first choice, and each pair of first choices.
        let visible = Visible { shelves: 1, cards: 2 };
        let candidates = Candidates { card_spread: spread, ..Candidates::free(vec![0.0], &[logits], visible) };
        let policy = PagePolicy::of(Rule::Thompson { posterior, floors: Floors::default() });
        let firsts = policy.first_card_marginals(&candidates);
        deviation = deviation.max(worst(firsts.iter().zip(self.marginal_item_slot.iter().map(|row| &row[0]))));
        for (i, row) in self.joint_first_two.iter().flatten().enumerate() {
            for (j, expected) in row.iter().enumerate().filter(|(j, _)| *j != i) {
                let pair = on_one_shelf(vec![i as u32, j as u32]);
                let found = page::conditionals(policy, &candidates, &pair)?.joint();
                deviation = deviation.max(worst(std::iter::once((&found, expected))));
            }
        }
        Ok(deviation)
    }
}

/// One shelf in the first position, holding `slate`.
fn on_one_shelf(slate: Vec<u32>) -> VisiblePage {
    VisiblePage { shelves: vec![0], cards: vec![slate] }
}

impl Ranking {
    /// What is wrong with the shape of the case: what was expected, and what it has.
    fn broken(&self) -> Option<(String, String)> {
        let items = self.logits.len();
        if self.slots == 0 || self.slots > items {
            return Some((format!("1 to {items} slots"), self.slots.to_string()));
        }
        if let Some(marginals) = &self.marginal_item_slot
            && (marginals.len() != items || marginals.iter().any(|row| row.len() != self.slots))
        {
            return Some((format!("{items} x {} marginals", self.slots), format!("{} rows", marginals.len())));
        }
        if self.greedy.as_ref().is_some_and(|greedy| greedy.len() != self.slots) {
            return Some((format!("a greedy slate of {} items", self.slots), format!("{:?}", self.greedy)));
        }
        let short = |slate: &&LoggedSlate| slate.slate.len() != self.slots || slate.conditional.len() != self.slots;
        let found = self.slates.iter().find(short)?;
        Some((
            format!("slates of {} items and conditionals", self.slots),
            format!("{} and {}", found.slate.len(), found.conditional.len()),
        ))
    }

    /// Largest absolute difference between the file's numbers and the core's.
    fn deviation(&self, policy: PagePolicy) -> Result<f64, LabError> {
        let policy = policy.checked()?;
        let visible = Visible { shelves: 1, cards: self.slots };
        let candidates = Candidates::free(vec![0.0], std::slice::from_ref(&self.logits), visible);
        let mut worst: f64 = 0.0;
        let mut differ = |found: f64, expected: f64| worst = worst.max((found - expected).abs());
        let mut sum = 0.0;
        let mut marginals = vec![vec![0.0; self.slots]; self.logits.len()];
        page::each(&candidates, &mut |page| {
            let joint = page::conditionals(policy, &candidates, page)?.joint();
            sum += joint;
            for (slot, &item) in page.cards[0].iter().enumerate() {
                marginals[item as usize][slot] += joint;
            }
            Ok(())
        })?;
        differ(sum, 1.0);
        // The first choices, as the core reports them to its callers, are the marginals of slot 0.
        for (found, row) in policy.first_card_marginals(&candidates).iter().zip(&marginals) {
            differ(*found, row[0]);
        }
        let expected = self.marginal_item_slot.iter().flatten().flatten();
        for (found, expected) in marginals.iter().flatten().zip(expected) {
            differ(*found, *expected);
        }
        for logged in &self.slates {
            let Conditionals { cards, .. } = page::conditionals(policy, &candidates, &on_one_shelf(logged.slate.clone()))?;
            differ(cards[0].iter().product(), logged.joint);
            for (found, expected) in cards[0].iter().zip(&logged.conditional) {
                differ(*found, *expected);
            }
        }
        if let Some(greedy) = &self.greedy {
            let best = page::conditionals(PagePolicy::of(Rule::greedy()), &candidates, &on_one_shelf(greedy.clone()))?;
            differ(best.joint(), 1.0);
        }
        Ok(worst)
    }
}
