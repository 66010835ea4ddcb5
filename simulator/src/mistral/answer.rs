//! A completion, whole and as a stream of chunks. Contents of a model that thinks come in chunks of their own.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::completion::{Ask, Call, Completion, Content, Ending, Usage};
use crate::identity::Identity;
use crate::protocol::{Event, Part};

const THOUGHT: &str = "The user asks something; a short answer will do.";

/// The JSON body.
pub(super) fn whole(ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
    let choice = |index| {
        let (content, calls) = match &completion.content {
            Content::Text(pieces) if ask.thinking => (json!([thought(), text(&pieces.concat())]), Value::Null),
            Content::Text(pieces) => (json!(pieces.concat()), Value::Null),
            Content::Calls(calls) => (json!(""), Value::Array(made(calls, identity))),
        };
        let mut choice = Map::new();
        choice.insert("index".to_owned(), json!(index));
        choice.insert("message".to_owned(), json!({"role": "assistant", "content": content, "tool_calls": calls}));
        choice.insert("finish_reason".to_owned(), json!(finish_reason(&completion.ending)));
        choice.extend(logprobs(ask, completion).map(|logprobs| ("logprobs".to_owned(), logprobs)));
        Value::Object(choice)
    };
    let mut answer = head(ask, identity, "chat.completion", (0..ask.choices).map(choice).collect());
    answer.extend(completion.usage.map(|used| ("usage".to_owned(), usage(used))));
    Value::Object(answer).to_string().into()
}

/// All events. Calls come whole, usage beside the last reason.
pub(super) fn events(ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
    let mut events = Vec::new();
    let mut push = |part, index: usize, delta: Value, finish: Option<&str>, used: Option<Usage>| {
        let choice = json!({"index": index, "delta": delta, "finish_reason": finish});
        let mut chunk = head(ask, identity, "chat.completion.chunk", vec![choice]);
        chunk.extend(used.map(|used| ("usage".to_owned(), usage(used))));
        events.push(Event { part, bytes: event(&Value::Object(chunk)) });
    };
    for index in 0..ask.choices {
        push(Part::Preamble, index, json!({"role": "assistant", "content": ""}), None, None);
        if ask.thinking {
            push(Part::Content, index, json!({"content": [thought()]}), None, None);
        }
    }
    if let Content::Text(pieces) = &completion.content {
        for piece in pieces {
            (0..ask.choices).for_each(|index| push(Part::Content, index, json!({"content": piece}), None, None));
        }
    }
    for index in 0..ask.choices {
        let delta = match &completion.content {
            Content::Calls(calls) => json!({"content": "", "tool_calls": made(calls, identity)}),
            Content::Text(_) => json!({"content": ""}),
        };
        let part = if matches!(completion.content, Content::Calls(_)) { Part::Content } else { Part::Closing };
        let last = index + 1 == ask.choices;
        push(part, index, delta, Some(finish_reason(&completion.ending)), completion.usage.filter(|_| last));
    }
    events.push(Event { part: Part::Closing, bytes: Bytes::from_static(b"data: [DONE]\n\n") });
    events
}

/// One SSE event as the provider frames it.
pub(super) fn event(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

fn head(ask: &Ask, identity: &Identity, object: &str, choices: Vec<Value>) -> Map<String, Value> {
    let id = identity.hex();
    let head = json!({"id": id, "object": object, "created": identity.created, "model": ask.model, "choices": choices});
    head.as_object().cloned().unwrap_or_default()
}

fn thought() -> Value {
    json!({"type": "thinking", "thinking": [text(THOUGHT)]})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn made(calls: &[Call], identity: &Identity) -> Vec<Value> {
    let call = |(index, call): (usize, &Call)| {
        let id: String = identity.token(1 + index as u64).chars().take(9).collect();
        json!({"id": id, "function": {"name": call.name, "arguments": call.pieces.concat()}, "index": index})
    };
    calls.iter().enumerate().map(call).collect()
}

/// Log probabilities, as plausible constants.
fn logprobs(ask: &Ask, completion: &Completion) -> Option<Value> {
    let Content::Text(pieces) = &completion.content else { return None };
    let token = |token: &String| json!({"token": token, "logprob": -0.125, "bytes": token.as_bytes(), "token_id": 7, "top_logprobs": []});
    ask.logprobs.then(|| json!({"content": pieces.iter().map(token).collect::<Vec<_>>()}))
}

fn usage(used: Usage) -> Value {
    let Usage { prompt, completion, cached, .. } = used;
    let mut usage = json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion});
    if let (Some(usage), true) = (usage.as_object_mut(), cached > 0) {
        usage.insert("prompt_tokens_details".to_owned(), json!({"cached_tokens": cached}));
        usage.insert("num_cached_tokens".to_owned(), json!(cached));
    }
    usage
}

fn finish_reason(ending: &Ending) -> &'static str {
    match ending {
        Ending::Stop | Ending::Sequence(_) => "stop",
        Ending::Length => "length",
        Ending::Calls => "tool_calls",
    }
}
