//! Mistral's protocol: Chat Completions as OpenAI has them, with a strict schema, and embeddings.

mod answer;
mod embeddings;
mod request;
mod rules;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::completion::{Ask, Completion};
use crate::identity::Identity;
use crate::protocol::{Endpoint, Event, Protocol, Refusal};

/// `--provider NAME=mistral@…`.
#[derive(Debug)]
pub(crate) struct Mistral;

impl Protocol for Mistral {
    fn name(&self) -> &'static str {
        "mistral"
    }

    fn endpoint(&self, method: &Method, path: &str) -> Result<Endpoint, Refusal> {
        match (path, method) {
            ("/v1/chat/completions", &Method::POST) => Ok(Endpoint::Completion),
            ("/v1/embeddings", &Method::POST) => Ok(Endpoint::Embeddings),
            ("/v1/chat/completions" | "/v1/embeddings", _) => {
                Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, ..plain("Method Not Allowed") })
            }
            _ => Err(Refusal { status: StatusCode::NOT_FOUND, ..plain("no Route matched with those values") }),
        }
    }

    fn authenticate(&self, headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
        let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        let right = given.and_then(|value| value.strip_prefix(b"Bearer ")) == Some(expected.as_bytes());
        if right { Ok(()) } else { Err(self.failure(StatusCode::UNAUTHORIZED)) }
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
        let (kind, code, message) = match status.as_u16() {
            401 => (PLAIN, None, "Unauthorized"),
            404 => (PLAIN, None, "no Route matched with those values"),
            429 => ("rate_limited", Some("1300"), "Requests rate limit exceeded"),
            503 => ("service_unavailable", Some("3000"), "Service unavailable."),
            _ if status.is_client_error() => ("invalid_request_error", None, "The request was refused."),
            _ => ("internal_server_error", Some("1000"), "Internal server error"),
        };
        Refusal { status, kind, message: message.to_owned(), param: None, code }
    }

    fn refusal_body(&self, refusal: &Refusal, identity: &Identity) -> Bytes {
        error(refusal, identity).to_string().into()
    }

    fn in_band_error(&self, identity: &Identity) -> Bytes {
        answer::event(&error(&self.failure(StatusCode::SERVICE_UNAVAILABLE), identity))
    }

    fn headers(&self, identity: &Identity) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in HEADERS {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let hex = identity.hex();
        for (name, value) in [
            ("mistral-correlation-id", hex.clone()),
            ("x-kong-request-id", hex.clone()),
            ("cf-ray", format!("{}-CDG", &hex[..16])),
            ("set-cookie", format!("__cf_bm={hex}; path=/; domain=.mistral.ai; HttpOnly; Secure; SameSite=None")),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

/// The kind of an error that the provider's gateway words itself.
const PLAIN: &str = "";

/// What the gateway in front of the models says.
fn plain(message: &str) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, kind: PLAIN, message: message.to_owned(), param: None, code: None }
}

/// A 400 of a rule that no schema can say.
fn invalid(kind: &'static str, code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, kind, message: message.into(), param: None, code: Some(code) }
}

/// The schema's complaints have a place, the gateway's only a message.
fn error(refusal: &Refusal, identity: &Identity) -> Value {
    let Refusal { kind, message, param, code, .. } = refusal;
    if let Some(place) = param {
        let loc: Vec<Value> = place.split('.').map(|step| step.parse::<u64>().map_or_else(|_| json!(step), |index| json!(index))).collect();
        let detail = json!({"detail": [{"type": kind, "loc": loc, "msg": message, "input": null}]});
        return json!({"object": "error", "message": detail, "type": "invalid_request_error", "param": null, "code": null});
    }
    if *kind == PLAIN {
        return json!({"message": message, "request_id": identity.hex()});
    }
    json!({"object": "error", "message": message, "type": kind, "param": null, "code": code, "raw_status_code": refusal.status.as_u16()})
}

/// What the real provider sends beside the body, so that a test for leaked headers means something.
const HEADERS: [(&str, &str); 9] = [
    ("x-ratelimit-limit-req-minute", "360"),
    ("x-ratelimit-remaining-req-minute", "359"),
    ("x-ratelimit-limit-tokens-minute", "2000000"),
    ("x-envoy-upstream-service-time", "131"),
    ("access-control-allow-origin", "*"),
    ("x-kong-upstream-latency", "131"),
    ("cf-cache-status", "DYNAMIC"),
    ("strict-transport-security", "max-age=15552000; includeSubDomains; preload"),
    ("server", "cloudflare"),
];
