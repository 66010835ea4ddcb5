//! Provider keys as Envoy reads them: one secret file per provider, watched, so that a key is
//! rotated by renaming a new file over the old one. The keys pass the filter by: the injector
//! stands behind it in the upstream chain and is the only part that sees them.

use neural_router::config::catalog::Provider;
use serde_json::{Value, json};

use super::{Places, extension, ordered, typed};

/// Name of the secret of a provider, and of its files without their endings.
pub(crate) fn name(provider: &str) -> String {
    ["provider_", provider].concat()
}

/// The file in the secrets directory that tells Envoy where a provider's key is. Holds no key.
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

/// The upstream filter that adds the key to a request.
///
/// A missing key must not answer 401 in Envoy, which would end the call: the request goes out
/// without one, the provider refuses it, and the next candidate is tried.
pub(super) fn injector(provider: &Provider, places: &Places<'_>) -> Value {
    let mut generic = json!({
        "credential": {
            "name": name(&provider.name),
            "sds_config": {
                "path_config_source": {
                    "path": format!("{}/{}.yaml", places.secrets, name(&provider.name)),
                    "watched_directory": {"path": places.secrets},
                },
                "resource_api_version": "V3",
            },
        },
        "header": provider.protocol.credential.header,
    });
    if !provider.protocol.credential.prefix.is_empty() {
        generic["header_value_prefix"] = provider.protocol.credential.prefix.into();
    }
    extension(
        "envoy.filters.http.credential_injector",
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        json!({
            "overwrite": true,
            "allow_request_without_credential": true,
            "credential": extension(
                "envoy.http.injected_credentials.generic",
                "envoy.extensions.http.injected_credentials.generic.v3.Generic",
                generic,
            ),
        }),
    )
}
