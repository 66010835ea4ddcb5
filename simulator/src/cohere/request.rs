//! The schema of a request as the provider's own SDK has it, and the provider's words for each way to miss it.

use hyper::StatusCode;
use serde_json::{Map, Value};

use super::{invalid, refusal, rules};
use crate::completion::Ask;
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Array, Bool, Either, Enum, Integer, Number, Object, Tagged, Text};
use crate::schema::{self, Field, Flaw, POSITIVE, Problem, Segment, Shape, optional, required};

/// Checks a request and reads what is asked.
pub(super) fn read(body: &[u8]) -> Result<Ask, Refusal> {
    let body = checked(BODY, body)?;
    rules::check(&body)?;
    Ok(rules::ask(&body))
}

/// The JSON of a request that is as the schema of its endpoint says.
pub(super) fn checked(fields: &'static [Field], body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| invalid("invalid json syntax"))?;
    schema::check(fields, &body).map_err(flawed)?;
    Ok(body)
}

const BODY: &[Field] = &[
    required("model", Text),
    required("messages", Array(1, &Tagged("role", ROLES))),
    required("stream", Bool),
    optional("tools", Array(1, &Object(&[required("type", Enum(&["function"])), required("function", Object(FUNCTION))]))),
    optional("strict_tools", Bool),
    optional("documents", Array(0, &Any)),
    optional("citation_options", Object(&[optional("mode", Text)])),
    optional(
        "response_format",
        Tagged(
            "type",
            &[("text", &[]), ("json_object", &[optional("json_schema", Shape::Map(&Any)), optional("schema", Shape::Map(&Any))])],
        ),
    ),
    optional("safety_mode", Enum(&["CONTEXTUAL", "STRICT", "OFF"])),
    optional("max_tokens", POSITIVE),
    optional("stop_sequences", Array(0, &Text)),
    optional("temperature", Number(0.0, 1.0)),
    optional("seed", Integer(0, i64::MAX)),
    optional("frequency_penalty", Number(0.0, 1.0)),
    optional("presence_penalty", Number(0.0, 1.0)),
    optional("k", Integer(0, 500)),
    optional("p", Number(0.01, 0.99)),
    optional("logprobs", Bool),
    optional("tool_choice", Enum(&["REQUIRED", "NONE"])),
    optional("thinking", Object(&[required("type", Enum(&["enabled", "disabled"])), optional("token_budget", POSITIVE)])),
    optional("priority", Integer(0, 999)),
];

const FUNCTION: &[Field] = &[required("name", Text), optional("description", Text), required("parameters", Shape::Map(&Any))];
const ROLES: &[(&str, &[Field])] = &[
    ("system", &[required("content", Either(&[Text, Array(1, &Tagged("type", &[("text", TEXT)]))]))]),
    ("user", &[required("content", Either(&[Text, Array(1, &Tagged("type", USER))]))]),
    (
        "assistant",
        &[
            optional("content", Either(&[Text, Array(1, &Tagged("type", ASSISTANT))])),
            optional("tool_calls", Array(1, &Object(CALL))),
            optional("tool_plan", Text),
            optional("citations", Array(0, &Any)),
        ],
    ),
    ("tool", &[required("tool_call_id", Text), required("content", Either(&[Text, Array(1, &Tagged("type", RESULT))]))]),
];
const TEXT: &[Field] = &[required("text", Text)];
const USER: &[(&str, &[Field])] = &[
    ("text", TEXT),
    ("image_url", &[required("image_url", Object(&[required("url", Text), optional("detail", Enum(&["auto", "low", "high"]))]))]),
];
const ASSISTANT: &[(&str, &[Field])] = &[("text", TEXT), ("thinking", &[required("thinking", Text)])];
const RESULT: &[(&str, &[Field])] = &[("text", TEXT), ("document", &[required("document", Shape::Map(&Any))])];
const CALL: &[Field] = &[
    required("id", Text),
    required("type", Enum(&["function"])),
    required("function", Object(&[required("name", Text), required("arguments", Text)])),
];

fn flawed(flaw: Flaw) -> Refusal {
    let at = dotted(&flaw.path);
    match flaw.problem {
        Problem::Unknown(names) => {
            let name = names.first().map_or("", String::as_str);
            let name = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            refusal(StatusCode::UNPROCESSABLE_ENTITY, format!("unknown field: parameter '{name}' is not a valid field"))
        }
        Problem::Missing => invalid(format!("{at} is required")),
        Problem::Type { .. } => refusal(StatusCode::UNPROCESSABLE_ENTITY, format!("invalid type: parameter {at} is of the wrong type")),
        Problem::NotOneOf { allowed, .. } => invalid(format!("{at} must be one of: {}", allowed.join(", "))),
        Problem::Below { least, .. } => invalid(format!("{at} must be at least {least}")),
        Problem::Above { most, .. } => invalid(format!("{at} must be at most {most}")),
        Problem::TooFew { .. } => invalid(format!("{at} must not be empty")),
    }
}

fn dotted(path: &[Segment]) -> String {
    let steps = path.iter().map(|segment| match segment {
        Segment::Key(name) => name.clone(),
        Segment::Index(index) => index.to_string(),
    });
    steps.collect::<Vec<_>>().join(".")
}
