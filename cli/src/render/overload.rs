//! What Envoy does before it has too much of something: connections of clients, and its heap.
//!
//! Connections are always bounded; one above the bound is closed as it comes. The heap is bounded
//! where the configuration says how large it may be, since only the operator knows the machine. Then
//! load is shed in steps: idle memory goes back to the system, connections end after their answer,
//! new calls are refused with 503, and at last nobody is let in. No running call is ended: it has been
//! paid for, and those that would come in its place are refused as well.

use neural_router::config::document::Listen;
use serde_json::{Value, json};

use super::extension;

const CONNECTIONS: &str = "envoy.resource_monitors.global_downstream_max_connections";
const HEAP: &str = "envoy.resource_monitors.fixed_heap";

/// Each step and the share of the heap at which it is taken.
const STEPS: [(&str, f64); 4] = [
    ("envoy.overload_actions.shrink_heap", 0.85),
    ("envoy.overload_actions.disable_http_keepalive", 0.90),
    ("envoy.overload_actions.stop_accepting_requests", 0.95),
    ("envoy.overload_actions.stop_accepting_connections", 0.98),
];

/// The overload manager of the bootstrap.
pub(super) fn manager(listen: &Listen) -> Value {
    let mut monitors = vec![extension(
        CONNECTIONS,
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        json!({"max_active_downstream_connections": listen.max_connections}),
    )];
    let mut manager = json!({"refresh_interval": "0.25s"});
    if let Some(bytes) = listen.max_heap_bytes {
        monitors.push(extension(
            HEAP,
            "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
            json!({"max_heap_size_bytes": bytes}),
        ));
        let step = |(name, share): &(&str, f64)| json!({"name": name, "triggers": [{"name": HEAP, "threshold": {"value": share}}]});
        manager["actions"] = STEPS.iter().map(step).collect();
    }
    manager["resource_monitors"] = monitors.into();
    manager
}
