//! The network cuts a stream where it likes; what the client sees must not depend on it.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod fixtures;

use fixtures::{ENVELOPE, codec, folder, framing, play, read};
use neural_router::provider::Protocol;

#[test]
fn every_cut_of_every_stream_gives_the_same_output() {
    let mut played = 0;
    for protocol in Protocol::all() {
        for fixture in read(&folder(protocol), "stream") {
            let bytes = fixture.bytes.as_slice();
            let codec = codec(protocol, &fixture);
            let framing = framing(codec, &fixture);
            let whole = play(codec, framing, &ENVELOPE, [bytes]);
            for at in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(at);
                assert_eq!(play(codec, framing, &ENVELOPE, [head, tail]), whole, "{}/{} cut at byte {at}", protocol.name, fixture.case);
            }
            assert_eq!(play(codec, framing, &ENVELOPE, bytes.chunks(1)), whole, "{}/{} byte by byte", protocol.name, fixture.case);
            played += 1;
        }
    }
    assert!(played > 20, "only {played} streams were found");
}
