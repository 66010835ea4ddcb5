//! JSON schemas as structured outputs and strict tools take them
//! (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>, "JSON Schema limitations").
//!
//! The API answers 400 to a keyword that it cannot enforce. Such a keyword moves into the description of
//! what it stands on, where the model reads it, as Anthropic's own SDKs do it. Objects are closed, which
//! OpenAI's strict schemas have to be anyway. A schema that has nothing of the kind stays as it is written.

use crate::openai::members::decode;
use crate::openai::scan::{Scan, Stop};
use crate::provider::translate::Adjustments;
use crate::provider::translate::json::{elements, inner, write_dense};

/// Formats of strings that are enforced.
const FORMATS: [&str; 10] = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Deeper than any schema that is enforced; what is below goes as it is written.
const MAX_DEPTH: usize = 32;

/// Longest keyword repeated in a note, in characters.
const MAX_WORD: usize = 64;

/// More values than any list of literals has.
const MAX_LITERALS: usize = 65_536;

/// Appends the schema in `text`, an object of JSON; `at` is its path, for the notes.
pub(in crate::provider) fn write(text: &str, at: &str, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    rewrite(text, out, &mut Writer { at, adjustments, changed: false }, |writer, scan, out| writer.schema(scan, 0, out));
}

/// Appends the schema of a tool's input, which must not be a choice between several at its top.
pub(in crate::provider) fn write_input(text: &str, at: &str, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    rewrite(text, out, &mut Writer { at, adjustments, changed: false }, |writer, scan, out| writer.input(scan, out));
}

/// Appends what `write` makes of a text, or the text itself if that changes nothing.
fn rewrite<'a>(
    text: &'a str,
    out: &mut Vec<u8>,
    writer: &mut Writer<'_>,
    write: impl FnOnce(&mut Writer<'_>, &mut Scan<'a>, &mut Vec<u8>) -> Result<(), Stop>,
) {
    let before = out.len();
    let outcome = write(writer, &mut Scan::new(text), out);
    if outcome.is_err() || !writer.changed {
        out.truncate(before);
        out.extend_from_slice(text.as_bytes());
    }
}

struct Writer<'w> {
    at: &'w str,
    adjustments: &'w mut Adjustments,
    changed: bool,
}

/// One object on its way.
#[derive(Default)]
struct Level<'a> {
    count: usize,
    description: Option<&'a str>,
    /// `name: value, …`, as the inside of a string literal.
    moved: Vec<u8>,
    /// It describes objects.
    object: bool,
    /// It says `additionalProperties: false`.
    closed: bool,
    /// It has a choice between several.
    choice: bool,
}

impl Writer<'_> {
    fn schema(&mut self, scan: &mut Scan<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        if depth == MAX_DEPTH || scan.peek() != Some(b'{') {
            return copy(scan, out);
        }
        let mut level = Level::default();
        out.push(b'{');
        scan.object(|scan, name| self.member(scan, name, depth, &mut level, out))?;
        if level.object {
            if !level.closed {
                self.note("closed the objects of");
            }
            level.name(r#""additionalProperties""#, out);
            out.extend_from_slice(b"false");
        }
        level.end(out);
        Ok(())
    }

    fn member<'a>(
        &mut self,
        scan: &mut Scan<'a>,
        name: &'a str,
        depth: usize,
        level: &mut Level<'a>,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let word = decode(name).unwrap_or_default();
        match word.as_ref() {
            "description" if scan.peek() == Some(b'"') => level.description = Some(scan.value()?),
            "additionalProperties" => {
                level.closed = scan.value()? == "false";
                level.object = true;
            }
            "properties" | "$defs" | "definitions" => {
                level.object |= word == "properties";
                level.name(name, out);
                self.named(scan, depth, out)?;
            }
            "items" => {
                level.name(name, out);
                self.schema(scan, depth + 1, out)?;
            }
            // To a model that writes one of them it is the same as any of them.
            "anyOf" | "oneOf" if scan.peek() == Some(b'[') && !core::mem::replace(&mut level.choice, true) => {
                if word == "oneOf" {
                    self.note("made anyOf of oneOf in");
                }
                level.name(r#""anyOf""#, out);
                self.several(scan, depth, out)?;
            }
            "allOf" if scan.peek() == Some(b'[') => {
                level.name(name, out);
                self.several(scan, depth, out)?;
            }
            word => {
                let value = scan.value()?;
                level.object |= word == "type" && value.contains(r#""object""#);
                match is_enforced(word, value) {
                    true => {
                        level.name(name, out);
                        out.extend_from_slice(value.as_bytes());
                    }
                    false => self.moves(word, name, value, level),
                }
            }
        }
        Ok(())
    }

    /// Schemas by name.
    fn named(&mut self, scan: &mut Scan<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        if scan.peek() != Some(b'{') {
            return copy(scan, out);
        }
        let mut level = Level::default();
        out.push(b'{');
        scan.object(|scan, name| {
            level.name(name, out);
            self.schema(scan, depth + 1, out)
        })?;
        out.push(b'}');
        Ok(())
    }

    /// A list of schemas.
    fn several(&mut self, scan: &mut Scan<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), Stop> {
        out.push(b'[');
        scan.array(|scan, index| {
            if index > 0 {
                out.push(b',');
            }
            self.schema(scan, depth + 1, out)
        })?;
        out.push(b']');
        Ok(())
    }

    fn input<'a>(&mut self, scan: &mut Scan<'a>, out: &mut Vec<u8>) -> Result<(), Stop> {
        let mut level = Level::default();
        out.push(b'{');
        scan.object(|scan, name| {
            let value = scan.value()?;
            let word = decode(name).unwrap_or_default();
            match word.as_ref() {
                "anyOf" | "oneOf" | "allOf" => self.moves(&word, name, value, &mut level),
                "description" if value.starts_with('"') => level.description = Some(value),
                _ => {
                    level.object |= word == "type";
                    level.name(name, out);
                    out.extend_from_slice(value.as_bytes());
                }
            }
            Ok::<_, Stop>(())
        })?;
        // OpenAI takes a schema without a type; Anthropic wants it said.
        if !level.object {
            self.changed = true;
            level.name(r#""type""#, out);
            out.extend_from_slice(br#""object""#);
        }
        level.end(out);
        Ok(())
    }

    fn moves<'a>(&mut self, word: &str, name: &'a str, value: &'a str, level: &mut Level<'a>) {
        let word: String = word.chars().take(MAX_WORD).filter(char::is_ascii_graphic).collect();
        self.note(&format!("moved {word} to the description in"));
        if !level.moved.is_empty() {
            level.moved.extend_from_slice(b", ");
        }
        level.moved.extend_from_slice(inner(name).unwrap_or_default().as_bytes());
        level.moved.extend_from_slice(b": ");
        let mut literal = Vec::with_capacity(value.len() + 2);
        write_dense(value, &mut literal);
        level.moved.extend_from_slice(literal.get(1..literal.len() - 1).unwrap_or_default());
    }

    fn note(&mut self, what: &str) {
        self.changed = true;
        self.adjustments.note(format!("{what} {}", self.at));
    }
}

impl Level<'_> {
    /// Appends the name of the next member and its colon.
    fn name(&mut self, name: &str, out: &mut Vec<u8>) {
        if self.count > 0 {
            out.push(b',');
        }
        self.count += 1;
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
    }

    /// Appends the description, with what has moved there, and the closing brace.
    fn end(&mut self, out: &mut Vec<u8>) {
        if self.description.is_some() || !self.moved.is_empty() {
            self.name(r#""description""#, out);
            out.push(b'"');
            let said = self.description.and_then(inner).unwrap_or_default();
            out.extend_from_slice(said.as_bytes());
            if !self.moved.is_empty() {
                out.extend_from_slice(if said.is_empty() { b"{" } else { br"\n\n{" });
                out.extend_from_slice(&self.moved);
                out.push(b'}');
            }
            out.push(b'"');
        }
        out.push(b'}');
    }
}

fn copy(scan: &mut Scan<'_>, out: &mut Vec<u8>) -> Result<(), Stop> {
    out.extend_from_slice(scan.value()?.as_bytes());
    Ok(())
}

/// Whether the API holds the model to a keyword with this value.
fn is_enforced(word: &str, value: &str) -> bool {
    let is_primitive = |value: &str| !value.starts_with(['{', '[']);
    match word {
        "type" | "title" | "default" | "required" | "$ref" => true,
        "const" => is_primitive(value),
        "enum" => elements(value, MAX_LITERALS, |_, value: &str| if is_primitive(value) { Ok(()) } else { Err(()) }).is_ok(),
        "format" => inner(value).is_some_and(|format| FORMATS.contains(&format)),
        "minItems" => matches!(value, "0" | "1"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, write: fn(&str, &str, &mut Adjustments, &mut Vec<u8>)) -> (String, Vec<String>) {
        let (mut out, mut adjustments) = (Vec::new(), Adjustments::default());
        write(text, "schema", &mut adjustments, &mut out);
        (String::from_utf8(out).expect("UTF-8"), adjustments.into_list())
    }

    #[test]
    fn what_is_not_enforced_is_said_in_the_description() {
        let closed = r#""additionalProperties":false"#;
        for (text, expected, notes) in [
            // Nothing to do: not a byte moves.
            (
                &format!(r#"{{ "type":"object", {closed} ,"description":"d","properties":{{"a":{{"enum":[1,"x",null]}}}},"required":["a"] }}"#),
                None,
                &[][..],
            ),
            (
                &r#"{"type":"integer","minimum":1,"maximum":10,"description":"A \"number\""}"#.to_owned(),
                Some(r#"{"type":"integer","description":"A \"number\"\n\n{minimum: 1, maximum: 10}"}"#.to_owned()),
                &["moved minimum to the description in schema", "moved maximum to the description in schema"],
            ),
            (
                &r#"{"type":"string","pattern":"^\\d+ \"x\"$"}"#.to_owned(),
                Some(r#"{"type":"string","description":"{pattern: \"^\\\\d+ \\\"x\\\"$\"}"}"#.to_owned()),
                &["moved pattern to the description in schema"],
            ),
            (
                &r#"{"properties":{"at":{"type":"string","format":"date"},"re":{"type":"string","format":"regex"}}}"#.to_owned(),
                Some(format!(
                    r#"{{"properties":{{"at":{{"type":"string","format":"date"}},"re":{{"type":"string","description":"{{format: \"regex\"}}"}}}},{closed}}}"#
                )),
                &["moved format to the description in schema", "closed the objects of schema"],
            ),
            (
                &r#"{"$defs":{"n":{"type":"array","items":{"oneOf":[{"type":"number","multipleOf":2},true]},"minItems":2}},"$ref":"\u0023/$defs/n"}"#.to_owned(),
                Some(r##"{"$defs":{"n":{"type":"array","items":{"anyOf":[{"type":"number","description":"{multipleOf: 2}"},true]},"description":"{minItems: 2}"}},"$ref":"\u0023/$defs/n"}"##.to_owned()),
                &["made anyOf of oneOf in schema", "moved multipleOf to the description in schema", "moved minItems to the description in schema"],
            ),
            (
                &r#"{"enum":[{"a":1}],"const":[2],"description":7,"oneOf":7}"#.to_owned(),
                Some(r#"{"description":"{enum: [{\"a\":1}], const: [2], description: 7, oneOf: 7}"}"#.to_owned()),
                &[
                    "moved enum to the description in schema",
                    "moved const to the description in schema",
                    "moved description to the description in schema",
                    "moved oneOf to the description in schema",
                ],
            ),
        ] {
            let (out, list) = written(text, write);
            assert_eq!(out, expected.unwrap_or_else(|| text.clone()), "{text}");
            assert_eq!(list, notes, "{text}");
            serde_json::from_str::<serde_json::Value>(&out).expect("JSON");
        }
    }

    #[test]
    fn a_choice_of_inputs_is_described() {
        for (text, expected) in [
            (
                r#"{"type":"object","anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{"minimum":1}}}"#,
                r#"{"type":"object","properties":{"a":{"minimum":1}},"description":"{anyOf: [{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}"}"#,
            ),
            (r#"{"oneOf":[],"description":"d"}"#, r#"{"type":"object","description":"d\n\n{oneOf: []}"}"#),
        ] {
            assert_eq!(written(text, write_input).0, expected);
        }
    }

    #[test]
    fn depth_costs_no_stack_and_words_of_the_caller_no_notes() {
        let deep = [r#"{"items":"#.repeat(500), "{\"minimum\":1}".to_owned(), "}".repeat(500)].concat();
        assert_eq!(written(&deep, write), (deep, vec![]));
        let (_, notes) = written(&format!(r#"{{"\u0000 é{}":1}}"#, "x".repeat(1000)), write);
        assert_eq!(notes, [format!("moved {} to the description in schema", "x".repeat(61))]);
    }
}
