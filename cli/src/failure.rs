//! Why a command did not do what it was asked: one sentence on standard error, exit status 1.

use std::fmt;
use std::io::Write as _;

use neural_router::config::ConfigError;

/// A sentence for the person at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// The same and, if anything is `left`, what that is.
    pub(crate) fn and(self, what: &str, left: &[String]) -> Self {
        if left.is_empty() { self } else { Self(format!("{self}. But {what}: {}", left.join("; "))) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

/// Writes to standard output. Whoever reads it may stop, which is no reason to panic.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Failure::new(format!("standard output: {error}")))
}
