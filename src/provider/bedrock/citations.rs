//! Citations. OpenAI's schema has a place for those of the web, `annotations` of a message
//! (<https://platform.openai.com/docs/guides/tools-web-search?api-mode=chat>); those of documents,
//! which nobody asks for here, are left out.

use crate::provider::translate::json::{Object, inner};

/// Address and title of a citation of the web, as string literals.
pub(super) fn of_web<'a>(citation: &Object<'a>) -> Option<(&'a str, &'a str)> {
    let url = citation.object("location")?.object("web")?.find("url")?;
    let title = citation.find("title").filter(|title| inner(title).is_some()).unwrap_or(r#""""#);
    inner(url).filter(|url| !url.is_empty()).map(|_| (url, title))
}

/// Appends an entry of `annotations` for the text between two characters, after a comma unless it is
/// the first; in a stream it has its `index`.
pub(super) fn entry((url, title): (&str, &str), (start, end): (usize, usize), index: Option<usize>, out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
    out.push(b'{');
    if let Some(index) = index {
        out.extend_from_slice(format!(r#""index":{index},"#).as_bytes());
    }
    for piece in [r#""type":"url_citation","url_citation":{"url":"#, url, r#","title":"#, title] {
        out.extend_from_slice(piece.as_bytes());
    }
    out.extend_from_slice(format!(r#","start_index":{start},"end_index":{end}}}}}"#).as_bytes());
}

/// Characters that the inside of a string literal stands for.
pub(super) fn characters(literal: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = literal;
    loop {
        rest = match rest {
            [] => return count,
            // The second half of a pair of surrogates.
            [b'\\', b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', _, _, rest @ ..] => rest,
            [b'\\', b'u', _, _, _, _, rest @ ..] | [b'\\', _, rest @ ..] => {
                count += 1;
                rest
            }
            [byte, rest @ ..] => {
                // The further bytes of a character.
                count += usize::from(byte & 0xc0 != 0x80);
                rest
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_those_of_the_text_and_not_of_its_literal() {
        for (literal, expected) in
            [("", 0), ("abc", 3), ("ünï", 3), (r"\n\\\u00e9", 3), (r"\ud83d\ude00", 1), ("😀", 1), (r"a\uD83D\uDE00b", 3)]
        {
            assert_eq!(characters(literal.as_bytes()), expected, "{literal}");
        }
    }

    #[test]
    fn citations_of_the_web_alone_have_a_place() {
        for (citation, expected) in [
            (r#"{"title":"T","location":{"web":{"url":"https://x/y","domain":"x"}}}"#, Some((r#""https://x/y""#, r#""T""#))),
            (r#"{"location":{"web":{"url":"https://z"}}}"#, Some((r#""https://z""#, r#""""#))),
            (r#"{"location":{"web":{"url":""}}}"#, None),
            (r#"{"location":{"web":{"url":7}}}"#, None),
            (r#"{"location":{"documentChar":{"documentIndex":0,"start":0,"end":20}}}"#, None),
            ("{}", None),
        ] {
            assert_eq!(Object::read(citation).and_then(|citation| of_web(&citation)), expected, "{citation}");
        }
    }
}
