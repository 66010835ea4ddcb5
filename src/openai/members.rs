//! The members of one JSON object, as they stand in the text: enough to cut one out or put another
//! in without touching the rest.

use core::ops::Range;
use std::borrow::Cow;

use super::scan::{Scan, Stop, are_plain};

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
    /// More members, or values, than any request or answer has.
    TooMany,
    /// Nested deeper than [`MAX_DEPTH`](super::scan::MAX_DEPTH).
    TooDeep,
    /// A member's name has half of a surrogate pair, so it is no text.
    LoneSurrogate,
}

/// Documented objects have fewer than 50 members; a body of nothing else would otherwise cost
/// forty bytes of memory for every four of input.
const MAX_MEMBERS: usize = 512;

impl<'a> Members<'a> {
    /// Reads the members of the one object in `text`, checking the syntax of everything in it.
    pub fn read(text: &'a str) -> Result<Self, NotAnObject> {
        Self::read_with(Scan::new(text), |scan, _| scan.value().map_err(|stop| placed(text, stop)))
    }

    /// The same, with a reader for the value of each member, which is told the name and may return
    /// an empty text if nobody will ask for the value: so that a large value is gone through once.
    pub fn read_with<E: From<NotAnObject>>(
        mut scan: Scan<'a>,
        mut read: impl FnMut(&mut Scan<'a>, &str) -> Result<&'a str, E>,
    ) -> Result<Self, E> {
        let text = scan.text();
        if !matches!(scan.peek(), Some(b'{') | None) {
            scan.value().and_then(|_| scan.end()).map_err(|stop| placed(text, stop))?;
            return Err(NotAnObject::OtherValue.into());
        }
        let mut all = Vec::with_capacity(16);
        let outcome = scan.object(|scan, name_raw| {
            if all.len() == MAX_MEMBERS {
                return Err(Unread::Object(NotAnObject::TooMany));
            }
            let name = decode(name_raw).ok_or(Unread::Object(NotAnObject::LoneSurrogate))?;
            let value = read(scan, &name).map_err(Unread::Reader)?;
            all.push(Member { name, value, name_raw });
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(Unread::Reader(error)) => return Err(error),
            Err(Unread::Text(stop)) => return Err(placed(text, stop).into()),
            Err(Unread::Object(error)) => return Err(error.into()),
        }
        scan.end().map_err(|stop| placed(text, stop))?;
        Ok(Self { text, all })
    }

    /// The text the object stands in.
    pub fn text(&self) -> &'a str {
        self.text
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

    /// The object without the members of this name.
    pub fn without(&self, name: &str) -> String {
        let mut kept = String::with_capacity(self.text.len());
        let mut from = 0;
        for cut in self.cuts(|member| member.name == name) {
            kept.push_str(self.text.get(from..cut.start).unwrap_or_default());
            from = cut.end;
        }
        kept.push_str(self.text.get(from..).unwrap_or_default());
        kept
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

/// What ends the walk over an object: the text, or whoever reads the values.
enum Unread<E> {
    Text(Stop),
    Object(NotAnObject),
    Reader(E),
}

impl<E> From<Stop> for Unread<E> {
    fn from(stop: Stop) -> Self {
        Self::Text(stop)
    }
}

/// A stop with its line and column.
pub(super) fn placed(text: &str, stop: Stop) -> NotAnObject {
    let at = match stop {
        Stop::Truncated => return NotAnObject::Truncated,
        Stop::TooDeep => return NotAnObject::TooDeep,
        Stop::TooMany => return NotAnObject::TooMany,
        Stop::Syntax(at) => at,
    };
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    NotAnObject::Syntax { line: memchr::memchr_iter(b'\n', before).count() + 1, column: at - line_start + 1 }
}

/// The string a JSON string literal stands for; `None` if it is something else.
pub fn decode(literal: &str) -> Option<Cow<'_, str>> {
    let plain = literal.strip_prefix('"')?.strip_suffix('"')?;
    // Most are names, and short.
    if are_plain(plain.as_bytes()) || memchr::memchr(b'\\', plain.as_bytes()).is_none() {
        return Some(Cow::Borrowed(plain));
    }
    serde_json::from_str::<String>(literal).ok().map(Cow::Owned)
}

/// Appends `text` as a JSON string literal.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    // Most are names.
    if are_plain(text.as_bytes()) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // Writing to a Vec cannot fail, and neither can the serialisation of a str.
    let _ = serde_json::to_writer(out, text);
}

/// Appends a number in decimal digits.
pub fn encode_number(mut number: u64, out: &mut Vec<u8>) {
    // The longest has twenty.
    let mut digits = [0; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - length..).unwrap_or_default());
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
    fn numbers_are_written_as_rust_writes_them() {
        let nines = (0..20).map(|digits| 10_u64.wrapping_pow(digits).wrapping_sub(1));
        for number in nines.clone().chain(nines.map(|number| number.wrapping_add(1))).chain([7, 1_234_567_890, u64::MAX]) {
            let mut out = Vec::new();
            encode_number(number, &mut out);
            assert_eq!(String::from_utf8(out), Ok(number.to_string()));
        }
    }

    #[test]
    fn depth_and_number_cannot_exhaust_the_stack_or_memory() {
        let deep = [r#"{"a":"#, &"[".repeat(200_000), &"]".repeat(200_000), "}"].concat();
        assert_eq!(Members::read(&deep).map(|_| ()), Err(NotAnObject::TooDeep));
        let many = ["{", &r#""a":1,"#.repeat(100_000), r#""b":1}"#].concat();
        assert_eq!(Members::read(&many).map(|_| ()), Err(NotAnObject::TooMany));
    }
}
