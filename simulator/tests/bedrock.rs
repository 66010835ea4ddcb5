//! The Bedrock protocol: answers, event streams, and the provider's words for a request it refuses.

mod harness;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use flate2::Crc;
use harness::{Reply, call};
use serde_json::{Value, json};

const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0";
const TOOLS: &str = r#""tools":[{"toolSpec":{"name":"weather","inputSchema":{"json":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}}]"#;

/// A running simulator with the provider `bedrock`.
struct Simulator {
    child: Child,
    control: SocketAddr,
    bedrock: SocketAddr,
}

impl Simulator {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nr-simulator"))
            .args(["--control", "127.0.0.1:0", "--provider", "bedrock=bedrock@127.0.0.1:0", "--workers", "2"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("a ready line");
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let at = |value: &Value| value.as_str().expect("an address").parse().expect("an address");
        Self { control: at(&ready["control"]), bedrock: at(&ready["providers"]["bedrock"]), child }
    }

    fn put(&self, what: &str, value: &str) {
        let reply = call(self.control, "PUT", &format!("/providers/bedrock/{what}"), &[], value);
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    fn converse(&self, body: &str) -> Reply {
        call(self.bedrock, "POST", &format!("/model/{MODEL}/converse"), &["content-type: application/json"], body)
    }

    fn stream(&self, body: &str) -> Reply {
        call(self.bedrock, "POST", &format!("/model/{MODEL}/converse-stream"), &["content-type: application/json"], body)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The messages of a stream: type, name and payload; every checksum has to be right.
fn messages(mut bytes: &[u8]) -> Vec<(String, String, Value)> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"));
    let crc = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum()
    };
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (total, length) = (number(bytes) as usize, number(&bytes[4..]) as usize);
        assert_eq!(number(&bytes[8..]), crc(&bytes[..8]));
        let (message, rest) = bytes.split_at(total);
        bytes = rest;
        assert_eq!(number(&message[total - 4..]), crc(&message[..total - 4]));
        let (mut headers, payload) = message[12..total - 4].split_at(length);
        let (mut kind, mut name) = (String::new(), String::new());
        while !headers.is_empty() {
            let (key, rest) = headers[1..].split_at(usize::from(headers[0]));
            assert_eq!(rest[0], 7, "a string");
            let (value, rest) = rest[3..].split_at(usize::from(u16::from_be_bytes([rest[1], rest[2]])));
            headers = rest;
            let value = String::from_utf8(value.to_vec()).expect("UTF-8");
            match key {
                b":message-type" => kind = value,
                b":event-type" | b":exception-type" => name = value,
                _ => {}
            }
        }
        messages.push((kind, name, serde_json::from_slice(payload).expect("JSON")));
    }
    messages
}

fn body(fields: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":[{{"text":"hello"}}]}}]{fields}}}"#)
}

fn turns(turns: &str) -> String {
    format!(r#"{{"messages":{turns}}}"#)
}

#[test]
fn an_answer_has_the_documented_form() {
    let simulator = Simulator::start();
    let reply = simulator.converse(&body(""));
    let answer = reply.json();
    assert_eq!(answer["output"], json!({"message": {"role": "assistant", "content": [{"text": "This is a simulated answer."}]}}));
    assert_eq!((&answer["stopReason"], &answer["metrics"]["latencyMs"]), (&json!("end_turn"), &json!(551)));
    assert_eq!((&answer["usage"]["inputTokens"], &answer["usage"]["outputTokens"]), (&json!(6), &json!(7)));
    assert!(reply.header("x-amzn-requestid").is_some_and(|id| id.len() == 36));
}

#[test]
fn a_stream_has_the_documented_events_in_order() {
    let simulator = Simulator::start();
    let reply = simulator.stream(&body(""));
    assert_eq!(reply.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let messages = messages(&reply.body);
    assert!(messages.iter().all(|(kind, ..)| kind == "event"));
    let names: Vec<&str> = messages.iter().map(|(_, name, _)| name.as_str()).collect();
    let delta = "contentBlockDelta";
    assert_eq!(names, ["messageStart", delta, delta, delta, delta, delta, "contentBlockStop", "messageStop", "metadata"]);
    let said: String = messages[1..6].iter().map(|(.., payload)| payload["delta"]["text"].as_str().unwrap()).collect();
    assert_eq!((said.as_str(), &messages[7].2["stopReason"]), ("This is a simulated answer.", &json!("end_turn")));
    assert_eq!(messages[8].2["usage"]["outputTokens"], 7);
}

#[test]
fn usage_that_is_given_is_split_as_this_provider_does() {
    let simulator = Simulator::start();
    simulator.put("behaviour", r#"{"tokens":{"prompt":1000,"cached":400,"cache_write":100,"completion":50}}"#);
    let streamed = messages(&simulator.stream(&body("")).body).pop().expect("metadata").2;
    for usage in [&simulator.converse(&body("")).json()["usage"], &streamed["usage"]] {
        let expected =
            json!({"inputTokens":500,"cacheReadInputTokens":400,"cacheWriteInputTokens":100,"outputTokens":50,"totalTokens":1050});
        assert_eq!(*usage, expected);
    }
}

#[test]
fn tool_calls_are_answered_whole_and_streamed() {
    let simulator = Simulator::start();
    simulator.put("behaviour", r#"{"chunks":3,"tool_call_count":2}"#);
    let any = body(&format!(r#","toolConfig":{{{TOOLS},"toolChoice":{{"any":{{}}}}}}"#));
    let answer = simulator.converse(&any).json();
    let blocks = answer["output"]["message"]["content"].as_array().unwrap();
    assert_eq!((&answer["stopReason"], blocks.len(), &blocks[0]["toolUse"]["input"]), (&json!("tool_use"), 2, &json!({"city": "Paris"})));
    assert_ne!(blocks[0]["toolUse"]["toolUseId"], blocks[1]["toolUse"]["toolUseId"]);

    let one = r#","additionalModelRequestFields":{"tool_choice":{"type":"tool","name":"weather","disable_parallel_tool_use":true}}"#;
    let messages = messages(&simulator.stream(&body(&format!(r#","toolConfig":{{{TOOLS}}}{one}"#))).body);
    assert_eq!(messages[1].2["start"]["toolUse"]["name"], "weather");
    let input: String = messages[2..6].iter().map(|(.., payload)| payload["delta"]["toolUse"]["input"].as_str().unwrap()).collect();
    assert_eq!((input.as_str(), messages[7].2["stopReason"].as_str()), ("{\"city\":\"Paris\"}", Some("tool_use")));
}

#[test]
fn reasoning_limits_and_schemas_show_in_the_answer() {
    let simulator = Simulator::start();
    let thinking =
        r#","inferenceConfig":{"maxTokens":4000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}}"#;
    let content = simulator.converse(&body(thinking)).json()["output"]["message"]["content"].clone();
    assert!(content[0]["reasoningContent"]["reasoningText"]["signature"].is_string() && content[1]["text"].is_string(), "{content}");
    let deltas = messages(&simulator.stream(&body(thinking)).body);
    assert!(deltas[2].2["delta"]["reasoningContent"]["signature"].is_string());
    let limited = simulator.converse(&body(r#","inferenceConfig":{"maxTokens":2}"#)).json();
    assert_eq!((&limited["stopReason"], &limited["output"]["message"]["content"][0]["text"]), (&json!("max_tokens"), &json!("This is ")));
    let schema = r#","outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]}"}}}}"#;
    let text = simulator.converse(&body(schema)).json()["output"]["message"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(serde_json::from_str::<Value>(&text).is_ok_and(|value| value["n"].is_i64()), "{text}");
}

#[test]
fn an_error_inside_a_stream_is_an_exception() {
    let simulator = Simulator::start();
    simulator.put("fault", r#"{"kind":"sse_error_after_preamble","times":1}"#);
    let reply = simulator.stream(&body(""));
    let messages = messages(&reply.body);
    let kinds: Vec<(&str, &str)> = messages.iter().map(|(kind, name, _)| (kind.as_str(), name.as_str())).collect();
    assert_eq!((reply.status, kinds), (200, vec![("event", "messageStart"), ("exception", "throttlingException")]));
}

#[test]
fn a_request_off_the_schema_is_refused_in_the_words_of_the_provider() {
    let simulator = Simulator::start();
    let with = |fields: &str| body(&format!(",{fields}"));
    let call = r#"{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"weather","input":{}}}]}"#;
    let user = r#"{"role":"user","content":[{"text":"x"}]}"#;
    let config = format!(r#""toolConfig":{{{TOOLS}}}"#);
    for (given, message) in [
        ("{".to_owned(), "Malformed input request"),
        ("{}".to_owned(), "1 validation error detected: Value 'null' at 'messages'"),
        (with(r#""model":"m""#), "Unexpected field 'model'"),
        (with(r#""inferenceConfig":{"max_tokens":7}"#), "Unexpected field 'inferenceConfig.max_tokens'"),
        (
            with(r#""inferenceConfig":{"temperature":2}"#),
            "1 validation error detected: Value '2' at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less",
        ),
        (with(r#""system":[{"text":"x","cachePoint":{"type":"default"}}]"#), "The object at system.0 must set exactly one"),
        (turns(r#"[{"role":"assistant","content":[{"text":"x"}]}]"#), "A conversation must start with a user message."),
        (turns(&format!("[{user},{user}]")), "A conversation must alternate between user and assistant roles."),
        (turns(r#"[{"role":"user","content":[]}]"#), "The content field in the Message object at messages.0 is empty."),
        (
            turns(r#"[{"role":"user","content":[{"text":" "}]}]"#),
            "The text field in the ContentBlock object at messages.0.content.0 is blank.",
        ),
        (
            turns(r#"[{"role":"user","content":[{"document":{"format":"pdf","name":"d","source":{"bytes":"eA=="}}}]}]"#),
            "A text block must be included when using documents.",
        ),
        (
            turns(r#"[{"role":"user","content":[{"text":"x"},{"document":{"format":"pdf","name":"a.pdf","source":{"bytes":"eA=="}}}]}]"#),
            "The file name can only contain alphanumeric characters",
        ),
        (turns(&format!("[{user},{call},{user}]")), "The toolConfig field must be defined"),
        (
            format!(r#"{{{config},"messages":[{user},{call},{user}]}}"#),
            "Expected toolResult blocks at messages.2.content for the following Ids: t1",
        ),
        (
            format!(r#"{{{config},"messages":[{{"role":"user","content":[{{"toolResult":{{"toolUseId":"t9","content":[]}}}}]}}]}}"#),
            "The number of toolResult blocks at messages.0.content exceeds",
        ),
        (
            with(&format!(
                r#""toolConfig":{{{TOOLS},"toolChoice":{{"auto":{{}}}}}},"additionalModelRequestFields":{{"tool_choice":{{"type":"auto"}}}}"#
            )),
            "The model returned the following errors: tool_choice: conflicts",
        ),
        (
            with(
                r#""additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}},"inferenceConfig":{"maxTokens":1000}"#,
            ),
            "The model returned the following errors: `max_tokens` must be greater than `thinking.budget_tokens`.",
        ),
    ] {
        let reply = simulator.converse(&given);
        assert_eq!(reply.status, 400, "{given}: {}", reply.text());
        assert!(reply.header("x-amzn-errortype").is_some_and(|name| name.starts_with("ValidationException:")));
        assert!(reply.json()["message"].as_str().unwrap().starts_with(message), "{given}: {}", reply.text());
    }
}

#[test]
fn credentials_and_paths_are_checked() {
    let simulator = Simulator::start();
    simulator.put("behaviour", r#"{"api_key":"KEY"}"#);
    let path = format!("/model/{MODEL}/converse");
    let signed = |key: &str| {
        format!("authorization: AWS4-HMAC-SHA256 Credential={key}/20250101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0")
    };
    for (method, path, header, status, name) in [
        ("POST", path.as_str(), "x: y".to_owned(), 403, "MissingAuthenticationTokenException"),
        ("POST", &path, "authorization: Bearer other".to_owned(), 403, "AccessDeniedException"),
        ("POST", &path, signed("OTHER"), 403, "UnrecognizedClientException"),
        ("POST", "/model/a/b/converse", "x: y".to_owned(), 404, "UnknownOperationException"),
        ("POST", "/v1/messages", "x: y".to_owned(), 404, "UnknownOperationException"),
        ("GET", &path, "x: y".to_owned(), 405, "UnsupportedOperationException"),
    ] {
        let reply = call(simulator.bedrock, method, path, &[&header], &body(""));
        assert_eq!(reply.status, status, "{path} {header}: {}", reply.text());
        assert!(reply.header("x-amzn-errortype").is_some_and(|found| found.starts_with(name)), "{path} {header}");
    }
    for header in ["authorization: Bearer KEY".to_owned(), signed("KEY")] {
        assert_eq!(call(simulator.bedrock, "POST", &path, &[&header], &body("")).status, 200);
    }
}
