//! Evaluates policies on log files: checks every row, fits the reward model, adds up. Threads share row groups; what comes out does not depend on how
//! many there are, nor on the order of the files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::estimator::{Accumulator, Estimator, Row};
use super::exact::ExactSum;
use super::interval::Unit;
use super::model::{FOLDS, Ridge, RidgeSums};
use super::target::Target;
use super::weights::WeightSums;
use crate::error::LabError;
use crate::logs::check::{Findings, Kind, is_propensity};
use crate::logs::parquet::{Batch, LogFile, Wanted};
use crate::logs::{PREDICTED, Place};

/// Most slices.
pub const MAX_SLICES: usize = 1_000;
/// Blocks of decisions for the intervals that resample.
pub const BLOCKS: usize = 256;
/// Rows whose identity is kept at a time while duplicates are looked for.
const KEYS: usize = 4_000_000;
/// By how much a propensity may differ from the action's probability among the candidates, which may be logged with less precision.
const AGREES: f64 = 1e-6;

/// Which reward model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelChoice {
    /// None: estimators that need one are left out.
    None,
    /// The log's columns `predicted` and `expected_NAME`.
    Logged,
    /// [`RidgeSums`], fitted on the log itself, cross-fitted; needs the candidates of each decision.
    Ridge,
}

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Policies to judge.
    pub targets: Vec<Target>,
    /// Estimators of each.
    pub estimators: Vec<Estimator>,
    /// Columns of context whose values are reported apart.
    pub slices: Vec<String>,
    /// The reward model.
    pub model: ModelChoice,
    /// Threads; at least 1.
    pub threads: usize,
    /// Leave bad rows out, counted, in place of stopping.
    pub skip_bad: bool,
    /// Several logging policies in one log are meant.
    pub mixed: bool,
    /// Keep sums of blocks for the intervals that resample.
    pub blocks: bool,
}

/// What was added up for one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// Of the weights.
    pub weights: WeightSums,
    /// Of each estimator.
    pub estimators: Vec<Accumulator>,
    /// Target probability of candidates that the logging policy never places; known where candidates are logged.
    pub unsupported: Option<ExactSum>,
}

impl Sums {
    fn new(estimators: &[Estimator]) -> Self {
        let estimators = estimators.iter().map(|estimator| Accumulator::rounded(*estimator)).collect();
        Self { weights: WeightSums::default(), estimators, unsupported: None }
    }

    fn merge(&mut self, other: &Self) {
        self.weights.merge(&other.weights);
        self.estimators.iter_mut().zip(&other.estimators).for_each(|(a, b)| a.merge(b));
        if let Some(other) = &other.unsupported {
            self.unsupported.get_or_insert_default().merge(other);
        }
    }
}

/// Sums of a block of decisions, for one estimator.
#[derive(Clone, Debug, Default, PartialEq)]
struct Block {
    numerator: ExactSum,
    denominator: ExactSum,
    control: ExactSum,
}

/// Everything added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Files, rows in their footers, in order of path.
    pub files: Vec<(PathBuf, u64)>,
    /// Rows that were used.
    pub rows: u64,
    /// Rows whose reward is not known yet; not used.
    pub pending: u64,
    /// Bad rows; not used.
    pub findings: Findings,
    /// Rows with a decision id; duplicates can be found among these alone.
    pub identified: u64,
    /// Logging policies by number of rows.
    pub logging: BTreeMap<String, u64>,
    /// Estimators that were left out for want of a model.
    pub left_out: Vec<Estimator>,
    /// For each target policy.
    pub targets: Vec<TargetAnswer>,
    /// How often each action was taken, and how often the logged probabilities said it would be, with its variance.
    pub calibration: BTreeMap<i32, (u64, f64, f64)>,
}

/// What was added up for one target policy.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetAnswer {
    /// Its name.
    pub name: String,
    /// Over all rows.
    pub all: Sums,
    /// By the values of the slice columns.
    pub slices: BTreeMap<Vec<String>, Sums>,
    /// For each estimator, the blocks as units; empty where it has none.
    pub units: Vec<Vec<Unit>>,
}

/// Evaluates `settings` on the files at `paths`.
///
/// # Errors
/// When a file cannot be read, lacks what a policy needs, or has bad rows and they are not to be skipped.
pub fn evaluate(paths: &[PathBuf], settings: &Settings, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Answer, LabError> {
    let mut paths = paths.to_vec();
    paths.sort();
    let files: Vec<LogFile> = paths.iter().map(|path| LogFile::open(path)).collect::<Result<_, _>>()?;
    if files.is_empty() {
        return Err(LabError::unreadable("expected a log file, got none"));
    }
    let plan = Plan::new(&files, settings)?;
    let mut duplicates = Findings::default();
    let doubled = plan.duplicates(&files, &mut duplicates)?;
    let model = match settings.model {
        ModelChoice::Ridge => {
            let parts =
                plan.over_groups(&files, settings.threads, &|_, _| {}, &|_: &LogFile| RidgeSums::default(), &|sums, batch| {
                    plan.fit(batch, &doubled, sums);
                    Ok(())
                })?;
            let mut all = RidgeSums::default();
            parts.iter().for_each(|part| all.merge(part));
            all.fit()
        }
        _ => Ridge::default(),
    };
    let parts = plan.over_groups(&files, settings.threads, progress, &|_: &LogFile| Part::new(&plan), &|part, batch| {
        part.add(&plan, &model, &doubled, batch)
    })?;
    let mut all = Part::new(&plan);
    all.findings.merge(duplicates);
    parts.into_iter().for_each(|part| all.merge(part));
    if !settings.mixed && all.logging.len() > 1 {
        let mut mixed = Findings::default();
        plan.name_mixed(&files, &mut mixed)?;
        return Err(LabError::failed(format!("mixed policies (allow them with --mixed-policies)\n{}", mixed.text().trim_end())));
    }
    if !settings.skip_bad {
        all.findings.refuse()?;
    }
    Ok(all.answer(&files, &plan))
}

/// Where each wanted column stands in a batch.
struct Plan<'a> {
    settings: &'a Settings,
    estimators: Vec<Estimator>,
    left_out: Vec<Estimator>,
    wanted: Wanted,
    /// Columns of words: the id, the policy, then those of tables and slices.
    id: Option<usize>,
    policy: Option<usize>,
    /// The logging policy, where the footers say that there is one.
    only_policy: Option<String>,
    predicted: Option<usize>,
    keep: Option<usize>,
    /// P(logged action) and expectation of each target, where they are columns.
    scored: Vec<(Option<usize>, Option<usize>)>,
    /// Context of each table.
    tables: Vec<Vec<usize>>,
    /// Slice columns: whether words, and where.
    slices: Vec<(bool, usize)>,
    places: bool,
}

const PROPENSITY: usize = 0;
const REWARD: usize = 1;
const ACTION: usize = 2;
const POSITION: usize = 3;
const SHELF: usize = 4;

impl<'a> Plan<'a> {
    fn new(files: &[LogFile], settings: &'a Settings) -> Result<Self, LabError> {
        let everywhere = |column: &str| files.iter().all(|file| file.has(column));
        let candidates = files.iter().all(LogFile::has_candidates);
        let needs = |what: &str, target: &Target| {
            let file = files.first().map(LogFile::path).unwrap_or_else(|| Path::new(""));
            LabError::file(file, &format!("{what} for the policy {target}"), "none")
        };
        let mut wanted = Wanted { candidates, ..Wanted::default() };
        let mut number = |name: &str| {
            wanted.numbers.push(name.to_owned());
            wanted.numbers.len() - 1
        };
        number("propensity");
        number("reward");
        let tables = settings.targets.iter().any(|target| matches!(target, Target::Table(_)));
        let places = candidates || tables || settings.model == ModelChoice::Ridge;
        if places {
            ["action", "position", "shelf_position"].iter().for_each(|name| {
                number(name);
            });
        }
        let predicted = (settings.model == ModelChoice::Logged && everywhere(PREDICTED)).then(|| number(PREDICTED));
        let keep = everywhere("rr_keep").then(|| number("rr_keep"));
        let mut scored = Vec::new();
        for target in &settings.targets {
            let chance = match target.column() {
                Some(name) if everywhere(&name) => Some(number(&name)),
                Some(name) => return Err(needs(&format!("a column {name}"), target)),
                None => None,
            };
            let expected =
                target.expected_column().filter(|name| predicted.is_some() && everywhere(name)).map(|name| number(&name));
            scored.push((chance, expected));
            if !candidates && *target == Target::Uniform {
                return Err(needs("the lists candidates and probs", target));
            }
        }
        let mut slice_numbers = Vec::new();
        for name in &settings.slices {
            if !everywhere(name) {
                return Err(LabError::unreadable(format!("expected a column {name} in every file to slice by, found none")));
            }
            if files.iter().all(|file| !file.is_words(name)) {
                slice_numbers.push((name.clone(), number(name)));
            }
        }
        let mut words = Vec::new();
        let mut word = |name: &str| {
            words.push(name.to_owned());
            words.len() - 1
        };
        let only: BTreeSet<Option<String>> = files.iter().map(|file| file.only_word("policy")).collect();
        let only_policy = if only.len() == 1 { only.into_iter().next().flatten() } else { None };
        let policy = only_policy.is_none().then(|| word("policy"));
        let id = everywhere("decision").then(|| word("decision"));
        let mut tables = Vec::new();
        for target in &settings.targets {
            let mut of = Vec::new();
            if let Target::Table(table) = target {
                for name in &table.context {
                    if !everywhere(name) {
                        return Err(needs(&format!("a column {name}"), target));
                    }
                    of.push(word(name));
                }
            }
            tables.push(of);
        }
        let mut slices = Vec::new();
        for name in &settings.slices {
            let number = slice_numbers.iter().find(|(of, _)| of == name).map(|(_, at)| *at);
            slices.push(number.map_or_else(|| (true, word(name)), |at| (false, at)));
        }
        wanted.words = words;
        let modelled = match settings.model {
            ModelChoice::None => false,
            ModelChoice::Logged => predicted.is_some(),
            ModelChoice::Ridge if !candidates => {
                return Err(LabError::unreadable(
                    "expected the lists candidates and probs in every file for the ridge model, found none",
                ));
            }
            ModelChoice::Ridge => true,
        };
        let (estimators, left_out) = settings.estimators.iter().partition(|estimator| modelled || !estimator.needs_model());
        Ok(Self {
            settings,
            estimators,
            left_out,
            wanted,
            id,
            policy,
            only_policy,
            predicted,
            keep,
            scored,
            tables,
            slices,
            places,
        })
    }

    /// Runs `take` over all batches, on threads that each keep a part of their own.
    fn over_groups<P: Send>(
        &self,
        files: &[LogFile],
        threads: usize,
        progress: &(dyn Fn(u64, u64) + Sync),
        part: &(dyn Fn(&LogFile) -> P + Sync),
        take: &(dyn Fn(&mut P, &Batch) -> Result<(), LabError> + Sync),
    ) -> Result<Vec<P>, LabError> {
        let work: Vec<(usize, usize)> =
            files.iter().enumerate().flat_map(|(f, file)| (0..file.groups()).map(move |group| (f, group))).collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let one = || -> Result<P, LabError> {
            // A reader holds a file handle that threads cannot share.
            let own: Vec<LogFile> = files.iter().map(|file| LogFile::open(file.path())).collect::<Result<_, _>>()?;
            let mut of = part(&own[0]);
            loop {
                let Some((file, group)) = work.get(next.fetch_add(1, Ordering::Relaxed)) else { return Ok(of) };
                own[*file].read(*group, &self.wanted, &mut |batch| take(&mut of, batch))?;
                progress(done.fetch_add(1, Ordering::Relaxed) as u64 + 1, work.len() as u64);
            }
        };
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(one)).collect();
            let panicked = |_| LabError::failed("a thread stopped");
            handles.into_iter().map(|handle| handle.join().map_err(panicked)?).collect()
        })
    }

    /// Rows that repeat a decision, shelf and position: all but the first, in order of file and row.
    fn duplicates(&self, files: &[LogFile], findings: &mut Findings) -> Result<BTreeSet<Place>, LabError> {
        let mut doubled = BTreeSet::new();
        if self.id.is_none() {
            return Ok(doubled);
        }
        let wanted = Wanted {
            numbers: vec!["shelf_position".to_owned(), "position".to_owned()],
            words: vec!["decision".to_owned()],
            candidates: false,
        };
        let rows: u64 = files.iter().map(LogFile::rows).sum();
        let passes = rows.div_ceil(KEYS as u64).max(1);
        for pass in 0..passes {
            let mut keys: Vec<(u64, usize, u64)> = Vec::new();
            for (number, file) in files.iter().enumerate() {
                for group in 0..file.groups() {
                    file.read(group, &wanted, &mut |batch| {
                        for row in 0..batch.rows {
                            let Some(id) = &batch.words[0][row] else { continue };
                            let at = [batch.numbers[0].values[row], batch.numbers[1].values[row]];
                            let key = at.iter().fold(hashed(id.data()), |key, x| mixed(key ^ x.to_bits()));
                            if key % passes == pass {
                                keys.push((key, number, batch.number(row)));
                            }
                        }
                        Ok(())
                    })?;
                }
            }
            keys.sort_unstable();
            for pair in keys.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
                let place = Place { file: files[pair[1].1].path().to_path_buf(), row: pair[1].2 + 1 };
                findings.add(Kind::Duplicate, || place.clone(), || "a second one".to_owned());
                doubled.insert(place);
            }
        }
        Ok(doubled)
    }

    /// Says where rows of other policies than the first file's first stand.
    fn name_mixed(&self, files: &[LogFile], findings: &mut Findings) -> Result<(), LabError> {
        let wanted = Wanted { words: vec!["policy".to_owned()], ..Wanted::default() };
        let mut first = None;
        for file in files {
            for group in 0..file.groups() {
                file.read(group, &wanted, &mut |batch| {
                    for row in 0..batch.rows {
                        let name = batch.words[0][row].as_ref().map(|name| name.data().to_vec()).unwrap_or_default();
                        if *first.get_or_insert_with(|| name.clone()) != name {
                            let found = || String::from_utf8_lossy(&name).into_owned();
                            findings.add(Kind::MixedPolicies, || batch.place(row), found);
                        }
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// A number for the decision that a row belongs to: rows of one decision share it. Without an id, of the file's name and the row.
    fn key(&self, batch: &Batch, row: usize) -> u64 {
        match self.id.and_then(|id| batch.words[id][row].as_ref()) {
            Some(id) => hashed(id.data()),
            None => mixed(hashed(batch.file_name().as_bytes()) ^ mixed(batch.number(row))),
        }
    }

    /// What is wrong with a row, and the value found.
    fn wrong(&self, batch: &Batch, row: usize) -> Option<(Kind, String)> {
        let number = |column: usize| batch.numbers[column].values[row];
        let propensity = number(PROPENSITY);
        if !is_propensity(propensity) {
            return Some((Kind::Propensity, propensity.to_string()));
        }
        if !batch.numbers[REWARD].is_missing(row) && !number(REWARD).is_finite() {
            return Some((Kind::Reward, number(REWARD).to_string()));
        }
        if let Some(keep) = self.keep.map(number).filter(|keep| *keep < 1.0) {
            return Some((Kind::NoisyReward, format!("rr_keep {keep}")));
        }
        for (chance, expected) in &self.scored {
            if let Some(p) = chance.map(number).filter(|p| !(0.0..=1.0).contains(p)) {
                return Some((Kind::Target, p.to_string()));
            }
            if let Some(q) = expected.map(number).filter(|q| !q.is_finite()) {
                return Some((Kind::Target, q.to_string()));
            }
        }
        if let Some(q) = self.predicted.map(number).filter(|q| !q.is_finite()) {
            return Some((Kind::Target, q.to_string()));
        }
        if self.wanted.candidates {
            let (candidates, probabilities) = (batch.candidates.of(row), batch.probabilities.of(row));
            let at = candidates.iter().position(|candidate| *candidate == number(ACTION));
            let Some(at) = at.filter(|_| candidates.len() == probabilities.len()) else {
                return Some((Kind::Candidates, format!("action {} of {candidates:?}", number(ACTION))));
            };
            let total: f64 = probabilities.iter().sum();
            if (total - 1.0).abs() > AGREES * candidates.len() as f64 || probabilities.iter().any(|p| !(0.0..=1.0).contains(p)) {
                return Some((Kind::Probabilities, format!("a sum of {total}")));
            }
            if (probabilities[at] - propensity).abs() > AGREES {
                return Some((Kind::PropensityDiffers, format!("{propensity} and {}", probabilities[at])));
            }
        }
        None
    }

    fn fit(&self, batch: &Batch, doubled: &BTreeSet<Place>, sums: &mut RidgeSums) {
        for row in 0..batch.rows {
            let usable = !batch.numbers[REWARD].is_missing(row) && self.wrong(batch, row).is_none();
            if usable && (doubled.is_empty() || !doubled.contains(&batch.place(row))) {
                let number = |column: usize| batch.numbers[column].values[row];
                sums.add(fold(self.key(batch, row)), number(POSITION) as i32, number(ACTION) as i32, number(REWARD));
            }
        }
    }
}

fn fold(key: u64) -> usize {
    (key >> 32) as usize % FOLDS
}

/// FNV-1a (Fowler, Noll, Vo), then mixed.
fn hashed(bytes: &[u8]) -> u64 {
    mixed(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What one thread adds up.
struct Part {
    rows: u64,
    pending: u64,
    identified: u64,
    findings: Findings,
    logging: BTreeMap<String, u64>,
    /// Slices met, by value: where their sums stand.
    slices: BTreeMap<Vec<String>, usize>,
    /// Sums by slice and target.
    sums: Vec<Vec<Sums>>,
    /// By target and estimator.
    blocks: Vec<Vec<Vec<Block>>>,
    calibration: HashMap<i32, (u64, ExactSum, ExactSum)>,
    scratch: [Vec<f64>; 3],
}

impl Part {
    fn new(plan: &Plan) -> Self {
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

    fn add(&mut self, plan: &Plan, model: &Ridge, doubled: &BTreeSet<Place>, batch: &Batch) -> Result<(), LabError> {
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

    fn count_policies(&mut self, plan: &Plan, batch: &Batch, good: &[usize]) {
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

    fn calibrate(&mut self, batch: &Batch, row: usize) {
        let action = batch.numbers[ACTION].values[row];
        for (candidate, p) in batch.candidates.of(row).iter().zip(batch.probabilities.of(row)) {
            let (taken, expected, variance) = self.calibration.entry(*candidate as i32).or_default();
            *taken += u64::from(*candidate == action);
            expected.add(*p);
            variance.add(p * (1.0 - p));
        }
    }

    /// The good rows of a batch by slice; new slices get sums of their own.
    fn by_slice(&mut self, plan: &Plan, batch: &Batch, good: Vec<usize>) -> Result<Vec<(usize, Vec<usize>)>, LabError> {
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

    fn slice(&mut self, plan: &Plan, values: Vec<String>) -> Result<usize, LabError> {
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

    fn merge(&mut self, other: Self) {
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

    fn answer(self, files: &[LogFile], plan: &Plan) -> Answer {
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
fn row_of(
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
