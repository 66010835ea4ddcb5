//! What an attempt's outcome means: deliver it, try the next candidate, or stop; and how long
//! attempts may take.

use serde::{Deserialize, Serialize};

use crate::config::Routing;
use crate::openai::Request;
use crate::provider::Fault;

/// What to do with a provider's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Read the answer.
    Deliver,
    /// The caller's own fault: no other candidate would take it either.
    Stop,
    /// Try the next candidate.
    Next,
}

/// The verdict on a status alone. Credentials and model names are ours, so 401, 403 and 404 are
/// not the caller's fault; neither is anything that is not an answer.
pub fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Deliver,
        400 | 413 | 422 => Verdict::Stop,
        _ => Verdict::Next,
    }
}

/// How an attempt ended, as `routing.attempts` and the access log name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Still under way.
    Pending,
    /// Answered.
    Ok,
    /// Refused for the caller's own fault.
    Refused,
    /// No connection.
    ConnectFailure,
    /// The connection broke before an answer.
    Reset,
    /// Silent for too long.
    Timeout,
    /// The client left.
    Cancelled,
    /// A status that is no answer.
    Status,
    /// An error inside a 200.
    InBandError,
    /// Empty, cut off, compressed or otherwise not the protocol.
    Malformed,
}

impl From<&Fault> for Outcome {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::InBand(_) => Self::InBandError,
            Fault::Malformed => Self::Malformed,
        }
    }
}

/// How long a call may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Longest silence of one attempt: to the first token of a stream, or to a whole answer.
    pub per_try_ms: u32,
    /// Longest call, all attempts and the stream included.
    pub total_ms: u32,
}

/// Attempts a caller's latency bound is shared between: the first candidate gets half of it and
/// leaves the other half for a second one.
const SHARES: u32 = 2;

impl Bounds {
    /// The bounds of a request with so many candidates. `max_latency_ms` bounds the whole call, a
    /// stream included.
    pub fn of(routing: &Routing, request: &Request<'_>, candidates: usize) -> Self {
        let silence = if request.stream() { routing.first_token_timeout_ms } else { routing.answer_timeout_ms };
        let Some(max_latency) = request.route().max_latency_ms else {
            return Self { per_try_ms: silence, total_ms: routing.total_timeout_ms };
        };
        let shares = SHARES.min(u32::try_from(candidates).unwrap_or(SHARES)).max(1);
        Self { per_try_ms: (max_latency / shares).clamp(1, silence), total_ms: max_latency.min(routing.total_timeout_ms) }
    }
}

/// A `Retry-After` of seconds; dates and nonsense are `None`.
pub fn retry_after_s(value: &[u8]) -> Option<u64> {
    core::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Endpoint;

    #[test]
    fn only_the_callers_own_fault_stops() {
        for status in [200, 201, 299] {
            assert_eq!(verdict(status), Verdict::Deliver, "{status}");
        }
        for status in [400, 413, 422] {
            assert_eq!(verdict(status), Verdict::Stop, "{status}");
        }
        for status in [301, 401, 402, 403, 404, 408, 409, 418, 425, 429, 500, 502, 503, 504, 529, 599] {
            assert_eq!(verdict(status), Verdict::Next, "{status}");
        }
    }

    #[test]
    fn a_callers_bound_is_shared_between_two_attempts_and_never_loosens() {
        let routing = Routing { max_attempts: 4, first_token_timeout_ms: 1_000, answer_timeout_ms: 4_000, total_timeout_ms: 60_000 };
        let body = |extra: &str| format!(r#"{{"model":"m","messages":[{{"role":"user"}}]{extra}}}"#);
        for (extra, candidates, expected) in [
            ("", 3, (4_000, 60_000)),
            (r#","stream":true"#, 3, (1_000, 60_000)),
            (r#","route":{"max_latency_ms":800}"#, 1, (800, 800)),
            (r#","route":{"max_latency_ms":800}"#, 3, (400, 800)),
            (r#","route":{"max_latency_ms":90000}"#, 3, (4_000, 60_000)),
            (r#","stream":true,"route":{"max_latency_ms":800}"#, 2, (400, 800)),
            (r#","route":{"max_latency_ms":1}"#, 3, (1, 1)),
        ] {
            let body = body(extra);
            let request = Request::parse(Endpoint::Chat, body.as_bytes()).expect("a request");
            let bounds = Bounds::of(&routing, &request, candidates);
            assert_eq!((bounds.per_try_ms, bounds.total_ms), expected, "{extra}");
        }
    }
}
