//! `envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit`: the few fields that are used.
//! <https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/ratelimit/v3/rls.proto>

use prost::Message;

use super::record::Answer;
use crate::config::sharing::entry;

/// The gRPC service.
pub const SERVICE: &str = "envoy.service.ratelimit.v3.RateLimitService";

/// Its method.
pub const METHOD: &str = "ShouldRateLimit";

#[derive(Clone, PartialEq, Eq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
    #[prost(uint32, tag = "3")]
    hits_addend: u32,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Response {
    #[prost(uint32, tag = "1")]
    overall_code: u32,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<Status>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Status {
    /// Empty here; it is there where the service has found a limit for the descriptor, and knows what is left of it.
    #[prost(message, optional, tag = "2")]
    current_limit: Option<Limit>,
    #[prost(uint32, tag = "3")]
    limit_remaining: u32,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Limit {}

const OK: u32 = 1;
const OVER_LIMIT: u32 = 2;

/// A request for so many hits.
pub(super) fn request(domain: &str, scope: &str, limit: &str, window: String, hits: u64) -> Vec<u8> {
    let entry = |key: &str, value: String| Entry { key: key.to_owned(), value };
    let entries = vec![entry(entry::SCOPE, scope.to_owned()), entry(entry::LIMIT, limit.to_owned()), entry(entry::WINDOW, window)];
    let hits_addend = u32::try_from(hits).unwrap_or(u32::MAX);
    Request { domain: domain.to_owned(), descriptors: vec![Descriptor { entries }], hits_addend }.encode_to_vec()
}

/// What a response says; `None` if it is none, or says neither yes nor no.
pub(super) fn answer(bytes: &[u8]) -> Option<Answer> {
    let response = Response::decode(bytes).ok()?;
    let left = response.statuses.first().filter(|status| status.current_limit.is_some());
    let left = left.map(|status| u64::from(status.limit_remaining));
    match response.overall_code {
        OK => Some(Answer::Granted(left)),
        OVER_LIMIT => Some(Answer::Refused(left)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_bytes_of_the_protocol() {
        let bytes = request("d", "acme", "requests", "2026".to_owned(), 300);
        // 0a 01 "d"; 12 len { 0a len { 0a key 12 value } … }; 18 300
        assert_eq!(bytes.get(..3), Some(b"\x0a\x01d".as_slice()));
        assert_eq!(bytes.get(bytes.len() - 3..), Some(b"\x18\xac\x02".as_slice()));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains("nr_scope\u{12}\u{4}acme") && text.contains("nr_limit\u{12}\u{8}requests"), "{text:?}");
    }

    #[test]
    fn a_response_says_yes_or_no_and_maybe_what_is_left() {
        for (bytes, expected) in [
            (b"\x08\x01".as_slice(), Some(Answer::Granted(None))),
            (b"\x08\x02", Some(Answer::Refused(None))),
            // statuses[0] = {code: OK, current_limit: {requests_per_unit: 9, unit: MINUTE}, limit_remaining: 7, duration_until_reset: {}}
            (b"\x08\x01\x12\x0c\x08\x01\x12\x04\x08\x09\x10\x02\x18\x07\x22\x00", Some(Answer::Granted(Some(7)))),
            (b"\x08\x02\x12\x08\x08\x02\x12\x04\x08\x09\x10\x02", Some(Answer::Refused(Some(0)))),
            (b"\x08\x01\x12\x02\x08\x01", Some(Answer::Granted(None))),
            (b"", None),
            (b"\x08\x00", None),
            (b"\x12\xff\x01", None),
        ] {
            assert_eq!(answer(bytes), expected, "{bytes:?}");
        }
    }
}
