//! Two public logs divided once and for all, so that our trainers and the field's can be compared on the same rows.
//!
//! | split | rows | learns |
//! |---|---|---|
//! | `kuairand` | impressions of a video feed (Gao et al. 2022) | whether a play reaches 30 seconds |
//! | `open_bandit` | impressions of a shop's carousel, two policies (Saito et al. 2021) | clicks, rows weighted by clipped inverse propensities |

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ears_only::history::LISTEN_MS;
use ears_only::math::ln_1p;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::descent::Normals;
use super::fitted::{self, Settings};
use super::parallel::Threads;
use super::sample::{Quality, Sample, unit};
use super::trees;
use crate::data::{find, lines};
use crate::error::LabError;
use crate::progress;
use crate::table::write_json;

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
    /// All rows; their groups decide the part that they belong to.
    pub all: Sample,
}

/// Parts of the rows. Each is tested once; of the others the next one says when to stop, and the rest is learned from.
pub const FOLDS: usize = 5;

/// The splits of the data under `data`.
///
/// # Errors
/// When a file is missing or cannot be read.
pub fn splits(data: &Path) -> Result<Vec<Split>, LabError> {
    Ok(vec![kuairand(data)?, open_bandit(data)?])
}

/// The part of a group.
fn part(group: u32) -> usize {
    (unit(SEED, group) * FOLDS as f64) as usize
}

impl Split {
    /// Rows to learn from, to judge by and to test on, when part `fold` is tested.
    #[must_use]
    pub fn fold(&self, fold: usize) -> [Sample; 3] {
        let of = |wanted: &dyn Fn(usize) -> bool| {
            self.all.subset(&(0..self.all.rows()).filter(|row| wanted(part(self.all.group[*row]))).collect::<Vec<_>>())
        };
        let judge = (fold + 1) % FOLDS;
        [of(&|part| part != fold && part != judge), of(&|part| part == judge), of(&|part| part == fold)]
    }
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
        *items.entry(*item as u64).or_default() += 1.0;
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
    Ok(Split { name: "kuairand", columns, all: all.checked()? })
}

fn open_bandit(data: &Path) -> Result<Split, LabError> {
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
        "campaign",
    ];
    let mut all = Sample { width: columns.len(), ..Sample::default() };
    for (number, campaign) in ["men", "all"].into_iter().enumerate() {
        let mut items: BTreeMap<u32, [f32; 4]> = BTreeMap::new();
        let header = "item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3";
        lines(&find(data, &format!("items_{campaign}.csv.gz"))?, header, |line| {
            let cells: Vec<&str> = line.split(',').collect();
            let mut features = [0.0; 4];
            for (feature, cell) in features.iter_mut().zip(cells.get(1..)?) {
                *feature = value(cell)?;
            }
            items.insert(value(cells.first()?)?, features);
            Some(())
        })?;
        let header = "row,t_ms,item_id,position,click,pscore,uf0,uf1,uf2,uf3,affinity_shown,affinity_sum";
        for policy in ["random", "bts"] {
            lines(&find(data, &format!("{policy}_{campaign}.csv.gz"))?, header, |line| {
                let cells: Vec<&str> = line.split(',').collect();
                all.values.extend(items.get(&value(cells.get(2)?)?)?);
                all.values.push(value(cells.get(3)?)?);
                for at in 6..12 {
                    all.values.push(value(cells.get(at)?)?);
                }
                all.values.push(number as f32);
                all.target.push(value(cells.get(4)?)?);
                let propensity: f64 = value(cells.get(5)?)?;
                all.weight.push((1.0 / (propensity * items.len() as f64)).min(CLIP));
                // Impressions of one moment belong together.
                let time: u64 = value(cells.get(1)?)?;
                all.group.push((time / 1000 % (1 << 31)) as u32);
                Some(())
            })?;
        }
    }
    Ok(Split { name: "open_bandit", columns, all: all.checked()? })
}

impl Split {
    /// Writes the split as a table: the columns, `reward`, `weight`, `listener`, and the part as `slice:part`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LabError> {
        let cannot = |error: std::io::Error| LabError::file(path, "a writable file", error);
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(cannot)?);
        writeln!(file, "{},reward,weight,listener,slice:part", self.columns.join(",")).map_err(cannot)?;
        for row in 0..self.all.rows() {
            for x in self.all.row(row) {
                // The shortest text that reads as the same number; nothing for a missing one.
                if x.is_nan() { write!(file, ",") } else { write!(file, "{x},") }.map_err(cannot)?;
            }
            let (target, weight, group) = (self.all.target[row], self.all.weight[row], self.all.group[row]);
            writeln!(file, "{target},{weight},{group},{}", part(group)).map_err(cannot)?;
        }
        file.flush().map_err(cannot)
    }
}

/// Compares the trainers with those of the field: writes the splits for them, and what ours make of these.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Directory that holds the KuaiRand and Open Bandit logs, at any depth.
    #[arg(long)]
    data: PathBuf,
    /// Where the splits go as tables of text, with the rows on which training is timed.
    #[arg(long)]
    folder: PathBuf,
    /// Where the report goes as JSON; - for standard output.
    #[arg(long)]
    json: PathBuf,
    /// Times trees on the rows in the folder with this number of threads, and does nothing else.
    #[arg(long)]
    time: Option<usize>,
}

/// Rows and columns on which training is timed, trees and depth.
const TIMING: (usize, usize, usize, usize) = (200_000, 20, 100, 6);

/// What the trainers make of a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// SHA-256 of the table.
    pub sha256: String,
    /// Log-loss over all rows, each tested once, when they are predicted as the mean of the rows learned from.
    pub of_mean: f64,
    /// The same by model; the seed of what is drawn is the number of the part tested, from 1 on.
    pub log_loss: BTreeMap<String, f64>,
}

#[derive(Serialize)]
struct Report {
    format: u32,
    splits: BTreeMap<String, Scores>,
}

#[derive(Serialize)]
struct Timed {
    seconds: f64,
}

impl Arguments {
    /// Writes splits and report.
    ///
    /// # Errors
    /// When data are missing, files cannot be written, or training fails.
    pub fn run(&self) -> Result<(), LabError> {
        std::fs::create_dir_all(&self.folder).map_err(|error| LabError::file(&self.folder, "a folder to write in", error))?;
        let timing = self.folder.join("timing.f32");
        if let Some(threads) = self.time {
            return write_json(&Timed { seconds: time(&timing, threads)? }, &self.json);
        }
        write_timing(&timing)?;
        let mut report = Report { format: 1, splits: BTreeMap::new() };
        let bar = progress::bar("models");
        let threads = Threads::new(2)?;
        for split in splits(&self.data)? {
            let file = self.folder.join(format!("{}.csv", split.name));
            split.write(&file)?;
            let bytes = std::fs::read(&file).map_err(|error| LabError::file(&file, "a readable file", error))?;
            let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            let of_mean = tested(&split, |[learn, _, test], _| Ok(vec![super::sample::base_margin(learn); test.rows()]))?;
            let mut scores = Scores { sha256, of_mean, log_loss: BTreeMap::new() };
            let names = ["linear", "fm", "trees", "leaves", "oblivious", "network"];
            for (done, name) in names.into_iter().enumerate() {
                progress::show(&bar, done as u64, names.len() as u64);
                scores.log_loss.insert(name.to_owned(), loss(&split, name, &threads)?);
            }
            report.splits.insert(split.name.to_owned(), scores);
        }
        bar.finish_and_clear();
        write_json(&report, &self.json)
    }
}

/// Log-loss over all rows of the margins that `margins` gives each part from the others, and the number of the part.
fn tested(split: &Split, margins: impl Fn(&[Sample; 3], u64) -> Result<Vec<f64>, LabError>) -> Result<f64, LabError> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for fold in 0..FOLDS {
        let parts = split.fold(fold);
        let test = &parts[2];
        sum += Quality::loss(test, &margins(&parts, fold as u64 + 1)?) * test.total_weight();
        weight += test.total_weight();
    }
    Ok(sum / weight)
}

/// Log-loss over all rows of a model.
fn loss(split: &Split, name: &str, threads: &Threads) -> Result<f64, LabError> {
    tested(split, |[learn, judge, test], seed| {
        let settings = if name == "leaves" {
            Settings::Trees(trees::Settings { shape: trees::Shape::Leaves, ..trees::Settings::default() })
        } else {
            Settings::from_name(name, seed)?
        };
        let fitted = fitted::fit(learn, judge, &settings, threads, &mut |_, _| ())?;
        Ok(fitted.margins(test, threads))
    })
}

/// Writes rows on which training is timed: normal columns, a reward that depends on a few of them.
fn write_timing(path: &Path) -> Result<(), LabError> {
    let (rows, columns, ..) = TIMING;
    let mut normals = Normals::new(SEED);
    let mut bytes = Vec::with_capacity(rows * (columns + 1) * 4);
    for _ in 0..rows {
        let x: Vec<f32> = (0..columns).map(|_| normals.draw()).collect();
        let margin = x[0] + x[1] * x[2] - 0.5 * x[3].abs() + normals.draw();
        for value in x.into_iter().chain([if margin > 1.0 { 1.0 } else { 0.0 }]) {
            bytes.extend(value.to_le_bytes());
        }
    }
    std::fs::write(path, bytes).map_err(|error| LabError::file(path, "a writable file", error))
}

/// Seconds of one training, from the rows to the trees.
fn time(path: &Path, threads: usize) -> Result<f64, LabError> {
    let (_, columns, trees, depth) = TIMING;
    let bytes = std::fs::read(path).map_err(|error| LabError::file(path, "rows to time on", error))?;
    let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let mut sample = Sample { width: columns, ..Sample::default() };
    for (row, numbers) in (0u32..).zip(numbers.chunks_exact(columns + 1)) {
        sample.values.extend(&numbers[..columns]);
        sample.target.push(f64::from(numbers[columns]));
        sample.weight.push(1.0);
        sample.group.push(row);
    }
    let sample = sample.checked()?;
    let settings = trees::Settings { trees, depth, ..trees::Settings::default() };
    let threads = Threads::new(threads)?;
    let none = Sample { width: columns, ..Sample::default() };
    let start = Instant::now();
    trees::fit(&sample, &none, &settings, &threads, &mut |_, _| ())?;
    Ok(start.elapsed().as_secs_f64())
}
