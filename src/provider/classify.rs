//! Whose fault a refusal is, by the words that vendors use for it. Codes and types are compared first;
//! what is left to a sentence is what providers give no code for.

use super::Class;

/// Longest part of a message that is looked at, in bytes.
const MAX_LOOKED_AT: usize = 1024;

/// How one class is told.
struct Words {
    class: Class,
    /// Parts of codes and types, in lower case. They are the provider's own, so a part is enough.
    names: &'static [&'static str],
    /// Parts of sentences, in lower case. A sentence may repeat what the caller has called a tool or a member
    /// of a schema, so one word is never enough.
    phrases: &'static [&'static str],
}

/// In the order in which they are looked for.
///
/// A prompt that only does not fit together with the answer asked for is too long as well: providers give
/// both the same code, and a model with a larger window would answer. A `max_tokens` that no answer of the
/// model may have, whatever the prompt, is the caller's.
const WORDS: [Words; 6] = [
    Words {
        class: Class::ContextTooLong,
        names: &["context_length_exceeded", "exceed_context_size", "context_window_exceeded"],
        phrases: &[
            "context_length_exceeded",
            "context length",
            "context window",
            "context size",
            "context limit",
            "maximum prompt length",
            "prompt is too long",
            "prompt too long",
            "input is too long",
            "input too long",
            "input tokens exceeded",
            "too many input tokens",
            "too many tokens:",
            "input token count",
            "number of tokens in the prompt",
            "exceeds the maximum number of tokens",
            "exceeded model token limit",
            "tokens + `max_new_tokens`",
            "range of input length",
            "reduce the length of the messages",
        ],
    },
    Words {
        class: Class::ContentPolicy,
        names: &[
            "content_policy",
            "content_filter",
            "contentfilter",
            "responsibleaipolicyviolation",
            "invalid_prompt",
            "guardrail",
            "prohibited_content",
            "data_inspection_failed",
        ],
        phrases: &[
            "content policy",
            "content management policy",
            "content filtering policy",
            "usage policies",
            "usage policy",
            "usage guidelines",
            "safety system",
            "content exists risk",
            "considered high risk",
            "inappropriate content",
            "input flagged",
            "flagged as",
            "flagged for",
            "was flagged",
            "been flagged",
            "guardrail intervened",
            "blocked by guardrail",
        ],
    },
    Words {
        class: Class::RateLimited,
        names: &["rate_limit", "ratelimit", "throttl", "too_many_requests", "toomanyrequests", "resource_exhausted", "quotaexceeded"],
        phrases: &[
            "rate limit",
            "rate_limit_exceeded",
            "throttled",
            "throttling",
            "too many requests",
            "too many tokens, please wait",
            "tokens per minute",
            "requests per minute",
        ],
    },
    Words {
        class: Class::Credentials,
        names: &[
            "api_key",
            "apikey",
            "authentication",
            "unauthorized",
            "unauthenticated",
            "permission",
            "accessdenied",
            "access_denied",
            "invalidsignature",
            "unrecognizedclient",
            "expiredtoken",
            "insufficient_quota",
            "exceeded_current_quota",
            "insufficient_balance",
            "billing",
            "payment",
            "deactivated",
            "suspended",
            "invalid_model",
            "unknown_model",
            "model_not_found",
            "model_not_available",
            "model_not_supported",
            "model_decommissioned",
            "deploymentnotfound",
            "operationnotsupported",
            "unsupported_country",
        ],
        phrases: &[
            "api key not valid",
            "api key expired",
            "incorrect api key",
            "valid api key",
            "no api key",
            "missing api key",
            "api_key_invalid",
            "invalid_api_key",
            "authentication fail",
            "authentication credentials",
            "invalid authentication",
            "unauthorized",
            "permission denied",
            "permission_denied",
            "have permission",
            "access denied",
            "not authorized",
            "does not have access",
            "don't have access",
            "credit balance",
            "available credits",
            "spending limit",
            "api usage limits",
            "insufficient balance",
            "insufficient_quota",
            "insufficient quota",
            "billing details",
            "billing account",
            "enable billing",
            "payment required",
            "payment method",
            "is deactivated",
            "been deactivated",
            "is suspended",
            "been suspended",
            "organization must be verified",
            "model not found",
            "model not exist",
            "model does not exist",
            "invalid model:",
            "invalid model '",
            "not a valid model id",
            "not supported by any provider",
            "non-serverless model",
            "no models loaded",
            "has been decommissioned",
            "does not exist or you do not have access",
            "does not work with the specified model",
            "on-demand throughput",
            "model identifier is invalid",
            "security token",
            "request signature",
            "signature expired",
            "user location is not supported",
        ],
    },
    Words {
        class: Class::Overloaded,
        names: &["overloaded", "capacity", "model_not_ready", "modelnotready", "unavailable"],
        phrases: &[
            "overloaded",
            "over capacity",
            "at capacity",
            "capacity exceeded",
            "insufficient capacity",
            "no capacity",
            "currently loading",
            "too busy",
            "temporarily unavailable",
            "currently unavailable",
            "service unavailable",
        ],
    },
    // The model has written what the provider could not read, and the caller is told it was the prompt.
    Words { class: Class::Unavailable, names: &["tool_use_failed", "json_validate_failed"], phrases: &[] },
];

/// The class of a refusal with this status. `code` is the provider's own name of the error, a code or a
/// type, and may be empty; so may the message.
///
/// What speaks of our account can be said with any status of the caller's fault; a status that is not the
/// caller's fault never becomes one.
pub(super) fn classify(status: u16, code: &str, message: &str) -> Class {
    let by_status = Class::of_status(status);
    let (name, sentence) = (|| find(code, |words| words.names), || find(message, |words| words.phrases));
    let found = match by_status {
        // To be forbidden has one name, whatever the reason.
        Class::Credentials => sentence().or_else(name),
        _ => name().or_else(sentence),
    };
    match (by_status, found) {
        (Class::Caller, Some(class)) => class,
        // Tokens of a minute are too many, not those of a conversation; out of credit is no matter of waiting;
        // and some say with this status that they are busy with others.
        (Class::RateLimited, Some(class @ (Class::Credentials | Class::Overloaded))) => class,
        (Class::RateLimited, _) => Class::RateLimited,
        // A sentence on a conversation that is too long does not depend on what the status says.
        (_, Some(Class::ContextTooLong)) if status < 500 => Class::ContextTooLong,
        (Class::Credentials, Some(class @ (Class::RateLimited | Class::Overloaded | Class::ContentPolicy))) if status == 403 => class,
        _ => by_status,
    }
}

/// The class of an error inside an answer, by the provider's name for it, which may be the status that it would
/// have had.
pub(super) fn of_name(name: &str) -> Option<Class> {
    let status = name.parse().ok().filter(|status| (400..600).contains(status));
    status.map(Class::of_status).or_else(|| find(name, |words| words.names))
}

/// The first class one of whose words stands in the text.
fn find(text: &str, words: impl Fn(&Words) -> &'static [&'static str]) -> Option<Class> {
    let mut end = text.len().min(MAX_LOOKED_AT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default().to_ascii_lowercase();
    if text.is_empty() {
        return None;
    }
    let stands = |word: &&str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    WORDS.iter().find(|class| words(class).iter().any(stands)).map(|words| words.class)
}

#[cfg(test)]
mod tests;
