//! Two-level Plackett-Luce: all pages of a small Home, summed and counted.

use std::path::Path;

use ears_only::page::Visible;
use ears_only::policy::{PagePolicy, Rule};
use ears_only::slate::Candidates;
use serde::Deserialize;
use serde_json::Value;

use super::Checked;
use super::page::{self, VisiblePage};
use crate::error::LabError;

#[derive(Deserialize)]
struct File {
    tolerance: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    shelf_logits: Vec<f64>,
    card_logits: Vec<Vec<f64>>,
    visible_shelves: usize,
    visible_cards: usize,
    floor_shelves: f64,
    floor_cards: f64,
    pages: u64,
    sum_over_pages: f64,
    marginal_shelf_position: Vec<Vec<f64>>,
    marginal_card: Vec<CardMarginal>,
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct CardMarginal {
    shelf: usize,
    card: usize,
    shelf_position: usize,
    card_position: usize,
    p: f64,
}

#[derive(Deserialize)]
struct Example {
    shelves: Vec<u32>,
    shelf_conditionals: Vec<f64>,
    cards: Vec<Vec<u32>>,
    card_conditionals: Vec<Vec<f64>>,
    joint: f64,
}

pub(super) fn check(path: &Path, value: Value) -> Result<Checked, LabError> {
    let file: File = serde_json::from_value(value).map_err(|error| LabError::file(path, "a two-level policy file", error))?;
    let mut worst: f64 = 0.0;
    for (number, case) in file.cases.iter().enumerate() {
        if let Some((expected, found)) = case.broken() {
            return Err(LabError::file(path, &format!("{expected} in case {number}"), found));
        }
        worst = worst.max(
            case.deviation()
                .map_err(|error| LabError::file(path, &format!("pages of the candidates in case {number}"), error))?,
        );
    }
    Ok(Checked { known: file.cases.len(), cases: file.cases.len(), worst, tolerance: file.tolerance })
}

impl Case {
    /// What is wrong with the shape of the case: what was expected, and what it has.
    fn broken(&self) -> Option<(String, String)> {
        let shelves = self.shelf_logits.len();
        let (rows, columns) = (shelves, self.visible_shelves.min(shelves));
        if shelves == 0 || self.card_logits.len() != shelves || self.card_logits.iter().any(Vec::is_empty) {
            return Some((
                format!("{shelves} (at least 1) lists of card logits, none empty"),
                self.card_logits.len().to_string(),
            ));
        }
        if self.visible_shelves == 0 || self.visible_cards == 0 {
            return Some(("visible shelves and cards".into(), format!("{} and {}", self.visible_shelves, self.visible_cards)));
        }
        if self.marginal_shelf_position.len() != rows || self.marginal_shelf_position.iter().any(|row| row.len() != columns) {
            return Some((
                format!("{rows} x {columns} shelf marginals"),
                format!("{:?}", self.marginal_shelf_position.iter().map(Vec::len).collect::<Vec<_>>()),
            ));
        }
        let outside = |m: &&CardMarginal| {
            m.shelf >= shelves
                || m.card >= self.card_logits[m.shelf].len()
                || m.shelf_position >= columns
                || m.card_position >= self.visible_cards
        };
        if let Some(m) = self.marginal_card.iter().find(outside) {
            return Some((
                "card marginals of visible places".into(),
                format!("shelf {}, card {}, positions {} and {}", m.shelf, m.card, m.shelf_position, m.card_position),
            ));
        }
        self.examples.iter().find_map(|example| {
            let full = |shelf: u32, cards: &[u32]| {
                self.card_logits.get(shelf as usize).is_some_and(|logits| cards.len() == logits.len().min(self.visible_cards))
            };
            let whole = example.shelves.len() == columns
                && example.shelf_conditionals.len() == columns
                && example.cards.len() == columns
                && example.card_conditionals.len() == columns
                && example.cards.iter().zip(&example.card_conditionals).all(|(cards, p)| cards.len() == p.len())
                && example.shelves.iter().zip(&example.cards).all(|(shelf, cards)| full(*shelf, cards));
            (!whole).then(|| ("examples that fill the visible places".into(), format!("shelves {:?}", example.shelves)))
        })
    }

    /// Largest absolute difference between the file's numbers and the core's.
    fn deviation(&self) -> Result<f64, LabError> {
        let policy = PagePolicy::of(Rule::plackett_luce(self.floor_shelves, self.floor_cards)).checked()?;
        let visible = Visible { shelves: self.visible_shelves, cards: self.visible_cards };
        let candidates = Candidates::free(self.shelf_logits.clone(), &self.card_logits, visible);
        let mut worst: f64 = 0.0;
        let mut differ = |found: f64, expected: f64| worst = worst.max((found - expected).abs());

        let (mut pages, mut sum) = (0u64, 0.0);
        let mut shelf_marginals: Vec<Vec<f64>> = self.marginal_shelf_position.iter().map(|row| vec![0.0; row.len()]).collect();
        let mut card_marginals = vec![0.0; self.marginal_card.len()];
        page::each(&candidates, &mut |page| {
            let joint = page::conditionals(policy, &candidates, page)?.joint();
            pages += 1;
            sum += joint;
            for (position, &shelf) in page.shelves.iter().enumerate() {
                shelf_marginals[shelf as usize][position] += joint;
            }
            for (wanted, marginal) in self.marginal_card.iter().zip(&mut card_marginals) {
                let holds = page.shelves.get(wanted.shelf_position) == Some(&(wanted.shelf as u32))
                    && page.cards[wanted.shelf_position].get(wanted.card_position) == Some(&(wanted.card as u32));
                if holds {
                    *marginal += joint;
                }
            }
            Ok(())
        })?;
        differ(pages as f64, self.pages as f64);
        differ(sum, self.sum_over_pages);
        for (found, expected) in shelf_marginals.iter().flatten().zip(self.marginal_shelf_position.iter().flatten()) {
            differ(*found, *expected);
        }
        for (found, wanted) in card_marginals.iter().zip(&self.marginal_card) {
            differ(*found, wanted.p);
        }
        for example in &self.examples {
            let page = VisiblePage { shelves: example.shelves.clone(), cards: example.cards.clone() };
            let found = page::conditionals(policy, &candidates, &page)?;
            differ(found.joint(), example.joint);
            for (found, expected) in found.shelves.iter().zip(&example.shelf_conditionals) {
                differ(*found, *expected);
            }
            for (found, expected) in found.cards.iter().flatten().zip(example.card_conditionals.iter().flatten()) {
                differ(*found, *expected);
            }
        }
        Ok(worst)
    }
}
