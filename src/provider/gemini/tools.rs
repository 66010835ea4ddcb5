//! Tools: their declarations, the choice between them, and calls and results in the conversation
//! (<https://ai.google.dev/gemini-api/docs/function-calling>).

use std::borrow::Cow;

use super::Service;
use super::conversation::{Conversation, Place};
use super::part::{self, MAX_PARTS};
use super::schema::{self, Keywords};
use crate::openai::members::decode;
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::tools::{MAX_ARGUMENTS_BYTES, arguments, object};

/// More tools than either API takes.
const MAX_TOOLS: usize = 4096;

const TOOLS: Path<'static> = Path::root("tools");
const CHOICE: Path<'static> = Path::root("tool_choice");

/// Appends `,"tools":[…],"toolConfig":{…}`; whether there are any.
pub(super) fn write(body: &Object<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<bool, Failed> {
    if body.find("functions").is_some_and(|functions| functions != "[]") {
        return Err(Path::root("functions").unsupported("not supported by this model's provider; use tools"));
    }
    match body.find("parallel_tool_calls") {
        None | Some("true") => {}
        Some("false") => adjustments.dropped("", "parallel_tool_calls"),
        Some(_) => return Err(Path::root("parallel_tool_calls").expected("true or false")),
    }
    let before = out.len();
    out.extend_from_slice(br#","tools":[{"functionDeclarations":["#);
    let mut count = 0;
    if let Some(tools) = body.find("tools") {
        count =
            elements(tools, MAX_TOOLS, |index, object: Object<'_>| tool(&object, index, adjustments, out)).map_err(|halt| match halt {
                Halt::NotAnArray => TOOLS.expected("an array of tools"),
                Halt::Element(index) => TOOLS.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            })?;
    }
    if count == 0 {
        out.truncate(before);
        if body.find("tool_choice").is_some_and(|choice| !matches!(choice, r#""none""# | r#""auto""#)) {
            adjustments.dropped("", "tool_choice");
        }
        return Ok(false);
    }
    out.extend_from_slice(b"]}]");
    choice(body, out)?;
    Ok(true)
}

/// A declaration (<https://ai.google.dev/api/caching#FunctionDeclaration>). `parameters` would only take
/// a part of OpenAPI's schemas and refuse the rest; `parametersJsonSchema` takes JSON Schema.
fn tool(tool: &Object<'_>, index: usize, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
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
    if let Some(parameters) = function.find("parameters") {
        if !parameters.starts_with('{') {
            return Err(function_at.member("parameters").expected("a JSON schema"));
        }
        out.extend_from_slice(br#","parametersJsonSchema":"#);
        schema::write(parameters, Keywords::All, "tools[].function.parameters", adjustments, out);
    }
    out.push(b'}');
    for (name, _) in tool.others(&["type", "function"]) {
        adjustments.dropped("tools[].", name);
    }
    for (name, _) in function.others(&["name", "description", "parameters"]).filter(|member| *member != ("strict", "false")) {
        adjustments.dropped("tools[].function.", name);
    }
    Ok(())
}

/// <https://ai.google.dev/api/caching#FunctionCallingConfig>.
fn choice(body: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let Some(value) = body.find("tool_choice") else { return Ok(()) };
    let (mode, names) = match decode(value) {
        Some(word) => match word.as_ref() {
            "auto" => ("AUTO", Vec::new()),
            "none" => ("NONE", Vec::new()),
            "required" => ("ANY", Vec::new()),
            _ => return Err(CHOICE.expected("one of none, auto, required, or an object that names a function")),
        },
        None => {
            let choice = Object::read(value).ok_or_else(|| CHOICE.expected("a string or an object"))?;
            match choice.text("type").as_deref() {
                Some("function") => ("ANY", vec![function_name(&choice, CHOICE)?]),
                Some("allowed_tools") => allowed(&choice)?,
                _ => return Err(CHOICE.member("type").unsupported("only functions are supported by this model's provider")),
            }
        }
    };
    for piece in [r#","toolConfig":{"functionCallingConfig":{"mode":""#, mode, "\""] {
        out.extend_from_slice(piece.as_bytes());
    }
    if !names.is_empty() {
        for piece in [r#","allowedFunctionNames":["#, &names.join(","), "]"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    out.extend_from_slice(b"}}");
    Ok(())
}

/// The mode and the name literals of `{"type": "allowed_tools", "allowed_tools": {"mode", "tools"}}`.
/// With `AUTO` no names may be given; `VALIDATED` is the mode for that.
fn allowed<'a>(choice: &Object<'a>) -> Result<(&'static str, Vec<&'a str>), Failed> {
    let at = CHOICE.member("allowed_tools");
    let allowed = choice.object("allowed_tools").ok_or_else(|| at.expected("an object"))?;
    let mode = match allowed.text("mode").as_deref() {
        Some("auto") => "VALIDATED",
        Some("required") => "ANY",
        _ => return Err(at.member("mode").expected("auto or required")),
    };
    let tools_at = at.member("tools");
    let mut names = Vec::new();
    let tools = allowed.find("tools").ok_or_else(|| tools_at.missing("an array"))?;
    let visit = |index, tool: Object<'a>| function_name(&tool, tools_at.index(index)).map(|name| names.push(name));
    elements(tools, MAX_TOOLS, visit).map_err(|halt| match halt {
        Halt::NotAnArray => tools_at.expected("an array"),
        Halt::Element(index) => tools_at.index(index).expected("an object"),
        Halt::Visitor(failed) => failed,
    })?;
    Ok((mode, names))
}

/// The name literal of `{"function": {"name"}}`.
fn function_name<'a>(object: &Object<'a>, at: Path<'_>) -> Result<&'a str, Failed> {
    let function_at = at.member("function");
    let function = object.object("function").ok_or_else(|| function_at.expected("an object"))?;
    function.find("name").filter(|name| inner(name).is_some()).ok_or_else(|| function_at.member("name").missing("a string"))
}

/// Appends a `functionCall` part without its closing brace; returns its id and its name literal.
pub(super) fn call<'a>(
    service: Service,
    call: &Object<'a>,
    at: Path<'_>,
    out: &mut Vec<u8>,
) -> Result<(Option<Cow<'a, str>>, &'a str), Failed> {
    if call.find("type").is_some_and(|kind| kind != r#""function""#) {
        return Err(at.member("type").unsupported("only function is supported by this model's provider"));
    }
    let function_at = at.member("function");
    let function = call.object("function").ok_or_else(|| function_at.expected("an object"))?;
    let name_at = function_at.member("name");
    let name =
        function.find("name").filter(|name| inner(name).is_some_and(|name| !name.is_empty())).ok_or_else(|| name_at.missing("a string"))?;
    out.extend_from_slice(br#"{"functionCall":{"#);
    let mut known = None;
    if let Some(id) = call.find("id") {
        known = Some(decode(id).ok_or_else(|| at.member("id").expected("a string"))?);
        write_id(service, id, out);
    }
    for piece in [r#""name":"#, name, r#","args":"#] {
        out.extend_from_slice(piece.as_bytes());
    }
    arguments(function.find("arguments"), function_at.member("arguments"), out)?;
    out.push(b'}');
    Ok((known, name))
}

/// Appends the id of a call and a comma. Vertex AI knows no ids and refuses them; it goes by names and order.
fn write_id(service: Service, id: &str, out: &mut Vec<u8>) {
    if service == Service::GeminiApi {
        for piece in [r#""id":"#, id, ","] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
}

/// Appends a `functionResponse` part. The response has to be an object: a string with one in it is sent as
/// the object, any other as `{"result": …}`.
pub(super) fn result(to: &mut Conversation<'_>, id: &str, name: &str, content: Option<&str>, at: Path<'_>) -> Result<(), Failed> {
    let (mut text, mut texts, mut media) = (Vec::new(), 0, Vec::new());
    match content {
        None => {}
        Some(content) if content.starts_with('[') => {
            let visit = |index, part: Object<'_>| {
                let at = at.index(index);
                match part.text("type").as_deref() {
                    Some("text") => {
                        let literal = part.literal("text").ok_or_else(|| at.member("text").expected("a string"))?;
                        text.extend_from_slice(literal.as_bytes());
                        texts += 1;
                    }
                    Some(kind @ ("image_url" | "input_audio" | "file")) => {
                        let mut written = Vec::new();
                        part::media(to, kind, &part, at, &mut written)?;
                        media.push(written);
                    }
                    Some(_) => return Err(at.member("type").unsupported("this kind of part is not supported by this model's provider")),
                    None => return Err(at.member("type").missing("a string")),
                }
                part::others(to, &part);
                Ok(())
            };
            elements(content, MAX_PARTS, visit).map_err(|halt| match halt {
                Halt::NotAnArray => at.expected("an array of parts"),
                Halt::Element(index) => at.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            })?;
        }
        Some(content) => {
            text.extend_from_slice(inner(content).ok_or_else(|| at.expected("a string or an array of parts"))?.as_bytes());
            texts = 1;
        }
    }
    let (inside, service) = (to.generation.has_media_in_results(), to.service);
    let out = to.part(Place::Result);
    out.extend_from_slice(br#"{"functionResponse":{"#);
    write_id(service, id, out);
    for piece in [r#""name":"#, name, r#","response":"#] {
        out.extend_from_slice(piece.as_bytes());
    }
    response(&text, texts == 1, out);
    if inside && !media.is_empty() {
        out.extend_from_slice(br#","parts":["#);
        out.extend_from_slice(&media.join(&b','));
        out.push(b']');
    }
    out.extend_from_slice(b"}}");
    if !inside {
        media.iter().for_each(|part| to.part(Place::Result).extend_from_slice(part));
    }
    Ok(())
}

/// Appends the insides of a literal as an object.
fn response(text: &[u8], single: bool, out: &mut Vec<u8>) {
    let literal = [b"\"", text, b"\""].concat();
    if single && text.trim_ascii_start().starts_with(b"{") && text.len() <= MAX_ARGUMENTS_BYTES {
        let decoded = core::str::from_utf8(&literal).ok().and_then(decode);
        if let Some(object) = decoded.as_deref().map(str::trim_ascii).and_then(object) {
            out.extend_from_slice(object.as_bytes());
            return;
        }
    }
    out.extend_from_slice(br#"{"result":"#);
    out.extend_from_slice(&literal);
    out.push(b'}');
}
