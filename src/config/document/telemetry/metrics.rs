//! Counters, gauges and histograms (docs/metrics.md).

use serde::{Deserialize, Serialize};

use crate::meter;

/// Whether calls are measured, how many series that may make, and where Prometheus finds them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Whether anything is measured.
    pub enabled: bool,
    /// Most label sets of a worker, for each of the two seats; beyond it ids become `_other`.
    pub max_label_sets: u32,
    /// A listener with nothing but the metrics; without it they are at Envoy's administration endpoint only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<Scrape>,
}

/// Where Prometheus scrapes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scrape {
    /// IP address to bind.
    pub address: String,
    /// TCP port to bind.
    pub port: u16,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, max_label_sets: meter::USUAL_BOUND, listen: None }
    }
}

impl Metrics {
    /// Most label sets; none, where nothing is measured.
    pub fn label_sets(&self) -> u32 {
        if self.enabled { self.max_label_sets } else { 0 }
    }
}
