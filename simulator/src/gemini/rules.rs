//! What the schema of a request cannot say: contents, tools and models that depend on one another, and what is asked.

use serde_json::{Map, Value};

use super::invalid;
use crate::completion::{Ask, Demand, Format, Tool};
use crate::protocol::Refusal;

type Body = Map<String, Value>;

/// Checks the rules between fields.
pub(super) fn check(model: &str, body: &Body) -> Result<(), Refusal> {
    let contents = items(body.get("contents"));
    if contents.is_empty() {
        return Err(invalid("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    for (index, content) in contents.iter().enumerate() {
        if !matches!(role(content), "user" | "model" | "") {
            return Err(invalid("Please use a valid role: user, model."));
        }
        if parts(content).is_empty() {
            return Err(invalid(format!("* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n")));
        }
        let is_jpg = |part: &&Value| part.pointer("/inlineData/mimeType").is_some_and(|kind| kind == "image/jpg");
        if parts(content).iter().any(|part| is_jpg(&part)) {
            return Err(invalid("Unsupported MIME type: image/jpg"));
        }
        let bare = parts(content).iter().position(|part| !KINDS.iter().any(|kind| part.get(kind).is_some()));
        if let Some(part) = bare {
            return Err(invalid(format!(
                "* GenerateContentRequest.contents[{index}].parts[{part}].data: required oneof field 'data' must have one initialized field\n"
            )));
        }
    }
    check_calls(model, contents)?;
    check_tools(model, body)?;
    check_config(model, body)
}

/// Vertex AI knows no ids of calls.
pub(super) fn check_ids(body: &Body) -> Result<(), Refusal> {
    for (content, turn) in items(body.get("contents")).iter().enumerate() {
        for (part, value) in parts(turn).iter().enumerate() {
            for (member, name) in [("functionCall", "function_call"), ("functionResponse", "function_response")] {
                if value.get(member).is_some_and(|said| said.get("id").is_some()) {
                    return Err(invalid(format!(
                        "Invalid JSON payload received. Unknown name \"id\" at 'contents[{content}].parts[{part}].{name}': Cannot find field."
                    )));
                }
            }
        }
    }
    Ok(())
}

const KINDS: [&str; 7] = ["text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"];

/// Calls come after the user's turn or results, results after calls, as many of them; since Gemini 3 the first call of every
/// step of the current turn is signed.
fn check_calls(model: &str, contents: &[Value]) -> Result<(), Refusal> {
    let current = contents.iter().rposition(|content| role(content) != "model" && count(content, "functionResponse") == 0).unwrap_or(0);
    let mut open = 0;
    for (index, content) in contents.iter().enumerate() {
        let (calls, results) = (count(content, "functionCall"), count(content, "functionResponse"));
        if results > 0 && results != open {
            return Err(invalid(
                "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
            ));
        }
        if calls > 0 && index == 0 {
            return Err(invalid(
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
            ));
        }
        if open > 0 && results == 0 {
            return Err(invalid("Please ensure that function response turn comes immediately after a function call turn."));
        }
        open = calls;
        let first = parts(content).iter().find(|part| part.get("functionCall").is_some());
        let unsigned = first.filter(|part| part.get("thoughtSignature").is_none());
        if index > current && generation(model) >= Some((3, 0)) && unsigned.is_some() {
            return Err(invalid(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance.",
            ));
        }
    }
    Ok(())
}

fn check_tools(model: &str, body: &Body) -> Result<(), Refusal> {
    let declared: Vec<&Value> = declarations(body).collect();
    let config = calling(body);
    if declared.is_empty() && config.is_some() {
        return Err(invalid("Function calling config is set without function_declarations."));
    }
    for (index, declaration) in declared.iter().enumerate() {
        let name = declaration.get("name").and_then(Value::as_str).unwrap_or_default();
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || name.len() > 128 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b)) {
            return Err(invalid(format!(
                "* GenerateContentRequest.tools[0].function_declarations[{index}].name: Invalid function name. Must start with a letter or an underscore.\n"
            )));
        }
        if declaration.get("parameters").is_some() && declaration.get("parametersJsonSchema").is_some() {
            return Err(invalid("Only one of parameters and parameters_json_schema may be set."));
        }
        if let Some(wrong) = declaration.get("parametersJsonSchema").and_then(mixed_reference) {
            return Err(wrong);
        }
    }
    let allowed = items(config.and_then(|config| config.get("allowedFunctionNames")));
    if !allowed.is_empty() && !matches!(mode(config), "ANY" | "VALIDATED") {
        return Err(invalid("Allowed function names may only be set when the mode is ANY or VALIDATED."));
    }
    if let Some(name) = allowed.iter().find(|name| declared.iter().all(|declared| declared.get("name") != Some(name))) {
        return Err(invalid(format!("Allowed function {name} is not among the function declarations.")));
    }
    let format = config_of(body).and_then(|config| config.get("responseMimeType")).and_then(Value::as_str);
    if !declared.is_empty() && format == Some("application/json") && generation(model).is_some_and(|generation| generation < (3, 0)) {
        return Err(invalid("Function calling with a response mime type: 'application/json' is unsupported"));
    }
    Ok(())
}

/// A reference has no neighbours, and ends in `$defs`.
fn mixed_reference(schema: &Value) -> Option<Refusal> {
    match schema {
        Value::Object(members) => match members.get("$ref") {
            Some(reference) if members.keys().any(|name| !name.starts_with('$')) || !reference.is_string() => {
                Some(invalid("If $ref is set on a sub-schema, no other properties may be set."))
            }
            _ => members.values().find_map(mixed_reference),
        },
        Value::Array(elements) => elements.iter().find_map(mixed_reference),
        _ => None,
    }
}

fn check_config(model: &str, body: &Body) -> Result<(), Refusal> {
    let Some(config) = config_of(body) else { return Ok(()) };
    let has = |name: &str| config.get(name).is_some();
    if items(config.get("stopSequences")).len() > 5 {
        return Err(invalid("* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences are supported\n"));
    }
    if (has("presencePenalty") || has("frequencyPenalty")) && generation(model) >= Some((2, 5)) {
        return Err(invalid(format!("Penalty is not enabled for models/{model}")));
    }
    if has("logprobs") && config.get("responseLogprobs") != Some(&Value::Bool(true)) {
        return Err(invalid("Logprobs is not supported unless response_logprobs is set to true."));
    }
    if (has("responseSchema") || has("responseJsonSchema")) && !has("responseMimeType") {
        return Err(invalid("Response schema is set without response_mime_type."));
    }
    if let Some(wrong) = config.get("responseJsonSchema").and_then(mixed_reference) {
        return Err(wrong);
    }
    let Some(thinking) = config.get("thinkingConfig") else { return Ok(()) };
    let (budget, level) = (thinking.get("thinkingBudget"), thinking.get("thinkingLevel"));
    let known = generation(model);
    match (budget.and_then(Value::as_i64), level.and_then(Value::as_str)) {
        (Some(_), Some(_)) => Err(invalid("You can only set only one of thinking budget and thinking level.")),
        _ if known.is_some_and(|known| known < (2, 5)) => Err(invalid("Thinking is not supported for this model.")),
        (_, Some(_)) if known.is_some_and(|known| known < (3, 0)) => Err(invalid("Thinking level is not supported for this model.")),
        (_, Some(level)) if !["minimal", "low", "medium", "high"].contains(&level.to_ascii_lowercase().as_str()) => {
            Err(invalid(format!("Invalid value at 'generation_config.thinking_config.thinking_level' (TYPE_ENUM), \"{level}\"")))
        }
        (Some(0), _) if model.contains("-pro") => Err(invalid("Budget 0 is invalid. This model only works in thinking mode.")),
        _ => Ok(()),
    }
}

/// The numbers in the name of a Gemini model.
fn generation(model: &str) -> Option<(u8, u8)> {
    let number = model.strip_prefix("gemini-")?.split('-').next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Reads what is asked from a body that passed the checks.
pub(super) fn ask(model: &str, stream: bool, body: &Body) -> Ask {
    let contents = items(body.get("contents"));
    let config = config_of(body);
    let of = |name: &str| config.and_then(|config| config.get(name));
    let json = of("responseMimeType").and_then(Value::as_str) == Some("application/json");
    Ask {
        model: model.to_owned(),
        stream,
        include_usage: true,
        max_tokens: of("maxOutputTokens").and_then(Value::as_u64),
        stop: items(of("stopSequences")).iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        prompt_chars: ["contents", "systemInstruction", "tools"].iter().filter_map(|name| body.get(*name)).map(written).sum(),
        messages: contents.len(),
        tools: declarations(body).filter_map(tool).collect(),
        demand: demand(calling(body)),
        parallel: true,
        answers_tool: contents.last().is_some_and(|content| count(content, "functionResponse") > 0),
        choices: 1,
        format: match of("responseJsonSchema").or_else(|| of("responseSchema")) {
            Some(schema) => Format::JsonSchema(schema.clone()),
            None if json => Format::JsonObject,
            None => Format::Prose,
        },
        logprobs: of("responseLogprobs") == Some(&Value::Bool(true)),
        thinking: of("thinkingConfig").and_then(|thinking| thinking.get("includeThoughts")) == Some(&Value::Bool(true)),
        silent: false,
    }
}

fn tool(declaration: &Value) -> Option<Tool> {
    let schema = declaration.get("parametersJsonSchema").or_else(|| declaration.get("parameters"));
    Some(Tool { name: declaration.get("name")?.as_str()?.to_owned(), schema: schema.cloned().unwrap_or_default() })
}

fn demand(config: Option<&Value>) -> Demand {
    match (mode(config), items(config.and_then(|config| config.get("allowedFunctionNames")))) {
        ("NONE", _) => Demand::Never,
        ("ANY", [name]) => Demand::Named(name.as_str().unwrap_or_default().to_owned()),
        ("ANY", _) => Demand::Any,
        _ => Demand::Auto,
    }
}

fn mode(config: Option<&Value>) -> &str {
    config.and_then(|config| config.get("mode")).and_then(Value::as_str).unwrap_or_default()
}

fn calling(body: &Body) -> Option<&Value> {
    body.get("toolConfig")?.get("functionCallingConfig")
}

fn config_of(body: &Body) -> Option<&Value> {
    body.get("generationConfig")
}

fn declarations(body: &Body) -> impl Iterator<Item = &Value> {
    items(body.get("tools")).iter().flat_map(|tool| items(tool.get("functionDeclarations")))
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

fn count(content: &Value, kind: &str) -> usize {
    parts(content).iter().filter(|part| part.get(kind).is_some()).count()
}

fn role(content: &Value) -> &str {
    content.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn parts(content: &Value) -> &[Value] {
    items(content.get("parts"))
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
