//! A chat completion request becomes Cohere's (<https://docs.cohere.com/v2/reference/chat>).

use super::conversation::Conversation;
use super::{parameters, tools};
use crate::openai::members::encode;
use crate::provider::translate::Path;
use crate::provider::translate::parameters::{is_neutral, member};
use crate::provider::translate::request::Request;
use crate::provider::{Call, Failed};

/// Members that are translated. `model` and `stream` are known from the call, and `stream_options`
/// has no meaning here.
const TRANSLATED: [&str; 20] = [
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
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "seed",
    "reasoning_effort",
];

/// Room for what is added; the conversation stays about as long as it is.
const GROWTH: usize = 1024;

/// The provider's body and the list of changes.
pub(super) fn translate(call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let Request { members: body_object, messages } = Request::read(body)?;
    if body_object.find("n").is_some_and(|n| n != "1") {
        return Err(Path::root("n").unsupported("this model's provider gives one answer"));
    }
    let mut out = Vec::with_capacity(body.len() + body.len() / 16 + GROWTH);
    out.extend_from_slice(br#"{"model":"#);
    encode(call.model, &mut out);
    out.extend_from_slice(br#","messages":"#);
    let Conversation { mut out, mut adjustments, .. } = Conversation::translate(out, messages?, parameters::thinks(call.model))?;
    tools::write(&body_object, &mut adjustments, &mut out)?;
    parameters::write(&body_object, &mut adjustments, &mut out)?;
    parameters::format(&body_object, &mut adjustments, &mut out)?;
    parameters::thinking(&body_object, call.model, &mut adjustments, &mut out)?;
    // The reference demands it.
    member("stream", if call.stream { "true" } else { "false" }, &mut out);
    for (name, value) in body_object.others(&TRANSLATED) {
        if !is_neutral(name, value) {
            adjustments.dropped("", name);
        }
    }
    out.push(b'}');
    Ok((out, adjustments.into_list()))
}

#[cfg(test)]
mod tests;
