//! Two public logs divided once and for all, so that our trainers and the field's can be compared on the same rows.
//!
//! | split | rows | learns |
//! |---|---|---|
//! | `kuairand` | impressions of a video feed (Gao et al. 2022) | whether a play reaches 30 seconds |
//! | `open_bandit` | impressions of a shop's carousel, two policies (Saito et al. 2021) | clicks, rows weighted by clipped inverse propensities |

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use ears_only::history::LISTEN_MS;
use ears_only::math::ln_1p;

use super::sample::{Sample, unit};
use crate::data::{find, lines};
use crate::error::LabError;

/// Draws which users or rows are learned from, judge and test.
const SEED: u64 = 20_261_124;
/// Largest inverse propensity of the shop's log, beside a uniform policy.
const CLIP: f64 = 10.0;

/// A divided log.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Its name.
    pub name: &'static str,
    /// Names of its columns.
    pub columns: Vec<&'static str>,
    /// Three fifths of the users, to learn from.
    pub learn: Sample,
    /// A fifth, to say when to stop.
    pub judge: Sample,
    /// A fifth, to compare on.
    pub test: Sample,
}

/// The splits of the data under `data`.
///
/// # Errors
/// When a file is missing or cannot be read.
pub fn splits(data: &Path) -> Result<Vec<Split>, LabError> {
    Ok(vec![kuairand(data)?, open_bandit(data)?])
}

/// 0 for learning, 1 for judging, 2 for testing.
fn part(group: u32) -> usize {
    let place = unit(SEED, group);
    if place < 0.6 {
        0
    } else if place < 0.8 {
        1
    } else {
        2
    }
}

fn divide(name: &'static str, columns: Vec<&'static str>, all: Sample) -> Result<Split, LabError> {
    let all = all.checked()?;
    let of = |wanted: usize| all.subset(&(0..all.rows()).filter(|row| part(all.group[*row]) == wanted).collect::<Vec<_>>());
    Ok(Split { name, columns, learn: of(0), judge: of(1), test: of(2) })
}

/// Number in a table's cell; a table of data does not hold anything else.
fn value<T: std::str::FromStr>(cell: &str) -> Option<T> {
    cell.parse().ok()
}

fn kuairand(data: &Path) -> Result<Split, LabError> {
    let file = find(data, "events.csv.gz")?;
    let header =
        "user,item,t_ms,is_click,is_follow,is_comment,is_forward,long_view,play_time_ms,duration_ms,is_profile_enter,liked";
    let mut rows: Vec<[f64; 7]> = Vec::new();
    lines(&file, header, |line| {
        let cells: Vec<&str> = line.split(',').collect();
        let mut row = [0.0; 7];
        for (value, at) in row.iter_mut().zip([0, 1, 2, 3, 8, 9, 10]) {
            *value = cells.get(at)?.parse().ok()?;
        }
        rows.push(row);
        Some(())
    })?;
    let (mut items, mut users) = (BTreeMap::<u64, f64>::new(), BTreeMap::<u64, f64>::new());
    for [user, item, ..] in &rows {
        *users.entry(*user as u64).or_default() += 1.0;
        // What is popular is known from the rows that are learned from.
        if part(*user as u32) == 0 {
            *items.entry(*item as u64).or_default() += 1.0;
        }
    }
    let columns =
        vec!["hour_sin", "hour_cos", "dow", "log_item_pop", "log_user_act", "log_duration_s", "is_click", "is_profile_enter"];
    let mut all = Sample { width: columns.len(), ..Sample::default() };
    for [user, item, t_ms, click, play_ms, duration_ms, profile] in rows {
        // The feed is read in China, eight hours ahead of UTC.
        let hours = (t_ms / 3_600_000.0 + 8.0).floor();
        let angle = 2.0 * std::f64::consts::PI * hours.rem_euclid(24.0) / 24.0;
        let known = items.get(&(item as u64)).copied().unwrap_or(0.0);
        let duration = if duration_ms > 0.0 { ln_1p(duration_ms / 1000.0) as f32 } else { f32::NAN };
        all.values.extend([
            libm::sin(angle) as f32,
            libm::cos(angle) as f32,
            ((hours / 24.0).floor() + 4.0).rem_euclid(7.0) as f32,
        ]);
        all.values.extend([ln_1p(known) as f32, ln_1p(users[&(user as u64)]) as f32, duration, click as f32, profile as f32]);
        all.target.push(f64::from(u8::from(play_ms >= f64::from(LISTEN_MS))));
        all.weight.push(1.0);
        all.group.push(user as u32);
    }
    divide("kuairand", columns, all)
}

fn open_bandit(data: &Path) -> Result<Split, LabError> {
    let mut items: BTreeMap<u32, [f32; 4]> = BTreeMap::new();
    lines(&find(data, "items_men.csv.gz")?, "item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3", |line| {
        let cells: Vec<&str> = line.split(',').collect();
        let mut features = [0.0; 4];
        for (feature, cell) in features.iter_mut().zip(cells.get(1..)?) {
            *feature = value(cell)?;
        }
        items.insert(value(cells.first()?)?, features);
        Some(())
    })?;
    let columns = vec![
        "item_feature_0",
        "item_feature_1",
        "item_feature_2",
        "item_feature_3",
        "position",
        "uf0",
        "uf1",
        "uf2",
        "uf3",
        "affinity_shown",
        "affinity_sum",
    ];
    let mut all = Sample { width: columns.len(), ..Sample::default() };
    let header = "row,t_ms,item_id,position,click,pscore,uf0,uf1,uf2,uf3,affinity_shown,affinity_sum";
    for name in ["random_men.csv.gz", "bts_men.csv.gz"] {
        lines(&find(data, name)?, header, |line| {
            let cells: Vec<&str> = line.split(',').collect();
            all.values.extend(items.get(&value(cells.get(2)?)?)?);
            all.values.push(value(cells.get(3)?)?);
            for at in 6..12 {
                all.values.push(value(cells.get(at)?)?);
            }
            all.target.push(value(cells.get(4)?)?);
            let propensity: f64 = value(cells.get(5)?)?;
            all.weight.push((1.0 / (propensity * items.len() as f64)).min(CLIP));
            // Impressions of one moment belong together.
            let time: u64 = value(cells.get(1)?)?;
            all.group.push((time / 1000 % (1 << 31)) as u32);
            Some(())
        })?;
    }
    divide("open_bandit", columns, all)
}

impl Split {
    /// Writes the split as a table: the columns, `reward`, `weight`, `listener`, and `slice:part` with learn, judge and test.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LabError> {
        let cannot = |error: std::io::Error| LabError::file(path, "a writable file", error);
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(cannot)?);
        writeln!(file, "{},reward,weight,listener,slice:part", self.columns.join(",")).map_err(cannot)?;
        for (part, sample) in [("learn", &self.learn), ("judge", &self.judge), ("test", &self.test)] {
            for row in 0..sample.rows() {
                for x in sample.row(row) {
                    // The shortest text that reads as the same number; nothing for a missing one.
                    if x.is_nan() { write!(file, ",") } else { write!(file, "{x},") }.map_err(cannot)?;
                }
                writeln!(file, "{},{},{},{part}", sample.target[row], sample.weight[row], sample.group[row]).map_err(cannot)?;
            }
        }
        file.flush().map_err(cannot)
    }
}
