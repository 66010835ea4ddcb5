//! What the mesh is told of the providers' hosts: a ServiceEntry and a DestinationRule for each.
//!
//! Calls to providers go through clusters of ours and need neither. A ServiceEntry makes the host known
//! to the mesh, where unknown ones may be forbidden (`REGISTRY_ONLY`) and are without a name in its
//! telemetry. A DestinationRule says for the same host that it is reached by TLS under its own name, so
//! that a route somebody adds to these proxies does not send a key in the clear. Both hold in this
//! namespace only: elsewhere the host stays unknown, and applications go through the gateway.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::About;
use crate::render::extension;
use crate::render::kubernetes::{NAME, manifest};

/// Ports of the hosts outside the mesh, and whether they speak TLS.
type Hosts = BTreeMap<String, BTreeMap<u64, bool>>;

/// Tells Istio's telemetry which host a cluster is, and its filter for ALPN to leave it alone: a
/// provider does not speak the mesh's protocols.
pub(super) fn label(clusters: &mut [Value], namespace: &str) {
    for cluster in clusters {
        if let Some((host, _)) = target(cluster) {
            cluster["metadata"] = json!({"filter_metadata": {"istio": {
                "alpn_override": "false",
                "services": [{"host": host, "name": host, "namespace": namespace}],
            }}});
        }
    }
}

/// What proxies of a mesh tell each other about the workload and the call. A provider is none of them.
const WITHIN_THE_MESH: [&str; 5] = [
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-forwarded-client-cert",
];

/// Takes the headers of the mesh from what goes to providers: behind the seat, before what may sign them.
pub(super) fn seal(clusters: &mut [Value]) {
    let remove: Vec<Value> = WITHIN_THE_MESH.iter().map(|header| json!({"remove": header})).collect();
    let filter = extension(
        "envoy.filters.http.header_mutation",
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        json!({"mutations": {"request_mutations": remove}}),
    );
    for cluster in clusters {
        let protocols = cluster.get_mut("typed_extension_protocol_options").and_then(Value::as_object_mut);
        for filters in protocols.into_iter().flat_map(Map::values_mut).filter_map(|options| options.get_mut("http_filters")?.as_array_mut())
        {
            filters.insert(filters.len().min(1), filter.clone());
        }
    }
}

/// A ServiceEntry and a DestinationRule for each host of the clusters that is outside the mesh.
pub(super) fn entries(about: &About<'_>, clusters: &[Value]) -> Vec<Value> {
    let mut hosts = Hosts::new();
    for cluster in clusters {
        if let Some((host, port)) = target(cluster).filter(|(host, _)| is_outside(host)) {
            hosts.entry(host).or_default().insert(port, cluster.get("transport_socket").is_some());
        }
    }
    hosts.iter().flat_map(|(host, ports)| [entry(about, host, ports), rule(about, host, ports)]).collect()
}

/// Host and port of the first endpoint; the second is there to refuse.
fn target(cluster: &Value) -> Option<(String, u64)> {
    let address = cluster.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address")?;
    Some((address.get("address")?.as_str()?.to_owned(), address.get("port_value")?.as_u64()?))
}

/// Services of the cluster are known to the mesh already, and so is the pod itself.
fn is_outside(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => !address.is_loopback(),
        Err(_) => host.contains('.') && !host.ends_with(".svc") && !host.ends_with(".local"),
    }
}

/// A host of the mesh is a name. Addresses get one that nobody resolves.
fn host_name(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(_) => format!("{}.{NAME}.internal", host.replace(['.', ':'], "-")),
        Err(_) => host.to_owned(),
    }
}

fn entry(about: &About<'_>, host: &str, ports: &BTreeMap<u64, bool>) -> Value {
    let ports: Vec<Value> = ports
        .iter()
        .map(|(port, tls)| {
            let (name, protocol) = if *tls { ("tls", "TLS") } else { ("http", "HTTP") };
            json!({"number": port, "name": format!("{name}-{port}"), "protocol": protocol})
        })
        .collect();
    let mut spec = json!({
        "hosts": [host_name(host)],
        "location": "MESH_EXTERNAL",
        "exportTo": ["."],
        "ports": ports,
    });
    if host.parse::<IpAddr>().is_ok() {
        spec["resolution"] = "STATIC".into();
        spec["addresses"] = json!([host]);
        spec["endpoints"] = json!([{"address": host}]);
    } else {
        spec["resolution"] = "DNS".into();
    }
    resource(about, "ServiceEntry", host, spec)
}

fn rule(about: &About<'_>, host: &str, ports: &BTreeMap<u64, bool>) -> Value {
    let settings: Vec<Value> = ports
        .iter()
        .map(|(port, tls)| {
            let mut settings = if *tls { json!({"mode": "SIMPLE", "subjectAltNames": [host]}) } else { json!({"mode": "DISABLE"}) };
            // An address is no name of a server.
            if *tls && host.parse::<IpAddr>().is_err() {
                settings["sni"] = host.into();
            }
            json!({"port": {"number": port}, "tls": settings})
        })
        .collect();
    let spec = json!({
        "host": host_name(host),
        "exportTo": ["."],
        // An application that speaks TLS itself would otherwise have it wrapped in TLS once more.
        "workloadSelector": {"matchLabels": about.selector},
        "trafficPolicy": {"portLevelSettings": settings},
    });
    resource(about, "DestinationRule", host, spec)
}

fn resource(about: &About<'_>, kind: &str, host: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": kind,
        "metadata": manifest::named(&format!("{NAME}-{}", host.to_lowercase().replace(':', "-")), &about.options.namespace),
        "spec": spec,
    })
}
