//! Where the parts are: Envoy, the filter, the simulator, the certificate authorities. Each missing
//! one is a sentence that says what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use neural_router::config::document::Auth;

use crate::failure::Failure;
use crate::load::Loaded;
use crate::options::{AUTHORITIES, WASM};

/// The filter relies on what this series does; others differ in what they retry and where.
const ENVOY_SERIES: &str = "1.40";

/// Where `make up` and `make test` install Envoy, below `target/`.
const INSTALLED_ENVOY: &str = "tools/venv/bin/envoy";

/// The bundles of Debian, Fedora, OpenSUSE, Alpine and macOS.
const BUNDLES: [&str; 5] = [
    AUTHORITIES,
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
];

/// `$ENVOY_BIN`, else `envoy` on PATH, else the one `make up` installs; always of the right series.
pub(super) fn envoy() -> Result<PathBuf, Failure> {
    if let Some(named) = std::env::var_os("ENVOY_BIN").filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        return match version(&named) {
            Some(version) if is_right(&version) => Ok(named),
            Some(version) => {
                Err(Failure::new(format!("ENVOY_BIN names {}, which is Envoy {version}; {ENVOY_SERIES} is needed", named.display())))
            }
            None => Err(Failure::new(format!("ENVOY_BIN names {}, which is not an Envoy that runs here", named.display()))),
        };
    }
    let mut seen = String::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("envoy")).find(|file| file.is_file());
    let installed = [Some(PathBuf::from("target")), beside_nr("..")].into_iter().flatten().map(|target| target.join(INSTALLED_ENVOY));
    for candidate in on_path.into_iter().chain(installed) {
        match version(&candidate) {
            Some(version) if is_right(&version) => return Ok(candidate),
            Some(version) => seen = format!(" ({} is {version})", candidate.display()),
            None => {}
        }
    }
    Err(Failure::new(format!("no Envoy {ENVOY_SERIES} found{seen}: run `make up`, which installs one, or name one in ENVOY_BIN")))
}

/// The filter: the one named, else the one the build left here or beside `nr`.
pub(super) fn wasm(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let places = match named {
        Some(named) => vec![named.to_owned()],
        None => {
            [Some(PathBuf::from(WASM)), beside_nr("../neural_router.wasm"), beside_nr("neural_router.wasm")].into_iter().flatten().collect()
        }
    };
    match (places.iter().find_map(|file| file.canonicalize().ok()), named) {
        (Some(found), _) => Ok(found),
        (None, Some(named)) => Err(Failure::new(format!("--wasm {}: there is no such file", named.display()))),
        (None, None) => Err(Failure::new(format!("the filter {WASM} is missing: run `make build`, or say where it is with --wasm"))),
    }
}

/// The simulator, which is built beside `nr`.
pub(super) fn simulator() -> Result<PathBuf, Failure> {
    beside_nr("nr-simulator")
        .filter(|file| file.is_file())
        .ok_or_else(|| Failure::new("the demo needs nr-simulator beside nr: run `make build`, or give `nr up` a --config"))
}

/// The certificate authorities of this machine; only needed for what is reached with TLS.
pub(super) fn authorities(loaded: &Loaded) -> Result<&'static str, Failure> {
    let found = BUNDLES.iter().find(|file| Path::new(file).is_file()).copied();
    let with_tls = loaded.config.catalog.providers().iter().find(|provider| {
        let auth = loaded.document.providers.get(&provider.name).and_then(|written| written.auth.as_ref());
        provider.endpoint.tls || matches!(auth, Some(Auth::Oauth2(oauth2)) if oauth2.token_url.starts_with("https://"))
    });
    match (found, with_tls) {
        (Some(found), _) => Ok(found),
        (None, None) => Ok(AUTHORITIES),
        (None, Some(provider)) => Err(Failure::new(format!(
            "provider {} is reached by https, but no certificate authorities are installed: apt-get install ca-certificates",
            provider.name
        ))),
    }
}

fn beside_nr(file: &str) -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.canonicalize().ok()?.parent()?.join(file))
}

/// Envoy's version, `1.40.0`: the second part of `hash/1.40.0/Clean/RELEASE/BoringSSL`.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let build = text.split_whitespace().find(|word| word.matches('/').count() >= 3 && !word.starts_with('/'))?;
    build.split('/').nth(1).filter(|version| version.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

fn is_right(version: &str) -> bool {
    version.strip_prefix(ENVOY_SERIES).is_some_and(|rest| rest.starts_with('.'))
}
