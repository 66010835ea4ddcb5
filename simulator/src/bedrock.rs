//! Amazon Bedrock's protocol: Converse, whole and as an event stream.

mod frame;
mod request;
mod response;
mod rules;
mod stream;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::completion::{Ask, Completion};
use crate::identity::Identity;
use crate::protocol::{Endpoint, Event, Protocol, Refusal};

/// `--provider NAME=bedrock@…`.
#[derive(Debug)]
pub(crate) struct Bedrock;

impl Protocol for Bedrock {
    fn name(&self) -> &'static str {
        "bedrock"
    }

    fn endpoint(&self, method: &Method, path: &str) -> Result<Endpoint, Refusal> {
        match (model(path), method) {
            (Some(_), &Method::POST) => Ok(Endpoint::Completion),
            (Some(_), _) => Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedOperationException", "Method Not Allowed")),
            (None, _) => Err(refusal(
                StatusCode::NOT_FOUND,
                "UnknownOperationException",
                "Unable to determine service/operation name to be authorized",
            )),
        }
    }

    /// A Bedrock API key, or Signature Version 4, of which the access key id alone is looked at.
    fn authenticate(&self, headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
        let given = headers.get(AUTHORIZATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let refused = |message| Err(refusal(StatusCode::FORBIDDEN, "AccessDeniedException", message));
        match given.as_deref().map(|given| given.split_once(' ').unwrap_or((given, ""))) {
            Some(("Bearer", key)) if key == expected => Ok(()),
            Some(("Bearer", _)) => refused("Authentication failed: Please make sure your API Key is valid."),
            Some(("AWS4-HMAC-SHA256", rest)) if access_key(rest) == Some(expected) => Ok(()),
            Some(("AWS4-HMAC-SHA256", _)) => {
                let message = "The security token included in the request is invalid.";
                Err(refusal(StatusCode::FORBIDDEN, "UnrecognizedClientException", message))
            }
            _ => Err(refusal(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token")),
        }
    }

    fn read(&self, path: &str, _: &HeaderMap, body: &[u8]) -> Result<Ask, Refusal> {
        request::read(&model(path).unwrap_or_default(), self.streams(path), body)
    }

    fn streams(&self, path: &str) -> bool {
        path.ends_with("/converse-stream")
    }

    fn stream_content_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    fn whole(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
        response::write(ask, completion, identity)
    }

    fn events(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
        stream::write(ask, completion, identity)
    }

    fn failure(&self, status: StatusCode) -> Refusal {
        let (kind, message) = match status.as_u16() {
            401 | 403 => (
                "AccessDeniedException",
                "User: arn:aws:iam::123456789012:user/gateway is not authorized to perform: bedrock:InvokeModel on resource: \
                 arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.sim because no identity-based policy allows the \
                 bedrock:InvokeModel action",
            ),
            404 => (
                "ResourceNotFoundException",
                "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
            ),
            408 => ("ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
            424 => ("ModelErrorException", "The system encountered an unexpected error during processing. Try your request again."),
            429 => ("ThrottlingException", "Too many tokens, please wait before trying again."),
            503 => ("ServiceUnavailableException", "Bedrock is unable to process your request."),
            _ if status.is_client_error() => ("ValidationException", "The request was refused."),
            _ => ("InternalServerException", "The system encountered an unexpected error during processing. Try your request again."),
        };
        refusal(status, kind, message)
    }

    fn refusal_body(&self, refusal: &Refusal, _: &Identity) -> Bytes {
        json!({"message": refusal.message}).to_string().into()
    }

    fn refusal_headers(&self, refusal: &Refusal, headers: &mut HeaderMap) {
        let name = format!("{}:http://internal.amazon.com/coral/com.amazon.bedrock/", refusal.kind);
        if let Ok(value) = HeaderValue::from_str(&name) {
            headers.insert("x-amzn-errortype", value);
        }
    }

    fn in_band_error(&self, _: &Identity) -> Bytes {
        let message = json!({"message": "Too many tokens, please wait before trying again."});
        frame::exception("throttlingException", message.to_string().as_bytes())
    }

    fn headers(&self, identity: &Identity) -> HeaderMap {
        let hex = identity.hex();
        let id = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
        let mut headers = HeaderMap::with_capacity(8);
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(HeaderName::from_static("x-amzn-requestid"), value);
        }
        headers
    }
}

/// The model of `/model/{modelId}/converse` and `/model/{modelId}/converse-stream`, decoded.
fn model(path: &str) -> Option<String> {
    let (model, operation) = path.strip_prefix("/model/")?.split_once('/')?;
    if model.is_empty() || !matches!(operation, "converse" | "converse-stream") {
        return None;
    }
    let mut decoded = Vec::with_capacity(model.len());
    let mut rest = model.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = (*byte == b'%').then(|| after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()));
        match escaped {
            Some(Some(escaped)) => {
                decoded.push(escaped);
                rest = &after[2..];
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).ok()
}

/// The access key id of `Credential=AKIA…/20250101/us-east-1/bedrock/aws4_request, SignedHeaders=…`.
fn access_key(fields: &str) -> Option<&str> {
    let credential = fields.split(',').find_map(|field| field.trim().strip_prefix("Credential="))?;
    credential.split_once('/').map(|(key, _)| key)
}

fn refusal(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { status, kind, message: message.into(), param: None, code: None }
}

/// The 400 that most mistakes get.
fn invalid(message: impl Into<String>) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, "ValidationException", message)
}
