//! What one thread adds up, and how threads' parts become one answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::blocks::{Blocks, Local};
use super::plan::{ACTION, POSITION, PROPENSITY, Plan, REWARD, SHELF, fold};
use super::sorted::Sorted;
use super::{Answer, MAX_SLICES, ModelChoice, Sums, TargetAnswer};
use crate::error::LabError;
use crate::evaluate::estimator::{Columns, Row, add_usual};
use crate::evaluate::exact::ExactSum;
use crate::evaluate::lanes;
use crate::evaluate::model::Ridge;
use crate::evaluate::target::Target;
use crate::evaluate::usual::{self, Logged, Usual};
use crate::logs::Place;
use crate::logs::check::Findings;
use crate::logs::parquet::{Batch, LogFile, Stored};

/// What one thread adds up.
pub(super) struct Part {
    pub(super) rows: u64,
    pub(super) pending: u64,
    pub(super) identified: u64,
    pub(super) findings: Findings,
    pub(super) logging: BTreeMap<String, u64>,
    /// Slices met, by value: where their sums stand.
    pub(super) slices: BTreeMap<Vec<String>, usize>,
    /// The same by bits, where slices are those of one column of numbers.
    numbered: HashMap<u64, usize>,
    /// Sums by slice and target.
    pub(super) sums: Vec<Vec<Sums>>,
    /// By target; none where nothing is resampled.
    pub(super) blocks: Vec<Blocks>,
    pub(super) calibration: HashMap<i32, (u64, ExactSum, ExactSum)>,
    room: Room,
}

/// Memory that batches use one after the other.
#[derive(Default)]
struct Room {
    good: Vec<u32>,
    sorted: Sorted,
    /// By place in the order of slices: what the rows' decisions are called.
    keys: Vec<u64>,
    local: Local,
    propensity: Vec<f64>,
    reward: Vec<f64>,
    predicted: Vec<f64>,
    chance: Vec<f64>,
    expected: Vec<f64>,
    weight: Vec<f64>,
    scratch: [Vec<f64>; 3],
    /// Target by target, the sums of each slice of a batch, and one more.
    usual: Vec<Vec<Usual>>,
}

impl Part {
    pub(super) fn new(plan: &Plan) -> Self {
        let targets = if plan.settings.blocks { plan.settings.targets.len() } else { 0 };
        Self {
            rows: 0,
            pending: 0,
            identified: 0,
            findings: Findings::default(),
            logging: BTreeMap::new(),
            slices: BTreeMap::new(),
            numbered: HashMap::new(),
            sums: Vec::new(),
            blocks: vec![Blocks::new(&plan.estimators); targets],
            calibration: HashMap::new(),
            room: Room::default(),
        }
    }

    /// Adds the rows of a batch. Within it, sums run in the order of its rows; what is added to the sums of other batches is added exactly.
    pub(super) fn add(&mut self, plan: &Plan, model: &Ridge, doubled: &BTreeSet<Place>, batch: &Batch) -> Result<(), LabError> {
        let mut room = std::mem::take(&mut self.room);
        if let Some(id) = plan.id.map(|id| &batch.words[id]).filter(|id| !id.is_blank()) {
            self.identified += (0..batch.rows).filter(|row| id.of(*row).is_some()).count() as u64;
        }
        let added = if let Some(limit) = plan.usual {
            self.add_usual(plan, limit, doubled, batch, &mut room)
        } else {
            self.keep_good(plan, doubled, batch, &mut room.good);
            room.sorted.sort(plan, batch, &room.good);
            self.add_sorted(plan, model, batch, &mut room)
        };
        self.rows += room.good.len() as u64;
        self.count_policies(plan, batch, &room.good);
        self.room = room;
        added
    }

    /// Adds the rows of a batch to the usual estimators: at once, as if all were good, and again without the bad ones where that turns out wrong.
    fn add_usual(
        &mut self,
        plan: &Plan,
        limit: f64,
        doubled: &BTreeSet<Place>,
        batch: &Batch,
        room: &mut Room,
    ) -> Result<(), LabError> {
        // Good rows stand in their order: so many of them, up to the last, are all.
        let rows = batch.rows as u32;
        if room.good.len() != batch.rows || room.good.last() != rows.checked_sub(1).as_ref() {
            room.good.clear();
            room.good.extend(0..rows);
        }
        let fine = doubled.is_empty() && plan.all_known(batch) && self.sum_usual(plan, limit, batch, room);
        if !fine {
            let batch = &batch.owned();
            self.keep_good(plan, doubled, batch, &mut room.good);
            self.sum_usual(plan, limit, batch, room);
        }
        for (i, (first, _)) in room.sorted.slices.iter().enumerate() {
            let place = self.place(plan, batch, *first)?;
            for (usual, sums) in room.usual.iter().zip(&mut self.sums[place]) {
                add_usual(&usual[i], &mut sums.weights, &mut sums.estimators);
            }
        }
        Ok(())
    }

    /// Sums the good rows of a batch by slice, and says whether they are good indeed.
    fn sum_usual(&self, plan: &Plan, limit: f64, batch: &Batch, room: &mut Room) -> bool {
        room.sorted.code(plan, batch, &room.good);
        let sorted = &room.sorted;
        let places: Vec<Option<usize>> = sorted.slices.iter().map(|(first, _)| self.known(plan, batch, *first)).collect();
        let of = |column: usize| &batch.numbers[column];
        let propensity = sorted.stretches(of(PROPENSITY), &mut room.propensity);
        let reward = sorted.stretches(of(REWARD), &mut room.reward);
        let predicted = plan.predicted.map(|column| sorted.stretches(of(column), &mut room.predicted)).unwrap_or_default();
        room.usual.resize_with(plan.scored.len(), Vec::new);
        let mut fine = true;
        for (number, (slices, (chance, expected))) in room.usual.iter_mut().zip(&plan.scored).enumerate() {
            let chance = match chance {
                Some(column) => sorted.stretches(of(*column), &mut room.chance),
                None => propensity.clone(),
            };
            let expected = match expected {
                Some(column) => sorted.stretches(of(*column), &mut room.expected),
                None => {
                    // Its estimate from the logged action, as in `add_sorted`.
                    let all = |stretches: &[&[Stored]]| stretches.concat().into_iter().map(f64::from_ne_bytes);
                    let rows = all(&chance).zip(all(&propensity)).zip(all(&predicted));
                    room.expected.clear();
                    room.expected.extend(rows.map(|((chance, propensity), predicted)| chance / propensity * predicted));
                    vec![bytemuck::cast_slice(&room.expected)]
                }
            };
            let largest = |place: &Option<usize>| place.map_or(0.0, |place| self.sums[place][number].weights.max());
            slices.clear();
            slices.extend(places.iter().map(|place| Usual::after(largest(place))));
            slices.push(Usual::default());
            let logged =
                Logged { propensity: &propensity, reward: &reward, predicted: &predicted, chance: &chance, expected: &expected };
            fine &= usual::add(&sorted.codes, logged, limit, slices);
        }
        fine
    }

    /// The rows that count.
    fn keep_good(&mut self, plan: &Plan, doubled: &BTreeSet<Place>, batch: &Batch, good: &mut Vec<u32>) {
        good.clear();
        if doubled.is_empty() && plan.all_fine(batch) {
            good.extend(0..batch.rows as u32);
            return;
        }
        for row in 0..batch.rows {
            if let Some((kind, found)) = plan.wrong(batch, row) {
                self.findings.add(kind, || batch.place(row), || found);
            } else if !doubled.is_empty() && doubled.contains(&batch.place(row)) {
                // Named already.
            } else if batch.numbers[REWARD].is_missing(row) {
                self.pending += 1;
            } else {
                good.push(row as u32);
            }
        }
    }

    fn add_sorted(&mut self, plan: &Plan, model: &Ridge, batch: &Batch, room: &mut Room) -> Result<(), LabError> {
        let sorted = &room.sorted;
        let mut places = Vec::with_capacity(sorted.slices.len());
        for (first, _) in &sorted.slices {
            places.push(self.place(plan, batch, *first)?);
        }
        room.keys.clear();
        if plan.settings.blocks || plan.settings.model == ModelChoice::Ridge {
            plan.keys(batch, &sorted.rows, &mut room.keys);
        }
        if plan.settings.blocks {
            room.local.begin(&room.keys);
        }
        if plan.wanted.candidates {
            sorted.rows.iter().for_each(|row| self.calibrate(batch, *row as usize));
        }
        let of = |column: usize| &batch.numbers[column].values[..];
        let reward = sorted.column(of(REWARD), &mut room.reward);
        let propensity = sorted.column(of(PROPENSITY), &mut room.propensity);
        let predicted = plan.predicted.map(|column| sorted.column(of(column), &mut room.predicted));
        for (number, target) in plan.settings.targets.iter().enumerate() {
            let mut missed = Vec::new();
            let (mut own_predicted, mut own_expected, mut own_marginal) = (Vec::new(), Vec::new(), Vec::new());
            let (predicted, expected) = if plan.is_plain(target) {
                let (chance, expected) = plan.scored[number];
                let chance = chance.map_or(propensity, |column| sorted.column(of(column), &mut room.chance));
                lanes::wide(
                    #[inline(always)]
                    || lanes::map2(&mut room.weight, chance, propensity, |chance, propensity| chance / propensity),
                );
                let predicted = predicted.unwrap_or(&[]);
                // Where the expectation was not logged, its estimate from the logged action takes its place: it has the same mean.
                let expected = match expected {
                    Some(column) => sorted.column(of(column), &mut room.expected),
                    None if predicted.is_empty() => &[],
                    None => {
                        lanes::map2(&mut room.expected, &room.weight, predicted, |weight, predicted| weight * predicted);
                        &room.expected
                    }
                };
                (predicted, expected)
            } else {
                room.weight.clear();
                for (_, range) in &sorted.slices {
                    let mut none = plan.wanted.candidates.then(ExactSum::default);
                    for i in range.clone() {
                        let fold = room.keys.get(i).map_or(0, |key| fold(*key));
                        let row = row_of(plan, model, (number, target), batch, sorted.rows[i] as usize, fold, &mut none);
                        room.weight.push(row.weight);
                        own_predicted.push(row.predicted);
                        own_expected.push(row.expected);
                        own_marginal.push(row.embedding_weight);
                    }
                    missed.push(none);
                }
                (&own_predicted[..], &own_expected[..])
            };
            for (i, (_, range)) in sorted.slices.iter().enumerate() {
                let part = |column: &'_ [f64]| -> Range<usize> { if column.is_empty() { 0..0 } else { range.clone() } };
                let weight = &room.weight[range.clone()];
                let columns = Columns {
                    weight,
                    reward: &reward[range.clone()],
                    predicted: &predicted[part(predicted)],
                    expected: &expected[part(expected)],
                    // Nobody reads it where columns alone say what there is: no candidates, no marginal weights.
                    embedding_weight: &own_marginal[part(&own_marginal)],
                };
                let sums = &mut self.sums[places[i]][number];
                if let Some(missed) = missed.get(i).and_then(Option::as_ref) {
                    sums.unsupported.get_or_insert_default().merge(missed);
                }
                sums.weights.add_all(weight);
                if plan.settings.blocks {
                    room.local.control(range.clone(), weight);
                }
                for (number, sums) in sums.estimators.iter_mut().enumerate() {
                    let count = sums.add_columns(&columns, &mut room.scratch);
                    if plan.settings.blocks && count < 3 {
                        let [first, second, _] = &room.scratch;
                        room.local.add(number, range.clone(), first, (count == 2).then_some(&second[..]));
                    }
                }
            }
            if let Some(blocks) = self.blocks.get_mut(number) {
                room.local.end(blocks);
            }
        }
        Ok(())
    }

    pub(super) fn count_policies(&mut self, plan: &Plan, batch: &Batch, good: &[u32]) {
        if let Some(name) = &plan.only_policy {
            *self.logging.entry(name.clone()).or_default() += good.len() as u64;
            return;
        }
        let Some(policy) = plan.policy else { return };
        let mut last: Option<(&[u8], u64)> = None;
        let mut runs: Vec<(&[u8], u64)> = Vec::new();
        for row in good {
            let name = batch.words[policy].of(*row as usize).unwrap_or_default();
            match &mut last {
                Some((same, count)) if *same == name => *count += 1,
                _ => runs.extend(last.replace((name, 1))),
            }
        }
        for (name, count) in runs.into_iter().chain(last) {
            *self.logging.entry(String::from_utf8_lossy(name).into_owned()).or_default() += count;
        }
    }

    pub(super) fn calibrate(&mut self, batch: &Batch, row: usize) {
        let action = batch.numbers[ACTION].values[row];
        for (candidate, p) in batch.candidates.of(row).iter().zip(batch.probabilities.of(row)) {
            let (taken, expected, variance) = self.calibration.entry(*candidate as i32).or_default();
            *taken += u64::from(*candidate == action);
            expected.add(*p);
            variance.add(p * (1.0 - p));
        }
    }

    /// Where the sums of the slice of a row stand.
    fn place(&mut self, plan: &Plan, batch: &Batch, row: usize) -> Result<usize, LabError> {
        if let Some(place) = self.known(plan, batch, row) {
            return Ok(place);
        }
        let place = self.slice(plan, plan.slice_of(batch, row))?;
        if let Some(bits) = plan.slice_bits(batch, row) {
            self.numbered.insert(bits, place);
        }
        Ok(place)
    }

    /// The same, if it was met.
    fn known(&self, plan: &Plan, batch: &Batch, row: usize) -> Option<usize> {
        match plan.slice_bits(batch, row) {
            Some(bits) => self.numbered.get(&bits).copied(),
            None => self.slices.get(&plan.slice_of(batch, row)).copied(),
        }
    }

    pub(super) fn slice(&mut self, plan: &Plan, values: Vec<String>) -> Result<usize, LabError> {
        let next = self.slices.len();
        let slice = *self.slices.entry(values).or_insert(next);
        if slice == self.sums.len() {
            if slice >= MAX_SLICES {
                let of = plan.settings.slices.join(", ");
                return Err(LabError::unreadable(format!("expected up to {MAX_SLICES} slices, found more values of {of}")));
            }
            self.sums.push(plan.settings.targets.iter().map(|_| Sums::new(&plan.estimators)).collect());
        }
        Ok(slice)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.pending += other.pending;
        self.identified += other.identified;
        self.findings.merge(other.findings);
        for (name, rows) in other.logging {
            *self.logging.entry(name).or_default() += rows;
        }
        for (values, at) in other.slices {
            let next = self.slices.len();
            let slice = *self.slices.entry(values).or_insert(next);
            if slice == self.sums.len() {
                self.sums.push(other.sums[at].clone());
            } else {
                self.sums[slice].iter_mut().zip(&other.sums[at]).for_each(|(a, b)| a.merge(b));
            }
        }
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(mine, theirs)| mine.merge(theirs));
        for (action, (taken, expected, variance)) in other.calibration {
            let mine = self.calibration.entry(action).or_default();
            mine.0 += taken;
            mine.1.merge(&expected);
            mine.2.merge(&variance);
        }
    }

    /// By action: how often it was taken and should have been, with the variance.
    pub(super) fn calibrated(&self) -> BTreeMap<i32, (u64, f64, f64)> {
        self.calibration.iter().map(|(a, (n, e, v))| (*a, (*n, e.value(), v.value()))).collect()
    }

    pub(super) fn answer(self, files: &[LogFile], plan: &Plan) -> Answer {
        let target = |number: usize| {
            let mut all = Sums::new(&plan.estimators);
            self.sums.iter().for_each(|of| all.merge(&of[number]));
            let slices = if plan.slices.is_empty() {
                BTreeMap::new()
            } else {
                self.slices.iter().map(|(values, at)| (values.clone(), self.sums[*at][number].clone())).collect()
            };
            let name = plan.settings.targets[number].to_string();
            let units = self.blocks.get(number).map_or_else(|| vec![Vec::new(); plan.estimators.len()], Blocks::units);
            TargetAnswer { name, all, slices, units }
        };
        Answer {
            files: files.iter().map(|file| (file.path().to_path_buf(), file.rows())).collect(),
            rows: self.rows,
            pending: self.pending,
            identified: self.identified,
            left_out: plan.left_out.clone(),
            targets: (0..plan.settings.targets.len()).map(target).collect(),
            calibration: self.calibrated(),
            findings: self.findings,
            logging: self.logging,
        }
    }
}

/// What the estimators read of a row, for one target.
pub(super) fn row_of(
    plan: &Plan,
    model: &Ridge,
    (number, target): (usize, &Target),
    batch: &Batch,
    row: usize,
    fold: usize,
    missed: &mut Option<ExactSum>,
) -> Row {
    let value = |column: usize| batch.numbers[column].values[row];
    let propensity = value(PROPENSITY);
    let (chance_column, expected_column) = plan.scored[number];
    let place = |column: usize| if plan.places { value(column) as i32 } else { 0 };
    let (action, position) = (place(ACTION), place(POSITION));
    debug_assert!(!plan.places || value(SHELF) >= 0.0);
    let context: Vec<String> = plan.tables[number].iter().map(|at| batch.words[*at].text(row)).collect();
    let listed = if plan.wanted.candidates { batch.candidates.of(row) } else { &[] };
    let chance_of = |i: usize, candidate: i32| match target {
        Target::Logging => batch.probabilities.of(row)[i],
        Target::Uniform => 1.0 / listed.len() as f64,
        Target::Table(table) => table.of(&context, position, candidate),
        Target::Scored(_) => f64::NAN,
    };
    let chance = match target {
        Target::Logging => propensity,
        Target::Uniform => 1.0 / listed.len() as f64,
        Target::Scored(_) => chance_column.map_or(f64::NAN, value),
        Target::Table(table) => table.of(&context, position, action),
    };
    let mut plain = Row::new(chance / propensity, value(REWARD));
    if let Some(embeddings) = &plan.settings.embeddings {
        plain.embedding_weight = embeddings.weight(action, listed, batch.probabilities.of(row), chance_of);
    }
    if let (Some(missed), false) = (missed.as_mut(), matches!(target, Target::Scored(_))) {
        let without = batch.probabilities.of(row).iter().zip(listed).enumerate().filter(|(_, (p, _))| **p == 0.0);
        without.for_each(|(i, (_, candidate))| missed.add(chance_of(i, *candidate as i32)));
    }
    match plan.settings.model {
        ModelChoice::None => plain,
        ModelChoice::Logged => {
            let predicted = plan.predicted.map_or(0.0, value);
            // Where the expectation was not logged, its estimate from the logged action takes its place: it has the same mean.
            plain.with_model(predicted, expected_column.map_or(plain.weight * predicted, value))
        }
        ModelChoice::Ridge => {
            let q = |candidate: i32| model.predict(fold, position, candidate);
            let expected = match target {
                // Only the probability of the logged action is known.
                Target::Scored(_) => plain.weight * q(action),
                _ => listed.iter().enumerate().map(|(i, c)| chance_of(i, *c as i32) * q(*c as i32)).sum(),
            };
            plain.with_model(q(action), expected)
        }
    }
}
