//! Cohere's protocol, version 2: chat and embeddings by type.

mod answer;
mod embeddings;
mod request;
mod rules;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::behaviour::Behaviour;
use crate::completion::{Ask, Completion};
use crate::identity::Identity;
use crate::protocol::{Endpoint, Event, Protocol, Refusal};

/// `--provider NAME=cohere@…`.
#[derive(Debug)]
pub(crate) struct Cohere;

impl Protocol for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn endpoint(&self, method: &Method, path: &str) -> Result<Endpoint, Refusal> {
        match (path, method) {
            ("/v2/chat", &Method::POST) => Ok(Endpoint::Completion),
            ("/v2/embed", &Method::POST) => Ok(Endpoint::Embeddings),
            ("/v2/chat" | "/v2/embed", _) => Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")),
            _ => Err(refusal(StatusCode::NOT_FOUND, "404 page not found")),
        }
    }

    fn authenticate(&self, headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
        let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        match given.and_then(|value| value.strip_prefix(b"Bearer ")) {
            Some(key) if key == expected.as_bytes() => Ok(()),
            Some(_) => Err(refusal(StatusCode::UNAUTHORIZED, "invalid api token")),
            None => Err(refusal(StatusCode::UNAUTHORIZED, "no api key supplied")),
        }
    }

    fn read(&self, _: &str, _: &HeaderMap, body: &[u8]) -> Result<Ask, Refusal> {
        request::read(body)
    }

    fn whole(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
        answer::whole(ask, completion, identity)
    }

    fn embeddings(&self, _: &HeaderMap, body: &[u8], behaviour: &Behaviour) -> Result<Bytes, Refusal> {
        embeddings::answer(body, behaviour)
    }

    fn events(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
        answer::events(ask, completion, identity)
    }

    fn failure(&self, status: StatusCode) -> Refusal {
        let message = match status.as_u16() {
            401 => "invalid api token",
            402 => "Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment to continue",
            404 => "model 'command-sim' not found, make sure the correct model ID was used and that you have access to the model.",
            429 => {
                "You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for free or \
                 upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'."
            }
            498 => "blocked input: please adjust your prompt and try again",
            503 => "the service is currently overloaded, please try again later",
            _ if status.is_client_error() => "invalid request: the request was refused",
            _ => "internal server error, this has been reported to our developers.",
        };
        refusal(status, message)
    }

    fn refusal_body(&self, refusal: &Refusal, identity: &Identity) -> Bytes {
        json!({"id": identity.hex(), "message": refusal.message}).to_string().into()
    }

    fn in_band_error(&self, identity: &Identity) -> Bytes {
        answer::failed(identity)
    }

    fn headers(&self, identity: &Identity) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in HEADERS {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let hex = identity.hex();
        for (name, value) in [("x-debug-trace-id", &hex), ("x-endpoint-monthly-call-limit", &"1000".to_owned())] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

fn refusal(status: StatusCode, message: impl Into<String>) -> Refusal {
    Refusal { status, kind: "", message: message.into(), param: None, code: None }
}

/// The 400 that most mistakes get.
fn invalid(message: impl std::fmt::Display) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, format!("invalid request: {message}"))
}

/// What the real provider sends beside the body, so that a test for leaked headers means something.
const HEADERS: [(&str, &str); 8] = [
    ("access-control-expose-headers", "X-Debug-Trace-ID"),
    ("num_chars", "512"),
    ("num_tokens", "15"),
    ("x-trial-endpoint-call-limit", "20"),
    ("x-trial-endpoint-call-remaining", "19"),
    ("x-envoy-upstream-service-time", "45"),
    ("via", "1.1 google"),
    ("server", "envoy"),
];
