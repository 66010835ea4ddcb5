//! The `message` object, with its fields in the provider's order.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::thought;
use crate::completion::{self, Ask, Completion, Content, Ending};
use crate::identity::Identity;

#[derive(Serialize)]
pub(super) struct Message<'a> {
    model: &'a str,
    id: String,
    r#type: &'static str,
    role: &'static str,
    content: Vec<Block>,
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

/// A content block, whole, or as it is when a stream opens it.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Thinking { thinking: String, signature: String },
    Text { text: String },
    ToolUse { id: String, name: String, input: Value },
}

#[derive(Serialize)]
pub(super) struct Usage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<CacheCreation>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Serialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

/// Writes the JSON body.
pub(super) fn write(ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
    let mut content = Vec::new();
    if ask.thinking {
        let thinking = if ask.silent { String::new() } else { thought::of(ask) };
        content.push(Block::Thinking { thinking, signature: thought::sign(&thought::of(ask)) });
    }
    match &completion.content {
        Content::Text(pieces) if pieces.is_empty() => {}
        Content::Text(pieces) => content.push(Block::Text { text: pieces.concat() }),
        Content::Calls(calls) => content.extend(calls.iter().enumerate().map(|(index, call)| {
            let input = serde_json::from_str(&call.pieces.concat()).unwrap_or_default();
            Block::ToolUse { id: call_id(identity, index), name: call.name.clone(), input }
        })),
    }
    let (stop_reason, stop_sequence) = ending(&completion.ending);
    let message = Message {
        content,
        stop_reason: Some(stop_reason),
        stop_sequence,
        usage: completion.usage.map(|usage| full_usage(usage, usage.completion)),
        ..empty(ask, completion, identity)
    };
    serde_json::to_vec(&message).unwrap_or_default().into()
}

/// The message as `message_start` has it: no content yet, one output token counted.
pub(super) fn empty<'a>(ask: &'a Ask, completion: &Completion, identity: &Identity) -> Message<'a> {
    Message {
        model: &ask.model,
        id: format!("msg_01{}", &identity.token(0)[..22]),
        r#type: "message",
        role: "assistant",
        content: Vec::new(),
        stop_reason: None,
        stop_sequence: None,
        usage: completion.usage.map(|usage| full_usage(usage, 1)),
    }
}

fn full_usage(usage: completion::Usage, output_tokens: u64) -> Usage {
    Usage {
        cache_creation: Some(CacheCreation { ephemeral_5m_input_tokens: usage.cache_write, ephemeral_1h_input_tokens: 0 }),
        service_tier: Some("standard"),
        output_tokens,
        ..cumulative(usage)
    }
}

/// Usage as `message_delta` repeats it at the end.
pub(super) fn cumulative(usage: completion::Usage) -> Usage {
    Usage {
        // Unlike OpenAI's, its parts do not overlap.
        input_tokens: usage.prompt.saturating_sub(usage.cached + usage.cache_write),
        cache_creation_input_tokens: usage.cache_write,
        cache_read_input_tokens: usage.cached,
        cache_creation: None,
        output_tokens: usage.completion,
        service_tier: None,
    }
}

pub(super) fn call_id(identity: &Identity, index: usize) -> String {
    format!("toolu_01{}", &identity.token(1 + index as u64)[..22])
}

/// `stop_reason` and `stop_sequence`.
pub(super) fn ending(ending: &Ending) -> (&'static str, Option<&str>) {
    match ending {
        Ending::Stop => ("end_turn", None),
        Ending::Length => ("max_tokens", None),
        Ending::Sequence(sequence) => ("stop_sequence", Some(sequence)),
        Ending::Calls => ("tool_use", None),
    }
}
