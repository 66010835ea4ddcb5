//! Reading JSON that others wrote, in place: objects as their members, arrays element by element.
//! Nothing is decoded before somebody asks, and no depth of nesting costs stack.

use std::borrow::Cow;

use crate::openai::count;
use crate::openai::members::decode;
use crate::openai::scan::{Scan, Stop};

/// Members of one object, in order, values as written.
pub(in crate::provider) struct Object<'a>(Vec<(Cow<'a, str>, &'a str)>);

/// Documented objects have fewer than 50 members; more are an attack on the memory of the worker.
const MAX_MEMBERS: usize = 512;

impl<'a> Object<'a> {
    /// The one object in `text`.
    #[inline(never)]
    pub(in crate::provider) fn read(text: &'a str) -> Option<Self> {
        let mut scan = Scan::new(text);
        Self::take(&mut scan).filter(|_| scan.end().is_ok())
    }

    /// The next value, if it is an object. `value` is told the name of every member, and has to go over it.
    #[inline(never)]
    pub(super) fn take_with(scan: &mut Scan<'a>, value: &mut dyn FnMut(&mut Scan<'a>, &str) -> Result<&'a str, Stop>) -> Option<Self> {
        let mut all = Vec::with_capacity(4);
        let outcome = scan.object(|scan, name| {
            let name = decode(name).filter(|_| all.len() < MAX_MEMBERS).ok_or(Stop::TooDeep)?;
            let value = value(scan, &name)?;
            all.push((name, value));
            Ok::<_, Stop>(())
        });
        outcome.is_ok().then_some(Self(all))
    }

    /// The first member of this name; `null` counts as absent, as in both APIs.
    #[inline(never)]
    pub(in crate::provider) fn find(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(found, value)| found == name && *value != "null").map(|(_, value)| *value)
    }

    /// The string of this name, decoded.
    #[inline(never)]
    pub(in crate::provider) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        decode(self.find(name)?)
    }

    /// The string of this name as it is written, without its quotes.
    #[inline(never)]
    pub(in crate::provider) fn literal(&self, name: &str) -> Option<&'a str> {
        inner(self.find(name)?)
    }

    /// The object of this name.
    #[inline(never)]
    pub(in crate::provider) fn object(&self, name: &str) -> Option<Self> {
        Self::read(self.find(name)?)
    }

    /// The whole number of this name.
    #[inline(never)]
    pub(in crate::provider) fn number(&self, name: &str) -> Option<u64> {
        self.find(name)?.parse().ok()
    }

    /// The number of tokens of this name.
    pub(in crate::provider) fn count(&self, name: &str) -> Option<u64> {
        count(self.find(name)?)
    }

    /// Names and values of the members that are not `null` and whose names are not among `known`.
    pub(in crate::provider) fn others(&self, known: &[&str]) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value)).filter(|(name, value)| *value != "null" && !known.contains(name))
    }
}

/// Something an array can have as its elements.
pub(in crate::provider) trait Element<'a>: Sized {
    /// Goes over the next value; `None` if it is of another kind.
    fn take(scan: &mut Scan<'a>) -> Option<Self>;
}

impl<'a> Element<'a> for Object<'a> {
    fn take(scan: &mut Scan<'a>) -> Option<Self> {
        Self::take_with(scan, &mut |scan, _| scan.value())
    }
}

/// Any value, as written.
impl<'a> Element<'a> for &'a str {
    fn take(scan: &mut Scan<'a>) -> Option<Self> {
        scan.value().ok()
    }
}

/// Why the elements of an array were not all visited.
pub(in crate::provider) enum Halt<E> {
    /// It is no array.
    NotAnArray,
    /// The element with this index is of another type, or there are too many.
    Element(usize),
    /// The visitor's own reason.
    Visitor(E),
}

impl<E> From<Stop> for Halt<E> {
    fn from(_: Stop) -> Self {
        Self::NotAnArray
    }
}

/// Calls `visit` with each element of the array in `text`; returns how many there are.
pub(in crate::provider) fn elements<'a, T: Element<'a>, E>(
    text: &'a str,
    max: usize,
    mut visit: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<usize, Halt<E>> {
    each(text, max, &mut visit)
}

/// The walk itself, once for each kind of element and error: most of what a translation takes in the module
/// would otherwise be copies of it.
#[inline(never)]
fn each<'a, T: Element<'a>, E>(text: &'a str, max: usize, visit: &mut dyn FnMut(usize, T) -> Result<(), E>) -> Result<usize, Halt<E>> {
    let mut count = 0;
    Scan::new(text).array(|scan, index| {
        let element = T::take(scan).filter(|_| index < max).ok_or(Halt::Element(index))?;
        visit(index, element).map_err(Halt::Visitor)?;
        count += 1;
        Ok::<_, Halt<E>>(())
    })?;
    Ok(count)
}

/// The same for an array of a request's body, whose syntax the router seat has checked.
pub(in crate::provider) fn elements_of_request<'a, E>(
    text: &'a str,
    max: usize,
    mut visit: impl FnMut(usize, Object<'a>) -> Result<(), E>,
) -> Result<usize, Halt<E>> {
    each(text, max, &mut |index, Checked(object)| visit(index, object))
}

/// An object whose syntax has been checked.
struct Checked<'a>(Object<'a>);

impl<'a> Element<'a> for Checked<'a> {
    fn take(scan: &mut Scan<'a>) -> Option<Self> {
        Object::take_with(scan, &mut |scan, _| scan.leap()).map(Self)
    }
}

/// What stands between the quotes of a string literal; `None` if it is something else.
pub(in crate::provider) fn inner(literal: &str) -> Option<&str> {
    literal.strip_prefix('"')?.strip_suffix('"')
}

/// Whether a string literal has nothing but whitespace, which Anthropic refuses as text.
pub(in crate::provider) fn is_blank(inner: &str) -> bool {
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
pub(in crate::provider) fn write_dense(json: &str, out: &mut Vec<u8>) {
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
        assert!(Object::read(&deep).is_none());
        let many = ["{", &r#""a":1,"#.repeat(100_000), r#""b":1}"#].concat();
        assert!(Object::read(&many).is_none());
    }
}
