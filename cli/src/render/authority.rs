//! Whom the certificate of a provider is checked against.
//!
//! The machine's authorities are read once. A provider's own, a private one, is renewed as certificates are: it
//! comes by Envoy's secret discovery service from a file of the secrets directory, and is read anew whenever a file
//! is renamed over it, see [`certificate`](super::certificate). A connection that is open stays so.

use neural_router::config::document::Document;
use serde_json::{Value, json};

use super::{Places, ordered, secret, typed};

/// Name of the secret of a provider, and of its file without its ending.
fn name(provider: &str) -> String {
    ["authority_", provider].concat()
}

/// Each provider with an authority of its own.
pub(crate) fn definitions(document: &Document) -> Result<Vec<Definition<'_>>, serde_yaml_ng::Error> {
    let own = document.providers.iter().filter_map(|(provider, written)| Some((provider, &written.ca.as_ref()?.file)));
    own.map(|(provider, authority)| definition(provider, authority)).collect()
}

fn definition<'a>(provider: &'a str, authority: &'a str) -> Result<Definition<'a>, serde_yaml_ng::Error> {
    let directory = super::certificate::directory(authority).unwrap_or(".");
    let secret = json!({
        "name": name(provider),
        "validation_context": {"trusted_ca": {"filename": authority}, "watched_directory": {"path": directory}},
    });
    let secret = typed("envoy.extensions.transport_sockets.tls.v3.Secret", secret);
    let text = serde_yaml_ng::to_string(&ordered(json!({"resources": [secret]})))?;
    Ok(Definition { provider, authority, file: format!("{}.yaml", name(provider)), text })
}

/// What tells Envoy where a provider's authority is.
#[derive(Debug)]
pub(crate) struct Definition<'a> {
    /// Whose.
    pub(crate) provider: &'a str,
    /// The authority's file.
    pub(crate) authority: &'a str,
    /// Its name in the secrets directory.
    pub(crate) file: String,
    /// What it says.
    pub(crate) text: String,
}

/// Asks for it in a TLS context, beside what else is checked.
pub(super) fn watched(provider: &str, checks: Value, places: &Places<'_>) -> Value {
    json!({
        "default_validation_context": checks,
        "validation_context_sds_secret_config": secret(&name(provider), places),
    })
}
