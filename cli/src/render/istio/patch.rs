//! EnvoyFilters: the parts of the bootstrap, each with the place where Istio is to put it.
//!
//! Nothing of Istio's is replaced. Filters go directly before the router, behind what the mesh checks;
//! the route goes before the one of the VirtualService, which refuses; clusters are added under names
//! that Istio does not use, since its own for the same host (`outbound|443||api.openai.com`) would be
//! shared by two providers with two keys and have no seat of the filter before them.

use serde_json::{Value, json};

use super::About;
use super::apart::Parts;
use crate::render::kubernetes::{NAME, manifest};

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const ROUTER: &str = "envoy.filters.http.router";

/// The EnvoyFilters of the parts: the module, who is called, how calls are answered.
pub(super) fn filters(about: &About<'_>, parts: Parts) -> Vec<Value> {
    let context = json!({"context": about.options.context.name()});
    let listener = |of_filters: bool| {
        let mut filter = json!({"name": MANAGER});
        if of_filters {
            filter["subFilter"] = json!({"name": ROUTER});
        }
        placed(&context, "listener", json!({"portNumber": about.port, "filterChain": {"filter": filter}}))
    };
    let route = placed(&context, "routeConfiguration", json!({"portNumber": about.port}));

    let patch = |apply_to: &str, place: &Value, operation: &str, value: Value| json!({"applyTo": apply_to, "match": place, "patch": {"operation": operation, "value": value}});
    let mut module: Vec<Value> = parts.extensions.into_iter().map(|one| patch("EXTENSION_CONFIG", &context, "ADD", one)).collect();
    if !parts.bootstrap.is_empty() {
        module.push(patch("BOOTSTRAP", &context, "MERGE", Value::Object(parts.bootstrap)));
    }
    let clusters: Vec<Value> = parts.clusters.into_iter().map(|one| patch("CLUSTER", &context, "ADD", one)).collect();
    let mut calls = vec![patch("NETWORK_FILTER", &listener(false), "MERGE", parts.manager)];
    calls.extend(parts.filters.into_iter().map(|one| patch("HTTP_FILTER", &listener(true), "INSERT_BEFORE", one)));
    // Istio's router tells the next hop, which is a provider here, and the caller what went on in Envoy.
    calls.push(patch("HTTP_FILTER", &listener(true), "MERGE", parts.router));
    // Each goes before all others, so the first one comes last.
    calls.extend(parts.routes.into_iter().rev().map(|one| patch("HTTP_ROUTE", &route, "INSERT_FIRST", one)));

    [("module", module), ("providers", clusters), ("calls", calls)]
        .into_iter()
        .filter(|(_, patches)| !patches.is_empty())
        .map(|(part, patches)| {
            json!({
                "apiVersion": "networking.istio.io/v1alpha3",
                "kind": "EnvoyFilter",
                "metadata": manifest::named(&format!("{NAME}-{part}"), &about.options.namespace),
                "spec": {"workloadSelector": {"labels": about.selector}, "configPatches": patches},
            })
        })
        .collect()
}

fn placed(context: &Value, kind: &str, place: Value) -> Value {
    let mut whole = context.clone();
    whole[kind] = place;
    whole
}
