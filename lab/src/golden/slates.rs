//! Estimates from logged slates of a Plackett-Luce policy, with every propensity derived again from its logits.

use std::collections::BTreeMap;
use std::path::Path;

use ears_only::page::Visible;
use ears_only::policy::{PagePolicy, Rule};
use ears_only::slate::Candidates;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::page::{self, VisiblePage};
use super::{Checked, Deviation, digest};
use crate::data;
use crate::error::LabError;
use crate::evaluate::interval;
use crate::evaluate::slate::{Place, SlateAccumulator, SlateEstimator};

#[derive(Deserialize)]
struct File {
    tolerance: f64,
    n_slates: usize,
    n_items: usize,
    n_slots: usize,
    /// Digests by path beside this file.
    files: BTreeMap<String, String>,
    #[serde(default)]
    logged_mean: Option<Value>,
    estimates: Map<String, Value>,
}

/// One logged slate.
#[derive(Clone, Debug, Default)]
struct Logged {
    cards: Vec<u32>,
    rewards: Vec<f64>,
    /// As the log has them: joint, of the card at the position, of the prefix; logging policy, then target.
    propensities: Vec<[f64; 6]>,
    logits: [Vec<f64>; 2],
    /// Predictions by position and card.
    predictions: Vec<Vec<f64>>,
}

pub(super) fn check(path: &Path, value: Value) -> Result<Checked, LabError> {
    let file: File = serde_json::from_value(value).map_err(|error| LabError::file(path, "a file of slates", error))?;
    if file.n_slots == 0 || file.n_slots > file.n_items || file.n_items > 8 {
        let found = format!("{} of {}", file.n_slots, file.n_items);
        return Err(LabError::file(path, "slots of up to 8 items, no more slots than items", found));
    }
    let slates = file.read(path)?;
    let mut found = Deviation::new(path);
    let known: Vec<(SlateEstimator, &Value)> =
        file.estimates.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect();
    (known.len()..file.estimates.len()).for_each(|_| found.unknown());
    let mut sums: Vec<SlateAccumulator> = known.iter().map(|(of, _)| SlateAccumulator::new(*of, file.n_slots)).collect();
    // The propensities of the log are one case, the mean reward another.
    found.case();
    let mut rewards = SlateAccumulator::new(SlateEstimator::Sips, file.n_slots);
    for (number, slate) in slates.iter().enumerate() {
        let places = file.places(slate, number, path, &mut found)?;
        sums.iter_mut().for_each(|sums| sums.add(&places));
        let logged: Vec<Place> = places.iter().map(|place| Place { slate_weight: 1.0, ..*place }).collect();
        rewards.add(&logged);
    }
    if let Some(mean) = &file.logged_mean {
        found.case();
        found.number(mean, rewards.estimate().value);
    }
    for ((_, expected), sums) in known.iter().zip(&sums) {
        let estimate = sums.estimate();
        let normal = interval::normal(&estimate);
        found.case();
        found.number(&expected["value"], estimate.value);
        found.number(&expected["se"], estimate.error.unwrap_or(f64::NAN));
        found.number(&expected["normal95"][0], normal.low);
        found.number(&expected["normal95"][1], normal.high);
    }
    Ok(found.checked(file.tolerance))
}

impl File {
    /// Reads the three tables beside the file, each in order of slate and position.
    fn read(&self, path: &Path) -> Result<Vec<Logged>, LabError> {
        let mut slates = vec![Logged::default(); self.n_slates];
        let (items, slots) = (self.n_items, self.n_slots);
        let number = |field: &str| field.parse::<f64>().ok().filter(|x| x.is_finite());
        let propensities = ["b_joint", "b_item_position", "b_cascade", "e_joint", "e_item_position", "e_cascade"];
        let columns = [&["slate_id", "position", "action", "reward"][..], &propensities].concat();
        self.table(path, "slate_log.csv.gz", &columns, &mut |fields| {
            let slate = slates.get_mut(fields[0].parse::<usize>().ok()?)?;
            let position: usize = fields[1].parse().ok()?;
            if position != slate.cards.len() || position >= slots {
                return None;
            }
            slate.cards.push(fields[2].parse().ok().filter(|card: &u32| (*card as usize) < items)?);
            slate.rewards.push(number(&fields[3])?);
            let mut of = [0.0; 6];
            for (value, field) in of.iter_mut().zip(&fields[4..]) {
                *value = number(field)?;
            }
            slate.propensities.push(of);
            Some(())
        })?;
        let names: Vec<String> = ["b", "e"].iter().flat_map(|p| (0..items).map(move |i| format!("logit_{p}_{i}"))).collect();
        let columns: Vec<&str> = std::iter::once("slate_id").chain(names.iter().map(String::as_str)).collect();
        self.table(path, "slate_logits.csv.gz", &columns, &mut |fields| {
            let slate = slates.get_mut(fields[0].parse::<usize>().ok()?)?;
            let logits: Option<Vec<f64>> = fields[1..].iter().map(|field| number(field)).collect();
            let (b, e) = logits.as_ref()?.split_at(items);
            slate.logits = [b.to_vec(), e.to_vec()];
            Some(())
        })?;
        let names: Vec<String> = (0..items).map(|i| format!("q_{i}")).collect();
        let columns: Vec<&str> = ["slate_id", "position"].into_iter().chain(names.iter().map(String::as_str)).collect();
        self.table(path, "slate_qhat.csv.gz", &columns, &mut |fields| {
            let slate = slates.get_mut(fields[0].parse::<usize>().ok()?)?;
            if fields[1].parse::<usize>().ok()? != slate.predictions.len() {
                return None;
            }
            slate.predictions.push(fields[2..].iter().map(|field| number(field)).collect::<Option<_>>()?);
            Some(())
        })?;
        let whole = |s: &Logged| s.cards.len() == slots && s.logits[1].len() == items && s.predictions.len() == slots;
        match slates.iter().position(|slate| !whole(slate)) {
            Some(missing) => {
                Err(LabError::file(path, &format!("{slots} positions, logits and predictions of slate {missing}"), "fewer"))
            }
            None => Ok(slates),
        }
    }

    fn table(
        &self,
        path: &Path,
        name: &str,
        columns: &[&str],
        take: &mut dyn FnMut(&[String]) -> Option<()>,
    ) -> Result<(), LabError> {
        let listed = self.files.iter().find(|(file, _)| file.rsplit('/').next() == Some(name));
        let (file, sha256) = listed.ok_or_else(|| LabError::file(path, &format!("a file {name} in \"files\""), "none"))?;
        let table = path.with_file_name("").join(file);
        digest(&table, Some(sha256))?;
        data::columns(&table, columns, |fields| take(&fields.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>()))
    }

    /// Derives the propensities of a slate again, compares them with the log's, and returns what the estimators read.
    fn places(&self, slate: &Logged, number: usize, path: &Path, found: &mut Deviation) -> Result<Vec<Place>, LabError> {
        let core = |error: LabError| LabError::file(path, &format!("slates of the items in slate {number}"), error);
        let [b, e] = [self.policy(&slate.logits[0], slate).map_err(core)?, self.policy(&slate.logits[1], slate).map_err(core)?];
        let mut places = Vec::new();
        for k in 0..self.n_slots {
            let card = slate.cards[k] as usize;
            let derived = [b.joint(), b.marginals[k][card], b.prefix(k), e.joint(), e.marginals[k][card], e.prefix(k)];
            derived.iter().zip(slate.propensities[k]).for_each(|(derived, logged)| found.float(logged, *derived));
            places.push(Place {
                reward: slate.rewards[k],
                slate_weight: derived[3] / derived[0],
                position_weight: derived[4] / derived[1],
                prefix_weight: derived[5] / derived[2],
                predicted: slate.predictions[k][card],
                expected: e.next[k].iter().zip(&slate.predictions[k]).map(|(chance, q)| chance * q).sum(),
                pseudo_weight: f64::NAN,
            });
        }
        Ok(places)
    }

    fn policy(&self, logits: &[f64], logged: &Logged) -> Result<Propensities, LabError> {
        let visible = Visible { shelves: 1, cards: self.n_slots };
        let candidates = Candidates::free(vec![0.0], &[logits.to_vec()], visible);
        let policy = PagePolicy::of(Rule::plackett_luce(0.0, 0.0)).checked()?;
        let mut of = Propensities {
            conditionals: Vec::new(),
            marginals: vec![vec![0.0; self.n_items]; self.n_slots],
            next: vec![vec![0.0; self.n_items]; self.n_slots],
        };
        page::each(&candidates, &mut |page: &VisiblePage| {
            let cards = &page.cards[0];
            let conditionals = page::conditionals(policy, &candidates, page)?.cards.swap_remove(0);
            let joint: f64 = conditionals.iter().product();
            for (k, card) in cards.iter().enumerate() {
                of.marginals[k][*card as usize] += joint;
                if cards[..k] == logged.cards[..k] {
                    of.next[k][*card as usize] = conditionals[k];
                }
            }
            if *cards == logged.cards {
                of.conditionals = conditionals;
            }
            Ok(())
        })?;
        Ok(of)
    }
}

/// What one policy says of one logged slate.
struct Propensities {
    /// Of each logged card, given those before.
    conditionals: Vec<f64>,
    /// P(card at position), by position and card.
    marginals: Vec<Vec<f64>>,
    /// P(card next), given the logged cards before, by position and card.
    next: Vec<Vec<f64>>,
}

impl Propensities {
    fn prefix(&self, k: usize) -> f64 {
        self.conditionals[..=k].iter().product()
    }

    fn joint(&self) -> f64 {
        self.conditionals.iter().product()
    }
}
