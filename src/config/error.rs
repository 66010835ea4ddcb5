//! What is wrong with a configuration, and where.

use core::fmt;

/// A configuration that cannot be used. `path` is the place in the file (`models[2].deployments[0].provider`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Dotted path of the offending value; `.` for the document itself.
    pub path: String,
    /// What is wrong and what would be right, in one sentence.
    pub message: String,
}

impl ConfigError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is wrong with the whole of it has no place to name.
        if self.path == "." { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl std::error::Error for ConfigError {}
