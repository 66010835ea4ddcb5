//! Refusals (<https://cloud.google.com/apis/design/errors>):
//! `{"error": {"code", "message", "status", "details": [{"@type", "reason"}]}}`, alone or in an array.

use super::candidate;
use crate::provider::classify::classify;
use crate::provider::translate::json::{Object, elements};
use crate::provider::{Class, Failed, refusal};

/// More details than any error has.
const MAX_DETAILS: usize = 64;

/// Sentences on what a model cannot do, for which there is no code: another candidate may.
const OF_THE_MODEL: [&str; 9] = [
    "is not enabled for",
    "not supported for this model",
    "not supported by the model",
    "not supported by this model",
    "model does not support",
    "this model only",
    "response mime type",
    "thought signature",
    "thought_signature",
];

/// Whose fault it is, and what to tell the caller.
pub(in crate::provider) fn read(status: u16, body: &[u8]) -> Failed {
    let answer = core::str::from_utf8(body).ok().and_then(candidate::answer);
    let error = answer.as_ref().and_then(|answer| answer.object("error"));
    let said = error.as_ref().and_then(|error| error.text("message"));
    let bare = || answer.as_ref().and_then(|answer| ["error", "message", "detail"].iter().find_map(|name| answer.text(name)));
    let message = said.or_else(bare).unwrap_or_default();
    let code = error.as_ref().map(code).unwrap_or_default();
    let lower = message.to_ascii_lowercase();
    let class = match classify(status, &code, &message) {
        // Billing, places and terms of the account: what the caller has asked for is not looked at.
        Class::Caller if code == "FAILED_PRECONDITION" => Class::Credentials,
        Class::Caller | Class::Credentials if status == 400 && OF_THE_MODEL.iter().any(|words| lower.contains(words)) => Class::Unavailable,
        class => class,
    };
    Failed { class, message: refusal(&without_project(&message)), param: None, code: None }
}

/// The reason of the first detail that has one, or the status: names of the error, the finer first.
fn code(error: &Object<'_>) -> String {
    let mut reason = None;
    let visit = |_, detail: Object<'_>| {
        if reason.is_none() {
            reason = detail.text("reason").map(|reason| reason.into_owned());
        }
        Ok::<_, ()>(())
    };
    // Details of another form have no reason.
    let _ = error.find("details").map(|details| elements(details, MAX_DETAILS, visit));
    reason.or_else(|| error.text("status").map(|status| status.into_owned())).unwrap_or_default()
}

/// The message without names and numbers of projects, which are ours.
fn without_project(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut after_project = false;
    for word in message.split_inclusive(' ') {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let numbered = after_project && bare.starts_with(|c: char| c.is_ascii_digit());
        if numbered || ["projects/", "project_number:", "project:"].iter().any(|name| bare.contains(name)) {
            out.push_str("[redacted]");
            out.push_str(if word.ends_with(' ') { " " } else { "" });
        } else {
            out.push_str(word);
        }
        after_project = bare.eq_ignore_ascii_case("project");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_a_refusal_is_read() {
        let wrapped = |error: &str| format!(r#"{{"error":{error}}}"#);
        for (status, body, class, message) in [
            (
                400,
                wrapped(
                    r#"{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}"#,
                ),
                Class::Credentials,
                "API key not valid. Please pass a valid API key.",
            ),
            (
                400,
                wrapped(r#"{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}"#),
                Class::Credentials,
                "User location is not supported for the API use.",
            ),
            (
                400,
                wrapped(r#"{"code":400,"message":"Something about the account.","status":"FAILED_PRECONDITION"}"#),
                Class::Credentials,
                "Something about the account.",
            ),
            (
                400,
                wrapped(
                    r#"{"code":400,"message":"* GenerateContentRequest.contents: contents is not specified\n","status":"INVALID_ARGUMENT"}"#,
                ),
                Class::Caller,
                "* GenerateContentRequest.contents: contents is not specified ",
            ),
            (
                400,
                wrapped(r#"{"code":400,"message":"Penalty is not enabled for models/gemini-2.5-flash","status":"INVALID_ARGUMENT"}"#),
                Class::Unavailable,
                "Penalty is not enabled for models/gemini-2.5-flash",
            ),
            (
                400,
                wrapped(r#"{"code":400,"message":"Corrupted thought signature.","status":"INVALID_ARGUMENT"}"#),
                Class::Unavailable,
                "Corrupted thought signature.",
            ),
            (
                400,
                wrapped(
                    r#"{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).","status":"INVALID_ARGUMENT"}"#,
                ),
                Class::ContextTooLong,
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
            ),
            (
                403,
                wrapped(
                    r#"{"code":403,"message":"Generative Language API has not been used in project 123456789 before or it is disabled.","status":"PERMISSION_DENIED"}"#,
                ),
                Class::Credentials,
                "Generative Language API has not been used in project [redacted] before or it is disabled.",
            ),
            (
                403,
                wrapped(
                    r#"{"code":403,"message":"Permission 'x.predict' denied on resource '//aiplatform.googleapis.com/projects/acme-prod/locations/us' .","status":"PERMISSION_DENIED"}"#,
                ),
                Class::Credentials,
                "Permission 'x.predict' denied on resource [redacted] .",
            ),
            (
                404,
                wrapped(r#"{"code":404,"message":"models/x is not found for API version v1beta","status":"NOT_FOUND"}"#),
                Class::Credentials,
                "models/x is not found for API version v1beta",
            ),
            (
                429,
                format!(
                    "[{}]",
                    wrapped(
                        r#"{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}"#
                    )
                ),
                Class::RateLimited,
                "You exceeded your current quota, please check your plan and billing details.",
            ),
            (
                503,
                wrapped(r#"{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}"#),
                Class::Overloaded,
                "The model is overloaded. Please try again later.",
            ),
            (
                504,
                wrapped(r#"{"code":504,"message":"Deadline expired before operation could complete.","status":"DEADLINE_EXCEEDED"}"#),
                Class::Unavailable,
                "Deadline expired before operation could complete.",
            ),
            (
                400,
                wrapped(
                    r#"{"code":400,"message":"Unable to submit request because thinking is not supported by this model.","status":"INVALID_ARGUMENT"}"#,
                ),
                Class::Unavailable,
                "Unable to submit request because thinking is not supported by this model.",
            ),
            (
                400,
                wrapped(
                    r#"{"code":400,"message":"Budget 0 is invalid. This model only works in thinking mode.","status":"INVALID_ARGUMENT"}"#,
                ),
                Class::Unavailable,
                "Budget 0 is invalid. This model only works in thinking mode.",
            ),
            (400, r#"{"error":"bad"}"#.to_owned(), Class::Caller, "bad"),
            (400, r#"{"message":"bad"}"#.to_owned(), Class::Caller, "bad"),
            (400, "<html>".to_owned(), Class::Caller, "the provider refused the request"),
        ] {
            assert_eq!(read(status, body.as_bytes()), Failed { class, message: message.to_owned(), param: None, code: None }, "{body}");
        }
    }
}
