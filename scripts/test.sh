#!/usr/bin/env bash
# Every test. Without tools or a build there is nothing to test, so those end the run; after them each suite runs
# whatever the one before it said, and the run fails if any did.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

began=$(now_ms)
failed=()

suite() { step "$@" || failed+=("$1"); }

step "all tools" scripts/tools.sh
scripts/build.sh
suite "cargo test" cargo test --workspace --locked
suite "tests on real Envoy" "$VENV/bin/python" -m pytest tests/envoy --durations=5
suite "compose test" scripts/test-compose.sh

if [ ${#failed[@]} -gt 0 ]; then
  printf '== FAILED: %s … %s in all\n' "$(printf '%s, ' "${failed[@]}" | sed 's/, $//')" "$(since "$began")"
  exit 1
fi
say "== all passed … $(since "$began") in all"
