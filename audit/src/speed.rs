//! How long a record takes.

use crate::finding::Finding;
use crate::fixture::{manifest_of, roomy_ledger, week};
use crate::subject::{Shipped, Subject, Words};
use ears_only::clock::HOUR_MS;
use ears_only::error::Error;
use ears_only::privacy::{Coin, epoch_of};
use serde_json::Value;
use std::hint::black_box;
use std::time::Instant;

const PROMISE: &str = "making a record costs no time that anybody notices";
/// Most microseconds of one record.
const LIMIT: f64 = 50.0;

fn finding(check: &'static str, how: String, microseconds: f64) -> Finding {
    Finding {
        check,
        promise: PROMISE,
        how,
        result: format!("{microseconds:.1} µs, at most {LIMIT} wanted"),
        // A time fails only at five times its budget: machines differ.
        pass: microseconds > 0.0 && microseconds <= 5.0 * LIMIT,
        numbers: vec![("microseconds".into(), microseconds)],
    }
}

fn one_by_one(count: u32) -> Result<f64, Error> {
    let manifest = manifest_of(2, 2)?;
    let at = week(0).plus_ms(HOUR_MS);
    let epoch = epoch_of(at).unwrap_or(0);
    let (mut coin_words, mut flip_words) = (Words::new(1), Words::new(2));
    let ledger = roomy_ledger();
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let started = Instant::now();
        for turn in 0..count {
            let mut paid = ledger.clone();
            let coin = Coin::toss(&manifest, epoch, &mut coin_words)?;
            let permit = paid.debit(manifest.epsilon(), epoch, at, at)?;
            black_box(paid.to_bytes());
            black_box(Shipped.release((turn & 1) as u8, permit, &manifest, &coin, &mut flip_words)?);
        }
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / f64::from(count));
    }
    Ok(best)
}

/// Coin, debit, the ledger's bytes and the record, here.
#[must_use]
pub fn native() -> Finding {
    const NAME: &str = "time of a record, native";
    match one_by_one(20_000) {
        Ok(microseconds) => finding(NAME, "coin, debit, ledger's bytes and record, best of 5 x 20,000".into(), microseconds),
        Err(problem) => Finding::broken(NAME, PROMISE, &problem.to_string()),
    }
}

/// Debit and record through the wasm module, as the script has timed them.
#[must_use]
pub fn wasm(counted: &Value) -> Finding {
    let microseconds = counted["microsecondsPerRecord"].as_f64().unwrap_or(0.0);
    finding(
        "time of a record, wasm",
        "debit and record through the module's interface in Node, median of 2,000".into(),
        microseconds,
    )
}
