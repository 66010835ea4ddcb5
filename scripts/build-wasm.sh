#!/usr/bin/env bash
# Builds the filter and leaves it at target/neural_router.wasm. Does nothing when nothing changed.
#
#   scripts/build-wasm.sh [MODULE]   neural_router, which ships, or nr_decision, which nr-bench times the decision with
#
# NR_FEATURES=regex          with `patterns` of guardrails
# NR_WASM_OPT=-O3|-Oz|…|none   what wasm-opt is told; -O3 by default

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

MODULE=${1:-neural_router}
BUILT=$CARGO_TARGET_DIR/wasm32-wasip1/wasm/$MODULE.wasm
OUT=$CARGO_TARGET_DIR/$MODULE.wasm
LEVEL=${NR_WASM_OPT:--O3}
# What rustc's wasm32-wasip1 target emits; wasm-opt refuses instructions of features it was not told of.
FEATURES=(--enable-simd --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int --enable-mutable-globals)

scripts/cargo-wasm.sh build --package "${MODULE/_/-}" --lib --profile wasm --locked \
  ${NR_FEATURES:+--features "neural-router/$NR_FEATURES"}

optimizer=none
if [ "$LEVEL" != none ] && have wasm-opt; then optimizer=$(wasm-opt --version); fi
made_from="$(sha256 "$BUILT") $LEVEL $optimizer"
if [ "$(cat "$OUT.made-from" 2>/dev/null)" != "$made_from" ] || [ ! -e "$OUT" ]; then
  # Written beside and renamed: a running Envoy or a second build never sees half a module.
  next=$OUT.$$
  trap 'rm -f "$next"' EXIT
  if [ "$optimizer" = none ]; then
    cp "$BUILT" "$next"
    [ "$LEVEL" = none ] || say "wasm-opt is not installed: the module is as cargo left it"
  elif ! wasm-opt "$LEVEL" "${FEATURES[@]}" "$BUILT" -o "$next"; then
    say "$optimizer could not read the module: it is as cargo left it"
    cp "$BUILT" "$next"
  fi
  chmod 644 "$next"
  mv "$next" "$OUT"
  say "$made_from" >"$OUT.made-from"
fi
say "target/$MODULE.wasm: $(wc -c <"$OUT" | tr -d ' ') bytes ($(wc -c <"$BUILT" | tr -d ' ') before wasm-opt $LEVEL)"
