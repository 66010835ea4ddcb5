//! How a streamed body is cut into events, whatever the transport wrote around them.

mod event_stream;
mod json_array;

use crate::sse;
pub use crate::sse::{Broken, Event};

/// One way of writing a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`
    ServerSentEvents,
    /// `application/vnd.amazon.eventstream`. An event is named by its `:event-type`; an exception is
    /// `exception:` and its type, an error `error:` and its code.
    EventStream,
    /// One array in `application/json`, each element an event
    JsonArray,
}

/// The decoder of one stream: bytes in, in any pieces, events out; the same events for every way of
/// cutting the same stream.
#[derive(Debug)]
pub enum Decoder {
    /// [`Framing::ServerSentEvents`]
    ServerSentEvents(sse::Decoder),
    /// [`Framing::EventStream`]
    EventStream(event_stream::Decoder),
    /// [`Framing::JsonArray`]
    JsonArray(json_array::Decoder),
}

impl Decoder {
    /// At the beginning of a stream.
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::ServerSentEvents => Self::ServerSentEvents(sse::Decoder::default()),
            Framing::EventStream => Self::EventStream(event_stream::Decoder::default()),
            Framing::JsonArray => Self::JsonArray(json_array::Decoder::default()),
        }
    }

    /// Takes the next piece and calls `each` for every event that is complete with it. Stops at the
    /// first error of its own or of `each`.
    pub fn push<E: From<Broken>>(&mut self, piece: &[u8], each: impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::ServerSentEvents(decoder) => decoder.push(piece, each),
            Self::EventStream(decoder) => decoder.push(piece, each),
            Self::JsonArray(decoder) => decoder.push(piece, each),
        }
    }
}
