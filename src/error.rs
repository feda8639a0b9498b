//! One error type for everything that the core refuses.

use std::fmt;

/// What kind of thing went wrong; for deciding what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A page from the server does not keep the rules of [`crate::page`].
    InvalidPage,
    /// An event, a decision or a card is unknown or impossible.
    InvalidEvent,
    /// A slate is not an order of the candidates it was drawn from.
    InvalidSlate,
    /// Settings, a schema, a prior or a policy out of range.
    InvalidSettings,
    /// Stored bytes that cannot be read.
    InvalidSnapshot,
    /// The privacy rules forbid the step, or its input is not what they require.
    Privacy,
    /// No randomness could be had.
    Entropy,
}

/// An error with a stable code and a message that says what was expected and what was found.
///
/// Messages never hold a title, a card id or anything else from the listener's history.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Facts>);

/// Boxed, so that a result with an error in it is as small as one without.
#[derive(Clone, PartialEq, Eq)]
struct Facts {
    kind: ErrorKind,
    code: &'static str,
    message: String,
}

impl Error {
    #[cold]
    #[inline(never)]
    fn make(kind: ErrorKind, code: &'static str, message: String) -> Self {
        Self(Box::new(Facts { kind, code, message }))
    }

    pub(crate) fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self::make(kind, code, message.into())
    }

    pub(crate) fn page(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidPage, code, message)
    }

    pub(crate) fn event(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidEvent, code, message)
    }

    pub(crate) fn settings(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidSettings, code, message)
    }

    pub(crate) fn snapshot(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidSnapshot, code, message)
    }

    pub(crate) fn privacy(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Privacy, code, message)
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// A stable, documented code such as `page_too_large`; what JavaScript sees as `error.code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What was expected and what was found.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// A number as messages show it: at most six decimals, no trailing zeros.
///
/// Plain formatting of fractions would bring 15 kB of exact decimal conversion into the browser, for messages.
pub(crate) fn shown(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN" } else { "an infinite number" }.to_owned();
    }
    let size = value.abs();
    if size >= 1e12 {
        return if value < 0.0 { "a number below -1e12" } else { "a number above 1e12" }.to_owned();
    }
    let millionths = (size * 1e6 + 0.5) as u64;
    let mut text = format!("{}{}", if value < 0.0 { "-" } else { "" }, millionths / 1_000_000);
    let mut rest = millionths % 1_000_000;
    if rest > 0 {
        let mut width = 6;
        while rest.is_multiple_of(10) {
            rest /= 10;
            width -= 1;
        }
        text.push('.');
        let digits = rest.to_string();
        text.extend(std::iter::repeat_n('0', width - digits.len()));
        text.push_str(&digits);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_plainly() {
        for (value, text) in [
            (0.0, "0"),
            (-1.0, "-1"),
            (1.5, "1.5"),
            (0.000_25, "0.00025"),
            (-2.123_456_7, "-2.123457"),
            (1e9, "1000000000"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "an infinite number"),
            (1e300, "a number above 1e12"),
        ] {
            assert_eq!(shown(value), text);
        }
    }
}
