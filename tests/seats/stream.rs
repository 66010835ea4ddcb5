//! Streamed answers: the same for every way the provider's bytes are cut, delivered as they come,
//! and never presented as complete when they are not.

use serde_json::Value;

use super::fixture::{FIRST_TOKEN_MS, body, chunks, chunks_cut_after, gateway, streamed_text};
use super::host::{Answer, End, Finish, Gateway, Leaves, Reply, Request};

const TEXTS: [&str; 4] = ["Grüße, ", "世界 ", "😀 \"quoted\"", "\nnew line"];

fn call(include_usage: bool) -> Request {
    let options = if include_usage { r#","stream_options":{"include_usage":true}"# } else { "" };
    Request::chat(body(&format!(r#""model":"gpt-4o","stream":true,"route":{{"fallbacks":["llama"]}}{options}"#)))
}

/// A call whose first candidate answers so; nobody else may be asked.
fn streamed(reply: Reply, include_usage: bool) -> Answer {
    streamed_by(&mut gateway(), reply, include_usage)
}

fn streamed_by(gateway: &mut Gateway, reply: Reply, include_usage: bool) -> Answer {
    let answer = gateway.will("openai", reply).call(call(include_usage));
    assert_eq!(gateway.only_received().provider, "openai");
    answer
}

/// The events with what differs from call to call taken out.
fn comparable(answer: &Answer) -> (u16, Finish, Vec<String>) {
    let events = answer.events().into_iter().map(|data| {
        let Ok(mut chunk) = serde_json::from_str::<Value>(&data) else { return data };
        chunk["id"].take();
        chunk.to_string()
    });
    (answer.status(), answer.finish, events.collect())
}

/// Streams that providers send: name, bytes, what the client reads, whether it is complete.
fn fixtures() -> Vec<(&'static str, String, &'static str, bool)> {
    let whole = "Grüße, 世界 😀 \"quoted\"\nnew line";
    let good = chunks(&TEXTS);
    let error = "data: {\"error\":{\"type\":\"server_error\",\"message\":\"m\"}}\n\n";
    vec![
        ("usual", good.clone(), whole, true),
        ("carriage returns", good.replace('\n', "\r\n"), whole, true),
        (
            "byte order mark and comments",
            format!("\u{feff}: hello\n\n{}", good.replace("data: {", ": ping\n\nevent: message\nid: 7\nretry: 5\ndata:{")),
            whole,
            true,
        ),
        ("no farewell", good.replace("data: [DONE]\n\n", ""), whole, true),
        (
            "more after the farewell",
            good.clone() + "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"no\"}}]}\n\ndata: [DONE]\n\n",
            whole,
            true,
        ),
        ("end after two pieces", chunks_cut_after(&TEXTS, 2), "Grüße, 世界 ", false),
        ("end inside an event", chunks_cut_after(&TEXTS, 2) + "data: {\"choices\":[{\"ind", "Grüße, 世界 ", false),
        ("error event after two pieces", chunks_cut_after(&TEXTS, 2) + error, "Grüße, 世界 ", false),
        ("no JSON after two pieces", chunks_cut_after(&TEXTS, 2) + "data: oops\n\n", "Grüße, 世界 ", false),
        ("farewell too early", chunks_cut_after(&TEXTS, 2) + "data: [DONE]\n\n", "Grüße, 世界 ", true),
    ]
}

fn assert_fixture(name: &str, answer: &Answer, text: &str, complete: bool) {
    let events = answer.events();
    assert_eq!((answer.status(), answer.finish), (200, Finish::Whole), "{name}");
    let chunks = answer.chunks();
    assert_eq!(streamed_text(&chunks), text, "{name}");
    assert_eq!(events.iter().filter(|data| *data == "[DONE]").count(), usize::from(complete), "{name}: {events:?}");
    let errors: Vec<&Value> = chunks.iter().filter_map(|chunk| chunk.get("error")).collect();
    assert_eq!(errors.len(), usize::from(!complete), "{name}: {events:?}");
    if let Some(error) = errors.first() {
        assert!(events.last().is_some_and(|last| last.contains("\"error\"")), "{name}: an error is the end");
        assert!(error["message"].is_string() && error["type"].is_string(), "{name}: {error}");
    }
    let routed: Vec<usize> = (0..chunks.len()).filter(|i| chunks[*i]["routing"].get("selected").is_some()).collect();
    assert_eq!(routed, [0], "{name}: the first chunk and no other says how the call was routed");
    for chunk in &chunks {
        let priced = chunk["routing"].get("cost_usd").is_some();
        assert_eq!(priced, chunk["usage"].is_object(), "{name}: what the call costs stands beside what it used");
    }
    for chunk in chunks.iter().filter(|chunk| chunk.get("error").is_none()) {
        assert_eq!(
            (chunk["model"].as_str(), chunk["object"].as_str(), &chunk["id"]),
            (Some("gpt-4o"), Some("chat.completion.chunk"), &chunks[0]["id"]),
            "{name}"
        );
    }
}

#[test]
fn every_stream_is_read_as_its_provider_meant_it() {
    for (name, bytes, text, complete) in fixtures() {
        assert_fixture(name, &streamed(Reply::stream(bytes), true), text, complete);
    }
}

#[test]
fn every_way_of_cutting_a_stream_gives_the_client_the_same() {
    let mut gateway = gateway();
    for (name, bytes, text, complete) in fixtures() {
        let whole = comparable(&streamed_by(&mut gateway, Reply::stream(&bytes), true));
        for at in 0..=bytes.len() {
            let cut = streamed_by(&mut gateway, Reply::stream(&bytes).cut_at(at), true);
            assert_eq!(comparable(&cut), whole, "{name}, cut at {at}");
        }
        for size in [1, 2, 3, 64] {
            let cut = streamed_by(&mut gateway, Reply::stream(&bytes).in_pieces_of(size), true);
            assert_eq!(comparable(&cut), whole, "{name}, pieces of {size}");
            assert_fixture(name, &cut, text, complete);
        }
    }
}

#[test]
fn usage_is_the_last_chunk_if_it_was_asked_for_and_nowhere_otherwise() {
    for wanted in [true, false] {
        let chunks = streamed(Reply::stream(chunks(&TEXTS)), wanted).chunks();
        let with_usage: Vec<usize> = (0..chunks.len()).filter(|i| chunks[*i]["usage"].is_object()).collect();
        assert_eq!(with_usage, if wanted { vec![chunks.len() - 1] } else { vec![] }, "{chunks:?}");
        if wanted {
            assert_eq!(
                (&chunks[chunks.len() - 1]["choices"], &chunks[chunks.len() - 1]["usage"]["total_tokens"]),
                (&serde_json::json!([]), &serde_json::json!(15))
            );
        } else {
            assert!(chunks.iter().all(|chunk| chunk["choices"].as_array().is_some_and(|choices| !choices.is_empty())), "{chunks:?}");
        }
    }
}

#[test]
fn nothing_is_held_back_beyond_one_event() {
    let bytes = chunks(&TEXTS);
    for count in 1..=TEXTS.len() {
        let sent: String = bytes.split_inclusive("\n\n").take(1 + count).collect();
        let answer = streamed(Reply::stream(&sent).in_pieces_of(17).then(End::Reset), false);
        assert_eq!(answer.finish, Finish::Torn);
        assert_eq!(streamed_text(&answer.chunks()), TEXTS[..count].concat(), "after {count} events");
    }
}

#[test]
fn a_stream_that_is_reset_is_torn_and_not_finished() {
    for count in 1..TEXTS.len() {
        for size in [1, usize::MAX] {
            let answer = streamed(Reply::stream(chunks_cut_after(&TEXTS, count)).in_pieces_of(size).then(End::Reset), false);
            assert_eq!(answer.finish, Finish::Torn);
            assert!(!answer.text().contains("[DONE]"), "{}", answer.text());
        }
    }
}

#[test]
fn a_slow_stream_that_keeps_talking_is_not_cut() {
    let bytes = chunks(&TEXTS);
    let answer = streamed(Reply::stream(&bytes).in_pieces_of(bytes.len() / 8).pace_ms(FIRST_TOKEN_MS / 6), true);
    assert_fixture("slow", &answer, &TEXTS.concat(), true);
    let late = streamed(Reply::stream(&bytes).in_pieces_of(bytes.len() / 2).after_ms(FIRST_TOKEN_MS - 50).pace_ms(1), true);
    assert_fixture("late", &late, &TEXTS.concat(), true);
}

#[test]
fn a_stream_that_falls_silent_ends_torn_by_the_total_timeout() {
    let answer = streamed(Reply::stream(chunks_cut_after(&TEXTS, 2)).then(End::Silence), false);
    assert_eq!(answer.finish, Finish::Torn);
    assert!(!answer.text().contains("[DONE]"));
    assert_eq!(streamed_text(&answer.chunks()), "Grüße, 世界 ");
}

#[test]
fn a_client_may_leave_at_any_moment() {
    let bytes = chunks(&TEXTS);
    for pieces in 1..6 {
        let mut gateway = gateway();
        gateway.will("openai", Reply::stream(&bytes).in_pieces_of(60));
        let answer = gateway.call(call(true).leaves(Leaves::After(pieces)));
        assert_eq!((answer.finish, answer.body.len()), (Finish::Left, pieces));
        assert!(answer.state.contains_key("nr.trail"), "what was tried stays in the log");
    }
    let mut gateway = gateway();
    let answer = gateway.call(call(true).in_pieces_of(10).leaves(Leaves::Uploading));
    assert_eq!(answer.finish, Finish::Left);
    assert_eq!(gateway.received().len(), 0, "nobody is asked before the request is whole");
}

#[test]
fn tool_calls_travel_through_a_stream() {
    let chunk = |delta: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let bytes = [
        chunk(r#"{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"get_weather","arguments":""}}]}"#),
        chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}"#),
        chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"\"Zürich\"}"}}]}"#),
        chunk("{}").replace("null", "\"tool_calls\""),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    for size in [1, 50, usize::MAX] {
        let chunks = streamed(Reply::stream(&bytes).in_pieces_of(size), false).chunks();
        let arguments: String =
            chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()).collect();
        assert_eq!(arguments, r#"{"city":"Zürich"}"#, "pieces of {size}");
    }
}
