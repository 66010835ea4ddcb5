//! Which strings of a body are text: what people and models say to each other, wherever it stands.
//!
//! Text is every string, also a name, that is not known to be something else (`vocabulary`). It is
//! handed over as it is written, in groups: the strings of a group follow each other for whoever
//! reads the conversation, so a phrase may begin in one and end in the next. Strings of different
//! groups have nothing to do with each other. Numbers are no text.

pub(super) mod escape;
pub(super) mod review;
pub(super) mod search;
mod vocabulary;

use std::borrow::Cow;

use crate::openai::members::decode;
use crate::openai::scan::{Scan, Stop};
pub(super) use vocabulary::is_no_text;
use vocabulary::{is_free, is_name};

/// Deeper than any tool's schema. What lies below is text as a whole, so that the walk over an object
/// takes a bounded part of the stack.
const MAX_DEPTH: usize = 48;

/// Strings that follow each other, as they are written, without their quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'g, 't> {
    pub strings: &'g [&'t str],
    /// Whether what they stand for has to be JSON: the arguments of a tool.
    pub json: bool,
}

impl<'t> Group<'_, 't> {
    /// What the group stands for, and where each of its strings ends in it.
    pub(super) fn decoded(&self) -> (Cow<'t, str>, Vec<usize>) {
        match self.strings {
            [only] if memchr::memchr(b'\\', only.as_bytes()).is_none() => (Cow::Borrowed(*only), vec![only.len()]),
            strings => {
                let mut text = String::with_capacity(strings.iter().map(|string| string.len()).sum());
                let mut ends = Vec::with_capacity(strings.len());
                for string in strings {
                    escape::decode(string, &mut text);
                    ends.push(text.len());
                }
                (Cow::Owned(text), ends)
            }
        }
    }
}

/// Whoever looks at groups.
pub(super) type Look<'l, 't> = &'l mut (dyn FnMut(&Group<'_, 't>) + 'l);

/// A walk over the text of one object.
pub(super) struct Walk<'w, 't> {
    /// Which members to leave out, by their depth (0 for the members of the body) and name.
    pub skip: fn(usize, &str) -> bool,
    /// Whether names are text too, unless they are of the API: where the body is the caller's.
    pub names: bool,
    /// Is given every group.
    pub each: Look<'w, 't>,
}

impl<'t> Walk<'_, 't> {
    /// Goes over the object that is the next value.
    pub(super) fn object(&mut self, scan: &mut Scan<'t>, depth: usize) -> Result<(), Stop> {
        scan.object(|scan, name| self.member(scan, name, depth))
    }

    /// Goes over a member whose name, as it is written, was just read.
    pub(super) fn member(&mut self, scan: &mut Scan<'t>, name: &'t str, depth: usize) -> Result<(), Stop> {
        let inside = inside(name);
        // Half of a surrogate pair is in no name we know.
        let name = decode(name).unwrap_or_default();
        if (self.skip)(depth, &name) {
            return scan.value().map(drop);
        }
        if self.names && !is_name(&name) && !inside.is_empty() {
            self.alone(inside, false);
        }
        self.value(scan, &name, depth)
    }

    /// Goes over the next value, which a member of this name has, or an array that it has.
    pub(super) fn value(&mut self, scan: &mut Scan<'t>, name: &str, depth: usize) -> Result<(), Stop> {
        match scan.peek() {
            Some(b'"') => {
                let text = inside(scan.value()?);
                if !is_no_text(name, text) {
                    self.alone(text, is_json(name));
                }
            }
            Some(b'{' | b'[') if depth >= MAX_DEPTH || is_free(name) => strings(scan.value()?, self.each),
            Some(b'{') => self.object(scan, depth + 1)?,
            Some(b'[') if matches!(name, "content" | "thinking") => self.parts(scan, depth + 1)?,
            Some(b'[') => scan.array(|scan, _| self.value(scan, name, depth + 1))?,
            _ => drop(scan.value()?),
        }
        Ok(())
    }

    /// Goes over the parts of a message. Texts that follow each other are one group.
    fn parts(&mut self, scan: &mut Scan<'t>, depth: usize) -> Result<(), Stop> {
        let mut group: Vec<&'t str> = Vec::new();
        scan.array(|scan, _| {
            let mut text = None;
            if scan.peek() == Some(b'{') {
                scan.object(|scan, name| {
                    if matches!(decode(name).as_deref(), Some("text" | "refusal" | "thinking")) && scan.peek() == Some(b'"') {
                        // Of two, the reader has the last.
                        let earlier = text.replace(inside(scan.value()?));
                        earlier.filter(|earlier| !earlier.is_empty()).into_iter().for_each(|earlier| self.alone(earlier, false));
                        return Ok(());
                    }
                    self.member(scan, name, depth + 1)
                })?;
            } else {
                self.value(scan, "", depth + 1)?;
            }
            match text {
                Some(text) => group.push(text),
                None => self.group(&mut group),
            }
            Ok::<_, Stop>(())
        })?;
        self.group(&mut group);
        Ok(())
    }

    fn group(&mut self, strings: &mut Vec<&'t str>) {
        if !strings.is_empty() {
            (self.each)(&Group { strings, json: false });
            strings.clear();
        }
    }

    fn alone(&mut self, string: &'t str, json: bool) {
        (self.each)(&Group { strings: &[string], json });
    }
}

/// Hands over every string in a JSON text, names too, each as a group of its own.
fn strings<'t>(text: &'t str, each: &mut dyn FnMut(&Group<'_, 't>)) {
    let mut rest = text;
    while let Some(open) = memchr::memchr(b'"', rest.as_bytes()) {
        let string = rest.get(open + 1..).unwrap_or_default();
        let Some((inside, after)) = string.split_at_checked(closing_quote(string)) else { return };
        if !inside.is_empty() {
            each(&Group { strings: &[inside], json: false });
        }
        rest = after.get(1..).unwrap_or_default();
    }
}

/// Where the string ends that begins at the beginning: the place of its quote. The length of the text
/// if it does not end, and more if it ends inside an escape.
pub(super) fn closing_quote(string: &str) -> usize {
    let bytes = string.as_bytes();
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        if bytes.get(at + next) == Some(&b'"') {
            return at + next;
        }
        at += next + 2;
    }
    bytes.len().max(at)
}

/// A string literal without its quotes.
pub(super) fn inside(literal: &str) -> &str {
    literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default()
}

/// Whether the string of a member of this name is JSON.
pub(super) fn is_json(name: &str) -> bool {
    name == "arguments"
}

/// Where a part of a text begins in it.
pub(super) fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize)
}

/// Whether a place in a JSON text lies inside a string.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    at: usize,
    inside: bool,
    escaped: bool,
}

impl Quotes {
    /// Asked for places in ascending order.
    pub(super) fn open_at(&mut self, text: &str, offset: usize) -> bool {
        self.pass(text.get(self.at..offset).unwrap_or_default());
        self.at = offset;
        self.inside
    }

    /// Goes over the next piece of the text. Returns whether what follows lies inside a string.
    pub(super) fn pass(&mut self, piece: &str) -> bool {
        for byte in piece.bytes() {
            match byte {
                _ if core::mem::take(&mut self.escaped) => {}
                b'\\' => self.escaped = self.inside,
                b'"' => self.inside = !self.inside,
                _ => {}
            }
        }
        self.inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups of a body, their strings divided by `|`.
    fn groups(body: &str, names: bool) -> Vec<String> {
        let mut groups = Vec::new();
        let mut each = |group: &Group<'_, '_>| groups.push(group.strings.join("|"));
        let skip = |depth: usize, name: &str| depth == 0 && name == "model";
        let outcome = Walk { skip, names, each: &mut each }.object(&mut Scan::new(body), 0);
        assert_eq!(outcome, Ok(()), "{body}");
        groups
    }

    #[test]
    fn every_string_is_text_that_is_not_known_to_be_something_else() {
        for (body, expected) in [
            (r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"tool","tool_call_id":"call_1","content":"b"}]}"#, "a b"),
            (r#"{"messages":[{"role":"user","name":"n","content":null,"refusal":"r","future":{"y":["a",1,"b"]}}]}"#, "n r future y a b"),
            (r#"{"messages":[{"model":"m"}],"stop":["a","b"],"user":"u","n":1,"stream":true}"#, "m a b u"),
            (
                r#"{"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"type\":1}"}}]}"#,
                r#"f {\"type\":1}"#,
            ),
            (
                r#"{"tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,"parameters":{"type":"object","properties":{"card":{"type":["string","null"],"format":"email","description":"e","enum":["object","y"]}},"required":["card"],"x-note":"z"}}}]}"#,
                "f d card e object y card x-note z",
            ),
            (r#"{"metadata":{"type":"user","k":"v"},"a\"b":{"\ud800":1}}"#, r#"type user k v a\"b \ud800"#),
            (r#"{"input":["a",[1,2],"b"]}"#, "a b"),
            (r#"{"input":[1,[2,3]],"content":{"text":"a"}}"#, "a"),
            (r#"{"":{"":""}}"#, ""),
        ] {
            assert_eq!(groups(body, true).join(" "), expected, "{body}");
        }
    }

    #[test]
    fn names_are_text_where_the_caller_chooses_them() {
        assert_eq!(groups(r#"{"hate":{"severity":"safe"},"metadata":{"a":"b"}}"#, false), ["safe", "a", "b"]);
    }

    #[test]
    fn texts_of_a_message_that_follow_each_other_are_one_group() {
        for (content, expected) in [
            (r#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#, "a|b"),
            (r#"[{"type":"text","text":"a"},{"text":"","t\u0065xt":"b"}]"#, "a|b"),
            (r#"[{"text":"a"},{"type":"image_url","image_url":{"url":"u","detail":"low"}},{"text":"b"},{"text":"c"}]"#, "u a b|c"),
            (r#"[{"text":"a"},"x",{"text":"b"},7,{"text":"c"},{"text":null},{"text":"d"}]"#, "x a b c d"),
            (r#"[{"text":"a","cache_control":{"type":"ephemeral"},"note":"n"},{"text":"b"}]"#, "note n a|b"),
            (r#"[{"content":[{"text":"a"},{"text":"b"}]},{"text":"c"}]"#, "a|b c"),
            (r#"[]"#, ""),
        ] {
            let body = format!(r#"{{"messages":[{{"content":{content}}},{{"content":{content}}}]}}"#);
            let twice = [expected, expected].join(" ");
            assert_eq!(groups(&body, true).join(" "), twice.trim(), "{content}");
        }
    }

    #[test]
    fn what_lies_very_deep_is_text_as_a_whole() {
        let body = |depth: usize| [r#"{"a":"#.repeat(depth).as_str(), r#"{"type":"x\"y"}"#, &"}".repeat(depth)].concat();
        let last = |depth: usize| groups(&body(depth), false).join(" ");
        assert_eq!(last(MAX_DEPTH), r#"x\"y"#);
        assert_eq!(last(MAX_DEPTH + 1), r#"type x\"y"#);
        assert_eq!(last(MAX_DEPTH + 3), r#"a a type x\"y"#);
    }

    #[test]
    fn a_place_is_inside_a_string_or_not() {
        let text = r#"{"a\"b":1,"c":"\\"}"#;
        let open: String = {
            let mut quotes = Quotes::default();
            (0..text.len()).map(|at| if quotes.open_at(text, at) { 's' } else { '.' }).collect()
        };
        assert_eq!(open, "..sssss....ss..sss.");
    }
}
