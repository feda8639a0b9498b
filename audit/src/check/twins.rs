//! Twins: two listeners with nothing in common but when they open Home, the coin and the flip. Everything that is sent must be
//! equal, but for the symbol: also where one pays late, scrolls, loads the app anew or is paused by a fault, and the other is not.

use crate::finding::Finding;
use crate::fixture::{manifest_of, manifest_of_kinds, week};
use crate::life::{DEEDS, LONGEST_VISIT_MS, Lived, Shared, live};
use crate::subject::{Person, SYMBOL, Sent, Subject, public_part};
use ears_only::clock::{DAY_MS, MINUTE_MS, Timestamp};
use ears_only::privacy::Manifest;
use ears_world::chance::{Draw, Key};
use rayon::prelude::*;

/// Name of the check.
pub const NAME: &str = "twins";
const PROMISE: &str = "what you listen to changes nothing of what is sent, nor whether, nor when: only one noisy symbol";

/// Weeks of a twin's life: more than the budget looks back, and more than probes may wait.
const WEEKS: i64 = 7;

/// Times at which Home is opened: every other day, at any hour, around midnight of Sunday too.
fn opens(key: Key) -> Vec<Timestamp> {
    let days = (0..WEEKS * 7).filter(|day| key.with(*day as u64).below(2) > 0);
    let mut opens: Vec<Timestamp> =
        days.map(|day| week(0).plus_ms(day * DAY_MS + key.with(1_000 + day as u64).below(24 * 60) as i64 * MINUTE_MS)).collect();
    opens.dedup_by(|next, last| next.since(*last) <= LONGEST_VISIT_MS);
    opens
}

/// What came of one pair.
#[derive(Clone, Debug, Default)]
struct Pair {
    sent: u64,
    symbols_differ: u64,
    deeds: [u64; 5],
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
    let deeds = std::array::from_fn(|deed| first.deeds[deed] + second.deeds[deed]);
    let mut pair = Pair { sent: first.sent.len() as u64, deeds, ..Pair::default() };
    pair.problem = compare(&first, &second).map(|what| format!("pair {number}: {what}"));
    pair.symbols_differ =
        first.sent.iter().zip(&second.sent).filter(|(a, b)| SYMBOL.of(&a.bytes) != SYMBOL.of(&b.bytes)).count() as u64;
    if pair.problem.is_none() {
        // One record a week, whatever is sent.
        let mut weeks: Vec<u64> = first.sent.iter().map(|sent| crate::subject::EPOCH.of(&sent.bytes)).collect();
        weeks.sort_unstable();
        if weeks.windows(2).any(|pair| pair[0] == pair[1]) {
            pair.problem = Some(format!("pair {number}: two records of one week were sent"));
        }
    }
    pair
}

fn compare(first: &Lived, second: &Lived) -> Option<String> {
    if let Some(visit) = first.visits.iter().zip(&second.visits).position(|(a, b)| a != b) {
        return Some(format!("visit {visit} carries the probe of one twin, or its coin, and not that of the other"));
    }
    if let Some(problem) = compare_sent(&first.sent, &second.sent) {
        return Some(problem);
    }
    (first.debits != second.debits).then(|| "the twins' ledgers have other dates in the end".into())
}

fn compare_sent(first: &[Sent], second: &[Sent]) -> Option<String> {
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
    let manifests: Result<Vec<Manifest>, _> =
        [manifest_of_kinds(2), manifest_of_kinds(0), manifest_of(2, 2), manifest_of_kinds(1)].into_iter().collect();
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
    let deeds: [u64; 5] = std::array::from_fn(|deed| lived.iter().map(|pair| pair.deeds[deed]).sum());
    if let (None, Some(none)) = (&problem, deeds.iter().position(|deed| *deed == 0)) {
        problem = Some(format!("no {} in {pairs} pairs", DEEDS[none]));
    }
    // Twins that never send, or who always answer alike, would show nothing.
    if problem.is_none() && (sent < pairs || differ == 0) {
        problem = Some(format!("{sent} records and {differ} different answers in {pairs} pairs are too few to show anything"));
    }
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!(
            "{pairs} pairs of unrelated listeners, {WEEKS} weeks each, same coin and flip, through the shipped ranker; each pays, \
             scrolls, is paused and restarts at times of its own"
        ),
        pass: problem.is_none(),
        result: problem.unwrap_or_else(|| {
            format!("{sent} records each: 122 bits, probes, coins, dates paid, sending, size and time equal; their answers differed {differ} times")
        }),
        numbers: vec![
            ("pairs".into(), pairs as f64),
            ("records".into(), sent as f64),
            ("answers that differ".into(), differ as f64),
        ]
        .into_iter()
        .chain(DEEDS.iter().zip(deeds).map(|(name, count)| ((*name).to_owned(), count as f64)))
        .collect(),
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
