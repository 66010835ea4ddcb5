//! How a provider answers while nothing is wrong: pace, length, tools, expected credential.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::completion::Usage;

/// The body of `PUT /providers/{name}/behaviour`; a missing key keeps its default.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Behaviour {
    /// Delay before the first SSE event; response headers are sent at once. A JSON answer comes after this and all chunk intervals.
    pub(crate) first_token_ms: u64,
    /// Delay between two content chunks.
    pub(crate) chunk_interval_ms: u64,
    /// Content chunks in an answer.
    pub(crate) chunks: usize,
    /// A fixed answer instead of the generated sentence.
    pub(crate) text: Option<String>,
    /// `true`: call a tool whenever the request has one. `false`: never. Absent: only when `tool_choice` forces it.
    pub(crate) tool_calls: Option<bool>,
    /// Tool calls in one answer, where the request allows parallel ones.
    pub(crate) tool_call_count: usize,
    /// Write the SSE stream in pieces of this many bytes, wherever that cuts events.
    pub(crate) split_bytes: Option<NonZeroUsize>,
    /// The credential to expect; any other is answered 401.
    pub(crate) api_key: Option<String>,
    /// Report token usage.
    pub(crate) usage: bool,
    /// The usage to report, instead of what the answer comes to.
    pub(crate) tokens: Option<Usage>,
    /// Headers of every good answer, besides or instead of the provider's own. What is no header is left out.
    pub(crate) headers: BTreeMap<String, String>,
    /// Check requests against the provider's schema. Off, bodies are only scanned and answers come from a cache (for load tests).
    pub(crate) validate: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            first_token_ms: 0,
            chunk_interval_ms: 0,
            chunks: 5,
            text: None,
            tool_calls: None,
            tool_call_count: 1,
            split_bytes: None,
            api_key: None,
            usage: true,
            tokens: None,
            headers: BTreeMap::new(),
            validate: true,
        }
    }
}

impl Behaviour {
    pub(crate) fn first_token(&self) -> Duration {
        Duration::from_millis(self.first_token_ms)
    }

    pub(crate) fn chunk_interval(&self) -> Duration {
        Duration::from_millis(self.chunk_interval_ms)
    }
}
