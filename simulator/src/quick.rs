//! The cheap way to read a request under load: find the three values that decide the answer without parsing the body.

use bytes::Bytes;
use memchr::memmem;

use crate::completion::Ask;

/// Longer than any `"key": value` that is looked for, so that one cut by two body frames is still seen.
const OVERLAP: usize = 256;

/// Reads model, stream and include_usage. Inside a JSON string a quote is escaped, so `"stream"` with bare quotes is a key
/// (or a whole string value, which is then not followed by a colon).
pub(crate) fn scan(body: &[Bytes]) -> Ask {
    let mut ask = Ask { choices: 1, ..Ask::default() };
    for (index, frame) in body.iter().enumerate() {
        note(frame, &mut ask);
        if let Some(next) = body.get(index + 1) {
            let mut seam = frame[frame.len().saturating_sub(OVERLAP)..].to_vec();
            seam.extend_from_slice(&next[..next.len().min(OVERLAP)]);
            note(&seam, &mut ask);
        }
    }
    ask.prompt_chars = body.iter().map(Bytes::len).sum();
    ask
}

fn note(bytes: &[u8], ask: &mut Ask) {
    ask.stream |= value_of(bytes, b"\"stream\"").is_some_and(|rest| rest.starts_with(b"true"));
    ask.include_usage |= value_of(bytes, b"\"include_usage\"").is_some_and(|rest| rest.starts_with(b"true"));
    if ask.model.is_empty() {
        let name = value_of(bytes, b"\"model\"").and_then(|rest| rest.strip_prefix(b"\""));
        if let Some((name, end)) = name.and_then(|name| Some((name, memchr::memchr(b'"', name)?))) {
            ask.model = String::from_utf8_lossy(&name[..end]).into_owned();
        }
    }
}

fn value_of<'a>(bytes: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    memmem::find_iter(bytes, key).find_map(|at| bytes[at + key.len()..].trim_ascii_start().strip_prefix(b":")).map(<[u8]>::trim_ascii_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"messages":[{"role":"user","content":"say \"stream\": false, \"model\":\"x\""}],
        "model" : "gpt-4o","stream": true,"stream_options":{"include_usage":true}}"#;

    #[test]
    fn a_body_is_read_the_same_wherever_frames_cut_it() {
        for at in 0..=BODY.len() {
            let (head, tail) = BODY.as_bytes().split_at(at);
            let ask = scan(&[Bytes::copy_from_slice(head), Bytes::copy_from_slice(tail)]);
            assert_eq!((ask.model.as_str(), ask.stream, ask.include_usage), ("gpt-4o", true, true), "cut at {at}");
        }
    }

    #[test]
    fn words_of_the_prompt_are_not_taken_for_fields() {
        let ask = scan(&[Bytes::from_static(br#"{"model":"m","messages":[{"content":"\"stream\":true"},{"content":"stream"}]}"#)]);
        assert!(!ask.stream);
    }
}
