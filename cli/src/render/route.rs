//! One route for everything: the cluster is whatever the filter's pointer names, looked up again for
//! every attempt, so that each retry goes to the next candidate.

use neural_router::config::{Config, Document};
use serde_json::{Map, Value, json};

use super::{cors, extension, typed};

const RETRIABLE: u16 = 503;

/// More than a configuration can ask for; the filter sets the number of each call by header.
const RETRIES: u32 = 16;

/// Filter state that names the cluster of the next attempt.
const POINTER: &str = "wasm.nr_next";

/// The route configuration.
pub(super) fn configuration(document: &Document, config: &Config) -> Value {
    let mut host = json!({
        "name": "neural_router",
        "domains": ["*"],
        "routes": [{
            "name": "call",
            "match": {"prefix": "/"},
            "request_body_buffer_limit": buffer_limit(config),
            "route": {
                "inline_cluster_specifier_plugin": {"extension": by_pointer(config)},
                "cluster_not_found_response_code": "SERVICE_UNAVAILABLE",
                // Streams take as long as they take; the filter bounds attempts and calls by header.
                "timeout": "0s",
                "retry_policy": retry_policy(),
            },
        }],
    });
    for (field, value) in document.listen.cors.iter().flat_map(cors::of_host) {
        host[field] = value;
    }
    json!({"name": "neural_router", "virtual_hosts": [host]})
}

/// Where the clusters a call may name are.
const KNOWN: &str = "/virtual_hosts/0/routes/0/route/inline_cluster_specifier_plugin/extension/typed_config\
                     /cluster_matcher/matcher_tree/exact_match_map/map";

/// Lets calls name one more cluster.
pub(super) fn keep(configuration: &mut Value, cluster: &str) {
    if let Some(known) = configuration.pointer_mut(KNOWN).and_then(Value::as_object_mut) {
        known.insert(cluster.to_owned(), to(cluster));
    }
}

/// What the filter holds of an answer with embeddings.
const LONGEST_ANSWER: u64 = 40 << 20;

/// Above the filter's own limits, so that the filter answers and names the limit. Envoy's default of
/// 1 MiB would refuse requests, cut answers and silently stop retrying larger calls.
fn buffer_limit(config: &Config) -> u64 {
    u64::from(config.max_request_bytes).max(LONGEST_ANSWER) + (1 << 20)
}

fn by_pointer(config: &Config) -> Value {
    let clusters: Map<String, Value> =
        config.catalog.providers().iter().map(|provider| (provider.cluster.clone(), to(&provider.cluster))).collect();
    extension(
        "envoy.router.cluster_specifier_plugin.matcher",
        "envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
        json!({"cluster_matcher": {"matcher_tree": {
            "input": {
                "name": "next_candidate",
                "typed_config": typed(
                    "envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
                    json!({"key": POINTER}),
                ),
            },
            "exact_match_map": {"map": clusters},
        }}}),
    )
}

/// The action that sends an attempt to a cluster.
fn to(cluster: &str) -> Value {
    let action = extension(cluster, "envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction", json!({"cluster": cluster}));
    json!({"action": action})
}

fn retry_policy() -> Value {
    json!({
        // Which failures are retried is said by the filter, call by call: a call with one candidate has
        // nothing to retry, and Envoy need not keep a copy of its body.
        "retriable_status_codes": [RETRIABLE],
        "num_retries": RETRIES,
        "refresh_cluster_on_retry": true,
        // The next attempt goes to another provider: there is nobody to wait for.
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.010s"},
    })
}
