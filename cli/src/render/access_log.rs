//! One JSON line per call on standard output: who, what, how long, and which candidates were tried.
//! Never a credential, a query string, a body or any header the client chose besides the path and the id of its trace.

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

/// The trace's id of a call that is traced, or would be if its caller or the sampling had it so.
const TRACE_ID: &str = "%TRACE_ID%";

/// The same where nothing is traced: Envoy knows no trace then, and the caller's header passes by. What is not in the
/// form of <https://www.w3.org/TR/trace-context/#traceparent-header> is nothing, as far as Envoy takes a pattern: it gives
/// one longer than this no result.
const CALLERS_TRACE_ID: &str =
    r"%CEL(re.extract(request.headers['traceparent'], '^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]+-[0-9a-f]{2}$', '\\1'))%";

/// The access log of the connection manager. `traced`: whether it has a tracer.
pub(super) fn configuration(traced: bool) -> Value {
    json!([extension(
        "envoy.access_loggers.stdout",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        json!({"log_format": {"json_format": {
            "time": "%START_TIME%",
            "request_id": REQUEST_ID,
            "trace_id": if traced { TRACE_ID } else { CALLERS_TRACE_ID },
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
