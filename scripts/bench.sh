#!/usr/bin/env bash
# Builds what is measured and runs the benchmark; arguments go to `nr-bench`. Figures go to target/bench/summary.json.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

scripts/build.sh
step "build what times the decision" scripts/build-wasm.sh nr_decision
step "build nr-bench" cargo build --release --locked --package nr-bench
step "Envoy" scripts/tools.sh envoy
ENVOY_BIN=$(find_envoy)
export ENVOY_BIN
mkdir -p target/bench
step "benchmark" target/release/nr-bench "$@"
