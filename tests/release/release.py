"""What `make release` leaves, and how a mesh reads the image in it."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class Release:
    """The folder of one release."""

    folder: Path

    @property
    def layout(self) -> Path:
        """The OCI layout."""
        return self.folder / "oci"

    @property
    def wasm(self) -> Path:
        """The filter."""
        return self.folder / "neural_router.wasm"

    @property
    def index(self) -> dict:
        """The layout's list of images, which has one."""
        return json.loads((self.layout / "index.json").read_text())

    @property
    def descriptor(self) -> dict:
        """Where the list says that the image is."""
        (descriptor,) = self.index["manifests"]
        return descriptor

    @property
    def tag(self) -> str:
        """The name of the image in the layout."""
        return self.descriptor["annotations"]["org.opencontainers.image.ref.name"]

    @property
    def manifest(self) -> dict:
        """The image's manifest."""
        return json.loads(self.blob(self.descriptor["digest"]))

    @property
    def config(self) -> dict:
        """The image's configuration."""
        return json.loads(self.blob(self.manifest["config"]["digest"]))

    def blob(self, digest: str) -> bytes:
        """A blob of the layout; fails if it is not what its name says."""
        kind, _, value = digest.partition(":")
        content = (self.layout / "blobs" / kind / value).read_bytes()
        assert hashlib.sha256(content).hexdigest() == value, f"the blob {digest} has other bytes"
        return content

    def bill(self, artifact: str) -> dict:
        """The bill of materials of one product."""
        return json.loads((self.folder / f"{artifact}.cdx.json").read_text())

    def unpacked(self) -> bytes:
        """The module as a mesh takes it out of the layout."""
        return as_istio(self.blob(self.descriptor["digest"]), self.blob)


def as_istio(manifest: bytes, blob: Callable[[str], bytes]) -> bytes:
    """The module of an image by the rules of Istio's agent (`pkg/wasm/imagefetcher.go`, the "compat" variant).

    The last layer has to be a compressed archive in the media type of the manifest's family; the module is the first file in
    it that is called plugin.wasm.
    """
    document = json.loads(manifest)
    layers = document["layers"]
    assert layers, "the image has no layer"
    wanted = DOCKER_LAYER if document.get("mediaType") == DOCKER_MANIFEST else OCI_LAYER
    assert layers[-1]["mediaType"] == wanted, layers[-1]
    with tarfile.open(fileobj=io.BytesIO(blob(layers[-1]["digest"])), mode="r|gz") as archive:
        for member in archive:
            if Path(member.name).name == "plugin.wasm":
                return archive.extractfile(member).read()
    raise AssertionError("no plugin.wasm in the last layer")


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()
