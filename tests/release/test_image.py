"""The image of the filter: what is in it, that it is the same whoever makes it, and that the tools of the trade take it."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import httpx
import pytest

import programs
from programs import ROOT
from release import DOCKER_MANIFEST, Release, as_istio, sha256

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ANNOTATION = "org.opencontainers.image."
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def skopeo(*words) -> str:
    """Runs skopeo, which has no business with this machine's trust policy here, and returns what it prints."""
    done = programs.run(["skopeo", "--insecure-policy", *words])
    assert done.returncode == 0, f"skopeo {words}: {done.stderr}"
    return done.stdout


def image(module: Path, folder: Path, cwd: Path = ROOT, **environment: str) -> Release:
    """The image alone, of a module, with nothing of the environment in it."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {"SOURCE_DATE_EPOCH": "", "NR_REVISION": "", "NR_FEATURES": ""}
    done = programs.run([ROOT / "scripts/oci-image.sh", module, folder / "oci"], plain | environment, cwd)
    assert done.returncode == 0, done.stderr
    return Release(folder)


def test_every_blob_is_what_its_name_and_its_descriptor_say(release):
    manifest = release.manifest
    for descriptor in (release.descriptor, manifest["config"], *manifest["layers"]):
        assert len(release.blob(descriptor["digest"])) == descriptor["size"]
    assert len(list((release.layout / "blobs/sha256").iterdir())) == 3
    layer = release.blob(manifest["layers"][0]["digest"])
    with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as archive:
        (member,) = archive.getmembers()
        assert (member.name, member.mode, member.uid, member.gid, member.mtime, member.uname) == ("plugin.wasm", 0o644, 0, 0, 0, "")


def test_the_mesh_takes_the_module_out_of_the_layout(release):
    assert release.unpacked() == release.wasm.read_bytes()
    assert release.manifest["annotations"]["module.wasm.image/variant"] == "compat"


def test_skopeo_reads_the_layout_and_unpacks_the_same_module(release, tmp_path):
    assert release.descriptor["digest"] in skopeo("inspect", f"oci:{release.layout}:{release.tag}")
    skopeo("copy", f"oci:{release.layout}:{release.tag}", f"dir:{tmp_path}/copy")

    manifest = (tmp_path / "copy/manifest.json").read_bytes()
    module = as_istio(manifest, lambda digest: (tmp_path / "copy" / digest.removeprefix("sha256:")).read_bytes())
    assert sha256(module) == sha256(release.wasm.read_bytes())


def test_skopeo_pushes_it_and_the_mesh_pulls_it_by_tag_and_by_digest(release, registry):
    skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{release.layout}:{release.tag}", f"docker://{registry}/nr:{release.tag}")

    def pull(path: str, kind: str = "*/*") -> httpx.Response:
        answer = httpx.get(f"http://{registry}/v2/nr/{path}", headers={"accept": kind}, trust_env=False)
        answer.raise_for_status()
        return answer
    for name in (release.tag, release.descriptor["digest"]):
        manifest = pull(f"manifests/{name}", OCI_MANIFEST)
        assert f"sha256:{sha256(manifest.content)}" == release.descriptor["digest"]
        assert as_istio(manifest.content, lambda digest: pull(f"blobs/{digest}").content) == release.wasm.read_bytes()


def test_a_registry_of_dockers_own_form_gives_the_same_module(release, registry):
    skopeo("copy", "--format=v2s2", "--dest-tls-verify=false", f"oci:{release.layout}:{release.tag}", f"docker://{registry}/docker:{release.tag}")

    def pull(path: str) -> bytes:
        return httpx.get(f"http://{registry}/v2/docker/{path}", headers={"accept": DOCKER_MANIFEST}, trust_env=False).raise_for_status().content
    manifest = pull(f"manifests/{release.tag}")
    assert DOCKER_MANIFEST.encode() in manifest
    assert as_istio(manifest, lambda digest: pull(f"blobs/{digest}")) == release.wasm.read_bytes()


def test_the_same_module_gives_the_same_image_wherever_and_by_whomever_it_is_made(release, tmp_path):
    stated = {"SOURCE_DATE_EPOCH": "1795405329", "NR_REVISION": COMMIT}
    first = image(release.wasm, tmp_path / "first", **stated)

    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    module = elsewhere / "copy.wasm"
    shutil.copyfile(release.wasm, module)
    os.utime(module, (1, 1))
    module.chmod(0o600)
    mask = os.umask(0o077)
    try:
        second = image(Path("copy.wasm"), elsewhere / "deep/er", elsewhere, **stated, TZ="Asia/Kathmandu", LC_ALL="C", GZIP="", TAR_OPTIONS="")
    finally:
        os.umask(mask)
    assert first.index == second.index
    contents = [{file.relative_to(made.layout): file.read_bytes() for file in made.layout.rglob("*") if file.is_file()} for made in (first, second)]
    assert contents[0] == contents[1]


def test_another_module_is_another_image(release, tmp_path):
    other = tmp_path / "other.wasm"
    other.write_bytes(release.wasm.read_bytes() + b"\0\x01\0")
    assert image(other, tmp_path / "a").descriptor["digest"] != image(release.wasm, tmp_path / "b").descriptor["digest"]


def test_it_says_what_it_is_and_where_from(release, tmp_path):
    made = image(release.wasm, tmp_path, SOURCE_DATE_EPOCH="1795405329", NR_REVISION=COMMIT)
    said = {name.removeprefix(ANNOTATION): value for name, value in made.manifest["annotations"].items() if name.startswith(ANNOTATION)}
    description = said.pop("description")
    assert "Envoy" in description
    assert said == {
        "created": "2026-11-23T03:42:09Z", "licenses": "Apache-2.0", "revision": COMMIT, "title": "Neural Router",
        "source": "https://github.com/neural-router/neural-router", "version": made.tag,
    }
    assert made.config["created"] == said["created"]
    assert made.config["config"]["Labels"].items() <= made.manifest["annotations"].items()


def test_what_is_not_known_is_not_said(release, tmp_path):
    made = image(release.wasm, tmp_path)
    assert not {ANNOTATION + "created", ANNOTATION + "revision"} & set(made.manifest["annotations"])
    assert "created" not in made.config


@pytest.mark.parametrize(("module", "folder", "sentence"), [
    ("absent.wasm", "oci", "is missing: run make build"),
    ("text.wasm", "oci", "is no WebAssembly module"),
    ("good.wasm", "taken", "exists and is no OCI layout"),
])
def test_what_cannot_be_made_is_refused_in_one_sentence(release, tmp_path, module, folder, sentence):
    (tmp_path / "text.wasm").write_text("(module)")
    shutil.copyfile(release.wasm, tmp_path / "good.wasm")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/letter").write_text("mine")
    done = programs.run([ROOT / "scripts/oci-image.sh", module, folder], cwd=tmp_path)
    assert done.returncode == 1 and sentence in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert (tmp_path / "taken/letter").read_text() == "mine"
