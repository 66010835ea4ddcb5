//! The messages of a request, rid of what a vendor refuses: members that another vendor's answer left in the
//! conversation, markers for a cache it does not have, names.

use super::dialect::{Dialect, Messages};
use super::patch::{Member, Patch};
use crate::openai::mark::SHORT_ID;
use crate::openai::members::{decode, encode};
use crate::openai::scan::{Scan, Stop};
use crate::provider::translate::Adjustments;

/// What answers have that OpenAI does not document, and clients send back.
const FOREIGN: [&str; 7] =
    ["extra_content", "provider_specific_fields", "reasoning", "reasoning_content", "reasoning_details", "routing", "thinking_blocks"];

/// What every vendor knows.
const COMMON: [&str; 5] = ["role", "content", "name", "tool_calls", "tool_call_id"];

/// What a call has.
const OF_A_CALL: [&str; 4] = ["id", "type", "function", "custom"];

/// Stands for thoughts that nobody has any more; an empty text is refused as well.
const BLANK: &str = r#"" ""#;

/// Goes over the value of `messages`, which is the next one, whatever it is.
pub(super) fn clean<'a>(dialect: &Dialect, scan: &mut Scan<'a>, patch: &mut Patch<'a>, adjustments: &mut Adjustments) -> Result<(), Stop> {
    if scan.peek() != Some(b'[') {
        return scan.value().map(drop);
    }
    let mut members = Vec::with_capacity(8);
    scan.array(|scan, _| {
        if scan.peek() != Some(b'{') {
            return scan.value().map(drop);
        }
        members.clear();
        let (whole, ()) = scan.written(|scan| {
            scan.object(|scan, name| {
                let (value, ()) = match (decode(name).as_deref(), scan.peek()) {
                    (Some("content"), Some(b'[')) if !dialect.cache_control => scan.written(|scan| unmark(scan, patch, adjustments))?,
                    (Some("tool_calls"), Some(b'[')) => scan.written(|scan| calls(dialect, scan, patch, adjustments))?,
                    _ => scan.written(|scan| scan.value().map(drop))?,
                };
                members.push((name, value));
                Ok::<_, Stop>(())
            })
        })?;
        message(dialect, whole, &members, patch, adjustments);
        Ok(())
    })
}

/// One message, gone over.
fn message<'a>(dialect: &Dialect, whole: &'a str, members: &[Member<'a>], patch: &mut Patch<'a>, adjustments: &mut Adjustments) {
    let find = |wanted: &str| members.iter().find(|(name, _)| decode(name).as_deref() == Some(wanted)).map(|(_, value)| *value);
    let role = find("role").and_then(decode);
    if let Some(value) = find("role").filter(|_| !dialect.developer && role.as_deref() == Some("developer")) {
        patch.set(value, r#""system""#);
    }
    if let Some(id) = find("tool_call_id") {
        shorten(dialect, id, patch, adjustments);
    }
    patch.remove(members, |_, (name, value)| {
        let name = decode(name).unwrap_or_default();
        let unwanted = !takes(dialect, &name);
        if unwanted && *value != "null" {
            adjustments.dropped("messages[].", &name);
        }
        unwanted
    });
    let called = find("tool_calls").is_some_and(|calls| calls.starts_with('['));
    if dialect.wants_reasoning && called && role.as_deref() == Some("assistant") {
        match find("reasoning_content") {
            None => patch.add(whole, &format!(r#""reasoning_content":{BLANK}"#)),
            Some(value @ ("null" | r#""""#)) => patch.set(value, BLANK),
            Some(_) => return,
        }
        adjustments.note("added a blank messages[].reasoning_content to tool calls");
    }
}

/// Whether a message may have a member of this name.
fn takes(dialect: &Dialect, name: &str) -> bool {
    match (name, dialect.messages) {
        ("name", _) => dialect.names,
        ("cache_control", _) => dialect.cache_control,
        (_, Messages::Any) => true,
        (_, Messages::Foreign(taken)) => taken.contains(&name) || !FOREIGN.contains(&name),
        (_, Messages::Strict(taken)) => taken.contains(&name) || COMMON.contains(&name),
    }
}

/// The end of an id that is too long, where ids of one maker differ: the call and its result get the same.
fn shorten<'a>(dialect: &Dialect, written: &'a str, patch: &mut Patch<'a>, adjustments: &mut Adjustments) {
    let Some(id) = decode(written).filter(|_| !dialect.long_ids) else { return };
    let Some((from, _)) = id.char_indices().rev().nth(SHORT_ID - 1).filter(|(from, _)| *from > 0) else { return };
    let mut short = Vec::with_capacity(SHORT_ID + 2);
    encode(id.get(from..).unwrap_or_default(), &mut short);
    patch.set(written, String::from_utf8(short).unwrap_or_default());
    adjustments.note("shortened ids of tool calls to the 40 characters that it takes");
}

/// Goes over the calls of a message.
fn calls<'a>(dialect: &Dialect, scan: &mut Scan<'a>, patch: &mut Patch<'a>, adjustments: &mut Adjustments) -> Result<(), Stop> {
    objects(scan, |members| {
        if let Some((_, id)) = members.iter().find(|(name, _)| decode(name).as_deref() == Some("id")) {
            shorten(dialect, id, patch, adjustments);
        }
        patch.remove(members, |_, (name, value)| {
            let name = decode(name).unwrap_or_default();
            let unwanted = match dialect.messages {
                Messages::Any => false,
                Messages::Foreign(_) => FOREIGN.contains(&name.as_ref()),
                Messages::Strict(_) => !OF_A_CALL.contains(&name.as_ref()),
            };
            if unwanted && *value != "null" {
                adjustments.dropped("messages[].tool_calls[].", &name);
            }
            unwanted
        });
    })
}

/// Goes over the parts of a content.
fn unmark<'a>(scan: &mut Scan<'a>, patch: &mut Patch<'a>, adjustments: &mut Adjustments) -> Result<(), Stop> {
    objects(scan, |members| without_cache_control("messages[].content[].", members, patch, adjustments))
}

/// Goes over `tools`, whatever they are, and takes the markers out.
pub(super) fn clean_tools<'a>(scan: &mut Scan<'a>, patch: &mut Patch<'a>, adjustments: &mut Adjustments) -> Result<(), Stop> {
    if scan.peek() != Some(b'[') {
        return scan.value().map(drop);
    }
    scan.array(|scan, _| {
        if scan.peek() != Some(b'{') {
            return scan.value().map(drop);
        }
        let mut members = Vec::with_capacity(4);
        scan.object(|scan, name| {
            let (value, ()) = match (decode(name).as_deref(), scan.peek()) {
                (Some("function"), Some(b'{')) => scan.written(|scan| {
                    let mut members = Vec::with_capacity(4);
                    object(scan, &mut members)?;
                    without_cache_control("tools[].function.", &members, patch, adjustments);
                    Ok::<_, Stop>(())
                })?,
                _ => scan.written(|scan| scan.value().map(drop))?,
            };
            members.push((name, value));
            Ok::<_, Stop>(())
        })?;
        without_cache_control("tools[].", &members, patch, adjustments);
        Ok(())
    })
}

fn without_cache_control<'a>(place: &str, members: &[Member<'a>], patch: &mut Patch<'a>, adjustments: &mut Adjustments) {
    patch.remove(members, |_, (name, _)| {
        let marker = decode(name).as_deref() == Some("cache_control");
        if marker {
            adjustments.dropped(place, "cache_control");
        }
        marker
    });
}

/// Visits the members of each object of the array that is the next value; other elements are gone over.
fn objects<'a>(scan: &mut Scan<'a>, mut visit: impl FnMut(&[Member<'a>])) -> Result<(), Stop> {
    let mut members = Vec::with_capacity(4);
    scan.array(|scan, _| {
        if scan.peek() != Some(b'{') {
            return scan.value().map(drop);
        }
        members.clear();
        object(scan, &mut members)?;
        visit(&members);
        Ok(())
    })
}

fn object<'a>(scan: &mut Scan<'a>, members: &mut Vec<Member<'a>>) -> Result<(), Stop> {
    scan.object(|scan, name| {
        members.push((name, scan.value()?));
        Ok(())
    })
}
