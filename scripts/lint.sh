#!/usr/bin/env bash
# Formatting, clippy for the native programs and for the filter as it is shipped, and shellcheck. Warnings fail.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

step "tools" scripts/tools.sh wasm lint
step "cargo fmt" cargo fmt --all --check
step "clippy, native" cargo clippy --workspace --all-targets --locked -- -D warnings
step "clippy, wasm32-wasip1" scripts/cargo-wasm.sh clippy --package neural-router --lib --locked -- -D warnings
step "shellcheck" shellcheck -x scripts/*.sh .ci/run
