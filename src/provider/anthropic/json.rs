//! Reading JSON that others wrote, in place: objects as their members, arrays element by element.
//! Nothing is decoded before somebody asks, and no depth of nesting costs stack.

use core::fmt;
use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::openai::members::decode;

/// Members of one object, in order, values as written.
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a str)>);

/// Documented objects have fewer than 50 members; more are an attack on the memory of the worker.
const MAX_MEMBERS: usize = 512;

impl<'a> Object<'a> {
    /// The one object in `text`.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The first member of this name; `null` counts as absent, as in both APIs.
    pub(super) fn find(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(found, value)| found == name && *value != "null").map(|(_, value)| *value)
    }

    /// The string of this name, decoded.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        decode(self.find(name)?)
    }

    /// The string of this name as it is written, without its quotes.
    pub(super) fn literal(&self, name: &str) -> Option<&'a str> {
        inner(self.find(name)?)
    }

    /// The object of this name.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        Self::read(self.find(name)?)
    }

    /// The whole number of this name.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.find(name)?.parse().ok()
    }

    /// Names and values of the members that are not `null` and whose names are not among `known`.
    pub(super) fn others(&self, known: &[&str]) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value)).filter(|(name, value)| *value != "null" && !known.contains(name))
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut all = Vec::with_capacity(4);
                while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    let name = decode(name.get()).filter(|_| all.len() < MAX_MEMBERS);
                    all.push((name.ok_or_else(|| A::Error::custom("not a member"))?, value.get()));
                }
                Ok(Object(all))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Why the elements of an array were not all visited.
pub(super) enum Halt<E> {
    /// It is no array.
    NotAnArray,
    /// The element with this index is of another type, or there are too many.
    Element(usize),
    /// The visitor's own reason.
    Visitor(E),
}

/// Calls `visit` with each element of the array in `text`.
pub(super) fn elements<'a, T: Deserialize<'a>, E>(
    text: &'a str,
    max: usize,
    visit: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<usize, Halt<E>> {
    struct Each<'s, T, F, E> {
        visit: F,
        index: &'s mut usize,
        halt: &'s mut Option<E>,
        max: usize,
        element: core::marker::PhantomData<T>,
    }

    impl<'de, T: Deserialize<'de>, E, F: FnMut(usize, T) -> Result<(), E>> Visitor<'de> for Each<'_, T, F, E> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
            while let Some(element) = array.next_element::<T>()? {
                if *self.index == self.max {
                    return Err(A::Error::custom("too many"));
                }
                if let Err(reason) = (self.visit)(*self.index, element) {
                    *self.halt = Some(reason);
                    return Err(A::Error::custom("halted"));
                }
                *self.index += 1;
            }
            Ok(())
        }
    }

    if !text.starts_with('[') {
        return Err(Halt::NotAnArray);
    }
    let (mut index, mut halt) = (0, None);
    let each = Each { visit, index: &mut index, halt: &mut halt, max, element: core::marker::PhantomData };
    match serde_json::Deserializer::from_str(text).deserialize_seq(each) {
        Ok(()) => Ok(index),
        Err(_) => Err(halt.map_or(Halt::Element(index), Halt::Visitor)),
    }
}

/// What stands between the quotes of a string literal; `None` if it is something else.
pub(super) fn inner(literal: &str) -> Option<&str> {
    literal.strip_prefix('"')?.strip_suffix('"')
}

/// Whether a string literal has nothing but whitespace, which Anthropic refuses as text.
pub(super) fn is_blank(inner: &str) -> bool {
    let mut rest = inner.as_bytes();
    loop {
        rest = match rest {
            [] => return true,
            [b' ', rest @ ..] | [b'\\', b'n' | b'r' | b't', rest @ ..] => rest,
            _ => return false,
        }
    }
}

/// Appends `json` as a string literal, without the whitespace between its tokens.
pub(super) fn write_dense(json: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => continue,
            b'"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && byte == b'\\' && !escaped;
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_literal_stands_for_the_same_json() {
        for (json, expected) in [
            ("{ }", "{}"),
            ("{\"a\" : [1 ,\n2], \"b c\":\"x  \\\" , \\\\\"}", r#"{"a":[1,2],"b c":"x  \" , \\"}"#),
            (r#"{"a":"ü\u00e9\n"}"#, r#"{"a":"ü\u00e9\n"}"#),
        ] {
            let mut out = Vec::new();
            write_dense(json, &mut out);
            let literal = String::from_utf8(out).expect("UTF-8");
            assert_eq!(decode(&literal).as_deref(), Some(expected), "{literal}");
        }
    }

    #[test]
    fn blank_is_what_shows_nothing() {
        for (literal, blank) in [("", true), (r" \n\t\r ", true), (r"\\n", false), ("x", false), (r"\u0020", false)] {
            assert_eq!(is_blank(literal), blank, "{literal}");
        }
    }

    #[test]
    fn elements_halt_where_something_is_wrong() {
        let visit =
            |text: &str| match elements(text, 3, |_, object: Object<'_>| if object.find("bad").is_some() { Err("bad") } else { Ok(()) }) {
                Ok(count) => format!("{count} elements"),
                Err(Halt::NotAnArray) => "no array".to_owned(),
                Err(Halt::Element(index)) => format!("element {index}"),
                Err(Halt::Visitor(reason)) => reason.to_owned(),
            };
        for (text, expected) in [
            ("[]", "0 elements"),
            (r#"[{},{"bad":null}]"#, "2 elements"),
            (r#"[{},{"bad":1},7]"#, "bad"),
            ("[{},7]", "element 1"),
            ("[[],{}]", "element 0"),
            ("[{},{},{},{}]", "element 3"),
            ("{}", "no array"),
            ("null", "no array"),
        ] {
            assert_eq!(visit(text), expected, "{text}");
        }
    }

    #[test]
    fn depth_and_number_cannot_exhaust_the_stack_or_memory() {
        let deep = [r#"{"a":"#, &"[".repeat(200_000), &"]".repeat(200_000), "}"].concat();
        assert!(Object::read(&deep).is_some());
        let many = ["{", &r#""a":1,"#.repeat(100_000), r#""b":1}"#].concat();
        assert!(Object::read(&many).is_none());
    }
}
