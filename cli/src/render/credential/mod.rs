//! The upstream filter that authenticates calls to a provider. It stands behind the filter's seat,
//! which never sees what it adds, and adds it to the translated request.
//!
//! Secrets are files that Envoy reads and watches: none is in the bootstrap or in `/config_dump`,
//! and each is rotated by renaming a new file over the old one. Where one is missing the request
//! goes out without it, the provider refuses it, and the next candidate is tried; Envoy's own 401
//! would end the call.

mod aws;
mod generic;
mod oauth2;

use neural_router::config::ConfigError;
use neural_router::config::catalog::Provider;
use neural_router::config::document::{self, Auth};
use neural_router::provider::Credential;
use serde_json::{Value, json};

use super::{Places, extension, ordered, secret, typed};

pub(crate) use aws::MAX_BYTES;
pub(super) use oauth2::cluster;

/// Name of the secret of a provider, and of its files without their endings.
pub(crate) fn name(provider: &str) -> String {
    ["provider_", provider].concat()
}

/// The file in the secrets directory that tells Envoy where a provider's key, token or client secret
/// is. Holds none.
pub(crate) fn definition(provider: &str, key_file: &str) -> Result<String, serde_yaml_ng::Error> {
    let directory = key_file.rsplit_once('/').map_or(".", |(directory, _)| if directory.is_empty() { "/" } else { directory });
    let secret = json!({"resources": [typed(
        "envoy.extensions.transport_sockets.tls.v3.Secret",
        json!({
            "name": name(provider),
            "generic_secret": {"secret": {"filename": key_file, "watched_directory": {"path": directory}}},
        }),
    )]});
    serde_yaml_ng::to_string(&ordered(secret))
}

/// The filter, of a provider that wants one.
pub(super) fn filter(provider: &Provider, written: &document::Provider, places: &Places<'_>) -> Result<Option<Value>, ConfigError> {
    let name = provider.name.as_str();
    Ok(match (&written.api_key, &written.auth) {
        (Some(_), _) => Some(injector(generic::credential(name, provider.protocol.credential, places))),
        (None, Some(Auth::Token(_))) => Some(injector(generic::credential(name, Credential::BEARER, places))),
        (None, Some(Auth::Oauth2(oauth2))) => Some(injector(oauth2::credential(name, oauth2, places))),
        (None, Some(Auth::Aws(aws))) => Some(aws::signer(name, crate::credential::region(name, written, aws)?, aws, places)),
        (None, None) => None,
    })
}

fn injector(credential: Value) -> Value {
    extension(
        "envoy.filters.http.credential_injector",
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        json!({"overwrite": true, "allow_request_without_credential": true, "credential": credential}),
    )
}

/// A secret of the directory, by its definition.
fn watched(provider: &str, places: &Places<'_>) -> Value {
    secret(&name(provider), places)
}
