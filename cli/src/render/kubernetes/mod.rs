//! `nr render kubernetes`: plain Envoy in a Deployment, and what a cluster wants around it.
//!
//! The bootstrap is that of `nr render envoy` with two changes that every pod needs: the listener is
//! open to the pod's address, and metrics can be scraped without opening Envoy's administration to the
//! network. Three things come to a pod from outside and meet under `/etc/neural-router`:
//!
//! ```text
//! ConfigMap neural-router            config/   envoy.yaml and drain.sh
//!   and Secret neural-router-providers  secrets/  the layout that `nr render envoy --secrets` writes
//! image of this project              module/   neural_router.wasm, copied by an init container: it is
//!                                              larger than the MiB that a ConfigMap may hold
//! ```

mod config;
pub(super) mod manifest;
mod metrics;
mod options;
mod pod;
pub(super) mod secrets;
pub(super) mod workload;

use neural_router::config::document::{FileRef, Tls};
use neural_router::config::{ConfigError, Document};
use serde_json::json;

use super::{Places, bootstrap, certificate};
use crate::failure::{self, Failure};
use crate::load::{self, Loaded};
pub(crate) use options::RenderKubernetes;
pub(super) use options::{label, unmistakable};

/// Of everything rendered, and the value of the label by which its pods are selected.
pub(super) const NAME: &str = "neural-router";

/// Where what authenticates to providers is mounted.
pub(super) const SECRETS: &str = "/etc/neural-router/secrets";

const CONFIG: &str = "/etc/neural-router/config";
const MODULE: &str = "/etc/neural-router/module";
const TLS: &str = "/etc/neural-router/tls";

/// Prints the manifests; what has to be mounted besides is said on standard error.
pub(crate) fn run(options: &RenderKubernetes) -> Result<(), Failure> {
    let loaded = load::file(&options.config)?;
    loaded.warn();
    let (text, secrets) = manifests(&loaded, options)?;
    secrets.warn();
    failure::print(&text)
}

fn manifests(loaded: &Loaded, options: &RenderKubernetes) -> Result<(String, secrets::Secrets), ConfigError> {
    if loaded.document.listen.port < 1024 {
        return Err(ConfigError::new(
            "listen.port",
            "below 1024, which the pod may not bind; take 8080 or 8443, the Service maps 80 or 443 to it",
        ));
    }
    let document = in_a_pod(&loaded.document);
    let wasm = format!("{MODULE}/neural_router.wasm");
    let places = Places { wasm: &wasm, secrets: SECRETS, authorities: crate::options::AUTHORITIES };
    let mut bootstrap = bootstrap(&document, &loaded.config, &places)?;
    metrics::expose(&mut bootstrap, document.admin.port);

    let mut secrets = secrets::of(&loaded.document)?;
    if let Some(tls) = &document.listen.tls {
        let definition = certificate::definition(tls).map_err(|error| ConfigError::new("listen.tls", error.to_string()))?;
        secrets.definitions.insert(certificate::FILE.to_owned(), definition);
    }
    let files = config::files(bootstrap, &secrets, document.admin.port)?;
    let about = pod::About { options, document: &document, secrets: &secrets, digest: config::digest(&files) };
    let metadata = || manifest::metadata(&options.namespace);
    let (port, name) = if document.listen.tls.is_some() { (443, "https") } else { (80, "http") };
    let documents = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(), "data": files}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(), "automountServiceAccountToken": false}),
        workload::deployment(metadata(), pod::template(&about)),
        workload::service(metadata(), &[json!({"name": name, "port": port, "targetPort": name})]),
        workload::autoscaler(metadata(), options.replicas, options.max_replicas),
        workload::disruption_budget(metadata()),
    ];
    Ok((manifest::text(&head(options, &secrets), documents)?, secrets))
}

/// The same document for the one place a pod is: all addresses are its own, and the certificate is
/// where the Secret is mounted.
fn in_a_pod(document: &Document) -> Document {
    let mut document = document.clone();
    "0.0.0.0".clone_into(&mut document.listen.address);
    "127.0.0.1".clone_into(&mut document.admin.address);
    document.listen.tls = document.listen.tls.map(|_| {
        let file = |name| FileRef { file: format!("{TLS}/{name}") };
        Tls { certificate: file("tls.crt"), private_key: file("tls.key") }
    });
    document
}

fn head(options: &RenderKubernetes, secrets: &secrets::Secrets) -> Vec<String> {
    let namespace = &options.namespace;
    let mut lines = vec![
        "Neural Router in plain Envoy on Kubernetes, made by `nr render kubernetes`. Change the configuration and render again.".to_owned(),
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
