//! Neural Router: an OpenAI-compatible gateway that lives inside Envoy as one proxy-wasm module.
//!
//! The same module sits in two places, told apart by the VM's configuration:
//!
//! ```text
//!  client                           Envoy                                       provider
//!    │   ┌───────────────────────────────────────────────────────────────────┐    │
//!    │   │ listener ─► router seat ─► route ─► cluster of the next candidate │    │
//!    ├──►│             authenticate     ▲        └─ provider seat ───────────┼───►│
//!    │   │             rank: Plan ──────┤           one per attempt:         │    │
//!    │   │             nr_next ─────────┘           translate, judge,        │    │
//!    │   │                  ▲                       nr_next = successor,     │    │
//!    │◄──┼── exhausted? ◄── │ retry on 503 ◄─────── 503 if it failed ◄───────┼────┤
//!    │   └───────────────────────────────────────────────────────────────────┘    │
//! ```
//!
//! Words: a *candidate* is one deployment of one model; the *plan* is the candidates in the order
//! they are tried and why; an *attempt* is one candidate being asked; the *trail* is how the
//! attempts ended; a *verdict* says whether an outcome is delivered, stops the call or lets the next
//! candidate try; a *rejection* is a refusal of ours.
//!
//! Modules, each using only those above it:
//!
//! | module | what it owns |
//! |---|---|
//! | [`json_path`] | where in a JSON text an error lies |
//! | [`openai`] | the client's protocol: requests, members, usage |
//! | [`sse`] | server-sent events |
//! | [`framing`] | bytes of a stream to events, for every transport |
//! | [`guard`] | content rules |
//! | [`rejection`] | every refusal we send |
//! | [`meter`] | what is counted and timed, and how calls end |
//! | [`provider`] | wire protocols and the table of presets |
//! | [`config`] | the operator's file, checked |
//! | [`task`] | what kind of work a prompt is, and how hard it looks |
//! | [`ledger`] | rate limits and budgets, exact under concurrency |
//! | [`fleet`] | the same for all Envoys together, by a service that counts |
//! | [`authenticate`] | key to workspace |
//! | [`vitals`] | how the deployments are doing, from real traffic |
//! | [`rank`] | request to plan |
//! | [`estimate`] | what a call may cost, and what a cut one did |
//! | [`attempt`] | outcome to verdict; time bounds |
//! | [`retry_after`] | how long a provider asks to be left alone |
//! | [`handoff`] | plan and trail in filter state |
//! | [`annotate`] | the `routing` object |
//! | [`host`] | the only user of Envoy's host calls |
//! | [`models`] | the catalogue as a workspace sees it |
//! | [`usage`] | where a key stands with its limits |
//! | [`seat`] | the two seats and their root |
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice, reason = "tests fail by panicking")
)]

pub mod annotate;
pub mod attempt;
pub mod authenticate;
pub mod config;
pub mod estimate;
pub mod fleet;
pub mod framing;
pub mod guard;
pub mod handoff;
pub mod host;
pub mod json_path;
pub mod ledger;
pub mod meter;
pub mod models;
pub mod openai;
pub mod provider;
pub mod rank;
pub mod rejection;
pub mod retry_after;
pub mod seat;
pub mod sse;
pub mod task;
pub mod usage;
pub mod vitals;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
    proxy_wasm::set_root_context(|_| seat::root());
}}

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: nr_pool::Pool<std::alloc::System> = nr_pool::Pool::new(std::alloc::System);
