//! The documented schema of a Chat Completions request, and the provider's words for each way to miss a schema.

use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value};

use super::{invalid, rules};
use crate::completion::Ask;
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Array, Bool, Either, Enum, Integer, Number, Object, Tagged, Text};
use crate::schema::{self, Field, Flaw, POSITIVE, Problem, Segment, Shape, nullable, optional, required};

/// Checks a request and reads what is asked.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Ask, Refusal> {
    let body = checked(BODY, headers, body)?;
    rules::check(&body)?;
    Ok(rules::ask(&body))
}

/// The JSON of a request that is as the schema of its endpoint says.
pub(super) fn checked(fields: &'static [Field], headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.trim_start().to_ascii_lowercase().starts_with("application/json") {
        return Err(Refusal {
            code: Some("unsupported_content_type"),
            ..invalid(format!(
                "Unsupported content type: '{content_type}'. This API method only accepts 'application/json' requests, but \
                 you specified the header 'Content-Type: {content_type}'. Please try again with a supported content type."
            ))
        });
    }
    let Ok(body) = serde_json::from_slice::<Map<String, Value>>(body) else { return Err(invalid(NOT_JSON)) };
    if body.get("model").is_none_or(Value::is_null) {
        return Err(invalid("you must provide a model parameter"));
    }
    schema::check(fields, &body).map_err(refusal)?;
    Ok(body)
}

const NOT_JSON: &str = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP \
    library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble \
    figuring out how to fix this, please contact us through our help center at help.openai.com.)";

const BODY: &[Field] = &[
    required("model", Text),
    required("messages", Array(1, &Tagged("role", ROLES))),
    nullable("audio", Object(&[required("voice", Any), required("format", Enum(&["wav", "aac", "mp3", "flac", "opus", "pcm16"]))])),
    nullable("frequency_penalty", Number(-2.0, 2.0)),
    optional("function_call", Either(&[Enum(&["none", "auto"]), Object(&[required("name", Text)])])),
    optional("functions", Array(1, &Object(FUNCTION))),
    nullable("logit_bias", Shape::Map(&Number(-100.0, 100.0))),
    nullable("logprobs", Bool),
    nullable("max_completion_tokens", POSITIVE),
    nullable("max_tokens", POSITIVE),
    nullable("metadata", Shape::Map(&Text)),
    nullable("modalities", Array(1, &Enum(&["text", "audio"]))),
    nullable("moderation", Object(&[required("model", Text), nullable("policy", Any)])),
    nullable("n", Integer(1, 128)),
    optional("parallel_tool_calls", Bool),
    nullable("prediction", Object(&[required("type", Enum(&["content"])), required("content", CONTENT)])),
    nullable("presence_penalty", Number(-2.0, 2.0)),
    nullable("prompt_cache_key", Text),
    optional("prompt_cache_options", Object(&[optional("mode", Enum(&["implicit", "explicit"])), optional("ttl", Enum(&["30m"]))])),
    nullable("prompt_cache_retention", Enum(&["in_memory", "in-memory", "24h"])),
    nullable("reasoning_effort", Enum(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    optional(
        "response_format",
        Tagged("type", &[("text", &[]), ("json_object", &[]), ("json_schema", &[required("json_schema", Object(JSON_SCHEMA))])]),
    ),
    nullable("safety_identifier", Text),
    nullable("seed", Integer(i64::MIN, i64::MAX)),
    nullable("service_tier", Enum(&["auto", "default", "flex", "scale", "priority", "fast"])),
    nullable("stop", Either(&[Text, Array(0, &Text)])),
    nullable("store", Bool),
    nullable("stream", Bool),
    nullable("stream_options", Object(&[optional("include_usage", Bool), optional("include_obfuscation", Bool)])),
    nullable("temperature", Number(0.0, 2.0)),
    optional("tool_choice", Either(&[Enum(&["none", "auto", "required"]), Tagged("type", TOOL_CHOICES)])),
    optional(
        "tools",
        Array(1, &Tagged("type", &[("function", &[required("function", Object(FUNCTION))]), ("custom", &[required("custom", Any)])])),
    ),
    nullable("top_logprobs", Integer(0, 20)),
    nullable("top_p", Number(0.0, 1.0)),
    optional("user", Text),
    nullable("verbosity", Enum(&["low", "medium", "high"])),
    optional("web_search_options", Any),
];

const FUNCTION: &[Field] =
    &[required("name", Text), optional("description", Text), optional("parameters", Shape::Map(&Any)), nullable("strict", Bool)];
const JSON_SCHEMA: &[Field] =
    &[required("name", Text), optional("description", Text), optional("schema", Shape::Map(&Any)), nullable("strict", Bool)];
const TOOL_CHOICES: &[(&str, &[Field])] = &[
    ("function", &[required("function", Object(&[required("name", Text)]))]),
    ("custom", &[required("custom", Object(&[required("name", Text)]))]),
    (
        "allowed_tools",
        &[required("allowed_tools", Object(&[required("mode", Enum(&["auto", "required"])), required("tools", Array(0, &Any))]))],
    ),
];
const ROLES: &[(&str, &[Field])] = &[
    ("system", SPOKEN),
    ("assistant", ASSISTANT),
    ("user", &[required("content", Either(&[Text, Array(1, &Tagged("type", PARTS))])), optional("name", Text)]),
    ("function", &[nullable("content", Text), required("name", Text)]),
    ("tool", &[required("content", CONTENT), required("tool_call_id", Text)]),
    ("developer", SPOKEN),
];
const SPOKEN: &[Field] = &[required("content", CONTENT), optional("name", Text)];
const ASSISTANT: &[Field] = &[
    nullable("content", Either(&[Text, Array(1, &Tagged("type", ASSISTANT_PARTS))])),
    nullable("refusal", Text),
    optional("name", Text),
    nullable("audio", Object(&[required("id", Text)])),
    optional("tool_calls", Array(1, &Tagged("type", CALLS))),
    nullable("function_call", Object(CALL)),
    optional("annotations", Any),
];
const CALLS: &[(&str, &[Field])] = &[
    ("function", &[required("id", Text), required("function", Object(CALL))]),
    ("custom", &[required("id", Text), required("custom", Object(&[required("name", Text), required("input", Text)]))]),
];
const CALL: &[Field] = &[required("name", Text), required("arguments", Text)];
const CONTENT: Shape = Either(&[Text, Array(1, &Tagged("type", &[("text", TEXT_PART)]))]);
const TEXT_PART: &[Field] = &[required("text", Text)];
const ASSISTANT_PARTS: &[(&str, &[Field])] = &[("text", TEXT_PART), ("refusal", &[required("refusal", Text)])];
const PARTS: &[(&str, &[Field])] = &[
    ("text", TEXT_PART),
    (
        "image_url",
        &[required("image_url", Object(&[required("url", Text), optional("detail", Enum(&["auto", "low", "high", "original"]))]))],
    ),
    ("input_audio", &[required("input_audio", Object(&[required("data", Text), required("format", Enum(&["wav", "mp3"]))]))]),
    ("file", &[required("file", Object(&[optional("filename", Text), optional("file_data", Text), optional("file_id", Text)]))]),
];

fn refusal(flaw: Flaw) -> Refusal {
    let at = dotted(&flaw.path);
    let (code, message) = match flaw.problem {
        Problem::Unknown(names) if flaw.path.is_empty() => {
            let plural = if names.len() > 1 { "s" } else { "" };
            return invalid(format!("Unrecognized request argument{plural} supplied: {}", names.join(", ")));
        }
        Problem::Unknown(names) => {
            let at = format!("{at}.{}", names.join(", "));
            let message = format!("Unknown parameter: '{at}'.");
            return Refusal { param: Some(at), code: Some("unknown_parameter"), ..invalid(message) };
        }
        Problem::Missing => ("missing_required_parameter", format!("Missing required parameter: '{at}'.")),
        Problem::Type { expected, got } => (
            "invalid_type",
            format!("Invalid type for '{at}': expected {}, but got {} instead.", expected_words(expected), got_words(&got)),
        ),
        Problem::NotOneOf { allowed, got, .. } => {
            let values = listed(&allowed);
            ("invalid_value", format!("Invalid value: '{}'. Supported values are: {values}.", got.as_str().unwrap_or_default()))
        }
        Problem::Below { expected, least, got } => bound(&at, expected, &got, "below minimum", ">=", &least),
        Problem::Above { expected, most, got } => bound(&at, expected, &got, "above maximum", "<=", &most),
        Problem::TooFew { least } => (
            "empty_array",
            format!("Invalid '{at}': empty array. Expected an array with minimum length {least}, but got an empty array instead."),
        ),
    };
    Refusal { param: Some(at), code: Some(code), ..invalid(message) }
}

fn bound(at: &str, expected: &Shape, got: &Value, side: &str, sign: &str, limit: &str) -> (&'static str, String) {
    let (word, code) = match (matches!(expected, Integer(..)), sign) {
        (true, "<=") => ("integer", "integer_above_max_value"),
        (true, _) => ("integer", "integer_below_min_value"),
        (false, "<=") => ("decimal", "decimal_above_max_value"),
        (false, _) => ("decimal", "decimal_below_min_value"),
    };
    (code, format!("Invalid '{at}': {word} {side} value. Expected a value {sign} {limit}, but got {got} instead."))
}

/// `messages[0].content`
fn dotted(path: &[Segment]) -> String {
    let mut at = String::new();
    for segment in path {
        match segment {
            Segment::Index(index) => at.push_str(&format!("[{index}]")),
            Segment::Key(key) if at.is_empty() => at.push_str(key),
            Segment::Key(key) => at.push_str(&format!(".{key}")),
        }
    }
    at
}

fn expected_words(shape: &Shape) -> String {
    let one = |shape: &Shape| match shape {
        Any => "a value",
        Bool => "a boolean",
        Text => "a string",
        Integer(..) => "an integer",
        Number(..) => "a decimal",
        Enum(_) => "one of a set of strings",
        Object(_) | Shape::Map(_) | Tagged(..) => "an object",
        Array(_, Object(_) | Tagged(..)) => "an array of objects",
        Array(_, Text) => "an array of strings",
        Array(..) => "an array",
        Either(_) => "one of several types",
    };
    match shape {
        Either(shapes) => {
            let words: Vec<&str> = shapes.iter().map(|shape| one(shape).trim_start_matches("an ").trim_start_matches("a ")).collect();
            format!("one of a {}", words.join(" or "))
        }
        shape => one(shape).to_owned(),
    }
}

fn got_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// `'a', 'b', and 'c'`
fn listed(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    match quoted.as_slice() {
        [all @ .., last] if all.len() > 1 => format!("{}, and {last}", all.join(", ")),
        [first, last] => format!("{first} and {last}"),
        _ => quoted.concat(),
    }
}
