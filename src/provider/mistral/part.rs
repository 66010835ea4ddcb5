//! Parts of a content become chunks (<https://docs.mistral.ai/capabilities/vision/>, `…/audio`,
//! `…/document_ai`).

use crate::provider::Failed;
use crate::provider::translate::json::{Object, inner};
use crate::provider::translate::media::{data_uri, is_web};
use crate::provider::translate::{Adjustments, Path};

/// Appends a chunk, with a comma before it if it is not the first. An empty text says nothing.
pub(super) fn write(part: &Object<'_>, role: &str, at: Path<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let kind = part.text("type").ok_or_else(|| at.member("type").missing("a string"))?;
    let media = matches!(role, "user" | "tool");
    match kind.as_ref() {
        "text" | "refusal" if kind == "text" || role == "assistant" => {
            let text = part.find(&kind).filter(|text| inner(text).is_some()).ok_or_else(|| at.member(&kind).expected("a string"))?;
            if text != r#""""# {
                chunk(&[r#"{"type":"text","text":"#, text, "}"], out);
            }
        }
        "image_url" if media => image(part, at.member("image_url"), adjustments, out)?,
        "input_audio" if media => {
            let audio_at = at.member("input_audio");
            let audio = part.object("input_audio").ok_or_else(|| audio_at.expected("an object with `data`"))?;
            let data = audio.find("data").filter(|data| inner(data).is_some());
            let data = data.ok_or_else(|| audio_at.member("data").expected("base64 data"))?;
            chunk(&[r#"{"type":"input_audio","input_audio":"#, data, "}"], out);
        }
        "file" if media => file(part, at.member("file"), out)?,
        "image_url" | "input_audio" | "file" | "refusal" => return Err(at.member("type").expected("text in a message of this role")),
        _ => return Err(at.member("type").unsupported("this kind of part is not supported by this model's provider")),
    }
    for (name, _) in part.others(&["type", "text", "refusal", "image_url", "input_audio", "file"]) {
        adjustments.dropped("messages[].content[].", name);
    }
    Ok(())
}

/// Appends the pieces of a chunk.
pub(super) fn chunk(pieces: &[&str], out: &mut Vec<u8>) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
    pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
}

fn image(part: &Object<'_>, at: Path<'_>, adjustments: &mut Adjustments, out: &mut Vec<u8>) -> Result<(), Failed> {
    let image = part.object("image_url").ok_or_else(|| at.expected("an object with a `url`"))?;
    let url_at = at.member("url");
    let url = image.literal("url").ok_or_else(|| url_at.expected("a string"))?;
    if !is_web(url) && !data_uri(url).is_some_and(|(media_type, _)| media_type.starts_with("image/")) {
        return Err(url_at.expected("an http(s) URL, or base64 data of an image"));
    }
    chunk(&[r#"{"type":"image_url","image_url":{"url":""#, url, "\""], out);
    if let Some(detail) = image.find("detail") {
        inner(detail).ok_or_else(|| at.member("detail").expected("a string"))?;
        out.extend_from_slice(br#","detail":"#);
        out.extend_from_slice(detail.as_bytes());
    }
    out.extend_from_slice(b"}}");
    for (name, _) in image.others(&["url", "detail"]) {
        adjustments.dropped("messages[].content[].image_url.", name);
    }
    Ok(())
}

fn file(part: &Object<'_>, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let file = part.object("file").ok_or_else(|| at.expected("an object"))?;
    if file.find("file_id").is_some() {
        return Err(at.member("file_id").unsupported("uploaded files are not supported by this model's provider; send file_data"));
    }
    let data = file.literal("file_data").filter(|data| data_uri(data).is_some());
    let data = data.ok_or_else(|| at.member("file_data").expected("base64 data with its media type"))?;
    chunk(&[r#"{"type":"document_url","document_url":""#, data, "\""], out);
    if let Some(name) = file.find("filename") {
        inner(name).ok_or_else(|| at.member("filename").expected("a string"))?;
        out.extend_from_slice(br#","document_name":"#);
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b'}');
    Ok(())
}
