//! The contract between a wire protocol and the seat that carries it.

use crate::openai::{Endpoint, Needs, Usage};
use crate::sse::Event;

/// What a codec needs to know of a call, besides its body.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// The provider's own name of the model.
    pub model: &'a str,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The `stream_options` to send to an OpenAI-protocol provider (usage always on); `None` when not streaming.
    pub stream_options: Option<&'a str>,
    /// Longest answer of the model in tokens, for protocols that demand a bound.
    pub max_output: u64,
}

/// How a request body becomes the provider's.
#[derive(Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// The opening brace is replaced by these bytes and the rest goes through untouched.
    Head(Vec<u8>),
    /// The whole body has to be read and translated by [`Codec::request`].
    Translate,
}

/// What stands around every answer, whoever gave it.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// `nrc_…`, the id of the call.
    pub id: &'a str,
    /// The served model's id in the catalogue.
    pub model: &'a str,
    /// Unix seconds, for protocols that give none.
    pub created: u64,
    /// The `routing` object as JSON, for the answer or the first chunk.
    pub routing: &'a str,
    /// Whether the client asked for usage in the stream.
    pub include_usage: bool,
}

/// A whole answer in OpenAI's schema.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// JSON of a chat completion, or of a list of embeddings, `routing` included.
    pub body: Vec<u8>,
    /// What was used, if the provider said so.
    pub usage: Option<Usage>,
    /// Roughly how many bytes the model has written, to estimate its tokens where the provider does
    /// not say; none for embeddings.
    pub produced: u64,
}

/// What a stream event meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing of the answer yet: role, ping, an empty delta. Another candidate could still take over.
    Preamble,
    /// Part of the answer, or its end.
    Content,
    /// The answer is complete; whatever follows is ignored.
    Done,
}

/// Why an answer cannot be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The provider reported an error inside a 200; `overloaded`, `rate_limit_error`, … as it called it.
    InBand(String),
    /// Not the protocol: empty, truncated, not JSON, not an answer.
    Malformed,
}

/// A failed request as the provider described it, sanitised for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Provider's message without keys, hosts and account ids.
    pub message: String,
    /// OpenAI's `param`, if the provider named one.
    pub param: Option<String>,
    /// OpenAI's `code`, if the provider named one.
    pub code: Option<String>,
}

/// One wire protocol.
pub trait Codec: Sync {
    /// Where a call goes, below the provider's base path; begins with a slash.
    fn path(&self, call: &Call<'_>) -> &'static str;

    /// Headers of the protocol, other than credentials.
    fn headers(&self) -> &'static [(&'static str, &'static str)];

    /// A need of a request for which the protocol has no words, whatever the model; such a
    /// candidate is not asked.
    fn lacks(&self, needs: &Needs) -> Option<&'static str>;

    /// How the body gets there.
    fn body(&self, call: &Call<'_>) -> RequestBody;

    /// Translates a body the client sent (a JSON object in OpenAI's schema of the endpoint without `model`,
    /// `route` and `stream_options`, already known to be well-formed). Returns the provider's body
    /// and what was changed or dropped, for `routing.adjustments`. The error is the caller's fault
    /// and says which parameter.
    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed>;

    /// Translates a whole answer of a 2xx. Is not given what it [`lacks`](Self::lacks).
    fn response(&self, endpoint: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault>;

    /// What the provider charges for a 2xx that is no answer, if it says so.
    fn billed(&self, body: &[u8]) -> Option<Usage>;

    /// Begins a streamed answer.
    fn stream(&self) -> Box<dyn StreamCodec>;

    /// Reads the body of a non-2xx that is the caller's own fault.
    fn failed(&self, body: &[u8]) -> Failed;
}

/// One streamed answer on its way to the client.
pub trait StreamCodec {
    /// Takes one event and appends what the client gets for it, complete `data: …\n\n` events, to `out`.
    /// The first chunk appended carries `routing`.
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault>;

    /// The provider's body ended. Appends what a complete answer still lacks (`[DONE]`), or says
    /// that the stream was cut.
    fn end(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault>;

    /// What was used, as far as the provider has said.
    fn usage(&self) -> Option<Usage>;

    /// Bytes of text, reasoning and tool calls so far, as they are written in JSON. When a stream is
    /// cut, that is all there is to estimate the answer's tokens from: by then `usage` knows nothing,
    /// or the prompt and the first token.
    fn produced(&self) -> u64;
}
