//! Parameters beside the conversation: sampling, stopping, thinking, the format of the answer
//! (<https://platform.claude.com/docs/en/api/messages/create>).

use super::conversation::Ending;
use super::generation::{Generation, Rest};
use super::schema;
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner, is_blank};
use crate::provider::translate::parameters::{member, number};

/// What an answer may have at most when the caller does not say. OpenAI's default is all the model
/// can; this is what every Claude since 4.0 can, also where the catalogue only knows the window.
pub(super) const DEFAULT_MAX_TOKENS: u64 = 32_000;

/// `max_tokens`, which Anthropic demands.
pub(super) fn max_tokens(body: &Object<'_>, limit: u64, adjustments: &mut Adjustments) -> Result<u64, Failed> {
    let asked = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.find(name).map(|value| (*name, value)));
    let Some((name, value)) = asked else {
        if limit > DEFAULT_MAX_TOKENS {
            adjustments.note(format!("max_tokens set to {DEFAULT_MAX_TOKENS}"));
        }
        return Ok(limit.clamp(1, DEFAULT_MAX_TOKENS));
    };
    let asked =
        value.parse::<u64>().ok().filter(|tokens| *tokens > 0).ok_or_else(|| Path::root(name).expected("a whole number of at least 1"))?;
    if asked > limit.max(1) {
        adjustments.note(format!("{name} lowered from {asked} to {limit}, the most this model gives"));
    }
    Ok(asked.min(limit.max(1)))
}

/// `temperature` and `top_p`; which of them are taken depends on the model and on thinking.
pub(super) fn sampling(
    body: &Object<'_>,
    generation: Generation,
    thinking: bool,
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let mut tempered = false;
    if let Some((temperature, literal)) = number(body, "temperature", 0.0..=2.0)? {
        let neutral = temperature == 1.0;
        if !generation.samples() || (thinking && !neutral) {
            if !neutral {
                adjustments.dropped("", "temperature");
            }
        } else if temperature > 1.0 {
            adjustments.note(format!("temperature lowered from {temperature} to 1"));
            member("temperature", "1", out);
            tempered = true;
        } else {
            member("temperature", literal, out);
            tempered = true;
        }
    }
    if let Some((top_p, literal)) = number(body, "top_p", 0.0..=1.0)? {
        // Thinking takes 0.95 and above (extended-thinking page, "Feature compatibility").
        let refused = !generation.samples() || (thinking && top_p < 0.95) || (tempered && !generation.samples_twice());
        match (refused, top_p == 1.0) {
            (false, _) => member("top_p", literal, out),
            (true, false) => adjustments.dropped("", "top_p"),
            (true, true) => {}
        }
    }
    Ok(())
}

/// More sequences than either API takes.
const MAX_STOPS: usize = 64;

/// `stop`, a string or several.
pub(super) fn stop_sequences(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(stop) = body.find("stop") else { return Ok(()) };
    let at = Path::root("stop");
    let mut kept = Vec::new();
    let mut take = |literal: &str| -> Option<()> {
        match is_blank(inner(literal)?) {
            // Anthropic refuses them.
            true => adjustments.note("dropped a stop sequence of whitespace"),
            false => {
                kept.push(if kept.is_empty() { b'[' } else { b',' });
                kept.extend_from_slice(literal.as_bytes());
            }
        }
        Some(())
    };
    if stop.starts_with('[') {
        elements(stop, MAX_STOPS, |index, literal: &str| take(literal).ok_or(index)).map_err(|halt| match halt {
            Halt::NotAnArray => at.expected("a string or an array of strings"),
            Halt::Element(index) | Halt::Visitor(index) => at.index(index).expected("a string, and not so many"),
        })?;
    } else {
        take(stop).ok_or_else(|| at.expected("a string or an array of strings"))?;
    }
    if !kept.is_empty() {
        out.extend_from_slice(br#","stop_sequences":"#);
        out.extend_from_slice(&kept);
        out.push(b']');
    }
    Ok(())
}

/// What thinking depends on.
pub(super) struct Circumstances {
    pub generation: Generation,
    pub max_tokens: u64,
    /// Whether a tool has to be called.
    pub forced: bool,
    pub ending: Ending,
    /// Whether the assistant's last turn begins with what it thought.
    pub thought: bool,
}

/// Thinking as the model wants it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Nothing is said.
    Unsaid,
    Off,
    /// Tokens.
    Budget(u64),
    /// The level of `output_config.effort`.
    Effort(&'static str),
}

/// The least budget Anthropic takes
/// (<https://platform.claude.com/docs/en/build-with-claude/extended-thinking>).
const MIN_BUDGET: u64 = 1024;

/// `reasoning_effort`. Newer models take the word; older ones get a budget of 1,024 (minimal),
/// 2,048 (low), 8,192 (medium), 16,384 (high) or 32,000 tokens, at most three quarters of the
/// answer's limit, so that something is left for the answer.
pub(super) fn thinking(body: &Object<'_>, circumstances: &Circumstances, adjustments: &mut Adjustments) -> Result<Thinking, Failed> {
    let Some(effort) = body.find("reasoning_effort") else { return Ok(Thinking::Unsaid) };
    let Circumstances { generation, max_tokens, forced, ending, thought } = *circumstances;
    let (word, budget) = match inner(effort) {
        Some("none") => {
            return Ok(match generation.rest() {
                Rest::ByDefault => Thinking::Unsaid,
                Rest::OnDemand => Thinking::Off,
                Rest::Never => {
                    adjustments.note("reasoning_effort raised from none to low, the least this model takes");
                    Thinking::Effort("low")
                }
            });
        }
        Some("minimal") => ("low", MIN_BUDGET),
        Some("low") => ("low", 2_048),
        Some("medium") => ("medium", 8_192),
        Some("high") => ("high", 16_384),
        Some("xhigh") => ("xhigh", 32_000),
        Some("max") => ("max", 32_000),
        _ => return Err(Path::root("reasoning_effort").expected("one of none, minimal, low, medium, high, xhigh, max")),
    };
    let obstacle = match () {
        () if forced => Some("a forced tool"),
        () if !generation.thinks_by_budget() => None,
        () if ending == Ending::Assistant => Some("an unfinished turn of the assistant"),
        // Its turn has to begin with what it thought, signed.
        () if ending == Ending::ToolResult && !thought => Some("a tool's result and no thinking_blocks before it"),
        () if max_tokens <= MIN_BUDGET => Some("so few max_tokens"),
        () => None,
    };
    if let Some(obstacle) = obstacle {
        adjustments.note(format!("dropped reasoning_effort, not possible with {obstacle}"));
        return Ok(Thinking::Unsaid);
    }
    if generation.thinks_by_budget() {
        return Ok(Thinking::Budget(budget.min((max_tokens / 4 * 3).max(MIN_BUDGET))));
    }
    if matches!(word, "xhigh" | "max") && !generation.has_highest_efforts() {
        adjustments.note(format!("reasoning_effort lowered from {word} to high"));
        return Ok(Thinking::Effort("high"));
    }
    Ok(Thinking::Effort(word))
}

/// Appends `,"thinking":{…}` and returns the effort, which stands elsewhere.
pub(super) fn write_thinking(thinking: Thinking, generation: Generation, out: &mut Vec<u8>) -> Option<&'static str> {
    match thinking {
        Thinking::Unsaid => None,
        Thinking::Off => {
            member("thinking", r#"{"type":"disabled"}"#, out);
            None
        }
        Thinking::Budget(tokens) => {
            member("thinking", &format!(r#"{{"type":"enabled","budget_tokens":{tokens}}}"#), out);
            None
        }
        Thinking::Effort(word) => {
            let display = if generation.hides_thoughts() { r#","display":"summarized""# } else { "" };
            member("thinking", &format!(r#"{{"type":"adaptive"{display}}}"#), out);
            Some(word)
        }
    }
}

/// What `response_format` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format<'a> {
    Text,
    /// Any JSON object, for which Anthropic has no parameter.
    JsonObject,
    /// JSON of this schema, as the caller wrote it.
    Schema(&'a str),
}

/// `response_format` (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>).
pub(super) fn format<'a>(body: &Object<'a>, adjustments: &mut Adjustments) -> Result<Format<'a>, Failed> {
    let at = Path::root("response_format");
    let Some(format) = body.find("response_format") else { return Ok(Format::Text) };
    let format = Object::read(format).ok_or_else(|| at.expected("an object"))?;
    match format.text("type").as_deref() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => {
            adjustments.note("response_format json_object asked for in the system prompt");
            Ok(Format::JsonObject)
        }
        Some("json_schema") => {
            let schema_at = at.member("json_schema");
            let described = format.object("json_schema").ok_or_else(|| schema_at.expected("an object"))?;
            // The name is a label without effect, and Anthropic is always strict.
            for (name, _) in described.others(&["name", "schema", "strict"]) {
                adjustments.dropped("response_format.json_schema.", name);
            }
            let schema = described.find("schema").filter(|schema| schema.starts_with('{'));
            schema.map(Format::Schema).ok_or_else(|| schema_at.member("schema").missing("a JSON schema"))
        }
        _ => Err(at.member("type").expected("one of text, json_object, json_schema")),
    }
}

/// Appends `,"output_config":{…}`.
pub(super) fn output_config(effort: Option<&str>, format: Format<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    let schema = match format {
        Format::Schema(schema) => Some(schema),
        Format::Text | Format::JsonObject => None,
    };
    if effort.is_none() && schema.is_none() {
        return;
    }
    out.extend_from_slice(br#","output_config":{"#);
    if let Some(word) = effort {
        for piece in [br#""effort":""#, word.as_bytes(), b"\""] {
            out.extend_from_slice(piece);
        }
    }
    if let Some(schema) = schema {
        let comma: &[u8] = if effort.is_some() { b"," } else { b"" };
        for piece in [comma, br#""format":{"type":"json_schema","schema":"#] {
            out.extend_from_slice(piece);
        }
        schema::write(schema, "response_format.json_schema.schema", adjustments, out);
        out.push(b'}');
    }
    out.push(b'}');
}

/// Longest `metadata.user_id`, in characters.
const MAX_USER_ID: usize = 256;

/// The caller's end user, which both providers only use against abuse: `safety_identifier`, the older
/// `user`, or what Anthropic calls it itself.
pub(super) fn user(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let mut written = false;
    let mut write = |literal: &str, id: &str| {
        let fits = !written && !id.is_empty() && id.chars().count() <= MAX_USER_ID;
        if fits {
            for piece in [br#","metadata":{"user_id":"#, literal.as_bytes(), b"}"] {
                out.extend_from_slice(piece);
            }
            written = true;
        }
        fits
    };
    for name in ["safety_identifier", "user"] {
        let Some(literal) = body.find(name) else { continue };
        let id = inner(literal).ok_or_else(|| Path::root(name).expected("a string"))?;
        if !write(literal, id) {
            adjustments.dropped("", name);
        }
    }
    if let Some(metadata) = body.find("metadata") {
        let metadata = Object::read(metadata).ok_or_else(|| Path::root("metadata").expected("an object, and not so large"))?;
        let taken = metadata.find("user_id").is_some_and(|literal| inner(literal).is_some_and(|id| write(literal, id)));
        if metadata.others(if taken { &["user_id"] } else { &[] }).next().is_some() {
            adjustments.dropped("", "metadata");
        }
    }
    Ok(())
}

/// `service_tier` (<https://platform.claude.com/docs/en/api/service-tiers>).
pub(super) fn service_tier(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    match body.find("service_tier").map(|value| inner(value).unwrap_or_default()) {
        None => {}
        Some("auto") => member("service_tier", r#""auto""#, out),
        Some("default") => member("service_tier", r#""standard_only""#, out),
        Some(_) => adjustments.dropped("", "service_tier"),
    }
}
