//! Google's Gemini protocol, `generateContent` (<https://ai.google.dev/api/generate-content>), as the
//! Gemini API speaks it; [`vertex`](super::vertex) has the few things in which Vertex AI differs.
//!
//! Texts are never decoded: a string literal of the caller's body goes into the provider's as it is
//! written, and back. What the protocol has no equivalent for is refused where leaving it out would
//! change the meaning, and otherwise left out and listed.

mod candidate;
mod citation;
mod conversation;
mod ending;
mod failure;
mod generation;
mod logprobs;
mod parameters;
mod part;
mod request;
mod resource;
mod response;
mod schema;
mod stream;
mod tools;
mod treatment;
mod usage;

use std::borrow::Cow;

use super::codec::{Answer, Call, Codec, Envelope, Failed, Fault, RequestBody, StreamCodec, Treatment};
use crate::framing::Framing;
use crate::openai::{Endpoint, Fields, Needs, Usage};

/// `POST /v1beta/models/{model}:generateContent`.
pub struct Gemini;

/// Where the protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// <https://ai.google.dev/api>
    GeminiApi,
    /// <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>
    VertexAi,
}

impl Codec for Gemini {
    fn path(&self, _: &str, call: &Call<'_>) -> Cow<'static, str> {
        resource::gemini_api(call).into()
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        lacks(needs)
    }

    fn treatments(&self) -> &'static [(&'static str, Treatment)] {
        treatment::GEMINI_API
    }

    fn body(&self, _: &Call<'_>) -> RequestBody {
        RequestBody::Translate
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        request::translate(Service::GeminiApi, call, body)
    }

    fn response(&self, _: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        response::translate(envelope, body)
    }

    fn billed(&self, body: &[u8]) -> Option<Usage> {
        response::billed(body)
    }

    fn framing(&self, content_type: &str) -> Option<Framing> {
        framing(content_type)
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Box::new(stream::Stream::default())
    }

    fn failed(&self, status: u16, body: &[u8]) -> Failed {
        failure::read(status, body)
    }
}

pub(super) use failure::read as failed;
pub(super) use request::translate as request;
pub(super) use resource::vertex_ai as vertex_resource;
pub(super) use response::{billed, translate as response};
pub(super) use treatment::VERTEX_AI as VERTEX_TREATMENTS;

/// A streamed answer of the protocol.
pub(super) fn stream() -> Box<dyn StreamCodec> {
    Box::new(stream::Stream::default())
}

/// Members that it would be wrong to leave out.
const REFUSED: Fields = Fields::of(&["audio", "function_call", "modalities", "moderation", "web_search_options"]);

pub(super) fn lacks(needs: &Needs) -> Option<&'static str> {
    let kinds = [
        (needs.embeddings, "embeddings"),
        (needs.several_choices, "n"),
        (needs.functions, "functions"),
        (needs.custom_tools, "custom tools"),
        (needs.remote_images, "image_url (web)"),
    ];
    kinds.into_iter().find_map(|(needed, name)| needed.then_some(name)).or_else(|| needs.asked.first_common(REFUSED))
}

/// With `alt=sse` a stream is events; where something on the way has lost the query, it is an array.
pub(super) fn framing(content_type: &str) -> Option<Framing> {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "text/event-stream" => Some(Framing::ServerSentEvents),
        "application/json" => Some(Framing::JsonArray),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_has_no_words_for_is_named() {
        let none = Needs::default();
        for (needs, expected) in [
            (none, None),
            (Needs { tools: true, vision: true, audio: true, files: true, json_schema: true, ..none }, None),
            (Needs { embeddings: true, ..none }, Some("embeddings")),
            (Needs { several_choices: true, ..none }, Some("n")),
            (Needs { functions: true, ..none }, Some("functions")),
            (Needs { custom_tools: true, ..none }, Some("custom tools")),
            (Needs { remote_images: true, ..none }, Some("image_url (web)")),
            (Needs { asked: Fields::of(&["seed", "web_search_options"]), ..none }, Some("web_search_options")),
            (Needs { asked: Fields::of(&["seed", "logprobs", "top_logprobs", "stop"]), ..none }, None),
        ] {
            assert_eq!(lacks(&needs), expected, "{needs:?}");
        }
    }

    #[test]
    fn streams_are_events_or_an_array() {
        for (content_type, expected) in [
            ("text/event-stream", Some(Framing::ServerSentEvents)),
            ("application/json; charset=utf-8", Some(Framing::JsonArray)),
            ("application/json", Some(Framing::JsonArray)),
            ("application/jsonl", None),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(framing(content_type), expected, "{content_type}");
        }
    }
}
