//! A chat completion request becomes a Converse request
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>).

use super::conversation::Conversation;
use super::family::Family;
use super::parameters::{self, Format};
use super::part::{self, Place};
use super::reasoning::{self, Circumstances};
use super::tools::Plan;
use crate::provider::translate::Path;
use crate::provider::translate::parameters::{is_neutral, member};
use crate::provider::translate::request::Request;
use crate::provider::{Call, Failed};

/// Members that are translated. `model` and `stream` are in the path, `stream_options` has no meaning
/// here, and one answer is what both give by default.
const TRANSLATED: [&str; 18] = [
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
    "metadata",
    "service_tier",
];

/// Stands for `response_format: {"type": "json_object"}`.
const JSON_ONLY: &str = "Answer with a single JSON object and nothing else: no introduction, no code fence.";

/// Stands for `tool_choice: "none"` where the conversation has calls.
const NO_TOOLS: &str = "Answer without calling any tool.";

/// Room for what is added: the wrapping of a text in a turn and a block is about as long as
/// OpenAI's, so the body rarely grows.
const GROWTH: usize = 1024;

/// The provider's body and the list of changes.
pub(super) fn translate(call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let Request { members: body_object, messages } = Request::read(body)?;
    if body_object.find("n").is_some_and(|n| n != "1") {
        return Err(Path::root("n").unsupported("this model's provider gives one answer"));
    }
    let family = Family::of(call.model);
    let mut out = Vec::with_capacity(body.len() + body.len() / 8 + GROWTH);
    out.extend_from_slice(br#"{"messages":"#);
    let mut conversation = Conversation::translate(out, messages?, family)?;
    let format = parameters::format(&body_object, family, &mut conversation.adjustments)?;
    if format == Format::JsonObject {
        part::text(&mut conversation, Place::System, JSON_ONLY);
    }
    let plan = Plan::of(&body_object, &mut conversation.adjustments)?;
    if plan.needs_words(family, &conversation.called) {
        part::text(&mut conversation, Place::System, NO_TOOLS);
        conversation.adjustments.note("tool_choice none asked for in the system prompt");
    }
    if let Some(words) = plan.in_words(family) {
        part::text(&mut conversation, Place::System, &words);
        conversation.adjustments.note("tool_choice asked for in the system prompt");
    }
    let Conversation { mut out, system, mut adjustments, called, ending, has_thought, .. } = conversation;
    if !system.is_empty() {
        for piece in [br#","system":["#, system.as_slice(), b"]"] {
            out.extend_from_slice(piece);
        }
    }
    let max_tokens = parameters::max_tokens(&body_object, call.max_output, &mut adjustments)?;
    let circumstances = Circumstances {
        family,
        max_tokens,
        max_output: call.max_output,
        forced: plan.forces() && family.forces_tools(),
        ending,
        has_thought,
    };
    let reasoning = reasoning::read(&body_object, &circumstances, &mut adjustments)?;
    parameters::inference(&body_object, family, max_tokens, &reasoning, &mut adjustments, &mut out)?;
    let mut native: Vec<String> = Vec::new();
    plan.write(family, &called, &mut adjustments, &mut native, &mut out)?;
    native.extend(reasoning.native);
    if !native.is_empty() {
        member("additionalModelRequestFields", &["{", &native.join(","), "}"].concat(), &mut out);
    }
    output_config(reasoning.effort, &format, &mut out);
    parameters::metadata(&body_object, &mut adjustments, &mut out)?;
    parameters::service_tier(&body_object, &mut adjustments, &mut out);
    for (name, _) in body_object.others(&TRANSLATED).filter(|(name, value)| !is_neutral(name, value)) {
        adjustments.dropped("", name);
    }
    out.push(b'}');
    Ok((out, adjustments.into_list()))
}

/// Appends `,"outputConfig":{…}`
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_OutputConfig.html>).
fn output_config(effort: Option<&str>, format: &Format, out: &mut Vec<u8>) {
    let mut config = Vec::new();
    if let Format::Schema(schema) = format {
        config.extend_from_slice(br#","textFormat":"#);
        config.extend_from_slice(schema);
    }
    if let Some(word) = effort {
        member("effort", &format!(r#""{word}""#), &mut config);
    }
    if let Some((_, members)) = config.split_first() {
        for piece in [br#","outputConfig":{"#, members, b"}"] {
            out.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests;
