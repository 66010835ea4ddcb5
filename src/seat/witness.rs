//! What an attempt tells of its deployment, and what it does not.
//!
//! Nothing a caller can bring about counts against a provider: not a refusal of what was asked, nor a
//! client that leaves, nor a time that the caller made shorter than the operator's, nor an answer too
//! large for us.

use std::rc::Rc;

use super::measure;
use crate::attempt::Outcome;
use crate::config::TaskClass;
use crate::handoff::{Candidate, End};
use crate::host::{self, SharedData};
use crate::meter::Metric;
use crate::openai::Usage;
use crate::provider::{Class, Fault};
use crate::vitals::{self, Event, Notebook};

/// Sees one attempt from its beginning to its end.
#[derive(Debug)]
pub(super) struct Witness {
    notebook: Rc<Notebook>,
    /// Of the deployment.
    key: String,
    /// The model that it answers for, and the provider.
    labels: [String; 2],
    began_ns: u64,
    /// When the first token came, or the whole answer; 0 before.
    answered_ns: u64,
    /// Until when a rate limit is used up, by the headers of the answer; Unix milliseconds.
    used_up_until_ms: Option<u64>,
    /// When the call claimed the trial of the deployment, if it did.
    call_ms: u64,
    /// The silence that counts, in milliseconds.
    patience_ms: u64,
}

/// Envoy's timers have been seen to fire 3 ms early by our clock.
const CLOCK_SLACK_MS: u64 = 10;

/// Speeds above this are those of a buffer.
const MOST_TOKENS_PER_SECOND: f64 = 10_000.0;

/// So are those of what came within so many seconds of the first token.
const FEWEST_SECONDS: f64 = 0.01;

/// A stream with fewer tokens after its first says nothing of speed.
const FEWEST_TOKENS: u64 = 4;

/// How long the tick may take to come, in milliseconds.
const TICK_MS: u64 = 100;

const NS_PER_MS: u64 = 1_000_000;

impl Witness {
    pub(super) fn new(notebook: Rc<Notebook>, candidate: &Candidate, call_ms: u64, patience_ms: u32, began_ns: u64) -> Self {
        let key = vitals::key(&candidate.provider, &candidate.deployment);
        let labels = [candidate.model.clone(), candidate.provider.clone()];
        Self { notebook, key, labels, began_ns, answered_ns: 0, used_up_until_ms: None, call_ms, patience_ms: patience_ms.into() }
    }

    /// The headers of an answer say that a rate limit is used up, for so long.
    pub(super) fn used_up(&mut self, wait_ms: Option<u64>, now_ms: u64) {
        self.used_up_until_ms = wait_ms.filter(|ms| *ms > 0).map(|ms| now_ms.saturating_add(ms));
    }

    /// The attempt has ended other than well.
    pub(super) fn ended(&self, end: &End, now_ns: u64) {
        let (began_ms, at_ms) = (self.began_ns / NS_PER_MS, now_ns / NS_PER_MS);
        let wait_ms = end.retry_after_ms.filter(|ms| *ms > 0);
        let event = if is_to_blame(end, at_ms.saturating_sub(began_ms), self.patience_ms) {
            Event::Failed { began_ms, at_ms, wait_ms }
        } else {
            Event::Excused { claimed_ms: self.call_ms }
        };
        self.tell(&[event], now_ns);
    }

    /// The attempt has ended in a way that says nothing of the provider.
    pub(super) fn excused(&self, now_ns: u64) {
        self.tell(&[Event::Excused { claimed_ms: self.call_ms }], now_ns);
    }

    /// A stream has its first token.
    pub(super) fn stream_begins(&mut self, now_ns: u64) {
        let event = self.answered(true, now_ns);
        self.tell(&[event], now_ns);
    }

    /// A whole answer is there; `is_prompt` where nothing of it could have come earlier, as of embeddings.
    pub(super) fn answered_whole(&mut self, is_prompt: bool, class: Option<TaskClass>, usage: Option<&Usage>, now_ns: u64) {
        let answered = self.answered(is_prompt, now_ns);
        let complete = usage.filter(|usage| usage.output > 0 && !is_prompt).map(|usage| Event::Complete {
            class,
            output: usage.output,
            tokens_per_second: None,
            whole_ms: Some(ms_between(self.began_ns, now_ns)),
        });
        match complete {
            Some(complete) => self.tell(&[answered, complete], now_ns),
            None => self.tell(&[answered], now_ns),
        }
    }

    /// A stream has come to its proper end.
    pub(super) fn stream_ends(&self, class: Option<TaskClass>, usage: Option<&Usage>, now_ns: u64) {
        let Some(output) = usage.map(|usage| usage.output).filter(|output| *output > 0) else { return };
        let seconds = ms_between(self.answered_ns, now_ns) / 1000.0;
        let telling = self.answered_ns > 0 && seconds >= FEWEST_SECONDS && output > FEWEST_TOKENS;
        let tokens_per_second = telling.then(|| ((output - 1) as f64 / seconds).min(MOST_TOKENS_PER_SECOND));
        self.tell(&[Event::Complete { class, output, tokens_per_second, whole_ms: None }], now_ns);
    }

    /// A stream that had begun broke off, and it was the provider's doing.
    pub(super) fn stream_breaks(&self, now_ns: u64) {
        if self.answered_ns > 0 {
            let answered_ms = self.answered_ns / NS_PER_MS;
            self.tell(&[Event::Broke { began_ms: self.began_ns / NS_PER_MS, answered_ms, at_ms: now_ns / NS_PER_MS }], now_ns);
        }
    }

    /// Nanoseconds from the beginning of the attempt to the first token, and from there on.
    pub(super) fn stretches_ns(&self, now_ns: u64) -> (u64, u64) {
        (self.answered_ns.saturating_sub(self.began_ns), now_ns.saturating_sub(self.answered_ns))
    }

    fn answered(&mut self, has_first_token: bool, now_ns: u64) -> Event {
        self.answered_ns = now_ns;
        let at_ms = now_ns / NS_PER_MS;
        Event::Answered {
            began_ms: self.began_ns / NS_PER_MS,
            at_ms,
            first_token_ms: has_first_token.then(|| ms_between(self.began_ns, now_ns)),
            wait_ms: self.used_up_until_ms.map(|until| until.saturating_sub(at_ms)).filter(|ms| *ms > 0),
        }
    }

    fn tell(&self, events: &[Event], now_ns: u64) {
        let noted = self.notebook.note(&SharedData, &self.key, events, now_ns / NS_PER_MS);
        if noted.waits {
            host::tick_every(TICK_MS);
        }
        if noted.cools_down {
            let [model, provider] = &self.labels;
            measure::count(Metric::CoolDowns, &[model, provider]);
        }
    }
}

fn ms_between(from_ns: u64, to_ns: u64) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / NS_PER_MS as f64
}

/// Whether it is the provider's fault that an attempt ended so, after so many milliseconds.
fn is_to_blame(end: &End, took_ms: u64, patience_ms: u64) -> bool {
    match end.outcome {
        Outcome::Ok | Outcome::Pending | Outcome::Refused | Outcome::Cancelled => false,
        Outcome::Timeout => took_ms.saturating_add(CLOCK_SLACK_MS) >= patience_ms,
        Outcome::ConnectFailure | Outcome::Reset | Outcome::Status | Outcome::InBandError | Outcome::Malformed => {
            !end.is_about_the_request() && !end.error.is_some_and(is_the_callers)
        }
    }
}

/// Whether an error inside a stream says that the caller brought it about.
pub(super) fn is_excused(fault: &Fault) -> bool {
    fault.class().is_some_and(is_the_callers)
}

const fn is_the_callers(class: Class) -> bool {
    matches!(class, Class::Caller | Class::ContentPolicy | Class::ContextTooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_caller_can_bring_about_counts() {
        let end = |outcome, status, error| End { error, ..End::of(outcome, status) };
        for (name, end, took_ms, counts) in [
            ("no connection", end(Outcome::ConnectFailure, None, None), 1, true),
            ("reset", end(Outcome::Reset, Some(200), None), 1, true),
            ("server error", end(Outcome::Status, Some(500), Some(Class::Unavailable)), 1, true),
            ("our key", end(Outcome::Status, Some(401), Some(Class::Credentials)), 1, true),
            ("too many requests of ours", end(Outcome::Status, Some(429), Some(Class::RateLimited)), 1, true),
            ("overloaded", end(Outcome::InBandError, Some(200), Some(Class::Overloaded)), 1, true),
            ("no answer", end(Outcome::Malformed, Some(200), None), 1, true),
            ("the operator's patience is over", end(Outcome::Timeout, None, None), 400, true),
            ("a timer that fires early", end(Outcome::Timeout, None, None), 391, true),
            ("the caller's is over first", end(Outcome::Timeout, None, None), 389, false),
            ("the caller has hardly any", end(Outcome::Timeout, Some(200), None), 0, false),
            ("refused", end(Outcome::Refused, Some(400), Some(Class::Caller)), 1, false),
            ("the client left", end(Outcome::Cancelled, None, None), 4_000, false),
            ("too long a conversation", end(Outcome::Status, Some(400), Some(Class::ContextTooLong)), 1, false),
            ("not for this model", end(Outcome::Status, Some(400), Some(Class::Unavailable)), 1, false),
            ("refused inside a 200", end(Outcome::InBandError, Some(200), Some(Class::Caller)), 1, false),
            ("filtered inside a 200", end(Outcome::InBandError, Some(200), Some(Class::ContentPolicy)), 1, false),
        ] {
            assert_eq!(is_to_blame(&end, took_ms, 400), counts, "{name}");
        }
    }
}
