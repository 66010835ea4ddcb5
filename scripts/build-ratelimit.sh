#!/usr/bin/env bash
# Leaves target/debug/nr-ratelimit, the rate-limit service of the tests. Its dependencies take a minute or two, once.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

scripts/tools.sh openssl
cargo build --manifest-path tests/ratelimit/Cargo.toml --locked "$@"
