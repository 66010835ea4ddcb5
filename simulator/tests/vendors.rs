//! Vendors that speak OpenAI's protocol: what each does otherwise.

mod harness;

use std::net::SocketAddr;

use harness::{Reply, Simulator, call};
use serde_json::{Value, json};

/// A simulator with this vendor, and where it listens.
fn start(vendor: &str) -> (Simulator, SocketAddr) {
    let simulator = Simulator::start_with(&[&format!("vendor={vendor}@127.0.0.1:0")]);
    let address = simulator.others["vendor"];
    (simulator, address)
}

fn chat(to: SocketAddr, path: &str, headers: &[&str], fields: &str) -> Reply {
    let body = format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"hello"}}]{fields}}}"#);
    call(to, "POST", path, &[&["content-type: application/json"], headers].concat(), &body)
}

const STREAM: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;

#[test]
fn azure_has_deployments_a_version_and_a_header_of_its_own() {
    let (simulator, azure) = start("azure-openai");
    simulator.behaviour("vendor", r#"{"api_key":"secret"}"#);
    let path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21";
    for (path, header, status) in [
        (path, "api-key: secret", 200),
        (path, "authorization: Bearer secret", 401),
        ("/openai/deployments/gpt-4o/chat/completions", "api-key: secret", 404),
        ("/openai/deployments//chat/completions?api-version=1", "api-key: secret", 404),
        ("/v1/chat/completions?api-version=1", "api-key: secret", 404),
    ] {
        assert_eq!(chat(azure, path, &[header], "").status, status, "{path} {header}");
    }
    let events = chat(azure, path, &["api-key: secret"], STREAM).events();
    assert_eq!((&events[0]["choices"], events[0]["prompt_filter_results"][0]["prompt_index"].as_u64()), (&json!([]), Some(0)));
    assert_eq!(events[1]["choices"][0]["delta"]["role"], "assistant");
}

/// What a case looks at in `usage`.
type Read = fn(&Value) -> Value;

#[test]
fn usage_and_reasoning_have_the_vendors_form() {
    let cases: [(&str, &str, Option<&str>, Read, Value); 5] = [
        ("deepseek", "/v1", Some("reasoning_content"), |usage| usage["prompt_cache_hit_tokens"].clone(), json!(400)),
        ("xai", "/v1", Some("reasoning_content"), |usage| json!([usage["completion_tokens"], usage["total_tokens"]]), json!([20, 1050])),
        ("openrouter", "/api/v1", Some("reasoning"), |usage| json!(usage["cost"].is_number()), json!(true)),
        ("groq", "/openai/v1", Some("reasoning"), |usage| usage["completion_tokens"].clone(), json!(50)),
        ("perplexity", "", None, |usage| usage["total_tokens"].clone(), json!(1050)),
    ];
    for (vendor, base, reasoning, read, expected) in cases {
        let (simulator, address) = start(vendor);
        simulator.behaviour("vendor", r#"{"tokens":{"prompt":1000,"cached":400,"completion":50,"reasoning":30}}"#);
        let path = format!("{base}/chat/completions");
        let answer = chat(address, &path, &[], "").json();
        assert_eq!(read(&answer["usage"]), expected, "{vendor}");
        let events = chat(address, &path, &[], STREAM).events();
        assert_eq!(read(&events.last().expect("events")["usage"]), expected, "{vendor}");
        let told = |said: &Value| reasoning.is_some_and(|member| said[member] == "Let me think.");
        assert_eq!(told(&answer["choices"][0]["message"]), reasoning.is_some(), "{vendor}");
        assert_eq!(events.iter().any(|event| told(&event["choices"][0]["delta"])), reasoning.is_some(), "{vendor}");
        assert_eq!(events.iter().all(|event| event["usage"].is_object()), vendor == "perplexity", "{vendor}");
    }
}

#[test]
fn each_refuses_what_it_does_in_its_own_words() {
    for (vendor, path, fields, pointer, expected) in [
        ("groq", "/openai/v1/chat/completions", r#","logprobs":true"#, "/error/message", json!("property 'logprobs' is unsupported")),
        ("xai", "/v1/chat/completions", r#","stop":["x"]"#, "/error", json!("property 'stop' is unsupported")),
        ("perplexity", "/chat/completions", r#","tools":[]"#, "/error/type", json!("invalid_message")),
        ("openrouter", "/api/v1/chat/completions", r#","temperature":7"#, "/error/code", json!(400)),
    ] {
        let (_simulator, address) = start(vendor);
        let reply = chat(address, path, &[], fields);
        assert_eq!((reply.status, reply.json().pointer(pointer)), (400, Some(&expected)), "{vendor}: {}", reply.text());
        assert_eq!(chat(address, path, &[], "").status, 200, "{vendor}");
    }
}

#[test]
fn messages_are_taken_as_the_vendor_knows_them() {
    let (_simulator, deepseek) = start("deepseek");
    let post = |messages: &str| {
        let body = format!(r#"{{"model":"deepseek-chat","messages":[{messages}]}}"#);
        call(deepseek, "POST", "/v1/chat/completions", &["content-type: application/json"], &body).status
    };
    let user = r#"{"role":"user","content":"hello"}"#;
    assert_eq!(post(&format!(r#"{{"role":"assistant","content":"x","reasoning_content":"y"}},{user}"#)), 200);
    assert_eq!(post(&format!(r#"{{"role":"assistant","content":"x","thinking_blocks":[]}},{user}"#)), 400);
    assert_eq!(post(&format!(r#"{{"role":"developer","content":"x"}},{user}"#)), 400);
}
