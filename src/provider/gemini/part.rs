//! Parts of a content (<https://ai.google.dev/api/caching#Part>).

use super::conversation::{Conversation, Place};
use crate::openai::members::{decode, encode};
use crate::provider::Failed;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements_of_request, inner};
use crate::provider::translate::media::{data_uri, is_web};

/// More parts than any message has.
pub(super) const MAX_PARTS: usize = 65_536;

/// Formats of audio (<https://ai.google.dev/gemini-api/docs/audio#supported-formats>).
const AUDIO: [&str; 6] = ["wav", "mp3", "aiff", "aac", "ogg", "flac"];

/// Addresses that Google reads by itself: its own storage, files uploaded to the Gemini API, and videos.
const OWN_ADDRESSES: [&str; 5] = [
    "gs://",
    "https://generativelanguage.googleapis.com/",
    "https://www.youtube.com/watch",
    "https://youtube.com/watch",
    "https://youtu.be/",
];

/// Types of files in storage, which Vertex AI wants said, by the end of the name.
const TYPES: [(&str, &str); 14] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".heic", "image/heic"),
    (".pdf", "application/pdf"),
    (".txt", "text/plain"),
    (".csv", "text/csv"),
    (".html", "text/html"),
    (".wav", "audio/wav"),
    (".mp3", "audio/mp3"),
    (".mp4", "video/mp4"),
    (".mov", "video/mov"),
    (".webm", "video/webm"),
];

/// Appends the parts for an array of OpenAI's.
pub(super) fn parts(to: &mut Conversation<'_>, place: Place, content: &str, at: Path<'_>) -> Result<(), Failed> {
    let visit = |index, object: Object<'_>| part(to, place, &object, at.index(index));
    elements_of_request(content, MAX_PARTS, visit).map(|_| ()).map_err(|halt| match halt {
        Halt::NotAnArray => at.expected("an array of parts"),
        Halt::Element(index) => at.index(index).expected("an object"),
        Halt::Visitor(failed) => failed,
    })
}

/// Appends a text, unless it is empty, which Google refuses. `text` is what stands between the quotes,
/// `signature` a literal.
pub(super) fn text(to: &mut Conversation<'_>, place: Place, text: &str, signature: Option<&str>) {
    if text.is_empty() && signature.is_none() {
        return;
    }
    let out = to.part(place);
    for piece in [r#"{"text":""#, text, "\""] {
        out.extend_from_slice(piece.as_bytes());
    }
    if let Some(signature) = signature {
        for piece in [",\"thoughtSignature\":", signature] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    out.push(b'}');
}

fn part(to: &mut Conversation<'_>, place: Place, part: &Object<'_>, at: Path<'_>) -> Result<(), Failed> {
    let kind = part.text("type").ok_or_else(|| at.member("type").missing("a string"))?;
    match kind.as_ref() {
        "text" => text(to, place, part.literal("text").ok_or_else(|| at.member("text").expected("a string"))?, None),
        "refusal" if place == Place::Model => {
            text(to, place, part.literal("refusal").ok_or_else(|| at.member("refusal").expected("a string"))?, None);
        }
        "image_url" | "input_audio" | "file" if place == Place::User => {
            let mut written = Vec::with_capacity(256);
            media(to, &kind, part, at, &mut written)?;
            to.part(place).extend_from_slice(&written);
        }
        "image_url" | "input_audio" | "file" | "refusal" => return Err(at.member("type").expected("text in a message of this role")),
        _ => return Err(at.member("type").unsupported("this kind of part is not supported by this model's provider")),
    }
    others(to, part);
    Ok(())
}

/// Lists what a part has besides its content.
pub(super) fn others(to: &mut Conversation<'_>, part: &Object<'_>) {
    for (name, _) in part.others(&["type", "text", "refusal", "image_url", "input_audio", "file"]) {
        to.adjustments.dropped("messages[].content[].", name);
    }
}

/// Appends `{"inlineData": …}` or `{"fileData": …}` to `out`.
pub(super) fn media(to: &mut Conversation<'_>, kind: &str, part: &Object<'_>, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    match kind {
        "image_url" => image(to, part, at.member("image_url"), out),
        "input_audio" => audio(part, at.member("input_audio"), out),
        _ => file(part, at.member("file"), out),
    }
}

/// <https://ai.google.dev/gemini-api/docs/image-understanding>.
fn image(to: &mut Conversation<'_>, part: &Object<'_>, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let image = part.object("image_url").ok_or_else(|| at.expected("an object with a `url`"))?;
    let url_at = at.member("url");
    let literal = image.find("url").ok_or_else(|| url_at.missing("a string"))?;
    let url = inner(literal).ok_or_else(|| url_at.expected("a string"))?;
    for (name, _) in image.others(&["url", "format"]).filter(|member| *member != ("detail", r#""auto""#)) {
        to.adjustments.dropped("messages[].content[].image_url.", name);
    }
    if let Some((media_type, data)) = data_uri(url) {
        inline(&media_type, data, out);
        return Ok(());
    }
    if address(literal, image.text("format").as_deref(), out) {
        return Ok(());
    }
    Err(match is_web(url) {
        true => url_at.unsupported("this model's provider does not fetch images; send base64 data"),
        false => url_at.expected("base64 data of an image"),
    })
}

fn audio(part: &Object<'_>, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let audio = part.object("input_audio").ok_or_else(|| at.expected("an object"))?;
    let data = audio.literal("data").ok_or_else(|| at.member("data").expected("base64 data"))?;
    let format_at = at.member("format");
    let format = audio.text("format").ok_or_else(|| format_at.missing("a string"))?;
    if !AUDIO.contains(&format.as_ref()) {
        return Err(format_at.expected("one of wav, mp3, aiff, aac, ogg, flac"));
    }
    inline(&["audio/", &format].concat(), data, out);
    Ok(())
}

/// The name of a file is a label that no model sees.
fn file(part: &Object<'_>, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let file = part.object("file").ok_or_else(|| at.expected("an object"))?;
    if let Some(id) = file.find("file_id") {
        return match address(id, file.text("format").as_deref(), out) {
            true => Ok(()),
            false => Err(at.member("file_id").unsupported("only files of Google's are supported by this model's provider; send file_data")),
        };
    }
    let data_at = at.member("file_data");
    let (media_type, data) = file.literal("file_data").and_then(data_uri).ok_or_else(|| data_at.expected("base64 data with its type"))?;
    inline(&media_type, data, out);
    Ok(())
}

/// Appends the data, which stands between quotes as it is. Google refuses `image/jpg`, which many write.
fn inline(media_type: &str, data: &str, out: &mut Vec<u8>) {
    let media_type = if media_type == "image/jpg" { "image/jpeg" } else { media_type };
    out.extend_from_slice(br#"{"inlineData":{"mimeType":"#);
    encode(media_type, out);
    for piece in [r#","data":""#, data, r#""}}"#] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Appends an address that Google reads by itself; whether it is one.
fn address(literal: &str, format: Option<&str>, out: &mut Vec<u8>) -> bool {
    let Some(address) = decode(literal).filter(|address| OWN_ADDRESSES.iter().any(|own| address.starts_with(own))) else { return false };
    let by_name = || TYPES.iter().find(|(end, _)| address.to_ascii_lowercase().ends_with(end)).map(|(_, name)| *name);
    out.extend_from_slice(br#"{"fileData":{"#);
    if let Some(media_type) = format.or_else(by_name) {
        out.extend_from_slice(br#""mimeType":"#);
        encode(media_type, out);
        out.push(b',');
    }
    out.extend_from_slice(br#""fileUri":"#);
    encode(&address, out);
    out.extend_from_slice(b"}}");
    true
}
