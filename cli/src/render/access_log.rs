//! One JSON line per call on standard output: who, what, how long, and which candidates were tried.
//! Never a credential, a query string, a body or any header the client chose besides the path.

use serde_json::{Value, json};

use super::extension;

/// What the client sees as `x-request-id`; a call without an answer has only the first of the two.
const REQUEST_ID: &str = r#"%COALESCE({"operators": [{"command": "RESP", "param": "x-request-id"}, "STREAM_ID"]})%"#;

/// The client's path without its query. The provider seat rewrites the request in place, so the filter
/// keeps the path as it came; what never reached the filter was never rewritten.
pub(super) const PATH: &str = concat!(
    r#"%COALESCE({"operators": [{"command": "FILTER_STATE", "param": "wasm.nr.path:PLAIN"}, "#,
    r#"{"command": "PATH", "param": "NQ"}]})%"#
);

/// The access log of the connection manager.
pub(super) fn configuration() -> Value {
    json!([extension(
        "envoy.access_loggers.stdout",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        json!({"log_format": {"json_format": {
            "time": "%START_TIME%",
            "request_id": REQUEST_ID,
            "protocol": "%PROTOCOL%",
            "method": "%REQ(:METHOD)%",
            "path": PATH,
            "status": "%RESPONSE_CODE%",
            "flags": "%RESPONSE_FLAGS%",
            "details": "%RESPONSE_CODE_DETAILS%",
            "duration_ms": "%DURATION%",
            "first_byte_ms": "%RESPONSE_DURATION%",
            "bytes_received": "%BYTES_RECEIVED%",
            "bytes_sent": "%BYTES_SENT%",
            "workspace": of_filter("workspace"),
            "key": of_filter("key"),
            "model": of_filter("model"),
            "decision": of_filter("decision"),
            "attempts": of_filter("trail"),
            "usage": of_filter("usage"),
            "end": of_filter("end"),
        }}}),
    )])
}

/// What the filter put into filter state for the log.
fn of_filter(name: &str) -> String {
    format!("%FILTER_STATE(wasm.nr.{name}:PLAIN)%")
}
