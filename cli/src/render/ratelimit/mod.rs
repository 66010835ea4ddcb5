//! Limits that hold for a fleet: the limits of the service that counts, in the form that it reads, and Envoy's
//! cluster of it.
//!
//! Every window of ours is a counter of its own, since its name is in the descriptor. So the windows of a service
//! only decide when it forgets a counter, and are longer than ours: clocks differ, and the first call of a window
//! may come from an Envoy whose clock is ahead.

mod envoyproxy;
mod limitador;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use neural_router::config::sharing::{CLUSTER, Counted, Sharing, counted};
use neural_router::config::{Config, ConfigError};
use serde_json::{Value, json};

use super::{Places, cluster as envoy_cluster};
use crate::failure::Failure;
use crate::load;

const EXAMPLES: &str = "\
The service counts what the configuration limits: run this again when limits change, and give both the result.

Examples:
  nr render ratelimit --for limitador > limits.yaml
      limitador-server limits.yaml redis redis://127.0.0.1:6379
  nr render ratelimit --for limitador-1 --config neural-router.yaml > limits.yaml
      for limitador-server 1.x and the crate limitador up to 0.7
  nr render ratelimit --for envoyproxy > config/neural-router.yaml
      for envoyproxy/ratelimit, in its RUNTIME_ROOT/RUNTIME_SUBDIRECTORY/config";

/// Options of `nr render ratelimit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RenderRatelimit {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "neural-router.yaml")]
    pub(crate) config: PathBuf,
    /// Which service reads it.
    #[arg(long = "for", value_name = "SERVICE")]
    pub(crate) service: Service,
}

/// A rate-limit service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    /// Limitador 2, whose conditions are CEL.
    Limitador,
    /// Limitador 1.
    #[value(name = "limitador-1")]
    Limitador1,
    /// envoyproxy/ratelimit.
    Envoyproxy,
}

/// Prints the limits.
pub(crate) fn run(options: &RenderRatelimit) -> Result<(), Failure> {
    let loaded = load::file(&options.config)?;
    for warning in warnings(&loaded.config, options.service) {
        eprintln!("warning: {warning}");
    }
    print!("{}", limits(&loaded.config, options.service)?);
    Ok(())
}

/// The limits of a configuration, as YAML.
pub(crate) fn limits(config: &Config, service: Service) -> Result<String, ConfigError> {
    let Some(sharing) = &config.sharing else {
        return Err(ConfigError::new("limits.scope", "`envoy`: each Envoy counts alone; with `fleet` a service has something to count"));
    };
    let head = "# Made by `nr render ratelimit`. Change the configuration and render again.\n";
    let limits = scopes(config);
    let value = match service {
        Service::Limitador => limitador::two(sharing, &limits),
        Service::Limitador1 => limitador::one(sharing, &limits),
        Service::Envoyproxy => envoyproxy::config(sharing, &limits),
    };
    let yaml = serde_yaml_ng::to_string(&super::ordered(value)).map_err(|error| ConfigError::new(".", error.to_string()))?;
    Ok([head, &yaml].concat())
}

fn warnings(config: &Config, service: Service) -> Vec<String> {
    let limits = scopes(config);
    match service {
        Service::Limitador | Service::Limitador1 => Vec::new(),
        Service::Envoyproxy => limits.iter().filter_map(envoyproxy::warning).collect(),
    }
}

/// A limit and whose it is: `acme` or `acme/laptop`.
struct Scoped {
    scope: String,
    limit: Counted,
}

/// Every limit, the workspaces' before their keys'.
fn scopes(config: &Config) -> Vec<Scoped> {
    let workspaces = &config.workspaces;
    let mut all = Vec::new();
    for (position, workspace) in workspaces.iter().enumerate() {
        let mut of =
            |scope: String, limits: Vec<Counted>| all.extend(limits.into_iter().map(|limit| Scoped { scope: scope.clone(), limit }));
        of(workspace.id.clone(), counted(&workspace.limits, workspace.budget.as_ref()));
        for key in workspaces.keys().filter(|key| key.workspace.position() == position) {
            of(format!("{}/{}", workspace.id, key.id), counted(&key.limits, None));
        }
    }
    all
}

/// Envoy's cluster of the service: HTTP/2, as gRPC needs, and soon rid of a connection that leads nowhere any more.
/// Without that, calls after a partition would wait for TCP, which tries a dead connection again for minutes.
pub(super) fn cluster(sharing: &Sharing, places: &Places<'_>) -> Value {
    let http2 = json!({"http2_protocol_options": {"connection_keepalive": {"interval": "1s", "timeout": "1s"}}});
    let mut cluster = envoy_cluster::plain(CLUSTER, &sharing.endpoint, places);
    cluster["connect_timeout"] = "1s".into();
    let options = &mut cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    if let Some(options) = options.as_object_mut() {
        options.retain(|key, _| key == "@type");
        options.insert("explicit_http_config".to_owned(), http2);
    }
    if sharing.endpoint.tls {
        cluster["transport_socket"]["typed_config"]["common_tls_context"]["alpn_protocols"] = json!(["h2"]);
    }
    cluster
}
