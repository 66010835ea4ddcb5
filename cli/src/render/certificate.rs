//! The certificate of the listener.
//!
//! Envoy reads a certificate that the listener names itself once, at its start. One that comes by its
//! secret discovery service is read anew whenever a file is renamed into its directory, so the
//! listener asks there: a file of the secrets directory says where certificate and key are. It holds
//! neither.

use neural_router::config::document::Tls;
use serde_json::{Value, json};

use super::{Places, extension, ordered, secret, typed};

/// Name of the secret.
const NAME: &str = "listener";

/// For the handshake, so that a client cannot hold a connection by not making one.
pub(super) const HANDSHAKE_TIMEOUT: &str = "10s";

/// The file of the secrets directory.
pub(crate) const FILE: &str = "listener.yaml";

/// Its path.
pub(crate) fn file(secrets: &str) -> String {
    format!("{secrets}/{FILE}")
}

/// What stands in that file. Certificate and key are read together, as one pair, if they are in one
/// directory; from two directories each is read when it changes.
pub(crate) fn definition(tls: &Tls) -> Result<String, serde_yaml_ng::Error> {
    let (certificate, key) = (tls.certificate.file.as_str(), tls.private_key.file.as_str());
    let mut pair = json!({"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}});
    if let (Some(directory), true) = (directory(certificate), directory(certificate) == directory(key)) {
        pair["watched_directory"] = json!({"path": directory});
    }
    let secret = typed("envoy.extensions.transport_sockets.tls.v3.Secret", json!({"name": NAME, "tls_certificate": pair}));
    serde_yaml_ng::to_string(&ordered(json!({"resources": [secret]})))
}

/// The directory of a file.
pub(super) fn directory(file: &str) -> Option<&str> {
    file.rsplit_once('/').map(|(directory, _)| if directory.is_empty() { "/" } else { directory })
}

/// The transport socket of the listener: TLS 1.2 and 1.3, HTTP/2 where the client knows it.
pub(super) fn socket(places: &Places<'_>) -> Value {
    extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        json!({"common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificate_sds_secret_configs": [secret(NAME, places)],
        }}),
    )
}
