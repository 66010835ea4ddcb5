//! The documented schema of a request to generate content, and the provider's words for each way to miss it.

use serde_json::{Map, Value};

use super::{invalid, rules};
use crate::completion::Ask;
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Array, Bool, Enum, Integer, Number, Object, Text};
use crate::schema::{self, Field, Flaw, Problem, Segment, Shape, optional, required};

/// Checks a request and reads what is asked.
pub(super) fn read(model: &str, stream: bool, vertex: bool, body: &[u8]) -> Result<Ask, Refusal> {
    let body: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| invalid(format!("Invalid JSON payload received. {error}")))?;
    let body = camel(body);
    schema::check(if vertex { VERTEX_AI } else { GEMINI_API }, &body).map_err(refusal)?;
    if vertex {
        rules::check_ids(&body)?;
    }
    rules::check(model, &body)?;
    Ok(rules::ask(model, stream, &body))
}

/// Values whose names are the client's.
const OPAQUE: [&str; 7] = ["args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"];

/// The provider takes `topP` and `top_p` alike, and its own SDK sends both forms.
fn camel(members: Map<String, Value>) -> Map<String, Value> {
    let rename = |name: String| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| {
            let mut letters = word.chars();
            letters
                .next()
                .map_or(name.clone(), |letter| [&name, letter.to_ascii_uppercase().to_string().as_str(), letters.as_str()].concat())
        })
    };
    let each = members.into_iter().map(|(name, value)| {
        let name = rename(name);
        let value = if OPAQUE.contains(&name.as_str()) { value } else { within(value) };
        (name, value)
    });
    each.collect()
}

fn within(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(camel(members)),
        Value::Array(elements) => elements.into_iter().map(within).collect(),
        other => other,
    }
}

const GEMINI_API: &[Field] = &[
    required("contents", Array(0, &Object(CONTENT))),
    optional("systemInstruction", Object(CONTENT)),
    optional("tools", Array(0, &Object(TOOL))),
    optional("toolConfig", Object(TOOL_CONFIG)),
    optional("safetySettings", Any),
    optional("generationConfig", Object(GENERATION_CONFIG)),
    optional("cachedContent", Text),
    optional("serviceTier", Enum(&["unspecified", "standard", "flex", "priority"])),
    optional("store", Bool),
];
const VERTEX_AI: &[Field] = &[
    required("contents", Array(0, &Object(CONTENT))),
    optional("systemInstruction", Object(CONTENT)),
    optional("tools", Array(0, &Object(TOOL))),
    optional("toolConfig", Object(TOOL_CONFIG)),
    optional("safetySettings", Any),
    optional("generationConfig", Object(GENERATION_CONFIG)),
    optional("cachedContent", Text),
    optional("serviceTier", Enum(&["SERVICE_TIER_UNSPECIFIED", "SERVICE_TIER_STANDARD", "SERVICE_TIER_FLEX", "SERVICE_TIER_PRIORITY"])),
    optional("labels", Shape::Map(&Text)),
    optional("modelArmorConfig", Any),
];

const CONTENT: &[Field] = &[optional("role", Text), optional("parts", Array(0, &Object(PART)))];
const PART: &[Field] = &[
    optional("text", Text),
    optional("thought", Bool),
    optional("thoughtSignature", Text),
    optional("inlineData", Object(&[required("mimeType", Text), required("data", Text), optional("displayName", Text)])),
    optional("fileData", Object(&[optional("mimeType", Text), required("fileUri", Text)])),
    optional("functionCall", Object(&[optional("id", Text), required("name", Text), optional("args", Shape::Map(&Any))])),
    optional(
        "functionResponse",
        Object(&[
            optional("id", Text),
            required("name", Text),
            required("response", Shape::Map(&Any)),
            optional("parts", Array(0, &Object(&[optional("inlineData", Any), optional("fileData", Any)]))),
        ]),
    ),
    optional("executableCode", Any),
    optional("codeExecutionResult", Any),
    optional("videoMetadata", Any),
];
const TOOL: &[Field] = &[optional("functionDeclarations", Array(0, &Object(DECLARATION))), optional("googleSearch", Any)];
const DECLARATION: &[Field] = &[
    required("name", Text),
    optional("description", Text),
    optional("parameters", Any),
    optional("parametersJsonSchema", Any),
    optional("response", Any),
    optional("responseJsonSchema", Any),
];
const TOOL_CONFIG: &[Field] = &[
    optional(
        "functionCallingConfig",
        Object(&[
            optional("mode", Enum(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
            optional("allowedFunctionNames", Array(0, &Text)),
        ]),
    ),
    optional("retrievalConfig", Any),
];
const GENERATION_CONFIG: &[Field] = &[
    optional("stopSequences", Array(0, &Text)),
    optional("responseMimeType", Text),
    optional("responseSchema", Any),
    optional("responseJsonSchema", Any),
    optional("responseModalities", Array(0, &Text)),
    optional("candidateCount", Integer(1, 8)),
    optional("maxOutputTokens", Integer(1, 65_536)),
    optional("temperature", Number(0.0, 2.0)),
    optional("topP", Number(0.0, 1.0)),
    optional("topK", Integer(1, 1_000)),
    optional("seed", Integer(i32::MIN as i64, i32::MAX as i64)),
    optional("presencePenalty", Number(-2.0, 1.999_999)),
    optional("frequencyPenalty", Number(-2.0, 1.999_999)),
    optional("responseLogprobs", Bool),
    optional("logprobs", Integer(0, 20)),
    optional(
        "thinkingConfig",
        Object(&[optional("includeThoughts", Bool), optional("thinkingBudget", Integer(-1, 32_768)), optional("thinkingLevel", Text)]),
    ),
    optional("mediaResolution", Text),
];

fn refusal(flaw: Flaw) -> Refusal {
    let at = dotted(&flaw.path);
    invalid(match flaw.problem {
        Problem::Unknown(names) => {
            let place = if at.is_empty() { String::new() } else { format!(" at '{at}'") };
            let each =
                names.iter().map(|name| format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."));
            each.collect::<Vec<_>>().join("\n")
        }
        Problem::Missing => format!("* GenerateContentRequest.{at}: {} is not specified\n", at.rsplit('.').next().unwrap_or_default()),
        Problem::Type { expected, got } => format!("Invalid value at '{at}' ({}), {got}", kind(expected)),
        Problem::NotOneOf { got, .. } => format!("Invalid value at '{at}' (TYPE_ENUM), {got}"),
        Problem::Below { least, got, .. } => format!("* GenerateContentRequest.{at}: must be at least {least}, but was {got}\n"),
        Problem::Above { most, got, .. } => format!("* GenerateContentRequest.{at}: must be at most {most}, but was {got}\n"),
        Problem::TooFew { .. } => format!("* GenerateContentRequest.{at}: must not be empty.\n"),
    })
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Bool => "TYPE_BOOL",
        Text | Enum(_) => "TYPE_STRING",
        Integer(..) => "TYPE_INT32",
        Number(..) => "TYPE_FLOAT",
        _ => "TYPE_MESSAGE",
    }
}

/// `contents[0].parts[1].inline_data`
fn dotted(path: &[Segment]) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Index(index) => out.push_str(&format!("[{index}]")),
            Segment::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                for c in key.chars() {
                    if c.is_ascii_uppercase() {
                        out.push('_');
                    }
                    out.push(c.to_ascii_lowercase());
                }
            }
        }
    }
    out
}
