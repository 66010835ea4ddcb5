//! The ways a provider can go wrong, and how many requests a fault still applies to.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What goes wrong. The names and fields are those of the control API.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Kind {
    Refuse {},
    ResetBeforeHeaders {},
    ResetMidHeaders {},
    ResetMidStream {
        #[serde(default = "one")]
        after_chunks: usize,
    },
    EndMidStream {
        #[serde(default = "one")]
        after_chunks: usize,
    },
    CloseMidStream {
        #[serde(default = "one")]
        after_chunks: usize,
    },
    Hang {},
    HeadersThenSilence {},
    Status {
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    SseErrorFirst {},
    SseErrorAfterPreamble {},
    SseErrorMid {
        #[serde(default = "one")]
        after_chunks: usize,
    },
    TruncatedJson {},
    Html {},
    EmptyBody {},
    Gzip {},
    Trickle {
        bytes: NonZeroUsize,
        interval_ms: u64,
    },
}

fn one() -> usize {
    1
}

impl Kind {
    /// Whether the fault spoils a good answer; the others take the place of any answer, also of a refusal.
    pub(crate) fn spoils_an_answer(&self) -> bool {
        !matches!(
            self,
            Self::Refuse {}
                | Self::ResetBeforeHeaders {}
                | Self::ResetMidHeaders {}
                | Self::Hang {}
                | Self::HeadersThenSilence {}
                | Self::Status { .. }
                | Self::Html {}
                | Self::EmptyBody {}
        )
    }
}

/// A fault that is set, with what is left of its `times`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fault {
    #[serde(flatten)]
    pub(crate) kind: Kind,
    /// Requests it still applies to; `None` is all of them.
    pub(crate) times: Option<u64>,
}

impl Fault {
    /// Reads the body of `PUT /providers/{name}/fault`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let mut fields: Map<String, Value> = serde_json::from_slice(body).map_err(|error| format!("a fault is a JSON object: {error}"))?;
        let times = match fields.remove("times") {
            None | Some(Value::Null) => None,
            Some(given) => match given.as_u64() {
                Some(times) if times > 0 => Some(times),
                _ => return Err(format!("times: {given} is neither a positive integer nor null")),
            },
        };
        let kind: Kind = serde_json::from_value(Value::Object(fields)).map_err(|error| format!("not a fault: {error}"))?;
        if let Kind::Status { status, retry_after, .. } = &kind {
            if !(200..=599).contains(status) {
                return Err(format!("status: {status} is not within 200 and 599"));
            }
            if !matches!(retry_after, None | Some(Value::String(_) | Value::Number(_))) {
                return Err("retry_after: neither a number nor a string".to_owned());
            }
        }
        if matches!(kind, Kind::Refuse {}) && times.is_some() {
            return Err("times: a refused connection never reaches the simulator, so it cannot be counted; \
                        set `refuse` without times and end it with DELETE"
                .to_owned());
        }
        Ok(Self { kind, times })
    }

    /// Takes the fault for one request; clears the slot when that was its last time.
    pub(crate) fn consume(slot: &mut Option<Self>) -> Option<Kind> {
        let fault = slot.as_mut()?;
        let kind = fault.kind.clone();
        if let Some(times) = &mut fault.times {
            *times -= 1;
            if *times == 0 {
                *slot = None;
            }
        }
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_set_for_two_requests_is_gone_at_the_third() {
        let mut slot = Some(Fault::parse(br#"{"kind":"hang","times":2}"#).unwrap());
        assert!(matches!(Fault::consume(&mut slot), Some(Kind::Hang {})));
        assert!(matches!(Fault::consume(&mut slot), Some(Kind::Hang {})));
        assert!(Fault::consume(&mut slot).is_none());
    }

    #[test]
    fn a_fault_without_times_stays() {
        let mut slot = Some(Fault::parse(br#"{"kind":"html"}"#).unwrap());
        for _ in 0..3 {
            assert!(matches!(Fault::consume(&mut slot), Some(Kind::Html {})));
        }
    }

    #[test]
    fn a_malformed_fault_is_refused_with_the_reason() {
        for (given, reason) in [
            ("7", "JSON object"),
            (r#"{"kind":"explode"}"#, "unknown variant `explode`"),
            (r#"{"times":1}"#, "missing field `kind`"),
            (r#"{"kind":"hang","times":0}"#, "times: 0"),
            (r#"{"kind":"hang","after":3}"#, "unknown field `after`"),
            (r#"{"kind":"status"}"#, "missing field `status`"),
            (r#"{"kind":"status","status":99}"#, "status: 99"),
            (r#"{"kind":"status","status":429,"retry_after":[]}"#, "retry_after"),
            (r#"{"kind":"trickle","bytes":0,"interval_ms":1}"#, "nonzero"),
            (r#"{"kind":"refuse","times":1}"#, "cannot be counted"),
        ] {
            let error = Fault::parse(given.as_bytes()).map(|_| ()).unwrap_err();
            assert!(error.contains(reason), "{given}: {error}");
        }
    }
}
