//! One cluster per provider: how Envoy reaches it, and the filter's seat before it; and one for each
//! token endpoint.

use std::net::IpAddr;

use neural_router::config::ConfigError;
use neural_router::config::catalog::{Endpoint, Provider};
use neural_router::config::document::{self, Document, HttpVersion};
use serde_json::{Value, json};

use super::{BUFFER, Places, authority, credential, extension, seat, socket, typed};

/// Includes the TLS handshake. A provider that needs longer is one to leave for the next candidate.
const CONNECT_TIMEOUT: &str = "3s";

/// Shorter than providers keep idle connections: a request on one they just closed costs a failover.
const IDLE_TIMEOUT: &str = "30s";

/// Far above any concurrency Envoy can reach. Its defaults (three retries at a time) disable failover
/// under load, and an overflow is final: it is not retried at the next candidate.
const UNLIMITED: u32 = 1_000_000;

/// The cluster of a provider. The seat comes first: what authenticates a request must see it as the
/// provider will.
pub(super) fn provider(
    provider: &Provider,
    written: &document::Provider,
    document: &Document,
    places: &Places<'_>,
) -> Result<Value, ConfigError> {
    let mut filters = vec![seat::provider(provider, document, places)?];
    filters.extend(credential::filter(provider, written, places)?);
    filters.push(extension(
        "envoy.filters.http.upstream_codec",
        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        json!({}),
    ));
    let how = Reach { http: written.http, own_authority: written.ca.as_ref().map(|_| provider.name.as_str()), places };
    Ok(cluster(&provider.cluster, &provider.endpoint, json!({"http_filters": filters}), how))
}

/// A cluster without filters.
pub(super) fn plain(name: &str, endpoint: &Endpoint, places: &Places<'_>) -> Value {
    cluster(name, endpoint, json!({}), Reach { http: None, own_authority: None, places })
}

/// How an endpoint is spoken to.
#[derive(Clone, Copy)]
struct Reach<'a> {
    /// The version that was asked for.
    http: Option<HttpVersion>,
    /// The provider, if its certificate is checked against an authority of its own and not against the machine's.
    own_authority: Option<&'a str>,
    places: &'a Places<'a>,
}

fn cluster(name: &str, endpoint: &Endpoint, mut protocol: Value, how: Reach<'_>) -> Value {
    protocol["common_http_protocol_options"] = json!({"idle_timeout": IDLE_TIMEOUT});
    match (how.http, endpoint.tls) {
        // What both sides know, by ALPN.
        (None, true) => protocol["auto_config"] = json!({"http_protocol_options": {}, "http2_protocol_options": http2()}),
        (None, false) | (Some(HttpVersion::One), _) => protocol["explicit_http_config"] = json!({"http_protocol_options": {}}),
        (Some(HttpVersion::Two), _) => protocol["explicit_http_config"] = json!({"http2_protocol_options": http2()}),
    }
    let mut cluster = json!({
        "name": name,
        "connect_timeout": CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": BUFFER,
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints(endpoint)},
        "circuit_breakers": {"thresholds": [thresholds("DEFAULT"), thresholds("HIGH")]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
                typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", protocol),
        },
    });
    if endpoint.host.parse::<IpAddr>().is_ok() {
        cluster["type"] = "STATIC".into();
    } else {
        cluster["cluster_type"] = dns();
    }
    if endpoint.tls {
        cluster["transport_socket"] = tls(endpoint, how);
    }
    cluster
}

/// The provider, and behind it an endpoint that refuses connections. While the provider's name does
/// not resolve, Envoy would answer "no healthy upstream", which ends a call; a refused connection is
/// retried at the next candidate.
fn endpoints(endpoint: &Endpoint) -> Value {
    let one = |host: &str, port| json!([{"endpoint": {"address": socket(host, port)}}]);
    json!([
        {"lb_endpoints": one(&endpoint.host, endpoint.port)},
        {"priority": 1, "lb_endpoints": one("127.0.0.1", 1)},
    ])
}

/// Every address is an endpoint of its own, as the second endpoint requires. IPv4 first: where a machine
/// has no way to an IPv6 address, half of all calls would otherwise go to the second choice.
fn dns() -> Value {
    extension(
        "envoy.clusters.dns",
        "envoy.extensions.clusters.dns.v3.DnsCluster",
        json!({
            "dns_lookup_family": "V4_PREFERRED",
            "respect_dns_ttl": true,
            "dns_failure_refresh_rate": {"base_interval": "1s", "max_interval": "10s"},
        }),
    )
}

fn thresholds(priority: &str) -> Value {
    json!({
        "priority": priority,
        "max_connections": UNLIMITED,
        "max_pending_requests": UNLIMITED,
        "max_requests": UNLIMITED,
        "max_retries": UNLIMITED,
    })
}

fn http2() -> Value {
    json!({
        "initial_connection_window_size": 4 << 20,
        "initial_stream_window_size": 1 << 20,
        "connection_keepalive": {"interval": "30s", "timeout": "5s"},
    })
}

/// What is offered when the connection is made; a server that knows none of it answers in HTTP/1.1.
fn alpn(http: Option<HttpVersion>) -> Value {
    match http {
        None => json!(["h2", "http/1.1"]),
        Some(HttpVersion::One) => json!(["http/1.1"]),
        Some(HttpVersion::Two) => json!(["h2"]),
    }
}

/// The name asked for and checked is the provider's, always. Envoy's `auto_sni` would ask for the
/// name the *client* wrote, because the request is rewritten after the connection was chosen.
fn tls(endpoint: &Endpoint, how: Reach<'_>) -> Value {
    let mut validation = json!({});
    let mut context = json!({});
    if endpoint.host.parse::<IpAddr>().is_ok() {
        validation["match_typed_subject_alt_names"] = json!([{"san_type": "IP_ADDRESS", "matcher": {"exact": endpoint.host}}]);
    } else {
        context["sni"] = endpoint.host.as_str().into();
        validation["match_typed_subject_alt_names"] = json!([{"san_type": "DNS", "matcher": {"exact": endpoint.host}}]);
    }
    context["common_tls_context"] = json!({
        "alpn_protocols": alpn(how.http),
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
    });
    if let Some(provider) = how.own_authority {
        context["common_tls_context"]["combined_validation_context"] = authority::watched(provider, validation, how.places);
    } else {
        validation["trusted_ca"] = json!({"filename": how.places.authorities});
        context["common_tls_context"]["validation_context"] = validation;
    }
    extension("envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", context)
}
