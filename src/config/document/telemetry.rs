//! What the operator can see.

mod metrics;
mod traces;

use serde::{Deserialize, Serialize};

pub use metrics::{Metrics, Scrape};
pub use traces::{Otlp, Traces};

/// What is told of the calls besides the access log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Counters, gauges and histograms.
    pub metrics: Metrics,
    /// A span for every call and every attempt; none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
}
