//! A JSON array that is sent element by element, the form in which Google's APIs stream without
//! `alt=sse` (<https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>).
//!
//! Elements are told apart by brackets and quotes alone; whether they are JSON is for their reader
//! to say. A value that stands outside of an array, as an error in the place of the answer does, is
//! an event too.

use crate::sse::{Broken, Event, MAX_EVENT_BYTES};

/// The decoder's memory between two pieces of a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    place: Place,
    /// The beginning of the element that is being read, from earlier pieces.
    held: Vec<u8>,
    element: Element,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    Inside,
    /// Behind the array; whatever follows is no part of it.
    After,
}

/// How far an element has been read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Element {
    #[default]
    None,
    /// Inside of so many brackets.
    Brackets(usize),
    /// In a string inside of so many brackets; whether the last byte was a backslash.
    String(usize, bool),
    /// A number, a word, or nonsense; whether nothing of it has been read.
    Bare(bool),
}

/// What is kept of a buffer after a large element: streams live long, and most elements are small.
const KEPT_BYTES: usize = 64 << 10;

impl Decoder {
    /// Takes the next piece and calls `each` for every element that is complete with it. Stops at
    /// the first error of its own or of `each`.
    pub fn push<E: From<Broken>>(&mut self, piece: &[u8], mut each: impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut rest = piece;
        while let Some(first) = rest.first() {
            if self.element == Element::None {
                if self.begins(*first) {
                    continue;
                }
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = self.end(rest) else {
                self.hold(rest)?;
                break;
            };
            let (last, behind) = rest.split_at(end);
            rest = behind;
            self.element = Element::None;
            if self.held.is_empty() {
                dispatch(last, &mut each)?;
                continue;
            }
            self.hold(last)?;
            let whole = core::mem::take(&mut self.held);
            dispatch(&whole, &mut each)?;
            self.held = whole;
            self.held.clear();
            self.held.shrink_to(KEPT_BYTES);
        }
        Ok(())
    }

    /// Between elements: whether one begins with this byte, which is then still to be read.
    fn begins(&mut self, byte: u8) -> bool {
        match (self.place, byte) {
            (Place::After, _) | (_, b' ' | b'\n' | b'\r' | b'\t' | b',') => return false,
            // A byte order mark.
            (Place::Before, 0xef | 0xbb | 0xbf) => return false,
            (Place::Before, b'[') => self.place = Place::Inside,
            (Place::Inside, b']') => self.place = Place::After,
            (_, b'{' | b'[' | b'"') => {
                self.element = Element::Brackets(0);
                return true;
            }
            _ => {
                self.element = Element::Bare(true);
                return true;
            }
        }
        false
    }

    /// Reads on in the element; where it ends in `bytes`, if it does.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            match self.element {
                Element::None => return Some(at),
                Element::Bare(true) => {
                    self.element = Element::Bare(false);
                    at += 1;
                }
                Element::Bare(false) => return rest.iter().position(|byte| b" \n\r\t,]}".contains(byte)).map(|end| at + end),
                Element::String(depth, true) => {
                    self.element = Element::String(depth, false);
                    at += 1;
                }
                Element::String(depth, false) => {
                    let special = memchr::memchr2(b'"', b'\\', rest)?;
                    at += special + 1;
                    if rest.get(special) == Some(&b'\\') {
                        self.element = Element::String(depth, true);
                        continue;
                    }
                    self.element = Element::Brackets(depth);
                    if depth == 0 {
                        return Some(at);
                    }
                }
                Element::Brackets(depth) => {
                    let special = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))?;
                    at += special + 1;
                    match rest.get(special) {
                        Some(b'"') => self.element = Element::String(depth, false),
                        Some(b'{' | b'[') => self.element = Element::Brackets(depth + 1),
                        _ if depth <= 1 => return Some(at),
                        _ => self.element = Element::Brackets(depth - 1),
                    }
                }
            }
        }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if self.held.len() + bytes.len() > MAX_EVENT_BYTES {
            return Err(Broken::TooLong);
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }
}

fn dispatch<E: From<Broken>>(element: &[u8], each: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
    if element.len() > MAX_EVENT_BYTES {
        return Err(Broken::TooLong.into());
    }
    let data = core::str::from_utf8(element).map_err(|_| Broken::NotUtf8)?;
    each(Event { name: "", data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<String>, Broken> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece, |event| {
                assert_eq!(event.name, "");
                events.push(event.data.to_owned());
                Ok::<_, Broken>(())
            })?;
        }
        Ok(events)
    }

    const STREAMS: [(&str, &[&str]); 9] = [
        (
            "[{\"a\": \"x]},{\\\"\"}\n,\r\n{\"b\":[1,{}],\"ü\":\"\\\\\"} ] {\"c\":1}",
            &["{\"a\": \"x]},{\\\"\"}", "{\"b\":[1,{}],\"ü\":\"\\\\\"}"],
        ),
        ("\u{feff} [ ]", &[]),
        ("", &[]),
        ("{\"error\":{\"code\":429}}\n", &["{\"error\":{\"code\":429}}"]),
        ("{\"a\":1}\n{\"a\":2}", &["{\"a\":1}", "{\"a\":2}"]),
        ("[null,-1.5e3 , \"a,\\\"]\",[[1],2]]", &["null", "-1.5e3", "\"a,\\\"]\"", "[[1],2]"]),
        ("[{\"a\":1},{\"b\":", &["{\"a\":1}"]),
        ("<html>502 Bad</html> ", &["<html>502", "Bad</html>"]),
        ("[}},]x", &["}", "}"]),
    ];

    #[test]
    fn every_element_is_an_event() {
        for (stream, expected) in STREAMS {
            assert_eq!(
                events(&[stream.as_bytes()]).as_deref(),
                Ok(expected.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>().as_slice())
            );
        }
    }

    #[test]
    fn every_way_of_cutting_gives_the_same_events() {
        for (stream, _) in STREAMS {
            let bytes = stream.as_bytes();
            let whole = events(&[bytes]);
            for at in 0..=bytes.len() {
                let (a, b) = bytes.split_at(at);
                assert_eq!(events(&[a, b]), whole, "{stream} cut at {at}");
            }
            assert_eq!(events(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{stream} byte by byte");
        }
    }

    #[test]
    fn an_endless_element_is_refused_however_it_comes() {
        let long = ["[\"".to_owned(), "x".repeat(MAX_EVENT_BYTES), "\"]".to_owned()].concat();
        assert_eq!(events(&[long.as_bytes()]), Err(Broken::TooLong));
        assert_eq!(events(&long.as_bytes().chunks(1 << 16).collect::<Vec<_>>()), Err(Broken::TooLong));
        let fits = ["[\"".to_owned(), "x".repeat(MAX_EVENT_BYTES - 2), "\"]".to_owned()].concat();
        assert_eq!(events(&fits.as_bytes().chunks(1 << 16).collect::<Vec<_>>()).map(|events| events.len()), Ok(1));
    }

    #[test]
    fn brackets_without_end_cost_no_stack_and_bytes_that_are_not_text_are_refused() {
        assert_eq!(events(&["[".repeat(1 << 20).as_bytes()]), Ok(vec![]));
        assert_eq!(events(&[b"[\"\xff\"]"]), Err(Broken::NotUtf8));
    }
}
