//! What is shown, reckoned from scrapes; the same for the terminal, for lines of text and for JSON.
//!
//! Counters change with every call, so rates of calls are those between the last two scrapes. Envoy puts histograms
//! together every five seconds only: whatever comes from them, and cost, is recent, which is of the last minute or,
//! where nobody has watched for ten seconds yet, of all the time since Envoy began.

use std::collections::BTreeSet;

use serde::Serialize;

use super::allowance::Allowances;
use super::exposition::Sample;
use super::scrape::Scrape;
use super::series::{Span, of, per, quantile};

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct View {
    pub(super) gateway: Gateway,
    pub(super) models: Vec<Model>,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) failovers: Vec<Failover>,
}

/// The whole gateway.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Gateway {
    /// Its administration endpoint.
    pub(super) admin: String,
    pub(super) envoy: String,
    pub(super) state: String,
    pub(super) uptime_s: u64,
    /// Seconds that the rates of calls are of.
    pub(super) interval_s: f64,
    /// Seconds that all else is of that is recent.
    pub(super) recent_s: f64,
    /// Whether Envoy has begun anew since the scrape before.
    pub(super) restarted: bool,
    /// Whether the filter has told of anything yet.
    pub(super) measured: bool,
    /// Ended calls since the start.
    pub(super) calls: u64,
    pub(super) calls_per_s: f64,
    pub(super) errors_per_s: Errors,
    pub(super) tokens_per_s: f64,
    /// At the recent rate.
    pub(super) usd_per_h: f64,
    /// Since the start.
    pub(super) usd: f64,
}

/// Calls without an answer, by whose doing that was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Errors {
    pub(super) caller: f64,
    pub(super) policy: f64,
    pub(super) provider: f64,
    pub(super) gateway: f64,
}

impl Errors {
    /// All of them.
    pub(super) fn sum(&self) -> f64 {
        self.caller + self.policy + self.provider + self.gateway
    }
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Model {
    pub(super) model: String,
    pub(super) provider: String,
    /// Attempts since the start.
    pub(super) attempts: u64,
    /// Recent ones.
    pub(super) recent: u64,
    pub(super) attempts_per_s: f64,
    /// Share of the recent attempts that failed, by no doing of the caller; `None` without attempts.
    pub(super) error_share: Option<f64>,
    pub(super) first_token_ms: Quantiles,
    pub(super) duration_ms: Quantiles,
    pub(super) tokens_per_s: f64,
    pub(super) usd_per_h: f64,
    /// Whether it is left alone for the time being.
    pub(super) cooling: bool,
}

/// Milliseconds that half, and nearly all, took at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Workspace {
    pub(super) workspace: String,
    /// Ended calls since the start.
    pub(super) calls: u64,
    pub(super) calls_per_s: f64,
    pub(super) usd_per_h: f64,
    pub(super) requests: Option<Left>,
    pub(super) tokens: Option<Left>,
    pub(super) budget_usd: Option<Left>,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Left {
    pub(super) remaining: f64,
    /// The limit, where the configuration is known.
    pub(super) of: Option<f64>,
}

/// Why attempts were followed by others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Failover {
    pub(super) provider: String,
    pub(super) cause: String,
    /// Since the start.
    pub(super) count: u64,
    /// Recent ones.
    pub(super) recent: u64,
}

const NANO: f64 = 1e9;
const HOUR_S: f64 = 3_600.0;
const US_PER_MS: f64 = 1_000.0;

/// How an attempt may end without the provider having failed.
const NO_FAILURE: [&str; 3] = ["ok", "refused", "cancelled"];

impl View {
    /// What scrapes say: the last two, and the recent ones.
    pub(super) fn of(admin: &str, last: Span<'_>, recent: Span<'_>, now: &Scrape, allowances: &Allowances) -> Self {
        Self {
            gateway: gateway(admin, last, recent, now),
            models: deployments(now).into_iter().map(|(model, provider)| self::model(&model, &provider, last, recent, now)).collect(),
            workspaces: workspaces(now).into_iter().map(|id| workspace(&id, last, recent, now, allowances)).collect(),
            failovers: failovers(recent),
        }
    }
}

fn gateway(admin: &str, last: Span<'_>, recent: Span<'_>, now: &Scrape) -> Gateway {
    let fault = |name: &'static str| last.rate("nr_calls_total", move |sample| sample.label("fault") == name);
    Gateway {
        admin: admin.to_owned(),
        envoy: now.envoy.version.clone(),
        state: now.envoy.state.clone(),
        uptime_s: now.envoy.uptime_s,
        interval_s: last.seconds(),
        recent_s: recent.seconds(),
        restarted: last.restarted(),
        measured: !now.samples.is_empty(),
        calls: total(now, "nr_calls_total", |_| true) as u64,
        calls_per_s: last.rate("nr_calls_total", |_| true),
        errors_per_s: Errors { caller: fault("caller"), policy: fault("policy"), provider: fault("provider"), gateway: fault("gateway") },
        tokens_per_s: tokens(recent, |_| true),
        usd_per_h: spending(recent, |_| true),
        usd: total(now, COST, |_| true) / NANO,
    }
}

const COST: &str = "nr_cost_nano_usd_total";

fn model(model: &str, provider: &str, last: Span<'_>, recent: Span<'_>, now: &Scrape) -> Model {
    let here = |sample: &Sample| sample.label("model") == model && sample.label("provider") == provider;
    let here_by_convention =
        |sample: &Sample| sample.label("gen_ai_response_model") == model && sample.label("gen_ai_provider_name") == provider;
    let attempts = recent.growth("nr_attempts_total");
    let sum = |wanted: &dyn Fn(&Sample) -> bool| attempts.iter().filter(|(s, _)| here(s) && wanted(s)).map(|(_, grown)| grown).sum::<f64>();
    let all = sum(&|_| true);
    let failed = sum(&|sample| !NO_FAILURE.contains(&sample.label("outcome")));
    let quantiles = |metric: &str| {
        let seen = recent.observed(metric, here_by_convention);
        Quantiles { p50: quantile(&seen, 0.5).map(|us| us / US_PER_MS), p95: quantile(&seen, 0.95).map(|us| us / US_PER_MS) }
    };
    Model {
        model: model.to_owned(),
        provider: provider.to_owned(),
        attempts: total(now, "nr_attempts_total", here) as u64,
        recent: all as u64,
        attempts_per_s: last.rate("nr_attempts_total", here),
        error_share: (all > 0.0).then(|| failed / all),
        first_token_ms: quantiles("gen_ai_server_time_to_first_token"),
        duration_ms: quantiles("gen_ai_server_request_duration"),
        tokens_per_s: tokens(recent, here_by_convention),
        usd_per_h: spending(recent, here),
        cooling: of(now, "nr_cooling").any(|sample| here(sample) && sample.value > 0.0),
    }
}

fn workspace(id: &str, last: Span<'_>, recent: Span<'_>, now: &Scrape, allowances: &Allowances) -> Workspace {
    let here = |sample: &Sample| sample.label("workspace") == id;
    let allowed = allowances.of(id);
    let remaining = |name: &str, limit: &str| {
        of(now, name).find(|sample| here(sample) && (limit.is_empty() || sample.label("limit") == limit)).map(|sample| sample.value)
    };
    let left = |limit: &str, of: Option<f64>| remaining("nr_limit_remaining", limit).map(|remaining| Left { remaining, of });
    let usd = |name: &str| remaining(name, "").map(|nano| nano / NANO);
    let cap = usd("nr_budget_nano_usd").or(allowed.usd);
    Workspace {
        workspace: id.to_owned(),
        calls: total(now, "nr_calls_total", here) as u64,
        calls_per_s: last.rate("nr_calls_total", here),
        usd_per_h: spending(recent, here),
        requests: left("requests", allowed.requests),
        tokens: left("tokens", allowed.tokens),
        budget_usd: usd("nr_budget_remaining_nano_usd").map(|remaining| Left { remaining, of: cap }),
    }
}

fn failovers(recent: Span<'_>) -> Vec<Failover> {
    let mut failovers: Vec<Failover> = recent
        .growth("nr_failovers_total")
        .into_iter()
        .map(|(sample, grown)| Failover {
            provider: sample.label("provider").to_owned(),
            cause: sample.label("cause").to_owned(),
            count: sample.value as u64,
            recent: grown as u64,
        })
        .collect();
    failovers.sort_by(|a, b| (b.recent, b.count, &a.provider, &a.cause).cmp(&(a.recent, a.count, &b.provider, &b.cause)));
    failovers
}

/// Every model at a provider that was ever asked or left alone.
fn deployments(now: &Scrape) -> BTreeSet<(String, String)> {
    let pairs = |name| of(now, name).map(|sample| (sample.label("model").to_owned(), sample.label("provider").to_owned()));
    pairs("nr_attempts_total").chain(pairs("nr_cooling")).collect()
}

/// Every workspace that has called or is limited; calls of nobody are none's.
fn workspaces(now: &Scrape) -> BTreeSet<String> {
    let ids = |name| of(now, name).map(|sample| sample.label("workspace"));
    let all = ["nr_calls_total", "nr_limit_remaining", "nr_budget_remaining_nano_usd"].into_iter().flat_map(ids);
    all.filter(|id| !id.is_empty() && *id != NOBODY).map(str::to_owned).collect()
}

/// What the filter writes for a workspace that is not known.
const NOBODY: &str = "none";

fn total(now: &Scrape, name: &str, wanted: impl Fn(&Sample) -> bool) -> f64 {
    of(now, name).filter(|sample| wanted(sample)).map(|sample| sample.value).sum()
}

/// Prompt and answer in a second. What came from a cache is a part of the prompt.
fn tokens(span: Span<'_>, wanted: impl Fn(&Sample) -> bool) -> f64 {
    span.rate("gen_ai_client_token_usage_sum", |sample| matches!(sample.label("gen_ai_token_type"), "input" | "output") && wanted(sample))
}

/// US dollars in an hour.
fn spending(span: Span<'_>, wanted: impl Fn(&Sample) -> bool) -> f64 {
    let grown: f64 = span.growth(COST).into_iter().filter(|(sample, _)| wanted(sample)).map(|(_, grown)| grown).sum();
    per(grown / NANO, span.seconds()) * HOUR_S
}
