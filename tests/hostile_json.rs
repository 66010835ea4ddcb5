//! Fixtures with one value replaced, removed or cut off: a translation may refuse them, but what it
//! lets through is JSON, what it refuses it names, and it never panics.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod fixtures;

use fixtures::{ENVELOPE, Fixture, RESPONSES, codec, folder, play, read};
use neural_router::framing::Framing;
use neural_router::openai::{Endpoint, Fields};
use neural_router::provider::{Call, Protocol};
use serde_json::{Value, json};

/// Replaces the value at every place of a document in turn by `wrong`.
fn each_place(document: &Value, wrong: &Value, visit: &mut dyn FnMut(Value)) {
    fn places(value: &Value, path: &mut Vec<String>, all: &mut Vec<String>) {
        all.push(path.concat());
        let children: Vec<(String, &Value)> = match value {
            Value::Object(members) => members.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect(),
            Value::Array(elements) => elements.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
            _ => Vec::new(),
        };
        for (name, child) in children {
            path.push(format!("/{name}"));
            places(child, path, all);
            path.pop();
        }
    }

    let mut all = Vec::new();
    places(document, &mut Vec::new(), &mut all);
    for pointer in all.iter().filter(|pointer| !pointer.is_empty()) {
        let mut changed = document.clone();
        *changed.pointer_mut(pointer).expect("a place of the document") = wrong.clone();
        visit(changed);
    }
}

fn wrongs() -> [Value; 9] {
    let deep = (0..100).fold(json!(1), |value, _| json!([value]));
    [json!(null), json!(true), json!(-1), json!(1e300), json!(""), json!("a\u{0}\u{2028}\u{10ffff}"), json!([]), json!({}), deep]
}

#[test]
fn no_wrong_value_in_a_request_gets_through_as_something_else_than_json() {
    let (mut passed, mut refused) = (0, 0);
    for protocol in Protocol::all() {
        for fixture in read(&folder(protocol), "request") {
            let recorded: Value = serde_json::from_slice(&fixture.bytes).expect("JSON");
            for wrong in wrongs() {
                each_place(recorded.get("body").expect("a body"), &wrong, &mut |changed| {
                    let body = changed.to_string();
                    let call = Call {
                        endpoint: Endpoint::Chat,
                        model: "claude-sonnet-4-5",
                        stream: false,
                        stream_options: None,
                        max_output: 4096,
                        fields: Fields::default(),
                    };
                    match codec(protocol, &fixture).request(&call, &body) {
                        Ok((translated, _)) => {
                            let translated: Value =
                                serde_json::from_slice(&translated).unwrap_or_else(|error| panic!("{}: {body}: {error}", fixture.case));
                            let messages = translated.get("messages");
                            match protocol.wire {
                                "openai" => assert!(messages.is_some(), "{body}"),
                                "anthropic" => assert!(messages.is_some_and(|messages| messages.get(0).is_some()), "{body}"),
                                _ => assert!(translated.is_object(), "{body}"),
                            }
                            passed += 1;
                        }
                        Err(failed) => {
                            let param = failed.param.unwrap_or_else(|| panic!("{}: {body}: nothing named", fixture.case));
                            let root = param.split(['.', '[']).next().unwrap_or_default();
                            assert!(changed.get(root).is_some() || root == "messages", "{}: {body}: {param}", fixture.case);
                            assert!(failed.message.len() < 200, "{}", failed.message);
                            refused += 1;
                        }
                    }
                });
            }
        }
    }
    assert!(passed > 1000 && refused > 1000, "{passed} passed, {refused} refused");
}

/// Every recorded answer of every protocol.
fn each_response(mut visit: impl FnMut(&'static Protocol, Endpoint, &Fixture)) {
    for protocol in Protocol::all() {
        for (kind, endpoint) in RESPONSES {
            read(&folder(protocol), kind).iter().for_each(|fixture| visit(protocol, endpoint, fixture));
        }
    }
}

#[test]
fn no_wrong_value_in_an_answer_gets_through_as_something_else_than_json() {
    each_response(|protocol, endpoint, fixture| {
        let Ok(recorded) = serde_json::from_slice::<Value>(&fixture.bytes) else { return };
        for wrong in wrongs() {
            each_place(&recorded, &wrong, &mut |changed| {
                let body = changed.to_string();
                if let Ok(answer) = codec(protocol, fixture).response(endpoint, &ENVELOPE, body.as_bytes()) {
                    serde_json::from_slice::<Value>(&answer.body).unwrap_or_else(|error| panic!("{}: {body}: {error}", fixture.case));
                }
            });
        }
    });
}

#[test]
fn an_answer_cut_anywhere_is_no_answer() {
    each_response(|protocol, endpoint, fixture| {
        let whole = fixture.bytes.trim_ascii_end();
        for at in 0..whole.len() {
            let (head, _) = whole.split_at(at);
            assert!(
                codec(protocol, fixture).response(endpoint, &ENVELOPE, head).is_err(),
                "{}/{} cut at byte {at}",
                protocol.name,
                fixture.case
            );
        }
    });
}

#[test]
fn a_stream_cut_before_its_end_is_never_complete() {
    for protocol in Protocol::all() {
        let streams = read(&folder(protocol), "stream");
        for fixture in streams.iter().filter(|fixture| matches!(fixture.case.as_str(), "tool-call" | "basic") && fixture.extension == "sse")
        {
            let text = core::str::from_utf8(&fixture.bytes).expect("UTF-8");
            let events: Vec<&str> = text.split_inclusive("\n\n").collect();
            // The event that says why the answer ended is the third from last at the latest.
            for until in 0..events.len() - 3 {
                let head: String = events.iter().take(until).copied().collect();
                let played = play(codec(protocol, fixture), Framing::ServerSentEvents, &ENVELOPE, [head.as_bytes()]);
                assert!(played.outcome.is_err(), "{}/{} after {until} events", protocol.name, fixture.case);
                assert!(!played.out.contains("[DONE]"), "{}", played.out);
            }
        }
    }
}

#[test]
fn no_wrong_value_in_a_stream_gets_through_as_something_else_than_json() {
    for protocol in Protocol::all() {
        for fixture in read(&folder(protocol), "stream").iter().filter(|fixture| fixture.extension == "sse") {
            let text = core::str::from_utf8(&fixture.bytes).expect("UTF-8");
            let events: Vec<&str> = text.split_inclusive("\n\n").collect();
            for (index, event) in events.iter().enumerate() {
                let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
                let Ok(recorded) = serde_json::from_str::<Value>(data) else { continue };
                for wrong in wrongs() {
                    each_place(&recorded, &wrong, &mut |changed| {
                        let changed = format!("data: {changed}\n\n");
                        let pieces =
                            events.iter().enumerate().map(|(at, event)| if at == index { changed.as_bytes() } else { event.as_bytes() });
                        let played = play(codec(protocol, fixture), Framing::ServerSentEvents, &ENVELOPE, pieces);
                        for sent in played.out.split_terminator("\n\n") {
                            let data = sent.strip_prefix("data: ").expect("an event");
                            let fine =
                                data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok_and(|chunk| chunk.get("choices").is_some());
                            assert!(fine, "{}: {changed} became {sent}", fixture.case);
                        }
                    });
                }
            }
        }
    }
}
