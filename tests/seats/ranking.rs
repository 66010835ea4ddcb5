//! Who is asked first, and who next: the order of candidates as the providers see it.

use neural_router::host::SharedData;
use neural_router::vitals;
use serde_json::json;

use super::fixture::{body, document, gateway, good};
use super::host::{Gateway, Reply, Request, forget_shared_data, now_ms, pass_ms};

/// The models tried, when nobody answers.
fn tried(members: &str) -> Vec<String> {
    let mut gateway = gateway();
    for provider in ["openai", "anthropic", "groq"] {
        gateway.will(provider, Reply::json(500, "{}"));
    }
    let answer = gateway.call(Request::chat(body(members)));
    assert_eq!(answer.status(), 503, "{members}: {}", answer.text());
    answer.attempts().into_iter().map(|attempt| attempt.0).collect()
}

#[test]
fn the_objective_decides_the_order_of_auto() {
    for (objective, expected) in [("quality", ["claude-sonnet", "gpt-4o", "llama"]), ("cost", ["llama", "gpt-4o", "claude-sonnet"])] {
        assert_eq!(tried(&format!(r#""model":"auto","route":{{"objective":"{objective}"}}"#)), expected, "{objective}");
    }
}

#[test]
fn a_named_model_is_tried_alone_or_with_its_fallbacks_in_their_order() {
    for (members, expected) in [
        (r#""model":"gpt-4o""#, &["gpt-4o"][..]),
        (r#""model":"gpt-4o","route":{"fallbacks":[]}"#, &["gpt-4o"]),
        (r#""model":"gpt-4o","route":{"fallbacks":["llama","claude-sonnet"]}"#, &["gpt-4o", "llama", "claude-sonnet"]),
        (r#""model":"gpt-4o","route":{"fallbacks":["claude-sonnet","llama"],"objective":"cost"}"#, &["gpt-4o", "claude-sonnet", "llama"]),
        (r#""model":"gpt-4o","route":{"fallbacks":["gpt-4o","llama","llama"]}"#, &["gpt-4o", "llama"]),
    ] {
        assert_eq!(tried(members), expected, "{members}");
    }
}

#[test]
fn fallbacks_of_auto_come_after_the_first_choice_and_before_the_others() {
    for (fallbacks, expected) in
        [(r#"["gpt-4o"]"#, ["llama", "gpt-4o", "claude-sonnet"]), (r#"["claude-sonnet"]"#, ["llama", "claude-sonnet", "gpt-4o"])]
    {
        assert_eq!(tried(&format!(r#""model":"auto","route":{{"objective":"cost","fallbacks":{fallbacks}}}"#)), expected, "{fallbacks}");
    }
}

#[test]
fn a_model_that_lacks_a_capability_is_not_asked() {
    let schema = r#""response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}"#;
    assert_eq!(tried(&format!(r#""model":"auto","route":{{"objective":"cost"}},{schema}"#)), ["gpt-4o", "claude-sonnet"]);
}

#[test]
fn the_same_call_is_ranked_the_same_every_time() {
    let first = tried(r#""model":"auto""#);
    assert_eq!(first.len(), 3);
    for _ in 0..20 {
        assert_eq!(tried(r#""model":"auto""#), first);
    }
}

#[test]
fn whom_others_try_out_is_asked_last_and_the_figures_are_those_of_who_is_first() {
    forget_shared_data();
    let mut document = document();
    document["routing"]["adaptive"] = json!(true);
    let mut gateway = Gateway::start(&document);
    let known_by = [("anthropic", "claude-sonnet", "claude-sonnet-4-5"), ("openai", "gpt-4o", "gpt-4o-2024-11-20")];
    for (provider, model, _) in known_by {
        for _ in 0..vitals::DOWN {
            gateway.will(provider, Reply::json(500, "{}")).call(Request::chat(body(&format!(r#""model":"{model}""#))));
        }
    }
    pass_ms(1_100);
    let auto = |more: &str| Request::chat(body(&format!(r#""model":"auto","route":{{"objective":"quality","explain":true{more}}}"#)));
    let decided = gateway.call(auto(r#","dry_run":true"#)).json();
    assert_eq!(decided["routing"]["selected"], "claude-sonnet", "{decided}");
    // Behind the back of this worker, which knows what was so a moment ago.
    for (provider, _, deployment) in known_by {
        assert!(vitals::claim(&SharedData, &vitals::key(provider, deployment), 10_000, now_ms()));
    }
    let answer = gateway.will("groq", good(false)).call(auto(""));
    let routing = answer.json()["routing"].clone();
    let first: Vec<String> = answer.attempts().into_iter().map(|attempt| attempt.0).collect();
    assert_eq!(first, ["llama"], "{routing}");
    let row = routing["candidates"].as_array().expect("a table").iter().find(|row| row["model"] == "llama").cloned();
    assert_eq!(routing["estimated_cost_usd"], row.expect("its row")["c_usd"]);
}
