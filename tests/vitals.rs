//! How the deployments are doing, on a store that many threads share and a clock that the test moves.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "vitals/breaker.rs"]
mod breaker;
#[path = "vitals/figures.rs"]
mod figures;
#[path = "vitals/notebook.rs"]
mod notebook;
#[path = "ledger/store.rs"]
#[expect(dead_code, reason = "the ledger's tests use more of it")]
mod store;
#[path = "vitals/threads.rs"]
mod threads;

use neural_router::config::{Config, Document};
use neural_router::vitals::{Event, Notebook, Snapshot, Vital, key};
use serde_json::json;

use store::Memory;

/// 2023-11-14T22:13:20Z in milliseconds; a cell of the window begins here.
const NOW: u64 = 1_700_000_000_000;

/// A catalogue whose deployments are `one`/`a`, `two`/`b` and `one`/`c`, in this order.
fn config() -> Config {
    let model = |id: &str, deployments: &[(&str, &str)]| {
        let deployments: Vec<_> = deployments.iter().map(|(provider, model)| json!({"provider": provider, "model": model})).collect();
        json!({"id": id, "provider_name": "x", "context_window": 1000, "price": "free", "quality": {"default": 0.5}, "deployments": deployments})
    };
    let provider = json!({"protocol": "openai", "base_url": "http://127.0.0.1:1/v1", "api_key": {"env": "KEY"}});
    let document = json!({
        "providers": {"two": provider.clone(), "one": provider},
        "models": [model("m", &[("one", "a"), ("two", "b")]), model("n", &[("one", "c")])],
        "workspaces": [{"id": "w", "keys": [{"id": "k", "sha256": "0".repeat(64)}], "models": ["*"]}],
    });
    Config::from_document(&Document::from_json(document.to_string().as_bytes()).expect("a document")).expect("a document")
}

/// The key of the first deployment.
fn first() -> String {
    key("one", "a")
}

/// Tells at once, as a worker does that knows nothing.
fn tell(store: &Memory, event: Event, now_ms: u64) {
    assert!(!Notebook::default().note(store, &first(), &[event], now_ms).waits, "nothing waits");
}

fn succeeded(began_ms: u64, at_ms: u64) -> Event {
    Event::Answered { began_ms, at_ms, first_token_ms: None, wait_ms: None }
}

fn failed(began_ms: u64, at_ms: u64) -> Event {
    Event::Failed { began_ms, at_ms, wait_ms: None }
}

/// The first deployment.
fn vital(store: &Memory, now_ms: u64) -> Vital {
    Snapshot::read(store, &config().catalog, now_ms).0.swap_remove(0)
}
