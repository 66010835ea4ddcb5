//! Who is first for which objective.

use serde_json::{Value, json};

use super::fixture::{config, document, hello, model, order, plan, row};

fn with(models: Value, routing: Value) -> Value {
    let mut document = document(models);
    document["routing"] = routing;
    document
}

fn ranked(document: &Value, objective: &str) -> Vec<String> {
    order(&plan(&config(document), &hello(&json!({"max_tokens": 1000, "route": {"objective": objective, "explain": true}}))))
}

#[test]
fn qualities_within_a_hundredth_are_the_same_and_the_cheaper_comes_first() {
    let models = json!([
        model("best", 0.90, 3.0, 15.0),
        model("near", 0.895, 1.0, 5.0),
        model("far", 0.88, 0.1, 0.1),
        model("close", 0.875, 0.01, 0.01)
    ]);
    assert_eq!(ranked(&document(models), "quality"), ["near", "best", "close", "far"]);
}

#[test]
fn cost_and_latency_take_nobody_below_the_floor_of_the_class() {
    let models = json!([model("dear", 0.9, 3.0, 15.0), model("fair", 0.6, 1.0, 2.0), model("poor", 0.4, 0.1, 0.1)]);
    for (floor, objective, expected) in [
        (json!({}), "cost", ["fair", "dear", "poor"]),
        (json!({"default": 0.0}), "cost", ["poor", "fair", "dear"]),
        (json!({"default": 0.7}), "cost", ["dear", "fair", "poor"]),
        (json!({"default": 0.0, "chat": 0.7}), "cost", ["dear", "fair", "poor"]),
        (json!({"default": 0.7, "code": 0.0}), "cost", ["dear", "fair", "poor"]),
        // Where nobody reaches it, the best is still an answer.
        (json!({"default": 1.0}), "cost", ["dear", "fair", "poor"]),
        (json!({"default": 0.7}), "latency", ["dear", "fair", "poor"]),
    ] {
        let document = with(models.clone(), json!({"quality_floor": floor}));
        let body = hello(&json!({"max_tokens": 1000, "route": {"objective": objective, "task_class": "chat"}}));
        assert_eq!(order(&plan(&config(&document), &body)), expected, "{floor} {objective}");
    }
}

#[test]
fn quality_per_dollar_is_its_formula_with_the_workspaces_constants() {
    let models = json!([model("best", 0.9, 3.0, 15.0), model("fair", 0.8, 0.5, 1.0), model("poor", 0.7, 0.1, 0.1)]);
    for (constants, lambda, delta, c0_usd) in [
        (json!({}), 0.05, 0.15, 0.001),
        (json!({"lambda": 0.0}), 0.0, 0.15, 0.001),
        (json!({"lambda": 0.2, "delta": 1.0}), 0.2, 1.0, 0.001),
        (json!({"c0_usd": 1.0}), 0.05, 0.15, 1.0),
    ] {
        for own in [false, true] {
            let mut document = document(models.clone());
            match own {
                true => document["workspaces"][0]["routing"] = json!({"quality_per_dollar": constants}),
                false => document["routing"] = json!({"quality_per_dollar": constants}),
            }
            let config = config(&document);
            let plan = plan(&config, &hello(&json!({"max_tokens": 1000, "route": {"explain": true}})));
            for (id, quality) in [("best", 0.9), ("fair", 0.8), ("poor", 0.7)] {
                let figures = row(&plan, id).figures.expect("eligible");
                let usd = figures.cost.0 as f64 / 1e9;
                let score: f64 = quality - lambda * (1.0 + usd / c0_usd).ln();
                match figures.score {
                    Some(found) => assert!((found - score).abs() < 1e-12, "{constants} {id}: {found} {score}"),
                    None => assert!(quality < 0.9 - delta, "{constants} {id}"),
                }
            }
            let scores: Vec<f64> = plan.table.iter().map(|row| row.figures.expect("eligible").score.unwrap_or(f64::NEG_INFINITY)).collect();
            assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        }
    }
}

#[test]
fn a_workspace_keeps_what_it_does_not_say() {
    let models = json!([model("best", 0.9, 3.0, 15.0), model("fair", 0.8, 0.5, 1.0)]);
    let mut document = with(models, json!({"quality_floor": {"default": 0.0, "code": 0.85}, "quality_per_dollar": {"lambda": 1.0}}));
    document["workspaces"][0]["routing"] = json!({"quality_floor": {"code": 0.1}, "quality_per_dollar": {"delta": 0.01}});
    let config = config(&document);
    let preferences = &config.workspaces.get(config.workspaces.keys().next().expect("a key").workspace).expect("a workspace").preferences;
    assert_eq!((preferences.quality_per_dollar.lambda, preferences.quality_per_dollar.delta), (1.0, 0.01));
    let floor = |name| preferences.floor(neural_router::config::TaskClass::parse(name).expect("a class"));
    assert_eq!((floor("code"), floor("chat")), (0.1, 0.0));
}

#[test]
fn fallbacks_come_after_the_first_choice_and_a_model_by_its_id_before_everything() {
    let models = json!([model("a", 0.9, 3.0, 15.0), model("b", 0.8, 0.5, 1.0), model("c", 0.7, 0.1, 0.1)]);
    let config = config(&document(models));
    for (body, expected) in [
        (json!({"route": {"objective": "quality"}}), vec!["a", "b", "c"]),
        (json!({"route": {"objective": "quality", "fallbacks": ["c"]}}), vec!["a", "c", "b"]),
        (json!({"model": "c"}), vec!["c"]),
        (json!({"model": "c", "route": {"fallbacks": ["a", "c"]}}), vec!["c", "a"]),
    ] {
        assert_eq!(order(&plan(&config, &hello(&body))), expected, "{body}");
    }
}
