//! What is measured: four kinds of call, how many of them make a round, and the ratio to reach.

use crate::body;
use crate::decision;

/// One kind of call.
#[derive(Debug)]
pub(crate) struct Case {
    /// Its key in the summary.
    pub(crate) name: &'static str,
    /// Size of the request body.
    pub(crate) body_bytes: usize,
    pub(crate) stream: bool,
    /// Calls at a time while CPU time is measured.
    pub(crate) connections: usize,
    /// Calls of one round.
    pub(crate) requests: usize,
    /// Calls at a time while latency is measured: few, so that calls hardly wait for each other.
    pub(crate) latency_connections: usize,
    /// Calls of one latency pass.
    pub(crate) latency_requests: usize,
    /// CPU time of the filter over that of bare Envoy, at most.
    pub(crate) target: f64,
}

/// Content chunks of the measured stream: with role, finish reason and usage 40 events, then `[DONE]`.
pub(crate) const CHUNKS: usize = 37;

/// Between two content chunks of the measured stream, so that each arrives alone.
pub(crate) const CHUNK_INTERVAL_MS: u64 = 2;

/// All of them, in the order they run.
pub(crate) static CASES: [Case; 4] = [
    Case {
        name: "chat_1k",
        body_bytes: 1 << 10,
        stream: false,
        connections: 16,
        requests: 6_000,
        latency_connections: 2,
        latency_requests: 1_000,
        target: 2.2,
    },
    Case {
        name: "chat_32k",
        body_bytes: 32 << 10,
        stream: false,
        connections: 16,
        requests: 4_000,
        latency_connections: 2,
        latency_requests: 700,
        target: 2.5,
    },
    Case {
        name: "chat_1m",
        body_bytes: 1 << 20,
        stream: false,
        connections: 4,
        requests: 250,
        latency_connections: 2,
        latency_requests: 60,
        target: 3.0,
    },
    Case {
        name: "stream_40",
        body_bytes: 1 << 10,
        stream: true,
        connections: 64,
        requests: 640,
        latency_connections: 8,
        latency_requests: 40,
        target: 1.8,
    },
];

/// What guardrails are measured with: a long conversation, read through a hundred phrases and every
/// detector. Its ratio has no target of its own.
pub(crate) static GUARDED: Case = Case {
    name: "chat_117k",
    body_bytes: 117 << 10,
    stream: false,
    connections: 8,
    requests: 1_000,
    latency_connections: 2,
    latency_requests: 60,
    target: f64::INFINITY,
};

/// CPU time that these guardrails add, at most.
pub(crate) const GUARDED_TARGET_US: f64 = 1_000.0;

impl Case {
    pub(crate) fn named(name: &str) -> Result<&'static Self, String> {
        CASES.iter().find(|case| case.name == name).ok_or_else(|| {
            let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
            format!("no case `{name}`; there are {} and {}", names.join(", "), decision::NAME)
        })
    }

    /// How the simulator answers this case: `validate` off, so that it costs little.
    pub(crate) fn behaviour(&self) -> serde_json::Value {
        if self.stream {
            serde_json::json!({"validate": false, "chunks": CHUNKS, "chunk_interval_ms": CHUNK_INTERVAL_MS})
        } else {
            serde_json::json!({"validate": false, "text": body::ANSWER})
        }
    }

    /// What a good answer looks like.
    pub(crate) fn expected(&self) -> Expected {
        if self.stream { Expected::Events { at_least: CHUNKS + 2 } } else { Expected::Answer { at_most: 4096 } }
    }
}

/// What every single response is checked for, besides status 200.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// A JSON answer with the simulator's text in it.
    Answer { at_most: usize },
    /// A stream of at least so many events that ends with `[DONE]`.
    Events { at_least: usize },
}
