//! Server-sent events, the WHATWG grammar
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>).
//!
//! A push decoder: bytes in, in any pieces, events out; the same events for every way of cutting
//! the same stream. Lines are kept as bytes until they are whole, so a character may be cut too.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field; empty means `message`.
    pub name: &'a str,
    /// The `data` lines, joined by line feeds.
    pub data: &'a str,
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// One event is larger than [`MAX_EVENT_BYTES`].
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// A checksum does not fit what it stands for.
    WrongChecksum,
    /// Lengths that contradict each other, or a kind of value that there is not.
    Malformed,
}

/// The decoder's memory between two pieces of a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_carriage_return: bool,
    started: bool,
}

/// Providers send kilobytes per event; tool arguments and base64 audio make some larger. Without
/// a bound a few endless lines would fill the VM.
pub const MAX_EVENT_BYTES: usize = 2 << 20;

/// What is kept of a buffer after a large event: streams live long, and most events are small.
const KEPT_BYTES: usize = 64 << 10;

impl Decoder {
    /// Takes the next piece and calls `each` for every event that is complete with it. Stops at
    /// the first error of its own or of `each`.
    pub fn push<E: From<Broken>>(&mut self, mut piece: &[u8], mut each: impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        if core::mem::take(&mut self.after_carriage_return) {
            match piece.split_first() {
                Some((b'\n', rest)) => piece = rest,
                Some(_) => {}
                None => self.after_carriage_return = true,
            }
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', piece) {
            let (head, rest) = piece.split_at(end);
            piece = match rest {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_carriage_return = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
            if self.line.is_empty() {
                self.take_line(head, &mut each)?;
            } else {
                self.append(head)?;
                let line = core::mem::take(&mut self.line);
                self.take_line(&line, &mut each)?;
                self.line = line;
                self.line.clear();
                self.line.shrink_to(KEPT_BYTES);
            }
        }
        Ok(self.append(piece)?)
    }

    /// Whether bytes of an unfinished event are held: the stream ended in the middle of one.
    pub fn holds_a_piece(&self) -> bool {
        !self.line.is_empty() || self.has_data
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), Broken> {
        if self.line.len() + self.data.len() + piece.len() > MAX_EVENT_BYTES {
            return Err(Broken::TooLong);
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn take_line<E: From<Broken>>(&mut self, mut line: &[u8], each: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        if !core::mem::replace(&mut self.started, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(each);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        match field {
            b"data" => {
                if self.data.len() + value.len() > MAX_EVENT_BYTES {
                    return Err(Broken::TooLong.into());
                }
                if core::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"event" => self.name = value.to_vec(),
            // A comment (empty field), `id`, `retry`, or something to ignore.
            _ => {}
        }
        Ok(())
    }

    fn dispatch<E: From<Broken>>(&mut self, each: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        let outcome = if self.has_data {
            match (core::str::from_utf8(&self.name), core::str::from_utf8(&self.data)) {
                (Ok(name), Ok(data)) => each(Event { name, data }),
                _ => Err(Broken::NotUtf8.into()),
            }
        } else {
            Ok(())
        };
        self.has_data = false;
        self.data.clear();
        self.data.shrink_to(KEPT_BYTES);
        self.name.clear();
        outcome
    }
}

/// Appends `data: …` and the blank line.
pub fn write_data(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<(String, String)>, Broken> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece, |event| {
                events.push((event.name.to_owned(), event.data.to_owned()));
                Ok::<_, Broken>(())
            })?;
        }
        Ok(events)
    }

    const STREAM: &str = "\u{feff}: hello\n\ndata: one\n\nevent: ping\r\ndata:{}\r\n\r\ndata: a\rdata:  b\r\rdata\n\nid: 7\nretry: 5\nwhatever\n\ndata: ünï\ndata:\n\ndata: cut";

    #[test]
    fn reads_the_grammar() {
        let expected = [("", "one"), ("ping", "{}"), ("", "a\n b"), ("", ""), ("", "ünï\n")];
        let expected: Vec<(String, String)> = expected.iter().map(|(n, d)| ((*n).into(), (*d).into())).collect();
        assert_eq!(events(&[STREAM.as_bytes()]), Ok(expected));
    }

    #[test]
    fn every_way_of_cutting_gives_the_same_events() {
        let bytes = STREAM.as_bytes();
        let whole = events(&[bytes]);
        for at in 0..=bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(events(&[a, b]), whole, "cut at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(events(&single), whole);
    }

    #[test]
    fn an_endless_line_or_event_is_refused() {
        let piece = vec![b'x'; MAX_EVENT_BYTES / 2 + 1];
        assert_eq!(events(&[b"data: ", &piece, &piece]), Err(Broken::TooLong));
        assert_eq!(events(&[b"data: ", &piece, b"\ndata:", &piece, b"\n"]), Err(Broken::TooLong));
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        assert_eq!(events(&[b"data: \xff\n\n"]), Err(Broken::NotUtf8));
    }

    #[test]
    fn an_unfinished_event_is_known() {
        let mut decoder = Decoder::default();
        let push = |decoder: &mut Decoder, piece: &[u8]| decoder.push(piece, |_| Ok::<_, Broken>(()));
        for (piece, held) in [("data: x", true), ("\n", true), ("\n", false), (": c", true), ("\n", false)] {
            assert_eq!(push(&mut decoder, piece.as_bytes()), Ok(()));
            assert_eq!(decoder.holds_a_piece(), held, "after {piece:?}");
        }
    }
}
