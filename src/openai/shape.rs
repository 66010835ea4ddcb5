//! What a value of a request may be, written as constants, and the check of it.
//!
//! The check is part of the one walk over the body: it goes over a value as [`Scan::value`] would,
//! looks only at what the shape says something about, and allocates for nothing but a complaint.

use super::body::{Fault, invalid, unexpected};
use super::chat::BadRequest;
use super::members::decode;
use super::scan::Scan;

/// What a value may be.
#[derive(Debug)]
pub(super) enum Shape {
    /// Anything; somebody else reads it.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number, from the first to the second.
    Integer(i64, i64),
    /// A number, from the first to the second.
    Number(f64, f64),
    /// A string.
    Text,
    /// A string of at most so many characters.
    Short(usize),
    /// 1 to 64 letters, digits, `_` and `-`: what functions are called, and words whose list is open.
    Name,
    /// One of these strings and no other.
    OneOf(&'static [&'static str]),
    /// An object that nobody looks into, such as a JSON schema.
    Opaque,
    /// An object with these members, and others that pass.
    Object(&'static [Field]),
    /// An object with these members and no others.
    Closed(&'static [Field]),
    /// An object of at most so many members, whose names are the caller's.
    Map(usize, Key, &'static Shape),
    /// An array of at most so many elements.
    Array(usize, &'static Shape),
    /// The first of these that begins like the value.
    Either(&'static [Shape]),
}

/// What a member's name may be where names are the caller's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// At most so many characters.
    Short(usize),
    /// A number of a tokenizer's vocabulary.
    TokenId,
}

/// A member of an object. `null` is as good as nothing, whether it has to be there or not.
#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    need: Need,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Need {
    Optional,
    Required,
    /// Required where the member `type` is this.
    With(&'static str),
}

/// A member that may be absent.
pub(super) const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, need: Need::Optional, shape }
}

/// A member that has to be there.
pub(super) const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, need: Need::Required, shape }
}

/// A member that has to be there where the member `type` has its name.
pub(super) const fn of_type(name: &'static str, shape: Shape) -> Field {
    Field { name, need: Need::With(name), shape }
}

/// Longest [`Shape::Name`]: functions' names and schemas' names at OpenAI.
const MAX_NAME: usize = 64;

/// Digits of the largest token id anybody has, and more.
const MAX_TOKEN_ID_DIGITS: usize = 20;

/// The longest way to write one character in JSON: two `\uXXXX`.
const MAX_BYTES_PER_CHARACTER: usize = 12;

/// Most fields of an object: each has a bit.
pub(super) const MAX_FIELDS: usize = 64;

/// An object while it is gone over.
#[derive(Debug)]
pub(super) struct Walk {
    fields: &'static [Field],
    /// A bit for each field that stood there.
    seen: u64,
}

impl Walk {
    /// At the beginning of an object with these members, [`MAX_FIELDS`] at most.
    pub(super) const fn new(fields: &'static [Field]) -> Self {
        Self { fields, seen: 0 }
    }

    /// The field of this name, and its bit. Twice is refused, since we and a provider might each
    /// believe another one.
    pub(super) fn member(&mut self, name: &str) -> Result<Option<(u64, &'static Field)>, Fault> {
        let Some((index, field)) = self.fields.iter().enumerate().find(|(_, field)| field.name == name) else { return Ok(None) };
        let bit = 1 << index;
        if self.seen & bit != 0 {
            return Err(invalid("stands more than once", name.to_owned()));
        }
        self.seen |= bit;
        Ok(Some((bit, field)))
    }
}

impl Field {
    /// Goes over the value, and says how many elements or members it has.
    pub(super) fn check(&self, scan: &mut Scan<'_>) -> Result<usize, Fault> {
        if scan.peek() == Some(b'n') {
            scan.value()?;
            return Ok(0);
        }
        self.shape.check(scan).map_err(|fault| within(fault, self.name))
    }

    fn missing(&self) -> Fault {
        let expected = self.shape.expected();
        let message = match self.need {
            Need::With(kind) => format!("required where `type` is {kind}: {expected}"),
            Need::Optional | Need::Required => format!("required: {expected}"),
        };
        invalid(&message, self.name.to_owned())
    }
}

impl Shape {
    /// Goes over the next value, and says how many elements or members it has. A fault is placed
    /// relative to the value.
    pub(super) fn check(&self, scan: &mut Scan<'_>) -> Result<usize, Fault> {
        let first = scan.peek().unwrap_or_default();
        if !self.begins_with(first) {
            return Err(unexpected(scan, &self.complaint(), String::new));
        }
        match self {
            Self::Object(fields) => object(fields, false, scan),
            Self::Closed(fields) => object(fields, true, scan),
            Self::Map(most, key, value) => map(*most, *key, value, scan),
            Self::Array(most, element) => array(*most, element, scan),
            Self::Either(shapes) => match shapes.iter().find(|shape| shape.begins_with(first)) {
                Some(shape) => shape.check(scan).map_err(|fault| match fault {
                    // What is wrong with the value itself is that it is none of the shapes.
                    Fault::Invalid(BadRequest::Invalid { param, .. }) if param.is_empty() => invalid(&self.complaint(), param),
                    below => below,
                }),
                None => Err(unexpected(scan, &self.complaint(), String::new)),
            },
            _ if self.admits(scan.value()?) => Ok(0),
            _ => Err(invalid(&self.complaint(), String::new())),
        }
    }

    /// Whether the first byte of a value is right.
    fn begins_with(&self, first: u8) -> bool {
        match self {
            // What is no value at all is noticed when it is gone over.
            Self::Any => true,
            Self::Bool => matches!(first, b't' | b'f'),
            Self::Integer(..) | Self::Number(..) => matches!(first, b'-' | b'0'..=b'9'),
            Self::Text | Self::Short(_) | Self::Name | Self::OneOf(_) => first == b'"',
            Self::Opaque | Self::Object(_) | Self::Closed(_) | Self::Map(..) => first == b'{',
            Self::Array(..) => first == b'[',
            Self::Either(shapes) => shapes.iter().any(|shape| shape.begins_with(first)),
        }
    }

    /// Whether a value without members and elements is right; it begins as it should.
    fn admits(&self, literal: &str) -> bool {
        match self {
            // A number above i64 or with a fraction is no index, count or seed of anybody's.
            Self::Integer(least, most) => literal.parse().is_ok_and(|number: i64| (*least..=*most).contains(&number)),
            Self::Number(least, most) => literal.parse().is_ok_and(|number: f64| (*least..=*most).contains(&number)),
            Self::Short(most) => is_short(literal, *most),
            Self::Name => decode(literal).is_some_and(|name| is_name(&name)),
            Self::OneOf(words) => decode(literal).is_some_and(|word| words.contains(&word.as_ref())),
            _ => true,
        }
    }

    fn complaint(&self) -> String {
        format!("expected {}", self.expected())
    }

    fn expected(&self) -> String {
        match self {
            Self::Any => "a value".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Text => "a string".to_owned(),
            Self::Short(most) => format!("a string of at most {most} characters"),
            Self::Name => format!("a string of 1 to {MAX_NAME} letters, digits, `_` or `-`"),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Opaque | Self::Object(_) | Self::Closed(_) | Self::Map(..) => "an object".to_owned(),
            Self::Array(..) => "an array".to_owned(),
            Self::Either(shapes) => shapes.iter().map(Self::expected).collect::<Vec<_>>().join(" or "),
        }
    }
}

fn object(fields: &'static [Field], closed: bool, scan: &mut Scan<'_>) -> Result<usize, Fault> {
    let mut walk = Walk::new(fields);
    let (mut members, mut given, mut kind) = (0, 0, "");
    scan.object(|scan, name| {
        members += 1;
        let name = decode(name);
        match name.as_deref().map_or(Ok(None), |name| walk.member(name))? {
            Some((bit, field)) => {
                let (value, _) = scan.written(|scan| field.check(scan))?;
                if field.name == "type" {
                    kind = value;
                }
                if value != "null" {
                    given |= bit;
                }
            }
            None if closed => return Err(unknown(fields, name.as_deref().unwrap_or_default())),
            None => drop(scan.value()?),
        }
        Ok(())
    })?;
    let kind = decode(kind);
    let missing = fields.iter().enumerate().find(|(index, field)| {
        let needed = match field.need {
            Need::Optional => false,
            Need::Required => true,
            Need::With(name) => kind.as_deref() == Some(name),
        };
        needed && given & 1 << index == 0
    });
    missing.map_or(Ok(members), |(_, field)| Err(field.missing()))
}

fn unknown(fields: &'static [Field], name: &str) -> Fault {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    invalid(&format!("unknown; expected one of {}", names.join(", ")), name.chars().take(MAX_NAME).collect())
}

fn map(most: usize, key: Key, value: &Shape, scan: &mut Scan<'_>) -> Result<usize, Fault> {
    let mut members = 0;
    scan.object(|scan, name| {
        members += 1;
        if members > most {
            return Err(invalid(&format!("at most {most} members"), String::new()));
        }
        match key {
            Key::Short(most) if !is_short(name, most) => {
                return Err(invalid(&format!("expected names of at most {most} characters"), String::new()));
            }
            Key::TokenId if !decode(name).is_some_and(|name| is_token_id(&name)) => {
                return Err(invalid("expected token ids for names", String::new()));
            }
            Key::Short(_) | Key::TokenId => {}
        }
        value.check(scan).map_err(|fault| within(fault, &decode(name).unwrap_or_default()))?;
        Ok(())
    })?;
    Ok(members)
}

fn array(most: usize, element: &Shape, scan: &mut Scan<'_>) -> Result<usize, Fault> {
    let mut elements = 0;
    scan.array(|scan, index| {
        if index == most {
            return Err(invalid(&format!("at most {most} elements"), format!("[{index}]")));
        }
        elements += 1;
        element.check(scan).map_err(|fault| within(fault, &format!("[{index}]")))?;
        Ok(())
    })?;
    Ok(elements)
}

/// The same fault as seen from the object or array around the value.
pub(super) fn within(fault: Fault, step: &str) -> Fault {
    let Fault::Invalid(BadRequest::Invalid { param, message }) = fault else { return fault };
    let dot = if param.is_empty() || param.starts_with('[') { "" } else { "." };
    Fault::Invalid(BadRequest::Invalid { param: [step, dot, &param].concat(), message })
}

/// Whether a string literal has at most so many characters. One takes a byte or more, so most
/// need not be counted.
fn is_short(literal: &str, most: usize) -> bool {
    let bytes = literal.len().saturating_sub(2);
    bytes <= most || (bytes <= most * MAX_BYTES_PER_CHARACTER && decode(literal).is_some_and(|text| text.chars().count() <= most))
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn is_token_id(text: &str) -> bool {
    (1..=MAX_TOKEN_ID_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::scan::Stop;
    use super::*;

    const TOOL: &[Field] = &[
        required("type", Shape::Name),
        of_type("function", Shape::Object(&[required("name", Shape::Name), optional("strict", Shape::Bool)])),
        optional("limits", Shape::Map(2, Key::Short(3), &Shape::Number(-1.0, 1.0))),
    ];
    const TOOLS: Shape = Shape::Array(3, &Shape::Object(TOOL));

    fn check(shape: &Shape, value: &str) -> Result<usize, (String, String)> {
        let mut scan = Scan::new(value);
        match shape.check(&mut scan) {
            Ok(elements) => {
                assert_eq!(scan.end(), Ok(()), "{value}: something was left");
                Ok(elements)
            }
            Err(Fault::Invalid(BadRequest::Invalid { param, message })) => Err((param, message)),
            Err(other) => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn a_right_value_is_gone_over_to_its_end_and_counted() {
        for (value, elements) in [
            ("[]", 0),
            (r#" [ { "type" : "other" , "function" : null } ] "#, 1),
            (r#"[{"function":{"name":"f","parameters":{"x":[1]},"strict":null},"type":"function"},{"type":"x","new":[{}]}]"#, 2),
            (r#"[{"type":"a","limits":{"a":0,"ünï":-1e0}},{"type":"b","limits":{}},{"t\u0079pe":"c"}]"#, 3),
        ] {
            assert_eq!(check(&TOOLS, value), Ok(elements), "{value}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        for (value, param, message) in [
            ("{}", "", "expected an array"),
            (r#"["x"]"#, "[0]", "expected an object"),
            (r#"[{}]"#, "[0].type", "required: a string of 1 to 64 letters, digits, `_` or `-`"),
            (r#"[{"type":null}]"#, "[0].type", "required: a string of 1 to 64 letters, digits, `_` or `-`"),
            (r#"[{"type":"function"}]"#, "[0].function", "required where `type` is function: an object"),
            (r#"[{"function":null,"type":"f\u0075nction"}]"#, "[0].function", "required where `type` is function: an object"),
            (
                r#"[{"type":"a"},{"type":"b","function":{}}]"#,
                "[1].function.name",
                "required: a string of 1 to 64 letters, digits, `_` or `-`",
            ),
            (r#"[{"type":"a","function":{"name":"f","strict":0}}]"#, "[0].function.strict", "expected true or false"),
            (r#"[{"type":"a","type":"b"}]"#, "[0].type", "stands more than once"),
            (r#"[{"type":"a","t\u0079pe":null}]"#, "[0].type", "stands more than once"),
            (r#"[{"type":"a","limits":{"a":2}}]"#, "[0].limits.a", "expected a number from -1 to 1"),
            (r#"[{"type":"a","limits":{"long":0}}]"#, "[0].limits", "expected names of at most 3 characters"),
            (r#"[{"type":"a","limits":{"a":0,"b":0,"c":0}}]"#, "[0].limits", "at most 2 members"),
            (r#"[{"type":"a"},{"type":"a"},{"type":"a"},{"type":"a"}]"#, "[3]", "at most 3 elements"),
        ] {
            assert_eq!(check(&TOOLS, value), Err((param.to_owned(), message.to_owned())), "{value}");
        }
    }

    #[test]
    fn what_is_not_json_is_not_blamed_on_a_member() {
        for (value, stop) in [
            ("", Stop::Truncated),
            ("[", Stop::Truncated),
            (r#"[{"type":nope}]"#, Stop::Syntax(10)),
            (r#"[{"type":tru}]"#, Stop::Syntax(12)),
            (r#"[{"type" "a"}]"#, Stop::Syntax(9)),
            (r#"[{"limits":{"a":01}}]"#, Stop::Syntax(17)),
        ] {
            assert_eq!(TOOLS.check(&mut Scan::new(value)), Err(Fault::Text(stop)), "{value}");
        }
    }

    #[test]
    fn an_unknown_member_of_a_closed_object_is_refused_with_the_list() {
        const CLOSED: Shape = Shape::Closed(&[optional("a", Shape::Any), optional("b", Shape::Any)]);
        assert_eq!(check(&CLOSED, r#"{"b":[{}],"a":"x"}"#), Ok(2));
        assert_eq!(check(&CLOSED, r#"{"c":1}"#), Err(("c".to_owned(), "unknown; expected one of a, b".to_owned())));
        let long = format!(r#"{{"{}":1}}"#, "c".repeat(10_000));
        assert_eq!(check(&CLOSED, &long).map_err(|(param, _)| param.len()), Err(MAX_NAME));
    }

    #[test]
    fn characters_are_counted_and_not_the_bytes_they_take() {
        for (character, written) in [("a", "a"), ("ü", "ü"), ("ü", r"\u00fc"), ("😀", "😀"), ("😀", r"\ud83d\ude00"), ("\n", r"\n")]
        {
            for (count, short) in [(3, true), (4, true), (5, false), (500, false)] {
                assert_eq!(is_short(&format!("\"{}\"", written.repeat(count)), 4), short, "{count} times {character}");
            }
        }
    }
}
