//! The control API, the command line, and the life of the program.

mod harness;

use std::process::Command;
use std::time::{Duration, Instant};

use harness::{CHAT, CHAT_STREAM, Simulator, call};
use serde_json::json;

#[test]
fn health_and_the_list_of_providers_are_shown() {
    let simulator = Simulator::start();
    assert_eq!(simulator.set("GET", "/healthz", ""), json!({"status": "ok"}));
    let providers = simulator.set("GET", "/providers", "");
    assert_eq!(providers["openai"], json!({"protocol": "openai", "address": simulator.openai.to_string()}));
}

#[test]
fn what_is_set_is_shown_and_reset_takes_it_back() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"chunks":2,"text":"hi"}"#);
    simulator.fault("openai", r#"{"kind":"status","status":500,"times":2}"#);
    let behaviour = simulator.set("GET", "/providers/openai/behaviour", "");
    assert_eq!((&behaviour["chunks"], &behaviour["text"], &behaviour["usage"]), (&json!(2), &json!("hi"), &json!(true)));
    simulator.chat(CHAT);
    let fault = simulator.set("GET", "/providers/openai/fault", "");
    assert_eq!(fault, json!({"kind": "status", "status": 500, "times": 1}));
    simulator.set("POST", "/reset", "");
    assert_eq!(simulator.set("GET", "/providers/openai/fault", ""), json!(null));
    assert_eq!(simulator.set("GET", "/providers/openai/behaviour", "")["chunks"], 5);
    assert!(simulator.requests("openai").is_empty());
}

#[test]
fn a_wrong_call_is_refused_with_the_reason() {
    let simulator = Simulator::start();
    for (method, path, body, status, reason) in [
        ("PUT", "/providers/openai/fault", r#"{"kind":"explode"}"#, 400, "unknown variant `explode`"),
        ("PUT", "/providers/openai/behaviour", r#"{"chunk":1}"#, 400, "unknown field `chunk`"),
        ("PUT", "/providers/openai/recording", "{}", 400, "missing field `enabled`"),
        ("PUT", "/providers/nobody/fault", "{}", 404, "there are anthropic, openai"),
        ("GET", "/providers/openai/weather", "", 404, "no `weather`"),
        ("POST", "/providers/openai/fault", "{}", 405, "GET, PUT, DELETE"),
        ("GET", "/nowhere", "", 404, "/nowhere"),
    ] {
        let reply = call(simulator.control, method, path, &[], body);
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(reply.json()["error"].as_str().unwrap().contains(reason), "{}", reply.text());
    }
}

#[test]
fn faults_and_behaviour_are_those_of_one_provider() {
    let simulator = Simulator::start();
    simulator.fault("openai", r#"{"kind":"status","status":500}"#);
    assert_eq!(simulator.message(harness::MESSAGE).status, 200);
    assert_eq!(simulator.chat(CHAT).status, 500);
}

#[test]
fn delays_are_kept() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"first_token_ms":60,"chunk_interval_ms":30,"chunks":3}"#);
    for body in [CHAT, CHAT_STREAM] {
        let begin = Instant::now();
        assert_eq!(simulator.chat(body).status, 200);
        assert!(begin.elapsed() >= Duration::from_millis(120), "{:?}", begin.elapsed());
    }
}

#[test]
fn an_answer_has_the_headers_it_is_told_to_have() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"headers":{"x-ratelimit-remaining-requests":"0","x-own":"a","not a name":"b"}}"#);
    for body in [CHAT, CHAT_STREAM] {
        let reply = simulator.chat(body);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("x-ratelimit-remaining-requests"), Some("0"));
        assert_eq!(reply.header("x-own"), Some("a"));
    }
}

#[test]
fn a_split_stream_is_the_same_stream_in_pieces() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"split_bytes":7}"#);
    let reply = simulator.chat(CHAT_STREAM);
    let (last, before) = reply.chunks.split_last().unwrap();
    assert!(before.iter().all(|size| *size == 7) && *last <= 7, "{:?}", reply.chunks);
    assert_eq!(reply.data().last().map(String::as_str), Some("[DONE]"));
    assert_eq!(reply.events().len(), 1 + 5 + 1);
}

#[test]
fn a_signal_ends_the_program_well() {
    for signal in ["-TERM", "-INT"] {
        let mut simulator = Simulator::start();
        assert!(Command::new("kill").args([signal, &simulator.pid().to_string()]).status().unwrap().success());
        assert_eq!(simulator.wait().code(), Some(0));
    }
}

#[test]
fn a_busy_port_is_one_clear_sentence() {
    let simulator = Simulator::start();
    let taken = simulator.openai.to_string();
    for (control, provider, sentence) in [
        ("127.0.0.1:0", taken.as_str(), format!("nr-simulator: provider x cannot listen on {taken}: ")),
        (taken.as_str(), "127.0.0.1:0", format!("nr-simulator: the control API cannot listen on {taken}: ")),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_nr-simulator"))
            .args(["--control", control, "--provider", &format!("x=openai@{provider}")])
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(message.starts_with(&sentence) && message.lines().count() == 1, "{message}");
    }
}
