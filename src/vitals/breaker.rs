//! When a deployment is left alone, and how it comes back.
//!
//! ```text
//!            failure that trips, or the provider's word
//!   closed ────────────────────────────────────────────► cooling
//!     ▲                                                   │    ▲
//!     │ success of an attempt                     it ends │    │ failure: twice as long
//!     │ begun since it opened                             ▼    │
//!     └──────────────────────────────────────────────── half-open: one call at a time claims it
//! ```
//!
//! Attempts overlap, so each piece of news says when its attempt began: what began before a
//! cool-down opened neither ends it nor doubles it.

use super::DOWN;

/// First cool-down that failures earn; each one in a row is twice as long.
pub(super) const FIRST_MS: u64 = 1_000;

/// Longest one that they earn.
pub(super) const LONGEST_MS: u64 = 60_000;

/// Longest one that a provider may ask for, in milliseconds.
pub const MAX_ADVICE_MS: u64 = 3_600_000;

/// For so long after it opened, a call may still go out that could not know.
const UNAWARE_MS: u64 = super::MAX_AGE_MS;

/// Failures in a row, and the cool-down. All times are Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Breaker {
    /// Failures since the last success.
    pub(super) failures: u32,
    /// Cool-downs since it was last closed, so far as failures earned them.
    pub(super) streak: u32,
    /// When the last failure was.
    pub(super) failed_ms: u64,
    /// When the cool-down opened or was last prolonged.
    pub(super) opened_ms: u64,
    /// When it ends; 0 while closed.
    pub(super) until_ms: u64,
    /// Until when the provider itself asked to be left alone.
    pub(super) advised_ms: u64,
    /// When the call that has the trial claimed it.
    pub(super) claimed_ms: u64,
    /// When its claim ends by itself.
    pub(super) claim_until_ms: u64,
}

/// Where it stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Closed,
    Cooling,
    HalfOpen,
    Claimed,
}

impl Breaker {
    pub(super) fn state(&self, now_ms: u64) -> State {
        match self.until_ms {
            0 => State::Closed,
            until if now_ms < until => State::Cooling,
            _ if now_ms < self.claim_until_ms => State::Claimed,
            _ => State::HalfOpen,
        }
    }

    /// An attempt has succeeded; whether that closed the breaker.
    pub(super) fn succeeded(&mut self, began_ms: u64, at_ms: u64) -> bool {
        if at_ms >= self.failed_ms {
            self.failures = 0;
        }
        let open = self.until_ms > 0;
        // A call that went out before everybody knew of the provider's word proves nothing against it.
        let knew = if at_ms < self.advised_ms { UNAWARE_MS } else { 0 };
        let closes = open && began_ms >= self.opened_ms.saturating_add(knew);
        if closes {
            *self = Self { failures: self.failures, failed_ms: self.failed_ms, ..Self::default() };
        }
        closes
    }

    /// An attempt has failed. `mostly_fails` when the minute is bad enough to trip.
    pub(super) fn failed(&mut self, began_ms: u64, at_ms: u64, wait_ms: Option<u64>, mostly_fails: bool) {
        self.failures = self.failures.saturating_add(1);
        self.failed_ms = self.failed_ms.max(at_ms);
        let open = self.until_ms > 0;
        let trial_failed = open && began_ms >= self.opened_ms && at_ms >= self.until_ms;
        let trips = trial_failed || (!open && (self.failures >= DOWN || mostly_fails));
        if trips || (!open && wait_ms.is_some()) {
            self.streak = self.streak.saturating_add(1);
        }
        if trips {
            let doubled = (FIRST_MS << (self.streak - 1).min(6)).min(LONGEST_MS);
            self.cool(at_ms, at_ms.saturating_add(doubled));
        }
        if let Some(wait_ms) = wait_ms {
            self.advised(at_ms, wait_ms);
        }
    }

    /// The provider asks to be left alone for so long.
    pub(super) fn advised(&mut self, at_ms: u64, wait_ms: u64) {
        let until = at_ms.saturating_add(wait_ms.min(MAX_ADVICE_MS));
        self.advised_ms = self.advised_ms.max(until);
        if until > self.until_ms {
            self.cool(at_ms, until);
        }
    }

    /// Gives the trial to a call, for so long. `true` as well where nothing has to be claimed.
    pub(super) fn claim(&mut self, now_ms: u64, hold_ms: u64) -> bool {
        match self.state(now_ms) {
            State::Closed => true,
            State::Cooling | State::Claimed => false,
            State::HalfOpen => {
                self.claimed_ms = now_ms;
                self.claim_until_ms = now_ms.saturating_add(hold_ms.max(1));
                true
            }
        }
    }

    /// The call that came then ended without telling anything: another may claim the trial.
    pub(super) fn give_back(&mut self, claimed_ms: u64) {
        if self.claimed_ms == claimed_ms {
            self.claim_until_ms = 0;
        }
    }

    /// Forgets times that no clock of ours can have written.
    pub(super) fn check(&mut self, now_ms: u64) {
        let latest = now_ms.saturating_add(2 * MAX_ADVICE_MS);
        let times = [self.failed_ms, self.opened_ms, self.until_ms, self.advised_ms, self.claimed_ms, self.claim_until_ms];
        if times.into_iter().any(|time| time > latest) {
            *self = Self::default();
        }
    }

    fn cool(&mut self, at_ms: u64, until_ms: u64) {
        self.opened_ms = at_ms;
        self.until_ms = until_ms;
        self.claimed_ms = 0;
        self.claim_until_ms = 0;
    }
}
