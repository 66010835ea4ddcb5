//! The decision, once a body is complete: who may answer, whether the guardrails let it through,
//! whether limits and budget have room for it; then the plan is written and the request goes.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::value::RawValue;

use super::gateway::Gateway;
use super::router::Arriving;
use super::watch::Watch;
use super::{JSON, entry, measure, span, target, with_head};
use crate::attempt::{Bounds, Outcome};
use crate::authenticate::Redacted;
use crate::config::TaskClass;
use crate::config::policy::{NanoUsd, dollars};
use crate::config::workspace::KeyIndex;
use crate::fleet::{Booking, Claim, Decision};
use crate::handoff::{Candidate, Plan, Trail, is_settled, key};
use crate::host::{self, SharedData, Side};
use crate::ledger::account::{self, Refused};
use crate::ledger::{self, Refusal, Standing, calendar};
use crate::meter::{Metric, NONE};
use crate::openai::{Request, Usage};
use crate::provider::{Call, RequestBody};
use crate::rank::{self, Circumstances};
use crate::rejection::{Rejection, Spending};
use crate::vitals::Snapshot;
use crate::{annotate, estimate};

/// A call on its way.
pub(super) struct Sent {
    /// What was set aside for it, unless somebody has settled it.
    booking: Option<Booking>,
    /// Who may answer, in order; only kept where the answer is watched.
    pub(super) candidates: Vec<Candidate>,
}

/// What becomes of a call.
pub(super) enum Next {
    /// It goes to the candidates.
    Sent(Sent, Watch),
    /// The caller wants only this body, the decision.
    Decided(Vec<u8>),
    /// It waits until the fleet's service has granted what it needs.
    Waits(Ticket),
}

/// A call that waits: the same request, looked at again at the same moment in the same light, is decided on alike.
pub(super) struct Ticket {
    now_ns: u64,
    vitals: Rc<Snapshot>,
    /// What it needs.
    pub(super) ask: ledger::Ask,
    /// What the ledger has set aside.
    local: account::Booking,
    standing: Standing,
}

/// The same when it has waited.
pub(super) struct Booked {
    now_ns: u64,
    vitals: Rc<Snapshot>,
    pub(super) booking: Booking,
    standing: Standing,
}

impl Ticket {
    /// With what the service has granted.
    pub(super) fn booked(self, claims: Vec<Claim>) -> Booked {
        let Self { now_ns, vitals, local, standing, .. } = self;
        Booked { now_ns, vitals, booking: Booking { local, claims }, standing }
    }

    /// The call does not go on.
    pub(super) fn give_back(&self, now_ns: u64) {
        self.local.release(&SharedData, now_ns, true);
    }
}

const NS_PER_MS: u64 = 1_000_000;
const NS_PER_US: u64 = 1_000;

/// How much longer than its silence may last a call keeps the trial of a deployment.
const TRIAL_SLACK_MS: u64 = 5_000;

/// What Envoy retries, which is how the next candidate gets its turn: no connection, no answer, and
/// the 503 that the provider seat makes of every failure (the route has `retriable_status_codes`).
/// A call with one candidate has none, and Envoy need not keep a copy of its body.
const RETRY_ON: &[u8] = b"connect-failure,refused-stream,reset,retriable-status-codes";

const USER_AGENT: &[u8] = concat!("neural-router/", env!("CARGO_PKG_VERSION")).as_bytes();

impl Sent {
    /// Gives back what was set aside, unless the provider seat has, or is about to: it knows what was
    /// used, and when a client leaves it is told after this seat. `failed` when no provider answered,
    /// which is not the caller's doing.
    pub(super) fn close(&mut self, failed: bool) {
        let Some(booking) = self.booking.take() else { return };
        if is_settled(host::property(&[key::USAGE]).as_deref()) {
            return;
        }
        let trail = Trail::decode(host::property(&[key::TRAIL]).as_deref()).unwrap_or_default();
        let now_ns = host::now_ns();
        let billed = trail.billed();
        let last = trail.0.last().map(|attempt| attempt.outcome);
        if failed || !matches!(last, Some(Outcome::Pending | Outcome::Ok)) {
            booking.close(&SharedData, &billed, now_ns, failed);
        } else if !host::client_left() {
            // Nobody is left who knows: the provider seat's VM died under the call.
            host::set_state(key::USAGE, b"null");
            booking.settle(&SharedData, &lost(&trail).unwrap_or(billed), now_ns);
        }
    }
}

/// Bytes of one event of a stream, which is about one token.
const EVENT_BYTES: u64 = 200;

/// What a call has used of which nothing is left but what the client has been sent.
fn lost(trail: &Trail) -> Option<ledger::Usage> {
    let plan = host::property(&[key::PLAN]).and_then(|value| Plan::decode(&value))?;
    let candidate = plan.candidates.get(trail.0.len().checked_sub(1)?)?;
    let size = host::property(&["response", "size"]).and_then(|size| size.try_into().ok()).map_or(0, u64::from_le_bytes);
    let seen = Usage { uncached_input: plan.prompt_tokens, output: size / EVENT_BYTES, ..Usage::default() };
    Some(trail.billed().plus(&estimate::bill(&candidate.price, &seen)))
}

/// Decides on a call whose body is complete, and lets the request go.
/// `booked`: for a call that has waited, what it has been waiting for.
pub(super) fn send(
    gateway: &Gateway,
    arriving: &Arriving,
    context: u32,
    body_size: usize,
    booked: Option<&Booked>,
) -> Result<Next, Rejection> {
    let config = &gateway.config;
    let caller = gateway.caller(arriving.key).ok_or_else(Rejection::unauthenticated)?;
    let started_ns = host::now_ns();
    // A call that has waited is decided on as it was before.
    let now_ns = booked.map_or(started_ns, |booked| booked.now_ns);
    let body = host::body(Side::Request, 0, body_size);
    let request = Request::parse(arriving.endpoint, &body)?;
    let now_ms = now_ns / NS_PER_MS;
    let id = call_id(arriving.request_id.as_deref(), now_ms, context);
    let vitals = booked.map_or_else(|| gateway.snapshot(now_ns), |booked| Rc::clone(&booked.vitals));
    let mut plan = rank::plan(config, &caller, &request, &Circumstances { vitals: &vitals, now_ms, lot: rank::lot(&id) })?;
    // What goes on is the request as the guardrails left it.
    let redacted = caller.inspect(&request)?;
    let (request, adjustments) = match &redacted {
        None => (request, Vec::new()),
        Some(Redacted { body, notes, hits }) => {
            for (rule, places) in hits {
                measure::tell(Metric::Guardrails, &[&caller.workspace.id, rule, "redact"], *places as u64);
            }
            (Request::parse(arriving.endpoint, body).map_err(Rejection::spoilt)?, notes.clone())
        }
    };
    let bounds_of = |plan: &rank::Plan<'_>| {
        let likely_ms: Vec<f64> = plan.candidates.iter().map(|candidate| candidate.likely_at_most_ms).collect();
        Bounds::of(&config.routing, &request, &likely_ms)
    };
    let mut bounds = bounds_of(&plan);
    host::set_state(key::DECISION, &annotate::logged(&plan, &request));
    if request.route().dry_run {
        let decision = Plan { adjustments, ..Plan::of(&plan, &request, &bounds, id, now_ms) };
        return Ok(Next::Decided(annotate::decided(&decision)));
    }
    let admitted = match booked {
        Some(booked) => Some((booked.booking.clone(), booked.standing)),
        None => {
            let ask = estimate::reservation(&plan, arriving.endpoint, &request.demand());
            match admit(gateway, arriving.key, &ask, now_ns)? {
                Admitted::Yes(booking, standing) => Some((booking, standing)),
                Admitted::Unlimited => None,
                Admitted::Waits(local, standing) => return Ok(Next::Waits(Ticket { now_ns, vitals, ask, local, standing })),
            }
        }
    };
    let (booking, standing) = admitted.unzip();
    // Who is alone is asked whoever else does.
    for _ in 1..plan.candidates.len() {
        let hold_ms = u64::from(bounds.per_try_ms) + TRIAL_SLACK_MS;
        let Some(first) = plan.candidates.first() else { break };
        if !gateway.is_tried_out(first.deployment, &vitals, hold_ms, now_ms) {
            break;
        }
        plan.put_off_first();
        bounds = bounds_of(&plan);
        host::set_state(key::DECISION, &annotate::logged(&plan, &request));
    }
    let Some(first) = plan.candidates.first() else { return Err(Rejection::envoy(503)) };
    if config.traced {
        span::decided(arriving.endpoint, request.model(), &plan);
    }

    let body = Bare::of(&request, redacted.is_some().then_some(body.len()));
    // No provider is to blame for what the call has waited.
    let began_ms = if booked.is_some() { host::now_ms() } else { now_ms };
    let mut handoff = Plan::of(&plan, &request, &bounds, id, began_ms);
    let watch = Watch::of(&caller.workspace.guard, &request);
    handoff.workspace.clone_from(&caller.workspace.id);
    handoff.is_watched = !matches!(watch, Watch::Nothing);
    handoff.adjustments = adjustments;
    handoff.body_len = body.len;
    handoff.announced_len = body.len;
    handoff.booking.clone_from(&booking);
    handoff.standing = standing;
    let endpoint = &first.provider.endpoint;
    let call = Call {
        endpoint: arriving.endpoint,
        model: &first.deployment.model,
        stream: request.stream(),
        stream_options: handoff.stream_options.as_deref(),
        max_output: first.model.max_output.0,
        fields: request.fields(),
    };
    let codec = first.provider.protocol.codec(call.model);
    match codec.body(&call) {
        RequestBody::Head(head) => {
            handoff.announced_len = with_head(body.len, &head);
            handoff.head_len = body.hand_on(&head);
        }
        RequestBody::Translate => drop(body.hand_on(b"{")),
    }
    host::set_state(key::PLAN, &handoff.encode());
    host::set_state(key::NEXT, first.provider.cluster.as_bytes());
    let (path, accept) = target(&endpoint.path, codec, &call);
    host::set_state(key::MODEL, request.model().as_bytes());
    host::set_state(key::PATH, entry::path_of(arriving.endpoint));

    let retries = handoff.candidates.len().saturating_sub(1).to_string();
    let per_try = bounds.per_try_ms.to_string();
    let total = bounds.total_ms.to_string();
    let length = handoff.announced_len.to_string();
    let mut headers: Vec<(&str, &[u8])> = arriving.pass.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    headers.extend([
        // For the first candidate; the provider seat sets them anew for the others.
        (":path", path.as_bytes()),
        (":authority", endpoint.authority.as_bytes()),
        ("accept", accept),
        ("content-type", JSON),
        ("content-length", length.as_bytes()),
        ("user-agent", USER_AGENT),
        ("x-envoy-upstream-rq-per-try-timeout-ms", per_try.as_bytes()),
        ("x-envoy-upstream-rq-timeout-ms", total.as_bytes()),
    ]);
    if handoff.candidates.len() > 1 {
        headers.extend([("x-envoy-retry-on", RETRY_ON), ("x-envoy-max-retries", retries.as_bytes())]);
    }
    // Envoy looks up the route again, now that filter state names the cluster.
    host::set_headers(Side::Request, headers);
    let class = plan.class.map_or(NONE, TaskClass::name);
    measure::expect(&caller.workspace.id, &first.model.id, &first.provider.name, arriving.endpoint);
    measure::count(Metric::Decisions, &[plan.objective.name(), class, &first.model.id]);
    measure::tell(Metric::DecisionTime, &[], host::now_ns().saturating_sub(started_ns) / NS_PER_US);
    let candidates = if handoff.is_watched { handoff.candidates } else { Vec::new() };
    Ok(Next::Sent(Sent { booking, candidates }, watch))
}

/// What the ledger says, and the fleet's service.
enum Admitted {
    Unlimited,
    Yes(Booking, Standing),
    /// The ledger has room; the service has to be asked.
    Waits(account::Booking, Standing),
}

fn admit(gateway: &Gateway, key: KeyIndex, ask: &ledger::Ask, now_ns: u64) -> Result<Admitted, Rejection> {
    let Some(account) = gateway.account(key) else { return Ok(Admitted::Unlimited) };
    let (local, standing) = account.admit(&SharedData, ask, now_ns).map_err(|refused| rejection(&refused))?;
    let Some(fleet) = &gateway.fleet else { return Ok(Admitted::Yes(Booking { local, claims: Vec::new() }, standing)) };
    match fleet.admit(key, ask, now_ns) {
        Some(Decision::Admitted(claims)) => Ok(Admitted::Yes(Booking { local, claims }, gateway.tighten(key, standing, None, now_ns))),
        None => Ok(Admitted::Waits(local, standing)),
        Some(Decision::Refused(refusal)) => {
            local.release(&SharedData, now_ns, true);
            Err(refused(gateway, key, refusal, now_ns))
        }
        Some(Decision::Unavailable) => {
            local.release(&SharedData, now_ns, true);
            Err(Rejection::limits_unavailable())
        }
    }
}

/// What a caller is told whom a limit of the fleet refuses.
pub(super) fn refused(gateway: &Gateway, key: KeyIndex, refusal: Refusal, now_ns: u64) -> Rejection {
    let standing = gateway.account(key).map(|account| account.standing(&SharedData, now_ns)).unwrap_or_default();
    let standing = gateway.tighten(key, standing, None, now_ns);
    rejection(&Refused { refusal, standing })
}

fn rejection(refused: &Refused) -> Rejection {
    match refused.refusal {
        Refusal::Requests { retry_after_ms } => Rejection::rate_limited("requests", seconds(retry_after_ms)),
        Refusal::Tokens { retry_after_ms } => Rejection::rate_limited("tokens", seconds(retry_after_ms)),
        Refusal::Budget { needed } => {
            let budget = refused.standing.budget;
            let json = |amount| RawValue::from_string(dollars(amount)).unwrap_or_default();
            let spending = budget.map(|budget| Spending {
                limit_usd: json(budget.cap),
                spent_usd: json(budget.spent),
                resets_at: budget.resets_at_s.map(calendar::rfc3339),
            });
            let reserved = budget.map_or(NanoUsd(0), |budget| budget.reserved);
            Rejection::budget_exceeded(&dollars(needed), &dollars(reserved), spending.unwrap_or_default())
        }
    }
}

/// Whole seconds to wait, so that the time has certainly passed.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000).max(1)
}

/// A request's body without our own members.
struct Bare<'a> {
    /// So many bytes of what Envoy holds are replaced,
    replaced: usize,
    /// by these.
    kept: Cow<'a, [u8]>,
    /// Length of what comes of it.
    len: usize,
}

/// A beginning of this length is copied once more in less time than Envoy is called.
const SHORT: usize = 8 << 10;

impl<'a> Bare<'a> {
    /// After a redaction nothing of the `held` bytes stays.
    fn of(request: &Request<'a>, held: Option<usize>) -> Self {
        let (replaced, kept) = request.bare();
        let text = request.text().as_bytes();
        let len = text.len() - replaced + kept.len();
        let Some(held) = held else { return Self { replaced, kept, len } };
        let mut whole = kept.into_owned();
        whole.extend_from_slice(text.get(replaced..).unwrap_or_default());
        Self { replaced: held, kept: Cow::Owned(whole), len }
    }

    /// Writes it over what Envoy holds, if it is short with this head instead of the opening brace. Returns how
    /// many bytes stand for that.
    fn hand_on(self, head: &[u8]) -> usize {
        match self.kept.strip_prefix(b"{") {
            Some(rest) if rest.len() <= SHORT && head.len() > 1 => {
                host::replace_body(Side::Request, self.replaced, &[head, rest].concat());
                head.len()
            }
            _ => {
                if self.replaced > 0 {
                    host::replace_body(Side::Request, self.replaced, &self.kept);
                }
                1
            }
        }
    }
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
