//! Ways to authenticate towards a provider other than with a key, as the file writes them.

use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{FileRef, KeySource};

/// How Envoy authenticates calls to a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// A bearer token in a file that something else keeps fresh.
    Token(FileRef),
    /// A bearer token that Envoy fetches (<https://www.rfc-editor.org/rfc/rfc6749#section-4.4>).
    Oauth2(Oauth2),
    /// A signature of each request (AWS Signature Version 4).
    Aws(Aws),
}

/// The client credentials grant of OAuth 2.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oauth2 {
    /// The token endpoint, `http://` or `https://`.
    pub token_url: String,
    /// Who asks.
    pub client_id: String,
    /// Where the client's secret comes from.
    pub client_secret: KeySource,
    /// What the token is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// Whose signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aws {
    /// The word `default`: whatever Envoy finds on its machine.
    Default,
    /// These keys.
    Keys(AwsKeys),
}

/// An access key of AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsKeys {
    /// Where the key's id comes from.
    pub access_key_id: KeySource,
    /// Where its secret comes from.
    pub secret_access_key: KeySource,
    /// Where the session token comes from, of temporary keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<KeySource>,
    /// Region of signatures; the provider's without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl Serialize for Aws {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Default => serializer.serialize_str("default"),
            Self::Keys(keys) => keys.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Aws {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrKeys;

        impl<'de> Visitor<'de> for WordOrKeys {
            type Value = Aws;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`default`, or access_key_id and secret_access_key")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Aws, E> {
                // What stands there may be a key, so it is not repeated.
                if word == "default" { Ok(Aws::Default) } else { Err(E::invalid_value(de::Unexpected::Other("a text"), &self)) }
            }

            fn visit_map<A: MapAccess<'de>>(self, keys: A) -> Result<Aws, A::Error> {
                AwsKeys::deserialize(MapAccessDeserializer::new(keys)).map(Aws::Keys)
            }
        }

        deserializer.deserialize_any(WordOrKeys)
    }
}
