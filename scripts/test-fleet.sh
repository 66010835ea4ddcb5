#!/usr/bin/env bash
# Limits that several Envoys share: the rate-limit service, then three real Envoys on it and on a real Redis.
#
# NR_FLEET_PARTITION=relay   cut an Envoy off by a relay, where a network namespace would do it

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

step "tools" scripts/tools.sh python envoy redis openssl
step "build the rate-limit service" scripts/build-ratelimit.sh
step "tests of the rate-limit service" cargo test --manifest-path tests/ratelimit/Cargo.toml --locked --quiet
"$VENV/bin/python" -m pytest tests/fleet --durations=8 "$@"
