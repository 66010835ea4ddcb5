//! stub
use crate::config::TaskClass;
use crate::config::catalog::{Deployment, Latency, Model};
/// .
#[derive(Debug, Default)]
pub struct Snapshot;
/// .
pub struct Speed {
    /// .
    pub first_token_ms: f64,
    /// .
    pub first_token_p95_ms: f64,
    /// .
    pub tokens_per_second: f64,
}
impl Snapshot {
    /// .
    pub fn output_tokens(&self, _: &Model, _: TaskClass) -> Option<u64> {
        None
    }
    /// .
    pub fn speed(&self, _: &Deployment, seed: Latency) -> Speed {
        Speed {
            first_token_ms: seed.first_token_ms,
            first_token_p95_ms: seed.first_token_ms * 1.5,
            tokens_per_second: seed.tokens_per_second,
        }
    }
    /// .
    pub fn cools_until(&self, _: &Deployment, _: u64) -> Option<u64> {
        None
    }
}
