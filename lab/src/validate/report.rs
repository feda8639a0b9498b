//! What came of a validation, for programs and for people.

pub mod html;
pub mod junit;

use serde::Serialize;

use super::Outcome;
use super::chance::FAMILY;
use super::compare::{Distances, TESTS, distances};
use super::finding::{Finding, short};
use super::sketch::{Bins, aligned};
use super::stats::{ColumnStats, DatasetStats, Kind};

/// Values of a column that are listed.
const LISTED: usize = 10;

/// Bars of a distribution.
const BARS: usize = 24;

/// The version of the report's form.
const FORMAT: u32 = 1;

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    format: u32,
    /// The exit code.
    pub exit: u8,
    /// What is wrong, the gravest first.
    pub findings: &'a [Finding],
    /// Findings that were suppressed.
    pub suppressed: &'a [Finding],
    /// Rows of each side.
    pub rows: Sides<u64>,
    /// Columns, those that differ most first.
    pub columns: Vec<Column>,
    /// Slices that were asked for.
    pub slices: Vec<Slices>,
}

/// Something of both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Sides<T> {
    /// Of the data set that is judged.
    pub train: T,
    /// Of the one it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<T>,
}

/// A column of one or both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Statistics of each side that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<Summary>,
    /// Of the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Summary>,
    /// How far apart the sides are.
    pub distances: Distances,
    /// The largest distance in units of what chance alone exceeds with the false-alarm rate; above 1 is more than chance.
    pub difference: f64,
    /// The distribution on both sides.
    pub chart: Chart,
}

/// Statistics of a column; shares are of rows, or of values where there are lists.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What it holds.
    pub kind: Kind,
    /// Rows.
    pub rows: u64,
    /// Rows without a value.
    pub missing: u64,
    /// Texts and lists of no length.
    pub empty: u64,
    /// Values, items of lists among them.
    pub values: u64,
    /// Different values; exact while few, else with a standard error of 1.6 %.
    pub distinct: f64,
    /// Numbers that are 0.
    pub zeros: u64,
    /// Numbers that are NaN.
    pub nan: u64,
    /// Numbers that are infinite.
    pub infinite: u64,
    /// Texts that are not UTF-8.
    pub not_utf8: u64,
    /// Mean of finite numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Their standard deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// Smallest, 1 %, 25 %, 50 %, 75 %, 99 %, largest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<f64>,
    /// Mean bytes of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_bytes: Option<f64>,
    /// Smallest, mean and largest number of values of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_lengths: Option<[f64; 3]>,
    /// Correlation with the reward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reward_correlation: Option<f64>,
    /// The most frequent values and their counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<(String, u64)>,
}

/// A distribution: shares of both sides, bar by bar.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Chart {
    /// For numbers, the ends of the first and the last bar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<(f64, f64)>,
    /// For values, what each bar stands for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Shares of train.
    pub train: Vec<f64>,
    /// Shares of the other side.
    pub against: Vec<f64>,
}

/// The slices of a column that was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Slices {
    /// The column, or pair `a*b`.
    pub column: String,
    /// Each slice: value, share in train, share in the other side, mean reward of both.
    pub slices: Vec<SliceLine>,
}

/// One slice.
#[derive(Clone, Debug, Serialize)]
pub struct SliceLine {
    /// Its value.
    pub value: String,
    /// Its share of the rows of train.
    pub train: f64,
    /// Its share of the rows of the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<f64>,
    /// Statistics of its columns in train.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub train_columns: Vec<(String, Summary)>,
}

/// The report of an outcome.
#[must_use]
pub fn report(outcome: &Outcome) -> Report<'_> {
    let (train, against) = (&outcome.train, outcome.against.as_ref());
    let mut names: Vec<&String> = train.names().iter().collect();
    let more = against.map(DatasetStats::names).unwrap_or_default();
    names.extend(more.iter().filter(|name| train.column(name).is_none()));
    let rate = FAMILY / (names.len().max(1) * TESTS) as f64;
    let mut columns: Vec<Column> = names
        .into_iter()
        .map(|name| {
            let (ours, theirs) = (train.column(name), against.and_then(|against| against.column(name)));
            let distances = match (ours, theirs) {
                (Some(ours), Some(theirs)) => distances(ours, theirs, rate),
                _ => Distances::default(),
            };
            Column {
                name: name.clone(),
                train: ours.map(|column| summary(column, LISTED)),
                against: theirs.map(|column| summary(column, LISTED)),
                difference: distances.largest(),
                distances,
                chart: chart(ours, theirs),
            }
        })
        .collect();
    let told =
        |name: &str| outcome.findings.iter().position(|finding| finding.column.as_deref() == Some(name)).unwrap_or(usize::MAX);
    columns.sort_by(|a, b| told(&a.name).cmp(&told(&b.name)).then_with(|| b.difference.total_cmp(&a.difference)));
    Report {
        format: FORMAT,
        exit: outcome.exit(),
        findings: &outcome.findings,
        suppressed: &outcome.suppressed,
        rows: Sides { train: train.rows(), against: against.map(DatasetStats::rows) },
        columns,
        slices: slices(train, against),
    }
}

fn summary(column: &ColumnStats, listed: usize) -> Summary {
    let numbers = column.moments.count() > 0;
    let mut quantiles = column.bins.quantiles(&[0.01, 0.25, 0.5, 0.75, 0.99]);
    if let (Some(min), Some(max)) = (column.moments.min(), column.moments.max()) {
        quantiles = quantiles.into_iter().map(|number| number.clamp(min, max)).collect();
        quantiles.insert(0, min);
        quantiles.push(max);
    }
    let lengths = &column.lengths;
    Summary {
        kind: column.kind(),
        rows: column.rows(),
        missing: column.missing,
        empty: column.empty,
        values: column.values(),
        distinct: column.distinct().round(),
        zeros: column.zeros,
        nan: column.nan,
        infinite: column.infinite,
        not_utf8: column.not_utf8,
        mean: numbers.then(|| column.moments.mean()),
        deviation: numbers.then(|| column.moments.deviation()),
        quantiles,
        mean_bytes: (column.bytes.count() > 0).then(|| column.bytes.mean()),
        list_lengths: lengths.min().zip(lengths.max()).map(|(min, max)| [min, lengths.mean(), max]),
        reward_correlation: column.with_reward.correlation(),
        top: column.top.sorted().into_iter().take(listed).map(|held| (held.value.to_string(), held.count)).collect(),
    }
}

fn slices(train: &DatasetStats, against: Option<&DatasetStats>) -> Vec<Slices> {
    let share = |stats: &DatasetStats, place: usize, value: &str| {
        let rows = stats.slices().get(place).and_then(|column| column.slices().get(value)).map_or(0, |slice| slice.rows);
        rows as f64 / stats.rows().max(1) as f64
    };
    let mut all = Vec::new();
    for (place, column) in train.slices().iter().enumerate() {
        let mut values: Vec<&String> = column.slices().keys().collect();
        if let Some(other) = against.and_then(|against| against.slices().get(place)) {
            values.extend(other.slices().keys().filter(|value| !column.slices().contains_key(*value)));
        }
        let slices = values.into_iter().map(|value| SliceLine {
            value: value.clone(),
            train: share(train, place, value),
            against: against.map(|against| share(against, place, value)),
            train_columns: column.slices().get(value).map_or_else(Vec::new, |slice| {
                train.names().iter().cloned().zip(slice.columns.iter().map(|column| summary(column, 3))).collect()
            }),
        });
        let mut slices: Vec<SliceLine> = slices.collect();
        // Those that differ most come first, with one data set the largest.
        slices.sort_by(|a, b| {
            let weight = |slice: &SliceLine| (slice.train - slice.against.unwrap_or(0.0)).abs();
            weight(b).total_cmp(&weight(a)).then_with(|| a.value.cmp(&b.value))
        });
        all.push(Slices { column: column.name.clone(), slices });
    }
    all
}

fn chart(train: Option<&ColumnStats>, against: Option<&ColumnStats>) -> Chart {
    let sides: Vec<&ColumnStats> = train.into_iter().chain(against).collect();
    let few = sides.iter().all(|column| column.floats == 0 && column.top.distinct().is_some_and(|distinct| distinct <= LISTED));
    if !few && sides.iter().all(|column| column.kind().is_number()) {
        return of_numbers(train, against);
    }
    let shares = |column: Option<&ColumnStats>, value: &str| {
        let column = column?;
        let held = column.top.sorted().into_iter().find(|held| held.value.to_string() == value);
        Some(held.map_or(0, |held| held.count) as f64 / column.values().max(1) as f64)
    };
    let mut values: Vec<(String, u64)> = Vec::new();
    for column in &sides {
        for held in column.top.sorted().into_iter().take(LISTED) {
            let name = held.value.to_string();
            match values.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count = (*count).max(held.count),
                None => values.push((name, held.count)),
            }
        }
    }
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(LISTED);
    let values: Vec<String> = values.into_iter().map(|(value, _)| value).collect();
    let of = |column| values.iter().filter_map(|value| shares(column, value)).collect();
    Chart { range: None, train: of(train), against: of(against), values }
}

fn of_numbers(train: Option<&ColumnStats>, against: Option<&ColumnStats>) -> Chart {
    let nothing = Bins::new(2);
    let (one, other) = (train.map_or(&nothing, |column| &column.bins), against.map_or(&nothing, |column| &column.bins));
    // The outermost half percent of each side falls into the outermost bars.
    let ends: Vec<f64> = [one, other].iter().flat_map(|bins| bins.quantiles(&[0.005, 0.995])).collect();
    let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !(high - low).is_finite() {
        return Chart::default();
    }
    let width = if high > low { (high - low) / BARS as f64 } else { 1.0 };
    let bar = |number: f64| (((number - low) / width).max(0.0) as usize).min(BARS - 1);
    let mut shares = [vec![0.0; BARS], vec![0.0; BARS]];
    for (bin, a, b) in aligned(one, other) {
        let (first, last) = (bar(bin.low), bar(bin.high));
        for (side, count, total) in [(0, a, one.total()), (1, b, other.total())] {
            // A bin that reaches over several bars is spread evenly over them.
            let share = count as f64 / total.max(1) as f64 / (last - first + 1) as f64;
            shares[side][first..=last].iter_mut().for_each(|bar| *bar += share);
        }
    }
    let [ours, theirs] = shares;
    Chart {
        range: Some((low, low + width * BARS as f64)),
        values: Vec::new(),
        train: train.map_or_else(Vec::new, |_| ours),
        against: against.map_or_else(Vec::new, |_| theirs),
    }
}

/// A number in few digits, or a dash.
fn digits(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), short)
}
