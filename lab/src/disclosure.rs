//! `ears-lab disclosure`: what records disclose together, and what an honest shuffler adds; the numbers of the core's accountant as a table.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use ears_only::privacy::EPSILONS;
use ears_only::privacy::accountant::{
    Composition, Crowd, MAX_COMPOSED, shuffled_delta, shuffled_epsilon, shuffled_epsilon_closed,
};
use serde::Serialize;

use crate::arguments::Output;
use crate::error::LabError;

/// Numbers of records that the table shows: four weeks, half a year, a year.
const RECORDS: [usize; 5] = [1, 4, 8, 26, 52];
/// Sizes of a released cell: at the end of an epoch, full, and what many devices give.
const CROWDS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// What a listener discloses by several records, and what a crowd hides of one.
#[derive(Args)]
pub struct Arguments {
    /// Chance with which the smaller epsilon may fail.
    #[arg(long, default_value_t = 1e-6)]
    delta: f64,
    /// Epsilons of records to be composed, in thousandths, such as 1000,1000,500; after the table.
    #[arg(long, value_delimiter = ',')]
    records: Vec<u32>,
    #[command(flatten)]
    output: Output,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Chance with which the smaller epsilon may fail.
    pub delta: f64,
    /// Records of one person.
    pub together: Vec<Together>,
    /// One record in a crowd.
    pub crowds: Vec<Shuffled>,
    /// Cases in which the crowd's delta lies below an enumeration of all answers; none may.
    pub below_enumeration: u32,
    /// Cases compared.
    pub enumerated: u32,
    /// Milliseconds for the crowd of 100,000 at epsilon 1.
    pub milliseconds: f64,
    /// The records asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Together>,
}

/// Several records of one person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Together {
    /// How many.
    pub records: usize,
    /// Epsilon of each; absent where they differ.
    pub each: Option<f64>,
    /// Their sum, which holds with delta 0.
    pub sum: f64,
    /// What holds but for delta.
    pub exact: f64,
}

/// One record among many, honestly shuffled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shuffled {
    /// Epsilon of the record.
    pub each: f64,
    /// Records of the cell.
    pub records: u32,
    /// Its epsilon in the cell when everybody answers with a bit.
    pub bits: f64,
    /// The same for answers of any kind.
    pub any: f64,
    /// By the closed form, where it holds.
    pub closed: Option<f64>,
}

impl Arguments {
    /// Prints the table.
    ///
    /// # Errors
    /// When delta lies outside (0, 1), a record's epsilon is not to be composed, or the report cannot be written.
    pub fn run(self) -> Result<ExitCode, LabError> {
        let report = report(self.delta, &self.records)?;
        self.output.finish(&report, &report.table())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Computes the table; `asked` are epsilons in thousandths.
///
/// # Errors
/// When delta lies outside (0, 1) or the records cannot be composed.
pub fn report(delta: f64, asked: &[u32]) -> Result<Report, LabError> {
    if !(delta > 0.0 && delta < 1.0) {
        return Err(LabError::unreadable(format!("delta must be above 0 and below 1, got {delta}")));
    }
    let together = |milli: &[u32], each: Option<f64>| -> Result<Together, LabError> {
        let composed = Composition::of(milli).ok_or_else(|| {
            LabError::unreadable(format!("expected up to {MAX_COMPOSED} records of 1 to 20000 thousandths, got {milli:?}"))
        })?;
        Ok(Together { records: milli.len(), each, sum: composed.total(), exact: composed.epsilon(delta) })
    };
    let mut report = Report {
        format: 1,
        delta,
        together: Vec::new(),
        crowds: Vec::new(),
        below_enumeration: 0,
        enumerated: 0,
        milliseconds: 0.0,
        asked: if asked.is_empty() { None } else { Some(together(asked, None)?) },
    };
    for each in EPSILONS {
        for records in RECORDS {
            report.together.push(together(&vec![(each * 1_000.0) as u32; records], Some(each))?);
        }
        for records in CROWDS {
            let started = Instant::now();
            let bits = shuffled_epsilon(delta, each, records, Crowd::Bits);
            if each == 1.0 && records == 100_000 {
                report.milliseconds = started.elapsed().as_secs_f64() * 1e3;
            }
            let any = shuffled_epsilon(delta, each, records, Crowd::Any);
            report.crowds.push(Shuffled { each, records, bits, any, closed: shuffled_epsilon_closed(delta, each, records) });
        }
        for records in (1..=64).step_by(3) {
            for step in 0..20 {
                let epsilon = each * f64::from(step) / 20.0;
                report.enumerated += 1;
                let bound = shuffled_delta(epsilon, each, records, Crowd::Bits);
                report.below_enumeration += u32::from(bound < enumerated_delta(epsilon, each, records as usize));
            }
        }
    }
    Ok(report)
}

/// Delta of one shuffled bit, exactly: the worst over what the others' true answers are.
fn enumerated_delta(epsilon: f64, each: f64, records: usize) -> f64 {
    let truth = ears_only::math::sigmoid(each);
    let grown = ears_only::math::exp(epsilon);
    let add = |counts: &[f64], chance: f64| -> Vec<f64> {
        let mut next = vec![0.0; counts.len() + 1];
        for (at, count) in counts.iter().enumerate() {
            next[at] += count * (1.0 - chance);
            next[at + 1] += count * chance;
        }
        next
    };
    let stick = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(p, q)| (p - grown * q).max(0.0)).sum::<f64>();
    let worst = |ones: usize| {
        let others = (1..records).fold(vec![1.0], |counts, i| add(&counts, if i <= ones { truth } else { 1.0 - truth }));
        let (yes, no) = (add(&others, truth), add(&others, 1.0 - truth));
        stick(&yes, &no).max(stick(&no, &yes))
    };
    (0..records).map(worst).fold(0.0, f64::max)
}

impl Report {
    /// The table for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("records of one person: what they disclose together, delta {:e}\n", self.delta);
        text.push_str("  each   records       sum     exact\n");
        for row in self.together.iter().chain(&self.asked) {
            let each = row.each.map_or_else(|| "mixed".to_owned(), |each| format!("{each}"));
            text.push_str(&format!("  {each:<6} {:>7} {:>9.2} {:>9.2}\n", row.records, row.sum, row.exact));
        }
        text.push_str(
            "\none record in a cell that was shuffled honestly\n  each      cell      bits  any answers  closed form\n",
        );
        for row in &self.crowds {
            let closed = row.closed.map_or_else(|| "-".to_owned(), |closed| format!("{closed:.4}"));
            text.push_str(&format!("  {:<6} {:>7} {:>9.4} {:>12.4} {:>12}\n", row.each, row.records, row.bits, row.any, closed));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_accountants() {
        let report = report(1e-6, &[1_000, 500, 250]).unwrap();
        let year = report.together.iter().find(|row| row.records == 52 && row.each == Some(1.0)).unwrap();
        assert!((year.exact - 49.15).abs() < 0.01 && year.sum == 52.0);
        assert_eq!((report.below_enumeration, report.enumerated), (0, 3 * 22 * 20));
        assert_eq!(report.asked.as_ref().unwrap().sum, 1.75);
        assert!(report.table().contains("mixed        3      1.75"));
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        assert!(report(0.0, &[]).unwrap_err().to_string().contains("got 0"));
        assert!(report(1e-6, &[0]).is_err());
    }
}
