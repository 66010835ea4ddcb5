//! Calls from web pages, answered for by Envoy's own filter. Only there when the configuration names
//! origins; a preflight from any other origin goes on to the filter, which refuses it as it refuses
//! every `OPTIONS`.

use neural_router::config::document::Cors;
use serde_json::{Value, json};

use super::{extension, typed};

const FILTER: &str = "envoy.filters.http.cors";

/// What the API has; `HEAD` needs no leave.
const METHODS: &str = "GET, POST";

/// What the API reads, and what OpenAI's client for JavaScript adds of its own to each request
/// (`user-agent` is one that some browsers let a page set): one name too few, and the browser does not
/// make the call at all. `accept` needs no leave.
const REQUEST_HEADERS: [&str; 16] = [
    "authorization",
    "content-type",
    "idempotency-key",
    "x-request-id",
    "user-agent",
    "openai-organization",
    "openai-project",
    "x-stainless-arch",
    "x-stainless-helper-method",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
];

/// What a page may read of a response besides the few headers that it always may.
const RESPONSE_HEADERS: [&str; 12] = [
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-request-id",
    "x-should-retry",
];

/// The filter; what it allows is said at the route.
pub(super) fn filter() -> Value {
    extension(FILTER, "envoy.extensions.filters.http.cors.v3.Cors", json!({}))
}

/// What is allowed, as configuration of a virtual host for that filter. No credentials: a key is sent
/// by the page itself, and there are no cookies.
pub(super) fn policy(cors: &Cors) -> Value {
    let origins: Vec<Value> = cors.allow_origins.iter().map(|origin| json!({"exact": origin})).collect();
    let policy = typed(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        json!({
            // Envoy itself takes the text `*` for every origin.
            "allow_origin_string_match": origins,
            "allow_methods": METHODS,
            "allow_headers": REQUEST_HEADERS.join(", "),
            "expose_headers": RESPONSE_HEADERS.join(", "),
            "max_age": cors.max_age_s.to_string(),
        }),
    );
    json!({FILTER: policy})
}
