//! What was found, in words and in a form that programs read.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The data must not be used as they are.
    Error,
    /// Somebody should look.
    Warning,
}

/// Which data set it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dataset {
    /// The one that is judged.
    Train,
    /// The one it is compared with.
    Against,
    /// The schema itself.
    Schema,
}

impl Dataset {
    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dataset::Train => "train",
            Dataset::Against => "against",
            Dataset::Schema => "schema",
        }
    }

    /// The other of the two.
    #[must_use]
    pub fn other(self) -> Dataset {
        if self == Dataset::Train { Dataset::Against } else { Dataset::Train }
    }
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// A number; shares are in [0, 1].
    Number(f64),
    /// A text.
    Text(String),
}

impl From<f64> for Figure {
    fn from(number: f64) -> Self {
        if number.is_finite() { Figure::Number(number) } else { Figure::Text(number.to_string()) }
    }
}

impl From<u64> for Figure {
    fn from(number: u64) -> Self {
        Figure::Number(number as f64)
    }
}

impl From<&str> for Figure {
    fn from(text: &str) -> Self {
        Figure::Text(text.to_owned())
    }
}

impl From<String> for Figure {
    fn from(text: String) -> Self {
        Figure::Text(text)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// A stable name of the kind.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The slice, `COLUMN=VALUE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// The data set.
    pub dataset: Dataset,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Figure>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Figure>,
    /// What to do about it.
    pub fix: String,
}

impl Finding {
    /// An error about a data set as a whole.
    #[must_use]
    pub fn error(code: &'static str, dataset: Dataset, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            column: None,
            slice: None,
            dataset,
            message: message.into(),
            expected: None,
            found: None,
            fix: String::new(),
        }
    }

    /// A warning about a data set as a whole.
    #[must_use]
    pub fn warning(code: &'static str, dataset: Dataset, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, dataset, message) }
    }

    /// About this column.
    #[must_use]
    pub fn in_column(mut self, column: &str) -> Self {
        self.column = Some(column.to_owned());
        self
    }

    /// About the rows with this value.
    #[must_use]
    pub fn in_slice(mut self, column: &str, value: &str) -> Self {
        self.column = Some(column.to_owned());
        self.slice = Some(slice(column, value));
        self
    }

    /// What was expected and what was found.
    #[must_use]
    pub fn figures(mut self, expected: impl Into<Figure>, found: impl Into<Figure>) -> Self {
        self.expected = Some(expected.into());
        self.found = Some(found.into());
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// The line that reports it.
    #[must_use]
    pub fn line(&self) -> String {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        format!("{severity:<8} {:<24} {}", self.code, self.message)
    }
}

/// The name of a slice, `COLUMN=VALUE`; of a pair of columns `A=X,B=Y`.
#[must_use]
pub fn slice(column: &str, value: &str) -> String {
    let columns: Vec<&str> = column.split('*').map(str::trim).collect();
    let values: Vec<&str> = value.split('*').collect();
    if columns.len() == 1 || columns.len() != values.len() {
        return format!("{column}={value}");
    }
    columns.iter().zip(values).map(|(column, value)| format!("{column}={value}")).collect::<Vec<_>>().join(",")
}

/// A share in percent, two digits where it is small: `40 %`, `1.2 %`, `0.034 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent >= 9.95 {
        format!("{percent:.0} %")
    } else if percent >= 0.995 {
        format!("{percent:.1} %")
    } else if percent >= 0.0995 {
        format!("{percent:.2} %")
    } else if percent > 0.0 {
        format!("{percent:.3} %")
    } else {
        "0 %".to_owned()
    }
}

/// A number with four digits.
#[must_use]
pub fn short(number: f64) -> String {
    let size = number.abs();
    if number == number.trunc() && size < 1e15 {
        format!("{number}")
    } else if (1e-3..1e6).contains(&size) {
        let text = format!("{number:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{number:.3e}")
    }
}
