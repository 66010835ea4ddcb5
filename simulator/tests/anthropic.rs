//! The Anthropic protocol: answers, streams, and the provider's words for a request it refuses.

mod harness;

use harness::{MESSAGE, MESSAGE_STREAM, Simulator, call};
use serde_json::{Value, json};

const TOOLS: &str =
    r#""tools":[{"name":"weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]"#;

fn body(fields: &str) -> String {
    format!(r#"{{"model":"claude-sonnet-4-5","max_tokens":100,"messages":[{{"role":"user","content":"hello"}}]{fields}}}"#)
}

fn turns(turns: &str) -> String {
    format!(r#"{{"model":"claude-sonnet-4-5","max_tokens":100,"messages":{turns}}}"#)
}

#[test]
fn an_answer_has_the_documented_form() {
    let simulator = Simulator::start();
    let reply = simulator.message(MESSAGE);
    let answer = reply.json();
    assert!(answer["id"].as_str().unwrap().starts_with("msg_01"));
    assert_eq!((&answer["type"], &answer["role"], &answer["model"]), (&json!("message"), &json!("assistant"), &json!("claude-sonnet-4-5")));
    assert_eq!(answer["content"], json!([{"type":"text","text":"This is a simulated answer."}]));
    assert_eq!((&answer["stop_reason"], &answer["stop_sequence"]), (&json!("end_turn"), &Value::Null));
    assert_eq!((&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]), (&json!(6), &json!(7)));
    for name in ["request-id", "anthropic-organization-id", "anthropic-ratelimit-requests-reset", "cf-ray", "set-cookie"] {
        assert!(reply.header(name).is_some(), "{name}");
    }
}

#[test]
fn usage_that_is_given_is_split_as_this_provider_does() {
    let simulator = Simulator::start();
    simulator.behaviour("anthropic", r#"{"tokens":{"prompt":1000,"cached":400,"cache_write":100,"completion":50}}"#);
    for usage in [simulator.message(MESSAGE).json()["usage"].clone(), simulator.message(MESSAGE_STREAM).events()[9]["usage"].clone()] {
        assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(500), &json!(50)));
        assert_eq!((&usage["cache_read_input_tokens"], &usage["cache_creation_input_tokens"]), (&json!(400), &json!(100)));
    }
}

#[test]
fn a_stream_has_the_documented_events_in_order() {
    let simulator = Simulator::start();
    let reply = simulator.message(MESSAGE_STREAM);
    let text = reply.text();
    let named: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let delta = "content_block_delta";
    assert_eq!(
        named,
        [
            "message_start",
            "content_block_start",
            "ping",
            delta,
            delta,
            delta,
            delta,
            delta,
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let events = reply.events();
    assert!(events.iter().zip(&named).all(|(event, name)| event["type"] == *name));
    assert_eq!((&events[0]["message"]["content"], &events[0]["message"]["usage"]["output_tokens"]), (&json!([]), &json!(1)));
    assert_eq!(events[1]["content_block"], json!({"type":"text","text":""}));
    let said: String = events[3..8].iter().map(|event| event["delta"]["text"].as_str().unwrap()).collect();
    assert_eq!(said, "This is a simulated answer.");
    assert_eq!(events[9]["delta"], json!({"stop_reason":"end_turn","stop_sequence":null}));
    assert_eq!((&events[9]["usage"]["input_tokens"], &events[9]["usage"]["output_tokens"]), (&json!(6), &json!(7)));
}

#[test]
fn a_tool_call_is_answered_whole_and_streamed() {
    let simulator = Simulator::start();
    simulator.behaviour("anthropic", r#"{"chunks":3,"tool_call_count":2}"#);
    let answer = simulator.message(&body(&format!(r#",{TOOLS},"tool_choice":{{"type":"any"}}"#))).json();
    assert_eq!(answer["stop_reason"], "tool_use");
    let blocks = answer["content"].as_array().unwrap();
    assert_eq!((blocks.len(), &blocks[0]["type"], &blocks[0]["input"]), (2, &json!("tool_use"), &json!({"city":"Paris"})));
    assert_ne!(blocks[0]["id"], blocks[1]["id"]);

    let one = format!(r#",{TOOLS},"tool_choice":{{"type":"tool","name":"weather","disable_parallel_tool_use":true}},"stream":true"#);
    let events = simulator.message(&body(&one)).events();
    assert_eq!((&events[1]["content_block"]["name"], &events[1]["content_block"]["input"]), (&json!("weather"), &json!({})));
    assert_eq!(events[3]["delta"], json!({"type":"input_json_delta","partial_json":""}));
    let input: String = events[3..7].iter().map(|event| event["delta"]["partial_json"].as_str().unwrap()).collect();
    assert_eq!(input, "{\"city\":\"Paris\"}");
    assert_eq!(events[8]["delta"]["stop_reason"], "tool_use");
}

#[test]
fn a_tool_result_is_answered_with_text() {
    let simulator = Simulator::start();
    simulator.behaviour("anthropic", r#"{"tool_calls":true}"#);
    let given = format!(
        r#"{{"model":"m","max_tokens":9,{TOOLS},"messages":[{{"role":"user","content":"hi"}},
        {{"role":"assistant","content":[{{"type":"tool_use","id":"toolu_1","name":"weather","input":{{}}}}]}},
        {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"}}]}}]}}"#
    );
    let reply = simulator.message(&given);
    assert_eq!(reply.json()["stop_reason"], "end_turn", "{}", reply.text());
}

#[test]
fn limits_stop_sequences_and_thinking_show_in_the_answer() {
    let simulator = Simulator::start();
    let limited = simulator.message(r#"{"model":"m","max_tokens":2,"messages":[{"role":"user","content":"x"}]}"#).json();
    assert_eq!((&limited["stop_reason"], &limited["content"][0]["text"]), (&json!("max_tokens"), &json!("This is ")));
    let stopped = simulator.message(&body(r#","stop_sequences":[" simulated"]"#)).json();
    assert_eq!((&stopped["stop_reason"], &stopped["stop_sequence"]), (&json!("stop_sequence"), &json!(" simulated")));
    let fields = r#","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":1024}"#;
    let thought = simulator.message(&body(fields).replacen(r#""max_tokens":100,"#, "", 1)).json();
    assert_eq!((&thought["content"][0]["type"], &thought["content"][1]["type"]), (&json!("thinking"), &json!("text")));
}

#[test]
fn turns_of_one_role_in_a_row_are_taken() {
    let simulator = Simulator::start();
    let reply = simulator.message(&turns(
        r#"[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]},{"role":"assistant","content":"c"}]"#,
    ));
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[test]
fn a_request_off_the_schema_is_refused_in_the_words_of_the_provider() {
    let simulator = Simulator::start();
    let with = |fields: &str| body(&format!(",{fields}"));
    let call = r#"{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]}"#;
    for (given, message) in [
        ("{".to_owned(), "The request body is not valid JSON"),
        (r#"{"model":"m","max_tokens":1}"#.to_owned(), "messages: Field required"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#.to_owned(), "max_tokens: Field required"),
        (with(r#""route":1"#), "route: Extra inputs are not permitted"),
        (with(r#""temperature":2"#), "temperature: Input should be less than or equal to 1"),
        (with(r#""stream":"yes""#), "stream: Input should be a valid boolean"),
        (with(r#""temperature":1,"top_p":0.5"#), "`temperature` and `top_p` cannot both be specified for this model. Please use only one."),
        (with(r#""tools":[{"name":"f"}]"#), "tools.0.custom.input_schema: Field required"),
        (with(r#""tools":[{"name":"f","input_schema":{}}]"#), "tools.0.custom.input_schema.type: Field required"),
        (
            with(r#""tools":[{"name":"f","input_schema":{"type":"object"},"parameters":{}}]"#),
            "tools.0.custom.parameters: Extra inputs are not permitted",
        ),
        (with(r#""tool_choice":{"type":"auto"}"#), "tool_choice may only be specified while providing tools."),
        (
            with(r#""tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"required"}"#),
            "tool_choice: Input tag 'required' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'",
        ),
        (
            with(r#""tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"g"}"#),
            "Tool 'g' not found in provided tools",
        ),
        (with(r#""thinking":{"type":"enabled","budget_tokens":1024}"#), "`max_tokens` must be greater than `thinking.budget_tokens`."),
        (turns("[]"), "messages: at least one message is required"),
        (turns(r#"[{"role":"system","content":"x"}]"#), "messages.0.role: Input should be 'user' or 'assistant'"),
        (turns(r#"[{"role":"assistant","content":"x"}]"#), "messages: first message must use the \"user\" role"),
        (turns(r#"[{"role":"user","content":""}]"#), "messages.0: all messages must have non-empty content"),
        (turns(r#"[{"role":"user","content":[{"type":"text","text":""}]}]"#), "messages: text content blocks must be non-empty"),
        (
            turns(r#"[{"role":"user","content":"x"},{"role":"assistant","content":"y "}]"#),
            "messages: final assistant content cannot end with trailing whitespace",
        ),
        (
            turns(r#"[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}]"#),
            "messages.0.content.0: Input tag 'image_url' found using 'type'",
        ),
        (
            turns(r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_9"}]}]"#),
            "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_9.",
        ),
        (
            turns(&format!(r#"[{{"role":"user","content":"x"}},{call}]"#)),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1.",
        ),
        (
            turns(&format!(r#"[{{"role":"user","content":"x"}},{call},{{"role":"user","content":"y"}}]"#)),
            "messages.1: `tool_use` ids were found",
        ),
    ] {
        let reply = simulator.message(&given);
        let answer = reply.json();
        assert_eq!(
            (reply.status, &answer["type"], &answer["error"]["type"]),
            (400, &json!("error"), &json!("invalid_request_error")),
            "{given}"
        );
        assert!(answer["error"]["message"].as_str().unwrap().starts_with(message), "{given}: {answer}");
        assert_eq!(answer["request_id"].as_str(), reply.header("request-id"));
    }
}

#[test]
fn headers_and_paths_are_checked() {
    let simulator = Simulator::start();
    simulator.behaviour("anthropic", r#"{"api_key":"sk-ant"}"#);
    let version = "anthropic-version: 2023-06-01";
    for (method, path, headers, status, message) in [
        ("POST", "/v1/messages", &[version][..], 401, "x-api-key header is required"),
        ("POST", "/v1/messages", &[version, "x-api-key: other"], 401, "invalid x-api-key"),
        ("POST", "/v1/messages", &["x-api-key: sk-ant"], 400, "anthropic-version: header is required"),
        ("POST", "/v1/messages", &["x-api-key: sk-ant", "anthropic-version: 7"], 400, "anthropic-version: \"7\" is not a valid version"),
        ("POST", "/v1/chat/completions", &[version], 404, "Not Found"),
        ("GET", "/v1/messages", &[version], 405, "Method Not Allowed"),
    ] {
        let reply = call(simulator.anthropic, method, path, headers, MESSAGE);
        assert_eq!((reply.status, reply.json()["error"]["message"].as_str()), (status, Some(message)));
    }
    assert_eq!(call(simulator.anthropic, "POST", "/v1/messages", &[version, "x-api-key: sk-ant"], MESSAGE).status, 200);
}

#[test]
fn thoughts_are_signed_and_come_back_as_they_were() {
    let simulator = Simulator::start();
    let first = |more: &str| {
        format!(
            r#"{{"model":"claude-sonnet-4-5","max_tokens":4000,"thinking":{{"type":"enabled","budget_tokens":1024{more}}},{TOOLS},
            "messages":[{{"role":"user","content":"hi"}}]}}"#
        )
    };
    simulator.behaviour("anthropic", r#"{"tool_calls":true}"#);
    let answer = simulator.message(&first("")).json();
    let (thought, call) = (answer["content"][0].clone(), answer["content"][1].clone());
    assert_eq!((&thought["type"], &call["type"]), (&json!("thinking"), &json!("tool_use")));
    let omitted = simulator.message(&first(r#","display":"omitted""#)).json();
    assert_eq!((&omitted["content"][0]["thinking"], &omitted["content"][0]["signature"]), (&json!(""), &thought["signature"]));

    let next = |blocks: &[&Value]| {
        let result = json!([{"type":"tool_result","tool_use_id":call["id"],"content":"sunny"}]);
        let messages = json!([{"role":"user","content":"hi"},{"role":"assistant","content":blocks},{"role":"user","content":result}]);
        let head = r#"{"model":"claude-sonnet-4-5","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":1024}"#;
        simulator.message(&format!(r#"{head},{TOOLS},"messages":{messages}}}"#))
    };
    let with = |name: &str, value: &str| {
        let mut changed = thought.clone();
        changed[name] = json!(value);
        changed
    };
    for (blocks, status, message) in [
        (&[&thought, &call][..], 200, ""),
        (&[&with("thinking", ""), &call], 200, ""),
        (&[&with("thinking", "else"), &call], 400, "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (&[&with("signature", "c2ln"), &call], 400, "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (&[&thought, &call, &thought], 400, "messages.1: The final block in an assistant message cannot be `thinking`."),
        (&[&call], 400, "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."),
    ] {
        let reply = next(blocks);
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(reply.json()["error"]["message"].as_str().unwrap_or_default().starts_with(message), "{}", reply.text());
    }
}

#[test]
fn what_a_model_or_a_version_does_not_take_is_refused() {
    let simulator = Simulator::start();
    let of = |model: &str, fields: &str| body(fields).replace("claude-sonnet-4-5", model);
    let tool = r#","tools":[{"name":"f","strict":true,"input_schema":{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"additionalProperties":false}}]"#;
    let choice = r#","tools":[{"name":"f","input_schema":{"type":"object","anyOf":[]}}]"#;
    let format = |schema: &str| format!(r#","output_config":{{"format":{{"type":"json_schema","schema":{schema}}}}}"#);
    let budget = r#","thinking":{"type":"enabled","budget_tokens":1024}"#;
    for (given, message) in [
        (of("claude-opus-5-5", &format!(r#",{TOOLS},"tool_choice":{{"type":"any"}}"#)), "tool_choice: type \"tool\" and \"any\" are not"),
        (of("claude-opus-4-7", budget).replace(":100", ":4000"), "\"thinking.type.enabled\" is not supported for this model."),
        (of("claude-fable-5", r#","thinking":{"type":"disabled"}"#), "\"thinking.type.disabled\" is not supported for this model."),
        (of("claude-sonnet-4-5", r#","thinking":{"type":"adaptive"}"#), "adaptive thinking is not supported on this model"),
        (of("claude-opus-5", r#","temperature":1"#), "`temperature`, `top_p` and `top_k` are not supported for this model."),
        (
            turns(r#"[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]"#).replace("sonnet-4-5", "opus-4-6"),
            "This model does not support assistant message prefill.",
        ),
        (body(tool), "tools.0.custom: For 'integer' type, property 'minimum' is not supported"),
        (body(choice), "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"),
        (body(&format(r#"{"type":"object"}"#)), "output_config.format.schema: For 'object' type, 'additionalProperties' must be"),
        (body(&format(r#"{"type":"string","pattern":"x","maxLength":1}"#)), "output_config.format.schema: For 'string' type, properties"),
    ] {
        let reply = simulator.message(&given);
        assert_eq!(reply.status, 400, "{given}");
        assert!(reply.json()["error"]["message"].as_str().unwrap().starts_with(message), "{given}: {}", reply.text());
    }
    let newest = ["anthropic-version: 2026-10-21", "authorization: Bearer k"];
    let sampled = call(simulator.anthropic, "POST", "/v1/messages", &newest, &body(r#","temperature":1"#));
    assert_eq!((sampled.status, &sampled.json()["error"]["message"]), (400, &json!("temperature: Extra inputs are not permitted")));
    assert_eq!(call(simulator.anthropic, "POST", "/v1/messages", &newest, MESSAGE).status, 200);
}

#[test]
fn results_of_tools_come_before_anything_else() {
    let simulator = Simulator::start();
    let call = r#"{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"toolu_1","content":"x"}"#;
    let text = r#"{"type":"text","text":"y"}"#;
    let of = |first: &str, second: &str| {
        turns(&format!(r#"[{{"role":"user","content":"x"}},{call},{{"role":"user","content":[{first},{second}]}}]"#))
    };
    assert_eq!(simulator.message(&of(result, text)).status, 200);
    assert_eq!(simulator.message(&of(text, result)).status, 400);
}
