//! The ConfigMap: the bootstrap, what tells Envoy where secrets are, and how a pod ends.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use neural_router::config::ConfigError;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::secrets::Secrets;
use crate::render::yaml;

/// More, Kubernetes does not store in one object (1 MiB, its other parts included).
const MAX_BYTES: usize = 1_000_000;

/// Runs in a pod that is to end. `ADMIN` is replaced by the port.
const DRAIN: &str = include_str!("drain.sh");

pub(super) fn files(bootstrap: Value, secrets: &Secrets, admin: u16) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut files = secrets.definitions.clone();
    files.insert("envoy.yaml".to_owned(), yaml(bootstrap)?);
    files.insert("drain.sh".to_owned(), DRAIN.replace("ADMIN", &admin.to_string()));
    let bytes: usize = files.values().map(String::len).sum();
    if bytes > MAX_BYTES {
        let message =
            format!("rendered it has {bytes} bytes, and a ConfigMap holds {MAX_BYTES}: split workspaces or models over two gateways");
        return Err(ConfigError::new(".", message));
    }
    Ok(files)
}

/// Stands in the pods' template, so that a changed configuration is a changed template and is rolled out.
pub(super) fn digest(files: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
