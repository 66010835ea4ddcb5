//! The listener and its HTTP connection manager: what is let in, in which form, and for how long.

use neural_router::config::{Config, ConfigError, Document};
use serde_json::{Value, json};

use super::{BUFFER, Places, access_log, certificate, cors, extension, health, local_reply, millis, route, seat, socket, tracing};

/// For headers to arrive, so that slow ones cannot hold connections.
const HEADERS_TIMEOUT: &str = "10s";

/// For a whole request to arrive: 16 MiB at about 1 Mbit/s.
const REQUEST_TIMEOUT: &str = "130s";

/// Keeps a connection of a client that says nothing.
const CONNECTION_IDLE_TIMEOUT: &str = "900s";

/// Of one connection at a time; a client with more calls opens another connection. The window of a
/// stream lets a whole prompt of usual size come in one go, that of the connection bounds what all
/// its streams may have on the way to us.
const MAX_STREAMS: u32 = 100;
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

const MAX_HEADERS_KB: u32 = 60;
const MAX_HEADERS: u32 = 100;

/// The listener of a document.
pub(super) fn http(document: &Document, config: &Config, places: &Places<'_>) -> Result<Value, ConfigError> {
    let manager = extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        connection_manager(document, config, places)?,
    );
    let mut chain = json!({"filters": [manager]});
    if document.listen.tls.is_some() {
        chain["transport_socket"] = certificate::socket(places);
        chain["transport_socket_connect_timeout"] = certificate::HANDSHAKE_TIMEOUT.into();
    }
    Ok(json!({
        "name": "clients",
        "address": socket(&document.listen.address, document.listen.port),
        "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [chain],
    }))
}

fn connection_manager(document: &Document, config: &Config, places: &Places<'_>) -> Result<Value, ConfigError> {
    let router = extension(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        json!({"suppress_envoy_headers": true, "start_child_span": false}),
    );
    // The filter would refuse a preflight, so what answers for pages comes before it.
    let mut filters = vec![health::check()];
    filters.extend(document.listen.cors.iter().flat_map(cors::filters));
    filters.extend([seat::router(document, places)?, router]);
    let mut manager = json!({
        "stat_prefix": "clients",
        "codec_type": "AUTO",
        "http_filters": filters,
        "route_config": route::configuration(document, config),
        "local_reply_config": local_reply::configuration(config),
        "access_log": access_log::configuration(document.telemetry.traces.is_some()),
    });
    if let Some(traces) = &document.telemetry.traces {
        manager["tracing"] = tracing::configuration(traces)?;
        manager["early_header_mutation_extensions"] = tracing::cleaning();
    }
    let settings = [identity(), limits(config), paths()];
    for (key, value) in settings.into_iter().filter_map(|part| part.as_object().cloned()).flatten() {
        manager[key] = value;
    }
    Ok(manager)
}

/// Nobody is trusted to say who they are: no address counts as internal, so Envoy itself drops the
/// `x-envoy-*` headers of clients and gives every call an id of its own. Providers are not told the
/// client's address. The `server` header stays what the filter lets through, which is none.
fn identity() -> Value {
    json!({
        "use_remote_address": true,
        "xff_num_trusted_hops": 0,
        // An empty list would mean the private networks; nobody calls from this address.
        "internal_address_config": {"cidr_ranges": [{"address_prefix": "0.0.0.0", "prefix_len": 32}]},
        "skip_xff_append": true,
        "generate_request_id": true,
        "preserve_external_request_id": false,
        "always_set_request_id_in_response": true,
        "request_id_extension": {"typed_config": super::typed(
            "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
            json!({"pack_trace_reason": false, "use_request_id_for_trace_sampling": false}),
        )},
        "server_header_transformation": "PASS_THROUGH",
    })
}

fn limits(config: &Config) -> Value {
    // Silence on a stream is bounded by the filter's timeouts; this one only collects what they missed.
    let longest_silence = u64::from(config.routing.total_timeout_ms) + 30_000;
    json!({
        "request_headers_timeout": HEADERS_TIMEOUT,
        "request_timeout": REQUEST_TIMEOUT,
        "stream_idle_timeout": millis(longest_silence),
        // A client whose stream is torn learns it at once, and still has time to read what was sent.
        "delayed_close_timeout": "0.250s",
        // What a provider is told of the scheme is how it is reached, not what a client wrote.
        "scheme_header_transformation": {"match_upstream": true},
        "max_request_headers_kb": MAX_HEADERS_KB,
        "common_http_protocol_options": {
            "idle_timeout": CONNECTION_IDLE_TIMEOUT,
            "max_headers_count": MAX_HEADERS,
            // `x_y` and `x-y` are one header to some servers and two to others.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": MAX_STREAMS,
            "initial_stream_window_size": STREAM_WINDOW,
            "initial_connection_window_size": CONNECTION_WINDOW,
            // A bad request ends its stream, not the other calls on the connection.
            "override_stream_error_on_invalid_http_message": true,
        },
    })
}

/// `%2F` stays as it is: an id of a model may hold a slash.
fn paths() -> Value {
    json!({
        "normalize_path": true,
        "merge_slashes": false,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
    })
}
