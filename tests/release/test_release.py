"""The folder of a release: whole, true to its digests, and working."""

import os
import shutil

import programs
import stack as stacks
from programs import ROOT
from release import sha256


def test_it_is_whole(release):
    there = {file.name for file in release.folder.iterdir()}
    assert there == {
        "neural_router.wasm", "neural_router.wasm.sha256", "neural_router.wasm.cdx.json", "neural_router.wasm.licenses", "oci",
        "nr", "nr.cdx.json", "nr.licenses", "LICENSE", "SHA256SUMS",
    }
    assert sha256(release.wasm.read_bytes()) == sha256(programs.wasm().read_bytes())


def test_its_digests_cover_every_file_and_a_changed_one_is_noticed(release, tmp_path):
    copy = tmp_path / "dist"
    shutil.copytree(release.folder, copy)
    listed = {line.split("  ", 1)[1] for line in (copy / "SHA256SUMS").read_text().splitlines()}
    assert listed == {str(file.relative_to(copy)) for file in copy.rglob("*") if file.is_file()} - {"SHA256SUMS"}

    def check(sums: str) -> int:
        return programs.run(["sha256sum", "--check", "--strict", "--quiet", sums], cwd=copy).returncode
    assert check("SHA256SUMS") == 0 and check("neural_router.wasm.sha256") == 0
    with (copy / "neural_router.wasm").open("ab") as module:
        module.write(b"\0")
    assert check("SHA256SUMS") != 0 and check("neural_router.wasm.sha256") != 0


def test_it_names_the_commit_exactly_when_nothing_was_changed_since(release):
    def git(*words) -> str:
        return programs.run(["git", *words]).stdout.strip()
    annotations = release.manifest["annotations"]
    unchanged = git("rev-parse", "HEAD") if not git("status", "--porcelain") else None
    assert annotations.get("org.opencontainers.image.revision") == unchanged
    assert ("timestamp" in release.bill("nr")["metadata"]) is ("org.opencontainers.image.created" in annotations)
    if "SOURCE_DATE_EPOCH" not in os.environ:
        assert ("org.opencontainers.image.created" in annotations) is bool(unchanged)


def test_its_programs_run_and_carry_no_symbols(release):
    assert programs.run([release.folder / "nr", "--version"]).stdout.startswith("nr ")
    assert programs.run([release.folder / "nr", "check", ROOT / "examples/demo.yaml"]).returncode == 0
    assert (release.folder / "nr").stat().st_size < programs.nr().stat().st_size


def test_the_module_says_nothing_of_the_machine_that_built_it(release):
    module = release.wasm.read_bytes()
    for folder in (ROOT, programs.Path.home(), programs.Path.home() / ".cargo"):
        assert f"{folder}/".encode() not in module, f"the module has paths below {folder}"
    assert b"/crates/serde_json-" in module, "panics no longer say where: look for another way to tell"


def test_envoy_serves_a_call_with_the_module_out_of_the_image(plugin, tmp_path):
    stack = stacks.start(tmp_path, plugin)
    try:
        answer = stack.gateway.chat(text="Say hello.")
        assert answer.status == 200 and answer.text and answer.routing["attempts"][0]["outcome"] == "ok"
        assert str(plugin) in stack.config_dump()
    finally:
        stacks.stop(stack)
    assert not stack.faults_in_logs()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter").write_text("mine")
    done = programs.run([ROOT / "scripts/release.sh", tmp_path])
    assert done.returncode == 1 and "exists and is no release" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["letter"]


def test_a_release_that_cannot_be_finished_leaves_nothing(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").write_text("#!/bin/sh\nexit 3\n")
    (tools / "python3").chmod(0o755)
    done = programs.run([ROOT / "scripts/release.sh", tmp_path / "out" / "dist"], {"PATH": f"{tools}:{os.environ['PATH']}"})
    assert done.returncode == 3, done.stdout
    assert list((tmp_path / "out").iterdir()) == []
