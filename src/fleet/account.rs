//! The counters that a key's calls are held against, its own and its workspace's, taken together; and what
//! is booked for a call, here and in the ledger.

use std::rc::Rc;

use super::counter::{Claim, Counter, Take};
use crate::config::policy::NanoUsd;
use crate::config::sharing::{Kind, Sharing, counted};
use crate::ledger::account::{self, Refused};
use crate::ledger::{Ask, Gauge, Refusal, Standing, Store, Terms, Usage};

/// The counters of a key.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub(super) counters: Vec<Rc<Counter>>,
}

/// What is reserved for a call: in the ledger of this Envoy, and of what the service has granted it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Booking {
    /// In the ledger.
    pub local: account::Booking,
    /// Of grants; empty where each Envoy counts alone.
    pub claims: Vec<Claim>,
}

/// What [`Account::take`] says.
pub(super) enum Taking {
    /// Set aside in all counters; those that more should be asked of.
    Taken(Vec<Claim>, Vec<Rc<Counter>>),
    /// More has to be asked for, of one at least.
    Short,
    /// One has no more.
    Refused(Refusal),
}

const MS_PER_S: u64 = 1000;
const NS_PER_MS: u64 = 1_000_000;

impl Account {
    /// The counters of a scope: a workspace's id, or that and a key's with a slash between.
    pub fn of(scope: &str, terms: &Terms, sharing: &Sharing) -> Self {
        let limits = counted(&terms.limits, terms.budget.as_ref());
        Self { counters: limits.iter().map(|limit| Rc::new(Counter::new(scope, limit, sharing.share))).collect() }
    }

    /// These counters and those of another account, which go on being the same ones.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.counters.extend(other.counters.iter().cloned());
        self
    }

    /// Sets aside in every counter, or in none.
    pub(super) fn take(&self, store: &dyn Store, ask: &Ask, now_ns: u64) -> Taking {
        let (mut claims, mut ahead) = (Vec::with_capacity(self.counters.len()), Vec::new());
        for counter in &self.counters {
            match counter.take(store, counter.amount(ask), now_ns) {
                Take::Taken { claim, ahead: more } => {
                    claims.push(claim);
                    ahead.extend(more.then(|| Rc::clone(counter)));
                }
                other => {
                    claims.iter().for_each(|claim: &Claim| claim.settle(store, 0));
                    return match other {
                        Take::Refused => Taking::Refused(refusal(counter, ask, now_ns)),
                        _ => self.any_refusal(store, ask, now_ns).map_or(Taking::Short, Taking::Refused),
                    };
                }
            }
        }
        Taking::Taken(claims, ahead)
    }

    /// Sets aside in every counter, whether it fits or not.
    pub(super) fn take_anyway(&self, store: &dyn Store, ask: &Ask, now_ns: u64) -> Vec<Claim> {
        self.counters.iter().map(|counter| counter.take_anyway(store, counter.amount(ask), now_ns)).collect()
    }

    /// While one counter is short another may refuse: then there is nothing to wait for.
    fn any_refusal(&self, store: &dyn Store, ask: &Ask, now_ns: u64) -> Option<Refusal> {
        let refuses = |counter: &&Rc<Counter>| counter.refuses(store, counter.amount(ask), now_ns);
        self.counters.iter().find(refuses).map(|counter| refusal(counter, ask, now_ns))
    }

    /// Of what this Envoy knows and what it has heard of the service, what is tighter. `of_key` picks the counters
    /// of the key or of the workspace; without it all count.
    pub fn tighten(&self, store: &dyn Store, mut standing: Standing, of_key: Option<bool>, now_ns: u64) -> Standing {
        for counter in self.counters.iter().filter(|counter| of_key.is_none_or(|of_key| counter.of_key == of_key)) {
            let Some((left, ends_s)) = counter.left(store, now_ns) else { continue };
            let reset_ms = ends_s.saturating_mul(MS_PER_S).saturating_sub(now_ns / NS_PER_MS);
            let tighter = |gauge: Gauge| if left < gauge.remaining { Gauge { remaining: left, reset_ms, ..gauge } } else { gauge };
            match counter.kind {
                Kind::Requests => standing.requests = standing.requests.map(tighter),
                Kind::Tokens => standing.tokens = standing.tokens.map(tighter),
                Kind::Budget => {
                    let gone = |cap: NanoUsd, reserved: NanoUsd| NanoUsd(cap.0.saturating_sub(left).saturating_sub(reserved.0));
                    standing.budget = standing.budget.map(|mut budget| {
                        budget.spent = budget.spent.max(gone(budget.cap, budget.reserved));
                        budget
                    });
                }
            }
        }
        standing
    }

    /// A refusal with where the scopes stand.
    pub fn refused(&self, store: &dyn Store, refusal: Refusal, standing: Standing, now_ns: u64) -> Refused {
        Refused { refusal, standing: self.tighten(store, standing, None, now_ns) }
    }
}

fn refusal(counter: &Counter, ask: &Ask, now_ns: u64) -> Refusal {
    let retry_after_ms = counter.ends_s(now_ns).saturating_mul(MS_PER_S).saturating_sub(now_ns / NS_PER_MS).max(1);
    match counter.kind {
        Kind::Requests => Refusal::Requests { retry_after_ms },
        Kind::Tokens => Refusal::Tokens { retry_after_ms },
        Kind::Budget => Refusal::Budget { needed: ask.cost },
    }
}

impl Booking {
    /// The normal end of a call.
    pub fn settle(&self, store: &dyn Store, usage: &Usage, now_ns: u64) {
        self.local.settle(store, usage, now_ns);
        self.settle_claims(store, usage, false);
    }

    /// The end of a call that came to nothing, or to no more than this. With `give_back_request` it does not count
    /// as a call either.
    pub fn close(&self, store: &dyn Store, usage: &Usage, now_ns: u64, give_back_request: bool) {
        self.local.charge(store, usage, now_ns);
        self.local.release(store, now_ns, give_back_request);
        self.settle_claims(store, usage, give_back_request);
    }

    fn settle_claims(&self, store: &dyn Store, usage: &Usage, give_back_request: bool) {
        for claim in &self.claims {
            let used = match claim.kind {
                Kind::Requests => (!give_back_request).into(),
                Kind::Tokens => usage.tokens,
                Kind::Budget => usage.cost.0,
            };
            claim.settle(store, used);
        }
    }
}
