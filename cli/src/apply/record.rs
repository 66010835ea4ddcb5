//! What a set of files was made with, kept beside it as `gateway.json`, so that a change is rendered for
//! the same places; and which set it is when nobody says.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use rustix::process::{Pid, getuid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::site::Site;

/// Name of the file.
const FILE: &str = "gateway.json";

/// What the directories that `nr up` makes for itself begin with.
pub(crate) const PREFIX: &str = "nr-up-";

/// How a set of files was made. Holds no secret, only where they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The configuration it was made from last, if it was a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<String>,
    /// Where Envoy finds the set.
    pub(crate) at: String,
    /// The filter, where Envoy finds it.
    pub(crate) wasm: String,
    /// Directory of what authenticates to providers, where Envoy finds it.
    pub(crate) secrets: String,
    /// Whether `nr` writes that directory.
    pub(crate) writes_secrets: bool,
    /// Certificate authorities, where Envoy finds them.
    pub(crate) authorities: String,
    /// What holds here whatever the configuration says.
    #[serde(default, skip_serializing_if = "Site::is_anywhere")]
    pub(crate) site: Site,
    /// Envoy's administration as this machine reaches it, `host:port`.
    pub(crate) admin: String,
    /// Process of the `nr up` that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<i32>,
    /// For how long a call may still turn to a provider it was planned with, in milliseconds.
    pub(crate) total_timeout_ms: u32,
    /// How long running calls have when it ends, in seconds.
    pub(crate) drain_s: u32,
    /// How long before that it says that it is going to, in seconds.
    pub(crate) notice_s: u32,
    /// Clusters that the configuration no longer has, and until when they stay, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) retired: BTreeMap<String, u64>,
}

/// Why a directory could not be taken for that of a gateway, and what to look at.
pub(super) fn not_a_gateway(place: &Path, error: &dyn fmt::Display) -> Failure {
    let advice = "is this the directory of a gateway that `nr up` or `nr render files` has made?";
    Failure::new(format!("{}: {error}; {advice}", place.display()))
}

impl Record {
    /// The record of a directory.
    pub(crate) fn read(directory: &Path) -> Result<Self, Failure> {
        let file = directory.join(FILE);
        let text = fs::read_to_string(&file).map_err(|error| not_a_gateway(&file, &error))?;
        serde_json::from_str(&text).map_err(|error| not_a_gateway(&file, &error))
    }

    /// Writes it.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::new(format!("{FILE}: {error}")))?;
        super::files::put(&directory.join(FILE), &[text.as_bytes(), b"\n"].concat())
    }

    fn is_running(&self) -> bool {
        self.process.and_then(Pid::from_raw).is_some_and(|process| test_kill_process(process).is_ok())
    }
}

/// The directory of the one gateway that `nr up` runs for this user.
pub(crate) fn running() -> Result<PathBuf, Failure> {
    let mut found = Vec::new();
    for place in places() {
        let Ok(entries) = fs::read_dir(&place) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
            let own = entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == getuid().as_raw());
            if own && Record::read(&entry.path()).is_ok_and(|record| record.is_running()) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new("no gateway of `nr up` is running here; name the directory of another with --run-dir")),
        several => {
            let list: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
            Err(Failure::new(format!("several gateways are running here; name one with --run-dir: {}", list.join(", "))))
        }
    }
}

/// Where `nr up` makes its directories: the user's own runtime directory, else that for temporary files.
pub(crate) fn places() -> Vec<PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
    own.into_iter().chain([std::env::temp_dir()]).collect()
}
