//! How Envoy shows what the filter measures: which part of a statistic's name is a label, the bounds of the buckets, and
//! the listener that Prometheus scrapes where the administration endpoint is out of its reach.
//!
//! Envoy takes a name apart once, when the statistic is made; nothing of this is paid for by a call (docs/decisions/0025).

use neural_router::config::Document;
use neural_router::config::document::Scrape;
use neural_router::meter::{Kind, LABELS, TABLE};
use serde_json::{Value, json};

use super::{extension, socket, typed};

/// Where the statistics of modules are, and what Prometheus is not shown of their names.
const NAMESPACE: &str = "wasmcustom";

/// `stats_config` of the bootstrap.
pub(super) fn configuration() -> Value {
    let tag = |label: &&str| json!({"tag_name": label, "regex": format!(r"^{NAMESPACE}\..*?(\.{label}=([^;]*);)")});
    let buckets = TABLE
        .iter()
        .filter(|row| row.kind == Kind::Histogram)
        .map(|row| json!({"match": {"prefix": format!("{NAMESPACE}.{}", row.name)}, "buckets": row.buckets}));
    json!({
        "stats_tags": LABELS.iter().map(tag).collect::<Vec<Value>>(),
        "histogram_bucket_settings": buckets.collect::<Vec<Value>>(),
    })
}

/// The administration endpoint as a cluster, for [`listener`].
const ADMIN: &str = "admin";

/// The listener for Prometheus and the cluster behind it, if the operator wants them. It has two paths, and nothing
/// else of the administration endpoint can be reached through it: `/metrics`, what the filter measures, with what it
/// means; and `/stats/prometheus`, all that Envoy counts.
pub(super) fn listener(document: &Document) -> Option<(Value, Value)> {
    let Scrape { address, port } = document.telemetry.metrics.listen.as_ref()?;
    let ours = format!("/stats/prometheus?usedonly&filter=^{NAMESPACE}");
    let routes = json!([
        {"name": "measured", "match": {"path": "/metrics", "headers": [get()]}, "route": {"cluster": ADMIN, "prefix_rewrite": ours}},
        {"name": "all", "match": {"path": "/stats/prometheus", "headers": [get()]}, "route": {"cluster": ADMIN},
         "typed_per_filter_config": {"explain": typed("envoy.extensions.filters.http.lua.v3.LuaPerRoute", json!({"disabled": true}))}},
    ]);
    let explain =
        extension("explain", "envoy.extensions.filters.http.lua.v3.Lua", json!({"default_source_code": {"inline_string": explaining()}}));
    let router = extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", json!({}));
    let manager = extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": "metrics",
            "http_filters": [explain, router],
            "normalize_path": true,
            "request_headers_timeout": "10s",
            "common_http_protocol_options": {"idle_timeout": "120s", "max_headers_count": 100},
            "route_config": {"name": "metrics", "virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": routes}]},
        }),
    );
    let listener = json!({
        "name": "metrics",
        "address": socket(address, *port),
        "filter_chains": [{"filters": [manager]}],
        // Neither a full proxy nor one that is shutting down is to be without figures.
        "ignore_global_conn_limit": true,
    });
    let admin = &document.admin;
    let endpoint = json!({"endpoint": {"address": socket(&admin.address, admin.port)}});
    let cluster = json!({
        "name": ADMIN,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": ADMIN, "endpoints": [{"lb_endpoints": [endpoint]}]},
    });
    Some((listener, cluster))
}

fn get() -> Value {
    json!({"name": ":method", "string_match": {"exact": "GET"}})
}

/// Envoy prints no HELP. The lines of all metrics stand before its page, where Prometheus's format allows them.
fn explaining() -> String {
    let lines: String = TABLE.iter().map(|row| format!("# HELP {} {}.\n", row.name, row.help)).collect();
    format!(
        "local help = [==[\n{lines}]==]\n\
         function envoy_on_response(handle)\n  \
           handle:headers():remove(\"content-length\")\n  \
           for chunk in handle:bodyChunks() do\n    \
             if chunk:length() > 0 then\n      \
               chunk:setBytes(help .. chunk:getBytes(0, chunk:length()))\n      \
               return\n    \
             end\n  \
           end\n\
         end\n"
    )
}
