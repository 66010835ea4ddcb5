//! An answer, whole and as a stream of named events.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::completion::{Ask, Call, Completion, Content, Ending, Usage};
use crate::identity::Identity;
use crate::protocol::{Event, Part};

const THOUGHT: &str = "The user asks something; a short answer will do.";
const PLAN: &str = "I will use a tool.";

/// What the provider puts before every prompt and does not bill.
const PREAMBLE_TOKENS: u64 = 496;

/// The JSON body.
pub(super) fn whole(ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    let mut content = Vec::new();
    if ask.thinking {
        content.push(json!({"type": "thinking", "thinking": THOUGHT}));
    }
    match &completion.content {
        Content::Text(pieces) => content.push(json!({"type": "text", "text": pieces.concat()})),
        Content::Calls(calls) => {
            if !ask.thinking {
                message.insert("tool_plan".to_owned(), json!(PLAN));
            }
            let calls: Vec<Value> =
                calls.iter().enumerate().map(|(index, made)| call(index, made, &made.pieces.concat(), identity)).collect();
            message.insert("tool_calls".to_owned(), json!(calls));
        }
    }
    if !content.is_empty() {
        message.insert("content".to_owned(), json!(content));
    }
    let mut answer = Map::new();
    answer.insert("id".to_owned(), json!(identity.hex()));
    answer.insert("message".to_owned(), Value::Object(message));
    answer.insert("finish_reason".to_owned(), json!(finish_reason(&completion.ending)));
    answer.extend(completion.usage.map(|used| ("usage".to_owned(), usage(used))));
    if let Content::Text(pieces) = &completion.content
        && ask.logprobs
    {
        answer.insert("logprobs".to_owned(), pieces.iter().map(|piece| logprob(piece)).collect());
    }
    Value::Object(answer).to_string().into()
}

/// All events.
pub(super) fn events(ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
    let mut events = Events(Vec::new());
    let message = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    events.push(Part::Preamble, json!({"type": "message-start", "id": identity.hex(), "delta": {"message": message}}));
    let mut blocks = 0;
    if ask.thinking {
        events.block(&mut blocks, "thinking", &[THOUGHT.to_owned()], false);
    }
    match &completion.content {
        Content::Text(pieces) => events.block(&mut blocks, "text", pieces, ask.logprobs),
        Content::Calls(calls) => {
            if !ask.thinking {
                for word in PLAN.split_inclusive(' ') {
                    events.push(Part::Content, json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": word}}}));
                }
            }
            for (index, made) in calls.iter().enumerate() {
                let begin = call(index, made, "", identity);
                events.push(Part::Framing, json!({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": begin}}}));
                for piece in &made.pieces {
                    let delta = json!({"message": {"tool_calls": {"function": {"arguments": piece}}}});
                    events.push(Part::Content, json!({"type": "tool-call-delta", "index": index, "delta": delta}));
                }
                events.push(Part::Framing, json!({"type": "tool-call-end", "index": index}));
            }
        }
    }
    let mut delta = json!({"finish_reason": finish_reason(&completion.ending)});
    if let (Some(delta), Some(used)) = (delta.as_object_mut(), completion.usage) {
        delta.insert("usage".to_owned(), usage(used));
    }
    events.push(Part::Closing, json!({"type": "message-end", "id": identity.hex(), "delta": delta}));
    events.0
}

/// The event of a generation that failed.
pub(super) fn failed(identity: &Identity) -> Bytes {
    let delta = json!({"finish_reason": "ERROR", "error": "the generation failed"});
    event(&json!({"type": "message-end", "id": identity.hex(), "delta": delta}))
}

struct Events(Vec<Event>);

impl Events {
    fn block(&mut self, blocks: &mut usize, kind: &str, pieces: &[String], logprobs: bool) {
        let index = *blocks;
        *blocks += 1;
        let content = json!({"type": kind, kind: ""});
        self.push(Part::Framing, json!({"type": "content-start", "index": index, "delta": {"message": {"content": content}}}));
        for piece in pieces {
            let mut data = json!({"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: piece}}}});
            if let (Some(data), true) = (data.as_object_mut(), logprobs) {
                data.insert("logprobs".to_owned(), logprob(piece));
            }
            self.push(Part::Content, data);
        }
        self.push(Part::Framing, json!({"type": "content-end", "index": index}));
    }

    fn push(&mut self, part: Part, data: Value) {
        self.0.push(Event { part, bytes: event(&data) });
    }
}

/// One SSE event as the provider frames it.
fn event(data: &Value) -> Bytes {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

fn call(index: usize, call: &Call, arguments: &str, identity: &Identity) -> Value {
    let token: String = identity.token(1 + index as u64).to_ascii_lowercase().chars().take(12).collect();
    let id = format!("{}_{token}", call.name);
    json!({"id": id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

/// A log probability, as a plausible constant.
fn logprob(piece: &str) -> Value {
    json!({"text": piece, "token_ids": [7], "logprobs": [-0.125]})
}

fn usage(used: Usage) -> Value {
    json!({
        "billed_units": {"input_tokens": used.prompt, "output_tokens": used.completion},
        "tokens": {"input_tokens": used.prompt + PREAMBLE_TOKENS, "output_tokens": used.completion + 2},
        "cached_tokens": used.cached,
    })
}

fn finish_reason(ending: &Ending) -> &'static str {
    match ending {
        Ending::Stop => "COMPLETE",
        Ending::Sequence(_) => "STOP_SEQUENCE",
        Ending::Length => "MAX_TOKENS",
        Ending::Calls => "TOOL_CALL",
    }
}
