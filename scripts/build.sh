#!/usr/bin/env bash
# Leaves target/neural_router.wasm, target/release/nr and target/release/nr-simulator.
#
# NR_FEATURES=regex   builds the filter, and nr that checks its configuration, with `patterns` of guardrails

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

step "tools" scripts/tools.sh wasm wasm-opt
step "build the filter" scripts/build-wasm.sh
step "build nr and nr-simulator" cargo build --release --locked --package nr --package nr-simulator \
  ${NR_FEATURES:+--features "nr/$NR_FEATURES"}
