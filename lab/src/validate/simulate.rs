//! Decision logs with tiers, made up, to measure how often a missing tier is found and how often chance is taken for one.
//!
//! Nearly every column depends on the tier, as in a real app, so that a missing tier moves them all.

use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use serde::Serialize;

use super::compare::{Again, Pair, Thinning, compare};
use super::roles::Roles;
use super::source::Cell;
use super::stats::DatasetStats;
use crate::error::LabError;

const COLUMNS: [&str; 12] = [
    "t_ms",
    "tier",
    "shuffle",
    "country",
    "platform",
    "position",
    "item",
    "propensity",
    "affinity",
    "minutes",
    "plays",
    "reward",
];
const COUNTRIES: [&str; 5] = ["US", "DE", "BR", "SE", "JP"];
const PLATFORMS: [&str; 4] = ["ios", "android", "web", "desktop"];

/// How a log is drawn.
#[derive(Clone, Debug)]
pub struct Log {
    /// Rows before anything is dropped.
    pub rows: u64,
    /// Share of the premium tier.
    pub premium: f64,
}

impl Default for Log {
    fn default() -> Self {
        Self { rows: 10_000, premium: 0.4 }
    }
}

#[derive(Clone, Debug)]
struct Row {
    time: i64,
    premium: bool,
    country: usize,
    platform: usize,
    position: i64,
    item: i64,
    propensity: f64,
    affinity: f64,
    minutes: Option<f64>,
    plays: i64,
    reward: i64,
}

/// A drawn log, kept in memory.
#[derive(Clone, Debug)]
pub struct Draw {
    names: Vec<String>,
    rows: Vec<Row>,
}

impl Log {
    /// Draws a log with this seed, without the rows of one tier (`premium` or `free`).
    #[must_use]
    pub fn draw(&self, seed: u64, without: Option<&str>) -> Draw {
        let mut rng = Pcg64Mcg::new(u128::from(super::sketch::mix(seed ^ 0xea25)) << 64 | u128::from(seed) << 1 | 1);
        let mut unit = move || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut rows = Vec::new();
        for number in 0..self.rows {
            let premium = unit() < self.premium;
            let pick = |shares: &[f64], mut at: f64| {
                shares.iter().position(|share| {
                    at -= share;
                    at < 0.0
                })
            };
            let countries: &[f64] = if premium { &[0.5, 0.2, 0.1, 0.15, 0.05] } else { &[0.35, 0.15, 0.35, 0.1, 0.05] };
            let platforms: &[f64] = if premium { &[0.5, 0.2, 0.1, 0.2] } else { &[0.2, 0.6, 0.15, 0.05] };
            let minutes = -libm::log(1.0 - unit()) * if premium { 60.0 } else { 20.0 };
            let row = Row {
                time: 1_700_000_000_000 + number as i64 * 1000,
                premium,
                country: pick(countries, unit()).unwrap_or(4),
                platform: pick(platforms, unit()).unwrap_or(3),
                position: (unit() * 5.0) as i64,
                item: (unit() * unit() * 400.0) as i64 + if premium { 100 } else { 0 },
                propensity: [0.05, 0.1, 0.2, 0.5][(unit() * 4.0) as usize % 4],
                affinity: unit() + unit() + unit() - if premium { 1.2 } else { 1.6 },
                minutes: (unit() < 0.9).then_some(minutes),
                plays: (minutes / 3.0) as i64,
                reward: i64::from(unit() < if premium { 0.3 } else { 0.1 }),
            };
            if without != Some(if premium { "premium" } else { "free" }) {
                rows.push(row);
            }
        }
        Draw { names: COLUMNS.map(str::to_owned).to_vec(), rows }
    }
}

impl Draw {
    /// Takes out the rows with this value.
    pub fn drop(&mut self, column: &str, value: &str) {
        self.rows.retain(|row| match column {
            "country" => COUNTRIES[row.country] != value,
            "platform" => PLATFORMS[row.platform] != value,
            _ => true,
        });
    }

    /// The statistics of all rows.
    #[must_use]
    pub fn stats(&self) -> DatasetStats {
        self.thinned(&Thinning::default())
    }

    fn thinned(&self, thinning: &Thinning) -> DatasetStats {
        let mut stats = DatasetStats::new(Roles::default(), &[]);
        for (number, row) in (0_u64..).zip(&self.rows) {
            let cells = row.cells();
            if thinning.is_empty() || thinning.keeps(number, &self.names, &cells) {
                stats.add(&self.names, &cells);
            }
        }
        stats
    }
}

impl Row {
    fn cells(&self) -> [Cell<'static>; 12] {
        [
            Cell::Int(self.time),
            Cell::Text(if self.premium { b"premium" } else { b"free" }),
            Cell::Bool(!self.premium),
            Cell::Text(COUNTRIES[self.country].as_bytes()),
            Cell::Text(PLATFORMS[self.platform].as_bytes()),
            Cell::Int(self.position),
            Cell::Int(self.item),
            Cell::Float(self.propensity),
            Cell::Float(self.affinity),
            self.minutes.map_or(Cell::Missing, Cell::Float),
            Cell::Int(self.plays),
            Cell::Int(self.reward),
        ]
    }
}

impl Again for Draw {
    fn again(&self, thinning: &Thinning) -> Result<DatasetStats, LabError> {
        Ok(self.thinned(thinning))
    }
}

/// How often a missing tier was found, and how often something was found in equal data.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Draws {
    /// Rows of each side.
    pub rows: u64,
    /// Pairs without a tier on one side.
    pub pairs: u64,
    /// Those with exactly one finding, which names the tier, the side and the share.
    pub found: u64,
    /// Pairs of equal data.
    pub clean_pairs: u64,
    /// Those with any finding.
    pub false_alarms: u64,
    /// The first findings that were not wanted.
    pub unwanted: Vec<String>,
}

/// Draws `pairs` pairs of logs of `rows` rows without a tier that holds 1 % to 40 % of them, and as many equal pairs.
///
/// # Errors
/// When a comparison fails.
pub fn draws(pairs: u64, rows: u64) -> Result<Draws, LabError> {
    let mut all = Draws { rows, pairs, clean_pairs: pairs, ..Draws::default() };
    for pair in 0..pairs {
        let premium = [0.01, 0.02, 0.05, 0.1, 0.4][(pair % 5) as usize];
        let log = Log { rows, premium };
        let against = log.draw(4 * pair, None);
        let (train, clean) = (log.draw(4 * pair + 1, Some("premium")), log.draw(4 * pair + 2, None));
        let (whole, cut, same) = (against.stats(), train.stats(), clean.stats());
        // Every other pair is mirrored: the tier is missing from the other side.
        let mirrored = pair % 2 == 1;
        let findings = if mirrored {
            compare(&Pair { train: &whole, against: &cut }, [&against, &train])?
        } else {
            compare(&Pair { train: &cut, against: &whole }, [&train, &against])?
        };
        let side = if mirrored { "against" } else { "train" };
        let start = format!("slice tier=premium is missing from {side} (expected about ");
        match findings.as_slice() {
            [one] if one.message.starts_with(&start) && close(one, premium) => all.found += 1,
            other => all.unwanted.extend(other.iter().map(|finding| format!("pair {pair}: {}", finding.message))),
        }
        let alarms = compare(&Pair { train: &same, against: &whole }, [&clean, &against])?;
        all.false_alarms += u64::from(!alarms.is_empty());
        all.unwanted.extend(alarms.iter().map(|finding| format!("equal pair {pair}: {}", finding.message)));
    }
    all.unwanted.truncate(20);
    Ok(all)
}

/// Whether the share that a finding expects is near the truth.
fn close(finding: &super::finding::Finding, premium: f64) -> bool {
    match &finding.expected {
        Some(super::finding::Figure::Number(share)) => (share - premium).abs() < 0.35 * premium,
        _ => false,
    }
}
