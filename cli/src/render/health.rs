//! `/healthz` while a gateway ends. The filter answers it as long as all is well; once Envoy has been told
//! that it is to end (`POST /healthcheck/fail`), which a filter cannot see, Envoy answers 503 itself, and
//! load balancers leave.

use serde_json::{Value, json};

use super::extension;

/// The filter that passes health checks on until then. It stands before whatever would answer them.
pub(super) fn check() -> Value {
    extension(
        "envoy.filters.http.health_check",
        "envoy.extensions.filters.http.health_check.v3.HealthCheck",
        json!({
            "pass_through_mode": true,
            "headers": [{"name": ":path", "string_match": {"exact": "/healthz"}}],
        }),
    )
}

/// What the answer of that filter says.
pub(super) fn reply() -> Value {
    json!({
        "filter": {"extension_filter": extension(
            "envoy.access_loggers.extension_filters.cel",
            "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            json!({"expression": "response.code_details == 'health_check_failed'"}),
        )},
        "body_format_override": {
            "text_format_source": {"inline_string": r#"{"status":"draining"}"#},
            "content_type": "application/json",
        },
    })
}
