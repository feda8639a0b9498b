//! Planted faults: mistakes that real systems have made, or could. Each is an implementation that is wrong in one thing, and each
//! must be caught by the check that is named for it.

use crate::check::{self, Size};
use crate::finding::Finding;
use crate::subject::Subject;
use rayon::prelude::*;
use serde_json::{Value, json};

mod flip;
mod ledger;
mod public;

/// A planted fault.
pub struct Fault {
    /// The wrong implementation.
    pub subject: Box<dyn Subject + Send>,
    /// What goes wrong, in words for everybody.
    pub what: &'static str,
    /// Name of the check that must catch it.
    pub caught_by: &'static str,
}

/// What came of one.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Its name.
    pub fault: &'static str,
    /// What goes wrong.
    pub what: &'static str,
    /// The check named for it.
    pub named: &'static str,
    /// What that check said.
    pub evidence: String,
    /// All checks that failed.
    pub by: Vec<&'static str>,
    /// Whether the named check is among them.
    pub caught: bool,
}

/// All planted faults.
#[must_use]
pub fn all() -> Vec<Fault> {
    let mut faults = public::all();
    faults.extend(flip::all());
    faults.extend(ledger::all());
    faults
}

/// Runs every check on every fault.
#[must_use]
pub fn run(size: Size) -> Vec<Caught> {
    all().par_iter().map(|fault| caught(fault, check::all(fault.subject.as_ref(), size))).collect()
}

fn caught(fault: &Fault, findings: Vec<Finding>) -> Caught {
    let failed: Vec<&Finding> = findings.iter().filter(|finding| !finding.pass).collect();
    let named = failed.iter().find(|finding| finding.check == fault.caught_by);
    Caught {
        fault: fault.subject.name(),
        what: fault.what,
        named: fault.caught_by,
        evidence: named.map_or_else(|| "not caught".to_owned(), |finding| finding.result.clone()),
        by: failed.iter().map(|finding| finding.check).collect(),
        caught: named.is_some(),
    }
}

impl Caught {
    /// For other programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "fault": self.fault, "what": self.what, "check": self.named, "evidence": self.evidence, "failed": self.by,
            "caught": self.caught,
        })
    }
}

/// All of them in one line.
#[must_use]
pub fn finding(all: &[Caught]) -> Finding {
    let survivors: Vec<&str> = all.iter().filter(|caught| !caught.caught).map(|caught| caught.fault).collect();
    Finding {
        check: "planted faults",
        promise: "these checks would notice if one of the promises were broken",
        how: format!("{} mistakes built in on purpose, each to be found by the check named for it", all.len()),
        result: if survivors.is_empty() { "all found".to_owned() } else { format!("not found: {}", survivors.join(", ")) },
        pass: survivors.is_empty() && all.len() >= 12,
        numbers: vec![("planted".into(), all.len() as f64), ("survivors".into(), survivors.len() as f64)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_planted_fault_is_caught_by_the_check_named_for_it() {
        let caught = run(Size { draws: 60_000, pairs: 20_000, twins: 40, schedules: 1_000, codes: 20_000 });
        assert!(caught.len() >= 12);
        for caught in &caught {
            assert!(caught.caught, "{}: {} did not catch it, {:?} did", caught.fault, caught.named, caught.by);
        }
        let mut names: Vec<&str> = caught.iter().map(|caught| caught.fault).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), caught.len(), "every fault has a name of its own");
    }
}
