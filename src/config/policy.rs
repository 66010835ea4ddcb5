//! What a workspace or a key may use: how often, how many tokens, how much money.

use core::num::NonZeroU64;

pub use super::document::Period;

/// Billionths of a US dollar: prices in USD per million tokens are whole numbers of them for one
/// token, so sums stay exact (docs/decisions/0010).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct NanoUsd(pub u64);

/// Rate limits; nothing is limited that is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Calls.
    pub requests: Option<RequestRate>,
    /// Prompt and answer tokens in any minute.
    pub tokens_per_minute: Option<NonZeroU64>,
}

/// A rate of calls: so many at once after a quiet time, and one more every `60 s / per_minute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// Sustained rate.
    pub per_minute: NonZeroU64,
    /// Calls at once; `per_minute` unless configured.
    pub burst: NonZeroU64,
}

/// A spending cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What may be spent in one period.
    pub cap: NanoUsd,
    /// Calendar period in UTC.
    pub period: Period,
}
