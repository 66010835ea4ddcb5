#!/usr/bin/env bash
# Builds what is missing and runs the gateway in the foreground; arguments go to `nr up`, which alone writes to
# standard output.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

scripts/build.sh >&2
step "Envoy" scripts/tools.sh envoy >&2
ENVOY_BIN=$(find_envoy)
export ENVOY_BIN
exec target/release/nr up "$@"
