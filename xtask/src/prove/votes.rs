//! What votes are worth.

use super::{Units, json_of, measured, number};
use crate::Result;
use crate::results::{Claim, Record};
use crate::test;
use serde_json::Value;

/// Runs the proof in full; the lab keeps and takes up the finished devices itself.
pub(super) fn run(units: &Units) -> Result<Record> {
    let report = json_of(|file| {
        let mut command = test::lab(&["simulate-votes", "--resume", "--partial"]);
        command.arg(&units.file).arg("--json").arg(file);
        Ok(command)
    })?;
    Ok(Record {
        name: "votes".to_owned(),
        command: "cargo xtask prove votes".to_owned(),
        seeds: vec![1],
        claims: claims(&report)?,
    })
}

/// The pass marks are those of `docs/privacy.md`.
pub fn claims(report: &Value) -> Result<Vec<Claim>> {
    let (of, worlds) = (|key: &str| number(report, key), |key: &str| number(&report["worlds"], key));
    let pair = |key: &str| -> Result<[f64; 2]> {
        let value = |at: usize| report[key][at].as_f64().ok_or_else(|| format!("the lab wrote no \"{key}\""));
        Ok([value(0)?, value(1)?])
    };
    let one = |name: &str, value: f64| vec![(name.to_owned(), value)];
    let (base, bias) = (of("base")?, of("clip_bias")?);
    let ([lift, error], [released, noise]) = (pair("lift")?, pair("released")?);
    let shown = |value: f64, error: f64| format!("{value:.4} ± {error:.4} plays for each page");
    let (coverage, power) = (worlds("coverage")?, worlds("power")?);
    let judged = |claim: &str, value: String, wanted: &str, pass: bool, numbers| Claim {
        claim: claim.to_owned(),
        value,
        wanted: wanted.to_owned(),
        pass,
        numbers,
    };
    Ok(vec![
        measured("votes simulated", format!("{:.0}", of("votes")?), one("number", of("votes")?)),
        measured("pages played from", format!("{:.1} %", base * 100.0), one("share", base)),
        measured("lift before clip and noise", shown(lift, error), one("number", lift)),
        judged(
            "lift from the released bits",
            shown(released, noise),
            "within four standard errors of it",
            (released - lift).abs() <= 4.0 * noise,
            one("number", released),
        ),
        measured("votes that the clip cuts", format!("{:.2} %", of("cut")? * 100.0), one("share", of("cut")?)),
        judged(
            "clip bias",
            format!("{:+.1} % of the lift", bias * 100.0),
            "at most 5 %",
            bias.abs() <= 0.05,
            one("relative", bias),
        ),
        measured("bits of each world", format!("{:.0}", worlds("bits")?), one("number", worlds("bits")?)),
        measured("lift in each world, 1 % of the plays", format!("{:.4}", worlds("truth")?), one("number", worlds("truth")?)),
        measured("standard deviation of the estimates", format!("{:.5}", worlds("sd")?), one("number", worlds("sd")?)),
        judged(
            "95 % intervals that hold the clipped lift",
            format!("{:.1} %", coverage * 100.0),
            "93 to 97 %",
            (0.93..=0.97).contains(&coverage),
            one("share", coverage),
        ),
        judged(
            "worlds in which the lift is found",
            format!("{:.1} %", power * 100.0),
            "at least 80 %",
            power >= 0.8,
            one("share", power),
        ),
    ])
}
