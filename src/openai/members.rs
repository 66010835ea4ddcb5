//! The members of one JSON object, as they stand in the text: enough to cut one out or put another
//! in without touching the rest.

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// One member, borrowed from the text.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// Decoded name.
    pub name: Cow<'a, str>,
    /// The value as it is written.
    pub value: &'a str,
    name_raw: &'a str,
}

/// The members of an object in the order of the text.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    text: &'a str,
    all: Vec<Member<'a>>,
}

/// Why a text has no members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAnObject {
    /// Not JSON; the place is 1-based.
    Syntax {
        /// Line of the first offending byte.
        line: usize,
        /// Column of the first offending byte.
        column: usize,
    },
    /// The text ends in the middle of a value.
    Truncated,
    /// JSON, but not an object.
    OtherValue,
    /// More members than any request or answer has.
    TooMany,
}

/// Documented objects have fewer than 50 members; a body of nothing else would otherwise cost
/// forty bytes of memory for every four of input.
const MAX_MEMBERS: usize = 512;

/// Reads the value of one member in a way of its own while the object is read, so that a large
/// value is gone through once. Such a member's `value` is empty.
pub trait Reader<'a> {
    /// Whether it wants the value of this member.
    fn wants(&self, name: &str) -> bool;

    /// Reads the value, which is the next one in `members`.
    fn read<A: MapAccess<'a>>(&mut self, members: &mut A) -> Result<(), A::Error>;
}

/// Wants nothing.
struct Nothing;

impl<'a> Reader<'a> for Nothing {
    fn wants(&self, _: &str) -> bool {
        false
    }

    fn read<A: MapAccess<'a>>(&mut self, members: &mut A) -> Result<(), A::Error> {
        members.next_value::<IgnoredAny>().map(|_| ())
    }
}

impl<'a> Members<'a> {
    /// Reads the members of the one object in `text`, checking the syntax of everything in it.
    pub fn read(text: &'a str) -> Result<Self, NotAnObject> {
        Self::read_with(text, &mut Nothing)
    }

    /// The same, with a reader for members that are not wanted as text. An error that the reader
    /// makes up is [`NotAnObject::OtherValue`].
    pub fn read_with(text: &'a str, reader: &mut impl Reader<'a>) -> Result<Self, NotAnObject> {
        let not_an_object = |error: serde_json::Error| match error.classify() {
            serde_json::error::Category::Eof => NotAnObject::Truncated,
            serde_json::error::Category::Data => NotAnObject::OtherValue,
            _ => NotAnObject::Syntax { line: error.line(), column: error.column() },
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let (all, too_many) = json.deserialize_map(Collect(reader)).map_err(not_an_object)?;
        if too_many {
            return Err(NotAnObject::TooMany);
        }
        json.end().map_err(not_an_object)?;
        Ok(Self { text, all })
    }

    /// The members.
    pub fn iter(&self) -> core::slice::Iter<'_, Member<'a>> {
        self.all.iter()
    }

    /// The first member of this name.
    pub fn find(&self, name: &str) -> Option<&Member<'a>> {
        self.all.iter().find(|member| member.name == name)
    }

    /// Where a member's value stands in the text.
    pub fn value_range(&self, member: &Member<'a>) -> Range<usize> {
        let start = offset(self.text, member.value);
        start..start + member.value.len()
    }

    /// The parts of the text to leave out so that an object without these members remains: each
    /// takes as many commas with it as it leaves without a use.
    pub fn cuts(&self, unwanted: impl Fn(&Member<'a>) -> bool) -> Vec<Range<usize>> {
        let mut cuts: Vec<Range<usize>> = Vec::new();
        let mut kept_any = false;
        let mut run_open = false;
        for member in &self.all {
            let name_at = offset(self.text, member.name_raw);
            let cut = unwanted(member);
            match cuts.last_mut() {
                // The first member that stays gives back nothing but what stood before it.
                Some(run) if !cut && !kept_any => run.end = name_at,
                Some(run) if cut && run_open => run.end = self.value_range(member).end,
                _ if cut && kept_any => cuts.push(self.comma_before(name_at)..self.value_range(member).end),
                _ if cut => cuts.push(name_at..self.value_range(member).end),
                _ => {}
            }
            run_open = cut;
            kept_any |= !cut;
        }
        cuts
    }

    /// Where the comma before a member stands.
    fn comma_before(&self, name_at: usize) -> usize {
        let before = self.text.get(..name_at).unwrap_or_default();
        before.rfind(',').unwrap_or(name_at)
    }

    /// Appends the object with these members set to these JSON values: replaced where they stand,
    /// added at the end where they are missing. Everything else is copied as it is.
    pub fn rewrite(&self, values: &[(&str, &str)], out: &mut Vec<u8>) {
        let bytes = self.text.as_bytes();
        let mut from = 0;
        for member in &self.all {
            if let Some((_, value)) = values.iter().find(|(name, _)| member.name == *name) {
                let range = self.value_range(member);
                out.extend_from_slice(bytes.get(from..range.start).unwrap_or_default());
                out.extend_from_slice(value.as_bytes());
                from = range.end;
            }
        }
        let rest = bytes.get(from..).unwrap_or_default().trim_ascii_end();
        out.extend_from_slice(rest.strip_suffix(b"}").unwrap_or(rest));
        let mut comma = !self.all.is_empty();
        for (name, value) in values.iter().filter(|(name, _)| self.find(name).is_none()) {
            if core::mem::replace(&mut comma, true) {
                out.push(b',');
            }
            encode(name, out);
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        }
        out.push(b'}');
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether the object is `{}`.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize)
}

/// Collects the members, and whether there were too many.
struct Collect<'r, R>(&'r mut R);

impl<'de, R: Reader<'de>> Visitor<'de> for Collect<'_, R> {
    type Value = (Vec<Member<'de>>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::with_capacity(16);
        while let Some(name) = map.next_key::<&RawValue>()? {
            let name_raw = name.get();
            let name = decode(name_raw).ok_or_else(|| A::Error::custom("a member name that is not a string"))?;
            let value = if self.0.wants(&name) {
                self.0.read(&mut map)?;
                ""
            } else {
                map.next_value::<&RawValue>()?.get()
            };
            if all.len() == MAX_MEMBERS {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok((all, true));
            }
            all.push(Member { name, value, name_raw });
        }
        Ok((all, false))
    }
}

/// The string a JSON string literal stands for; `None` if it is something else.
pub fn decode(literal: &str) -> Option<Cow<'_, str>> {
    let plain = literal.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', plain.as_bytes()).is_none() {
        return Some(Cow::Borrowed(plain));
    }
    serde_json::from_str::<String>(literal).ok().map(Cow::Owned)
}

/// Appends `text` as a JSON string literal.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail, and neither can the serialisation of a str.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str, unwanted: &[&str]) -> String {
        let members = Members::read(text).expect("an object");
        let mut kept = String::new();
        let mut from = 0;
        for cut in members.cuts(|member| unwanted.contains(&member.name.as_ref())) {
            kept.push_str(&text[from..cut.start]);
            from = cut.end;
        }
        kept + &text[from..]
    }

    #[test]
    fn members_are_left_out_with_their_commas() {
        for (text, expected) in [
            (r#"{"x":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":2,"x":{"x":[1,2]}}"#, r#"{"a":2}"#),
            (r#"{"a":2 , "x" : 1 , "b":3}"#, r#"{"a":2  , "b":3}"#),
            (r#"{ "x":1 , "a":2}"#, r#"{ "a":2}"#),
            (r#"{"x":1}"#, r#"{}"#),
            (r#"{"\u0078":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"x":1,"y":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"x":1,"a":2,"y":1}"#, r#"{"a":2}"#),
            (r#"{"a":2,"x":1,"y":1}"#, r#"{"a":2}"#),
            (r#"{"a":2,"x":1,"y":1,"b":3}"#, r#"{"a":2,"b":3}"#),
            (r#"{"x":1,"a":2,"y":1,"b":3,"x":7}"#, r#"{"a":2,"b":3}"#),
            (r#"{ "x":1 , "y":1 }"#, r#"{  }"#),
            (r#"{}"#, r#"{}"#),
        ] {
            assert_eq!(without(text, &["x", "y"]), expected, "{text}");
        }
    }

    #[test]
    fn members_are_set_in_place_or_added_at_the_end() {
        for (text, expected) in [
            (r#"{"id":"a","x":[1]}"#, r#"{"id":"I","x":[1],"routing":{}}"#),
            (r#" {"x":1, "id" : null } "#, r#" {"x":1, "id" : "I" ,"routing":{}}"#),
            (r#"{"routing":7,"id":""}"#, r#"{"routing":{},"id":"I"}"#),
            (r#"{}"#, r#"{"id":"I","routing":{}}"#),
        ] {
            let mut out = Vec::new();
            Members::read(text).expect("an object").rewrite(&[("id", r#""I""#), ("routing", "{}")], &mut out);
            assert_eq!(String::from_utf8(out).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_value_is_found_where_it_stands() {
        let text = r#"{"a" : "x\"y" ,"b":[1, 2]}"#;
        let members = Members::read(text).expect("an object");
        let values: Vec<&str> = members.iter().map(|m| &text[members.value_range(m)]).collect();
        assert_eq!(values, [r#""x\"y""#, "[1, 2]"]);
    }

    #[test]
    fn what_is_not_an_object_is_told_apart() {
        for (text, expected) in [
            ("", NotAnObject::Truncated),
            (r#"{"a":1"#, NotAnObject::Truncated),
            (r#"{"a":[1,2"#, NotAnObject::Truncated),
            ("[1]", NotAnObject::OtherValue),
            ("null", NotAnObject::OtherValue),
            (r#""x""#, NotAnObject::OtherValue),
            (r#"{"a":1}x"#, NotAnObject::Syntax { line: 1, column: 8 }),
            (r#"{a:1}"#, NotAnObject::Syntax { line: 1, column: 2 }),
            ("{\"a\":NaN}", NotAnObject::Syntax { line: 1, column: 6 }),
            ("\u{feff}{}", NotAnObject::Syntax { line: 1, column: 1 }),
        ] {
            assert_eq!(Members::read(text).map(|_| ()).expect_err(text), expected, "{text}");
        }
    }

    #[test]
    fn depth_and_number_cannot_exhaust_the_stack_or_memory() {
        let deep = [r#"{"a":"#, &"[".repeat(200_000), &"]".repeat(200_000), "}"].concat();
        assert_eq!(Members::read(&deep).expect("deep but well-formed").len(), 1);
        let many = ["{", &r#""a":1,"#.repeat(100_000), r#""b":1}"#].concat();
        assert_eq!(Members::read(&many).map(|_| ()), Err(NotAnObject::TooMany));
    }
}
