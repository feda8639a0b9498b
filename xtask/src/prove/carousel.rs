//! The proof of the carousel world.

use super::worlds::{at_least, exposed, world};
use super::{Interval, Units, comparisons, measured, seeds};
use crate::Result;
use crate::results::{Claim, Record};
use serde_json::Value;

/// Seeds, and the policies that run with so many: those that decide with 20, weaker references with 10, the slow ones with 1.
const RUNS: [(&str, &str); 3] = [
    ("20", "pooled,on-device,popularity,ts-seg-pessimistic,ts-seg-pessimistic@firstseen"),
    (
        "10",
        "random,popularity-oracle,segment-oracle,etc-seg-explore,etc-seg-exploit,epsilon-0.1,epsilon-0.01,kl-ucb-seg,ts-seg-naive",
    ),
    ("1", "ts-lin-naive,ts-lin-pessimistic"),
];

pub(super) fn run(units: &Units) -> Result<Record> {
    let [decisive, weaker, slow] = RUNS;
    let report = world(units, "carousel", &["--seeds", decisive.0, "--policies", decisive.1])?;
    let mut all = claims(&report)?;
    for (seeds, policies) in [weaker, slow] {
        for mut claim in claims(&world(units, "carousel", &["--seeds", seeds, "--policies", policies])?)? {
            claim.claim = format!("{}, seeds: {seeds}", claim.claim);
            all.push(claim);
        }
    }
    Ok(Record {
        name: "carousel".to_owned(),
        command: "cargo xtask prove carousel".to_owned(),
        seeds: seeds(&report),
        claims: all,
    })
}

/// Largest regret of the pooled policy for each unit of the strongest reference policy's.
const MOST_REGRET: f64 = 0.70;
/// Least streams of the pooled policy over learned popularity.
const LEAST_STREAMS: f64 = 0.60;

/// Regret of ours against the strongest reference policy, streams over popularity, and what each policy shows.
pub fn claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for ratio in report["regret"].as_array().ok_or("the lab wrote no regret")? {
        let word = |key: &str| ratio[key].as_str().unwrap_or_default();
        let interval = Interval::read(ratio, "ratio")?;
        let value = format!("{:.2} [{:.2}, {:.2}]", interval.middle, interval.low, interval.high);
        let claim = format!("regret, {} for each of {}", word("policy"), word("against"));
        let mut claim = measured(&claim, value, interval.numbers("ratio"));
        if word("policy") == "pooled" {
            claim.wanted = format!("at most {MOST_REGRET:.2}, interval below 1");
            claim.pass = interval.middle <= MOST_REGRET && interval.high < 1.0;
        }
        claims.push(claim);
    }
    for mut claim in comparisons(report, "expected streams", &[])? {
        if claim.claim.ends_with("pooled over popularity") {
            at_least(&mut claim, LEAST_STREAMS);
        }
        claims.push(claim);
    }
    let marks: Vec<u64> = report["marks"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    for policy in report["policies"].as_array().ok_or("the lab wrote no policies")? {
        let name = policy["policy"].as_str().ok_or("a policy without its name")?;
        let curve: Vec<f64> = policy["curve"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let last = curve.last().ok_or_else(|| format!("no regret of {name}"))?;
        let numbers = marks.iter().zip(&curve).map(|(round, regret)| (format!("round_{round}"), regret.round()));
        claims.push(measured(&format!("cumulative regret, {name}"), format!("{last:.0}"), numbers.collect()));
        claims.push(exposed(&format!("showings by playlist, {name}"), "playlists", &policy["exposure"])?);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_carousel_is_held_to_its_targets() {
        let report = |ratio: f64, high: f64, streams: f64| {
            serde_json::json!({
                "marks": [1, 2],
                "regret": [
                    {"policy": "pooled", "against": "x", "ratio": ratio, "low": 0.5, "high": high},
                    {"policy": "on-device", "against": "x", "ratio": 9.0, "low": 8.0, "high": 9.5},
                ],
                "comparisons": [{"policy": "pooled", "against": "popularity", "relative": streams, "low": 0.5, "high": 0.7}],
                "policies": [{"policy": "pooled", "curve": [10.0, 15.4], "exposure": {"gini": 0.5, "top_percent": 0.1, "by_size": [1.0]}}],
            })
        };
        let passes = |report: &Value| claims(report).unwrap().iter().map(|claim| claim.pass).collect::<Vec<bool>>();
        assert_eq!(passes(&report(0.6, 0.7, 0.61)), [true; 5]);
        assert_eq!(passes(&report(0.6, 1.1, 0.61)), [false, true, true, true, true]);
        assert_eq!(passes(&report(0.8, 0.9, 0.59)), [false, true, false, true, true]);
        let all = claims(&report(0.6, 0.7, 0.61)).unwrap();
        assert_eq!((all[0].value.as_str(), all[3].value.as_str()), ("0.60 [0.50, 0.70]", "15"));
        assert!(claims(&serde_json::json!({})).is_err());
    }
}
