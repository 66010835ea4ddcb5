//! The seam between the HTTP server and a wire protocol, and the table of protocols there are.

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};

use crate::behaviour::Behaviour;
use crate::completion::{Ask, Completion};
use crate::identity::Identity;
use crate::openai;

/// A provider's wire form. Implementations hold no state: everything comes in as an argument.
pub(crate) trait Protocol: std::fmt::Debug + Send + Sync {
    /// The name in `--provider NAME=PROTOCOL@ADDRESS`.
    fn name(&self) -> &'static str;

    /// What is served at a path, or the provider's 404 or 405.
    fn endpoint(&self, method: &Method, path: &str) -> Result<Endpoint, Refusal>;

    /// Checks the query of the path, which most do not have.
    fn query(&self, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    /// Checks the credential header.
    fn authenticate(&self, headers: &HeaderMap, expected: &str) -> Result<(), Refusal>;

    /// Checks headers and body against the documented schema and reads what is asked; some say part of it in the path.
    fn read(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Ask, Refusal>;

    /// Whether a path alone asks for a stream; elsewhere the body says so.
    fn streams(&self, _path: &str) -> bool {
        false
    }

    /// The content type of a stream.
    fn stream_content_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// The JSON body of an answer.
    fn whole(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Bytes;

    /// Checks a request for embeddings and answers it. A protocol without them need not know of it.
    fn embeddings(&self, _: &HeaderMap, _: &[u8], _: &Behaviour) -> Result<Bytes, Refusal> {
        Err(self.failure(StatusCode::NOT_FOUND))
    }

    /// The events of an answer.
    fn events(&self, ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event>;

    /// The provider's typical error of a status.
    fn failure(&self, status: StatusCode) -> Refusal;

    /// The JSON body of an error.
    fn refusal_body(&self, refusal: &Refusal, identity: &Identity) -> Bytes;

    /// The headers in which an error is named, for protocols that do so.
    fn refusal_headers(&self, _: &Refusal, _: &mut HeaderMap) {}

    /// The event of an error inside a stream.
    fn in_band_error(&self, identity: &Identity) -> Bytes;

    /// The headers every response of the provider carries, content type aside.
    fn headers(&self, identity: &Identity) -> HeaderMap;
}

/// What a request is for.
#[derive(Debug)]
pub(crate) enum Endpoint {
    Completion,
    Embeddings,
    /// A fixed JSON document.
    Document(Bytes),
}

/// An error a provider answers with.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

/// One event, ready to write, and its place in the stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) part: Part,
    pub(crate) bytes: Bytes,
}

/// Where in a stream an event stands; faults cut by it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// The role chunk, `message_start`.
    Preamble,
    /// Events that frame content without being any: block starts, pings.
    Framing,
    /// What `after_chunks` counts and `chunk_interval_ms` paces.
    Content,
    /// Finish reason, usage, terminator.
    Closing,
}

static PROTOCOLS: [&dyn Protocol; 14] = [
    &openai::OPENAI,
    &crate::anthropic::Anthropic,
    &openai::AZURE,
    &openai::DEEPSEEK,
    &openai::GROQ,
    &openai::OPENROUTER,
    &openai::PERPLEXITY,
    &openai::XAI,
    &crate::anthropic::vertex::VertexAnthropic,
    &crate::gemini::GEMINI_API,
    &crate::gemini::VERTEX_AI,
    &crate::bedrock::Bedrock,
    &crate::cohere::Cohere,
    &crate::mistral::Mistral,
];

pub(crate) fn by_name(name: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.into_iter().find(|protocol| protocol.name() == name)
}

pub(crate) fn names() -> Vec<&'static str> {
    PROTOCOLS.iter().map(|protocol| protocol.name()).collect()
}
