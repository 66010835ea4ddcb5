//! Every refusal we send, in one file: status, OpenAI's error object, headers.
//!
//! Messages say what was wrong and what to do; they never repeat keys, prompts or bodies.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::guard::Exceeded;
use crate::openai::BadRequest;
use crate::openai::members::NotAnObject;
use crate::openai::scan::MAX_DEPTH;

/// The `type` of an error object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// The request is wrong.
    InvalidRequest,
    /// The key is wrong.
    Unauthenticated,
    /// The workspace has spent what it may.
    BudgetExceeded,
    /// The key may not, or a guardrail says no.
    Forbidden,
    /// No such model for this workspace.
    ModelNotFound,
    /// Too many calls or tokens.
    RateLimited,
    /// No candidate could answer.
    NoProviderAvailable,
}

impl Type {
    /// Its name.
    const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::BudgetExceeded => "budget_exceeded",
            Self::Forbidden => "forbidden",
            Self::ModelNotFound => "model_not_found",
            Self::RateLimited => "rate_limited",
            Self::NoProviderAvailable => "no_provider_available",
        }
    }
}

/// One refusal.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// HTTP status.
    pub status: u16,
    /// Headers besides `content-type`.
    pub headers: Vec<(&'static str, String)>,
    error: Box<Error>,
    routing: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Error {
    #[serde(rename = "type")]
    kind: Type,
    message: String,
    code: Option<String>,
    param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(flatten)]
    spending: Option<Spending>,
}

/// Where a budget stands, for a caller who has reached its cap.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Spending {
    /// The cap, in US dollars.
    pub limit_usd: Box<RawValue>,
    /// Spent in this period, in US dollars.
    pub spent_usd: Box<RawValue>,
    /// When the period ends (RFC 3339, UTC); `None` for a budget for ever.
    pub resets_at: Option<String>,
}

impl Rejection {
    fn new(status: u16, kind: Type, code: Option<&str>, message: impl Into<String>) -> Self {
        let error = Error { kind, message: message.into(), code: code.map(str::to_owned), param: None, rule: None, spending: None };
        Self { status, headers: Vec::new(), error: Box::new(error), routing: None }
    }

    fn param(mut self, param: impl Into<String>) -> Self {
        self.error.param = Some(param.into());
        self
    }

    /// 400 for a parameter.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, Type::InvalidRequest, None, message).param(param)
    }

    /// 400 with the words of the provider, already scrubbed.
    pub fn refused_by_provider(message: &str, param: Option<String>, code: Option<&str>) -> Self {
        let rejection = Self::new(400, Type::InvalidRequest, code, message);
        param.map_or(rejection.clone(), |param| rejection.param(param))
    }

    /// 400 because no candidate can do what the request asks.
    pub fn incapable(code: &'static str, param: &'static str, message: String) -> Self {
        Self::new(400, Type::InvalidRequest, Some(code), message).param(param)
    }

    /// 401, for every way a key can be wrong.
    pub fn unauthenticated() -> Self {
        let mut rejection = Self::new(
            401,
            Type::Unauthenticated,
            Some("invalid_api_key"),
            "no valid key: send `Authorization: Bearer nr-…` with a key of a workspace, once",
        );
        rejection.headers.push(("www-authenticate", "Bearer".to_owned()));
        rejection
    }

    /// 402 at the cap. `needed_usd` is what the call might have cost, `reserved_usd` what others may yet.
    pub fn budget_exceeded(needed_usd: &str, reserved_usd: &str, spending: Spending) -> Self {
        let until = match &spending.resets_at {
            Some(time) => format!("the budget starts anew at {time}"),
            None => "the budget does not start anew".to_owned(),
        };
        let message = format!(
            "this call may cost up to ${needed_usd}, and of ${} ${} are spent and ${reserved_usd} set aside for calls under way; \
             {until}; a lower max_tokens or a cheaper model may still fit",
            spending.limit_usd, spending.spent_usd
        );
        let mut rejection = Self::new(402, Type::BudgetExceeded, Some("budget_exceeded"), message);
        // OpenAI's clients do not retry a 402; others that go by this header need not guess.
        rejection.headers.push(("x-should-retry", "false".to_owned()));
        rejection.error.spending = Some(spending);
        rejection
    }

    /// 403 for a model the workspace has and this key may not use.
    pub fn model_forbidden(id: &str, param: impl Into<String>) -> Self {
        let message = format!("this key may not use the model `{id}`; GET /v1/models lists what it may use");
        Self::new(403, Type::Forbidden, Some("model_forbidden"), message).param(param)
    }

    /// 403 by a guardrail, which is named; what it found is not.
    pub fn guardrail(rule: &str) -> Self {
        let message = format!("the guardrail `{rule}` of this workspace does not let this through");
        let mut rejection = Self::new(403, Type::Forbidden, Some("guardrail_blocked"), message);
        rejection.error.rule = Some(rule.to_owned());
        rejection
    }

    /// 403 by a guardrail that took out what a request cannot do without.
    pub fn spoilt(bad: BadRequest) -> Self {
        let at = match bad {
            BadRequest::Invalid { param, .. } => param,
            BadRequest::NotUtf8 | BadRequest::NotAnObject(_) => "the body".to_owned(),
        };
        let message = format!("a guardrail of this workspace replaces what it finds in {at}, and what is left is no valid request");
        Self::new(403, Type::Forbidden, Some("guardrail_blocked"), message).param(at)
    }

    /// 403 by a guardrail that bounds requests.
    pub fn guardrail_bound(exceeded: &Exceeded<'_>) -> Self {
        let Exceeded { rule, bound, most } = exceeded;
        let mut rejection = Self::guardrail(rule);
        rejection.error.message = match *bound {
            "max_tokens" => format!("the guardrail `{rule}` of this workspace takes a max_tokens of at most {most}, and wants it said"),
            bound => format!("the guardrail `{rule}` of this workspace allows at most {most} for {bound}"),
        };
        rejection
    }

    /// 429. `what` is `requests` or `tokens`, whole words of the code and the message.
    pub fn rate_limited(what: &'static str, retry_after_s: u64) -> Self {
        let message = format!("more {what} than this key or workspace may use per minute; retry after {retry_after_s} s, with backoff");
        let code = [what, "_per_minute_exceeded"].concat();
        let mut rejection = Self::new(429, Type::RateLimited, Some(&code), message);
        rejection.headers.push(("retry-after", retry_after_s.to_string()));
        rejection
    }

    /// 503 while nobody can say what the fleet has used, and the operator wants no call to go on without.
    pub fn limits_unavailable() -> Self {
        let message = "the service that counts this workspace's limits does not answer; retry after 1 s, with backoff";
        let mut rejection = Self::new(503, Type::NoProviderAvailable, Some("limits_unavailable"), message);
        rejection.headers.push(("retry-after", "1".to_owned()));
        rejection
    }

    /// 404 for a model the workspace does not have.
    pub fn model_not_found(id: &str, param: impl Into<String>) -> Self {
        let id: String = id.chars().filter(|c| !c.is_control()).take(128).collect();
        let message = format!("the model `{id}` does not exist for this workspace; GET /v1/models lists what it may use");
        Self::new(404, Type::ModelNotFound, Some("model_not_found"), message).param(param)
    }

    /// 404 for a path.
    pub fn unknown_url() -> Self {
        let message = "no such path; there are POST /v1/chat/completions, POST /v1/embeddings, GET /v1/models, GET /v1/models/{id}, GET /v1/usage and GET /healthz";
        Self::new(404, Type::InvalidRequest, Some("unknown_url"), message)
    }

    /// 405 with what is allowed.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let mut rejection = Self::new(405, Type::InvalidRequest, Some("method_not_allowed"), format!("this path takes {allow}"));
        rejection.headers.push(("allow", allow.to_owned()));
        rejection
    }

    /// 415 for a compressed body.
    pub fn content_encoding() -> Self {
        Self::new(415, Type::InvalidRequest, Some("unsupported_content_encoding"), "send the body without content-encoding")
    }

    /// 400 for a body above the limit.
    pub fn too_large(limit: u32) -> Self {
        Self::new(400, Type::InvalidRequest, Some("request_too_large"), format!("the body is larger than {limit} bytes"))
    }

    /// 503 with what was tried. `routing` is JSON.
    pub fn no_provider(message: &str, routing: Option<String>, retry_after_s: u64) -> Self {
        let mut rejection = Self::new(503, Type::NoProviderAvailable, None, message);
        rejection.headers.push(("retry-after", retry_after_s.to_string()));
        rejection.routing = routing;
        rejection
    }

    /// One of Envoy's own replies in our form.
    pub fn envoy(status: u16) -> Self {
        match status {
            408 => Self::new(408, Type::InvalidRequest, Some("request_timeout"), "the request did not arrive in time"),
            400..=499 => Self::new(status, Type::InvalidRequest, None, "the request could not be processed"),
            _ => Self::no_provider("the gateway could not process the request", None, 1),
        }
    }

    /// The `type` of its error object.
    pub const fn kind(&self) -> Type {
        self.error.kind
    }

    /// The `code` of its error object.
    pub fn code(&self) -> Option<&str> {
        self.error.code.as_deref()
    }

    /// The rule of a guardrail that refuses.
    pub fn rule(&self) -> Option<&str> {
        self.error.rule.as_deref()
    }

    /// Whether a guardrail refuses.
    pub fn is_by_guardrail(&self) -> bool {
        self.code() == Some("guardrail_blocked")
    }

    /// The `type` of its error object, in words.
    pub const fn type_name(&self) -> &'static str {
        self.error.kind.name()
    }

    /// The JSON body.
    pub fn body(&self) -> Vec<u8> {
        let mut body = br#"{"error":"#.to_vec();
        // Strings and options of strings always serialise.
        let _ = serde_json::to_writer(&mut body, &self.error);
        if let Some(routing) = &self.routing {
            body.extend_from_slice(br#","routing":"#);
            body.extend_from_slice(routing.as_bytes());
        }
        body.push(b'}');
        body
    }
}

/// The event that ends a stream which broke after its first token.
pub fn stream_interrupted() -> &'static [u8] {
    br#"{"error":{"type":"no_provider_available","message":"the provider's stream broke off; what was sent is incomplete","code":"stream_interrupted","param":null}}"#
}

impl From<BadRequest> for Rejection {
    fn from(bad: BadRequest) -> Self {
        let body = |message: String| Self::new(400, Type::InvalidRequest, Some("invalid_json"), message);
        match bad {
            BadRequest::NotUtf8 => body("the body is not UTF-8".to_owned()),
            BadRequest::NotAnObject(NotAnObject::Syntax { line, column }) => {
                body(format!("the body is not JSON: look at line {line}, column {column}"))
            }
            BadRequest::NotAnObject(NotAnObject::Truncated) => body("the body is not JSON: it ends too early".to_owned()),
            BadRequest::NotAnObject(NotAnObject::OtherValue) => body("the body is not a JSON object".to_owned()),
            BadRequest::NotAnObject(NotAnObject::TooMany) => body("the body has too many members or values".to_owned()),
            BadRequest::NotAnObject(NotAnObject::TooDeep) => body(format!("the body is nested deeper than {MAX_DEPTH} levels")),
            BadRequest::NotAnObject(NotAnObject::LoneSurrogate) => body("a member's name has half of a surrogate pair".to_owned()),
            BadRequest::Invalid { param, message } => {
                let message = format!("{param}: {message}");
                Self::invalid(param, message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_object_has_openais_members() {
        let body = Rejection::invalid("route.objective", "expected one of a, b").body();
        assert_eq!(
            String::from_utf8(body).as_deref(),
            Ok(r#"{"error":{"type":"invalid_request","message":"expected one of a, b","code":null,"param":"route.objective"}}"#)
        );
    }

    #[test]
    fn a_hostile_model_id_cannot_break_the_error() {
        let body = Rejection::model_not_found("\"},{\r\n\u{0}x", "model").body();
        let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(json["error"]["type"], "model_not_found");
    }
}
