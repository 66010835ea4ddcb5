//! What no schema says: the order of turns, ids of nine characters, and what a model does not take; and what is asked.

use serde_json::{Map, Value};

use super::invalid;
use crate::completion::{Ask, Demand, Format, Tool};
use crate::protocol::Refusal;

type Body = Map<String, Value>;

/// The first rule that is broken.
pub(super) fn check(body: &Body) -> Result<(), Refusal> {
    let turns = items(body.get("messages"));
    check_order(turns)?;
    check_calls(turns)?;
    let greedy = body.get("temperature").and_then(Value::as_f64) == Some(0.0);
    if greedy && body.get("top_p").and_then(Value::as_f64).is_some_and(|top_p| top_p < 1.0) {
        return Err(invalid("invalid_request_invalid_args", "3051", "top_p must be 1 when using greedy sampling."));
    }
    let effort = body.get("reasoning_effort").and_then(Value::as_str);
    match effort.filter(|_| !thinks(model(body))) {
        Some(_) => return Err(invalid("invalid_request_invalid_args", "3051", "reasoning_effort is not enabled for this model")),
        None if effort.is_some_and(|effort| !matches!(effort, "none" | "high")) => {
            let message = format!(
                "reasoning_effort='{}' is not supported for this model. Must be one of ('none', 'high')",
                effort.unwrap_or_default()
            );
            return Err(invalid("invalid_request_invalid_args", "3051", message));
        }
        None => {}
    }
    Ok(())
}

fn check_order(turns: &[Value]) -> Result<(), Refusal> {
    let wrong = |message: String| Err(invalid("invalid_request_message_order", "3230", message));
    for pair in turns.windows(2) {
        let allowed: &[&str] = match role(&pair[0]) {
            "system" => &["user", "assistant", "system"],
            "user" => &["assistant", "system", "user"],
            "assistant" => &["assistant", "user", "tool"],
            _ => &["assistant", "tool"],
        };
        if !allowed.contains(&role(&pair[1])) {
            return wrong(format!("Unexpected role '{}' after role '{}'", role(&pair[1]), role(&pair[0])));
        }
    }
    let Some(last) = turns.last() else { return Ok(()) };
    let prefix = role(last) == "assistant" && last.get("prefix") == Some(&Value::Bool(true));
    if prefix || matches!(role(last), "user" | "tool") {
        return Ok(());
    }
    wrong(format!("Expected last role User or Tool (or Assistant with prefix True) for serving but got {}", role(last)))
}

fn check_calls(turns: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    for turn in turns {
        let calls = items(turn.get("tool_calls"));
        let answered = turn.get("tool_call_id").and_then(Value::as_str);
        let made = calls.iter().filter_map(|call| call.get("id")?.as_str());
        for id in made.clone().chain(answered) {
            if id.len() != 9 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                let message = format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.");
                return Err(invalid("invalid_function_call", "3280", message));
            }
        }
        match answered {
            Some(id) if open.contains(&id) => open.retain(|call| *call != id),
            Some(id) => return Err(invalid("invalid_function_call", "3280", format!("Unexpected tool call id {id} in tool results"))),
            None if !open.is_empty() => return Err(invalid("invalid_request_message_order", "3230", NOT_ANSWERED)),
            None => open = made.collect(),
        }
    }
    Ok(())
}

const NOT_ANSWERED: &str = "Not the same number of function calls and responses";

/// Reads what is asked from a body that passed the checks.
pub(super) fn ask(body: &Body) -> Ask {
    let turns = items(body.get("messages"));
    let number = |name: &str| body.get(name).and_then(Value::as_u64);
    Ask {
        model: model(body).to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        include_usage: true,
        max_tokens: number("max_tokens"),
        stop: match body.get("stop") {
            Some(Value::String(one)) => vec![one.clone()],
            all => items(all).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        },
        prompt_chars: ["messages", "tools"].iter().filter_map(|name| body.get(*name)).map(written).sum(),
        messages: turns.len(),
        tools: items(body.get("tools")).iter().filter_map(tool).collect(),
        demand: demand(body.get("tool_choice")),
        parallel: body.get("parallel_tool_calls") != Some(&Value::Bool(false)),
        answers_tool: turns.last().is_some_and(|turn| role(turn) == "tool"),
        choices: number("n").unwrap_or(1) as usize,
        format: format(body.get("response_format")),
        logprobs: body.get("logprobs") == Some(&Value::Bool(true)),
        thinking: body.get("reasoning_effort").is_some_and(|effort| effort == "high") || model(body).starts_with("magistral"),
        silent: false,
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let function = tool.get("function")?;
    Some(Tool { name: function.get("name")?.as_str()?.to_owned(), schema: function.get("parameters")?.clone() })
}

fn demand(choice: Option<&Value>) -> Demand {
    match choice {
        Some(Value::String(word)) if word == "none" => Demand::Never,
        Some(Value::String(word)) if word == "any" || word == "required" => Demand::Any,
        Some(named) => named.pointer("/function/name").and_then(Value::as_str).map_or(Demand::Auto, |name| Demand::Named(name.to_owned())),
        None => Demand::Auto,
    }
}

fn format(format: Option<&Value>) -> Format {
    match format.and_then(|format| format.get("type")).and_then(Value::as_str) {
        Some("json_object") => Format::JsonObject,
        Some("json_schema") => {
            Format::JsonSchema(format.and_then(|format| format.pointer("/json_schema/schema")).cloned().unwrap_or_default())
        }
        _ => Format::Prose,
    }
}

/// Models that can think, by their names.
fn thinks(model: &str) -> bool {
    ["magistral", "mistral-small-latest", "mistral-small-2603", "mistral-medium-3", "mistral-medium-2604"]
        .iter()
        .any(|family| model.starts_with(family))
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
