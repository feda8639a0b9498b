//! Twins: two listeners with nothing in common but when they open Home, the coin and the flip. Everything that is sent must be
//! equal, but for the symbol.

use crate::finding::Finding;
use crate::fixture::{manifest_of, manifest_of_kinds, week};
use crate::life::{Shared, live};
use crate::subject::{Person, SYMBOL, Sent, Subject, public_part};
use ears_only::clock::{DAY_MS, MINUTE_MS, Timestamp};
use ears_only::privacy::Manifest;
use ears_world::chance::{Draw, Key};
use rayon::prelude::*;

/// Name of the check.
pub const NAME: &str = "twins";
const PROMISE: &str = "what you listen to changes nothing of what is sent, nor whether, nor when: only one noisy symbol";

/// Weeks of a twin's life.
const WEEKS: i64 = 3;

/// Times at which Home is opened: about once a day, at any hour, not every day.
fn opens(key: Key) -> Vec<Timestamp> {
    let days = (0..WEEKS * 7).filter(|day| key.with(*day as u64).below(3) > 0);
    days.map(|day| week(0).plus_ms(day * DAY_MS + key.with(1_000 + day as u64).below(20 * 60) as i64 * MINUTE_MS)).collect()
}

/// What came of one pair.
#[derive(Clone, Debug, Default)]
struct Pair {
    sent: u64,
    symbols_differ: u64,
    problem: Option<String>,
}

fn pair(subject: &dyn Subject, manifests: &[Manifest], number: u64) -> Pair {
    let key = Key::new(number, Draw::Visit);
    let shared = Shared {
        manifest: &manifests[number as usize % manifests.len()],
        opens: opens(key),
        coin: 2 * number + 1,
        flip: 2 * number + 2,
    };
    let lives = [0u64, 1].map(|twin| live(subject, &shared, Person(1_000_003 * number + 500_000_003 * twin)));
    let [first, second] = match lives {
        [Ok(first), Ok(second)] => [first, second],
        [Err(error), _] | [_, Err(error)] => {
            return Pair { problem: Some(format!("pair {number}: {error}")), ..Pair::default() };
        }
    };
    let mut pair = Pair { sent: first.len() as u64, ..Pair::default() };
    pair.problem = compare(&first, &second).map(|what| format!("pair {number}: {what}"));
    pair.symbols_differ = first.iter().zip(&second).filter(|(a, b)| SYMBOL.of(&a.bytes) != SYMBOL.of(&b.bytes)).count() as u64;
    if pair.problem.is_none() {
        // One record a week, whatever is sent.
        let mut weeks: Vec<u64> = first.iter().map(|sent| crate::subject::EPOCH.of(&sent.bytes)).collect();
        weeks.sort_unstable();
        if weeks.windows(2).any(|pair| pair[0] == pair[1]) {
            pair.problem = Some(format!("pair {number}: two records of one week were sent"));
        }
    }
    pair
}

fn compare(first: &[Sent], second: &[Sent]) -> Option<String> {
    if first.len() != second.len() {
        return Some(format!("one twin sends {} records, the other {}", first.len(), second.len()));
    }
    first.iter().zip(second).find_map(|(a, b)| {
        if a.at != b.at {
            Some(format!("one twin sends {} ms after the other", (b.at.since(a.at)).abs()))
        } else if public_part(&a.bytes) != public_part(&b.bytes) {
            let bits = (u128::from_be_bytes(public_part(&a.bytes)) ^ u128::from_be_bytes(public_part(&b.bytes))).count_ones();
            Some(format!("{bits} bits differ outside the symbol"))
        } else {
            None
        }
    })
}

/// Pairs of twins through the real ranker.
#[must_use]
pub fn check(subject: &dyn Subject, pairs: u64) -> Finding {
    let manifests: Result<Vec<Manifest>, _> = [manifest_of_kinds(2), manifest_of(2, 2)].into_iter().collect();
    let manifests = match manifests {
        Ok(manifests) => manifests,
        Err(problem) => return Finding::broken(NAME, PROMISE, &problem.to_string()),
    };
    let lived: Vec<Pair> = (0..pairs).into_par_iter().map(|number| pair(subject, &manifests, number)).collect();
    let sent: u64 = lived.iter().map(|pair| pair.sent).sum();
    let differ: u64 = lived.iter().map(|pair| pair.symbols_differ).sum();
    let problems = lived.iter().filter(|pair| pair.problem.is_some()).count();
    let mut problem =
        lived.iter().find_map(|pair| pair.problem.clone()).map(|what| format!("{problems} of {pairs} pairs, {what}"));
    // Twins that never send, or who always answer alike, would show nothing.
    if problem.is_none() && (sent < pairs || differ == 0) {
        problem = Some(format!("{sent} records and {differ} different answers in {pairs} pairs are too few to show anything"));
    }
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!("{pairs} pairs of unrelated listeners, {WEEKS} weeks each, same coin and flip, through the shipped ranker"),
        pass: problem.is_none(),
        result: problem.unwrap_or_else(|| {
            format!("{sent} records each: 122 bits, sending, size and time equal; their answers differed {differ} times")
        }),
        numbers: vec![
            ("pairs".into(), pairs as f64),
            ("records".into(), sent as f64),
            ("answers that differ".into(), differ as f64),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Shipped;

    #[test]
    fn the_shipped_twins_are_equal() {
        let finding = check(&Shipped, 60);
        assert!(finding.pass, "{finding:?}");
    }
}
