//! Tools: their declarations, the choice between them, and calls in the conversation
//! (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools>).

use super::adjustments::Adjustments;
use super::complaint::Path;
use super::generation::Generation;
use super::json::{Halt, Object, elements, inner};
use super::part::cache_control;
use crate::openai::members::{decode, encode};
use crate::openai::scan::Scan;
use crate::provider::Failed;

/// More tools than either API takes.
const MAX_TOOLS: usize = 4096;

const TOOLS: Path<'static> = Path::root("tools");
const CHOICE: Path<'static> = Path::root("tool_choice");

/// The choice, as far as other parameters depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// No tools, or the model decides.
    Free,
    /// One has to be called.
    Forced,
}

/// Appends `,"tools":[…],"tool_choice":{…}`. `called` are the tools of the conversation: Anthropic
/// wants them declared even when the caller does not want any called again.
pub(super) fn write(
    body: &Object<'_>,
    generation: Generation,
    called: &[&str],
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<Choice, Failed> {
    if body.find("functions").is_some_and(|functions| functions != "[]") {
        return Err(Path::root("functions").unsupported("not supported by this model's provider; use tools"));
    }
    let before = out.len();
    out.extend_from_slice(br#","tools":["#);
    let mut count = 0;
    if let Some(tools) = body.find("tools") {
        count =
            elements(tools, MAX_TOOLS, |index, object: Object<'_>| tool(&object, index, generation, adjustments, out)).map_err(|halt| {
                match halt {
                    Halt::NotAnArray => TOOLS.expected("an array of tools"),
                    Halt::Element(index) => TOOLS.index(index).expected("an object"),
                    Halt::Visitor(failed) => failed,
                }
            })?;
    }
    if count > 0 {
        out.push(b']');
        return choice(body, out);
    }
    for name in called {
        let comma: &[u8] = if core::mem::replace(&mut count, 1) == 0 { b"" } else { b"," };
        for piece in [comma, br#"{"name":"#, name.as_bytes(), br#","input_schema":"#, ANY_INPUT, b"}"] {
            out.extend_from_slice(piece);
        }
    }
    if count == 0 {
        out.truncate(before);
    } else {
        out.extend_from_slice(br#"],"tool_choice":{"type":"none"}"#);
        adjustments.note("declared the tools the conversation has called");
    }
    for name in ["tool_choice", "parallel_tool_calls"] {
        if body.find(name).is_some_and(|value| !matches!(value, r#""none""# | r#""auto""# | "true")) {
            adjustments.dropped("", name);
        }
    }
    Ok(Choice::Free)
}

const ANY_INPUT: &[u8] = br#"{"type":"object","properties":{}}"#;

fn tool(tool: &Object<'_>, index: usize, generation: Generation, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let at = TOOLS.index(index);
    if tool.text("type").as_deref() != Some("function") {
        return Err(at.member("type").unsupported("only function tools are supported by this model's provider"));
    }
    let function_at = at.member("function");
    let function = tool.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name = function.find("name").filter(|name| inner(name).is_some()).ok_or_else(|| function_at.member("name").missing("a string"))?;
    if index > 0 {
        out.push(b',');
    }
    out.extend_from_slice(br#"{"name":"#);
    out.extend_from_slice(name.as_bytes());
    if let Some(description) = function.find("description") {
        inner(description).ok_or_else(|| function_at.member("description").expected("a string"))?;
        out.extend_from_slice(br#","description":"#);
        out.extend_from_slice(description.as_bytes());
    }
    out.extend_from_slice(br#","input_schema":"#);
    match function.find("parameters") {
        None => out.extend_from_slice(ANY_INPUT),
        Some(schema) => {
            let object = Object::read(schema).ok_or_else(|| function_at.member("parameters").expected("a JSON schema"))?;
            // OpenAI takes a schema without a type; Anthropic wants it said.
            match (object.find("type"), schema.strip_prefix('{')) {
                (None, Some(rest)) => {
                    let comma = if rest.trim_ascii_start() == "}" { "" } else { "," };
                    for piece in [r#"{"type":"object""#, comma, rest] {
                        out.extend_from_slice(piece.as_bytes());
                    }
                }
                _ => out.extend_from_slice(schema.as_bytes()),
            }
        }
    }
    match function.find("strict") {
        None | Some("false") => {}
        Some("true") if !generation.has_strict_tools() => adjustments.dropped("tools[].function.", "strict"),
        Some("true") => out.extend_from_slice(br#","strict":true"#),
        Some(_) => return Err(function_at.member("strict").expected("true or false")),
    }
    cache_control(tool, at, out)?;
    out.push(b'}');
    for (name, _) in tool.others(&["type", "function", "cache_control"]) {
        adjustments.dropped("tools[].", name);
    }
    for (name, _) in function.others(&["name", "description", "parameters", "strict"]) {
        adjustments.dropped("tools[].function.", name);
    }
    Ok(())
}

fn choice(body: &Object<'_>, out: &mut Vec<u8>) -> Result<Choice, Failed> {
    let serial = match body.find("parallel_tool_calls") {
        None | Some("true") => false,
        Some("false") => true,
        Some(_) => return Err(Path::root("parallel_tool_calls").expected("true or false")),
    };
    let value = body.find("tool_choice");
    let (kind, name) = match value.map(|value| (decode(value), value)) {
        None if !serial => return Ok(Choice::Free),
        None => ("auto", None),
        Some((Some(word), _)) => match word.as_ref() {
            "auto" => ("auto", None),
            "none" => ("none", None),
            "required" => ("any", None),
            _ => return Err(CHOICE.expected("one of none, auto, required, or an object that names a function")),
        },
        Some((None, value)) => ("tool", Some(named(value)?)),
    };
    for piece in [r#","tool_choice":{"type":""#, kind, "\""] {
        out.extend_from_slice(piece.as_bytes());
    }
    if let Some(name) = name {
        out.extend_from_slice(br#","name":"#);
        out.extend_from_slice(name.as_bytes());
    }
    if serial && kind != "none" {
        out.extend_from_slice(br#","disable_parallel_tool_use":true"#);
    }
    out.push(b'}');
    Ok(if matches!(kind, "any" | "tool") { Choice::Forced } else { Choice::Free })
}

/// The name literal of `{"type": "function", "function": {"name"}}`.
fn named(value: &str) -> Result<&str, Failed> {
    let choice = Object::read(value).ok_or_else(|| CHOICE.expected("a string or an object"))?;
    if choice.text("type").as_deref() != Some("function") {
        return Err(CHOICE.member("type").unsupported("only function is supported by this model's provider"));
    }
    let function_at = CHOICE.member("function");
    let function = choice.object("function").ok_or_else(|| function_at.expected("an object"))?;
    function.find("name").filter(|name| inner(name).is_some()).ok_or_else(|| function_at.member("name").missing("a string"))
}

/// Appends a `tool_use` block and returns the name literal.
pub(super) fn call<'a>(call: &Object<'a>, at: Path<'_>, out: &mut Vec<u8>) -> Result<&'a str, Failed> {
    if call.find("type").is_some_and(|kind| kind != r#""function""#) {
        return Err(at.member("type").unsupported("only function is supported by this model's provider"));
    }
    let id_at = at.member("id");
    let id_literal = call.find("id").ok_or_else(|| id_at.missing("a string"))?;
    let function_at = at.member("function");
    let function = call.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name_at = function_at.member("name");
    let name =
        function.find("name").filter(|name| inner(name).is_some_and(|name| !name.is_empty())).ok_or_else(|| name_at.missing("a string"))?;
    let arguments_at = function_at.member("arguments");
    out.extend_from_slice(br#"{"type":"tool_use","id":"#);
    id(id_literal, id_at, out)?;
    for piece in [br#","name":"#, name.as_bytes(), br#","input":"#] {
        out.extend_from_slice(piece);
    }
    arguments(function.find("arguments"), arguments_at, out)?;
    out.push(b'}');
    Ok(name)
}

/// They have to be decoded, and no tool takes as many.
const MAX_ARGUMENTS_BYTES: usize = 1 << 20;

/// The arguments, JSON inside a string, as the object itself.
fn arguments(literal: Option<&str>, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(literal) = literal else {
        out.extend_from_slice(b"{}");
        return Ok(());
    };
    if literal.len() > MAX_ARGUMENTS_BYTES {
        return Err(at.expected("fewer than 1048576 bytes of arguments"));
    }
    let text = decode(literal).ok_or_else(|| at.expected("a string"))?;
    match text.trim_ascii() {
        "" | "null" => out.extend_from_slice(b"{}"),
        text => {
            let mut scan = Scan::new(text);
            let object = scan.value().ok().filter(|_| text.starts_with('{') && scan.end().is_ok());
            out.extend_from_slice(object.ok_or_else(|| at.expected("a string with a JSON object in it"))?.as_bytes());
        }
    }
    Ok(())
}

/// Appends the literal of a call's id. Anthropic takes `[a-zA-Z0-9_-]` only, other vendors write
/// ids like `functions.weather:0`; anything else becomes its number, the same in call and result.
pub(super) fn id(literal: &str, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let id = decode(literal).filter(|id| !id.is_empty()).ok_or_else(|| at.expected("a string that is not empty"))?;
    if id.chars().all(is_plain) {
        encode(&id, out);
        return Ok(());
    }
    let mut plain = String::with_capacity(id.len() + 8);
    for c in id.chars() {
        match c {
            c if is_plain(c) => plain.push(c),
            c => plain.push_str(&format!("-{:x}-", u32::from(c))),
        }
    }
    encode(&plain, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_other_vendors_become_acceptable_and_stay_apart() {
        let written = |literal: &str| {
            let mut out = Vec::new();
            id(literal, TOOLS, &mut out).map(|()| String::from_utf8(out).expect("UTF-8"))
        };
        assert_eq!(written(r#""call_a-1""#).as_deref(), Ok(r#""call_a-1""#));
        assert_eq!(written(r#""functions.weather:0""#).as_deref(), Ok(r#""functions-2e-weather-3a-0""#));
        assert_ne!(written(r#""a.b""#), written(r#""a:b""#));
        for literal in [r#""""#, "7", "{}", r#""\ud800""#] {
            assert!(written(literal).is_err(), "{literal}");
        }
    }

    #[test]
    fn arguments_become_the_object_in_the_string() {
        for (literal, expected) in [
            (Some(r#""{\"city\": \"Paris\", \"n\": 1e400}""#), Some(r#"{"city": "Paris", "n": 1e400}"#)),
            (Some(r#"" {} ""#), Some("{}")),
            (Some(r#""""#), Some("{}")),
            (Some(r#""null""#), Some("{}")),
            (None, Some("{}")),
            (Some(r#""{\"city\"""#), None),
            (Some(r#""{} {}""#), None),
            (Some(r#""[1]""#), None),
            (Some(r#""7""#), None),
            (Some(r#"{"city":"Paris"}"#), None),
            (Some("7"), None),
        ] {
            let mut out = Vec::new();
            let outcome = arguments(literal, TOOLS, &mut out).map(|()| String::from_utf8(out).expect("UTF-8"));
            assert_eq!(outcome.ok().as_deref(), expected, "{literal:?}");
        }
    }
}
