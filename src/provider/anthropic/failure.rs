//! What a refusal says, in every form it comes in: Anthropic's `{"type": "error", "error": {"type", "message"}}`
//! (<https://platform.claude.com/docs/en/api/errors>), Google's `{"error": {"code", "message", "status"}}` and the
//! same in a list, where its cloud serves the protocol, and what stands in front of either.

use std::borrow::Cow;

use crate::openai::members::decode;
use crate::provider::classify::classify;
use crate::provider::translate::json::{Halt, Object, elements};
use crate::provider::{Class, Failed, Fault, error_name, refusal};

/// What the API says for which it has no type, in lower case.
const SAYINGS: [(&str, Class); 6] = [
    // The conversation was changed after the model had thought about it.
    ("invalid `signature` in `thinking` block", Class::Caller),
    // "input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000"
    ("exceed context limit", Class::ContextTooLong),
    // "Output blocked by content filtering policy"
    ("content filtering policy", Class::ContentPolicy),
    // "You have reached your specified API usage limits. You will regain access on …"
    ("api usage limits", Class::Credentials),
    ("organization has been disabled", Class::Credentials),
    // "Publisher Model `projects/…` is not servable in region us-central1."
    ("not servable in region", Class::Credentials),
];

/// Longest part of a message that is looked at, in characters.
const MAX_LOOKED_AT: usize = 512;

/// Reads the body of an answer of 400 or more.
pub(super) fn read(status: u16, body: &[u8]) -> Failed {
    let text = core::str::from_utf8(body).unwrap_or_default();
    let (name, message) = described(text).unwrap_or_default();
    Failed { class: class(status, &name, &message), message: refusal(&message), param: None, code: None }
}

fn class(status: u16, name: &str, message: &str) -> Class {
    if status == 413 || (name == "request_too_large" && status < 500) {
        // In bytes; another provider may take more.
        return Class::ContextTooLong;
    }
    if Class::of_status(status) == Class::Caller {
        let said: String = message.chars().take(MAX_LOOKED_AT).collect::<String>().to_ascii_lowercase();
        if let Some((_, class)) = SAYINGS.iter().find(|(saying, _)| said.contains(saying)) {
            return *class;
        }
    }
    classify(status, name, message)
}

/// The provider's own name of an error, and its message.
fn described(text: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let Some(body) = Object::read(text) else { return listed(text) };
    let Some(error) = body.find("error") else {
        // What gateways in front of a provider say.
        let message = body.text("message").or_else(|| body.text("detail"))?;
        return Some((body.text("type").unwrap_or_default(), message));
    };
    match Object::read(error) {
        Some(error) => Some((name(&error).unwrap_or_default(), error.text("message").unwrap_or_default())),
        None => Some((Cow::default(), decode(error).unwrap_or_default())),
    }
}

/// The first error of a list of them.
fn listed(text: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let mut found = None;
    let halt = elements(text, 1, |_, element: Object<'_>| {
        let error = element.object("error").ok_or(())?;
        found = Some((owned(name(&error)), owned(error.text("message"))));
        Ok::<_, ()>(())
    });
    match halt {
        Ok(_) | Err(Halt::Element(1)) => found,
        Err(_) => None,
    }
}

fn owned(text: Option<Cow<'_, str>>) -> Cow<'static, str> {
    Cow::Owned(text.unwrap_or_default().into_owned())
}

/// Anthropic's `type` or Google's `status`.
fn name<'a>(error: &Object<'a>) -> Option<Cow<'a, str>> {
    error.text("type").or_else(|| error.text("status"))
}

/// What the provider calls the error that it reported where an answer was due.
pub(super) fn in_band(body: &Object<'_>) -> Fault {
    let error = body.object("error");
    let own = || body.text("type").filter(|kind| kind != "error");
    let name = error.as_ref().and_then(name).or_else(own);
    Fault::InBand(error_name(&name.unwrap_or_default()))
}

/// The same of a list of errors, if the text is one.
pub(super) fn in_list(text: &str) -> Option<Fault> {
    let (name, _) = listed(text)?;
    Some(Fault::InBand(error_name(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_class() {
        let said = |kind: &str, message: &str| format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
        let invalid = |message: &str| said("invalid_request_error", message);
        for (status, body, class) in [
            (400, invalid("max_tokens: Field required"), Class::Caller),
            (400, invalid("prompt is too long: 208310 tokens > 200000 maximum"), Class::ContextTooLong),
            (400, invalid("input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000"), Class::ContextTooLong),
            (400, invalid("Your credit balance is too low to access the Anthropic API."), Class::Credentials),
            (400, invalid("You have reached your specified API usage limits. You will regain access on 2026-12-01."), Class::Credentials),
            (400, invalid("This organization has been disabled."), Class::Credentials),
            (400, invalid("Output blocked by content filtering policy"), Class::ContentPolicy),
            (400, invalid("messages.1.content.0: Invalid `signature` in `thinking` block"), Class::Caller),
            (401, said("authentication_error", "invalid x-api-key"), Class::Credentials),
            (402, said("billing_error", "Your credit balance is too low"), Class::Credentials),
            (403, said("permission_error", "Your API key does not have permission"), Class::Credentials),
            (404, said("not_found_error", "model: claude-0"), Class::Credentials),
            (413, said("request_too_large", "Request exceeds the maximum size"), Class::ContextTooLong),
            (413, "<html>".to_owned(), Class::ContextTooLong),
            (429, said("rate_limit_error", "This request would exceed your organization's rate limit"), Class::RateLimited),
            (500, said("api_error", "Internal server error"), Class::Unavailable),
            (504, said("timeout_error", "Request timed out"), Class::Unavailable),
            (529, said("overloaded_error", "Overloaded"), Class::Overloaded),
            (429, r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}"#.into(), Class::RateLimited),
            (403, r#"[{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}]"#.into(), Class::Credentials),
            (
                400,
                r#"[{"error":{"code":400,"message":"Publisher Model `projects/p/x` is not servable in region us-central1.","status":"FAILED_PRECONDITION"}}]"#.into(),
                Class::Credentials,
            ),
            (400, r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}},7]"#.into(), Class::Credentials),
        ] {
            assert_eq!(read(status, body.as_bytes()).class, class, "{status} {body}");
        }
    }

    #[test]
    fn the_message_is_found_in_every_form() {
        for (body, message) in [
            (r#"{"type":"error","error":{"type":"x","message":"a \"b\""}}"#, "a \"b\""),
            (r#"[{"error":{"code":404,"message":"not found","status":"NOT_FOUND"}}]"#, "not found"),
            (r#"{"error":"no"}"#, "no"),
            (r#"{"message":"no"}"#, "no"),
            (r#"{"detail":"no"}"#, "no"),
            (r#"{"error":7}"#, "the provider refused the request"),
            ("[]", "the provider refused the request"),
            ("[7]", "the provider refused the request"),
            ("<html>", "the provider refused the request"),
        ] {
            assert_eq!(read(400, body.as_bytes()).message, message, "{body}");
        }
    }
}
