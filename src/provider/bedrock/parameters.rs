//! Parameters beside the conversation: sampling, stopping, the format of the answer
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>).

use super::family::Family;
use super::reasoning::Reasoning;
use crate::openai::members::{decode, encode};
use crate::provider::Failed;
use crate::provider::anthropic::schema;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner, is_blank, write_dense};
use crate::provider::translate::parameters::{member, number};

/// `max_tokens`, as far as the caller says one: Bedrock's default is all the model can, as OpenAI's.
pub(super) fn max_tokens(body: &Object<'_>, limit: u64, adjustments: &mut Adjustments) -> Result<Option<u64>, Failed> {
    let asked = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| body.find(name).map(|value| (*name, value)));
    let Some((name, value)) = asked else { return Ok(None) };
    let asked =
        value.parse::<u64>().ok().filter(|tokens| *tokens > 0).ok_or_else(|| Path::root(name).expected("a whole number of at least 1"))?;
    if asked > limit.max(1) {
        adjustments.note(format!("{name} lowered from {asked} to {limit}, the most this model gives"));
    }
    Ok(Some(asked.min(limit.max(1))))
}

/// Appends `,"inferenceConfig":{…}`
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html>).
pub(super) fn inference(
    body: &Object<'_>,
    family: Family,
    max_tokens: Option<u64>,
    reasoning: &Reasoning,
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let mut config = Vec::new();
    if let Some(tokens) = max_tokens.or(reasoning.max_tokens) {
        member("maxTokens", &tokens.to_string(), &mut config);
    }
    sampling(body, family, reasoning, adjustments, &mut config)?;
    stop_sequences(body, family, adjustments, &mut config)?;
    if let Some((_, members)) = config.split_first() {
        for piece in [br#","inferenceConfig":{"#, members, b"}"] {
            out.extend_from_slice(piece);
        }
    }
    Ok(())
}

/// `temperature` and `top_p`; which of them are taken depends on the model and on its thinking.
fn sampling(
    body: &Object<'_>,
    family: Family,
    reasoning: &Reasoning,
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let (samples, twice) = match family {
        Family::Claude(generation) => (generation.samples(), generation.samples_twice()),
        _ => (true, true),
    };
    let mut tempered = false;
    if let Some((temperature, literal)) = number(body, "temperature", 0.0..=2.0)? {
        match (samples && !reasoning.fixes_temperature, temperature == 1.0) {
            (false, true) => {}
            (false, false) => adjustments.dropped("", "temperature"),
            (true, _) if temperature > 1.0 => {
                adjustments.note(format!("temperature lowered from {temperature} to 1"));
                member("temperature", "1", out);
                tempered = true;
            }
            (true, _) => {
                member("temperature", literal, out);
                tempered = true;
            }
        }
    }
    if let Some((top_p, literal)) = number(body, "top_p", 0.0..=1.0)? {
        let refused = !samples || top_p < reasoning.least_top_p || (tempered && !twice);
        match (refused, top_p == 1.0) {
            (false, _) => member("topP", literal, out),
            (true, false) => adjustments.dropped("", "top_p"),
            (true, true) => {}
        }
    }
    Ok(())
}

/// More sequences than OpenAI takes.
const MAX_STOPS: usize = 64;

/// `stop`, a string or several.
fn stop_sequences(body: &Object<'_>, family: Family, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(stop) = body.find("stop") else { return Ok(()) };
    let at = Path::root("stop");
    let mut kept = Vec::new();
    let mut take = |literal: &str| -> Option<()> {
        let text = inner(literal)?;
        // Bedrock refuses empty ones, and Claude those of whitespace.
        if text.is_empty() || (family.is_claude() && is_blank(text)) {
            adjustments.note("dropped a stop sequence of whitespace");
        } else {
            kept.push(if kept.is_empty() { b'[' } else { b',' });
            kept.extend_from_slice(literal.as_bytes());
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
        out.extend_from_slice(br#","stopSequences":"#);
        out.extend_from_slice(&kept);
        out.push(b']');
    }
    Ok(())
}

/// What `response_format` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    /// Any JSON object, for which Bedrock has no parameter.
    JsonObject,
    /// `textFormat` for JSON of a schema.
    Schema(Vec<u8>),
}

/// `response_format` (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_OutputFormat.html>);
/// the schema travels as JSON inside a string. Claude's own limitations hold here too.
pub(super) fn format(body: &Object<'_>, family: Family, adjustments: &mut Adjustments) -> Result<Format, Failed> {
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
            // Bedrock is always strict.
            for (name, _) in described.others(&["name", "description", "schema", "strict"]) {
                adjustments.dropped("response_format.json_schema.", name);
            }
            let schema = described
                .find("schema")
                .filter(|schema| schema.starts_with('{'))
                .ok_or_else(|| schema_at.member("schema").missing("a JSON schema"))?;
            let mut out = br#"{"type":"json_schema","structure":{"jsonSchema":{"schema":"#.to_vec();
            match family.is_claude() {
                true => {
                    let mut written = Vec::with_capacity(schema.len() + 64);
                    schema::write(schema, "response_format.json_schema.schema", adjustments, &mut written);
                    // Made of the caller's text and words of ours.
                    write_dense(core::str::from_utf8(&written).unwrap_or(schema), &mut out);
                }
                false => write_dense(schema, &mut out),
            }
            for name in ["name", "description"] {
                let Some(literal) = described.find(name) else { continue };
                inner(literal).ok_or_else(|| schema_at.member(name).expected("a string"))?;
                member(name, literal, &mut out);
            }
            out.extend_from_slice(b"}}}");
            Ok(Format::Schema(out))
        }
        _ => Err(at.member("type").expected("one of text, json_object, json_schema")),
    }
}

/// Most entries of `requestMetadata`, and the longest key and value, in characters.
const MAX_ENTRIES: usize = 16;
const MAX_ENTRY: usize = 256;

/// `metadata` becomes `requestMetadata`, which Bedrock writes to its log of calls
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>). What it has
/// no characters for is left out.
pub(super) fn metadata(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(metadata) = body.find("metadata") else { return Ok(()) };
    let at = Path::root("metadata");
    let metadata = Object::read(metadata).ok_or_else(|| at.expected("an object of strings"))?;
    let fits = |text: &str| text.chars().count() <= MAX_ENTRY && text.chars().all(is_taken);
    let before = out.len();
    let mut count = 0;
    for (name, value) in metadata.others(&[]) {
        let text = decode(value).ok_or_else(|| at.expected("an object of strings"))?;
        if name.is_empty() || !fits(name) || !fits(&text) || count == MAX_ENTRIES {
            adjustments.dropped("metadata.", name);
            continue;
        }
        out.extend_from_slice(if count == 0 { br#","requestMetadata":{"# } else { b"," });
        encode(name, out);
        out.push(b':');
        encode(&text, out);
        count += 1;
    }
    if out.len() > before {
        out.push(b'}');
    }
    Ok(())
}

/// Characters of keys and values of `requestMetadata`.
fn is_taken(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ' ' | '\t' | '\n' | '\r' | ':' | '_' | '@' | '$' | '#' | '=' | '/' | '+' | ',' | '-' | '.')
}

/// `service_tier` (<https://docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html>).
pub(super) fn service_tier(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    match body.find("service_tier").map(|value| inner(value).unwrap_or_default()) {
        // What happens anyway.
        None | Some("auto") => {}
        Some(tier @ ("default" | "flex" | "priority" | "reserved")) => member("serviceTier", &format!(r#"{{"type":"{tier}"}}"#), out),
        Some(_) => adjustments.dropped("", "service_tier"),
    }
}
