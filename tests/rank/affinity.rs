//! What keeps a conversation where it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::fixture::{config, document, hello, model, order, plan, row};

/// A turn of a conversation: the opening, so many turns of this many bytes, and what is said last.
fn turn(opening: &str, turns: usize, bytes: usize, latest: &str) -> Value {
    let mut messages = vec![json!({"role": "user", "content": opening})];
    for _ in 0..turns {
        messages.push(json!({"role": "assistant", "content": "a".repeat(bytes)}));
        messages.push(json!({"role": "user", "content": latest}));
    }
    json!(messages)
}

fn spread(deployments: &[&str]) -> Value {
    let mut shared = model("m", 0.8, 1.0, 1.0);
    shared["deployments"] = deployments.iter().map(|provider| json!({"provider": provider, "model": "m", "priority": 0})).collect();
    document(json!([shared]))
}

fn providers(document: &Value, messages: &Value) -> Vec<String> {
    let config = config(document);
    let plan = plan(&config, &hello(&json!({"messages": messages})));
    plan.candidates.iter().map(|candidate| candidate.provider.name.clone()).collect()
}

#[test]
fn deployments_of_one_priority_share_conversations_and_every_turn_stays() {
    let all = spread(&["one", "two", "three"]);
    let mut count = BTreeMap::new();
    for n in 0..120 {
        let opening = format!("question {n}");
        let first = providers(&all, &turn(&opening, 0, 0, ""));
        for turns in [1, 3] {
            assert_eq!(providers(&all, &turn(&opening, turns, 50, "and then?")), first, "{opening}");
        }
        *count.entry(first[0].clone()).or_insert(0) += 1;
    }
    assert!(count.len() == 3 && count.values().all(|share| (20..=60).contains(share)), "{count:?}");
}

#[test]
fn one_deployment_less_moves_only_its_own_conversations() {
    let (all, fewer) = (spread(&["one", "two", "three"]), spread(&["one", "three"]));
    for n in 0..60 {
        let messages = turn(&format!("question {n}"), 0, 0, "");
        let (before, after) = (providers(&all, &messages), providers(&fewer, &messages));
        let expected: Vec<_> = before.into_iter().filter(|provider| provider != "two").collect();
        assert_eq!(after, expected, "question {n}");
    }
}

#[test]
fn without_a_priority_deployments_are_tried_in_the_order_of_the_file() {
    let mut shared = model("m", 0.8, 1.0, 1.0);
    shared["deployments"] = json!([{"provider": "two", "model": "m"}, {"provider": "one", "model": "m"}]);
    let orders: BTreeSet<Vec<String>> =
        (0..20).map(|n| providers(&document(json!([shared])), &turn(&format!("question {n}"), 0, 0, ""))).collect();
    assert_eq!(orders.into_iter().collect::<Vec<_>>(), [["two", "one"]]);
}

/// `dear` is better and costs more the longer the prompt, unless it is cached.
fn two_models() -> Value {
    let mut dear = model("dear", 0.86, 3.0, 3.0);
    dear["price"]["cached_input_per_m"] = json!(0.1);
    document(json!([dear, model("cheap", 0.8, 0.3, 0.3)]))
}

fn first_of(document: &Value, messages: &Value) -> (String, String) {
    let config = config(document);
    let plan = plan(&config, &hello(&json!({"messages": messages, "max_tokens": 100, "route": {"task_class": "chat"}})));
    (order(&plan)[0].clone(), plan.reason)
}

#[test]
fn a_conversation_stays_at_home_while_the_cache_pays_for_it() {
    let document = two_models();
    assert_eq!(first_of(&document, &turn("hello", 0, 0, "")).0, "dear");
    let long = turn("hello", 1, 40_000, "go on");
    let (first, reason) = first_of(&document, &long);
    assert_eq!(first, "dear");
    assert!(reason.starts_with("the conversation began here"), "{reason}");
    // The same length in one message is nobody's old prompt.
    assert_eq!(first_of(&document, &turn(&"a".repeat(40_000), 0, 0, "")).0, "cheap");
}

#[test]
fn a_conversation_moves_where_staying_costs_more_than_it_saves() {
    let mut document = two_models();
    document["models"][0]["price"]["cached_input_per_m"] = json!(3.0);
    assert_eq!(first_of(&document, &turn("hello", 0, 0, "")).0, "dear");
    assert_eq!(first_of(&document, &turn("hello", 1, 40_000, "go on")).0, "cheap");
}

#[test]
fn the_saving_is_in_the_figures() {
    let config = config(&two_models());
    let messages = turn("hello", 1, 40_000, "go on");
    let plan = plan(&config, &hello(&json!({"messages": messages, "max_tokens": 100, "route": {"explain": true, "task_class": "chat"}})));
    let cost = row(&plan, "dear").figures.expect("eligible").cost.0;
    let (prompt, old): (u64, u64) = ((5 + 40_000 + 5) / 4 + 12, (5 + 40_000) / 4);
    assert_eq!(cost, prompt * 3_000 + 100 * 3_000 - old * 2_900 * 9 / 10);
}

#[test]
fn home_is_told_by_what_the_first_turn_had() {
    // With so many tools the first turn already is too long for `dear`.
    let tools = json!([{"type": "function", "function": {"name": "f", "description": "a".repeat(40_000)}}]);
    let config = config(&two_models());
    let first = |turns: usize| {
        let messages = turn("hello", turns, 10, "go on");
        let body = json!({"messages": messages, "max_tokens": 100, "tools": tools, "route": {"task_class": "chat"}});
        let plan = plan(&config, &hello(&body));
        (order(&plan)[0].clone(), plan.reason)
    };
    assert_eq!(first(0).0, "cheap");
    let (model, reason) = first(1);
    assert_eq!(model, "cheap");
    assert!(reason.starts_with("the conversation began here"), "{reason}");
}
