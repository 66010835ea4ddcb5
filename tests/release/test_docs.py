"""The commands of docs/release.md, as a reader pastes them."""

import os
import re
import shutil

import pytest

import programs
from programs import ROOT
from release import sha256


def version() -> str:
    """The version that Cargo.toml gives to all packages."""
    return re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]


@pytest.fixture
def blocks(release, registry, tmp_path):
    """The shell commands of the page, by heading, for this release, this registry and this image's tag; and how to run them."""
    text = (ROOT / "docs/release.md").read_text().replace("registry.example", registry).replace(f":{version()}", f":{release.tag}")
    tools = tmp_path / "bin"
    tools.mkdir()
    # What a machine with skopeo on it has set up: a policy of trust, and here a registry without TLS.
    (tools / "skopeo").write_text(f'#!/bin/sh\nexec {shutil.which("skopeo")} --insecure-policy --registries-conf {tmp_path}/registries.conf "$@"\n')
    (tools / "skopeo").chmod(0o755)
    (tmp_path / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
    (tmp_path / "target").mkdir()
    (tmp_path / "target/dist").symlink_to(release.folder)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}"}

    def run(heading: str) -> list[str]:
        (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        (block,) = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        done = programs.run(["bash", "-euo", "pipefail", "-c", block], environment, tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
    return run


def test_checking_shows_what_it_promises(blocks, release):
    lines = blocks("Checking one")
    assert release.descriptor["digest"] in lines
    *_, unpacked, stated = lines
    assert unpacked.split()[0] == stated.split()[0] == sha256(release.wasm.read_bytes())


def test_handing_to_a_registry_keeps_the_digest(blocks, release):
    assert blocks("Handing it to a registry")[-1] == release.descriptor["digest"]


def test_what_is_written_by_hand_names_the_version_that_is_released(release):
    assert release.tag.split("-")[0] == version()
    assert f"\nARG VERSION={version()}\n" in (ROOT / "docker/Dockerfile").read_text()
    for page in ("README.md", "docs/release.md"):
        named = set(re.findall(r"oci:target/dist/oci:([0-9.]*[0-9])", (ROOT / page).read_text()))
        assert named == {version()}, page
