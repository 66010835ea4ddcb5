//! Sources that the model names (<https://platform.claude.com/docs/en/build-with-claude/citations>) become
//! `annotations`, as far as OpenAI has a place for them: pages of the web.

use crate::provider::translate::json::{Object, elements, inner};

/// More citations than any block has.
const MAX_CITATIONS: usize = 4096;

/// The address and the title of a cited page, as string literals; `None` for sources within the request.
pub(super) fn page<'a>(citation: &Object<'a>) -> Option<(&'a str, &'a str)> {
    if citation.text("type").as_deref() != Some("web_search_result_location") {
        return None;
    }
    let literal = |name: &str| citation.find(name).filter(|value| inner(value).is_some());
    Some((literal("url")?, literal("title").unwrap_or(r#""""#)))
}

/// Appends the annotations for a text that stands from `start` to `end`, in characters of the whole
/// answer. `citations` is the array of its block.
pub(super) fn annotate(citations: &str, (start, end): (u64, u64), out: &mut Vec<u8>) {
    // What is wrong in them costs the annotation, not the answer.
    let _ = elements(citations, MAX_CITATIONS, |_, citation: Object<'_>| {
        if let Some(page) = page(&citation) {
            if !out.is_empty() {
                out.push(b',');
            }
            annotation(page, (start, end), None, out);
        }
        Ok::<_, ()>(())
    });
}

/// Appends one annotation; those of a stream have an `index`, by which clients put them together.
pub(super) fn annotation((url, title): (&str, &str), (start, end): (u64, u64), index: Option<usize>, out: &mut Vec<u8>) {
    out.push(b'{');
    if let Some(index) = index {
        out.extend_from_slice(format!(r#""index":{index},"#).as_bytes());
    }
    let place = format!(r#","start_index":{start},"end_index":{end}}}}}"#);
    for piece in [r#""type":"url_citation","url_citation":{"url":"#, url, r#","title":"#, title, &place] {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// How many characters the inside of a string literal stands for.
pub(super) fn characters(literal: &[u8]) -> u64 {
    let (mut count, mut rest) = (0, literal);
    while let Some((begins, after)) = step(rest) {
        count += u64::from(begins);
        rest = after;
    }
    count
}

/// The inside of a string literal, cut behind so many characters; all of it, if it has no more.
pub(super) fn split(literal: &str, characters: u64) -> (&str, &str) {
    let (mut count, mut rest) = (0, literal.as_bytes());
    while let Some((begins, after)) = step(rest) {
        if begins && count == characters {
            break;
        }
        count += u64::from(begins);
        rest = after;
    }
    literal.split_at_checked(literal.len() - rest.len()).unwrap_or((literal, ""))
}

/// The next byte or escape: whether a character begins with it, and what follows.
fn step(literal: &[u8]) -> Option<(bool, &[u8])> {
    let (first, tail) = literal.split_first()?;
    Some(match (*first, tail) {
        // The second half of a pair is no character of its own.
        (b'\\', [b'u', d, c, _, _, after @ ..]) => (!(matches!(d, b'd' | b'D') && matches!(c, b'c'..=b'f' | b'C'..=b'F')), after),
        (b'\\', [_, after @ ..]) => (true, after),
        // Bytes within a character of UTF-8 are no beginning of one.
        (byte, _) => (byte & 0xc0 != 0x80, tail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::members::decode;

    #[test]
    fn characters_are_counted_without_decoding() {
        for literal in ["", "abc", r#"a\"b\\n\u00e9"#, r"\ud83d\ude00x", "é→😀", r"\/\b\uD83D\uDE00\u0041"] {
            let decoded = decode(&format!("\"{literal}\"")).map(|text| text.chars().count() as u64);
            assert_eq!(Some(characters(literal.as_bytes())), decoded, "{literal}");
        }
    }

    #[test]
    fn a_literal_is_cut_between_characters() {
        for (literal, at, expected) in [
            ("abc", 0, ("", "abc")),
            ("abc", 2, ("ab", "c")),
            ("abc", 9, ("abc", "")),
            ("é😀x", 2, ("é😀", "x")),
            (r"\\n\n\u00e9x", 3, (r"\\n\n", r"\u00e9x")),
            (r"\ud83d\ude00x", 1, (r"\ud83d\ude00", "x")),
        ] {
            assert_eq!(split(literal, at), expected, "{literal}");
        }
    }

    #[test]
    fn pages_of_the_web_become_annotations_and_nothing_else() {
        let mut out = Vec::new();
        let citations = r#"[
            {"type":"char_location","document_index":0,"start_char_index":0,"end_char_index":5,"cited_text":"x"},
            {"type":"web_search_result_location","url":"https://a.example/","title":"A \"b\"","cited_text":"x","encrypted_index":"E"},
            {"type":"web_search_result_location","title":"no address"},
            {"type":"web_search_result_location","url":"https://b.example/","title":null}]"#;
        annotate(citations, (3, 7), &mut out);
        let expected = [
            r#"{"type":"url_citation","url_citation":{"url":"https://a.example/","title":"A \"b\"","start_index":3,"end_index":7}}"#,
            r#"{"type":"url_citation","url_citation":{"url":"https://b.example/","title":"","start_index":3,"end_index":7}}"#,
        ];
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected.join(",").as_str()));
    }
}
