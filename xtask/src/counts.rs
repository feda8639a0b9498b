//! Reads how many tests ran from the closing lines of the runners.

use std::ops::AddAssign;

/// How many tests passed, failed and were not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub not_run: u64,
}

impl Counts {
    /// One check that is not a test runner: a formatter, a linter, a gate.
    pub fn one(passed: bool) -> Counts {
        Counts { passed: u64::from(passed), failed: u64::from(!passed), not_run: 0 }
    }

    /// One step that was left out.
    pub fn left_out() -> Counts {
        Counts { not_run: 1, ..Counts::default() }
    }

    pub fn total(&self) -> u64 {
        self.passed + self.failed + self.not_run
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.not_run += other.not_run;
    }
}

/// Sums every closing line in `output`: cargo test and wasm-bindgen-test (`test result: …`), node's test
/// runner (`# pass N` or `ℹ pass N`), `ears-lab check-golden` (one line per file), and the plain
/// `N passed, N failed, N skipped`.
pub fn read(output: &str) -> Counts {
    let mut counts = Counts::default();
    for line in output.lines() {
        let line = line.trim();
        if let Some(found) = cargo(line).or_else(|| node(line)).or_else(|| golden(line)).or_else(|| plain(line)) {
            counts += found;
        }
    }
    counts
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn cargo(line: &str) -> Option<Counts> {
    let (_, summary) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    for part in summary.split(';') {
        add(&mut counts, part)?;
    }
    Some(counts)
}

/// `# pass 3`, `ℹ fail 1`; a cancelled test has failed.
fn node(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
    let (word, number) = rest.split_once(' ')?;
    let number = number.parse().ok()?;
    let mut counts = Counts::default();
    match word {
        "pass" => counts.passed = number,
        "fail" | "cancelled" => counts.failed = number,
        "skipped" | "todo" => counts.not_run = number,
        _ => return None,
    }
    Some(counts)
}

/// `PATH: 7 of 7 cases, worst 1e-16, tolerance 1e-9, ok`, or `PATH: unknown kind K`.
fn golden(line: &str) -> Option<Counts> {
    if let Some((_, rest)) = line.rsplit_once(": ")
        && rest.contains(" cases, worst ")
    {
        return match rest.rsplit_once(", ")?.1 {
            "ok" => Some(Counts::one(true)),
            "FAIL" => Some(Counts::one(false)),
            _ => None,
        };
    }
    line.contains(": unknown kind ").then(Counts::left_out)
}

/// `3 passed, 1 failed` or `3 passed, 1 failed, 2 skipped`, alone on a line.
fn plain(line: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut parts = 0;
    for part in line.split(", ") {
        let (number, word) = part.split_once(' ')?;
        if !matches!(word, "passed" | "failed" | "skipped") || number.parse::<u64>().is_err() {
            return None;
        }
        add(&mut counts, part)?;
        parts += 1;
    }
    (parts >= 2).then_some(counts)
}

fn add(counts: &mut Counts, part: &str) -> Option<()> {
    let part = part.trim();
    let Some((number, word)) = part.split_once(' ') else {
        return part.is_empty().then_some(());
    };
    let Ok(number) = number.parse::<u64>() else {
        return Some(());
    };
    match word {
        "passed" => counts.passed += number,
        "failed" => counts.failed += number,
        "ignored" | "skipped" => counts.not_run += number,
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, not_run: u64) -> Counts {
        Counts { passed, failed, not_run }
    }

    #[test]
    fn cargo_lines_are_summed() {
        let output = "\
running 2 tests
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.10s
test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s
";
        assert_eq!(read(output), counts(16, 2, 1));
    }

    #[test]
    fn wasm_bindgen_lines_are_read() {
        let line = "test result: ok. 9 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.21s";
        assert_eq!(read(line), counts(9, 0, 0));
    }

    #[test]
    fn node_lines_are_read_in_both_reporters() {
        let tap = "# tests 8\n# suites 0\n# pass 5\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n# duration_ms 91.2\n";
        assert_eq!(read(tap), counts(5, 2, 1));
        let spec = "ℹ tests 3\nℹ pass 3\nℹ fail 0\nℹ cancelled 0\nℹ skipped 0\nℹ todo 0\n";
        assert_eq!(read(spec), counts(3, 0, 0));
    }

    #[test]
    fn golden_lines_are_read() {
        let output = "\
golden/policy_two_level.json: 7 of 7 cases, worst 2.2e-16, tolerance 1e-9, ok
golden/policy_propensities.json: 3 of 19 cases, worst 1e-3, tolerance 1e-9, FAIL
golden/obp_estimates.json: unknown kind obp_estimates
";
        assert_eq!(read(output), counts(1, 1, 1));
    }

    #[test]
    fn the_plain_line_is_read_and_look_alikes_are_not() {
        assert_eq!(read("3 passed, 1 failed, 2 skipped"), counts(3, 1, 2));
        assert_eq!(read("3 passed, 1 failed"), counts(3, 1, 0));
        assert_eq!(read("3 passed"), Counts::default());
        assert_eq!(read("all 3 passed, 1 failed"), Counts::default());
        assert_eq!(read("# pass the salt\n# pass"), Counts::default());
        assert_eq!(read("test result: hm"), Counts::default());
    }
}
