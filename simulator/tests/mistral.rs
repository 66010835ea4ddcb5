//! Mistral's protocol: answers, streams, embeddings, and the provider's words for a request it refuses.

mod harness;

use std::net::SocketAddr;

use harness::{Reply, Simulator, call};
use serde_json::{Value, json};

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]"#;

fn body(fields: &str) -> String {
    format!(r#"{{"model":"mistral-large-2512","messages":[{{"role":"user","content":"hello"}}]{fields}}}"#)
}

fn turns(turns: &str) -> String {
    format!(r#"{{"model":"mistral-large-2512","messages":{turns}}}"#)
}

fn chat(at: SocketAddr, body: &str) -> Reply {
    call(at, "POST", "/v1/chat/completions", &["content-type: application/json"], body)
}

#[test]
fn an_answer_has_the_documented_form() {
    let (simulator, at) = Simulator::start_beside("mistral");
    simulator.behaviour("more", r#"{"tokens":{"prompt":1000,"cached":400,"completion":50}}"#);
    let reply = chat(at, &body(r#","n":2,"logprobs":true"#));
    let answer = reply.json();
    assert_eq!(answer["choices"].as_array().unwrap().len(), 2);
    let choice = &answer["choices"][1];
    assert_eq!(choice["message"], json!({"role": "assistant", "content": "This is a simulated answer.", "tool_calls": null}));
    assert_eq!((&choice["finish_reason"], &choice["logprobs"]["content"][0]["token"]), (&json!("stop"), &json!("This")));
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050, "prompt_tokens_details": {"cached_tokens": 400}, "num_cached_tokens": 400})
    );
    assert!(reply.header("mistral-correlation-id").is_some());
}

#[test]
fn a_stream_ends_with_the_reason_and_the_usage_in_one_chunk() {
    let (_simulator, at) = Simulator::start_beside("mistral");
    let reply = chat(at, &body(r#","stream":true"#));
    let events = reply.events();
    let said: String = events.iter().map(|event| event["choices"][0]["delta"]["content"].as_str().unwrap()).collect();
    assert_eq!((events.len(), said.as_str()), (7, "This is a simulated answer."));
    assert_eq!((&events[6]["choices"][0]["finish_reason"], &events[6]["usage"]["completion_tokens"]), (&json!("stop"), &json!(7)));
    assert_eq!(reply.data().last().map(String::as_str), Some("[DONE]"));
}

#[test]
fn tool_calls_come_whole_with_ids_of_nine_characters() {
    let (simulator, at) = Simulator::start_beside("mistral");
    simulator.behaviour("more", r#"{"tool_call_count":2}"#);
    let asked = body(&format!(r#",{TOOLS},"tool_choice":"any""#));
    let answer = chat(at, &asked).json();
    let streamed = chat(at, &asked.replacen('{', r#"{"stream":true,"#, 1)).events();
    for choice in [&answer["choices"][0]["message"], &streamed[1]["choices"][0]["delta"]] {
        let calls = choice["tool_calls"].as_array().unwrap();
        assert_eq!((calls.len(), &calls[0]["function"]), (2, &json!({"name": "weather", "arguments": "{\"city\":\"Paris\"}"})));
        assert!(calls.iter().all(|call| call["id"].as_str().unwrap().len() == 9) && calls[0]["id"] != calls[1]["id"]);
    }
    assert_eq!(
        (&answer["choices"][0]["finish_reason"], &streamed[1]["choices"][0]["finish_reason"]),
        (&json!("tool_calls"), &json!("tool_calls"))
    );
}

#[test]
fn thoughts_come_in_chunks_of_their_own() {
    let (_simulator, at) = Simulator::start_beside("mistral");
    let asked = body(r#","reasoning_effort":"high""#).replace("mistral-large-2512", "mistral-medium-3-5");
    let content = chat(at, &asked).json()["choices"][0]["message"]["content"].clone();
    assert_eq!(
        (&content[0]["type"], &content[0]["thinking"][0]["type"], &content[1]["type"]),
        (&json!("thinking"), &json!("text"), &json!("text"))
    );
    let events = chat(at, &asked.replacen('{', r#"{"stream":true,"#, 1)).events();
    assert_eq!(events[1]["choices"][0]["delta"]["content"][0], content[0]);
}

#[test]
fn embeddings_are_of_texts_alone() {
    let (_simulator, at) = Simulator::start_beside("mistral");
    let embed = |body: &str| call(at, "POST", "/v1/embeddings", &[], body);
    let answer = embed(r#"{"model":"codestral-embed","input":["hello","world"],"output_dimension":4}"#).json();
    assert_eq!((answer["data"][1]["embedding"].as_array().unwrap().len(), &answer["usage"]["prompt_tokens"]), (4, &json!(4)));
    assert!(embed(r#"{"model":"mistral-embed","input":"x","encoding_format":"base64"}"#).json()["data"][0]["embedding"].is_string());
    assert_eq!(embed(r#"{"model":"mistral-embed","input":[1,2]}"#).status, 422);
    assert_eq!(embed(r#"{"model":"mistral-embed","input":"x","dimensions":4}"#).status, 422);
}

#[test]
fn a_request_off_the_schema_is_refused_with_its_place() {
    let (_simulator, at) = Simulator::start_beside("mistral");
    for (given, kind, place) in [
        (body(r#","user":"u""#), "extra_forbidden", json!(["body", "user"])),
        (body(r#","max_completion_tokens":5"#), "extra_forbidden", json!(["body", "max_completion_tokens"])),
        (body(r#","stream_options":{}"#), "extra_forbidden", json!(["body", "stream_options"])),
        (body(r#","temperature":2"#), "less_than_equal", json!(["body", "temperature"])),
        (
            body(r#","tools":[{"type":"function","function":{"name":"f"}}]"#),
            "missing",
            json!(["body", "tools", 0, "function", "parameters"]),
        ),
        (turns(r#"[{"role":"user","content":"x","name":"n"}]"#), "extra_forbidden", json!(["body", "messages", 0, "name"])),
        (turns(r#"[{"role":"developer","content":"x"}]"#), "union_tag_invalid", json!(["body", "messages", 0, "role"])),
    ] {
        let reply = chat(at, &given);
        let flaw = reply.json()["message"]["detail"][0].clone();
        assert_eq!((reply.status, &flaw["type"], &flaw["loc"]), (422, &json!(kind), &place), "{given}: {}", reply.text());
    }
}

#[test]
fn rules_that_no_schema_says_are_kept() {
    let (_simulator, at) = Simulator::start_beside("mistral");
    let user = r#"{"role":"user","content":"x"}"#;
    let calls = |id: &str| {
        format!(r#"{{"role":"assistant","content":"","tool_calls":[{{"id":"{id}","function":{{"name":"f","arguments":"{{}}"}}}}]}}"#)
    };
    let result = |id: &str| format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"1"}}"#);
    let (call, answer) = (calls("D681PevKs"), result("D681PevKs"));
    for (given, message) in [
        (
            turns(&format!("[{user},{},{}]", calls("call_1"), result("call_1"))),
            "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
        ),
        (turns(&format!("[{user},{call},{answer},{user}]")), "Unexpected role 'user' after role 'tool'"),
        (turns(&format!("[{user},{call},{user}]")), "Not the same number of function calls and responses"),
        (
            turns(&format!("[{user},{}]", r#"{"role":"assistant","content":"y"}"#)),
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
        ),
        (body(r#","temperature":0,"top_p":0.5"#), "top_p must be 1 when using greedy sampling."),
        (body(r#","reasoning_effort":"high""#), "reasoning_effort is not enabled for this model"),
        (
            body(r#","reasoning_effort":"low""#).replace("mistral-large-2512", "mistral-medium-3-5"),
            "reasoning_effort='low' is not supported for this model. Must be one of ('none', 'high')",
        ),
    ] {
        let reply = chat(at, &given);
        assert_eq!((reply.status, reply.json()["message"].as_str()), (400, Some(message)), "{given}");
    }
    for fine in
        [turns(&format!("[{user},{call},{answer}]")), turns(&format!("[{user},{}]", r#"{"role":"assistant","content":"y","prefix":true}"#))]
    {
        assert_eq!(chat(at, &fine).status, 200, "{fine}");
    }
}

#[test]
fn keys_and_paths_are_checked_and_an_error_can_come_inside_a_stream() {
    let (simulator, at) = Simulator::start_beside("mistral");
    simulator.fault("more", r#"{"kind":"sse_error_mid","times":1}"#);
    let events: Vec<Value> = chat(at, &body(r#","stream":true"#)).events();
    assert_eq!((&events[2]["object"], &events[2]["type"]), (&json!("error"), &json!("service_unavailable")));
    simulator.behaviour("more", r#"{"api_key":"key"}"#);
    for (method, path, headers, status, message) in [
        ("POST", "/v1/chat/completions", &[][..], 401, "Unauthorized"),
        ("POST", "/v1/chat/completions", &["authorization: Bearer other"], 401, "Unauthorized"),
        ("POST", "/v2/chat", &[], 404, "no Route matched with those values"),
        ("GET", "/v1/embeddings", &[], 405, "Method Not Allowed"),
    ] {
        let reply = call(at, method, path, headers, &body(""));
        assert_eq!((reply.status, reply.json()["message"].as_str()), (status, Some(message)));
    }
    assert_eq!(call(at, "POST", "/v1/chat/completions", &["authorization: Bearer key"], &body("")).status, 200);
}
