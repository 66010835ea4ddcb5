//! A chat completion request becomes Mistral's (<https://docs.mistral.ai/api/#tag/chat>).

use super::conversation::Conversation;
use super::{parameters, tools};
use crate::openai::members::encode;
use crate::provider::translate::parameters::{is_neutral, member};
use crate::provider::translate::request::Request;
use crate::provider::{Call, Failed};

/// Members that are translated. `model` and `stream` are known from the call, and usage comes in
/// every stream without `stream_options`.
const TRANSLATED: [&str; 18] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "response_format",
    "top_p",
    "stop",
    "seed",
    "reasoning_effort",
    "service_tier",
    "prediction",
];

/// Room for what is added; the conversation stays about as long as it is.
const GROWTH: usize = 1024;

/// The provider's body and the list of changes.
pub(super) fn translate(call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let Request { members: body_object, messages } = Request::read(body)?;
    let mut out = Vec::with_capacity(body.len() + body.len() / 16 + GROWTH);
    out.extend_from_slice(br#"{"model":"#);
    encode(call.model, &mut out);
    out.extend_from_slice(br#","messages":"#);
    let Conversation { mut out, mut adjustments, .. } = Conversation::translate(out, messages?, parameters::thinks(call.model))?;
    tools::write(&body_object, &mut adjustments, &mut out)?;
    parameters::write(&body_object, &mut adjustments, &mut out)?;
    parameters::format(&body_object, &mut adjustments, &mut out)?;
    parameters::thinking(&body_object, call.model, &mut adjustments, &mut out)?;
    parameters::prediction(&body_object, &mut out)?;
    if call.stream {
        member("stream", "true", &mut out);
    }
    for (name, value) in body_object.others(&TRANSLATED) {
        if !parameters::PASSED.contains(&name) && !is_neutral(name, value) {
            adjustments.dropped("", name);
        }
    }
    out.push(b'}');
    Ok((out, adjustments.into_list()))
}

#[cfg(test)]
mod tests;
