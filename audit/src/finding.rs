//! What a check found.

use serde_json::{Map, Value, json};

/// The answer of one check.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// What is promised, in words for everybody.
    pub promise: &'static str,
    /// How it was looked at.
    pub how: String,
    /// What was seen.
    pub result: String,
    /// Whether the promise holds.
    pub pass: bool,
    /// The same as plain numbers, by name.
    pub numbers: Vec<(String, f64)>,
}

impl Finding {
    /// A check that could not be carried out has failed.
    #[must_use]
    pub fn broken(check: &'static str, promise: &'static str, problem: &str) -> Self {
        Self { check, promise, how: "was not carried out".into(), result: problem.into(), pass: false, numbers: Vec::new() }
    }

    /// For other programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let numbers: Map<String, Value> = self.numbers.iter().map(|(name, number)| (name.clone(), json!(number))).collect();
        json!({
            "check": self.check, "promise": self.promise, "how": self.how, "result": self.result, "pass": self.pass,
            "numbers": numbers,
        })
    }
}
