//! `nr apply --watch`: the file is applied whenever it has changed, beside an Envoy that others start, end and
//! start again.
//!
//! A file is looked at and not asked to tell: what counts is where its name leads and when that was written,
//! so that a file that is saved, one that is renamed over it, and a mounted ConfigMap, of which Kubernetes moves
//! one link, are all the same. A file that differs from one look to the next is still being written. What is in force
//! is known from the directory and from Envoy, so this can end at any moment and begin again.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use neural_router::ledger::calendar::rfc3339;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::admin::Admin;
use super::options::Apply;
use super::record::Record;
use super::{Applied, change, files, now_ms};
use crate::failure::Failure;
use crate::key::digest;
use crate::load;

/// Between two looks. A change is taken at the second that sees it.
const PAUSE: Duration = Duration::from_millis(200);

/// After which it is tried again to reach Envoy.
const WAITING_MS: u64 = 1_000;

/// After which a file that was refused is tried again although it is the same: a name may be known by then, a
/// port free.
const REFUSED_MS: u64 = 300_000;

/// As many digits of a file's digest as tell it from any other.
const DIGITS: usize = 12;

/// Runs until a signal ends it.
pub(super) fn run(options: &Apply, directory: &Path) -> Result<(), Failure> {
    // The first process of a container is ended by no signal that it does not ask for.
    let mut signals =
        Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|error| Failure::new(format!("signals cannot be watched: {error}")))?;
    let record = Record::read(directory)?;
    let file = super::file(options, &record)?;
    let secrets = record.site.secrets_from.map(PathBuf::from);
    let (mut watch, mut log) = (Watch::default(), Log::default());
    while signals.pending().next().is_none() {
        let look = Look { file: version(&file), secrets: secrets.as_deref().and_then(mounted) };
        if let Some(because) = watch.due(&look, now_ms()) {
            let (outcome, line) = attempt(options, directory, &file, because == Because::OfChange);
            log.line(&line, because == Because::OfChange && outcome != Outcome::Waiting)?;
            watch.tried(look, outcome, now_ms());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Tries to make the gateway work with the file. Returns what is to be said of it.
fn attempt(options: &Apply, directory: &Path, file: &Path, aloud: bool) -> (Outcome, String) {
    let waiting = |why: Failure| (Outcome::Waiting, format!("waiting: {why}"));
    let record = match Record::read(directory) {
        Ok(record) => record,
        Err(why) => return waiting(why),
    };
    let admin = options.admin(&record);
    if let Err(why) = running(&admin) {
        return waiting(why);
    }
    let _lock = match files::lock(directory) {
        Ok(lock) => lock,
        Err(why) => return waiting(why),
    };
    let text = load::read(file);
    let name = text.as_ref().map_or_else(|_| "-".repeat(DIGITS), |text| digest(text).chars().take(DIGITS).collect());
    match text.and_then(|text| change(options, directory, record, file, &text, aloud)) {
        Ok(applied) => (outcome(&applied), format!("file {name} {applied}")),
        Err(why) => match running(&admin) {
            Ok(()) => (Outcome::Refused, format!("file {name} refused: {why}; what was in force stays")),
            // Envoy ended during the change, whose files are the old ones again.
            Err(why) => waiting(why),
        },
    }
}

fn outcome(applied: &Applied) -> Outcome {
    Outcome::Applied { tidy_ms: applied.retired.values().copied().min() }
}

/// Whether Envoy has begun to work, and still does: before, it has not taken the files that are there.
fn running(admin: &Admin) -> Result<(), Failure> {
    /// Of the values of this statistic, those of an Envoy that serves, or ends and lets its calls end.
    const STATES: [&str; 2] = ["0", "1"];
    let stats = admin.stats("^server\\.state$")?;
    let serves = stats.iter().any(|(_, state)| STATES.contains(&state.as_str()));
    if serves { Ok(()) } else { Err(Failure::new("Envoy is starting")) }
}

/// What can be seen of the file without reading it, and of the secrets beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    file: Option<Version>,
    secrets: Option<Version>,
}

/// Where a name leads, and what was written there when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    path: PathBuf,
    inode: u64,
    modified: (i64, i64),
    bytes: u64,
}

fn version(path: &Path) -> Option<Version> {
    let path = fs::canonicalize(path).ok()?;
    let metadata = fs::metadata(&path).ok()?;
    Some(Version { inode: metadata.ino(), modified: (metadata.mtime(), metadata.mtime_nsec()), bytes: metadata.len(), path })
}

/// Of a directory of secrets: of the link that Kubernetes moves, or of the directory.
fn mounted(directory: &Path) -> Option<Version> {
    version(&directory.join("..data")).or_else(|| version(directory))
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The file is in force. From then on there is a cluster that not even older calls name.
    Applied { tidy_ms: Option<u64> },
    /// Something else has to happen first.
    Waiting,
    /// The file, or what it needs, is wrong.
    Refused,
}

/// Why the file is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Because {
    OfChange,
    OfTime,
}

/// When the file is to be tried: a function of what is seen, of what came of it, and of the time.
#[derive(Debug, Default)]
struct Watch {
    seen: Option<Look>,
    last: Option<(Look, Outcome)>,
    again_ms: Option<u64>,
}

impl Watch {
    fn due(&mut self, look: &Look, now_ms: u64) -> Option<Because> {
        let is_steady = self.seen.replace(look.clone()).as_ref() == Some(look);
        let has_changed = match &self.last {
            None => true,
            Some((last, Outcome::Refused)) => last != look,
            Some((last, _)) => last.file != look.file,
        };
        match has_changed {
            true => is_steady.then_some(Because::OfChange),
            false => self.again_ms.filter(|at| *at <= now_ms).map(|_| Because::OfTime),
        }
    }

    fn tried(&mut self, look: Look, outcome: Outcome, now_ms: u64) {
        self.again_ms = match outcome {
            Outcome::Applied { tidy_ms } => tidy_ms,
            Outcome::Waiting => Some(now_ms + WAITING_MS),
            Outcome::Refused => Some(now_ms + REFUSED_MS),
        };
        self.last = Some((look, outcome));
    }
}

/// Standard output: a line for each event, and none that only repeats the one before.
#[derive(Debug, Default)]
struct Log {
    last: String,
}

impl Log {
    fn line(&mut self, what: &str, is_news: bool) -> Result<(), Failure> {
        // What a reader of YAML says may have several lines.
        let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
        if is_news || what != self.last {
            let line = format!("{} {what}\n", rfc3339(now_ms() / 1000));
            let mut out = std::io::stdout().lock();
            out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(|error| Failure::new(format!("standard output: {error}")))?;
        }
        self.last = what;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(file: u64, secrets: u64) -> Look {
        let version = |bytes| Version { path: PathBuf::from("/x"), inode: 1, modified: (0, 0), bytes };
        Look { file: Some(version(file)), secrets: Some(version(secrets)) }
    }

    /// A watch that has seen and tried this.
    fn after(look: Look, outcome: Outcome) -> Watch {
        let mut watch = Watch::default();
        assert_eq!(watch.due(&look, 0), None, "the first look may be at half a file");
        assert_eq!(watch.due(&look, 0), Some(Because::OfChange), "whatever came before, the file is applied at the start");
        watch.tried(look, outcome, 0);
        watch
    }

    const APPLIED: Outcome = Outcome::Applied { tidy_ms: None };

    #[test]
    fn a_change_is_taken_when_it_is_seen_twice_and_only_once() {
        let mut watch = after(look(1, 1), APPLIED);
        assert_eq!(watch.due(&look(1, 1), u64::MAX), None);
        assert_eq!(watch.due(&look(2, 1), 0), None);
        assert_eq!(watch.due(&look(3, 1), 0), None, "it is still being written");
        assert_eq!(watch.due(&look(3, 1), 0), Some(Because::OfChange));
        watch.tried(look(3, 1), APPLIED, 0);
        assert_eq!(watch.due(&look(3, 1), u64::MAX), None);
        let gone = Look { file: None, ..look(3, 1) };
        assert_eq!((watch.due(&gone, 0), watch.due(&gone, 0)), (None, Some(Because::OfChange)));
    }

    #[test]
    fn what_was_refused_is_tried_when_it_or_its_secrets_change_and_rarely_by_itself() {
        let mut watch = after(look(1, 1), Outcome::Refused);
        assert_eq!(watch.due(&look(1, 1), REFUSED_MS - 1), None);
        assert_eq!(watch.due(&look(1, 1), REFUSED_MS), Some(Because::OfTime));
        assert_eq!((watch.due(&look(1, 2), 0), watch.due(&look(1, 2), 0)), (None, Some(Because::OfChange)));
        watch.tried(look(1, 2), APPLIED, 0);
        assert_eq!((watch.due(&look(1, 3), 0), watch.due(&look(1, 3), 0)), (None, None), "Envoy reads secrets itself");
    }

    #[test]
    fn envoy_is_waited_for_and_what_only_old_calls_name_is_dropped_in_time() {
        let mut watch = after(look(1, 1), Outcome::Waiting);
        assert_eq!(watch.due(&look(1, 1), WAITING_MS - 1), None);
        assert_eq!(watch.due(&look(1, 1), WAITING_MS), Some(Because::OfTime));
        watch.tried(look(1, 1), Outcome::Applied { tidy_ms: Some(9_000) }, WAITING_MS);
        assert_eq!(watch.due(&look(1, 1), 8_999), None);
        assert_eq!(watch.due(&look(1, 1), 9_000), Some(Because::OfTime));
        watch.tried(look(1, 1), APPLIED, 9_000);
        assert_eq!(watch.due(&look(1, 1), u64::MAX), None);
    }

    #[test]
    fn a_file_that_is_saved_replaced_or_moved_by_a_link_is_another() {
        use std::os::unix::fs::symlink;

        let folder = std::env::temp_dir().join(format!("nr-watch-{}", std::process::id()));
        fs::create_dir_all(folder.join("..one")).unwrap();
        fs::create_dir_all(folder.join("..two")).unwrap();
        for version in ["..one", "..two"] {
            fs::write(folder.join(version).join("file"), "same").unwrap();
        }
        symlink("..one", folder.join("..data")).unwrap();
        symlink("..data/file", folder.join("file")).unwrap();
        let seen = || (version(&folder.join("file")), mounted(&folder));
        let mut before = seen();
        assert!(before.0.is_some() && before == seen());
        let mut differs = |change: &dyn Fn()| {
            change();
            let now = seen();
            assert_ne!(before.0, now.0);
            before = now;
        };
        differs(&|| fs::write(folder.join("file"), "longer").unwrap());
        differs(&|| {
            symlink("..two", folder.join("..new")).unwrap();
            fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
        });
        differs(&|| fs::remove_file(folder.join("file")).unwrap());
        assert_eq!(before.0, None);
        fs::remove_dir_all(folder).unwrap();
    }
}
