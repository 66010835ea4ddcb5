//! Calls from web pages, answered for by Envoy's own filter. Only there when the configuration names
//! origins; a preflight from any other origin goes on to the filter, which refuses it as it refuses
//! every `OPTIONS`.

use neural_router::config::document::Cors;
use serde_json::{Value, json};

use super::{extension, typed};

const FILTER: &str = "envoy.filters.http.cors";

/// Filter state: the origin of the page, if it may call.
const ORIGIN: &str = "nr.cors.origin";

/// Filter state: what that page may read.
const EXPOSED: &str = "nr.cors.exposed";

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

/// Before all other filters: what answers for pages, and what remembers which page asks.
pub(super) fn filters(cors: &Cors) -> [Value; 2] {
    let remember = |key: &str, formatter: String| {
        json!({
            "object_key": key,
            "factory_key": "envoy.string",
            // Without an origin the expression has no value, which would be written as a dash.
            "format_string": {"text_format_source": {"inline_string": formatter}, "omit_empty_values": true},
            "skip_if_empty": true,
        })
    };
    [
        extension(
            "envoy.filters.http.set_filter_state",
            "envoy.extensions.filters.http.set_filter_state.v3.Config",
            json!({"on_request_headers": [
                remember(ORIGIN, if_allowed(cors, "request.headers['origin']")),
                remember(EXPOSED, if_allowed(cors, &format!("'{}'", RESPONSE_HEADERS.join(", ")))),
            ]}),
        ),
        extension(FILTER, "envoy.extensions.filters.http.cors.v3.Cors", json!({})),
    ]
}

/// A format of the value of an expression, which has none where the request's origin may not call.
fn if_allowed(cors: &Cors, value: &str) -> String {
    let origins: Vec<String> = cors.allow_origins.iter().map(|origin| format!("'{origin}'")).collect();
    let allowed = match origins.as_slice() {
        [all] if all == "'*'" => "request.headers['origin'] != ''".to_owned(),
        _ => format!("request.headers['origin'] in [{}]", origins.join(", ")),
    };
    format!("%CEL({allowed} ? {value} : '')%")
}

/// What the filters allow, for the virtual host: the policy, and the same headers once more. When our
/// filter answers in place of providers that failed, the response has begun, and Envoy sends that
/// answer past all other filters; the headers of a route it still adds.
pub(super) fn of_host(cors: &Cors) -> [(&'static str, Value); 2] {
    let origins: Vec<Value> = cors.allow_origins.iter().map(|origin| json!({"exact": origin})).collect();
    let policy = typed(
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        json!({
            // Envoy itself takes the text `*` for every origin. No credentials: a key is sent by the
            // page itself, and there are no cookies.
            "allow_origin_string_match": origins,
            "allow_methods": METHODS,
            "allow_headers": REQUEST_HEADERS.join(", "),
            "expose_headers": RESPONSE_HEADERS.join(", "),
            "max_age": cors.max_age_s.to_string(),
        }),
    );
    let header = |name: &str, key: &str| {
        json!({
            "header": {"key": name, "value": format!("%FILTER_STATE({key}:PLAIN)%")},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        })
    };
    [
        ("typed_per_filter_config", json!({FILTER: policy})),
        (
            "response_headers_to_add",
            json!([header("access-control-allow-origin", ORIGIN), header("access-control-expose-headers", EXPOSED)]),
        ),
    ]
}
