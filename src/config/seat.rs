//! What the provider seat of one cluster is told: which provider it stands before.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::catalog::Provider;

/// Plugin configuration of an upstream seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSeat {
    /// Name of the provider, as in the file.
    pub provider: String,
    /// Row of the protocol registry.
    pub protocol: String,
    /// `:authority` of requests.
    pub authority: String,
    /// Prefix of `:path`, without a trailing slash.
    pub base_path: String,
}

impl ProviderSeat {
    /// The seat's configuration for a provider.
    pub fn of(provider: &Provider) -> Self {
        Self {
            provider: provider.name.clone(),
            protocol: provider.protocol.name.to_owned(),
            authority: provider.endpoint.authority.clone(),
            base_path: provider.endpoint.path.clone(),
        }
    }

    /// Reads the JSON form.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        serde_json::from_slice(bytes).map_err(|error| ConfigError::new(".", error.to_string()))
    }
}
