//! What a workspace or a key may use: how often, how many tokens, how much money.

use core::num::NonZeroU64;

pub use super::document::Period;

/// Billionths of a US dollar: prices in USD per million tokens are whole numbers of them for one
/// token, so sums stay exact (docs/decisions/0010).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct NanoUsd(pub u64);

/// An amount in US dollars as JSON writes a number, exact, with two to nine decimals.
pub fn dollars(amount: NanoUsd) -> String {
    let text = format!("{}.{:09}", amount.0 / 1_000_000_000, amount.0 % 1_000_000_000);
    let zeros = text.bytes().rev().take(7).take_while(|digit| *digit == b'0').count();
    text.get(..text.len() - zeros).unwrap_or_default().to_owned()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_exactly() {
        for (nanos, expected) in [
            (0, "0.00"),
            (1, "0.000000001"),
            (82_500, "0.0000825"),
            (250_000_000_000, "250.00"),
            (1_500_000_000, "1.50"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(dollars(NanoUsd(nanos)), expected);
        }
    }
}
