"""One release for the session, made by the command that makes all of them."""

import os
import socket
from pathlib import Path

import pytest

import programs
from release import Release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of what is checked out, in a folder of its own. What is built already is not built again."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    done = programs.run([programs.ROOT / "scripts/release.sh", folder], seconds=110)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return Release(folder)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory):
    """An empty image registry: its address."""
    folder = tmp_path_factory.mktemp("registry")
    (port,) = programs.free_ports(1)
    config = folder / "config.yml"
    config.write_text(f"""
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {folder}/images}}
http:
  addr: 127.0.0.1:{port}
""")
    path = f"{os.environ['PATH']}:{programs.TARGET / 'tools/registry/usr/bin'}"
    child = programs.Child("registry", ["env", f"PATH={path}", "docker-registry", "serve", config], folder)
    try:
        child.wait_until(lambda: _listens(port), "to listen", 20)
        yield f"127.0.0.1:{port}"
    finally:
        child.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def plugin(release: Release, tmp_path: Path) -> Path:
    """The module as it comes out of the image."""
    file = tmp_path / "plugin.wasm"
    file.write_bytes(release.unpacked())
    return file
