//! What is known of each deployment from real traffic: how it does, how fast it is, how much it says.
//! Nobody is ever called to find out: a probe would cost money.
//!
//! One record for each deployment, shared by all workers and both seats, is changed by
//! compare-and-swap. The provider seat writes what its attempts tell, by way of a [`Notebook`]; the
//! router seat reads all records at once, as a [`Snapshot`]. Where the records are is the
//! [`Store`]'s business, what time it is the caller's.
//!
//! - *How it does*: successes and failures of the last minute, failures in a row, and a circuit
//!   breaker. A cool-down opens when the provider asks for it (`Retry-After`, or a rate limit of its
//!   headers that is used up), after [`DOWN`] failures in a row, or when less than half of at least
//!   ten attempts of the last minute succeeded. The provider's word is kept, at most an hour; failures
//!   earn 1 s, doubled with every one in a row, at most 60 s. Afterwards one call at a time may try
//!   ([`claim`]). A success closes the breaker, a failure opens it anew.
//! - *How fast it is*: time to the first token as an average and a 95th percentile (within 9.1 %),
//!   tokens per second after it. Both are told by streams. An answer that comes whole tells neither
//!   apart: its duration and length are averaged on their own, and scale what is expected of the
//!   deployment ([`Vital::latency`]). For an embedding the whole answer is the first token.
//! - *How much it says*: tokens of an answer by task class, reasoning included, as the provider counts
//!   them.
//!
//! What does not count is not told here: see `seat::attempt`.

mod breaker;
mod mean;
mod notebook;
mod quantile;
mod record;
mod snapshot;
mod window;

pub use breaker::MAX_ADVICE_MS;
pub use mean::Mean;
pub use notebook::{Notebook, Noted};
pub use snapshot::{Cache, Health, Latencies, Snapshot, Trial, Vital};

use crate::config::TaskClass;
use crate::ledger::Store;
use record::Record;

/// Failures in a row after which a deployment is down.
pub const DOWN: u32 = 3;

/// How old a worker's [`Snapshot`] may be, in milliseconds.
pub const MAX_AGE_MS: u64 = 100;

/// Task classes that lengths are told apart by.
pub const CLASSES: usize = TaskClass::ALL.len();

/// News of a deployment. Times are Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// An attempt has succeeded: a stream has its first token, a whole answer is there.
    Answered {
        /// When the attempt began.
        began_ms: u64,
        /// When it succeeded.
        at_ms: u64,
        /// Milliseconds to the first token, if there was such a moment.
        first_token_ms: Option<f64>,
        /// A rate limit is used up, and for so long.
        wait_ms: Option<u64>,
    },
    /// An attempt has failed, and the provider is to blame.
    Failed {
        /// When the attempt began.
        began_ms: u64,
        /// When it failed.
        at_ms: u64,
        /// How long the provider asks to be left alone.
        wait_ms: Option<u64>,
    },
    /// A stream that had begun broke off, and the provider is to blame: its success was none.
    Broke {
        /// When the attempt began.
        began_ms: u64,
        /// When it had its first token.
        answered_ms: u64,
        /// When it broke.
        at_ms: u64,
    },
    /// An attempt has ended and says nothing of the provider. If it had the trial, it gives it back.
    Excused {
        /// `now_ms` of its [`claim`], if it made one: `Plan::started_ms`.
        claimed_ms: u64,
    },
    /// An answer is complete.
    Complete {
        /// What kind of work it was, if anybody knew.
        class: Option<TaskClass>,
        /// Tokens of the answer, reasoning included, by the provider's count.
        output: u64,
        /// Of a stream, after its first token.
        tokens_per_second: Option<f64>,
        /// Milliseconds from the beginning to the end, of an answer that came whole.
        whole_ms: Option<f64>,
    },
}

impl Event {
    /// Whether others have to know at once, whatever is known of the deployment. A success must not wait
    /// either where it would change the state; see [`Notebook`].
    fn is_urgent(&self) -> bool {
        match self {
            Self::Answered { wait_ms, .. } => wait_ms.is_some(),
            Self::Failed { .. } | Self::Broke { .. } => true,
            Self::Excused { .. } | Self::Complete { .. } => false,
        }
    }
}

/// Key of a deployment's record: its provider, and the provider's name for the model.
pub fn key(provider: &str, model: &str) -> String {
    ["nr.vitals/", provider, "/", model].concat()
}

/// Claims the trial of a deployment that has cooled down, for at most `hold_ms`: longer than its
/// attempt can be silent. Exactly one call gets it; it ends with the call's success or failure, when
/// the call ends otherwise, or by itself. `now_ms` has to be the call's `Plan::started_ms`, by which
/// the provider seat gives it back.
///
/// `true` without a claim where there is nothing to try out (somebody has just closed the breaker),
/// `false` while it cools or another call has the trial.
pub fn claim(store: &dyn Store, key: &str, hold_ms: u64, now_ms: u64) -> bool {
    loop {
        let (value, version) = store.read(key);
        let mut record = Record::at(value.as_deref(), now_ms);
        let before = record.breaker;
        let granted = record.breaker.claim(now_ms, hold_ms);
        if record.breaker == before || store.swap(key, &record.encode(), version) {
            return granted;
        }
    }
}

/// Writes news down, at once. Every round that fails is one in which somebody else succeeded, so
/// nothing is lost and the loop ends.
fn write(store: &dyn Store, key: &str, events: &[Event], now_ms: u64) -> Written {
    loop {
        let (value, version) = store.read(key);
        let mut record = Record::at(value.as_deref(), now_ms);
        let before = record.clone();
        events.iter().for_each(|event| record.apply(event));
        if record == before || store.swap(key, &record.encode(), version) {
            let cools = |record: &Record| record.breaker.state(now_ms) == breaker::State::Cooling;
            return Written { is_at_rest: record.is_at_rest(), cools_down: cools(&record) && !cools(&before) };
        }
    }
}

/// What has come of news.
#[derive(Debug, Clone, Copy)]
struct Written {
    /// Whether a success would change nothing but figures.
    is_at_rest: bool,
    /// Whether a cool-down began with it.
    cools_down: bool,
}
