//! Cohere's protocol in its second version (<https://docs.cohere.com/v2/reference/chat>,
//! <https://docs.cohere.com/v2/reference/embed>).
//!
//! Messages are much like OpenAI's, and texts are copied as they are written. Sampling has other
//! names and narrower bounds; thinking has a budget of tokens; embeddings come by type.

mod conversation;
mod embeddings;
mod parameters;
mod request;
mod response;
mod stream;
mod tools;

use std::borrow::Cow;

use super::classify::classify;
use super::codec::{Answer, Call, Class, Codec, Envelope, Failed, Fault, RequestBody, StreamCodec, Treatment};
use super::refusal;
use crate::openai::{Endpoint, Fields, Needs, Usage};
use crate::provider::translate::json::Object;

/// `POST /v2/chat` and `POST /v2/embed`.
pub struct Cohere;

/// Members without which an answer would be another one.
const REFUSED: Fields = Fields::of(&["audio", "function_call", "modalities", "moderation", "web_search_options"]);

impl Codec for Cohere {
    fn path(&self, _: &str, call: &Call<'_>) -> Cow<'static, str> {
        Cow::Borrowed(match call.endpoint {
            Endpoint::Chat => "/v2/chat",
            Endpoint::Embeddings => "/v2/embed",
        })
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        [
            (needs.several_choices, "n"),
            (needs.functions, "functions"),
            (needs.custom_tools, "custom tools"),
            (needs.audio, "input_audio"),
            (needs.files, "file"),
            // <https://docs.cohere.com/v2/docs/structured-outputs>, "Using with tools".
            (needs.tools && (needs.json_object || needs.json_schema), "response_format with tools"),
        ]
        .into_iter()
        .find_map(|(needed, name)| needed.then_some(name))
        .or_else(|| needs.asked.first_common(REFUSED))
    }

    fn treatments(&self) -> &'static [(&'static str, Treatment)] {
        TREATMENTS
    }

    fn body(&self, _: &Call<'_>) -> RequestBody {
        RequestBody::Translate
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        match call.endpoint {
            Endpoint::Chat => request::translate(call, body),
            Endpoint::Embeddings => embeddings::request(call, body),
        }
    }

    fn response(&self, endpoint: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        match endpoint {
            Endpoint::Chat => response::translate(envelope, body),
            Endpoint::Embeddings => embeddings::response(envelope, body),
        }
    }

    fn billed(&self, body: &[u8]) -> Option<Usage> {
        let answer = Object::read(core::str::from_utf8(body).ok()?)?;
        answer.object("usage").or_else(|| answer.object("meta")).and_then(|said| usage(&said))
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Box::new(stream::Stream::default())
    }

    /// `{"message", "id"}` (<https://docs.cohere.com/v2/reference/errors>).
    fn failed(&self, status: u16, body: &[u8]) -> Failed {
        let error = core::str::from_utf8(body).ok().and_then(Object::read);
        let text = |name: &str| error.as_ref().and_then(|error| error.text(name));
        let message = text("message").or_else(|| text("error")).or_else(|| text("detail")).unwrap_or_default();
        Failed { class: class(status, &message), message: refusal(&message), param: None, code: None }
    }
}

const TREATMENTS: &[(&str, Treatment)] = &[
    ("temperature", Treatment::Mapped("at most 1")),
    ("max_tokens", Treatment::Passed),
    ("max_completion_tokens", Treatment::Mapped("max_tokens")),
    ("tools", Treatment::Passed),
    ("tool_choice", Treatment::Mapped("REQUIRED or NONE; a named function becomes the only tool")),
    ("parallel_tool_calls", Treatment::Dropped),
    ("response_format", Treatment::Mapped("json_object, with the schema")),
    ("top_p", Treatment::Mapped("p, from 0.01 to 0.99")),
    ("n", Treatment::Refused),
    ("stop", Treatment::Mapped("stop_sequences")),
    ("audio", Treatment::Refused),
    ("frequency_penalty", Treatment::Mapped("from 0 to 1")),
    ("function_call", Treatment::Refused),
    ("functions", Treatment::Refused),
    ("logit_bias", Treatment::Dropped),
    ("logprobs", Treatment::Passed),
    ("metadata", Treatment::Dropped),
    ("modalities", Treatment::Refused),
    ("moderation", Treatment::Refused),
    ("prediction", Treatment::Dropped),
    ("presence_penalty", Treatment::Mapped("from 0 to 1")),
    ("prompt_cache_key", Treatment::Dropped),
    ("prompt_cache_options", Treatment::Dropped),
    ("prompt_cache_retention", Treatment::Dropped),
    ("reasoning_effort", Treatment::Mapped("thinking, with a budget of tokens up to medium")),
    ("safety_identifier", Treatment::Dropped),
    ("seed", Treatment::Passed),
    ("service_tier", Treatment::Dropped),
    ("store", Treatment::Dropped),
    ("top_logprobs", Treatment::Dropped),
    ("user", Treatment::Dropped),
    ("verbosity", Treatment::Dropped),
    ("web_search_options", Treatment::Refused),
    ("image_url (web)", Treatment::Passed),
    ("image_url (data)", Treatment::Passed),
    ("input_audio", Treatment::Refused),
    ("file", Treatment::Refused),
    ("custom tools", Treatment::Refused),
    ("messages[].name", Treatment::Dropped),
    ("cache_control", Treatment::Dropped),
];

/// 498 is said of a prompt against the usage guidelines, and of a token that is not valid; 499 of a
/// request that was cancelled.
fn class(status: u16, message: &str) -> Class {
    match status {
        498 if message.to_ascii_lowercase().contains("token") => Class::Credentials,
        498 => Class::ContentPolicy,
        _ => classify(status, "", message),
    }
}

/// What a 200 without an answer says: an error, or nothing that is known.
fn in_band(answer: &Object<'_>) -> Fault {
    match answer.find("message").or_else(|| answer.find("error")) {
        Some(said) if said.starts_with('"') || said.starts_with('{') => Fault::InBand("error".to_owned()),
        _ => Fault::Malformed,
    }
}

/// OpenAI's `finish_reason`; a generation that failed has none.
fn finish_reason(reason: &str, has_calls: bool) -> Result<&'static str, Fault> {
    match reason {
        "MAX_TOKENS" | "ERROR_LIMIT" => Ok("length"),
        "ERROR_TOXIC" => Ok("content_filter"),
        "ERROR" | "TIMEOUT" | "USER_CANCEL" => Err(Fault::InBand(reason.to_ascii_lowercase())),
        // COMPLETE, STOP_SEQUENCE, TOOL_CALL, and what is invented tomorrow.
        _ if has_calls => Ok("tool_calls"),
        _ => Ok("stop"),
    }
}

/// Whether an answer may end like this without a text or a call.
fn may_be_empty(reason: &str) -> bool {
    matches!(reason, "MAX_TOKENS" | "ERROR_LIMIT" | "ERROR_TOXIC" | "STOP_SEQUENCE")
}

/// What is billed, else what was counted: the instructions that Cohere adds itself are in the count
/// and not on the bill. `None` if nothing is said.
fn usage(said: &Object<'_>) -> Option<Usage> {
    let counts =
        ["billed_units", "tokens"].iter().filter_map(|name| said.object(name)).find(|units| units.find("input_tokens").is_some())?;
    let count = |of: &Object<'_>, name: &str| of.count(name).unwrap_or(0);
    let input = count(&counts, "input_tokens");
    let cached = count(said, "cached_tokens").min(input);
    let usage = Usage { uncached_input: input - cached, cache_read: cached, output: count(&counts, "output_tokens"), ..Usage::default() };
    Some(usage).filter(|usage| *usage != Usage::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_passed_on_without_what_identifies_us() {
        for (status, body, expected, class) in [
            (
                400,
                r#"{"id":"2f3e","message":"invalid request: temperature must be between 0 and 1 inclusive."}"#,
                "invalid request: temperature must be between 0 and 1 inclusive.",
                Class::Caller,
            ),
            (401, r#"{"message":"invalid api token"}"#, "invalid api token", Class::Credentials),
            (
                404,
                r#"{"message":"model 'command-x' not found, make sure the correct model ID was used"}"#,
                "model 'command-x' not found, make sure the correct model ID was used",
                Class::Credentials,
            ),
            (
                422,
                r#"{"data":"unprocessable","message":"unknown field: parameter 'x' is not a valid field"}"#,
                "unknown field: parameter 'x' is not a valid field",
                Class::Caller,
            ),
            (
                400,
                r#"{"message":"too many tokens: size limit exceeded by 5600 tokens. Try using shorter or fewer inputs, or setting prompt_truncation='AUTO'."}"#,
                "too many tokens: size limit exceeded by 5600 tokens. Try using shorter or fewer inputs, or setting prompt_truncation='AUTO'.",
                Class::ContextTooLong,
            ),
            (
                429,
                r#"{"message":"You are using a Trial key, which is limited to 10 API calls / minute."}"#,
                "You are using a Trial key, which is limited to 10 API calls / minute.",
                Class::RateLimited,
            ),
            (498, r#"{"message":"invalid token"}"#, "invalid token", Class::Credentials),
            (
                498,
                r#"{"message":"blocked input: please adjust your prompt"}"#,
                "blocked input: please adjust your prompt",
                Class::ContentPolicy,
            ),
            (499, r#"{"message":"request cancelled"}"#, "request cancelled", Class::Unavailable),
            (500, "[1]", "the provider refused the request", Class::Unavailable),
            (400, "<html>", "the provider refused the request", Class::Caller),
        ] {
            let expected = Failed { class, message: expected.into(), param: None, code: None };
            assert_eq!(Cohere.failed(status, body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn every_reason_of_an_end_has_its_counterpart() {
        for (reason, said, called, empty) in [
            ("COMPLETE", Ok("stop"), Ok("tool_calls"), false),
            ("STOP_SEQUENCE", Ok("stop"), Ok("tool_calls"), true),
            ("MAX_TOKENS", Ok("length"), Ok("length"), true),
            ("TOOL_CALL", Ok("stop"), Ok("tool_calls"), false),
            ("ERROR", Err(Fault::InBand("error".into())), Err(Fault::InBand("error".into())), false),
            ("TIMEOUT", Err(Fault::InBand("timeout".into())), Err(Fault::InBand("timeout".into())), false),
            ("ERROR_TOXIC", Ok("content_filter"), Ok("content_filter"), true),
            ("tomorrow", Ok("stop"), Ok("tool_calls"), false),
        ] {
            assert_eq!(
                (finish_reason(reason, false), finish_reason(reason, true), may_be_empty(reason)),
                (said, called, empty),
                "{reason}"
            );
        }
    }

    #[test]
    fn what_is_billed_counts_and_the_cache_is_part_of_it() {
        for (said, expected) in [
            (
                r#"{"billed_units":{"input_tokens":17,"output_tokens":5},"tokens":{"input_tokens":512,"output_tokens":6},"cached_tokens":10}"#,
                Some(Usage { uncached_input: 7, cache_read: 10, output: 5, ..Usage::default() }),
            ),
            (
                r#"{"billed_units":{"input_tokens":17.0,"output_tokens":5.0},"cached_tokens":496}"#,
                Some(Usage { uncached_input: 0, cache_read: 17, output: 5, ..Usage::default() }),
            ),
            (r#"{"tokens":{"input_tokens":3,"output_tokens":2}}"#, Some(Usage { uncached_input: 3, output: 2, ..Usage::default() })),
            (r#"{"billed_units":{"search_units":1},"tokens":{"input_tokens":3}}"#, Some(Usage { uncached_input: 3, ..Usage::default() })),
            (r#"{"billed_units":{"input_tokens":-1,"output_tokens":"x"}}"#, None),
            ("{}", None),
        ] {
            assert_eq!(Object::read(said).and_then(|said| usage(&said)), expected, "{said}");
        }
    }

    #[test]
    fn what_the_protocol_has_no_words_for_is_named() {
        let none = Needs::default();
        for (needs, expected) in [
            (none, None),
            (Needs { tools: true, vision: true, remote_images: true, embeddings: true, json_schema: false, ..none }, None),
            (Needs { tools: true, json_schema: true, ..none }, Some("response_format with tools")),
            (Needs { json_schema: true, reasoning: true, ..none }, None),
            (Needs { several_choices: true, ..none }, Some("n")),
            (Needs { custom_tools: true, ..none }, Some("custom tools")),
            (Needs { audio: true, ..none }, Some("input_audio")),
            (Needs { files: true, ..none }, Some("file")),
            (Needs { asked: Fields::of(&["seed", "web_search_options"]), ..none }, Some("web_search_options")),
        ] {
            assert_eq!(Cohere.lacks(&needs), expected, "{needs:?}");
        }
    }
}
