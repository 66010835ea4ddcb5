//! Parameters beside the conversation (<https://docs.cohere.com/v2/reference/chat>).

use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Object, inner};
use crate::provider::translate::parameters::{bounded, flag, is_neutral, max_tokens, member, number, stops};

/// How names of models that cannot think begin (<https://docs.cohere.com/v2/docs/models>). What is
/// newer can (<https://docs.cohere.com/v2/docs/reasoning>).
const WITHOUT_THOUGHTS: [&str; 8] =
    ["command-r", "command-a-03", "command-a-vision", "command-a-translate", "command-light", "command-nightly", "c4ai-", "tiny-aya"];

/// Whether a model can think.
pub(super) fn thinks(model: &str) -> bool {
    model != "command" && !WITHOUT_THOUGHTS.iter().any(|begin| model.starts_with(begin))
}

/// Sampling and the bounds of the answer.
pub(super) fn write(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    if let Some(tokens) = max_tokens(body)? {
        member("max_tokens", tokens, out);
    }
    if let Some(temperature) = number(body, "temperature", 0.0..=2.0)? {
        bounded(("temperature", "temperature"), temperature, 0.0..=1.0, adjustments, out);
    }
    if let Some(top_p) = number(body, "top_p", 0.0..=1.0)? {
        bounded(("top_p", "p"), top_p, 0.01..=0.99, adjustments, out);
    }
    for name in ["frequency_penalty", "presence_penalty"] {
        if let Some(penalty) = number(body, name, -2.0..=2.0)? {
            bounded((name, name), penalty, 0.0..=1.0, adjustments, out);
        }
    }
    if let Some(sequences) = stops(body, MAX_STOPS)? {
        member("stop_sequences", &sequences, out);
    }
    match body.find("seed").map(|seed| (seed, seed.parse::<i128>())) {
        None => {}
        Some((seed, Ok(0..=MAX_SEED))) => member("seed", seed, out),
        Some((_, Ok(_))) => adjustments.dropped("", "seed"),
        Some((_, Err(_))) => return Err(Path::root("seed").expected("a whole number")),
    }
    if flag(body, "logprobs")? == Some(true) {
        member("logprobs", "true", out);
    }
    if body.find("top_logprobs").is_some_and(|most| !is_neutral("top_logprobs", most)) {
        adjustments.dropped("", "top_logprobs");
    }
    Ok(())
}

const MAX_STOPS: usize = 5;
const MAX_SEED: i128 = u64::MAX as i128;

/// `reasoning_effort` as `thinking`: 1,024 tokens (minimal), 2,048 (low), 8,192 (medium), or as many as
/// it takes; at most three quarters of the answer's limit, so that something is left for the answer.
pub(super) fn thinking(body: &Object<'_>, model: &str, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(effort) = body.find("reasoning_effort") else { return Ok(()) };
    let budget = match inner(effort) {
        Some("none") => Some(0),
        Some("minimal") => Some(1024),
        Some("low") => Some(2048),
        Some("medium") => Some(8192),
        Some("high" | "xhigh" | "max") => None,
        _ => return Err(Path::root("reasoning_effort").expected("one of none, minimal, low, medium, high, xhigh, max")),
    };
    let limit = max_tokens(body)?.and_then(|tokens| tokens.parse::<u64>().ok()).map(|tokens| (tokens / 4 * 3).max(1));
    match (thinks(model), budget.into_iter().chain(limit).min()) {
        (false, _) if budget == Some(0) => {}
        (false, _) => adjustments.dropped("", "reasoning_effort"),
        (true, Some(0)) => member("thinking", r#"{"type":"disabled"}"#, out),
        (true, Some(tokens)) => member("thinking", &format!(r#"{{"type":"enabled","token_budget":{tokens}}}"#), out),
        (true, None) => member("thinking", r#"{"type":"enabled"}"#, out),
    }
    Ok(())
}

/// `response_format` (<https://docs.cohere.com/v2/docs/structured-outputs>).
pub(super) fn format(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let at = Path::root("response_format");
    let Some(format) = body.find("response_format") else { return Ok(()) };
    let format = Object::read(format).ok_or_else(|| at.expected("an object"))?;
    match format.text("type").as_deref() {
        Some("text") => {}
        Some("json_object") => member("response_format", r#"{"type":"json_object"}"#, out),
        Some("json_schema") => {
            let schema_at = at.member("json_schema");
            let described = format.object("json_schema").ok_or_else(|| schema_at.expected("an object"))?;
            // The name is a label without effect, and Cohere is always strict.
            for (name, _) in described.others(&["name", "schema", "strict"]) {
                adjustments.dropped("response_format.json_schema.", name);
            }
            let schema = described.find("schema").filter(|schema| schema.starts_with('{'));
            let schema = schema.ok_or_else(|| schema_at.member("schema").missing("a JSON schema"))?;
            member("response_format", &[r#"{"type":"json_object","json_schema":"#, schema, "}"].concat(), out);
        }
        _ => return Err(at.member("type").expected("one of text, json_object, json_schema")),
    }
    Ok(())
}
