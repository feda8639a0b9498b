//! Why a model file is not imported.

use std::fmt;

/// Says what was expected, what was found and where; the file's name is added by who knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError(String);

impl ImportError {
    /// Something that cannot be read as what it should be.
    #[must_use]
    pub fn broken(place: impl fmt::Display, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self(format!("{place}: expected {expected}, found {found}"))
    }

    /// Something that is well-formed and that no body of the device has.
    #[must_use]
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self(format!("{what} is not supported"))
    }

    /// The same with what would be supported.
    #[must_use]
    pub fn unsupported_but(what: impl fmt::Display, supported: impl fmt::Display) -> Self {
        Self(format!("{what} is not supported: expected {supported}"))
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImportError {}

impl From<ears_only::error::Error> for ImportError {
    fn from(error: ears_only::error::Error) -> Self {
        Self(format!("the device's body refuses it: {error}"))
    }
}
