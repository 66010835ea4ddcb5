//! What the provider seat of one cluster is told: which provider it stands before.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::catalog::Provider;
use crate::meter;

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
    /// Most series of metrics in a VM; 0 where nothing is measured.
    #[serde(default = "usual_bound")]
    pub label_sets: u32,
    /// What spans call the provider, where calls are traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traced_as: Option<String>,
}

const fn usual_bound() -> u32 {
    meter::USUAL_BOUND
}

impl ProviderSeat {
    /// The seat's configuration for a provider.
    pub fn of(provider: &Provider) -> Self {
        Self {
            provider: provider.name.clone(),
            protocol: provider.protocol.name.to_owned(),
            authority: provider.endpoint.authority.clone(),
            base_path: provider.endpoint.path.clone(),
            label_sets: provider.label_sets,
            traced_as: None,
        }
    }

    /// Reads the JSON form.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        serde_json::from_slice(bytes).map_err(|error| ConfigError::new(".", error.to_string()))
    }
}
