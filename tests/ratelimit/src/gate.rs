//! Who may have how many hits: one decision at a time.
//!
//! Limitador's storages for Redis look first and count then, in two round trips, and say so themselves ("this
//! implementation does not guarantee exact limits"): two callers that look at the same moment are both let in. The
//! tests want to know of the filter whether it keeps a limit to the call, so here nobody looks while another one is
//! between the two. One lock for all is enough, as a caller asks once for many calls. It holds for one process: two
//! of them before one Redis are as inexact as Limitador is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use limitador::limit::{Limit, Namespace};
use limitador::storage::AsyncStorage;
use limitador::storage::redis::AsyncRedisStorage;
use limitador::{AsyncRateLimiter, AsyncRateLimiterBuilder};
use tokio::sync::Mutex;
use tracing::debug;

use crate::options::Like;

pub(crate) struct Gate {
    storage: AsyncRedisStorage,
    like: Like,
    timeout: Duration,
    limiter: Mutex<AsyncRateLimiter>,
    pub(crate) counts: Counts,
}

/// What was decided since the start, in calls and in hits.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) authorized_calls: AtomicU64,
    pub(crate) authorized_hits: AtomicU64,
    pub(crate) limited_calls: AtomicU64,
    pub(crate) failed_calls: AtomicU64,
}

/// A decision. `limits` has one for each limit that applies, and is empty where nothing is said of them.
pub(crate) struct Decision {
    pub(crate) admitted: bool,
    pub(crate) limits: Vec<Applied>,
}

/// A limit and how many hits it would still let in, after the decision.
pub(crate) struct Applied {
    pub(crate) most: u64,
    pub(crate) remaining: u64,
}

/// Why there is no decision. In neither case is it known whether the hits were counted.
pub(crate) enum Undecided {
    Storage(String),
    Late,
}

impl Gate {
    pub(crate) fn new(storage: AsyncRedisStorage, like: Like, timeout: Duration, limits: Vec<Limit>) -> Self {
        let limiter = Mutex::new(limiter(&storage, limits));
        Self { storage, like, timeout, limiter, counts: Counts::default() }
    }

    /// Replaces all limits. What was counted under those that are gone stays in Redis, and counts again should they
    /// come back; Limitador would delete it.
    pub(crate) async fn configure(&self, limits: Vec<Limit>) {
        *self.limiter.lock().await = limiter(&self.storage, limits);
    }

    /// Counts so many hits under every limit that applies to these values, if all of them let them in.
    pub(crate) async fn decide(&self, domain: &str, values: &HashMap<String, String>, hits: u32) -> Result<Decision, Undecided> {
        let decided = tokio::time::timeout(self.timeout, self.in_turn(&domain.into(), values, hits)).await;
        let decision = decided.unwrap_or(Err(Undecided::Late));
        let counter = match &decision {
            Ok(decision) if decision.admitted => {
                self.counts.authorized_hits.fetch_add(hits.into(), Ordering::Relaxed);
                &self.counts.authorized_calls
            }
            Ok(_) => &self.counts.limited_calls,
            Err(_) => &self.counts.failed_calls,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        debug!(domain, ?values, hits, admitted = decision.as_ref().is_ok_and(|decision| decision.admitted));
        decision
    }

    /// Whether Redis answers.
    pub(crate) async fn alive(&self) -> bool {
        tokio::time::timeout(self.timeout, self.storage.is_alive()).await.unwrap_or(false)
    }

    async fn in_turn(&self, domain: &Namespace, values: &HashMap<String, String>, hits: u32) -> Result<Decision, Undecided> {
        let failed = |error: limitador::errors::LimitadorError| Undecided::Storage(error.to_string());
        let delta = i64::from(hits);
        let limiter = self.limiter.lock().await;
        let talkative = self.like == Like::Envoyproxy;
        let result = limiter.check_rate_limited_and_update(domain, values, delta, talkative).await.map_err(failed)?;
        if result.limited && talkative {
            limiter.update_counters(domain, values, delta).await.map_err(failed)?;
        }
        let limits = result.counters.iter().map(|counter| Applied {
            most: u64::try_from(counter.max_value()).unwrap_or(0),
            remaining: counter.remaining().and_then(|left| u64::try_from(left).ok()).unwrap_or(0),
        });
        Ok(Decision { admitted: !result.limited, limits: limits.collect() })
    }
}

fn limiter(storage: &AsyncRedisStorage, limits: Vec<Limit>) -> AsyncRateLimiter {
    let storage = AsyncStorage::with_counter_storage(Box::new(storage.clone()));
    let limiter = AsyncRateLimiterBuilder::new(storage).build();
    for limit in limits {
        limiter.add_limit(limit);
    }
    limiter
}
