//! The table of protocols and presets. Adding an OpenAI-compatible vendor is one row here.

use super::openai::dialects;
use super::{Codec, anthropic, bedrock, cohere, gemini, mistral, vertex};

/// One row: a wire protocol, or a vendor that speaks one.
pub struct Protocol {
    /// What users write in `protocol`.
    pub name: &'static str,
    /// The row whose wire protocol it speaks; its own name, if it is that row.
    pub wire: &'static str,
    /// Where the vendor is; `None` has to be configured.
    pub base_url: Option<&'static str>,
    /// Where Envoy puts the provider's key.
    pub credential: Credential,
    codec: fn(&str) -> &'static dyn Codec,
}

/// A header that carries a provider key. Envoy's credential injector fills it; the filter never
/// sees the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// Lower-case header name.
    pub header: &'static str,
    /// What stands before the key.
    pub prefix: &'static str,
}

impl Credential {
    /// `Authorization: Bearer …`, which tokens of any kind are sent in.
    pub const BEARER: Self = Self { header: "authorization", prefix: "Bearer " };
    const X_API_KEY: Self = Self { header: "x-api-key", prefix: "" };
    const API_KEY: Self = Self { header: "api-key", prefix: "" };
    const X_GOOG_API_KEY: Self = Self { header: "x-goog-api-key", prefix: "" };

    /// Every header in which Envoy sends a key, a token or an AWS signature, whichever the protocol,
    /// to be stripped between attempts
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>).
    pub const HEADERS: [&'static str; 7] = [
        Self::BEARER.header,
        Self::X_API_KEY.header,
        Self::API_KEY.header,
        Self::X_GOOG_API_KEY.header,
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-content-sha256",
    ];
}

static PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "openai",
        wire: "openai",
        base_url: Some("https://api.openai.com/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::OPENAI.of_model(model),
    },
    Protocol {
        name: "anthropic",
        wire: "anthropic",
        base_url: Some("https://api.anthropic.com"),
        credential: Credential::X_API_KEY,
        codec: |_| &anthropic::Anthropic,
    },
    // https://console.groq.com/docs/openai
    Protocol {
        name: "groq",
        wire: "openai",
        base_url: Some("https://api.groq.com/openai/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::GROQ.of_model(model),
    },
    // https://learn.microsoft.com/azure/ai-foundry/openai/reference
    Protocol {
        name: "azure-openai",
        wire: "openai",
        base_url: None,
        credential: Credential::API_KEY,
        codec: |model| dialects::AZURE.of_model(model),
    },
    // https://api-docs.deepseek.com/
    Protocol {
        name: "deepseek",
        wire: "openai",
        base_url: Some("https://api.deepseek.com/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::DEEPSEEK.of_model(model),
    },
    // https://docs.together.ai/docs/openai-api-compatibility
    Protocol {
        name: "together",
        wire: "openai",
        base_url: Some("https://api.together.xyz/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::TOGETHER.of_model(model),
    },
    // https://docs.fireworks.ai/tools-sdks/openai-compatibility
    Protocol {
        name: "fireworks",
        wire: "openai",
        base_url: Some("https://api.fireworks.ai/inference/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::FIREWORKS.of_model(model),
    },
    // https://docs.x.ai/docs/api-reference
    Protocol {
        name: "xai",
        wire: "openai",
        base_url: Some("https://api.x.ai/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::XAI.of_model(model),
    },
    // https://openrouter.ai/docs/quickstart
    Protocol {
        name: "openrouter",
        wire: "openai",
        base_url: Some("https://openrouter.ai/api/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::OPENROUTER.of_model(model),
    },
    // https://docs.perplexity.ai/guides/chat-completions-guide
    Protocol {
        name: "perplexity",
        wire: "openai",
        base_url: Some("https://api.perplexity.ai"),
        credential: Credential::BEARER,
        codec: |model| dialects::PERPLEXITY.of_model(model),
    },
    // https://inference-docs.cerebras.ai/resources/openai
    Protocol {
        name: "cerebras",
        wire: "openai",
        base_url: Some("https://api.cerebras.ai/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::CEREBRAS.of_model(model),
    },
    // https://platform.moonshot.ai/docs/api/chat
    Protocol {
        name: "moonshot",
        wire: "openai",
        base_url: Some("https://api.moonshot.ai/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::MOONSHOT.of_model(model),
    },
    // https://docs.api.nvidia.com/nim/reference/llm-apis
    Protocol {
        name: "nvidia",
        wire: "openai",
        base_url: Some("https://integrate.api.nvidia.com/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::NVIDIA.of_model(model),
    },
    // https://huggingface.co/docs/inference-providers/index
    Protocol {
        name: "huggingface",
        wire: "openai",
        base_url: Some("https://router.huggingface.co/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::HUGGINGFACE.of_model(model),
    },
    // https://docs.ollama.com/api/openai-compatibility
    Protocol {
        name: "ollama",
        wire: "openai",
        base_url: Some("http://127.0.0.1:11434/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::OLLAMA.of_model(model),
    },
    // https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
    Protocol {
        name: "vllm",
        wire: "openai",
        base_url: Some("http://127.0.0.1:8000/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::VLLM.of_model(model),
    },
    // https://lmstudio.ai/docs/developer/openai-compat
    Protocol {
        name: "lmstudio",
        wire: "openai",
        base_url: Some("http://127.0.0.1:1234/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::LMSTUDIO.of_model(model),
    },
    // https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    Protocol {
        name: "llamacpp",
        wire: "openai",
        base_url: Some("http://127.0.0.1:8080/v1"),
        credential: Credential::BEARER,
        codec: |model| dialects::LLAMACPP.of_model(model),
    },
    // https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html
    Protocol { name: "bedrock", wire: "bedrock", base_url: None, credential: Credential::BEARER, codec: |_| &bedrock::Bedrock },
    // https://docs.cohere.com/v2/reference/about
    Protocol {
        name: "cohere",
        wire: "cohere",
        base_url: Some("https://api.cohere.com"),
        credential: Credential::BEARER,
        codec: |_| &cohere::Cohere,
    },
    // https://docs.mistral.ai/api/
    Protocol {
        name: "mistral",
        wire: "mistral",
        base_url: Some("https://api.mistral.ai/v1"),
        credential: Credential::BEARER,
        codec: |_| &mistral::Mistral,
    },
    // https://ai.google.dev/api
    Protocol {
        name: "gemini",
        wire: "gemini",
        base_url: Some("https://generativelanguage.googleapis.com"),
        credential: Credential::X_GOOG_API_KEY,
        codec: |_| &gemini::Gemini,
    },
    // https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
    Protocol { name: "vertex", wire: "gemini", base_url: None, credential: Credential::BEARER, codec: vertex::codec },
];

impl Protocol {
    /// The row with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        PROTOCOLS.iter().find(|protocol| protocol.name == name)
    }

    /// The wire protocol. Where one vendor serves models of several, the provider's name of the model
    /// decides; an empty one stands for any.
    pub fn codec(&self, model: &str) -> &'static dyn Codec {
        (self.codec)(model)
    }

    /// Every row, in the order error messages list them.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        PROTOCOLS.iter()
    }
}

impl core::fmt::Debug for Protocol {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_every_protocol_is_stripped_between_attempts() {
        for protocol in Protocol::all() {
            assert!(Credential::HEADERS.contains(&protocol.credential.header), "{}", protocol.name);
        }
    }
}
