//! The complete Envoy bootstrap of a configuration, as YAML.
//!
//! Deterministic: the same file gives the same bytes, with no time, random name or path of this
//! machine in them, so a rendered file can be committed and compared. No key material either: a
//! provider key is a file that Envoy reads itself ([`credential`]), a workspace key only a digest.
//! One module per Envoy concern; each says why its settings are what they are.

mod access_log;
pub(crate) mod authority;
mod capability;
pub(crate) mod certificate;
mod cluster;
mod cors;
pub(crate) mod credential;
pub(crate) mod dynamic;
mod health;
pub(crate) mod istio;
pub(crate) mod kubernetes;
mod listener;
mod local_reply;
mod overload;
pub(crate) mod ratelimit;
mod route;
mod seat;
mod stats;
mod tracing;

use neural_router::config::document::Auth;
use neural_router::config::{Config, ConfigError, Document};
use serde_json::{Value, json};

/// What the bootstrap needs besides the configuration file: places on the machine that runs Envoy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// The filter.
    pub(crate) wasm: &'a str,
    /// Directory of what authenticates to providers.
    pub(crate) secrets: &'a str,
    /// Directory of keys of AWS: the same, unless they are mounted elsewhere.
    pub(crate) aws: &'a str,
    /// Certificate authorities that providers are checked against, PEM.
    pub(crate) authorities: &'a str,
}

const HEAD: &str = "# Envoy 1.40 with Neural Router, made by `nr render envoy`. Change the configuration and render again.\n";

/// Bytes a connection may hold in either direction before its reading is paused. Bodies the filter
/// holds are not among them: their bound is that of the route.
const BUFFER: u32 = 64 << 10;

/// The bootstrap of a checked document, all in one file.
pub(crate) fn envoy(document: &Document, config: &Config, places: &Places<'_>) -> Result<String, ConfigError> {
    Ok([HEAD, &yaml(bootstrap(document, config, places)?)?].concat())
}

/// The same before it is text: what other forms of the configuration are made from.
fn bootstrap(document: &Document, config: &Config, places: &Places<'_>) -> Result<Value, ConfigError> {
    let mut bootstrap = base(document);
    let (mut listeners, mut all) = (vec![listener::http(document, config, places)?], clusters(document, config, places)?);
    if let Some((listener, cluster)) = stats::listener(document) {
        listeners.push(listener);
        all.push(cluster);
    }
    bootstrap["static_resources"] = json!({"listeners": listeners, "clusters": all});
    Ok(bootstrap)
}

/// What Envoy reads only once, wherever the rest comes from.
fn base(document: &Document) -> Value {
    let mut base = json!({
        "node": {"id": "neural-router", "cluster": "neural-router"},
        // Whoever looks for the reason of too many connections must not be one too many.
        "admin": {"address": socket(&document.admin.address, document.admin.port), "ignore_global_conn_limit": true},
        "overload_manager": overload::manager(&document.listen),
        "stats_config": stats::configuration(),
    });
    if document.telemetry.traces.is_some() {
        base["layered_runtime"] = json!({"layers": [tracing::runtime()]});
    }
    base
}

/// All that calls go to.
fn clusters(document: &Document, config: &Config, places: &Places<'_>) -> Result<Vec<Value>, ConfigError> {
    let providers = || config.catalog.providers().iter().filter_map(|one| Some((one, document.providers.get(&one.name)?)));
    let mut clusters =
        providers().map(|(provider, written)| cluster::provider(provider, written, document, places)).collect::<Result<Vec<Value>, _>>()?;
    for (provider, written) in providers() {
        if let Some(Auth::Oauth2(oauth2)) = &written.auth {
            clusters.push(credential::cluster(&provider.name, oauth2, places)?);
        }
    }
    if let Some(traces) = &document.telemetry.traces {
        clusters.push(tracing::collector(traces, places)?);
    }
    clusters.extend(config.sharing.as_ref().map(|sharing| ratelimit::cluster(sharing, places)));
    Ok(clusters)
}

fn yaml(value: Value) -> Result<String, ConfigError> {
    serde_yaml_ng::to_string(&ordered(value)).map_err(|error| ConfigError::new(".", error.to_string()))
}

/// `{"@type": …, fields…}`, Envoy's way to say which message a configuration is.
fn typed(message: &str, mut fields: Value) -> Value {
    if let Some(object) = fields.as_object_mut() {
        object.insert("@type".to_owned(), Value::String(["type.googleapis.com/", message].concat()));
    }
    fields
}

/// A named extension with its configuration.
fn extension(name: &str, message: &str, fields: Value) -> Value {
    json!({"name": name, "typed_config": typed(message, fields)})
}

/// A secret of the directory of secrets: by its name, from the file that defines it, read anew when that changes.
fn secret(name: &str, places: &Places<'_>) -> Value {
    json!({
        "name": name,
        "sds_config": {
            "path_config_source": {
                "path": format!("{}/{name}.yaml", places.secrets),
                "watched_directory": {"path": places.secrets},
            },
            "resource_api_version": "V3",
        },
    })
}

/// A TCP address.
fn socket(address: &str, port: u16) -> Value {
    json!({"socket_address": {"address": address, "port_value": port}})
}

/// A duration as Envoy writes it.
fn millis(ms: u64) -> String {
    match (ms / 1000, ms % 1000) {
        (seconds, 0) => format!("{seconds}s"),
        (seconds, rest) => format!("{seconds}.{rest:03}s"),
    }
}

/// Names and types first, the rest by alphabet: the order a reader looks for.
fn ordered(value: Value) -> serde_yaml_ng::Value {
    match value {
        Value::Object(object) => {
            let (first, rest): (Vec<_>, Vec<_>) = object.into_iter().partition(|(key, _)| key == "name" || key == "@type");
            let entries = first.into_iter().rev().chain(rest);
            serde_yaml_ng::Value::Mapping(entries.map(|(key, value)| (key.into(), ordered(value))).collect())
        }
        Value::Array(values) => serde_yaml_ng::Value::Sequence(values.into_iter().map(ordered).collect()),
        Value::String(text) => text.into(),
        Value::Bool(flag) => flag.into(),
        Value::Null => serde_yaml_ng::Value::Null,
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => number.into(),
            (_, Some(number), _) => number.into(),
            (.., number) => number.unwrap_or_default().into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_envoy_reads_them() {
        for (ms, expected) in [(1, "0.001s"), (10, "0.010s"), (1000, "1s"), (61_500, "61.500s"), (0, "0s")] {
            assert_eq!(millis(ms), expected);
        }
    }

    #[test]
    fn a_name_stands_before_the_type_and_both_before_the_rest() {
        let yaml = serde_yaml_ng::to_string(&ordered(json!({"a": 1, "@type": "t", "name": "n"}))).unwrap();
        assert_eq!(yaml, "name: n\n'@type': t\na: 1\n");
    }
}
