//! Stands before `train` and `evaluate`: data with errors are not used unless that was asked for.

use std::path::{Path, PathBuf};

use super::finding::Severity;
use super::roles::{Role, Roles};
use super::{Settings, judge};
use crate::error::LabError;

/// How a log is validated before it is used.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Compares the log first with this data set, as `validate --against` does; refused with exit 2 when there are errors.
    #[arg(long, value_name = "OTHER")]
    pub against: Option<PathBuf>,
    /// Holds the log first against this schema, as `validate --schema` does.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Holds the log first against the columns of this bundle, by the rules of devices.
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// Findings that are known, as in `validate --suppress`.
    #[arg(long, value_name = "FILE")]
    pub suppress: Option<PathBuf>,
    /// Goes on in spite of errors in the data; they are still told.
    #[arg(long)]
    pub allow_findings: bool,
}

impl Gate {
    /// Whether anything was asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.against.is_some() || self.schema.is_some() || self.bundle.is_some()
    }

    /// Validates the files of a log, and tells `tell` every finding in a line. `one_row_each` says that no two rows share a decision.
    ///
    /// # Errors
    /// When the log has errors that are neither suppressed nor allowed, or cannot be read.
    pub fn pass(&self, logs: &[PathBuf], one_row_each: bool, tell: &mut dyn FnMut(&str)) -> Result<(), LabError> {
        let Some((first, more)) = logs.split_first() else { return Ok(()) };
        let settings = Settings {
            train: first.clone(),
            more: more.to_vec(),
            against: self.against.clone(),
            schema: self.schema.clone(),
            bundle: self.bundle.clone(),
            suppressions: self.suppress.clone(),
            ..Settings::default()
        };
        let roles = if one_row_each { Roles::default() } else { Roles::default().without(Role::Decision) };
        let outcome = judge(&settings, &roles)?;
        outcome.findings.iter().for_each(|finding| tell(&finding.line()));
        let errors = outcome.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if errors == 0 || self.allow_findings {
            return Ok(());
        }
        let name = first.file_name().map(Path::new).unwrap_or(first).display();
        Err(LabError::refused(format!(
            "{name}: expected data without errors, found {errors}; mend the data, suppress what is known, or go on with --allow-findings"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ears-gate-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn errors_stop_and_warnings_are_told() {
        let rows = |tiers: &[&str], more: &str| {
            let rows = (0..2000_u32).map(|i| format!("{},{i},{}{more}\n", tiers[i as usize % tiers.len()], i % 7 % 2));
            rows.collect::<String>()
        };
        let whole = file("whole.csv", &format!("tier,decision,reward\n{}", rows(&["free", "premium"], "")));
        let cut = file("cut.csv", &format!("tier,decision,reward\n{}", rows(&["free"], "")));
        let wide = file("wide.csv", &format!("tier,decision,reward,more\n{}", rows(&["free", "premium"], ",1")));
        let pass = |log: &PathBuf, allow: bool| {
            let mut told = Vec::new();
            let gate = Gate { against: Some(whole.clone()), allow_findings: allow, ..Gate::default() };
            let passed = gate.pass(std::slice::from_ref(log), false, &mut |line| told.push(line.to_owned()));
            (passed.map_err(|error| (error.exit(), error.to_string().contains("--allow-findings"))), told.len())
        };
        assert_eq!(pass(&whole, false), (Ok(()), 0));
        assert_eq!(pass(&wide, false), (Ok(()), 1));
        assert_eq!(pass(&cut, false), (Err((2, true)), 1));
        assert_eq!(pass(&cut, true), (Ok(()), 1));
        [whole, cut, wide].iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }

    #[test]
    fn rows_of_one_decision_are_no_copies_where_a_log_has_them() {
        let log = file("pages.csv", "decision,reward\na,1\na,0\n");
        let pass = |one_row_each| Gate::default().pass(std::slice::from_ref(&log), one_row_each, &mut |_| ()).is_ok();
        assert!(pass(false) && !pass(true));
        std::fs::remove_file(&log).unwrap();
    }
}
