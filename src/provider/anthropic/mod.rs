//! Anthropic's Messages protocol (<https://platform.claude.com/docs/en/api/messages>): a chat
//! completion becomes a message, and a message becomes a chat completion.
//!
//! Texts are never decoded: a string literal of the caller's body goes into the provider's as it is
//! written, and back. What the protocol has no equivalent for is refused where leaving it out would
//! change the meaning, and otherwise left out and listed.

mod adjustments;
mod complaint;
mod conversation;
mod generation;
mod json;
mod parameters;
mod part;
mod request;
mod response;
mod stream;
mod tools;

use super::codec::{Answer, Call, Codec, Envelope, Failed, Fault, RequestBody, StreamCodec};
use super::scrub;
use crate::openai::{Endpoint, Needs, Usage};
use json::Object;

/// `POST /v1/messages`.
pub struct Anthropic;

impl Codec for Anthropic {
    /// <https://platform.claude.com/docs/en/api/versioning>.
    fn path(&self, _: &Call<'_>) -> &'static str {
        "/v1/messages"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        [(needs.embeddings, "embeddings"), (needs.several_choices, "n"), (needs.functions, "functions")]
            .into_iter()
            .find_map(|(needed, name)| needed.then_some(name))
    }

    fn body(&self, _: &Call<'_>) -> RequestBody {
        RequestBody::Translate
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        request::translate(call, body)
    }

    fn response(&self, _: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        response::translate(envelope, body)
    }

    fn billed(&self, body: &[u8]) -> Option<Usage> {
        let usage = Object::read(core::str::from_utf8(body).ok()?)?.object("usage")?;
        Some(response::usage(&usage, Usage::default())).filter(|usage| *usage != Usage::default())
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Box::new(stream::Stream::default())
    }

    /// `{"type": "error", "error": {"type", "message"}}`
    /// (<https://platform.claude.com/docs/en/api/errors#error-shapes>).
    fn failed(&self, body: &[u8]) -> Failed {
        let message = core::str::from_utf8(body).ok().and_then(|text| {
            let error = Object::read(text)?.object("error")?;
            error.text("message").map(|message| scrub(&message))
        });
        let message = message.unwrap_or_else(|| "the provider refused the request".to_owned());
        Failed { message, param: None, code: None }
    }
}

/// The type of an error the provider reported where an answer was due.
fn in_band(message: &Object<'_>) -> Fault {
    let name = message.object("error").and_then(|error| error.text("type").map(|name| scrub(&name)));
    Fault::InBand(name.unwrap_or_else(|| "error".to_owned()))
}

/// OpenAI's `finish_reason` for a `stop_reason`
/// (<https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>).
fn finish_reason(stop_reason: &str, has_calls: bool) -> &'static str {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "refusal" => "content_filter",
        // tool_use, end_turn, stop_sequence, pause_turn, and what is invented tomorrow: clients
        // look for calls when, and only when, they are told so.
        _ if has_calls => "tool_calls",
        _ => "stop",
    }
}

/// Whether an answer may end like this without having said anything. An empty `end_turn` is a
/// known failure of the model (same page): another candidate may do better.
fn may_be_empty(stop_reason: &str) -> bool {
    matches!(stop_reason, "max_tokens" | "model_context_window_exceeded" | "stop_sequence" | "refusal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_passed_on_without_what_identifies_us() {
        for (body, expected) in [
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: must be at least 1"}}"#,
                "max_tokens: must be at least 1",
            ),
            (
                r#"{"type":"error","error":{"type":"x","message":"key sk-ant-api03-abcdef is wrong"},"request_id":"req_1"}"#,
                "key [redacted] is wrong",
            ),
            (r#"{"type":"error","error":"x"}"#, "the provider refused the request"),
            ("<html>", "the provider refused the request"),
            ("\u{0}", "the provider refused the request"),
        ] {
            assert_eq!(Anthropic.failed(body.as_bytes()), Failed { message: expected.into(), param: None, code: None }, "{body}");
        }
    }

    #[test]
    fn every_documented_stop_reason_has_its_finish_reason() {
        for (stop_reason, said, called, empty) in [
            ("end_turn", "stop", "tool_calls", false),
            ("max_tokens", "length", "length", true),
            ("stop_sequence", "stop", "tool_calls", true),
            ("tool_use", "stop", "tool_calls", false),
            ("pause_turn", "stop", "tool_calls", false),
            ("refusal", "content_filter", "content_filter", true),
            ("model_context_window_exceeded", "length", "length", true),
            ("tomorrow", "stop", "tool_calls", false),
        ] {
            let found = (finish_reason(stop_reason, false), finish_reason(stop_reason, true), may_be_empty(stop_reason));
            assert_eq!(found, (said, called, empty), "{stop_reason}");
        }
    }

    #[test]
    fn what_the_protocol_has_no_words_for_is_named() {
        for (needs, expected) in [
            (Needs::default(), None),
            (Needs { tools: true, vision: true, ..Needs::default() }, None),
            (Needs { embeddings: true, ..Needs::default() }, Some("embeddings")),
            (Needs { several_choices: true, ..Needs::default() }, Some("n")),
            (Needs { functions: true, ..Needs::default() }, Some("functions")),
        ] {
            assert_eq!(Anthropic.lacks(&needs), expected, "{needs:?}");
        }
    }
}
