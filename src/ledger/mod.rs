//! What was used, reserved and spent, and whether a call may add to it.
//!
//! One record for each scope (a workspace, or one of its keys) holds everything that is counted
//! there, so a call is admitted by one read and one compare-and-swap, and several limits cannot
//! disagree (docs/decisions/0011). Before a call goes out its estimated tokens and its worst price
//! are reserved; when its real usage is known, that is charged and the reservation released. A
//! reservation whose holder vanished ends with its lease. Refusals write nothing.
//!
//! Where the records are kept is the [`Store`]'s business, what time it is the caller's; times are
//! Unix nanoseconds. All arithmetic is on integers and saturates.

pub mod account;
pub mod calendar;
pub mod headers;

mod budget;
mod leases;
mod record;
mod requests;
mod tokens;

use crate::config::policy::{Budget, Limits, NanoUsd, Period};
use record::Record;

/// Where records are kept, shared by all that may change them.
pub trait Store {
    /// The value, `None` if there has never been one, and what [`swap`](Self::swap) needs to know
    /// that it is still the same.
    fn read(&self, key: &str) -> (Option<Vec<u8>>, Version);

    /// Replaces the value if it is still that of `version`. `false` means that somebody else was
    /// first, and nothing else: the caller reads again and repeats.
    fn swap(&self, key: &str, value: &[u8], version: Version) -> bool;
}

/// Which value of a key was read; only its store knows what the number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub u32);

/// What holds in a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Rate limits.
    pub limits: Limits,
    /// Spending cap.
    pub budget: Option<Budget>,
    /// How long a reservation lasts that nobody releases, in milliseconds; longer than the longest
    /// call, at most a day.
    pub lease_ms: u64,
}

impl Terms {
    /// Whether anything is limited at all.
    pub fn limit_something(&self) -> bool {
        self.budget.is_some() || self.limits != Limits::default()
    }
}

/// What a call may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask {
    /// Estimated prompt and longest answer.
    pub tokens: u64,
    /// Worst price among the candidates.
    pub cost: NanoUsd,
}

/// What a call has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt and answer.
    pub tokens: u64,
    /// Real price.
    pub cost: NanoUsd,
}

impl Usage {
    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), cost: NanoUsd(self.cost.0.saturating_add(other.cost.0)) }
    }
}

/// What is reserved for a call in one scope: all that is needed to end the reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hold {
    /// Tokens; 0 where they are not limited.
    pub tokens: u64,
    /// Money; 0 where there is no budget.
    pub nano_usd: u64,
    /// Unix second at which it ends by itself.
    pub expires_s: u64,
    /// What the request weighs against the rate; 0 where requests are not limited.
    pub request_ns: u64,
    /// When that weight is gone by itself, Unix time.
    pub due_ns: u64,
}

/// Where a scope stands, for headers and `/v1/usage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Calls, where they are limited.
    pub requests: Option<Gauge>,
    /// Tokens, where they are limited.
    pub tokens: Option<Gauge>,
    /// Money, where there is a budget.
    pub budget: Option<Spending>,
}

/// One rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gauge {
    /// Per minute.
    pub limit: u64,
    /// What may be used at once now; with a burst above the limit it can be more than the limit.
    pub remaining: u64,
    /// Milliseconds until all of it is back if nothing more is used.
    pub reset_ms: u64,
    /// Tokens charged within the window; 0 for requests.
    pub used: u64,
    /// Tokens reserved by calls under way; 0 for requests.
    pub reserved: u64,
}

/// A budget in its current period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending {
    /// What may be spent.
    pub cap: NanoUsd,
    /// What was charged.
    pub spent: NanoUsd,
    /// What calls under way may still cost.
    pub reserved: NanoUsd,
    /// Calendar period in UTC.
    pub period: Period,
    /// Unix second at which the period ends; never, for [`Period::Total`].
    pub resets_at_s: Option<u64>,
}

impl Spending {
    /// What another call may cost.
    pub fn remaining(&self) -> NanoUsd {
        NanoUsd(self.cap.0.saturating_sub(self.spent.0).saturating_sub(self.reserved.0))
    }
}

/// Why a call is not admitted. The times are milliseconds, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many calls; the next one may come then.
    Requests { retry_after_ms: u64 },
    /// Too many tokens; so many are expected to be free then.
    Tokens { retry_after_ms: u64 },
    /// The call could cost more than is left.
    Budget { needed: NanoUsd },
}

/// Reserves what a call asks for, or says why not. The standing is the one afterwards.
pub fn admit(store: &dyn Store, key: &str, terms: &Terms, ask: &Ask, now_ns: u64) -> Result<(Hold, Standing), (Refusal, Standing)> {
    change(store, key, now_ns, |record| match record.admit(terms, ask, now_ns) {
        Ok(hold) => Ok((hold, record.standing(terms, now_ns))),
        Err(refusal) => Err((refusal, record.standing(terms, now_ns))),
    })
}

/// Ends a reservation. With `give_back_request` the call does not count against the rate of
/// requests, so far as its weight has not gone by itself already.
pub fn release(store: &dyn Store, key: &str, hold: &Hold, now_ns: u64, give_back_request: bool) {
    if hold.expires_s > 0 || (give_back_request && hold.request_ns > 0) {
        apply(store, key, now_ns, |record| record.release(hold, now_ns, give_back_request));
    }
}

/// Adds what was used, now. May come before or after [`release`], and more than once.
pub fn charge(store: &dyn Store, key: &str, usage: &Usage, now_ns: u64) {
    if *usage != Usage::default() {
        apply(store, key, now_ns, |record| record.charge(usage));
    }
}

/// [`charge`] and [`release`] in one swap: the normal end of a call.
pub fn settle(store: &dyn Store, key: &str, hold: &Hold, usage: &Usage, now_ns: u64) {
    if hold.expires_s > 0 || *usage != Usage::default() {
        apply(store, key, now_ns, |record| {
            record.charge(usage);
            record.release(hold, now_ns, false);
        });
    }
}

/// Where the scope stands; changes nothing.
pub fn standing(store: &dyn Store, key: &str, terms: &Terms, now_ns: u64) -> Standing {
    Record::at(store.read(key).0.as_deref(), now_ns).standing(terms, now_ns)
}

/// What [`admit`] would object to, and where the scope stands; changes nothing.
fn look(store: &dyn Store, key: &str, terms: &Terms, ask: &Ask, now_ns: u64) -> (Option<Refusal>, Standing) {
    let mut record = Record::at(store.read(key).0.as_deref(), now_ns);
    let standing = record.standing(terms, now_ns);
    (record.admit(terms, ask, now_ns).err(), standing)
}

fn apply(store: &dyn Store, key: &str, now_ns: u64, act: impl Fn(&mut Record)) {
    let _: Result<(), core::convert::Infallible> = change(store, key, now_ns, |record| {
        act(record);
        Ok(())
    });
}

/// Changes a record by compare-and-swap, unless the change is refused. Every round that fails is
/// one in which somebody else succeeded, so no change is lost and the loop ends.
fn change<T, E>(store: &dyn Store, key: &str, now_ns: u64, change: impl Fn(&mut Record) -> Result<T, E>) -> Result<T, E> {
    let mut buffer = record::BLANK;
    loop {
        let (value, version) = store.read(key);
        let mut record = Record::at(value.as_deref(), now_ns);
        let changed = change(&mut record)?;
        if store.swap(key, record.encode(&mut buffer), version) {
            return Ok(changed);
        }
    }
}
