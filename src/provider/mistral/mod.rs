//! Mistral's protocol (<https://docs.mistral.ai/api/>): OpenAI's, but that nothing unknown is let in,
//! ids of calls have nine characters, turns have an order, and contents may come in chunks.

mod conversation;
mod embeddings;
mod id;
mod parameters;
mod part;
mod request;
mod response;
mod said;
mod stream;
mod tools;

use std::borrow::Cow;

use super::classify::classify;
use super::codec::{Answer, Call, Class, Codec, Envelope, Failed, Fault, RequestBody, StreamCodec, Treatment};
use super::{error_name, refusal, scrub};
use crate::openai::members::decode;
use crate::openai::{Endpoint, Fields, Needs, Usage};
use crate::provider::translate::json::{Object, elements};

/// `POST /chat/completions` and `POST /embeddings`.
pub struct Mistral;

/// Members without which an answer would be another one.
const REFUSED: Fields = Fields::of(&["audio", "function_call", "modalities", "moderation", "web_search_options"]);

impl Codec for Mistral {
    fn path(&self, _: &str, call: &Call<'_>) -> Cow<'static, str> {
        Cow::Borrowed(call.endpoint.path())
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        [(needs.functions, "functions"), (needs.custom_tools, "custom tools")]
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
        response::usage(Object::read(core::str::from_utf8(body).ok()?)?.find("usage")?)
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Box::new(stream::Stream::default())
    }

    /// `{"object": "error", "message", "type", "param", "code"}`, where the message may be what a schema
    /// found, `{"detail": [{"loc", "msg", "type"}]}`, which also comes alone.
    fn failed(&self, status: u16, body: &[u8]) -> Failed {
        failed(status, body).unwrap_or_else(|| Failed { class: Class::of_status(status), ..Failed::caller(refusal("")) })
    }
}

const TREATMENTS: &[(&str, Treatment)] = &[
    ("temperature", Treatment::Mapped("at most 1.5")),
    ("max_tokens", Treatment::Passed),
    ("max_completion_tokens", Treatment::Mapped("max_tokens")),
    ("tools", Treatment::Passed),
    ("tool_choice", Treatment::Mapped("required becomes any")),
    ("parallel_tool_calls", Treatment::Passed),
    ("response_format", Treatment::Passed),
    ("top_p", Treatment::Passed),
    ("n", Treatment::Passed),
    ("stop", Treatment::Passed),
    ("audio", Treatment::Refused),
    ("frequency_penalty", Treatment::Passed),
    ("function_call", Treatment::Refused),
    ("functions", Treatment::Refused),
    ("logit_bias", Treatment::Dropped),
    ("logprobs", Treatment::Passed),
    ("metadata", Treatment::Passed),
    ("modalities", Treatment::Refused),
    ("moderation", Treatment::Refused),
    ("prediction", Treatment::Passed),
    ("presence_penalty", Treatment::Passed),
    ("prompt_cache_key", Treatment::Passed),
    ("prompt_cache_options", Treatment::Dropped),
    ("prompt_cache_retention", Treatment::Dropped),
    ("reasoning_effort", Treatment::Mapped("none or high")),
    ("safety_identifier", Treatment::Dropped),
    ("seed", Treatment::Mapped("random_seed")),
    ("service_tier", Treatment::Mapped("auto or standard_only")),
    ("store", Treatment::Dropped),
    ("top_logprobs", Treatment::Passed),
    ("user", Treatment::Dropped),
    ("verbosity", Treatment::Dropped),
    ("web_search_options", Treatment::Refused),
    ("image_url (web)", Treatment::Passed),
    ("image_url (data)", Treatment::Passed),
    ("input_audio", Treatment::Mapped("the data alone")),
    ("file", Treatment::Mapped("document_url; its data, not an id")),
    ("custom tools", Treatment::Refused),
    ("messages[].name", Treatment::Dropped),
    ("cache_control", Treatment::Dropped),
];

fn failed(status: u16, body: &[u8]) -> Option<Failed> {
    let error = Object::read(core::str::from_utf8(body).ok()?)?;
    let error = error.object("error").unwrap_or(error);
    let kind = error.text("type").unwrap_or_default();
    let found = error.find("detail").or_else(|| error.object("message").and_then(|message| message.find("detail")));
    let (message, param) = match (error.text("message").or_else(|| error.text("error")), found) {
        (Some(message), _) => (message.into_owned(), error.text("param").map(Cow::into_owned)),
        (None, Some(detail)) => match decode(detail) {
            Some(detail) => (detail.into_owned(), None),
            None => flaw(detail)?,
        },
        (None, None) => return None,
    };
    let class = if kind == "invalid_model" { Class::Credentials } else { classify(status, &kind, &message) };
    // Some codes are numbers in a string.
    let code = error.text("code").or(Some(kind)).filter(|code| !code.is_empty()).map(|code| scrub(&code));
    Some(Failed { class, message: refusal(&message), param: param.map(|param| scrub(&param)), code })
}

/// More steps than any path has.
const MAX_STEPS: usize = 32;

/// The first thing a schema found: `messages.0.user.name: Extra inputs are not permitted`.
fn flaw(detail: &str) -> Option<(String, Option<String>)> {
    let mut first = None;
    let _ = elements(detail, 1, |_, flaw: Object<'_>| {
        first = Some(flaw);
        Ok::<_, ()>(())
    });
    let flaw = first?;
    let mut path = String::new();
    let step = |_, step: &str| {
        let step = decode(step).unwrap_or(Cow::Borrowed(step));
        if step != "body" {
            path.push_str(if path.is_empty() { "" } else { "." });
            path.push_str(&step);
        }
        Ok::<_, ()>(())
    };
    let _ = elements(flaw.find("loc").unwrap_or("[]"), MAX_STEPS, step);
    let message = flaw.text("msg")?;
    let said = if path.is_empty() { message.into_owned() } else { format!("{path}: {message}") };
    Some((said, Some(path).filter(|path| !path.is_empty())))
}

/// What stands where an answer was due: an error, or nothing that is known.
fn in_band(answer: &Object<'_>) -> Fault {
    let error = answer.object("error");
    let says = |name: &str| error.as_ref().unwrap_or(answer).text(name);
    let is_error = ["error", "detail", "message"].iter().any(|name| answer.find(name).is_some());
    match says("type").or_else(|| says("code")) {
        Some(kind) if is_error => Fault::InBand(error_name(&kind)),
        None if is_error => Fault::InBand("error".to_owned()),
        _ => Fault::Malformed,
    }
}

/// OpenAI's `finish_reason`; a generation that failed has none.
fn finish_reason(reason: &str, has_calls: bool) -> Result<&'static str, Fault> {
    match reason {
        "length" | "model_length" => Ok("length"),
        "error" => Err(Fault::InBand("error".to_owned())),
        "content_filter" => Ok("content_filter"),
        // stop, tool_calls, and what is invented tomorrow.
        _ if has_calls => Ok("tool_calls"),
        _ => Ok("stop"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_refusal_is_read() {
        let failed = |class, message: &str, param: Option<&str>, code: Option<&str>| Failed {
            class,
            message: message.to_owned(),
            param: param.map(str::to_owned),
            code: code.map(str::to_owned),
        };
        let extra = r#"{"detail":[{"type":"extra_forbidden","loc":["body","messages",0,"user","name"],"msg":"Extra inputs are not permitted","input":"secret"},{"loc":["body","x"],"msg":"y"}]}"#;
        let wrapped = format!(r#"{{"object":"error","message":{extra},"type":"invalid_request_error","param":null,"code":null}}"#);
        let found =
            |code| failed(Class::Caller, "messages.0.user.name: Extra inputs are not permitted", Some("messages.0.user.name"), code);
        for (status, body, expected) in [
            (422, extra, found(None)),
            (422, &wrapped, found(Some("invalid_request_error"))),
            (
                400,
                r#"{"object":"error","message":"Unexpected role 'user' after role 'tool'","type":"invalid_request_message_order","param":null,"code":"3230"}"#,
                failed(Class::Caller, "Unexpected role 'user' after role 'tool'", None, Some("3230")),
            ),
            (
                400,
                r#"{"object":"error","message":"Invalid model: mistral-x","type":"invalid_model","param":null,"code":"1500"}"#,
                failed(Class::Credentials, "Invalid model: mistral-x", None, Some("1500")),
            ),
            (
                400,
                r#"{"object":"error","message":"Prompt contains 139296 tokens and 0 draft tokens, too large for model with 131072 maximum context length","type":"invalid_request_prompt","param":null,"code":"3051"}"#,
                failed(
                    Class::ContextTooLong,
                    "Prompt contains 139296 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
                    None,
                    Some("3051"),
                ),
            ),
            (401, r#"{"detail":"Unauthorized"}"#, failed(Class::Credentials, "Unauthorized", None, None)),
            (401, r#"{"message":"Unauthorized","request_id":"8c5e"}"#, failed(Class::Credentials, "Unauthorized", None, None)),
            (
                429,
                r#"{"object":"error","message":"Requests rate limit exceeded","type":"rate_limited","param":null,"code":"1300"}"#,
                failed(Class::RateLimited, "Requests rate limit exceeded", None, Some("1300")),
            ),
            (
                500,
                r#"{"error":{"message":"x","type":"internal_server_error"}}"#,
                failed(Class::Unavailable, "x", None, Some("internal_server_error")),
            ),
            (500, r#"{"object":"error"}"#, failed(Class::Unavailable, "the provider refused the request", None, None)),
            (400, r#"{"detail":[7]}"#, failed(Class::Caller, "the provider refused the request", None, None)),
            (502, "<html>", failed(Class::Unavailable, "the provider refused the request", None, None)),
        ] {
            assert_eq!(Mistral.failed(status, body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn every_documented_reason_of_an_end_has_its_counterpart() {
        for (reason, said, called) in [
            ("stop", Ok("stop"), Ok("tool_calls")),
            ("length", Ok("length"), Ok("length")),
            ("model_length", Ok("length"), Ok("length")),
            ("tool_calls", Ok("stop"), Ok("tool_calls")),
            ("error", Err(Fault::InBand("error".into())), Err(Fault::InBand("error".into()))),
            ("tomorrow", Ok("stop"), Ok("tool_calls")),
        ] {
            assert_eq!((finish_reason(reason, false), finish_reason(reason, true)), (said, called), "{reason}");
        }
    }

    #[test]
    fn what_the_protocol_has_no_words_for_is_named() {
        let none = Needs::default();
        for (needs, expected) in [
            (Needs { tools: true, several_choices: true, embeddings: true, audio: true, files: true, json_schema: true, ..none }, None),
            (Needs { functions: true, ..none }, Some("functions")),
            (Needs { custom_tools: true, ..none }, Some("custom tools")),
            (Needs { asked: Fields::of(&["user", "modalities"]), ..none }, Some("modalities")),
        ] {
            assert_eq!(Mistral.lacks(&needs), expected, "{needs:?}");
        }
    }
}
