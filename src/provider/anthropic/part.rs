//! Parts of a content become blocks
//! (<https://platform.claude.com/docs/en/api/messages/create>, `messages.content`).

use super::conversation::Conversation;
use crate::provider::Failed;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements_of_request, inner, is_blank};
use crate::provider::translate::media::{data_uri, is_web};

/// Where a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    Assistant,
    /// Inside a `tool_result`.
    Result,
}

/// More parts than any message has.
const MAX_PARTS: usize = 65_536;

/// Media types of images (<https://platform.claude.com/docs/en/build-with-claude/vision>).
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Appends the blocks for an array of parts.
pub(super) fn parts(to: &mut Conversation<'_>, place: Place, content: &str, at: Path<'_>) -> Result<(), Failed> {
    let visit = |index, object: Object<'_>| part(to, place, &object, at.index(index));
    elements_of_request(content, MAX_PARTS, visit).map(|_| ()).map_err(|halt| match halt {
        Halt::NotAnArray => at.expected("an array of parts"),
        Halt::Element(index) => at.index(index).expected("an object"),
        Halt::Visitor(failed) => failed,
    })
}

/// Appends a text block, unless the text is empty, which Anthropic refuses. `text` is what stands
/// between the quotes.
pub(super) fn text(to: &mut Conversation<'_>, place: Place, text: &str, marker: Option<&[u8]>) {
    if is_blank(text) {
        return;
    }
    let out = to.block(place);
    for piece in [br#"{"type":"text","text":""#, text.as_bytes()] {
        out.extend_from_slice(piece);
    }
    let tail = out.len();
    for piece in [b"\"", marker.unwrap_or_default(), b"}"] {
        out.extend_from_slice(piece);
    }
    if place == Place::Assistant {
        to.tail = tail;
    }
}

/// Appends `,"cache_control":…` if the caller marked this object, Anthropic's own extension of
/// OpenAI's schema (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>).
pub(super) fn cache_control(object: &Object<'_>, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    if let Some(marker) = object.find("cache_control") {
        if !marker.starts_with('{') {
            return Err(at.member("cache_control").expected("an object"));
        }
        out.extend_from_slice(br#","cache_control":"#);
        out.extend_from_slice(marker.as_bytes());
    }
    Ok(())
}

fn part(to: &mut Conversation<'_>, place: Place, part: &Object<'_>, at: Path<'_>) -> Result<(), Failed> {
    let kind = part.text("type").ok_or_else(|| at.member("type").missing("a string"))?;
    let mut marker = Vec::new();
    cache_control(part, at, &mut marker)?;
    let media = matches!(place, Place::User | Place::Result);
    match kind.as_ref() {
        "text" => {
            let content = part.literal("text").ok_or_else(|| at.member("text").expected("a string"))?;
            text(to, place, content, Some(&marker));
        }
        "refusal" if place == Place::Assistant => {
            let content = part.literal("refusal").ok_or_else(|| at.member("refusal").expected("a string"))?;
            text(to, place, content, Some(&marker));
        }
        "image_url" if media => image(to, place, part, at, &marker)?,
        "file" if media => file(to, place, part, at, &marker)?,
        "image_url" | "file" | "refusal" => return Err(at.member("type").expected("text in a message of this role")),
        "input_audio" => return Err(at.member("type").unsupported("audio is not supported by this model's provider")),
        _ => return Err(at.member("type").unsupported("this kind of part is not supported by this model's provider")),
    }
    for (name, _) in part.others(&["type", "text", "refusal", "image_url", "file", "cache_control"]) {
        to.adjustments.dropped("messages[].content[].", name);
    }
    Ok(())
}

/// <https://platform.claude.com/docs/en/build-with-claude/vision#base64-encoded-image-example>.
fn image(to: &mut Conversation<'_>, place: Place, part: &Object<'_>, at: Path<'_>, marker: &[u8]) -> Result<(), Failed> {
    let image_at = at.member("image_url");
    let image = part.object("image_url").ok_or_else(|| image_at.expected("an object with a `url`"))?;
    let url_at = image_at.member("url");
    let url = image.literal("url").ok_or_else(|| url_at.expected("a string"))?;
    for (name, _) in image.others(&["url"]).filter(|member| *member != ("detail", r#""auto""#)) {
        to.adjustments.dropped("messages[].content[].image_url.", name);
    }
    if is_web(url) {
        source(to.block(place), "image", "url", &[("url", url)], marker);
        return Ok(());
    }
    let wanted = "an http(s) URL, or base64 data of type image/jpeg, image/png, image/gif or image/webp";
    let (media_type, data) = data_uri(url).ok_or_else(|| url_at.expected(wanted))?;
    let media_type = if media_type == "image/jpg" { "image/jpeg" } else { &media_type };
    if !IMAGES.contains(&media_type) {
        return Err(url_at.expected(wanted));
    }
    source(to.block(place), "image", "base64", &[("media_type", media_type), ("data", data)], marker);
    Ok(())
}

/// A PDF (<https://platform.claude.com/docs/en/build-with-claude/pdf-support>).
fn file(to: &mut Conversation<'_>, place: Place, part: &Object<'_>, at: Path<'_>, marker: &[u8]) -> Result<(), Failed> {
    let file_at = at.member("file");
    let file = part.object("file").ok_or_else(|| file_at.expected("an object"))?;
    if file.find("file_id").is_some() {
        return Err(file_at.member("file_id").unsupported("uploaded files are not supported by this model's provider; send file_data"));
    }
    let data_at = file_at.member("file_data");
    let (media_type, data) =
        file.literal("file_data").and_then(data_uri).ok_or_else(|| data_at.expected("base64 data of type application/pdf"))?;
    if media_type != "application/pdf" {
        return Err(data_at.expected("base64 data of type application/pdf"));
    }
    let mut after = Vec::new();
    if let Some(name) = file.find("filename").filter(|name| inner(name).is_some_and(|name| !is_blank(name))) {
        after.extend_from_slice(br#","title":"#);
        after.extend_from_slice(name.as_bytes());
    }
    after.extend_from_slice(marker);
    source(to.block(place), "document", "base64", &[("media_type", &media_type), ("data", data)], &after);
    Ok(())
}

/// Appends a block whose content is a source; the values stand between quotes as they are.
fn source(out: &mut Vec<u8>, block: &str, kind: &str, members: &[(&str, &str)], after: &[u8]) {
    for piece in [r#"{"type":""#, block, r#"","source":{"type":""#, kind, "\""] {
        out.extend_from_slice(piece.as_bytes());
    }
    for (name, value) in members {
        for piece in [",\"", name, "\":\"", value, "\""] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    out.push(b'}');
    out.extend_from_slice(after);
    out.push(b'}');
}
