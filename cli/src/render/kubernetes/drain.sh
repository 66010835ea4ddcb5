#!/bin/bash
# Lets the calls of this pod end before it does: drain.sh SECONDS. Envoy goes on answering, and tells every client with
# its answer to open another connection, which the cluster leads elsewhere. Over as soon as no call is under way.
# Envoy's image has bash and no HTTP client; bash can open the connection itself.

ask() {
  exec 3<>/dev/tcp/127.0.0.1/ADMIN || exit 0
  printf '%s %s HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n' "$1" "$2" >&3
  cat <&3
  exec 3>&-
}

calls() {
  ask GET '/stats?filter=^http\.clients\.downstream_rq_active$' | sed -n 's/^http\.clients\.downstream_rq_active: //p'
}

end=$((SECONDS + $1))
ask POST '/drain_listeners?graceful&skip_exit' >/dev/null
# The cluster takes a moment to send new calls elsewhere; until then they come here and are answered.
sleep "${2:-5}"
while [ "$SECONDS" -lt "$end" ] && [ "$(calls)" != 0 ]; do sleep 1; done
