//! The OpenAI protocol: Chat Completions, embeddings and the model list.

pub(crate) mod embeddings;
mod request;
mod response;
mod rules;
mod stream;
mod vendor;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::behaviour::Behaviour;
use crate::completion::{Ask, Completion};
use crate::identity::Identity;
use crate::protocol::{Endpoint, Event, Protocol, Refusal};

pub(crate) use vendor::{AZURE, DEEPSEEK, GROQ, OPENAI, OPENROUTER, PERPLEXITY, XAI};

/// `--provider NAME=openai@…`, and the vendors that are compatible with it but for what their row says.
#[derive(Debug)]
pub(crate) struct OpenAi(&'static vendor::Vendor);

impl Protocol for OpenAi {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn endpoint(&self, method: &Method, path: &str) -> Result<Endpoint, Refusal> {
        match (self.0.below(path).unwrap_or_default(), method) {
            ("/chat/completions", &Method::POST) => Ok(Endpoint::Completion),
            ("/embeddings", &Method::POST) => Ok(Endpoint::Embeddings),
            ("/models", &Method::GET) => Ok(Endpoint::Document(models())),
            ("/chat/completions" | "/embeddings" | "/models", _) => Err(Refusal {
                status: StatusCode::METHOD_NOT_ALLOWED,
                code: Some("method_not_supported"),
                ..invalid(format!("Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"))
            }),
            _ => Err(Refusal { status: StatusCode::NOT_FOUND, ..invalid(format!("Invalid URL ({method} {path})")) }),
        }
    }

    fn query(&self, query: &str) -> Result<(), Refusal> {
        let given = query.split('&').any(|pair| pair.strip_prefix(self.0.query).is_some_and(|value| !value.is_empty()));
        match self.0.query.is_empty() || given {
            true => Ok(()),
            false => Err(Refusal { status: StatusCode::NOT_FOUND, code: Some("404"), ..invalid("Resource not found") }),
        }
    }

    fn authenticate(&self, headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
        let Some(key) = self.0.key_of(headers) else {
            return Err(Refusal { status: StatusCode::UNAUTHORIZED, ..invalid(KEY_MISSING) });
        };
        if key == expected.as_bytes() {
            return Ok(());
        }
        let shown = masked(&String::from_utf8_lossy(key));
        Err(Refusal {
            status: StatusCode::UNAUTHORIZED,
            code: Some("invalid_api_key"),
            ..invalid(format!(
                "Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com/account/api-keys."
            ))
        })
    }

    fn read(&self, _: &str, headers: &HeaderMap, body: &[u8]) -> Result<Ask, Refusal> {
        match self.0.check(body)? {
            Some(body) => request::read(headers, &body),
            None => request::read(headers, body),
        }
    }

    fn whole(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes {
        self.0.whole(response::write(ask, completion, identity), completion)
    }

    fn embeddings(&self, headers: &HeaderMap, body: &[u8], behaviour: &Behaviour) -> Result<Bytes, Refusal> {
        embeddings::answer(headers, body, behaviour)
    }

    fn events(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
        self.0.events(stream::write(ask, completion, identity), completion)
    }

    fn failure(&self, status: StatusCode) -> Refusal {
        let (kind, code, message) = match status.as_u16() {
            400 => ("invalid_request_error", None, "We could not parse the JSON body of your request."),
            401 => (
                "invalid_request_error",
                Some("invalid_api_key"),
                "Incorrect API key provided: sk-proj-********************************************************abcd. You can find your API key at https://platform.openai.com/account/api-keys.",
            ),
            403 => ("request_forbidden", Some("unsupported_country_region_territory"), "Country, region, or territory not supported"),
            404 => {
                ("invalid_request_error", Some("model_not_found"), "The model `gpt-sim` does not exist or you do not have access to it.")
            }
            408 => ("server_error", None, "Request timed out."),
            429 => (
                "tokens",
                Some("rate_limit_exceeded"),
                "Rate limit reached for gpt-4o in organization org-simulated on tokens per min (TPM): Limit 30000, Used 29980, Requested 400. Please try again in 760ms. Visit https://platform.openai.com/account/rate-limits to learn more.",
            ),
            503 => ("server_error", None, "The engine is currently overloaded, please try again later."),
            _ if status.is_client_error() => ("invalid_request_error", None, "The request was refused."),
            _ => ("server_error", None, SERVER_ERROR),
        };
        Refusal { status, kind, message: message.to_owned(), param: None, code }
    }

    fn refusal_body(&self, refusal: &Refusal, _: &Identity) -> Bytes {
        let mut body = serde_json::to_vec_pretty(&self.error(refusal)).unwrap_or_default();
        body.push(b'\n');
        body.into()
    }

    fn in_band_error(&self, _: &Identity) -> Bytes {
        stream::event(&self.error(&self.failure(StatusCode::INTERNAL_SERVER_ERROR)))
    }

    fn headers(&self, identity: &Identity) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(24);
        for (name, value) in HEADERS {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let hex = identity.hex();
        for (name, value) in [
            ("x-request-id", format!("req_{hex}")),
            ("cf-ray", format!("{}-CDG", &hex[..16])),
            ("set-cookie", format!("__cf_bm={hex}; path=/; domain=.api.openai.com; HttpOnly; Secure; SameSite=None")),
            ("set-cookie", format!("_cfuvid={hex}; path=/; domain=.api.openai.com; HttpOnly; Secure; SameSite=None")),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

/// The 400 that most mistakes get.
fn invalid(message: impl Into<String>) -> Refusal {
    let (status, kind) = (StatusCode::BAD_REQUEST, "invalid_request_error");
    Refusal { status, kind, message: message.into(), param: None, code: None }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Error<'a> {
    Wrapped { error: Fields<'a> },
    Vendors(serde_json::Value),
}

#[derive(Serialize)]
struct Fields<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

impl OpenAi {
    fn error<'a>(&self, refusal: &'a Refusal) -> Error<'a> {
        let Refusal { kind, message, param, code, .. } = refusal;
        let error = Fields { message, r#type: kind, param: param.as_deref(), code: *code };
        match self.0.error {
            None => Error::Wrapped { error },
            Some(dress) => Error::Vendors(dress(message)),
        }
    }
}

fn models() -> Bytes {
    let row = |id: &str| json!({"id": id, "object": "model", "created": 1_715_367_049, "owned_by": "system"});
    let data = ["gpt-4o-2024-11-20", "gpt-4o-mini-2024-07-18", "llama-3.3-70b-versatile", "text-embedding-3-small"].map(row);
    json!({"object": "list", "data": data}).to_string().into()
}

/// A key as the provider repeats it: its ends only.
fn masked(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    if chars.len() < 12 {
        return "*".repeat(chars.len());
    }
    let ends = |range: &[char]| range.iter().collect::<String>();
    format!("{}{}{}", ends(&chars[..8]), "*".repeat(chars.len() - 12), ends(&chars[chars.len() - 4..]))
}

const KEY_MISSING: &str = "You didn't provide an API key. You need to provide your API key in an Authorization header using \
    Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing \
    the API from your browser and are prompted for a username and password. You can obtain an API key from \
    https://platform.openai.com/account/api-keys.";
const SERVER_ERROR: &str = "The server had an error while processing your request. Sorry about that! You can retry your \
    request, or contact us through our help center at help.openai.com if the error persists.";

/// What the real provider sends beside the body, so that a test for leaked headers means something.
const HEADERS: [(&str, &str); 17] = [
    ("access-control-expose-headers", "X-Request-ID"),
    ("openai-organization", "org-simulated"),
    ("openai-processing-ms", "42"),
    ("openai-project", "proj_simulated"),
    ("openai-version", "2020-10-01"),
    ("x-envoy-upstream-service-time", "45"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "30000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "29999987"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "0s"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("cf-cache-status", "DYNAMIC"),
    ("x-content-type-options", "nosniff"),
    ("server", "cloudflare"),
    ("alt-svc", "h3=\":443\"; ma=86400"),
];
