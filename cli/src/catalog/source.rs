//! Where the table comes from: a file, an address, or PyPI's package `litellm`, in which it lies.

use std::fs;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};

use crate::failure::Failure;

/// Where the table lies in the package.
const MEMBER: &str = "litellm/model_prices_and_context_window_backup.json";

/// The table has 3 MB and the package 40; far more is neither.
const MAX_TABLE_BYTES: u64 = 64 << 20;
const MAX_FILE_BYTES: u64 = 512 << 20;

const BY_HAND: &str = "get the table elsewhere and name it: `pip download litellm --no-deps`, then --from litellm-VERSION.whl";

/// The text of a table and what to call it.
pub(super) struct Source {
    pub(super) text: String,
    pub(super) name: String,
}

/// Reads what `--from` names; PyPI's package without it.
pub(super) fn read(from: Option<&str>) -> Result<Source, Failure> {
    let Some(from) = from else {
        let folder = Folder::new()?;
        let wheel = folder.pip()?;
        return file(&wheel, wheel.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()));
    };
    match from.split_once("://") {
        None => file(Path::new(from), from.to_owned()),
        Some(("https", _)) => {
            let folder = Folder::new()?;
            file(&folder.curl(from)?, from.to_owned())
        }
        Some(_) => Err(Failure::new(format!("--from {from}: a file or an address that begins with https://"))),
    }
}

fn file(path: &Path, name: String) -> Result<Source, Failure> {
    let because = |error: &dyn std::fmt::Display| Failure::new(format!("{name}: {error}"));
    let mut bytes = Vec::new();
    let open = fs::File::open(path).map_err(|error| because(&error))?;
    open.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| because(&error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(because(&"far longer than any table"));
    }
    if bytes.starts_with(b"PK") {
        bytes = member(&bytes).map_err(|error| because(&error))?;
    }
    let text = String::from_utf8(bytes).map_err(|_| because(&"neither JSON nor a wheel (.whl), which the table is in"))?;
    Ok(Source { text, name })
}

/// The table out of a wheel, which is a ZIP archive.
fn member(wheel: &[u8]) -> Result<Vec<u8>, String> {
    let broken = |error: rawzip::Error| format!("not a whole wheel: {error}");
    let archive = ZipArchive::from_slice(wheel).map_err(broken)?;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(broken)? {
        if entry.file_path().as_ref() != MEMBER.as_bytes() {
            continue;
        }
        let stored = archive.get_entry(entry.wayfinder()).map_err(broken)?;
        let mut table = Vec::new();
        let read = match entry.compression_method() {
            CompressionMethod::STORE => stored.verifying_reader(stored.data()).take(MAX_TABLE_BYTES + 1).read_to_end(&mut table),
            CompressionMethod::DEFLATE => {
                stored.verifying_reader(DeflateDecoder::new(stored.data())).take(MAX_TABLE_BYTES + 1).read_to_end(&mut table)
            }
            other => return Err(format!("{MEMBER} is compressed by a method that is not known: {other:?}")),
        };
        read.map_err(|error| format!("{MEMBER}: {error}"))?;
        return if table.len() as u64 > MAX_TABLE_BYTES { Err(format!("{MEMBER}: far longer than any table")) } else { Ok(table) };
    }
    Err(format!("a ZIP archive without {MEMBER}: not LiteLLM's package"))
}

/// A directory for a download, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("nr-catalog-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }

    /// pip knows the mirrors, proxies and certificates of this machine.
    fn pip(&self) -> Result<PathBuf, Failure> {
        eprintln!("nr: fetching the package litellm from PyPI with pip");
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "download", "litellm", "--no-deps", "--only-binary", ":all:", "--quiet", "--dest"]).arg(&self.0);
        run(command, "python3 -m pip")?;
        let mut files = fs::read_dir(&self.0).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let wheel = files.find(|path| path.extension().is_some_and(|kind| kind == "whl"));
        wheel.ok_or_else(|| Failure::new(format!("pip left no wheel of litellm; {BY_HAND}")))
    }

    fn curl(&self, url: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join("table");
        let mut command = Command::new("curl");
        let limit = MAX_FILE_BYTES.to_string();
        command.args(["--fail", "--silent", "--show-error", "--location", "--proto", "=https", "--max-filesize", &limit, "--output"]);
        command.arg(&path).arg("--").arg(url);
        run(command, "curl")?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is a public file in a directory for such.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a command to its end; what it says on standard error is the user's to read.
fn run(mut command: Command, name: &str) -> Result<(), Failure> {
    match command.stdout(std::process::Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("{name} ended with {status}; {BY_HAND}"))),
        Err(error) => Err(Failure::new(format!("{name} cannot be run ({error}); {BY_HAND}"))),
    }
}
