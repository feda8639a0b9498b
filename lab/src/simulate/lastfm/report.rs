//! What the runs of the Last.fm Home world say.

use std::collections::BTreeMap;

use serde::Serialize;

use super::constants::SHELF_LOGIT;
use super::listener::Cell;
use super::{GRID_POLICIES, Outcome, Outcomes, POLICIES, Settings};
use crate::interval::{Estimate, paired};
use crate::simulate::exposure::Exposure;
use crate::simulate::judge::{Judged, judge};

/// One policy over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfPolicy {
    /// Streams of each seed.
    pub streams: Vec<u64>,
    /// Streams among the first impressions of new listeners, for each seed.
    pub first_streams: Vec<u64>,
    /// Those impressions.
    pub first_looks: Vec<u64>,
    /// Cards seen and streams by kind of shelf, all seeds together.
    pub shelves: BTreeMap<String, [u64; 2]>,
    /// Who was shown, mean over seeds.
    pub exposure: Exposure,
}

/// One cell of the grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfCell {
    /// Log-odds for each standard deviation of affinity.
    pub affinity: f64,
    /// Log-odds of the hidden half.
    pub boost: f64,
    /// Streams by policy and seed.
    pub streams: BTreeMap<String, Vec<u64>>,
    /// The core against learned popularity and the server's order.
    pub comparisons: Vec<Judged>,
    /// Share of the way from popularity to the oracle.
    pub oracle_gap_closed: f64,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// lastfm.
    pub world: String,
    /// The runs.
    pub seeds: Vec<u64>,
    /// Listeners of each run.
    pub listeners: u32,
    /// Days of each run.
    pub days: u32,
    /// Policies in the middle of the grid.
    pub policies: BTreeMap<String, OfPolicy>,
    /// The core against each of the others in the middle of the grid.
    pub comparisons: Vec<Judged>,
    /// New listeners' streams for each of their first impressions, the core against popularity and server.
    pub first_impressions: Vec<Judged>,
    /// (ears - popularity) / (oracle - popularity).
    pub oracle_gap_closed: f64,
    /// Its interval.
    pub oracle_gap_low: f64,
    /// Its interval.
    pub oracle_gap_high: f64,
    /// All cells that were run.
    pub grid: Vec<OfCell>,
}

fn numbers(counts: &[u64]) -> Vec<f64> {
    counts.iter().map(|count| *count as f64).collect()
}

fn gap(ears: &[u64], popularity: &[u64], oracle: &[u64]) -> Estimate {
    let columns = [numbers(ears), numbers(popularity), numbers(oracle)];
    paired(&[&columns[0], &columns[1], &columns[2]], |sums| (sums[0] - sums[1]) / (sums[2] - sums[1]))
}

fn against(name: &str, streams: &BTreeMap<String, Vec<u64>>, others: &[&str]) -> Vec<Judged> {
    let of = |name: &str| streams.get(name).map_or(Vec::new(), |counts| numbers(counts));
    let columns: Vec<(&str, Vec<f64>)> = others.iter().map(|other| (*other, of(other))).collect();
    let columns: Vec<(&str, &[f64])> = columns.iter().map(|(other, column)| (*other, column.as_slice())).collect();
    judge(name, &of(name), &columns)
}

impl Report {
    pub(super) fn new(settings: &Settings, cells: &[Cell], runs: &[Vec<Outcomes>]) -> Self {
        let of = |cell: usize, policy: &str, value: &dyn Fn(&Outcome) -> u64| -> Vec<u64> {
            runs.iter().map(|run| run[cell].get(policy).map_or(0, value)).collect()
        };
        let grid: Vec<OfCell> = cells
            .iter()
            .enumerate()
            .map(|(index, cell)| {
                let names: &[&str] = if index == 0 { &POLICIES } else { &GRID_POLICIES };
                let streams: BTreeMap<String, Vec<u64>> =
                    names.iter().map(|name| ((*name).to_owned(), of(index, name, &|o| o.streams))).collect();
                let closed = gap(&streams["ears"], &streams["popularity"], &streams["oracle"]).value;
                let comparisons = against("ears", &streams, &["popularity", "server"]);
                OfCell { affinity: cell.affinity, boost: cell.boost, streams, comparisons, oracle_gap_closed: closed }
            })
            .collect();
        let policies: BTreeMap<String, OfPolicy> = POLICIES
            .iter()
            .map(|name| {
                let exposures: Vec<&Exposure> = runs.iter().filter_map(|run| run[0].get(*name)).map(|o| &o.exposure).collect();
                let mut shelves: BTreeMap<String, [u64; 2]> = BTreeMap::new();
                for (kind, counts) in runs.iter().filter_map(|run| run[0].get(*name)).flat_map(|o| &o.shelves) {
                    let sum = shelves.entry(kind.clone()).or_default();
                    *sum = [sum[0] + counts[0], sum[1] + counts[1]];
                }
                let policy = OfPolicy {
                    shelves,
                    streams: of(0, name, &|o| o.streams),
                    first_streams: of(0, name, &|o| o.first_streams),
                    first_looks: of(0, name, &|o| o.first_looks),
                    exposure: Exposure::mean(&exposures),
                };
                ((*name).to_owned(), policy)
            })
            .collect();
        let streams = &grid[0].streams;
        let others: Vec<&str> = POLICIES.iter().copied().filter(|name| *name != "ears").collect();
        let comparisons = against("ears", streams, &others);
        let first: BTreeMap<String, Vec<u64>> =
            policies.iter().map(|(name, policy)| (name.clone(), policy.first_streams.clone())).collect();
        let first_impressions = against("ears", &first, &["popularity", "server"]);
        let closed = gap(&streams["ears"], &streams["popularity"], &streams["oracle"]);
        Self {
            format: 1,
            world: "lastfm".into(),
            seeds: settings.seeds.clone(),
            listeners: settings.listeners,
            days: settings.days,
            policies,
            comparisons,
            first_impressions,
            oracle_gap_closed: closed.value,
            oracle_gap_low: closed.low,
            oracle_gap_high: closed.high,
            grid,
        }
    }

    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let seeds = self.seeds.len();
        let mut text = format!(
            "{seeds} seeds of the lastfm world, {} listeners, {} days\n\n{:<16}{:>10}{:>10}{:>8}{:>8}   share of impressions by tenth of \
             artists, best known first\n",
            self.listeners, self.days, "streams, mean", "", "new/20", "gini", "top 1 %"
        );
        for name in POLICIES {
            let Some(policy) = self.policies.get(name) else { continue };
            let mean = policy.streams.iter().sum::<u64>() as f64 / seeds.max(1) as f64;
            let first = policy.first_streams.iter().sum::<u64>() as f64 / policy.first_looks.iter().sum::<u64>().max(1) as f64
                * super::FIRST_IMPRESSIONS as f64;
            let sizes: Vec<String> = policy.exposure.by_size.iter().map(|share| format!("{:.0}", 100.0 * share)).collect();
            text.push_str(&format!(
                "  {name:<14}{:>10}{mean:>10.1}{first:>8.3}{:>8.3}   {:>4.1} %   {} %\n",
                "",
                policy.exposure.gini,
                100.0 * policy.exposure.top_percent,
                sizes.join(" ")
            ));
        }
        text.push_str("\nshare of the cards seen by kind of shelf, in brackets streams for each 100 seen\n");
        for name in POLICIES {
            let Some(policy) = self.policies.get(name) else { continue };
            let looks = policy.shelves.values().map(|counts| counts[0]).sum::<u64>().max(1);
            let kinds = SHELF_LOGIT.iter().filter_map(|(kind, _)| policy.shelves.get(*kind).map(|counts| (kind, counts)));
            let of = |(kind, [seen, streams]): (&&str, &[u64; 2])| {
                let share = 100.0 * *seen as f64 / looks as f64;
                format!("{kind} {share:.0} ({:.1})", 100.0 * *streams as f64 / (*seen).max(1) as f64)
            };
            text.push_str(&format!("  {name:<14} {}\n", kinds.map(of).collect::<Vec<_>>().join(", ")));
        }
        text.push_str("\nstreams, relative difference, paired 95 % interval over seeds\n");
        for judged in &self.comparisons {
            text.push_str(&format!("  {}\n", judged.line(seeds)));
        }
        text.push_str("\nnew listeners, streams in their first 20 impressions\n");
        for judged in &self.first_impressions {
            text.push_str(&format!("  {}\n", judged.line(seeds)));
        }
        text.push_str(&format!(
            "\noracle gap closed {:.1} %   [{:.1}, {:.1}]\n",
            100.0 * self.oracle_gap_closed,
            100.0 * self.oracle_gap_low,
            100.0 * self.oracle_gap_high
        ));
        for cell in self.grid.iter().skip(1) {
            text.push_str(&format!(
                "\naffinity {}, boost {}: oracle gap closed {:.1} %\n",
                cell.affinity,
                cell.boost,
                100.0 * cell.oracle_gap_closed
            ));
            for judged in &cell.comparisons {
                text.push_str(&format!("  {}\n", judged.line(seeds)));
            }
        }
        text
    }
}
