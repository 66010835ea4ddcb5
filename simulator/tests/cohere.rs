//! Cohere's protocol: answers, streams, embeddings, and the provider's words for a request it refuses.

mod harness;

use std::net::SocketAddr;

use harness::{Reply, Simulator, call};
use serde_json::{Value, json};

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]"#;

fn body(fields: &str) -> String {
    format!(r#"{{"model":"command-a-03-2025","messages":[{{"role":"user","content":"hello"}}],"stream":false{fields}}}"#)
}

fn turns(turns: &str) -> String {
    format!(r#"{{"model":"command-a-03-2025","stream":false,"messages":{turns}}}"#)
}

fn chat(at: SocketAddr, body: &str) -> Reply {
    call(at, "POST", "/v2/chat", &["content-type: application/json"], body)
}

#[test]
fn an_answer_has_the_documented_form() {
    let (simulator, at) = Simulator::start_beside("cohere");
    simulator.behaviour("more", r#"{"tokens":{"prompt":1000,"cached":400,"completion":50}}"#);
    let reply = chat(at, &body(r#","logprobs":true"#));
    let answer = reply.json();
    assert_eq!(answer["message"], json!({"role": "assistant", "content": [{"type": "text", "text": "This is a simulated answer."}]}));
    assert_eq!(answer["finish_reason"], "COMPLETE");
    assert_eq!(
        answer["usage"],
        json!({"billed_units": {"input_tokens": 1000, "output_tokens": 50}, "tokens": {"input_tokens": 1496, "output_tokens": 52}, "cached_tokens": 400})
    );
    assert_eq!(answer["logprobs"][0], json!({"text": "This", "token_ids": [7], "logprobs": [-0.125]}));
    assert!(reply.header("x-debug-trace-id").is_some());
}

#[test]
fn a_stream_has_the_documented_events_in_order() {
    let (_simulator, at) = Simulator::start_beside("cohere");
    let reply = chat(at, &body(r#","seed":1"#).replace(r#""stream":false"#, r#""stream":true"#));
    let text = reply.text();
    let named: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let delta = "content-delta";
    assert_eq!(named, ["message-start", "content-start", delta, delta, delta, delta, delta, "content-end", "message-end"]);
    let events = reply.events();
    assert!(events.iter().zip(&named).all(|(event, name)| event["type"] == *name));
    let said: String = events[2..7].iter().map(|event| event["delta"]["message"]["content"]["text"].as_str().unwrap()).collect();
    assert_eq!(said, "This is a simulated answer.");
    assert_eq!(
        (&events[8]["delta"]["finish_reason"], &events[8]["delta"]["usage"]["billed_units"]["output_tokens"]),
        (&json!("COMPLETE"), &json!(7))
    );
}

#[test]
fn tool_calls_have_a_plan_and_come_whole_or_in_pieces() {
    let (simulator, at) = Simulator::start_beside("cohere");
    simulator.behaviour("more", r#"{"chunks":3,"tool_call_count":2}"#);
    let asked = body(&format!(r#",{TOOLS},"tool_choice":"REQUIRED""#));
    let answer = chat(at, &asked).json();
    let calls = answer["message"]["tool_calls"].as_array().unwrap();
    assert_eq!((&answer["finish_reason"], calls.len()), (&json!("TOOL_CALL"), 2));
    assert_eq!(calls[0]["function"], json!({"name": "weather", "arguments": "{\"city\":\"Paris\"}"}));
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert_eq!(answer["message"]["tool_plan"], "I will use a tool.");
    let events = chat(at, &asked.replace(r#""stream":false"#, r#""stream":true"#)).events();
    let of = |kind: &str, index: u64| -> Vec<&Value> {
        events
            .iter()
            .filter(|event| event["type"] == kind && event["index"] == index)
            .map(|event| &event["delta"]["message"]["tool_calls"])
            .collect()
    };
    assert_eq!(of("tool-call-start", 1)[0]["function"]["name"], "weather");
    let arguments: String = of("tool-call-delta", 1).iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
    assert_eq!(arguments, "{\"city\":\"Paris\"}");
}

#[test]
fn thinking_schemas_limits_and_stops_show_in_the_answer() {
    let (_simulator, at) = Simulator::start_beside("cohere");
    let reasoning = |fields: &str| body(fields).replace("command-a-03-2025", "command-a-reasoning-08-2025");
    let kinds = |answer: &Value| -> Vec<String> {
        answer["message"]["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&chat(at, &reasoning("")).json()), ["thinking", "text"]);
    assert_eq!(kinds(&chat(at, &reasoning(r#","thinking":{"type":"disabled"}"#)).json()), ["text"]);
    for (fields, finish, text) in [
        (r#","max_tokens":2"#, "MAX_TOKENS", "This is "),
        (r#","stop_sequences":[" simulated"]"#, "STOP_SEQUENCE", "This is a"),
        (
            r#","response_format":{"type":"json_object","json_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}"#,
            "COMPLETE",
            r#"{"city":"Paris"}"#,
        ),
    ] {
        let answer = chat(at, &body(fields)).json();
        assert_eq!((&answer["finish_reason"], &answer["message"]["content"][0]["text"]), (&json!(finish), &json!(text)), "{fields}");
    }
}

#[test]
fn embeddings_come_by_type() {
    let (_simulator, at) = Simulator::start_beside("cohere");
    let embed =
        |fields: &str| call(at, "POST", "/v2/embed", &[], &format!(r#"{{"model":"embed-v4.0","input_type":"search_query",{fields}}}"#));
    let answer = embed(r#""texts":["hello","world"],"embedding_types":["float","base64"],"output_dimension":256"#).json();
    assert_eq!(answer["embeddings"]["float"][1].as_array().unwrap().len(), 256);
    assert_eq!(answer["embeddings"]["base64"].as_array().unwrap().len(), 2);
    assert_eq!(answer["meta"]["billed_units"]["input_tokens"], 4);
    let many = format!(r#""texts":[{}"x"]"#, r#""x","#.repeat(96));
    for (fields, message) in [
        (r#""texts":[]"#, "invalid request: texts must not be empty"),
        (many.as_str(), "invalid request: total number of texts must be at most 96 - received 97"),
        (r#""texts":["x"],"output_dimension":7"#, "invalid request: output_dimension must be one of: 256, 512, 1024, 1536"),
    ] {
        assert_eq!(embed(fields).json()["message"], message);
    }
}

#[test]
fn a_request_off_the_schema_is_refused_in_the_words_of_the_provider() {
    let (_simulator, at) = Simulator::start_beside("cohere");
    let calls = r#"{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    let user = r#"{"role":"user","content":"x"}"#;
    for (given, status, message) in [
        ("{".to_owned(), 400, "invalid request: invalid json syntax"),
        (body("").replace(r#","stream":false"#, ""), 400, "invalid request: stream is required"),
        (body(r#","user":"u""#), 422, "unknown field: parameter 'user' is not a valid field"),
        (turns(r#"[{"role":"user","content":"x","name":"n"}]"#), 422, "unknown field: parameter 'messages.0.name' is not a valid field"),
        (body(r#","temperature":1.5"#), 400, "invalid request: temperature must be at most 1"),
        (body(r#","p":1"#), 400, "invalid request: p must be at most 0.99"),
        (body(r#","tool_choice":"AUTO""#), 400, "invalid request: tool_choice must be one of: REQUIRED, NONE"),
        (body(r#","tool_choice":"REQUIRED""#), 400, "invalid request: tool_choice requires tools"),
        (
            body(&format!(r#",{TOOLS},"response_format":{{"type":"json_object"}}"#)),
            400,
            "invalid request: response_format with json_object is not supported with tools",
        ),
        (body(r#","thinking":{"type":"enabled"}"#), 400, "invalid request: thinking is not supported by this model"),
        (
            turns(r#"[{"role":"developer","content":"x"}]"#),
            400,
            "invalid request: messages.0.role must be one of: system, user, assistant, tool",
        ),
        (turns(r#"[{"role":"system","content":"x"}]"#), 400, "invalid request: the last message must have the role user or tool"),
        (turns(&format!("[{user},{calls},{user}]")), 400, "invalid request: all tool calls must be followed by their results"),
        (
            turns(&format!(r#"[{user},{{"role":"tool","tool_call_id":"z","content":"1"}}]"#)),
            400,
            "invalid request: tool_call_id z does not match any tool call of the turn before",
        ),
    ] {
        let reply = chat(at, &given);
        assert_eq!((reply.status, reply.json()["message"].as_str()), (status, Some(message)), "{given}");
    }
    let fine = turns(&format!(r#"[{user},{calls},{{"role":"tool","tool_call_id":"c","content":"1"}}]"#));
    assert_eq!(chat(at, &fine).status, 200);
}

#[test]
fn keys_and_paths_are_checked_and_an_error_can_come_inside_a_stream() {
    let (simulator, at) = Simulator::start_beside("cohere");
    simulator.fault("more", r#"{"kind":"sse_error_mid","times":1}"#);
    let events = chat(at, &body("").replace(r#""stream":false"#, r#""stream":true"#)).events();
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["delta"]["finish_reason"]), (&json!("message-end"), &json!("ERROR")));
    simulator.behaviour("more", r#"{"api_key":"co-key"}"#);
    for (method, path, headers, status, message) in [
        ("POST", "/v2/chat", &[][..], 401, "no api key supplied"),
        ("POST", "/v2/chat", &["authorization: Bearer other"], 401, "invalid api token"),
        ("POST", "/v1/messages", &[], 404, "404 page not found"),
        ("GET", "/v2/chat", &[], 405, "Method Not Allowed"),
    ] {
        let reply = call(at, method, path, headers, &body(""));
        assert_eq!((reply.status, reply.json()["message"].as_str()), (status, Some(message)));
    }
    assert_eq!(call(at, "POST", "/v2/chat", &["authorization: Bearer co-key"], &body("")).status, 200);
}
