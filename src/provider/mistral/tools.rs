//! Tools: their declarations, the choice between them, and calls in the conversation
//! (<https://docs.mistral.ai/capabilities/function_calling/>).

use super::id;
use crate::provider::Failed;
use crate::provider::translate::json::{Halt, Object, elements, inner, is_blank};
use crate::provider::translate::parameters::member;
use crate::provider::translate::{Adjustments, Path};

/// More tools than either API takes.
const MAX_TOOLS: usize = 4096;

/// More calls than any turn has.
const MAX_CALLS: usize = 4096;

const TOOLS: Path<'static> = Path::root("tools");
const CHOICE: Path<'static> = Path::root("tool_choice");
const ANY_INPUT: &str = r#"{"type":"object","properties":{}}"#;

/// Appends `,"tools":[…],"tool_choice":…,"parallel_tool_calls":…`.
pub(super) fn write(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    if body.find("functions").is_some_and(|functions| functions != "[]") {
        return Err(Path::root("functions").unsupported("not supported by this model's provider; use tools"));
    }
    let before = out.len();
    out.extend_from_slice(br#","tools":["#);
    let mut count = 0;
    if let Some(tools) = body.find("tools") {
        count =
            elements(tools, MAX_TOOLS, |index, tool: Object<'_>| declare(&tool, index, adjustments, out)).map_err(|halt| match halt {
                Halt::NotAnArray => TOOLS.expected("an array of tools"),
                Halt::Element(index) => TOOLS.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            })?;
    }
    if count > 0 {
        out.push(b']');
        choice(body, out)?;
    } else {
        out.truncate(before);
        if body.find("tool_choice").is_some_and(|choice| !matches!(choice, r#""none""# | r#""auto""#)) {
            adjustments.dropped("", "tool_choice");
        }
    }
    if let Some(parallel) = body.find("parallel_tool_calls") {
        if !matches!(parallel, "true" | "false") {
            return Err(Path::root("parallel_tool_calls").expected("true or false"));
        }
        member("parallel_tool_calls", parallel, out);
    }
    Ok(())
}

fn declare(tool: &Object<'_>, index: usize, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let at = TOOLS.index(index);
    if tool.text("type").as_deref() != Some("function") {
        return Err(at.member("type").unsupported("only function tools are supported by this model's provider"));
    }
    let function_at = at.member("function");
    let function = tool.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name = function.find("name").filter(|name| inner(name).is_some()).ok_or_else(|| function_at.member("name").missing("a string"))?;
    let comma = if index == 0 { "" } else { "," };
    for piece in [comma, r#"{"type":"function","function":{"name":"#, name] {
        out.extend_from_slice(piece.as_bytes());
    }
    if let Some(description) = function.find("description") {
        inner(description).ok_or_else(|| function_at.member("description").expected("a string"))?;
        member("description", description, out);
    }
    let parameters = function.find("parameters").unwrap_or(ANY_INPUT);
    if !parameters.starts_with('{') {
        return Err(function_at.member("parameters").expected("a JSON schema"));
    }
    member("parameters", parameters, out);
    if let Some(strict) = function.find("strict") {
        if !matches!(strict, "true" | "false") {
            return Err(function_at.member("strict").expected("true or false"));
        }
        member("strict", strict, out);
    }
    out.extend_from_slice(b"}}");
    for (name, _) in tool.others(&["type", "function"]) {
        adjustments.dropped("tools[].", name);
    }
    for (name, _) in function.others(&["name", "description", "parameters", "strict"]) {
        adjustments.dropped("tools[].function.", name);
    }
    Ok(())
}

fn choice(body: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(value) = body.find("tool_choice") else { return Ok(()) };
    if let Some(word) = inner(value) {
        match word {
            "auto" | "none" => member("tool_choice", value, out),
            "required" => member("tool_choice", r#""any""#, out),
            _ => return Err(CHOICE.expected("one of none, auto, required, or an object that names a function")),
        }
        return Ok(());
    }
    let choice = Object::read(value).ok_or_else(|| CHOICE.expected("a string or an object"))?;
    if choice.text("type").as_deref() != Some("function") {
        return Err(CHOICE.member("type").unsupported("only function is supported by this model's provider"));
    }
    let function_at = CHOICE.member("function");
    let function = choice.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name = function.find("name").filter(|name| inner(name).is_some()).ok_or_else(|| function_at.member("name").missing("a string"))?;
    member("tool_choice", &[r#"{"type":"function","function":{"name":"#, name, "}}"].concat(), out);
    Ok(())
}

/// Appends `,"tool_calls":[…]`, the calls of an assistant's message.
pub(super) fn calls(calls: &str, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    out.extend_from_slice(br#","tool_calls":["#);
    elements(calls, MAX_CALLS, |index, made: Object<'_>| call(&made, index, at.index(index), out)).map_err(|halt| match halt {
        Halt::NotAnArray => at.expected("an array"),
        Halt::Element(index) => at.index(index).expected("an object"),
        Halt::Visitor(failed) => failed,
    })?;
    out.push(b']');
    Ok(())
}

fn call(made: &Object<'_>, index: usize, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    if made.find("type").is_some_and(|kind| kind != r#""function""#) {
        return Err(at.member("type").unsupported("only function is supported by this model's provider"));
    }
    let id_at = at.member("id");
    let literal = made.find("id").ok_or_else(|| id_at.missing("a string"))?;
    let function_at = at.member("function");
    let function = made.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name = function.find("name").filter(|name| inner(name).is_some_and(|name| !name.is_empty()));
    let name = name.ok_or_else(|| function_at.member("name").missing("a string"))?;
    let arguments = function.find("arguments").unwrap_or(r#""""#);
    let text = inner(arguments).ok_or_else(|| function_at.member("arguments").expected("a string"))?;
    let arguments = if is_blank(text) || text == "null" { r#""{}""# } else { arguments };
    out.extend_from_slice(if index == 0 { br#"{"id":"# } else { br#",{"id":"# });
    id::write(literal, id_at, out)?;
    for piece in [r#","type":"function","function":{"name":"#, name, r#","arguments":"#, arguments, "}}"] {
        out.extend_from_slice(piece.as_bytes());
    }
    Ok(())
}
