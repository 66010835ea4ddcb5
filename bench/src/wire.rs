//! The wire protocols a call can be translated to, each at a simulated provider of the same name.

use serde_json::{Value, json};

/// A protocol that is not OpenAI's.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Wire {
    Anthropic,
    Gemini,
    Bedrock,
    Cohere,
    Mistral,
}

impl Wire {
    pub(crate) const ALL: [Self; 5] = [Self::Anthropic, Self::Gemini, Self::Bedrock, Self::Cohere, Self::Mistral];

    /// Row of the filter's registry, and of the simulator's.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
            Self::Mistral => "mistral",
        }
    }

    /// Its lane in reports.
    pub(crate) fn lane(self) -> &'static str {
        match self {
            Self::Anthropic => "to_anthropic",
            Self::Gemini => "to_gemini",
            Self::Bedrock => "to_bedrock",
            Self::Cohere => "to_cohere",
            Self::Mistral => "to_mistral",
        }
    }

    /// The catalogue's id of the model there.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::Anthropic => "claude-sonnet",
            Self::Gemini => "gemini-flash",
            Self::Bedrock => "claude-at-bedrock",
            Self::Cohere => "command-a",
            Self::Mistral => "mistral-large",
        }
    }

    /// The provider's own name of it.
    pub(crate) fn deployment(self) -> &'static str {
        match self {
            Self::Anthropic => "claude-sonnet-4-5",
            Self::Gemini => "gemini-2.5-flash",
            Self::Bedrock => "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Self::Cohere => "command-a-03-2025",
            Self::Mistral => "mistral-large-latest",
        }
    }

    /// What its provider is called, in the filter's configuration.
    pub(crate) fn provider(self, address: std::net::SocketAddr, key: &Value) -> Value {
        let path = if self == Self::Mistral { "/v1" } else { "" };
        let mut provider = json!({"protocol": self.protocol(), "base_url": format!("http://{address}{path}"), "api_key": key});
        if self == Self::Bedrock {
            provider["region"] = "us-east-1".into();
        }
        provider
    }
}
