//! What Bedrock says when it refuses
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html>):
//! `{"message"}` or `{"Message"}`; the name of the exception is in a header, sometimes in `__type` too.

use crate::provider::classify::classify;
use crate::provider::translate::json::Object;
use crate::provider::{Class, Failed, refusal};

/// Reads the body of an answer of 400 or more.
pub(super) fn read(status: u16, body: &[u8]) -> Failed {
    let said = core::str::from_utf8(body).ok().and_then(Object::read);
    let text = |name: &str| said.as_ref().and_then(|said| said.text(name));
    let name = text("__type").map(|name| exception(&name).to_owned()).unwrap_or_default();
    let message = text("message").or_else(|| text("Message")).or_else(|| text("errorMessage")).unwrap_or_default();
    Failed { class: class(status, &name, &message), message: refusal(&message), param: None, code: None }
}

/// `ThrottlingException` of `com.amazon.coral.availability#ThrottlingException` or
/// `ThrottlingException:http://…`.
pub(super) fn exception(name: &str) -> &str {
    let name = name.rsplit_once('#').map_or(name, |(_, name)| name);
    name.split_once(':').map_or(name, |(name, _)| name)
}

/// Sentences on what a model cannot do, for which there is no name: another candidate may.
const OF_THE_MODEL: [&str; 8] = [
    "This model doesn't support",
    "This model doesn’t support",
    "This model does not support",
    "not supported for this model",
    "not supported by this model",
    "model is unsupported for",
    "model that you are using requires",
    "Conversation blocks and tool result blocks",
];

fn class(status: u16, name: &str, message: &str) -> Class {
    let says = |words: &str| memchr::memmem::find(message.as_bytes(), words.as_bytes()).is_some();
    match status {
        // ModelNotReadyException; the other 429 says "Too many tokens" and means by the minute.
        429 if name == "ModelNotReadyException" || says("not ready") => Class::Overloaded,
        429 => Class::RateLimited,
        400 if name == "ServiceQuotaExceededException" => Class::RateLimited,
        // What models answer themselves, behind "The model returned the following errors: ".
        400 if says("exceed context limit") => Class::ContextTooLong,
        400 if says("content filtering policy") => Class::ContentPolicy,
        // An account that is not let in.
        400 if message.trim_end_matches('.') == "Operation not allowed" => Class::Credentials,
        400 if OF_THE_MODEL.iter().any(|words| says(words)) => Class::Unavailable,
        _ => classify(status, name, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exception_has_its_class() {
        for (status, name, message, expected) in [
            (400, "ValidationException", "The text field in the ContentBlock object at messages.0.content.0 is blank.", Class::Caller),
            (400, "", "Input is too long for requested model.", Class::ContextTooLong),
            (
                400,
                "",
                "The model returned the following errors: input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
                Class::ContextTooLong,
            ),
            (400, "", "The provided model identifier is invalid.", Class::Credentials),
            (
                400,
                "",
                "Invocation of model ID anthropic.claude-sonnet-4-5-20250929-v1:0 with on-demand throughput isn’t supported.",
                Class::Credentials,
            ),
            (400, "", "Output blocked by content filtering policy", Class::ContentPolicy),
            (400, "ValidationException", "Operation not allowed", Class::Credentials),
            (400, "", "This model doesn't support tool use in streaming mode.", Class::Unavailable),
            (
                400,
                "",
                "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.",
                Class::Unavailable,
            ),
            (400, "", "The model is unsupported for streaming.", Class::Unavailable),
            (
                400,
                "",
                "messages.2.content: Conversation blocks and tool result blocks cannot be provided in the same turn.",
                Class::Unavailable,
            ),
            (400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.", Class::RateLimited),
            (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", Class::Credentials),
            (403, "", "The security token included in the request is invalid.", Class::Credentials),
            (404, "ResourceNotFoundException", "This model version has reached the end of its life.", Class::Credentials),
            (408, "ModelTimeoutException", "Model has timed out in processing the request.", Class::Unavailable),
            (424, "ModelErrorException", "The system encountered an unexpected error during processing.", Class::Unavailable),
            (429, "", "Too many tokens, please wait before trying again.", Class::RateLimited),
            (429, "ThrottlingException", "Too many requests, please wait before trying again.", Class::RateLimited),
            (429, "", "Model is not ready for inference. Wait and try your request again.", Class::Overloaded),
            (429, "ModelNotReadyException", "", Class::Overloaded),
            (500, "InternalServerException", "The system encountered an unexpected error during processing.", Class::Unavailable),
            (503, "ServiceUnavailableException", "Bedrock is unable to process your request.", Class::Overloaded),
        ] {
            assert_eq!(class(status, name, message), expected, "{status} {name} {message}");
        }
    }

    #[test]
    fn every_form_of_a_refusal_is_read() {
        for (body, class, message) in [
            (r#"{"message":"no"}"#, Class::Caller, "no"),
            (r#"{"Message":"no"}"#, Class::Caller, "no"),
            (r#"{"__type":"com.amazon.coral.availability#ThrottlingException","message":"no"}"#, Class::RateLimited, "no"),
            (
                r#"{"__type":"ThrottlingException:http://internal.amazon.com/coral/"}"#,
                Class::RateLimited,
                "the provider refused the request",
            ),
            (r#"{"message":null}"#, Class::Caller, "the provider refused the request"),
            (r#"{"message":{}}"#, Class::Caller, "the provider refused the request"),
            ("<UnknownOperationException/>", Class::Caller, "the provider refused the request"),
            ("[]", Class::Caller, "the provider refused the request"),
            ("", Class::Caller, "the provider refused the request"),
        ] {
            let expected = Failed { class, message: message.into(), param: None, code: None };
            assert_eq!(read(400, body.as_bytes()), expected, "{body}");
        }
        assert_eq!(read(400, b"\xff").class, Class::Caller);
    }
}
