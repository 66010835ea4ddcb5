//! The directory of provider keys: a file per provider that tells Envoy where its key is, and the
//! key itself where it came from the environment. 0700 and 0600; written beside and renamed, so that
//! a running Envoy never reads half a key.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use neural_router::config::Document;
use neural_router::config::document::KeySource;

use crate::failure::Failure;
use crate::render::secret;

/// Writes the directory. Returns a sentence for each key that is missing; Envoy runs without it and
/// the provider refuses its calls.
pub(crate) fn write(document: &Document, directory: &str) -> Result<Vec<String>, Failure> {
    let directory = directory_of(directory)?;
    let mut missing = Vec::new();
    for (name, provider) in &document.providers {
        let Some(source) = &provider.api_key else { continue };
        let key_file = match source {
            KeySource::File(file) => PathBuf::from(file),
            KeySource::Env(_) => directory.join(secret::name(name)).with_extension("key"),
        };
        if let Some(complaint) = unavailable(name, source) {
            missing.push(complaint);
        }
        if let KeySource::Env(variable) = source {
            // An empty file in the place of a missing key, since Envoy does not start without one.
            let key = key_of(variable).unwrap_or_default();
            if !key.is_empty() || !key_file.exists() {
                put(&key_file, key.as_bytes())?;
            }
        }
        let definition = secret::definition(name, &key_file.to_string_lossy())
            .map_err(|error| Failure::new(format!("providers.{name}.api_key: {error}")))?;
        put(&directory.join(secret::name(name)).with_extension("yaml"), definition.as_bytes())?;
    }
    Ok(missing)
}

/// Why the key of a provider cannot be had, if it cannot.
pub(crate) fn unavailable(provider: &str, source: &KeySource) -> Option<String> {
    match source {
        KeySource::Env(variable) => {
            key_of(variable).is_none().then(|| format!("providers.{provider}.api_key: the variable {variable} is not set"))
        }
        KeySource::File(file) => {
            let complaint = |what: &dyn std::fmt::Display| Some(format!("providers.{provider}.api_key: {file}: {what}"));
            match fs::read(file) {
                Err(error) => complaint(&error),
                Ok(key) if key.trim_ascii().is_empty() => complaint(&"the file is empty"),
                Ok(_) => None,
            }
        }
    }
}

/// The key in a variable; a line break that came along from a file is not part of it.
fn key_of(variable: &str) -> Option<String> {
    std::env::var(variable).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty())
}

fn directory_of(path: &str) -> Result<PathBuf, Failure> {
    let because = |error: std::io::Error| Failure::new(format!("the secrets directory {path}: {error}"));
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(because(error)),
    }
    if fs::metadata(path).map_err(because)?.permissions().mode() & 0o077 != 0 {
        eprintln!("warning: the secrets directory {path} can be entered by other users; its files cannot be read by them");
    }
    Ok(PathBuf::from(path))
}

fn put(file: &Path, content: &[u8]) -> Result<(), Failure> {
    let because = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(because)?;
    open.write_all(content).map_err(because)?;
    fs::rename(&beside, file).map_err(because)
}
