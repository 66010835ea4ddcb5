//! Tools: their declarations, the choice between them, and calls in the conversation
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html>).

use std::borrow::Cow;

use super::conversation::says_nothing;
use super::family::Family;
use super::part::{cache_control, cache_point};
use crate::openai::members::{decode, encode};
use crate::provider::Failed;
use crate::provider::anthropic::schema;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::tools::{arguments, named};

/// More tools than the API takes.
const MAX_TOOLS: usize = 4096;

const TOOLS: Path<'static> = Path::root("tools");
const CHOICE: Path<'static> = Path::root("tool_choice");

/// What the caller wants called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// What the model likes.
    Free,
    /// Nothing: the tools are those of the past, or not to be called now.
    Nothing,
    /// Anything.
    Any,
    /// The tool whose name is this literal.
    Named(&'a str),
    /// None but those of these names, decoded; and whether it has to be one.
    Allowed(Vec<Cow<'a, str>>, bool),
}

/// What is to be declared, before it is.
#[derive(Debug, Clone)]
pub(super) struct Plan<'a> {
    /// What the caller wants called.
    pub choice: Choice<'a>,
    /// At most one call in an answer.
    pub serial: bool,
    /// The caller's tools.
    tools: Option<&'a str>,
}

impl<'a> Plan<'a> {
    /// Reads `tools`, `tool_choice` and `parallel_tool_calls`.
    pub(super) fn of(body: &Object<'a>, adjustments: &mut Adjustments) -> Result<Self, Failed> {
        if body.find("functions").is_some_and(|functions| functions != "[]") {
            return Err(Path::root("functions").unsupported("not supported by this model's provider; use tools"));
        }
        let tools = body.find("tools");
        if tools.is_none_or(|tools| tools.trim_start_matches('[').trim_ascii_start() == "]") {
            for name in ["tool_choice", "parallel_tool_calls"] {
                if body.find(name).is_some_and(|value| !matches!(value, r#""none""# | r#""auto""# | "true" | "false")) {
                    adjustments.dropped("", name);
                }
            }
            return Ok(Self { choice: Choice::Nothing, serial: false, tools: None });
        }
        let serial = match body.find("parallel_tool_calls") {
            None | Some("true") => false,
            Some("false") => true,
            Some(_) => return Err(Path::root("parallel_tool_calls").expected("true or false")),
        };
        let choice = match body.find("tool_choice").map(|value| (decode(value), value)) {
            None => Choice::Free,
            Some((Some(word), _)) => match word.as_ref() {
                "auto" => Choice::Free,
                "none" => Choice::Nothing,
                "required" => Choice::Any,
                _ => return Err(CHOICE.expected("one of none, auto, required, or an object that names a function")),
            },
            Some((None, value)) => object(value)?,
        };
        Ok(Self { choice, serial, tools })
    }

    /// Whether a tool has to be called.
    pub(super) fn forces(&self) -> bool {
        matches!(self.choice, Choice::Any | Choice::Named(_) | Choice::Allowed(_, true))
    }

    /// What a model is told that cannot be forced, as the inside of a string literal.
    pub(super) fn in_words(&self, family: Family) -> Option<String> {
        match self.choice {
            _ if family.forces_tools() => None,
            Choice::Any | Choice::Allowed(_, true) => Some("Answer with a call of a tool, not with a text.".to_owned()),
            Choice::Named(name) => Some(format!("Answer with a call of the tool {}, not with a text.", inner(name)?)),
            Choice::Free | Choice::Nothing | Choice::Allowed(_, false) => None,
        }
    }

    /// Whether the model has to be told in words that nothing is to be called: it is shown tools
    /// because the conversation has calls, and Converse knows no choice of none.
    pub(super) fn needs_words(&self, family: Family, called: &[&str]) -> bool {
        self.choice == Choice::Nothing && !called.is_empty() && !family.takes_native_choice()
    }

    /// Appends `,"toolConfig":{…}`, and to `native` what goes to the model itself. `called` are the
    /// tools of the conversation: they have to be declared even if none is to be called again.
    pub(super) fn write(
        &self,
        family: Family,
        called: &[&str],
        adjustments: &mut Adjustments,
        native: &mut Vec<String>,
        out: &mut Vec<u8>,
    ) -> Result<(), Failed> {
        let before = out.len();
        out.extend_from_slice(br#","toolConfig":{"tools":["#);
        match self.tools {
            Some(tools) => {
                let visit = |index, object: Object<'_>| match self.allows(&object) {
                    true => tool(&object, index, family, adjustments, out),
                    false => Ok(()),
                };
                elements(tools, MAX_TOOLS, visit).map_err(|halt| match halt {
                    Halt::NotAnArray => TOOLS.expected("an array of tools"),
                    Halt::Element(index) => TOOLS.index(index).expected("an object"),
                    Halt::Visitor(failed) => failed,
                })?;
                if self.choice == Choice::Nothing && called.is_empty() && !family.takes_native_choice() {
                    out.truncate(before);
                    adjustments.note("left out the tools, since none is to be called");
                    return Ok(());
                }
            }
            None if called.is_empty() => {
                out.truncate(before);
                return Ok(());
            }
            None => {
                for (index, name) in called.iter().enumerate() {
                    let comma: &[u8] = if index == 0 { b"" } else { b"," };
                    for piece in [comma, br#"{"toolSpec":{"name":"#, name.as_bytes(), br#","inputSchema":{"json":"#, ANY_INPUT, b"}}}"] {
                        out.extend_from_slice(piece);
                    }
                }
                adjustments.note("declared the tools the conversation has called");
            }
        }
        out.push(b']');
        self.write_choice(family, adjustments, native, out);
        out.push(b'}');
        Ok(())
    }

    /// Whether a tool may be called at all.
    fn allows(&self, tool: &Object<'_>) -> bool {
        let Choice::Allowed(names, _) = &self.choice else { return true };
        tool.object("function").and_then(|function| function.text("name").map(|name| names.contains(&name))).unwrap_or(true)
    }

    /// The choice, in Converse's words; in Anthropic's own where those are too few. Never in both,
    /// which Bedrock refuses.
    fn write_choice(&self, family: Family, adjustments: &mut Adjustments, native: &mut Vec<String>, out: &mut Vec<u8>) {
        let serial = self.serial && self.choice != Choice::Nothing;
        let forced = self.forces() && family.forces_tools();
        if (serial || self.choice == Choice::Nothing) && family.takes_native_choice() {
            let kind = match self.choice {
                Choice::Nothing => r#""none""#.to_owned(),
                Choice::Named(name) if forced => [r#""tool","name":"#, name].concat(),
                _ if forced => r#""any""#.to_owned(),
                _ => r#""auto""#.to_owned(),
            };
            let one = if serial { r#","disable_parallel_tool_use":true"# } else { "" };
            native.push([r#""tool_choice":{"type":"#, &kind, one, "}"].concat());
            return;
        }
        if serial {
            adjustments.dropped("", "parallel_tool_calls");
        }
        match self.choice {
            _ if !forced => {}
            Choice::Named(name) => {
                for piece in [r#","toolChoice":{"tool":{"name":"#, name, "}}"] {
                    out.extend_from_slice(piece.as_bytes());
                }
            }
            _ => out.extend_from_slice(br#","toolChoice":{"any":{}}"#),
        }
    }
}

const ANY_INPUT: &[u8] = br#"{"type":"object","properties":{}}"#;

fn tool(tool: &Object<'_>, index: usize, family: Family, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let at = TOOLS.index(index);
    if tool.text("type").as_deref() != Some("function") {
        return Err(at.member("type").unsupported("only function tools are supported by this model's provider"));
    }
    let function_at = at.member("function");
    let function = tool.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name = function.find("name").filter(|name| inner(name).is_some()).ok_or_else(|| function_at.member("name").missing("a string"))?;
    // Those before it may be left out.
    if !out.ends_with(b"[") {
        out.push(b',');
    }
    out.extend_from_slice(br#"{"toolSpec":{"name":"#);
    out.extend_from_slice(name.as_bytes());
    if let Some(description) = function.find("description") {
        inner(description).ok_or_else(|| function_at.member("description").expected("a string"))?;
        // An empty one is refused.
        if !says_nothing(description) {
            out.extend_from_slice(br#","description":"#);
            out.extend_from_slice(description.as_bytes());
        }
    }
    out.extend_from_slice(br#","inputSchema":{"json":"#);
    match function.find("parameters") {
        None => out.extend_from_slice(ANY_INPUT),
        Some(schema) => {
            let strict = function.find("strict") == Some("true") && family.has_strict_tools();
            input(schema, family, strict, function_at.member("parameters"), adjustments, out)?;
        }
    }
    out.push(b'}');
    match function.find("strict") {
        None | Some("false") => {}
        Some("true") if !family.has_strict_tools() => adjustments.dropped("tools[].function.", "strict"),
        Some("true") => out.extend_from_slice(br#","strict":true"#),
        Some(_) => return Err(function_at.member("strict").expected("true or false")),
    }
    out.extend_from_slice(b"}}");
    match cache_control(tool, at)? {
        // Nova caches messages and the system prompt alone.
        Some(_) if !family.is_claude() => adjustments.dropped("tools[].", "cache_control"),
        Some(marker) => {
            out.push(b',');
            cache_point(marker, out);
        }
        None => {}
    }
    for (name, _) in tool.others(&["type", "function", "cache_control"]) {
        adjustments.dropped("tools[].", name);
    }
    for (name, _) in function.others(&["name", "description", "parameters", "strict"]) {
        adjustments.dropped("tools[].function.", name);
    }
    Ok(())
}

/// The schema of what a tool is given. Claude's own limitations hold here too.
fn input(text: &str, family: Family, strict: bool, at: Path<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    const PLACE: &str = "tools[].function.parameters";
    let object = Object::read(text).ok_or_else(|| at.expected("a JSON schema"))?;
    if family.is_claude() && ["anyOf", "oneOf", "allOf"].iter().any(|choice| object.find(choice).is_some()) {
        schema::write_input(text, PLACE, adjustments, out);
        return Ok(());
    }
    // OpenAI takes a schema without a type; Bedrock wants it said.
    let typed = match (object.find("type"), text.strip_prefix('{')) {
        (None, Some(rest)) => {
            let comma = if rest.trim_ascii_start() == "}" { "" } else { "," };
            Cow::Owned([r#"{"type":"object""#, comma, rest].concat())
        }
        _ => Cow::Borrowed(text),
    };
    match strict && family.is_claude() {
        true => schema::write(&typed, PLACE, adjustments, out),
        false => out.extend_from_slice(typed.as_bytes()),
    }
    Ok(())
}

/// `{"type": "function", "function": {"name"}}` or
/// `{"type": "allowed_tools", "allowed_tools": {"mode", "tools": [{"type": "function", "function": {"name"}}]}}`.
fn object(value: &str) -> Result<Choice<'_>, Failed> {
    let choice = Object::read(value).ok_or_else(|| CHOICE.expected("a string or an object"))?;
    match choice.text("type").as_deref() {
        Some("function") => named(&choice, CHOICE).map(Choice::Named),
        Some("allowed_tools") => {
            let at = CHOICE.member("allowed_tools");
            let allowed = choice.object("allowed_tools").ok_or_else(|| at.expected("an object"))?;
            let forced = match allowed.text("mode").as_deref() {
                Some("auto") => false,
                Some("required") => true,
                _ => return Err(at.member("mode").expected("auto or required")),
            };
            let tools_at = at.member("tools");
            let tools = allowed.find("tools").ok_or_else(|| tools_at.missing("an array"))?;
            let mut names = Vec::new();
            let visit = |index, tool: Object<'_>| {
                let name = named(&tool, tools_at.index(index))?;
                names.extend(decode(name).map(|name| Cow::Owned(name.into_owned())));
                Ok(())
            };
            elements(tools, MAX_TOOLS, visit).map_err(|halt| match halt {
                Halt::NotAnArray => tools_at.expected("an array"),
                Halt::Element(index) => tools_at.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            })?;
            Ok(Choice::Allowed(names, forced))
        }
        _ => Err(CHOICE.member("type").unsupported("only functions are supported by this model's provider")),
    }
}

/// Appends a `toolUse` block and returns the name literal.
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
    out.extend_from_slice(br#"{"toolUse":{"toolUseId":"#);
    id(id_literal, id_at, out)?;
    for piece in [br#","name":"#, name.as_bytes(), br#","input":"#] {
        out.extend_from_slice(piece);
    }
    arguments(function.find("arguments"), arguments_at, out)?;
    out.extend_from_slice(b"}}");
    Ok(name)
}

/// Longest `toolUseId`, in characters.
const MAX_ID: usize = 64;

/// What is kept of a longer one.
const KEPT_OF_ID: usize = 40;

/// Appends the literal of a call's id. Bedrock takes 64 of `[a-zA-Z0-9_.:-]`; another character
/// becomes its number and a longer id its beginning and a digest, the same in call and result.
pub(super) fn id(literal: &str, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    let id = decode(literal).filter(|id| !id.is_empty()).ok_or_else(|| at.expected("a string that is not empty"))?;
    if id.len() <= MAX_ID && id.chars().all(is_plain) {
        encode(&id, out);
        return Ok(());
    }
    let mut plain = String::with_capacity(MAX_ID);
    for c in id.chars().take(MAX_ID + 1) {
        match c {
            c if is_plain(c) => plain.push(c),
            c => plain.push_str(&format!("-{:x}-", u32::from(c))),
        }
    }
    if plain.len() > MAX_ID {
        plain.truncate(KEPT_OF_ID);
        plain.push_str(&format!("-{:016x}", digest(&id)));
    }
    encode(&plain, out);
    Ok(())
}

/// FNV-1a: two ids of one conversation differ in it, and nobody gains if they do not.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
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
        assert_eq!(written(r#""tooluse_a-1""#).as_deref(), Ok(r#""tooluse_a-1""#));
        assert_eq!(written(r#""functions.weather:0""#).as_deref(), Ok(r#""functions.weather:0""#));
        assert_eq!(written(r#""a/b""#).as_deref(), Ok(r#""a-2f-b""#));
        assert_ne!(written(r#""a/b""#), written(r#""a|b""#));
        let (one, other) = (format!("\"{}1\"", "x".repeat(200)), format!("\"{}2\"", "x".repeat(200)));
        assert_ne!(written(&one), written(&other));
        for long in [one, other, format!("\"{}\"", "é".repeat(90)), format!("\"{}\"", "x".repeat(65))] {
            let written = written(&long).expect("an id");
            assert!(written.len() <= MAX_ID + 2 && written.is_ascii(), "{written}");
        }
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
            (Some(r#"{"city":"Paris"}"#), None),
            (Some("7"), None),
        ] {
            let mut out = Vec::new();
            let outcome = arguments(literal, TOOLS, &mut out).map(|()| String::from_utf8(out).expect("UTF-8"));
            assert_eq!(outcome.ok().as_deref(), expected, "{literal:?}");
        }
    }
}
