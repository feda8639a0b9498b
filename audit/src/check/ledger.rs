//! The ledger under bad luck: tabs that share one store, pages that die at any step, saving that fails, clocks that jump, old
//! probes that come back. A checker of its own counts what came to be.

use crate::finding::Finding;
use crate::fixture::week;
use crate::subject::{Mishap, Probe, Subject, Tab};
use ears_only::clock::{DAY_MS, HOUR_MS, Timestamp, WEEK_MS};
use ears_only::privacy::{Epsilon, FIRST_EPOCH};
use ears_world::chance::{Draw, Key};
use rayon::prelude::*;

/// Name of the check.
pub const NAME: &str = "ledger";
const PROMISE: &str = "no more is ever spent than was agreed, whatever breaks";

/// A record that came to be.
#[derive(Clone, Copy, Debug)]
struct Record {
    probe_at: i64,
    week: i64,
    milli: u32,
}

/// The rules of `docs/privacy.md`, written a second time: one record a week, epsilon 1 for each, 4 in 28 days, 52 in a consent
/// year, none in the first 28 days.
fn overspent(records: &[Record], started: i64) -> Option<String> {
    let (period, year) = (28 * DAY_MS, 365 * DAY_MS);
    for (at, record) in records.iter().enumerate() {
        if record.milli > 1_000 {
            return Some(format!("a record of epsilon {}", f64::from(record.milli) / 1_000.0));
        }
        if record.probe_at < started + period {
            return Some("a record within 28 days of the ledger's start".into());
        }
        if records[..at].iter().any(|other| other.week == record.week) {
            return Some("two records of one week".into());
        }
        let sum = |inside: &dyn Fn(&Record) -> bool| -> u32 {
            records.iter().filter(|other| inside(other)).map(|other| other.milli).sum()
        };
        let within = sum(&|other| (0..period).contains(&(record.probe_at - other.probe_at)));
        if within > 4_000 {
            return Some(format!("epsilon {} in 28 days", f64::from(within) / 1_000.0));
        }
        let which = (record.probe_at - started) / year;
        let in_year = sum(&|other| (other.probe_at - started) / year == which);
        if in_year > 52_000 {
            return Some(format!("epsilon {} in a consent year", f64::from(in_year) / 1_000.0));
        }
    }
    None
}

fn record(probe: Probe) -> Record {
    Record { probe_at: probe.at.ms(), week: week_of(probe.at.ms()), milli: probe.epsilon.milli() }
}

fn week_of(at: i64) -> i64 {
    (at - FIRST_EPOCH.ms()).div_euclid(WEEK_MS)
}

/// What a schedule came to.
#[derive(Clone, Debug, Default)]
struct Outcome {
    records: u64,
    mishaps: u64,
    problem: Option<String>,
}

/// One schedule: up to three tabs, 30 steps or, now and then, 130. In each, somebody opens Home or comes back to a probe of before.
fn schedule(subject: &dyn Subject, number: u64) -> Outcome {
    let key = Key::new(number, Draw::Visit);
    let mut outcome = Outcome::default();
    let mut disk: Option<Vec<u8>> = None;
    let mut tabs: Vec<Tab> = (0..1 + key.with(1).below(3)).map(|_| Tab::default()).collect();
    let mut records: Vec<Record> = Vec::new();
    let mut probes: Vec<Probe> = Vec::new();
    let mut now = week(0).plus_ms(key.with(2).below(168) as i64 * HOUR_MS);
    let started = now.ms();
    let long = key.with(3).below(16) == 0;
    // The ledger is there from the first visit on.
    if let Some(epsilon) = epsilon(key) {
        let first = Probe { week: week_of(started) as u16, at: now, epsilon };
        subject.contribute(&mut disk, &mut tabs[0], first, now, Mishap::None);
    }
    for step in 0..if long { 130 } else { 30 } {
        let key = key.with(100 + step);
        now = moved(now, key, long);
        let (Ok(this_week), Some(epsilon)) = (u16::try_from(week_of(now.ms())), epsilon(key)) else { continue };
        if key.with(1).below(3) > 0 || probes.is_empty() {
            let at = now.plus_ms(-(key.with(2).below(10 * 24) as i64) * HOUR_MS);
            let shown = if key.with(3).below(3) == 0 { at } else { now };
            probes.push(Probe { week: week_of(shown.ms()).clamp(0, i64::from(this_week)) as u16, at: shown, epsilon });
        }
        // The newest probe, or one that a partly restored backup has brought back.
        let back = if key.with(4).below(4) == 0 { key.with(5).below(probes.len()) } else { 0 };
        let probe = probes[probes.len() - 1 - back];
        let mishap = match key.with(6).below(10) {
            0 => Mishap::DiesBeforeSaving,
            1 => Mishap::SavingFails,
            2 => Mishap::DiesAfterSaving,
            _ => Mishap::None,
        };
        outcome.mishaps += u64::from(mishap != Mishap::None);
        let tab = key.with(7).below(tabs.len());
        let made = subject.contribute(&mut disk, &mut tabs[tab], probe, now, mishap);
        records.extend((0..made).map(|_| record(probe)));
    }
    // Now and then a clock years ahead, while backups bring back every probe of before, in their order.
    if number.is_multiple_of(8) {
        now = now.plus_ms(3 * 365 * DAY_MS);
        probes.sort_by_key(|probe| probe.at);
        for probe in &probes {
            let made = subject.contribute(&mut disk, &mut tabs[0], *probe, now, Mishap::None);
            records.extend((0..made).map(|_| record(*probe)));
        }
    }
    outcome.records = records.len() as u64;
    outcome.problem = overspent(&records, started).map(|what| format!("schedule {number}: {what}"));
    outcome
}

fn epsilon(key: Key) -> Option<Epsilon> {
    let index = if key.with(8).below(4) > 0 { 2 } else { key.with(9).below(3) as u8 };
    Epsilon::from_index(index)
}

/// Mostly some days on; now and then back by up to ten weeks, or up to four years ahead.
fn moved(now: Timestamp, key: Key, long: bool) -> Timestamp {
    let hours = key.with(11).below(10 * 24) as i64;
    match key.with(10).below(20) {
        0 => now.plus_ms(-7 * hours * HOUR_MS),
        1 => now.plus_ms(-hours * HOUR_MS),
        2 if !long => now.plus_ms(150 * hours * HOUR_MS),
        _ => now.plus_ms((hours + if long { 48 } else { 0 }) * HOUR_MS),
    }
}

/// Fuzzed schedules.
#[must_use]
pub fn check(subject: &dyn Subject, schedules: u64) -> Finding {
    let all: Vec<Outcome> = (0..schedules).into_par_iter().map(|number| schedule(subject, number)).collect();
    let records: u64 = all.iter().map(|outcome| outcome.records).sum();
    let mishaps: u64 = all.iter().map(|outcome| outcome.mishaps).sum();
    let bad = all.iter().filter(|outcome| outcome.problem.is_some()).count();
    let mut problem =
        all.iter().find_map(|outcome| outcome.problem.clone()).map(|what| format!("{bad} of {schedules} overspend, {what}"));
    if problem.is_none() && records < schedules {
        problem = Some(format!("{records} records in {schedules} schedules are too few to show anything"));
    }
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!(
            "{schedules} schedules with {mishaps} crashes and failed saves, tabs, clock jumps and old probes; counted twice"
        ),
        pass: problem.is_none(),
        result: problem.unwrap_or_else(|| format!("{records} records, 0 overspent")),
        numbers: vec![
            ("schedules".into(), schedules as f64),
            ("records".into(), records as f64),
            ("mishaps".into(), mishaps as f64),
            ("overspent".into(), bad as f64),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Shipped;

    #[test]
    fn the_shipped_ledger_never_overspends() {
        let finding = check(&Shipped, 2_000);
        assert!(finding.pass, "{finding:?}");
    }

    #[test]
    fn the_checker_sees_what_is_too_much() {
        let day =
            |day: i64| Record { probe_at: week(0).ms() + day * DAY_MS, week: week_of(week(0).ms() + day * DAY_MS), milli: 1_000 };
        let started = week(0).ms() - 100 * DAY_MS;
        assert_eq!(overspent(&[day(0), day(7), day(14), day(21), day(28)], started), None);
        assert!(overspent(&[day(0), day(1)], started).unwrap().contains("week"));
        assert!(overspent(&[day(6), day(7), day(14), day(21), day(28)], started).unwrap().contains("28 days"));
        assert!(overspent(&[day(0)], week(0).ms()).unwrap().contains("start"));
    }
}
