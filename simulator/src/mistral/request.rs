//! The schema of a request as the provider's own SDK has it, and the provider's words for each way to miss it.

use hyper::StatusCode;
use serde_json::{Map, Value};

use super::{plain, rules};
use crate::completion::Ask;
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Array, Bool, Either, Enum, Integer, Number, Object, Tagged, Text};
use crate::schema::{self, Field, Flaw, Problem, Segment, Shape, nullable, optional, required};

/// Checks a request and reads what is asked.
pub(super) fn read(body: &[u8]) -> Result<Ask, Refusal> {
    let body = checked(BODY, body)?;
    rules::check(&body)?;
    Ok(rules::ask(&body))
}

/// The JSON of a request that is as the schema of its endpoint says.
pub(super) fn checked(fields: &'static [Field], body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| plain("Request body is not valid JSON"))?;
    schema::check(fields, &body).map_err(refusal)?;
    Ok(body)
}

const BODY: &[Field] = &[
    required("model", Text),
    required("messages", Array(1, &Tagged("role", ROLES))),
    nullable("temperature", Number(0.0, 1.5)),
    nullable("top_p", Number(0.0, 1.0)),
    nullable("max_tokens", Integer(0, i64::MAX)),
    optional("stream", Bool),
    nullable("stop", Either(&[Text, Array(0, &Text)])),
    nullable("random_seed", Integer(0, i64::MAX)),
    nullable("metadata", Shape::Map(&Any)),
    optional(
        "response_format",
        Object(&[optional("type", Enum(&["text", "json_object", "json_schema"])), nullable("json_schema", Object(JSON_SCHEMA))]),
    ),
    nullable("tools", Array(1, &Object(&[optional("type", Enum(&["function"])), required("function", Object(FUNCTION))]))),
    optional("tool_choice", Either(&[Enum(&["auto", "none", "any", "required"]), Object(CHOICE)])),
    nullable("presence_penalty", Number(-2.0, 2.0)),
    nullable("frequency_penalty", Number(-2.0, 2.0)),
    nullable("min_tokens", Integer(0, i64::MAX)),
    nullable("repetition_penalty", Number(0.0, 10.0)),
    nullable("top_k", Integer(0, i64::MAX)),
    nullable("logprobs", Bool),
    nullable("top_logprobs", Integer(0, 20)),
    nullable("prompt_logprobs", Bool),
    nullable("top_prompt_logprobs", Integer(0, 20)),
    nullable("n", Integer(1, i64::MAX)),
    optional("prediction", Object(&[optional("type", Enum(&["content"])), optional("content", Text)])),
    optional("parallel_tool_calls", Bool),
    nullable("reasoning_effort", Enum(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    nullable("prompt_mode", Enum(&["reasoning"])),
    nullable("guardrails", Array(0, &Any)),
    nullable("prompt_cache_key", Text),
    nullable("service_tier", Enum(&["auto", "standard_only"])),
    optional("safe_prompt", Bool),
];

const JSON_SCHEMA: &[Field] =
    &[required("name", Text), required("schema", Shape::Map(&Any)), nullable("description", Text), optional("strict", Bool)];
const FUNCTION: &[Field] =
    &[required("name", Text), required("parameters", Shape::Map(&Any)), optional("description", Text), optional("strict", Bool)];
const CHOICE: &[Field] = &[optional("type", Enum(&["function"])), required("function", Object(&[required("name", Text)]))];
const ROLES: &[(&str, &[Field])] = &[
    ("system", &[required("content", Either(&[Text, Array(0, &Tagged("type", SYSTEM_CHUNKS))]))]),
    ("user", &[nullable("content", CONTENT)]),
    ("assistant", &[nullable("content", CONTENT), nullable("tool_calls", Array(0, &Object(CALL))), optional("prefix", Bool)]),
    ("tool", &[nullable("content", CONTENT), nullable("tool_call_id", Text), nullable("name", Text)]),
];
const CALL: &[Field] = &[
    optional("id", Text),
    optional("type", Text),
    optional("index", Integer(0, i64::MAX)),
    required("function", Object(&[required("name", Text), required("arguments", Either(&[Text, Shape::Map(&Any)]))])),
];
const CONTENT: Shape = Either(&[Text, Array(0, &Tagged("type", CHUNKS))]);
const TEXT: &[Field] = &[required("text", Text)];
const THINKING: &[Field] = &[
    required("thinking", Array(0, &Tagged("type", &[("text", TEXT), ("reference", REFERENCE)]))),
    nullable("signature", Text),
    optional("closed", Bool),
];
const REFERENCE: &[Field] = &[required("reference_ids", Array(0, &Any))];
const SYSTEM_CHUNKS: &[(&str, &[Field])] = &[("text", TEXT), ("thinking", THINKING)];
const CHUNKS: &[(&str, &[Field])] = &[
    ("text", TEXT),
    (
        "image_url",
        &[required("image_url", Either(&[Text, Object(&[required("url", Text), nullable("detail", Enum(&["low", "auto", "high"]))])]))],
    ),
    ("reference", REFERENCE),
    ("file", &[required("file_id", Text)]),
    ("thinking", THINKING),
    ("input_audio", &[required("input_audio", Text)]),
    ("document_url", &[required("document_url", Text), nullable("document_name", Text)]),
];

fn refusal(flaw: Flaw) -> Refusal {
    let mut path = flaw.path;
    let (kind, message) = match flaw.problem {
        Problem::Unknown(names) => {
            path.extend(names.into_iter().next().map(Segment::Key));
            ("extra_forbidden", "Extra inputs are not permitted".to_owned())
        }
        Problem::Missing => ("missing", "Field required".to_owned()),
        Problem::Type { expected, .. } => ("type_error", format!("Input should be a valid {}", word(expected))),
        Problem::NotOneOf { allowed, tag: Some(_), .. } => {
            ("union_tag_invalid", format!("Input tag does not match any of the expected tags: {}", quoted(&allowed)))
        }
        Problem::NotOneOf { allowed, .. } => ("enum", format!("Input should be {}", quoted(&allowed))),
        Problem::Below { least, .. } => ("greater_than_equal", format!("Input should be greater than or equal to {least}")),
        Problem::Above { most, .. } => ("less_than_equal", format!("Input should be less than or equal to {most}")),
        Problem::TooFew { least } => ("too_short", format!("List should have at least {least} item after validation, not 0")),
    };
    let steps = path.into_iter().map(|segment| match segment {
        Segment::Key(name) => name,
        Segment::Index(index) => index.to_string(),
    });
    let place = std::iter::once("body".to_owned()).chain(steps).collect::<Vec<_>>().join(".");
    Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, kind, message, param: Some(place), code: None }
}

fn word(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "boolean",
        Shape::Integer(..) => "integer",
        Shape::Number(..) => "number",
        Shape::Array(..) => "list",
        Shape::Object(_) | Shape::Map(_) | Shape::Tagged(..) => "dictionary",
        Shape::Any | Shape::Text | Shape::Enum(_) | Shape::Either(_) => "string",
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}
