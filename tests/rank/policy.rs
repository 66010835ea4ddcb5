//! The name of a policy.

use serde_json::{Value, json};

use super::fixture::{config, document, hello, model, plan};

fn name(document: &Value) -> String {
    plan(&config(document), &hello(&json!({}))).policy.to_owned()
}

fn usual() -> Value {
    document(json!([model("a", 0.9, 3.0, 15.0), model("b", 0.8, 0.5, 1.0)]))
}

#[test]
fn the_same_figures_have_the_same_name() {
    let mut same = usual();
    same["listen"] = json!({"port": 9999});
    same["workspaces"][0]["id"] = json!("another");
    same["workspaces"][0]["limits"] = json!({"requests_per_minute": 5});
    same["routing"] = json!({"quality_per_dollar": {"lambda": 0.05}});
    assert_eq!(name(&same), name(&usual()));
}

type Change = fn(&mut Value);

#[test]
fn whatever_a_choice_depends_on_changes_the_name() {
    let changes: [(&str, Change); 17] = [
        ("objective", |d| d["workspaces"][0]["objective"] = json!("cost")),
        ("models", |d| d["workspaces"][0]["models"] = json!(["a"])),
        ("lambda", |d| d["routing"] = json!({"quality_per_dollar": {"lambda": 0.06}})),
        ("delta", |d| d["workspaces"][0]["routing"] = json!({"quality_per_dollar": {"delta": 0.2}})),
        ("floor", |d| d["routing"] = json!({"quality_floor": {"code": 0.4}})),
        ("exploration", |d| d["routing"] = json!({"exploration": 0.01})),
        ("attempts", |d| d["routing"] = json!({"max_attempts": 3})),
        ("adaptive", |d| d["routing"] = json!({"adaptive": false})),
        ("price", |d| d["models"][1]["price"]["output_per_m"] = json!(1.1)),
        ("cached price", |d| d["models"][1]["price"]["cached_input_per_m"] = json!(0.1)),
        ("quality", |d| d["models"][0]["quality"]["math"] = json!(0.9001)),
        ("sensitivity", |d| d["models"][0]["sensitivity"] = json!(0.5)),
        ("window", |d| d["models"][0]["context_window"] = json!(99_999)),
        ("capabilities", |d| d["models"][0]["capabilities"] = json!(["vision"])),
        ("latency", |d| d["models"][0]["latency"] = json!({"first_token_ms": 1.0, "tokens_per_second": 9.0})),
        ("protocol", |d| d["providers"]["one"]["protocol"] = json!("groq")),
        ("provider", |d| d["models"][0]["deployments"][0]["provider"] = json!("two")),
    ];
    let mut names = vec![name(&usual())];
    for (what, change) in changes {
        let mut document = usual();
        change(&mut document);
        let name = name(&document);
        assert!(!names.contains(&name), "{what}");
        names.push(name);
    }
}

#[test]
fn the_models_of_others_are_nothing_to_a_workspace() {
    let with = |price: f64| {
        let mut document = document(json!([model("a", 0.9, 3.0, 15.0), model("b", 0.8, price, 1.0)]));
        document["workspaces"][0]["models"] = json!(["a"]);
        name(&document)
    };
    assert_eq!(with(0.5), with(0.6));
}
