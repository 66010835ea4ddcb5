//! `nr apply`: another configuration for a gateway that runs, without a call lost.
//!
//! ```text
//! file ── load: is it right? ──> render for the gateway's places ──> could it be done live?
//!    ──> secrets (each by a rename of its own) ──> swap: clusters, routes, policy, listener ──> record
//! ```
//!
//! Everything that can be found wrong is found before the first file is touched. What Envoy alone can find
//! wrong is undone. A provider that the configuration no longer has stays among the clusters until no call
//! can still turn to it that was planned when it was there; the next change drops it.

pub(crate) mod admin;
pub(crate) mod drain;
pub(crate) mod files;
pub(crate) mod options;
pub(crate) mod record;
pub(crate) mod refusal;
mod swap;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::failure::{Failure, print};
use crate::load::{self, Loaded};
use crate::render::dynamic::{BOOTSTRAP, Part, Set};
use crate::secrets;
use admin::Admin;
use options::{Apply, Files};
use record::Record;

/// Beyond the longest call: clocks, and an attempt that has just begun.
const RETIREMENT_SLACK_MS: u64 = 5_000;

/// `nr apply`.
pub(crate) fn run(options: &Apply) -> Result<(), Failure> {
    let directory = options.run_dir.clone().map_or_else(record::running, Ok)?;
    let _lock = files::lock(&directory)?;
    let mut record = Record::read(&directory)?;
    let file = file(options, &record)?;
    let loaded = load::file(&file)?;
    loaded.warn();
    record.config = Some(absolute(&file)?);
    let admin = Admin(options.admin.clone().unwrap_or_else(|| record.admin.clone()));
    let wasm_before = record.wasm.clone();
    if let Some(wasm) = &options.wasm {
        let kept = files::keep_module(&directory, wasm)?;
        let name = kept.file_name().unwrap_or_default().to_string_lossy();
        record.wasm = format!("{}/{name}", record.at);
    }

    let mut set = files::render(&loaded, &record)?;
    can_be_live(&directory, &set)?;
    retire(&directory, &mut set, &mut record, now_ms())?;
    let rotated = rotate(&loaded, &record)?;
    let changed = swap::swap(&directory, &set, &admin)?;
    record.of(&loaded);
    record.write(&directory)?;
    files::forget_modules(&directory, [&record.wasm, &wasm_before]);
    print(&format!("{}\n", summary(&changed, &rotated, &record)))
}

/// `nr render files`.
pub(crate) fn render_files(options: &Files) -> Result<(), Failure> {
    let loaded = load::file(&options.config)?;
    loaded.warn();
    std::fs::create_dir_all(&options.directory).map_err(|error| Failure::new(format!("{}: {error}", options.directory.display())))?;
    let at = match &options.at {
        Some(at) => at.trim_end_matches('/').to_owned(),
        None => absolute(&options.directory)?,
    };
    let mut record = Record {
        config: Some(absolute(&options.config)?),
        at,
        wasm: options.wasm.clone(),
        secrets: options.secrets_path().to_owned(),
        writes_secrets: options.secrets.is_some(),
        authorities: options.ca.clone(),
        ..Record::default()
    };
    record.of(&loaded);
    let set = files::render(&loaded, &record)?;
    if let Some(directory) = &options.secrets {
        for missing in secrets::write(&loaded.document, directory)? {
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
fn can_be_live(directory: &Path, set: &Set) -> Result<(), Failure> {
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
    Err(Failure::new(format!("{what} cannot change while Envoy runs; nothing was changed: end the gateway and start it with this file")))
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

/// Puts the secrets of this moment where Envoy watches for them. One that cannot be had is an error
/// unless there is an earlier one, which stays. Returns the providers whose secrets are others now.
fn rotate(loaded: &Loaded, record: &Record) -> Result<Vec<String>, Failure> {
    if !record.writes_secrets {
        return Ok(Vec::new());
    }
    for (name, provider) in &loaded.document.providers {
        if let Some(missing) = secrets::missing(name, provider).into_iter().next()
            && !secrets::has_earlier(name, provider, &record.secrets)
        {
            return Err(Failure::new(format!("{missing}; nothing was changed")));
        }
    }
    let before = secrets::held(&record.secrets);
    secrets::write(&loaded.document, &record.secrets)?;
    let after = secrets::held(&record.secrets);
    let differs = |file: &str| after.get(file) != before.get(file);
    let names = loaded.document.providers.keys().map(|name| (name, crate::render::credential::name(name)));
    Ok(names.filter(|(_, file)| differs(file)).map(|(name, _)| format!("providers.{name}")).collect())
}

fn summary(changed: &[Part], rotated: &[String], record: &Record) -> String {
    let mut said = match changed {
        [] => "applied: nothing that Envoy reads has changed".to_owned(),
        parts => format!("applied: {}", parts.iter().map(|part| part.file()).collect::<Vec<_>>().join(", ")),
    };
    if !rotated.is_empty() {
        let link = if changed.is_empty() { ", but these secrets" } else { "; secrets" };
        said.push_str(&format!("{link}: {}", rotated.join(", ")));
    }
    if !record.retired.is_empty() {
        let names: Vec<&str> = record.retired.keys().map(String::as_str).collect();
        said.push_str(&format!("; kept until a later `nr apply`, for calls that are under way: {}", names.join(", ")));
    }
    said
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
