//! Estimates from logs of single decisions, in the shape of the Open Bandit Pipeline's answers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Checked, Deviation, digest};
use crate::data;
use crate::error::LabError;
use crate::evaluate::estimator::{Accumulator, Estimator, Row};
use crate::evaluate::interval;
use crate::evaluate::weights::WeightSums;

#[derive(Deserialize)]
struct File {
    tolerance: f64,
    campaigns: BTreeMap<String, Campaign>,
}

#[derive(Deserialize)]
struct Campaign {
    n_items: usize,
    n_positions: usize,
    n_groups: usize,
    files: BTreeMap<String, LogFile>,
    /// By group, item, position.
    q_hat: Vec<Vec<Vec<f64>>>,
    policies: BTreeMap<String, Table>,
    #[serde(default)]
    on_policy: BTreeMap<String, Map<String, Value>>,
    estimates: Vec<Pair>,
}

#[derive(Deserialize)]
struct LogFile {
    name: String,
    #[serde(default)]
    sha256: Option<String>,
    rows: usize,
}

/// A policy: P(item at position), by item and position, the same for every group or one for each.
#[derive(Deserialize)]
struct Table {
    table_ak: Option<Vec<Vec<f64>>>,
    table_gak: Option<Vec<Vec<Vec<f64>>>>,
}

#[derive(Deserialize)]
struct Pair {
    log: String,
    policy: String,
    n: u64,
    #[serde(default)]
    weights: Map<String, Value>,
    estimators: Map<String, Value>,
}

/// One logged impression.
struct Logged {
    item: usize,
    position: usize,
    group: usize,
    reward: f64,
    propensity: f64,
}

pub(super) fn check(path: &Path, value: Value, data: &Path) -> Result<Checked, LabError> {
    let file: File = serde_json::from_value(value).map_err(|error| LabError::file(path, "a file of estimates", error))?;
    let mut found = Deviation::new(path);
    for (name, campaign) in &file.campaigns {
        campaign.check(name, path, data, &mut found)?;
    }
    Ok(found.checked(file.tolerance))
}

impl Campaign {
    fn check(&self, name: &str, path: &Path, data: &Path, found: &mut Deviation) -> Result<(), LabError> {
        self.broken(name, path)?;
        let mut logs = BTreeMap::new();
        for (log, file) in &self.files {
            logs.insert(log.as_str(), self.read(file, data)?);
        }
        let embeddings = self.embeddings(name, data)?;
        for (log, expected) in &self.on_policy {
            let rows = find(&logs, log, path, name)?;
            let mut sums = Accumulator::new(Estimator::Ips);
            rows.iter().for_each(|row| sums.add(&Row::new(1.0, row.reward)));
            compare(found, expected, &sums);
        }
        for pair in &self.estimates {
            let rows = find(&logs, &pair.log, path, name)?;
            let table = self.policies.get(&pair.policy);
            let table =
                table.ok_or_else(|| LabError::file(path, &format!("a policy {} in campaign {name}", pair.policy), "none"))?;
            if pair.n != rows.len() as u64 {
                return Err(LabError::file(path, &format!("n {} of log {}", rows.len(), pair.log), pair.n));
            }
            self.pair(pair, rows, table, embeddings.as_deref(), found);
        }
        Ok(())
    }

    fn pair(&self, pair: &Pair, rows: &[Logged], table: &Table, embeddings: Option<&[u64]>, found: &mut Deviation) {
        let mut weights = WeightSums::default();
        let known: Vec<(Estimator, &Value)> =
            pair.estimators.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect();
        let mut sums: Vec<Accumulator> = known.iter().map(|(estimator, _)| Accumulator::new(*estimator)).collect();
        for logged in rows {
            let row = self.row(logged, table, embeddings);
            weights.add(row.weight);
            sums.iter_mut().for_each(|sums| sums.add(&row));
        }
        if !pair.weights.is_empty() {
            found.case();
            for (name, expected) in &pair.weights {
                match name.as_str() {
                    "mean" => found.number(expected, weights.mean()),
                    "max" => found.number(expected, weights.max()),
                    "ess" => found.number(expected, weights.effective_sample_size()),
                    "sum_w" => found.number(expected, weights.sum()),
                    "sum_w2" => found.number(expected, weights.sum_of_squares()),
                    _ => {}
                }
            }
        }
        for ((estimator, expected), sums) in known.iter().zip(&sums) {
            // Without embeddings there is nothing to compute a marginal weight from.
            if *estimator == Estimator::MarginalizedIps && embeddings.is_none() {
                found.unknown();
            } else if let Some(expected) = expected.as_object() {
                compare(found, expected, sums);
            } else {
                found.unknown();
            }
        }
        (known.len()..pair.estimators.len()).for_each(|_| found.unknown());
    }

    /// What the estimators read of an impression.
    fn row(&self, logged: &Logged, table: &Table, embeddings: Option<&[u64]>) -> Row {
        let Logged { item, position, group, .. } = *logged;
        let chance = |item: usize| table.chance(group, item, position);
        let q = |item: usize| self.q_hat[group][item][position];
        let (mut expected, mut total) = (0.0, 0.0);
        for item in 0..self.n_items {
            expected += chance(item) * q(item);
            total += chance(item);
        }
        let weight = chance(item) / logged.propensity;
        let row = Row::new(weight, logged.reward).with_model(q(item), expected / total);
        let Some(embeddings) = embeddings else { return row };
        // The logging policy of these logs is uniform over items: P(embedding) is its share of them.
        let alike = (0..self.n_items).filter(|other| embeddings[*other] == embeddings[item]);
        let (count, target) = alike.fold((0.0, 0.0), |(count, target), other| (count + 1.0, target + chance(other)));
        Row { embedding_weight: target / (count / self.n_items as f64), ..row }
    }

    /// Refuses tables of the wrong shape.
    fn broken(&self, name: &str, path: &Path) -> Result<(), LabError> {
        let by_item =
            |table: &Vec<Vec<f64>>| table.len() == self.n_items && table.iter().all(|row| row.len() == self.n_positions);
        let by_group = |table: &Vec<Vec<Vec<f64>>>| table.len() == self.n_groups && table.iter().all(by_item);
        let shape = |what: &str| {
            let (g, a, k) = (self.n_groups, self.n_items, self.n_positions);
            LabError::file(
                path,
                &format!("{what} of {a} items x {k} positions for {g} groups in campaign {name}"),
                "another shape",
            )
        };
        if !by_group(&self.q_hat) {
            return Err(shape("q_hat"));
        }
        for (policy, table) in &self.policies {
            let good = match (&table.table_gak, &table.table_ak) {
                (Some(table), _) => by_group(table),
                (None, Some(table)) => by_item(table),
                (None, None) => false,
            };
            if !good {
                return Err(shape(&format!("a policy {policy}")));
            }
        }
        Ok(())
    }

    fn read(&self, file: &LogFile, data: &Path) -> Result<Vec<Logged>, LabError> {
        let path = data::find(data, &file.name)?;
        digest(&path, file.sha256.as_deref())?;
        let mut rows = Vec::with_capacity(file.rows);
        data::columns(&path, &["item_id", "position", "click", "pscore", "uf0"], |fields| {
            let whole = |i: usize, below: usize| fields[i].parse::<usize>().ok().filter(|n| *n < below);
            rows.push(Logged {
                item: whole(0, self.n_items)?,
                position: whole(1, self.n_positions)?,
                group: whole(4, self.n_groups)?,
                reward: fields[2].parse().ok()?,
                propensity: fields[3].parse().ok().filter(|p: &f64| *p > 0.0)?,
            });
            Some(())
        })?;
        if rows.len() != file.rows {
            return Err(LabError::file(&path, &format!("{} rows", file.rows), rows.len()));
        }
        Ok(rows)
    }

    /// The embedding of each item, where the log's folder has a table of items.
    fn embeddings(&self, campaign: &str, data: &Path) -> Result<Option<Vec<u64>>, LabError> {
        let wanted = |pair: &Pair| pair.estimators.contains_key("MIPS");
        if !self.estimates.iter().any(wanted) {
            return Ok(None);
        }
        let path = data::find(data, &format!("items_{campaign}.csv.gz"))?;
        let mut of = vec![None; self.n_items];
        data::columns(&path, &["item_id", "item_feature_1"], |fields| {
            *of.get_mut(fields[0].parse::<usize>().ok()?)? = Some(fields[1].parse().ok()?);
            Some(())
        })?;
        let all: Option<Vec<u64>> = of.into_iter().collect();
        all.map(Some).ok_or_else(|| LabError::file(&path, &format!("{} items", self.n_items), "fewer"))
    }
}

impl Table {
    fn chance(&self, group: usize, item: usize, position: usize) -> f64 {
        match (&self.table_gak, &self.table_ak) {
            (Some(table), _) => table[group][item][position],
            (None, Some(table)) => table[item][position],
            (None, None) => f64::NAN,
        }
    }
}

fn find<'a>(logs: &'a BTreeMap<&str, Vec<Logged>>, log: &str, path: &Path, campaign: &str) -> Result<&'a [Logged], LabError> {
    logs.get(log).map(Vec::as_slice).ok_or_else(|| LabError::file(path, &format!("a log {log} in campaign {campaign}"), "none"))
}

/// One case: an estimate with everything the file says of it.
fn compare(found: &mut Deviation, expected: &Map<String, Value>, sums: &Accumulator) {
    let estimate = sums.estimate();
    let interval = interval::normal(&estimate);
    found.case();
    for (name, value) in expected {
        match name.as_str() {
            "value" => found.number(value, estimate.value),
            "se" | "se_delta" => found.number(value, estimate.error.unwrap_or(f64::NAN)),
            "sd_ddof1" => found.number(value, sums.deviation().unwrap_or(f64::NAN)),
            "normal95" => {
                found.number(&value[0], interval.low);
                found.number(&value[1], interval.high);
            }
            _ => {}
        }
    }
}
