//! Two records of one device: each lies by a flip of its own, so that together they tell at most twice epsilon.

use crate::finding::Finding;
use crate::fixture::{manifest_of, roomy_ledger, week};
use crate::statistics::{at_least, at_most};
use crate::subject::{Person, SYMBOL, Subject, Words, permit};
use ears_only::error::Error;
use ears_only::privacy::{Coin, epoch_of};

/// Name of the check.
pub const NAME: &str = "fresh flips";
const PROMISE: &str = "every record lies afresh: two of one listener tell no more than twice one";
/// Chance of a false alarm.
const ALPHA: f64 = 1e-6;

/// Counts of the pairs of symbols, of `count` devices that answer as told.
fn count(subject: &dyn Subject, told: [u8; 2], count: u64, seed: u64) -> Result<[u64; 4], Error> {
    let manifest = manifest_of(2, 2)?;
    let ledger = roomy_ledger();
    let mut seen = [0; 4];
    for device in 0..count {
        let number = seed + device;
        let (mut coin_words, mut flip_words) =
            subject.sources(Person(number), &manifest, Words::new(2 * number), Words::new(2 * number + 1));
        let mut cell = 0;
        for (turn, answer) in told.into_iter().enumerate() {
            let at = week(turn as i64);
            let epoch = epoch_of(at).unwrap_or(0);
            let coin = Coin::toss(&manifest, epoch, coin_words.as_mut())?;
            let record =
                subject.release(answer, permit(&ledger, &manifest, epoch, at)?, &manifest, &coin, flip_words.as_mut())?;
            cell = 2 * cell + (SYMBOL.of(&record) & 1) as usize;
        }
        seen[cell] += 1;
    }
    Ok(seen)
}

/// Every set of pairs of symbols, every two pairs of answers.
#[must_use]
pub fn check(subject: &dyn Subject, pairs: u64) -> Finding {
    let told = [[0, 0], [0, 1], [1, 0], [1, 1]];
    let each = pairs / 4;
    let counted: Result<Vec<[u64; 4]>, Error> =
        told.into_iter().enumerate().map(|(at, told)| count(subject, told, each, 1_000_000_000 * (at as u64 + 1))).collect();
    let counted = match counted {
        Ok(counted) => counted,
        Err(problem) => return Finding::broken(NAME, PROMISE, &problem.to_string()),
    };
    // 14 events that are not certain, 12 ordered pairs, two ends.
    let alpha = ALPHA / (14 * 12 * 2) as f64;
    let mut best = f64::NEG_INFINITY;
    for event in 1..15u32 {
        let hits = |seen: &[u64; 4]| -> u64 { (0..4).filter(|cell| event >> cell & 1 == 1).map(|cell| seen[cell]).sum() };
        for (a, first) in counted.iter().enumerate() {
            for (_, second) in counted.iter().enumerate().filter(|(b, _)| *b != a) {
                best = best.max(libm::log(at_least(hits(first), each, alpha) / at_most(hits(second), each, alpha)));
            }
        }
    }
    // Of a device that always answers alike, the two symbols agree with chance p^2 + q^2, as two flips of their own do.
    let p = 1.0 / (1.0 + libm::exp(-1.0f64));
    let agree = p * p + (1.0 - p) * (1.0 - p);
    let same = counted[0][0] + counted[0][3] + counted[3][0] + counted[3][3];
    let inside = at_least(same, 2 * each, ALPHA) <= agree && agree <= at_most(same, 2 * each, ALPHA);
    let pass = best <= 2.0 && inside;
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!("{pairs} pairs of records, all events, one false alarm in a million"),
        result: format!(
            "two records tell at least {best:.3} of the allowed 2; equal answers give equal symbols in {:.3} of the pairs, {agree:.3} wanted",
            same as f64 / (2 * each) as f64
        ),
        pass,
        numbers: vec![("bound".into(), best), ("pairs".into(), pairs as f64)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Shipped;

    #[test]
    fn the_shipped_flips_are_fresh() {
        let finding = check(&Shipped, 20_000);
        assert!(finding.pass, "{finding:?}");
    }
}
