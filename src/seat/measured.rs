//! What an attempt tells of itself in metrics, and of the call that it ends.

use super::attempt::Attempt;
use super::measure::{self, INPUT, OUTPUT};
use crate::attempt::Outcome;
use crate::handoff::Candidate;
use crate::meter::{Ending, Metric};
use crate::openai::Usage;

const NS_PER_US: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;

impl Attempt {
    /// The caller has all of the answer.
    pub(super) fn call_answered(&mut self, now_ns: u64) {
        if let Some(Candidate { model, provider, .. }) = self.candidate() {
            let operation = self.plan.endpoint.operation();
            let whole_ns = now_ns.saturating_sub(self.plan.started_ms.saturating_mul(NS_PER_MS));
            measure::tell(Metric::Duration, &[operation, provider, model], whole_ns / NS_PER_US);
        }
        self.call_ends(Ending::Ok);
    }

    /// What this attempt has delivered is over: counts the call, unless the router seat will.
    pub(super) fn call_ends(&mut self, ending: Ending) {
        if core::mem::replace(&mut self.is_counted, true) {
            return;
        }
        let Some(Candidate { model, provider, .. }) = self.candidate() else { return };
        let (first_token_ns, _) = self.witness.stretches_ns(0);
        let call = measure::Call {
            workspace: &self.plan.workspace,
            model,
            provider,
            ending,
            code: None,
            first_token_ms: (self.plan.stream && first_token_ns > 0).then_some(first_token_ns / NS_PER_MS),
        };
        call.log();
        // A refusal passes the router seat untouched.
        if !self.plan.is_watched || ending == Ending::Refused && self.is_refused() {
            call.count();
        }
    }

    /// Whether the caller was told of a refusal in the answer's stead.
    fn is_refused(&self) -> bool {
        self.trail.0.last().is_some_and(|attempt| attempt.outcome == Outcome::Refused)
    }

    /// A stretch of time, by who took it.
    pub(super) fn time(&self, metric: Metric, ns: u64) {
        if let Some(Candidate { model, provider, .. }) = self.candidate() {
            measure::tell(metric, &[provider, model], ns / NS_PER_US);
        }
    }

    /// What was used and what that cost.
    pub(super) fn measure_usage(&self, usage: &Usage) {
        let Some(Candidate { model, provider, price, .. }) = self.candidate() else { return };
        let workspace = &self.plan.workspace;
        for (kind, tokens) in [(INPUT, usage.prompt()), ("cached_input", usage.cache_read), (OUTPUT, usage.output)] {
            if tokens > 0 {
                measure::tell(Metric::Tokens, &[workspace, provider, model, kind], tokens);
            }
        }
        let cost = price.cost(usage).0;
        if cost > 0 {
            measure::tell(Metric::Cost, &[workspace, model, provider], cost);
        }
    }
}
