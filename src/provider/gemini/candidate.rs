//! One candidate of an answer, part by part
//! (<https://ai.google.dev/api/generate-content#candidate>), the same for whole answers and events.

use crate::openai::members::decode;
use crate::provider::Fault;
use crate::provider::error_name;
use crate::provider::translate::json::{Halt, Object, elements, inner, write_dense};

/// More parts than any answer has.
const MAX_PARTS: usize = 65_536;

/// More candidates than can be asked for.
const MAX_CANDIDATES: usize = 64;

/// What a part says; texts, ids, names and signatures are string literals.
pub(super) enum Said<'a> {
    Text(&'a str),
    Thought(&'a str),
    Call(Call<'a>),
    /// What tools of the provider's own leave behind, images, and what is invented tomorrow.
    Other,
}

/// A function call.
pub(super) struct Call<'a> {
    /// Some versions give none.
    pub id: Option<&'a str>,
    pub name: &'a str,
    /// A literal of JSON.
    pub arguments: Vec<u8>,
}

/// The one object of an answer, of an event, or of an error, which comes in an array too.
pub(super) fn answer(text: &str) -> Option<Object<'_>> {
    if !text.trim_ascii_start().starts_with('[') {
        return Object::read(text);
    }
    let mut only = None;
    let count = elements(text, 1, |_, object: Object<'_>| {
        only = Some(object);
        Ok::<_, ()>(())
    });
    only.filter(|_| count.is_ok())
}

/// The error that the provider reported where an answer was due.
pub(super) fn in_band(answer: &Object<'_>) -> Option<Fault> {
    let error = answer.find("error")?;
    let name = Object::read(error).and_then(|error| error.text("status").or_else(|| error.find("code").map(Into::into)));
    Some(Fault::InBand(error_name(&name.unwrap_or_default())))
}

/// The first candidate; `None` if there is none.
pub(super) fn first<'a>(answer: &Object<'a>) -> Result<Option<Object<'a>>, Fault> {
    let Some(candidates) = answer.find("candidates") else { return Ok(None) };
    let mut first = None;
    let visit = |_, candidate: Object<'a>| {
        if first.is_none() && candidate.number("index").unwrap_or(0) == 0 {
            first = Some(candidate);
        }
        Ok::<_, ()>(())
    };
    elements(candidates, MAX_CANDIDATES, visit).map_err(|_| Fault::Malformed)?;
    Ok(first)
}

/// Calls `visit` with what each part of a candidate says and its signature, if it has one.
pub(super) fn parts<'a>(
    candidate: &Object<'a>,
    mut visit: impl FnMut(Said<'a>, Option<&'a str>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some(content) = candidate.find("content") else { return Ok(()) };
    let content = Object::read(content).ok_or(Fault::Malformed)?;
    let Some(parts) = content.find("parts") else { return Ok(()) };
    let each = |_, part: Object<'a>| {
        let signature = part.find("thoughtSignature").filter(|literal| inner(literal).is_some_and(|signature| !signature.is_empty()));
        visit(said(&part)?, signature)
    };
    elements(parts, MAX_PARTS, each).map(|_| ()).map_err(|halt| match halt {
        Halt::NotAnArray | Halt::Element(_) => Fault::Malformed,
        Halt::Visitor(fault) => fault,
    })
}

fn said<'a>(part: &Object<'a>) -> Result<Said<'a>, Fault> {
    if let Some(text) = part.find("text") {
        inner(text).ok_or(Fault::Malformed)?;
        return Ok(if part.find("thought") == Some("true") { Said::Thought(text) } else { Said::Text(text) });
    }
    let Some(call) = part.find("functionCall") else {
        // A signature may come by itself, behind the text it is for.
        let signature = part.others(&["thoughtSignature"]).next().is_none() && part.find("thoughtSignature").is_some();
        return Ok(if signature { Said::Text(r#""""#) } else { Said::Other });
    };
    let call = Object::read(call).ok_or(Fault::Malformed)?;
    let literal = |name: &str| call.find(name).filter(|value| inner(value).is_some_and(|text| !text.is_empty()));
    Ok(Said::Call(Call { id: literal("id"), name: literal("name").ok_or(Fault::Malformed)?, arguments: arguments(call.find("args"))? }))
}

/// Arguments as a literal; what stands for none becomes `{}`.
fn arguments(args: Option<&str>) -> Result<Vec<u8>, Fault> {
    let args = args.unwrap_or("{}");
    let mut out = Vec::with_capacity(args.len() + 16);
    match decode(args) {
        Some(text) if matches!(text.trim_ascii(), "" | "null") => out.extend_from_slice(br#""{}""#),
        Some(_) => out.extend_from_slice(args.as_bytes()),
        None if args.starts_with('{') => write_dense(args, &mut out),
        None => return Err(Fault::Malformed),
    }
    Ok(out)
}

/// `,"extra_content":{…}` with a signature, as Google's own compatibility with OpenAI has it
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures#openai>): clients that send answers back
/// as they came need not know of it.
pub(super) fn extra_content(signature: Option<&str>) -> Vec<u8> {
    signature.map_or_else(Vec::new, |literal| [r#","extra_content":{"google":{"thought_signature":"#, literal, "}}"].concat().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_a_literal_of_an_object() {
        for (args, expected) in [
            (Some(r#"{"a" : "x \"y\""}"#), Some(r#""{\"a\":\"x \\\"y\\\"\"}""#)),
            (Some(r#""{\"a\":""#), Some(r#""{\"a\":""#)),
            (Some(r#""""#), Some(r#""{}""#)),
            (Some(r#"" null""#), Some(r#""{}""#)),
            (None, Some(r#""{}""#)),
            (Some("[1]"), None),
            (Some("7"), None),
        ] {
            let found = arguments(args).ok().map(|out| String::from_utf8(out).expect("UTF-8"));
            assert_eq!(found.as_deref(), expected, "{args:?}");
        }
    }

    #[test]
    fn an_error_is_found_alone_and_in_an_array() {
        for (text, expected) in [
            (r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#, Some("RESOURCE_EXHAUSTED")),
            (r#" [{"error":{"code":503}}]"#, Some("503")),
            (r#"{"error":"x"}"#, Some("error")),
            (r#"[{"error":{}},{}]"#, None),
            (r#"{"candidates":[]}"#, None),
        ] {
            let found = answer(text).as_ref().and_then(in_band);
            assert_eq!(found, expected.map(|name| Fault::InBand(name.to_owned())), "{text}");
        }
    }
}
