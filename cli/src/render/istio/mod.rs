//! `nr render istio`: the same gateway inside a mesh that configures Envoy itself.
//!
//! The bootstrap is made as for plain Envoy, taken [`apart`], and each part given to Istio as a
//! [`patch`]. Istio's own API for modules, `WasmPlugin`, cannot say that a filter may hold headers, and
//! knows no filter before a cluster, so it is used for neither seat; docs/decisions/0027 has the reasons.

mod apart;
mod egress;
mod gateway;
mod options;
mod patch;

use neural_router::config::ConfigError;
use serde_json::{Map, Value, json};

use super::kubernetes::secrets::{self, Secrets};
use super::kubernetes::{NAME, SECRETS, manifest};
use super::{Places, bootstrap};
use crate::failure::{self, Failure};
use crate::load::{self, Loaded};
use options::{Context, Module};

pub(crate) use options::RenderIstio;

/// What all resources are made from.
struct About<'a> {
    options: &'a RenderIstio,
    secrets: &'a Secrets,
    /// Where calls come in.
    port: u16,
    /// Whether the listener has a certificate.
    tls: bool,
    /// Labels of the pods.
    selector: Map<String, Value>,
}

/// Prints the resources; what has to be mounted by hand is said on standard error.
pub(crate) fn run(options: &RenderIstio) -> Result<(), Failure> {
    let loaded = load::file(&options.config)?;
    loaded.warn();
    let secrets = secrets::of(&loaded.document)?;
    let text = resources(&loaded, options, &secrets)?;
    secrets.warn();
    failure::print(&text)
}

fn resources(loaded: &Loaded, options: &RenderIstio, secrets: &Secrets) -> Result<String, ConfigError> {
    let wasm = match &options.module {
        Module::File(path) if options.selector.is_empty() => {
            let message = format!(
                "--module {path}: a gateway of its own has no such file; take oci://… or https://…, or say by --selector which pods have it"
            );
            return Err(ConfigError::new(".", message));
        }
        Module::Fetched(url) if url.starts_with("http://") && options.sha256.is_none() => {
            return Err(ConfigError::new(
                ".",
                format!("--module {url}: anybody on the way could put another filter there; take https://… or give --sha256"),
            ));
        }
        Module::File(path) | Module::Fetched(path) => path,
    };
    let places = Places { wasm, secrets: SECRETS, aws: SECRETS, authorities: crate::options::AUTHORITIES };
    let bootstrap = bootstrap(&loaded.document, &loaded.config, &places)?;
    let mut parts = apart::parts(bootstrap, &options.module, options.sha256.as_deref())?;
    egress::label(&mut parts.clusters, &options.namespace);
    egress::seal(&mut parts.clusters);

    let own = options.selector.is_empty();
    let selector = if own { vec![("app.kubernetes.io/name".to_owned(), NAME.to_owned())] } else { options.selector.clone() };
    let listen = &loaded.document.listen;
    let about = About {
        options,
        secrets,
        port: listen.port,
        tls: listen.tls.is_some(),
        selector: selector.into_iter().map(|(key, value)| (key, value.into())).collect(),
    };
    let mut documents = Vec::new();
    if !secrets.definitions.is_empty() {
        let metadata = manifest::metadata(&options.namespace);
        documents.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": secrets.definitions}));
    }
    if own {
        documents.extend(gateway::proxies(&about));
    }
    if options.context == Context::Gateway {
        documents.extend(gateway::listener(&about));
    }
    documents.extend(egress::entries(&about, &parts.clusters));
    documents.extend(patch::filters(&about, parts));
    manifest::text(&head(&about, own), documents)
}

fn head(about: &About<'_>, own: bool) -> Vec<String> {
    let namespace = &about.options.namespace;
    let mut lines = vec![
        "Neural Router in Istio, made by `nr render istio`. Change the configuration and render again.".to_owned(),
        "The proxies have to be Envoy 1.39 or newer with the extensions that docs/istio.md lists.".to_owned(),
        String::new(),
        format!("  kubectl create namespace {namespace}"),
    ];
    lines.extend(about.secrets.commands(namespace).map(|command| format!("  {command}")));
    lines.push("  kubectl apply --filename THIS-FILE".to_owned());
    if !own && !about.secrets.is_empty() {
        lines.extend([
            String::new(),
            format!("The pods are yours, and their proxies have to find the providers' keys at {SECRETS}. Into the pods' template:"),
            String::new(),
        ]);
        lines.extend(annotations(about.secrets).map(|line| format!("  {line}")));
    }
    lines.extend([
        String::new(),
        "Every pod counts limits and budgets by itself, unless a rate-limit service counts for all of them.".to_owned(),
    ]);
    lines
}

/// The annotations by which Istio mounts a volume into a sidecar.
fn annotations(secrets: &Secrets) -> impl Iterator<Item = String> {
    let quoted = |value: Value| format!("'{value}'");
    [
        ("sidecar.istio.io/userVolume", quoted(json!([secrets.volume(NAME)]))),
        ("sidecar.istio.io/userVolumeMount", quoted(json!([Secrets::mount()]))),
    ]
    .into_iter()
    .map(|(key, value)| format!("{key}: {value}"))
}
