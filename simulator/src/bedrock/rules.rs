//! What the schema of a Converse request cannot say: unions, turns, tools and thinking that depend on one another, and what is asked.

use serde_json::{Map, Value};

use super::invalid;
use crate::completion::{Ask, Demand, Format, Tool};
use crate::protocol::Refusal;

type Body = Map<String, Value>;

/// Checks the rules between fields.
pub(super) fn check(body: &Body) -> Result<(), Refusal> {
    let turns = items(body.get("messages"));
    check_unions(body)?;
    check_turns(turns)?;
    check_tool_use(body, turns)?;
    check_tools(body)?;
    check_native(body)
}

/// Every block is a union: it has one field.
fn check_unions(body: &Body) -> Result<(), Refusal> {
    let turns =
        items(body.get("messages")).iter().enumerate().map(|(index, turn)| (format!("messages.{index}.content"), turn.get("content")));
    let lists = turns.chain([("system".to_owned(), body.get("system")), ("toolConfig.tools".to_owned(), tools(body))]);
    for (at, list) in lists {
        for (index, block) in items(list).iter().enumerate() {
            if block.as_object().is_none_or(|block| block.len() != 1) {
                return Err(invalid(format!("The object at {at}.{index} must set exactly one of its keys.")));
            }
        }
    }
    Ok(())
}

/// Turns alternate, the first is the user's, none is empty.
fn check_turns(turns: &[Value]) -> Result<(), Refusal> {
    let roles: Vec<&str> = turns.iter().map(|turn| turn.get("role").and_then(Value::as_str).unwrap_or_default()).collect();
    if roles.first() != Some(&"user") {
        return Err(invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    if roles.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(invalid(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and \
             assistant roles and try again.",
        ));
    }
    let mut names: Vec<&str> = Vec::new();
    for (turn, given) in turns.iter().enumerate() {
        let blocks = blocks(given);
        if blocks.is_empty() {
            return Err(invalid(format!(
                "The content field in the Message object at messages.{turn} is empty. Add a ContentBlock object to the content field and \
                 try again."
            )));
        }
        for (index, block) in blocks.iter().enumerate() {
            let blank = |text: &Value| text.as_str().is_some_and(|text| text.trim().is_empty());
            let inside = block.pointer("/toolResult/content").map(|content| items(Some(content))).unwrap_or_default();
            if block.get("text").is_some_and(blank) || inside.iter().any(|block| block.get("text").is_some_and(blank)) {
                return Err(invalid(format!(
                    "The text field in the ContentBlock object at messages.{turn}.content.{index} is blank. Add text to the text field, \
                     and try again."
                )));
            }
        }
        let documents: Vec<&str> = blocks.iter().filter_map(|block| block.pointer("/document/name")?.as_str()).collect();
        if !documents.is_empty() && blocks.iter().all(|block| block.get("text").is_none()) {
            return Err(invalid("A text block must be included when using documents."));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || " -()[]".contains(c);
        if documents.iter().any(|name| !name.chars().all(fits) || name.contains("  ")) {
            return Err(invalid(
                "The file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square \
                 brackets. The name can't contain more than one consecutive whitespace character.",
            ));
        }
        if documents.iter().any(|name| names.contains(name)) {
            return Err(invalid("Messages contain duplicate document names. Use unique names and try again."));
        }
        names.extend(documents);
    }
    Ok(())
}

/// A `toolUse` is answered in the next turn, and nothing else is.
fn check_tool_use(body: &Body, turns: &[Value]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    for (turn, given) in turns.iter().enumerate() {
        let results = ids(given, "/toolResult/toolUseId");
        if results.iter().any(|id| !open.contains(id)) {
            return Err(invalid(format!(
                "The number of toolResult blocks at messages.{turn}.content exceeds the number of toolUse blocks of previous turn."
            )));
        }
        let missing: Vec<&str> = open.into_iter().filter(|id| !results.contains(id)).collect();
        if !missing.is_empty() {
            return Err(invalid(format!(
                "Expected toolResult blocks at messages.{turn}.content for the following Ids: {}",
                missing.join(", ")
            )));
        }
        open = ids(given, "/toolUse/toolUseId");
        if let Some(id) = open.iter().chain(&results).find(|id| !is_id(id)) {
            return Err(invalid(format!(
                "1 validation error detected: Value '{id}' at 'messages.{turn}.content.toolUseId' failed to satisfy constraint: Member must \
                 satisfy regular expression pattern: [a-zA-Z0-9_.:-]+"
            )));
        }
        if (!open.is_empty() || !results.is_empty()) && !body.contains_key("toolConfig") {
            return Err(invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks."));
        }
    }
    Ok(())
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
}

fn check_tools(body: &Body) -> Result<(), Refusal> {
    let mut seen: Vec<&str> = Vec::new();
    for (index, tool) in items(tools(body)).iter().filter_map(|tool| tool.get("toolSpec")).enumerate() {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        if !(1..=64).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(invalid(format!(
                "1 validation error detected: Value '{name}' at 'toolConfig.tools.{index}.member.toolSpec.name' failed to satisfy constraint: \
                 Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            )));
        }
        if seen.contains(&name) {
            return Err(invalid(format!("The tool {name} is already defined at toolConfig.tools. Remove the duplicate and try again.")));
        }
        if tool.get("description").and_then(Value::as_str) == Some("") {
            return Err(invalid(format!(
                "toolConfig.tools.{index}.toolSpec.description: Member must have length greater than or equal to 1"
            )));
        }
        if tool.pointer("/inputSchema/json/type").and_then(Value::as_str) != Some("object") {
            return Err(invalid(format!(
                "The value at toolConfig.tools.{index}.toolSpec.inputSchema.json.type must be one of the following: object."
            )));
        }
        seen.push(name);
    }
    let named = body.get("toolConfig").and_then(|config| config.pointer("/toolChoice/tool/name")?.as_str());
    match named.filter(|name| !seen.contains(name)) {
        Some(name) => Err(invalid(format!("Tool '{name}' not found in provided tools"))),
        None => Ok(()),
    }
}

/// What goes to the model itself: Claude's thinking and choice.
fn check_native(body: &Body) -> Result<(), Refusal> {
    let choice = native(body, "tool_choice");
    let told = |message: &str| Err(invalid(format!("The model returned the following errors: {message}")));
    if choice.is_some() && tools(body).is_none() {
        return told("tool_choice may only be specified while providing tools.");
    }
    if choice.is_some() && body.get("toolConfig").is_some_and(|config| config.get("toolChoice").is_some()) {
        return told("tool_choice: conflicts with toolConfig.toolChoice");
    }
    if choice.is_some_and(|choice| choice.get("type").is_none()) {
        return told("tool_choice.type: Field required");
    }
    let Some(thinking) = native(body, "thinking").filter(|_| thinks(body)) else { return Ok(()) };
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64);
    let inference = |name: &str| body.get("inferenceConfig").and_then(|config| config.get(name));
    if budget.is_some() && budget >= inference("maxTokens").and_then(Value::as_u64) {
        return told("`max_tokens` must be greater than `thinking.budget_tokens`.");
    }
    if matches!(demand(body), Demand::Any | Demand::Named(_)) {
        return told("Thinking may not be enabled when tool_choice forces tool use.");
    }
    if inference("temperature").and_then(Value::as_f64).is_some_and(|temperature| temperature < 1.0) {
        return told("`temperature` may only be set to 1 when thinking is enabled.");
    }
    Ok(())
}

/// Reads what is asked from a body that passed the checks.
pub(super) fn ask(model: &str, stream: bool, body: &Body) -> Ask {
    let turns = items(body.get("messages"));
    let inference = |name: &str| body.get("inferenceConfig").and_then(|config| config.get(name));
    let schema = body.get("outputConfig").and_then(|config| config.pointer("/textFormat/structure/jsonSchema/schema")?.as_str());
    Ask {
        model: model.to_owned(),
        stream,
        include_usage: true,
        max_tokens: inference("maxTokens").and_then(Value::as_u64),
        stop: items(inference("stopSequences")).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        prompt_chars: ["messages", "system", "toolConfig"].iter().filter_map(|name| body.get(*name)).map(written).sum(),
        messages: turns.len(),
        tools: items(tools(body)).iter().filter_map(tool).collect(),
        demand: demand(body),
        parallel: native(body, "tool_choice").and_then(|choice| choice.get("disable_parallel_tool_use")) != Some(&Value::Bool(true)),
        answers_tool: turns.last().is_some_and(|turn| !ids(turn, "/toolResult/toolUseId").is_empty()),
        choices: 1,
        format: schema.and_then(|schema| serde_json::from_str(schema).ok()).map_or(Format::Prose, Format::JsonSchema),
        logprobs: false,
        thinking: thinks(body),
        silent: false,
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let spec = tool.get("toolSpec")?;
    Some(Tool { name: spec.get("name")?.as_str()?.to_owned(), schema: spec.pointer("/inputSchema/json")?.clone() })
}

/// The choice, in Converse's words or in Claude's.
fn demand(body: &Body) -> Demand {
    let choice = body.get("toolConfig").and_then(|config| config.get("toolChoice"));
    if choice.is_some_and(|choice| choice.get("any").is_some()) {
        return Demand::Any;
    }
    if let Some(name) = choice.and_then(|choice| choice.pointer("/tool/name")?.as_str()) {
        return Demand::Named(name.to_owned());
    }
    let text = |name: &str| native(body, "tool_choice").and_then(|choice| choice.get(name)?.as_str());
    match text("type") {
        Some("any") => Demand::Any,
        Some("none") => Demand::Never,
        Some("tool") => Demand::Named(text("name").unwrap_or_default().to_owned()),
        _ => Demand::Auto,
    }
}

/// Whether the request turns on reasoning, in the way of any family of models.
fn thinks(body: &Body) -> bool {
    let kind = |name: &str| native(body, name).and_then(|config| config.get("type")?.as_str());
    matches!(kind("thinking"), Some("enabled" | "adaptive"))
        || kind("reasoningConfig") == Some("enabled")
        || native(body, "reasoning_effort").is_some()
}

fn native<'a>(body: &'a Body, name: &str) -> Option<&'a Value> {
    body.get("additionalModelRequestFields")?.get(name)
}

fn tools(body: &Body) -> Option<&Value> {
    body.get("toolConfig")?.get("tools")
}

fn ids<'a>(turn: &'a Value, pointer: &str) -> Vec<&'a str> {
    blocks(turn).iter().filter_map(|block| block.pointer(pointer)?.as_str()).collect()
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

fn blocks(turn: &Value) -> &[Value] {
    items(turn.get("content"))
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
