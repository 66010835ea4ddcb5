#!/usr/bin/env bash
# Runs a cargo command for wasm32-wasip1 with whichever compiler has its standard library:
#   scripts/cargo-wasm.sh build --release --locked
# The chosen way and its reasons are in scripts/tools.sh.

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

# Vector instructions: every Envoy that runs this filter has V8 with them, and bodies are scanned several times faster.
FEATURES="-C target-feature=+simd128"

# Options come right after the subcommand: behind a `--` of the caller's they would be for another program.
subcommand=$1
shift
way=$(wasm_toolchain)
case $way in
installed)
  CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS=$FEATURES exec cargo "$subcommand" --target wasm32-wasip1 "$@"
  ;;
debian)
  # Debian ships no standard library for this target, only its source and a C library: cargo builds the one from
  # the other. Its compiler is used by full path, so that rustup's proxies on PATH do not answer in its place.
  unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
  export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
  export CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld-19
  export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="$FEATURES -C link-self-contained=no -L /usr/lib/wasm32-wasi"
  exec /usr/bin/cargo "$subcommand" -Z build-std=std,panic_abort --target wasm32-wasip1 "$@"
  ;;
*)
  fail "no compiler for wasm32-wasip1: run scripts/tools.sh wasm"
  ;;
esac
