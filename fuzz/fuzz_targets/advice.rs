//! See `src/advice.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| neural_router_fuzz::run(neural_router_fuzz::advice::TARGET, input));
