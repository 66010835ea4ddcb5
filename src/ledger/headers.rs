//! The `x-ratelimit-*` headers of an answer.
//!
//! The plain three are of this API: the requests, or the tokens where requests are not limited, with
//! the reset in whole seconds. Those with `-requests` and `-tokens` are OpenAI's, whose resets are
//! written as Go writes durations: `6m0s`, `1s`, `120ms`.

use super::{Gauge, Standing};
use crate::openai::members::encode_number;

/// Names of one limit: limit, remaining, reset.
type Names = [&'static str; 3];

const PLAIN: Names = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
const REQUESTS: Names = ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKENS: Names = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

/// All headers for what is limited; none where nothing is.
pub fn headers(standing: &Standing) -> Vec<(&'static str, String)> {
    let main = standing.requests.or(standing.tokens);
    let limits =
        [(PLAIN, main, seconds as fn(u64) -> String), (REQUESTS, standing.requests, duration), (TOKENS, standing.tokens, duration)];
    let mut headers = Vec::with_capacity(9);
    for (names, gauge, reset) in limits {
        let Some(Gauge { limit, remaining, reset_ms, .. }) = gauge else { continue };
        headers.extend(names.into_iter().zip([number(limit), number(remaining), reset(reset_ms)]));
    }
    headers
}

/// Whole seconds, rounded up: whoever waits as long has waited long enough.
pub fn seconds(ms: u64) -> String {
    number(ms.div_ceil(1000))
}

fn number(number: u64) -> String {
    text(|out| encode_number(number, out))
}

/// Milliseconds as Go's `time.Duration` writes them.
fn duration(ms: u64) -> String {
    text(|out| {
        if 0 < ms && ms < 1000 {
            encode_number(ms, out);
            out.extend_from_slice(b"ms");
            return;
        }
        let (h, m, s, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        if h > 0 {
            encode_number(h, out);
            out.push(b'h');
        }
        if h > 0 || m > 0 {
            encode_number(m, out);
            out.push(b'm');
        }
        encode_number(s, out);
        if ms > 0 {
            let digits = [ms / 100, ms / 10 % 10, ms % 10];
            let zeros = digits.iter().rev().take_while(|digit| **digit == 0).count();
            out.push(b'.');
            digits.iter().take(digits.len() - zeros).for_each(|digit| encode_number(*digit, out));
        }
        out.push(b's');
    })
}

/// Made of digits and letters.
fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::with_capacity(24);
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(limit: u64, remaining: u64, reset_ms: u64) -> Option<Gauge> {
        Some(Gauge { limit, remaining, reset_ms, used: 0, reserved: 0 })
    }

    fn shown(standing: &Standing) -> String {
        headers(standing).iter().map(|(name, value)| format!("{}: {value}\n", name.trim_start_matches("x-ratelimit-"))).collect()
    }

    #[test]
    fn resets_are_written_as_openai_writes_them() {
        let cases = [
            (0, "0s"),
            (1, "1ms"),
            (120, "120ms"),
            (999, "999ms"),
            (1000, "1s"),
            (1001, "1.001s"),
            (7660, "7.66s"),
            (59_500, "59.5s"),
            (60_000, "1m0s"),
            (179_560, "2m59.56s"),
            (360_000, "6m0s"),
            (3_600_000, "1h0m0s"),
            (90_061_005, "25h1m1.005s"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn the_plain_headers_are_of_the_requests() {
        let standing = Standing { requests: gauge(600, 599, 100), tokens: gauge(400_000, 399_000, 61_200), budget: None };
        let expected = "limit: 600\nremaining: 599\nreset: 1\n\
            limit-requests: 600\nremaining-requests: 599\nreset-requests: 100ms\n\
            limit-tokens: 400000\nremaining-tokens: 399000\nreset-tokens: 1m1.2s\n";
        assert_eq!(shown(&standing), expected);
    }

    #[test]
    fn or_of_the_tokens_and_nothing_is_shown_that_is_not_limited() {
        let standing = Standing { tokens: gauge(10, 0, 2001), ..Standing::default() };
        let expected = "limit: 10\nremaining: 0\nreset: 3\nlimit-tokens: 10\nremaining-tokens: 0\nreset-tokens: 2.001s\n";
        assert_eq!(shown(&standing), expected);
        assert_eq!(shown(&Standing::default()), "");
    }
}
