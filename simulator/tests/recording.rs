//! What the simulator remembers of the requests it got.

mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use harness::{CHAT, CHAT_STREAM, Simulator, read_to_end};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_millis(200);

fn decoded(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().expect("base64")).expect("base64")
}

/// Waits for something another thread of the program is about to do.
fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not come to hold within two seconds");
}

#[test]
fn requests_of_one_connection_are_kept_byte_for_byte_and_in_order() {
    let simulator = Simulator::start();
    let head_one = "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\nX-B: 1\r\ncontent-type: application/json\r\n\
        x-A:  two words \r\nX-b: 2\r\nContent-Length: ";
    let head_one = format!("{head_one}{}\r\n\r\n", CHAT.len());
    let head_two = "POST /v1/nothing HTTP/1.1\r\nhost: y\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = TcpStream::connect(simulator.openai).unwrap();
    // The head arrives in pieces that cut its end.
    for piece in [&head_one.as_bytes()[..30], &head_one.as_bytes()[30..head_one.len() - 2], b"\r\n", CHAT.as_bytes()] {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(read_to_end(&mut stream, PATIENCE).status, 200);
    stream.write_all(&[head_two.as_bytes(), b"3\r\nabc\r\n2\r\n\xff\x00\r\n0\r\n\r\n"].concat()).unwrap();
    assert_eq!(read_to_end(&mut stream, PATIENCE).status, 404);

    let kept = simulator.requests("openai");
    assert_eq!(kept.len(), 2);
    assert_eq!((&kept[0]["method"], &kept[0]["path"]), (&json!("POST"), &json!("/v1/chat/completions?a=b")));
    assert_eq!(decoded(&kept[0]["head_base64"]), head_one.as_bytes());
    let length = CHAT.len().to_string();
    assert_eq!(
        kept[0]["headers"],
        json!([
            ["Host", "x"],
            ["X-B", "1"],
            ["content-type", "application/json"],
            ["x-A", "two words"],
            ["X-b", "2"],
            ["Content-Length", length]
        ])
    );
    assert_eq!(decoded(&kept[0]["body_base64"]), CHAT.as_bytes());
    assert_eq!(decoded(&kept[1]["head_base64"]), head_two.as_bytes());
    assert_eq!(decoded(&kept[1]["body_base64"]), b"abc\xff\x00");
    assert_eq!(kept[0]["connection"], kept[1]["connection"]);
    assert!(kept.iter().all(|request| request["completed"] == true));
}

#[test]
fn header_bytes_that_are_not_utf8_are_not_lost() {
    let simulator = Simulator::start();
    let mut stream = TcpStream::connect(simulator.openai).unwrap();
    stream.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-odd: a\xffb\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(read_to_end(&mut stream, PATIENCE).status, 200);
    let kept = simulator.requests("openai");
    assert_eq!(kept[0]["headers"][1], json!(["x-odd", "a\u{ff}b"]));
    assert!(decoded(&kept[0]["head_base64"]).contains(&0xff));
}

#[test]
fn connections_are_told_apart() {
    let simulator = Simulator::start();
    simulator.chat(CHAT);
    simulator.chat(CHAT);
    let kept = simulator.requests("openai");
    assert_ne!(kept[0]["connection"], kept[1]["connection"]);
}

#[test]
fn a_client_that_leaves_amid_the_answer_leaves_an_aborted_request() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"chunk_interval_ms":20,"chunks":1000}"#);
    let mut stream = TcpStream::connect(simulator.openai).unwrap();
    let request = harness::request("POST", "/v1/chat/completions", &["content-type: application/json"], CHAT_STREAM);
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
    let kept = simulator.requests("openai");
    assert_eq!((&kept[0]["progress"], &kept[0]["completed"]), (&json!("answering"), &json!(false)));
    drop(stream);
    eventually(|| simulator.requests("openai")[0]["progress"] == "aborted");
    assert_eq!(simulator.requests("openai")[0]["completed"], false);
}

#[test]
fn a_client_that_leaves_amid_the_body_leaves_what_it_sent() {
    let simulator = Simulator::start();
    let mut stream = TcpStream::connect(simulator.openai).unwrap();
    stream.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"model\"").unwrap();
    eventually(|| simulator.requests("openai").first().is_some_and(|kept| decoded(&kept["body_base64"]) == b"{\"model\""));
    assert_eq!(simulator.requests("openai")[0]["progress"], "receiving");
    drop(stream);
    eventually(|| simulator.requests("openai")[0]["progress"] == "aborted");
}

#[test]
fn a_thousand_requests_are_kept_and_the_oldest_goes_first() {
    let simulator = Simulator::start();
    let mut stream = TcpStream::connect(simulator.openai).unwrap();
    for number in 0..1_003 {
        stream.write_all(format!("GET /{number} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}\n") {
            let mut byte = [0; 4_096];
            let count = stream.read(&mut byte).unwrap();
            answer.extend_from_slice(&byte[..count]);
        }
    }
    let kept = simulator.requests("openai");
    assert_eq!(kept.len(), 1_000);
    assert_eq!((&kept[0]["path"], &kept[999]["path"]), (&json!("/3"), &json!("/1002")));
}

#[test]
fn recording_can_be_switched_off_and_emptied() {
    let simulator = Simulator::start();
    simulator.chat(CHAT);
    simulator.set("DELETE", "/providers/openai/requests", "");
    assert!(simulator.requests("openai").is_empty());
    simulator.set("PUT", "/providers/openai/recording", r#"{"enabled":false}"#);
    simulator.chat(CHAT);
    assert!(simulator.requests("openai").is_empty());
    simulator.set("POST", "/reset", "");
    simulator.chat(CHAT);
    assert_eq!(simulator.requests("openai").len(), 1);
}
