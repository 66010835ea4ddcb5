//! Parameters beside the conversation: `generationConfig` and its neighbours
//! (<https://ai.google.dev/api/generate-content#generationconfig>).

use super::Service;
use super::generation::Generation;
use super::schema::{self, Keywords};
use crate::openai::members::{Members, decode};
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::parameters::{member, number};

/// `maxOutputTokens`, which includes thinking, as OpenAI's does. Without it the model's own limit holds.
pub(super) fn max_tokens(body: &Object<'_>, limit: u64, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let asked = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.find(name).map(|value| (*name, value)));
    let Some((name, value)) = asked else { return Ok(()) };
    let asked =
        value.parse::<u64>().ok().filter(|tokens| *tokens > 0).ok_or_else(|| Path::root(name).expected("a whole number of at least 1"))?;
    let limit = limit.max(1);
    if asked > limit {
        adjustments.note(format!("{name} lowered from {asked} to {limit}, the most this model gives"));
    }
    member("maxOutputTokens", &asked.min(limit).to_string(), out);
    Ok(())
}

/// `temperature`, `topP`, `seed`, and the penalties.
pub(super) fn sampling(body: &Object<'_>, generation: Generation, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    for (name, google, least, most) in [("temperature", "temperature", 0.0, 2.0), ("top_p", "topP", 0.0, 1.0)] {
        if let Some((_, literal)) = number(body, name, least..=most)? {
            member(google, literal, out);
        }
    }
    for (name, google) in [("presence_penalty", "presencePenalty"), ("frequency_penalty", "frequencyPenalty")] {
        let Some((penalty, literal)) = number(body, name, -2.0..=2.0)? else { continue };
        if penalty == 0.0 {
            continue;
        }
        if !generation.takes_penalties() {
            adjustments.dropped("", name);
        } else if penalty == 2.0 {
            // The range ends below it.
            adjustments.note(format!("{name} lowered from 2 to 1.99"));
            member(google, "1.99", out);
        } else {
            member(google, literal, out);
        }
    }
    match body.find("seed") {
        None => {}
        Some(seed) if seed.parse::<i32>().is_ok() => member("seed", seed, out),
        Some(_) => adjustments.dropped("", "seed"),
    }
    Ok(())
}

/// The API takes five.
const MAX_STOPS: usize = 5;

/// `stop`, a string or several.
pub(super) fn stop_sequences(body: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(stop) = body.find("stop") else { return Ok(()) };
    let at = Path::root("stop");
    let mut kept = Vec::new();
    if stop.starts_with('[') {
        let visit = |index, literal| {
            inner(literal)
                .map(|text| {
                    if !text.is_empty() {
                        kept.push(literal)
                    }
                })
                .ok_or(index)
        };
        elements(stop, MAX_STOPS, visit).map_err(|halt| match halt {
            Halt::NotAnArray => at.expected("a string or an array of strings"),
            Halt::Element(index) | Halt::Visitor(index) => at.index(index).expected("a string, and not so many"),
        })?;
    } else if !inner(stop).ok_or_else(|| at.expected("a string or an array of strings"))?.is_empty() {
        kept.push(stop);
    }
    if !kept.is_empty() {
        member("stopSequences", &["[", &kept.join(","), "]"].concat(), out);
    }
    Ok(())
}

/// `responseLogprobs` and how many others to name.
pub(super) fn logprobs(body: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let asked = match body.find("logprobs") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Path::root("logprobs").expected("true or false")),
    };
    let top = body.find("top_logprobs").map_or(Ok(0), |value| {
        value.parse::<u64>().ok().filter(|top| *top <= 20).ok_or_else(|| Path::root("top_logprobs").expected("a whole number from 0 to 20"))
    })?;
    if asked || top > 0 {
        member("responseLogprobs", "true", out);
    }
    if top > 0 {
        member("logprobs", &top.to_string(), out);
    }
    Ok(())
}

/// `reasoning_effort`, by the table of Google's own compatibility with OpenAI
/// (<https://ai.google.dev/gemini-api/docs/openai#thinking>): a level, or a budget of tokens.
pub(super) fn thinking(body: &Object<'_>, generation: Generation, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(effort) = body.find("reasoning_effort") else { return Ok(()) };
    let (level, budget) = match inner(effort) {
        Some("none") => ("none", 0),
        Some("minimal") => ("minimal", 1_024),
        Some("low") => ("low", 1_024),
        Some("medium") => ("medium", 8_192),
        Some("high") => ("high", 24_576),
        Some(word @ ("xhigh" | "max")) => {
            adjustments.note(format!("reasoning_effort lowered from {word} to high"));
            ("high", 24_576)
        }
        _ => return Err(Path::root("reasoning_effort").expected("one of none, minimal, low, medium, high, xhigh, max")),
    };
    if !generation.thinks() {
        if level != "none" {
            adjustments.dropped("", "reasoning_effort");
        }
        return Ok(());
    }
    let shown = level != "none";
    let how = if generation.thinks_by_level() {
        let sent = match level {
            "none" | "minimal" if generation.always_thinks() => "low",
            "none" => "minimal",
            "medium" if generation.lacks_medium() => "high",
            level => level,
        };
        if sent != level {
            adjustments.note(format!("reasoning_effort raised from {level} to {sent}"));
        }
        format!(r#""thinkingLevel":"{sent}""#)
    } else if level == "none" && generation.always_thinks() {
        adjustments.note(format!("reasoning_effort raised from none to {LEAST_BUDGET} tokens"));
        format!(r#""thinkingBudget":{LEAST_BUDGET}"#)
    } else {
        format!(r#""thinkingBudget":{budget}"#)
    };
    let include = if shown { r#","includeThoughts":true"# } else { "" };
    member("thinkingConfig", &["{", &how, include, "}"].concat(), out);
    Ok(())
}

/// The least that Gemini 2.5 Pro takes (<https://ai.google.dev/gemini-api/docs/thinking#set-budget>).
const LEAST_BUDGET: u64 = 128;

/// What `response_format` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format<'a> {
    Text,
    /// Any JSON.
    Json,
    /// JSON of this schema.
    Schema(&'a str),
}

/// `response_format` (<https://ai.google.dev/gemini-api/docs/structured-output>).
pub(super) fn format<'a>(body: &Object<'a>, adjustments: &mut Adjustments) -> Result<Format<'a>, Failed> {
    let at = Path::root("response_format");
    let Some(format) = body.find("response_format") else { return Ok(Format::Text) };
    let format = Object::read(format).ok_or_else(|| at.expected("an object"))?;
    match format.text("type").as_deref() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => {
            let schema_at = at.member("json_schema");
            let described = format.object("json_schema").ok_or_else(|| schema_at.expected("an object"))?;
            // The name is a label without effect, and Google is always strict.
            for (name, _) in described.others(&["name", "schema", "strict"]) {
                adjustments.dropped("response_format.json_schema.", name);
            }
            match described.find("schema") {
                None => Ok(Format::Json),
                Some(schema) if schema.starts_with('{') => Ok(Format::Schema(schema)),
                Some(_) => Err(schema_at.member("schema").expected("a JSON schema")),
            }
        }
        _ => Err(at.member("type").expected("one of text, json_object, json_schema")),
    }
}

/// Appends `responseMimeType` and `responseJsonSchema`.
pub(super) fn response(format: Format<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    if format != Format::Text {
        member("responseMimeType", r#""application/json""#, out);
    }
    if let Format::Schema(schema) = format {
        out.extend_from_slice(br#","responseJsonSchema":"#);
        schema::write(schema, Keywords::Response, "response_format.json_schema.schema", adjustments, out);
    }
}

/// `serviceTier` (<https://ai.google.dev/gemini-api/docs/flex-inference>). Vertex AI has its tiers in a header of
/// its own, and refuses these words in the body.
pub(super) fn service_tier(body: &Object<'_>, service: Service, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    match body.find("service_tier").map(|value| inner(value).unwrap_or_default()) {
        None | Some("auto") => {}
        Some("default") if service == Service::VertexAi => {}
        Some(_) if service == Service::VertexAi => adjustments.dropped("", "service_tier"),
        Some("default") => member("serviceTier", r#""standard""#, out),
        Some("flex") => member("serviceTier", r#""flex""#, out),
        Some("priority") => member("serviceTier", r#""priority""#, out),
        Some(_) => adjustments.dropped("", "service_tier"),
    }
}

/// Longest name or value of a label
/// (<https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/add-labels-to-api-calls>).
const MAX_LABEL: usize = 63;

/// `metadata`, which Vertex AI has as labels.
pub(super) fn metadata(body: &Object<'_>, service: Service, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(value) = body.find("metadata") else { return Ok(()) };
    let at = Path::root("metadata");
    let members = if value.starts_with('{') { Members::read(value).ok() } else { None };
    let members = members.ok_or_else(|| at.expected("an object"))?;
    if service == Service::GeminiApi {
        if !members.is_empty() {
            adjustments.dropped("", "metadata");
        }
        return Ok(());
    }
    let mut labels = Vec::new();
    for member in members.iter() {
        let is_value = decode(member.value).is_some_and(|value| is_label(&value));
        match is_value && member.name.starts_with(|c: char| c.is_ascii_lowercase()) && is_label(&member.name) {
            true => labels.push(["\"", &member.name, "\":", member.value].concat()),
            false => adjustments.dropped("metadata.", &member.name),
        }
    }
    if !labels.is_empty() {
        self::member("labels", &["{", &labels.join(","), "}"].concat(), out);
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}
