//! Bytes of a stream to events, for every transport that a protocol has: the same events for every
//! way of cutting, and no more text than came in.

use neural_router::framing::{Broken, Decoder, Framing};

use super::{Given, Target};

/// The option chooses the framing.
pub const TARGET: Target = Target { name: "framing", check, memory: 96 };

/// What a provider may call a stream. A transport that is none of these has no place in the registry.
pub const CONTENT_TYPES: [&str; 4] =
    ["text/event-stream; charset=utf-8", "application/vnd.amazon.eventstream", "application/json; charset=utf-8", "application/x-ndjson"];

/// The framings that a protocol has; every one has one.
pub fn framings(given: &Given) -> Vec<Framing> {
    let codec = given.protocol.codec(given.model);
    let mut framings: Vec<Framing> = Vec::new();
    for framing in CONTENT_TYPES.iter().filter_map(|content_type| codec.framing(content_type)) {
        if !framings.contains(&framing) {
            framings.push(framing);
        }
    }
    assert!(!framings.is_empty(), "{:?} streams in no way", given.protocol);
    framings
}

/// The bytes in pieces: all of one byte for 0, else of pseudo-random lengths up to some size.
pub fn pieces(bytes: &[u8], cuts: u8) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut state) = (bytes, u32::from(cuts).wrapping_mul(0x9e37_79b9) | 1);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let most = if cuts == 0 { 1 } else { 1 + (usize::from(cuts) << (cuts & 3)) };
        let (piece, behind) = rest.split_at((state as usize % most + 1).min(rest.len()));
        rest = behind;
        Some(piece)
    })
}

fn check(given: &Given, bytes: &[u8]) {
    let framings = framings(given);
    let framing = framings[usize::from(given.option) % framings.len()];
    let whole = events(framing, std::iter::once(bytes));
    let cut = events(framing, pieces(bytes, given.cuts));
    assert_eq!(whole, cut, "cut otherwise");
    let (texts, _) = &whole;
    let written: usize = texts.iter().map(|(name, data)| name.len() + data.len()).sum();
    assert!(written <= bytes.len(), "{} bytes became events of {written}", bytes.len());
}

type Events = (Vec<(String, String)>, Result<(), Broken>);

fn events<'a>(framing: Framing, pieces: impl Iterator<Item = &'a [u8]>) -> Events {
    let mut decoder = Decoder::new(framing);
    let mut events = Vec::new();
    for piece in pieces {
        let pushed = decoder.push(piece, |event| {
            events.push((event.name.to_owned(), event.data.to_owned()));
            Ok::<_, Broken>(())
        });
        if pushed.is_err() {
            return (events, pushed);
        }
    }
    (events, Ok(()))
}
