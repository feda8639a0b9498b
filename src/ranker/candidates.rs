//! Logits, pins and bars from scores, page and history.

use std::borrow::Cow;

use super::{OpenDecision, Ranker};
use crate::bundle::{PolicyKind, PolicySettings};
use crate::error::Error;
use crate::log::DecisionId;
use crate::math::{falling, ln, logit, sigmoid};
use crate::page::{CardHandle, Page, ShelfHandle};
use crate::policy::Along;
use ears_kernels::largest_at;

/// Power to which the listener's willingness for a shelf's kind enters the odds of the shelf. What they play from a kind has taught the
/// scores of its cards already: on the demo world 1 costs 3 % of the streams against 0, and 0.25 nothing that could be measured.
const WILLINGNESS_SHARE: f64 = 0.25;

/// What an earlier part of the same page showed.
#[derive(Clone, Debug, Default)]
pub(super) struct Above {
    pub(super) shelves: Vec<ShelfHandle>,
    pub(super) cards: Vec<CardHandle>,
}

/// Logits of one way to order a page.
struct Lists {
    shelves: Vec<f64>,
    cards: Vec<f64>,
    /// Chance that something on each shelf is played.
    values: Vec<f64>,
    /// For each shelf, the card with the best score, and the chance that any card is played.
    best: Vec<Option<(usize, f64)>>,
}

impl Ranker {
    /// What the page that grows from decision `id` shows already.
    pub(super) fn above(&self, id: DecisionId) -> Result<Above, Error> {
        if let Some(open) = self.open.iter().rev().find(|open| open.id == id) {
            return Ok(open.shown());
        }
        let record = self.log.find(id).ok_or_else(|| {
            Error::event("unknown_decision", "expected the decision that the page grows from, got one that is not in the log")
        })?;
        Ok(Above {
            shelves: record.shelves.iter().map(|shelf| shelf.shelf).collect(),
            cards: record.shelves.iter().flat_map(|shelf| &shelf.cards).map(|card| card.card).collect(),
        })
    }

    /// Fills the candidates of a scored page: what the policy chooses from.
    pub(super) fn candidates(&self, page: &Page, settings: &PolicySettings, open: &mut OpenDecision) {
        let mut barred = Vec::new();
        if self.history.cards.len() > 0 {
            barred.extend(open.cards.iter().map(|card| self.history.is_hidden(*card)));
            if !barred.contains(&true) {
                barred.clear();
            }
        }
        let willing = |shelf: &ShelfHandle| self.history.willingness(self.catalogue.shelf(*shelf).kind, open.at);
        open.willingness = open.shelves.iter().map(willing).collect();
        let lists = self.lists(settings.kind, settings, open, &barred);
        let baseline = (settings.baseline_share > 0.0).then(|| self.lists(settings.fallen_back().kind, settings, open, &barred));
        let fixed_shelves = page.shelves.iter().enumerate().filter(|(_, shelf)| shelf.fixed);
        let candidates = &mut open.candidates;
        candidates.shelf_pins = fixed_shelves.map(|(s, _)| (s as u32, s as u32)).collect();
        for (s, shelf) in page.shelves.iter().enumerate() {
            for (position, place) in page.cards[shelf.cards.clone()].iter().enumerate() {
                if place.fixed {
                    candidates.card_pins.push((s as u32, position as u32, position as u32));
                }
            }
        }
        if settings.kind == PolicyKind::Thompson {
            candidates.card_spread = open.spread.iter().map(|sd| settings.alpha * sd).collect();
            // A shelf stands for its best card, a share p / V of its log-odds: d logit V / d score for V = 1 - (1 - p) rest.
            let spread = |(at, value): (usize, f64)| (sigmoid(open.scores[at]) / value).min(1.0) * candidates.card_spread[at];
            candidates.shelf_spread = lists.best.iter().map(|best| best.map_or(0.0, spread)).collect();
        }
        candidates.shelf_logits = lists.shelves;
        candidates.card_logits = lists.cards;
        if let Some(baseline) = baseline {
            candidates.baseline_shelves = baseline.shelves;
            candidates.baseline_cards = baseline.cards;
        }
        candidates.barred = barred;
        candidates.show_once = settings.show_once;
        candidates.before = (open.cards.len()..open.cards.len() + open.above.cards.len()).map(|at| at as u32).collect();
        let cards = || open.cards.iter().chain(&open.above.cards);
        if settings.show_once {
            candidates.identity = cards().map(|card| card.0).collect();
        }
        if settings.diversity > 0.0 || settings.calibration > 0.0 {
            // Score units become logits as scores do.
            let unit =
                if matches!(settings.kind, PolicyKind::PlackettLuce | PolicyKind::Softmax) { settings.temperature } else { 1.0 };
            candidates.along = Along {
                diversity: settings.diversity / unit,
                calibration: settings.calibration / unit,
                wanted: if settings.calibration > 0.0 { self.history.family_mix(open.at) } else { Vec::new() },
            };
            candidates.artist = cards().map(|card| self.catalogue.registered(*card).artist).collect();
            candidates.family = cards().map(|card| self.catalogue.registered(*card).family).collect();
        }
        open.values = lists.values;
        open.best = lists.best;
    }

    fn lists(&self, kind: PolicyKind, settings: &PolicySettings, open: &OpenDecision, barred: &[bool]) -> Lists {
        let visible = open.candidates.visible.cards;
        let popularity = |card: &CardHandle| f64::from(self.catalogue.card(*card).popularity.unwrap_or(0.0));
        // What chances are made of, where it is not the scores.
        let mut values: Option<Vec<f64>> = match kind {
            PolicyKind::LinUcb => {
                Some(open.scores.iter().zip(&open.spread).map(|(score, sd)| score + settings.alpha * sd).collect())
            }
            PolicyKind::Popularity => Some(open.cards.iter().map(popularity).collect()),
            _ => None,
        };
        let cards = values.as_ref().unwrap_or(&open.scores).clone();
        let mut lists = Lists { shelves: Vec::new(), cards, values: Vec::new(), best: Vec::new() };
        if matches!(kind, PolicyKind::PlackettLuce | PolicyKind::Softmax | PolicyKind::SquareCb) {
            for value in &mut lists.cards {
                *value = kind.card_logit(*value, settings.temperature);
            }
        }
        // What cannot be drawn counts for nothing.
        let mut scores = Cow::Borrowed(&open.scores);
        if !barred.is_empty() {
            for values in [Some(scores.to_mut()), values.as_mut()].into_iter().flatten() {
                for (value, barred) in values.iter_mut().zip(barred) {
                    if *barred {
                        *value = f64::NEG_INFINITY;
                    }
                }
            }
        }
        let values = values.as_ref().unwrap_or(&scores);
        // Chances grow with what stands here, so that only the largest need to become chances.
        let chance = |value: f64| if kind == PolicyKind::Popularity { value } else { sigmoid(value) };
        for s in 0..open.shelves.len() {
            let range = open.candidates.cards_of(s as u32);
            if kind == PolicyKind::Fixed {
                for (place, logit) in lists.cards[range.clone()].iter_mut().enumerate() {
                    *logit = -(place as f64);
                }
            }
            let best = largest_at(&scores[range.clone()]).map(|at| range.start + at);
            let mut top = largest(&values[range], visible);
            for value in &mut top {
                *value = chance(*value);
            }
            let chance_of_any = shelf_value(&top, self.bundle.feedback.examination);
            let mut value = chance_of_any;
            if kind.is_personal() {
                // As odds, so that it stays a chance and tells shelves apart however likely a play is.
                value = sigmoid(logit(value) + WILLINGNESS_SHARE * ln(open.willingness[s] / 0.1));
            }
            lists.shelves.push(match kind {
                PolicyKind::PlackettLuce => logit(value) / settings.shelf_temperature,
                PolicyKind::Thompson => logit(value),
                PolicyKind::Softmax => value / settings.shelf_temperature,
                PolicyKind::Fixed => -(s as f64),
                _ => value,
            });
            lists.values.push(value);
            lists.best.push(best.map(|at| (at, chance_of_any)));
        }
        lists
    }
}

/// The `most` largest values above minus infinity, falling.
fn largest(values: &[f64], most: usize) -> Vec<f64> {
    let mut best: Vec<f64> = Vec::with_capacity(most.min(values.len()) + 1);
    if most <= 32 {
        let mut least = f64::NEG_INFINITY;
        for &value in values {
            if value > least {
                let place = best.partition_point(|other| *other >= value);
                best.insert(place, value);
                best.truncate(most);
                if best.len() == most {
                    least = best[most - 1];
                }
            }
        }
    } else {
        let pairs = values.iter().copied().zip(0..).filter(|(value, _)| *value > f64::NEG_INFINITY);
        best.extend(falling(pairs.collect()).into_iter().take(most).map(|index| values[index as usize]));
    }
    best
}

/// Chance that something on a shelf is played: 1 - prod (1 - examination^k p_k) over the chances of its best visible cards.
///
/// Depends on card scores only, never on the order drawn, so that the shelf's propensity stays exact.
fn shelf_value(best: &[f64], examination: f64) -> f64 {
    let mut nothing = 1.0;
    let mut seen = 1.0;
    for p in best {
        nothing *= 1.0 - seen * p;
        seen *= examination;
    }
    1.0 - nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shelf_value_is_the_chance_of_any_play() {
        let want = 1.0 - (1.0 - 0.5) * (1.0 - 0.85 * 0.2);
        assert!((shelf_value(&[0.5, 0.2], 0.85) - want).abs() < 1e-15);
        assert_eq!(shelf_value(&[], 0.85), 0.0);
    }

    #[test]
    fn the_largest_values_fall() {
        assert_eq!(largest(&[0.1, 0.5, 0.2], 2), [0.5, 0.2]);
        assert!(largest(&[], 3).is_empty());
        let many: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 100) / 1_000.0).collect();
        let want: Vec<f64> = (0..40).map(|i| f64::from(99 - i) / 1_000.0).collect();
        assert_eq!((largest(&many, 40), largest(&many, 20)), (want.clone(), want[..20].to_vec()));
    }
}
