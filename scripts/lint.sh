#!/usr/bin/env bash
# Formatting, clippy for the native programs and for the filter as it is shipped, and shellcheck. Warnings fail.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

began=$(now_ms)
step "tools" scripts/tools.sh wasm openssl lint
suite "cargo fmt" cargo fmt --all --check
suite "cargo fmt, fuzz targets" cargo fmt --manifest-path fuzz/Cargo.toml --check
suite "clippy, native" cargo clippy --workspace --all-targets --locked -- -D warnings
suite "cargo fmt, rate-limit service" cargo fmt --manifest-path tests/ratelimit/Cargo.toml --check
suite "clippy, rate-limit service" cargo clippy --manifest-path tests/ratelimit/Cargo.toml --all-targets --locked -- -D warnings
suite "clippy, wasm32-wasip1" scripts/cargo-wasm.sh clippy --package neural-router --package nr-decision --lib --locked -- -D warnings
suite "shellcheck" shellcheck -x scripts/*.sh .ci/run cli/src/render/kubernetes/drain.sh
verdict "$began"
