//! Google's Gemini protocol, at the Gemini API and at Vertex AI.

mod request;
mod response;
mod rules;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::anthropic::{Anthropic, vertex};
use crate::completion::{Ask, Completion};
use crate::identity::Identity;
use crate::protocol::{Endpoint, Event, Protocol, Refusal};

/// `--provider NAME=gemini@…`.
pub(crate) static GEMINI_API: Gemini = Gemini { name: "gemini" };

/// `--provider NAME=vertex@…`.
pub(crate) static VERTEX_AI: Gemini = Gemini { name: "vertex" };

/// One of the two services.
#[derive(Debug)]
pub(crate) struct Gemini {
    name: &'static str,
}

impl Gemini {
    fn is_vertex(&self) -> bool {
        self.name == "vertex"
    }

    /// Whether a path is one of Anthropic's models, which Vertex AI serves as well.
    fn is_claude(&self, path: &str) -> bool {
        self.is_vertex() && vertex::model(path).is_some()
    }

    /// The model and whether a stream is asked for, if the path is one of the service's.
    fn target<'a>(&self, path: &'a str) -> Option<(&'a str, bool)> {
        let (resource, method) = path.rsplit_once(':')?;
        let stream = match method {
            "generateContent" => false,
            "streamGenerateContent" => true,
            _ => return None,
        };
        let model = if self.is_vertex() {
            let words: Vec<&str> = resource.split('/').collect();
            match words.as_slice() {
                ["", "v1" | "v1beta1", "projects", _, "locations", _, "publishers", "google", "models", model]
                | ["", "v1" | "v1beta1", "projects", _, "locations", _, "endpoints", model] => *model,
                _ => return None,
            }
        } else {
            let versioned = ["/v1beta/", "/v1/"].iter().find_map(|version| resource.strip_prefix(version))?;
            versioned.strip_prefix("models/").or_else(|| versioned.strip_prefix("tunedModels/"))?
        };
        Some((model, stream)).filter(|(model, _)| !model.is_empty() && !model.contains('/'))
    }
}

impl Protocol for Gemini {
    fn name(&self) -> &'static str {
        self.name
    }

    fn endpoint(&self, method: &Method, path: &str) -> Result<Endpoint, Refusal> {
        match self.target(path) {
            None if self.is_claude(path) => vertex::endpoint(method, path),
            Some(_) if method == Method::POST => Ok(Endpoint::Completion),
            _ => Err(refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "Requested entity was not found.")),
        }
    }

    fn authenticate(&self, headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
        if self.is_vertex() {
            let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
            return match given.is_some_and(|token| token == expected.as_bytes()) {
                true => Ok(()),
                false => Err(self.failure(StatusCode::UNAUTHORIZED)),
            };
        }
        match headers.get("x-goog-api-key") {
            Some(key) if key.as_bytes() == expected.as_bytes() => Ok(()),
            Some(_) => Err(Refusal { code: Some("API_KEY_INVALID"), ..invalid("API key not valid. Please pass a valid API key.") }),
            None => Err(refusal(
                StatusCode::FORBIDDEN,
                "PERMISSION_DENIED",
                "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
            )),
        }
    }

    fn read(&self, path: &str, _: &HeaderMap, body: &[u8]) -> Result<Ask, Refusal> {
        if self.is_claude(path) {
            return vertex::read(path, body);
        }
        let (model, stream) = self.target(path).unwrap_or_default();
        request::read(model, stream, self.is_vertex(), body)
    }

    fn streams(&self, path: &str) -> bool {
        match vertex::model(path) {
            Some((_, method)) => method == "streamRawPredict",
            None => self.target(path).is_some_and(|(_, stream)| stream),
        }
    }

    fn whole(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
        match ask.model.contains("claude") {
            true => Anthropic.whole(ask, completion, identity),
            false => response::whole(ask, completion, self.is_vertex(), identity),
        }
    }

    fn events(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
        match ask.model.contains("claude") {
            true => Anthropic.events(ask, completion, identity),
            false => response::events(ask, completion, self.is_vertex(), identity),
        }
    }

    fn failure(&self, status: StatusCode) -> Refusal {
        let (kind, message) = match status.as_u16() {
            401 => (
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
            ),
            403 => ("PERMISSION_DENIED", "Your project has been denied access. Please contact support."),
            404 => ("NOT_FOUND", "models/gemini-sim is not found for API version v1beta, or is not supported for generateContent."),
            429 => ("RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."),
            503 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
            504 => ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
            _ if status.is_client_error() => ("INVALID_ARGUMENT", "Request contains an invalid argument."),
            _ => (
                "INTERNAL",
                "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
            ),
        };
        refusal(status, kind, message)
    }

    fn refusal_body(&self, refusal: &Refusal, _: &Identity) -> Bytes {
        serde_json::to_vec_pretty(&wrapped(refusal)).unwrap_or_default().into()
    }

    fn in_band_error(&self, _: &Identity) -> Bytes {
        response::event(&wrapped(&self.failure(StatusCode::SERVICE_UNAVAILABLE)))
    }

    fn headers(&self, identity: &Identity) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in HEADERS {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if let Ok(id) = HeaderValue::from_str(&identity.hex()) {
            headers.append(HeaderName::from_static("x-gemini-request"), id);
        }
        headers
    }
}

fn refusal(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, kind, message: message.into(), param: None, code: None }
}

/// The 400 that most mistakes get.
fn invalid(message: impl Into<String>) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message)
}

#[derive(Serialize)]
struct Wrapped {
    error: Fields,
}

#[derive(Serialize)]
struct Fields {
    code: u16,
    message: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

fn wrapped(refusal: &Refusal) -> Wrapped {
    let info = refusal
        .code
        .map(|reason| json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}));
    let retry = (refusal.status == StatusCode::TOO_MANY_REQUESTS)
        .then(|| json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}));
    let details = info.into_iter().chain(retry).collect();
    Wrapped { error: Fields { code: refusal.status.as_u16(), message: refusal.message.clone(), status: refusal.kind, details } }
}

/// What the real provider sends beside the body, so that a test for leaked headers means something.
const HEADERS: [(&str, &str); 7] = [
    ("vary", "Origin, X-Origin, Referer"),
    ("server", "scaffolding on HTTPServer2"),
    ("x-xss-protection", "0"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
    ("server-timing", "gfet4t7; dur=312"),
    ("alt-svc", "h3=\":443\"; ma=2592000"),
];
