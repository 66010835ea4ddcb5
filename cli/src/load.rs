//! From a YAML file to a checked configuration. Every error says where: a place in the text while it
//! is only text, a path (`models[2].deployments[0].provider`) once it is a document.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use neural_router::config::document::{Cors, Listen};
use neural_router::config::{Config, ConfigError, Document};

use crate::failure::Failure;
use crate::finding::{Finding, Rule};
use crate::site::Site;
use crate::{credential, edge};

/// The file as written and as checked.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) document: Document,
    pub(crate) config: Config,
}

/// Reads and checks a file.
pub(crate) fn file(path: &Path) -> Result<Loaded, Failure> {
    file_at(path, &read(path)?, &Site::default())
}

/// Checks the text of a file for the place where it is to hold.
pub(crate) fn file_at(path: &Path, text: &str, site: &Site) -> Result<Loaded, Failure> {
    let loaded = document(text).and_then(|document| site.settle(document)).and_then(checked);
    loaded.map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// The text of a configuration. Whoever has none yet is told how to begin.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::new(format!(
            "{}: there is no such file; name your configuration, or begin with a copy of examples/neural-router.yaml",
            path.display()
        )),
        _ => Failure::new(format!("{}: {error}", path.display())),
    })
}

/// Reads and checks the text of a file.
pub(crate) fn text(text: &str) -> Result<Loaded, ConfigError> {
    checked(document(text)?)
}

/// What a text says, whatever it is about.
pub(crate) fn value(text: &str) -> Result<serde_json::Value, ConfigError> {
    let whole = |error: &dyn std::fmt::Display| ConfigError::new(".", error.to_string());
    let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).map_err(|error| whole(&error))?;
    yaml.apply_merge().map_err(|error| whole(&error))?;
    serde_json::to_value(yaml).map_err(|error| whole(&error))
}

/// The document of a text, its meaning not checked yet.
pub(crate) fn document(text: &str) -> Result<Document, ConfigError> {
    // By way of JSON, so that `{env: X}` is read as the filter would read it.
    let json = value(text)?;
    if !json.is_object() {
        let found = if json.is_null() { "it is empty" } else { "it has no keys" };
        return Err(ConfigError::new(".", format!("{found}: a configuration has at least `providers`, `models` and `workspaces`")));
    }
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let message = credential::misfit(&path).map_or_else(|| in_words(error.into_inner().to_string()), str::to_owned);
        ConfigError::new(path, message)
    })
}

/// What was expected, for somebody who writes YAML and not Rust.
fn in_words(message: String) -> String {
    let Some((found, expected)) = message.rsplit_once("expected ") else { return message };
    let expected = match expected {
        "u16" | "u32" | "u64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "keys with values",
        expected if expected.starts_with("struct ") => "keys with values",
        _ => return message,
    };
    format!("{found}expected {expected}")
}

/// Checks a document: all that the filter demands, and what only Envoy cares about.
pub(crate) fn checked(document: Document) -> Result<Loaded, ConfigError> {
    let config = Config::from_document(&document)?;
    for (name, provider) in &document.providers {
        credential::check(name, provider)?;
    }
    for (path, address, port) in
        [("listen", &document.listen.address, document.listen.port), ("admin", &document.admin.address, document.admin.port)]
    {
        if address.parse::<IpAddr>().is_err() {
            return Err(ConfigError::new(format!("{path}.address"), format!("`{address}` is not an IP address, such as 127.0.0.1")));
        }
        if port == 0 {
            return Err(ConfigError::new(format!("{path}.port"), "a port from 1 to 65535"));
        }
    }
    edge::check(&document, &config)?;
    document.listen.cors.as_ref().map_or(Ok(()), cors)?;
    drain(&document.listen)?;
    if document.listen.port == document.admin.port && document.listen.address == document.admin.address {
        return Err(ConfigError::new("admin.port", "the listener has this port already"));
    }
    Ok(Loaded { document, config })
}

/// A day is longer than any call may take.
const MAX_DRAIN_S: u32 = 86_400;

fn drain(listen: &Listen) -> Result<(), ConfigError> {
    if listen.drain_s() > MAX_DRAIN_S {
        return Err(ConfigError::new("listen.drain_s", "seconds, at most 86400"));
    }
    if listen.notice_s.is_some_and(|notice_s| notice_s > listen.drain_s()) {
        return Err(ConfigError::new("listen.notice_s", format!("a part of listen.drain_s, which is {}", listen.drain_s())));
    }
    Ok(())
}

/// A day is the longest that any browser remembers.
const MAX_CORS_AGE_S: u32 = 86_400;

fn cors(cors: &Cors) -> Result<(), ConfigError> {
    let err = |path: &str, message: &str| Err(ConfigError::new(format!("listen.cors.{path}"), message));
    match cors.allow_origins.as_slice() {
        [] => return err("allow_origins", "at least one origin, or only `*`; leave cors out to let no page call"),
        [all] if all == "*" => {}
        origins => {
            if let Some(i) = origins.iter().position(|origin| !is_origin(origin)) {
                return err(&format!("allow_origins[{i}]"), ORIGIN);
            }
        }
    }
    if cors.max_age_s > MAX_CORS_AGE_S {
        return err("max_age_s", "seconds, at most 86400");
    }
    Ok(())
}

const ORIGIN: &str = "an origin as browsers send it, https://app.example.com or http://localhost:3000: \
                      lower case, no path, not the scheme's own port; or only `*`";

/// Whether a browser could send this as `origin`; anything else would never match.
fn is_origin(origin: &str) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let of = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(&b))
    };
    let own_port = matches!((scheme, port), ("http", Some("80")) | ("https", Some("443")));
    let host_is_sound = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_string() == v6),
        None => of(host, b".-_"),
    };
    let port_is_sound = port.is_none_or(|port| !port.starts_with('0') && port.parse::<u16>().is_ok() && of(port, b""));
    of(scheme, b"+.-") && host_is_sound && port_is_sound && !own_port
}

impl Loaded {
    /// What keeps an operator's configuration from working as it stands although it can run.
    pub(crate) fn warnings(&self) -> Vec<Finding> {
        let mut warnings = Vec::new();
        let mut warn = |rule: Rule, path: String, what: String, why: &str, advice: String| {
            warnings.push(Finding { rule, path, what, why: why.to_owned(), advice });
        };
        if self.document.admin.address.parse::<IpAddr>().is_ok_and(|address| !address.is_loopback()) {
            let why = "Envoy's administration asks nobody for a password";
            let advice = "bind it to 127.0.0.1, or see that only those reach it who may stop Envoy and read its configuration".to_owned();
            warn(Rule::AdminExposed, "admin.address".to_owned(), "not a loopback address".to_owned(), why, advice);
        }
        for provider in self.config.catalog.providers() {
            // A vendor's preset; those of servers on this machine are without TLS and ask for no key.
            let written = self.document.providers.get(&provider.name).filter(|_| provider.endpoint.tls);
            if written.is_some_and(|written| written.base_url.is_none() && written.api_key.is_none() && written.auth.is_none()) {
                let why = "this provider will refuse every call";
                let advice = "say where its key is, such as `api_key: {env: VARIABLE}`".to_owned();
                warn(Rule::NoCredential, format!("providers.{}", provider.name), "neither api_key nor auth".to_owned(), why, advice);
            }
        }
        for (w, workspace) in self.document.workspaces.iter().enumerate() {
            let make = format!("make one with `nr key new --workspace {}`", workspace.id);
            if workspace.keys.is_empty() {
                warn(Rule::NoKey, format!("workspaces[{w}].keys"), "no key".to_owned(), "nobody can call", make.clone());
            }
            for (k, key) in workspace.keys.iter().enumerate().filter(|(_, key)| is_placeholder(&key.sha256)) {
                let (path, what) = (format!("workspaces[{w}].keys[{k}].sha256"), format!("`{}` is a placeholder", key.id));
                warn(Rule::PlaceholderKey, path, what, "nobody has the key of it", make.clone());
            }
        }
        warnings
    }

    /// Prints [`Loaded::warnings`] to standard error, a line for each.
    pub(crate) fn warn(&self) {
        for warning in self.warnings() {
            eprintln!("warning: {warning}; {}", warning.advice);
        }
    }
}

/// The digest the examples hold in the place of a real one.
pub(crate) fn is_placeholder(sha256: &str) -> bool {
    sha256.bytes().all(|digit| digit == b'0')
}
