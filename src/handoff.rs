//! What the seats tell each other through filter state: the plan on the way out, the trail of
//! attempts on the way back.
//!
//! Both are self-contained, so that seats configured at different moments still agree.

use serde::{Deserialize, Serialize};

use crate::attempt::{Bounds, Outcome};
use crate::config::catalog::Price;
use crate::config::policy::NanoUsd;
use crate::ledger::account::Booking;
use crate::ledger::{self, Standing};
use crate::openai::{Endpoint, Request};
use crate::provider::Call;
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
    /// Token usage, for the access log. Set by whoever settles the call's booking, so it also says
    /// that somebody has.
    pub const USAGE: &str = "nr.usage";
}

/// What every attempt needs to know. All times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `nrc_…`
    pub id: String,
    /// Unix time of the call.
    pub started_ms: u64,
    /// Objective that applied.
    pub objective: String,
    /// Why the first candidate is first.
    pub reason: String,
    /// Eligible candidates.
    pub considered: usize,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the client wants usage in the stream.
    pub include_usage: bool,
    /// `stream_options` for OpenAI-protocol providers.
    pub stream_options: Option<String>,
    /// Length of the body handed on, in bytes.
    pub body_len: usize,
    /// Which endpoint was called.
    pub endpoint: Endpoint,
    /// Prompt tokens, about.
    pub prompt_tokens: u64,
    /// What guardrails took out of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<String>,
    /// What was set aside for the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booking: Option<Booking>,
    /// What the caller is told of its limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// Longest silence of one attempt.
    pub per_try_ms: u32,
    /// Longest call.
    pub total_ms: u32,
    /// In the order they are tried.
    pub candidates: Vec<Candidate>,
}

/// One candidate of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What it charges.
    pub price: Price,
}

impl Plan {
    /// Writes the plan of a call for the other seat.
    pub fn of(plan: &rank::Plan<'_>, request: &Request<'_>, bounds: &Bounds, id: String, started_ms: u64, body_len: usize) -> Self {
        let candidate = |c: &rank::Candidate<'_>| Candidate {
            provider: c.provider.name.clone(),
            cluster: c.provider.cluster.clone(),
            model: c.model.id.clone(),
            deployment: c.deployment.model.clone(),
            max_output: c.model.max_output.0,
            price: c.model.price,
        };
        Self {
            id,
            started_ms,
            objective: plan.objective.name().to_owned(),
            reason: plan.reason.clone(),
            considered: plan.considered,
            stream: request.stream(),
            include_usage: request.include_usage(),
            stream_options: request.stream_options(),
            body_len,
            endpoint: request.endpoint(),
            prompt_tokens: request.demand().prompt_tokens,
            adjustments: Vec::new(),
            booking: None,
            standing: None,
            per_try_ms: bounds.per_try_ms,
            total_ms: bounds.total_ms,
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
        }
    }

    /// The filter-state value.
    pub fn encode(&self) -> Vec<u8> {
        // Strings and numbers always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the filter-state value.
    pub fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }
}

/// One attempt, as the access log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Seconds the provider asked to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// What the provider charges although its answer was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed: Option<Billed>,
}

/// What an attempt without an answer cost all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billed {
    /// Prompt and answer tokens.
    pub tokens: u64,
    /// Billionths of a US dollar.
    pub nano_usd: u64,
}

/// The attempts of a call so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trail(pub Vec<Attempt>);

impl Trail {
    /// The filter-state value.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
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
    pub fn end(&mut self, outcome: Outcome, status: Option<u16>, retry_after_s: Option<u64>, now_ms: u64) {
        if let Some(attempt) = self.0.last_mut().filter(|attempt| attempt.outcome == Outcome::Pending) {
            attempt.outcome = outcome;
            attempt.status = status;
            attempt.retry_after_s = retry_after_s;
            attempt.latency_ms = now_ms.saturating_sub(attempt.latency_ms);
        }
    }
}
