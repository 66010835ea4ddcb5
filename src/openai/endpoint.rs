//! What a provider can be asked for.

/// An endpoint of OpenAI's API that calls are routed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// <https://platform.openai.com/docs/api-reference/chat>
    Chat,
    /// <https://platform.openai.com/docs/api-reference/embeddings>
    Embeddings,
}

impl Endpoint {
    /// Where it is below the base path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Embeddings => "/embeddings",
        }
    }

    /// `gen_ai.operation.name` of OpenTelemetry's conventions
    /// (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/>).
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}
