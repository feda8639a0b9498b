//! Sums of blocks of decisions, for the intervals that resample: rows of one decision are always in one block.

use std::ops::Range;

use super::BLOCKS;
use crate::evaluate::estimator::Estimator;
use crate::evaluate::exact::ExactSum;
use crate::evaluate::interval::Unit;

/// Sums of all blocks for one target policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blocks {
    rows: Vec<u64>,
    /// Of the weights less 1, whose mean is known to be 0.
    control: Vec<ExactSum>,
    /// By estimator: numerators, and denominators where these are not the rows.
    of: Vec<(Form, Vec<ExactSum>, Vec<ExactSum>)>,
}

/// What an estimator is, to resampling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// A sum over the rows.
    Mean,
    /// A sum over a sum.
    Ratio,
    /// No ratio of two sums.
    Neither,
}

impl Blocks {
    pub(super) fn new(estimators: &[Estimator]) -> Self {
        let form = |estimator: &Estimator| match estimator {
            Estimator::SelfNormalizedDr => Form::Neither,
            Estimator::Snips | Estimator::Ncis(_) => Form::Ratio,
            _ => Form::Mean,
        };
        Self::of_forms(&estimators.iter().map(form).collect::<Vec<_>>())
    }

    pub(super) fn of_forms(forms: &[Form]) -> Self {
        let sums = |has: bool| vec![ExactSum::default(); if has { BLOCKS } else { 0 }];
        let of = |form: &Form| (*form, sums(*form != Form::Neither), sums(*form == Form::Ratio));
        Self { rows: vec![0; BLOCKS], control: sums(true), of: forms.iter().map(of).collect() }
    }

    /// Adds one unit to a block: a term for each estimator, which counts where the estimator is a mean.
    pub(super) fn add(&mut self, block: usize, control: f64, terms: impl Iterator<Item = f64>) {
        self.rows[block] += 1;
        self.control[block].add(control);
        for ((form, numerators, _), term) in self.of.iter_mut().zip(terms) {
            if *form == Form::Mean {
                numerators[block].add(term);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let merge = |mine: &mut [ExactSum], theirs: &[ExactSum]| mine.iter_mut().zip(theirs).for_each(|(a, b)| a.merge(b));
        self.rows.iter_mut().zip(&other.rows).for_each(|(a, b)| *a += b);
        merge(&mut self.control, &other.control);
        for (mine, theirs) in self.of.iter_mut().zip(&other.of) {
            merge(&mut mine.1, &theirs.1);
            merge(&mut mine.2, &theirs.2);
        }
    }

    /// For each estimator, the blocks that hold anything; none where it cannot be resampled.
    pub(super) fn units(&self) -> Vec<Vec<Unit>> {
        let value = |sums: &[ExactSum], block: usize| sums.get(block).map_or(0.0, ExactSum::value);
        let of = |(form, numerators, denominators): &(Form, Vec<ExactSum>, Vec<ExactSum>)| {
            let unit = |block: usize| match form {
                Form::Mean => Unit {
                    numerator: value(numerators, block),
                    denominator: self.rows[block] as f64,
                    control: value(&self.control, block),
                },
                _ => Unit { numerator: value(numerators, block), denominator: value(denominators, block), control: 0.0 },
            };
            let all = (0..BLOCKS).map(unit).filter(|unit| unit.denominator != 0.0 || unit.numerator != 0.0);
            if *form == Form::Neither { Vec::new() } else { all.collect() }
        };
        self.of.iter().map(of).collect()
    }
}

/// Sums of one batch, in the order of its rows.
#[derive(Default)]
pub(super) struct Local {
    /// By place in the order of slices.
    block: Vec<u8>,
    rows: Vec<u64>,
    control: Vec<f64>,
    /// By estimator.
    of: Vec<[Vec<f64>; 2]>,
}

impl Local {
    /// Starts a batch whose rows belong to decisions with these keys.
    pub(super) fn begin(&mut self, keys: &[u64]) {
        self.block.clear();
        self.block.extend(keys.iter().map(|key| (key % BLOCKS as u64) as u8));
        self.rows.clear();
        self.rows.resize(BLOCKS, 0);
        self.block.iter().for_each(|block| self.rows[usize::from(*block)] += 1);
        self.control.resize(BLOCKS, 0.0);
    }

    /// Adds the weights of a slice's rows.
    pub(super) fn control(&mut self, range: Range<usize>, weight: &[f64]) {
        self.block[range].iter().zip(weight).for_each(|(block, weight)| self.control[usize::from(*block)] += weight - 1.0);
    }

    /// Adds a slice's rows to the sums of an estimator.
    pub(super) fn add(&mut self, estimator: usize, range: Range<usize>, numerators: &[f64], denominators: Option<&[f64]>) {
        while self.of.len() <= estimator {
            self.of.push([vec![0.0; BLOCKS], vec![0.0; BLOCKS]]);
        }
        let blocks = &self.block[range];
        let [above, below] = &mut self.of[estimator];
        blocks.iter().zip(numerators).for_each(|(block, x)| above[usize::from(*block)] += x);
        if let Some(denominators) = denominators {
            blocks.iter().zip(denominators).for_each(|(block, x)| below[usize::from(*block)] += x);
        }
    }

    /// Ends a target policy: what was added moves to `blocks`.
    pub(super) fn end(&mut self, blocks: &mut Blocks) {
        let take = |from: &mut [f64], into: &mut [ExactSum]| {
            from.iter_mut().zip(into).for_each(|(x, sum)| sum.add(std::mem::take(x)));
        };
        blocks.rows.iter_mut().zip(&self.rows).for_each(|(all, rows)| *all += rows);
        take(&mut self.control, &mut blocks.control);
        for ([above, below], (_, numerators, denominators)) in self.of.iter_mut().zip(&mut blocks.of) {
            take(above, numerators);
            take(below, denominators);
        }
    }
}
