//! Amazon Bedrock's Converse protocol
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and
//! `ConverseStream`): one form for every vendor's models; what only some of them take goes beside it,
//! in `additionalModelRequestFields`.
//!
//! Shapes are those of the service's own model, which botocore ships as
//! `bedrock-runtime/2023-09-30/service-2.json`. Texts are never decoded: a string literal of the
//! caller's body goes into the provider's as it is written, and back.

mod citations;
mod conversation;
mod failure;
mod family;
mod parameters;
mod part;
mod reasoning;
mod request;
mod response;
mod stream;
mod thinking;
mod tools;
mod treatments;

use core::fmt::Write as _;
use std::borrow::Cow;

use super::codec::{Answer, Call, Codec, Envelope, Failed, Fault, Place, RequestBody, StreamCodec, Treatment, Unsaid};
use crate::framing::Framing;
use crate::openai::{Endpoint, Needs, Usage};
use crate::provider::translate::json::Object;

/// `POST /model/{modelId}/converse` and `…/converse-stream`.
pub struct Bedrock;

impl Codec for Bedrock {
    /// <https://docs.aws.amazon.com/general/latest/gr/bedrock.html>.
    fn base_url(&self, place: &Place<'_>) -> Result<String, Unsaid> {
        let region = place.region.ok_or(Unsaid("region"))?;
        Ok(format!("https://bedrock-runtime.{region}.amazonaws.com"))
    }

    /// The model is one segment of the path, encoded as Amazon's SDKs do: also the colon of versions
    /// and the slashes of ARNs. A signature is made over this path, encoded once more.
    fn path(&self, base_path: &str, call: &Call<'_>) -> Cow<'static, str> {
        let mut path = String::with_capacity(base_path.len() + call.model.len() + 32);
        path.push_str(base_path);
        path.push_str("/model/");
        for byte in call.model.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
                // Writing to a String cannot fail.
                _ => drop(write!(path, "%{byte:02X}")),
            }
        }
        path.push_str(if call.stream { "/converse-stream" } else { "/converse" });
        Cow::Owned(path)
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        treatments::lacks(needs)
    }

    fn treatments(&self) -> &'static [(&'static str, Treatment)] {
        treatments::TABLE
    }

    fn body(&self, _: &Call<'_>) -> RequestBody {
        RequestBody::Translate
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        request::translate(call, body)
    }

    fn response(&self, _: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        response::translate(envelope, body)
    }

    fn billed(&self, body: &[u8]) -> Option<Usage> {
        response::usage(&Object::read(core::str::from_utf8(body).ok()?)?.object("usage")?)
    }

    fn framing(&self, content_type: &str) -> Option<Framing> {
        content_type.starts_with("application/vnd.amazon.eventstream").then_some(Framing::EventStream)
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Box::new(stream::Stream::default())
    }

    fn failed(&self, status: u16, body: &[u8]) -> Failed {
        failure::read(status, body)
    }
}

/// OpenAI's `finish_reason` for a `stopReason`
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_MessageStopEvent.html>), or
/// the fault that it is.
fn finish_reason(stop_reason: &str, has_calls: bool) -> Result<&'static str, Fault> {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => Ok("length"),
        "guardrail_intervened" | "content_filtered" => Ok("content_filter"),
        // The model wrote what Bedrock cannot read: another candidate may do better.
        "malformed_model_output" | "malformed_tool_use" => Err(Fault::InBand(stop_reason.to_owned())),
        // tool_use, end_turn, stop_sequence, and what is invented tomorrow: clients look for calls
        // when, and only when, they are told so.
        _ if has_calls => Ok("tool_calls"),
        _ => Ok("stop"),
    }
}

/// Whether an answer may end like this without having said anything.
fn may_be_empty(stop_reason: &str) -> bool {
    matches!(stop_reason, "max_tokens" | "model_context_window_exceeded" | "stop_sequence" | "guardrail_intervened" | "content_filtered")
}

#[cfg(test)]
mod tests;
