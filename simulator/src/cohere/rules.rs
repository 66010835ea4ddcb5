//! What no schema says: calls and their results, what goes with tools, what a model does not take; and what is asked.

use serde_json::{Map, Value};

use super::invalid;
use crate::completion::{Ask, Demand, Format, Tool};
use crate::protocol::Refusal;

type Body = Map<String, Value>;

/// The first rule that is broken.
pub(super) fn check(body: &Body) -> Result<(), Refusal> {
    let turns = items(body.get("messages"));
    let has_tools = !items(body.get("tools")).is_empty();
    if items(body.get("stop_sequences")).len() > 5 {
        return Err(invalid("stop_sequences must have at most 5 elements"));
    }
    if body.contains_key("tool_choice") && !has_tools {
        return Err(invalid("tool_choice requires tools"));
    }
    if has_tools && format(body).is_some() {
        return Err(invalid("response_format with json_object is not supported with tools"));
    }
    if body.contains_key("thinking") && !thinks(body) {
        return Err(invalid("thinking is not supported by this model"));
    }
    for (index, turn) in turns.iter().enumerate() {
        if role(turn) == "assistant" && turn.get("content").is_none() && items(turn.get("tool_calls")).is_empty() {
            return Err(invalid(format!("messages.{index} must have content or tool_calls")));
        }
    }
    if !turns.last().is_some_and(|turn| matches!(role(turn), "user" | "tool")) {
        return Err(invalid("the last message must have the role user or tool"));
    }
    check_calls(turns)
}

fn check_calls(turns: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    for turn in turns {
        match turn.get("tool_call_id").and_then(Value::as_str) {
            Some(id) if open.contains(&id) => open.retain(|call| *call != id),
            Some(id) => return Err(invalid(format!("tool_call_id {id} does not match any tool call of the turn before"))),
            None if !open.is_empty() => return Err(invalid("all tool calls must be followed by their results")),
            None => open = items(turn.get("tool_calls")).iter().filter_map(|call| call.get("id")?.as_str()).collect(),
        }
    }
    if open.is_empty() { Ok(()) } else { Err(invalid("all tool calls must be followed by their results")) }
}

/// Reads what is asked from a body that passed the checks.
pub(super) fn ask(body: &Body) -> Ask {
    let turns = items(body.get("messages"));
    Ask {
        model: model(body).to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        include_usage: true,
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stop: items(body.get("stop_sequences")).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        prompt_chars: ["messages", "tools"].iter().filter_map(|name| body.get(*name)).map(written).sum(),
        messages: turns.len(),
        tools: items(body.get("tools")).iter().filter_map(tool).collect(),
        demand: match body.get("tool_choice").and_then(Value::as_str) {
            Some("REQUIRED") => Demand::Any,
            Some("NONE") => Demand::Never,
            _ => Demand::Auto,
        },
        parallel: true,
        answers_tool: turns.last().is_some_and(|turn| role(turn) == "tool"),
        choices: 1,
        format: match format(body) {
            Some(Value::Null) => Format::JsonObject,
            Some(schema) => Format::JsonSchema(schema),
            None => Format::Prose,
        },
        logprobs: body.get("logprobs") == Some(&Value::Bool(true)),
        // Models that can think do so unless they are told not to.
        thinking: thinks(body) && body.get("thinking").and_then(|thinking| thinking.get("type")).is_none_or(|kind| kind != "disabled"),
        silent: false,
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let function = tool.get("function")?;
    Some(Tool { name: function.get("name")?.as_str()?.to_owned(), schema: function.get("parameters")?.clone() })
}

/// The schema of a JSON answer, null for any; `None` if a text is asked for.
fn format(body: &Body) -> Option<Value> {
    let format = body.get("response_format").filter(|format| format.get("type").is_some_and(|kind| kind == "json_object"))?;
    Some(format.get("json_schema").or_else(|| format.get("schema")).cloned().unwrap_or_default())
}

/// Models that can think, by their names.
fn thinks(body: &Body) -> bool {
    ["command-a-reasoning", "command-a-plus"].iter().any(|family| model(body).starts_with(family))
}

fn model(body: &Body) -> &str {
    body.get("model").and_then(Value::as_str).unwrap_or_default()
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

fn role(turn: &Value) -> &str {
    turn.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
