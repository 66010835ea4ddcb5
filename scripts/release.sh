#!/usr/bin/env bash
# Makes a release of what is checked out: builds it, and leaves in a folder all that is given away.
#
#   scripts/release.sh [FOLDER]      default: target/dist
#
#   neural_router.wasm      the filter, and neural_router.wasm.sha256, its digest as `sha256sum -c` reads it
#   oci/                    the filter as an image, in the form that Istio pulls: an OCI layout
#   nr                      the command line, for machines like this one
#   *.cdx.json              what the filter and nr are made of: CycloneDX 1.6
#   LICENSE, *.licenses     our licence, and those of what is linked into each
#   SHA256SUMS              the digests of all of these
#
# NR_FEATURES=regex           with `patterns` of guardrails
# SOURCE_DATE_EPOCH=SECONDS   when it was made; without it, the time of the commit if nothing was changed since

CALLED_FROM=$PWD
# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

FOLDER=${1:-$ROOT/target/dist}
case $FOLDER in /*) ;; *) FOLDER=$CALLED_FROM/$FOLDER ;; esac
FILTER=neural_router.wasm

# The commit, if the checkout is exactly that: a release of changed files is of no commit, and has no date.
describe_sources() {
  NR_REVISION=
  if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$ROOT" ] && [ -z "$(git status --porcelain)" ]; then
    NR_REVISION=$(git rev-parse HEAD)
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git show --no-patch --format=%ct HEAD)}
  fi
  export NR_REVISION
  [ -z "${SOURCE_DATE_EPOCH:-}" ] || export SOURCE_DATE_EPOCH
}

# bill COMPILER ARTIFACT ARGUMENT… writes what is in one product, and its licences.
bill() {
  local compiler=$1 artifact=$2
  shift 2
  set -- --artifact "$NEXT/$artifact" --features "${NR_FEATURES:-}" "$@"
  RUSTC=$compiler python3 scripts/sbom.py "$@" >"$NEXT/$artifact.cdx.json" &&
    python3 scripts/sbom.py --texts "$@" >"$NEXT/$artifact.licenses"
}

# Digests of every file below the folder, in an order that no locale changes.
digests() {
  local file
  (cd "$NEXT" && find . -type f | sed 's#^\./##' | LC_ALL=C sort) | while read -r file; do
    say "$(sha256 "$NEXT/$file")  $file"
  done
}

if [ -e "$FOLDER" ] && [ ! -e "$FOLDER/SHA256SUMS" ]; then fail "$FOLDER exists and is no release: name another folder, or remove it"; fi
have strip || fail "strip is missing: install binutils"
scripts/build.sh
have python3 || scripts/tools.sh python
describe_sources

umask 022
mkdir -p "$(dirname "$FOLDER")"
NEXT=$(mktemp -d "$FOLDER.XXXXXX")
trap 'rm -rf "$NEXT"' EXIT
chmod 755 "$NEXT"
cp "target/$FILTER" "$NEXT/"
say "$(sha256 "$NEXT/$FILTER")  $FILTER" >"$NEXT/$FILTER.sha256"
strip -o "$NEXT/nr" target/release/nr
cp LICENSE "$NEXT/"
COMPILER=rustc
[ "$(wasm_toolchain)" = installed ] || COMPILER=/usr/bin/rustc
step "bill of materials of the filter" bill "$COMPILER" "$FILTER" --package neural-router --target wasm32-wasip1
step "bill of materials of nr" bill rustc nr --package nr --beside nr-simulator
step "image" scripts/oci-image.sh "$NEXT/$FILTER" "$NEXT/oci"
digests >"$NEXT.sums"
mv "$NEXT.sums" "$NEXT/SHA256SUMS"

# What was there is replaced when the new one is whole.
rm -rf "$FOLDER"
mv "$NEXT" "$FOLDER"
say "release $(version)${NR_REVISION:+ of $NR_REVISION}: ${FOLDER#"$ROOT"/}"
[ -n "$NR_REVISION" ] || say "files were changed since the last commit, or there is none: the image names no commit"
