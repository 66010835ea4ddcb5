//! What a stream of messages gives, whole, cut and damaged.

use super::*;

/// A message of these headers, already encoded, and this payload.
fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = (PRELUDE + headers.len() + payload.len() + TRAILER) as u32;
    framed(total, headers.len() as u32, headers, payload)
}

/// The same with lengths that may be wrong; the checksums are right.
fn framed(total: u32, headers_length: u32, headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut message = [total.to_be_bytes(), headers_length.to_be_bytes()].concat();
    message.extend(CRC.checksum(&message).to_be_bytes());
    message.extend_from_slice(headers);
    message.extend_from_slice(payload);
    message.extend(CRC.checksum(&message).to_be_bytes());
    message
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let mut header = vec![name.len() as u8];
    header.extend_from_slice(name.as_bytes());
    header.push(7);
    header.extend((value.len() as u16).to_be_bytes());
    header.extend_from_slice(value.as_bytes());
    header
}

fn event(kind: &str, payload: &str) -> Vec<u8> {
    message(&[text(":event-type", kind), text(":message-type", "event")].concat(), payload.as_bytes())
}

fn events(pieces: &[&[u8]]) -> (Vec<(String, String)>, Result<(), Broken>) {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    let mut outcome = Ok(());
    for piece in pieces {
        outcome = decoder.push(piece, |event| {
            events.push((event.name.to_owned(), event.data.to_owned()));
            Ok::<_, Broken>(())
        });
        if outcome.is_err() {
            break;
        }
    }
    (events, outcome)
}

/// The vector that every SDK of Amazon's is tested with: an empty message.
const EMPTY: [u8; 16] = [0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];

#[test]
fn a_message_made_by_others_is_read() {
    assert_eq!(message(b"", b""), EMPTY);
    assert_eq!(events(&[&EMPTY]), (vec![(String::new(), String::new())], Ok(())));
}

#[test]
fn every_kind_of_header_is_passed_over() {
    let mut headers = Vec::new();
    for (kind, value) in [
        (0, &b""[..]),
        (1, b""),
        (2, b"\x07"),
        (3, b"\x00\x07"),
        (4, b"\x00\x00\x00\x07"),
        (5, b"12345678"),
        (6, b"\x00\x03abc"),
        (8, b"12345678"),
        (9, b"0123456789abcdef"),
    ] {
        headers.extend_from_slice(b"\x02ab");
        headers.push(kind);
        headers.extend_from_slice(value);
    }
    headers.extend(text(":event-type", "metadata"));
    headers.extend(text(":content-type", "application/json"));
    assert_eq!(events(&[&message(&headers, b"{}")]), (vec![("metadata".into(), "{}".into())], Ok(())));
}

#[test]
fn exceptions_and_errors_are_told_from_events() {
    let exception = [text(":exception-type", "throttlingException"), text(":message-type", "exception")].concat();
    let error = [text(":message-type", "error"), text(":error-code", "InternalFailure"), text(":error-message", "x")].concat();
    for (headers, expected) in [
        (text(":event-type", "messageStart"), "messageStart"),
        (exception, "exception:throttlingException"),
        (error, "error:InternalFailure"),
        (Vec::new(), ""),
    ] {
        assert_eq!(events(&[&message(&headers, b"{}")]), (vec![(expected.into(), "{}".into())], Ok(())));
    }
}

#[test]
fn every_way_of_cutting_gives_the_same_events() {
    let damaged = [event("c", "x").as_slice(), b"\x00"].concat();
    let (mut wrong, mut short) = (event("b", "{}"), event("b", "{}"));
    *wrong.last_mut().expect("a checksum") ^= 1;
    short.truncate(20);
    for end in [event("b", r#"{"text":"ünï"}"#), wrong, short, b"no message at all".to_vec(), damaged] {
        let bytes = [event("a", "{}"), EMPTY.to_vec(), end].concat();
        let whole = events(&[&bytes]);
        assert!(whole.0.len() >= 2);
        for at in 0..=bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(events(&[a, b]), whole, "cut at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(events(&single), whole);
    }
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let bytes = event("messageStart", r#"{"role":"assistant"}"#);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x20;
        assert_eq!(events(&[&changed]), (vec![], Err(Broken::WrongChecksum)), "byte {at}");
    }
}

#[test]
fn lengths_that_cannot_be_are_refused_before_anything_is_kept() {
    for (total, headers, expected) in [
        (0, 0, Broken::Malformed),
        (15, 0, Broken::Malformed),
        (16, 1, Broken::Malformed),
        (20, u32::MAX, Broken::Malformed),
        (u32::MAX, 0, Broken::TooLong),
        (MAX_EVENT_BYTES as u32 + 1, 0, Broken::TooLong),
    ] {
        let bytes = framed(total, headers, b"", b"");
        assert_eq!(events(&[&bytes]), (vec![], Err(expected)), "{total} {headers}");
        assert_eq!(events(&[&bytes[..5], &bytes[5..]]), (vec![], Err(expected)), "{total} {headers}");
    }
    let largest = "x".repeat(MAX_EVENT_BYTES - PRELUDE - TRAILER);
    assert_eq!(events(&[&message(b"", largest.as_bytes())]), (vec![(String::new(), largest)], Ok(())));
}

#[test]
fn headers_that_do_not_fit_are_refused() {
    for headers in [&b"\x05ab"[..], b"\x02ab", b"\x02ab\x0a", b"\x02ab\x04\x00", b"\x02ab\x07\x00\x09x", b"\x02ab\x07\x00"] {
        assert_eq!(events(&[&message(headers, b"")]), (vec![], Err(Broken::Malformed)), "{headers:?}");
    }
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let name = [b"\x0b:event-type\x07\x00\x01\xff".as_slice()].concat();
    for bytes in [message(b"", b"\xff"), message(&name, b"{}")] {
        assert_eq!(events(&[&bytes]), (vec![], Err(Broken::NotUtf8)));
    }
}
