//! Going over a value that is known to be JSON: only its end is looked for.

use super::{Scan, Stop};

impl<'a> Scan<'a> {
    /// Goes over the next value without checking it and returns it as it is written: for a text that has been
    /// checked before. Of another one it returns some part, or says that it is cut off.
    pub fn leap(&mut self) -> Result<&'a str, Stop> {
        let (first, bytes) = (self.peek(), self.text.as_bytes());
        let from = self.at;
        match first {
            Some(b'[' | b'{') => {}
            Some(b'"') => {
                self.at = end_of_string(bytes, from + 1).ok_or(Stop::Truncated)?;
                return Ok(self.text.get(from..self.at).unwrap_or_default());
            }
            _ => return self.value(),
        }
        let mut depth = 0_usize;
        while let Some(byte) = bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => self.at = end_of_string(bytes, self.at).ok_or(Stop::Truncated)?,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(self.text.get(from..self.at).unwrap_or_default());
                    }
                }
                _ => {}
            }
        }
        Err(Stop::Truncated)
    }
}

/// Behind the quote that ends a string, whose text begins at `from`. Quotes inside are rarer than other escapes, so
/// only quotes are looked for: one of the text's has an odd number of backslashes before it.
fn end_of_string(bytes: &[u8], from: usize) -> Option<usize> {
    let text = bytes.get(from..)?;
    let mut quotes = memchr::memchr_iter(b'"', text);
    let end = quotes.find(|quote| {
        let before = text.get(..*quote).unwrap_or_default();
        before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    })?;
    Some(from + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_json_it_returns_what_the_check_returns() {
        for text in [
            r#"[]"#,
            r#"{"a":[1,{"b":"]}\"\\"},"\\"],"c":null} ,"x""#,
            " [ [ ] , \"\\u005d\" ] ]",
            r#""text",1"#,
            "17 ,",
            "null}",
            r#"{"ü😀":"\n"}"#,
            r#""\"" ,"#,
            r#""\\","\\"]"#,
            r#"["\\\"]","\"\\\\","\\\"\u0022\\"],"\""#,
        ] {
            assert_eq!(Scan::new(text).leap(), Scan::new(text).value(), "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_has_no_end() {
        for text in ["[", r#"{"a"#, r#"["\"#, r#"["\""#, r#"["\\\"]"#, r#""\\\""#, r#"[{}"#, ""] {
            assert_eq!(Scan::new(text).leap(), Err(Stop::Truncated), "{text}");
        }
    }
}
