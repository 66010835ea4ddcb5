//! Images and files as OpenAI's schema writes them: a web address, or a `data:` URI
//! (RFC 2397), both still inside a string literal.

use crate::openai::members::decode;

/// Longest `data:…;base64,` looked for; that of a Word document, the longest in use, has 84 bytes.
const MAX_DATA_HEAD: usize = 160;

/// The media type and the data, still as written, of `data:…;base64,…`. Some encoders write `\/`.
pub(in crate::provider) fn data_uri(literal: &str) -> Option<(String, &str)> {
    let comma = memchr::memchr(b',', literal.as_bytes().get(..MAX_DATA_HEAD.min(literal.len()))?)?;
    let (head, data) = literal.split_at_checked(comma)?;
    let head = decode(&format!("\"{head}\""))?.to_ascii_lowercase();
    let media_type = head.strip_prefix("data:")?.strip_suffix(";base64")?;
    let media_type = media_type.split(';').next()?.to_owned();
    Some((media_type, data.strip_prefix(',')?))
}

/// Whether the inside of a literal is an address of the web.
pub(in crate::provider) fn is_web(literal: &str) -> bool {
    // The scheme, with room for escaped slashes.
    let head: String = literal.chars().take(10).filter(|c| *c != '\\').collect::<String>().to_ascii_lowercase();
    head.starts_with("http://") || head.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_uris_are_split_without_touching_the_data() {
        for (literal, expected) in [
            ("data:image/png;base64,iVBO/+=", Some(("image/png", "iVBO/+="))),
            (r"data:image\/png;base64,iV\/BO", Some(("image/png", r"iV\/BO"))),
            ("DATA:image/PNG;BASE64,x", Some(("image/png", "x"))),
            ("data:application/pdf;name=x;base64,y", Some(("application/pdf", "y"))),
            ("data:image/png,raw", None),
            ("image/png;base64,x", None),
            ("data:image/png;base64", None),
            (r"data:\ud800;base64,x", None),
            ("", None),
        ] {
            let found = data_uri(literal);
            assert_eq!(found.as_ref().map(|(kind, data)| (kind.as_str(), *data)), expected, "{literal}");
        }
    }

    #[test]
    fn only_web_addresses_are_passed_as_such() {
        for (literal, web) in [
            ("https://x/y", true),
            (r"HTTP:\/\/x", true),
            ("https:", false),
            ("file:///etc/passwd", false),
            ("ftp://x", false),
            ("", false),
        ] {
            assert_eq!(is_web(literal), web, "{literal}");
        }
    }
}
