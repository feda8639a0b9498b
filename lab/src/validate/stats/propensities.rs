//! What must hold of the probabilities in a decision log.

use super::{Calibration, as_number};
use crate::validate::sketch::Moments;
use crate::validate::source::Cell;

/// How far apart two probabilities that should be equal may lie: they are often kept in 32 bits, or with six digits.
const TOLERANCE: f64 = 1e-5;

/// Rows that break a rule: how many, and the first one, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Broken {
    /// How many rows.
    pub rows: u64,
    /// The first of them, from 1; 0 when there is none.
    pub first: u64,
}

impl Broken {
    pub(super) fn note(&mut self, row: u64) {
        self.rows += 1;
        if self.first == 0 {
            self.first = row + 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Broken, before: u64) {
        if self.first == 0 && other.first > 0 {
            self.first = other.first + before;
        }
        self.rows += other.rows;
    }
}

/// Sums over the probabilities of a decision log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Propensities {
    /// Rows looked at.
    pub rows: u64,
    /// Propensities.
    pub logged: Moments,
    /// The logged propensity is absent or no number.
    pub missing: Broken,
    /// It is not in (0, 1].
    pub out_of_range: Broken,
    /// One of the probabilities of all candidates is not in [0, 1].
    pub candidate_out_of_range: Broken,
    /// They do not add up to 1.
    pub sum: Broken,
    /// There are not as many as candidates.
    pub length: Broken,
    /// The logged action is not among the candidates.
    pub not_a_candidate: Broken,
    /// Its probability there is not the logged propensity.
    pub disagree: Broken,
    /// Weights of the target policy: target over logged propensity.
    pub target: Moments,
    /// Weights of the policy that takes each candidate equally often: 1 over (number of candidates times propensity).
    pub uniform: Moments,
    /// Target propensities above 0 where the logged one is 0.
    pub no_support: Broken,
    /// Whether actions are taken as often as the probabilities say.
    pub calibration: Calibration,
}

impl Propensities {
    /// Adds a row, the `row`th from 0.
    pub fn add(
        &mut self,
        row: u64,
        propensity: Option<&Cell<'_>>,
        target: Option<&Cell<'_>>,
        action: Option<&Cell<'_>>,
        candidates: Option<&Cell<'_>>,
        probabilities: Option<&Cell<'_>>,
    ) {
        self.rows += 1;
        let logged = propensity.map(as_number);
        let mut usable = None;
        match logged {
            Some(Some(p)) if p > 0.0 && p <= 1.0 => {
                self.logged.add(p);
                usable = Some(p);
            }
            Some(Some(p)) => {
                self.out_of_range.note(row);
                if p == 0.0 && target.and_then(as_number).is_some_and(|target| target > 0.0) {
                    self.no_support.note(row);
                }
            }
            Some(None) => self.missing.note(row),
            None => {}
        }
        if let (Some(p), Some(target)) = (usable, target.and_then(as_number)) {
            self.target.add(target / p);
        }
        let list = |cell: Option<&Cell<'_>>| match cell {
            Some(Cell::List { items, .. }) => Some(items.len()),
            _ => None,
        };
        if let (Some(p), Some(count @ 1..)) = (usable, list(candidates).or_else(|| list(probabilities))) {
            self.uniform.add(1.0 / (count as f64 * p));
        }
        let place = self.place(row, action, candidates);
        let Some(Cell::List { items, .. }) = probabilities else { return };
        let mut sum = 0.0;
        let mut outside = false;
        for item in *items {
            let p = as_number(item).unwrap_or(f64::NAN);
            outside |= !(0.0..=1.0 + TOLERANCE).contains(&p);
            sum += p;
        }
        if outside {
            self.candidate_out_of_range.note(row);
        } else if (sum - 1.0).abs() > TOLERANCE * (items.len() as f64).max(1.0) {
            self.sum.note(row);
        }
        if let (Some(place), false) = (place, outside) {
            self.calibration.add(items, place);
        }
        if list(candidates).is_some_and(|count| count != items.len()) {
            self.length.note(row);
        } else if let (Some(place), Some(p)) = (place, usable) {
            let agree = items.get(place).and_then(as_number).is_some_and(|beside| (beside - p).abs() <= TOLERANCE);
            if !agree {
                self.disagree.note(row);
            }
        }
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Propensities) {
        let before = self.rows;
        self.missing.merge(&other.missing, before);
        self.out_of_range.merge(&other.out_of_range, before);
        self.candidate_out_of_range.merge(&other.candidate_out_of_range, before);
        self.sum.merge(&other.sum, before);
        self.length.merge(&other.length, before);
        self.not_a_candidate.merge(&other.not_a_candidate, before);
        self.disagree.merge(&other.disagree, before);
        self.no_support.merge(&other.no_support, before);
        self.rows += other.rows;
        self.logged.merge(&other.logged);
        self.target.merge(&other.target);
        self.uniform.merge(&other.uniform);
        self.calibration.merge(&other.calibration);
    }

    /// Where the logged action stands among the candidates.
    fn place(&mut self, row: u64, action: Option<&Cell<'_>>, candidates: Option<&Cell<'_>>) -> Option<usize> {
        let (Some(action), Some(Cell::List { items, .. })) = (action, candidates) else { return None };
        if *action == Cell::Missing {
            return None;
        }
        let place = items.iter().position(|item| item == action);
        if place.is_none() {
            self.not_a_candidate.note(row);
        }
        place
    }
}
