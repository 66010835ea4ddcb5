//! A chat completion request becomes a request to generate content
//! (<https://ai.google.dev/api/generate-content#request-body>).

use super::Service;
use super::conversation::{Conversation, Place};
use super::generation::Generation;
use super::parameters::{self, Format};
use super::part;
use super::tools;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Object, write_dense};
use crate::provider::translate::parameters::is_neutral;
use crate::provider::translate::request::Request;
use crate::provider::{Call, Failed};

/// Members that are translated. `model` and `stream` are in the path, `stream_options` has no meaning
/// here, and one answer is what both give by default.
const TRANSLATED: [&str; 23] = [
    "model",
    "stream",
    "stream_options",
    "n",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "stop",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "response_format",
    "service_tier",
    "metadata",
];

/// Room for what is added.
const GROWTH: usize = 1024;

/// The provider's body and the list of changes.
pub(in crate::provider) fn translate(service: Service, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let Request { members: body_object, messages } = Request::read(body)?;
    if body_object.find("n").is_some_and(|n| n != "1") {
        return Err(Path::root("n").unsupported("this model's provider gives one answer"));
    }
    let generation = Generation::of(call.model);
    let mut out = Vec::with_capacity(body.len() + body.len() / 8 + GROWTH);
    out.extend_from_slice(br#"{"contents":"#);
    let mut conversation = Conversation::translate(out, service, generation, messages?)?;
    let mut format = parameters::format(&body_object, &mut conversation.adjustments)?;
    let mut tools = Vec::new();
    let has_tools = tools::write(&body_object, &mut conversation.adjustments, &mut tools)?;
    if has_tools && format != Format::Text && !generation.formats_with_tools() {
        ask_in_words(&mut conversation, core::mem::replace(&mut format, Format::Text));
    }
    let Conversation { mut out, system, mut adjustments, .. } = conversation;
    if !system.is_empty() {
        out.extend_from_slice(br#","systemInstruction":{"parts":["#);
        out.extend_from_slice(&system);
        out.extend_from_slice(b"]}");
    }
    out.append(&mut tools);
    generation_config(call, &body_object, generation, format, &mut adjustments, &mut out)?;
    parameters::service_tier(&body_object, service, &mut adjustments, &mut out);
    parameters::metadata(&body_object, service, &mut adjustments, &mut out)?;
    out.push(b'}');
    for (name, _) in body_object.others(&TRANSLATED).filter(|(name, value)| !is_neutral(name, value)) {
        adjustments.dropped("", name);
    }
    Ok((out, adjustments.into_list()))
}

fn generation_config(
    call: &Call<'_>,
    body: &Object<'_>,
    generation: Generation,
    format: Format<'_>,
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let mut config = Vec::new();
    parameters::max_tokens(body, call.max_output, adjustments, &mut config)?;
    parameters::sampling(body, generation, adjustments, &mut config)?;
    parameters::stop_sequences(body, &mut config)?;
    parameters::logprobs(body, &mut config)?;
    parameters::thinking(body, generation, adjustments, &mut config)?;
    parameters::response(format, adjustments, &mut config);
    if let Some((_, members)) = config.split_first() {
        out.extend_from_slice(br#","generationConfig":{"#);
        out.extend_from_slice(members);
        out.push(b'}');
    }
    Ok(())
}

/// Puts the format into the system instruction: before Gemini 3, a format and tools together are refused.
fn ask_in_words(conversation: &mut Conversation<'_>, format: Format<'_>) {
    let mut words =
        b"When you do not call a function, answer with a single JSON value and nothing else: no introduction, no code fence.".to_vec();
    if let Format::Schema(schema) = format {
        words.extend_from_slice(b" It has to match this JSON schema: ");
        let mut literal = Vec::with_capacity(schema.len() + 64);
        write_dense(schema, &mut literal);
        words.extend_from_slice(literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default());
    }
    // A schema and a sentence of ours are text.
    part::text(conversation, Place::System, core::str::from_utf8(&words).unwrap_or_default(), None);
    conversation.adjustments.note("response_format asked for in the system prompt, which this model wants where there are tools");
}

#[cfg(test)]
mod tests;
