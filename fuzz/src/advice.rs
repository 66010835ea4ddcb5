//! The headers of any answer and the body of a refusal, as far as they say how long a provider wants to be left alone: the same
//! every time, and never for longer than anybody is.

use neural_router::retry_after::{MAX_MS, advised_ms, used_up_ms};

use super::{Given, Target};

/// The option's lowest bit is whether the limit is said to be used up; the cuts are the time of day.
pub const TARGET: Target = Target { name: "advice", check, memory: 64 };

/// 2026-11-23, in milliseconds.
const NOW_MS: u64 = 1_795_392_000_000;

fn check(given: &Given, bytes: &[u8]) {
    let now_ms = NOW_MS + u64::from(given.cuts) * 3_600_000;
    let remaining: &[u8] = if given.option & 1 == 0 { b"0" } else { bytes };
    // Every header says it, in the same words.
    let header = |name: &str| Some(if name.contains("remaining") { remaining.to_vec() } else { bytes.to_vec() });
    for ms in [advised_ms(header, bytes, now_ms), advised_ms(|_| None, bytes, now_ms), used_up_ms(header, now_ms)] {
        assert!(ms.is_none_or(|ms| ms <= MAX_MS), "{ms:?}");
    }
}
