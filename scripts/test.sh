#!/usr/bin/env bash
# Every test. Without tools or a build there is nothing to test, so those end the run; after them each suite runs
# whatever the one before it said, and the run fails if any did.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

began=$(now_ms)

step "all tools" scripts/tools.sh
scripts/build.sh
suite "cargo test" cargo test --workspace --locked --no-fail-fast
suite "fuzz" scripts/fuzz.sh 10
suite "vendors' SDKs" "$VENV/bin/python" -m pytest tests/sdk -q
suite "tests on real Envoy" "$VENV/bin/python" -m pytest tests/envoy --durations=5
suite "release" "$VENV/bin/python" -m pytest tests/release -q
suite "tests of a fleet" scripts/test-fleet.sh
suite "compose test" scripts/test-compose.sh

verdict "$began"
