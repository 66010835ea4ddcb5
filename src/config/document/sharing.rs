//! The section `limits`: whether each Envoy counts alone, or one service for all of them.

use serde::{Deserialize, Serialize};

/// Who counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sharing {
    /// For whom the limits and budgets of workspaces and keys hold.
    pub scope: Scope,
    /// The rate-limit service; with `scope: fleet` only, and needed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Namespace of the counters in the service.
    pub domain: String,
    /// For one round trip to the service.
    pub timeout_ms: u32,
    /// What holds while the service does not answer.
    pub on_unavailable: OnUnavailable,
    /// What an Envoy takes at once.
    pub lease: Lease,
}

impl Sharing {
    /// Whether each Envoy counts for itself, so that nothing else here matters.
    pub(super) fn is_alone(&self) -> bool {
        self.scope == Scope::Envoy
    }
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            scope: Scope::Envoy,
            service: None,
            domain: "neural-router".to_owned(),
            timeout_ms: 250,
            on_unavailable: OnUnavailable::Local,
            lease: Lease::default(),
        }
    }
}

/// For whom limits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each Envoy for itself.
    Envoy,
    /// All Envoys with this service together.
    Fleet,
}

/// A service that speaks `envoy.service.ratelimit.v3` over gRPC.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Host name or IP address.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Whether it is reached by TLS.
    #[serde(default)]
    pub tls: bool,
}

/// What holds while the service does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnavailable {
    /// Each Envoy's own limits.
    Local,
    /// Calls that a limit applies to are refused with 503.
    Deny,
}

/// What an Envoy takes of a limit at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lease {
    /// Part of the limit, 0.001..0.5.
    pub share: f64,
}

impl Default for Lease {
    fn default() -> Self {
        Self { share: 0.02 }
    }
}
