//! What the schema of a Messages request cannot say: turns, tools and thinking that depend on one another, and what is asked.

use serde_json::{Map, Value};

use super::{invalid, schemas, thought};
use crate::completion::{Ask, Demand, Format, Tool};
use crate::protocol::Refusal;

type Body = Map<String, Value>;

/// Checks the rules between fields.
pub(super) fn check(body: &Body) -> Result<(), Refusal> {
    let turns = items(body.get("messages"));
    check_turns(turns)?;
    check_tool_use(turns)?;
    check_thoughts(turns)?;
    check_tools(body)?;
    check_sampling(body)?;
    check_model(body, turns)?;
    schemas::check(body)
}

/// Thoughts come back as they were signed, and something follows them.
fn check_thoughts(turns: &[Value]) -> Result<(), Refusal> {
    for (turn, blocks) in turns.iter().map(blocks).enumerate() {
        for (index, block) in blocks.iter().enumerate().filter(|(_, block)| kind(block) == "thinking") {
            let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
            if !thought::is_signed(text("thinking"), text("signature")) {
                return Err(invalid(format!("messages.{turn}.content.{index}: Invalid `signature` in `thinking` block")));
            }
            if index + 1 == blocks.len() {
                return Err(invalid(format!("messages.{turn}: The final block in an assistant message cannot be `thinking`.")));
            }
        }
    }
    Ok(())
}

/// What some models take and others refuse.
fn check_model(body: &Body, turns: &[Value]) -> Result<(), Refusal> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let is = |names: &[&str]| names.iter().any(|name| model.contains(name));
    let thinking = body.get("thinking").map(kind).unwrap_or_default();
    let newest = is(&["-5-5", "fable-5-1", "mythos-5-1"]);
    let adaptive = newest || is(&["-4-7", "-4-8", "-opus-5", "-sonnet-5", "-fable-5", "-mythos-5"]);
    if adaptive && thinking == "enabled" || thinking == "disabled" && (newest || is(&["fable", "mythos"])) {
        return Err(invalid(format!(
            "\"thinking.type.{thinking}\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to \
             control thinking behavior."
        )));
    }
    if thinking == "adaptive" && is(&["-4-5", "-4-1", "-4-2", "-3-"]) {
        return Err(invalid("adaptive thinking is not supported on this model"));
    }
    if newest && matches!(demand(body.get("tool_choice")), Demand::Any | Demand::Named(_)) {
        return Err(invalid("tool_choice: type \"tool\" and \"any\" are not supported for this model."));
    }
    if adaptive && ["temperature", "top_p", "top_k"].iter().any(|name| body.contains_key(*name)) {
        return Err(invalid("`temperature`, `top_p` and `top_k` are not supported for this model."));
    }
    if (adaptive || is(&["-4-6"])) && turns.last().is_some_and(|turn| role(turn) == "assistant") {
        return Err(invalid("This model does not support assistant message prefill. The conversation must end with a user message."));
    }
    if thinking == "enabled" {
        check_last_thought(turns)?;
    }
    Ok(())
}

/// With a budget for thinking, the turn that is still open has to begin with what was thought.
fn check_last_thought(turns: &[Value]) -> Result<(), Refusal> {
    let groups = joined(turns);
    let open = groups.last().is_some_and(|group| group.role == "assistant" || !ids(&group.blocks, "tool_result", "tool_use_id").is_empty());
    let Some(last) = groups.iter().rev().find(|group| group.role == "assistant").filter(|_| open) else { return Ok(()) };
    match last.blocks.first().map(|block| kind(block)) {
        None | Some("thinking" | "redacted_thinking") => Ok(()),
        Some(found) => Err(invalid(format!(
            "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final \
             `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). We \
             recommend you include thinking blocks from previous turns. To avoid this requirement, disable `thinking`.",
            last.first
        ))),
    }
}

/// Turns of the same role in a row are fine (the provider joins them); the first must be the user's, none may be empty.
fn check_turns(turns: &[Value]) -> Result<(), Refusal> {
    if turns.first().is_some_and(|turn| role(turn) != "user") {
        return Err(invalid("messages: first message must use the \"user\" role"));
    }
    for (index, turn) in turns.iter().enumerate() {
        let last = index + 1 == turns.len();
        let empty = match turn.get("content") {
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(blocks)) => blocks.is_empty(),
            _ => false,
        };
        if empty && !(last && role(turn) == "assistant") {
            return Err(invalid(format!(
                "messages.{index}: all messages must have non-empty content except for the optional final assistant message"
            )));
        }
        let text = |block: &Value| block.get("text").and_then(Value::as_str).map(str::to_owned);
        if blocks(turn).iter().filter(|block| kind(block) == "text").filter_map(text).any(|text| text.is_empty()) {
            return Err(invalid("messages: text content blocks must be non-empty"));
        }
        if last && role(turn) == "assistant" {
            let end = turn.get("content").and_then(Value::as_str).map(str::to_owned).or(blocks(turn).last().and_then(text));
            if end.is_some_and(|text| text.ends_with(char::is_whitespace)) {
                return Err(invalid("messages: final assistant content cannot end with trailing whitespace"));
            }
        }
    }
    Ok(())
}

/// A `tool_use` is answered in the next turn, and every `tool_result` answers one of the turn before.
fn check_tool_use(turns: &[Value]) -> Result<(), Refusal> {
    for group in joined(turns).windows(2) {
        // Only those that come before anything else count.
        let first: Vec<&Value> = group[1].blocks.iter().copied().take_while(|block| kind(block) == "tool_result").collect();
        let results = ids(&first, "tool_result", "tool_use_id");
        let calls = ids(&group[0].blocks, "tool_use", "id").into_iter();
        let missing: Vec<&str> = calls.filter(|id| !results.contains(id)).collect();
        if !missing.is_empty() {
            return Err(invalid(format!(
                "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` \
                 block must have a corresponding `tool_result` block in the next message.",
                group[0].last,
                missing.join(", ")
            )));
        }
    }
    let mut open: Vec<&str> = Vec::new();
    let joined = joined(turns);
    for group in &joined {
        for id in ids(&group.blocks, "tool_result", "tool_use_id") {
            if group.role != "user" || !open.contains(&id) {
                return Err(invalid(format!(
                    "messages.{}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` \
                     block must have a corresponding `tool_use` block in the previous message.",
                    group.first
                )));
            }
        }
        open = ids(&group.blocks, "tool_use", "id");
        if group.role == "user" && !open.is_empty() {
            return Err(invalid(format!("messages.{}: `tool_use` blocks can only be in `assistant` messages", group.first)));
        }
    }
    if let Some(group) = joined.last().filter(|_| !open.is_empty()) {
        return Err(invalid(format!(
            "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block \
             must have a corresponding `tool_result` block in the next message.",
            group.last,
            open.join(", ")
        )));
    }
    Ok(())
}

/// Turns of one role in a row.
struct Joined<'a> {
    role: &'a str,
    first: usize,
    last: usize,
    blocks: Vec<&'a Value>,
}

fn joined(turns: &[Value]) -> Vec<Joined<'_>> {
    let mut groups: Vec<Joined<'_>> = Vec::new();
    for (index, turn) in turns.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if group.role == role(turn) => {
                group.last = index;
                group.blocks.extend(blocks(turn));
            }
            _ => groups.push(Joined { role: role(turn), first: index, last: index, blocks: blocks(turn).iter().collect() }),
        }
    }
    groups
}

fn ids<'a>(blocks: &[&'a Value], of: &str, field: &str) -> Vec<&'a str> {
    blocks.iter().filter(|block| kind(block) == of).filter_map(|block| block.get(field)?.as_str()).collect()
}

fn check_tools(body: &Body) -> Result<(), Refusal> {
    let tools = items(body.get("tools"));
    let mut seen: Vec<&str> = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        if !(1..=128).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(invalid(format!("tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")));
        }
        if seen.contains(&name) {
            return Err(invalid("tools: Tool names must be unique."));
        }
        seen.push(name);
        match tool.get("input_schema").and_then(|schema| schema.get("type")).map(|kind| kind == "object") {
            Some(true) => {}
            Some(false) => return Err(invalid(format!("tools.{index}.custom.input_schema.type: Input should be 'object'"))),
            None => return Err(invalid(format!("tools.{index}.custom.input_schema.type: Field required"))),
        }
        if ["anyOf", "oneOf", "allOf"].iter().any(|choice| tool["input_schema"].get(choice).is_some()) {
            return Err(invalid(format!(
                "tools.{index}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
            )));
        }
    }
    let Some(choice) = body.get("tool_choice") else { return Ok(()) };
    if tools.is_empty() {
        return Err(invalid("tool_choice may only be specified while providing tools."));
    }
    match choice.get("name").and_then(Value::as_str).filter(|name| !seen.contains(name)) {
        Some(name) => Err(invalid(format!("Tool '{name}' not found in provided tools"))),
        None => Ok(()),
    }
}

fn check_sampling(body: &Body) -> Result<(), Refusal> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let newer = ["-4-1", "-4-5", "-4-6"].iter().any(|version| model.contains(version));
    if newer && body.contains_key("temperature") && body.contains_key("top_p") {
        return Err(invalid("`temperature` and `top_p` cannot both be specified for this model. Please use only one."));
    }
    if !thinks(body) {
        return Ok(());
    }
    let budget = body.get("thinking").and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::as_u64);
    if budget >= body.get("max_tokens").and_then(Value::as_u64) {
        return Err(invalid(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at \
             https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size",
        ));
    }
    if matches!(demand(body.get("tool_choice")), Demand::Any | Demand::Named(_)) {
        return Err(invalid("Thinking may not be enabled when tool_choice forces tool use."));
    }
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|temperature| temperature < 1.0) {
        return Err(invalid("`temperature` may only be set to 1 when thinking is enabled."));
    }
    Ok(())
}

fn thinks(body: &Body) -> bool {
    body.get("thinking").is_some_and(|thinking| kind(thinking) == "enabled")
}

/// Reads what is asked from a body that passed the checks.
pub(super) fn ask(body: &Body) -> Ask {
    let turns = items(body.get("messages"));
    let choice = body.get("tool_choice");
    Ask {
        model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        include_usage: true,
        max_tokens: body.get("max_tokens").and_then(Value::as_u64),
        stop: items(body.get("stop_sequences")).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        prompt_chars: ["messages", "system", "tools"].iter().filter_map(|name| body.get(*name)).map(written).sum(),
        messages: turns.len(),
        tools: items(body.get("tools")).iter().filter_map(tool).collect(),
        demand: demand(choice),
        parallel: choice.and_then(|choice| choice.get("disable_parallel_tool_use")) != Some(&Value::Bool(true)),
        answers_tool: turns.last().is_some_and(|turn| blocks(turn).iter().any(|block| kind(block) == "tool_result")),
        choices: 1,
        format: match body.get("output_config").and_then(|config| config.pointer("/format/schema")) {
            Some(schema) => Format::JsonSchema(schema.clone()),
            None => Format::Prose,
        },
        logprobs: false,
        thinking: body.get("thinking").is_some_and(|thinking| matches!(kind(thinking), "enabled" | "adaptive")),
        silent: body.get("thinking").and_then(|thinking| thinking.get("display")).is_some_and(|display| display == "omitted"),
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    Some(Tool { name: tool.get("name")?.as_str()?.to_owned(), schema: tool.get("input_schema")?.clone() })
}

fn demand(choice: Option<&Value>) -> Demand {
    let name = || choice.and_then(|choice| choice.get("name")?.as_str()).unwrap_or_default().to_owned();
    match choice.map(kind) {
        Some("any") => Demand::Any,
        Some("tool") => Demand::Named(name()),
        Some("none") => Demand::Never,
        _ => Demand::Auto,
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

fn role(turn: &Value) -> &str {
    turn.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn kind(block: &Value) -> &str {
    block.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn blocks(turn: &Value) -> &[Value] {
    items(turn.get("content"))
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
