//! The scopes a call is counted in, its key's and its workspace's, taken together.
//!
//! Each has a record of its own, so there is no swap over both: the key's is reserved first, and
//! undone if the workspace refuses. For that instant another call of the same key may find less
//! than there is; none ever finds more.

use super::{Ask, Gauge, Hold, Refusal, Spending, Standing, Store, Terms, Usage};

/// One record and what holds in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Key of the record.
    pub key: String,
    /// What holds.
    pub terms: Terms,
}

/// What a key's calls are counted in; nothing, if nothing is limited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// In the order they are reserved: the key's, the workspace's.
    pub scopes: Vec<Scope>,
}

/// What is reserved for a call: for each scope the key of its record, and the hold. Whoever ends it
/// needs nothing else. It has to be ended once: with [`settle`](Self::settle), or with
/// [`release`](Self::release) and any number of [`charge`](Self::charge)s.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Booking(pub Vec<(String, Hold)>);

/// A call that is not admitted. Nothing is reserved for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why: money before rates, then the longer wait.
    pub refusal: Refusal,
    /// Where the scopes stand.
    pub standing: Standing,
}

impl Account {
    /// The account of a key. Ids have no `/`.
    pub fn of(workspace: &str, workspace_terms: Terms, key: &str, key_terms: Terms) -> Self {
        let scopes = [
            Scope { key: ["nr.ledger.", workspace, "/", key].concat(), terms: key_terms },
            Scope { key: ["nr.ledger.", workspace].concat(), terms: workspace_terms },
        ];
        Self { scopes: scopes.into_iter().filter(|scope| scope.terms.limit_something()).collect() }
    }

    /// Reserves in every scope, or in none.
    pub fn admit(&self, store: &dyn Store, ask: &Ask, now_ns: u64) -> Result<(Booking, Standing), Refused> {
        let mut booking = Booking(Vec::with_capacity(self.scopes.len()));
        let mut standing = Standing::default();
        for Scope { key, terms } in &self.scopes {
            match super::admit(store, key, terms, ask, now_ns) {
                Ok((hold, here)) => {
                    booking.0.push((key.clone(), hold));
                    standing = standing.tighter(here);
                }
                Err((refusal, _)) => {
                    booking.release(store, now_ns, true);
                    return Err(self.refused(store, refusal, ask, now_ns));
                }
            }
        }
        Ok((booking, standing))
    }

    /// Where the scopes stand: of each limit the one with less left.
    pub fn standing(&self, store: &dyn Store, now_ns: u64) -> Standing {
        let each = self.scopes.iter().map(|Scope { key, terms }| super::standing(store, key, terms, now_ns));
        each.fold(Standing::default(), Standing::tighter)
    }

    /// What to say: one scope has refused, but another may have the graver reason.
    fn refused(&self, store: &dyn Store, refusal: Refusal, ask: &Ask, now_ns: u64) -> Refused {
        let mut refused = Refused { refusal, standing: Standing::default() };
        for Scope { key, terms } in &self.scopes {
            let (another, here) = super::look(store, key, terms, ask, now_ns);
            refused.standing = refused.standing.tighter(here);
            refused.refusal = another.filter(|another| another.wait_ms() > refused.refusal.wait_ms()).unwrap_or(refused.refusal);
        }
        refused
    }
}

impl Booking {
    /// The normal end of a call.
    pub fn settle(&self, store: &dyn Store, usage: &Usage, now_ns: u64) {
        self.0.iter().for_each(|(key, hold)| super::settle(store, key, hold, usage, now_ns));
    }

    /// Adds what was used, without ending the reservation.
    pub fn charge(&self, store: &dyn Store, usage: &Usage, now_ns: u64) {
        self.0.iter().for_each(|(key, _)| super::charge(store, key, usage, now_ns));
    }

    /// Ends the reservation, without adding what was used.
    pub fn release(&self, store: &dyn Store, now_ns: u64, give_back_request: bool) {
        self.0.iter().for_each(|(key, hold)| super::release(store, key, hold, now_ns, give_back_request));
    }
}

impl Refusal {
    /// Milliseconds until another try makes sense; without end where only money helps.
    fn wait_ms(&self) -> u64 {
        match self {
            Self::Requests { retry_after_ms } | Self::Tokens { retry_after_ms } => *retry_after_ms,
            Self::Budget { .. } => u64::MAX,
        }
    }
}

impl Standing {
    /// Of each limit the one with less left; of two alike, the one that takes longer.
    fn tighter(self, other: Self) -> Self {
        let gauge = |gauge: &Gauge| (gauge.remaining, core::cmp::Reverse(gauge.reset_ms));
        Self {
            requests: self.requests.into_iter().chain(other.requests).min_by_key(gauge),
            tokens: self.tokens.into_iter().chain(other.tokens).min_by_key(gauge),
            budget: self.budget.into_iter().chain(other.budget).min_by_key(Spending::remaining),
        }
    }
}
