//! What the seats tell each other through filter state: the plan on the way out, the trail of
//! attempts on the way back.
//!
//! Both are self-contained, so that seats configured at different moments still agree.

mod packed;
pub mod span;

use serde::Deserialize;

use crate::attempt::{Bounds, Outcome};
use crate::config::TaskClass;
use crate::config::catalog::Price;
use crate::config::policy::NanoUsd;
use crate::fleet::Booking;
use crate::ledger::{self, Standing};
use crate::openai::members::{encode, encode_number};
use crate::openai::{Endpoint, Fields, Request};
use crate::provider::{Call, Class, Fault};
use crate::rank;

/// Filter-state keys. Envoy stores each under `wasm.` and the key.
pub mod key {
    /// Cluster of the next attempt; the route's matcher follows it.
    pub const NEXT: &str = "nr_next";
    /// The [`Plan`](super::Plan).
    pub const PLAN: &str = "nr.plan";
    /// The [`Trail`](super::Trail); also in the access log.
    pub const TRAIL: &str = "nr.trail";
    /// Workspace id, for the access log.
    pub const WORKSPACE: &str = "nr.workspace";
    /// Key id, for the access log.
    pub const KEY: &str = "nr.key";
    /// Requested model, for the access log.
    pub const MODEL: &str = "nr.model";
    /// The path the client asked for, for the access log: by then `:path` is the provider's.
    pub const PATH: &str = "nr.path";
    /// What was decided and on what, for the access log; `nr simulate` reads it.
    pub const DECISION: &str = "nr.decision";
    /// Token usage, for the access log. Set by whoever settles the call's booking, so it also says
    /// that somebody has, unless it begins with [`SO_FAR`](super::SO_FAR).
    pub const USAGE: &str = "nr.usage";
    /// How the call ended and who answered it, for the access log. Set by whoever counts the call.
    pub const END: &str = "nr.end";
}

/// How [`key::USAGE`] begins while a stream is under way: when its client leaves, the access log is written before
/// anybody settles.
pub const SO_FAR: &[u8] = br#"{"so_far":true,"#;

/// Whether this usage, as filter state has it, is that of a call that has been settled.
pub fn is_settled(usage: Option<&[u8]>) -> bool {
    usage.is_some_and(|usage| !usage.starts_with(SO_FAR))
}

/// What every attempt needs to know. All times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// `nrc_…`
    pub id: String,
    /// Whose call it is.
    pub workspace: String,
    /// Unix time of the call.
    pub started_ms: u64,
    /// Objective that applied.
    pub objective: String,
    /// Why the first candidate is first.
    pub reason: String,
    /// Task class that applied; `None` for embeddings.
    pub class: Option<TaskClass>,
    /// Short name of the policy that applied.
    pub policy: String,
    /// What the call was expected to cost, in billionths of a US dollar.
    pub estimated_nano_usd: u64,
    /// How likely the choice was, in millionths, where some are made by lot.
    pub propensity_ppm: Option<u64>,
    /// The candidates with their figures, as JSON, for a caller who asked.
    pub table: Option<String>,
    /// Eligible candidates.
    pub considered: usize,
    /// Whether the router seat may yet change the answer, and so has the last word on how the call ended.
    pub is_watched: bool,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the client wants usage in the stream.
    pub include_usage: bool,
    /// `stream_options` for OpenAI-protocol providers.
    pub stream_options: Option<String>,
    /// Length of the body, in bytes, as it is without a head.
    pub body_len: usize,
    /// Bytes that stand for its opening brace when it is handed on: 1, or the length of the first candidate's head.
    pub head_len: usize,
    /// What `content-length` says by then: the length of the first candidate's body, if that is known.
    pub announced_len: usize,
    /// Which endpoint was called.
    pub endpoint: Endpoint,
    /// The documented members that the body has.
    pub fields: Fields,
    /// Prompt tokens, about.
    pub prompt_tokens: u64,
    /// Answers asked for.
    pub choices: u64,
    /// Longest answer asked for, in tokens.
    pub asked_output: Option<u64>,
    /// What guardrails took out of the request.
    pub adjustments: Vec<String>,
    /// What was set aside for the call.
    pub booking: Option<Booking>,
    /// What the caller is told of its limits.
    pub standing: Option<Standing>,
    /// Longest silence of one attempt.
    pub per_try_ms: u32,
    /// Longest call.
    pub total_ms: u32,
    /// The silence that the operator allows an attempt: one that is given up earlier is no fault of the
    /// provider's.
    pub patience_ms: u32,
    /// In the order they are tried.
    pub candidates: Vec<Candidate>,
}

/// One candidate of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Provider, which is also the cluster but for its prefix.
    pub provider: String,
    /// Envoy cluster.
    pub cluster: String,
    /// Model id in the catalogue.
    pub model: String,
    /// The provider's name for it.
    pub deployment: String,
    /// Longest answer in tokens.
    pub max_output: u64,
    /// Tokens of prompt and answer together.
    pub window: u64,
    /// What it charges.
    pub price: Price,
}

impl Plan {
    /// Writes the plan of a call, for the other seat and for the caller.
    pub fn of(plan: &rank::Plan<'_>, request: &Request<'_>, bounds: &Bounds, id: String, started_ms: u64) -> Self {
        let candidate = |c: &rank::Candidate<'_>| Candidate {
            provider: c.provider.name.clone(),
            cluster: c.provider.cluster.clone(),
            model: c.model.id.clone(),
            deployment: c.deployment.model.clone(),
            max_output: c.model.max_output.0,
            window: c.model.context_window.0,
            price: c.model.price,
        };
        Self {
            id,
            workspace: String::new(),
            is_watched: false,
            started_ms,
            objective: plan.objective.name().to_owned(),
            reason: plan.reason.clone(),
            class: plan.class,
            policy: plan.policy.to_owned(),
            estimated_nano_usd: plan.estimated_cost.0,
            propensity_ppm: plan.propensity.map(|p| (p * 1e6).round() as u64),
            table: request.route().explain.then(|| rank::table(&plan.table)),
            considered: plan.considered,
            stream: request.stream(),
            include_usage: request.include_usage(),
            stream_options: request.stream_options(),
            body_len: 0,
            head_len: 1,
            announced_len: 0,
            endpoint: request.endpoint(),
            fields: request.fields(),
            prompt_tokens: request.demand().prompt_tokens,
            choices: request.demand().choices,
            asked_output: request.demand().max_output,
            adjustments: Vec::new(),
            booking: None,
            standing: None,
            per_try_ms: bounds.per_try_ms,
            total_ms: bounds.total_ms,
            patience_ms: bounds.patience_ms,
            candidates: plan.candidates.iter().map(candidate).collect(),
        }
    }

    /// What a codec may know of the call to a candidate.
    pub fn call<'a>(&'a self, candidate: &'a Candidate) -> Call<'a> {
        Call {
            endpoint: self.endpoint,
            model: &candidate.deployment,
            stream: self.stream,
            stream_options: self.stream_options.as_deref(),
            max_output: candidate.max_output,
            fields: self.fields,
        }
    }

    /// Leaves out the candidates after this one whose window is not larger; `false` if none remains
    /// after it.
    pub fn keep_larger(&mut self, index: usize) -> bool {
        let window = self.candidates.get(index).map_or(0, |candidate| candidate.window);
        let mut at = 0;
        self.candidates.retain(|candidate| {
            at += 1;
            at <= index + 1 || candidate.window > window
        });
        self.candidates.len() > index + 1
    }

    /// The filter-state value.
    pub fn encode(&self) -> Vec<u8> {
        packed::encode(self)
    }

    /// Reads the filter-state value.
    pub fn decode(value: &[u8]) -> Option<Self> {
        packed::decode(value)
    }
}

/// One attempt, as the access log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Attempt {
    /// Model id in the catalogue.
    pub model: String,
    /// Provider.
    pub provider: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The provider's HTTP status, if it gave one.
    pub status: Option<u16>,
    /// From the start of the attempt to its outcome; while pending, the Unix time of its start.
    pub latency_ms: u64,
    /// Whose fault a refusal was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Class>,
    /// Seconds the provider asked to be left alone.
    #[serde(default)]
    pub retry_after_s: Option<u64>,
    /// What the provider charges although its answer was none.
    #[serde(default)]
    pub billed: Option<Billed>,
}

impl Attempt {
    /// Appends the object that clients are shown, but for its closing brace.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"model":"#);
        encode(&self.model, out);
        out.extend_from_slice(br#","provider":"#);
        encode(&self.provider, out);
        out.extend_from_slice(br#","outcome":"#);
        encode(self.outcome.name(), out);
        out.extend_from_slice(br#","status":"#);
        match self.status {
            Some(status) => encode_number(status.into(), out),
            None => out.extend_from_slice(b"null"),
        }
        if let Some(error) = self.error {
            out.extend_from_slice(br#","error":"#);
            encode(error.name(), out);
        }
        out.extend_from_slice(br#","latency_ms":"#);
        encode_number(self.latency_ms, out);
    }
}

/// What an attempt without an answer cost all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Billed {
    /// Prompt and answer tokens.
    pub tokens: u64,
    /// Billionths of a US dollar.
    pub nano_usd: u64,
}

/// Room for one attempt.
const USUAL_BYTES: usize = 128;

/// The attempts of a call so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Trail(pub Vec<Attempt>);

impl Trail {
    /// The filter-state value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * USUAL_BYTES + 2);
        out.push(b'[');
        for (attempt, index) in self.0.iter().zip(0..) {
            if index > 0 {
                out.push(b',');
            }
            attempt.write(&mut out);
            if let Some(seconds) = attempt.retry_after_s {
                out.extend_from_slice(br#","retry_after_s":"#);
                encode_number(seconds, &mut out);
            }
            if let Some(Billed { tokens, nano_usd }) = attempt.billed {
                out.extend_from_slice(br#","billed":{"tokens":"#);
                encode_number(tokens, &mut out);
                out.extend_from_slice(br#","nano_usd":"#);
                encode_number(nano_usd, &mut out);
                out.push(b'}');
            }
            out.push(b'}');
        }
        out.push(b']');
        out
    }

    /// Reads the filter-state value; an absent one is an empty trail.
    pub fn decode(value: Option<&[u8]>) -> Option<Self> {
        value.map_or(Some(Self::default()), |value| serde_json::from_slice(value).ok())
    }

    /// Notes that an attempt begins.
    pub fn begin(&mut self, candidate: &Candidate, now_ms: u64) {
        let Candidate { model, provider, .. } = candidate;
        self.0.push(Attempt {
            model: model.clone(),
            provider: provider.clone(),
            outcome: Outcome::Pending,
            status: None,
            latency_ms: now_ms,
            error: None,
            retry_after_s: None,
            billed: None,
        });
    }

    /// Whether the last attempt is still under way.
    pub fn pending(&self) -> bool {
        self.0.last().is_some_and(|attempt| attempt.outcome == Outcome::Pending)
    }

    /// Notes what the last attempt costs although it failed.
    pub fn bill(&mut self, bill: ledger::Usage) {
        if let Some(attempt) = self.0.last_mut() {
            attempt.billed = Some(Billed { tokens: bill.tokens, nano_usd: bill.cost.0 });
        }
    }

    /// What the failed attempts cost together.
    pub fn billed(&self) -> ledger::Usage {
        let mut sum = ledger::Usage::default();
        for billed in self.0.iter().filter_map(|attempt| attempt.billed) {
            sum = sum.plus(&ledger::Usage { tokens: billed.tokens, cost: NanoUsd(billed.nano_usd) });
        }
        sum
    }

    /// Notes how the last attempt ended; the first word counts.
    pub fn end(&mut self, end: End, now_ms: u64) {
        if let Some(attempt) = self.0.last_mut().filter(|attempt| attempt.outcome == Outcome::Pending) {
            attempt.outcome = end.outcome;
            attempt.status = end.status;
            attempt.error = end.error;
            attempt.retry_after_s = end.retry_after_ms.map(|ms| ms.div_ceil(1000));
            attempt.latency_ms = now_ms.saturating_sub(attempt.latency_ms);
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// In one word.
    pub outcome: Outcome,
    /// The provider's HTTP status, if it gave one.
    pub status: Option<u16>,
    /// Whose fault a refusal was.
    pub error: Option<Class>,
    /// Milliseconds the provider asked to be left alone.
    pub retry_after_ms: Option<u64>,
}

impl End {
    /// An end of which nothing more is known.
    pub const fn of(outcome: Outcome, status: Option<u16>) -> Self {
        Self { outcome, status, error: None, retry_after_ms: None }
    }

    /// Whether the provider has refused what it was asked, rather than to answer at all: a conversation that is
    /// too long, or something that only this model does not take.
    pub fn is_about_the_request(&self) -> bool {
        match self.error {
            Some(Class::ContextTooLong) => true,
            Some(Class::Unavailable) => self.status.is_some_and(|status| Class::of_status(status) == Class::Caller),
            _ => false,
        }
    }

    /// A 2xx that is no answer.
    pub fn of_fault(fault: &Fault, status: u16) -> Self {
        Self { error: fault.class(), ..Self::of(Outcome::from(fault), Some(status)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_survives_a_round_trip() {
        let attempt = |outcome, status, error, retry_after_s, billed| Attempt {
            model: "m\"\n".to_owned(),
            provider: "p".to_owned(),
            outcome,
            status,
            error,
            latency_ms: 7,
            retry_after_s,
            billed,
        };
        let attempts = [
            attempt(Outcome::Status, Some(429), Some(Class::RateLimited), Some(9), None),
            attempt(Outcome::Malformed, Some(200), None, None, Some(Billed { tokens: 5, nano_usd: u64::MAX })),
            attempt(Outcome::Pending, None, None, None, None),
        ];
        for count in 0..=attempts.len() {
            let trail = Trail(attempts[..count].to_vec());
            assert_eq!(Trail::decode(Some(&trail.encode())), Some(trail));
        }
        let one = Trail(attempts[..1].to_vec()).encode();
        let expected =
            r#"[{"model":"m\"\n","provider":"p","outcome":"status","status":429,"error":"rate_limited","latency_ms":7,"retry_after_s":9}]"#;
        assert_eq!(String::from_utf8(one).as_deref(), Ok(expected));
    }
}
