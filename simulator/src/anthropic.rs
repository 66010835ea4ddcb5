//! The Anthropic protocol: Messages.

mod request;
mod response;
mod rules;
mod schemas;
mod stream;
mod thought;
pub(crate) mod vertex;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Serialize;

use crate::completion::{Ask, Completion};
use crate::identity::Identity;
use crate::protocol::{Endpoint, Event, Protocol, Refusal};

/// `--provider NAME=anthropic@…`.
#[derive(Debug)]
pub(crate) struct Anthropic;

impl Protocol for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn endpoint(&self, method: &Method, path: &str) -> Result<Endpoint, Refusal> {
        match (path, method) {
            ("/v1/messages", &Method::POST) => Ok(Endpoint::Completion),
            ("/v1/messages", _) => Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", "Method Not Allowed")),
            _ => Err(refusal(StatusCode::NOT_FOUND, "not_found_error", "Not Found")),
        }
    }

    fn authenticate(&self, headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
        let bearer = || headers.get("authorization")?.as_bytes().strip_prefix(b"Bearer ");
        match headers.get("x-api-key").map(|key| key.as_bytes()).or_else(bearer) {
            Some(key) if key == expected.as_bytes() => Ok(()),
            Some(_) => Err(refusal(StatusCode::UNAUTHORIZED, "authentication_error", "invalid x-api-key")),
            None => Err(refusal(StatusCode::UNAUTHORIZED, "authentication_error", "x-api-key header is required")),
        }
    }

    fn read(&self, _: &str, headers: &HeaderMap, body: &[u8]) -> Result<Ask, Refusal> {
        let body = request::parse(body);
        request::check_version(headers, body.as_ref().unwrap_or(&serde_json::Map::new()))?;
        request::read(body?)
    }

    fn whole(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
        response::write(ask, completion, identity)
    }

    fn events(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
        stream::write(ask, completion, identity)
    }

    fn failure(&self, status: StatusCode) -> Refusal {
        let (kind, message) = match status.as_u16() {
            401 => ("authentication_error", "invalid x-api-key"),
            402 => (
                "billing_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
            ),
            403 => ("permission_error", "Your API key does not have permission to use the specified resource."),
            404 => ("not_found_error", "model: claude-sim"),
            413 => ("request_too_large", "Request exceeds the maximum size"),
            429 => (
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 50 requests per minute. For details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. Please reduce the prompt length or the maximum tokens requested, or try again later.",
            ),
            504 => ("timeout_error", "Request timed out"),
            529 | 503 => ("overloaded_error", "Overloaded"),
            _ if status.is_client_error() => ("invalid_request_error", "The request was refused."),
            _ => ("api_error", "Internal server error"),
        };
        refusal(status, kind, message)
    }

    fn refusal_body(&self, refusal: &Refusal, identity: &Identity) -> Bytes {
        let error = Fields { r#type: refusal.kind, message: &refusal.message };
        let request_id = Some(request_id(identity));
        serde_json::to_vec(&Wrapped { r#type: "error", error, request_id }).unwrap_or_default().into()
    }

    fn in_band_error(&self, _: &Identity) -> Bytes {
        let error = Fields { r#type: "overloaded_error", message: "Overloaded" };
        stream::event("error", &Wrapped { r#type: "error", error, request_id: None })
    }

    fn headers(&self, identity: &Identity) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(32);
        for (name, value) in HEADERS {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let hex = identity.hex();
        let (soon, later) = (identity.rfc3339(1), identity.rfc3339(60));
        for (name, value) in [
            ("anthropic-ratelimit-requests-reset", &later),
            ("anthropic-ratelimit-tokens-reset", &soon),
            ("anthropic-ratelimit-input-tokens-reset", &soon),
            ("anthropic-ratelimit-output-tokens-reset", &soon),
            ("request-id", &request_id(identity)),
            ("cf-ray", &format!("{}-CDG", &hex[..16])),
            ("set-cookie", &format!("__cf_bm={hex}; path=/; domain=.api.anthropic.com; HttpOnly; Secure; SameSite=None")),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

fn request_id(identity: &Identity) -> String {
    format!("req_{}", identity.token(99))
}

fn refusal(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, kind, message: message.into(), param: None, code: None }
}

/// The 400 that most mistakes get.
fn invalid(message: impl Into<String>) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, "invalid_request_error", message)
}

#[derive(Serialize)]
struct Wrapped<'a> {
    r#type: &'static str,
    error: Fields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

#[derive(Serialize)]
struct Fields<'a> {
    r#type: &'a str,
    message: &'a str,
}

/// What the real provider sends beside the body, so that a test for leaked headers means something.
const HEADERS: [(&str, &str); 16] = [
    ("anthropic-organization-id", "5ad0f1c3-0000-4000-8000-51b07a7ed000"),
    ("anthropic-ratelimit-requests-limit", "4000"),
    ("anthropic-ratelimit-requests-remaining", "3999"),
    ("anthropic-ratelimit-tokens-limit", "2400000"),
    ("anthropic-ratelimit-tokens-remaining", "2399000"),
    ("anthropic-ratelimit-input-tokens-limit", "2000000"),
    ("anthropic-ratelimit-input-tokens-remaining", "1999000"),
    ("anthropic-ratelimit-output-tokens-limit", "400000"),
    ("anthropic-ratelimit-output-tokens-remaining", "400000"),
    ("x-envoy-upstream-service-time", "45"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("via", "1.1 google"),
    ("cf-cache-status", "DYNAMIC"),
    ("x-robots-tag", "none"),
    ("server", "cloudflare"),
    ("cache-control", "no-cache"),
];
