//! Tools: their declarations, the choice between them, and calls in the conversation
//! (<https://docs.cohere.com/v2/docs/tool-use-overview>).

use crate::openai::members::decode;
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner, is_blank};
use crate::provider::translate::parameters::{flag, member};

/// More tools than either API takes.
const MAX_TOOLS: usize = 4096;

/// More calls than any turn has.
const MAX_CALLS: usize = 4096;

const TOOLS: Path<'static> = Path::root("tools");
const CHOICE: Path<'static> = Path::root("tool_choice");

/// What the caller's `tool_choice` comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    Auto,
    None,
    Required,
    /// The decoded name of a function: Cohere can only be told to call one of those it is given.
    Named(String),
}

/// Appends `,"tools":[…],"strict_tools":…,"tool_choice":…`.
pub(super) fn write(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    if body.find("functions").is_some_and(|functions| functions != "[]") {
        return Err(Path::root("functions").unsupported("not supported by this model's provider; use tools"));
    }
    let choice = choice(body)?;
    let serial = flag(body, "parallel_tool_calls")? == Some(false);
    let before = out.len();
    out.extend_from_slice(br#","tools":["#);
    let mut declared = Declared::default();
    if let Some(tools) = body.find("tools") {
        elements(tools, MAX_TOOLS, |index, tool: Object<'_>| declare(&tool, index, &choice, &mut declared, adjustments, out)).map_err(
            |halt| match halt {
                Halt::NotAnArray => TOOLS.expected("an array of tools"),
                Halt::Element(index) => TOOLS.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            },
        )?;
    }
    if declared.written == 0 {
        out.truncate(before);
        return match choice {
            Choice::Named(_) if declared.all > 0 => Err(CHOICE.member("function").member("name").expected("the name of one of the tools")),
            Choice::Named(_) | Choice::Required => {
                adjustments.dropped("", "tool_choice");
                Ok(())
            }
            Choice::Auto | Choice::None => Ok(()),
        };
    }
    out.push(b']');
    if declared.strict == declared.written {
        member("strict_tools", "true", out);
    } else if declared.strict > 0 {
        // It holds for all tools or none.
        adjustments.dropped("tools[].function.", "strict");
    }
    match choice {
        Choice::Auto => {}
        Choice::None => member("tool_choice", r#""NONE""#, out),
        Choice::Required | Choice::Named(_) => member("tool_choice", r#""REQUIRED""#, out),
    }
    if serial {
        adjustments.dropped("", "parallel_tool_calls");
    }
    Ok(())
}

#[derive(Default)]
struct Declared {
    all: usize,
    written: usize,
    strict: usize,
}

const ANY_INPUT: &str = r#"{"type":"object","properties":{}}"#;

fn declare(
    tool: &Object<'_>,
    index: usize,
    choice: &Choice,
    declared: &mut Declared,
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let at = TOOLS.index(index);
    if tool.text("type").as_deref() != Some("function") {
        return Err(at.member("type").unsupported("only function tools are supported by this model's provider"));
    }
    let function_at = at.member("function");
    let function = tool.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name = function.find("name").filter(|name| inner(name).is_some()).ok_or_else(|| function_at.member("name").missing("a string"))?;
    declared.all += 1;
    if matches!(choice, Choice::Named(chosen) if decode(name).as_deref() != Some(chosen.as_str())) {
        return Ok(());
    }
    out.extend_from_slice(if declared.written == 0 { b"" } else { b"," });
    declared.written += 1;
    for piece in [r#"{"type":"function","function":{"name":"#, name] {
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
    match function.find("strict") {
        None | Some("false") => {}
        Some("true") => declared.strict += 1,
        Some(_) => return Err(function_at.member("strict").expected("true or false")),
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

fn choice(body: &Object<'_>) -> Result<Choice, Failed> {
    let Some(value) = body.find("tool_choice") else { return Ok(Choice::Auto) };
    if let Some(word) = inner(value) {
        return match word {
            "auto" => Ok(Choice::Auto),
            "none" => Ok(Choice::None),
            "required" => Ok(Choice::Required),
            _ => Err(CHOICE.expected("one of none, auto, required, or an object that names a function")),
        };
    }
    let choice = Object::read(value).ok_or_else(|| CHOICE.expected("a string or an object"))?;
    if choice.text("type").as_deref() != Some("function") {
        return Err(CHOICE.member("type").unsupported("only function is supported by this model's provider"));
    }
    let function_at = CHOICE.member("function");
    let function = choice.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name = function.text("name").ok_or_else(|| function_at.member("name").missing("a string"))?;
    Ok(Choice::Named(name.into_owned()))
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
    let filled = |object: &Object<'_>, name: &str| object.literal(name).is_some_and(|text| !text.is_empty());
    let id = made.find("id").filter(|_| filled(made, "id")).ok_or_else(|| at.member("id").missing("a string"))?;
    let function_at = at.member("function");
    let function = made.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name = function.find("name").filter(|_| filled(&function, "name")).ok_or_else(|| function_at.member("name").missing("a string"))?;
    let arguments = function.find("arguments").unwrap_or(r#""""#);
    let text = inner(arguments).ok_or_else(|| function_at.member("arguments").expected("a string"))?;
    let arguments = if is_blank(text) || text == "null" { r#""{}""# } else { arguments };
    let comma = if index == 0 { "" } else { "," };
    for piece in [comma, r#"{"id":"#, id, r#","type":"function","function":{"name":"#, name, r#","arguments":"#, arguments, "}}"] {
        out.extend_from_slice(piece.as_bytes());
    }
    Ok(())
}
