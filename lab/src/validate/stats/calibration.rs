//! Whether actions are taken as often as their logged probabilities say.

use crate::validate::source::Cell;

use super::as_number;

/// Classes of probabilities: from 1 down by halves; the last one holds the rest.
const CLASSES: usize = 20;

/// Candidates whose probabilities are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Class {
    /// Candidates, of all rows.
    pub candidates: u64,
    /// How often one of them was taken.
    pub taken: u64,
    /// How often that was to be expected: the sum of their probabilities.
    pub expected: f64,
    /// The largest variance that the number of takings may have: the sum of p (1 - p). The candidates of one row exclude each other, which
    /// makes the true one smaller.
    pub variance: f64,
}

/// Probabilities beside what was taken, in classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    classes: [Class; CLASSES],
}

impl Calibration {
    /// Adds a row: the probability of each candidate and the place of the one that was taken.
    pub(super) fn add(&mut self, probabilities: &[Cell<'_>], taken: usize) {
        for (place, cell) in probabilities.iter().enumerate() {
            let Some(p) = as_number(cell).filter(|p| (0.0..=1.0).contains(p)) else { continue };
            // 1 to 1/2, 1/2 to 1/4...
            let halves = if p > 0.0 { (-libm::log2(p)) as usize } else { CLASSES };
            let class = &mut self.classes[halves.min(CLASSES - 1)];
            class.candidates += 1;
            class.taken += u64::from(place == taken);
            class.expected += p;
            class.variance += p * (1.0 - p);
        }
    }

    /// Adds what another holds.
    pub(super) fn merge(&mut self, other: &Calibration) {
        for (class, more) in self.classes.iter_mut().zip(&other.classes) {
            class.candidates += more.candidates;
            class.taken += more.taken;
            class.expected += more.expected;
            class.variance += more.variance;
        }
    }

    /// Each class with the largest probability in it.
    pub fn classes(&self) -> impl Iterator<Item = (f64, &Class)> {
        self.classes.iter().enumerate().map(|(place, class)| (libm::exp2(-(place as f64)), class))
    }
}
