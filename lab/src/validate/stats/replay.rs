//! Logged propensities beside those of the policy that is said to have made them.

use std::sync::Arc;

use super::{as_number, label};
use crate::evaluate::target::Target;
use crate::validate::source::Cell;

use super::propensities::Broken;

/// How far apart a logged propensity and the recomputed one may lie, relative to the larger: they are often kept in 32 bits.
const TOLERANCE: f64 = 1e-5;

/// The logging policy, and how far the log agrees with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    policy: Arc<Target>,
    /// Columns of context that the policy reads, or the column that holds its probability.
    reads: Vec<String>,
    places: Vec<Option<usize>>,
    position: Option<usize>,
    /// Rows that could be compared.
    pub compared: u64,
    /// Rows that say something else.
    pub differ: Broken,
    /// What the first of them says, and what the policy says.
    pub first: Option<(f64, f64)>,
}

impl Replay {
    /// Nothing compared yet.
    #[must_use]
    pub fn new(policy: Arc<Target>) -> Self {
        let reads = match &*policy {
            Target::Table(table) => table.context.clone(),
            _ => policy.column().into_iter().collect(),
        };
        Self { policy, reads, places: Vec::new(), position: None, compared: 0, differ: Broken::default(), first: None }
    }

    /// The policy as it was named.
    #[must_use]
    pub fn policy(&self) -> String {
        self.policy.to_string()
    }

    pub(super) fn meet(&mut self, names: &[String]) {
        let place = |name: &str| names.iter().position(|known| known == name);
        self.places = self.reads.iter().map(|name| place(name)).collect();
        self.position = place("position");
    }

    /// Compares a row, the `row`th from 0.
    pub(super) fn add(
        &mut self,
        row: u64,
        cells: &[Cell<'_>],
        propensity: Option<&Cell<'_>>,
        action: Option<&Cell<'_>>,
        candidates: Option<&Cell<'_>>,
    ) {
        let Some(logged) = propensity.and_then(as_number) else { return };
        let Some(replayed) = self.probability(cells, action, candidates) else { return };
        self.compared += 1;
        if (logged - replayed).abs() > TOLERANCE * logged.abs().max(replayed) {
            self.differ.note(row);
            self.first.get_or_insert((logged, replayed));
        }
    }

    /// The policy's probability of the logged action, where the row says enough.
    fn probability(&self, cells: &[Cell<'_>], action: Option<&Cell<'_>>, candidates: Option<&Cell<'_>>) -> Option<f64> {
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place));
        match &*self.policy {
            // A log agrees with itself.
            Target::Logging => None,
            Target::Uniform => match candidates {
                Some(Cell::List { items, .. }) if !items.is_empty() => Some(1.0 / items.len() as f64),
                _ => None,
            },
            Target::Scored(_) => as_number(cell(*self.places.first()?)?),
            Target::Table(table) => {
                let whole = |cell: Option<&Cell<'_>>| match cell {
                    Some(Cell::Int(number)) => i32::try_from(*number).ok(),
                    _ => None,
                };
                let context: Option<Vec<String>> = self
                    .places
                    .iter()
                    .map(|place| {
                        let mut text = String::new();
                        label(cell(*place)?, &mut text);
                        Some(text)
                    })
                    .collect();
                Some(table.of(&context?, whole(cell(self.position)).unwrap_or(0), whole(action)?))
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Replay, before: u64) {
        self.compared += other.compared;
        self.differ.merge(&other.differ, before);
        self.first = self.first.or(other.first);
    }
}
