//! The downstream seat: authenticate, hold the body, decide, hand over; watch the answer where the
//! workspace wants it watched; at the end turn what no provider answered into an error of ours and
//! give back what was set aside.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::dispatch::{self, Next, Sent};
use super::entry::Entry;
use super::fleet::{Settled, Waiting};
use super::gateway::Gateway;
use super::watch::{Step, Watch};
use super::{JSON, measure, outcome, reject, span};
use crate::annotate;
use crate::attempt::Outcome;
use crate::authenticate::authenticate;
use crate::config::workspace::KeyIndex;
use crate::handoff::{Candidate, End, Plan, Trail, key};
use crate::host::{self, SharedData, Side};
use crate::meter::{Ending, Metric, NONE};
use crate::openai::Endpoint;
use crate::provider::Class;
use crate::rejection::Rejection;
use crate::{models, usage};

/// One call.
pub(super) struct Router {
    gateway: Rc<Gateway>,
    context: u32,
    /// Whose call it is, once that is known.
    key: Option<KeyIndex>,
    phase: Phase,
    /// How the call ended and the code of the error, if it was this seat that ended it.
    ended: Option<(Ending, Option<String>)>,
    /// Whether a provider's answer or refusal has come by.
    delivered: bool,
    /// Which candidate's answer that is, if it came whole: the provider seat has said then that all went well.
    whole_from: Option<usize>,
    /// Whether this seat may change the answer, so that it counts the call.
    is_watched: bool,
}

enum Phase {
    /// Nothing has been read.
    Start,
    /// Authenticated; the body is arriving, so many bytes so far.
    Body(Arriving, usize),
    /// Until the fleet's service has granted what it needs.
    Waiting(Rc<Waiting>),
    /// With the candidates.
    Sent(Sent, Watch),
    /// The client has all of an answer, whose provider seat has settled everything; of these candidates' one.
    Answered(Vec<Candidate>),
    /// Answered by us.
    Replied,
}

/// What of the request's headers is needed once the body is there.
pub(super) struct Arriving {
    pub(super) endpoint: Endpoint,
    pub(super) key: KeyIndex,
    pub(super) pass: Vec<(String, Vec<u8>)>,
    pub(super) request_id: Option<Vec<u8>>,
}

/// Client headers that go on. Everything else stays here: keys, cookies, addresses, and the
/// `x-envoy-*` and `x-nr-*` headers that would steer the router or the other seat. Without
/// `x-forwarded-proto` Envoy finds no route; the provider seat takes it off.
const PASSED_ON: [&str; 7] = [":method", ":scheme", "idempotency-key", "traceparent", "tracestate", "x-forwarded-proto", "x-request-id"];

/// Seconds after which a caller may try again, when no provider said.
const RETRY_AFTER_S: u64 = 1;

/// Longest advice passed on; OpenAI's clients ignore anything above two minutes.
const MAX_RETRY_AFTER_S: u64 = 120;

impl Router {
    pub(super) fn new(gateway: Rc<Gateway>, context: u32) -> Self {
        Self { gateway, context, key: None, phase: Phase::Start, ended: None, delivered: false, whole_from: None, is_watched: false }
    }

    fn refuse(&mut self, rejection: Rejection) -> Action {
        let ending = Ending::from(&rejection);
        self.refuse_as(ending, rejection)
    }

    fn refuse_as(&mut self, ending: Ending, mut rejection: Rejection) -> Action {
        self.phase = Phase::Replied;
        self.ends(ending, &rejection);
        self.trace_refusal(&rejection);
        rejection.headers.extend(self.standing());
        reject(&rejection, None);
        Action::Pause
    }

    fn ends(&mut self, ending: Ending, rejection: &Rejection) {
        if let Some(rule) = rejection.rule() {
            measure::count(Metric::Guardrails, &[self.workspace(), rule, "block"]);
        }
        self.ended = Some((ending, rejection.code().map(str::to_owned)));
    }

    fn workspace(&self) -> &str {
        self.key.and_then(|key| self.gateway.caller(key)).map_or(NONE, |caller| &caller.workspace.id)
    }

    fn answer(&mut self, body: &[u8]) -> Action {
        self.phase = Phase::Replied;
        let standing = self.standing();
        let mut headers = vec![("content-type", JSON)];
        headers.extend(standing.iter().map(|(name, value)| (*name, value.as_bytes())));
        host::reply(200, headers, body);
        Action::Pause
    }

    fn trace_refusal(&self, rejection: &Rejection) {
        if self.gateway.config.traced {
            span::refused(rejection);
        }
    }

    /// The rate-limit headers as of now.
    fn standing(&self) -> Vec<(&'static str, String)> {
        self.key.map_or(Vec::new(), |key| self.gateway.standing(key, host::now_ns()))
    }

    fn begin(&mut self, end_of_stream: bool) -> Result<Action, Rejection> {
        let headers = host::headers(Side::Request);
        let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice());
        let entry = Entry::of(find(":method"), find(":path").unwrap_or_default())?;
        if entry == Entry::Healthz {
            return Ok(self.answer(br#"{"status":"ok"}"#));
        }
        let gateway = Rc::clone(&self.gateway);
        let key = authenticate(&gateway.config.workspaces, find("authorization"))?;
        let caller = gateway.caller(key).ok_or_else(Rejection::unauthenticated)?;
        self.key = Some(key);
        host::set_state(key::WORKSPACE, caller.workspace.id.as_bytes());
        host::set_state(key::KEY, caller.key.id.as_bytes());
        let catalog = &gateway.config.catalog;
        let vitals = || gateway.vitals.fresh(&SharedData, host::now_ns());
        let endpoint = match entry {
            Entry::Healthz | Entry::Models => return Ok(self.answer(&models::list(catalog, &caller, &vitals()))),
            Entry::Model(id) => return Ok(self.answer(&models::retrieve(catalog, &caller, &id, &vitals())?)),
            Entry::Usage => {
                return Ok(self.answer(&usage::report(&caller, gateway.account(key), gateway.fleet_account(key), host::now_ns())));
            }
            Entry::Call(endpoint) => endpoint,
        };
        if gateway.config.traced {
            span::call_begins(endpoint);
        }
        if find("content-encoding").is_some_and(|value| !value.eq_ignore_ascii_case(b"identity")) {
            return Err(Rejection::content_encoding());
        }
        let announced = find("content-length").and_then(|value| core::str::from_utf8(value).ok()?.parse::<u64>().ok());
        if announced.is_some_and(|len| len > u64::from(gateway.config.max_request_bytes)) {
            return Err(Rejection::too_large(gateway.config.max_request_bytes));
        }
        let request_id = find("x-request-id").map(<[u8]>::to_vec);
        let pass = headers.into_iter().filter(|(name, _)| PASSED_ON.contains(&name.as_str())).collect();
        let arriving = Arriving { endpoint, key, pass, request_id };
        if end_of_stream {
            return self.send(arriving, 0);
        }
        self.phase = Phase::Body(arriving, 0);
        Ok(Action::Pause)
    }

    fn send(&mut self, arriving: Arriving, body_size: usize) -> Result<Action, Rejection> {
        Ok(match dispatch::send(&self.gateway, &arriving, self.context, body_size, None)? {
            Next::Sent(sent, watch) => {
                self.is_watched = !matches!(watch, Watch::Nothing);
                self.phase = Phase::Sent(sent, watch);
                Action::Continue
            }
            Next::Decided(body) => {
                self.ended = Some((Ending::DryRun, None));
                self.answer(&body)
            }
            Next::Waits(ticket) => {
                self.phase = Phase::Waiting(Waiting::begin(&self.gateway, self.context, arriving, body_size, ticket));
                Action::Pause
            }
        })
    }

    /// A call that has waited was decided on while this context was not asked.
    fn catch_up(&mut self) {
        let Phase::Waiting(waiting) = &self.phase else { return };
        match waiting.settled() {
            Some(Settled::Sent(sent, watch)) => {
                self.is_watched = !matches!(watch, Watch::Nothing);
                self.phase = Phase::Sent(sent, watch);
            }
            Some(Settled::Refused(ending, code)) => {
                self.ended = Some((ending, code));
                self.phase = Phase::Replied;
            }
            None => {}
        }
    }

    fn body_complete(&mut self, body_size: usize) -> Action {
        let Phase::Body(arriving, _) = core::mem::replace(&mut self.phase, Phase::Replied) else { return Action::Pause };
        match self.send(arriving, body_size) {
            Ok(action) => action,
            Err(rejection) => self.refuse(rejection),
        }
    }

    /// The refusal for a call that no candidate answered, and whose doing that was.
    fn exhausted(&self, envoys_own: Option<u16>) -> (Ending, Rejection) {
        if envoys_own == Some(413) {
            return (Ending::InvalidRequest, Rejection::too_large(self.gateway.config.max_request_bytes));
        }
        let plan = host::property(&[key::PLAN]).and_then(|value| Plan::decode(&value));
        let trail = Trail::decode(host::property(&[key::TRAIL]).as_deref());
        let (Some(plan), Some(mut trail)) = (plan, trail) else { return (Ending::Failed, Rejection::envoy(503)) };
        // The provider seat has the last word on every attempt, unless its VM died.
        trail.end(End::of(Outcome::Reset, None), host::now_ms());
        let advice = trail.0.iter().filter_map(|attempt| attempt.retry_after_s).min().unwrap_or(RETRY_AFTER_S);
        let attempts = trail.0.len();
        let message = match attempts {
            0 => "no candidate could be reached".to_owned(),
            1 => "the only candidate tried could not answer; routing.attempts says why".to_owned(),
            _ => format!("none of the {attempts} candidates tried could answer; routing.attempts says why"),
        };
        let ending = match trail.0.iter().all(|attempt| attempt.error == Some(Class::Credentials)) {
            true if attempts == 0 => Ending::Failed,
            true => Ending::Credentials,
            false => Ending::NoProvider,
        };
        let advice = advice.clamp(RETRY_AFTER_S, MAX_RETRY_AFTER_S);
        (ending, Rejection::no_provider(&message, Some(annotate::unanswered(&plan, &trail)), advice))
    }

    /// An answer, or what became of the attempts, begins.
    fn answer_begins(&mut self, end_of_stream: bool) -> Action {
        let Phase::Sent(sent, watch) = &mut self.phase else { return Action::Continue };
        let envoys_own = match host::header(Side::Response, outcome::HEADER).as_deref() {
            Some(outcome::REFUSAL) => {
                host::remove_header(Side::Response, outcome::HEADER);
                (self.delivered, self.is_watched) = (true, false);
                *watch = Watch::Nothing;
                sent.close(false);
                return Action::Continue;
            }
            Some(mark) => match outcome::answered_by(mark) {
                Some(candidate) => {
                    host::remove_header(Side::Response, outcome::HEADER);
                    self.delivered = true;
                    let action = watch.begin(end_of_stream);
                    self.whole_from = watch.held().map(|_| candidate);
                    return action;
                }
                None => None,
            },
            None => host::header(Side::Response, ":status").and_then(|status| core::str::from_utf8(&status).ok()?.parse().ok()),
        };
        // No provider's failure counts against the caller.
        sent.close(true);
        let (ending, rejection) = self.exhausted(envoys_own);
        self.refuse_as(ending, rejection)
    }

    fn answer_continues(&mut self, body_size: usize, end: bool) -> Action {
        let Phase::Sent(sent, watch) = &mut self.phase else { return Action::Continue };
        let (step, redacted) = watch.take(body_size, end);
        if end {
            self.phase = Phase::Answered(core::mem::take(&mut sent.candidates));
        }
        for (rule, times) in redacted {
            measure::tell(Metric::Guardrails, &[self.workspace(), &rule, "redact"], times as u64);
        }
        match step {
            Step::Continue => Action::Continue,
            Step::Hold => Action::Pause,
            Step::Broken(rejection) => {
                self.ends(Ending::Guardrail, &rejection);
                Action::Continue
            }
            Step::Blocked(rejection) => {
                self.ends(Ending::Guardrail, &rejection);
                self.trace_refusal(&rejection);
                let body = rejection.body();
                let (status, length) = (rejection.status.to_string(), body.len().to_string());
                host::replace_body(Side::Response, body_size, &body);
                host::set_header(Side::Response, ":status", status.as_bytes());
                host::set_header(Side::Response, "content-length", length.as_bytes());
                Action::Continue
            }
        }
    }
}

impl Router {
    /// Counts the call, unless the provider seat does.
    fn count(&mut self) {
        let (ending, code) = match self.ended.take() {
            Some((ending, code)) => (ending, code),
            None => match self.ending() {
                Some(ending) => (ending, None),
                None => return,
            },
        };
        if let Phase::Answered(candidates) = &self.phase
            && ending == Ending::Ok
            && let Some(Candidate { model, provider, .. }) = self.whole_from.and_then(|position| candidates.get(position))
        {
            // The access log has it from the provider seat.
            measure::Call { workspace: self.workspace(), model, provider, ending, code: None, first_token_ms: None }.count();
            return;
        }
        let trail = match self.phase {
            Phase::Start | Phase::Body(..) | Phase::Waiting(_) => Trail::default(),
            _ => Trail::decode(host::property(&[key::TRAIL]).as_deref()).unwrap_or_default(),
        };
        let (model, provider) = trail.0.last().map_or((NONE, NONE), |last| (&last.model, &last.provider));
        let call = measure::Call { workspace: self.workspace(), model, provider, ending, code: code.as_deref(), first_token_ms: None };
        call.count();
        call.log();
    }

    /// How a call ended that this seat did not end; `None` if the provider seat knows better, or nobody wanted a model.
    fn ending(&self) -> Option<Ending> {
        let left_or = |otherwise| if host::client_left() { Ending::Cancelled } else { otherwise };
        match self.phase {
            Phase::Start | Phase::Replied => None,
            Phase::Body(..) => Some(left_or(Ending::InvalidRequest)),
            Phase::Waiting(_) => Some(left_or(Ending::Failed)),
            Phase::Sent(..) if !self.delivered => Some(left_or(Ending::Failed)),
            Phase::Sent(..) if self.is_watched => Some(left_or(measure::said().unwrap_or(Ending::Failed))),
            // When the client leaves, the provider seat hears of it after this one. Otherwise it has spoken, unless its VM died.
            Phase::Sent(..) => (!host::client_left() && measure::said().is_none()).then_some(Ending::Failed),
            Phase::Answered(_) if self.whole_from.is_some() => Some(Ending::Ok),
            Phase::Answered(_) => self.is_watched.then(|| measure::said().unwrap_or(Ending::Ok)),
        }
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
            Err(rejection) => self.refuse(rejection),
        }
    }

    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        let limit = self.gateway.config.max_request_bytes;
        match &mut self.phase {
            Phase::Body(..) if body_size > limit as usize => self.refuse(Rejection::too_large(limit)),
            Phase::Body(..) if end_of_stream => self.body_complete(body_size),
            Phase::Body(_, arrived) => {
                *arrived = body_size;
                Action::Pause
            }
            Phase::Sent(..) => Action::Continue,
            Phase::Start | Phase::Waiting(_) | Phase::Answered(_) | Phase::Replied => Action::Pause,
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.phase {
            Phase::Body(_, arrived) => {
                host::clear_trailers(Side::Request);
                self.body_complete(arrived)
            }
            Phase::Sent(..) => Action::Continue,
            Phase::Start | Phase::Waiting(_) | Phase::Answered(_) | Phase::Replied => Action::Pause,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.catch_up();
        self.answer_begins(end_of_stream)
    }

    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        self.answer_continues(body_size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let Phase::Sent(_, watch) = &self.phase else { return Action::Continue };
        match watch.held() {
            Some(held) => self.answer_continues(held, true),
            None => {
                self.phase = Phase::Answered(Vec::new());
                Action::Continue
            }
        }
    }

    /// When the client leaves, this comes before the provider seat's last word, and the access log
    /// is written in between.
    fn on_log(&mut self) {
        self.catch_up();
        if let Phase::Waiting(waiting) = &self.phase {
            waiting.leave();
        }
        if let Phase::Sent(sent, _) = &mut self.phase {
            sent.close(false);
            if let Some(mut trail) = Trail::decode(host::property(&[key::TRAIL]).as_deref()).filter(Trail::pending) {
                trail.end(End::of(Outcome::Cancelled, None), host::now_ms());
                host::set_state(key::TRAIL, &trail.encode());
            }
        }
        self.count();
    }
}
