//! The documented schema of a Converse request
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>), and the provider's words for each way to
//! miss it. Stricter than the provider in one thing: a field it does not know is refused.

use serde_json::{Map, Value};

use super::{invalid, rules};
use crate::completion::Ask;
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Array, Bool, Enum, Integer, Number, Object, Text};
use crate::schema::{self, Field, Flaw, Problem, Segment, Shape, optional, required};

/// Checks a request and reads what is asked.
pub(super) fn read(model: &str, stream: bool, body: &[u8]) -> Result<Ask, Refusal> {
    let body: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| invalid("Malformed input request, please reformat your input and try again."))?;
    schema::check(BODY, &body).map_err(refusal)?;
    rules::check(&body)?;
    Ok(rules::ask(model, stream, &body))
}

const BODY: &[Field] = &[
    required("messages", Array(0, &Object(MESSAGE))),
    optional("system", Array(0, &Object(SYSTEM))),
    optional("inferenceConfig", Object(INFERENCE)),
    optional("toolConfig", Object(&[required("tools", Array(1, &Object(TOOL))), optional("toolChoice", Object(TOOL_CHOICE))])),
    optional("guardrailConfig", Shape::Map(&Any)),
    optional("additionalModelRequestFields", Shape::Map(&Any)),
    optional("promptVariables", Shape::Map(&Any)),
    optional("additionalModelResponseFieldPaths", Array(0, &Text)),
    optional("requestMetadata", Shape::Map(&Text)),
    optional("performanceConfig", Object(&[optional("latency", Enum(&["standard", "optimized"]))])),
    optional("serviceTier", Object(&[required("type", Enum(&["priority", "default", "flex", "reserved"]))])),
    optional("outputConfig", Object(&[optional("textFormat", Object(TEXT_FORMAT)), optional("effort", Text)])),
];

const MESSAGE: &[Field] = &[required("role", Enum(&["user", "assistant"])), required("content", Array(0, &Object(BLOCK)))];
const BLOCK: &[Field] = &[
    optional("text", Text),
    optional("image", IMAGE),
    optional("document", DOCUMENT),
    optional("toolUse", Object(&[required("toolUseId", Text), required("name", Text), required("input", Shape::Map(&Any))])),
    optional(
        "toolResult",
        Object(&[
            required("toolUseId", Text),
            required("content", Array(0, &Object(RESULT))),
            optional("status", Enum(&["success", "error"])),
        ]),
    ),
    optional("cachePoint", CACHE_POINT),
    optional("reasoningContent", Object(&[optional("reasoningText", Object(REASONING)), optional("redactedContent", Text)])),
];
const RESULT: &[Field] =
    &[optional("text", Text), optional("json", Shape::Map(&Any)), optional("image", IMAGE), optional("document", DOCUMENT)];
const REASONING: &[Field] = &[required("text", Text), optional("signature", Text)];
const SYSTEM: &[Field] = &[optional("text", Text), optional("cachePoint", CACHE_POINT)];
const CACHE_POINT: Shape = Object(&[required("type", Enum(&["default"])), optional("ttl", Enum(&["5m", "1h"]))]);
const IMAGE: Shape =
    Object(&[required("format", Enum(&["png", "jpeg", "gif", "webp"])), required("source", Object(&[required("bytes", Text)]))]);
const DOCUMENT: Shape = Object(&[
    optional("format", Enum(&["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"])),
    required("name", Text),
    required("source", Object(&[optional("bytes", Text), optional("text", Text)])),
]);
const INFERENCE: &[Field] = &[
    optional("maxTokens", Integer(1, i32::MAX as i64)),
    optional("temperature", Number(0.0, 1.0)),
    optional("topP", Number(0.0, 1.0)),
    optional("stopSequences", Array(0, &Text)),
];
const TOOL: &[Field] = &[
    optional(
        "toolSpec",
        Object(&[
            required("name", Text),
            optional("description", Text),
            required("inputSchema", Object(&[required("json", Shape::Map(&Any))])),
            optional("strict", Bool),
        ]),
    ),
    optional("cachePoint", CACHE_POINT),
];
const TOOL_CHOICE: &[Field] =
    &[optional("auto", Object(&[])), optional("any", Object(&[])), optional("tool", Object(&[required("name", Text)]))];
const TEXT_FORMAT: &[Field] = &[
    required("type", Enum(&["json_schema"])),
    required(
        "structure",
        Object(&[required("jsonSchema", Object(&[required("schema", Text), optional("name", Text), optional("description", Text)]))]),
    ),
];

fn refusal(flaw: Flaw) -> Refusal {
    let at = dotted(&flaw.path);
    let constraint =
        |got: &Value, rule: String| format!("1 validation error detected: Value '{got}' at '{at}' failed to satisfy constraint: {rule}");
    invalid(match &flaw.problem {
        Problem::Unknown(names) => {
            let name = names.first().cloned().unwrap_or_default();
            let path = [flaw.path.clone(), vec![Segment::Key(name)]].concat();
            format!("Unexpected field '{}'", dotted(&path))
        }
        Problem::Missing => constraint(&Value::Null, "Member must not be null".to_owned()),
        Problem::Type { .. } => format!("The format of value at '{at}' is not valid"),
        Problem::NotOneOf { allowed, got, .. } => constraint(got, format!("Member must satisfy enum value set: [{}]", allowed.join(", "))),
        Problem::Below { least, got, .. } => constraint(got, format!("Member must have value greater than or equal to {least}")),
        Problem::Above { most, got, .. } => constraint(got, format!("Member must have value less than or equal to {most}")),
        Problem::TooFew { least } => constraint(&Value::Null, format!("Member must have length greater than or equal to {least}")),
    })
}

/// `messages.1.member.content`, as the provider writes paths, but without `member`.
fn dotted(path: &[Segment]) -> String {
    let words: Vec<String> = path
        .iter()
        .map(|segment| match segment {
            Segment::Key(key) => key.clone(),
            Segment::Index(index) => index.to_string(),
        })
        .collect();
    words.join(".")
}
