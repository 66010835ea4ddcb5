//! Limits that hold for all Envoys of a fleet together (docs/decisions/0024, docs/limits.md).
//!
//! A rate-limit service counts for everybody. To ask it for every call would put a round trip before each,
//! so an Envoy takes a *lease*, a part of the limit, and admits calls from it; it asks again before the lease
//! is used up, and calls wait only where there is none. What calls really used takes the place of what was
//! set aside for them; what they used beyond all grants is a *debt*, which is told with the next lease.
//!
//! | module | what it owns |
//! |---|---|
//! | `window` | which hits are counted together, and how that time is called |
//! | `record` | granted, used, refused: what an Envoy knows of one counter, and what it asks for |
//! | `counter` | that record in a store shared by all workers |
//! | `account` | all counters of a key, taken together; what is booked for a call |
//! | `health` | whether the service answers |
//! | `message` | the protocol's bytes |
//! | `desk` | who waits, what is asked, and what comes of it |
//!
//! No network, no clock: time, store and sending are arguments. What decides between workers is
//! compare-and-swap on a record, as in the [ledger](crate::ledger).

mod account;
mod counter;
mod desk;
mod health;
mod message;
mod record;
mod window;

use crate::ledger::Store;

pub use account::{Account, Booking};
pub use counter::Claim;
pub use desk::{Caller, Decision, Desk, Tally, Wire};
pub use message::{METHOD, SERVICE};

/// Replaces a value by compare-and-swap, unless `act` does not want to. Every round that fails is one in which
/// somebody else succeeded.
fn change<B: AsRef<[u8]>, T, E>(store: &dyn Store, key: &str, act: impl Fn(Option<&[u8]>) -> Result<(B, T), E>) -> Result<T, E> {
    loop {
        let (value, version) = store.read(key);
        let (bytes, said) = act(value.as_deref())?;
        if store.swap(key, bytes.as_ref(), version) {
            return Ok(said);
        }
    }
}
