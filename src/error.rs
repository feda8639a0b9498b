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
pub struct Error {
    kind: ErrorKind,
    code: &'static str,
    message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into() }
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
        self.kind
    }

    /// A stable, documented code such as `page_too_large`; what JavaScript sees as `error.code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What was expected and what was found.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
