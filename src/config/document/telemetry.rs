//! What the operator can see.

mod metrics;

use serde::{Deserialize, Serialize};

pub use metrics::{Metrics, Scrape};

/// What is told of the calls besides the access log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Counters, gauges and histograms.
    pub metrics: Metrics,
}
