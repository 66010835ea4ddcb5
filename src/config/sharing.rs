//! Limits that hold for all Envoys together: the service that counts, and in which units it does.

use super::catalog::Endpoint;
use super::document::Period;
use super::policy::{Budget, Limits};

/// The service and how it is used.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// Where the service is.
    pub endpoint: Endpoint,
    /// Namespace of the counters.
    pub domain: String,
    /// For one round trip, in milliseconds.
    pub timeout_ms: u32,
    /// Whether limited calls are refused while the service does not answer.
    pub deny: bool,
    /// Part of a limit that an Envoy takes at once, 0.001..=0.5.
    pub share: f64,
}

/// Envoy's cluster of the service.
pub const CLUSTER: &str = "nr_ratelimit";

/// Keys of the entries of a descriptor, in their order.
pub mod entry {
    /// Workspace, or workspace and key with a slash between.
    pub const SCOPE: &str = "nr_scope";
    /// Which limit.
    pub const LIMIT: &str = "nr_limit";
    /// The time that is counted together.
    pub const WINDOW: &str = "nr_window";
}

/// A kind of limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Calls of a minute.
    Requests,
    /// Tokens of a minute.
    Tokens,
    /// Money of a period.
    Budget,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Tokens, Self::Budget];

    /// Its value in a descriptor.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Budget => "budget",
        }
    }

    /// What the service counts as one hit: a call, a token, or a hundredth of a cent in nano-dollars.
    pub const fn unit(self) -> u64 {
        match self {
            Self::Requests | Self::Tokens => 1,
            Self::Budget => 100_000,
        }
    }
}

/// The time in which hits are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// A minute of the clock.
    Minute,
    /// A period of the calendar.
    Period(Period),
}

/// A limit as the service counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// What it limits.
    pub kind: Kind,
    /// Hits in one span.
    pub hits: u64,
    /// How long they count.
    pub span: Span,
}

/// What of these limits a service counts.
pub fn counted(limits: &Limits, budget: Option<&Budget>) -> Vec<Counted> {
    let requests = limits.requests.map(|rate| (Kind::Requests, rate.per_minute.get(), Span::Minute));
    let tokens = limits.tokens_per_minute.map(|tokens| (Kind::Tokens, tokens.get(), Span::Minute));
    let budget = budget.map(|budget| (Kind::Budget, budget.cap.0, Span::Period(budget.period)));
    let all = [requests, tokens, budget].into_iter().flatten();
    all.map(|(kind, amount, span)| Counted { kind, hits: amount / kind.unit(), span }).collect()
}
