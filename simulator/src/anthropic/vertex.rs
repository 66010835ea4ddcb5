//! Claude on Google Cloud: Anthropic's messages on Google's paths, with Google's errors for what is Google's.

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Anthropic, invalid, refusal, request};
use crate::completion::{Ask, Completion};
use crate::identity::Identity;
use crate::protocol::{Endpoint, Event, Protocol, Refusal};

/// `--provider NAME=vertex-anthropic@…`.
#[derive(Debug)]
pub(crate) struct VertexAnthropic;

/// The model and the method of a path below `publishers/anthropic`, if it is one.
pub(crate) fn model(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v1/projects/")?;
    let (place, model) = rest.split_once("/publishers/anthropic/models/")?;
    let (project, location) = place.split_once("/locations/")?;
    let (name, method) = model.rsplit_once(':')?;
    let plain = |text: &str| !text.is_empty() && !text.contains('/');
    (plain(project) && plain(location) && plain(name)).then_some((name, method))
}

/// What is served at a path.
pub(crate) fn endpoint(method: &Method, path: &str) -> Result<Endpoint, Refusal> {
    match (model(path), method) {
        (Some((_, "rawPredict" | "streamRawPredict")), &Method::POST) => Ok(Endpoint::Completion),
        _ => Err(refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested URL was not found on this server.")),
    }
}

/// Reads a body that has the version in it and not the model.
pub(crate) fn read(path: &str, body: &[u8]) -> Result<Ask, Refusal> {
    let (name, method) = model(path).unwrap_or_default();
    let mut body = request::parse(body)?;
    match body.remove("anthropic_version") {
        Some(Value::String(version)) if version == "vertex-2023-10-16" => {}
        Some(version) => return Err(invalid(format!("anthropic_version: {version} is not a valid version"))),
        None => return Err(invalid("anthropic_version: Field required")),
    }
    if body.contains_key("model") {
        return Err(invalid("model: Extra inputs are not permitted"));
    }
    if body.contains_key("service_tier") {
        return Err(invalid("service_tier: Extra inputs are not permitted"));
    }
    if has_url(&Value::Object(body.clone())) {
        return Err(invalid("messages: URL sources are not supported"));
    }
    let streams = body.get("stream") == Some(&Value::Bool(true));
    if streams != (method == "streamRawPredict") {
        return Err(invalid("stream: does not agree with the method"));
    }
    body.insert("model".to_owned(), Value::String(name.to_owned()));
    request::read(body)
}

fn has_url(value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            let is_source = object.get("type").is_some_and(|kind| kind == "url") && object.contains_key("url");
            is_source || object.values().any(has_url)
        }
        Value::Array(items) => items.iter().any(has_url),
        _ => false,
    }
}

impl Protocol for VertexAnthropic {
    fn name(&self) -> &'static str {
        "vertex-anthropic"
    }

    fn endpoint(&self, method: &Method, path: &str) -> Result<Endpoint, Refusal> {
        endpoint(method, path)
    }

    fn authenticate(&self, headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if token == Some(expected) { Ok(()) } else { Err(self.failure(StatusCode::UNAUTHORIZED)) }
    }

    fn read(&self, path: &str, _: &HeaderMap, body: &[u8]) -> Result<Ask, Refusal> {
        read(path, body)
    }

    fn whole(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
        Anthropic.whole(ask, completion, identity)
    }

    fn events(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
        Anthropic.events(ask, completion, identity)
    }

    fn failure(&self, status: StatusCode) -> Refusal {
        let (kind, message) = match status.as_u16() {
            401 => ("UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token."),
            403 => ("PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied on resource."),
            404 => ("NOT_FOUND", "Publisher Model was not found or your project does not have access to it."),
            429 => ("RESOURCE_EXHAUSTED", "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model."),
            503 => ("UNAVAILABLE", "The service is currently unavailable."),
            _ => return Anthropic.failure(status),
        };
        refusal(status, kind, message)
    }

    fn refusal_body(&self, refusal: &Refusal, identity: &Identity) -> Bytes {
        if refusal.kind.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Anthropic.refusal_body(refusal, identity);
        }
        let error = json!({"code": refusal.status.as_u16(), "message": refusal.message, "status": refusal.kind});
        json!([{ "error": error }]).to_string().into()
    }

    fn in_band_error(&self, identity: &Identity) -> Bytes {
        Anthropic.in_band_error(identity)
    }

    fn headers(&self, identity: &Identity) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        for (name, value) in [("server", "scaffolding on HTTPServer2"), ("x-frame-options", "SAMEORIGIN"), ("vary", "Origin")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if let Ok(value) = HeaderValue::from_str(&identity.hex()) {
            headers.append(HeaderName::from_static("x-vertex-ai-received-request-id"), value);
        }
        headers
    }
}
