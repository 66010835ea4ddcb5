//! The files of a set: written beside and renamed, which is what Envoy watches for, so that it never
//! reads half a file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use super::record::{Record, not_a_gateway};
use crate::failure::Failure;
use crate::key::hex;
use crate::load::Loaded;
use crate::render::dynamic::{BOOTSTRAP, Part, Set};
use crate::render::{self, Places};

/// Renders the set of a configuration for the places of a record.
pub(crate) fn render(loaded: &Loaded, record: &Record) -> Result<Set, Failure> {
    let aws = record.site.secrets_from.as_deref().unwrap_or(&record.secrets);
    let places = Places { wasm: &record.wasm, secrets: &record.secrets, aws, authorities: &record.authorities };
    Ok(render::dynamic::set(&loaded.document, &loaded.config, &places, &record.at)?)
}

/// Writes a whole set, for an Envoy that is not running yet: the bootstrap last, since the others must be
/// there when it is read.
pub(crate) fn write(directory: &Path, set: &Set, record: &Record) -> Result<(), Failure> {
    for part in Part::IN_ORDER {
        put(&directory.join(part.file()), set.text(part)?.as_bytes())?;
    }
    record.write(directory)?;
    put(&directory.join(BOOTSTRAP), set.bootstrap.as_bytes())
}

/// What a file says.
pub(super) fn text(directory: &Path, part: Part) -> Result<String, Failure> {
    let file = directory.join(part.file());
    fs::read_to_string(&file).map_err(|error| because(&file, &error))
}

/// The resources a text holds.
pub(super) fn resources(text: &str) -> Result<Vec<Value>, Failure> {
    let mut whole = crate::load::value(text)?;
    match whole.get_mut("resources").map(Value::take) {
        Some(Value::Array(resources)) => Ok(resources),
        _ => Err(Failure::new("the file has no resources")),
    }
}

/// Puts a filter into the directory under a name made from its content, since Envoy looks at a module
/// again only when its name is another. Returns the file.
pub(crate) fn keep_module(directory: &Path, wasm: &Path) -> Result<PathBuf, Failure> {
    use sha2::{Digest, Sha256};

    let module = fs::read(wasm).map_err(|error| because(wasm, &error))?;
    if !module.starts_with(b"\0asm") {
        return Err(Failure::new(format!("{}: no WebAssembly module", wasm.display())));
    }
    let short: String = hex(&Sha256::digest(&module)).chars().take(16).collect();
    let kept = directory.join(format!("{MODULE}{short}.wasm"));
    if !kept.exists() {
        put(&kept, &module)?;
    }
    Ok(kept)
}

/// What the names of kept filters begin with.
const MODULE: &str = "neural_router-";

/// Removes the kept filters that are none of these.
pub(super) fn forget_modules(directory: &Path, but: [&str; 2]) {
    let but = but.map(|path| Path::new(path).file_name());
    for module in modules(directory).filter(|module| !but.contains(&module.file_name())) {
        // One that stays takes room and does nothing.
        let _ = fs::remove_file(module);
    }
}

fn modules(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(MODULE)).map(|entry| entry.path())
}

/// A change that may come to nothing: dropped before it is made, it takes the filters away that came since it began.
pub(super) struct Trial {
    directory: PathBuf,
    modules: Option<Vec<PathBuf>>,
}

impl Trial {
    pub(super) fn begin(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), modules: Some(modules(directory).collect()) }
    }

    pub(super) fn made(mut self) {
        self.modules = None;
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let Some(before) = &self.modules else { return };
        for module in modules(&self.directory).filter(|module| !before.contains(module)) {
            let _ = fs::remove_file(module);
        }
    }
}

/// Replaces a file. It holds no secret: what reads it may be another user's Envoy.
pub(super) fn put(file: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    fs::write(&beside, content).and_then(|()| fs::rename(&beside, file)).map_err(|error| because(file, &error))
}

/// Held while a set is changed: two changes at once would each undo half of the other. Freed with the file.
pub(super) fn lock(directory: &Path) -> Result<File, Failure> {
    let file = File::open(directory).map_err(|error| not_a_gateway(directory, &error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| Failure::new(format!("{}: another `nr apply` is changing it; try again when it is done", directory.display())))?;
    Ok(file)
}

fn because(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", file.display()))
}
