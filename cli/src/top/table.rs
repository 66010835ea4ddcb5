//! The tables: their columns and the texts of their cells, for the terminal and for lines of text.

use std::cmp::Ordering;

use clap::ValueEnum;

use super::figure::{NONE, age, amount, count, dollars, duration, percent};
use super::view::{Failover, Gateway, Left, Model, Workspace};
use crate::columns::Align::{self, Left as Word, Right as Figure};

/// A column's head and how its cells stand.
pub(super) type Column = (&'static str, Align);

pub(super) const MODELS: &[Column] = &[
    ("MODEL", Word),
    ("PROVIDER", Word),
    ("CALLS/S", Figure),
    ("ERRORS", Figure),
    ("TTFT p50", Figure),
    ("p95", Figure),
    ("TOTAL p50", Figure),
    ("p95", Figure),
    ("TOKENS/S", Figure),
    ("USD/H", Figure),
    ("STATE", Word),
];

pub(super) const WORKSPACES: &[Column] = &[
    ("WORKSPACE", Word),
    ("CALLS/S", Figure),
    ("USD/H", Figure),
    ("REQUESTS LEFT", Figure),
    ("TOKENS LEFT", Figure),
    ("BUDGET LEFT", Figure),
];

pub(super) const FAILOVERS: &[Column] = &[("FAILED OVER FROM", Word), ("BECAUSE", Word), ("RECENTLY", Figure), ("ALL", Figure)];

/// What the models are ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// The busiest first.
    #[default]
    Calls,
    /// The most failing first.
    Errors,
    /// The slowest first.
    Latency,
    /// The dearest first.
    Cost,
    /// By alphabet.
    Name,
}

impl Sort {
    /// In this order.
    pub(super) fn apply(self, models: &mut [Model]) {
        let least = |value: Option<f64>| value.unwrap_or(-1.0);
        let by = |a: &Model, b: &Model| match self {
            // Not by the last interval's, in which neighbours would change places all the time.
            Self::Calls => (b.recent, b.attempts).cmp(&(a.recent, a.attempts)),
            Self::Errors => falling(least(a.error_share), least(b.error_share)),
            Self::Latency => falling(least(a.duration_ms.p95), least(b.duration_ms.p95)),
            Self::Cost => falling(a.usd_per_h, b.usd_per_h),
            Self::Name => Ordering::Equal,
        };
        models.sort_by(|a, b| by(a, b).then_with(|| (&a.model, &a.provider).cmp(&(&b.model, &b.provider))));
    }

    /// Its name on the screen.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Cost => "cost",
            Self::Name => "name",
        }
    }
}

fn falling(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

/// The cells of a model's row.
pub(super) fn model(row: &Model) -> Vec<String> {
    vec![
        row.model.clone(),
        row.provider.clone(),
        amount(row.attempts_per_s),
        percent(row.error_share),
        duration(row.first_token_ms.p50),
        duration(row.first_token_ms.p95),
        duration(row.duration_ms.p50),
        duration(row.duration_ms.p95),
        amount(row.tokens_per_s),
        dollars(row.usd_per_h),
        if row.cooling { "cooling" } else { "healthy" }.to_owned(),
    ]
}

/// The cells of a workspace's row.
pub(super) fn workspace(row: &Workspace) -> Vec<String> {
    vec![
        row.workspace.clone(),
        amount(row.calls_per_s),
        dollars(row.usd_per_h),
        left(row.requests, whole),
        left(row.tokens, whole),
        left(row.budget_usd, dollars),
    ]
}

fn whole(value: f64) -> String {
    count(value.max(0.0) as u64)
}

/// What is left, of how much.
fn left(left: Option<Left>, write: fn(f64) -> String) -> String {
    match left {
        None => NONE.to_owned(),
        Some(Left { remaining, of: None }) => write(remaining),
        Some(Left { remaining, of: Some(of) }) => format!("{} of {}", write(remaining), write(of)),
    }
}

/// The cells of a cause.
pub(super) fn failover(row: &Failover) -> Vec<String> {
    vec![row.provider.clone(), row.cause.replace('_', " "), count(row.recent), count(row.count)]
}

/// Who answers, and since when.
pub(super) fn title(gateway: &Gateway) -> String {
    let state = if gateway.state == "LIVE" { String::new() } else { format!(" · {}", gateway.state.to_lowercase().replace('_', " ")) };
    format!("{} · Envoy {} · up {}{state}", gateway.admin, gateway.envoy, age(gateway.uptime_s))
}

/// The figures of the whole gateway, with their names.
pub(super) fn sums(gateway: &Gateway) -> Vec<(&'static str, String)> {
    vec![
        ("calls/s", amount(gateway.calls_per_s)),
        ("errors/s", amount(gateway.errors_per_s.sum())),
        ("tokens/s", amount(gateway.tokens_per_s)),
        ("USD/h", dollars(gateway.usd_per_h)),
        ("calls", count(gateway.calls)),
        ("spent", dollars(gateway.usd)),
    ]
}

/// Errors a second, by whose doing they were.
pub(super) fn errors(gateway: &Gateway) -> [(&'static str, f64); 4] {
    let errors = gateway.errors_per_s;
    [("caller", errors.caller), ("policy", errors.policy), ("provider", errors.provider), ("gateway", errors.gateway)]
}
