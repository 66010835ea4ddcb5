//! The directory of what authenticates: for each provider, a file that tells Envoy where its key,
//! token or client secret is, and one for an authority of its own; one for the listener's certificate;
//! and what came from the environment itself; keys of AWS in the form of its tools. 0700 and 0600;
//! written beside and renamed, so that a running Envoy never reads half a key.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use neural_router::config::Document;
use neural_router::config::document::{self, Auth, AwsKeys, KeySource, Provider};

use crate::certificate;
use crate::credential::sources;
use crate::failure::Failure;
use crate::render::authority::{self, Definition};
use crate::render::certificate as listener;
use crate::render::credential::{self, MAX_BYTES};

/// Who writes keys of AWS in the form of its tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aws {
    /// We do, from where each of them is.
    Written,
    /// Somebody else, who mounts them.
    Mounted,
}

/// Writes the directory. Returns a sentence for each secret that is missing; Envoy runs without it and
/// the provider refuses its calls.
pub(crate) fn write(document: &Document, directory: &str, aws: Aws) -> Result<Vec<String>, Failure> {
    let directory = directory_of(directory)?;
    let mut missing = Vec::new();
    if let Some(tls) = &document.listen.tls {
        missing.extend(certificate::complaint(tls));
        let definition = listener::definition(tls).map_err(|error| Failure::new(format!("listen.tls: {error}")))?;
        put(Path::new(&listener::file(&directory.to_string_lossy())), definition.as_bytes(), PRIVATE)?;
    }
    let authorities = authority::definitions(document).map_err(|error| Failure::new(format!("providers: {error}")))?;
    for Definition { provider, authority, file, text } in authorities {
        missing.extend(certificate::untrusting(provider, authority));
        put(&directory.join(file), text.as_bytes(), PRIVATE)?;
    }
    for (name, provider) in &document.providers {
        missing.extend(self::missing(name, provider));
        let file = |ending: &str| directory.join(credential::name(name)).with_extension(ending);
        match (&provider.auth, sources(provider).first()) {
            (Some(Auth::Aws(_)), _) if aws == Aws::Mounted => {}
            (Some(Auth::Aws(document::Aws::Keys(keys))), _) => aws_keys(name, keys, &file("aws"))?,
            (_, Some((field, source))) => {
                let key_file = match source {
                    KeySource::File(file) => PathBuf::from(file),
                    KeySource::Env(_) => file("key"),
                };
                if let KeySource::Env(_) = source {
                    // An empty file in the place of a missing key, since Envoy does not start without one.
                    keep_or_put(&key_file, read(source).ok().as_deref(), "")?;
                }
                let definition = credential::definition(name, &key_file.to_string_lossy())
                    .map_err(|error| Failure::new(format!("providers.{name}.{field}: {error}")))?;
                put(&file("yaml"), definition.as_bytes(), PRIVATE)?;
            }
            (_, None) => {}
        }
    }
    Ok(missing)
}

/// Whether the directory has a secret of this provider from an earlier time.
pub(crate) fn has_earlier(name: &str, provider: &Provider, directory: &str) -> bool {
    let (ending, least) = match (&provider.auth, sources(provider).first()) {
        // Without keys, the file holds the name of their section.
        (Some(Auth::Aws(_)), _) => ("aws", credential::name(name).len() + "[]\n".len() + 1),
        (_, Some((_, KeySource::Env(_)))) => ("key", 1),
        (_, Some((_, KeySource::File(_))) | None) => return false,
    };
    let file = Path::new(directory).join(credential::name(name)).with_extension(ending);
    fs::metadata(file).is_ok_and(|metadata| metadata.len() >= least as u64)
}

/// A sentence for each secret of a provider that cannot be had.
pub(crate) fn missing(name: &str, provider: &Provider) -> Vec<String> {
    let complaint = |(field, source): (&str, KeySource)| {
        let what = match (read(&source), &source, &provider.auth) {
            (Err(what), ..) => what,
            (Ok(_), KeySource::File(file), Some(Auth::Oauth2(_))) if ends_with_a_line(file) => {
                format!("{file}: ends with a line break, which Envoy would send with the secret")
            }
            (Ok(_), ..) => return None,
        };
        Some(format!("providers.{name}.{field}: {what}"))
    };
    sources(provider).into_iter().filter_map(complaint).collect()
}

/// Envoy 1.40 cuts line breaks off keys and tokens, but not off the secrets of clients.
fn ends_with_a_line(file: &str) -> bool {
    fs::read(file).is_ok_and(|secret| secret.ends_with(b"\n") || secret.ends_with(b"\r"))
}

/// Keys of AWS in the form of its tools, whole or not at all
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).
fn aws_keys(name: &str, keys: &AwsKeys, file: &Path) -> Result<(), Failure> {
    // Without keys the section stands alone: an empty file would be none to Envoy.
    let section = format!("[{}]\n", credential::name(name));
    let mut text = section.clone();
    let parts = [
        ("access_key_id", Some(&keys.access_key_id)),
        ("secret_access_key", Some(&keys.secret_access_key)),
        ("session_token", keys.session_token.as_ref()),
    ];
    for (part, source) in parts.into_iter().filter_map(|(part, source)| Some((part, source?))) {
        let Ok(key) = read(source) else { return keep_or_put(file, None, &section) };
        // A line break would begin another setting.
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Failure::new(format!("providers.{name}.auth.aws.{part}: not one word of visible ASCII")));
        }
        text.push_str(&format!("aws_{part}={key}\n"));
    }
    if text.len() > MAX_BYTES {
        return Err(Failure::new(format!("providers.{name}.auth.aws: together longer than the {MAX_BYTES} bytes that Envoy reads")));
    }
    keep_or_put(file, Some(&text), &section)
}

/// A secret of this moment; a line break that came along from a file is not part of it. The error says
/// why it cannot be had.
fn read(source: &KeySource) -> Result<String, String> {
    match source {
        KeySource::Env(variable) => std::env::var(variable)
            .ok()
            .map(|key| key.trim().to_owned())
            .filter(|key| !key.is_empty())
            .ok_or_else(|| format!("the variable {variable} is not set")),
        KeySource::File(file) => {
            let mut key = Vec::new();
            let opened = fs::File::open(file).and_then(|open| open.take(MAX_SECRET_BYTES + 1).read_to_end(&mut key));
            opened.map_err(|error| format!("{file}: {error}"))?;
            match String::from_utf8(key) {
                Ok(key) if key.trim().is_empty() => Err(format!("{file}: the file is empty")),
                Ok(key) if key.len() as u64 <= MAX_SECRET_BYTES => Ok(key.trim().to_owned()),
                _ => Err(format!("{file}: the file is no key")),
            }
        }
    }
}

/// Far above any key or token.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Replaces a file if there is something to put there. Otherwise what is there stays, or `empty` is put
/// in its place.
fn keep_or_put(file: &Path, content: Option<&str>, empty: &str) -> Result<(), Failure> {
    match content {
        Some(content) => put(file, content.as_bytes(), PRIVATE),
        None if file.exists() => Ok(()),
        None => put(file, empty.as_bytes(), PRIVATE),
    }
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

/// Readable by this user only.
const PRIVATE: u32 = 0o600;

/// Replaces a file if its content is another.
pub(crate) fn put(file: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    let because = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
    // Envoy would take the same once more.
    if fs::read(file).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    // Left by one that was killed: in a container every process has the same number.
    let _ = fs::remove_file(&beside);
    let mut open = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside).map_err(because)?;
    open.write_all(content).and_then(|()| fs::rename(&beside, file)).map_err(|error| {
        // Half a secret, or one that is not wanted.
        let _ = fs::remove_file(&beside);
        because(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_of_the_same_number_has_left_hinders_nobody() {
        let file = std::env::temp_dir().join(format!("nr-secrets-{}", std::process::id()));
        let beside = file.with_extension(std::process::id().to_string());
        fs::write(&beside, "half a k").unwrap();
        put(&file, b"key", 0o600).unwrap();
        assert_eq!((fs::read(&file).unwrap(), beside.exists()), (b"key".to_vec(), false));
        fs::remove_file(file).unwrap();
    }
}
