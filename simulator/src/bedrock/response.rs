//! The answer of Converse.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::completion::{self, Ask, Completion, Content, Ending};
use crate::identity::Identity;

pub(super) const THOUGHT: &str = "The user asks something; a short answer will do.";
pub(super) const SIGNATURE: &str = "EqQBCkYIBxgCKkBzaW11bGF0ZWQtc2lnbmF0dXJl";

/// Milliseconds the answer is said to have taken.
pub(super) const LATENCY: u64 = 551;

/// Writes the JSON body.
pub(super) fn write(ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
    let mut content = Vec::new();
    if ask.thinking {
        content.push(json!({"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": SIGNATURE}}}));
    }
    match &completion.content {
        Content::Text(pieces) if pieces.is_empty() => {}
        Content::Text(pieces) => content.push(json!({"text": pieces.concat()})),
        Content::Calls(calls) => content.extend(calls.iter().enumerate().map(|(index, call)| {
            let input: Value = serde_json::from_str(&call.pieces.concat()).unwrap_or_default();
            json!({"toolUse": {"toolUseId": call_id(identity, index), "name": call.name, "input": input}})
        })),
    }
    let mut answer = json!({
        "metrics": {"latencyMs": LATENCY},
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(&completion.ending),
    });
    if let Some(said) = completion.usage {
        answer["usage"] = usage(said);
    }
    answer.to_string().into()
}

/// Unlike OpenAI's, its parts do not overlap.
pub(super) fn usage(usage: completion::Usage) -> Value {
    json!({
        "inputTokens": usage.prompt.saturating_sub(usage.cached + usage.cache_write),
        "cacheReadInputTokens": usage.cached,
        "cacheWriteInputTokens": usage.cache_write,
        "outputTokens": usage.completion,
        "totalTokens": usage.prompt + usage.completion,
    })
}

pub(super) fn call_id(identity: &Identity, index: usize) -> String {
    format!("tooluse_{}", &identity.token(1 + index as u64)[..22])
}

pub(super) fn stop_reason(ending: &Ending) -> &'static str {
    match ending {
        Ending::Stop => "end_turn",
        Ending::Length => "max_tokens",
        Ending::Sequence(_) => "stop_sequence",
        Ending::Calls => "tool_use",
    }
}
