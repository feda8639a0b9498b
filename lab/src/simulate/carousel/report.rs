//! What the runs of the carousel say.

use serde::Serialize;

use super::policy::{Named, Role};
use super::{Outcome, Settings};
use crate::interval::paired;
use crate::simulate::exposure::Exposure;
use crate::simulate::judge::{Judged, judge};

/// One policy over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfPolicy {
    /// Its name.
    pub policy: String,
    /// Cumulative expected regret of each seed after the last round.
    pub regret: Vec<f64>,
    /// Cumulative expected regret, mean over seeds, after each of the report's marks.
    pub curve: Vec<f64>,
    /// Expected streams of each seed.
    pub expected_streams: Vec<f64>,
    /// Streams of each seed.
    pub streams: Vec<u64>,
    /// What was shown, mean over seeds.
    pub exposure: Exposure,
}

/// A ratio with its paired 95 % interval over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The policy judged.
    pub policy: String,
    /// What it is compared with.
    pub against: String,
    /// Regret of the policy for each unit of the other's.
    pub ratio: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// carousel.
    pub world: String,
    /// The runs.
    pub seeds: Vec<u64>,
    /// Rounds of each run.
    pub rounds: u32,
    /// Visitors of each round.
    pub visitors: u32,
    /// Rounds after which the curves are noted.
    pub marks: Vec<u32>,
    /// The policies.
    pub policies: Vec<OfPolicy>,
    /// The reference policy with the least regret over all seeds, when one was run.
    pub strongest: Option<String>,
    /// Regret of ours against the strongest reference policy.
    pub regret: Vec<Ratio>,
    /// Expected streams of every other policy against learned popularity.
    pub comparisons: Vec<Judged>,
}

impl Report {
    /// Puts outcomes together: one list for each seed, in the order of `policies`.
    pub(super) fn new(settings: &Settings, policies: &[&Named], outcomes: &[&[Outcome]]) -> Self {
        let rows: Vec<OfPolicy> = policies
            .iter()
            .enumerate()
            .map(|(index, named)| {
                let of: Vec<&Outcome> = outcomes.iter().map(|seed| &seed[index]).collect();
                let marks = settings.marks().len();
                let mean = |mark: usize| of.iter().map(|o| o.regret[mark]).sum::<f64>() / of.len() as f64;
                OfPolicy {
                    policy: named.name.to_owned(),
                    regret: of.iter().map(|o| o.regret[marks - 1]).collect(),
                    curve: (0..marks).map(mean).collect(),
                    expected_streams: of.iter().map(|o| o.expected_streams).collect(),
                    streams: of.iter().map(|o| o.streams).collect(),
                    exposure: Exposure::mean(&of.iter().map(|o| &o.exposure).collect::<Vec<_>>()),
                }
            })
            .collect();
        let with = |role: Role| policies.iter().zip(&rows).filter(move |(named, _)| named.role == role).map(|(_, row)| row);
        let total = |row: &OfPolicy| row.regret.iter().sum::<f64>();
        let strongest = with(Role::Reference).min_by(|a, b| total(a).total_cmp(&total(b)));
        let regret = strongest.map_or(Vec::new(), |other| {
            with(Role::Ours)
                .map(|row| {
                    let ratio = paired(&[&row.regret, &other.regret], |sums| sums[0] / sums[1]);
                    Ratio {
                        policy: row.policy.clone(),
                        against: other.policy.clone(),
                        ratio: ratio.value,
                        low: ratio.low,
                        high: ratio.high,
                    }
                })
                .collect()
        });
        let popularity = rows.iter().find(|row| row.policy == "popularity");
        let comparisons = popularity.map_or(Vec::new(), |popularity| {
            let others = rows.iter().filter(|row| row.policy != popularity.policy);
            others
                .flat_map(|row| judge(&row.policy, &row.expected_streams, &[(&popularity.policy, &popularity.expected_streams)]))
                .collect()
        });
        Self {
            format: 1,
            world: "carousel".into(),
            seeds: settings.seeds.clone(),
            rounds: settings.rounds,
            visitors: settings.visitors,
            marks: settings.marks(),
            strongest: strongest.map(|row| row.policy.clone()),
            regret,
            comparisons,
            policies: rows,
        }
    }

    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let seeds = self.seeds.len();
        let marks: Vec<String> = self.marks.iter().map(|mark| format!("{mark:>9}")).collect();
        let mut text = format!(
            "{seeds} seeds of the carousel world, {} rounds of {} visitors\n\ncumulative expected regret after round, mean over seeds\n  \
             {:<28}{}\n",
            self.rounds,
            self.visitors,
            "",
            marks.concat()
        );
        for row in &self.policies {
            let curve: Vec<String> = row.curve.iter().map(|regret| format!("{regret:>9.0}")).collect();
            text.push_str(&format!("  {:<28}{}\n", row.policy, curve.concat()));
        }
        text.push_str("\nexposure: Gini coefficient, share of the most shown hundredth, shares by tenth of the playlists, most liked first\n");
        for row in &self.policies {
            let shares: Vec<String> = row.exposure.by_size.iter().map(|share| format!("{:.0}", 100.0 * share)).collect();
            let top = 100.0 * row.exposure.top_percent;
            text.push_str(&format!("  {:<28}{:>6.3}{top:>7.1} %   {} %\n", row.policy, row.exposure.gini, shares.join(" ")));
        }
        text.push_str("\nexpected streams, relative difference, paired 95 % interval over seeds\n");
        for judged in &self.comparisons {
            text.push_str(&format!("  {}\n", judged.line(seeds)));
        }
        if !self.regret.is_empty() {
            text.push_str(
                "\nregret of ours for each unit of the strongest reference policy's, paired 95 % interval over seeds\n",
            );
        }
        for ratio in &self.regret {
            text.push_str(&format!(
                "  {:<12} against {:<28} {:.3}   [{:.3}, {:.3}]\n",
                ratio.policy, ratio.against, ratio.ratio, ratio.low, ratio.high
            ));
        }
        text
    }
}
