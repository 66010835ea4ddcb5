//! Where spans are sent, and of how many calls.

use serde::{Deserialize, Serialize};

/// A collector that takes OTLP (<https://opentelemetry.io/docs/specs/otlp/>).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// Its base URL, such as `http://otel-collector:4317`. Over HTTP, `/v1/traces` is added to it.
    pub endpoint: String,
    /// How it is spoken to.
    #[serde(default)]
    pub protocol: Otlp,
    /// Share of the calls that are traced, 0..1, among those that come without a trace of their own.
    #[serde(default = "Traces::all")]
    pub sampling: f64,
    /// `service.name` of the spans.
    #[serde(default = "Traces::us")]
    pub service_name: String,
}

impl Traces {
    fn all() -> f64 {
        1.0
    }

    fn us() -> String {
        "neural-router".to_owned()
    }
}

/// The two ways of OTLP; by custom the first is at port 4317 and the second at 4318.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otlp {
    /// gRPC.
    #[default]
    Grpc,
    /// Protocol buffers over HTTP.
    Http,
}
