//! Where the filter sits. One module, two seats, told apart by the VM's configuration: "router"
//! stands before Envoy's router once per call, "provider" before a provider once per attempt.
//!
//! The seats only translate callbacks into calls to the stages and keep what must be kept from one
//! callback to the next, in one enum each.

mod attempt;
mod dispatch;
mod entry;
mod fleet;
mod gateway;
mod measure;
mod measured;
mod provider;
mod root;
mod router;
mod span;
mod stream;
mod watch;
mod witness;

use std::borrow::Cow;

use crate::host;
use crate::provider::{Call, Codec};
use crate::rejection::Rejection;

pub use root::root;

/// Set on whatever a provider seat sends, and taken off by the router seat.
mod outcome {
    /// Header name.
    pub(super) const HEADER: &str = "x-nr-outcome";
    /// The answer of the first candidate. Empty, since Envoy gives a header without a value away in half the time.
    pub(super) const ANSWER: &[u8] = b"";
    /// The body is a refusal in OpenAI's form, ready for the client.
    pub(super) const REFUSAL: &[u8] = b"refusal";
    /// The attempt failed; if no other follows, the router seat says so.
    pub(super) const FAILURE: &[u8] = b"failure";

    /// Which candidate's answer this is; `None` if it is none.
    pub(super) fn answered_by(value: &[u8]) -> Option<usize> {
        if value == ANSWER { Some(0) } else { core::str::from_utf8(value).ok()?.parse().ok() }
    }

    /// The answer of a candidate, by its place in the plan.
    pub(super) fn answer_of(candidate: usize) -> String {
        if candidate == 0 { String::new() } else { candidate.to_string() }
    }
}

/// Where a call goes at a provider with this base path, and in which form it is to be answered.
fn target(base_path: &str, codec: &dyn Codec, call: &Call<'_>) -> (String, &'static [u8]) {
    (joined(base_path, |base| codec.path(base, call)), if call.stream { b"text/event-stream" } else { JSON })
}

/// The path of a call behind a base path, which may have a query of its own. A version that ends the one
/// and begins the other stands once: both `https://host` and `https://host/v1` are what people write.
fn joined(base_path: &str, path: impl FnOnce(&str) -> Cow<'static, str>) -> String {
    let (base, common) = base_path.split_once('?').unwrap_or((base_path, ""));
    let path = path(base);
    let version = path.get(1..).and_then(|path| path.split('/').next()).unwrap_or_default();
    let twice = !version.is_empty() && base.strip_suffix(version).is_some_and(|before| before.ends_with('/'));
    let rest = if twice { path.get(version.len() + 1..).unwrap_or_default() } else { &path };
    let mark = match (common.is_empty(), rest.contains('?')) {
        (true, _) => "",
        (false, true) => "&",
        (false, false) => "?",
    };
    [base, rest, mark, common].concat()
}

/// Length of a body of which a head replaces the opening brace.
fn with_head(body_len: usize, head: &[u8]) -> usize {
    (body_len + head.len()).saturating_sub(1)
}

const JSON: &[u8] = b"application/json";

/// Sends a refusal; `mark` tells the router seat that it is one of ours.
fn reject(rejection: &Rejection, mark: Option<&'static [u8]>) {
    let mut headers: Vec<(&str, &[u8])> = vec![("content-type", JSON)];
    headers.extend(rejection.headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    headers.extend(mark.map(|mark| (outcome::HEADER, mark)));
    host::reply(rejection.status, headers, &rejection.body());
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn a_version_stands_once_and_queries_are_joined() {
        for (base, path, expected) in [
            ("/v1", "/chat/completions", "/v1/chat/completions"),
            ("", "/v1/messages", "/v1/messages"),
            ("/v1", "/v1/messages", "/v1/messages"),
            ("/proxy/v1", "/v1/messages", "/proxy/v1/messages"),
            ("/xv1", "/v1/messages", "/xv1/v1/messages"),
            ("/v1beta", "/v1beta/models/g:x?alt=sse", "/v1beta/models/g:x?alt=sse"),
            ("/openai?api-version=1", "/deployments/d/chat/completions", "/openai/deployments/d/chat/completions?api-version=1"),
            ("/a?b=c", "/d?e=f", "/a/d?e=f&b=c"),
        ] {
            assert_eq!(joined(base, |_| path.to_owned().into()), expected, "{base} {path}");
        }
    }
}
