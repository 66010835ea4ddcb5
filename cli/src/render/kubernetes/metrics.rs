//! Metrics for a scraper in the cluster. Envoy's administration asks for no password and can do
//! anything, so it stays on loopback; a listener of its own passes one path of it on, and nothing else.

use serde_json::{Value, json};

use crate::render::{extension, socket};

/// Where metrics are scraped.
pub(super) const PORT: u16 = 9902;

const PATH: &str = "/stats/prometheus";
const CLUSTER: &str = "administration";

/// Adds the listener and its cluster to a bootstrap.
pub(super) fn expose(bootstrap: &mut Value, admin: u16) {
    for (list, entry) in [("/static_resources/listeners", listener()), ("/static_resources/clusters", cluster(admin))] {
        if let Some(list) = bootstrap.pointer_mut(list).and_then(Value::as_array_mut) {
            list.push(entry);
        }
    }
}

fn listener() -> Value {
    let manager = json!({
        "stat_prefix": "metrics",
        "http_filters": [extension(
            "envoy.filters.http.router",
            "envoy.extensions.filters.http.router.v3.Router",
            json!({"suppress_envoy_headers": true}),
        )],
        "request_headers_timeout": "5s",
        "route_config": {"name": "metrics", "virtual_hosts": [{
            "name": "metrics",
            "domains": ["*"],
            "routes": [{
                "match": {"path": PATH, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
                "route": {"cluster": CLUSTER},
            }],
        }]},
    });
    json!({
        "name": "metrics",
        "address": socket("0.0.0.0", PORT),
        // Before there is memory pressure from calls, metrics must not be the first to go.
        "ignore_global_conn_limit": true,
        "filter_chains": [{"filters": [extension(
            "envoy.filters.network.http_connection_manager",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager,
        )]}],
    })
}

fn cluster(admin: u16) -> Value {
    json!({
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket("127.0.0.1", admin)}}]}],
        },
    })
}
