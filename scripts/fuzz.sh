#!/usr/bin/env bash
# Builds the fuzz targets and runs each for so many seconds, from the fixtures, the corpus and what earlier runs found.
# An input that breaks a target is left in target/fuzz/artifacts/, with the command that runs it again.
#
#   scripts/fuzz.sh [SECONDS [TARGET]…]      default: 60 seconds for each of fuzz/fuzz_targets/
#
# NR_SANITIZER=none    do without the address sanitizer

# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

CARGO_FUZZ_VERSION=0.13.2
SECONDS_EACH=${1:-60}
[ $# -eq 0 ] || shift
[[ $SECONDS_EACH =~ ^[1-9][0-9]*$ ]] || fail "\"$SECONDS_EACH\" is no number of seconds"
FOLDER=$ROOT/target/fuzz
# The longest input. Bodies are larger, but what makes them so is more of the same.
MAX_BYTES=16384

install_cargo_fuzz() {
  if ! have c++ && ! apt_install g++; then fail "a C++ compiler is missing and $WHY_NOT: libFuzzer is written in C++"; fi
  if [ "$("$TOOLS/bin/cargo-fuzz" --version 2>/dev/null)" = "cargo-fuzz $CARGO_FUZZ_VERSION" ]; then return; fi
  CARGO_TARGET_DIR=$FOLDER/cargo-fuzz cargo install cargo-fuzz --version "$CARGO_FUZZ_VERSION" --locked --quiet --force --root "$TOOLS"
}

# libFuzzer's flags are unstable in rustc, and stable enough: hence the stable toolchain, told to allow them.
build() {
  RUSTC_BOOTSTRAP=1 PATH=$TOOLS/bin:$PATH cargo fuzz build --sanitizer "${NR_SANITIZER:-address}" --target-dir "$FOLDER/build"
}

# What libFuzzer says now and then is progress; all of it is in the log.
run() {
  local target=$1 log=$FOLDER/$1.log found=$FOLDER/found/$1
  mkdir -p "$found" "$FOLDER/artifacts/$target"
  if "$PROGRAMS/$target" -max_total_time="$SECONDS_EACH" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=64 -max_len="$MAX_BYTES" \
    -artifact_prefix="$FOLDER/artifacts/$target/" "$found" "fuzz/corpus/$target" "$FOLDER/seeds/$target" 2>&1 |
    tee "$log" | { grep --line-buffered -aE 'INITED|pulse|DONE|panicked|Test unit written' || true; }; then
    return 0
  fi
  say "   all of it in $log; again: $PROGRAMS/$target FILE"
  return 1
}

began=$(now_ms)
mkdir -p "$FOLDER"
step "cargo-fuzz" install_cargo_fuzz
step "build the targets" build
PROGRAMS=$FOLDER/build/$(rustc -vV | sed -n 's/^host: //p')/release
"$PROGRAMS/seeds" "$FOLDER/seeds"
if [ $# -eq 0 ]; then
  for file in fuzz/fuzz_targets/*.rs; do set -- "$@" "$(basename "$file" .rs)"; done
fi
for target in "$@"; do
  [ -e "fuzz/fuzz_targets/$target.rs" ] || fail "there is no target \"$target\""
  suite "fuzz $target for $SECONDS_EACH s" run "$target"
done
verdict "$began"
