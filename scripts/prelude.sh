# shellcheck shell=bash
# Sourced by every script beside it: the repository root as working directory, one way to speak,
# to fail, to time a step, and to install a Debian package.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
TOOLS=$ROOT/target/tools
VENV=$TOOLS/venv
ENVOY_VERSION=1.40
# Outputs are promised at target/…, wherever the caller's cargo would put them.
export CARGO_TARGET_DIR=$ROOT/target

say() { printf '%s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

have() { type -P "$1" >/dev/null 2>&1; }

sha256() { if have sha256sum; then sha256sum "$@"; else shasum -a 256 "$@"; fi | cut -d' ' -f1; }

# What [workspace.package] or [package] of the root Cargo.toml says under this name.
cargo_field() { sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" Cargo.toml | head -1; }

version() { cargo_field version; }

# Seconds since 1970 as RFC 3339; BSD's date wants -r where GNU's wants -d.
rfc3339() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$1" +%Y-%m-%dT%H:%M:%SZ; }

# Milliseconds where bash has them (5.0 on), whole seconds elsewhere.
now_ms() {
  if [ -n "${EPOCHREALTIME:-}" ]; then
    local micros=${EPOCHREALTIME/[.,]/}
    printf '%s' "${micros%???}"
  else
    printf '%s000' "$SECONDS"
  fi
}

since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# step NAME COMMAND… runs the command and prints its name before and its time after. Its status is the command's.
step() {
  local name=$1 began status=0
  shift
  began=$(now_ms)
  say "== $name"
  "$@" || status=$?
  if [ "$status" = 0 ]; then
    say "== $name … $(since "$began")"
  else
    say "== $name FAILED (exit $status) … $(since "$began")"
  fi
  return "$status"
}

# suite NAME COMMAND… is a step whose failure does not end the script: `verdict` tells of all that failed, and fails.
FAILED=()
suite() { step "$@" || FAILED+=("$1"); }

verdict() {
  if [ ${#FAILED[@]} -gt 0 ]; then
    say "== FAILED: $(printf '%s, ' "${FAILED[@]}" | sed 's/, $//') … $(since "$1") in all"
    exit 1
  fi
  say "== all passed … $(since "$1") in all"
}

# limited SECONDS COMMAND… keeps a network call from hanging; without `timeout` (macOS) it just runs.
limited() {
  local seconds=$1
  shift
  if have timeout; then timeout "$seconds" "$@"; else "$@"; fi
}

# as_root COMMAND… is status 1 where this user cannot become root.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    sudo "$@"
  else
    return 1
  fi
}

# apt_install PACKAGE… installs Debian packages. On failure WHY_NOT says in a few words what stood in the way.
# shellcheck disable=SC2034 # read by the sourcing script
apt_install() {
  local log=$TOOLS/apt.log
  if ! have apt-get; then
    WHY_NOT="this system has no apt-get"
    return 1
  fi
  if ! as_root true; then
    WHY_NOT="this user is not root and has no sudo"
    return 1
  fi
  mkdir -p "$TOOLS"
  say "   apt-get install $*" >&2
  local run=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
  # The package lists may be absent or old: install, and on failure refresh them and try once more.
  if "${run[@]}" install --no-install-recommends "$@" >"$log" 2>&1; then return 0; fi
  if "${run[@]}" update >>"$log" 2>&1 &&
    "${run[@]}" install --no-install-recommends "$@" >>"$log" 2>&1; then return 0; fi
  WHY_NOT="apt-get install $* failed: $(grep -a '^E:' "$log" | tail -1 || true) (all of it in $log)"
  return 1
}

# The way this machine can compile for wasm32-wasip1: prints `installed`, `debian`, or nothing.
# NR_WASM_TOOLCHAIN forces one of them.
wasm_toolchain() {
  local way=${NR_WASM_TOOLCHAIN:-}
  case $way in
  "" | installed | debian) ;;
  *) fail "NR_WASM_TOOLCHAIN is \"$way\"; it may be \"installed\" or \"debian\"" ;;
  esac
  if [ "$way" != debian ] && has_wasm_std; then
    say installed
  elif [ "$way" != installed ] && has_debian_wasm; then
    say debian
  fi
}

has_wasm_std() {
  local libs
  libs=$(rustc --print target-libdir --target wasm32-wasip1 2>/dev/null) || return 1
  compgen -G "$libs/libstd-*.rlib" >/dev/null
}

has_debian_wasm() {
  [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] && [ -x /usr/bin/wasm-ld-19 ] &&
    [ -e /usr/lib/wasm32-wasi/libc.a ] &&
    [ -d "$(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std" ]
}

# The Envoy to run: $ENVOY_BIN, else one on PATH of the right version, else the one in the tools' venv. Prints its path.
find_envoy() {
  local candidate
  if [ -n "${ENVOY_BIN:-}" ]; then
    is_envoy "$ENVOY_BIN" || fail "ENVOY_BIN is $ENVOY_BIN, which is not a runnable Envoy $ENVOY_VERSION"
    say "$ENVOY_BIN"
    return
  fi
  for candidate in "$(type -P envoy || true)" "$VENV/bin/envoy"; do
    if [ -n "$candidate" ] && is_envoy "$candidate"; then
      say "$candidate"
      return
    fi
  done
  return 1
}

is_envoy() { [ -f "$1" ] && [ -x "$1" ] && "$1" --version 2>/dev/null | grep -q "/$ENVOY_VERSION\.[0-9]*/"; }
