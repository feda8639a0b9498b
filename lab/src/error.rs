//! What can go wrong in a tool, and the exit code that says so.

use std::fmt;
use std::path::Path;

/// Exit code for wrong arguments and for files that cannot be read (`EX_USAGE` of BSD's sysexits).
pub const EXIT_UNREADABLE: u8 = 64;
/// Exit code when the work itself went wrong, or a check failed.
pub const EXIT_FAILED: u8 = 1;
/// Exit code when something elsewhere that was asked for did not answer (`EX_UNAVAILABLE` of BSD's sysexits).
pub const EXIT_UNAVAILABLE: u8 = 69;

/// Exit code when data were refused because of errors in them.
pub const EXIT_REFUSED: u8 = 2;

/// Why a command stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabError {
    exit: u8,
    message: String,
}

impl LabError {
    /// Wrong arguments or unusable input.
    #[must_use]
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self { exit: EXIT_UNREADABLE, message: message.into() }
    }

    /// A file that does not hold what it should.
    #[must_use]
    pub fn file(path: &Path, expected: &str, found: impl fmt::Display) -> Self {
        Self::unreadable(format!("{}: expected {expected}, found {found}", path.display()))
    }

    /// The work itself went wrong.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self { exit: EXIT_FAILED, message: message.into() }
    }

    /// Data that have errors.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: EXIT_REFUSED, message: message.into() }
    }

    /// The exit code of the process.
    #[must_use]
    pub fn exit(&self) -> u8 {
        self.exit
    }
}

impl fmt::Display for LabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LabError {}

impl From<ears_only::error::Error> for LabError {
    fn from(error: ears_only::error::Error) -> Self {
        Self::failed(format!("the core refused: {error} ({})", error.code()))
    }
}
