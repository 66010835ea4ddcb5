//! Envoy's own answers in the form of the API's errors.
//!
//! What Envoy refuses before the filter runs (malformed HTTP, headers too large, a request that never
//! ends) and what it says when the filter trapped would otherwise be plain text. The filter's own
//! refusals pass here too and must stay as they are: they are the only local answers whose
//! `response.code_details` is empty, because the SDK's `send_http_response` gives none and Envoy
//! itself always gives some.

use neural_router::config::Config;
use serde_json::{Value, json};

use super::{extension, health};

/// What Envoy's status becomes.
struct Reply {
    /// CEL over Envoy's status.
    when: &'static str,
    status: u16,
    kind: &'static str,
    message: String,
    code: Option<&'static str>,
}

/// The mappers of the connection manager; the first that matches counts.
pub(super) fn configuration(config: &Config) -> Value {
    let mappers: Vec<Value> = std::iter::once(health::reply()).chain(replies(config).iter().map(mapper)).collect();
    json!({"mappers": mappers})
}

fn replies(config: &Config) -> Vec<Reply> {
    let refusal =
        |when, status, code, message: &str| Reply { when, status, kind: "invalid_request", message: message.to_owned(), code: Some(code) };
    vec![
        refusal("response.code == 404", 404, "unknown_url", "There is nothing at this URL."),
        refusal("response.code == 408", 408, "request_timeout", "The request did not arrive in time."),
        refusal(
            "response.code == 413",
            400,
            "request_too_large",
            &format!("The request body is larger than the limit of {} bytes.", config.max_request_bytes),
        ),
        refusal("response.code == 426", 426, "http_version", "HTTP/1.0 is not spoken here; use HTTP/1.1 or HTTP/2."),
        refusal("response.code == 431", 431, "headers_too_large", "The request headers are larger than the limit."),
        refusal(
            "(response.code >= 400 && response.code < 500 || response.code == 501)",
            400,
            "malformed_http",
            "The request is not valid HTTP.",
        ),
        Reply {
            when: "response.code_details == 'overload'",
            status: 503,
            kind: "no_provider_available",
            message: "The gateway has too much to do; this call was not begun.".to_owned(),
            code: Some("overloaded"),
        },
        Reply {
            when: "response.code >= 500",
            status: 503,
            kind: "no_provider_available",
            message: "The gateway could not complete the call.".to_owned(),
            code: None,
        },
    ]
}

fn mapper(reply: &Reply) -> Value {
    let body = json!({"error": {"type": reply.kind, "message": reply.message, "code": reply.code, "param": null}});
    // The id of the call; where it was refused before it had one, an id of its own.
    let mut headers = vec![header("x-request-id", "%STREAM_ID%"), header("x-request-id", "%UNIQUE_ID%")];
    if reply.status == 503 {
        headers.push(header("retry-after", "1"));
    }
    json!({
        "filter": {"extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            json!({"expression": format!("response.code_details != '' && {}", reply.when)}),
        )},
        "status_code": reply.status,
        "headers_to_add": headers,
        "body_format_override": {
            "text_format_source": {"inline_string": body.to_string()},
            "content_type": "application/json",
        },
    })
}

fn header(key: &str, value: &str) -> Value {
    json!({"header": {"key": key, "value": value}, "append_action": "ADD_IF_ABSENT"})
}
