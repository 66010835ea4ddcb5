//! Whose fault a refusal is decides who hears of it: the caller, the next candidate, or one with a
//! larger window.

use serde_json::{Value, json};

use super::fixture::{assert_error, body, document, gateway, good};
use super::host::{Answer, Gateway, KEY, Reply, Request};

fn ask(gateway: &mut Gateway, fallbacks: &[&str]) -> Answer {
    gateway.call(Request::chat(body(&format!(r#""model":"gpt-4o","route":{{"fallbacks":{}}}"#, json!(fallbacks)))))
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}}).to_string())
}

/// What `routing.attempts` says of each: outcome and class.
fn ends(answer: &Answer) -> Vec<(Value, Value)> {
    let routing = answer.routing();
    routing["attempts"].as_array().expect("attempts").iter().map(|a| (a["outcome"].clone(), a["error"].clone())).collect()
}

#[test]
fn what_is_not_the_callers_fault_is_left_for_the_next_candidate_whatever_its_status() {
    for (status, code, message, class) in [
        (400, "", "API key not valid. Please pass a valid API key.", "credentials"),
        (400, "", "Your credit balance is too low to access the API.", "credentials"),
        (401, "invalid_api_key", "Incorrect API key provided", "credentials"),
        (404, "model_not_found", "The model does not exist", "credentials"),
        (413, "rate_limit_exceeded", "Request too large for model on tokens per minute", "rate_limited"),
        (429, "rate_limit_exceeded", "Rate limit reached", "rate_limited"),
        (503, "", "overloaded", "overloaded"),
        (500, "", "oops", "unavailable"),
    ] {
        let mut gateway = gateway();
        gateway.will("openai", refusal(status, code, message)).will("groq", good(false));
        let answer = ask(&mut gateway, &["llama"]);
        assert_eq!(answer.status(), 200, "{status} {message}: {}", answer.text());
        assert_eq!(ends(&answer), [(json!("status"), json!(class)), (json!("ok"), Value::Null)], "{status} {message}");
    }
}

#[test]
fn the_callers_own_fault_and_the_policy_on_contents_end_the_call() {
    for (status, code, message, told) in [
        (400, "invalid_value", "Invalid value for messages[0].role", Some("invalid_value")),
        (422, "", "Input should be a valid string", None),
        (400, "content_policy_violation", "rejected by our safety system", Some("content_policy_violation")),
        (400, "", "Content Exists Risk", Some("content_filter")),
    ] {
        let mut gateway = gateway();
        gateway.will("openai", refusal(status, code, message));
        let answer = ask(&mut gateway, &["llama"]);
        let message = assert_error(&answer, 400, "invalid_request", told, None, message);
        assert!(message.starts_with("openai refused the request: "), "{message}");
    }
}

#[test]
fn a_conversation_that_is_too_long_goes_to_a_larger_window_and_to_no_other() {
    let too_long = || refusal(400, "context_length_exceeded", "This model's maximum context length is 128000 tokens.");
    let mut document = document();
    document["models"][0]["context_window"] = json!(200_000);
    let mut gateway = Gateway::start(&document);
    // Llama's window is not larger than that of gpt-4o.
    gateway
        .will("openai", too_long())
        .will("anthropic", Reply::json(529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#));
    let answer = ask(&mut gateway, &["llama", "claude-sonnet"]);
    assert_error(&answer, 503, "no_provider_available", None, None, "the larger one is overloaded");
    assert_eq!(ends(&answer), [(json!("status"), json!("context_too_long")), (json!("status"), json!("overloaded"))]);

    gateway.will("openai", too_long());
    let answer = ask(&mut gateway, &["llama"]);
    assert_error(&answer, 400, "invalid_request", Some("context_length_exceeded"), None, "no larger one is left");
}

#[test]
fn a_refusal_without_a_body_is_judged_by_its_status() {
    for (status, expected) in [(400, 400), (413, 400), (422, 400), (401, 200), (429, 200)] {
        let mut gateway = gateway();
        gateway.will("openai", Reply::of(status, "application/json", "")).will("groq", good(false));
        assert_eq!(ask(&mut gateway, &["llama"]).status(), expected, "{status}");
    }
}

#[test]
fn what_a_request_asks_too_much_of_does_not_speak_against_a_provider() {
    let too_long = || refusal(400, "context_length_exceeded", "This model's maximum context length is 128000 tokens.");
    for (reply, health) in [(too_long as fn() -> Reply, "healthy"), (|| refusal(500, "", "oops"), "down")] {
        let mut document = document();
        document["models"][0]["context_window"] = json!(200_000);
        let mut gateway = Gateway::start(&document);
        for _ in 0..3 {
            let busy = Reply::json(529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
            gateway.will("openai", reply()).will("anthropic", busy);
            ask(&mut gateway, &["claude-sonnet"]);
        }
        let answer = gateway.call(Request::new("GET", "/v1/models/gpt-4o").key(KEY));
        assert_eq!(answer.json()["health"], json!(health), "{}", answer.text());
    }
}
