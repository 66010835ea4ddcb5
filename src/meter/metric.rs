//! The metrics there are. docs/metrics.md shows this table to those who read them.

/// What a metric does with what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Adds it up.
    Counter,
    /// Keeps the latest.
    Gauge,
    /// Counts it in buckets.
    Histogram,
}

impl Kind {
    /// As Prometheus calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// As Prometheus shows it.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// Of its values.
    pub unit: &'static str,
    /// Their order is that of the values in [`Meter::tell`](super::Meter::tell).
    pub labels: &'static [&'static str],
    /// In one sentence, without a full stop; also its HELP.
    pub help: &'static str,
    /// The name in OpenTelemetry's conventions, if they have it.
    pub convention: Option<&'static str>,
    /// Upper bounds of a histogram's buckets.
    pub buckets: &'static [u64],
}

impl Metric {
    /// What is to be known of it.
    pub fn row(self) -> &'static Row {
        const NO_ROW: Row = Row { name: "", kind: Kind::Counter, unit: "", labels: &[], help: "", convention: None, buckets: &[] };
        TABLE.get(self as usize).unwrap_or(&NO_ROW)
    }
}

/// Whether the values of a label are ids of the operator's file; those of the others are words of this program.
pub fn is_id(label: &str) -> bool {
    matches!(label, "workspace" | "model" | "provider" | "rule" | "gen_ai_provider_name" | "gen_ai_response_model")
}

/// Every label there is. `result` is that of the metrics of fleet-wide limits.
pub const LABELS: &[&str] = &[
    "workspace",
    "model",
    "provider",
    "outcome",
    "fault",
    "objective",
    "task_class",
    "cause",
    "rule",
    "action",
    "limit",
    "result",
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_response_model",
    "gen_ai_token_type",
];

/// As the conventions advise for durations, from 10 ms to 82 s, with 1, 2 and 5 ms before and 164 to 655 s behind: in microseconds.
const DURATIONS: &[u64] = &[
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    40_000,
    80_000,
    160_000,
    320_000,
    640_000,
    1_280_000,
    2_560_000,
    5_120_000,
    10_240_000,
    20_480_000,
    40_960_000,
    81_920_000,
    163_840_000,
    327_680_000,
    655_360_000,
];

/// As the conventions advise for the first token, 1 ms to 10 s, with 20 and 30 s behind: in microseconds.
const FIRST_TOKENS: &[u64] = &[
    1_000, 5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000, 5_000_000, 7_500_000,
    10_000_000, 20_000_000, 30_000_000,
];

/// As the conventions advise for further tokens, 10 ms to 2.5 s, with 1 to 5 ms before, where fast providers are: in microseconds.
const NEXT_TOKENS: &[u64] = &[
    1_000, 2_000, 3_000, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000, 500_000, 750_000, 1_000_000,
    2_500_000,
];

/// As the conventions advise for tokens, up to 4 Mi.
const TOKENS: &[u64] = &[1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/// From 10 µs to 100 ms.
const DECISIONS: &[u64] = &[10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 100_000];

macro_rules! metrics {
    ($($variant:ident = $name:literal $kind:ident [$($label:literal),*] $unit:literal $help:literal $(, $convention:literal)? $(in $buckets:ident)?;)+) => {
        /// One of the metrics.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $help] $variant),+
        }

        /// All of them, in the order of [`Metric`].
        pub const TABLE: &[Row] = &[$(Row {
            name: $name,
            kind: Kind::$kind,
            unit: $unit,
            labels: &[$($label),*],
            help: $help,
            convention: metrics!(@convention $($convention)?),
            buckets: metrics!(@buckets $($buckets)?),
        }),+];
    };
    (@convention) => { None };
    (@convention $name:literal) => { Some($name) };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}

metrics! {
    Calls = "nr_calls_total" Counter ["workspace", "model", "provider", "outcome", "fault"] "calls"
        "Calls of a model that have ended, each once, however they ended";
    Decisions = "nr_decisions_total" Counter ["objective", "task_class", "model"] "calls"
        "Calls that were given to a model, by what they wanted, what kind of work they are and who was to answer first";
    DecisionTime = "nr_decision_duration" Histogram [] "microseconds"
        "From a complete request until it goes on, in microseconds: parsing, content rules, ranking, limits" in DECISIONS;
    Attempts = "nr_attempts_total" Counter ["model", "provider", "outcome"] "attempts"
        "Attempts at a provider that have ended, or have had their first token";
    Failovers = "nr_failovers_total" Counter ["provider", "cause"] "attempts"
        "Attempts begun because the one before failed, by whose that was and why it failed";
    CoolDowns = "nr_cool_downs_total" Counter ["model", "provider"] "cool-downs"
        "Times that a deployment was left alone from then on";
    Cooling = "nr_cooling" Gauge ["model", "provider"] "0 or 1"
        "Whether a deployment is being left alone, as of at most five seconds ago";
    Cost = "nr_cost_nano_usd_total" Counter ["workspace", "model", "provider"] "billionths of a US dollar"
        "What was used, at the prices of the file, in billionths of a US dollar";
    Guardrails = "nr_guardrail_hits_total" Counter ["workspace", "rule", "action"] "hits"
        "Calls blocked by a rule, and places redacted by it";
    LimitRemaining = "nr_limit_remaining" Gauge ["workspace", "limit"] "requests or tokens"
        "What a workspace may use at once, as of at most five seconds ago";
    BudgetRemaining = "nr_budget_remaining_nano_usd" Gauge ["workspace"] "billionths of a US dollar"
        "What a workspace may still spend in the current period, in billionths of a US dollar, as of at most five seconds ago";
    BudgetCap = "nr_budget_nano_usd" Gauge ["workspace"] "billionths of a US dollar"
        "What a workspace may spend in a period, in billionths of a US dollar";
    Tokens = "gen_ai_client_token_usage" Histogram
        ["workspace", "gen_ai_provider_name", "gen_ai_response_model", "gen_ai_token_type"] "tokens"
        "Tokens of a call by type; cached_input is a part of input", "gen_ai.client.token.usage" in TOKENS;
    Duration = "gen_ai_server_request_duration" Histogram
        ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_response_model"] "microseconds"
        "From the decision on a call to the last byte of its answer, in microseconds, failed attempts included; of answered calls",
        "gen_ai.server.request.duration" in DURATIONS;
    FirstToken = "gen_ai_server_time_to_first_token" Histogram ["gen_ai_provider_name", "gen_ai_response_model"] "microseconds"
        "From the beginning of the attempt that answered to its first token, in microseconds; of streams",
        "gen_ai.server.time_to_first_token" in FIRST_TOKENS;
    NextToken = "gen_ai_server_time_per_output_token" Histogram ["gen_ai_provider_name", "gen_ai_response_model"] "microseconds"
        "From the first token to the last byte, in microseconds for each further token; of complete streams",
        "gen_ai.server.time_per_output_token" in NEXT_TOKENS;
    Folded = "nr_folded_total" Counter [] "values"
        "What was counted under _other because a worker had as many label sets as it may";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_names_once_labels_that_are_known_and_buckets_that_rise() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(TABLE.iter().skip(at + 1).all(|other| other.name != row.name), "{} stands twice", row.name);
            assert!(row.labels.iter().all(|label| LABELS.contains(label)), "{}: {:?}", row.name, row.labels);
            assert!(row.buckets.is_sorted_by(|one, next| one < next), "{}", row.name);
            assert_eq!(row.kind == Kind::Histogram, !row.buckets.is_empty(), "{}", row.name);
            assert_eq!(row.kind == Kind::Counter, row.name.ends_with("_total"), "{}", row.name);
            let named = row.convention.is_none_or(|convention| convention.replace('.', "_") == row.name);
            assert!(named && !row.help.ends_with('.'), "{}", row.name);
        }
    }
}
