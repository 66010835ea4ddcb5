//! How long a provider asks to be left alone, in whichever way it says so.
//!
//! Providers write times in four forms: seconds (`20`, `0.5`), durations as Go writes them (`1s`, `6m0s`,
//! `120ms`, `2m59.56s`), Unix times in seconds or milliseconds, and dates (RFC 3339, or RFC 9110's).

use crate::ledger::calendar;
use crate::vitals::MAX_ADVICE_MS;

/// Nobody is left alone for longer than this for one word of theirs, in milliseconds.
pub const MAX_MS: u64 = MAX_ADVICE_MS;

/// Header pairs that tell of a limit that is used up: what remains, and when it is back
/// (<https://platform.openai.com/docs/guides/rate-limits>, <https://platform.claude.com/docs/en/api/rate-limits>,
/// <https://openrouter.ai/docs/api-reference/limits>, RFC draft `ratelimit-headers`).
const LIMITS: [(&str, &str); 9] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"),
    ("ratelimit-remaining", "ratelimit-reset"),
];

/// Milliseconds to wait, by the headers of a refusal and its body, where Google puts it; at most
/// [`MAX_MS`], `None` if nothing is said.
pub fn advised_ms(header: impl Fn(&str) -> Option<Vec<u8>>, body: &[u8], now_ms: u64) -> Option<u64> {
    let wait = |name: &str| header(name).and_then(|value| wait_ms(core::str::from_utf8(&value).ok()?, now_ms));
    let exact = header("retry-after-ms").and_then(|value| decimal(core::str::from_utf8(&value).ok()?.trim(), 1));
    let said = exact.or_else(|| wait("retry-after")).or_else(|| retry_delay(body));
    said.or_else(|| used_up_ms(&header, now_ms)).map(|ms| ms.min(MAX_MS))
}

/// Milliseconds until the last of the rate limits that are used up is back, by the headers of any answer;
/// at most [`MAX_MS`], `None` if none is used up.
pub fn used_up_ms(header: impl Fn(&str) -> Option<Vec<u8>>, now_ms: u64) -> Option<u64> {
    let wait = |name: &str| header(name).and_then(|value| wait_ms(core::str::from_utf8(&value).ok()?, now_ms));
    let used_up = |(remaining, reset): &(&str, &str)| header(remaining).filter(|left| left.trim_ascii() == b"0").and_then(|_| wait(reset));
    LIMITS.iter().filter_map(used_up).max().map(|ms| ms.min(MAX_MS))
}

/// `"retryDelay": "34s"` of `google.rpc.RetryInfo`
/// (<https://cloud.google.com/apis/design/errors#error_payloads>).
fn retry_delay(body: &[u8]) -> Option<u64> {
    const NAME: &[u8] = br#""retryDelay""#;
    let at = memchr::memmem::find(body, NAME)?;
    let rest = body.get(at + NAME.len()..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest)?;
    duration(core::str::from_utf8(rest.get(..end)?).ok()?)
}

/// A time in any of the four forms, as milliseconds from now; 0 for one that has passed.
fn wait_ms(text: &str, now_ms: u64) -> Option<u64> {
    /// Above any wait in seconds, and below every time since 2001.
    const EPOCH_S: u64 = 1_000_000_000;
    let text = text.trim();
    if let Some(ms) = decimal(text, 1000) {
        return Some(match ms / 1000 {
            seconds if seconds >= EPOCH_S * 1000 => seconds.saturating_sub(now_ms),
            seconds if seconds >= EPOCH_S => ms.saturating_sub(now_ms),
            _ => ms,
        });
    }
    duration(text).or_else(|| rfc3339(text).or_else(|| http_date(text)).map(|at| at.saturating_sub(now_ms)))
}

/// A decimal number times `scale`, rounded up.
fn decimal(text: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 15 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let (mut part, mut unit, mut rest) = (0, scale * 1000, false);
    for digit in fraction.bytes() {
        unit /= 10;
        part += u64::from(digit - b'0') * unit;
        rest |= unit == 0 && digit != b'0';
    }
    Some(whole + part.div_ceil(1000) + u64::from(rest && part % 1000 == 0))
}

/// `2m59.56s`, in milliseconds.
fn duration(text: &str) -> Option<u64> {
    let (mut rest, mut total_ns) = (text, 0_u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at_checked(unit_at)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let scale = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        total_ns = total_ns.checked_add(decimal(number, scale)?)?;
        rest = tail;
    }
    Some(total_ns.div_ceil(1_000_000))
}

/// `2026-11-22T10:00:00.5Z`, in Unix milliseconds.
fn rfc3339(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let day_s = day_s(date.next()??, date.next()??, date.next()??)?;
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let fraction = if fraction.is_empty() { 0 } else { decimal(&["0.", fraction].concat(), 1000)? };
    let at = (day_s + clock_s(clock)?) * 1000 + fraction;
    let offset = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(at),
        (_, offset) => offset,
    };
    let (hours, minutes) = offset.split_once(':')?;
    let offset = (two_digits(hours)? * 60 + two_digits(minutes)?) * 60_000;
    if zone.starts_with('+') { at.checked_sub(offset) } else { Some(at + offset) }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7), in Unix milliseconds.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let day = two_digits(words.next()?)?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year = words.next()?.parse().ok()?;
    let clock = clock_s(words.next()?)?;
    (words.next() == Some("GMT") && words.next().is_none()).then_some(())?;
    Some((day_s(year, month, day)? + clock) * 1000)
}

fn day_s(year: u64, month: u64, day: u64) -> Option<u64> {
    let plausible = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    plausible.then(|| calendar::day_s(year, month, day))
}

fn clock_s(clock: &str) -> Option<u64> {
    let mut parts = clock.split(':').map(two_digits);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && hours < 24 && minutes < 60 && seconds <= 60).then_some(hours * 3600 + minutes * 60 + seconds)
}

fn two_digits(text: &str) -> Option<u64> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T10:00:00Z
    const NOW_MS: u64 = 1_795_341_600_000;

    #[test]
    fn a_time_is_read_in_all_four_forms() {
        for (text, expected) in [
            ("20", Some(20_000)),
            ("0.5", Some(500)),
            (" 1 ", Some(1_000)),
            ("0", Some(0)),
            ("1s", Some(1_000)),
            ("6m0s", Some(360_000)),
            ("120ms", Some(120)),
            ("2m59.56s", Some(179_560)),
            ("1h0m0.5s", Some(3_600_500)),
            ("10us", Some(1)),
            ("1795341630", Some(30_000)),
            ("1795341630500", Some(30_500)),
            ("1795341000", Some(0)),
            ("2026-11-22T10:00:05Z", Some(5_000)),
            ("2026-11-22T10:00:05.25Z", Some(5_250)),
            ("2026-11-22T11:00:05+01:00", Some(5_000)),
            ("2026-11-22T05:00:05-05:00", Some(5_000)),
            ("2026-11-22T09:00:00Z", Some(0)),
            ("Sun, 22 Nov 2026 10:01:00 GMT", Some(60_000)),
            ("", None),
            ("soon", None),
            ("-1", None),
            ("1.2.3", None),
            ("5 s", None),
            ("5x", None),
            ("2026-13-22T10:00:05Z", None),
            ("2026-11-22T10:00:05", None),
            ("99999999999999999999", None),
            ("Sun, 22 Nov 2026 10:01:00 CET", None),
        ] {
            assert_eq!(wait_ms(text, NOW_MS), expected, "{text}");
        }
    }

    #[test]
    fn the_most_exact_word_counts_and_limits_only_where_they_are_used_up() {
        let advised = |headers: &[(&str, &str)], body: &str| {
            advised_ms(
                |name| headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_bytes().to_vec()),
                body.as_bytes(),
                NOW_MS,
            )
        };
        assert_eq!(advised(&[], ""), None);
        assert_eq!(advised(&[("retry-after", "7"), ("retry-after-ms", "6200")], ""), Some(6_200));
        assert_eq!(advised(&[("retry-after", "7")], r#"{"retryDelay":"34s"}"#), Some(7_000));
        assert_eq!(advised(&[], r#"{"error":{"details":[{"retryDelay" : "34.5s"}]}}"#), Some(34_500));
        let resets = [("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s"), ("x-ratelimit-remaining-requests", "0")];
        assert_eq!(advised(&resets, ""), Some(1_000));
        assert_eq!(
            advised(&[("anthropic-ratelimit-tokens-remaining", "0"), ("anthropic-ratelimit-tokens-reset", "2026-11-22T10:00:09Z")], ""),
            Some(9_000)
        );
        assert_eq!(advised(&[("retry-after", "86400")], ""), Some(MAX_MS));
        assert_eq!(advised(&[("retry-after", "\u{fffd}")], r#""retryDelay""#), None);
    }
}
