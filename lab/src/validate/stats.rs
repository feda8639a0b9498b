//! What is known of a data set after one pass.

mod calibration;
mod column;
mod propensities;
mod replay;
mod slices;
mod timeline;
mod watches;

pub use calibration::{Calibration, Class};
pub use column::{ColumnStats, Kind, Sizes};
pub use propensities::{Broken, Propensities};
pub use replay::Replay;
pub use slices::{SliceColumn, SliceStats, label};
pub use timeline::{Hour, Timeline};
pub use watches::Watches;

use super::roles::{Role, Roles};
use super::sketch::{Repeats, mix};
use super::source::Cell;

/// Statistics of one data set: made row by row, or by adding up those of its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetStats {
    rows: u64,
    names: Vec<String>,
    columns: Vec<ColumnStats>,
    roles: Roles,
    declared: Vec<String>,
    /// The column of each role, and of the identity of a decision, once it is known.
    places: Places,
    repeats: Repeats,
    ids: Repeats,
    slices: Vec<SliceColumn>,
    timeline: Timeline,
    propensities: Propensities,
    watches: Watches,
    replay: Option<Replay>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Places {
    reward: Option<usize>,
    time: Option<usize>,
    id: Option<usize>,
    /// Columns that tell apart the rows of one decision.
    within: Vec<usize>,
    propensity: Option<usize>,
    target: Option<usize>,
    action: Option<usize>,
    candidates: Option<usize>,
    probabilities: Option<usize>,
}

impl DatasetStats {
    /// No rows yet. `declared` are the columns by whose values everything is also counted apart; `a*b` is a pair of them.
    #[must_use]
    pub fn new(roles: Roles, declared: &[String]) -> Self {
        Self {
            rows: 0,
            names: Vec::new(),
            columns: Vec::new(),
            roles,
            declared: declared.to_vec(),
            places: Places::default(),
            repeats: Repeats::default(),
            ids: Repeats::default(),
            slices: declared.iter().map(|name| SliceColumn::new(name)).collect(),
            timeline: Timeline::default(),
            propensities: Propensities::default(),
            watches: Watches::default(),
            replay: None,
        }
    }

    /// Counts also what a schema asks for row by row.
    #[must_use]
    pub fn watching(mut self, watches: Watches) -> Self {
        self.watches = watches;
        self
    }

    /// Compares the propensities also with those of a policy.
    #[must_use]
    pub fn replaying(mut self, replay: Option<Replay>) -> Self {
        self.replay = replay;
        self
    }

    /// Adds a row. Columns may come to the end of `names` from row to row; they keep their places.
    pub fn add(&mut self, names: &[String], cells: &[Cell<'_>]) {
        if names.len() > self.names.len() {
            self.meet(names);
        }
        let number = |place: Option<usize>| place.and_then(|place| cells.get(place)).and_then(as_number);
        let reward = number(self.places.reward);
        let (mut row, mut id, mut within) = (0_u64, None, 0_u64);
        for ((column, cell), place) in self.columns.iter_mut().zip(cells).zip(0_u64..) {
            let joint = if self.places.reward == Some(place as usize) { None } else { reward };
            let hash = column.add(cell, joint);
            row = (row ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
            if self.places.id == Some(place as usize) {
                id = (*cell != Cell::Missing).then_some(hash);
            } else if self.places.within.contains(&(place as usize)) {
                within = mix(within ^ hash);
            }
        }
        if let Some(id) = id {
            self.ids.add(mix(id ^ within));
        }
        self.repeats.add(mix(row));
        for slice in &mut self.slices {
            slice.add(cells, reward);
        }
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place));
        if let Some(time) = cell(self.places.time) {
            self.timeline.add(time, self.places.reward.map(|_| reward));
        }
        if self.places.propensity.is_some() || self.places.probabilities.is_some() {
            let places = &self.places;
            self.propensities.add(
                self.rows,
                cell(places.propensity),
                cell(places.target),
                cell(places.action),
                cell(places.candidates),
                cell(places.probabilities),
            );
        }
        if !self.watches.is_empty() {
            self.watches.add(cells);
        }
        if let Some(replay) = &mut self.replay {
            let places = &self.places;
            replay.add(self.rows, cells, cell(places.propensity), cell(places.action), cell(places.candidates));
        }
        self.rows += 1;
    }

    /// Adds the statistics of another part of the data set. Columns are matched by name.
    pub fn merge(&mut self, other: &DatasetStats) {
        let (ours, theirs) = (self.rows, other.rows);
        let names: Vec<String> =
            self.names.iter().chain(other.names.iter().filter(|name| !self.names.contains(name))).cloned().collect();
        self.meet(&names);
        for (name, column) in self.names.iter().zip(&mut self.columns) {
            match other.column(name) {
                Some(more) => column.merge(more),
                None => column.absent(theirs),
            }
        }
        self.rows = ours + theirs;
        self.repeats.merge(&other.repeats);
        self.ids.merge(&other.ids);
        for (slice, more) in self.slices.iter_mut().zip(&other.slices) {
            slice.merge(more);
        }
        self.timeline.merge(&other.timeline);
        self.propensities.merge(&other.propensities);
        self.watches.merge(&other.watches);
        if let (Some(replay), Some(more)) = (&mut self.replay, &other.replay) {
            replay.merge(more, ours);
        }
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The names of the columns, in the order in which they came.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Which columns play a part in a decision log.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The statistics of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnStats> {
        self.names.iter().position(|known| known == name).map(|place| &self.columns[place])
    }

    /// All columns with their names.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &ColumnStats)> {
        self.names.iter().map(String::as_str).zip(&self.columns)
    }

    /// The slices that were asked for.
    #[must_use]
    pub fn slices(&self) -> &[SliceColumn] {
        &self.slices
    }

    /// How often rows are repeated as a whole.
    #[must_use]
    pub fn repeats(&self) -> &Repeats {
        &self.repeats
    }

    /// How often the identities of decisions are repeated.
    #[must_use]
    pub fn ids(&self) -> &Repeats {
        &self.ids
    }

    /// Rows and rewards by the hour.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// What the propensities add up to.
    #[must_use]
    pub fn propensities(&self) -> &Propensities {
        &self.propensities
    }

    /// What a schema asked for row by row.
    #[must_use]
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// What came of comparing with a policy, when that was asked for.
    #[must_use]
    pub fn replay(&self) -> Option<&Replay> {
        self.replay.as_ref()
    }

    /// Takes in names that are new at the end.
    fn meet(&mut self, names: &[String]) {
        for name in &names[self.names.len().min(names.len())..] {
            let mut column = ColumnStats::new(Sizes::WHOLE);
            column.absent(self.rows);
            self.names.push(name.clone());
            self.columns.push(column);
        }
        for slice in &mut self.slices {
            slice.meet(&self.names);
        }
        self.watches.meet(&self.names);
        if let Some(replay) = &mut self.replay {
            replay.meet(&self.names);
        }
        let of = |role| self.names.iter().position(|name| self.roles.of(name) == Some(role));
        let all = |wanted: &[&str]| (0..self.names.len()).filter(|place| wanted.contains(&self.names[*place].as_str())).collect();
        self.places = Places {
            reward: of(Role::Reward),
            time: of(Role::Time),
            id: of(Role::Decision),
            within: all(&WITHIN),
            propensity: of(Role::Propensity),
            target: of(Role::TargetPropensity),
            action: of(Role::Action),
            candidates: of(Role::Candidates),
            probabilities: of(Role::Probabilities),
        };
    }
}

/// Names of columns that tell apart the rows of one decision.
const WITHIN: [&str; 5] = ["shelf_position", "position", "slot", "card", "action"];

/// The number that a cell holds, when it is finite.
#[must_use]
pub fn as_number(cell: &Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Cell::Int(number) => Some(*number as f64),
        Cell::Float(number) => number.is_finite().then_some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
