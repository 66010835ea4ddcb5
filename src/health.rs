//! How the providers are doing, told from real traffic alone: a probe would cost money.
//!
//! One counter for each deployment, shared by all workers and both seats: failures since the last
//! answer. Nothing is decided by it yet; `/v1/models` shows it.

use crate::attempt::Outcome;
use crate::config::Catalog;
use crate::config::catalog::Model;
use crate::host;

/// Whether a model can be expected to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// A deployment answered last, or none has been asked.
    Healthy,
    /// Every deployment has just failed.
    Degraded,
    /// Every deployment has failed [`DOWN`] times in a row.
    Down,
}

/// Failures in a row after which a deployment counts as down.
pub const DOWN: u32 = 3;

/// Notes how an attempt ended.
pub fn note(provider: &str, deployment: &str, outcome: Outcome) {
    let key = key(provider, deployment);
    match outcome {
        Outcome::Ok if failures(&key) > 0 => host::update_shared(&key, |_| 0),
        // A refusal for the caller's own fault is an answer; who left says nothing of the provider.
        Outcome::Ok | Outcome::Refused | Outcome::Cancelled | Outcome::Pending => {}
        Outcome::ConnectFailure | Outcome::Reset | Outcome::Timeout | Outcome::Status | Outcome::InBandError | Outcome::Malformed => {
            host::update_shared(&key, |failures| failures.saturating_add(1));
        }
    }
}

/// The health of a model: that of its best deployment.
pub fn of(catalog: &Catalog, model: &Model) -> Health {
    let failures = model.deployments.iter().filter_map(|deployment| {
        let provider = catalog.provider(deployment)?;
        Some(failures(&key(&provider.name, &deployment.model)))
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
