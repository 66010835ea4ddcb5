//! The ways a call can take to the simulator, and what is sent on each. All do the same work: the
//! same request in the form the next hop expects, the same answer back.

use crate::body;
use crate::bootstrap::{GUARDED_KEY, PASSED, POLICED_KEY, PROVIDER_KEY, WORKSPACE_KEY};
use crate::wire::Wire;

/// One way.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Lane {
    /// No Envoy at all; what is measured is the simulator.
    Simulator,
    /// An Envoy that only forwards.
    Envoy,
    /// Envoy with the filter, to a provider that speaks OpenAI's protocol.
    Filter,
    /// The same with limits, a budget and two guardrail rules.
    Policies,
    /// The same with a hundred phrases and every detector, and nothing else.
    Guarded,
    /// Envoy with the filter, to a provider that speaks another protocol.
    Translate(Wire),
}

impl Lane {
    /// Its key in the summary.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Envoy => "envoy",
            Self::Filter => "filter",
            Self::Policies => "policies",
            Self::Guarded => "guarded",
            Self::Translate(wire) => wire.lane(),
        }
    }

    /// Head and body of a request with a body of this size, with the headers of OpenAI's Python SDK.
    pub(crate) fn request(self, bytes: usize, stream: bool) -> Vec<u8> {
        let (key, model) = match self {
            Self::Simulator | Self::Envoy => (PROVIDER_KEY, PASSED.1),
            Self::Filter => (WORKSPACE_KEY, PASSED.0),
            Self::Policies => (POLICED_KEY, PASSED.0),
            Self::Guarded => (GUARDED_KEY, PASSED.0),
            Self::Translate(wire) => (WORKSPACE_KEY, wire.model()),
        };
        let body = body::request(bytes, model, stream);
        let length = body.len();
        let mut request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.internal\r\naccept: application/json\r\n\
             content-type: application/json\r\nuser-agent: OpenAI/Python 2.8.1\r\nx-stainless-lang: python\r\n\
             x-stainless-package-version: 2.8.1\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n\
             x-stainless-runtime: CPython\r\nx-stainless-retry-count: 0\r\nauthorization: Bearer {key}\r\n\
             content-length: {length}\r\n\r\n"
        )
        .into_bytes();
        request.extend(body);
        request
    }
}
