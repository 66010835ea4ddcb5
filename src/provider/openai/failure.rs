//! What vendors say when they refuse, in every form they have for it, and errors where an answer was due.

use std::borrow::Cow;

use crate::openai::members::{Members, decode};
use crate::openai::scan::{Scan, Stop};
use crate::provider::classify::classify;
use crate::provider::{Class, Failed, Fault};
use crate::provider::{error_name, refusal, scrub};

/// An error as far as it could be read.
#[derive(Default)]
struct Said {
    message: String,
    /// A code that is a word.
    code: Option<String>,
    kind: Option<String>,
    param: Option<String>,
}

/// More text than any sentence has.
const MAX_PLAIN: usize = 4096;

/// What a client is told of an answer of 400 or more.
pub(super) fn read(status: u16, body: &[u8]) -> Failed {
    let text = core::str::from_utf8(body).unwrap_or_default().trim_ascii();
    let said = of_json(text).unwrap_or_default();
    let code = said.code.as_deref().or(said.kind.as_deref()).unwrap_or_default();
    // What is in no known form says whose fault it is, and is not quoted: nobody knows what else is in it.
    let words = if said.message.is_empty() { sentence(text) } else { &said.message };
    let class = vendors(status, code, words).unwrap_or_else(|| classify(status, code, words));
    let scrubbed = |text: Option<String>| text.map(|text| scrub(&text));
    // xAI's codes are sentences.
    let code = said.code.filter(|code| !code.contains(char::is_whitespace));
    Failed { class, message: refusal(&said.message), param: scrubbed(said.param), code: scrubbed(code) }
}

/// What a few vendors say in words of their own.
fn vendors(status: u16, code: &str, message: &str) -> Option<Class> {
    // Together and text-generation-inference; Moonshot.
    const TOO_LONG: [&str; 2] = ["`inputs` tokens", "exceeded model token limit"];
    // Groq: the model has called no tool, or written no JSON, though it should have; another may.
    const FAILED: [&str; 2] = ["tool_use_failed", "json_validate_failed"];
    let refused = matches!(Class::of_status(status), Class::Caller);
    match () {
        () if refused && TOO_LONG.iter().any(|words| message.contains(words)) => Some(Class::ContextTooLong),
        () if refused && FAILED.contains(&code) => Some(Class::Unavailable),
        () => None,
    }
}

/// A body that is a sentence; a page is for people who look at it in a browser.
fn sentence(text: &str) -> &str {
    if text.len() <= MAX_PLAIN && !text.starts_with(['<', '{', '[', '"']) { text } else { "" }
}

fn of_json(text: &str) -> Option<Said> {
    match text.as_bytes().first()? {
        b'"' => Some(Said { message: decode(text)?.into_owned(), ..Said::default() }),
        // Some send a list of one.
        b'[' => of_object(first(text)?, false),
        _ => of_object(text, false),
    }
}

/// The first element of an array.
fn first(array: &str) -> Option<&str> {
    let mut found = None;
    let outcome = Scan::new(array).array(|scan, _| {
        let value = scan.value()?;
        found.get_or_insert(value);
        Ok::<_, Stop>(())
    });
    outcome.ok().and(found)
}

/// `{"error": {…}}` as OpenAI has it, `{"error": "…"}` of xAI, Ollama, text-generation-inference,
/// `{"message", "type", "code"}` of Cerebras, vLLM and Azure's gateway, `{"detail"}` of FastAPI and NVIDIA,
/// `{"fault"}` of Fireworks' gateway. `behind` says that another provider has said it, and who was behind that one
/// is not asked.
fn of_object(text: &str, behind: bool) -> Option<Said> {
    let members = Members::read(text).ok()?;
    let value = |name: &str| members.find(name).map(|member| member.value).filter(|value| *value != "null");
    if let Some(error) = value("error").filter(|error| error.starts_with('{')) {
        let said = of_members(&Members::read(error).ok()?, behind);
        return said.or_else(|| of_members(&members, behind));
    }
    if let Some(message) = value("error").and_then(decode) {
        let said = of_members(&members, behind).unwrap_or_default();
        let kind = said.kind.or_else(|| word(&members, "error_type"));
        return Some(Said { message: message.into_owned(), kind, ..said });
    }
    if let Some(fault) = value("fault").and_then(|fault| Members::read(fault).ok()) {
        return Some(Said { message: word(&fault, "faultstring")?, ..Said::default() });
    }
    of_members(&members, behind)
}

/// A string member.
fn word(members: &Members<'_>, name: &str) -> Option<String> {
    members.find(name).and_then(|member| decode(member.value)).map(Cow::into_owned)
}

fn of_members(members: &Members<'_>, behind: bool) -> Option<Said> {
    let message = word(members, "message").or_else(|| detail(members.find("detail")?.value)).or_else(|| word(members, "title"));
    let object = |name: &str| members.find(name).and_then(|member| Members::read(member.value).ok());
    // Azure's reason is one level deeper; so is what the provider behind OpenRouter has said.
    let inner = object("innererror").and_then(|inner| word(&inner, "code"));
    let raw = object("metadata").and_then(|metadata| word(&metadata, "raw")).filter(|_| !behind);
    let raw = raw.map(|raw| of_object(&raw, true).map_or(raw, |said| said.message));
    let message = match (message, raw) {
        (Some(message), Some(raw)) if !raw.is_empty() => Some([&message, ": ", &raw].concat()),
        (message, _) => message,
    };
    let is_word = |code: &String| !code.bytes().all(|byte| byte.is_ascii_digit());
    let code = word(members, "code").filter(is_word).or(inner);
    let said = Said { message: message.unwrap_or_default(), code, kind: word(members, "type"), param: word(members, "param") };
    (!said.message.is_empty() || said.code.is_some() || said.kind.is_some()).then_some(said)
}

/// FastAPI's `detail`: a sentence, or what is wrong with each place of the body.
fn detail(value: &str) -> Option<String> {
    if let Some(text) = decode(value) {
        return Some(text.into_owned());
    }
    let problem = Members::read(if value.starts_with('[') { first(value)? } else { value }).ok()?;
    let message = word(&problem, "msg").or_else(|| word(&problem, "message"))?;
    let mut place = Vec::new();
    if let Some(loc) = problem.find("loc") {
        let _ = Scan::new(loc.value).array(|scan, _| {
            let step = scan.value()?;
            place.push(decode(step).map_or_else(|| step.to_owned(), Cow::into_owned));
            Ok::<_, Stop>(())
        });
    }
    let place = place.iter().filter(|step| *step != "body").map(String::as_str).collect::<Vec<_>>().join(".");
    Some(if place.is_empty() { message } else { [&place, ": ", &message].concat() })
}

/// An error where an answer was due: under its own member, or instead of everything an answer has.
pub(super) fn in_band(members: &Members<'_>) -> Result<(), Fault> {
    if let Some(error) = members.find("error").map(|member| member.value).filter(|value| !matches!(*value, "null" | "false" | "\"\"")) {
        let beside = || said(members, "error_type").or_else(|| said(members, "code")).map(|name| error_name(&name));
        let name = name(error);
        return Err(Fault::InBand(if name == UNNAMED { beside().unwrap_or(name) } else { name }));
    }
    let is_answer = ["choices", "data", "usage"].iter().any(|name| members.find(name).is_some());
    let is_error =
        word(members, "object").as_deref() == Some("error") || members.find("detail").is_some() || members.find("message").is_some();
    if is_error && !is_answer {
        return Err(Fault::InBand(named(members).unwrap_or_else(|| UNNAMED.to_owned())));
    }
    Ok(())
}

const UNNAMED: &str = "error";

/// How a vendor calls an error: its type or code.
pub(super) fn name(error: &str) -> String {
    Members::read(error).ok().and_then(|error| named(&error)).unwrap_or_else(|| UNNAMED.to_owned())
}

fn named(error: &Members<'_>) -> Option<String> {
    let number = || error.find("code").map(|member| member.value).filter(|value| value.parse::<u16>().is_ok());
    let text = ["type", "code"].iter().find_map(|name| said(error, name));
    text.map(|name| error_name(&name)).or_else(|| number().map(str::to_owned))
}

/// A string member that is not empty.
fn said(members: &Members<'_>, name: &str) -> Option<String> {
    word(members, name).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
