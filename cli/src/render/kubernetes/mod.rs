//! `nr render kubernetes`: plain Envoy in a Deployment, and what a cluster wants around it.
//!
//! A pod renders its configuration itself, into files that its Envoy watches, and goes on to do so when the
//! ConfigMap has changed (docs/decisions/0031). What comes to it from outside, and what it makes of that:
//!
//! ```text
//! ConfigMap neural-router            config/   neural-router.yaml, word for word
//! Secret neural-router-providers     secrets/  a file for each variable that the configuration names
//! image of this project              module/   neural_router.wasm, copied by an init container: it is
//!                                              larger than the MiB that a ConfigMap may hold
//!
//! init container `render`   `nr render files`: config/, secrets/ ──> /run/neural-router
//! sidecar `apply`           `nr apply --watch`: the same, file by file, while Envoy runs
//! container `envoy`         reads and watches /run/neural-router
//! ```

pub(super) mod manifest;
mod options;
mod pod;
pub(super) mod secrets;
pub(super) mod workload;

use std::net::{Ipv4Addr, SocketAddr};

use neural_router::config::ConfigError;
use serde_json::json;

use super::{Places, dynamic};
use crate::failure::{self, Failure};
use crate::key::digest;
use crate::load::{self, Loaded};
use crate::site::{Entrance, Site};
pub(crate) use options::RenderKubernetes;
pub(super) use options::{label, unmistakable};

/// Of everything rendered, and the value of the label by which its pods are selected.
pub(super) const NAME: &str = "neural-router";

/// Where what authenticates to providers is mounted.
pub(super) const SECRETS: &str = "/etc/neural-router/secrets";

const CONFIG: &str = "/etc/neural-router/config";

/// The configuration, in the ConfigMap and below [`CONFIG`].
const FILE: &str = "neural-router.yaml";

const MODULE: &str = "/etc/neural-router/module";
const TLS: &str = "/etc/neural-router/tls";

/// What `nr` writes and Envoy watches.
const RUN: &str = "/run/neural-router";

/// Of [`RUN`], what tells Envoy where secrets are.
const DEFINITIONS: &str = "/run/neural-router/secrets";

/// Where metrics are scraped. Envoy's administration asks for no password and can do anything, so it stays on
/// loopback; this passes its figures on, and nothing else.
const METRICS: u16 = 9902;

/// Prints the manifests; what has to be mounted besides is said on standard error.
pub(crate) fn run(options: &RenderKubernetes) -> Result<(), Failure> {
    let text = load::read(&options.config)?;
    let loaded = load::file_at(&options.config, &text, &Site::default())?;
    loaded.warn();
    let (text, secrets) = manifests(&loaded, &text, options)?;
    secrets.warn();
    failure::print(&text)
}

fn manifests(loaded: &Loaded, written: &str, options: &RenderKubernetes) -> Result<(String, secrets::Secrets), ConfigError> {
    if loaded.document.listen.port < 1024 {
        return Err(ConfigError::new(
            "listen.port",
            "below 1024, which the pod may not bind; take 8080 or 8443, the Service maps 80 or 443 to it",
        ));
    }
    let site = site(loaded);
    let secrets = secrets::of(&loaded.document)?;
    let about = pod::About {
        options,
        site: &site,
        port: loaded.document.listen.port,
        admin: loaded.document.admin.port,
        tls: loaded.document.listen.tls.is_some(),
        secrets: &secrets,
        bootstrap: digest(&bootstrap(loaded, &site)?),
    };
    let metadata = || manifest::metadata(&options.namespace);
    let (port, name) = if about.tls { (443, "https") } else { (80, "http") };
    fits(written)?;
    let documents = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(), "data": {FILE: written}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(), "automountServiceAccountToken": false}),
        workload::deployment(metadata(), pod::template(&about)),
        workload::service(metadata(), &[json!({"name": name, "port": port, "targetPort": name})]),
        workload::autoscaler(metadata(), options.replicas, options.max_replicas),
        workload::disruption_budget(metadata()),
    ];
    Ok((manifest::text(&head(options, &secrets), documents)?, secrets))
}

/// Kubernetes stores 1 MiB in one object, its other parts included.
fn fits(written: &str) -> Result<(), ConfigError> {
    const MAX_BYTES: usize = 1_000_000;
    if written.len() <= MAX_BYTES {
        return Ok(());
    }
    let bytes = written.len();
    let message = format!("the file has {bytes} bytes, and a ConfigMap holds {MAX_BYTES}: split workspaces or models over two gateways");
    Err(ConfigError::new(".", message))
}

/// The one place a pod is: all addresses are its own, and others know its ports.
fn site(loaded: &Loaded) -> Site {
    let document = &loaded.document;
    let at = |address: Ipv4Addr, port: u16| SocketAddr::from((address, port));
    let tls = document.listen.tls.is_some();
    Site {
        listen: Some(Entrance { address: at(Ipv4Addr::UNSPECIFIED, document.listen.port), tls }),
        admin: Some(at(Ipv4Addr::LOCALHOST, document.admin.port)),
        metrics: Some(at(Ipv4Addr::UNSPECIFIED, METRICS)),
        secrets_from: Some(SECRETS.to_owned()),
        certificate_from: tls.then(|| TLS.to_owned()),
    }
}

/// What a pod's Envoy reads only at its start.
fn bootstrap(loaded: &Loaded, site: &Site) -> Result<String, ConfigError> {
    let settled = load::checked(site.settle(loaded.document.clone())?)?;
    let wasm = format!("{MODULE}/neural_router.wasm");
    let places = Places { wasm: &wasm, secrets: DEFINITIONS, aws: SECRETS, authorities: crate::options::AUTHORITIES };
    Ok(dynamic::set(&settled.document, &settled.config, &places, RUN)?.bootstrap)
}

fn head(options: &RenderKubernetes, secrets: &secrets::Secrets) -> Vec<String> {
    let namespace = &options.namespace;
    let mut lines = vec![
        "Neural Router in plain Envoy on Kubernetes (1.29 or newer), made by `nr render kubernetes`. Change the configuration and"
            .to_owned(),
        "render again, or change it in the ConfigMap: running pods take it. What needs new pods is rolled out.".to_owned(),
        String::new(),
        format!("  kubectl create namespace {namespace}"),
    ];
    lines.extend(secrets.commands(namespace).map(|command| format!("  {command}")));
    lines.extend([
        format!("  nr render kubernetes --image {} | kubectl apply --filename -", options.image),
        String::new(),
        "Every replica counts limits and budgets by itself, unless a rate-limit service counts for all of them.".to_owned(),
    ]);
    lines
}
