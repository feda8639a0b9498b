//! Which columns an evaluation reads, what is wrong with a row, and the walks over all rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{ModelChoice, Settings};
use crate::error::LabError;
use crate::evaluate::estimator::{Estimator, usual_limit};
use crate::evaluate::lanes;
use crate::evaluate::model::{FOLDS, RidgeSums};
use crate::evaluate::target::Target;
use crate::logs::check::{Findings, Kind, is_propensity};
use crate::logs::parquet::{Batch, LogFile, Wanted};
use crate::logs::{PREDICTED, Place};

/// Rows whose identity is kept at a time while duplicates are looked for.
pub(super) const KEYS: usize = 4_000_000;
/// By how much a propensity may differ from the action's probability among the candidates, which may be logged with less precision.
const AGREES: f64 = 1e-6;

/// Where each wanted column stands in a batch.
pub(super) struct Plan<'a> {
    pub(super) settings: &'a Settings,
    pub(super) estimators: Vec<Estimator>,
    pub(super) left_out: Vec<Estimator>,
    pub(super) wanted: Wanted,
    /// Columns of words: the id, the policy, then those of tables and slices.
    pub(super) id: Option<usize>,
    pub(super) policy: Option<usize>,
    /// The logging policy, where the footers say that there is one.
    pub(super) only_policy: Option<String>,
    pub(super) predicted: Option<usize>,
    pub(super) keep: Option<usize>,
    /// P(logged action) and expectation of each target, where they are columns.
    pub(super) scored: Vec<(Option<usize>, Option<usize>)>,
    /// Context of each table.
    pub(super) tables: Vec<Vec<usize>>,
    /// Slice columns: whether words, and where.
    pub(super) slices: Vec<(bool, usize)>,
    pub(super) places: bool,
    /// Whether there is a reward model.
    pub(super) modelled: bool,
    /// The limit of the switch, where nothing but the sums of the usual four estimators is wanted, and columns alone say all of it.
    pub(super) usual: Option<f64>,
}

pub(super) const PROPENSITY: usize = 0;
pub(super) const REWARD: usize = 1;
pub(super) const ACTION: usize = 2;
pub(super) const POSITION: usize = 3;
pub(super) const SHELF: usize = 4;

impl<'a> Plan<'a> {
    pub(super) fn new(files: &[LogFile], settings: &'a Settings) -> Result<Self, LabError> {
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
        let places = candidates || tables || settings.model == ModelChoice::Ridge || settings.slates.is_some();
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
        marginal(settings, candidates)?;
        let (estimators, left_out): (Vec<_>, _) =
            settings.estimators.iter().partition(|estimator| modelled || !estimator.needs_model());
        let mut plan = Self {
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
            modelled,
            usual: None,
        };
        let columns = predicted.is_some() && !settings.blocks && settings.targets.iter().all(|target| plan.is_plain(target));
        plan.usual = usual_limit(&plan.estimators).filter(|_| columns);
        if plan.usual.is_some() {
            let scored = plan.scored.iter().flat_map(|(chance, expected)| [*chance, *expected]);
            plan.wanted.lent = [Some(PROPENSITY), Some(REWARD), predicted].into_iter().chain(scored).flatten().collect();
        }
        Ok(plan)
    }

    /// Runs `take` over all batches, on threads that each keep a part of their own.
    pub(super) fn over_groups<P: Send>(
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
    pub(super) fn duplicates(&self, files: &[LogFile], findings: &mut Findings) -> Result<BTreeSet<Place>, LabError> {
        let mut doubled = BTreeSet::new();
        if self.id.is_none() {
            return Ok(doubled);
        }
        let wanted = Wanted {
            numbers: vec!["shelf_position".to_owned(), "position".to_owned()],
            words: vec!["decision".to_owned()],
            ..Wanted::default()
        };
        let rows: u64 = files.iter().map(LogFile::rows).sum();
        let passes = rows.div_ceil(KEYS as u64).max(1);
        for pass in 0..passes {
            let mut keys: Vec<(u64, usize, u64)> = Vec::new();
            for (number, file) in files.iter().enumerate() {
                for group in 0..file.groups() {
                    if file.is_blank(group, "decision")? {
                        continue;
                    }
                    file.read(group, &wanted, &mut |batch| {
                        for row in 0..batch.rows {
                            let Some(id) = batch.words[0].of(row) else { continue };
                            let at = [batch.numbers[0].values[row], batch.numbers[1].values[row]];
                            let key = at.iter().fold(hashed(id), |key, x| mixed(key ^ x.to_bits()));
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

    /// Stops at bad rows and at several logging policies, unless they are meant.
    pub(super) fn refuse(&self, files: &[LogFile], logging: &BTreeMap<String, u64>, findings: &Findings) -> Result<(), LabError> {
        if !self.settings.mixed && logging.len() > 1 {
            let mut mixed = Findings::default();
            self.name_mixed(files, &mut mixed)?;
            let text = mixed.text();
            return Err(LabError::failed(format!("mixed policies (allow them with --mixed-policies)\n{}", text.trim_end())));
        }
        if self.settings.skip_bad { Ok(()) } else { findings.refuse() }
    }

    /// Says where rows of other policies than the first file's first stand.
    pub(super) fn name_mixed(&self, files: &[LogFile], findings: &mut Findings) -> Result<(), LabError> {
        let wanted = Wanted { words: vec!["policy".to_owned()], ..Wanted::default() };
        let mut first = None;
        for file in files {
            for group in 0..file.groups() {
                file.read(group, &wanted, &mut |batch| {
                    for row in 0..batch.rows {
                        let name = batch.words[0].of(row).unwrap_or_default().to_vec();
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

    /// A number for the decision that each row belongs to: rows of one decision share it. Without an id, of the file's name and the row.
    pub(super) fn keys(&self, batch: &Batch, rows: &[u32], keys: &mut Vec<u64>) {
        let file = hashed(batch.file_name().as_bytes());
        let without = |row: u32| mixed(file ^ mixed(batch.number(row as usize)));
        match self.id.map(|id| &batch.words[id]).filter(|id| !id.is_blank()) {
            None => keys.extend(rows.iter().map(|row| without(*row))),
            Some(id) => keys.extend(rows.iter().map(|row| id.of(*row as usize).map_or_else(|| without(*row), hashed))),
        }
    }

    /// Whether columns alone say what the estimators read of a target: no lists of candidates, no table, no model fitted here.
    pub(super) fn is_plain(&self, target: &Target) -> bool {
        let columns = matches!(target, Target::Scored(_) | Target::Logging);
        columns && !self.wanted.candidates && self.settings.model != ModelChoice::Ridge
    }

    /// The slice of a row, as it is reported.
    pub(super) fn slice_of(&self, batch: &Batch, row: usize) -> Vec<String> {
        let value = |(words, at): &(bool, usize)| {
            if *words { batch.words[*at].text(row) } else { batch.numbers[*at].values[row].to_string() }
        };
        self.slices.iter().map(value).collect()
    }

    /// The slice of a row as a number, where slices are those of one column of numbers.
    pub(super) fn slice_bits(&self, batch: &Batch, row: usize) -> Option<u64> {
        if let [(false, column)] = self.slices[..] { Some(batch.numbers[column].values[row].to_bits()) } else { None }
    }

    /// Whether every row of a batch has its reward, and without noise.
    pub(super) fn all_known(&self, batch: &Batch) -> bool {
        let noiseless = |column: usize| lanes::all(&batch.numbers[column].values, |keep| keep >= 1.0);
        batch.numbers[REWARD].is_whole() && self.keep.is_none_or(noiseless)
    }

    /// Whether every row of a batch is good and has its reward, when columns alone can say so.
    pub(super) fn all_fine(&self, batch: &Batch) -> bool {
        if self.wanted.candidates || !self.all_known(batch) {
            return false;
        }
        let all = |column: usize, holds: &dyn Fn(&[f64]) -> bool| holds(&batch.numbers[column].values);
        let finite = |values: &[f64]| lanes::all(values, |x| x.abs() < f64::INFINITY);
        let chance = |values: &[f64]| lanes::all(values, |p| (0.0..=1.0).contains(&p));
        all(PROPENSITY, &|values| lanes::all(values, |p| (p > 0.0) & (p <= 1.0)))
            && all(REWARD, &finite)
            && self.scored.iter().flat_map(|of| of.0).all(|column| all(column, &chance))
            && self.scored.iter().flat_map(|of| of.1).chain(self.predicted).all(|column| all(column, &finite))
    }

    /// What is wrong with a row, and the value found.
    pub(super) fn wrong(&self, batch: &Batch, row: usize) -> Option<(Kind, String)> {
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
            if let Some(embeddings) = &self.settings.embeddings
                && let Some(without) = candidates.iter().find(|candidate| embeddings.of(**candidate as i32).is_none())
            {
                return Some((Kind::Embedding, format!("none of action {without}")));
            }
        }
        None
    }

    pub(super) fn fit(&self, batch: &Batch, doubled: &BTreeSet<Place>, sums: &mut RidgeSums) {
        let mut keys = Vec::new();
        self.keys(batch, &(0..batch.rows as u32).collect::<Vec<_>>(), &mut keys);
        for (row, key) in keys.into_iter().enumerate() {
            let usable = !batch.numbers[REWARD].is_missing(row) && self.wrong(batch, row).is_none();
            if usable && (doubled.is_empty() || !doubled.contains(&batch.place(row))) {
                let number = |column: usize| batch.numbers[column].values[row];
                sums.add(fold(key), number(POSITION) as i32, number(ACTION) as i32, number(REWARD));
            }
        }
    }
}

/// Refuses marginalised IPS where nobody knows what the cards are, or how likely each of them was.
fn marginal(settings: &Settings, candidates: bool) -> Result<(), LabError> {
    let refused = |expected: &str, found: &str| {
        Err(LabError::unreadable(format!("estimator {}: expected {expected}, found {found}", Estimator::MarginalizedIps)))
    };
    let asked = settings.estimators.contains(&Estimator::MarginalizedIps);
    match &settings.embeddings {
        None if asked => refused("what each card is (--embeddings FILE with the columns action and embedding)", "none"),
        Some(_) if !asked => Err(LabError::unreadable("expected the estimator MIPS, which alone reads embeddings, found others")),
        Some(_) if !candidates => refused("the lists candidates and probs in every file", "none"),
        Some(_) => match settings.targets.iter().find(|target| matches!(target, Target::Scored(_))) {
            Some(target) => {
                refused("a policy whose probability of every candidate is known: logging, uniform or table", &target.to_string())
            }
            None => Ok(()),
        },
        None => Ok(()),
    }
}

pub(super) fn fold(key: u64) -> usize {
    (key >> 32) as usize % FOLDS
}

/// FNV-1a (Fowler, Noll, Vo), then mixed.
pub(super) fn hashed(bytes: &[u8]) -> u64 {
    mixed(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
pub(super) fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
