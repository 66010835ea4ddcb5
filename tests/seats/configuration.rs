//! A plugin configuration that cannot be used is refused, and the log says where it is wrong.

use serde_json::{Value, json};

use super::fixture::{body, document, gateway};
use super::host::{configure, log};

/// Starts the router seat with the document after an edit; the log of its refusal.
fn refusal(edit: impl FnOnce(&mut Value)) -> String {
    let mut document = document();
    edit(&mut document);
    configure("router", document.to_string().as_bytes()).expect_err("refused").join("\n")
}

#[test]
fn a_router_seat_refuses_a_bad_document_and_names_the_path() {
    type Edit = fn(&mut Value);
    let cases: [(&str, Edit); 18] = [
        ("models[1].deployments[0].provider", |d| d["models"][1]["deployments"][0]["provider"] = json!("nobody")),
        ("models[0].capabilities[1]", |d| d["models"][0]["capabilities"][1] = json!("telepathy")),
        ("models[0].price", |d| drop(d["models"][0]["price"].take())),
        ("models[1].id", |d| d["models"][1]["id"] = json!("claude-sonnet")),
        ("models[2].quality.default", |d| d["models"][2]["quality"]["default"] = json!(1.5)),
        ("models[0].context_window", |d| d["models"][0]["context_window"] = json!(0)),
        ("models", |d| d["models"] = json!([])),
        ("providers.openai.protocol", |d| d["providers"]["openai"]["protocol"] = json!("smtp")),
        ("providers.openai.base_url", |d| d["providers"]["openai"]["base_url"] = json!("ftp://x")),
        ("providers.openai", |d| d["providers"]["openai"]["api_kee"] = json!("sk-1")),
        ("routing.max_attempts", |d| d["routing"]["max_attempts"] = json!(0)),
        ("routing.default_objective", |d| d["routing"]["default_objective"] = json!("speed")),
        ("workspaces[0].keys[0].sha256", |d| d["workspaces"][0]["keys"][0]["sha256"] = json!("6a1b")),
        ("workspaces[1].models[0]", |d| d["workspaces"][1]["models"][0] = json!("gpt-9")),
        ("workspaces[1].limits.burst", |d| d["workspaces"][1]["limits"] = json!({"burst": 1})),
        ("workspaces[1].keys[0].limits.tokens_per_minute", |d| {
            d["workspaces"][1]["keys"][0]["limits"] = json!({"tokens_per_minute": 0});
        }),
        ("workspaces[0].budget.usd", |d| d["workspaces"][0]["budget"] = json!({"usd": 0, "period": "day"})),
        ("workspaces[0].guardrails[0].detect", |d| {
            d["workspaces"][0]["guardrails"] = json!([{"name": "a", "detect": ["dna"], "on": ["input"], "action": "block"}]);
        }),
    ];
    for (path, edit) in cases {
        let log = refusal(edit);
        assert!(log.contains(&format!("{path}:")) || log.contains(&format!("{path}.")), "{path}: {log}");
    }
}

#[test]
fn a_seat_refuses_what_is_no_configuration() {
    let configurations: [&[u8]; 7] = [b"", b"{", b"null", b"[]", b"\xff", b"{\"provider\":1}", b"router"];
    for seat in ["router", "provider"] {
        for configuration in configurations {
            let log = configure(seat, configuration).expect_err("refused");
            assert_eq!(log.len(), 1, "{seat} {}: one sentence: {log:?}", configuration.escape_ascii());
        }
    }
}

#[test]
fn a_provider_seat_refuses_a_protocol_it_does_not_know() {
    let seat = json!({"provider": "openai", "protocol": "smtp", "authority": "x", "base_path": ""});
    let log = configure("provider", seat.to_string().as_bytes()).expect_err("refused").join("\n");
    assert!(log.contains("protocol"), "{log}");
}

#[test]
fn a_vm_that_is_neither_seat_is_refused() {
    for vm in ["", "Router", "downstream"] {
        let log = configure(vm, document().to_string().as_bytes()).expect_err("refused").join("\n");
        assert!(log.contains("router") && log.contains("provider"), "{vm}: {log}");
    }
}

#[test]
fn a_call_logs_neither_keys_nor_prompts() {
    let mut gateway = gateway();
    for text in [body(r#""model":"nothing""#), "{ hello".to_owned()] {
        gateway.call(super::host::Request::chat(text));
    }
    let log = log().join("\n");
    assert!(!log.contains("hello") && !log.contains(super::host::KEY), "{log}");
}
