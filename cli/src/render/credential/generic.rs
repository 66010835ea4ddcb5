//! A key or token that is sent as it is.

use neural_router::provider::Credential;
use serde_json::{Value, json};

use super::{extension, watched};
use crate::render::Places;

/// Puts the secret of a provider into a header.
pub(super) fn credential(provider: &str, credential: Credential, places: &Places<'_>) -> Value {
    let mut generic = json!({"credential": watched(provider, places), "header": credential.header});
    if !credential.prefix.is_empty() {
        generic["header_value_prefix"] = credential.prefix.into();
    }
    extension("envoy.http.injected_credentials.generic", "envoy.extensions.http.injected_credentials.generic.v3.Generic", generic)
}
