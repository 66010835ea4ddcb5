//! Messages of an event stream (<https://smithy.io/2.0/aws/amazon-eventstream.html>): two lengths and their CRC, headers,
//! payload, CRC of all of it.

use bytes::Bytes;
use flate2::Crc;

/// An event.
pub(super) fn event(name: &str, payload: &[u8]) -> Bytes {
    message(&[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")], payload)
}

/// An exception, after which nothing comes.
pub(super) fn exception(name: &str, payload: &[u8]) -> Bytes {
    message(&[(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")], payload)
}

/// The type of a header whose value is a string.
const STRING: u8 = 7;

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut encoded = Vec::new();
    for (name, value) in headers {
        encoded.push(name.len() as u8);
        encoded.extend_from_slice(name.as_bytes());
        encoded.push(STRING);
        encoded.extend((value.len() as u16).to_be_bytes());
        encoded.extend_from_slice(value.as_bytes());
    }
    let total = 12 + encoded.len() + payload.len() + 4;
    let mut message = Vec::with_capacity(total);
    message.extend((total as u32).to_be_bytes());
    message.extend((encoded.len() as u32).to_be_bytes());
    message.extend(crc(&message));
    message.extend_from_slice(&encoded);
    message.extend_from_slice(payload);
    message.extend(crc(&message));
    message.into()
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}
