//! A test for every bug that got as far as a running gateway.

use crate::fixture::{body, chunks, chunks_cut_after, completion, gateway, good, streamed_text};
use crate::host::{Finish, Reply, Request};

/// Larger than any answer the provider seat holds.
const TOO_LARGE: usize = (16 << 20) + 1;

#[test]
fn a_body_that_begins_with_white_space_is_json_for_every_provider() {
    let mut gateway = gateway();
    let compact = body(r#""model":"gpt-4o""#);
    for lead in [" ", "\n", "  \r\n\t"] {
        gateway.forget().will("openai", good(false));
        let answer = gateway.call(Request::chat([lead, &compact].concat()));
        assert_eq!(answer.status(), 200, "{lead:?}");
        let received = gateway.only_received();
        assert_eq!(received.json()["model"], "gpt-4o-2024-11-20", "{lead:?}");
        assert_eq!(received.headers.text("content-length"), Some(received.body.len().to_string().as_str()), "{lead:?}");
    }
}

#[test]
fn an_event_of_several_data_lines_is_one_line_for_the_client() {
    let mut gateway = gateway();
    let event = "data: {\ndata:  \"id\": \"c\", \"model\": \"m\",\ndata:  \"choices\": [{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]\ndata: }\n\n";
    gateway.will("openai", Reply::stream([event, "data: [DONE]\n\n"].concat()));
    let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o","stream":true"#)));
    assert_eq!(streamed_text(&answer.chunks()), "Hi");
    assert_eq!(answer.routing()["selected"], "gpt-4o");
}

#[test]
fn an_answer_larger_than_any_is_left_for_the_next_candidate() {
    let whole = completion(&"x".repeat(TOO_LARGE));
    let comments = ": keep-alive\n".repeat(TOO_LARGE / 13 + 1);
    for (case, stream, reply) in
        [("whole", false, Reply::json(200, whole)), ("a stream that never gets to its first token", true, Reply::stream(comments))]
    {
        let mut gateway = gateway();
        gateway.will("openai", reply.in_pieces_of(1 << 20)).will("groq", good(stream));
        let request = body(&format!(r#""model":"gpt-4o","stream":{stream},"route":{{"fallbacks":["llama"]}}"#));
        let answer = gateway.call(Request::chat(request));
        assert_eq!(answer.status(), 200, "{case}");
        let attempts: Vec<_> = answer.attempts().into_iter().map(|(model, outcome, _)| [model, outcome]).collect();
        assert_eq!(attempts, [["gpt-4o", "malformed"], ["llama", "ok"]], "{case}");
    }
}

#[test]
fn an_endless_refusal_is_answered_once_and_not_passed_on() {
    let mut gateway = gateway();
    gateway.will("openai", Reply::json(400, "x".repeat(1 << 20)).in_pieces_of(40_000));
    let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o""#)));
    assert_eq!((answer.status(), answer.json()["error"]["type"].as_str()), (400, Some("invalid_request")));
    assert!(!answer.text().contains("xx"));
}

#[test]
fn a_refusal_that_nobody_can_read_is_told_by_its_status() {
    let unread = |status| Reply::json(status, [0x1f, 0x8b, 8, 0, 0xff, 0xfe]).header("content-encoding", "gzip");
    let mut gateway = gateway();
    gateway.will("openai", unread(400));
    let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o""#)));
    assert_eq!((answer.status(), answer.json()["error"]["type"].as_str()), (400, Some("invalid_request")));
    assert_eq!(answer.headers.text("content-encoding"), None);

    let endless = Reply::json(401, "x".repeat(1 << 20)).in_pieces_of(40_000);
    for refusal in [unread(401), endless] {
        gateway.forget().will("openai", refusal).will("groq", good(false));
        let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o","route":{"fallbacks":["llama"]}"#)));
        let attempts = answer.attempts();
        assert_eq!((answer.status(), attempts.len()), (200, 2), "{attempts:?}");
    }
}

#[test]
fn an_idempotency_key_belongs_to_the_first_body_it_was_sent_with() {
    let mut gateway = gateway();
    gateway.will("openai", Reply::json(500, "{}")).will("groq", good(false));
    gateway.call(Request::chat(body(r#""model":"gpt-4o","route":{"fallbacks":["llama"]}"#)).header("idempotency-key", "k1"));
    let keys: Vec<_> = gateway.received().iter().map(|received| received.headers.text("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys, [Some("k1".to_owned()), None]);
}

#[test]
fn what_a_protocol_cannot_say_does_not_end_the_call_at_its_turn() {
    let mut gateway = gateway();
    gateway.will("openai", Reply::json(500, "{}")).will("groq", good(false));
    let request = body(r#""model":"gpt-4o","functions":[{"name":"f"}],"route":{"fallbacks":["claude-sonnet","llama"]}"#);
    let answer = gateway.call(Request::chat(request));
    assert_eq!((answer.status(), answer.routing()["provider"].as_str()), (200, Some("groq")));

    let answer = gateway.call(Request::chat(body(r#""model":"claude-sonnet","functions":[{"name":"f"}]"#)));
    assert_eq!((answer.status(), answer.json()["error"]["param"].as_str()), (400, Some("functions")));
}

#[test]
fn large_stream_options_are_refused_before_they_are_kept() {
    let mut gateway = gateway();
    let options = format!(r#""model":"gpt-4o","stream":true,"stream_options":{{"z":"{}"}}"#, "z".repeat(5_000));
    let answer = gateway.call(Request::chat(body(&options)));
    assert_eq!((answer.status(), answer.json()["error"]["param"].as_str()), (400, Some("stream_options")));
}

#[test]
fn a_stream_that_is_cut_and_closed_by_trailers_is_torn_and_not_presented_as_complete() {
    for (case, stream, finish) in
        [("cut", chunks_cut_after(&["a", "b", "c"], 2), Finish::Torn), ("whole", chunks(&["a", "b", "c"]), Finish::Whole)]
    {
        for size in [7, 100_000] {
            let mut gateway = gateway();
            gateway.will("openai", Reply::stream(&stream).in_pieces_of(size).trailers(&[("x-end", "1")]));
            let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o","stream":true"#)));
            assert_eq!(answer.finish, finish, "{case} in pieces of {size}");
        }
    }
}

#[test]
fn a_stream_without_a_farewell_that_trailers_close_is_whole_if_its_choices_have_ended() {
    let whole = chunks(&["a", "b"]);
    let ended = whole.strip_suffix("data: [DONE]\n\n").expect("a farewell");
    for size in [7, 100_000] {
        let mut gateway = gateway();
        gateway.will("openai", Reply::stream(ended).in_pieces_of(size).trailers(&[("x-end", "1")]));
        let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o","stream":true"#)));
        assert_eq!((answer.finish, streamed_text(&answer.chunks())), (Finish::Whole, "ab".to_owned()), "in pieces of {size}");
    }
}

#[test]
fn garbage_behind_the_end_of_a_stream_is_not_an_error_of_the_answer() {
    let mut whole = chunks(&["a", "b"]).into_bytes();
    whole.extend_from_slice(b"data: \xff\xfe\n\n");
    for size in [1, 100_000] {
        let mut gateway = gateway();
        gateway.will("openai", Reply::stream(&whole).in_pieces_of(size));
        let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o","stream":true"#)));
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "in pieces of {size}: {}", answer.text());
        assert!(!answer.text().contains("error"), "in pieces of {size}");
    }
}
