//! Tools: their declarations, the choice between them, and calls in the conversation
//! (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools>).

use std::borrow::Cow;

use super::generation::Generation;
use super::part::cache_control;
use super::schema;
use super::wish::{Choice, Wish};
use crate::openai::members::{decode, encode};
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::tools::arguments;

/// More tools than either API takes.
const MAX_TOOLS: usize = 4096;

const TOOLS: Path<'static> = Path::root("tools");

/// Appends `,"tools":[…],"tool_choice":{…}` and returns whether there are any. `called` are the tools
/// of the conversation: Anthropic wants them declared even when the caller does not want any called again.
pub(super) fn write(
    body: &Object<'_>,
    generation: Generation,
    wish: &Wish<'_>,
    called: &[&str],
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<bool, Failed> {
    if body.find("functions").is_some_and(|functions| functions != "[]") {
        return Err(Path::root("functions").unsupported("not supported by this model's provider; use tools"));
    }
    let before = out.len();
    out.extend_from_slice(br#","tools":["#);
    let begin = out.len();
    if let Some(tools) = body.find("tools") {
        elements(tools, MAX_TOOLS, |index, object: Object<'_>| {
            if !wish.allows(&object) {
                adjustments.note("left out the tools that tool_choice does not allow");
                return Ok(());
            }
            if out.len() > begin {
                out.push(b',');
            }
            tool(&object, index, generation, adjustments, out)
        })
        .map_err(|halt| match halt {
            Halt::NotAnArray => TOOLS.expected("an array of tools"),
            Halt::Element(index) => TOOLS.index(index).expected("an object"),
            Halt::Visitor(failed) => failed,
        })?;
    }
    if out.len() > begin {
        out.push(b']');
        wish.write(generation, out);
        return Ok(true);
    }
    if matches!(wish.choice, Choice::Allowed(..)) && body.find("tools").is_some() {
        return Err(Path::root("tool_choice").expected("at least one of the tools to be allowed"));
    }
    for name in called {
        if out.len() > begin {
            out.push(b',');
        }
        for piece in [br#"{"name":"#, name.as_bytes(), br#","input_schema":"#, ANY_INPUT, b"}"] {
            out.extend_from_slice(piece);
        }
    }
    if called.is_empty() {
        out.truncate(before);
    } else {
        out.extend_from_slice(br#"],"tool_choice":{"type":"none"}"#);
        adjustments.note("declared the tools the conversation has called");
    }
    // Without tools, how many may be called at once makes no difference.
    if wish.is_forced() || matches!(wish.choice, Choice::Allowed(..)) {
        adjustments.dropped("", "tool_choice");
    }
    Ok(false)
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
    let strict = match function.find("strict") {
        None | Some("false") => false,
        Some("true") if !generation.has_strict_tools() => {
            adjustments.dropped("tools[].function.", "strict");
            false
        }
        Some("true") => true,
        Some(_) => return Err(function_at.member("strict").expected("true or false")),
    };
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
        Some(schema) => input(schema, strict, function_at.member("parameters"), adjustments, out)?,
    }
    if strict {
        out.extend_from_slice(br#","strict":true"#);
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

/// The schema of what a tool is given.
fn input(text: &str, strict: bool, at: Path<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    const PLACE: &str = "tools[].function.parameters";
    let object = Object::read(text).ok_or_else(|| at.expected("a JSON schema"))?;
    if ["anyOf", "oneOf", "allOf"].iter().any(|choice| object.find(choice).is_some()) {
        schema::write_input(text, PLACE, adjustments, out);
        return Ok(());
    }
    // OpenAI takes a schema without a type; Anthropic wants it said.
    let typed = match (object.find("type"), text.strip_prefix('{')) {
        (None, Some(rest)) => {
            let comma = if rest.trim_ascii_start() == "}" { "" } else { "," };
            Cow::Owned([r#"{"type":"object""#, comma, rest].concat())
        }
        _ => Cow::Borrowed(text),
    };
    match strict {
        true => schema::write(&typed, PLACE, adjustments, out),
        false => out.extend_from_slice(typed.as_bytes()),
    }
    Ok(())
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
