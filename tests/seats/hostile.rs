//! Bytes that nobody sends by accident. A panic aborts the process, so passing is the claim; what
//! comes back is checked all the same.

use super::fixture::{assert_error, body, document, gateway, good};
use super::host::{Finish, Gateway, KEY, Reply, Request};

/// Headers of a request that the filter looks at, and some that it does not.
const REQUEST_HEADERS: [&str; 16] = [
    ":path",
    ":method",
    ":authority",
    ":scheme",
    "authorization",
    "content-type",
    "content-length",
    "content-encoding",
    "accept",
    "user-agent",
    "x-request-id",
    "idempotency-key",
    "traceparent",
    "x-envoy-max-retries",
    "x-nr-outcome",
    "x-anything",
];

/// The same of a response.
const RESPONSE_HEADERS: [&str; 8] =
    [":status", "content-type", "content-length", "content-encoding", "retry-after", "set-cookie", "x-nr-outcome", "x-anything"];

#[test]
fn any_byte_in_any_header_of_a_request_is_answered() {
    let mut gateway = gateway();
    for name in REQUEST_HEADERS {
        for byte in 0..=u8::MAX {
            let usual = Request::chat(body(r#""model":"gpt-4o""#));
            let replaced = usual.clone().without(name).header(name, [byte]);
            let appended = usual.without(name).header(name, [b"1", [byte].as_slice()].concat());
            for request in [replaced, appended] {
                gateway.forget().will("openai", good(false));
                let answer = gateway.call(request);
                assert_eq!(answer.finish, Finish::Whole, "{name} {byte:#x}");
                assert!([200, 400, 401, 404, 405, 415].contains(&answer.status()), "{name} {byte:#x}: {}", answer.text());
                answer.json();
            }
        }
    }
}

#[test]
fn any_byte_in_any_header_of_an_answer_is_survived() {
    let mut gateway = gateway();
    for name in RESPONSE_HEADERS {
        for byte in 0..=u8::MAX {
            for stream in [false, true] {
                let reply = if name == ":status" { good(stream) } else { good(stream).header(name, [byte]) };
                let reply = if name == ":status" { reply.without(":status").header(":status", [byte]) } else { reply };
                gateway.forget().will("openai", reply).will("groq", good(stream));
                let answer =
                    gateway.call(Request::chat(body(&format!(r#""model":"gpt-4o","stream":{stream},"route":{{"fallbacks":["llama"]}}"#))));
                assert_eq!((answer.status(), answer.finish), (200, Finish::Whole), "{name} {byte:#x}: {}", answer.text());
            }
        }
    }
}

#[test]
fn any_byte_in_a_trailer_is_survived() {
    for byte in 0..=u8::MAX {
        let value = String::from_utf8_lossy(&[byte]).into_owned();
        let mut gateway = gateway();
        gateway.will("openai", good(true).trailers(&[("x-trailer", &value)]));
        let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o","stream":true"#)).trailers(&[("x-trailer", &value)]));
        assert_eq!((answer.status(), answer.finish), (200, Finish::Whole), "{byte:#x}");
    }
}

#[test]
fn a_status_that_is_none_is_left_for_the_next_candidate() {
    for status in ["", "0", "99", "1000", "-1", "200 OK", "2 00", "٢٠٠", "999999999999999999999"] {
        let mut gateway = gateway();
        gateway.will("openai", good(false).without(":status").header(":status", status)).will("groq", good(false));
        let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o","route":{"fallbacks":["llama"]}"#)));
        assert_eq!((answer.status(), answer.json()["model"].as_str()), (200, Some("llama")), "{status}");
    }
}

#[test]
fn bodies_of_random_bytes_are_refused() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[0]
    };
    let mut gateway = gateway();
    for length in 1..300 {
        let bytes: Vec<u8> = (0..length).map(|_| next()).collect();
        assert_eq!(gateway.call(Request::chat(&bytes)).status(), 400, "{}", bytes.escape_ascii());
        for stream in [false, true] {
            let reply = if stream { Reply::stream(&bytes) } else { Reply::json(200, &bytes) };
            let answer =
                gateway.will("openai", reply.in_pieces_of(7)).call(Request::chat(body(&format!(r#""model":"gpt-4o","stream":{stream}"#))));
            assert_error(&answer, 503, "no_provider_available", None, None, &bytes.escape_ascii().to_string());
        }
    }
}

#[test]
fn a_request_with_one_byte_changed_is_answered() {
    let text = body(r#""model":"gpt-4o","route":{"fallbacks":["llama"]},"stream":false,"max_tokens":5"#);
    let mut gateway = gateway();
    for at in 0..text.len() {
        for byte in [0, b'"', b'\\', b'{', b'}', b',', 0x80, 0xff] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            gateway.forget().will("openai", good(false));
            let answer = gateway.call(Request::chat(&bytes));
            assert!([200, 400, 404].contains(&answer.status()), "{}: {}", bytes.escape_ascii(), answer.text());
        }
    }
}

#[test]
fn nesting_huge_numbers_and_surrogates_are_answered() {
    let nested = |depth: usize, open: &str, close: &str| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for value in [
        nested(100, "[", "]"),
        nested(1_000_000, "[", "]"),
        nested(100_000, "{\"a\":", "}"),
        "1e999999".to_owned(),
        "18446744073709551616".to_owned(),
        "-0".to_owned(),
        r#""\ud800""#.to_owned(),
        r#""\udc00\ud800""#.to_owned(),
        r#""\u0000""#.to_owned(),
        "9".repeat(100_000),
    ] {
        for place in [
            format!(r#""model":"gpt-4o","x":{value}"#),
            format!(r#""model":{value}"#),
            format!(r#""model":"gpt-4o","tools":{value}"#),
            format!(r#""model":"gpt-4o","route":{{"fallbacks":[{value}]}}"#),
        ] {
            let mut gateway = gateway();
            gateway.will("openai", good(false));
            let answer = gateway.call(Request::chat(body(&place)));
            let case: String = place.chars().take(60).collect();
            assert!([200, 400, 404].contains(&answer.status()), "{case}: {}", answer.status());
        }
    }
}

#[test]
fn a_body_of_ten_megabytes_passes() {
    let filler = "x".repeat(10 << 20);
    let mut document = document();
    for model in 0..3 {
        document["models"][model]["context_window"] = 10_000_000.into();
    }
    let mut gateway = Gateway::start(&document);
    gateway.will("openai", good(false));
    let answer = gateway
        .call(Request::chat(format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{filler}"}}]}}"#)).in_pieces_of(64 << 10));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(gateway.only_received().body.len() > 10 << 20);
}

#[test]
fn a_path_of_any_bytes_is_answered() {
    for path in [
        "",
        "/",
        "*",
        "/v1/models/\u{fffd}",
        "/v1/models/%",
        "/v1/models/%f",
        "/v1/models/%ff%fe",
        "http://x/v1/models",
        "/v1/models?%",
        "/v1/models#x",
    ] {
        let answer = gateway().call(Request::new("GET", path).key(KEY));
        assert!([200, 404].contains(&answer.status()), "{path}: {}", answer.status());
    }
}
