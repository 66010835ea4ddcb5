//! Amazon's event stream encoding (<https://smithy.io/2.0/aws/amazon-eventstream.html>).
//!
//! ```text
//! total length  headers length  CRC of both │ headers │ payload │ CRC of all before
//!       4 bytes         4 bytes     4 bytes │         │         │ 4 bytes
//! ```
//!
//! Numbers are big-endian. A push decoder: a message is looked at when it is whole, so that every
//! way of cutting a stream gives the same events; its length is believed only once its own checksum
//! is right.

use std::borrow::Cow;

use crc::{CRC_32_ISO_HDLC, Crc};

use crate::sse::{Broken, Event, MAX_EVENT_BYTES};

/// The decoder's memory between two pieces of a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a message whose end has not come.
    held: Vec<u8>,
    /// Bytes of that message; 0 while its prelude is not whole.
    total: usize,
}

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Both lengths and their checksum.
const PRELUDE: usize = 12;

/// The checksum at the end.
const TRAILER: usize = 4;

/// What is kept of the buffer after a large message: streams live long, and most messages are small.
const KEPT_BYTES: usize = 64 << 10;

impl Decoder {
    /// Takes the next piece and calls `each` for every event that is complete with it. Stops at
    /// the first error of its own or of `each`.
    pub fn push<E: From<Broken>>(&mut self, mut piece: &[u8], mut each: impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        // Messages that are whole in this piece are read where they stand.
        while self.held.is_empty() {
            let whole = match total_length(piece)? {
                Some(total) => piece.split_at_checked(total),
                None => None,
            };
            let Some((message, rest)) = whole else { break };
            dispatch(message, &mut each)?;
            piece = rest;
        }
        while !piece.is_empty() {
            let wanted = if self.total == 0 { PRELUDE } else { self.total };
            let missing = wanted.saturating_sub(self.held.len()).min(piece.len());
            let (next, rest) = piece.split_at(missing);
            self.held.extend_from_slice(next);
            piece = rest;
            if self.total == 0 {
                self.total = total_length(&self.held)?.unwrap_or(0);
            }
            if self.total > 0 && self.held.len() == self.total {
                self.total = 0;
                let message = core::mem::take(&mut self.held);
                dispatch(&message, &mut each)?;
                self.held = message;
                self.held.clear();
                self.held.shrink_to(KEPT_BYTES);
            }
        }
        Ok(())
    }
}

/// The length of the message that begins here, once its prelude is there.
fn total_length(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let Some(prelude) = bytes.first_chunk::<PRELUDE>() else { return Ok(None) };
    let [t0, t1, t2, t3, h0, h1, h2, h3, c0, c1, c2, c3] = *prelude;
    if CRC.checksum(&[t0, t1, t2, t3, h0, h1, h2, h3]) != u32::from_be_bytes([c0, c1, c2, c3]) {
        return Err(Broken::WrongChecksum);
    }
    let (total, headers) = (u32::from_be_bytes([t0, t1, t2, t3]) as usize, u32::from_be_bytes([h0, h1, h2, h3]) as usize);
    if total > MAX_EVENT_BYTES {
        return Err(Broken::TooLong);
    }
    match total.checked_sub(PRELUDE + TRAILER) {
        Some(room) if headers <= room => Ok(Some(total)),
        _ => Err(Broken::Malformed),
    }
}

fn dispatch<E: From<Broken>>(message: &[u8], each: &mut impl FnMut(Event<'_>) -> Result<(), E>) -> Result<(), E> {
    let (name, payload) = read(message)?;
    let name = name.map_err(|_| Broken::NotUtf8)?;
    each(Event { name: &name, data: core::str::from_utf8(payload).map_err(|_| Broken::NotUtf8)? })
}

type Name<'m> = Result<Cow<'m, str>, core::str::Utf8Error>;

/// The name of the event and its payload, from a message of the length it says.
fn read(message: &[u8]) -> Result<(Name<'_>, &[u8]), Broken> {
    let (before, checksum) = message.split_last_chunk::<TRAILER>().ok_or(Broken::Malformed)?;
    if CRC.checksum(before) != u32::from_be_bytes(*checksum) {
        return Err(Broken::WrongChecksum);
    }
    let headers_length = before.get(4..8).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize);
    let (mut headers, payload) = before.get(PRELUDE..).and_then(|rest| rest.split_at_checked(headers_length)).ok_or(Broken::Malformed)?;
    let (mut message_type, mut event, mut exception, mut error) = (&b""[..], &b""[..], &b""[..], &b""[..]);
    while !headers.is_empty() {
        let (name, value, rest) = header(headers).ok_or(Broken::Malformed)?;
        headers = rest;
        match name {
            b":message-type" => message_type = value,
            b":event-type" => event = value,
            b":exception-type" => exception = value,
            b":error-code" => error = value,
            _ => {}
        }
    }
    let name = match message_type {
        b"exception" => core::str::from_utf8(exception).map(|name| Cow::Owned(["exception:", name].concat())),
        b"error" => core::str::from_utf8(error).map(|name| Cow::Owned(["error:", name].concat())),
        _ => core::str::from_utf8(event).map(Cow::Borrowed),
    };
    Ok((name, payload))
}

/// The first header: its name, its value if that is a string, and what follows.
fn header(headers: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = headers.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    let length = match kind {
        // true, false
        0 | 1 => 0,
        // byte, short, integer
        2 => 1,
        3 => 2,
        4 => 4,
        // long, timestamp
        5 | 8 => 8,
        // byte array, string
        6 | 7 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            return Some((name, if *kind == 7 { value } else { b"" }, rest));
        }
        // UUID
        9 => 16,
        _ => return None,
    };
    rest.split_at_checked(length).map(|(_, rest)| (name, &b""[..], rest))
}

#[cfg(test)]
mod tests;
