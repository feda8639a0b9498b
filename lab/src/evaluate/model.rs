//! Cross-fitted reward models: what a row is predicted never saw the row.

use std::collections::HashMap;

use super::exact::ExactSum;

/// Folds of the decisions.
pub const FOLDS: usize = 5;
/// Rows with which a card at a position is drawn towards the mean of the position.
pub const PENALTY: f64 = 10.0;

/// Ridge regression of the reward on (position, action) indicators around the position's mean, fitted on all folds but one.
///
/// With one indicator for each row the ridge solution is the shrunken mean (sum of r + penalty m) / (n + penalty), m the mean of the position: no
/// iteration, and counts and sums that merge exactly.
///
/// # References
/// V. Chernozhukov, D. Chetverikov, M. Demirer et al. (2018), "Double/debiased machine learning", Econometrics Journal 21(1): cross-fitting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RidgeSums {
    /// By fold, position and action: rows and sum of rewards.
    cells: HashMap<(usize, i32, i32), (u64, ExactSum)>,
}

impl RidgeSums {
    /// Adds a row of a fold.
    pub fn add(&mut self, fold: usize, position: i32, action: i32, reward: f64) {
        let (rows, sum) = self.cells.entry((fold, position, action)).or_default();
        *rows += 1;
        sum.add(reward);
    }

    /// Adds the rows of another.
    pub fn merge(&mut self, other: &Self) {
        for (cell, (more, other)) in &other.cells {
            let (rows, sum) = self.cells.entry(*cell).or_default();
            *rows += more;
            sum.merge(other);
        }
    }

    /// The models, one for each fold left out.
    #[must_use]
    pub fn fit(&self) -> Ridge {
        let mut models = Vec::new();
        for fold in 0..FOLDS {
            let mut cells: HashMap<(i32, i32), (u64, ExactSum)> = HashMap::new();
            let mut positions: HashMap<i32, (u64, ExactSum)> = HashMap::new();
            // Exact sums commute: the order of the walk does not show.
            for ((_, position, action), (rows, sum)) in self.cells.iter().filter(|((of, _, _), _)| *of != fold) {
                for entry in [cells.entry((*position, *action)).or_default(), positions.entry(*position).or_default()] {
                    entry.0 += rows;
                    entry.1.merge(sum);
                }
            }
            let means: HashMap<i32, f64> = positions.iter().map(|(at, (rows, sum))| (*at, sum.value() / *rows as f64)).collect();
            let of = |(at, action): &(i32, i32), (rows, sum): &(u64, ExactSum)| {
                let mean = means.get(at).copied().unwrap_or(0.0);
                ((*at, *action), (sum.value() + PENALTY * mean) / (*rows as f64 + PENALTY))
            };
            let cells = cells.iter().map(|(cell, sums)| of(cell, sums)).collect();
            models.push((cells, means));
        }
        Ridge { models }
    }
}

/// Predictions by action and position.
type Predictions = (HashMap<(i32, i32), f64>, HashMap<i32, f64>);

/// The fitted models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ridge {
    models: Vec<Predictions>,
}

impl Ridge {
    /// What the model that never saw `fold` predicts of a card at a position: the mean of the position for a card it never saw, 0 for a
    /// position it never saw.
    #[must_use]
    pub fn predict(&self, fold: usize, position: i32, action: i32) -> f64 {
        let Some((cells, means)) = self.models.get(fold) else { return 0.0 };
        cells.get(&(position, action)).or_else(|| means.get(&position)).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::estimator::{Estimator, Row};

    #[test]
    fn cells_are_drawn_towards_their_position() {
        let mut sums = RidgeSums::default();
        (0..10).for_each(|i| sums.add(1, 0, 7, f64::from(i % 2)));
        (0..30).for_each(|_| sums.add(2, 0, 8, 0.0));
        let model = sums.fit();
        // 5 plays in 40 rows; card 7: (5 + 10 / 8) / 20.
        assert_eq!(model.predict(0, 0, 7), 6.25 / 20.0);
        assert_eq!(model.predict(0, 0, 9), 0.125);
        assert_eq!(model.predict(0, 1, 7), 0.0);
        // Fold 1 is left out of its own model.
        assert_eq!(model.predict(1, 0, 7), 0.0);
        assert_eq!(model.predict(2, 0, 8), 0.5);
    }

    #[test]
    fn cross_fitted_dr_is_unbiased_exactly_and_a_model_that_saw_the_row_is_not() {
        // One context, three cards, rewards 0 or 1; logs of two rows, one in each fold: all 36 of them, with their probabilities.
        let (logging, target, chances) = ([0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.2, 0.5, 0.9]);
        let value: f64 = (0..3).map(|a| target[a] * chances[a]).sum();
        let outcomes: Vec<(f64, usize, f64)> =
            (0..3).flat_map(|a| [(logging[a] * chances[a], a, 1.0), (logging[a] * (1.0 - chances[a]), a, 0.0)]).collect();
        let (mut crossed, mut own) = (0.0, 0.0);
        for first in &outcomes {
            for second in &outcomes {
                let mut sums = RidgeSums::default();
                let rows = [(0, first), (1, second)];
                rows.iter().for_each(|(fold, (_, a, r))| sums.add(*fold, 0, *a as i32, *r));
                let model = sums.fit();
                let estimate = |other: bool| {
                    let of = |(fold, (_, a, r)): &(usize, &(f64, usize, f64))| {
                        let q = |c: usize| model.predict(if other { *fold } else { 1 - *fold }, 0, c as i32);
                        let expected = (0..3).map(|c| target[c] * q(c)).sum();
                        Estimator::DoublyRobust.term(&Row::new(target[*a] / logging[*a], *r).with_model(q(*a), expected))
                    };
                    rows.iter().map(of).sum::<f64>() / 2.0
                };
                crossed += first.0 * second.0 * estimate(true);
                own += first.0 * second.0 * estimate(false);
            }
        }
        assert!((crossed - value).abs() < 1e-14, "{crossed} {value}");
        assert!((own - value).abs() > 1e-3, "{own} {value}");
    }

    #[test]
    fn merged_sums_are_those_of_all_rows() {
        let row = |i: i32| (i as usize % FOLDS, i % 3, i % 7, f64::from(i) / 10.0);
        let (mut all, mut left, mut right) = (RidgeSums::default(), RidgeSums::default(), RidgeSums::default());
        for i in 0..200 {
            let (fold, position, action, reward) = row(i);
            all.add(fold, position, action, reward);
            (if i % 4 == 1 { &mut left } else { &mut right }).add(fold, position, action, reward);
        }
        right.merge(&left);
        assert_eq!(right.fit(), all.fit());
    }
}
