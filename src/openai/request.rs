//! A call, whichever endpoint it came to.

use std::borrow::Cow;

use super::{BadRequest, ChatRequest, EmbeddingRequest, Endpoint, Fields, Needs, Route};

/// A request that a model answers, borrowed from its body.
#[derive(Debug, Clone)]
pub enum Request<'a> {
    /// `POST /v1/chat/completions`
    Chat(ChatRequest<'a>),
    /// `POST /v1/embeddings`
    Embeddings(EmbeddingRequest<'a>),
}

/// The figures of a request that its price depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Prompt tokens, about.
    pub prompt_tokens: u64,
    /// Prompt tokens at most; [`u64::MAX`] where the body does not say, and the context window does.
    pub prompt_tokens_at_most: u64,
    /// Longest answer asked for, in tokens.
    pub max_output: Option<u64>,
    /// Answers asked for.
    pub choices: u64,
}

/// How large a request is, for the operator's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Bytes of prompt text, as written.
    pub prompt_bytes: u64,
    /// Messages, or inputs of an embeddings call.
    pub messages: u64,
    /// Tools and functions.
    pub tools: u64,
    /// Choices; 1 for embeddings.
    pub n: u64,
    /// Longest answer asked for, in tokens; `None` if the request does not say. Embeddings have no answer: 0.
    pub max_tokens: Option<u64>,
}

impl<'a> Request<'a> {
    /// Reads the body of a call.
    pub fn parse(endpoint: Endpoint, body: &'a [u8]) -> Result<Self, BadRequest> {
        match endpoint {
            Endpoint::Chat => ChatRequest::parse(body).map(Self::Chat),
            Endpoint::Embeddings => EmbeddingRequest::parse(body).map(Self::Embeddings),
        }
    }

    /// Where it came to.
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Chat(_) => Endpoint::Chat,
            Self::Embeddings(_) => Endpoint::Embeddings,
        }
    }

    /// A model id, or `auto`.
    pub fn model(&self) -> &str {
        match self {
            Self::Chat(chat) => &chat.model,
            Self::Embeddings(embeddings) => &embeddings.model,
        }
    }

    /// The caller's wishes.
    pub fn route(&self) -> &Route<'a> {
        match self {
            Self::Chat(chat) => &chat.route,
            Self::Embeddings(embeddings) => &embeddings.route,
        }
    }

    /// What the model must be able to do.
    pub fn needs(&self) -> Needs {
        match self {
            Self::Chat(chat) => chat.needs,
            Self::Embeddings(embeddings) => embeddings.needs(),
        }
    }

    /// The documented members it has; none are told of embeddings.
    pub fn fields(&self) -> Fields {
        match self {
            Self::Chat(chat) => chat.fields,
            Self::Embeddings(_) => Fields::default(),
        }
    }

    /// Whether to answer event by event.
    pub fn stream(&self) -> bool {
        matches!(self, Self::Chat(chat) if chat.stream)
    }

    /// Whether the client wants to see usage in the stream.
    pub fn include_usage(&self) -> bool {
        matches!(self, Self::Chat(chat) if chat.include_usage)
    }

    /// The `stream_options` for an OpenAI-protocol provider.
    pub fn stream_options(&self) -> Option<String> {
        match self {
            Self::Chat(chat) => chat.stream_options(),
            Self::Embeddings(_) => None,
        }
    }

    /// The tokens that must fit a context window together: prompt and answer, or the longest input.
    pub fn context_tokens(&self) -> u64 {
        match self {
            Self::Chat(chat) => chat.prompt_tokens.saturating_add(chat.max_output.unwrap_or(1)),
            Self::Embeddings(embeddings) => embeddings.longest_input_tokens,
        }
    }

    /// Vector length asked for.
    pub fn dimensions(&self) -> Option<u64> {
        match self {
            Self::Chat(_) => None,
            Self::Embeddings(embeddings) => embeddings.dimensions,
        }
    }

    /// Bytes of the vectors in the answer, about, by a model with vectors of this length.
    pub fn vectors_bytes(&self, dimensions: Option<u32>) -> Option<u64> {
        match self {
            Self::Chat(_) => None,
            Self::Embeddings(embeddings) => embeddings.answer_bytes(dimensions.map(u64::from)),
        }
    }

    /// What its price depends on.
    pub fn demand(&self) -> Demand {
        match self {
            Self::Chat(chat) => Demand {
                prompt_tokens: chat.prompt_tokens,
                prompt_tokens_at_most: chat.prompt_tokens_bound,
                max_output: chat.max_output,
                choices: chat.n,
            },
            Self::Embeddings(embeddings) => Demand {
                prompt_tokens: embeddings.prompt_tokens,
                prompt_tokens_at_most: embeddings.prompt_tokens_at_most,
                max_output: None,
                choices: 1,
            },
        }
    }

    /// The whole body.
    pub fn text(&self) -> &'a str {
        match self {
            Self::Chat(chat) => chat.text,
            Self::Embeddings(embeddings) => embeddings.text,
        }
    }

    /// How large it is.
    pub fn counts(&self) -> Counts {
        match self {
            Self::Chat(chat) => Counts {
                prompt_bytes: chat.prompt_bytes,
                messages: chat.messages,
                tools: chat.tools,
                n: chat.n,
                max_tokens: chat.max_output,
            },
            Self::Embeddings(embeddings) => {
                Counts { prompt_bytes: embeddings.text_bytes, messages: embeddings.inputs, tools: 0, n: 1, max_tokens: Some(0) }
            }
        }
    }

    /// How to take our own members out of the body: the bytes that replace its first `usize` bytes.
    /// Nothing behind the last cut has to be touched.
    pub fn bare(&self) -> (usize, Cow<'a, [u8]>) {
        match self {
            Self::Chat(chat) => chat.bare(chat.text.as_bytes()),
            Self::Embeddings(embeddings) => embeddings.bare(embeddings.text.as_bytes()),
        }
    }
}
