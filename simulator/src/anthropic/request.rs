//! The documented schema of a Messages request, and the provider's words for each way to miss it.

use hyper::header::HeaderMap;
use serde_json::{Map, Value};

use super::{invalid, rules};
use crate::completion::Ask;
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Array, Bool, Either, Enum, Integer, Number, Object, Tagged, Text};
use crate::schema::{self, Field, Flaw, POSITIVE, Problem, Segment, Shape, nullable, optional, required};

/// Checks the version, and what the newest one does not take any more.
pub(super) fn check_version(headers: &HeaderMap, body: &Map<String, Value>) -> Result<(), Refusal> {
    match headers.get("anthropic-version").map(|value| value.as_bytes()) {
        None => Err(invalid("anthropic-version: header is required")),
        Some(b"2023-06-01" | b"2023-01-01") => Ok(()),
        Some(b"2026-10-21") => match ["temperature", "top_p", "top_k"].iter().find(|name| body.contains_key(**name)) {
            Some(name) => Err(invalid(format!("{name}: Extra inputs are not permitted"))),
            None => Ok(()),
        },
        Some(other) => {
            let shown = String::from_utf8_lossy(other);
            Err(invalid(format!("anthropic-version: \"{shown}\" is not a valid version")))
        }
    }
}

pub(super) fn parse(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("The request body is not valid JSON: {error}")))
}

/// Checks a request and reads what is asked.
pub(super) fn read(body: Map<String, Value>) -> Result<Ask, Refusal> {
    schema::check(BODY, &body).map_err(refusal)?;
    rules::check(&body)?;
    Ok(rules::ask(&body))
}

const BODY: &[Field] = &[
    required("model", Text),
    required("messages", Array(1, &Object(TURN))),
    required("max_tokens", POSITIVE),
    nullable("cache_control", CACHE),
    nullable("container", Either(&[Text, Shape::Map(&Any)])),
    nullable("inference_geo", Text),
    optional("metadata", Object(&[nullable("user_id", Text)])),
    optional(
        "output_config",
        Object(&[
            nullable("effort", Enum(&["low", "medium", "high", "xhigh", "max"])),
            nullable("format", Object(&[required("type", Enum(&["json_schema"])), required("schema", Shape::Map(&Any))])),
        ]),
    ),
    optional("service_tier", Enum(&["auto", "standard_only"])),
    optional("stop_sequences", Array(0, &Text)),
    optional("stream", Bool),
    optional("system", Either(&[Text, Array(0, &Tagged("type", &[("text", TEXT)]))])),
    optional("temperature", Number(0.0, 1.0)),
    optional(
        "thinking",
        Tagged(
            "type",
            &[
                ("enabled", &[required("budget_tokens", Integer(1_024, i64::MAX)), nullable("display", DISPLAY)]),
                ("disabled", &[]),
                ("adaptive", &[nullable("display", DISPLAY)]),
            ],
        ),
    ),
    optional("tool_choice", Tagged("type", TOOL_CHOICES)),
    optional("tools", Array(0, &Object(TOOL))),
    optional("top_k", Integer(0, i64::MAX)),
    optional("top_p", Number(0.0, 1.0)),
];

const DISPLAY: Shape = Enum(&["summarized", "omitted"]);
const CACHE: Shape = Object(&[required("type", Enum(&["ephemeral"])), optional("ttl", Enum(&["5m", "1h"]))]);
const TURN: &[Field] =
    &[required("role", Enum(&["user", "assistant"])), required("content", Either(&[Text, Array(0, &Tagged("type", BLOCKS))]))];
const BLOCKS: &[(&str, &[Field])] = &[
    (
        "document",
        &[
            required("source", Shape::Map(&Any)),
            nullable("title", Text),
            nullable("context", Text),
            nullable("citations", Any),
            nullable("cache_control", CACHE),
        ],
    ),
    ("image", IMAGE),
    ("redacted_thinking", &[required("data", Text)]),
    (
        "search_result",
        &[
            required("source", Text),
            required("title", Text),
            required("content", Array(0, &Tagged("type", &[("text", TEXT)]))),
            nullable("citations", Any),
            nullable("cache_control", CACHE),
        ],
    ),
    ("text", TEXT),
    ("thinking", &[required("thinking", Text), required("signature", Text)]),
    (
        "tool_result",
        &[
            required("tool_use_id", Text),
            optional("content", Either(&[Text, Array(0, &Tagged("type", RESULT_BLOCKS))])),
            optional("is_error", Bool),
            nullable("cache_control", CACHE),
        ],
    ),
    ("tool_use", &[required("id", Text), required("name", Text), required("input", Shape::Map(&Any)), nullable("cache_control", CACHE)]),
];
const RESULT_BLOCKS: &[(&str, &[Field])] =
    &[("text", TEXT), ("image", IMAGE), ("document", &[required("source", Shape::Map(&Any)), nullable("title", Text)])];
const TEXT: &[Field] = &[required("text", Text), nullable("citations", Any), nullable("cache_control", CACHE)];
const IMAGE: &[Field] = &[required("source", Tagged("type", SOURCES)), nullable("cache_control", CACHE)];
const SOURCES: &[(&str, &[Field])] = &[
    ("base64", &[required("media_type", Enum(&["image/jpeg", "image/png", "image/gif", "image/webp"])), required("data", Text)]),
    ("url", &[required("url", Text)]),
    ("file", &[required("file_id", Text)]),
];
const TOOL: &[Field] = &[
    nullable("type", Enum(&["custom"])),
    required("name", Text),
    optional("description", Text),
    required("input_schema", Shape::Map(&Any)),
    nullable("cache_control", CACHE),
    optional("strict", Bool),
    optional("eager_input_streaming", Bool),
];
const TOOL_CHOICES: &[(&str, &[Field])] = &[
    ("auto", &[optional("disable_parallel_tool_use", Bool)]),
    ("any", &[optional("disable_parallel_tool_use", Bool)]),
    ("tool", &[required("name", Text), optional("disable_parallel_tool_use", Bool)]),
    ("none", &[]),
];

fn refusal(flaw: Flaw) -> Refusal {
    let at = dotted(&flaw.path);
    invalid(match flaw.problem {
        Problem::Unknown(names) => {
            let name = names.first().cloned().unwrap_or_default();
            let path = [flaw.path, vec![Segment::Key(name)]].concat();
            format!("{}: Extra inputs are not permitted", dotted(&path))
        }
        Problem::Missing => format!("{at}: Field required"),
        Problem::Type { expected, .. } => format!("{at}: Input should be {}", expected_words(expected)),
        Problem::NotOneOf { allowed, got, tag: Some(tag) } => {
            let at = at.strip_suffix(&format!(".{tag}")).unwrap_or(&at);
            let got = got.as_str().unwrap_or_default();
            let allowed = quoted(&allowed).join(", ");
            format!("{at}: Input tag '{got}' found using '{tag}' does not match any of the expected tags: {allowed}")
        }
        Problem::NotOneOf { allowed, .. } => format!("{at}: Input should be {}", alternatives(&allowed)),
        Problem::Below { least, .. } => format!("{at}: Input should be greater than or equal to {least}"),
        Problem::Above { most, .. } => format!("{at}: Input should be less than or equal to {most}"),
        Problem::TooFew { .. } => format!("{at}: at least one message is required"),
    })
}

/// `messages.0.content`; fields of a tool are named with the kind of tool, as the provider does.
fn dotted(path: &[Segment]) -> String {
    let mut words: Vec<String> = path
        .iter()
        .map(|segment| match segment {
            Segment::Key(key) => key.clone(),
            Segment::Index(index) => index.to_string(),
        })
        .collect();
    if words.len() > 2 && words[0] == "tools" {
        words.insert(2, "custom".to_owned());
    }
    words.join(".")
}

fn expected_words(shape: &Shape) -> String {
    match shape {
        Any => "a valid value".to_owned(),
        Bool => "a valid boolean".to_owned(),
        Text => "a valid string".to_owned(),
        Integer(..) => "a valid integer".to_owned(),
        Number(..) => "a valid number".to_owned(),
        Enum(allowed) => alternatives(allowed),
        Object(_) | Shape::Map(_) | Tagged(..) => "a valid dictionary".to_owned(),
        Array(..) => "a valid list".to_owned(),
        Either(shapes) => shapes.iter().map(expected_words).collect::<Vec<_>>().join(" or "),
    }
}

fn quoted(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| format!("'{value}'")).collect()
}

/// `'a', 'b' or 'c'`
fn alternatives(values: &[&str]) -> String {
    match quoted(values).as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        one => one.concat(),
    }
}
