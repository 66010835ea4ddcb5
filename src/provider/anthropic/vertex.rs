//! Claude on Google Cloud: the same messages at another place
//! (<https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>). The model is in the path, the
//! version in the body, and images have to be in the request.

use core::fmt::Write as _;
use std::borrow::Cow;

use super::request::{self, Host};
use super::{Anthropic, failure, treatment};
use crate::openai::{Endpoint, Needs, Usage};
use crate::provider::codec::{Answer, Call, Codec, Envelope, Failed, Fault, Place, RequestBody, StreamCodec, Treatment, Unsaid};
use crate::provider::vertex;

/// `anthropic_version`, the one that takes what Anthropic's own `2023-06-01` does.
pub(super) const VERSION: &str = "vertex-2023-10-16";

/// `POST …/publishers/anthropic/models/{model}:rawPredict`, and `:streamRawPredict`.
pub struct VertexAnthropic;

/// A model's name as a segment of a path, without what may stand before it:
/// `publishers/anthropic/models/claude-sonnet-4-5@20250929`.
pub(super) fn segment(model: &str) -> String {
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' | b'@' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

impl Codec for VertexAnthropic {
    fn base_url(&self, place: &Place<'_>) -> Result<String, Unsaid> {
        vertex::base_url(place)
    }

    fn base_path(&self, place: &Place<'_>) -> Result<String, Unsaid> {
        vertex::base_path(place)
    }

    fn path(&self, _: &str, call: &Call<'_>) -> Cow<'static, str> {
        let method = if call.stream { "streamRawPredict" } else { "rawPredict" };
        Cow::Owned(format!("/publishers/anthropic/models/{}:{method}", segment(call.model)))
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        treatment::lacks(needs).or(needs.remote_images.then_some("image_url (web)"))
    }

    fn treatments(&self) -> &'static [(&'static str, Treatment)] {
        treatment::VERTEX
    }

    fn body(&self, _: &Call<'_>) -> RequestBody {
        RequestBody::Translate
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        request::translate(Host::Vertex, call, body)
    }

    fn response(&self, endpoint: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        Anthropic.response(endpoint, envelope, body)
    }

    fn billed(&self, body: &[u8]) -> Option<Usage> {
        Anthropic.billed(body)
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Anthropic.stream()
    }

    fn failed(&self, status: u16, body: &[u8]) -> Failed {
        failure::read(status, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Fields;

    fn place<'a>(project: Option<&'a str>, location: Option<&'a str>) -> Place<'a> {
        Place { path: "/v1", project, location, ..Place::default() }
    }

    fn call(model: &str, stream: bool) -> Call<'_> {
        Call { endpoint: Endpoint::Chat, model, stream, stream_options: None, max_output: 100, fields: Fields::default() }
    }

    #[test]
    fn a_call_goes_to_the_project_and_its_location() {
        assert_eq!(
            VertexAnthropic.base_path(&place(Some("my-project"), Some("global"))).as_deref(),
            Ok("/v1/projects/my-project/locations/global")
        );
        assert_eq!(VertexAnthropic.base_path(&place(None, Some("global"))), Err(Unsaid("project")));
        assert_eq!(VertexAnthropic.base_path(&place(Some("p"), None)), Err(Unsaid("location")));
    }

    #[test]
    fn every_form_of_a_models_name_leads_to_its_path() {
        for (model, stream, path) in [
            ("claude-sonnet-4-5@20250929", false, "/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict"),
            ("publishers/anthropic/models/claude-opus-5", true, "/publishers/anthropic/models/claude-opus-5:streamRawPredict"),
            ("claude x?y", false, "/publishers/anthropic/models/claude%20x%3Fy:rawPredict"),
        ] {
            assert_eq!(VertexAnthropic.path("", &call(model, stream)), path);
        }
    }

    #[test]
    fn the_body_has_the_version_and_not_the_model() {
        let body = r#"{"messages":[{"role":"user","content":"hi"}],"service_tier":"flex"}"#;
        let (out, changes) = VertexAnthropic.request(&call("claude-sonnet-4-5", true), body).expect("a body");
        let expected = r#"{"anthropic_version":"vertex-2023-10-16","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"max_tokens":100,"stream":true}"#;
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
        assert_eq!(changes, ["dropped service_tier"]);
    }

    #[test]
    fn images_of_the_web_are_not_fetched() {
        let needs = Needs { vision: true, remote_images: true, ..Needs::default() };
        assert_eq!((VertexAnthropic.lacks(&needs), Anthropic.lacks(&needs)), (Some("image_url (web)"), None));
    }
}
