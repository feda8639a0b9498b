//! Findings as test results, in the XML that build servers read.

use super::super::Outcome;
use super::super::finding::{Finding, Severity};
use super::html::escape;

/// One failed case for each error, one skipped case for each warning, one passed case when there is neither.
#[must_use]
pub fn junit(outcome: &Outcome) -> String {
    let errors = outcome.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = outcome.findings.len() - errors;
    let tests = outcome.findings.len().max(1);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"ears-lab validate\" tests=\"{tests}\" failures=\"{errors}\" skipped=\"{warnings}\">\n"
    );
    if outcome.findings.is_empty() {
        text.push_str("<testcase classname=\"validate\" name=\"clean\"/>\n");
    }
    for finding in &outcome.findings {
        text.push_str(&case(finding));
    }
    text.push_str("</testsuite>\n</testsuites>\n");
    text
}

fn case(finding: &Finding) -> String {
    let place = finding.slice.as_deref().or(finding.column.as_deref()).unwrap_or(finding.dataset.name());
    let (code, place, message, fix) = (finding.code, escape(place), escape(&finding.message), escape(&finding.fix));
    let verdict = match finding.severity {
        Severity::Error => format!("<failure type=\"{code}\" message=\"{message}\">{fix}</failure>"),
        Severity::Warning => format!("<skipped message=\"{message}\"/>"),
    };
    format!("<testcase classname=\"validate.{code}\" name=\"{place}\">{verdict}</testcase>\n")
}
