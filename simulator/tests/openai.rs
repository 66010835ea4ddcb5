//! The OpenAI protocol: answers, streams, and the provider's words for a request it refuses.

mod harness;

use harness::{CHAT, CHAT_STREAM, Simulator, call};
use serde_json::{Value, json};

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]"#;

fn body(fields: &str) -> String {
    format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"hello"}}]{fields}}}"#)
}

#[test]
fn an_answer_has_the_documented_form() {
    let simulator = Simulator::start();
    let reply = simulator.chat(CHAT);
    let answer = reply.json();
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(answer["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!((&answer["object"], &answer["model"]), (&json!("chat.completion"), &json!("gpt-4o")));
    assert_eq!(
        answer["choices"],
        json!([{"index":0,"message":{"role":"assistant","content":"This is a simulated answer.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}])
    );
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens":6,"completion_tokens":7,"total_tokens":13,
            "prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}})
    );
    for name in ["x-request-id", "openai-organization", "openai-processing-ms", "x-ratelimit-remaining-tokens", "cf-ray"] {
        assert!(reply.header(name).is_some(), "{name}");
    }
    assert!(reply.header("set-cookie").unwrap().starts_with("__cf_bm="));
}

#[test]
fn a_stream_has_role_content_finish_usage_and_done() {
    let simulator = Simulator::start();
    let reply = simulator.chat(&body(r#","stream":true,"stream_options":{"include_usage":true}"#));
    let events = reply.events();
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role":"assistant","content":"","refusal":null}));
    let text: String = events[1..6].iter().map(|event| event["choices"][0]["delta"]["content"].as_str().unwrap()).collect();
    assert_eq!(text, "This is a simulated answer.");
    assert_eq!(events[6]["choices"], json!([{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]));
    assert!(events[..7].iter().all(|event| event["usage"].is_null() && event.get("usage").is_some()));
    assert_eq!((&events[7]["choices"], &events[7]["usage"]["total_tokens"]), (&json!([]), &json!(13)));
    assert_eq!((events.len(), reply.data().last().map(String::as_str)), (8, Some("[DONE]")));
    assert!(events.iter().all(|event| event["id"] == events[0]["id"] && event["object"] == "chat.completion.chunk"));
}

#[test]
fn usage_is_what_it_is_told_to_be() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"tokens":{"prompt":1000,"cached":400,"completion":50,"reasoning":30}}"#);
    let usage = simulator.chat(CHAT).json()["usage"].clone();
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]), (&json!(1000), &json!(50), &json!(1050)));
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 400);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 30);
}

#[test]
fn usage_is_in_a_stream_only_when_asked_for() {
    let simulator = Simulator::start();
    assert!(simulator.chat(CHAT_STREAM).events().iter().all(|event| event.get("usage").is_none()));
    simulator.behaviour("openai", r#"{"usage":false}"#);
    let reply = simulator.chat(&body(r#","stream":true,"stream_options":{"include_usage":true}"#));
    assert!(reply.events().iter().all(|event| event.get("usage").is_none()));
    assert!(simulator.chat(CHAT).json().get("usage").is_none());
}

#[test]
fn a_tool_call_is_answered_whole_and_streamed() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"tool_calls":true,"chunks":3}"#);
    let answer = simulator.chat(&body(&format!(",{TOOLS}"))).json();
    let choice = &answer["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]), (&json!("function"), &json!({"name":"weather","arguments":"{\"city\":\"Paris\"}"})));

    let events = simulator.chat(&body(&format!(r#",{TOOLS},"stream":true"#))).events();
    assert_eq!(events[0]["choices"][0]["delta"]["content"], Value::Null);
    let first = &events[1]["choices"][0]["delta"]["tool_calls"][0];
    assert!(first["id"].as_str().unwrap().starts_with("call_"));
    assert_eq!((&first["index"], &first["function"]), (&json!(0), &json!({"name":"weather","arguments":""})));
    let fragments = events[2..5].iter().map(|event| event["choices"][0]["delta"]["tool_calls"][0].clone());
    assert!(fragments.clone().all(|call| call.get("id").is_none() && call["index"] == 0));
    let arguments: String = fragments.map(|call| call["function"]["arguments"].as_str().unwrap().to_owned()).collect();
    assert_eq!(arguments, "{\"city\":\"Paris\"}");
    assert_eq!(events[5]["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn a_tool_result_is_answered_with_text() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"tool_calls":true}"#);
    let turns = r#"[{"role":"user","content":"hi"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_1","content":"sunny"}]"#;
    let answer = simulator.chat(&format!(r#"{{"model":"gpt-4o","messages":{turns},{TOOLS}}}"#)).json();
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[test]
fn n_choices_and_the_token_limit_are_respected() {
    let simulator = Simulator::start();
    let answer = simulator.chat(&body(r#","n":2,"max_completion_tokens":2"#)).json();
    assert_eq!(answer["choices"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&answer["choices"][1]["finish_reason"], &answer["choices"][1]["message"]["content"]),
        (&json!("length"), &json!("This is "))
    );
    let events = simulator.chat(&body(r#","n":2,"stream":true"#)).events();
    assert_eq!(events.iter().filter(|event| event["choices"][0]["index"] == 1).count(), 1 + 5 + 1);
}

#[test]
fn a_request_off_the_schema_is_refused_in_the_words_of_the_provider() {
    let simulator = Simulator::start();
    let with = |fields: &str| body(&format!(",{fields}"));
    let turns = |turns: &str| format!(r#"{{"model":"gpt-4o","messages":{turns}}}"#);
    for (given, message, param, code) in [
        ("{".to_owned(), "We could not parse the JSON body", json!(null), json!(null)),
        (r#"{"messages":[]}"#.to_owned(), "you must provide a model parameter", json!(null), json!(null)),
        (r#"{"model":"m"}"#.to_owned(), "Missing required parameter: 'messages'.", json!("messages"), json!("missing_required_parameter")),
        (with(r#""route":1"#), "Unrecognized request argument supplied: route", json!(null), json!(null)),
        (with(r#""b":1,"a":2"#), "Unrecognized request arguments supplied: a, b", json!(null), json!(null)),
        (
            with(r#""temperature":"hot""#),
            "Invalid type for 'temperature': expected a decimal, but got a string instead.",
            json!("temperature"),
            json!("invalid_type"),
        ),
        (
            with(r#""temperature":3"#),
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
            json!("temperature"),
            json!("decimal_above_max_value"),
        ),
        (
            with(r#""n":0"#),
            "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            json!("n"),
            json!("integer_below_min_value"),
        ),
        (
            with(r#""max_tokens":1.5"#),
            "Invalid type for 'max_tokens': expected an integer, but got a decimal instead.",
            json!("max_tokens"),
            json!("invalid_type"),
        ),
        (with(r#""tool_choice":"auto""#), "Invalid value for 'tool_choice'", json!("tool_choice"), json!(null)),
        (with(r#""stream_options":{}"#), "The 'stream_options' parameter is only allowed", json!("stream_options"), json!(null)),
        (with(r#""response_format":{"type":"json_object"}"#), "'messages' must contain the word 'json'", json!("messages"), json!(null)),
        (
            with(r#""tools":[{"type":"function","function":{"name":"a b"}}]"#),
            "Invalid 'tools[0].function.name': string does not match pattern.",
            json!("tools[0].function.name"),
            json!("invalid_value"),
        ),
        (
            with(r#""max_tokens":1,"max_completion_tokens":1"#),
            "Setting 'max_tokens' and",
            json!("max_tokens"),
            json!("invalid_parameter_combination"),
        ),
        (turns("[]"), "Invalid 'messages': empty array.", json!("messages"), json!("empty_array")),
        (
            turns(r#"[{"role":"robot","content":"x"}]"#),
            "Invalid value: 'robot'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
            json!("messages[0].role"),
            json!("invalid_value"),
        ),
        (
            turns(r#"[{"role":"user","content":7}]"#),
            "Invalid type for 'messages[0].content': expected one of a string or array of objects, but got an integer instead.",
            json!("messages[0].content"),
            json!("invalid_type"),
        ),
        (
            turns(r#"[{"role":"user","content":"x","mood":"good"}]"#),
            "Unknown parameter: 'messages[0].mood'.",
            json!("messages[0].mood"),
            json!("unknown_parameter"),
        ),
        (
            turns(r#"[{"role":"user","content":[{"type":"text"}]}]"#),
            "Missing required parameter: 'messages[0].content[0].text'.",
            json!("messages[0].content[0].text"),
            json!("missing_required_parameter"),
        ),
        (
            turns(r#"[{"role":"tool","tool_call_id":"x","content":"x"}]"#),
            "Invalid parameter: messages with role 'tool'",
            json!("messages.[0].role"),
            json!(null),
        ),
        (
            turns(
                r#"[{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"x"}]"#,
            ),
            "An assistant message with 'tool_calls' must be followed",
            json!("messages"),
            json!(null),
        ),
    ] {
        let reply = simulator.chat(&given);
        let error = &reply.json()["error"];
        assert_eq!(reply.status, 400, "{given}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{given}: {error}");
        assert_eq!((&error["type"], &error["param"], &error["code"]), (&json!("invalid_request_error"), &param, &code), "{given}");
    }
}

#[test]
fn every_documented_field_is_taken() {
    let simulator = Simulator::start();
    for fields in [
        r#""frequency_penalty":0.5,"presence_penalty":-1,"logit_bias":{"50256":-100},"logprobs":true,"top_logprobs":2,"n":1"#,
        r#""max_completion_tokens":10,"metadata":{"a":"b"},"modalities":["text"],"seed":-4,"service_tier":"auto","stop":["x"]"#,
        r#""store":false,"temperature":0.5,"top_p":1,"user":"u","safety_identifier":"s","prompt_cache_key":"k","verbosity":"low""#,
        r#""stop":null,"temperature":null,"max_tokens":null,"stream":false,"reasoning_effort":"low""#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"type":"object"}}}"#,
        r#""prediction":{"type":"content","content":"x"},"web_search_options":{}"#,
    ] {
        let reply = simulator.chat(&body(&format!(",{fields}")));
        assert_eq!(reply.status, 200, "{fields}: {}", reply.text());
    }
    let forced = format!(r#",{TOOLS},"parallel_tool_calls":false,"tool_choice":{{"type":"function","function":{{"name":"weather"}}}}"#);
    assert_eq!(simulator.chat(&body(&forced)).json()["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn the_key_is_checked_when_one_is_expected() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"api_key":"sk-right"}"#);
    for (header, status, code) in [
        ("x-none: 1", 401, json!(null)),
        ("authorization: Bearer sk-wrong-key-0000", 401, json!("invalid_api_key")),
        ("authorization: Basic sk-right", 401, json!(null)),
        ("authorization: Bearer sk-right", 200, json!(null)),
    ] {
        let reply = call(simulator.openai, "POST", "/v1/chat/completions", &["content-type: application/json", header], CHAT);
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (status, &code), "{header}");
        assert!(!reply.text().contains("sk-wrong-key-0000"));
    }
}

#[test]
fn other_paths_methods_and_content_types_are_refused() {
    let simulator = Simulator::start();
    assert_eq!(call(simulator.openai, "GET", "/v1/models", &[], "").json()["object"], "list");
    let reply = call(simulator.openai, "POST", "/v1/messages", &[], CHAT);
    assert_eq!((reply.status, reply.json()["error"]["message"].as_str()), (404, Some("Invalid URL (POST /v1/messages)")));
    assert_eq!(call(simulator.openai, "GET", "/v1/chat/completions", &[], "").status, 405);
    let reply = call(simulator.openai, "POST", "/v1/chat/completions", &["content-type: text/plain"], CHAT);
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (400, Some("unsupported_content_type")));
}
