//! A catalogue to choose from.

use neural_router::authenticate::Caller;
use neural_router::config::Config;
use neural_router::openai::{Endpoint, Request};
use neural_router::rank::{self, Circumstances, Plan, Row};
use neural_router::rejection::Rejection;
use neural_router::vitals::Snapshot;
use serde_json::{Value, json};

/// The difficulty of these is of no account, and nobody has a figure for a class.
pub fn model(id: &str, quality: f64, input_per_m: f64, output_per_m: f64) -> Value {
    json!({
        "id": id, "provider_name": "P", "context_window": 100_000, "max_output_tokens": 10_000, "sensitivity": 0.0,
        "price": {"input_per_m": input_per_m, "output_per_m": output_per_m}, "quality": {"default": quality},
        "capabilities": ["tools"], "deployments": [{"provider": "one", "model": id}],
    })
}

pub fn document(models: Value) -> Value {
    json!({
        "providers": {"one": {"protocol": "openai"}, "two": {"protocol": "openai"}, "three": {"protocol": "openai"}},
        "models": models,
        "workspaces": [{"id": "acme", "models": ["*"], "keys": [{"id": "k", "sha256": "a".repeat(64)}]}],
    })
}

pub fn config(document: &Value) -> Config {
    Config::from_json(document.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

pub fn caller(config: &Config) -> Caller<'_> {
    let key = config.workspaces.keys().next().expect("a key");
    Caller { workspace: config.workspaces.get(key.workspace).expect("its workspace"), key }
}

pub fn hello(more: &Value) -> Value {
    let mut body = json!({"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    body
}

pub fn try_plan<'c>(config: &'c Config, body: &Value, now: &Circumstances<'_>) -> Result<Plan<'c>, Rejection> {
    let text = body.to_string();
    let request = Request::parse(Endpoint::Chat, text.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"));
    rank::plan(config, &caller(config), &request, now)
}

pub fn plan_by_lot<'c>(config: &'c Config, body: &Value, lot: f64) -> Plan<'c> {
    let now = Circumstances { vitals: &Snapshot::default(), now_ms: 0, lot };
    try_plan(config, body, &now).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

pub fn plan<'c>(config: &'c Config, body: &Value) -> Plan<'c> {
    plan_by_lot(config, body, 1.0)
}

pub fn order(plan: &Plan<'_>) -> Vec<String> {
    plan.candidates.iter().map(|candidate| candidate.model.id.clone()).collect()
}

pub fn row<'a, 'c>(plan: &'a Plan<'c>, id: &str) -> &'a Row<'c> {
    plan.table.iter().find(|row| row.model.id == id).unwrap_or_else(|| panic!("no row of {id}"))
}
