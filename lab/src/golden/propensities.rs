//! Rankings of one shelf under several policies; of these the core has Plackett-Luce and epsilon on the page.

use std::path::Path;

use ears_only::page::Visible;
use ears_only::policy::Policy;
use ears_only::slate::Candidates;
use serde::Deserialize;
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
    marginal_item_slot: Vec<Vec<f64>>,
    slates: Vec<LoggedSlate>,
}

#[derive(Deserialize)]
struct LoggedSlate {
    slate: Vec<u32>,
    conditional: Vec<f64>,
    joint: f64,
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
        if !matches!(kind, "plackett_luce" | "epsilon_page") {
            unknown.push(kind);
            continue;
        }
        let ranking: Ranking = serde_json::from_value(case.clone())
            .map_err(|error| LabError::file(path, &format!("a {kind} ranking in case {number}"), error))?;
        if let Some((expected, found)) = ranking.broken() {
            return Err(LabError::file(path, &format!("{expected} in case {number}"), found));
        }
        let policy = match kind {
            "plackett_luce" => Policy::PlackettLuce { floor_shelves: 0.0, floor_cards: 0.0 },
            _ => Policy::EpsilonPage { epsilon: ranking.epsilon },
        };
        let deviation = ranking.deviation(policy);
        let deviation =
            deviation.map_err(|error| LabError::file(path, &format!("slates of the items in case {number}"), error))?;
        checked.known += 1;
        checked.worst = checked.worst.max(deviation);
    }
    if checked.known == 0 {
        unknown.sort_unstable();
        unknown.dedup();
        return Ok(Finding::Unknown { kind: unknown.join(" ") });
    }
    Ok(Finding::Checked(checked))
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
        if self.marginal_item_slot.len() != items || self.marginal_item_slot.iter().any(|row| row.len() != self.slots) {
            return Some((format!("{items} x {} marginals", self.slots), format!("{} rows", self.marginal_item_slot.len())));
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
    fn deviation(&self, policy: Policy) -> Result<f64, LabError> {
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
        for (found, expected) in marginals.iter().flatten().zip(self.marginal_item_slot.iter().flatten()) {
            differ(*found, *expected);
        }
        // The first choices, as the core reports them to its callers, are the marginals of slot 0.
        for (found, row) in policy.first_card_marginals(&candidates).iter().zip(&self.marginal_item_slot) {
            differ(*found, row[0]);
        }
        for logged in &self.slates {
            let Conditionals { cards, .. } = page::conditionals(policy, &candidates, &on_one_shelf(logged.slate.clone()))?;
            differ(cards[0].iter().product(), logged.joint);
            for (found, expected) in cards[0].iter().zip(&logged.conditional) {
                differ(*found, *expected);
            }
        }
        if let Some(greedy) = &self.greedy {
            let best = page::conditionals(Policy::Greedy, &candidates, &on_one_shelf(greedy.clone()))?;
            differ(best.joint(), 1.0);
        }
        Ok(worst)
    }
}
