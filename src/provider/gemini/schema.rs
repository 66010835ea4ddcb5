//! JSON Schemas as Google takes them (<https://ai.google.dev/api/generate-content#generationconfig>,
//! `responseJsonSchema`): a reference may have no neighbours and has to end in `$defs`, so what it
//! refers to is put in its place; cycles are unrolled a few times.

use std::borrow::Cow;

use hashbrown::HashMap;

use crate::openai::members::{Members, encode};
use crate::openai::scan::{Scan, Stop};
use crate::provider::translate::Adjustments;
use crate::provider::translate::json::inner;

/// Which keywords are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keywords {
    /// All of JSON Schema.
    All,
    /// What is documented for the format of an answer; all else has no effect there.
    Response,
}

/// Deepest nesting of schemas; the API takes less.
const MAX_DEPTH: usize = 64;

/// How often a schema may stand inside of itself.
const MAX_UNROLLED: usize = 3;

/// Bytes of schemas gone over, again for each level: a few references to one another can stand for
/// more than any memory holds.
const MAX_WORK_BYTES: usize = 1 << 20;

/// Longest chain of references that refer to references.
const MAX_CHAIN: usize = 8;

/// What stands for a schema that would be too long.
const ANYTHING: &[u8] = br#"{"type":"object"}"#;

/// The keywords of `responseJsonSchema`, besides those that are no longer needed.
const RESPONSE: [&str; 18] = [
    "$id",
    "$anchor",
    "$ref",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "propertyOrdering",
];

/// The rest of them, which say nothing by themselves.
const RESPONSE_TOO: [&str; 2] = ["additionalProperties", "required"];

/// Keywords without effect on what is valid.
const REMARKS: [&str; 2] = ["$schema", "$comment"];

/// Appends a schema, an object known to be well-formed. `place` is how the adjustments name it.
pub(super) fn write(schema: &str, keywords: Keywords, place: &str, adjustments: &mut Adjustments, out: &mut Vec<u8>) {
    if keywords == Keywords::All && memchr::memmem::find(schema.as_bytes(), b"\"$ref\"").is_none() {
        return object(schema, out);
    }
    let Ok(root) = Members::read(schema) else {
        out.extend_from_slice(schema.as_bytes());
        return;
    };
    let mut definitions = HashMap::new();
    for folder in ["$defs", "definitions"] {
        let Some(Ok(members)) = root.find(folder).map(|member| Members::read(member.value)) else { continue };
        for member in members.iter() {
            definitions.insert([folder, "/", &member.name].concat(), member.value);
        }
    }
    let mut writer =
        Writer { root: schema, definitions, keywords, place, work: MAX_WORK_BYTES, inside: Vec::new(), short: false, adjustments };
    writer.schema(schema, 0, out);
    if writer.short {
        adjustments.note(format!("shortened {place}, which refers to itself or is too large"));
    }
}

/// Appends the schema of an object; OpenAI takes it without its type, Google wants it said.
fn object(schema: &str, out: &mut Vec<u8>) {
    let typed = Members::read(schema).is_ok_and(|members| members.find("type").is_some());
    match schema.strip_prefix('{').filter(|_| !typed) {
        None => out.extend_from_slice(schema.as_bytes()),
        Some(rest) => {
            let comma = if rest.trim_ascii_start() == "}" { "" } else { "," };
            for piece in [r#"{"type":"object""#, comma, rest] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
    }
}

struct Writer<'a, 'w> {
    root: &'a str,
    /// `$defs/x` and its schema.
    definitions: HashMap<String, &'a str>,
    keywords: Keywords,
    place: &'w str,
    /// Bytes that may still be gone over.
    work: usize,
    /// The references that are being followed.
    inside: Vec<&'a str>,
    short: bool,
    adjustments: &'w mut Adjustments,
}

impl<'a> Writer<'a, '_> {
    /// Appends one schema; what is none stays as it is.
    fn schema(&mut self, text: &'a str, depth: usize, out: &mut Vec<u8>) {
        if !text.starts_with('{') {
            return out.extend_from_slice(text.as_bytes());
        }
        let before = self.inside.len();
        match self.members(text).filter(|_| depth < MAX_DEPTH) {
            None => {
                self.short = true;
                out.extend_from_slice(ANYTHING);
            }
            Some(members) => self.keywords(&members, depth, out),
        }
        self.inside.truncate(before);
    }

    /// The members of a schema and of those it refers to; the nearer ones are stronger. `None` if there
    /// is no end of it.
    fn members(&mut self, text: &'a str) -> Option<Vec<(Cow<'a, str>, &'a str)>> {
        let mut all: Vec<(Cow<'a, str>, &'a str)> = Vec::new();
        let mut next = Some(text);
        for _ in 0..MAX_CHAIN {
            let Some(text) = next.take() else { return Some(all) };
            self.work = self.work.checked_sub(text.len())?;
            for member in Members::read(text).ok()?.iter() {
                let (name, value) = (member.name.clone(), member.value);
                let target = match name.as_ref() {
                    "$ref" => self.target(value),
                    "allOf" => only(value),
                    _ => None,
                };
                if let Some(target) = target.filter(|_| next.is_none()) {
                    if name == "$ref" {
                        self.inside.push(value);
                        let times = self.inside.iter().filter(|inside| **inside == value).count();
                        (times <= MAX_UNROLLED).then_some(())?;
                    }
                    next = Some(target);
                } else if all.iter().all(|(known, _)| *known != name) {
                    all.push((name, value));
                }
            }
        }
        None
    }

    /// The schema that a reference, a string literal, refers to (RFC 6901).
    fn target(&mut self, literal: &str) -> Option<&'a str> {
        let pointer = inner(literal)?.strip_prefix('#')?;
        if pointer.is_empty() {
            return Some(self.root);
        }
        let pointer = pointer.strip_prefix('/')?;
        if let Some(schema) = self.definitions.get(pointer) {
            return Some(schema);
        }
        let mut at = self.root;
        for step in pointer.split('/') {
            self.work = self.work.checked_sub(at.len())?;
            at = match at.starts_with('[') {
                true => element(at, step.parse().ok()?)?,
                false => Members::read(at).ok()?.find(&step.replace("~1", "/").replace("~0", "~"))?.value,
            };
        }
        Some(at).filter(|schema| schema.starts_with('{'))
    }

    fn keywords(&mut self, members: &[(Cow<'a, str>, &'a str)], depth: usize, out: &mut Vec<u8>) {
        let mut comma = b'{';
        for (name, value) in members {
            let constant = self.keywords == Keywords::Response && name == "const" && value.starts_with(|c| c != '{' && c != '[');
            if !constant && !self.takes(name) {
                continue;
            }
            out.push(core::mem::replace(&mut comma, b','));
            if constant {
                for piece in [r#""enum":["#, value, "]"] {
                    out.extend_from_slice(piece.as_bytes());
                }
                continue;
            }
            encode(name, out);
            out.push(b':');
            match name.as_ref() {
                "properties" | "patternProperties" | "dependentSchemas" => self.named(value, depth + 1, out),
                "anyOf" | "oneOf" | "allOf" | "prefixItems" => self.several(value, depth + 1, out),
                "items" | "additionalProperties" | "not" | "contains" | "propertyNames" | "if" | "then" | "else" => {
                    self.several(value, depth + 1, out);
                }
                _ => out.extend_from_slice(value.as_bytes()),
            }
        }
        if comma == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
    }

    /// Whether a keyword is sent; says so if it is not.
    fn takes(&mut self, name: &str) -> bool {
        if matches!(name, "$defs" | "definitions") {
            return false;
        }
        if self.keywords == Keywords::All || RESPONSE.contains(&name) || RESPONSE_TOO.contains(&name) {
            return true;
        }
        if !REMARKS.contains(&name) {
            self.adjustments.dropped([self.place, "."].concat(), name);
        }
        false
    }

    /// Schemas by names of the caller's.
    fn named(&mut self, value: &'a str, depth: usize, out: &mut Vec<u8>) {
        let members = if value.starts_with('{') { Members::read(value).ok() } else { None };
        let Some(members) = members else { return out.extend_from_slice(value.as_bytes()) };
        out.push(b'{');
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            encode(&member.name, out);
            out.push(b':');
            self.schema(member.value, depth, out);
        }
        out.push(b'}');
    }

    /// One schema, or an array of them.
    fn several(&mut self, value: &'a str, depth: usize, out: &mut Vec<u8>) {
        if !value.starts_with('[') {
            return self.schema(value, depth, out);
        }
        out.push(b'[');
        // What has been read once is JSON.
        let _ = Scan::new(value).array(|scan, index| {
            if index > 0 {
                out.push(b',');
            }
            self.schema(scan.value()?, depth, out);
            Ok::<_, Stop>(())
        });
        out.push(b']');
    }
}

/// The only element of an array.
fn only(array: &str) -> Option<&str> {
    element(array, 0).filter(|schema| schema.starts_with('{') && element(array, 1).is_none())
}

fn element(array: &str, at: usize) -> Option<&str> {
    let mut found = None;
    let visited = Scan::new(array).array(|scan, index| {
        let value = scan.value()?;
        if index == at {
            found = Some(value);
        }
        Ok::<_, Stop>(())
    });
    visited.ok().and(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(schema: &str, keywords: Keywords) -> (String, Vec<String>) {
        let (mut adjustments, mut out) = (Adjustments::default(), Vec::new());
        write(schema, keywords, "s", &mut adjustments, &mut out);
        (String::from_utf8(out).expect("UTF-8"), adjustments.into_list())
    }

    #[test]
    fn references_are_replaced_by_what_they_refer_to() {
        for (schema, expected) in [
            (
                r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"mine"},"b":{"items":{"$ref":"#/definitions/B"}}},"$defs":{"A":{"type":"string","description":"its","default":null}},"definitions":{"B":{"$ref":"#/$defs/A"}}}"##,
                r#"{"type":"object","properties":{"a":{"description":"mine","type":"string","default":null},"b":{"items":{"type":"string","description":"its","default":null}}}}"#,
            ),
            (
                r##"{"properties":{"a":{"type":"null"},"b":{"$ref":"#/properties/a"}}}"##,
                r#"{"properties":{"a":{"type":"null"},"b":{"type":"null"}}}"#,
            ),
            (r##"{"anyOf":[{"x":1},{"$ref":"#/anyOf/0"}],"a~b":{}}"##, r#"{"anyOf":[{"x":1},{"x":1}],"a~b":{}}"#),
            (
                r##"{"a":{"allOf":[{"$ref":"#/b"}]},"items":{"allOf":[{"$ref":"#/b"}],"title":"t"},"b":{"c":1}}"##,
                r##"{"a":{"allOf":[{"$ref":"#/b"}]},"items":{"title":"t","c":1},"b":{"c":1}}"##,
            ),
            (
                r#"{"items":{"$ref":"https://example.com/x"},"enum":["$ref"]}"#,
                r#"{"items":{"$ref":"https://example.com/x"},"enum":["$ref"]}"#,
            ),
            (r##"{"items":{"$ref":"#/nowhere"}}"##, r##"{"items":{"$ref":"#/nowhere"}}"##),
        ] {
            assert_eq!(written(schema, Keywords::All), (expected.to_owned(), vec![]), "{schema}");
        }
        assert_eq!(written(r#"{ "pattern" : 1 }"#, Keywords::All).0, r#"{"type":"object", "pattern" : 1 }"#);
        assert_eq!(written("{}", Keywords::All).0, r#"{"type":"object"}"#);
    }

    #[test]
    fn keywords_without_effect_are_left_out_of_the_format_of_an_answer_and_listed() {
        let schema = r#"{"$schema":"x","type":"object","properties":{"pattern":{"type":"string","pattern":"^a"},"k":{"const":"v"}},"required":["k"],"additionalProperties":false}"#;
        let expected = r#"{"type":"object","properties":{"pattern":{"type":"string"},"k":{"enum":["v"]}},"required":["k"],"additionalProperties":false}"#;
        assert_eq!(written(schema, Keywords::Response), (expected.to_owned(), vec!["dropped s.pattern".to_owned()]));
        assert_eq!(written(r#"{"$comment":1}"#, Keywords::Response).0, "{}");
    }

    #[test]
    fn cycles_end_and_are_said() {
        let note = vec!["shortened s, which refers to itself or is too large".to_owned()];
        let (out, changes) = written(r##"{"a":1,"items":{"$ref":"#"}}"##, Keywords::All);
        assert_eq!(
            (out.as_str(), changes),
            (r#"{"a":1,"items":{"a":1,"items":{"a":1,"items":{"a":1,"items":{"type":"object"}}}}}"#, note.clone())
        );
        for cycle in [
            r##"{"$ref":"#"}"##,
            r##"{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}"##,
            r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"},{"$ref":"#"}]}"##,
        ] {
            assert_eq!(written(cycle, Keywords::All).1, note, "{cycle}");
        }
    }

    #[test]
    fn a_few_references_cannot_stand_for_more_than_memory_holds() {
        let level = |n: usize| format!(r##""d{n}":{{"anyOf":[{}]}}"##, vec![format!(r##"{{"$ref":"#/$defs/d{}"}}"##, n + 1); 10].join(","));
        let bomb = format!(r##"{{"$ref":"#/$defs/d0","$defs":{{{}}}}}"##, (0..30).map(level).collect::<Vec<_>>().join(","));
        let (out, changes) = written(&bomb, Keywords::Response);
        assert!(out.len() < 4 * MAX_WORK_BYTES, "{}", out.len());
        assert_eq!(changes.len(), 1);
        let deep = [r##"{"$ref":"#/x","items":"##.repeat(400), "{}".into(), "}".repeat(400)].concat();
        assert!(written(&deep, Keywords::All).0.len() < 2 * deep.len());
    }
}
