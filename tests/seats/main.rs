//! Both seats of the filter on the in-process host: what a client sees, what a provider gets, what
//! filter state ends with. One binary, since every module shares the host.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "../host/mod.rs"]
mod host;

mod anthropic;
mod configuration;
mod failover;
mod fixture;
mod fleet;
mod health;
mod hostile;
mod lifecycle;
mod provider;
mod ranking;
mod refusals;
mod regression;
mod router;
mod stream;
