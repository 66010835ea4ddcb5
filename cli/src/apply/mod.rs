//! `nr apply`: another configuration for a gateway that runs, without a call lost.
//!
//! ```text
//! file ── load: is it right? ──> render for the gateway's places ──> could it be done live?
//!    ──> secrets (each by a rename of its own) ──> swap: clusters, routes, policy, listener ──> record
//! ```
//!
//! Everything that can be found wrong is found before the first file is touched. What Envoy alone can find
//! wrong is undone, secrets included. A provider that the configuration no longer has stays among the clusters until no call
//! can still turn to it that was planned when it was there; the next change drops it.

pub(crate) mod admin;
pub(crate) mod drain;
pub(crate) mod files;
pub(crate) mod options;
pub(crate) mod record;
pub(crate) mod refusal;
mod rotation;
mod swap;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::failure::{Failure, print};
use crate::load::{self, Loaded};
use crate::render::dynamic::{BOOTSTRAP, Part, Set};
use crate::secrets;
use crate::site::Site;
use admin::Admin;
use options::{Apply, Files};
use record::Record;
use rotation::Rotation;

/// Beyond the longest call: clocks, and an attempt that has just begun.
const RETIREMENT_SLACK_MS: u64 = 5_000;

/// `nr apply`.
pub(crate) fn run(options: &Apply) -> Result<(), Failure> {
    let directory = options.run_dir.clone().map_or_else(record::running, Ok)?;
    if options.watch {
        return watch::run(options, &directory);
    }
    let _lock = files::lock(&directory)?;
    let record = Record::read(&directory)?;
    let file = file(options, &record)?;
    let applied = change(options, &directory, record, &file, &load::read(&file)?, true)?;
    print(&format!("{applied}\n"))
}

/// Makes the running gateway work with what a file says. The directory is locked. `aloud`: with the warnings.
fn change(options: &Apply, directory: &Path, mut record: Record, file: &Path, text: &str, aloud: bool) -> Result<Applied, Failure> {
    let loaded = load::file_at(file, text, &record.site)?;
    if aloud {
        loaded.warn();
    }
    record.config = Some(absolute(file)?);
    let admin = options.admin(&record);
    let wasm_before = record.wasm.clone();
    let trial = files::Trial::begin(directory);
    if let Some(wasm) = &options.wasm {
        let kept = files::keep_module(directory, wasm)?;
        let name = kept.file_name().unwrap_or_default().to_string_lossy();
        record.wasm = format!("{}/{name}", record.at);
    }

    let mut set = files::render(&loaded, &record)?;
    can_be_live(directory, &set, &record.site)?;
    retire(directory, &mut set, &mut record, now_ms())?;
    let rotation = Rotation::make(&loaded, &record)?;
    let rotated = rotation.changed.clone();
    let changed = swap::swap(directory, &set, &admin).map_err(|why| rotation.undo(why))?;
    trial.made();
    record.of(&loaded);
    record.write(directory).map_err(|why| Failure::new(format!("the new configuration is in force, but {why}; run `nr apply` again")))?;
    files::forget_modules(directory, [&record.wasm, &wasm_before]);
    Ok(Applied { changed, rotated, retired: record.retired })
}

/// What a change has done.
#[derive(Debug)]
struct Applied {
    changed: Vec<Part>,
    /// Providers whose secrets are others now.
    rotated: Vec<String>,
    /// Clusters that nothing names any more, and until when they stay.
    retired: BTreeMap<String, u64>,
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changed.as_slice() {
            [] => f.write_str("applied: nothing that Envoy reads has changed")?,
            parts => write!(f, "applied: {}", parts.iter().map(|part| part.file()).collect::<Vec<_>>().join(", "))?,
        }
        if !self.rotated.is_empty() {
            let link = if self.changed.is_empty() { ", but these secrets" } else { "; secrets" };
            write!(f, "{link}: {}", self.rotated.join(", "))?;
        }
        if !self.retired.is_empty() {
            let names: Vec<&str> = self.retired.keys().map(String::as_str).collect();
            write!(f, "; kept for calls that are under way: {}", names.join(", "))?;
        }
        Ok(())
    }
}

/// `nr render files`.
pub(crate) fn render_files(options: &Files) -> Result<(), Failure> {
    let Files { sources, site, .. } = options;
    let loaded = load::file_at(&sources.config, &load::read(&sources.config)?, site)?;
    loaded.warn();
    std::fs::create_dir_all(&options.directory).map_err(|error| Failure::new(format!("{}: {error}", options.directory.display())))?;
    let at = match &options.at {
        Some(at) => at.trim_end_matches('/').to_owned(),
        None => absolute(&options.directory)?,
    };
    let mut record = Record {
        config: Some(absolute(&sources.config)?),
        at,
        wasm: sources.wasm.clone(),
        secrets: sources.secrets_path().to_owned(),
        writes_secrets: sources.secrets.is_some(),
        authorities: sources.ca.clone(),
        site: site.clone(),
        ..Record::default()
    };
    record.of(&loaded);
    let set = files::render(&loaded, &record)?;
    if let Some(directory) = &sources.secrets {
        for missing in secrets::write(&loaded.document, directory, site.aws())? {
            // What is to be mounted is there before this runs, or is not coming.
            if site.secrets_from.is_some() {
                return Err(Failure::new(missing));
            }
            eprintln!("warning: {missing}");
        }
    }
    files::write(&options.directory, &set, &record).map(drop)
}

fn file(options: &Apply, record: &Record) -> Result<PathBuf, Failure> {
    let known = || record.config.as_ref().map(PathBuf::from);
    options
        .file
        .clone()
        .or_else(known)
        .ok_or_else(|| Failure::new("the gateway runs a configuration built into `nr`: name a file, such as `nr apply neural-router.yaml`"))
}

/// Envoy reads its bootstrap once.
fn can_be_live(directory: &Path, set: &Set, site: &Site) -> Result<(), Failure> {
    let file = directory.join(BOOTSTRAP);
    let old = std::fs::read_to_string(&file).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    if old == set.bootstrap {
        return Ok(());
    }
    let (old, new) = (load::value(&old)?, load::value(&set.bootstrap)?);
    let parts = ["admin", "node", "overload_manager", "stats_config", "stats_sinks", "bootstrap_extensions", "layered_runtime"];
    let differing: Vec<&str> = parts.into_iter().filter(|part| old.get(part) != new.get(part)).collect();
    let what = match differing.as_slice() {
        [] => "what Envoy reads only at its start".to_owned(),
        parts => format!("{} of Envoy's bootstrap", parts.join(", ")),
    };
    let advice = match site.listen {
        Some(_) => "set up a new one with this file, on Kubernetes by `nr render kubernetes`",
        None => "end the gateway and start it with this file",
    };
    Err(Failure::new(format!("{what} cannot change while Envoy runs; nothing was changed: {advice}")))
}

/// Keeps the clusters that the running configuration has and the new one has not, each for its time.
fn retire(directory: &Path, set: &mut Set, record: &mut Record, now_ms: u64) -> Result<(), Failure> {
    let running = files::resources(&files::text(directory, Part::Clusters)?)?;
    let routes = files::text(directory, Part::Routes)?;
    let patience = u64::from(record.total_timeout_ms) + RETIREMENT_SLACK_MS;
    let before = std::mem::take(&mut record.retired);
    for cluster in running {
        let Some(name) = cluster.get("name").and_then(Value::as_str).map(str::to_owned) else { continue };
        if set.clusters().any(|(new, _)| new == name) {
            continue;
        }
        let until = before.get(&name).copied().unwrap_or(now_ms + patience);
        if until > now_ms {
            let is_provider = routes.contains(&format!("cluster: {name}\n"));
            set.keep(&name, cluster, is_provider);
            record.retired.insert(name, until);
        }
    }
    Ok(())
}

impl Apply {
    fn admin(&self, record: &Record) -> Admin {
        Admin(self.admin.clone().unwrap_or_else(|| record.admin.clone()))
    }
}

impl Record {
    /// What of a configuration matters to a running gateway besides its files.
    pub(crate) fn of(&mut self, loaded: &Loaded) {
        let admin = &loaded.document.admin;
        self.admin = crate::up::reachable(&admin.address, admin.port)
            .map_or_else(|| format!("{}:{}", admin.address, admin.port), |address| address.to_string());
        self.total_timeout_ms = loaded.config.routing.total_timeout_ms;
        self.drain_s = loaded.document.listen.drain_s();
        self.notice_s = loaded.document.listen.notice_s();
    }
}

pub(crate) fn absolute(path: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    Ok(absolute.to_string_lossy().into_owned())
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
