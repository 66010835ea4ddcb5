//! Parameters beside the conversation (<https://docs.mistral.ai/api/#tag/chat>).

use crate::provider::Failed;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::parameters::{bounded, flag, max_tokens, member, number, stops};
use crate::provider::translate::{Adjustments, Path};

/// How names of models that cannot think begin (<https://docs.mistral.ai/capabilities/reasoning/>).
const WITHOUT_THOUGHTS: [&str; 9] =
    ["mistral-large", "mistral-tiny", "mistral-saba", "mistral-nemo", "codestral", "devstral", "ministral", "pixtral", "open-"];

/// The first of the dated `mistral-small` and `mistral-medium` that can, as year and month.
const FIRST_WITH_THOUGHTS: u32 = 2603;

/// Whether a model can think. What is newer than this list can.
pub(super) fn thinks(model: &str) -> bool {
    let dated = ["mistral-small-", "mistral-medium-"].iter().find_map(|family| model.strip_prefix(family)?.parse::<u32>().ok());
    let older = dated.is_some_and(|date| (2300..FIRST_WITH_THOUGHTS).contains(&date));
    !older && !WITHOUT_THOUGHTS.iter().any(|begin| model.starts_with(begin))
}

/// Members whose values mean the same to both, and those of Mistral's own, for callers who know them.
pub(super) const PASSED: [&str; 14] = [
    "frequency_penalty",
    "presence_penalty",
    "n",
    "logprobs",
    "top_logprobs",
    "metadata",
    "prompt_cache_key",
    "random_seed",
    "safe_prompt",
    "prompt_mode",
    "min_tokens",
    "top_k",
    "repetition_penalty",
    "guardrails",
];

/// Most stop sequences, here and at OpenAI.
const MAX_STOPS: usize = 64;

/// Sampling and the bounds of the answer.
pub(super) fn write(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    if let Some(tokens) = max_tokens(body)? {
        member("max_tokens", tokens, out);
    }
    let temperature = number(body, "temperature", 0.0..=2.0)?;
    if let Some(temperature) = temperature {
        bounded(("temperature", "temperature"), temperature, 0.0..=1.5, adjustments, out);
    }
    let greedy = temperature.is_some_and(|(temperature, _)| temperature == 0.0);
    match number(body, "top_p", 0.0..=1.0)? {
        // "top_p must be 1 when using greedy sampling."
        Some((top_p, _)) if greedy && top_p != 1.0 => adjustments.dropped("", "top_p"),
        Some((_, literal)) => member("top_p", literal, out),
        None => {}
    }
    if let Some(sequences) = stops(body, MAX_STOPS)? {
        member("stop", &sequences, out);
    }
    match body.find("seed").map(|seed| (seed, seed.parse::<i128>())) {
        None => {}
        Some((seed, Ok(0..=MAX_SEED))) => member("random_seed", seed, out),
        Some((_, Ok(_))) => adjustments.dropped("", "seed"),
        Some((_, Err(_))) => return Err(Path::root("seed").expected("a whole number")),
    }
    flag(body, "logprobs")?;
    for name in ["frequency_penalty", "presence_penalty"] {
        number(body, name, -2.0..=2.0)?;
    }
    for name in PASSED {
        if let Some(value) = body.find(name) {
            member(name, value, out);
        }
    }
    service_tier(body, adjustments, out);
    Ok(())
}

const MAX_SEED: i128 = i64::MAX as i128;

/// `auto` may be served with priority, `standard_only` not.
fn service_tier(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    match body.find("service_tier").map(|tier| inner(tier).unwrap_or_default()) {
        None => {}
        Some("auto" | "priority") => member("service_tier", r#""auto""#, out),
        Some("default" | "standard_only") => member("service_tier", r#""standard_only""#, out),
        Some(_) => adjustments.dropped("", "service_tier"),
    }
}

/// `reasoning_effort`: models take `none` and `high`, and refuse the other words.
pub(super) fn thinking(body: &Object<'_>, model: &str, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(effort) = body.find("reasoning_effort") else { return Ok(()) };
    let (asked, sent) = match inner(effort) {
        Some("none") => ("none", "none"),
        Some(word @ "minimal") => (word, "none"),
        Some(word @ ("low" | "medium" | "high" | "xhigh" | "max")) => (word, "high"),
        _ => return Err(Path::root("reasoning_effort").expected("one of none, minimal, low, medium, high, xhigh, max")),
    };
    if thinks(model) {
        if asked != sent {
            adjustments.note(format!("reasoning_effort changed from {asked} to {sent}"));
        }
        member("reasoning_effort", &format!("\"{sent}\""), out);
    } else if asked != "none" {
        adjustments.dropped("", "reasoning_effort");
    }
    Ok(())
}

/// `response_format` (<https://docs.mistral.ai/capabilities/structured_output/>).
pub(super) fn format(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let at = Path::root("response_format");
    let Some(format) = body.find("response_format") else { return Ok(()) };
    let format = Object::read(format).ok_or_else(|| at.expected("an object"))?;
    match format.text("type").as_deref() {
        Some("text") => member("response_format", r#"{"type":"text"}"#, out),
        Some("json_object") => member("response_format", r#"{"type":"json_object"}"#, out),
        Some("json_schema") => {
            let schema_at = at.member("json_schema");
            let described = format.object("json_schema").ok_or_else(|| schema_at.expected("an object"))?;
            let name = described.find("name").filter(|name| inner(name).is_some());
            let name = name.ok_or_else(|| schema_at.member("name").missing("a string"))?;
            let schema = described.find("schema").filter(|schema| schema.starts_with('{'));
            let schema = schema.ok_or_else(|| schema_at.member("schema").missing("a JSON schema"))?;
            out.extend_from_slice(br#","response_format":{"type":"json_schema","json_schema":{"name":"#);
            out.extend_from_slice(name.as_bytes());
            for known in ["description", "strict"] {
                if let Some(value) = described.find(known) {
                    member(known, value, out);
                }
            }
            member("schema", schema, out);
            out.extend_from_slice(b"}}");
            for (name, _) in described.others(&["name", "description", "schema", "strict"]) {
                adjustments.dropped("response_format.json_schema.", name);
            }
        }
        _ => return Err(at.member("type").expected("one of text, json_object, json_schema")),
    }
    Ok(())
}

/// More parts than any prediction has.
const MAX_PARTS: usize = 1024;

/// `prediction`, whose content is one text here.
pub(super) fn prediction(body: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let at = Path::root("prediction");
    let Some(prediction) = body.find("prediction") else { return Ok(()) };
    let prediction = Object::read(prediction).ok_or_else(|| at.expected("an object"))?;
    let content_at = at.member("content");
    let content = prediction.find("content").ok_or_else(|| content_at.missing("a string or an array of parts"))?;
    out.extend_from_slice(br#","prediction":{"type":"content","content":""#);
    match inner(content) {
        Some(text) => out.extend_from_slice(text.as_bytes()),
        None => {
            let visit = |index, part: Object<'_>| {
                let text = part.literal("text").ok_or_else(|| content_at.index(index).member("text").expected("a string"))?;
                out.extend_from_slice(text.as_bytes());
                Ok(())
            };
            elements(content, MAX_PARTS, visit).map_err(|halt| match halt {
                Halt::NotAnArray => content_at.expected("a string or an array of parts"),
                Halt::Element(index) => content_at.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            })?;
        }
    }
    out.extend_from_slice(b"\"}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::thinks;

    #[test]
    fn models_that_think_are_told_by_their_names() {
        for (model, expected) in [
            ("magistral-medium-latest", true),
            ("mistral-small-latest", true),
            ("mistral-small-2603", true),
            ("mistral-small-2506", false),
            ("mistral-medium-2508", false),
            ("mistral-medium-2604", true),
            ("mistral-medium-3-5", true),
            ("mistral-large-2512", false),
            ("codestral-latest", false),
            ("open-mistral-nemo", false),
            ("of-next-year", true),
        ] {
            assert_eq!(thinks(model), expected, "{model}");
        }
    }
}
