//! The filter in its two seats.
//!
//! Both seats share `vm_id`, so they share one space of data; they differ in the VM's configuration,
//! so each has a VM of its own and a trap before a provider leaves the downstream seat alive to
//! finish the call. `FAIL_RELOAD` because after a trap `FAIL_CLOSED` would refuse everything until a
//! restart and `FAIL_OPEN` would let calls pass unauthenticated. Without
//! `allow_on_headers_stop_iteration` a seat could not hold headers while it reads the body.

use neural_router::config::catalog::Provider;
use neural_router::config::{ConfigError, Document, ProviderSeat};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Places, capability, extension, tracing, typed};

/// The downstream seat: authenticates, ranks, annotates.
pub(super) fn router(document: &Document, places: &Places<'_>) -> Result<Value, ConfigError> {
    Ok(filter("router", &text(&document.for_filter())?, places))
}

/// The upstream seat before one provider: translates, classifies, points at the next candidate.
pub(super) fn provider(provider: &Provider, document: &Document, places: &Places<'_>) -> Result<Value, ConfigError> {
    let mut seat = ProviderSeat::of(provider);
    seat.traced_as = document.telemetry.traces.as_ref().map(|_| tracing::name_of(provider).to_owned());
    Ok(filter("provider", &text(&seat)?, places))
}

fn text(configuration: &impl Serialize) -> Result<String, ConfigError> {
    serde_json::to_string(configuration).map_err(|error| ConfigError::new(".", error.to_string()))
}

fn filter(seat: &str, configuration: &str, places: &Places<'_>) -> Value {
    extension(
        "neural_router",
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        json!({"config": {
            "name": format!("neural_router_{seat}"),
            "allow_on_headers_stop_iteration": true,
            "failure_policy": "FAIL_RELOAD",
            "reload_config": {"backoff": {"base_interval": "0.1s"}},
            "capability_restriction_config": capability::restriction(),
            "configuration": string(configuration),
            "vm_config": {
                "vm_id": "neural-router",
                "configuration": string(seat),
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": places.wasm}},
            },
        }}),
    )
}

fn string(value: &str) -> Value {
    typed("google.protobuf.StringValue", json!({"value": value}))
}
