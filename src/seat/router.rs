//! The downstream seat: authenticate, hold the body, rank, hand over; at the end turn what no
//! provider answered into an error of ours.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::{JSON, outcome, reject};
use crate::annotate;
use crate::attempt::{Bounds, Outcome};
use crate::authenticate::authenticate;
use crate::config::Config;
use crate::config::workspace::WorkspaceIndex;
use crate::handoff::{Plan, Trail, key};
use crate::host::{self, Side};
use crate::models;
use crate::openai::ChatRequest;
use crate::rank;
use crate::rejection::Rejection;

/// One call.
pub(super) struct Router {
    config: Rc<Config>,
    context: u32,
    phase: Phase,
}

enum Phase {
    /// Nothing has been read.
    Start,
    /// Authenticated; the body is arriving, so many bytes so far.
    Body(Caller, usize),
    /// With the candidates.
    Sent,
    /// Answered by us.
    Replied,
}

/// What of the request's headers is needed once the body is there.
struct Caller {
    workspace: WorkspaceIndex,
    pass: Vec<(String, Vec<u8>)>,
    request_id: Option<Vec<u8>>,
}

/// Client headers that go on. Everything else stays here: keys, cookies, addresses, and the
/// `x-envoy-*` and `x-nr-*` headers that would steer the router or the other seat. Without
/// `x-forwarded-proto` Envoy finds no route; the provider seat takes it off.
const PASSED_ON: [&str; 7] = [":method", ":scheme", "idempotency-key", "traceparent", "tracestate", "x-forwarded-proto", "x-request-id"];

/// What Envoy retries, which is how the next candidate gets its turn: no connection, no answer, and
/// the 503 that the provider seat makes of every failure (the route has `retriable_status_codes`).
/// A call with one candidate has none, and Envoy need not keep a copy of its body.
const RETRY_ON: &[u8] = b"connect-failure,refused-stream,reset,retriable-status-codes";

const USER_AGENT: &[u8] = concat!("neural-router/", env!("CARGO_PKG_VERSION")).as_bytes();

/// Seconds after which a caller may try again, when no provider said.
const RETRY_AFTER_S: u64 = 1;

/// Longest advice passed on; OpenAI's clients ignore anything above two minutes.
const MAX_RETRY_AFTER_S: u64 = 120;

impl Router {
    pub(super) fn new(config: Rc<Config>, context: u32) -> Self {
        Self { config, context, phase: Phase::Start }
    }

    fn refuse(&mut self, rejection: &Rejection) -> Action {
        self.phase = Phase::Replied;
        reject(rejection, None);
        Action::Pause
    }

    fn answer(&mut self, body: &[u8]) -> Action {
        self.phase = Phase::Replied;
        host::reply(200, vec![("content-type", JSON)], body);
        Action::Pause
    }

    fn begin(&mut self, end_of_stream: bool) -> Result<Action, Rejection> {
        let headers = host::headers(Side::Request);
        let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice());
        let path = find(":path").unwrap_or_default().split(|b| *b == b'?').next().unwrap_or_default();
        let get = matches!(find(":method"), Some(b"GET" | b"HEAD"));
        match path {
            b"/healthz" if get => return Ok(self.answer(br#"{"status":"ok"}"#)),
            b"/healthz" => return Err(Rejection::method_not_allowed("GET, HEAD")),
            b"/v1/chat/completions" if find(":method") == Some(b"POST") => {}
            b"/v1/chat/completions" => return Err(Rejection::method_not_allowed("POST")),
            _ => {
                let Some(id) = path.strip_prefix(b"/v1/models") else { return Err(Rejection::unknown_url()) };
                let id = match id {
                    [] => None,
                    [b'/', id @ ..] if !id.is_empty() => Some(percent_decoded(id)),
                    _ => return Err(Rejection::unknown_url()),
                };
                if !get {
                    return Err(Rejection::method_not_allowed("GET, HEAD"));
                }
                let config = Rc::clone(&self.config);
                let (key, workspace) = authenticate(&config.workspaces, find("authorization"))?;
                host::set_state(key::WORKSPACE, workspace.id.as_bytes());
                host::set_state(key::KEY, key.id.as_bytes());
                let body = match id {
                    None => models::list(&config.catalog, workspace),
                    Some(id) => models::retrieve(&config.catalog, workspace, &id)?,
                };
                return Ok(self.answer(&body));
            }
        }
        let (key, workspace) = authenticate(&self.config.workspaces, find("authorization"))?;
        host::set_state(key::WORKSPACE, workspace.id.as_bytes());
        host::set_state(key::KEY, key.id.as_bytes());
        if find("content-encoding").is_some_and(|value| !value.eq_ignore_ascii_case(b"identity")) {
            return Err(Rejection::content_encoding());
        }
        let announced = find("content-length").and_then(|value| core::str::from_utf8(value).ok()?.parse::<u64>().ok());
        if announced.is_some_and(|len| len > u64::from(self.config.max_request_bytes)) {
            return Err(Rejection::too_large(self.config.max_request_bytes));
        }
        let request_id = find("x-request-id").map(<[u8]>::to_vec);
        let caller = Caller {
            workspace: key.workspace,
            request_id,
            pass: headers.into_iter().filter(|(name, _)| PASSED_ON.contains(&name.as_str())).collect(),
        };
        if end_of_stream {
            return self.dispatch(&caller, 0).map(|()| Action::Continue);
        }
        self.phase = Phase::Body(caller, 0);
        Ok(Action::Pause)
    }

    /// The body is complete: decide, and let the request go.
    fn dispatch(&mut self, caller: &Caller, body_size: usize) -> Result<(), Rejection> {
        let config = Rc::clone(&self.config);
        let workspace = config.workspaces.get(caller.workspace).ok_or_else(Rejection::unauthenticated)?;
        let body = host::body(Side::Request, 0, body_size);
        let request = ChatRequest::parse(&body)?;
        let plan = rank::plan(&config, workspace, &request)?;
        let bounds = Bounds::of(&config.routing, &request, plan.candidates.len());
        let (replaced, kept) = request.bare(&body);
        let body_len = body.len() - replaced + kept.len();
        if replaced > 0 {
            host::replace_body(Side::Request, replaced, &kept);
        }

        let now = host::now_ms();
        let handoff = Plan::of(&plan, &request, &bounds, call_id(caller.request_id.as_deref(), now, self.context), now, body_len);
        let Some(first) = handoff.candidates.first() else { return Err(Rejection::model_not_found(&request.model, "model")) };
        host::set_state(key::PLAN, &handoff.encode());
        host::set_state(key::NEXT, first.cluster.as_bytes());
        host::set_state(key::MODEL, request.model.as_bytes());
        host::set_state(key::PATH, b"/v1/chat/completions");

        let retries = handoff.candidates.len().saturating_sub(1).to_string();
        let per_try = bounds.per_try_ms.to_string();
        let total = bounds.total_ms.to_string();
        let length = body_len.to_string();
        let mut headers: Vec<(&str, &[u8])> = caller.pass.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        headers.extend([
            // The provider seat sets both anew for every attempt.
            (":path", b"/".as_slice()),
            (":authority", b"provider".as_slice()),
            ("content-type", JSON),
            ("content-length", length.as_bytes()),
            ("user-agent", USER_AGENT),
            ("x-envoy-max-retries", retries.as_bytes()),
            ("x-envoy-upstream-rq-per-try-timeout-ms", per_try.as_bytes()),
            ("x-envoy-upstream-rq-timeout-ms", total.as_bytes()),
        ]);
        if handoff.candidates.len() > 1 {
            headers.push(("x-envoy-retry-on", RETRY_ON));
        }
        host::set_headers(Side::Request, headers);
        host::reroute();
        self.phase = Phase::Sent;
        Ok(())
    }

    fn body_complete(&mut self, body_size: usize) -> Action {
        let Phase::Body(caller, _) = core::mem::replace(&mut self.phase, Phase::Replied) else { return Action::Pause };
        match self.dispatch(&caller, body_size) {
            Ok(()) => Action::Continue,
            Err(rejection) => self.refuse(&rejection),
        }
    }

    /// The refusal for a call that no candidate answered.
    fn exhausted(&self, envoys_own: Option<u16>) -> Rejection {
        if envoys_own == Some(413) {
            return Rejection::too_large(self.config.max_request_bytes);
        }
        let plan = host::property(&[key::PLAN]).and_then(|value| Plan::decode(&value));
        let trail = Trail::decode(host::property(&[key::TRAIL]).as_deref());
        let (Some(plan), Some(mut trail)) = (plan, trail) else { return Rejection::envoy(503) };
        // The provider seat has the last word on every attempt, unless its VM died.
        trail.end(Outcome::Reset, None, None, host::now_ms());
        let advice = trail.0.iter().filter_map(|attempt| attempt.retry_after_s).min().unwrap_or(RETRY_AFTER_S);
        let attempts = trail.0.len();
        let message = match attempts {
            0 => "no candidate could be reached".to_owned(),
            1 => "the only candidate tried could not answer; routing.attempts says why".to_owned(),
            _ => format!("none of the {attempts} candidates tried could answer; routing.attempts says why"),
        };
        Rejection::no_provider(&message, Some(annotate::unanswered(&plan, &trail)), advice.clamp(RETRY_AFTER_S, MAX_RETRY_AFTER_S))
    }
}

/// A path segment with its `%XX` decoded (RFC 3986, section 2.1); what is no text becomes U+FFFD,
/// which no model id has.
fn percent_decoded(segment: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((first, after)) = rest.split_first() {
        let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                decoded.push(digit(high).unwrap_or(0) << 4 | digit(low).unwrap_or(0));
                after
            }
            _ => {
                decoded.push(*first);
                after
            }
        };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// `nrc_` and Envoy's request id without its dashes; a client's own id is used only if it looks
/// like one.
fn call_id(request_id: Option<&[u8]>, now_ms: u64, context: u32) -> String {
    let id = request_id.and_then(|id| core::str::from_utf8(id).ok());
    let id = id.filter(|id| (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    match id {
        Some(id) => ["nrc_", &id.replace('-', "")].concat(),
        None => format!("nrc_{now_ms:x}{context:x}"),
    }
}

impl Context for Router {}

impl HttpContext for Router {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        if !matches!(self.phase, Phase::Start) {
            return Action::Pause;
        }
        match self.begin(end_of_stream) {
            Ok(action) => action,
            Err(rejection) => self.refuse(&rejection),
        }
    }

    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        match &mut self.phase {
            Phase::Body(..) if body_size > self.config.max_request_bytes as usize => {
                self.refuse(&Rejection::too_large(self.config.max_request_bytes))
            }
            Phase::Body(..) if end_of_stream => self.body_complete(body_size),
            Phase::Body(_, arrived) => {
                *arrived = body_size;
                Action::Pause
            }
            Phase::Sent => Action::Continue,
            Phase::Start | Phase::Replied => Action::Pause,
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.phase {
            Phase::Body(_, arrived) => {
                host::clear_trailers(Side::Request);
                self.body_complete(arrived)
            }
            Phase::Sent => Action::Continue,
            Phase::Start | Phase::Replied => Action::Pause,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if !matches!(self.phase, Phase::Sent) {
            return Action::Continue;
        }
        let status = host::header(Side::Response, ":status");
        if status.as_deref() == Some(b"200") {
            return Action::Continue;
        }
        let rejection = match host::header(Side::Response, outcome::HEADER).as_deref() {
            Some(outcome::REFUSAL) => {
                host::remove_header(Side::Response, outcome::HEADER);
                return Action::Continue;
            }
            Some(_) => self.exhausted(None),
            None => self.exhausted(status.and_then(|status| core::str::from_utf8(&status).ok()?.parse().ok())),
        };
        self.refuse(&rejection)
    }

    /// When the client leaves, this comes before the provider seat's last word, and the access log
    /// is written in between.
    fn on_log(&mut self) {
        if !matches!(self.phase, Phase::Sent) {
            return;
        }
        if let Some(mut trail) = Trail::decode(host::property(&[key::TRAIL]).as_deref()).filter(Trail::pending) {
            trail.end(Outcome::Cancelled, None, None, host::now_ms());
            host::set_state(key::TRAIL, &trail.encode());
        }
    }
}
