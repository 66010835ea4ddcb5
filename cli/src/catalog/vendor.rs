//! Under which names LiteLLM's table has the models of a provider. Names are exact or not found:
//! `gpt-4o` is not the price of `gpt-4o-mini`.

use neural_router::config::catalog::{Endpoint, Provider};
use neural_router::provider::Protocol;

/// How the table names the models of one vendor.
pub(super) struct Vendor {
    /// Row of the protocol registry.
    protocol: &'static str,
    /// What stands before the vendor's own name of a model, the likelier one first.
    prefixes: &'static [&'static str],
    /// What `litellm_provider` of such an entry is, or what stands before its `-…_models`.
    providers: &'static [&'static str],
}

/// <https://docs.litellm.ai/docs/providers>
const VENDORS: &[Vendor] = &[
    Vendor { protocol: "openai", prefixes: &["", "openai/"], providers: &["openai"] },
    Vendor { protocol: "anthropic", prefixes: &["", "anthropic/"], providers: &["anthropic"] },
    Vendor { protocol: "azure-openai", prefixes: &["azure/"], providers: &["azure"] },
    Vendor { protocol: "bedrock", prefixes: &["", "bedrock/"], providers: &["bedrock", "bedrock_converse"] },
    Vendor { protocol: "gemini", prefixes: &["gemini/", ""], providers: &["gemini"] },
    Vendor { protocol: "vertex", prefixes: &["vertex_ai/", ""], providers: &["vertex_ai"] },
    Vendor { protocol: "cohere", prefixes: &["", "cohere/"], providers: &["cohere", "cohere_chat"] },
    Vendor { protocol: "mistral", prefixes: &["mistral/"], providers: &["mistral"] },
    Vendor { protocol: "groq", prefixes: &["groq/"], providers: &["groq"] },
    Vendor { protocol: "deepseek", prefixes: &["deepseek/", ""], providers: &["deepseek"] },
    Vendor { protocol: "together", prefixes: &["together_ai/"], providers: &["together_ai"] },
    Vendor { protocol: "fireworks", prefixes: &["fireworks_ai/"], providers: &["fireworks_ai"] },
    Vendor { protocol: "xai", prefixes: &["xai/"], providers: &["xai"] },
    Vendor { protocol: "openrouter", prefixes: &["openrouter/"], providers: &["openrouter"] },
    Vendor { protocol: "perplexity", prefixes: &["perplexity/"], providers: &["perplexity"] },
    Vendor { protocol: "cerebras", prefixes: &["cerebras/"], providers: &["cerebras"] },
    Vendor { protocol: "moonshot", prefixes: &["moonshot/"], providers: &["moonshot"] },
    Vendor { protocol: "nvidia", prefixes: &["nvidia_nim/"], providers: &["nvidia_nim"] },
];

impl Vendor {
    /// Whose prices hold at a provider: those of the vendor whose address it has, whatever the preset, or
    /// of the cloud whose protocol it speaks. The error says why nobody's do.
    pub(super) fn of(provider: &Provider) -> Result<&'static Self, String> {
        let named = |name: &str| VENDORS.iter().find(|vendor| vendor.protocol == name);
        let preset = |protocol: &Protocol| protocol.base_url.and_then(|url| Endpoint::parse(url).ok());
        let host = &provider.endpoint.host;
        let at_home = Protocol::all().find(|protocol| preset(protocol).is_some_and(|home| home.host == *host && home.tls));
        match (provider.protocol.base_url, at_home) {
            (None, _) => named(provider.protocol.name).ok_or_else(|| format!("the table has no vendor `{}`", provider.protocol.name)),
            (Some(_), Some(protocol)) => named(protocol.name).ok_or_else(|| format!("the table has no vendor `{}`", protocol.name)),
            (Some(_), None) => Err(format!("{host} is no vendor's own address, so no vendor's prices are taken for its")),
        }
    }

    /// The names under which the table may have a model, in groups; those of a later group only count
    /// where an earlier one has none.
    pub(super) fn names(&self, provider: &Provider, model: &str) -> Vec<Vec<String>> {
        let general = self.prefixes.iter().map(|prefix| format!("{prefix}{model}")).collect();
        // Some regions have prices of their own.
        let regional = provider.place.region.as_ref().filter(|_| self.protocol == "bedrock");
        regional.map(|region| vec![format!("bedrock/{region}/{model}")]).into_iter().chain([general]).collect()
    }

    /// Whether an entry is of this vendor.
    pub(super) fn is(&self, litellm_provider: &str) -> bool {
        self.providers.iter().any(|own| litellm_provider.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_is_a_row_of_the_registry() {
        for vendor in VENDORS {
            assert!(Protocol::find(vendor.protocol).is_some(), "{}", vendor.protocol);
        }
    }
}
