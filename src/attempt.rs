//! What an attempt's outcome means: deliver it, try the next candidate, or stop; and how long
//! attempts may take.

use serde::Deserialize;

use crate::config::Routing;
use crate::openai::Request;
use crate::provider::{Class, Fault};

/// What to do with a provider's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Read the answer.
    Deliver,
    /// Read why: it may be the caller's own fault, which no other candidate would take either.
    Ask,
    /// Try the next candidate.
    Next,
}

/// The verdict on a status alone. Whose fault a 4xx is only its body tells; what is no answer and no
/// refusal is not read.
pub fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Deliver,
        408 | 425 | 499 => Verdict::Next,
        400..=499 => Verdict::Ask,
        _ => Verdict::Next,
    }
}

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The caller is told.
    Tell,
    /// A candidate with a larger window may take it; without one the caller is told.
    Larger,
    /// Try the next candidate.
    Next,
}

/// What a refusal of this class asks for. Credentials and model names are ours.
pub const fn answer(class: Class) -> Answer {
    match class {
        Class::Caller | Class::ContentPolicy => Answer::Tell,
        Class::ContextTooLong => Answer::Larger,
        Class::Credentials | Class::RateLimited | Class::Overloaded | Class::Unavailable => Answer::Next,
    }
}

/// How an attempt ended, as `routing.attempts` and the access log name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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

impl Outcome {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::ConnectFailure => "connect_failure",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Status => "status",
            Self::InBandError => "in_band_error",
            Self::Malformed => "malformed",
        }
    }
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
    /// Longest silence of one attempt that the operator allows, whatever the caller wants.
    pub patience_ms: u32,
}

/// How many attempts a caller's bound is shared between, equally: as many of the first candidates as would all fit
/// one after the other, were each as slow as the slowest of them is likely to be. What is not used is left to
/// further candidates. Where not even the first fits, it gets half and leaves half for another.
fn shares(total_ms: u32, likely_ms: &[f64]) -> u32 {
    let mut slowest = 0.0_f64;
    let fit = |(likely, shares): (&f64, u32)| {
        slowest = slowest.max(*likely);
        slowest * f64::from(shares) <= f64::from(total_ms)
    };
    match likely_ms.iter().zip(1..).map(fit).take_while(|fits| *fits).count() {
        0 => likely_ms.len().clamp(1, 2) as u32,
        fit => fit as u32,
    }
}

impl Bounds {
    /// The bounds of a request, with the time that each of its candidates is likely to take at most, in milliseconds.
    /// `max_latency_ms` bounds the whole call, a stream included.
    pub fn of(routing: &Routing, request: &Request<'_>, likely_ms: &[f64]) -> Self {
        let silence = if request.stream() { routing.first_token_timeout_ms } else { routing.answer_timeout_ms };
        let Some(max_latency) = request.route().max_latency_ms else {
            return Self { per_try_ms: silence, total_ms: routing.total_timeout_ms, patience_ms: silence };
        };
        let total_ms = max_latency.min(routing.total_timeout_ms);
        Self { per_try_ms: (total_ms / shares(total_ms, likely_ms)).clamp(1, silence), total_ms, patience_ms: silence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Endpoint;

    #[test]
    fn an_answer_is_read_and_so_is_a_refusal() {
        for status in [200, 201, 299] {
            assert_eq!(verdict(status), Verdict::Deliver, "{status}");
        }
        for status in [400, 401, 402, 403, 404, 413, 418, 422, 429] {
            assert_eq!(verdict(status), Verdict::Ask, "{status}");
        }
        for status in [0, 101, 301, 408, 425, 499, 500, 502, 503, 504, 529, 599] {
            assert_eq!(verdict(status), Verdict::Next, "{status}");
        }
    }

    #[test]
    fn an_outcome_is_read_by_the_name_it_is_written_with() {
        use Outcome::{Cancelled, ConnectFailure, InBandError, Malformed, Ok, Pending, Refused, Reset, Status, Timeout};
        for outcome in [Pending, Ok, Refused, ConnectFailure, Reset, Timeout, Cancelled, Status, InBandError, Malformed] {
            let read: Outcome = serde_json::from_value(outcome.name().into()).expect("a name");
            assert_eq!(read, outcome);
        }
    }

    #[test]
    fn a_callers_bound_is_shared_between_the_attempts_that_fit_and_never_loosens() {
        let routing =
            Routing { max_attempts: 4, first_token_timeout_ms: 1_000, answer_timeout_ms: 4_000, total_timeout_ms: 60_000, adaptive: true };
        let body = |extra: &str| format!(r#"{{"model":"m","messages":[{{"role":"user"}}]{extra}}}"#);
        for (extra, likely_ms, expected) in [
            ("", &[300.0, 300.0, 300.0][..], (4_000, 60_000)),
            (r#","stream":true"#, &[300.0, 300.0], (1_000, 60_000)),
            (r#","route":{"max_latency_ms":800}"#, &[300.0], (800, 800)),
            (r#","route":{"max_latency_ms":800}"#, &[300.0, 350.0, 300.0], (400, 800)),
            (r#","route":{"max_latency_ms":900}"#, &[300.0, 300.0, 300.0], (300, 900)),
            (r#","route":{"max_latency_ms":900}"#, &[500.0, 300.0, 300.0], (900, 900)),
            (r#","route":{"max_latency_ms":900}"#, &[200.0, 500.0, 200.0], (900, 900)),
            (r#","route":{"max_latency_ms":800}"#, &[9_000.0, 9_000.0, 300.0], (400, 800)),
            (r#","route":{"max_latency_ms":800}"#, &[9_000.0], (800, 800)),
            (r#","route":{"max_latency_ms":90000}"#, &[300.0, 300.0, 300.0], (4_000, 60_000)),
            (r#","stream":true,"route":{"max_latency_ms":800}"#, &[400.0, 400.0], (400, 800)),
            (r#","route":{"max_latency_ms":1}"#, &[0.0, 0.0, 0.0], (1, 1)),
        ] {
            let body = body(extra);
            let request = Request::parse(Endpoint::Chat, body.as_bytes()).expect("a request");
            let bounds = Bounds::of(&routing, &request, likely_ms);
            assert_eq!((bounds.per_try_ms, bounds.total_ms), expected, "{extra} {likely_ms:?}");
            assert_eq!(bounds.patience_ms, if request.stream() { 1_000 } else { 4_000 }, "{extra}");
        }
    }
}
