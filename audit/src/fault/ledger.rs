//! Faults in the budget: a ledger that forgets, and steps in the wrong order.

use super::Fault;
use crate::check::ledger;
use crate::subject::{Mishap, Probe, Subject, Tab, shipped_contribute};
use ears_only::clock::{DAY_MS, Timestamp};

pub(super) fn all() -> Vec<Fault> {
    let fault = |name, rules, what| Fault { subject: Box::new(Careless { name, rules }), what, caught_by: ledger::NAME };
    let right = Rules { clock: true, starts_spent: true, period: true };
    vec![
        fault("clock set back", Rules { clock: false, ..right }, "a clock set back opens a week once more"),
        fault("new ledger starts empty", Rules { starts_spent: false, ..right }, "wiping the storage buys a fresh budget"),
        fault("no 28-day limit", Rules { period: false, ..right }, "only the week is counted"),
        Fault { subject: Box::new(Lasting), what: "a record is made although saving failed", caught_by: ledger::NAME },
        Fault { subject: Box::new(StaleTab), what: "a tab spends from the ledger that it remembers", caught_by: ledger::NAME },
        Fault {
            subject: Box::new(SavesAfterwards),
            what: "the record is made first and paid for afterwards",
            caught_by: ledger::NAME,
        },
    ]
}

/// Which rules a ledger keeps.
#[derive(Clone, Copy)]
struct Rules {
    clock: bool,
    starts_spent: bool,
    period: bool,
}

/// A simple ledger of its own: eight bytes of start, then 20 for each debit.
struct Careless {
    name: &'static str,
    rules: Rules,
}

fn number(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |value, byte| value << 8 | i64::from(*byte))
}

impl Subject for Careless {
    fn name(&self) -> &'static str {
        self.name
    }

    fn contribute(&self, disk: &mut Option<Vec<u8>>, _: &mut Tab, probe: Probe, now: Timestamp, mishap: Mishap) -> usize {
        let mut bytes = disk.clone().unwrap_or_else(|| now.ms().to_be_bytes().to_vec());
        let (start, rest) = bytes.split_at(8);
        let started = number(start);
        // (when it was written, when the probe was, thousandths)
        let debits: Vec<(i64, i64, i64)> =
            rest.chunks_exact(20).map(|debit| (number(&debit[..8]), number(&debit[8..16]), number(&debit[16..]))).collect();
        let at = probe.at.ms();
        let period = 28 * DAY_MS;
        let spent: i64 = debits.iter().filter(|debit| debit.1 > at - period).map(|debit| debit.2).sum();
        let milli = i64::from(probe.epsilon.milli());
        let week = |at: i64| (at - crate::fixture::week(0).ms()).div_euclid(7 * DAY_MS);
        let last = debits.last();
        let refused = self.rules.clock && last.is_some_and(|last| now.ms() < last.0 || week(last.1) >= week(at))
            || !self.rules.clock && last.is_some_and(|last| week(last.1) == week(at))
            || self.rules.starts_spent && at < started + period
            || self.rules.period && spent + milli > 4_000
            || mishap == Mishap::DiesBeforeSaving
            || mishap == Mishap::SavingFails;
        if refused {
            disk.get_or_insert(bytes);
            return 0;
        }
        bytes.extend(now.ms().to_be_bytes());
        bytes.extend(at.to_be_bytes());
        bytes.extend((milli as u32).to_be_bytes());
        *disk = Some(bytes);
        usize::from(mishap == Mishap::None)
    }
}

struct Lasting;

impl Subject for Lasting {
    fn name(&self) -> &'static str {
        "record although saving failed"
    }

    fn contribute(&self, disk: &mut Option<Vec<u8>>, tab: &mut Tab, probe: Probe, now: Timestamp, mishap: Mishap) -> usize {
        if mishap != Mishap::SavingFails {
            return shipped_contribute(disk, tab, probe, now, mishap);
        }
        let mut lost = disk.clone();
        let made = shipped_contribute(&mut lost, &mut Tab::default(), probe, now, Mishap::None);
        *tab = Tab::default();
        made
    }
}

struct StaleTab;

impl Subject for StaleTab {
    fn name(&self) -> &'static str {
        "tab that does not read again"
    }

    fn contribute(&self, disk: &mut Option<Vec<u8>>, tab: &mut Tab, probe: Probe, now: Timestamp, mishap: Mishap) -> usize {
        // What the tab knew when it was opened stays its truth.
        let mut remembered = tab.remembered().or_else(|| disk.clone());
        let made = shipped_contribute(&mut remembered, tab, probe, now, mishap);
        *disk = remembered;
        made
    }
}

struct SavesAfterwards;

impl Subject for SavesAfterwards {
    fn name(&self) -> &'static str {
        "record before the debit is saved"
    }

    fn contribute(&self, disk: &mut Option<Vec<u8>>, tab: &mut Tab, probe: Probe, now: Timestamp, mishap: Mishap) -> usize {
        if mishap != Mishap::DiesBeforeSaving {
            return shipped_contribute(disk, tab, probe, now, mishap);
        }
        // Dies between the two, in the wrong order: the record is out, the debit is not.
        let mut lost = disk.clone();
        let made = shipped_contribute(&mut lost, &mut Tab::default(), probe, now, Mishap::None);
        *tab = Tab::default();
        made
    }
}
