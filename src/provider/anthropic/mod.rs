//! Anthropic's Messages protocol (<https://platform.claude.com/docs/en/api/messages>): a chat
//! completion becomes a message, and a message becomes a chat completion.
//!
//! Texts are never decoded: a string literal of the caller's body goes into the provider's as it is
//! written, and back. What the protocol has no equivalent for is refused where leaving it out would
//! change the meaning, and otherwise left out and listed.
//!
//! The version is 2023-06-01 and not 2026-10-21
//! (<https://platform.claude.com/docs/en/api/versioning>): the newer one refuses `temperature` and `top_p`
//! for every model, also for those that take them, adds nothing that is used here, and is unknown to
//! other vendors of the protocol.

mod citation;
mod conversation;
mod failure;
pub(super) mod generation;
mod parameters;
mod part;
mod request;
mod response;
mod said;
pub(super) mod schema;
mod stream;
mod thinking;
mod tools;
mod treatment;
mod vertex;
mod wish;

use std::borrow::Cow;

use super::codec::{Answer, Call, Codec, Envelope, Failed, Fault, RequestBody, StreamCodec, Treatment};
use crate::openai::{Endpoint, Needs, Usage};
use crate::provider::translate::json::Object;

pub use vertex::VertexAnthropic;

/// `POST /v1/messages`.
pub struct Anthropic;

impl Codec for Anthropic {
    /// <https://platform.claude.com/docs/en/api/versioning>.
    fn path(&self, _: &str, _: &Call<'_>) -> Cow<'static, str> {
        Cow::Borrowed("/v1/messages")
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        treatment::lacks(needs)
    }

    fn treatments(&self) -> &'static [(&'static str, Treatment)] {
        treatment::ANTHROPIC
    }

    fn body(&self, _: &Call<'_>) -> RequestBody {
        RequestBody::Translate
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        request::translate(request::Host::Anthropic, call, body)
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

    fn failed(&self, status: u16, body: &[u8]) -> Failed {
        failure::read(status, body)
    }
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
    use crate::provider::Class;

    #[test]
    fn a_refusal_is_passed_on_without_what_identifies_us() {
        for (body, expected, class) in [
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: must be at least 1"}}"#,
                "max_tokens: must be at least 1",
                Class::Caller,
            ),
            (
                r#"{"type":"error","error":{"type":"x","message":"key sk-ant-api03-abcdef is wrong"},"request_id":"req_1"}"#,
                "key [redacted] is wrong",
                Class::Caller,
            ),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
                "prompt is too long: 9 tokens > 8 maximum",
                Class::ContextTooLong,
            ),
            (r#"{"type":"error","error":"x"}"#, "x", Class::Caller),
            ("<html>", "the provider refused the request", Class::Caller),
            ("\u{0}", "the provider refused the request", Class::Caller),
        ] {
            assert_eq!(
                Anthropic.failed(400, body.as_bytes()),
                Failed { class, message: expected.into(), param: None, code: None },
                "{body}"
            );
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
}
