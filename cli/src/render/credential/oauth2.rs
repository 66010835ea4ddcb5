//! A bearer token that Envoy fetches by client credentials and renews when half its time is over. A
//! token stays in use until it expires, however many renewals fail meanwhile.

use neural_router::config::ConfigError;
use neural_router::config::document::Oauth2;
use serde_json::{Value, json};

use super::{extension, watched};
use crate::credential::token_endpoint;
use crate::render::{Places, cluster};

/// As often as Envoy allows. At its start the secret is there a moment after the first attempt.
const RETRY_INTERVAL: &str = "1s";

const TIMEOUT: &str = "5s";

fn cluster_name(provider: &str) -> String {
    ["oauth2_", provider].concat()
}

/// Sends the provider a token. The client's secret goes in the body, which more token endpoints
/// understand than basic authentication; Azure's documents no other way.
pub(super) fn credential(provider: &str, oauth2: &Oauth2, places: &Places<'_>) -> Value {
    extension(
        "envoy.http.injected_credentials.oauth2",
        "envoy.extensions.http.injected_credentials.oauth2.v3.OAuth2",
        json!({
            "token_endpoint": {"uri": oauth2.token_url, "cluster": cluster_name(provider), "timeout": TIMEOUT},
            "token_fetch_retry_interval": RETRY_INTERVAL,
            "scopes": oauth2.scopes,
            "client_credentials": {
                "client_id": oauth2.client_id,
                "client_secret": watched(provider, places),
                "auth_type": "URL_ENCODED_BODY",
            },
        }),
    )
}

/// How Envoy reaches the token endpoint of a provider.
pub(in crate::render) fn cluster(provider: &str, oauth2: &Oauth2, places: &Places<'_>) -> Result<Value, ConfigError> {
    Ok(cluster::plain(&cluster_name(provider), &token_endpoint(provider, oauth2)?, places))
}
