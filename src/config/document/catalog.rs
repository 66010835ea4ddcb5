//! Providers and models, as the file writes them.

use core::fmt;
use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Auth, FileRef};

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
    /// Another way to authenticate, instead of `api_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The version of HTTP it is spoken to in, `1` or `2`; without it what both know over TLS, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpVersion>,
    /// Certificate authorities that its certificate is checked against, PEM, in the place of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<FileRef>,
    /// Version of the provider's API, where it has to be said (Azure OpenAI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Project that is billed (Vertex AI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Location of the models (Vertex AI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Region of the models, and of signatures (AWS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// A version of HTTP, written as its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub enum HttpVersion {
    /// HTTP/1.1.
    One,
    /// HTTP/2, of a server without TLS by prior knowledge (RFC 9113, section 3.3).
    Two,
}

impl TryFrom<u64> for HttpVersion {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err("1 or 2"),
        }
    }
}

impl From<HttpVersion> for u64 {
    fn from(version: HttpVersion) -> Self {
        match version {
            HttpVersion::One => 1,
            HttpVersion::Two => 2,
        }
    }
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
    /// How much quality is lost on the hardest prompts, 0..1; what `quality.default` lacks to 1 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<f64>,
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
    /// Answer tokens; must be said unless the model only embeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_per_m: Option<f64>,
    /// Prompt tokens read from the provider's cache; the input price without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_per_m: Option<f64>,
    /// Prompt tokens written to the provider's cache; the input price without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_per_m: Option<f64>,
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
    /// Smaller is tried earlier; those with the same share the model's conversations between them. The position
    /// in the list without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Overrides the model's figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}
