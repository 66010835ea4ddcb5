//! What the schema of a Chat Completions request cannot say: fields that depend on one another, and what is asked.

use serde_json::{Map, Value};

use super::invalid;
use crate::completion::{Ask, Demand, Format, Tool};
use crate::protocol::Refusal;

type Body = Map<String, Value>;

/// Checks the rules between fields.
pub(super) fn check(body: &Body) -> Result<(), Refusal> {
    let given = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    for name in ["tool_choice", "parallel_tool_calls"] {
        if given(name) && !given("tools") {
            return refuse(name, None, format!("Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."));
        }
    }
    if given("stream_options") && !flag(body, "stream") {
        return refuse("stream_options", None, "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    }
    if given("max_tokens") && given("max_completion_tokens") {
        return refuse(
            "max_tokens",
            Some("invalid_parameter_combination"),
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        );
    }
    if given("max_tokens") && reasons(text(body, "model")) {
        return refuse(
            "max_tokens",
            Some("unsupported_parameter"),
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        );
    }
    if given("top_logprobs") && !flag(body, "logprobs") {
        return refuse("top_logprobs", None, "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.");
    }
    if body.get("stop").and_then(Value::as_array).is_some_and(|stops| stops.len() > 4) {
        return refuse("stop", Some("array_above_max_length"), "Invalid 'stop': array too long. Expected an array with maximum length 4.");
    }
    check_names(body)?;
    check_format(body)?;
    check_tool_turns(items(body, "messages"))
}

fn check_names(body: &Body) -> Result<(), Refusal> {
    let tools = items(body, "tools");
    for (index, tool) in tools.iter().enumerate() {
        let Some(name) = tool.pointer("/function/name").and_then(Value::as_str) else { continue };
        let at = format!("tools[{index}].function.name");
        if name.len() > 64 {
            let message = format!(
                "Invalid '{at}': string too long. Expected a string with maximum length 64, but got a string with length {} instead.",
                name.len()
            );
            return refuse(&at, Some("string_above_max_length"), message);
        }
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            let message =
                format!("Invalid '{at}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.");
            return refuse(&at, Some("invalid_value"), message);
        }
    }
    let chosen = body.get("tool_choice").and_then(|choice| choice.pointer("/function/name")).and_then(Value::as_str);
    let exists = |name| tools.iter().any(|tool| tool.pointer("/function/name").and_then(Value::as_str) == Some(name));
    match chosen {
        Some(name) if !exists(name) => refuse(
            "tool_choice",
            None,
            format!("Invalid value for 'tool_choice': 'function.name' '{name}' was not found in the 'tools' parameter."),
        ),
        _ => Ok(()),
    }
}

fn check_format(body: &Body) -> Result<(), Refusal> {
    let json_object = body.get("response_format").and_then(|format| format.get("type")).is_some_and(|kind| kind == "json_object");
    let mentioned = || body.get("messages").is_some_and(|turns| turns.to_string().to_ascii_lowercase().contains("json"));
    if json_object && !mentioned() {
        return refuse(
            "messages",
            None,
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
        );
    }
    Ok(())
}

/// Tool calls and the turns that answer them come in pairs.
fn check_tool_turns(turns: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    let mut answering = false;
    for (index, turn) in turns.iter().enumerate() {
        let role = turn.get("role").and_then(Value::as_str).unwrap_or_default();
        if role == "tool" {
            let id = turn.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            if !answering {
                return refuse(
                    &format!("messages.[{index}].role"),
                    None,
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                );
            }
            open.retain(|call| *call != id);
            continue;
        }
        unanswered(&open)?;
        let calls = turn.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        open = calls.iter().filter_map(|call| call.get("id")?.as_str()).collect();
        answering = !open.is_empty();
    }
    unanswered(&open)
}

fn unanswered(open: &[&str]) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    let ids = open.join(", ");
    refuse(
        "messages",
        None,
        format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
             The following tool_call_ids did not have response messages: {ids}"
        ),
    )
}

/// Reads what is asked from a body that passed the checks.
pub(super) fn ask(body: &Body) -> Ask {
    let turns = items(body, "messages");
    let number = |name: &str| body.get(name).and_then(Value::as_u64);
    Ask {
        model: text(body, "model").to_owned(),
        stream: flag(body, "stream"),
        include_usage: body.get("stream_options").and_then(|options| options.get("include_usage")) == Some(&Value::Bool(true)),
        max_tokens: number("max_completion_tokens").or(number("max_tokens")),
        stop: match body.get("stop") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        },
        prompt_chars: turns.iter().map(written).sum::<usize>() + body.get("tools").map_or(0, written),
        messages: turns.len(),
        tools: items(body, "tools").iter().filter_map(tool).collect(),
        demand: demand(body.get("tool_choice")),
        parallel: body.get("parallel_tool_calls") != Some(&Value::Bool(false)),
        answers_tool: turns.last().is_some_and(|turn| turn.get("role").is_some_and(|role| role == "tool")),
        choices: number("n").unwrap_or(1) as usize,
        format: format(body.get("response_format")),
        logprobs: flag(body, "logprobs"),
        thinking: false,
        silent: false,
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let function = tool.get("function")?;
    let name = function.get("name")?.as_str()?.to_owned();
    Some(Tool { name, schema: function.get("parameters").cloned().unwrap_or_default() })
}

fn demand(choice: Option<&Value>) -> Demand {
    match choice {
        Some(Value::String(choice)) if choice == "none" => Demand::Never,
        Some(Value::String(choice)) if choice == "required" => Demand::Any,
        Some(Value::Object(choice)) => match choice.get("function").and_then(|function| function.get("name")) {
            Some(Value::String(name)) => Demand::Named(name.clone()),
            _ if choice.get("allowed_tools").and_then(|tools| tools.get("mode")).is_some_and(|mode| mode == "required") => Demand::Any,
            _ => Demand::Auto,
        },
        _ => Demand::Auto,
    }
}

fn format(format: Option<&Value>) -> Format {
    let kind = format.and_then(|format| format.get("type")).and_then(Value::as_str);
    match kind {
        Some("json_object") => Format::JsonObject,
        Some("json_schema") => {
            Format::JsonSchema(format.and_then(|format| format.pointer("/json_schema/schema")).cloned().unwrap_or_default())
        }
        _ => Format::Prose,
    }
}

/// Characters of text in a value, keys aside.
fn written(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(written).sum(),
        Value::Object(fields) => fields.values().map(written).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// Models that think before they answer, by their names.
fn reasons(model: &str) -> bool {
    ["o1", "o3", "o4", "gpt-5"].iter().any(|family| model.starts_with(family))
}

fn flag(body: &Body, name: &str) -> bool {
    body.get(name) == Some(&Value::Bool(true))
}

fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(body: &'a Body, name: &str) -> &'a [Value] {
    body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn refuse(param: &str, code: Option<&'static str>, message: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal { param: Some(param.to_owned()), code, ..invalid(message) })
}
