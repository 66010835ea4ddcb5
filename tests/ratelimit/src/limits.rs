//! The file of limits. It is looked at every second instead of watched: a file that is replaced by renaming, as a
//! mounted ConfigMap is, loses a watch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use limitador::limit::Limit;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use crate::gate::Gate;

const EVERY: Duration = Duration::from_secs(1);

/// The limits of a file; the error names the file, and the line where there is one.
pub(crate) fn read(file: &Path) -> Result<Vec<Limit>, String> {
    text(file).and_then(|text| parse(file, &text))
}

/// Gives the gate new limits whenever the file has some, for ever.
pub(crate) async fn watch(file: PathBuf, gate: Arc<Gate>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        error!("SIGHUP cannot be received: {} is not read again", file.display());
        return;
    };
    let mut known = text(&file).ok();
    loop {
        let asked = tokio::select! {
            received = hangup.recv() => received.is_some(),
            () = tokio::time::sleep(EVERY) => false,
        };
        let found = text(&file);
        if !asked && found.as_ref().ok() == known.as_ref() {
            continue;
        }
        match found.and_then(|text| parse(&file, &text).map(|limits| (text, limits))) {
            Ok((text, limits)) => {
                info!("{}: {} limits", file.display(), limits.len());
                gate.configure(limits).await;
                known = Some(text);
            }
            Err(reason) => {
                error!("the limits stay as they were: {reason}");
                known = text_or_none(&file);
            }
        }
    }
}

fn text(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn text_or_none(file: &Path) -> Option<String> {
    text(file).ok()
}

fn parse(file: &Path, text: &str) -> Result<Vec<Limit>, String> {
    serde_yaml_ng::from_str(text)
        .map_err(|error| format!("{}: {error} (`nr render ratelimit --for limitador-1` writes what is read here)", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "
- namespace: neural-router
  max_value: 600
  seconds: 60
  conditions: ['nr_scope == \"acme\"', 'nr_limit == \"requests\"']
  variables: [nr_window]
";

    #[test]
    fn reads_what_the_renderer_writes() {
        let limits = parse(Path::new("limits.yaml"), WRITTEN);
        let read: Vec<_> = limits.iter().flatten().map(|limit| (limit.max_value(), limit.seconds())).collect();
        assert_eq!(read, [(600, 60)]);
    }

    #[test]
    fn names_the_file_and_the_place_of_an_error() {
        let reason = parse(Path::new("limits.yaml"), &WRITTEN.replace("600", "many")).err().unwrap_or_default();
        assert!(reason.starts_with("limits.yaml: .[0].max_value: ") && reason.contains("line 3"), "{reason}");
    }

    #[test]
    fn refuses_the_conditions_of_later_versions() {
        let later = WRITTEN.replace("nr_scope == \"acme\"", "descriptors[0].nr_scope == \"acme\"");
        assert!(parse(Path::new("limits.yaml"), &later).is_err());
    }
}
