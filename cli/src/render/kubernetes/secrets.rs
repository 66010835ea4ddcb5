//! What authenticates to providers, by reference: which entry of which Secret becomes which file.
//!
//! In a mesh, where no `nr` is beside the proxy, entries and definitions are mounted together: they are the
//! directory that `nr render envoy --secrets` writes. In a pod of ours the Secret is mounted as it is, and `nr`
//! writes the definitions. Kubernetes swaps a changed volume in one
//! rename, which Envoy watches for: a rotated key is used without a new pod.

use std::collections::BTreeMap;

use neural_router::config::document::{Auth, Aws, KeySource};
use neural_router::config::{ConfigError, Document};
use serde_json::{Value, json};

use super::SECRETS;
use crate::credential::sources;
use crate::render::authority::{self, Definition};
use crate::render::credential;

/// The Secret with an entry for each variable that the configuration names.
pub(in crate::render) const SECRET: &str = "neural-router-providers";

/// References only; no secret passes through here.
#[derive(Debug, Default)]
pub(in crate::render) struct Secrets {
    /// Entries of the Secret and the files they become.
    items: Vec<(String, String)>,
    /// What tells Envoy where a secret is, by file.
    pub(in crate::render) definitions: BTreeMap<String, String>,
    /// What the configuration itself takes from a file, which has to be mounted by hand.
    elsewhere: Vec<String>,
}

/// The references of a document.
pub(in crate::render) fn of(document: &Document) -> Result<Secrets, ConfigError> {
    let mut secrets = Secrets::default();
    let authorities = authority::definitions(document).map_err(|error| ConfigError::new("providers", error.to_string()))?;
    for Definition { provider, authority, file, text } in authorities {
        secrets
            .elsewhere
            .push(format!("providers.{provider}.ca.file: {authority} is not mounted by these manifests; add a volume that has it"));
        secrets.definitions.insert(file, text);
    }
    for (name, provider) in &document.providers {
        let stem = credential::name(name);
        let field = |field: &str| format!("providers.{name}.{field}");
        if let Some(Auth::Aws(Aws::Keys(_))) = &provider.auth {
            secrets.items.push((format!("{stem}.aws"), format!("{stem}.aws")));
            continue;
        }
        for (place, source) in sources(provider) {
            let file = match source {
                KeySource::Env(variable) => {
                    secrets.items.push((variable, format!("{stem}.key")));
                    format!("{SECRETS}/{stem}.key")
                }
                KeySource::File(file) => {
                    secrets.elsewhere.push(format!("{}: {file} is not mounted by these manifests; add a volume that has it", field(place)));
                    file
                }
            };
            let definition = credential::definition(name, &file).map_err(|error| ConfigError::new(field(place), error.to_string()))?;
            secrets.definitions.insert(format!("{stem}.yaml"), definition);
        }
    }
    Ok(secrets)
}

impl Secrets {
    /// Whether there has to be a Secret.
    pub(in crate::render) fn has_entries(&self) -> bool {
        !self.items.is_empty()
    }

    /// Whether there is nothing to mount.
    pub(in crate::render) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.definitions.is_empty()
    }

    /// The volume: entries of the Secret and definitions of a ConfigMap in one directory. A missing
    /// entry keeps the pod from starting and is named in its events; a pod without the key would have
    /// every call refused by that provider.
    pub(in crate::render) fn volume(&self, config_map: &str) -> Value {
        let mut volumes = Vec::new();
        if !self.items.is_empty() {
            let items: Vec<Value> = self.items.iter().map(|(key, path)| json!({"key": key, "path": path})).collect();
            volumes.push(json!({"secret": {"name": SECRET, "items": items}}));
        }
        if !self.definitions.is_empty() {
            let items: Vec<Value> = self.definitions.keys().map(|file| json!({"key": file, "path": file})).collect();
            volumes.push(json!({"configMap": {"name": config_map, "items": items}}));
        }
        json!({"name": "secrets", "projected": {"defaultMode": 0o440, "sources": volumes}})
    }

    /// Where it is mounted.
    pub(in crate::render) fn mount() -> Value {
        json!({"name": "secrets", "mountPath": SECRETS, "readOnly": true})
    }

    /// The command that makes the Secret, if there has to be one.
    pub(in crate::render) fn commands<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = String> + 'a {
        let mut entries: Vec<String> = self
            .items
            .iter()
            .map(|(key, _)| if key.ends_with(".aws") { format!("--from-file={key}") } else { format!("--from-literal={key}=…") })
            .collect();
        entries.dedup();
        (!entries.is_empty())
            .then(|| format!("kubectl --namespace {namespace} create secret generic {SECRET} {}", entries.join(" ")))
            .into_iter()
    }

    /// Says what has to be mounted by hand.
    pub(in crate::render) fn warn(&self) {
        for file in &self.elsewhere {
            eprintln!("warning: {file}");
        }
    }
}
