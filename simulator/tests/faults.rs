//! Each fault as a client on a plain socket sees it.

mod harness;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::{CHAT, CHAT_STREAM, End, MESSAGE, MESSAGE_STREAM, Simulator, read_to_end, request};

const PATIENCE: Duration = Duration::from_millis(300);

/// A connection as a proxy pools it, after one good answer.
fn pooled(simulator: &Simulator) -> TcpStream {
    let mut stream = TcpStream::connect(simulator.openai).unwrap();
    send(&mut stream, CHAT);
    let reply = read_to_end(&mut stream, PATIENCE);
    assert_eq!((reply.status, reply.whole, reply.end), (200, true, End::Silence));
    stream
}

fn send(stream: &mut TcpStream, body: &str) {
    let request = request("POST", "/v1/chat/completions", &["content-type: application/json"], body);
    stream.write_all(request.as_bytes()).unwrap();
}

#[test]
fn refuse_closes_pooled_connections_and_the_port_until_it_is_cleared() {
    let simulator = Simulator::start();
    let mut idle = pooled(&simulator);
    simulator.fault("openai", r#"{"kind":"refuse"}"#);
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(TcpStream::connect(simulator.openai).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    simulator.set("DELETE", "/providers/openai/fault", "");
    assert_eq!(simulator.chat(CHAT).status, 200);
}

#[test]
fn refuse_gives_way_to_another_fault_and_to_reset() {
    let simulator = Simulator::start();
    for way_out in [("PUT", "/providers/openai/fault", r#"{"kind":"html"}"#), ("POST", "/reset", "")] {
        simulator.fault("openai", r#"{"kind":"refuse"}"#);
        simulator.set(way_out.0, way_out.1, way_out.2);
        assert_eq!(simulator.chat(CHAT).status, 200);
    }
}

#[test]
fn reset_before_headers_hits_the_next_request_of_a_pooled_connection() {
    let simulator = Simulator::start();
    let mut stream = pooled(&simulator);
    simulator.fault("openai", r#"{"kind":"reset_before_headers"}"#);
    send(&mut stream, CHAT);
    let reply = read_to_end(&mut stream, PATIENCE);
    assert_eq!((reply.raw.as_slice(), reply.end), (&b""[..], End::Reset));
}

#[test]
fn reset_mid_headers_cuts_a_header() {
    let simulator = Simulator::start();
    let mut stream = pooled(&simulator);
    simulator.fault("openai", r#"{"kind":"reset_mid_headers"}"#);
    send(&mut stream, CHAT);
    let reply = read_to_end(&mut stream, PATIENCE);
    assert!(reply.raw.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(!reply.raw.ends_with(b"\r\n"));
    assert_eq!(reply.end, End::Reset);
}

#[test]
fn a_stream_breaks_after_the_chunks_the_fault_says() {
    let simulator = Simulator::start();
    for (kind, end, whole) in
        [("reset_mid_stream", End::Reset, false), ("close_mid_stream", End::Fin, false), ("end_mid_stream", End::Fin, true)]
    {
        for chunks in [0, 1, 3] {
            let fault = format!(r#"{{"kind":"{kind}","after_chunks":{chunks}}}"#);
            simulator.fault("openai", &fault);
            let reply = simulator.chat(CHAT_STREAM);
            assert_eq!((reply.status, reply.end, reply.whole), (200, end, whole), "{fault}");
            assert_eq!(reply.data().len(), 1 + chunks, "{fault}: {}", reply.text());

            simulator.fault("anthropic", &fault);
            let reply = simulator.message(MESSAGE_STREAM);
            assert_eq!((reply.status, reply.end, reply.whole), (200, end, whole), "{fault}");
            assert_eq!(reply.data().len(), 3 + chunks, "{fault}: {}", reply.text());
        }
    }
}

#[test]
fn a_json_answer_breaks_in_its_middle() {
    let simulator = Simulator::start();
    for (kind, end, whole) in
        [("reset_mid_stream", End::Reset, false), ("close_mid_stream", End::Fin, false), ("end_mid_stream", End::Fin, true)]
    {
        simulator.fault("openai", &format!(r#"{{"kind":"{kind}"}}"#));
        let reply = simulator.chat(CHAT);
        assert_eq!((reply.status, reply.end, reply.whole), (200, end, whole), "{kind}");
        assert!(reply.text().starts_with("{\"id\"") && serde_json::from_slice::<serde_json::Value>(&reply.body).is_err());
    }
}

#[test]
fn hang_sends_nothing() {
    let simulator = Simulator::start();
    let mut stream = pooled(&simulator);
    simulator.fault("openai", r#"{"kind":"hang"}"#);
    send(&mut stream, CHAT);
    let reply = read_to_end(&mut stream, PATIENCE);
    assert_eq!((reply.raw.len(), reply.end), (0, End::Silence));
}

#[test]
fn headers_then_silence_sends_the_headers_of_the_kind_asked_for() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"headers_then_silence"}"#);
    for (body, content_type) in [(CHAT, "application/json"), (CHAT_STREAM, "text/event-stream; charset=utf-8")] {
        let mut stream = TcpStream::connect(simulator.openai).unwrap();
        send(&mut stream, body);
        let reply = read_to_end(&mut stream, PATIENCE);
        assert_eq!((reply.status, reply.end, reply.body.len(), reply.whole), (200, End::Silence, 0, false));
        assert_eq!(reply.header("content-type"), Some(content_type));
    }
}

#[test]
fn status_speaks_the_form_of_the_provider() {
    let simulator = Simulator::start();
    for (status, openai, anthropic) in [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "invalid_request_error", "authentication_error"),
        (403, "request_forbidden", "permission_error"),
        (404, "invalid_request_error", "not_found_error"),
        (429, "tokens", "rate_limit_error"),
        (500, "server_error", "api_error"),
        (503, "server_error", "overloaded_error"),
        (529, "server_error", "overloaded_error"),
    ] {
        let fault = format!(r#"{{"kind":"status","status":{status}}}"#);
        simulator.fault("openai", &fault);
        simulator.fault("anthropic", &fault);
        let reply = simulator.chat(CHAT);
        assert_eq!((reply.status, reply.json()["error"]["type"].as_str()), (status, Some(openai)));
        assert_eq!(reply.header("retry-after"), None);
        let reply = simulator.message(MESSAGE);
        assert_eq!((reply.status, reply.json()["error"]["type"].as_str()), (status, Some(anthropic)));
        assert_eq!(reply.json()["request_id"].as_str(), reply.header("request-id"));
    }
}

#[test]
fn status_takes_retry_after_and_a_body() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"status","status":429,"retry_after":7,"body":{"slow":"down"},"times":1}"#);
    let reply = simulator.chat(CHAT);
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")));
    assert_eq!(reply.text(), r#"{"slow":"down"}"#);
    assert_eq!(simulator.chat(CHAT).status, 200, "it was for one request");
}

#[test]
fn an_error_comes_in_the_stream_where_the_fault_says() {
    let simulator = Simulator::start();
    for (fault, openai, anthropic) in [
        (r#"{"kind":"sse_error_first"}"#, 0, 0),
        (r#"{"kind":"sse_error_after_preamble"}"#, 1, 1),
        (r#"{"kind":"sse_error_mid","after_chunks":2}"#, 3, 5),
    ] {
        simulator.fault("openai", fault);
        let reply = simulator.chat(CHAT_STREAM);
        let (last, before) = reply.data().split_last().map(|(last, before)| (last.clone(), before.len())).unwrap();
        assert_eq!((reply.status, before, reply.whole), (200, openai, true), "{fault}");
        assert!(last.starts_with(r#"{"error":{"message":"The server had an error"#), "{last}");

        simulator.fault("anthropic", fault);
        let reply = simulator.message(MESSAGE_STREAM);
        let (last, before) = reply.data().split_last().map(|(last, before)| (last.clone(), before.len())).unwrap();
        assert_eq!((reply.status, before, reply.whole), (200, anthropic, true), "{fault}");
        assert_eq!(last, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
        assert!(reply.text().contains("event: error\ndata: "));
    }
}

#[test]
fn a_request_without_a_stream_gets_the_error_in_a_200() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"sse_error_first"}"#);
    let reply = simulator.chat(CHAT);
    assert_eq!((reply.status, reply.json()["error"]["type"].as_str()), (200, Some("server_error")));
}

#[test]
fn truncated_json_is_well_framed_and_does_not_parse() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"truncated_json"}"#);
    for body in [CHAT, CHAT_STREAM] {
        let reply = simulator.chat(body);
        assert_eq!((reply.status, reply.whole, reply.end), (200, true, End::Fin));
        let json = reply.data().first().cloned().unwrap_or(reply.text());
        assert!(json.starts_with("{\"id\""), "{json}");
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_err(), "{json}");
    }
}

#[test]
fn html_and_empty_bodies_come_with_a_200() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"html"}"#);
    let reply = simulator.chat(CHAT);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/html; charset=UTF-8")));
    assert!(reply.text().starts_with("<!DOCTYPE html>"));
    simulator.fault("openai", r#"{"kind":"empty_body"}"#);
    let reply = simulator.chat(CHAT);
    assert_eq!((reply.status, reply.header("content-length"), reply.body.len()), (200, Some("0"), 0));
}

#[test]
fn gzip_holds_the_good_answer() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"gzip"}"#);
    for (body, start) in [(CHAT, "{\"id\""), (CHAT_STREAM, "data: {\"id\"")] {
        let reply = simulator.chat(body);
        assert_eq!(reply.header("content-encoding"), Some("gzip"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(reply.body.as_slice()).read_to_string(&mut text).unwrap();
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn trickle_takes_its_time_and_loses_nothing() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"trickle","bytes":200,"interval_ms":20}"#);
    let begin = Instant::now();
    let reply = simulator.chat(CHAT_STREAM);
    assert!(reply.chunks.len() > 5 && reply.chunks.iter().all(|size| *size <= 200), "{:?}", reply.chunks);
    assert!(begin.elapsed() >= Duration::from_millis(20 * (reply.chunks.len() as u64 - 1)));
    assert_eq!(reply.data().last().map(String::as_str), Some("[DONE]"));
    let reply = simulator.chat(CHAT);
    assert!(reply.whole && reply.json()["object"] == "chat.completion");
}

#[test]
fn a_refused_request_does_not_use_up_a_fault_of_good_answers() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"gzip","times":1}"#);
    assert_eq!(simulator.chat("{}").status, 400);
    assert_eq!(simulator.chat(CHAT).header("content-encoding"), Some("gzip"));
    assert_eq!(simulator.chat(CHAT).header("content-encoding"), None);
}

#[test]
fn faults_reach_requests_that_are_answered_from_the_cache() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"validate":false}"#);
    let good = simulator.chat(CHAT_STREAM);
    assert_eq!(good.data().last().map(String::as_str), Some("[DONE]"));
    simulator.fault("openai", r#"{"kind":"end_mid_stream","after_chunks":2,"times":1}"#);
    assert_eq!(simulator.chat(CHAT_STREAM).data().len(), 3);
    assert_eq!(simulator.chat(CHAT_STREAM).body, good.body, "the spoilt answer was not kept");
}
