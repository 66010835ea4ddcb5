//! Spans: what Envoy's OpenTelemetry tracer is told, and how it reaches the collector.
//!
//! Envoy makes the spans, since it knows when a call and its attempts begin and end, and passes the trace on: a call
//! continues its caller's, and each attempt hands its own to the provider. What only the filter knows it leaves in
//! filter state, and a span's attributes are read from there.

use neural_router::config::ConfigError;
use neural_router::config::catalog::{Endpoint, Provider};
use neural_router::config::document::{Otlp, Traces};
use neural_router::handoff::span;
use serde_json::{Value, json};

use super::{Places, access_log, cluster, extension, typed};

const CLUSTER: &str = "traces";

/// A collector that takes longer loses the spans; calls never wait for it.
const TIMEOUT: &str = "5s";

/// Envoy would send every five spans, which is every other call. A span is about a kilobyte, and collectors take
/// messages of four megabytes.
const MOST_SPANS: u32 = 512;

const FLUSH_MS: u32 = 1_000;

/// What the connection manager is told.
pub(super) fn configuration(traces: &Traces) -> Result<Value, ConfigError> {
    let fixed = [
        ("http.request.method", "%REQ(:METHOD)%"),
        ("http.response.status_code", "%RESPONSE_CODE%"),
        ("url.path", access_log::PATH),
        // Envoy's own would have the query, in which some clients send keys.
        ("http.url", access_log::PATH),
    ];
    let of_filter = span::ATTRIBUTES.iter().map(|(attribute, state)| json!({"tag": attribute, "value": of_state(state)}));
    let tags: Vec<Value> = fixed.iter().map(|(tag, value)| json!({"tag": tag, "value": value})).chain(of_filter).collect();
    Ok(json!({
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": typed("envoy.config.trace.v3.OpenTelemetryConfig", tracer(traces)?),
        },
        // One for every attempt.
        "spawn_upstream_span": true,
        "operation": format!(
            r#"%COALESCE({{"operators": [{{"command": "FILTER_STATE", "param": "wasm.{}:PLAIN"}}, {{"command": "REQ", "param": ":METHOD"}}]}})%"#,
            span::NAME
        ),
        "upstream_operation": format!("{} {}", of_state(span::OPERATION), of_state(span::DEPLOYMENT)),
        "custom_tags": tags,
    }))
}

fn of_state(state: &str) -> String {
    format!("%FILTER_STATE(wasm.{state}:PLAIN)%")
}

fn tracer(traces: &Traces) -> Result<Value, ConfigError> {
    let endpoint = endpoint(traces)?;
    let mut tracer = json!({"service_name": traces.service_name, "sampler": sampler(traces.sampling)});
    match traces.protocol {
        Otlp::Grpc => {
            tracer["grpc_service"] = json!({"envoy_grpc": {"cluster_name": CLUSTER, "authority": endpoint.authority}, "timeout": TIMEOUT});
        }
        Otlp::Http => {
            let uri = [traces.endpoint.trim_end_matches('/'), "/v1/traces"].concat();
            tracer["http_service"] = json!({"http_uri": {"uri": uri, "cluster": CLUSTER, "timeout": TIMEOUT}});
        }
    }
    Ok(tracer)
}

/// A call goes by its caller's decision, and one without a caller's by its trace's id, so that gateways agree on it. The
/// connection manager's own sampling goes by request ids, which calls are free of here.
fn sampler(share: f64) -> Value {
    let per_million = (share * 1e6).round() as u32;
    let by_id = extension(
        "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        "envoy.extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig",
        json!({"sampling_percentage": {"numerator": per_million, "denominator": "MILLION"}}),
    );
    extension(
        "envoy.tracers.opentelemetry.samplers.parent_based",
        "envoy.extensions.tracers.opentelemetry.samplers.v3.ParentBasedSamplerConfig",
        json!({"wrapped_sampler": by_id}),
    )
}

/// What Envoy copies from a client's headers into spans, also of calls that nobody has authenticated. A byte that is no
/// UTF-8 would make the message unreadable to the collector, which then refuses every span in it.
const COPIED: [&str; 3] = ["tracestate", "user-agent", "content-type"];

/// The same, of headers that nobody needs.
const COPIED_FOR_NOTHING: [&str; 2] = ["x-client-trace-id", "grpc-timeout"];

/// Before the span of a call begins: what is not printable ASCII becomes empty.
pub(super) fn cleaning() -> Value {
    let clean = |header: &&str| {
        let value = format!("%CEL(request.headers['{header}'].matches('^[ -~]*$') ? request.headers['{header}'] : '')%");
        json!({"append": {
            "header": {"key": header, "value": value},
            "append_action": "OVERWRITE_IF_EXISTS",
            "keep_empty_value": true,
        }})
    };
    let mutations: Vec<Value> = COPIED_FOR_NOTHING.iter().map(|header| json!({"remove": header})).chain(COPIED.iter().map(clean)).collect();
    json!([extension(
        "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        json!({"mutations": mutations}),
    )])
}

/// How Envoy reaches the collector.
pub(super) fn collector(traces: &Traces, places: &Places<'_>) -> Result<Value, ConfigError> {
    let endpoint = endpoint(traces)?;
    let mut cluster = cluster::plain(CLUSTER, &endpoint, places);
    if traces.protocol == Otlp::Grpc && !endpoint.tls {
        let options = &mut cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
        options["explicit_http_config"] = json!({"http2_protocol_options": {}});
    }
    Ok(cluster)
}

fn endpoint(traces: &Traces) -> Result<Endpoint, ConfigError> {
    Endpoint::parse(&traces.endpoint).map_err(|message| ConfigError::new("telemetry.traces.endpoint", message))
}

/// How often spans are sent, as a layer of Envoy's runtime.
pub(super) fn runtime() -> Value {
    let settings = json!({"tracing.opentelemetry.flush_interval_ms": FLUSH_MS, "tracing.opentelemetry.min_flush_spans": MOST_SPANS});
    json!({"name": "traces", "static_layer": settings})
}

/// What OpenTelemetry calls who speaks a provider's protocol, where it has a name for them
/// (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/>).
pub(super) fn name_of(provider: &Provider) -> &'static str {
    match provider.protocol.name {
        "azure-openai" => "azure.ai.openai",
        "bedrock" => "aws.bedrock",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "vertex" => "gcp.vertex_ai",
        "xai" => "x_ai",
        other => other,
    }
}
