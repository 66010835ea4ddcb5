//! How the providers are doing, told from real traffic alone: a probe would cost money.
//!
//! Two counters for each deployment, shared by all workers and both seats: failures since the last
//! answer, and until when its provider wants it left alone. Nothing is decided by them yet;
//! `/v1/models` shows them.

use crate::attempt::Outcome;
use crate::config::Catalog;
use crate::config::catalog::Model;
use crate::handoff::End;
use crate::host;

/// Whether a model can be expected to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// A deployment answered last, or none has been asked.
    Healthy,
    /// Every deployment has just failed, or is to be left alone for a while.
    Degraded,
    /// Every deployment has failed [`DOWN`] times in a row.
    Down,
}

/// Failures in a row after which a deployment counts as down.
pub const DOWN: u32 = 3;

/// Notes how an attempt ended.
pub fn note(provider: &str, deployment: &str, end: &End) {
    let key = key(provider, deployment);
    match end.outcome {
        // What this model does not take, another may: no reason to think less of it, or a caller could bring it down.
        Outcome::Status if end.is_about_the_request() => {}
        Outcome::Ok if failures(&key) > 0 => host::update_shared(&key, |_| 0),
        // A refusal for the caller's own fault is an answer; who left says nothing of the provider.
        Outcome::Ok | Outcome::Refused | Outcome::Cancelled | Outcome::Pending => {}
        Outcome::ConnectFailure | Outcome::Reset | Outcome::Timeout | Outcome::Status | Outcome::InBandError | Outcome::Malformed => {
            host::update_shared(&key, |failures| failures.saturating_add(1));
        }
    }
}

/// Notes that a provider wants a deployment left alone until this moment, Unix milliseconds. Of several
/// the latest counts.
pub fn cool_down(provider: &str, deployment: &str, until_ms: u64) {
    let until_s = u32::try_from(until_ms.div_ceil(1000)).unwrap_or(u32::MAX);
    host::update_shared(&cooling(provider, deployment), |known| known.max(until_s));
}

/// The health of a model: that of its best deployment.
pub fn of(catalog: &Catalog, model: &Model) -> Health {
    let now_s = host::now_ms() / 1000;
    let failures = model.deployments.iter().filter_map(|deployment| {
        let provider = catalog.provider(deployment)?;
        let failures = failures(&key(&provider.name, &deployment.model));
        let cools = u64::from(host::shared(&cooling(&provider.name, &deployment.model))) > now_s;
        Some(if cools { failures.max(1) } else { failures })
    });
    match failures.min().unwrap_or(0) {
        0 => Health::Healthy,
        1..DOWN => Health::Degraded,
        DOWN.. => Health::Down,
    }
}

fn failures(key: &str) -> u32 {
    host::shared(key)
}

fn key(provider: &str, deployment: &str) -> String {
    ["nr.failures/", provider, "/", deployment].concat()
}

fn cooling(provider: &str, deployment: &str) -> String {
    ["nr.cooling/", provider, "/", deployment].concat()
}
