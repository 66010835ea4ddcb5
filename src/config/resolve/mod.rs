//! From a [`Document`] to a [`Config`]: every reference resolved, every figure checked.

mod catalog;
mod policy;
mod preference;
mod sharing;
#[cfg(test)]
mod tests;
mod traces;
mod workspaces;

use super::catalog::Objective;
use super::document::{self, Document};
use super::{Config, ConfigError, Preferences, Routing};

type Checked<T> = Result<T, ConfigError>;

pub(super) fn config(document: &Document) -> Checked<Config> {
    let routing = routing(&document.routing)?;
    let default_objective = objective("routing.default_objective", &document.routing.default_objective)?;
    let label_sets = label_sets(&document.telemetry.metrics)?;
    let catalog = catalog::catalog(document, label_sets)?;
    let preferences = preference::preferences("routing", &document.routing.preferences(), &Preferences::DEFAULT)?;
    let common = workspaces::Common { catalog: &catalog, objective: default_objective, preferences, routing };
    let workspaces = workspaces::workspaces(document, &common)?;
    let max_request_bytes = document.listen.max_request_bytes;
    if !(1024..=MAX_REQUEST_BYTES).contains(&max_request_bytes) {
        return err("listen.max_request_bytes", format!("from 1024 to {MAX_REQUEST_BYTES}"));
    }
    let traced = traces::traced(&document.telemetry)?;
    let sharing = sharing::sharing(&document.limits, &workspaces)?;
    Ok(Config { catalog, workspaces, routing, sharing, max_request_bytes, label_sets, traced })
}

/// A VM traps near 1 GiB and holds several copies of a body while it translates.
const MAX_REQUEST_BYTES: u32 = 64 << 20;

/// A series takes some 300 bytes of Envoy's memory, that of a histogram some kilobytes for each worker.
const MAX_LABEL_SETS: u32 = 1_000_000;

fn label_sets(metrics: &document::Metrics) -> Checked<u32> {
    match metrics.max_label_sets {
        1..=MAX_LABEL_SETS => Ok(metrics.label_sets()),
        _ => err("telemetry.metrics.max_label_sets", format!("from 1 to {MAX_LABEL_SETS}; `enabled: false` measures nothing")),
    }
}

/// An hour: longer waits are configuration errors in disguise.
const MAX_TIMEOUT_MS: u32 = 3_600_000;

fn err<T>(path: impl Into<String>, message: impl Into<String>) -> Checked<T> {
    Err(ConfigError::new(path, message))
}

fn one_of(names: &[&str]) -> String {
    ["expected one of ", &names.join(", ")].concat()
}

/// A name that may stand in logs, in keys of shared data and in the answers to callers.
fn name(path: impl Into<String>, name: &str) -> Checked<String> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if plain && (1..=64).contains(&name.len()) { Ok(name.to_owned()) } else { err(path, "1 to 64 letters, digits, `-`, `_` and `.`") }
}

fn objective(path: &str, name: &str) -> Checked<Objective> {
    Objective::parse(name).map_or_else(|| err(path, one_of(Objective::NAMES)), Ok)
}

fn routing(routing: &document::Routing) -> Checked<Routing> {
    let answer_timeout_ms = routing.answer_timeout_ms.unwrap_or(routing.first_token_timeout_ms.saturating_mul(4).min(MAX_TIMEOUT_MS));
    for (name, value) in [
        ("first_token_timeout_ms", routing.first_token_timeout_ms),
        ("answer_timeout_ms", answer_timeout_ms),
        ("total_timeout_ms", routing.total_timeout_ms),
    ] {
        if !(1..=MAX_TIMEOUT_MS).contains(&value) {
            return err(format!("routing.{name}"), format!("milliseconds from 1 to {MAX_TIMEOUT_MS}"));
        }
    }
    if !(1..=16).contains(&routing.max_attempts) {
        return err("routing.max_attempts", "from 1 to 16");
    }
    Ok(Routing {
        max_attempts: routing.max_attempts,
        first_token_timeout_ms: routing.first_token_timeout_ms,
        answer_timeout_ms,
        total_timeout_ms: routing.total_timeout_ms,
        adaptive: routing.adaptive,
    })
}
