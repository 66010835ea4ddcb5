//! What a decision allocates: no more for each candidate among many than among few, in pieces and in bytes.

#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use neural_router::authenticate::Caller;
use neural_router::config::Config;
use neural_router::openai::{Endpoint, Request};
use neural_router::rank::{self, Circumstances};
use neural_router::vitals::Snapshot;
use serde_json::{Value, json};

/// The system's allocator, which counts what this thread takes from it.
struct Counting;

thread_local! {
    static TAKEN: Cell<Taken> = const { Cell::new(Taken { pieces: 0, bytes: 0 }) };
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    pieces: usize,
    bytes: usize,
}

fn count(bytes: usize) {
    let _ = TAKEN.try_with(|taken| {
        let Taken { pieces, bytes: before } = taken.get();
        taken.set(Taken { pieces: pieces + 1, bytes: before + bytes });
    });
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COUNTS: [usize; 4] = [8, 16, 32, 64];

/// So many models with one deployment each, or half as many with two.
fn config(candidates: usize, deployments: usize) -> Config {
    let provider = |host: &str| json!({"protocol": "openai", "base_url": format!("https://{host}/v1")});
    let model = |n: usize| {
        let providers = ["one", "two"].into_iter().take(deployments);
        json!({
            "id": format!("model-{n:02}"), "provider_name": "Maker", "context_window": 128_000, "max_output_tokens": 16_384,
            "price": {"input_per_m": 0.1 + (n * 7 % 13) as f64, "output_per_m": 1.0 + (n * 5 % 11) as f64},
            "capabilities": ["tools", "json_object"],
            "quality": {"default": 0.6 + 0.3 * (n * 3 % 17) as f64 / 17.0, "code": 0.8},
            "deployments": providers.map(|provider| json!({"provider": provider, "model": format!("m-{n}")})).collect::<Vec<_>>(),
        })
    };
    let document = json!({
        "providers": {"one": provider("one.example"), "two": provider("two.example")},
        "models": (0..candidates / deployments).map(model).collect::<Vec<_>>(),
        "workspaces": [{"id": "acme", "keys": [{"id": "load", "sha256": "0".repeat(64)}], "models": ["*"]}],
    });
    Config::from_json(document.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// What one decision takes.
fn decide(config: &Config, request: &Value, candidates: usize) -> Taken {
    let key = config.workspaces.keys().next().expect("a key");
    let caller = Caller { workspace: config.workspaces.get(key.workspace).expect("its workspace"), key };
    let body = request.to_string();
    let request = Request::parse(Endpoint::Chat, body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}"));
    let vitals = Snapshot::default();
    let now = Circumstances { vitals: &vitals, now_ms: 1_700_000_000_000, lot: 0.5 };
    let before = TAKEN.get();
    let plan = rank::plan(config, &caller, &request, &now).unwrap_or_else(|refused| panic!("{refused:?}"));
    let after = TAKEN.get();
    assert_eq!(plan.considered, candidates);
    Taken { pieces: after.pieces - before.pieces, bytes: after.bytes - before.bytes }
}

/// Requests that take every way through a decision.
fn requests() -> [(&'static str, Value); 4] {
    let user = |text: &str| json!({"role": "user", "content": text});
    let turns = json!([user("write a parser in Rust"), {"role": "assistant", "content": "which grammar?"}, user("arithmetic")]);
    let one = json!([user("write a parser in Rust")]);
    [
        ("one turn", json!({"model": "auto", "messages": one})),
        ("a conversation", json!({"model": "auto", "messages": turns})),
        ("by quality", json!({"model": "auto", "messages": turns, "route": {"objective": "quality"}})),
        ("none in time", json!({"model": "auto", "messages": one, "route": {"max_latency_ms": 1}})),
    ]
}

#[test]
fn a_decision_allocates_no_more_than_in_proportion_to_its_candidates() {
    for deployments in [1, 2] {
        for (name, request) in requests() {
            let [few, taken @ ..] = COUNTS.map(|candidates| decide(&config(candidates, deployments), &request, candidates));
            println!("{name}, {deployments} deployments each: {few:?}, {taken:?}");
            for (more, candidates) in taken.into_iter().zip(COUNTS.into_iter().skip(1)) {
                // A sort takes room of its own only if it has much to sort: half as much again.
                let times = candidates / COUNTS[0];
                let what = format!("{name}, {candidates} candidates, {deployments} deployments each: {more:?}, after {few:?}");
                assert!(2 * more.pieces <= 3 * few.pieces * times, "{what}");
                assert!(2 * more.bytes <= 3 * few.bytes * times, "{what}");
            }
        }
    }
}
