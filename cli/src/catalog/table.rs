//! LiteLLM's table of prices and windows: JSON, an object of models by name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use neural_router::config::catalog::Kind;
use serde_json::value::RawValue;

use super::decimal::Decimal;
use crate::failure::Failure;

/// The table. Numbers stay text, so that they keep the digits they were written with.
pub(super) struct Table<'t>(BTreeMap<Cow<'t, str>, &'t RawValue>);

/// What the table says of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    /// USD per million prompt tokens.
    pub(super) input: Option<Decimal>,
    /// USD per million answer tokens.
    pub(super) output: Option<Decimal>,
    /// USD per million prompt tokens read from the provider's cache.
    pub(super) cached_input: Option<Decimal>,
    /// USD per million prompt tokens written to it.
    pub(super) cache_write: Option<Decimal>,
    /// Longest prompt in tokens.
    pub(super) max_input: Option<u64>,
    /// Longest answer in tokens.
    pub(super) max_output: Option<u64>,
    /// Vector length.
    pub(super) dimensions: Option<u64>,
    /// Whether long prompts cost more than the figures above.
    pub(super) tiers: bool,
}

impl<'t> Table<'t> {
    /// Reads the table.
    pub(super) fn parse(text: &'t str) -> Result<Self, Failure> {
        let table: BTreeMap<Cow<'t, str>, &'t RawValue> = serde_json::from_str(text)
            .map_err(|error| Failure::new(format!("not a table of models: {error}; expected an object of models by name, as LiteLLM's")))?;
        let table = Self(table);
        if table.0.keys().all(|name| table.entry(name).is_none_or(|entry| entry.word("litellm_provider").is_none())) {
            return Err(Failure::new("not a table of models: no entry has `litellm_provider`, as every one of LiteLLM's has"));
        }
        Ok(table)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The entry of this name, if it is one of a model.
    pub(super) fn entry(&self, name: &str) -> Option<Entry<'t>> {
        serde_json::from_str(self.0.get(name)?.get()).ok().map(Entry)
    }
}

/// One model.
pub(super) struct Entry<'t>(BTreeMap<Cow<'t, str>, &'t RawValue>);

impl Entry<'_> {
    /// A member that is a word.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// Whether the entry is of a model of this kind.
    pub(super) fn is_for(&self, kind: Kind) -> bool {
        let mode = self.word("mode").unwrap_or_default();
        match kind {
            Kind::Chat => matches!(mode.as_str(), "chat" | "completion" | "responses"),
            Kind::Embedding => mode == "embedding",
        }
    }

    /// What it says that a catalogue can hold.
    pub(super) fn figures(&self, kind: Kind) -> Figures {
        let price = |name: &str| self.0.get(name).and_then(|figure| Decimal::parse(figure.get())).map(Decimal::millionfold);
        let count = |name: &str| self.0.get(name).and_then(|figure| figure.get().parse::<u64>().ok()).filter(|count| *count > 0);
        let tier =
            |name: &Cow<'_, str>| name.starts_with("input_cost_per_token_above_") || name.starts_with("output_cost_per_token_above_");
        let answers = kind == Kind::Chat;
        Figures {
            input: price("input_cost_per_token"),
            output: price("output_cost_per_token").filter(|price| answers || !price.is_zero()),
            cached_input: price("cache_read_input_token_cost"),
            cache_write: price("cache_creation_input_token_cost"),
            // `max_tokens` is an old name of either, and says which only where there are no answers.
            max_input: count("max_input_tokens").or_else(|| count("max_tokens").filter(|_| !answers)),
            max_output: count("max_output_tokens").filter(|_| answers),
            dimensions: count("output_vector_size").filter(|_| !answers),
            tiers: self.0.keys().any(tier),
        }
    }
}
