//! What a request line asks for: one of the paths there are, with its method.

use crate::openai::Endpoint;
use crate::rejection::Rejection;

/// One of the paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Whether the filter runs; anybody may ask.
    Healthz,
    /// The models of the workspace.
    Models,
    /// One of them.
    Model(String),
    /// Where the key stands with its limits and budget.
    Usage,
    /// A call that a model answers.
    Call(Endpoint),
}

const READ: &str = "GET, HEAD";
const WRITE: &str = "POST";

impl Entry {
    /// The entry for a request line; the query of `target` is ignored.
    pub(super) fn of(method: Option<&[u8]>, target: &[u8]) -> Result<Self, Rejection> {
        let path = target.split(|b| *b == b'?').next().unwrap_or_default();
        let entry = match path {
            b"/healthz" => Self::Healthz,
            b"/v1/models" => Self::Models,
            b"/v1/usage" => Self::Usage,
            b"/v1/chat/completions" => Self::Call(Endpoint::Chat),
            b"/v1/embeddings" => Self::Call(Endpoint::Embeddings),
            _ => match path.strip_prefix(b"/v1/models/") {
                Some(id) if !id.is_empty() => Self::Model(percent_decoded(id)),
                _ => return Err(Rejection::unknown_url()),
            },
        };
        let (allowed, names) = match entry {
            Self::Call(_) => (method == Some(b"POST"), WRITE),
            _ => (matches!(method, Some(b"GET" | b"HEAD")), READ),
        };
        if allowed { Ok(entry) } else { Err(Rejection::method_not_allowed(names)) }
    }
}

/// The path of a call, for the access log.
pub(super) const fn path_of(endpoint: Endpoint) -> &'static [u8] {
    match endpoint {
        Endpoint::Chat => b"/v1/chat/completions",
        Endpoint::Embeddings => b"/v1/embeddings",
    }
}

/// A path segment with its `%XX` decoded (RFC 3986, section 2.1); what is no text becomes U+FFFD,
/// which no model id has.
fn percent_decoded(segment: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((first, after)) = rest.split_first() {
        let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                decoded.push(digit(high).unwrap_or(0) << 4 | digit(low).unwrap_or(0));
                after
            }
            _ => {
                decoded.push(*first);
                after
            }
        };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_is_one_of_the_entries_or_refused() {
        for (method, target, expected) in [
            ("GET", "/healthz", Ok(Entry::Healthz)),
            ("HEAD", "/healthz?x", Ok(Entry::Healthz)),
            ("GET", "/v1/models", Ok(Entry::Models)),
            ("GET", "/v1/models/a%2Fb", Ok(Entry::Model("a/b".into()))),
            ("GET", "/v1/models/a%zz", Ok(Entry::Model("a%zz".into()))),
            ("GET", "/v1/usage", Ok(Entry::Usage)),
            ("POST", "/v1/chat/completions?a=b", Ok(Entry::Call(Endpoint::Chat))),
            ("POST", "/v1/embeddings", Ok(Entry::Call(Endpoint::Embeddings))),
            ("POST", "/healthz", Err(405)),
            ("DELETE", "/v1/models/x", Err(405)),
            ("GET", "/v1/embeddings", Err(405)),
            ("OPTIONS", "/v1/chat/completions", Err(405)),
            ("GET", "/v1/models/", Err(404)),
            ("GET", "/v1/modelsx", Err(404)),
            ("POST", "/v1/chat/completions/", Err(404)),
            ("GET", "", Err(404)),
        ] {
            let entry = Entry::of(Some(method.as_bytes()), target.as_bytes());
            assert_eq!(entry.map_err(|rejection| rejection.status), expected, "{method} {target}");
        }
    }
}
