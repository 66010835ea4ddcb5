//! q, c and L of a model for a call.

use serde_json::json;

use super::fixture::{config, document, hello, model, plan, row};

#[test]
fn quality_is_drawn_towards_the_default_and_less_on_hard_prompts() {
    let mut known = model("known", 0.8, 1.0, 1.0);
    known["quality"]["code"] = json!(0.9);
    let mut touchy = model("touchy", 0.8, 1.0, 1.0);
    touchy["sensitivity"] = json!(1.0);
    let config = config(&document(json!([known, touchy])));
    let quality = |class: &str, id: &str| {
        let plan = plan(&config, &hello(&json!({"route": {"task_class": class, "explain": true}})));
        (row(&plan, id).figures.expect("eligible").quality, plan.difficulty)
    };
    assert!((quality("code", "known").0 - 0.88).abs() < 1e-12);
    assert!((quality("math", "known").0 - 0.8).abs() < 1e-12);
    let (found, difficulty) = quality("math", "touchy");
    assert!((found - (0.8 - 0.5 * difficulty.min(0.6))).abs() < 1e-12, "{found} {difficulty}");
}

#[test]
fn cost_is_the_prompt_and_the_answer_that_is_expected() {
    let config = config(&document(json!([model("m", 0.8, 2.0, 10.0)])));
    // ⌊10 ÷ 4⌋ + 4 tokens of prompt.
    for (body, answer_tokens) in [
        (json!({}), 500),
        (json!({"max_tokens": 80}), 80),
        (json!({"max_tokens": 99_000}), 10_000),
        (json!({"max_tokens": 80, "n": 3}), 240),
        (json!({"max_completion_tokens": 7}), 7),
    ] {
        let plan = plan(&config, &hello(&body));
        assert_eq!(plan.estimated_cost.0, 6 * 2_000 + answer_tokens * 10_000, "{body}");
    }
}

#[test]
fn latency_is_the_first_token_and_the_answer_at_the_speed_of_the_fastest_deployment() {
    let mut slow = model("m", 0.8, 2.0, 10.0);
    slow["deployments"] = json!([
        {"provider": "one", "model": "m", "latency": {"first_token_ms": 900.0, "tokens_per_second": 10.0}},
        {"provider": "two", "model": "m", "latency": {"first_token_ms": 500.0, "tokens_per_second": 100.0}},
    ]);
    let config = config(&document(json!([slow, model("unknown", 0.8, 2.0, 10.0)])));
    let plan = plan(&config, &hello(&json!({"max_tokens": 200, "route": {"explain": true}})));
    let latency = |id: &str| row(&plan, id).figures.expect("eligible").latency_ms;
    assert!((latency("m") - 2_500.0).abs() < 1e-9);
    assert!((latency("unknown") - (800.0 + 200.0 / 60.0 * 1000.0)).abs() < 1e-9);
}

#[test]
fn who_cannot_is_in_the_table_with_the_reason() {
    let mut small = model("small", 0.8, 1.0, 1.0);
    small["context_window"] = json!(100);
    small["max_output_tokens"] = json!(50);
    let mut plain = model("plain", 0.8, 1.0, 1.0);
    plain["capabilities"] = json!([]);
    let config = config(&document(json!([small, plain, model("able", 0.8, 1.0, 1.0)])));
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let long = json!([{"role": "user", "content": "x".repeat(4000)}]);
    let plan = plan(&config, &hello(&json!({"messages": long, "tools": tools, "route": {"explain": true}})));
    let excluded = |id: &str| row(&plan, id).excluded.as_ref().map(|excluded| excluded.reason());
    assert_eq!(excluded("able"), None);
    assert_eq!(excluded("plain").as_deref(), Some("lacks tools"));
    assert!(excluded("small").is_some_and(|reason| reason.contains("holds 100")));
}

#[test]
fn where_all_are_too_slow_the_fastest_is_first_with_the_other_deployments_of_its_model() {
    let mut twice = model("twice", 0.8, 1.0, 1.0);
    let at = |provider: &str, ms: f64| json!({"provider": provider, "model": "m", "latency": {"first_token_ms": ms, "tokens_per_second": 100.0}});
    twice["deployments"] = json!([at("one", 9_000.0), at("two", 300.0)]);
    let mut once = model("once", 0.9, 1.0, 1.0);
    once["deployments"] = json!([at("three", 500.0)]);
    let config = config(&document(json!([once, twice])));
    let plan = plan(&config, &hello(&json!({"route": {"max_latency_ms": 1}})));
    let providers: Vec<&str> = plan.candidates.iter().map(|candidate| candidate.provider.name.as_str()).collect();
    assert_eq!(providers, ["two", "one", "three"]);
    assert!(plan.reason.ends_with("twice is the least bad"), "{}", plan.reason);
}
