//! What the seats leave for Envoy's tracer, where calls are traced. Names, figures and words of our own: nothing of a
//! prompt, an answer or a key, and no name of a model before it is known to be one.

use crate::attempt::Outcome;
use crate::config::TaskClass;
use crate::config::policy::dollars;
use crate::handoff::{Candidate, End, span};
use crate::host::{property, set_state};
use crate::ledger;
use crate::openai::{Endpoint, Usage};
use crate::rank;
use crate::rejection::Rejection;

/// A call of an authenticated caller.
pub(super) fn call_begins(endpoint: Endpoint) {
    let operation = endpoint.operation().as_bytes();
    set_state(span::OPERATION, operation);
    set_state(span::NAME, operation);
}

/// It has been decided whom the call goes to.
pub(super) fn decided(endpoint: Endpoint, model: &str, plan: &rank::Plan<'_>) {
    set_state(span::NAME, [endpoint.operation(), " ", model].concat().as_bytes());
    set_state(span::OBJECTIVE, plan.objective.name().as_bytes());
    set_state(span::CLASS, plan.class.map_or("", TaskClass::name).as_bytes());
    set_state(span::POLICY, plan.policy.as_bytes());
}

/// The call is refused, by us. Why the last attempt failed says more, and its span may not have ended yet.
pub(super) fn refused(rejection: &Rejection) {
    if property(&[span::ERROR]).is_none_or(|said| said.is_empty()) {
        set_state(span::ERROR, rejection.type_name().as_bytes());
    }
}

/// The next candidate is asked; `system` is OpenTelemetry's name of its provider. What was said of the one before
/// it is no longer so.
pub(super) fn attempt_begins(system: &str, candidate: &Candidate, attempts: usize) {
    set_state(span::ATTEMPTS, attempts.to_string().as_bytes());
    set_state(span::SYSTEM, system.as_bytes());
    set_state(span::PROVIDER, candidate.provider.as_bytes());
    set_state(span::DEPLOYMENT, candidate.deployment.as_bytes());
    set_state(span::CANDIDATE, candidate.model.as_bytes());
    if attempts > 1 {
        set_state(span::STATUS, b"");
        set_state(span::ERROR, b"");
    }
}

/// How the attempt ended.
pub(super) fn attempt_ends(candidate: &Candidate, end: &End) {
    if let Some(status) = end.status {
        set_state(span::STATUS, status.to_string().as_bytes());
    }
    match end.outcome {
        Outcome::Ok => set_state(span::ANSWERED, candidate.model.as_bytes()),
        outcome => set_state(span::ERROR, end.error.map_or(outcome.name(), |class| class.name()).as_bytes()),
    }
}

/// A stream that had begun came to no proper end.
pub(super) fn stream_breaks() {
    set_state(span::ERROR, Outcome::Reset.name().as_bytes());
}

/// What the call used.
pub(super) fn used(usage: &Usage, bill: Option<&ledger::Usage>) {
    set_state(span::INPUT, usage.prompt().to_string().as_bytes());
    set_state(span::OUTPUT, usage.output.to_string().as_bytes());
    if usage.cache_read > 0 {
        set_state(span::CACHED, usage.cache_read.to_string().as_bytes());
    }
    if let Some(bill) = bill {
        set_state(span::COST, dollars(bill.cost).as_bytes());
    }
}
