//! Shares of values: slices that are missing, have collapsed or moved.

use std::collections::BTreeMap;

use libm::log;

use super::{Pair, has_few_values, side, tells_rows_apart};
use crate::validate::chance::{FAMILY, discoveries, log_chance};
use crate::validate::finding::{Dataset, Finding, percent, slice};
use crate::validate::stats::DatasetStats;

/// A column with more values than this has no slices, unless it was asked for.
pub const MAX_VALUES: usize = 64;

/// A share that fell to less than this part of what was expected has collapsed.
const COLLAPSED: f64 = 0.5;

/// A share that changed by less than this much and less than a quarter is too small a matter, however many rows say so.
const SMALL_CHANGE: f64 = 0.005;

/// One value whose share is not the same on both sides.
#[derive(Clone, Debug)]
struct Share {
    value: String,
    train: f64,
    against: f64,
}

/// A column whose shares are not the same on both sides.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Column, or pair of columns `a*b`.
    pub name: String,
    /// The column, the first one of a pair.
    pub column: String,
    /// All values that chance does not explain, the gravest first.
    found: Vec<Share>,
    /// The shares of every value on both sides.
    all: Vec<Share>,
    rank: (u8, f64, usize, usize),
}

/// The columns whose shares differ, the likeliest cause first: missing slices before collapsed ones before others, the largest first.
pub fn moved(pair: &Pair<'_>) -> Vec<Moved> {
    let mut columns: Vec<(String, Vec<Share>)> = Vec::new();
    for slices in pair.train.slices() {
        if let Some(shares) = declared(pair, &slices.name) {
            columns.push((slices.name.clone(), shares));
        }
    }
    for name in pair.train.names() {
        let known = columns.iter().any(|(known, _)| known == name);
        if !known && has_few_values(pair, name) && !tells_rows_apart(pair, name) {
            columns.push((name.clone(), values(pair, name)));
        }
    }
    let rows = |stats: &DatasetStats| stats.rows() as f64;
    let (n, m) = (rows(pair.train), rows(pair.against));
    let chances: Vec<f64> = columns
        .iter()
        .flat_map(|(_, shares)| shares.iter().map(|share| log_chance(share.train * n, n, share.against * m, m)))
        .collect();
    let mut discovered = discoveries(&chances, FAMILY).into_iter();
    let mut all = Vec::new();
    for (place, (name, shares)) in columns.into_iter().enumerate() {
        let flags: Vec<bool> = discovered.by_ref().take(shares.len()).collect();
        let mut found: Vec<Share> =
            shares.iter().zip(flags).filter(|(share, found)| *found && grave(share)).map(|(share, _)| share.clone()).collect();
        found.sort_by(|a, b| gravity(a).cmp(&gravity(b)).then_with(|| expected(b).total_cmp(&expected(a))));
        let Some(first) = found.first() else { continue };
        let rank = (gravity(first), -expected(first), shares.len(), place);
        let column = name.split('*').next().unwrap_or(&name).trim().to_owned();
        all.push(Moved { name, column, found, all: shares, rank });
    }
    all.sort_by(|a, b| {
        let ((ga, ea, va, pa), (gb, eb, vb, pb)) = (a.rank, b.rank);
        ga.cmp(&gb).then_with(|| ea.total_cmp(&eb)).then_with(|| va.cmp(&vb)).then_with(|| pa.cmp(&pb))
    });
    all
}

/// The shares of a column by value, of all rows.
fn values(pair: &Pair<'_>, name: &str) -> Vec<Share> {
    let mut shares: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for (index, stats) in [pair.train, pair.against].into_iter().enumerate() {
        let Some(column) = stats.column(name) else { continue };
        for counted in column.top.sorted() {
            shares.entry(counted.value.to_string()).or_default()[index] = counted.count as f64 / stats.rows().max(1) as f64;
        }
    }
    shares.into_iter().map(|(value, [train, against])| Share { value, train, against }).collect()
}

/// The shares of slices that were asked for.
fn declared(pair: &Pair<'_>, name: &str) -> Option<Vec<Share>> {
    let mut shares: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for (index, stats) in [pair.train, pair.against].into_iter().enumerate() {
        let slices = stats.slices().iter().find(|slices| slices.name == name)?;
        if slices.parts().iter().any(|part| stats.column(part).is_none()) {
            return None;
        }
        for (value, slice) in slices.slices() {
            shares.entry(value.clone()).or_default()[index] = slice.rows as f64 / stats.rows().max(1) as f64;
        }
    }
    Some(shares.into_iter().map(|(value, [train, against])| Share { value, train, against }).collect())
}

fn expected(share: &Share) -> f64 {
    share.train.max(share.against)
}

/// 0 when it is missing on one side, 1 when it has collapsed, 2 otherwise.
fn gravity(share: &Share) -> u8 {
    let least = share.train.min(share.against);
    if least == 0.0 {
        0
    } else if least < COLLAPSED * expected(share) {
        1
    } else {
        2
    }
}

fn grave(share: &Share) -> bool {
    let change = (share.train - share.against).abs();
    change >= SMALL_CHANGE || change >= 0.25 * share.train.min(share.against)
}

impl Moved {
    /// Whether a slice is missing.
    pub fn has_missing(&self) -> bool {
        self.rank.0 == 0
    }

    /// What to report, with the shares as they are in the whole data. One finding for each missing slice, else one for the column.
    pub fn findings(&self, whole: &Pair<'_>) -> Vec<Finding> {
        let told = |share: &Share| {
            let whole = declared(whole, &self.name).unwrap_or_else(|| values(whole, &self.name));
            whole.into_iter().find(|other| other.value == share.value).unwrap_or_else(|| share.clone())
        };
        if self.has_missing() {
            return self
                .found
                .iter()
                .filter(|share| gravity(share) == 0)
                .map(|share| self.missing(&told(share), whole))
                .collect();
        }
        // Where one value loses, others gain: the one that lost more than half, or the largest change, stands for all.
        let Some(first) = self.found.iter().max_by(|a, b| {
            // The part of each value in the stability index.
            let weight = |share: &Share| (share.train - share.against) * log(share.train / share.against);
            (gravity(a) == 1).cmp(&(gravity(b) == 1)).then_with(|| weight(a).total_cmp(&weight(b)))
        }) else {
            return Vec::new();
        };
        vec![self.shifted(&told(first))]
    }

    fn missing(&self, share: &Share, whole: &Pair<'_>) -> Finding {
        let dataset = if share.train == 0.0 { Dataset::Train } else { Dataset::Against };
        let name = slice(&self.name, &share.value);
        let message = format!("slice {name} is missing from {} (expected about {})", dataset.name(), percent(expected(share)));
        let rows = side(whole, dataset).rows();
        Finding::error("missing_slice", dataset, message).in_slice(&self.name, &share.value).figures(expected(share), 0.0).fix(
            format!(
                "look for a filter or a failed join that drops {name} on the way to {}: none of its {rows} rows has it",
                dataset.name()
            ),
        )
    }

    fn shifted(&self, share: &Share) -> Finding {
        let name = slice(&self.name, &share.value);
        let collapsed = gravity(share) == 1;
        let dataset = if collapsed && share.against < share.train { Dataset::Against } else { Dataset::Train };
        let (expected, found) = match dataset {
            Dataset::Against => (share.train, share.against),
            _ => (share.against, share.train),
        };
        let shares = format!("is {} of {} (expected about {})", percent(found), dataset.name(), percent(expected));
        let finding = if collapsed {
            Finding::error("collapsed_slice", dataset, format!("slice {name} has collapsed: it {shares}"))
                .fix(format!("find where rows with {name} are lost on the way to {}", dataset.name()))
        } else {
            Finding::warning("slice_share_drift", dataset, format!("slice {name} {shares}"))
                .fix("if the change is known and meant, suppress this finding; else compare how both data sets were drawn")
        };
        finding.in_slice(&self.name, &share.value).figures(expected, found)
    }

    /// Which share of the rows of each value to keep, in train and in against, to make both sides equal.
    pub fn thinning(&self) -> [BTreeMap<String, f64>; 2] {
        let mut keep = [BTreeMap::new(), BTreeMap::new()];
        for share in &self.all {
            if self.has_missing() {
                // Only what chance does not explain; what is left is looked at again.
                let found = self.found.iter().any(|found| found.value == share.value && gravity(found) == 0);
                if found && share.train == 0.0 {
                    keep[1].insert(share.value.clone(), 0.0);
                } else if found {
                    keep[0].insert(share.value.clone(), 0.0);
                }
            } else if share.train > share.against {
                keep[0].insert(share.value.clone(), share.against / share.train);
            } else if share.against > share.train {
                keep[1].insert(share.value.clone(), share.train / share.against);
            }
        }
        keep
    }
}
