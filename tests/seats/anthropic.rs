//! Calls to a provider whose protocol is not OpenAI's: the body is held and translated, both ways.

use serde_json::{Value, json};

use super::fixture::{assert_error, body, gateway, good, streamed_text};
use super::host::{Answer, End, Finish, Gateway, Reply, Request};

const TEXTS: [&str; 3] = ["Grüße, ", "世界 ", "😀"];

fn message() -> String {
    message_saying(&TEXTS.concat())
}

/// An answer of Anthropic's with this text.
pub fn message_saying(text: &str) -> String {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 0, "output_tokens": 4},
    })
    .to_string()
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().expect("a type"))
}

fn preamble() -> String {
    let start = json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 0, "output_tokens": 1},
    }});
    [start, json!({"type": "ping"}), json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})]
        .iter()
        .map(event)
        .collect()
}

fn deltas() -> String {
    TEXTS
        .iter()
        .map(|text| event(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})))
        .collect()
}

fn events() -> String {
    let end = [
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 4}}),
        json!({"type": "message_stop"}),
    ];
    [preamble(), deltas(), end.iter().map(event).collect()].concat()
}

fn overloaded() -> String {
    event(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))
}

fn call(stream: bool, more: &str) -> Request {
    Request::chat(body(&format!(
        r#""model":"claude-sonnet","stream":{stream},"stream_options":{{"include_usage":true}},"route":{{"fallbacks":["gpt-4o"]}}{more}"#
    )))
}

fn answered(gateway: &mut Gateway, reply: Reply, stream: bool) -> Answer {
    let answer = gateway.will("anthropic", reply).call(call(stream, ""));
    assert_eq!(gateway.only_received().provider, "anthropic");
    assert_eq!((answer.status(), answer.finish), (200, Finish::Whole), "{}", answer.text());
    answer
}

/// Chunks without what differs from call to call.
fn comparable(answer: &Answer) -> Vec<Value> {
    let mut chunks = answer.chunks();
    chunks.iter_mut().for_each(|chunk| drop(chunk["id"].take()));
    chunks
}

#[test]
fn a_call_becomes_a_message_and_the_answer_a_completion() {
    let mut gateway = gateway();
    gateway.will("anthropic", Reply::json(200, message()));
    let answer = gateway.call(call(false, r#","max_tokens":64,"seed":7"#));
    let received = gateway.only_received();
    let sent = received.json();
    assert_eq!((&sent["model"], &sent["max_tokens"]), (&json!("claude-sonnet-4-5"), &json!(64)));
    assert!(sent.get("route").is_none() && sent.get("stream_options").is_none() && sent.get("seed").is_none(), "{sent}");
    assert_eq!(received.headers.text("content-length"), Some(received.body.len().to_string().as_str()));
    let json = answer.json();
    assert_eq!((json["object"].as_str(), json["model"].as_str()), (Some("chat.completion"), Some("claude-sonnet")));
    assert_eq!(json["choices"][0]["message"]["content"], TEXTS.concat());
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["total_tokens"], json!(15), "{}", json["usage"]);
    let adjustments = json["routing"]["adjustments"].to_string();
    assert!(adjustments.contains("seed"), "what was dropped is said: {adjustments}");
}

#[test]
fn a_request_is_translated_the_same_however_it_is_cut() {
    let text = body(r#""model":"claude-sonnet","max_tokens":64,"route":{"objective":"quality"}"#);
    let mut gateway = gateway();
    let mut received = |request: Request| {
        assert_eq!(gateway.will("anthropic", Reply::json(200, message())).call(request).status(), 200);
        gateway.only_received().json()
    };
    let whole = received(Request::chat(&text));
    for at in 0..=text.len() {
        assert_eq!(received(Request::chat(&text).cut_at(at)), whole, "cut at {at}");
        assert_eq!(received(Request::chat(&text).cut_at(at).trailers(&[("x", "y")])), whole, "cut at {at}, trailers");
    }
}

#[test]
fn every_way_of_cutting_an_answer_gives_the_client_the_same() {
    let mut gateway = gateway();
    let whole = comparable(&answered(&mut gateway, Reply::stream(events()), true));
    assert_eq!(streamed_text(&whole), TEXTS.concat());
    let last = whole.last().expect("chunks");
    assert_eq!(last["usage"]["total_tokens"], json!(15), "{last}");
    for at in 0..=events().len() {
        let answer = answered(&mut gateway, Reply::stream(events()).cut_at(at), true);
        assert_eq!(comparable(&answer), whole, "cut at {at}");
        assert!(answer.text().ends_with("data: [DONE]\n\n"));
    }
    for size in [1, 2, 3, 64] {
        assert_eq!(
            comparable(&answered(&mut gateway, Reply::stream(events()).in_pieces_of(size).trailers(&[("x", "y")]), true)),
            whole,
            "pieces of {size}"
        );
        assert_eq!(
            comparable(&answered(&mut gateway, Reply::stream(events().replace('\n', "\r\n")).in_pieces_of(size), true)),
            whole,
            "pieces of {size}, carriage returns"
        );
        let text = answered(&mut gateway, Reply::json(200, message()).in_pieces_of(size), false).json()["choices"][0]["message"]["content"]
            .clone();
        assert_eq!(text, TEXTS.concat(), "pieces of {size}");
    }
}

#[test]
fn every_fault_before_the_first_token_is_left_for_the_next_candidate() {
    let whole = message();
    for (name, stream, fault, outcome, status) in [
        ("refused", true, Reply::Refuses, "connect_failure", None),
        ("silent", true, Reply::Silent, "timeout", None),
        ("reset", false, Reply::Resets, "reset", None),
        (
            "overloaded status",
            true,
            Reply::json(529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
            "status",
            Some(529),
        ),
        ("error first", true, Reply::stream(overloaded()), "in_band_error", Some(200)),
        ("error after the preamble", true, Reply::stream(preamble() + &overloaded()), "in_band_error", Some(200)),
        ("error after the preamble, in bytes", true, Reply::stream(preamble() + &overloaded()).in_pieces_of(1), "in_band_error", Some(200)),
        ("end after the preamble", true, Reply::stream(preamble()), "malformed", Some(200)),
        ("a stop without a start", true, Reply::stream(event(&json!({"type": "message_stop"}))), "malformed", Some(200)),
        ("an OpenAI answer", false, good(false), "malformed", Some(200)),
        (
            "error object in a 200",
            false,
            Reply::json(200, r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#),
            "in_band_error",
            Some(200),
        ),
        ("cut off", false, Reply::json(200, &whole.as_bytes()[..whole.len() - 1]), "malformed", Some(200)),
    ] {
        let mut gateway = gateway();
        let answer = gateway.will("anthropic", fault).will("openai", good(stream)).call(call(stream, ""));
        assert_eq!((answer.status(), answer.finish), (200, Finish::Whole), "{name}: {}", answer.text());
        let expected = [("claude-sonnet".to_owned(), outcome.to_owned(), status), ("gpt-4o".to_owned(), "ok".to_owned(), Some(200))];
        assert_eq!(answer.attempts(), expected, "{name}");
        assert_eq!(answer.routing()["adjustments"], json!([]), "{name}: only the adjustments of who answered");
    }
}

#[test]
fn a_stream_that_breaks_after_its_first_token_ends_with_an_error_and_no_farewell() {
    let begun = preamble() + &deltas();
    for (name, bytes) in [
        ("end", begun.clone()),
        ("error event", begun.clone() + &overloaded()),
        ("end inside an event", begun.clone() + "event: content_b"),
    ] {
        for size in [1, usize::MAX] {
            let answer = answered(&mut gateway(), Reply::stream(&bytes).in_pieces_of(size), true);
            let events = answer.events();
            assert!(events.last().is_some_and(|last| last.starts_with("{\"error\"")), "{name}: {events:?}");
            assert!(!events.iter().any(|data| data == "[DONE]"), "{name}");
            assert_eq!(streamed_text(&answer.chunks()), TEXTS.concat(), "{name}");
        }
    }
    let mut gateway = gateway();
    let torn = gateway.will("anthropic", Reply::stream(&begun).then(End::Reset)).call(call(true, ""));
    assert_eq!((torn.finish, streamed_text(&torn.chunks())), (Finish::Torn, TEXTS.concat()));
}

#[test]
fn a_refusal_of_the_request_is_the_clients() {
    let mut gateway = gateway();
    let refusal = r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 9999999 > 64000"}}"#;
    let answer = gateway.will("anthropic", Reply::json(400, refusal)).call(call(false, ""));
    let message = assert_error(
        &answer,
        400,
        "invalid_request",
        answer.json()["error"]["code"].as_str(),
        answer.json()["error"]["param"].as_str(),
        "refusal",
    );
    assert!(message.contains("max_tokens"), "{message}");
    assert_eq!(gateway.only_received().provider, "anthropic");
}
