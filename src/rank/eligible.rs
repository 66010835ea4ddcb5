//! Hard conditions: what a model must be to be asked at all.

use crate::config::catalog::{Kind, Model, Provider};
use crate::config::{Capabilities, Capability, Catalog};
use crate::openai::{ChatRequest, Needs};
use crate::rejection::Rejection;

/// Why a model cannot take a request. In rising order of how close it came, so that the largest
/// one found is the most useful thing to tell the caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obstacle {
    Kind,
    Capability(&'static str),
    Context { estimated: u64, window: u64 },
}

impl Obstacle {
    pub(super) fn into_rejection(self) -> Rejection {
        match self {
            Self::Kind => {
                Rejection::incapable("wrong_model_kind", "model", "an embedding model does not answer chat completions".to_owned())
            }
            Self::Capability(name) => Rejection::incapable(
                "unsupported_capability",
                param_of(name),
                format!("no candidate can do `{name}`, which this request needs"),
            ),
            Self::Context { estimated, window } => Rejection::incapable(
                "context_length_exceeded",
                "messages",
                format!("the request needs about {estimated} tokens with its answer; the largest candidate holds {window}"),
            ),
        }
    }
}

/// The request member that states a need.
fn param_of(capability: &'static str) -> &'static str {
    match Capability::parse(capability) {
        Some(Capability::Tools) => "tools",
        Some(Capability::ParallelTools) => "parallel_tool_calls",
        Some(Capability::JsonObject | Capability::JsonSchema) => "response_format",
        Some(Capability::Reasoning) => "reasoning_effort",
        Some(Capability::Vision) => "messages",
        // What a protocol lacks is named by its member.
        None => capability,
    }
}

/// Whether a provider's protocol has words for everything a request needs.
pub(super) fn can_be_said(provider: &Provider, request: &ChatRequest<'_>) -> bool {
    provider.protocol.codec.lacks(&request.needs).is_none()
}

pub(super) fn check(catalog: &Catalog, model: &Model, request: &ChatRequest<'_>) -> Result<(), Obstacle> {
    if model.kind != Kind::Chat {
        return Err(Obstacle::Kind);
    }
    if let Some(missing) = needed(request.needs).missing_from(model.capabilities).next() {
        return Err(Obstacle::Capability(missing.name()));
    }
    let mut providers = model.deployments.iter().filter_map(|deployment| catalog.provider(deployment)).peekable();
    let lacking = providers.peek().and_then(|first| first.protocol.codec.lacks(&request.needs));
    if let Some(name) = lacking.filter(|_| !providers.any(|provider| can_be_said(provider, request))) {
        return Err(Obstacle::Capability(name));
    }
    let estimated = request.prompt_tokens.saturating_add(request.max_output.unwrap_or(1));
    let window = model.context_window.0;
    if estimated > window {
        return Err(Obstacle::Context { estimated, window });
    }
    Ok(())
}

fn needed(needs: Needs) -> Capabilities {
    [
        (needs.tools, Capability::Tools),
        (needs.parallel_tools, Capability::ParallelTools),
        (needs.vision, Capability::Vision),
        (needs.json_object, Capability::JsonObject),
        (needs.json_schema, Capability::JsonSchema),
        (needs.reasoning, Capability::Reasoning),
    ]
    .into_iter()
    .filter_map(|(needed, capability)| needed.then_some(capability))
    .collect()
}
