//! What the tools of a request have in common, whoever gets them.

use super::Path;
use super::json::{Object, inner};
use crate::openai::members::decode;
use crate::openai::scan::Scan;
use crate::provider::Failed;

/// They have to be decoded, and no tool takes as many.
pub(in crate::provider) const MAX_ARGUMENTS_BYTES: usize = 1 << 20;

/// The arguments of a call, JSON inside a string, as the object itself.
pub(in crate::provider) fn arguments(literal: Option<&str>, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
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
        text => out.extend_from_slice(object(text).ok_or_else(|| at.expected("a string with a JSON object in it"))?.as_bytes()),
    }
    Ok(())
}

/// The text, if it is one JSON object.
pub(in crate::provider) fn object(text: &str) -> Option<&str> {
    let mut scan = Scan::new(text);
    scan.value().ok().filter(|_| text.starts_with('{') && scan.end().is_ok())
}

/// The name literal of `{"function": {"name"}}`.
pub(in crate::provider) fn named<'a>(of: &Object<'a>, at: Path<'_>) -> Result<&'a str, Failed> {
    let function_at = at.member("function");
    let function = of.object("function").ok_or_else(|| function_at.expected("an object"))?;
    function.find("name").filter(|name| inner(name).is_some()).ok_or_else(|| function_at.member("name").missing("a string"))
}
