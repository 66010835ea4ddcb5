//! The file a user writes, key for key. Only shapes live here; meaning is checked when a
//! [`Document`] becomes a [`Config`](super::Config). `nr` reads it as YAML, the filter as JSON.

use core::fmt;
use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ConfigError;
use crate::json_path::path_at;

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

    /// The same document without anything that only `nr` and Envoy need: where provider keys
    /// come from never enters the filter.
    pub fn for_filter(&self) -> Self {
        let mut document = self.clone();
        for provider in document.providers.values_mut() {
            provider.api_key = None;
        }
        document.listen.tls = None;
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
    /// Server certificate; plain HTTP without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

impl Default for Listen {
    fn default() -> Self {
        Self { address: "127.0.0.1".to_owned(), port: 8080, max_request_bytes: 16 << 20, tls: None }
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
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Absolute path.
    pub file: String,
}

/// Envoy's administration endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// IP address to bind; keep it on loopback.
    pub address: String,
    /// TCP port to bind.
    pub port: u16,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: "127.0.0.1".to_owned(), port: 9901 }
    }
}

/// One upstream provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// A wire protocol or a preset of the registry (`openai`, `anthropic`, `groq`, …).
    pub protocol: String,
    /// `http://` or `https://` URL with an optional path prefix; presets bring their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where the provider's key comes from; none is sent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<KeySource>,
}

/// Where a provider key comes from. A literal key is refused by the shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// An environment variable of `nr`.
    Env(String),
    /// A file Envoy reads and watches.
    File(String),
}

/// One model of the catalogue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What callers write in `model`.
    pub id: String,
    /// `chat` or `embedding`.
    #[serde(default)]
    pub kind: Kind,
    /// What `/v1/models` shows as `provider`.
    pub provider_name: String,
    /// Tokens of prompt and answer together.
    pub context_window: u32,
    /// Longest answer in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Vector length of an embedding model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// USD per million tokens, or `free`.
    pub price: Price,
    /// What the model can do.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// 0..1 by task class, with a `default`.
    pub quality: BTreeMap<String, f64>,
    /// Expected speed; see [`Latency`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Where the model can be reached, in order of preference.
    pub deployments: Vec<Deployment>,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `/v1/chat/completions`.
    #[default]
    Chat,
    /// `/v1/embeddings`.
    Embedding,
}

/// A price, which must be said: there is no default.
#[derive(Debug, Clone, Copy)]
pub enum Price {
    /// The word `free`.
    Free,
    /// USD per million tokens.
    PerMillion(PerMillion),
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Free => serializer.serialize_str("free"),
            Self::PerMillion(figures) => figures.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrFigures;

        impl<'de> Visitor<'de> for WordOrFigures {
            type Value = Price;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`free`, or input_per_m and output_per_m in USD per million tokens")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Price, E> {
                if word == "free" { Ok(Price::Free) } else { Err(E::invalid_value(de::Unexpected::Str(word), &self)) }
            }

            fn visit_map<A: MapAccess<'de>>(self, figures: A) -> Result<Price, A::Error> {
                PerMillion::deserialize(MapAccessDeserializer::new(figures)).map(Price::PerMillion)
            }
        }

        deserializer.deserialize_any(WordOrFigures)
    }
}

/// USD per million tokens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerMillion {
    /// Prompt tokens.
    pub input_per_m: f64,
    /// Answer tokens.
    #[serde(default)]
    pub output_per_m: f64,
    /// Prompt tokens read from the provider's cache; the input price without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_per_m: Option<f64>,
}

/// Expected speed of a model or deployment, used by the `latency` objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Milliseconds to the first token.
    pub first_token_ms: f64,
    /// Answer tokens per second after it.
    pub tokens_per_second: f64,
}

/// One place a model can be reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Key in `providers`.
    pub provider: String,
    /// The provider's own name for the model.
    pub model: String,
    /// Overrides the model's figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
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
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            default_objective: "quality-per-dollar".to_owned(),
            max_attempts: 4,
            first_token_timeout_ms: 30_000,
            answer_timeout_ms: None,
            total_timeout_ms: 600_000,
        }
    }
}

/// One tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Name in logs.
    pub id: String,
    /// Keys callers present.
    pub keys: Vec<Key>,
    /// Model ids or globs; what is not listed does not exist for this workspace.
    pub models: Vec<String>,
    /// Overrides `routing.default_objective`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<String>,
    /// Rate limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Spending cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Content rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<Guardrail>,
}

/// One key of a workspace, known only by its digest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Name of the key in logs.
    pub id: String,
    /// SHA-256 over the whole key, 64 hexadecimal digits.
    pub sha256: String,
}

/// Rate limits of a workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Prompt and answer tokens per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
}

/// Spending cap of a workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// US dollars per period.
    pub usd: f64,
    /// Calendar period in UTC.
    pub period: Period,
}

/// Calendar period in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first of the month.
    Month,
    /// For ever.
    Total,
}

/// A content rule of a workspace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// Name shown to the caller.
    pub name: String,
    /// Built-in detectors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detect: Vec<String>,
    /// Phrases, case-insensitive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<String>,
    /// `input`, `output` or both.
    pub on: Vec<String>,
    /// `block` or `redact`.
    pub action: String,
}
