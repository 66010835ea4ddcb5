//! Parts of a content become blocks
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html>).

use super::conversation::Conversation;
use crate::provider::Failed;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements_of_request, is_blank};
use crate::provider::translate::media::data_uri;

/// Where a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    Assistant,
    /// Inside a `toolResult`.
    Result,
}

/// More parts than any message has.
const MAX_PARTS: usize = 65_536;

/// Media types of images and what Bedrock calls them (`ImageBlock.format`).
const IMAGES: [(&str, &str); 5] =
    [("image/jpeg", "jpeg"), ("image/jpg", "jpeg"), ("image/png", "png"), ("image/gif", "gif"), ("image/webp", "webp")];

/// Media types of documents and what Bedrock calls them (`DocumentBlock.format`).
const DOCUMENTS: [(&str, &str); 9] = [
    ("application/pdf", "pdf"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
];

/// Appends the blocks for an array of parts.
pub(super) fn parts(to: &mut Conversation<'_>, place: Place, content: &str, at: Path<'_>) -> Result<(), Failed> {
    let visit = |index, object: Object<'_>| part(to, place, &object, at.index(index));
    elements_of_request(content, MAX_PARTS, visit).map(|_| ()).map_err(|halt| match halt {
        Halt::NotAnArray => at.expected("an array of parts"),
        Halt::Element(index) => at.index(index).expected("an object"),
        Halt::Visitor(failed) => failed,
    })
}

/// Appends a text block and says whether it did: a blank text is refused by Bedrock. `text` is what
/// stands between the quotes.
pub(super) fn text(to: &mut Conversation<'_>, place: Place, text: &str) -> bool {
    if is_blank(text) {
        return false;
    }
    let out = to.block(place);
    for piece in [br#"{"text":""#, text.as_bytes(), b"\"}"] {
        out.extend_from_slice(piece);
    }
    to.has_text |= place == Place::User;
    true
}

/// A marker after which the provider keeps the prompt, Anthropic's extension of OpenAI's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// For as long as the provider does by default.
    Default,
    /// `5m` or `1h`
    For(&'static str),
}

/// The `cache_control` of an object.
pub(super) fn cache_control(object: &Object<'_>, at: Path<'_>) -> Result<Option<Marker>, Failed> {
    let at = at.member("cache_control");
    let Some(marker) = object.find("cache_control") else { return Ok(None) };
    let marker = Object::read(marker).ok_or_else(|| at.expected("an object"))?;
    match marker.find("ttl") {
        None => Ok(Some(Marker::Default)),
        Some(r#""5m""#) => Ok(Some(Marker::For("5m"))),
        Some(r#""1h""#) => Ok(Some(Marker::For("1h"))),
        Some(_) => Err(at.member("ttl").expected("5m or 1h")),
    }
}

/// Appends a `cachePoint` block
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CachePointBlock.html>).
pub(super) fn cache_point(marker: Marker, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"cachePoint":{"type":"default""#);
    if let Marker::For(ttl) = marker {
        for piece in [r#","ttl":""#, ttl, "\""] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    out.extend_from_slice(b"}}");
}

fn part(to: &mut Conversation<'_>, place: Place, part: &Object<'_>, at: Path<'_>) -> Result<(), Failed> {
    let kind = part.text("type").ok_or_else(|| at.member("type").missing("a string"))?;
    let marker = cache_control(part, at)?;
    let media = matches!(place, Place::User | Place::Result);
    let literal = |name: &'static str| part.literal(name).ok_or_else(|| at.member(name).expected("a string"));
    let written = match kind.as_ref() {
        "text" => text(to, place, literal("text")?),
        "refusal" if place == Place::Assistant => text(to, place, literal("refusal")?),
        "image_url" if media => image(to, place, part, at)?,
        "file" if media => file(to, place, part, at)?,
        "image_url" | "file" | "refusal" => return Err(at.member("type").expected("text in a message of this role")),
        "input_audio" => return Err(at.member("type").unsupported("audio is not supported by this model's provider")),
        _ => return Err(at.member("type").unsupported("this kind of part is not supported by this model's provider")),
    };
    if let Some(marker) = marker.filter(|_| written) {
        to.cache_point(place, marker);
    }
    for (name, _) in part.others(&["type", "text", "refusal", "image_url", "file", "cache_control"]) {
        to.adjustments.dropped("messages[].content[].", name);
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ImageBlock.html>.
fn image(to: &mut Conversation<'_>, place: Place, part: &Object<'_>, at: Path<'_>) -> Result<bool, Failed> {
    let image_at = at.member("image_url");
    let image = part.object("image_url").ok_or_else(|| image_at.expected("an object with a `url`"))?;
    let url_at = image_at.member("url");
    let url = image.literal("url").ok_or_else(|| url_at.expected("a string"))?;
    for (name, _) in image.others(&["url"]).filter(|member| *member != ("detail", r#""auto""#)) {
        to.adjustments.dropped("messages[].content[].image_url.", name);
    }
    let wanted = "base64 data of type image/jpeg, image/png, image/gif or image/webp";
    let (format, data) = source(url, &IMAGES).ok_or_else(|| url_at.expected(wanted))?;
    let out = to.block(place);
    for piece in [r#"{"image":{"format":""#, format, r#"","source":{"bytes":""#, data, r#""}}}"#] {
        out.extend_from_slice(piece.as_bytes());
    }
    Ok(true)
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>, which
/// advises against names that a caller chose: the model may read them as instructions. They have to
/// differ from one another.
fn file(to: &mut Conversation<'_>, place: Place, part: &Object<'_>, at: Path<'_>) -> Result<bool, Failed> {
    let file_at = at.member("file");
    let file = part.object("file").ok_or_else(|| file_at.expected("an object"))?;
    if file.find("file_id").is_some() {
        return Err(file_at.member("file_id").unsupported("uploaded files are not supported by this model's provider; send file_data"));
    }
    let data_at = file_at.member("file_data");
    let wanted = "base64 data of a PDF, text, Markdown, CSV, HTML, Word or Excel document";
    let (format, data) = file.literal("file_data").and_then(|uri| source(uri, &DOCUMENTS)).ok_or_else(|| data_at.expected(wanted))?;
    for (name, _) in file.others(&["file_data"]) {
        to.adjustments.dropped("messages[].content[].file.", name);
    }
    to.documents += 1;
    let name = format!("Document {}", to.documents);
    let out = to.block(place);
    for piece in [r#"{"document":{"format":""#, format, r#"","name":""#, &name, r#"","source":{"bytes":""#, data, r#""}}}"#] {
        out.extend_from_slice(piece.as_bytes());
    }
    to.has_document |= place == Place::User;
    Ok(true)
}

/// The format and the data, still as written, of a `data:` URI of one of these types.
fn source<'a>(uri: &'a str, types: &[(&str, &'static str)]) -> Option<(&'static str, &'a str)> {
    let (media_type, data) = data_uri(uri).filter(|(_, data)| !data.is_empty())?;
    types.iter().find(|(name, _)| *name == media_type).map(|(_, format)| (*format, data))
}
