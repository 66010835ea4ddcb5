//! Hard conditions: what a model must be to be asked at all.

use crate::config::catalog::{Deployment, Kind, Model, Provider};
use crate::config::{Capabilities, Capability, Catalog};
use crate::openai::{Endpoint, Needs};
use crate::rejection::Rejection;

use super::question::Question;

/// What OpenAI's largest call takes in base64, 2048 vectors of 3072 numbers. The provider seat holds
/// an answer until it is complete.
const MAX_VECTORS_BYTES: u64 = 32 << 20;

/// Why a model cannot take a request. In rising order of how close it came, so that the largest
/// one found is the most useful thing to tell the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    Endpoint(Endpoint),
    Dimensions(u32),
    Vectors(u64),
    Capability(&'static str),
    Context { estimated: u64, window: u64, param: &'static str },
}

impl Obstacle {
    /// In a few words, for whoever compares candidates.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Endpoint(Endpoint::Chat) => "gives embeddings".to_owned(),
            Self::Endpoint(Endpoint::Embeddings) => "answers chats".to_owned(),
            Self::Dimensions(most) => format!("its vectors have {most} dimensions at most"),
            Self::Vectors(_) => "its vectors would be too large an answer".to_owned(),
            Self::Capability(name) => format!("lacks {name}"),
            Self::Context { estimated, window, .. } => format!("needs about {estimated} tokens, holds {window}"),
        }
    }

    pub(super) fn into_rejection(self) -> Rejection {
        match self {
            Self::Endpoint(endpoint) => {
                let message = match endpoint {
                    Endpoint::Chat => "an embedding model does not answer chat completions; it is for POST /v1/embeddings",
                    Endpoint::Embeddings => "a chat model gives no embeddings; it is for POST /v1/chat/completions",
                };
                Rejection::incapable("wrong_model_kind", "model", message.to_owned())
            }
            Self::Vectors(bytes) => {
                let most = MAX_VECTORS_BYTES >> 20;
                let message = format!(
                    "input: the vectors would take about {} MiB, of {most} at most; send fewer inputs at a time, or ask for \
                     `encoding_format: base64`, which is shorter",
                    bytes >> 20
                );
                Rejection::incapable("answer_too_large", "input", message)
            }
            Self::Dimensions(most) => Rejection::invalid("dimensions", format!("dimensions: the longest vector of a candidate has {most}")),
            Self::Capability(name) => Rejection::incapable(
                "unsupported_capability",
                param_of(name),
                format!("no candidate can do `{name}`, which this request needs"),
            ),
            Self::Context { estimated, window, param } => Rejection::incapable(
                "context_length_exceeded",
                param,
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
        // What a protocol lacks is named by its member, and an endpoint by nothing.
        None => match capability {
            "embeddings" => "model",
            "custom tools" => "tools",
            "image_url" | "image_url (web)" | "input_audio" | "file" => "messages",
            // `response_format with tools`
            name => name.split(' ').next().unwrap_or(name),
        },
    }
}

/// What a provider's protocol has no words for, of what a request needs.
pub(super) fn lacks(provider: &Provider, deployment: &Deployment, question: &Question<'_>) -> Option<&'static str> {
    provider.protocol.codec(&deployment.model).lacks(&question.needs)
}

pub(super) fn check(catalog: &Catalog, model: &Model, question: &Question<'_>) -> Result<(), Obstacle> {
    let endpoint = match model.kind {
        Kind::Chat => Endpoint::Chat,
        Kind::Embedding => Endpoint::Embeddings,
    };
    if endpoint != question.endpoint {
        return Err(Obstacle::Endpoint(question.endpoint));
    }
    if let (Some(asked), Some(most)) = (question.vectors.and_then(|vectors| vectors.dimensions), model.dimensions)
        && asked > u64::from(most)
    {
        return Err(Obstacle::Dimensions(most));
    }
    if let Some(bytes) = question
        .vectors
        .and_then(|vectors| vectors.answer_bytes(model.dimensions.map(u64::from)))
        .filter(|bytes| *bytes > MAX_VECTORS_BYTES)
    {
        return Err(Obstacle::Vectors(bytes));
    }
    if let Some(missing) = needed(question.needs).missing_from(model.capabilities).next() {
        return Err(Obstacle::Capability(missing.name()));
    }
    let lacking = |deployment: &Deployment| catalog.provider(deployment).and_then(|provider| lacks(provider, deployment, question));
    let first = model.deployments.first().and_then(lacking);
    if let Some(name) = first.filter(|_| model.deployments.iter().all(|deployment| lacking(deployment).is_some())) {
        return Err(Obstacle::Capability(name));
    }
    let estimated = question.context_tokens;
    let window = model.context_window.0;
    if estimated > window {
        let param = if endpoint == Endpoint::Chat { "messages" } else { "input" };
        return Err(Obstacle::Context { estimated, window, param });
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
