//! Why Envoy refused a file. It counts refusals where one can ask for them, and gives the reason to its log
//! alone; so `nr up`, which reads that log, keeps the last one for `nr apply`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const FILE: &str = "refusal.txt";

/// What Envoy 1.40 writes before the reason, of a file that is wrong and of one that is no YAML.
const MARKS: [&str; 2] = ["Filesystem config update rejected: ", "Filesystem config update failure: "];

/// For the log to come through. Envoy has counted the refusal by then.
const LOG: Duration = Duration::from_secs(1);

/// Listens to Envoy's log.
pub(crate) fn heard(directory: &Path) -> impl FnMut(&[u8]) + Send + 'static {
    let file = directory.join(FILE);
    move |line| {
        let line = String::from_utf8_lossy(line);
        if let Some(reason) = MARKS.iter().find_map(|mark| line.split_once(mark)).map(|(_, reason)| reason.trim()) {
            // Without it the reason is in the log only.
            let _ = super::files::put(&file, reason.as_bytes());
        }
    }
}

/// Before a change: what is there later is about that change.
pub(super) fn forget(directory: &Path) {
    let _ = fs::remove_file(directory.join(FILE));
}

/// The reason, or where it is to be found.
pub(super) fn reason(directory: &Path) -> String {
    let end = Instant::now() + LOG;
    loop {
        match fs::read_to_string(directory.join(FILE)) {
            Ok(reason) => return reason,
            Err(_) if Instant::now() > end => return "the reason is in its log".to_owned(),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
