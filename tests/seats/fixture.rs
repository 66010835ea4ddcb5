//! The documents, requests and answers that the tests share.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::host::{Answer, Gateway, KEY, Reply};

/// Milliseconds of silence a streaming candidate is allowed in [`document`].
pub const FIRST_TOKEN_MS: u64 = 400;

/// Milliseconds a whole answer may take in [`document`].
pub const ANSWER_MS: u64 = 700;

/// Three chat models at three providers, and an embedding model; everything for the workspace `acme`.
pub fn document() -> Value {
    let every = ["tools", "parallel_tools", "vision", "json_object", "json_schema", "reasoning"];
    let model = |id: &str, provider: &str, name: &str, price: Value, capabilities: &[&str], quality: f64| {
        json!({
            "id": id, "provider_name": provider.to_uppercase(), "context_window": 128_000, "max_output_tokens": 4096, "price": price,
            "capabilities": capabilities, "quality": {"default": quality}, "latency": {"first_token_ms": 300, "tokens_per_second": 80},
            "deployments": [{"provider": provider, "model": name}],
        })
    };
    json!({
        "providers": {
            "openai": {"protocol": "openai", "base_url": "http://127.0.0.1:18001/v1", "api_key": {"env": "OPENAI_API_KEY"}},
            "anthropic": {"protocol": "anthropic", "base_url": "http://127.0.0.1:18002"},
            "groq": {"protocol": "groq"},
        },
        "models": [
            model("claude-sonnet", "anthropic", "claude-sonnet-4-5", json!({"input_per_m": 3.0, "output_per_m": 15.0}), &every, 0.86),
            model("gpt-4o", "openai", "gpt-4o-2024-11-20", json!({"input_per_m": 2.5, "output_per_m": 10.0}), &every, 0.84),
            model("llama", "groq", "llama-3.3-70b-versatile", json!({"input_per_m": 0.59, "output_per_m": 0.79}), &["tools", "json_object"], 0.76),
            {"id": "embed", "kind": "embedding", "provider_name": "OPENAI", "context_window": 8191, "price": {"input_per_m": 0.02},
             "quality": {"default": 0.6}, "deployments": [{"provider": "openai", "model": "text-embedding-3-small"}]},
        ],
        // What a provider did in one call of a test is nothing to the next, unless the test is about that.
        "routing": {"max_attempts": 3, "first_token_timeout_ms": FIRST_TOKEN_MS, "answer_timeout_ms": ANSWER_MS, "total_timeout_ms": 20_000, "adaptive": false},
        "workspaces": [
            {"id": "acme", "keys": [{"id": "laptop", "sha256": sha256(KEY)}], "models": ["*"]},
            {"id": "narrow", "keys": [{"id": "only", "sha256": sha256("nr-narrow")}], "models": ["gpt-4o"]},
        ],
    })
}

/// The filter with [`document`].
pub fn gateway() -> Gateway {
    Gateway::start(&document())
}

/// What the configuration holds of a key.
pub fn sha256(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A chat body with these members besides `messages`.
pub fn body(members: &str) -> String {
    format!(r#"{{{members},"messages":[{{"role":"user","content":"Say hello to café 😀."}}]}}"#)
}

/// An OpenAI answer with this text.
pub fn completion(text: &str) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4o-2024-11-20",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}, "system_fingerprint": "fp_1",
    })
    .to_string()
}

/// An OpenAI stream with these pieces of text, ended properly.
pub fn chunks(texts: &[&str]) -> String {
    let chunk = |choices: Value, usage: Value| json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o-2024-11-20", "choices": choices, "usage": usage});
    let delta = |delta: Value, finish: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null);
    let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    chunks.extend(texts.iter().map(|text| delta(json!({"content": text}), Value::Null)));
    chunks.push(delta(json!({}), json!("stop")));
    chunks.push(chunk(json!([]), json!({"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15})));
    let events = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect::<String>();
    events + "data: [DONE]\n\n"
}

/// The first events of [`chunks`]: the role, then so many pieces of text.
pub fn chunks_cut_after(texts: &[&str], count: usize) -> String {
    chunks(texts).split_inclusive("\n\n").take(1 + count).collect()
}

/// A good answer of an OpenAI-protocol provider.
pub fn good(stream: bool) -> Reply {
    if stream { Reply::stream(chunks(&["Hel", "lo."])) } else { Reply::json(200, completion("Hello.")) }
}

/// The text of a streamed answer.
pub fn streamed_text(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

/// Asserts that the client got an error in OpenAI's form, and returns its message.
pub fn assert_error(answer: &Answer, status: u16, kind: &str, code: Option<&str>, param: Option<&str>, case: &str) -> String {
    let text = answer.text();
    assert_eq!(answer.status(), status, "{case}: {text}");
    assert_eq!(answer.headers.text("content-type"), Some("application/json"), "{case}");
    let error = &answer.json()["error"];
    assert_eq!((error["type"].as_str(), error["code"].as_str(), error["param"].as_str()), (Some(kind), code, param), "{case}: {text}");
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    assert!(!message.is_empty(), "{case}: {text}");
    message
}
