//! The contract between a wire protocol and the seat that carries it.

use std::borrow::Cow;

use super::classify::of_name;
use crate::framing::{Event, Framing};
use crate::openai::{Endpoint, Fields, Needs, Usage};

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
    /// The documented members that the body has.
    pub fields: Fields,
}

/// Where a provider is, as the operator's file says it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// Path of the base URL, without a trailing slash: `/v1`, or empty.
    pub path: &'a str,
    /// `api_version`
    pub api_version: Option<&'a str>,
    /// `project`
    pub project: Option<&'a str>,
    /// `location`
    pub location: Option<&'a str>,
    /// `region`
    pub region: Option<&'a str>,
}

/// A setting without which a provider cannot be reached: its name in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsaid(pub &'static str);

/// What becomes of a member of the caller's request, by the table of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Goes through as it is.
    Passed,
    /// Becomes something of the provider's own, said in a few words.
    Mapped(&'static str),
    /// Left out and listed in `routing.adjustments`.
    Dropped,
    /// A candidate of this protocol is not asked.
    Refused,
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
    /// What the call costs, once it is known what was used.
    pub bill: Option<&'a dyn Bill>,
}

/// Knows what a call costs.
pub trait Bill: core::fmt::Debug {
    /// The price of all that the call has used, if this is what its last attempt did; US dollars as JSON writes a number.
    fn cost_usd(&self, usage: &Usage) -> String;
}

impl Envelope<'_> {
    /// The `routing` object of a whole answer.
    pub fn routing_with(&self, usage: Option<&Usage>) -> Cow<'_, str> {
        match (self.bill, usage, self.routing.strip_suffix('}')) {
            (Some(bill), Some(usage), Some(open)) => [open, r#","cost_usd":"#, &bill.cost_usd(usage), "}"].concat().into(),
            _ => self.routing.into(),
        }
    }

    /// The `routing` of the chunk that tells what was used, which has no more to say than what that cost.
    pub fn routing_of_usage(&self, usage: Option<&Usage>) -> Option<String> {
        Some([r#"{"cost_usd":"#, &self.bill?.cost_usd(usage?), "}"].concat())
    }
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

impl Fault {
    /// Whose fault a reported error is, by the name the provider gives it.
    pub fn class(&self) -> Option<Class> {
        match self {
            Self::InBand(name) => Some(of_name(name).unwrap_or(Class::Unavailable)),
            Self::Malformed => None,
        }
    }
}

/// Whose fault a refusal is, and so whether another candidate could do better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The request is wrong; every provider would say so.
    Caller,
    /// Our key, our account, our name of the model.
    Credentials,
    /// Too many requests or tokens, for us.
    RateLimited,
    /// Too many requests, for the provider.
    Overloaded,
    /// The conversation is longer than the model's window: a larger one may do.
    ContextTooLong,
    /// The provider's policy on contents refuses it.
    ContentPolicy,
    /// Anything else that is not an answer.
    Unavailable,
}

impl Class {
    /// As `routing.attempts` and the access log name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Credentials => "credentials",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ContextTooLong => "context_too_long",
            Self::ContentPolicy => "content_policy",
            Self::Unavailable => "unavailable",
        }
    }

    /// What a status alone says, for a body that says no more.
    pub const fn of_status(status: u16) -> Self {
        match status {
            400 | 413 | 422 => Self::Caller,
            401..=404 | 407 => Self::Credentials,
            429 => Self::RateLimited,
            503 | 529 => Self::Overloaded,
            _ => Self::Unavailable,
        }
    }
}

/// A failed request as the provider described it, sanitised for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Whose fault it is.
    pub class: Class,
    /// Provider's message without keys, hosts and account ids.
    pub message: String,
    /// OpenAI's `param`, if the provider named one.
    pub param: Option<String>,
    /// OpenAI's `code`, if the provider named one.
    pub code: Option<String>,
}

impl Failed {
    /// A request that is the caller's own fault.
    pub fn caller(message: impl Into<String>) -> Self {
        Self { class: Class::Caller, message: message.into(), param: None, code: None }
    }
}

/// One wire protocol.
pub trait Codec: Sync {
    /// Where the provider is if the file gives no `base_url` and the row of the registry none.
    fn base_url(&self, _: &Place<'_>) -> Result<String, Unsaid> {
        Err(Unsaid("base_url"))
    }

    /// What stands before the paths of all calls, made from the base URL's path and the file's other
    /// settings; may end in a query that all calls carry.
    fn base_path(&self, place: &Place<'_>) -> Result<String, Unsaid> {
        Ok(place.path.to_owned())
    }

    /// Where a call goes, below `base_path` without its query; begins with a slash, and may have a query
    /// of its own.
    fn path(&self, base_path: &str, call: &Call<'_>) -> Cow<'static, str>;

    /// Headers of the protocol, other than credentials.
    fn headers(&self) -> &'static [(&'static str, &'static str)];

    /// A need of a request for which the protocol has no words, whatever the model, or a documented
    /// member that it would be wrong to leave out; such a candidate is not asked. Called for every
    /// candidate of every call.
    fn lacks(&self, needs: &Needs) -> Option<&'static str>;

    /// What becomes of each documented member and kind of content, for the documentation; a test
    /// holds [`request`](Self::request) and [`lacks`](Self::lacks) to it. What is not in it passes.
    fn treatments(&self) -> &'static [(&'static str, Treatment)];

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

    /// How a streamed answer of this `content-type` (lower case, parameters included) is cut into
    /// events; `None` if it is no stream.
    fn framing(&self, content_type: &str) -> Option<Framing> {
        content_type.starts_with("text/event-stream").then_some(Framing::ServerSentEvents)
    }

    /// Begins a streamed answer.
    fn stream(&self) -> Box<dyn StreamCodec>;

    /// Reads the body of an answer of 400 or more: whose fault it is, and what to tell the caller.
    fn failed(&self, status: u16, body: &[u8]) -> Failed;
}

/// One streamed answer on its way to the client.
pub trait StreamCodec {
    /// Takes one event and appends what the client gets for it, complete `data: …\n\n` events, to `out`.
    /// The first chunk appended carries `routing`.
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault>;

    /// The provider's body ended. Appends what a complete answer still lacks (`[DONE]`), or says
    /// that the stream was cut.
    fn end(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault>;

    /// What was used, as far as the provider has said; what has been written since is estimated.
    fn usage(&self) -> Option<Usage>;

    /// Bytes of text, reasoning and tool calls so far, as they are written in JSON. When a stream is
    /// cut, that is all there is to estimate the answer's tokens from: by then `usage` knows nothing,
    /// or the prompt and the first token.
    fn produced(&self) -> u64;
}
