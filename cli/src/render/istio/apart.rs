//! The bootstrap, taken apart into what Istio lets one say.
//!
//! It is the same bootstrap that `nr render envoy` prints, so a setting that comes to the listener, the
//! route or a cluster is in the mesh as well without anybody thinking of it. Left behind is what the
//! mesh has itself: the listener and its address, its name in statistics, certificates, administration.

use neural_router::config::ConfigError;
use serde_json::{Map, Value, json};

use super::options::Module;
use crate::render::kubernetes::NAME;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const ROUTER: &str = "envoy.filters.http.router";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// Of the connection manager, what is not merged into Istio's: its filters and its route have patches of
/// their own, and the rest is Istio's to say.
const NOT_MERGED: [&str; 4] = ["stat_prefix", "codec_type", "http_filters", "route_config"];

/// Where these are false or 0, a merge of protobuf messages cannot say so: they are as the mesh has them.
const UNSAYABLE: [&str; 4] = ["xff_num_trusted_hops", "preserve_external_request_id", "merge_slashes", "start_child_span"];

/// Of the bootstrap itself, what calls need.
const OF_THE_WHOLE: [&str; 1] = ["stats_config"];

#[derive(Debug)]
pub(super) struct Parts {
    /// Settings of the connection manager.
    pub(super) manager: Value,
    /// HTTP filters that stand before the router.
    pub(super) filters: Vec<Value>,
    /// Settings of the router.
    pub(super) router: Value,
    /// Routes, the first first.
    pub(super) routes: Vec<Value>,
    pub(super) clusters: Vec<Value>,
    /// What the filters and clusters refer to by name, if the module is fetched.
    pub(super) extensions: Vec<Value>,
    /// Settings of the whole proxy.
    pub(super) bootstrap: Map<String, Value>,
}

pub(super) fn parts(mut bootstrap: Value, module: &Module, sha256: Option<&str>) -> Result<Parts, ConfigError> {
    let mut clusters = list(&mut bootstrap, "/static_resources/clusters")?;
    let listeners = list(&mut bootstrap, "/static_resources/listeners")?;
    let mut listener = named(listeners, "clients")?;
    let mut manager = named(list(&mut listener, "/filter_chains/0/filters")?, MANAGER)?;
    let mut settings = taken(&mut manager, "/typed_config")?;
    let mut filters = list(&mut settings, "/http_filters")?;
    let mut router = named(filters.clone(), ROUTER)?;
    router.get_mut("typed_config").map(sayable);
    filters.retain(|filter| filter.get("name").is_none_or(|name| name != ROUTER));
    let routes = routes(taken(&mut settings, "/route_config/virtual_hosts/0")?)?;
    sayable(&mut settings);
    if let Some(settings) = settings.as_object_mut() {
        settings.retain(|field, _| !NOT_MERGED.contains(&field.as_str()));
    }

    let mut extensions = Vec::new();
    if let Module::Fetched(url) = module {
        for filter in &mut filters {
            extensions.extend(fetched(filter, "router", url, sha256));
        }
        for cluster in &mut clusters {
            let name = cluster.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let protocols = cluster.get_mut("typed_extension_protocol_options").and_then(Value::as_object_mut);
            let filters =
                protocols.into_iter().flat_map(Map::values_mut).filter_map(|options| options.get_mut("http_filters")?.as_array_mut());
            extensions.extend(filters.flatten().filter_map(|filter| fetched(filter, &name, url, sha256)));
        }
    }
    let whole = OF_THE_WHOLE.iter().filter_map(|field| Some(((*field).to_owned(), bootstrap.get(*field)?.clone()))).collect();
    Ok(Parts {
        manager: json!({"name": MANAGER, "typed_config": settings}),
        filters,
        router,
        routes,
        clusters,
        extensions,
        bootstrap: whole,
    })
}

fn sayable(settings: &mut Value) {
    let absent = |value: &Value| value == &json!(false) || value == &json!(0);
    if let Some(settings) = settings.as_object_mut() {
        settings.retain(|field, value| !(UNSAYABLE.contains(&field.as_str()) && absent(value)));
    }
}

/// The routes, each with what the virtual host says for all of them: the host itself is the mesh's.
fn routes(mut host: Value) -> Result<Vec<Value>, ConfigError> {
    let mut routes = list(&mut host, "/routes")?;
    let common = host.as_object().into_iter().flatten().filter(|(field, _)| !["name", "domains", "routes"].contains(&field.as_str()));
    for (field, value) in common {
        for route in &mut routes {
            route[field] = value.clone();
        }
    }
    Ok(routes)
}

/// Puts a reference in the place of a seat and returns the seat under the name that it is referred to
/// by. Istio's agent fetches modules only of what comes to the proxy by name.
fn fetched(filter: &mut Value, name: &str, url: &str, sha256: Option<&str>) -> Option<Value> {
    let mut seat = filter.get_mut("typed_config").filter(|config| config.get("@type").is_some_and(|kind| kind == WASM))?.take();
    let mut remote = json!({
        // The agent goes by the address. The proxy never sees it, but the field that follows is not optional.
        "http_uri": {"uri": url, "cluster": "_", "timeout": "30s"},
    });
    if let Some(sha256) = sha256 {
        remote["sha256"] = sha256.into();
    }
    *seat.pointer_mut("/config/vm_config/code")? = json!({"remote": remote});
    let name = format!("{NAME}.{name}");
    let extension = json!({"name": name, "typed_config": seat});
    *filter = json!({
        "name": name,
        "config_discovery": {
            // Until the module is there, which takes as long as it takes, no call is let in.
            "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
            "type_urls": [WASM],
        },
    });
    Some(extension)
}

fn list(value: &mut Value, pointer: &str) -> Result<Vec<Value>, ConfigError> {
    match taken(value, pointer)? {
        Value::Array(list) => Ok(list),
        _ => Err(missing(pointer)),
    }
}

fn taken(value: &mut Value, pointer: &str) -> Result<Value, ConfigError> {
    value.pointer_mut(pointer).map(Value::take).ok_or_else(|| missing(pointer))
}

fn named(list: Vec<Value>, name: &str) -> Result<Value, ConfigError> {
    list.into_iter().find(|one| one.get("name").is_some_and(|given| given == name)).ok_or_else(|| missing(name))
}

/// Not a mistake of the user's: the renderer has changed and this module has not.
fn missing(what: &str) -> ConfigError {
    ConfigError::new(".", format!("the bootstrap has no {what}: please report this as a bug of `nr render istio`"))
}
