#!/usr/bin/env bash
# Runs a cargo command for wasm32-wasip1 with whichever compiler has its standard library:
#   scripts/cargo-wasm.sh build --release --locked
# The chosen way and its reasons are in scripts/tools.sh.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

# Vector instructions: every Envoy that runs this filter has V8 with them, and bodies are scanned several times faster.
FLAGS=(-C target-feature=+simd128)

# Panic messages name source files by full path. Without this the module would carry the builder's home folder, and two
# checkouts would give two modules. Crates have to be here before the folder they are in is known.
CRATES=${CARGO_HOME:-$HOME/.cargo}/registry/src
compgen -G "$CRATES/*/" >/dev/null || cargo fetch --locked --quiet
FLAGS+=("--remap-path-prefix=$ROOT=/src")
for folder in "$CRATES"/*/; do FLAGS+=("--remap-path-prefix=${folder%/}=/crates"); done

# cargo reads flags from one variable only. This one is first in its order, so that a RUSTFLAGS of the caller does not
# silently switch off what is above, and its separator lets paths have spaces.
encoded() { (IFS=$'\x1f' && printf '%s' "$*"); }

# Options come right after the subcommand: behind a `--` of the caller's they would be for another program.
subcommand=$1
shift
way=$(wasm_toolchain)
case $way in
installed)
  CARGO_ENCODED_RUSTFLAGS=$(encoded "${FLAGS[@]}")
  export CARGO_ENCODED_RUSTFLAGS
  exec cargo "$subcommand" --target wasm32-wasip1 "$@"
  ;;
debian)
  # Debian ships no standard library for this target, only its source and a C library: cargo builds the one from
  # the other. Its compiler is used by full path, so that rustup's proxies on PATH do not answer in its place.
  unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER
  export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
  export CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-19
  CARGO_ENCODED_RUSTFLAGS=$(encoded "${FLAGS[@]}" -C link-self-contained=no -L /usr/lib/wasm32-wasi)
  export CARGO_ENCODED_RUSTFLAGS
  exec /usr/bin/cargo "$subcommand" -Z build-std=std,panic_abort --target wasm32-wasip1 "$@"
  ;;
*)
  fail "no compiler for wasm32-wasip1: run scripts/tools.sh wasm"
  ;;
esac
