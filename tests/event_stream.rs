//! Streams in Amazon's encoding: the recorded bytes are what their readable sources say, and a cut or
//! wrong one is never taken for whole.
//!
//! A source has a message a line, `<name> <payload>`; a name as [`Framing::EventStream`] gives it.
//! Before it may stand `cut=<n>`, of which only so many bytes came, or `damaged`, one byte of which is
//! another. `UPDATE_GOLDENS=1 cargo test --test event_stream` writes the recordings anew.
//!
//! [`Framing::EventStream`]: neural_router::framing::Framing::EventStream
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod fixtures;

use std::path::PathBuf;

use crc::{CRC_32_ISO_HDLC, Crc};
use fixtures::{ENVELOPE, Played, codec, folder, framing, play, read};
use neural_router::provider::{Fault, Protocol};
use serde_json::{Value, json};

const SOURCES: &str = "stream-sources";

/// A message as the provider frames it.
fn message(name: &str, payload: &str) -> Vec<u8> {
    let (kind, name) = name.split_once(':').unwrap_or(("event", name));
    let (type_header, content_type) = match kind {
        "event" => (":event-type", Some("application/json")),
        "exception" => (":exception-type", Some("application/json")),
        _ => (":error-code", None),
    };
    let mut headers = Vec::new();
    let content_type = content_type.map(|value| (":content-type", value));
    for (name, value) in [(type_header, name)].into_iter().chain(content_type).chain([(":message-type", kind)]) {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend((value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let total = (12 + headers.len() + payload.len() + 4) as u32;
    let mut message = [total.to_be_bytes(), (headers.len() as u32).to_be_bytes()].concat();
    message.extend(crc.checksum(&message).to_be_bytes());
    message.extend_from_slice(&headers);
    message.extend_from_slice(payload.as_bytes());
    message.extend(crc.checksum(&message).to_be_bytes());
    message
}

/// The messages of a source, each encoded.
fn encoded(source: &str) -> Vec<Vec<u8>> {
    let message = |line: &str| {
        let (name, payload) = line.split_once(' ').expect("a name and a payload");
        message(name, payload)
    };
    let line = |line: &str| match line.split_once(' ') {
        Some(("damaged", rest)) => {
            let mut bytes = message(rest);
            let at = bytes.len() - 10;
            bytes[at] ^= 1;
            bytes
        }
        Some((first, rest)) => match first.strip_prefix("cut=") {
            Some(length) => {
                let mut bytes = message(rest);
                bytes.truncate(length.parse().expect("a number of bytes"));
                bytes
            }
            None => message(line),
        },
        None => panic!("{line}"),
    };
    source.lines().map(line).collect()
}

/// Every recorded stream of this encoding, with its source, for its protocol.
fn each_stream(mut visit: impl FnMut(&'static Protocol, &fixtures::Fixture, &str)) {
    let mut visited = 0;
    for protocol in Protocol::all() {
        let sources = read(&folder(protocol), SOURCES);
        for fixture in read(&folder(protocol), "stream").iter().filter(|fixture| fixture.extension == "eventstream") {
            let source = sources.iter().find(|source| source.case == fixture.case);
            let source = source.unwrap_or_else(|| panic!("{}/{} has no source", protocol.name, fixture.case));
            visit(protocol, fixture, core::str::from_utf8(&source.bytes).expect("UTF-8"));
            visited += 1;
        }
    }
    assert!(visited > 10, "only {visited} streams were found");
}

fn played<'a>(protocol: &Protocol, fixture: &fixtures::Fixture, pieces: impl IntoIterator<Item = &'a [u8]>) -> Played {
    let codec = codec(protocol, fixture);
    play(codec, framing(codec, fixture), &ENVELOPE, pieces)
}

#[test]
fn the_recordings_are_their_sources_encoded() {
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        for protocol in Protocol::all() {
            for source in read(&folder(protocol), SOURCES) {
                let path: PathBuf = folder(protocol).join("stream").join(format!("{}.eventstream", source.case));
                std::fs::write(path, encoded(core::str::from_utf8(&source.bytes).expect("UTF-8")).concat()).expect("a writable folder");
            }
        }
    }
    let mut recorded = 0;
    each_stream(|protocol, fixture, source| {
        assert_eq!(fixture.bytes, encoded(source).concat(), "{}/{}", protocol.name, fixture.case);
        recorded += 1;
    });
    let sources: usize = Protocol::all().map(|protocol| read(&folder(protocol), SOURCES).len()).sum();
    assert_eq!(recorded, sources, "every source has its recording");
}

#[test]
fn a_stream_cut_before_its_end_is_never_complete() {
    each_stream(|protocol, fixture, source| {
        if !matches!(fixture.case.as_str(), "tool-call" | "basic" | "reasoning") {
            return;
        }
        let messages = encoded(source);
        // The last two say why the answer ended and what it took.
        for until in 0..messages.len() - 2 {
            let played = played(protocol, fixture, messages.iter().take(until).map(Vec::as_slice));
            assert_eq!(played.outcome, Err(Fault::Malformed), "{}/{} after {until} messages", protocol.name, fixture.case);
            assert!(!played.out.contains("[DONE]"), "{}", played.out);
        }
    });
}

#[test]
fn no_wrong_value_gets_through_as_something_else_than_json() {
    let deep = (0..100).fold(json!(1), |value, _| json!([value]));
    let wrongs = [json!(null), json!(true), json!(-1), json!(1e300), json!(""), json!("a\u{0}\u{2028}"), json!([]), json!({}), deep];
    each_stream(|protocol, fixture, source| {
        let messages = encoded(source);
        for (index, line) in source.lines().enumerate() {
            let Some((name, payload)) = line.split_once(' ') else { panic!("{line}") };
            let Ok(recorded) = serde_json::from_str::<Value>(payload) else { continue };
            for pointer in pointers(&recorded) {
                for wrong in &wrongs {
                    let mut changed = recorded.clone();
                    *changed.pointer_mut(&pointer).expect("a place of the payload") = wrong.clone();
                    let changed = message(name, &changed.to_string());
                    let pieces = messages.iter().enumerate().map(|(at, message)| if at == index { &changed } else { message }.as_slice());
                    let played = played(protocol, fixture, pieces);
                    for sent in played.out.split_terminator("\n\n") {
                        let data = sent.strip_prefix("data: ").expect("an event");
                        let fine =
                            data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok_and(|chunk| chunk.get("choices").is_some());
                        assert!(fine, "{}: {pointer} as {wrong} became {sent}", fixture.case);
                    }
                }
            }
        }
    });
}

/// The places of a value, its own included.
fn pointers(value: &Value) -> Vec<String> {
    let below = |name: String, child: &Value| pointers(child).into_iter().map(move |rest| format!("/{name}{rest}")).collect::<Vec<_>>();
    let mut all = vec![String::new()];
    match value {
        Value::Object(members) => members.iter().for_each(|(name, child)| all.extend(below(name.clone(), child))),
        Value::Array(elements) => elements.iter().enumerate().for_each(|(index, child)| all.extend(below(index.to_string(), child))),
        _ => {}
    }
    all
}
