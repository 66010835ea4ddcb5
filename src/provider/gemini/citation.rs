//! Sources of an answer (<https://ai.google.dev/api/generate-content#GroundingMetadata> and
//! `CitationMetadata`) as OpenAI's `annotations`.
//!
//! Google counts bytes of the text and OpenAI characters, so the text has to be known: one bit for each
//! byte says whether a character begins there.

use crate::openai::members::decode;
use crate::provider::translate::json::{Object, elements, inner};

/// Where the characters of a text begin.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    words: Vec<u64>,
    bytes: usize,
}

/// Longer answers keep their text and lose the places of their sources.
const MAX_BYTES: usize = 1 << 20;

/// More sources than are shown to anybody.
const MAX_SOURCES: usize = 256;

impl Boundaries {
    /// Adds a text, a string literal.
    pub(super) fn push(&mut self, literal: &str) {
        let Some(text) = decode(literal).filter(|text| self.bytes + text.len() <= MAX_BYTES) else { return };
        self.words.resize((self.bytes + text.len()).div_ceil(64), 0);
        for at in text.char_indices().map(|(at, _)| self.bytes + at) {
            if let Some(word) = self.words.get_mut(at / 64) {
                *word |= 1 << (at % 64);
            }
        }
        self.bytes += text.len();
    }

    /// Bytes of it.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// How many characters begin before this byte.
    fn characters_before(&self, byte: u64) -> u64 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.bytes);
        let (whole, rest) = (byte / 64, byte % 64);
        let full: u32 = self.words.iter().take(whole).map(|word| word.count_ones()).sum();
        let last = self.words.get(whole).map_or(0, |word| (word & ((1 << rest) - 1)).count_ones());
        u64::from(full + last)
    }
}

/// The elements of `annotations`, separated by commas; empty if the candidate names no sources. `starts`
/// are the bytes at which the candidate's parts begin, for what is placed in one of them.
pub(super) fn annotations(candidate: &Object<'_>, text: &Boundaries, starts: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(grounding) = candidate.object("groundingMetadata") {
        grounded(&grounding, text, starts, &mut out);
    }
    let citations = candidate.object("citationMetadata");
    // The Gemini API and Vertex AI differ in the name.
    let sources = citations.as_ref().and_then(|citations| citations.find("citationSources").or_else(|| citations.find("citations")));
    let visit = |_, source: Object<'_>| {
        if let Some(uri) = source.find("uri").filter(|uri| inner(uri).is_some()) {
            write(uri, source.find("title"), place(&source, text, 0), &mut out);
        }
        Ok::<_, ()>(())
    };
    // What is no list of sources names none.
    let _ = sources.map(|sources| elements(sources, MAX_SOURCES, visit));
    out
}

fn grounded<'a>(grounding: &Object<'a>, text: &Boundaries, starts: &[usize], out: &mut Vec<u8>) {
    let mut sources = Vec::new();
    let visit = |_, chunk: Object<'a>| {
        let source = ["web", "retrievedContext", "maps"].iter().find_map(|kind| chunk.object(kind));
        sources.push(source.and_then(|source| Some((source.find("uri").filter(|uri| inner(uri).is_some())?, source.find("title")))));
        Ok::<_, ()>(())
    };
    let chunks = grounding.find("groundingChunks").map(|chunks| elements(chunks, MAX_SOURCES, visit));
    if !matches!(chunks, Some(Ok(_))) {
        return;
    }
    let mut placed = false;
    let mut left = MAX_SOURCES;
    let visit = |_, support: Object<'_>| {
        let segment = support.object("segment").ok_or(())?;
        let part = segment.number("partIndex").and_then(|part| starts.get(usize::try_from(part).ok()?)).copied().unwrap_or(0);
        let place = place(&segment, text, part as u64);
        let indices = support.find("groundingChunkIndices").ok_or(())?;
        let each = |_, index: &str| {
            let source = index.parse::<usize>().ok().and_then(|index| *sources.get(index)?);
            left = left.checked_sub(1).ok_or(())?;
            if let Some((uri, title)) = source {
                write(uri, title, place, out);
                placed = true;
            }
            Ok::<_, ()>(())
        };
        elements(indices, MAX_SOURCES, each).map(|_| ()).map_err(|_| ())
    };
    let _ = grounding.find("groundingSupports").map(|supports| elements(supports, MAX_SOURCES, visit));
    if !placed {
        sources.iter().flatten().for_each(|(uri, title)| write(uri, *title, (0, 0), out));
    }
}

/// First character and the one after the last.
fn place(segment: &Object<'_>, text: &Boundaries, part: u64) -> (u64, u64) {
    let at = |name: &str| text.characters_before(part.saturating_add(segment.number(name).unwrap_or(0)));
    (at("startIndex"), at("endIndex"))
}

fn write(uri: &str, title: Option<&str>, (start, end): (u64, u64), out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
    let title = title.filter(|title| inner(title).is_some()).unwrap_or(r#""""#);
    let indices = format!(r#","start_index":{start},"end_index":{end}}}}}"#);
    for piece in [r#"{"type":"url_citation","url_citation":{"url":"#, uri, r#","title":"#, title, &indices] {
        out.extend_from_slice(piece.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(candidate: &str, texts: &[&str], starts: &[usize]) -> String {
        let mut boundaries = Boundaries::default();
        texts.iter().for_each(|text| boundaries.push(text));
        String::from_utf8(annotations(&Object::read(candidate).expect("an object"), &boundaries, starts)).expect("UTF-8")
    }

    fn citation(url: &str, title: &str, start: u64, end: u64) -> String {
        format!(r#"{{"type":"url_citation","url_citation":{{"url":"{url}","title":"{title}","start_index":{start},"end_index":{end}}}}}"#)
    }

    #[test]
    fn bytes_become_characters() {
        let long = format!("\"{}\"", "é😀".repeat(100));
        let grounding = |support: &str| {
            format!(
                r#"{{"groundingMetadata":{{"groundingChunks":[{{"web":{{"uri":"u0","title":"t0"}}}},{{"future":{{}}}},{{"web":{{"uri":"u2"}}}}],"groundingSupports":[{support}]}}}}"#
            )
        };
        let support = r#"{"segment":{"startIndex":6,"endIndex":12},"groundingChunkIndices":[0,1,2,9]}"#;
        let expected = [citation("u0", "t0", 2, 4), citation("u2", "", 2, 4)].join(",");
        assert_eq!(found(&grounding(support), &[&long], &[]), expected);
        let far = r#"{"segment":{"partIndex":1,"startIndex":594,"endIndex":600},"groundingChunkIndices":[0]}"#;
        assert_eq!(found(&grounding(far), &[r#""\u00e9""#, &long], &[0, 2]), citation("u0", "t0", 199, 201));
        assert_eq!(found(&grounding(""), &[], &[]), [citation("u0", "t0", 0, 0), citation("u2", "", 0, 0)].join(","));
    }

    #[test]
    fn cited_works_are_sources_too() {
        for name in ["citationSources", "citations"] {
            let candidate =
                format!(r#"{{"citationMetadata":{{"{name}":[{{"startIndex":1,"endIndex":3,"uri":"u","title":"t"}},{{"license":"x"}}]}}}}"#);
            assert_eq!(found(&candidate, &[r#""abcd""#], &[]), citation("u", "t", 1, 3));
        }
    }

    #[test]
    fn what_is_no_source_is_none() {
        for wrong in [
            "{}",
            r#"{"groundingMetadata":7}"#,
            r#"{"groundingMetadata":{"groundingChunks":7}}"#,
            r#"{"citationMetadata":{"citations":[7]}}"#,
        ] {
            assert_eq!(found(wrong, &[], &[]), "", "{wrong}");
        }
    }
}
