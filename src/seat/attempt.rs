//! One attempt as the provider seat sees it: its plan, its place in it, and how it ends.

use crate::attempt::Outcome;
use crate::config::ProviderSeat;
use crate::handoff::{Candidate, Plan, Trail, key};
use crate::host;
use crate::openai::Usage;
use crate::provider::{Call, Envelope};

/// An attempt that has begun.
pub(super) struct Attempt {
    plan: Plan,
    trail: Trail,
    /// What translation changed or dropped.
    pub(super) adjustments: Vec<String>,
}

/// Envoy's timers and the clock we read are not the same.
const CLOCK_SLACK_MS: u64 = 2;

/// Why an attempt cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotBegun {
    /// The router seat did not send this request here.
    NotOurs,
    /// The caller's time is up.
    NoTime,
}

impl Attempt {
    /// Reads the plan, takes the next place in it, and points the route at its successor.
    pub(super) fn begin(seat: &ProviderSeat) -> Result<Self, NotBegun> {
        let plan = host::property(&[key::PLAN]).and_then(|value| Plan::decode(&value)).ok_or(NotBegun::NotOurs)?;
        let mut trail = Trail::decode(host::property(&[key::TRAIL]).as_deref()).ok_or(NotBegun::NotOurs)?;
        let index = trail.0.len();
        let candidate = plan.candidates.get(index).filter(|c| c.provider == seat.provider).ok_or(NotBegun::NotOurs)?;
        let now = host::now_ms();
        if !plan.leaves_time(now) {
            return Err(NotBegun::NoTime);
        }
        trail.begin(candidate, now);
        if let Some(next) = plan.candidates.get(index + 1) {
            host::set_state(key::NEXT, next.cluster.as_bytes());
        }
        host::set_state(key::TRAIL, &trail.encode());
        Ok(Self { plan, trail, adjustments: Vec::new() })
    }

    /// Whether an earlier attempt has left its headers behind.
    pub(super) fn is_retry(&self) -> bool {
        self.trail.0.len() > 1
    }

    /// Whether the client wants a stream.
    pub(super) fn stream(&self) -> bool {
        self.plan.stream
    }

    /// Length of the body the router seat handed on.
    pub(super) fn body_len(&self) -> usize {
        self.plan.body_len
    }

    /// What a codec may know of the call.
    pub(super) fn call(&self) -> Option<Call<'_>> {
        let candidate = self.candidate()?;
        Some(Call { model: &candidate.deployment, stream: self.plan.stream, stream_options: self.plan.stream_options.as_deref(), max_output: candidate.max_output })
    }

    /// What stands around an answer with this `routing` object.
    pub(super) fn envelope<'a>(&'a self, routing: &'a str) -> Envelope<'a> {
        Envelope {
            id: &self.plan.id,
            model: self.candidate().map_or("", |candidate| &candidate.model),
            created: self.plan.started_ms / 1000,
            routing,
            include_usage: self.plan.include_usage,
        }
    }

    /// The `routing` object of an answer by this attempt, should it turn out to be one now.
    pub(super) fn routing(&self, status: u16) -> String {
        let mut trail = self.trail.clone();
        trail.end(Outcome::Ok, Some(status), None, host::now_ms());
        crate::annotate::answered(&self.plan, &trail, &self.adjustments)
    }

    /// Notes how the attempt ended. Only the first word counts.
    pub(super) fn end(&mut self, outcome: Outcome, status: Option<u16>, retry_after_s: Option<u64>) {
        if self.pending() {
            self.trail.end(outcome, status, retry_after_s, host::now_ms());
            host::set_state(key::TRAIL, &self.trail.encode());
        }
    }

    /// Whether nobody has said yet how the attempt ended.
    pub(super) fn pending(&self) -> bool {
        self.trail.0.last().is_some_and(|attempt| attempt.outcome == Outcome::Pending)
    }

    /// The stream goes away without a word from the provider: why?
    pub(super) fn abandoned(&mut self) {
        let started = self.trail.0.last().map_or(0, |attempt| attempt.latency_ms);
        let waited = host::now_ms().saturating_sub(started);
        let outcome = if waited.saturating_add(CLOCK_SLACK_MS) >= u64::from(self.plan.per_try_ms) {
            Outcome::Timeout
        } else if host::property(&["upstream", "local_address"]).is_some_and(|address| !address.is_empty()) {
            Outcome::Reset
        } else {
            Outcome::ConnectFailure
        };
        self.end(outcome, None, None);
    }

    /// Tells the access log what was used.
    pub(super) fn used(&self, usage: Usage) {
        let mut value = Vec::new();
        usage.write(&mut value);
        host::set_state(key::USAGE, &value);
    }

    fn candidate(&self) -> Option<&Candidate> {
        self.plan.candidates.get(self.trail.0.len().checked_sub(1)?)
    }
}
