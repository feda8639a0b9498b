//! Whole pages: the rows of a decision as one slate.
//!
//! A page may cross the borders of batches and row groups. It belongs to the row group in which it begins; whoever reads that one reads on to the
//! page's end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::blocks::{Blocks, Form};
use super::part::{Part, row_of};
use super::plan::{KEYS, POSITION, Plan, REWARD, SHELF, fold, hashed};
use super::{BLOCKS, ModelChoice, Settings};
use crate::error::LabError;
use crate::evaluate::estimator::Row;
use crate::evaluate::exact::ExactSum;
use crate::evaluate::interval::Unit;
use crate::evaluate::model::{Ridge, RidgeSums};
use crate::evaluate::slate::{Place, SlateAccumulator, SlateEstimator, pseudo_inverse_weight_of_independent};
use crate::evaluate::weights::WeightSums;
use crate::logs::check::{Findings, Kind};
use crate::logs::parquet::{Batch, LogFile, Wanted};
use crate::logs::{self};

/// Most rows of one page.
pub const MAX_CARDS: usize = 64;

/// How pages are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Slates {
    /// Estimators.
    pub estimators: Vec<SlateEstimator>,
    /// Whether logging and target policies draw each position independently of the others.
    pub independent: bool,
}

/// What was added up for one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PageSums {
    /// Of the weights of whole pages.
    pub weights: WeightSums,
    /// Of the weights of single cards.
    pub cards: WeightSums,
    /// By position: of the weights of everything up to there.
    pub prefixes: Vec<WeightSums>,
    /// Of each estimator.
    pub estimators: Vec<SlateAccumulator>,
    /// Target probability of candidates that the logging policy never places, and the rows it was summed over.
    pub unsupported: Option<(ExactSum, u64)>,
}

impl PageSums {
    fn new(estimators: &[SlateEstimator], longest: usize) -> Self {
        Self {
            weights: WeightSums::default(),
            cards: WeightSums::default(),
            prefixes: vec![WeightSums::default(); longest],
            estimators: estimators.iter().map(|estimator| SlateAccumulator::new(*estimator, longest)).collect(),
            unsupported: None,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.weights.merge(&other.weights);
        self.cards.merge(&other.cards);
        self.prefixes.iter_mut().zip(&other.prefixes).for_each(|(a, b)| a.merge(b));
        self.estimators.iter_mut().zip(&other.estimators).for_each(|(a, b)| a.merge(b));
        if let Some((mass, rows)) = &other.unsupported {
            let mine = self.unsupported.get_or_insert_default();
            mine.0.merge(mass);
            mine.1 += rows;
        }
    }

    fn add(&mut self, page: &[Place]) {
        self.weights.add(page.last().map_or(1.0, |place| place.prefix_weight));
        for (place, sums) in page.iter().zip(&mut self.prefixes) {
            sums.add(place.prefix_weight);
            self.cards.add(place.position_weight);
        }
        self.estimators.iter_mut().for_each(|sums| sums.add(page));
    }
}

/// Everything added up.
#[derive(Clone, Debug, PartialEq)]
pub struct PageAnswer {
    /// Files, rows in their footers, in order of path.
    pub files: Vec<(PathBuf, u64)>,
    /// Pages that were used.
    pub pages: u64,
    /// Their rows.
    pub rows: u64,
    /// Rows of the longest page.
    pub longest: usize,
    /// Rows of pages with a reward that is not known yet; not used.
    pub pending: u64,
    /// Bad rows; not used.
    pub findings: Findings,
    /// Good rows of pages with a bad one; not used.
    pub with_bad: u64,
    /// Logging policies by number of rows.
    pub logging: BTreeMap<String, u64>,
    /// Estimators that were left out, and what they lack.
    pub left_out: Vec<(SlateEstimator, &'static str)>,
    /// For each target policy.
    pub targets: Vec<PageTarget>,
    /// How often each action was taken, and how often the logged probabilities said it would be, with its variance.
    pub calibration: BTreeMap<i32, (u64, f64, f64)>,
}

/// What was added up for one target policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PageTarget {
    /// Its name.
    pub name: String,
    /// Over all pages.
    pub all: PageSums,
    /// By the values of the slice columns at a page's first row.
    pub slices: BTreeMap<Vec<String>, PageSums>,
    /// For each estimator, blocks of pages as units; empty where it has none.
    pub units: Vec<Vec<Unit>>,
}

/// What a look at all ids says.
struct Layout {
    /// By file and group: leading rows that belong to a page begun before.
    carried: Vec<Vec<u64>>,
    longest: usize,
    /// Where a second run of rows of one page begins.
    seconds: BTreeSet<logs::Place>,
    /// Pages whose rows are scattered.
    scattered: HashSet<u64>,
}

/// Estimators that can be had, and those that cannot with what they lack.
fn choose(slates: &Slates, modelled: bool) -> (Vec<SlateEstimator>, Vec<(SlateEstimator, &'static str)>) {
    let lacks = |estimator: &SlateEstimator| match estimator {
        SlateEstimator::CascadeDr if !modelled => Some("a reward model"),
        SlateEstimator::Iips | SlateEstimator::SnIips | SlateEstimator::PseudoInverse | SlateEstimator::SnPseudoInverse
            if !slates.independent =>
        {
            Some("positions drawn independently (--independent-positions)")
        }
        _ => None,
    };
    let chosen = slates.estimators.iter().filter(|estimator| lacks(estimator).is_none()).copied().collect();
    (chosen, slates.estimators.iter().filter_map(|estimator| Some((*estimator, lacks(estimator)?))).collect())
}

/// Evaluates whole pages.
pub(super) fn evaluate(
    files: &[LogFile],
    settings: &Settings,
    slates: &Slates,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<PageAnswer, LabError> {
    let plan = Plan::new(files, settings)?;
    if plan.id.is_none() {
        return Err(LabError::unreadable("expected a column decision in every file to tell pages apart, found none"));
    }
    let mut duplicates = Findings::default();
    let doubled = plan.duplicates(files, &mut duplicates)?;
    let layout = layout(files, &doubled)?;
    if layout.longest > MAX_CARDS {
        return Err(LabError::unreadable(format!("expected pages of up to {MAX_CARDS} rows, found one of {}", layout.longest)));
    }
    let model = match settings.model {
        ModelChoice::Ridge => {
            let mut all = RidgeSums::default();
            let begin = |_: &LogFile| RidgeSums::default();
            let parts = plan.over_groups(files, settings.threads, &|_, _| {}, &begin, &|sums, batch| {
                plan.fit(batch, &doubled, sums);
                Ok(())
            })?;
            parts.iter().for_each(|part| all.merge(part));
            all.fit()
        }
        _ => Ridge::default(),
    };
    let (estimators, left_out) = choose(slates, plan.modelled);
    let reading = Reading { plan: &plan, layout: &layout, doubled: &doubled, model: &model, estimators: &estimators };
    let work: Vec<(usize, usize)> =
        files.iter().enumerate().flat_map(|(f, file)| (0..file.groups()).map(move |group| (f, group))).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let one = || -> Result<PagePart, LabError> {
        let own: Vec<LogFile> = files.iter().map(|file| LogFile::open(file.path())).collect::<Result<_, _>>()?;
        let mut part = PagePart::new(&reading);
        loop {
            let Some((file, group)) = work.get(next.fetch_add(1, Ordering::Relaxed)) else { return Ok(part) };
            part.read(&reading, &own[*file], *file, *group)?;
            progress(done.fetch_add(1, Ordering::Relaxed) as u64 + 1, work.len() as u64);
        }
    };
    let parts: Vec<PagePart> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..settings.threads.max(1)).map(|_| scope.spawn(one)).collect();
        let panicked = |_| LabError::failed("a thread stopped");
        handles.into_iter().map(|handle| handle.join().map_err(panicked)?).collect::<Result<_, LabError>>()
    })?;
    let mut all = PagePart::new(&reading);
    all.base.findings.merge(duplicates);
    parts.into_iter().for_each(|part| all.merge(part));
    plan.refuse(files, &all.base.logging, &all.base.findings)?;
    Ok(all.answer(files, &reading, left_out))
}

/// Walks over all ids in order.
fn layout(files: &[LogFile], doubled: &BTreeSet<logs::Place>) -> Result<Layout, LabError> {
    let wanted = Wanted { words: vec!["decision".to_owned()], ..Wanted::default() };
    let rows: u64 = files.iter().map(LogFile::rows).sum();
    let passes = rows.div_ceil(KEYS as u64).max(1);
    let mut layout = Layout { carried: Vec::new(), longest: 0, seconds: BTreeSet::new(), scattered: HashSet::new() };
    for pass in 0..passes {
        let mut starts: Vec<(u64, usize, u64)> = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let (mut last, mut length) = (None::<Vec<u8>>, 0);
            let mut carried = vec![0; file.groups()];
            for (group, carried) in carried.iter_mut().enumerate() {
                let mut leading = true;
                file.read(group, &wanted, &mut |batch| {
                    for row in 0..batch.rows {
                        let id = batch.words[0].of(row);
                        let same = id.is_some() && id == last.as_deref();
                        leading &= same;
                        *carried += u64::from(leading);
                        length = if same { length + 1 } else { 1 };
                        layout.longest = layout.longest.max(length);
                        if !same {
                            last = id.map(<[u8]>::to_vec);
                            let key = id.map_or(0, hashed);
                            if id.is_some() && key % passes == pass {
                                starts.push((key, number, batch.number(row)));
                            }
                        }
                    }
                    Ok(())
                })?;
            }
            if pass == 0 {
                layout.carried.push(carried);
            }
        }
        starts.sort_unstable();
        for pair in starts.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let place = logs::Place { file: files[pair[1].1].path().to_path_buf(), row: pair[1].2 + 1 };
            // A page that was written twice is a duplicate; one in pieces has lost its order.
            if !doubled.contains(&place) {
                layout.scattered.insert(pair[1].0);
            }
            layout.seconds.insert(place);
        }
    }
    Ok(layout)
}

/// What every thread needs.
struct Reading<'a> {
    plan: &'a Plan<'a>,
    layout: &'a Layout,
    doubled: &'a BTreeSet<logs::Place>,
    model: &'a Ridge,
    estimators: &'a [SlateEstimator],
}

/// A page that is being read.
struct Open {
    id: Vec<u8>,
    key: u64,
    slice: Vec<String>,
    /// Shelf and position of the last row.
    last: Option<(f64, f64)>,
    rows: u64,
    bad: u64,
    pending: bool,
    dropped: bool,
    /// By target.
    cards: Vec<Vec<Row>>,
    missed: Vec<Option<ExactSum>>,
}

/// What one thread adds up.
struct PagePart {
    /// Rows, findings, slices; its sums of rows stay empty.
    base: Part,
    pages: u64,
    with_bad: u64,
    /// By slice and target.
    sums: Vec<Vec<PageSums>>,
    blocks: Vec<Blocks>,
    open: Option<Open>,
    good: Vec<u32>,
}

impl PagePart {
    fn new(reading: &Reading<'_>) -> Self {
        let settings = reading.plan.settings;
        let forms: Vec<Form> = reading
            .estimators
            .iter()
            .map(|estimator| if estimator.is_self_normalized() { Form::Neither } else { Form::Mean })
            .collect();
        let targets = if settings.blocks { settings.targets.len() } else { 0 };
        Self {
            base: Part::new(reading.plan),
            pages: 0,
            with_bad: 0,
            sums: Vec::new(),
            blocks: vec![Blocks::of_forms(&forms); targets],
            open: None,
            good: Vec::new(),
        }
    }

    /// Adds the pages that begin in a row group.
    fn read(&mut self, reading: &Reading<'_>, file: &LogFile, number: usize, group: usize) -> Result<(), LabError> {
        let carried = &reading.layout.carried[number];
        let rows = file.rows_of(group);
        let skipped = carried[group];
        file.read(group, &reading.plan.wanted, &mut |batch| {
            let from = (skipped.saturating_sub(batch.number(0) - file.start_of(group)) as usize).min(batch.rows);
            self.add(reading, batch, from, batch.rows)
        })?;
        if skipped == rows {
            // Nothing begins here.
            return Ok(());
        }
        for (later, more) in carried.iter().enumerate().skip(group + 1) {
            if *more > 0 {
                file.read_first(later, *more, &reading.plan.wanted, &mut |batch| self.add(reading, batch, 0, batch.rows))?;
            }
            if *more < file.rows_of(later) {
                break;
            }
        }
        self.close(reading)
    }

    fn add(&mut self, reading: &Reading<'_>, batch: &Batch, from: usize, to: usize) -> Result<(), LabError> {
        let plan = reading.plan;
        self.good.clear();
        for row in from..to {
            let id = plan.id.and_then(|id| batch.words[id].of(row));
            let Some(id) = id else {
                self.close(reading)?;
                self.base.findings.add(Kind::NoDecision, || batch.place(row), || "none".to_owned());
                continue;
            };
            self.base.identified += 1;
            if self.open.as_ref().is_none_or(|open| open.id != id) {
                self.close(reading)?;
                let value = |(words, at): &(bool, usize)| {
                    if *words { batch.words[*at].text(row) } else { batch.numbers[*at].values[row].to_string() }
                };
                let targets = plan.settings.targets.len();
                let key = hashed(id);
                self.open = Some(Open {
                    id: id.to_vec(),
                    key,
                    slice: plan.slices.iter().map(value).collect(),
                    last: None,
                    rows: 0,
                    bad: 0,
                    pending: false,
                    dropped: reading.layout.scattered.contains(&key) || reading.layout.seconds.contains(&batch.place(row)),
                    cards: vec![Vec::new(); targets],
                    missed: vec![plan.wanted.candidates.then(ExactSum::default); targets],
                });
            }
            let Some(open) = &mut self.open else { continue };
            open.rows += 1;
            let place = (batch.numbers[SHELF].values[row], batch.numbers[POSITION].values[row]);
            // Cards of a shelf from the first on, none left out; then a shelf further down.
            let follows = match open.last {
                None => place.1 == 0.0,
                Some((shelf, position)) => (place.0 == shelf && place.1 == position + 1.0) || (place.0 > shelf && place.1 == 0.0),
            };
            open.last = Some(place);
            if reading.doubled.contains(&batch.place(row)) {
                // Named already.
                open.bad += 1;
            } else if reading.layout.seconds.contains(&batch.place(row)) {
                self.base.findings.add(Kind::ScatteredSlate, || batch.place(row), || "rows of a decision seen before".to_owned());
                open.bad += 1;
            } else if !follows {
                let found = || format!("shelf {}, position {}", place.0, place.1);
                self.base.findings.add(Kind::ScatteredSlate, || batch.place(row), found);
                open.bad += 1;
            } else if let Some((kind, found)) = plan.wrong(batch, row) {
                self.base.findings.add(kind, || batch.place(row), || found);
                open.bad += 1;
            } else {
                open.pending |= batch.numbers[REWARD].is_missing(row);
                self.good.push(row as u32);
                for (number, target) in plan.settings.targets.iter().enumerate() {
                    let missed = &mut open.missed[number];
                    let of = row_of(plan, reading.model, (number, target), batch, row, fold(open.key), missed);
                    open.cards[number].push(of);
                }
            }
        }
        let good = std::mem::take(&mut self.good);
        self.base.count_policies(plan, batch, &good);
        if plan.wanted.candidates {
            good.iter().for_each(|row| self.base.calibrate(batch, *row as usize));
        }
        self.good = good;
        Ok(())
    }

    /// Ends the page that is being read.
    fn close(&mut self, reading: &Reading<'_>) -> Result<(), LabError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if open.bad > 0 || open.dropped {
            self.with_bad += open.rows - open.bad;
            return Ok(());
        }
        if open.pending {
            self.base.pending += open.rows;
            return Ok(());
        }
        self.pages += 1;
        self.base.rows += open.rows;
        let slice = self.base.slice(reading.plan, open.slice)?;
        let targets = reading.plan.settings.targets.len();
        if slice == self.sums.len() {
            self.sums.push(vec![PageSums::new(reading.estimators, reading.layout.longest); targets]);
        }
        for (number, (cards, missed)) in open.cards.iter().zip(&open.missed).enumerate() {
            let page = page_of(cards);
            let sums = &mut self.sums[slice][number];
            sums.add(&page);
            if let Some(missed) = missed {
                let mine = sums.unsupported.get_or_insert_default();
                mine.0.merge(missed);
                mine.1 += open.rows;
            }
            if let Some(blocks) = self.blocks.get_mut(number) {
                let control = page.last().map_or(1.0, |place| place.prefix_weight) - 1.0;
                blocks.add(open.key as usize % BLOCKS, control, reading.estimators.iter().map(|estimator| estimator.term(&page)));
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.pages += other.pages;
        self.with_bad += other.with_bad;
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(mine, theirs)| mine.merge(theirs));
        // In the order in which the base takes up slices that it does not have.
        let mut sums: HashMap<usize, Vec<PageSums>> = other.sums.into_iter().enumerate().collect();
        for (values, at) in &other.base.slices {
            let Some(theirs) = sums.remove(at) else { continue };
            match self.base.slices.get(values) {
                Some(mine) => self.sums[*mine].iter_mut().zip(&theirs).for_each(|(a, b)| a.merge(b)),
                None => self.sums.push(theirs),
            }
        }
        self.base.merge(other.base);
    }

    fn answer(self, files: &[LogFile], reading: &Reading<'_>, left_out: Vec<(SlateEstimator, &'static str)>) -> PageAnswer {
        let plan = reading.plan;
        let longest = reading.layout.longest;
        let target = |number: usize| {
            let mut all = PageSums::new(reading.estimators, longest);
            self.sums.iter().for_each(|of| all.merge(&of[number]));
            let of_slice = |(values, at): (&Vec<String>, &usize)| (values.clone(), self.sums[*at][number].clone());
            let slices = if plan.slices.is_empty() { BTreeMap::new() } else { self.base.slices.iter().map(of_slice).collect() };
            let none = || vec![Vec::new(); reading.estimators.len()];
            let units = self.blocks.get(number).map_or_else(none, Blocks::units);
            PageTarget { name: plan.settings.targets[number].to_string(), all, slices, units }
        };
        PageAnswer {
            files: files.iter().map(|file| (file.path().to_path_buf(), file.rows())).collect(),
            pages: self.pages,
            rows: self.base.rows,
            longest,
            pending: self.base.pending,
            with_bad: self.with_bad,
            left_out,
            targets: (0..plan.settings.targets.len()).map(target).collect(),
            calibration: self.base.calibrated(),
            findings: self.base.findings,
            logging: self.base.logging,
        }
    }
}

/// What the estimators read of a page. The weight of a card is the ratio of its propensities given what stands before it, which is that of the
/// card alone where positions are independent.
fn page_of(cards: &[Row]) -> Vec<Place> {
    let whole: f64 = cards.iter().map(|card| card.weight).product();
    let pseudo = pseudo_inverse_weight_of_independent(cards.iter().map(|card| card.weight));
    let mut prefix = 1.0;
    let place = |card: &Row| {
        prefix *= card.weight;
        Place {
            reward: card.reward,
            slate_weight: whole,
            position_weight: card.weight,
            prefix_weight: prefix,
            predicted: card.predicted,
            expected: card.expected,
            pseudo_weight: pseudo,
        }
    };
    cards.iter().map(place).collect()
}
