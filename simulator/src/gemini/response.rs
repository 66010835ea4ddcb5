//! Generated contents, whole and event by event, with their fields in the provider's order.

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::completion::{self, Ask, Call, Completion, Content, Ending};
use crate::identity::Identity;
use crate::protocol::{Event, Part};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    candidates: [Candidate; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Usage>,
    model_version: &'a str,
    response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Turn,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    index: u8,
}

#[derive(Serialize)]
struct Turn {
    parts: Vec<Piece>,
    role: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'static str>,
}

#[derive(Serialize)]
struct FunctionCall {
    name: String,
    args: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates_token_count: Option<u64>,
    total_token_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
}

const THOUGHT: &str = "The user asks something; a short answer will do.";
const SIGNATURE: &str = "EqQBCkYIBxgCKkBzaW11bGF0ZWQtc2lnbmF0dXJl";

/// Writes the JSON body.
pub(super) fn whole(ask: &Ask, completion: &Completion, vertex: bool, identity: &Identity) -> Bytes {
    let mut pieces: Vec<Piece> = ask.thinking.then(thought).into_iter().collect();
    match &completion.content {
        Content::Text(texts) if texts.is_empty() => {}
        Content::Text(texts) => pieces.push(text(texts.concat())),
        Content::Calls(calls) => pieces.extend(calls.iter().enumerate().map(|(index, call)| called(ask, call, index, vertex, identity))),
    }
    let usage = completion.usage.map(|said| usage(said, said.completion));
    let id = identity.token(0);
    serde_json::to_vec_pretty(&answer(ask, &id, pieces, Some(reason(&completion.ending)), usage)).unwrap_or_default().into()
}

/// Writes all events: an answer for each piece, the last with the reason. Each says what has been used so far.
pub(super) fn events(ask: &Ask, completion: &Completion, vertex: bool, identity: &Identity) -> Vec<Event> {
    let id = identity.token(0);
    let mut pieces: Vec<Piece> = ask.thinking.then(thought).into_iter().collect();
    match &completion.content {
        Content::Text(texts) => pieces.extend(texts.iter().map(|piece| text(piece.clone()))),
        Content::Calls(calls) => pieces.extend(calls.iter().enumerate().map(|(index, call)| called(ask, call, index, vertex, identity))),
    }
    let count = pieces.len() as u64;
    let event_of = |part, piece, reason, usage| Event { part, bytes: event(&answer(ask, &id, vec![piece], reason, usage)) };
    let so_far = |index: u64| completion.usage.map(|said| usage(said, said.completion * (index + 1) / count.max(1)));
    let mut events: Vec<Event> = (0..).zip(pieces).map(|(index, piece)| event_of(Part::Content, piece, None, so_far(index))).collect();
    let usage = completion.usage.map(|said| usage(said, said.completion));
    events.push(event_of(Part::Closing, text(String::new()), Some(reason(&completion.ending)), usage));
    events
}

/// One SSE event as the provider frames it.
pub(super) fn event(data: &impl Serialize) -> Bytes {
    let mut bytes = b"data: ".to_vec();
    bytes.extend(serde_json::to_vec(data).unwrap_or_default());
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes.into()
}

fn answer<'a>(ask: &'a Ask, id: &'a str, parts: Vec<Piece>, finish_reason: Option<&'static str>, usage: Option<Usage>) -> Answer<'a> {
    let candidate = Candidate { content: Turn { parts, role: "model" }, finish_reason, index: 0 };
    Answer { candidates: [candidate], usage_metadata: usage, model_version: &ask.model, response_id: id }
}

fn thought() -> Piece {
    Piece { text: Some(THOUGHT.to_owned()), thought: Some(true), ..Piece::default() }
}

fn text(text: String) -> Piece {
    Piece { text: Some(text), ..Piece::default() }
}

/// Of calls at once only the first is signed; only the later models give ids, and those not at Vertex AI.
fn called(ask: &Ask, call: &Call, index: usize, vertex: bool, identity: &Identity) -> Piece {
    let args = serde_json::from_str(&call.pieces.concat()).unwrap_or_default();
    let id = (ask.model.starts_with("gemini-3") && !vertex).then(|| identity.token(1 + index as u64)[..8].to_owned());
    let function_call = Some(FunctionCall { name: call.name.clone(), args, id });
    Piece { function_call, thought_signature: (index == 0).then_some(SIGNATURE), ..Piece::default() }
}

fn reason(ending: &Ending) -> &'static str {
    match ending {
        Ending::Length => "MAX_TOKENS",
        Ending::Stop | Ending::Sequence(_) | Ending::Calls => "STOP",
    }
}

/// Thoughts are counted beside the candidates, what was cached within the prompt.
fn usage(said: completion::Usage, completion: u64) -> Usage {
    let counted = |count: u64| Some(count).filter(|count| *count > 0);
    Usage {
        prompt_token_count: said.prompt,
        candidates_token_count: counted(completion.saturating_sub(said.reasoning)),
        total_token_count: said.prompt + completion.max(said.reasoning),
        cached_content_token_count: counted(said.cached),
        thoughts_token_count: counted(said.reasoning),
    }
}
