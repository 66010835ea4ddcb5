//! The file a user writes, key for key. Only shapes live here; meaning is checked when a
//! [`Document`] becomes a [`Config`](super::Config). `nr` reads it as YAML, the filter as JSON.

mod auth;
mod catalog;
mod preference;
mod sharing;
mod telemetry;
mod workspace;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::json_path::path_at;

pub use auth::{Auth, Aws, AwsKeys, Oauth2};
pub use catalog::{Deployment, HttpVersion, KeySource, Kind, Latency, Model, PerMillion, Price, Provider};
pub use preference::{Preferences, QualityPerDollar};
pub use sharing::{Lease, OnUnavailable, Scope, Service, Sharing};
pub use telemetry::{Metrics, Otlp, Scrape, Telemetry, Traces};
pub use workspace::{Bounds, Budget, Guardrail, Key, Limits, Period, Workspace};

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Where clients connect.
    #[serde(default)]
    pub listen: Listen,
    /// Envoy's administration endpoint.
    #[serde(default)]
    pub admin: Admin,
    /// Upstream providers by name; each becomes one Envoy cluster.
    pub providers: BTreeMap<String, Provider>,
    /// The catalogue.
    pub models: Vec<Model>,
    /// How candidates are ranked and how long they may take.
    #[serde(default)]
    pub routing: Routing,
    /// What the operator can see of the calls.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// For whom limits and budgets hold.
    #[serde(default, skip_serializing_if = "Sharing::is_alone")]
    pub limits: Sharing,
    /// Who may call.
    pub workspaces: Vec<Workspace>,
}

impl Document {
    /// Reads the JSON form; an error names the path.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        serde_json::from_slice(bytes).map_err(|error| {
            let path = path_at(bytes, error.line(), error.column());
            let text = error.to_string();
            let sentence = text.rsplit_once(" at line ").map_or(text.as_str(), |(sentence, _)| sentence);
            ConfigError::new(path, sentence)
        })
    }

    /// The same document without anything that only `nr` and Envoy need: how providers are
    /// authenticated to and reached never enters the filter, and which pages may call and how many
    /// connections there may be is Envoy's business.
    pub fn for_filter(&self) -> Self {
        let mut document = self.clone();
        for provider in document.providers.values_mut() {
            provider.api_key = None;
            provider.auth = None;
            provider.http = None;
            provider.ca = None;
        }
        document.listen.max_connections = Listen::default().max_connections;
        document.listen.max_heap_bytes = None;
        document.listen.tls = None;
        document.listen.cors = None;
        document.telemetry.metrics.listen = None;
        document.listen.drain_s = None;
        document.listen.notice_s = None;
        document
    }
}

/// The listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// IP address to bind.
    pub address: String,
    /// TCP port to bind.
    pub port: u16,
    /// Largest request body accepted, in bytes.
    pub max_request_bytes: u32,
    /// Connections of clients held at once; further ones are closed as they come.
    pub max_connections: u32,
    /// Heap of Envoy, in bytes, near which it sheds load; no bound without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_heap_bytes: Option<u64>,
    /// Server certificate; plain HTTP without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Web pages that may call; none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// How long running calls have when the gateway is told to end, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_s: Option<u32>,
    /// How much of that `/healthz` says so before connections are refused, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_s: Option<u32>,
}

impl Listen {
    /// `drain_s`, or what it is by itself.
    #[must_use]
    pub fn drain_s(&self) -> u32 {
        self.drain_s.unwrap_or(30)
    }

    /// `notice_s`, or what it is by itself; never more than the whole.
    #[must_use]
    pub fn notice_s(&self) -> u32 {
        self.notice_s.unwrap_or(5).min(self.drain_s())
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: "127.0.0.1".to_owned(),
            port: 8080,
            max_request_bytes: 16 << 20,
            max_connections: 50_000,
            max_heap_bytes: None,
            tls: None,
            cors: None,
            drain_s: None,
            notice_s: None,
        }
    }
}

/// Certificate and key of the listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM chain.
    pub certificate: FileRef,
    /// PEM key.
    pub private_key: FileRef,
}

/// A file on the machine that runs Envoy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Absolute path.
    pub file: String,
}

/// Calls from web pages of other origins (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Origins as browsers send them, such as `https://app.example.com`; or only `*`.
    pub allow_origins: Vec<String>,
    /// How long a browser may remember a preflight's answer, in seconds.
    #[serde(default = "Cors::ten_minutes")]
    pub max_age_s: u32,
}

impl Cors {
    fn ten_minutes() -> u32 {
        600
    }
}

/// Envoy's administration endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// IP address to bind: on loopback, unless the next says otherwise.
    pub address: String,
    /// TCP port to bind.
    pub port: u16,
    /// Whether the address may be another than loopback, because something else keeps others out.
    pub allow_remote: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: "127.0.0.1".to_owned(), port: 9901, allow_remote: false }
    }
}

/// How candidates are ranked and how long they may take.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Routing {
    /// Objective of calls and workspaces that name none.
    pub default_objective: String,
    /// Candidates tried for one call, the first included.
    pub max_attempts: u32,
    /// A streaming candidate silent for longer is left for the next one.
    pub first_token_timeout_ms: u32,
    /// The same for answers that are not streamed, which arrive whole; four times the above if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_timeout_ms: Option<u32>,
    /// The whole call, all attempts and the stream included.
    pub total_timeout_ms: u32,
    /// Whether the choice goes by what traffic has shown: who cools down, how fast answers came, how long they were. Without it, by
    /// the catalogue alone.
    pub adaptive: bool,
    /// The constants of that objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_per_dollar: Option<QualityPerDollar>,
    /// The quality below which `cost` and `latency` take nobody, 0..1 by task class, with a `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_floor: Option<BTreeMap<String, f64>>,
    /// Share of `auto` calls, 0..0.5, that go to a candidate picked by lot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exploration: Option<f64>,
}

impl Routing {
    /// How the objectives weigh where a workspace does not say.
    pub fn preferences(&self) -> Preferences {
        let Self { quality_per_dollar, quality_floor, exploration, .. } = self.clone();
        Preferences { quality_per_dollar, quality_floor, exploration }
    }
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            default_objective: "quality-per-dollar".to_owned(),
            max_attempts: 4,
            first_token_timeout_ms: 30_000,
            answer_timeout_ms: None,
            total_timeout_ms: 600_000,
            adaptive: true,
            quality_per_dollar: None,
            quality_floor: None,
            exploration: None,
        }
    }
}
