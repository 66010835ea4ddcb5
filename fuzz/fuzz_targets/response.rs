//! See `src/response.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| neural_router_fuzz::run(neural_router_fuzz::response::TARGET, input));
