//! The table of protocols and presets. Adding an OpenAI-compatible vendor is one row here.

use super::{Codec, anthropic, openai};

/// One row: a wire protocol, or a vendor that speaks one.
pub struct Protocol {
    /// What users write in `protocol`.
    pub name: &'static str,
    /// Where the vendor is; `None` has to be configured.
    pub base_url: Option<&'static str>,
    /// Where Envoy puts the provider's key.
    pub credential: Credential,
    /// The wire protocol.
    pub codec: &'static dyn Codec,
}

/// A header that carries a provider key. Envoy's credential injector fills it; the filter only
/// knows the name, to strip it between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// Lower-case header name.
    pub header: &'static str,
    /// What stands before the key.
    pub prefix: &'static str,
}

impl Credential {
    const BEARER: Self = Self { header: "authorization", prefix: "Bearer " };
    const X_API_KEY: Self = Self { header: "x-api-key", prefix: "" };
}

static PROTOCOLS: &[Protocol] = &[
    Protocol { name: "openai", base_url: Some("https://api.openai.com/v1"), credential: Credential::BEARER, codec: &openai::OpenAi },
    Protocol {
        name: "anthropic",
        base_url: Some("https://api.anthropic.com"),
        credential: Credential::X_API_KEY,
        codec: &anthropic::Anthropic,
    },
    // https://console.groq.com/docs/openai
    Protocol { name: "groq", base_url: Some("https://api.groq.com/openai/v1"), credential: Credential::BEARER, codec: &openai::OpenAi },
];

impl Protocol {
    /// The row with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        PROTOCOLS.iter().find(|protocol| protocol.name == name)
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
