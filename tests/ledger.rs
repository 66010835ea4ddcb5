//! The ledger on a store that many threads share: what is admitted, what it costs, what is left
//! when everything is over.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "ledger/account.rs"]
mod account;
#[path = "ledger/scope.rs"]
mod scope;
#[path = "ledger/store.rs"]
mod store;
#[path = "ledger/threads.rs"]
mod threads;

use std::num::NonZeroU64;

use neural_router::config::policy::{Budget, Limits, NanoUsd, Period, RequestRate};
use neural_router::ledger::{Ask, Terms, Usage};

/// 2023-11-14T22:13:20Z, a Tuesday.
const NOW: u64 = 1_700_000_000 * SECOND;
const SECOND: u64 = 1_000_000_000;
const LEASE_S: u64 = 600;

fn number(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).expect("above 0")
}

fn terms() -> Terms {
    Terms { lease_ms: LEASE_S * 1000, ..Terms::default() }
}

fn requests(per_minute: u64, burst: u64) -> Terms {
    let requests = Some(RequestRate { per_minute: number(per_minute), burst: number(burst) });
    Terms { limits: Limits { requests, tokens_per_minute: None }, ..terms() }
}

fn tokens(per_minute: u64) -> Terms {
    Terms { limits: Limits { requests: None, tokens_per_minute: Some(number(per_minute)) }, ..terms() }
}

fn budget(cap: u64, period: Period) -> Terms {
    Terms { budget: Some(Budget { cap: NanoUsd(cap), period }), ..terms() }
}

fn ask(tokens: u64, nano: u64) -> Ask {
    Ask { tokens, cost: NanoUsd(nano) }
}

fn usage(tokens: u64, nano: u64) -> Usage {
    Usage { tokens, cost: NanoUsd(nano) }
}

fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
