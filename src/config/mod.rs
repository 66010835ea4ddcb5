//! What the operator wants: the file's shapes ([`Document`]) and the checked result ([`Config`]).
//!
//! Parsing is the check: a `Config` cannot hold a deployment of a missing provider, an objective
//! that does not exist, a price nobody said. An error names its place in the file. Owns no policy:
//! how figures are weighed is `rank`'s business.

pub mod catalog;
pub mod document;
mod endpoint;
mod error;
pub mod policy;
pub mod preference;
mod resolve;
mod seat;
pub mod sharing;
pub mod workspace;

pub use catalog::{Capabilities, Capability, Catalog, Model, ModelIndex, Objective, TaskClass, Tokens};
pub use document::Document;
pub use error::ConfigError;
pub use preference::Preferences;
pub use seat::ProviderSeat;
pub use sharing::Sharing;
pub use workspace::{Key, Workspace, Workspaces};

/// A configuration the filter can run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Providers and models.
    pub catalog: Catalog,
    /// Tenants and their keys.
    pub workspaces: Workspaces,
    /// Bounds of a call.
    pub routing: Routing,
    /// The service that counts for all Envoys; none where each counts alone.
    pub sharing: Option<Sharing>,
    /// Largest request body, in bytes.
    pub max_request_bytes: u32,
    /// Most series of metrics in a VM; 0 where nothing is measured.
    pub label_sets: u32,
    /// Whether Envoy makes spans of the calls, which the seats tell their part of.
    pub traced: bool,
}

/// What holds for every call; all times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Routing {
    /// Candidates tried, the first included; at least 1.
    pub max_attempts: u32,
    /// Longest silence of a streaming candidate.
    pub first_token_timeout_ms: u32,
    /// Longest wait for an answer that arrives whole.
    pub answer_timeout_ms: u32,
    /// Longest call.
    pub total_timeout_ms: u32,
    /// Whether the choice goes by what traffic has shown, too.
    pub adaptive: bool,
}

impl Config {
    /// Reads and checks the JSON form the filter is configured with.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        Self::from_document(&Document::from_json(bytes)?)
    }

    /// Checks a document.
    pub fn from_document(document: &Document) -> Result<Self, ConfigError> {
        resolve::config(document)
    }
}
