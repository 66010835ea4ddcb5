//! The `chat.completion` object, with its fields in the provider's order.

use bytes::Bytes;
use serde::Serialize;

use crate::completion::{self, Ask, Completion, Content, Ending};
use crate::identity::Identity;

#[derive(Serialize)]
struct Answer<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    service_tier: &'static str,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: Option<Logprobs<'a>>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    refusal: Option<()>,
    annotations: [(); 0],
}

#[derive(Serialize)]
struct Call<'a> {
    id: String,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: String,
}

/// Log probabilities, as plausible constants.
#[derive(Serialize)]
pub(super) struct Logprobs<'a> {
    content: Vec<Logprob<'a>>,
    refusal: Option<()>,
}

#[derive(Serialize)]
struct Logprob<'a> {
    token: &'a str,
    logprob: f64,
    bytes: &'a [u8],
    top_logprobs: [(); 0],
}

#[derive(Serialize)]
pub(super) struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    audio_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

pub(super) const OBJECT: &str = "chat.completion";
pub(super) const FINGERPRINT: &str = "fp_5d9f3a7c21";
pub(super) const TIER: &str = "default";

/// Writes the JSON body.
pub(super) fn write(ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
    let choice = |index| Choice {
        index,
        message: message(completion, identity, index),
        logprobs: logprobs(ask, completion),
        finish_reason: finish_reason(&completion.ending),
    };
    let answer = Answer {
        id: id(identity),
        object: OBJECT,
        created: identity.created,
        model: &ask.model,
        choices: (0..ask.choices).map(choice).collect(),
        usage: completion.usage.map(usage),
        service_tier: TIER,
        system_fingerprint: FINGERPRINT,
    };
    serde_json::to_vec(&answer).unwrap_or_default().into()
}

fn message<'a>(completion: &'a Completion, identity: &Identity, choice: usize) -> Message<'a> {
    let (content, tool_calls) = match &completion.content {
        Content::Text(pieces) => (Some(pieces.concat()), Vec::new()),
        Content::Calls(calls) => {
            let call = |(index, call): (usize, &'a completion::Call)| Call {
                id: call_id(identity, choice, index),
                r#type: "function",
                function: Function { name: &call.name, arguments: call.pieces.concat() },
            };
            (None, calls.iter().enumerate().map(call).collect())
        }
    };
    Message { role: "assistant", content, tool_calls, refusal: None, annotations: [] }
}

fn logprobs<'a>(ask: &Ask, completion: &'a Completion) -> Option<Logprobs<'a>> {
    match &completion.content {
        Content::Text(pieces) if ask.logprobs => Some(logprobs_of(pieces)),
        _ => None,
    }
}

pub(super) fn logprobs_of(pieces: &[String]) -> Logprobs<'_> {
    Logprobs {
        content: pieces.iter().map(|token| Logprob { token, logprob: -0.125, bytes: token.as_bytes(), top_logprobs: [] }).collect(),
        refusal: None,
    }
}

pub(super) fn usage(usage: completion::Usage) -> Usage {
    Usage {
        prompt_tokens: usage.prompt,
        completion_tokens: usage.completion,
        total_tokens: usage.prompt + usage.completion,
        prompt_tokens_details: PromptDetails { cached_tokens: usage.cached, audio_tokens: 0 },
        completion_tokens_details: CompletionDetails {
            reasoning_tokens: usage.reasoning,
            audio_tokens: 0,
            accepted_prediction_tokens: 0,
            rejected_prediction_tokens: 0,
        },
    }
}

pub(super) fn id(identity: &Identity) -> String {
    format!("chatcmpl-{}", identity.token(0))
}

pub(super) fn call_id(identity: &Identity, choice: usize, index: usize) -> String {
    format!("call_{}", identity.token(1 + (choice * 100 + index) as u64))
}

pub(super) fn finish_reason(ending: &Ending) -> &'static str {
    match ending {
        Ending::Stop | Ending::Sequence(_) => "stop",
        Ending::Length => "length",
        Ending::Calls => "tool_calls",
    }
}
