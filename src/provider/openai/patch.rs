//! Changes to a JSON text at a few places; everything between them stays byte for byte.

use std::collections::BTreeSet;

/// A text and what is to be different in it.
pub(super) struct Patch<'a> {
    text: &'a str,
    /// From where to where, and what stands there instead.
    edits: Vec<(usize, usize, String)>,
    /// Where objects begin that had members and have none any more: the first one's place.
    emptied: BTreeSet<usize>,
}

/// A member of an object where it stands: its name and its value as they are written.
pub(super) type Member<'a> = (&'a str, &'a str);

impl<'a> Patch<'a> {
    /// No change yet.
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, edits: Vec::new(), emptied: BTreeSet::new() }
    }

    /// Whether nothing changes.
    pub(super) const fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Replaces a part of the text.
    pub(super) fn set(&mut self, part: &'a str, value: impl Into<String>) {
        let from = self.offset(part);
        self.edits.push((from, from + part.len(), value.into()));
    }

    /// Takes this much of the text out.
    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.edits.push((from, to, String::new()));
    }

    /// Adds a member or an element at the end of an object or array of the text.
    pub(super) fn add(&mut self, container: &'a str, what: &str) {
        let inside = container.get(1..container.len().saturating_sub(1)).unwrap_or_default();
        let at = self.offset(container) + inside.len() + 1;
        let first_at = at - inside.trim_ascii_start().len();
        let empty = first_at == at || self.emptied.contains(&first_at);
        let first = empty && !self.edits.iter().rev().any(|(from, ..)| *from == at);
        self.edits.push((at, at, [if first { "" } else { "," }, what].concat()));
    }

    /// Takes members out of the object that has these, with as many commas as they leave without a use.
    pub(super) fn remove(&mut self, members: &[Member<'a>], mut unwanted: impl FnMut(usize, &Member<'a>) -> bool) {
        let mut kept: Option<usize> = None;
        let mut run: Option<(usize, usize)> = None;
        for (index, member) in members.iter().enumerate() {
            let (name_at, end) = (self.offset(member.0), self.offset(member.1) + member.1.len());
            if unwanted(index, member) {
                run = Some((run.map_or(kept.unwrap_or(name_at), |(from, _)| from), end));
                continue;
            }
            if let Some((from, to)) = run.take() {
                // Before the first that stays, the comma behind goes; later, the one before.
                self.cut(from, if kept.is_none() { name_at } else { to });
            }
            kept = Some(end);
        }
        if let Some((from, to)) = run {
            self.cut(from, to);
            if kept.is_none() {
                self.emptied.insert(from);
            }
        }
    }

    /// Appends a part of the text as it is to be.
    pub(super) fn write(&mut self, part: &'a str, out: &mut Vec<u8>) {
        self.edits.sort_by_key(|(from, ..)| *from);
        let begin = self.offset(part);
        let (mut at, end) = (begin, begin + part.len());
        for (from, to, value) in self.edits.iter().filter(|(from, to, _)| (begin..=end).contains(from) && *to <= end) {
            out.extend_from_slice(self.text.as_bytes().get(at..*from).unwrap_or_default());
            out.extend_from_slice(value.as_bytes());
            at = (*to).max(at);
        }
        out.extend_from_slice(self.text.as_bytes().get(at..end).unwrap_or_default());
    }

    /// A part of the text as it is to be.
    pub(super) fn apply(&mut self, part: &'a str) -> String {
        let mut out = Vec::with_capacity(part.len() + 256);
        self.write(part, &mut out);
        // Cut and filled at ends of JSON tokens only.
        String::from_utf8(out).unwrap_or_default()
    }

    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::scan::{Scan, Stop};

    fn members(text: &str) -> Vec<Member<'_>> {
        let mut all = Vec::new();
        Scan::new(text)
            .object(|scan, name| {
                all.push((name, scan.value()?));
                Ok::<_, Stop>(())
            })
            .expect("an object");
        all
    }

    #[test]
    fn members_are_removed_with_their_commas() {
        for (text, expected) in [
            (r#"{"x":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":2,"x":{"x":[1,2]}}"#, r#"{"a":2}"#),
            (r#"{"a":2 , "x" : 1 , "b":3}"#, r#"{"a":2 , "b":3}"#),
            (r#"{ "x":1 , "x":1, "a":2, "x":3, "x":4}"#, r#"{ "a":2}"#),
            (r#"{"x":1}"#, "{}"),
            (r#"{"a":2,"x":1,"x":1,"b":3}"#, r#"{"a":2,"b":3}"#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
        ] {
            let mut patch = Patch::new(text);
            patch.remove(&members(text), |_, (name, _)| *name == r#""x""#);
            assert_eq!(patch.apply(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_added_set_and_removed_at_once_meets_in_one_text() {
        for (text, expected) in
            [(r#"{"a":"s","x":1}"#, r#"{"a":7,"b":1,"c":2}"#), (r#"{"a":"s"}"#, r#"{"a":7,"b":1,"c":2}"#), (r#"{ }"#, r#"{ "b":1,"c":2}"#)]
        {
            let mut patch = Patch::new(text);
            patch.add(text, r#""b":1"#);
            for (_, value) in members(text).iter().filter(|(name, _)| *name == r#""a""#) {
                patch.set(value, "7");
            }
            patch.remove(&members(text), |_, (name, _)| *name == r#""x""#);
            patch.add(text, r#""c":2"#);
            assert_eq!(patch.apply(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_added_to_an_object_whose_members_are_gone_needs_no_comma() {
        for text in [r#"{"x":1}"#, r#"{ "x":1, "x":2 }"#] {
            let mut patch = Patch::new(text);
            patch.remove(&members(text), |_, _| true);
            patch.add(text, r#""b":1"#);
            patch.add(text, r#""c":2"#);
            assert_eq!(patch.apply(text).replace(' ', ""), r#"{"b":1,"c":2}"#, "{text}");
        }
    }

    #[test]
    fn only_the_part_that_is_asked_for_is_written() {
        let text = r#"{"a":[1],"b":[2]}"#;
        let all = members(text);
        let mut patch = Patch::new(text);
        all.iter().for_each(|(_, value)| patch.add(value, "3"));
        assert_eq!((patch.apply(all[1].1).as_str(), patch.is_empty()), ("[2,3]", false));
    }
}
