//! How far apart two distributions are, and how far chance alone may put them.

use std::collections::BTreeMap;

use libm::{log, sqrt};
use serde::Serialize;

use super::{Pair, has_few_values, tells_rows_apart};
use crate::validate::chance::{FAMILY, kolmogorov_limit, log_chance, normal_limit, stability_limit, wasserstein_limit};
use crate::validate::finding::{Dataset, Finding, percent, short};
use crate::validate::sketch::{Bins, aligned};
use crate::validate::stats::{ColumnStats, Kind};

/// Rows that a bucket of the stability index needs on both sides together, for its law to hold far out in the tail.
const FULL_BUCKET: f64 = 400.0;

/// Buckets of the stability index.
const BUCKETS: usize = 10;

/// Tests of a column: five distances, two tails, single values, lengths, three steps of numbers.
pub const TESTS: usize = 12;

/// Values of a long list that are looked at one by one.
const LOOKED_AT: usize = 200;

/// A distance and what chance alone exceeds with the false-alarm rate of one test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distance {
    /// What was measured.
    pub value: f64,
    /// What it may be.
    pub limit: f64,
}

/// Distances of one column between two data sets; those that make sense for its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Distances {
    /// The largest difference between shares of a value, or of a bucket (L-infinity).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l_infinity: Option<Distance>,
    /// Jensen-Shannon divergence, in nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jensen_shannon: Option<Distance>,
    /// Population stability index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stability_index: Option<Distance>,
    /// Kolmogorov-Smirnov: the largest difference between the shares below a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kolmogorov_smirnov: Option<Distance>,
    /// Wasserstein (earth mover's), in units of the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasserstein: Option<Distance>,
}

impl Distances {
    /// The largest distance in units of its limit; 0 when there is none.
    #[must_use]
    pub fn largest(&self) -> f64 {
        [self.l_infinity, self.jensen_shannon, self.stability_index, self.kolmogorov_smirnov, self.wasserstein]
            .into_iter()
            .flatten()
            .filter(|distance| distance.limit > 0.0)
            .map(|distance| distance.value / distance.limit)
            .fold(0.0, f64::max)
    }

    /// Those that exceed their limit, by name, the one that exceeds it most first.
    #[must_use]
    pub fn beyond(&self) -> Vec<(&'static str, Distance)> {
        let mut beyond: Vec<(&'static str, Distance)> = [
            ("Kolmogorov-Smirnov", self.kolmogorov_smirnov),
            ("stability index", self.stability_index),
            ("Jensen-Shannon", self.jensen_shannon),
            ("Wasserstein", self.wasserstein),
            ("L-infinity", self.l_infinity),
        ]
        .into_iter()
        .filter_map(|(name, distance)| distance.map(|distance| (name, distance)))
        .filter(|(_, distance)| distance.value > distance.limit)
        .collect();
        beyond.sort_by(|a, b| (b.1.value / b.1.limit).total_cmp(&(a.1.value / a.1.limit)));
        beyond
    }
}

/// The distances of a column, with limits that chance exceeds with `rate`.
#[must_use]
pub fn distances(train: &ColumnStats, against: &ColumnStats, rate: f64) -> Distances {
    if train.kind().is_number() && against.kind().is_number() {
        numbers(&train.bins, &against.bins, weight(train), weight(against), rate)
    } else if train.top.error() == 0 && against.top.error() == 0 {
        values(train, against, rate)
    } else {
        Distances::default()
    }
}

/// Columns whose distribution moved by more than chance explains. Columns with few values are looked at value by value elsewhere.
pub fn drift(pair: &Pair<'_>) -> Vec<Finding> {
    let names: Vec<&String> = pair
        .train
        .names()
        .iter()
        .filter(|name| pair.against.column(name).is_some() && !has_few_values(pair, name) && !tells_rows_apart(pair, name))
        .collect();
    let rate = FAMILY / (names.len().max(1) * TESTS) as f64;
    let mut findings = Vec::new();
    for name in names {
        let (Some(train), Some(against)) = (pair.train.column(name), pair.against.column(name)) else { continue };
        if train.values() == 0 || against.values() == 0 {
            continue;
        }
        // What explains more comes first: rounding makes single values frequent and ends the range elsewhere.
        let found = resolution(train, against, rate)
            .or_else(|| spike(train, against, rate))
            .or_else(|| tails(train, against, rate))
            .or_else(|| moved(train, against, rate))
            .or_else(|| lengths(train, against, rate));
        if let Some(finding) = found {
            findings.push(Finding { message: format!("column {name}: {}", finding.message), ..finding }.in_column(name));
        }
    }
    findings
}

fn moved(train: &ColumnStats, against: &ColumnStats, rate: f64) -> Option<Finding> {
    let beyond = distances(train, against, rate).beyond();
    let (measure, distance) = beyond.first()?;
    let middle = |column: &ColumnStats| column.bins.quantiles(&[0.5]).first().copied();
    let about = match (middle(train), middle(against)) {
        (Some(one), Some(other)) => format!(", median {} in train, {} in against", short(one), short(other)),
        _ => String::new(),
    };
    let message = format!(
        "its distribution moved: {measure} {} where chance alone stays below {}{about}",
        short(distance.value),
        short(distance.limit)
    );
    Some(
        Finding::warning("distribution_drift", Dataset::Train, message)
            .figures(distance.limit, distance.value)
            .fix("compare the distributions in the report; if the change is meant, suppress this finding until a date"),
    )
}

/// One number or text that is much more frequent on one side.
fn spike(train: &ColumnStats, against: &ColumnStats, rate: f64) -> Option<Finding> {
    let (n, m) = (weight(train), weight(against));
    let numbers = train.kind().is_number() && against.kind().is_number();
    let mut shares: Vec<(String, f64, f64)> = Vec::new();
    if numbers {
        let (all, of) = (train.bins.total().max(1) as f64, against.bins.total().max(1) as f64);
        for (bin, a, b) in aligned(&train.bins, &against.bins) {
            let name = if bin.low == bin.high { short(bin.low) } else { format!("{} to {}", short(bin.low), short(bin.high)) };
            shares.push((name, a as f64 / all, b as f64 / of));
        }
    } else {
        let (one, other) = (train.top.sorted(), against.top.sorted());
        let error = train.top.error().max(against.top.error());
        let (all, of) = (train.values().max(1) as f64, against.values().max(1) as f64);
        let count = |counted: &[crate::validate::sketch::Counted], value| {
            counted.iter().find(|held| held.value == value).map_or(0, |held| held.count)
        };
        for counted in one.iter().take(LOOKED_AT) {
            let theirs = count(&other, counted.value.clone()) + error;
            if counted.count > theirs {
                shares.push((counted.value.to_string(), counted.count as f64 / all, theirs as f64 / of));
            }
        }
        for counted in other.iter().take(LOOKED_AT) {
            let ours = count(&one, counted.value.clone()) + error;
            if counted.count > ours {
                shares.push((counted.value.to_string(), ours as f64 / all, counted.count as f64 / of));
            }
        }
    }
    let limit = log(rate / shares.len().max(1) as f64);
    let (value, found, expected) = shares
        .into_iter()
        // A distribution that moved as a whole has no spike: at least four times as frequent.
        .filter(|(_, a, b)| a.max(*b) > 4.0 * a.min(*b) && log_chance(a * n, n, b * m, m) < limit)
        .max_by(|a, b| (a.1 - a.2).abs().total_cmp(&(b.1 - b.2).abs()))?;
    let message = format!("{value} is {} of train, {} of against", percent(found), percent(expected));
    Some(
        Finding::warning("value_spike", Dataset::Train, message)
            .figures(expected, found)
            .fix("look for a default, a placeholder or a unit that changed"),
    )
}

/// Numbers beyond everything that the other side has.
fn tails(train: &ColumnStats, against: &ColumnStats, rate: f64) -> Option<Finding> {
    let (n, m) = (weight(train), weight(against));
    for (dataset, one, other, share) in
        [(Dataset::Train, train, against, n / (n + m)), (Dataset::Against, against, train, m / (n + m))]
    {
        let (Some(low), Some(high)) = (other.moments.min(), other.moments.max()) else { continue };
        let bins = one.bins.bins();
        let above: u64 = bins.iter().filter(|bin| bin.low > high).map(|bin| bin.count).sum();
        let below: u64 = bins.iter().filter(|bin| bin.high < low).map(|bin| bin.count).sum();
        for (count, word, edge, extreme) in [(above, "above", high, one.moments.max()), (below, "below", low, one.moments.min())]
        {
            // If both were one population, each of the outermost numbers would be on this side with its share of the rows.
            let rows = count as f64 * (weight(one) / one.bins.total().max(1) as f64);
            if rows.floor() * log(share) < log(rate) {
                let message = format!(
                    "{count} values of {} lie {word} everything in {} ({}, here up to {})",
                    dataset.name(),
                    dataset.other().name(),
                    short(edge),
                    short(extreme.unwrap_or(edge))
                );
                return Some(
                    Finding::warning("out_of_range", dataset, message)
                        .figures(edge, extreme.unwrap_or(edge))
                        .fix("look for a unit that changed, a sentinel like -999, or an overflow"),
                );
            }
        }
    }
    None
}

/// The length of texts and lists.
fn lengths(train: &ColumnStats, against: &ColumnStats, rate: f64) -> Option<Finding> {
    let texts = |column: &ColumnStats| column.kind() == Kind::Text || column.lists > 0;
    if !texts(train) || !texts(against) {
        return None;
    }
    let (one, other) = (&train.sizes_of_values, &against.sizes_of_values);
    let distance = kolmogorov(one, other, weight(train), weight(against), rate)?;
    (distance.value > distance.limit).then(|| {
        let middle = |bins: &Bins| bins.quantiles(&[0.5]).first().copied().unwrap_or(0.0);
        let message = format!(
            "the lengths of its values moved: Kolmogorov-Smirnov {} where chance alone stays below {}, median {} in train, {} in against",
            short(distance.value),
            short(distance.limit),
            short(middle(one)),
            short(middle(other))
        );
        Finding::warning("length_drift", Dataset::Train, message)
            .figures(distance.limit, distance.value)
            .fix("look for texts that are cut or padded, or lists that are filled up")
    })
}

/// How many numbers of a column are so, and of how many.
type Part = fn(&ColumnStats) -> (u64, u64);

/// Numbers that were rounded on one side.
fn resolution(train: &ColumnStats, against: &ColumnStats, rate: f64) -> Option<Finding> {
    let steps: [(&str, Part); 3] = [
        ("multiples of 1000", |column| (column.thousands, column.ints)),
        ("multiples of 10", |column| (column.tens, column.ints)),
        ("without a fraction", |column| (column.wholes, column.floats)),
    ];
    steps.into_iter().find_map(|(step, of)| {
        let ((some, all), (less, whole)) = (of(train), of(against));
        let (found, expected) = (some as f64 / all.max(1) as f64, less as f64 / whole.max(1) as f64);
        let (n, m) = (all.min(train.present) as f64, whole.min(against.present) as f64);
        // Rounding makes nearly all of them so.
        let rounded = found.max(expected) > 0.9 && found.min(expected) < 0.5;
        (rounded && log_chance(found * n, n, expected * m, m) < log(rate)).then(|| {
            let dataset = if found > expected { Dataset::Train } else { Dataset::Against };
            let message = format!("{} of train are {step}, {} of against", percent(found), percent(expected));
            Finding::warning("resolution_drift", dataset, message)
                .figures(expected, found)
                .fix("look for numbers that are rounded on the way, or a unit that changed")
        })
    })
}

/// Rows that stand for the values of a column: items of one list do not count as independent.
fn weight(column: &ColumnStats) -> f64 {
    column.values().min(column.present) as f64
}

fn numbers(train: &Bins, against: &Bins, n: f64, m: f64, rate: f64) -> Distances {
    let both = aligned(train, against);
    let (all, of) = (train.total().max(1) as f64, against.total().max(1) as f64);
    let (mut below, mut beside) = (0.0_f64, 0.0_f64);
    let (mut wasserstein, mut spread) = (0.0, 0.0);
    let mut before: Option<f64> = None;
    let (mut sum, mut squares) = (0.0, 0.0);
    let pivot = both.first().map_or(0.0, |(bin, ..)| bin.low);
    for (bin, a, b) in &both {
        let middle = if (bin.high - bin.low).is_finite() { bin.low + 0.5 * (bin.high - bin.low) } else { bin.low };
        if let Some(before) = before {
            let pooled: f64 = (below * n + beside * m) / (n + m);
            wasserstein += (below - beside).abs() * (middle - before);
            spread += sqrt((pooled * (1.0 - pooled)).max(0.0)) * (middle - before);
        }
        before = Some(middle);
        let share = (*a as f64 / all * n + *b as f64 / of * m) / (n + m);
        sum += share * (middle - pivot);
        squares += share * (middle - pivot) * (middle - pivot);
        below += *a as f64 / all;
        beside += *b as f64 / of;
    }
    let deviation = sqrt((squares - sum * sum).max(0.0));
    let buckets = buckets(&both, all, of, n, m);
    let mut distances = of_buckets(&buckets, n, m, rate);
    distances.kolmogorov_smirnov = kolmogorov(train, against, n, m, rate);
    if wasserstein.is_finite() && deviation.is_finite() {
        distances.wasserstein = Some(Distance { value: wasserstein, limit: wasserstein_limit(spread, deviation, n, m, rate) });
    }
    distances
}

fn kolmogorov(train: &Bins, against: &Bins, n: f64, m: f64, rate: f64) -> Option<Distance> {
    if n == 0.0 || m == 0.0 || train.total() == 0 || against.total() == 0 {
        return None;
    }
    let (all, of) = (train.total() as f64, against.total() as f64);
    let (mut below, mut beside, mut value) = (0_u64, 0_u64, 0.0_f64);
    for (_, a, b) in aligned(train, against) {
        below += a;
        beside += b;
        value = value.max((below as f64 / all - beside as f64 / of).abs());
    }
    Some(Distance { value, limit: kolmogorov_limit(n, m, rate) })
}

/// Shares in buckets that hold about equally much of both together, as whole bins.
fn buckets(both: &[(crate::validate::sketch::Bin, u64, u64)], all: f64, of: f64, n: f64, m: f64) -> Vec<(f64, f64)> {
    let count = ((n.min(m) * 2.0 / FULL_BUCKET) as usize).clamp(1, BUCKETS) as f64;
    let mut buckets = Vec::new();
    let (mut a, mut b) = (0.0, 0.0);
    for (_, ours, theirs) in both {
        a += *ours as f64 / all;
        b += *theirs as f64 / of;
        if 0.5 * (a + b) >= 1.0 / count {
            buckets.push((a, b));
            (a, b) = (0.0, 0.0);
        }
    }
    match buckets.last_mut() {
        // What is left is no bucket of its own.
        Some(last) if 0.5 * (a + b) < 0.5 / count => {
            last.0 += a;
            last.1 += b;
        }
        _ => buckets.push((a, b)),
    }
    buckets
}

/// Distances of shares by value.
fn values(train: &ColumnStats, against: &ColumnStats, rate: f64) -> Distances {
    let (n, m) = (weight(train), weight(against));
    let (all, of) = (train.values().max(1) as f64, against.values().max(1) as f64);
    let shares = counted(train, against).into_values().map(|(a, b)| (a / all, b / of));
    let (mut buckets, mut rest) = (Vec::new(), (0.0, 0.0));
    for (a, b) in shares {
        if a * n + b * m >= FULL_BUCKET {
            buckets.push((a, b));
        } else {
            rest = (rest.0 + a, rest.1 + b);
        }
    }
    if rest.0 * n + rest.1 * m >= FULL_BUCKET || buckets.is_empty() {
        buckets.push(rest);
    }
    of_buckets(&buckets, n, m, rate)
}

fn of_buckets(buckets: &[(f64, f64)], n: f64, m: f64, rate: f64) -> Distances {
    if buckets.len() < 2 || n == 0.0 || m == 0.0 {
        return Distances::default();
    }
    let (mut index, mut divergence) = (0.0, 0.0);
    let mut largest = Distance { value: 0.0, limit: 0.0 };
    let deviations = normal_limit(rate / buckets.len() as f64);
    for (a, b) in buckets {
        // An empty bucket counts as half a row.
        let (p, q) = (a.max(0.5 / n), b.max(0.5 / m));
        let middle = 0.5 * (p + q);
        index += (p - q) * log(p / q);
        divergence += 0.5 * (p * log(p / middle) + q * log(q / middle));
        let pooled = (a * n + b * m) / (n + m);
        let limit = deviations * sqrt((pooled * (1.0 - pooled)).max(0.0) * (1.0 / n + 1.0 / m));
        if (a - b).abs() >= largest.value {
            largest.value = (a - b).abs();
        }
        largest.limit = f64::max(largest.limit, limit);
    }
    let limit = stability_limit(buckets.len(), n, m, rate);
    Distances {
        l_infinity: Some(largest),
        jensen_shannon: Some(Distance { value: divergence, limit: limit / 8.0 }),
        stability_index: Some(Distance { value: index, limit }),
        ..Distances::default()
    }
}

/// The largest difference of the shares of a value (L-infinity), or with `of_all` the largest difference of counts over the values of both
/// sides. Nothing when values are not counted one by one.
#[must_use]
pub fn largest_difference(train: &ColumnStats, against: &ColumnStats, of_all: bool) -> Option<f64> {
    if train.top.error() > 0 || against.top.error() > 0 || train.floats + against.floats > 0 {
        return None;
    }
    let (n, m) = (train.values() as f64, against.values() as f64);
    let (n, m) = if of_all { (n + m, n + m) } else { (n, m) };
    let both = counted(train, against).into_values();
    Some(both.map(|(a, b)| (a / n.max(1.0) - b / m.max(1.0)).abs()).fold(0.0, f64::max))
}

/// Jensen-Shannon divergence in bits: of values that are counted one by one, else of ten buckets of equal width.
#[must_use]
pub fn jensen_shannon_bits(train: &ColumnStats, against: &ColumnStats) -> Option<f64> {
    let shares: Vec<(f64, f64)> = if train.kind().is_number() && against.kind().is_number() {
        let (ours, theirs) = (&train.moments, &against.moments);
        let low = ours.min()?.min(theirs.min()?);
        let width = (ours.max()?.max(theirs.max()?) - low) / BUCKETS as f64;
        let mut shares = vec![(0.0, 0.0); BUCKETS];
        for (bin, a, b) in aligned(&train.bins, &against.bins) {
            let middle = bin.low + 0.5 * (bin.high - bin.low);
            let place = if width > 0.0 { (((middle - low) / width).max(0.0) as usize).min(BUCKETS - 1) } else { 0 };
            shares[place].0 += a as f64 / train.bins.total().max(1) as f64;
            shares[place].1 += b as f64 / against.bins.total().max(1) as f64;
        }
        shares
    } else if train.top.error() == 0 && against.top.error() == 0 && train.floats + against.floats == 0 {
        let (n, m) = (train.values().max(1) as f64, against.values().max(1) as f64);
        counted(train, against).into_values().map(|(a, b)| (a / n, b / m)).collect()
    } else {
        return None;
    };
    let part = |p: f64, middle: f64| if p > 0.0 { p * log(p / middle) } else { 0.0 };
    let nats: f64 = shares.iter().map(|(p, q)| 0.5 * (part(*p, 0.5 * (p + q)) + part(*q, 0.5 * (p + q)))).sum();
    Some(nats / std::f64::consts::LN_2)
}

/// Counts of every value on both sides.
fn counted(train: &ColumnStats, against: &ColumnStats) -> BTreeMap<String, (f64, f64)> {
    let mut counts: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for held in train.top.sorted() {
        counts.entry(held.value.to_string()).or_default().0 = held.count as f64;
    }
    for held in against.top.sorted() {
        counts.entry(held.value.to_string()).or_default().1 = held.count as f64;
    }
    counts
}
