//! One change of a running Envoy: file after file, each taken before the next, all undone if one is not.
//!
//! Make before break: first the new clusters, and only when they are ready whatever names them. Envoy says
//! by the version it has taken and by its count of refusals what became of a file; both are read in one
//! answer of its main thread, which is the thread that takes files.

use std::path::Path;
use std::time::{Duration, Instant};

use super::admin::Admin;
use super::{files, refusal};
use crate::failure::Failure;
use crate::render::dynamic::{Part, Set, version};

/// For Envoy to take one file: it compiles a new filter, and looks up the names of new providers.
const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(10);

/// What Envoy is waiting for before new clusters or a new listener take part.
const WARMING: [&str; 2] = ["cluster_manager.warming_clusters", "listener_manager.total_listeners_warming"];

/// Makes a change. Returns the parts that differed. After an error the files are the old ones.
pub(super) fn swap(directory: &Path, set: &Set, admin: &Admin) -> Result<Vec<Part>, Failure> {
    let mut changes = Vec::new();
    for part in Part::IN_ORDER {
        let (old, new) = (files::text(directory, part)?, set.text(part)?);
        // The file may be right and Envoy have another: an earlier change was killed half-way.
        if old != new || State::ask(admin, part)?.version != version(&new).unwrap_or_default() {
            changes.push(Change { part, old, new });
        }
    }
    for (done, change) in changes.iter().enumerate() {
        if let Err(why) = change.make(directory, admin) {
            let undone = changes.iter().take(done + 1).rev().map(|change| change.undo(directory, admin));
            let left: Vec<String> = undone.filter_map(|undone| Some(undone.err()?.to_string())).collect();
            return Err(why.and("not every file could be put back", &left));
        }
    }
    Ok(changes.iter().map(|change| change.part).collect())
}

struct Change {
    part: Part,
    old: String,
    new: String,
}

impl Change {
    fn make(&self, directory: &Path, admin: &Admin) -> Result<(), Failure> {
        let before = refusals(admin, self.part)?;
        refusal::forget(directory);
        files::put(&directory.join(self.part.file()), self.new.as_bytes())?;
        let wanted = version(&self.new).unwrap_or_default();
        taken(admin, self.part, wanted, before, || refusal::reason(directory))
    }

    /// What was taken once is taken again; should it not be, there is nothing better to go back to.
    fn undo(&self, directory: &Path, admin: &Admin) -> Result<(), Failure> {
        files::put(&directory.join(self.part.file()), self.old.as_bytes())?;
        if let Ok(before) = refusals(admin, self.part) {
            let _ = taken(admin, self.part, version(&self.old).unwrap_or_default(), before, String::new);
        }
        Ok(())
    }
}

/// Waits until Envoy works with a version.
fn taken(admin: &Admin, part: Part, wanted: &str, before: u64, reason: impl FnOnce() -> String) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    loop {
        let state = State::ask(admin, part)?;
        if state.refusals > before {
            return Err(Failure::new(format!("Envoy refused the new {}: {}; the configuration before it stays", part.file(), reason())));
        }
        if state.version == wanted && state.warming == 0 {
            return Ok(());
        }
        if Instant::now() > end {
            let what =
                if state.version == wanted { "took the new {} but is still waiting for what it needs" } else { "did not take the new {}" };
            let what = what.replace("{}", part.file());
            return Err(Failure::new(format!(
                "Envoy {what} within {} seconds; its log may say why. The configuration before it stays",
                PATIENCE.as_secs()
            )));
        }
        std::thread::sleep(PAUSE);
    }
}

fn refusals(admin: &Admin, part: Part) -> Result<u64, Failure> {
    Ok(State::ask(admin, part)?.refusals)
}

/// How Envoy stands to a file.
#[derive(Debug, Default)]
struct State {
    version: String,
    refusals: u64,
    warming: u64,
}

impl State {
    fn ask(admin: &Admin, part: Part) -> Result<Self, Failure> {
        let subscription = part.subscription().replace('.', "\\.");
        let warming = WARMING.join("|").replace('.', "\\.");
        let pattern = format!("^({subscription}\\.(version_text|update_rejected|update_failure|config_fail)|{warming})$");
        let mut state = Self::default();
        for (name, value) in admin.stats(&pattern)? {
            let count = value.parse().unwrap_or(0);
            if name.ends_with(".version_text") {
                state.version = value;
            } else if WARMING.contains(&name.as_str()) {
                state.warming += count;
            } else {
                state.refusals += count;
            }
        }
        Ok(state)
    }
}
