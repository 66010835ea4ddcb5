//! `GET /v1/usage`: where the calling key stands with its limits and its workspace's budget.

use serde::Serialize;

use crate::authenticate::Caller;
use crate::config::policy::{NanoUsd, Period};
use crate::host::SharedData;
use crate::ledger::account::{Account, Scope};
use crate::ledger::{self, Gauge, Spending, Standing, calendar};

#[derive(Serialize)]
struct Report<'a> {
    object: &'static str,
    workspace: &'a str,
    key: &'a str,
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
    limit_usd: f64,
    spent_usd: f64,
    reserved_usd: f64,
    remaining_usd: f64,
    resets_at: Option<String>,
}

/// The body of `GET /v1/usage`. What is not limited is `null`.
pub fn report(caller: &Caller<'_>, account: Option<&Account>, now_ns: u64) -> Vec<u8> {
    let (workspace, key) = (&caller.workspace.id, &caller.key.id);
    let mut report = Report { object: "usage", workspace, key, requests: None, tokens: None, budget: None, key_limits: None };
    for Scope { key, terms } in account.map_or(&[][..], |account| &account.scopes) {
        let Standing { requests, tokens, budget } = ledger::standing(&SharedData, key, terms, now_ns);
        let burst = terms.limits.requests.map_or(0, |rate| rate.burst.get());
        let requests = requests.map(|gauge| self::requests(&gauge, burst));
        let tokens = tokens.as_ref().map(self::tokens);
        // A key's record has a name below its workspace's.
        if key.contains('/') {
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

/// For people and JSON; what is counted stays an integer.
pub fn usd(amount: NanoUsd) -> f64 {
    amount.0 as f64 / 1e9
}
