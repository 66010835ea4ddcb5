//! Where in the text of a YAML file each of its scalars stands, so that one can be replaced and every
//! other byte stays: comments, quotes, order, line ends.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScanError, Span};

/// Bytes of each scalar, by its path as errors write it (`models[0].price.input_per_m`). What stands
/// behind an anchor, an alias or a merge is not in it: it stands for several places.
pub(super) struct Places(HashMap<String, Range<usize>>);

impl Places {
    /// Reads a text.
    pub(super) fn of(text: &str) -> Result<Self, ScanError> {
        let mut reader = Reader { places: HashMap::new(), open: Vec::new(), text };
        for event in Parser::new_from_str(text) {
            let (event, span) = event?;
            reader.event(&event, span);
        }
        Ok(Self(reader.places))
    }

    /// Where the scalar at this path stands.
    pub(super) fn find(&self, path: &str) -> Option<Range<usize>> {
        self.0.get(path).cloned()
    }
}

/// A collection that is not closed yet.
struct Open {
    path: String,
    shared: bool,
    next: Next,
}

enum Next {
    Key,
    Value(String),
    Item(usize),
}

struct Reader<'t> {
    places: HashMap<String, Range<usize>>,
    open: Vec<Open>,
    text: &'t str,
}

impl Reader<'_> {
    fn event(&mut self, event: &Event<'_>, span: Span) {
        match event {
            Event::Scalar(value, _, anchor, _) => self.scalar(value, *anchor != 0, span),
            Event::Alias(_) => drop(self.step()),
            Event::MappingStart(anchor, _) => self.enter(*anchor != 0, Next::Key),
            Event::SequenceStart(anchor, _) => self.enter(*anchor != 0, Next::Item(0)),
            Event::MappingEnd | Event::SequenceEnd => drop(self.open.pop()),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
    }

    fn scalar(&mut self, value: &str, anchored: bool, span: Span) {
        if let Some(Open { next: next @ Next::Key, .. }) = self.open.last_mut() {
            *next = Next::Value(value.to_owned());
            return;
        }
        let (path, shared) = self.step();
        if shared || anchored {
            return;
        }
        if let Some(place) = self.bytes(span) {
            self.places.insert(path, place);
        }
    }

    fn enter(&mut self, anchored: bool, next: Next) {
        let (path, shared) = self.step();
        self.open.push(Open { path, shared: shared || anchored, next });
    }

    /// The path of the node that begins here, and whether it stands for several places.
    fn step(&mut self) -> (String, bool) {
        let Some(open) = self.open.last_mut() else { return (String::new(), false) };
        let (path, next) = match &open.next {
            // A key that is no scalar: none of ours.
            Next::Key => (format!("{}.?", open.path), Next::Value("?".to_owned())),
            Next::Value(key) if open.path.is_empty() => (key.clone(), Next::Key),
            Next::Value(key) => (format!("{}.{key}", open.path), Next::Key),
            Next::Item(i) => (format!("{}[{i}]", open.path), Next::Item(i + 1)),
        };
        open.next = next;
        (path, open.shared)
    }

    /// Spans count characters.
    fn bytes(&self, span: Span) -> Option<Range<usize>> {
        let byte = |index: usize| self.text.char_indices().map(|(byte, _)| byte).chain([self.text.len()]).nth(index);
        let (start, end) = (byte(span.start.index())?, byte(span.end.index())?);
        let written = self.text.get(start..end)?;
        Some(start..start + written.trim_end().len())
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn scalars_are_found_whatever_the_style() {
        let text = "# ünïcode\na: 1   # one\nb:\n  - {x: 2.50, y: 'q'}\n  -\n    x: 3\n    z: [4, \"f ive\"]\r\n? c\n: free\nd: &anchor {x: 6}\ne: *anchor\nf: &s 7\ng: {\"quoted key\": 8}\nlast: 9";
        let places = Places::of(text).expect("YAML");
        for (path, expected) in [
            ("a", Some("1")),
            ("b[0].x", Some("2.50")),
            ("b[0].y", Some("'q'")),
            ("b[1].x", Some("3")),
            ("b[1].z[0]", Some("4")),
            ("b[1].z[1]", Some("\"f ive\"")),
            ("c", Some("free")),
            ("d.x", None),
            ("e.x", None),
            ("e", None),
            ("f", None),
            ("g.quoted key", Some("8")),
            ("last", Some("9")),
            ("nothing", None),
        ] {
            assert_eq!(places.find(path).and_then(|place| text.get(place)), expected, "{path}");
        }
    }
}
