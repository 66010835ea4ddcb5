#!/usr/bin/env bash
# Brings the demo of docker-compose.yml up on free ports, runs tests/compose against it, and always takes it down.
# Needs a Docker engine and says so where there is none.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

if ! have docker; then
  say "no Docker engine on this machine: the compose test did not run"
  exit 0
fi
if ! engine=$(limited 30 docker version --format '{{.Server.Version}}' 2>&1); then
  case $engine in
  *"permission denied"*) fail "this user may not use the Docker engine: add it to the group \"docker\"" ;;
  esac
  say "no Docker engine on this machine: the compose test did not run"
  exit 0
fi

if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif have docker-compose || apt_install docker-compose; then
  compose=(docker-compose)
else
  fail "a Docker engine is here but neither \`docker compose\` nor docker-compose, and ${WHY_NOT:-}"
fi
say "Docker engine $engine, client: $("${compose[@]}" version --short)"

[ -x "$VENV/bin/python" ] || scripts/tools.sh python
scripts/local-images.sh

read -r NR_PORT NR_ADMIN_PORT NR_CONTROL_PORT NR_FLEET_1_PORT NR_FLEET_2_PORT < <("$VENV/bin/python" -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
print(*(s.getsockname()[1] for s in sockets))')
export NR_PORT NR_ADMIN_PORT NR_CONTROL_PORT NR_FLEET_1_PORT NR_FLEET_2_PORT
export COMPOSE_PROJECT_NAME=neural-router-test-$$

down() {
  local status=$?
  trap - EXIT INT TERM
  if [ "$status" != 0 ]; then
    say "--- logs of the containers"
    "${compose[@]}" logs --no-color --tail 60 || true
  fi
  "${compose[@]}" down --volumes --remove-orphans --timeout 5 >"$TOOLS/compose-down.log" 2>&1 ||
    say "the containers could not be taken down: see $TOOLS/compose-down.log"
  exit "$status"
}
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"${compose[@]}" up --detach --no-build
started=$(docker ps --all --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
  --format '{{.Label "com.docker.compose.service"}}' | sort | tr '\n' ' ')
[ "$started" = "config envoy simulator " ] || fail "without a profile these are up: $started"
# From here on every command, the one that takes all down as well, knows of the profile.
export COMPOSE_PROFILES=fleet
"${compose[@]}" up --detach --no-build envoy-1 envoy-2
# pytest reads the logs through this.
export NR_COMPOSE="${compose[*]}"
"$VENV/bin/python" -m pytest tests/compose
