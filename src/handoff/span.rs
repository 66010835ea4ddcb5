//! What spans say of a call: an attribute for each filter state that the seats leave for Envoy's tracer.
//!
//! Set only where calls are traced. Envoy reads them when a span ends, and the span of an attempt ends before the
//! next attempt begins: so one state serves both, and says of an attempt's span how the attempt stood, of the call's
//! how the last one did. A state that is empty gives no attribute.

/// Name of the span of a call: its operation, and the model that was asked for once that is known to exist.
pub const NAME: &str = "nr.span.name";
/// `chat` or `embeddings`.
pub const OPERATION: &str = "nr.span.operation";
/// Objective that applied.
pub const OBJECTIVE: &str = "nr.span.objective";
/// Task class that applied.
pub const CLASS: &str = "nr.span.class";
/// Short name of the policy that applied.
pub const POLICY: &str = "nr.span.policy";
/// Attempts so far.
pub const ATTEMPTS: &str = "nr.span.attempts";
/// The provider's name among OpenTelemetry's.
pub const SYSTEM: &str = "nr.span.system";
/// The provider's name in the configuration.
pub const PROVIDER: &str = "nr.span.provider";
/// The provider's name of the model.
pub const DEPLOYMENT: &str = "nr.span.deployment";
/// The model that is asked.
pub const CANDIDATE: &str = "nr.span.candidate";
/// The provider's own status: Envoy's is what the provider seat made of it.
pub const STATUS: &str = "nr.span.status";
/// The model that answered.
pub const ANSWERED: &str = "nr.span.answered";
/// In one word what went wrong.
pub const ERROR: &str = "nr.span.error";
/// Tokens of the prompt.
pub const INPUT: &str = "nr.span.input";
/// Tokens of the prompt that the provider had in its cache.
pub const CACHED: &str = "nr.span.cached";
/// Tokens of the answer.
pub const OUTPUT: &str = "nr.span.output";
/// What the call cost, in US dollars.
pub const COST: &str = "nr.span.cost";

/// Attributes and the states they are of. Those of `gen_ai` and `error` are OpenTelemetry's semantic conventions 1.41.
pub const ATTRIBUTES: &[(&str, &str)] = &[
    ("gen_ai.operation.name", OPERATION),
    ("gen_ai.provider.name", SYSTEM),
    ("gen_ai.request.model", super::key::MODEL),
    ("gen_ai.response.model", ANSWERED),
    ("gen_ai.usage.input_tokens", INPUT),
    ("gen_ai.usage.cache_read.input_tokens", CACHED),
    ("gen_ai.usage.output_tokens", OUTPUT),
    ("error.type", ERROR),
    ("nr.workspace", super::key::WORKSPACE),
    ("nr.key", super::key::KEY),
    ("nr.objective", OBJECTIVE),
    ("nr.task_class", CLASS),
    ("nr.policy", POLICY),
    ("nr.attempts", ATTEMPTS),
    ("nr.model", CANDIDATE),
    ("nr.provider", PROVIDER),
    ("nr.deployment", DEPLOYMENT),
    ("nr.provider.status", STATUS),
    ("nr.cost_usd", COST),
];
