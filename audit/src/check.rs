//! One check for each promise. Each takes an implementation and a size, so that planted faults meet the very same checks.

pub mod codec;
pub mod draws;
pub mod law;
pub mod ledger;
pub mod pairs;
pub mod table;
pub mod twins;

use crate::finding::Finding;
use crate::subject::Subject;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Draws of the native black-box audit, for each epsilon.
    pub draws: u64,
    /// Pairs of records of one device.
    pub pairs: u64,
    /// Pairs of twin listeners.
    pub twins: u64,
    /// Ledger schedules.
    pub schedules: u64,
    /// Cases of the record's encoding.
    pub codes: u64,
}

impl Size {
    /// Seconds: for every push, and for planted faults.
    pub const SAMPLED: Self = Self { draws: 200_000, pairs: 40_000, twins: 200, schedules: 4_000, codes: 100_000 };
    /// The full proof.
    pub const FULL: Self = Self { draws: 10_000_000, pairs: 1_000_000, twins: 100_000, schedules: 1_000_000, codes: 10_000_000 };
}

/// Every check of an implementation.
#[must_use]
pub fn all(subject: &dyn Subject, size: Size) -> Vec<Finding> {
    let mut findings = vec![law::check(subject), table::check(subject)];
    findings.extend(draws::check(subject, size.draws));
    findings.push(pairs::check(subject, size.pairs));
    findings.push(twins::check(subject, size.twins));
    findings.push(ledger::check(subject, size.schedules));
    findings.push(codec::check(subject, size.codes));
    findings
}
