//! The same configuration as files that Envoy watches, so that it can change while Envoy runs.
//!
//! ```text
//! envoy.yaml       read once, at the start: administration, and where the other files are
//!   listeners.yaml   LDS   the listener; its filter and its routes are only named
//!     router.yaml      ECDS  the router seat with the operator's policy: keys, limits, prices, models
//!     routes.yaml      RDS   which clusters there are to choose from
//!   clusters.yaml    CDS   the providers, each with its seat
//! ```
//!
//! What is said in them is what [`super::envoy`] says in one file; only the places differ. They are cut
//! where Envoy's disturbance ends: a new `router.yaml` takes effect with the next request and touches no
//! connection, a new `clusters.yaml` renews the connections to the providers that changed, and only a new
//! `listeners.yaml` closes connections of clients. Each file carries a version made from its content, by
//! which one can ask Envoy whether it has taken it.

use neural_router::config::{Config, ConfigError, Document};
use serde_json::{Value, json};

use super::{HEAD, Places, base, clusters, listener, route, stats, typed, yaml};
use crate::key::digest;

/// A file of the set that Envoy watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The providers.
    Clusters,
    /// Which of them a call may name.
    Routes,
    /// The policy.
    Router,
    /// What is let in.
    Listeners,
}

impl Part {
    /// In the order in which a change is made, so that whatever is named exists already.
    pub(crate) const IN_ORDER: [Self; 4] = [Self::Clusters, Self::Routes, Self::Router, Self::Listeners];

    /// Name of the file.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Clusters => "clusters.yaml",
            Self::Routes => "routes.yaml",
            Self::Router => "router.yaml",
            Self::Listeners => "listeners.yaml",
        }
    }

    /// What Envoy's statistics of the subscription begin with.
    pub(crate) fn subscription(self) -> &'static str {
        match self {
            Self::Clusters => "cluster_manager.cds",
            Self::Routes => "http.clients.rds.neural_router",
            Self::Router => "extension_config_discovery.http_filter.neural_router",
            Self::Listeners => "listener_manager.lds",
        }
    }
}

/// The bootstrap of the set.
pub(crate) const BOOTSTRAP: &str = "envoy.yaml";

/// Name of the router seat among the filters, and of its configuration.
const ROUTER: &str = "neural_router";

/// The resources of each file, by the type that Envoy knows them as.
#[derive(Debug)]
pub(crate) struct Set {
    /// Read at the start only.
    pub(crate) bootstrap: String,
    clusters: Vec<Value>,
    routes: Value,
    router: Value,
    listener: Value,
}

/// The set of a checked document; `directory` is where Envoy finds the files.
pub(crate) fn set(document: &Document, config: &Config, places: &Places<'_>, directory: &str) -> Result<Set, ConfigError> {
    let mut listener = listener::http(document, config, places)?;
    let router = discover(&mut listener, directory)?;
    let mut bootstrap = base(document);
    bootstrap["dynamic_resources"] = json!({
        "cds_config": watched(Part::Clusters, directory),
        "lds_config": watched(Part::Listeners, directory),
    });
    if let Some((listener, cluster)) = stats::listener(document) {
        bootstrap["static_resources"] = json!({"listeners": [listener], "clusters": [cluster]});
    }
    Ok(Set {
        bootstrap: [HEAD, &yaml(bootstrap)?].concat(),
        clusters: clusters(document, config, places)?,
        routes: route::configuration(document, config),
        router,
        listener,
    })
}

impl Set {
    /// The clusters in it.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.clusters.iter().filter_map(|cluster| Some((cluster.get("name")?.as_str()?, cluster)))
    }

    /// Keeps a cluster that the configuration no longer has, for the calls that were planned with it.
    pub(crate) fn keep(&mut self, name: &str, cluster: Value, is_provider: bool) {
        self.clusters.push(cluster);
        if is_provider {
            route::keep(&mut self.routes, name);
        }
    }

    /// The text of a file.
    pub(crate) fn text(&self, part: Part) -> Result<String, ConfigError> {
        let (message, resources) = match part {
            Part::Clusters => ("envoy.config.cluster.v3.Cluster", self.clusters.clone()),
            Part::Routes => ("envoy.config.route.v3.RouteConfiguration", vec![self.routes.clone()]),
            Part::Router => ("envoy.config.core.v3.TypedExtensionConfig", vec![self.router.clone()]),
            Part::Listeners => ("envoy.config.listener.v3.Listener", vec![self.listener.clone()]),
        };
        let resources: Vec<Value> = resources.into_iter().map(|resource| typed(message, resource)).collect();
        let version = version_of(&resources);
        yaml(json!({"version_info": version, "resources": resources}))
    }
}

/// The version a text says it is of.
pub(crate) fn version(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("version_info: "))
}

/// A letter first, so that no version reads as a number.
fn version_of(resources: &[Value]) -> String {
    let digest = digest(&Value::from(resources.to_vec()).to_string());
    digest.chars().take(12).fold("v".to_owned(), |mut version, c| {
        version.push(c);
        version
    })
}

/// Leaves only the names of the routes and of the router seat in a listener. Returns the seat.
fn discover(listener: &mut Value, directory: &str) -> Result<Value, ConfigError> {
    let missing = || ConfigError::new("listen", "the listener has no router seat");
    let mut seat = None;
    let chains = listener.get_mut("filter_chains").and_then(Value::as_array_mut);
    let filters = chains.into_iter().flatten().filter_map(|chain| chain.get_mut("filters")?.as_array_mut()).flatten();
    for manager in filters.filter_map(|filter| filter.get_mut("typed_config")?.as_object_mut()) {
        if manager.remove("route_config").is_some() {
            let rds = json!({"route_config_name": "neural_router", "config_source": watched(Part::Routes, directory)});
            manager.insert("rds".to_owned(), rds);
        }
        let filters = manager.get_mut("http_filters").and_then(Value::as_array_mut);
        let ours = filters.into_iter().flatten().find(|filter| filter.get("name").is_some_and(|name| name == ROUTER));
        if let Some(filter) = ours.and_then(Value::as_object_mut)
            && let Some(configuration) = filter.remove("typed_config")
        {
            let discovery = json!({
                "config_source": watched(Part::Router, directory),
                "type_urls": [configuration.get("@type").cloned().unwrap_or_default()],
            });
            filter.insert("config_discovery".to_owned(), discovery);
            seat = Some(json!({"name": ROUTER, "typed_config": configuration}));
        }
    }
    seat.ok_or_else(missing)
}

/// A file of the set. The directory is watched and not the file: Kubernetes replaces a whole directory
/// by a symbolic link, which moves no file.
fn watched(part: Part, directory: &str) -> Value {
    json!({
        "path_config_source": {
            "path": format!("{directory}/{}", part.file()),
            "watched_directory": {"path": directory},
        },
        "resource_api_version": "V3",
        // The file is there when Envoy starts: whoever writes the set writes the bootstrap last.
        "initial_fetch_timeout": "0s",
    })
}
