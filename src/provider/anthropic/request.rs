//! A chat completion request becomes a message request
//! (<https://platform.claude.com/docs/en/api/messages/create>).

use super::conversation::{Conversation, Ending};
use super::generation::Generation;
use super::parameters::{self, Circumstances, Format, Thinking};
use super::part::{self, Place};
use super::tools;
use super::wish::Wish;
use crate::openai::members::encode;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::Object;
use crate::provider::translate::parameters::member;
use crate::provider::translate::request::Request;
use crate::provider::{Call, Failed};

/// Members that are translated. `model` and `stream` are known from the call, `stream_options`
/// has no meaning here, and one answer is what both give by default.
const TRANSLATED: [&str; 20] = [
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
    "stop",
    "reasoning_effort",
    "response_format",
    "user",
    "safety_identifier",
    "metadata",
    "service_tier",
];

/// Values that say what would happen anyway: leaving them out changes nothing.
const NEUTRAL: [(&str, &[&str]); 7] = [
    ("presence_penalty", &["0", "0.0"]),
    ("frequency_penalty", &["0", "0.0"]),
    ("logit_bias", &["{}"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &["0"]),
    ("store", &["false"]),
    ("modalities", &[r#"["text"]"#]),
];

/// Stands for `response_format: {"type": "json_object"}`.
const JSON_ONLY: &str = "Answer with a single JSON object and nothing else: no introduction, no code fence.";

/// Room for what is added: the wrapping of a text in a turn and a block is about as long as
/// OpenAI's, so the body rarely grows.
const GROWTH: usize = 1024;

/// Whose API it is: what differs between the places that serve the same protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    /// Anthropic, and whoever speaks its protocol.
    Anthropic,
    /// Google Cloud, which has the model in the path and no tiers.
    Vertex,
}

/// The provider's body and the list of changes.
pub(super) fn translate(host: Host, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let Request { members: body_object, messages } = Request::read(body)?;
    let generation = Generation::of(call.model);
    let wish = Wish::read(&body_object)?;
    let mut out = Vec::with_capacity(body.len() + body.len() / 8 + GROWTH);
    match host {
        Host::Anthropic => {
            out.extend_from_slice(br#"{"model":"#);
            encode(call.model, &mut out);
        }
        Host::Vertex => {
            out.extend_from_slice(br#"{"anthropic_version":"#);
            encode(super::vertex::VERSION, &mut out);
        }
    }
    out.extend_from_slice(br#","messages":"#);
    let mut conversation = Conversation::translate(out, messages?, generation.continues())?;
    let format = parameters::format(&body_object, &mut conversation.adjustments)?;
    if format == Format::JsonObject {
        part::text(&mut conversation, Place::System, JSON_ONLY, None);
    }
    let has_tools = body_object.find("tools").is_some_and(|tools| tools.contains('{'));
    if let Some(words) = wish.in_words().filter(|_| has_tools && !generation.forces_tools()) {
        part::text(&mut conversation, Place::System, &words, None);
        conversation.adjustments.note("tool_choice asked for in the system prompt");
    }
    let Conversation { mut out, system, mut adjustments, called, ending, thought, .. } = conversation;
    if !system.is_empty() {
        out.extend_from_slice(br#","system":["#);
        out.extend_from_slice(&system);
        out.push(b']');
    }
    let known = Known { host, generation, wish: &wish, format, called: &called, ending, thought };
    parameters(call, &body_object, &known, &mut adjustments, &mut out)?;
    out.push(b'}');
    Ok((out, adjustments.into_list()))
}

/// What is known by the time the parameters are written.
struct Known<'r> {
    host: Host,
    generation: Generation,
    wish: &'r Wish<'r>,
    format: Format<'r>,
    called: &'r [&'r str],
    ending: Ending,
    thought: bool,
}

/// Appends everything that is not conversation.
fn parameters(
    call: &Call<'_>,
    body: &Object<'_>,
    known: &Known<'_>,
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let Known { host, generation, wish, format, called, ending, thought } = *known;
    if body.find("n").is_some_and(|n| n != "1") {
        return Err(Path::root("n").unsupported("this model's provider gives one answer"));
    }
    let max_tokens = parameters::max_tokens(body, call.max_output, adjustments)?;
    member("max_tokens", &max_tokens.to_string(), out);
    let has_tools = tools::write(body, generation, wish, called, adjustments, out)?;
    let forced = has_tools && wish.is_forced() && generation.forces_tools();
    let thinking = parameters::thinking(body, &Circumstances { generation, max_tokens, forced, ending, thought }, adjustments)?;
    let thinks = matches!(thinking, Thinking::Budget(_) | Thinking::Effort(_));
    parameters::sampling(body, generation, thinks, adjustments, out)?;
    parameters::stop_sequences(body, adjustments, out)?;
    let effort = parameters::write_thinking(thinking, generation, out);
    parameters::output_config(effort, format, adjustments, out);
    parameters::user(body, adjustments, out)?;
    match host {
        Host::Anthropic => parameters::service_tier(body, adjustments, out),
        Host::Vertex if body.find("service_tier").is_some_and(|tier| tier != r#""auto""#) => adjustments.dropped("", "service_tier"),
        Host::Vertex => {}
    }
    if call.stream {
        member("stream", "true", out);
    }
    for (name, _) in body.others(&TRANSLATED).filter(|(name, value)| !is_neutral(name, value)) {
        adjustments.dropped("", name);
    }
    Ok(())
}

fn is_neutral(name: &str, value: &str) -> bool {
    let says = |neutral: &&str| value.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(neutral.bytes());
    NEUTRAL.iter().any(|(member, values)| *member == name && values.iter().any(says))
}

#[cfg(test)]
mod tests;
