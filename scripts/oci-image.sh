#!/usr/bin/env bash
# Makes the OCI image of a filter in the form that Istio pulls, as a layout in a folder. No Docker: the layout is tar,
# gzip, SHA-256 and three small JSON files, and the same module, version, commit and date give the same image to the byte.
#
#   scripts/oci-image.sh [MODULE [FOLDER]]      default: target/neural_router.wasm target/oci
#
# SOURCE_DATE_EPOCH=SECONDS   when the image was made; without it, the image does not say
# NR_REVISION=COMMIT          the commit it was made from; without it, the image does not say
#
# The form is the "compat" variant of the Wasm image specification: an ordinary image, so that every registry takes it,
# whose last layer holds plugin.wasm.

CALLED_FROM=$PWD
# shellcheck source=scripts/prelude.sh
. "$(dirname "$0")/prelude.sh"

absolute() { case $1 in /*) say "$1" ;; *) say "$CALLED_FROM/$1" ;; esac; }

MODULE=$(absolute "${1:-$ROOT/target/neural_router.wasm}")
FOLDER=$(absolute "${2:-$ROOT/target/oci}")
LAYER_TYPE=application/vnd.oci.image.layer.v1.tar+gzip
CONFIG_TYPE=application/vnd.oci.image.config.v1+json
MANIFEST_TYPE=application/vnd.oci.image.manifest.v1+json

# BSD's tar cannot be told whose the files are.
gnu_tar() { if have gtar; then gtar "$@"; else tar "$@"; fi; }

# blob FILE moves a file to where its content says and prints its digest and its size.
blob() {
  local digest size
  digest=$(sha256 "$1")
  size=$(wc -c <"$1" | tr -d ' ')
  mv "$1" "$NEXT/blobs/sha256/$digest"
  say "$digest $size"
}

# members KEY VALUE… prints them as members of a JSON object, leaving out those without a value.
members() {
  local comma=
  while [ $# -gt 0 ]; do
    case $2 in *[\"\\]*) fail "$1 of the image has a quote or a backslash: $2" ;; esac
    [ -z "$2" ] || printf '%s"%s":"%s"' "$comma" "$1" "$2"
    [ -z "$2" ] || comma=,
    shift 2
  done
}

[ -f "$MODULE" ] || fail "$MODULE is missing: run make build"
[ "$(head -c 4 "$MODULE" | od -An -tx1 | tr -d ' \n')" = 0061736d ] || fail "$MODULE is no WebAssembly module"
gnu_tar --version 2>/dev/null | grep -q GNU || fail "GNU tar is missing: install it (macOS: brew install gnu-tar)"
if [ -e "$FOLDER" ] && [ ! -e "$FOLDER/oci-layout" ]; then fail "$FOLDER exists and is no OCI layout: name another folder, or remove it"; fi

VERSION=$(version)
TAG=$VERSION${NR_FEATURES:+-$NR_FEATURES}
CREATED=${SOURCE_DATE_EPOCH:+$(rfc3339 "$SOURCE_DATE_EPOCH")}
umask 022
mkdir -p "$(dirname "$FOLDER")"
NEXT=$(mktemp -d "$FOLDER.XXXXXX")
trap 'rm -rf "$NEXT"' EXIT
chmod 755 "$NEXT"
mkdir -p "$NEXT/blobs/sha256"
cp "$MODULE" "$NEXT/plugin.wasm"

# Nothing of the machine goes in: no name, no owner, no mode, no date, neither in the archive nor in gzip's header.
gnu_tar -C "$NEXT" --format=ustar --owner=0 --group=0 --numeric-owner --mode=0644 --mtime=@0 -cf "$NEXT/layer.tar" plugin.wasm
rm "$NEXT/plugin.wasm"
diff_id=$(sha256 "$NEXT/layer.tar")
gzip -n -9 "$NEXT/layer.tar"
layer=$(blob "$NEXT/layer.tar.gz")

annotations=$(members \
  org.opencontainers.image.created "$CREATED" \
  org.opencontainers.image.description "$(cargo_field description)" \
  org.opencontainers.image.licenses "$(cargo_field license)" \
  org.opencontainers.image.revision "${NR_REVISION:-}" \
  org.opencontainers.image.source "$(cargo_field repository)" \
  org.opencontainers.image.title "Neural Router" \
  org.opencontainers.image.version "$TAG")

# A module runs anywhere, but tools that copy images expect a machine: this is the one they take where an image says none.
# Labels repeat the annotations, which do not outlive a change to Docker's own manifest.
printf '{%s"architecture":"amd64","os":"linux","config":{"Labels":{%s}},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
  "${CREATED:+\"created\":\"$CREATED\",}" "$annotations" "$diff_id" >"$NEXT/config"
config=$(blob "$NEXT/config")

printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"%s","digest":"sha256:%s","size":%s}],"annotations":{%s,"module.wasm.image/variant":"compat"}}' \
  "$MANIFEST_TYPE" "$CONFIG_TYPE" "${config% *}" "${config#* }" "$LAYER_TYPE" "${layer% *}" "${layer#* }" "$annotations" >"$NEXT/manifest"
manifest=$(blob "$NEXT/manifest")

printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
  "$MANIFEST_TYPE" "${manifest% *}" "${manifest#* }" "$TAG" >"$NEXT/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$NEXT/oci-layout"

rm -rf "$FOLDER"
mv "$NEXT" "$FOLDER"
say "image $TAG sha256:${manifest% *}"
