//! What the two Envoys are told. The one with the filter runs what `nr render envoy` makes of a
//! configuration, so that what ships is what is measured; the bare one has the same listener,
//! timeouts and cluster, and nothing that reads a body.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::wire::Wire;

/// What callers present to the filter. Good for the benchmark on loopback only.
pub(crate) const WORKSPACE_KEY: &str = "nr-bench-2c7f5f0a9be14d63";

/// The same, of a workspace with limits, a budget and guardrails.
pub(crate) const POLICED_KEY: &str = "nr-bench-7d01e6b8f2a94c35";

/// The same, of a workspace with as many guardrails as anybody has.
pub(crate) const GUARDED_KEY: &str = "nr-bench-b3c9a4d27e5f4186";

/// What providers are sent. The simulator takes any.
pub(crate) const PROVIDER_KEY: &str = "sk-bench-9d1f6a52c3b84e07";

/// The catalogue's id and the provider's name of the model that is passed through.
pub(crate) const PASSED: (&str, &str) = ("gpt-4o", "gpt-4o-2024-11-20");

/// Where one Envoy listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// The simulated providers.
#[derive(Clone, Debug)]
pub(crate) struct Providers {
    pub(crate) openai: SocketAddr,
    pub(crate) others: BTreeMap<Wire, SocketAddr>,
}

/// Settings of both Envoys that decide what is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extras {
    /// Keep the access log that `nr` renders, in both; else it is off in both.
    pub(crate) access_log: bool,
    /// Let Envoy time its event loop, which costs CPU time.
    pub(crate) loop_times: bool,
}

/// The demo's catalogue with a workspace key, the simulator as its providers, and context windows
/// that a body of 10 MB fits into.
pub(crate) fn document(ports: Ports, providers: &Providers, key_file: &Path) -> Value {
    const WINDOW: u32 = 8_000_000;
    let key = json!({"file": key_file});
    let openai = |protocol: &str| json!({"protocol": protocol, "base_url": format!("http://{}/v1", providers.openai), "api_key": key});
    let mut all = Map::from_iter([("openai".to_owned(), openai("openai")), ("groq".to_owned(), openai("groq"))]);
    all.extend(providers.others.iter().map(|(wire, address)| (wire.protocol().to_owned(), wire.provider(*address, &key))));
    let model = |id: &str, maker: &str, output: u32, provider: &str, deployment: &str| {
        json!({
            "id": id, "provider_name": maker, "context_window": WINDOW, "max_output_tokens": output,
            "price": {"input_per_m": 2.50, "output_per_m": 10.00, "cached_input_per_m": 1.25},
            "capabilities": ["tools", "parallel_tools", "vision", "json_object", "json_schema"],
            "quality": {"default": 0.84, "code": 0.82},
            "deployments": [{"provider": provider, "model": deployment}],
        })
    };
    let mut models = vec![
        model(PASSED.0, "OpenAI", 16_384, "openai", PASSED.1),
        model("llama-3.3-70b", "Groq", 32_768, "groq", "llama-3.3-70b-versatile"),
    ];
    models.extend(providers.others.keys().map(|wire| model(wire.model(), wire.protocol(), 64_000, wire.protocol(), wire.deployment())));
    json!({
        "listen": {"address": ports.listen.ip().to_string(), "port": ports.listen.port()},
        "admin": {"address": ports.admin.ip().to_string(), "port": ports.admin.port()},
        "providers": all,
        "models": models,
        "workspaces": [workspace("bench", WORKSPACE_KEY), policed(), guarded()],
    })
}

/// A workspace that may use every model, without limits.
pub(crate) fn workspace(id: &str, key: &str) -> Value {
    json!({"id": id, "keys": [{"id": "load", "sha256": hex(&Sha256::digest(key))}], "models": ["*"]})
}

/// Limits that no load here reaches, and the two rules of the example that users start from.
fn policed() -> Value {
    const FAR: u64 = 1_000_000_000;
    let mut workspace = workspace("policed", POLICED_KEY);
    workspace["limits"] = json!({"requests_per_minute": FAR, "tokens_per_minute": FAR});
    workspace["budget"] = json!({"usd": FAR, "period": "month"});
    workspace["guardrails"] = json!([
        {"name": "secrets", "detect": ["credit_card", "api_key", "email"], "on": ["input", "output"], "action": "block"},
        {"name": "project-x", "terms": ["project x"], "on": ["input"], "action": "block"},
    ]);
    workspace
}

/// A hundred phrases that look like what people forbid, and every detector.
fn guarded() -> Value {
    const FIRST: [&str; 10] =
        ["project", "operation", "client", "codename", "internal", "confidential", "do not share", "salary of", "password for", "patient"];
    const SECOND: [&str; 10] = ["falcon", "bluebird", "meridian", "x-17", "northwind", "atlas", "quicksilver", "ember", "tundra", "zenith"];
    let phrases: Vec<String> = FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| format!("{first} {second}"))).collect();
    let mut workspace = workspace("guarded", GUARDED_KEY);
    workspace["guardrails"] = json!([
        {"name": "phrases", "terms": phrases, "on": ["input"], "action": "block"},
        {"name": "all", "detect": ["credit_card", "api_key", "email", "phone", "iban", "ipv4"], "on": ["input"], "action": "block"},
    ]);
    workspace
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where the filter and the program that renders its configuration are.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) nr: PathBuf,
    pub(crate) wasm: PathBuf,
    /// Everything written goes here.
    pub(crate) folder: PathBuf,
}

/// The bootstrap of the Envoy with the filter, from `nr render envoy`.
pub(crate) fn with_filter(name: &str, made: &Made, ports: Ports, providers: &Providers, extras: Extras) -> Result<Value, String> {
    let key_file = made.folder.join("provider.key");
    write(&key_file, PROVIDER_KEY)?;
    let mut bootstrap = rendered(name, made, &document(ports, providers, &key_file))?;
    if !extras.access_log
        && let Some(manager) = bootstrap.pointer_mut(MANAGER).and_then(Value::as_object_mut)
    {
        manager.remove("access_log");
    }
    Ok(told_to_time_its_loop(bootstrap, extras))
}

/// What `nr render envoy` makes of a configuration.
pub(crate) fn rendered(name: &str, made: &Made, document: &Value) -> Result<Value, String> {
    let config = made.folder.join(format!("{name}.yaml"));
    let text = serde_yaml_ng::to_string(document).map_err(|error| format!("{}: {error}", config.display()))?;
    write(&config, &text)?;
    let output = Command::new(&made.nr)
        .args(["render", "envoy", "--config"])
        .arg(&config)
        .arg("--wasm")
        .arg(&made.wasm)
        .arg("--secrets")
        .arg(made.folder.join("secrets"))
        .output()
        .map_err(|error| format!("nr cannot be started ({}): {error}", made.nr.display()))?;
    if !output.status.success() {
        return Err(format!("`nr render envoy --config {}` failed: {}", config.display(), String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_yaml_ng::from_slice(&output.stdout).map_err(|error| format!("what `nr render envoy` printed is not YAML: {error}"))
}

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The plugin in the router seat.
pub(crate) const ROUTER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/1/typed_config/config";

/// The bootstrap of the bare Envoy: one route to one static cluster. The access log, if any, is that of `rendered`.
pub(crate) fn bare(rendered: &Value, ports: Ports, provider: SocketAddr, extras: Extras) -> Value {
    // Far above any concurrency here, as in what `nr` renders.
    let unlimited = json!({
        "max_connections": 1_000_000, "max_pending_requests": 1_000_000, "max_requests": 1_000_000, "max_retries": 1_000_000,
    });
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "clients",
        "codec_type": "AUTO",
        "use_remote_address": true,
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        }],
        "route_config": {"name": "bare", "virtual_hosts": [{
            "name": "bare",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}],
        }]},
    });
    let rendered = rendered.pointer(MANAGER);
    let connection = ["request_headers_timeout", "request_timeout", "stream_idle_timeout", "common_http_protocol_options"];
    let log = extras.access_log.then_some("access_log");
    for key in connection.into_iter().chain(log) {
        if let Some(value) = rendered.and_then(|manager| manager.get(key)) {
            manager[key] = value.clone();
        }
    }
    let bootstrap = json!({
        "node": {"id": "bare", "cluster": "bare"},
        "admin": {"address": socket(ports.admin)},
        "static_resources": {
            "listeners": [{
                "name": "clients",
                "address": socket(ports.listen),
                "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
            }],
            "clusters": [{
                "name": "provider",
                "type": "STATIC",
                "connect_timeout": "3s",
                "circuit_breakers": {"thresholds": [unlimited]},
                "load_assignment": {"cluster_name": "provider", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(provider)}}]}]},
                "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http_protocol_options": {}},
                    "common_http_protocol_options": {"idle_timeout": "30s"},
                }},
            }],
        },
    });
    told_to_time_its_loop(bootstrap, extras)
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn told_to_time_its_loop(mut bootstrap: Value, extras: Extras) -> Value {
    if extras.loop_times {
        bootstrap["enable_dispatcher_stats"] = true.into();
        bootstrap["stats_flush_interval"] = "0.1s".into();
    }
    bootstrap
}

/// Writes a file of the benchmark.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}
