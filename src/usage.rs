//! `GET /v1/usage`: where the calling key stands with its limits and its workspace's budget.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::authenticate::Caller;
use crate::config::policy::{NanoUsd, Period, dollars};
use crate::fleet;
use crate::host::SharedData;
use crate::ledger::account::{Account, Scope};
use crate::ledger::{self, Gauge, Spending, Standing, calendar};

#[derive(Serialize)]
struct Report<'a> {
    object: &'static str,
    workspace: &'a str,
    key: &'a str,
    /// For whom the limits hold.
    scope: &'static str,
    requests: Option<Requests>,
    tokens: Option<Tokens>,
    budget: Option<Budget>,
    key_limits: Option<KeyLimits>,
}

#[derive(Serialize)]
struct KeyLimits {
    requests: Option<Requests>,
    tokens: Option<Tokens>,
}

#[derive(Serialize)]
struct Requests {
    /// Per minute.
    limit: u64,
    /// At once.
    burst: u64,
    remaining: u64,
    reset_seconds: f64,
}

#[derive(Serialize)]
struct Tokens {
    /// Per minute.
    limit: u64,
    used: u64,
    reserved: u64,
    remaining: u64,
    reset_seconds: f64,
}

#[derive(Serialize)]
struct Budget {
    period: &'static str,
    limit_usd: Box<RawValue>,
    spent_usd: Box<RawValue>,
    reserved_usd: Box<RawValue>,
    remaining_usd: Box<RawValue>,
    resets_at: Option<String>,
}

/// The body of `GET /v1/usage`. What is not limited is `null`.
/// `fleet`: where a service counts for all Envoys, the key's counters there.
pub fn report(caller: &Caller<'_>, account: Option<&Account>, fleet: Option<&fleet::Account>, now_ns: u64) -> Vec<u8> {
    let (workspace, key) = (&caller.workspace.id, &caller.key.id);
    let scope = if fleet.is_some() { "fleet" } else { "envoy" };
    let mut report = Report { object: "usage", workspace, key, scope, requests: None, tokens: None, budget: None, key_limits: None };
    for Scope { key, terms } in account.map_or(&[][..], |account| &account.scopes) {
        // A key's record has a name below its workspace's.
        let of_key = key.contains('/');
        let here = ledger::standing(&SharedData, key, terms, now_ns);
        let tighter = fleet.map_or(here, |fleet| fleet.tighten(&SharedData, here, Some(of_key), now_ns));
        let Standing { requests, tokens, budget } = tighter;
        let burst = terms.limits.requests.map_or(0, |rate| rate.burst.get());
        let requests = requests.map(|gauge| self::requests(&gauge, burst));
        let tokens = tokens.as_ref().map(self::tokens);
        if of_key {
            report.key_limits = Some(KeyLimits { requests, tokens });
        } else {
            (report.requests, report.tokens, report.budget) = (requests, tokens, budget.as_ref().map(self::budget));
        }
    }
    // Strings and numbers always serialise.
    serde_json::to_vec(&report).unwrap_or_default()
}

fn requests(gauge: &Gauge, burst: u64) -> Requests {
    Requests { limit: gauge.limit, burst, remaining: gauge.remaining, reset_seconds: seconds(gauge) }
}

fn tokens(gauge: &Gauge) -> Tokens {
    let Gauge { limit, used, reserved, remaining, .. } = *gauge;
    Tokens { limit, used, reserved, remaining, reset_seconds: seconds(gauge) }
}

fn budget(spending: &Spending) -> Budget {
    Budget {
        period: match spending.period {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Total => "total",
        },
        limit_usd: usd(spending.cap),
        spent_usd: usd(spending.spent),
        reserved_usd: usd(spending.reserved),
        remaining_usd: usd(spending.remaining()),
        resets_at: spending.resets_at_s.map(calendar::rfc3339),
    }
}

fn seconds(gauge: &Gauge) -> f64 {
    gauge.reset_ms as f64 / 1000.0
}

/// An amount as a JSON number, with all its digits.
fn usd(amount: NanoUsd) -> Box<RawValue> {
    RawValue::from_string(dollars(amount)).unwrap_or_default()
}
