//! AWS Signature Version 4 over the translated request.
//!
//! The signer holds the headers until the body is whole, since its digest is signed too; the body is
//! whole anyway, and its length is set by the filter's seat before it.

use neural_router::config::document::Aws;
use serde_json::{Value, json};

use super::{extension, name};
use crate::render::Places;

/// The name of Bedrock's runtime in signatures.
const SERVICE: &str = "bedrock";

/// More, Envoy does not read either.
pub(crate) const MAX_BYTES: usize = 4096;

/// The signer. Keys are in a credentials file of the secrets directory, in a section with the name of
/// the secret: without that file, Envoy would read the one in the home directory of whoever runs it, and
/// sign with keys for something else if their section had the same name. `default` is Envoy's own
/// search: environment, web identity, container, instance.
pub(super) fn signer(provider: &str, region: &str, aws: &Aws, places: &Places<'_>) -> Value {
    let mut signing = json!({"service_name": SERVICE, "region": region});
    if let Aws::Keys(_) = aws {
        signing["credential_provider"] = json!({
            "custom_credential_provider_chain": true,
            "credentials_file_provider": {
                "credentials_data_source": {
                    "filename": format!("{}/{}.aws", places.aws, name(provider)),
                    "watched_directory": {"path": places.aws},
                },
                "profile": name(provider),
            },
        });
    }
    extension("envoy.filters.http.aws_request_signing", "envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning", signing)
}
