//! What one thread adds up, and how threads' parts become one answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::plan::{ACTION, POSITION, PROPENSITY, Plan, REWARD, SHELF, fold, hashed};
use super::{Answer, BLOCKS, Block, MAX_SLICES, ModelChoice, Sums, TargetAnswer};
use crate::error::LabError;
use crate::evaluate::estimator::Row;
use crate::evaluate::exact::ExactSum;
use crate::evaluate::interval::Unit;
use crate::evaluate::model::Ridge;
use crate::evaluate::target::Target;
use crate::logs::Place;
use crate::logs::check::Findings;
use crate::logs::parquet::{Batch, LogFile};

/// What one thread adds up.
pub(super) struct Part {
    pub(super) rows: u64,
    pub(super) pending: u64,
    pub(super) identified: u64,
    pub(super) findings: Findings,
    pub(super) logging: BTreeMap<String, u64>,
    /// Slices met, by value: where their sums stand.
    pub(super) slices: BTreeMap<Vec<String>, usize>,
    /// Sums by slice and target.
    pub(super) sums: Vec<Vec<Sums>>,
    /// By target and estimator.
    pub(super) blocks: Vec<Vec<Vec<Block>>>,
    pub(super) calibration: HashMap<i32, (u64, ExactSum, ExactSum)>,
    pub(super) scratch: [Vec<f64>; 3],
}

impl Part {
    pub(super) fn new(plan: &Plan) -> Self {
        let blocks = if plan.settings.blocks { BLOCKS } else { 0 };
        let of_target = vec![vec![Block::default(); blocks]; plan.estimators.len()];
        Self {
            rows: 0,
            pending: 0,
            identified: 0,
            findings: Findings::default(),
            logging: BTreeMap::new(),
            slices: BTreeMap::new(),
            sums: Vec::new(),
            blocks: vec![of_target; plan.settings.targets.len()],
            calibration: HashMap::new(),
            scratch: Default::default(),
        }
    }

    pub(super) fn add(&mut self, plan: &Plan, model: &Ridge, doubled: &BTreeSet<Place>, batch: &Batch) -> Result<(), LabError> {
        let mut good = Vec::with_capacity(batch.rows);
        for row in 0..batch.rows {
            self.identified += u64::from(plan.id.is_some_and(|id| batch.words[id][row].is_some()));
            if let Some((kind, found)) = plan.wrong(batch, row) {
                self.findings.add(kind, || batch.place(row), || found);
            } else if !doubled.is_empty() && doubled.contains(&batch.place(row)) {
                // Named already.
            } else if batch.numbers[REWARD].is_missing(row) {
                self.pending += 1;
            } else {
                good.push(row);
            }
        }
        self.rows += good.len() as u64;
        self.count_policies(plan, batch, &good);
        let sorted = self.by_slice(plan, batch, good)?;
        let keys: Vec<u64> = if plan.settings.blocks || plan.settings.model == ModelChoice::Ridge {
            sorted.iter().flat_map(|(_, rows)| rows).map(|row| plan.key(batch, *row)).collect()
        } else {
            Vec::new()
        };
        if plan.wanted.candidates {
            sorted.iter().flat_map(|(_, rows)| rows).for_each(|row| self.calibrate(batch, *row));
        }
        for (number, target) in plan.settings.targets.iter().enumerate() {
            let mut at = 0;
            for (slice, rows) in &sorted {
                let fold_of = |i: usize| keys.get(at + i).map_or(0, |key| fold(*key));
                let mut missed = plan.wanted.candidates.then(ExactSum::default);
                let of: Vec<Row> = rows
                    .iter()
                    .enumerate()
                    .map(|(i, row)| row_of(plan, model, (number, target), batch, *row, fold_of(i), &mut missed))
                    .collect();
                let sums = &mut self.sums[*slice][number];
                self.scratch[0].clear();
                self.scratch[0].extend(of.iter().map(|row| row.weight));
                sums.weights.add_all(&self.scratch[0]);
                sums.estimators.iter_mut().for_each(|sums| sums.add_all(&of, &mut self.scratch));
                if let Some(missed) = missed {
                    sums.unsupported.get_or_insert_default().merge(&missed);
                }
                if plan.settings.blocks {
                    for (estimator, blocks) in plan.estimators.iter().zip(&mut self.blocks[number]) {
                        for (row, key) in of.iter().zip(&keys[at..]) {
                            if let Some(unit) = estimator.unit(row) {
                                let block = &mut blocks[*key as usize % BLOCKS];
                                block.numerator.add(unit.numerator);
                                block.denominator.add(unit.denominator);
                                block.control.add(unit.control);
                            }
                        }
                    }
                }
                at += rows.len();
            }
        }
        Ok(())
    }

    pub(super) fn count_policies(&mut self, plan: &Plan, batch: &Batch, good: &[usize]) {
        if let Some(name) = &plan.only_policy {
            *self.logging.entry(name.clone()).or_default() += good.len() as u64;
            return;
        }
        let Some(policy) = plan.policy else { return };
        let mut last: Option<(&[u8], u64)> = None;
        let mut runs: Vec<(&[u8], u64)> = Vec::new();
        for row in good {
            let name = batch.words[policy][*row].as_ref().map_or(&b""[..], |name| name.data());
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

    /// The good rows of a batch by slice; new slices get sums of their own.
    pub(super) fn by_slice(
        &mut self,
        plan: &Plan,
        batch: &Batch,
        good: Vec<usize>,
    ) -> Result<Vec<(usize, Vec<usize>)>, LabError> {
        if plan.slices.is_empty() {
            let slice = self.slice(plan, Vec::new())?;
            return Ok(vec![(slice, good)]);
        }
        // Slices met in this batch by the raw values of their columns; words only turn into strings once.
        let mut met: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut raw = Vec::new();
        // A single column of small whole numbers needs no hashing: where each stands, once it is met.
        let mut small = [usize::MAX; 256];
        let single = if let [(false, at)] = plan.slices[..] { Some(at) } else { None };
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); self.sums.len()];
        for row in good {
            let place = single.map(|at| batch.numbers[at].values[row]).filter(|x| (0.0..256.0).contains(x) && x.fract() == 0.0);
            if let Some(slice) = place.map(|x| small[x as usize]).filter(|slice| *slice < rows.len()) {
                rows[slice].push(row);
                continue;
            }
            raw.clear();
            raw.extend(plan.slices.iter().map(|(words, at)| {
                if *words {
                    batch.words[*at][row].as_ref().map_or(0, |word| hashed(word.data()))
                } else {
                    batch.numbers[*at].values[row].to_bits()
                }
            }));
            let slice = match met.get(&raw) {
                Some(slice) => *slice,
                None => {
                    let value = |(words, at): &(bool, usize)| {
                        if *words {
                            batch.words[*at][row]
                                .as_ref()
                                .map_or(String::new(), |word| String::from_utf8_lossy(word.data()).into_owned())
                        } else {
                            batch.numbers[*at].values[row].to_string()
                        }
                    };
                    let slice = self.slice(plan, plan.slices.iter().map(value).collect())?;
                    met.insert(raw.clone(), slice);
                    slice
                }
            };
            if let Some(x) = place {
                small[x as usize] = slice;
            }
            rows.resize(self.sums.len(), Vec::new());
            rows[slice].push(row);
        }
        Ok(rows.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()).collect())
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
        for (mine, theirs) in self.blocks.iter_mut().flatten().flatten().zip(other.blocks.iter().flatten().flatten()) {
            mine.numerator.merge(&theirs.numerator);
            mine.denominator.merge(&theirs.denominator);
            mine.control.merge(&theirs.control);
        }
        for (action, (taken, expected, variance)) in other.calibration {
            let mine = self.calibration.entry(action).or_default();
            mine.0 += taken;
            mine.1.merge(&expected);
            mine.2.merge(&variance);
        }
    }

    pub(super) fn answer(self, files: &[LogFile], plan: &Plan) -> Answer {
        let units = |blocks: &Vec<Block>| {
            let filled = blocks.iter().filter(|block| block.denominator.value() != 0.0 || block.numerator.value() != 0.0);
            filled
                .map(|b| Unit { numerator: b.numerator.value(), denominator: b.denominator.value(), control: b.control.value() })
                .collect()
        };
        let target = |number: usize| {
            let mut all = Sums::new(&plan.estimators);
            self.sums.iter().for_each(|of| all.merge(&of[number]));
            let slices = if plan.slices.is_empty() {
                BTreeMap::new()
            } else {
                self.slices.iter().map(|(values, at)| (values.clone(), self.sums[*at][number].clone())).collect()
            };
            let name = plan.settings.targets[number].to_string();
            TargetAnswer { name, all, slices, units: self.blocks[number].iter().map(units).collect() }
        };
        Answer {
            files: files.iter().map(|file| (file.path().to_path_buf(), file.rows())).collect(),
            rows: self.rows,
            pending: self.pending,
            identified: self.identified,
            left_out: plan.left_out.clone(),
            targets: (0..plan.settings.targets.len()).map(target).collect(),
            calibration: self.calibration.iter().map(|(a, (n, e, v))| (*a, (*n, e.value(), v.value()))).collect(),
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
    let context: Vec<String> = plan.tables[number]
        .iter()
        .map(|at| batch.words[*at][row].as_ref().map_or(String::new(), |word| String::from_utf8_lossy(word.data()).into_owned()))
        .collect();
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
    let plain = Row::new(chance / propensity, value(REWARD));
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
