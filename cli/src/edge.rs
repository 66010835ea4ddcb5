//! What faces others: where the administration listens, how much the listener takes, and the files by
//! which the ends of a TLS connection are told apart. Checked here is what the configuration says;
//! what is in the files is [`crate::certificate`]'s to check.

use std::net::IpAddr;
use std::path::Path;

use neural_router::config::document::FileRef;
use neural_router::config::{Config, ConfigError, Document};

/// An Envoy that does nothing yet holds half of this.
const LEAST_HEAP: u64 = 128 << 20;

/// Far above what one process can hold; a slip of the finger is a larger number.
const MOST_CONNECTIONS: u32 = 10_000_000;

/// Checks what only Envoy cares about.
pub(crate) fn check(document: &Document, config: &Config) -> Result<(), ConfigError> {
    let err = |path: String, message: &str| Err(ConfigError::new(path, message));
    let (listen, admin) = (&document.listen, &document.admin);
    if !admin.allow_remote && admin.address.parse::<IpAddr>().is_ok_and(|address| !address.is_loopback()) {
        return err("admin.address".to_owned(), REMOTE_ADMIN);
    }
    if !(1..=MOST_CONNECTIONS).contains(&listen.max_connections) {
        return err("listen.max_connections".to_owned(), "from 1 to 10000000");
    }
    if listen.max_heap_bytes.is_some_and(|bytes| bytes < LEAST_HEAP) {
        return err("listen.max_heap_bytes".to_owned(), "at least 134217728 (128 MiB)");
    }
    let tls = listen.tls.iter().flat_map(|tls| [("certificate", &tls.certificate), ("private_key", &tls.private_key)]);
    for (field, file) in tls {
        absolute(format!("listen.tls.{field}.file"), file)?;
    }
    for provider in config.catalog.providers() {
        let Some(file) = document.providers.get(&provider.name).and_then(|written| written.ca.as_ref()) else { continue };
        if !provider.endpoint.tls {
            return err(
                format!("providers.{}.ca", provider.name),
                "a provider without TLS shows no certificate; its base_url begins with http://",
            );
        }
        absolute(format!("providers.{}.ca.file", provider.name), file)?;
    }
    Ok(())
}

const REMOTE_ADMIN: &str = "Envoy's administration asks nobody for a password, so it stays on loopback, 127.0.0.1; say \
                            `allow_remote: true` beside it where something else keeps others out";

fn absolute(path: String, FileRef { file }: &FileRef) -> Result<(), ConfigError> {
    if Path::new(file).is_absolute() { Ok(()) } else { Err(ConfigError::new(path, "an absolute path, such as /etc/neural-router/tls.pem")) }
}
