"""What the documents tell their readers to type does what they say: every `console` block of `docs/` runs as it stands."""

import os
from pathlib import Path

import pytest

import console
import programs

DOCUMENTS = sorted(path for path in (programs.ROOT / "docs").glob("*.md") if console.steps(path.read_text()))


@pytest.fixture
def shell(tmp_path: Path):
    """A shell in an empty folder in which our programs and Envoy are on PATH, `$SOURCE` is this repository."""
    places = [programs.nr().parent, programs.envoy().parent]
    environment = {
        "PATH": os.pathsep.join([*map(str, places), os.environ["PATH"]]),
        "SOURCE": str(programs.ROOT), "WASM": str(programs.wasm()), "ENVOY_BIN": str(programs.envoy()), "TERM": "dumb",
    } | dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"), "")
    running = console.Shell(tmp_path, environment)
    yield running
    running.end()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_tells_to_type_does_what_it_says(document: Path, shell: console.Shell):
    for step in console.steps(document.read_text()):
        where = f"{document.relative_to(programs.ROOT)}:{step.line}: $ {step.command}"
        status, printed = shell.run(step.command)
        assert status == 0, f"{where}\nended with {status} and printed\n{printed[-3000:]}"
        assert step.matches(printed), f"{where}\nprinted\n{printed[-3000:]}\nand not\n" + "\n".join(step.shown)


def test_a_document_that_says_otherwise_is_found_out(shell: console.Shell):
    text = "```console\n$ printf 'one 1\\ntwo\\n'\none …\ntwo\n$ false || echo \"exit $?\"\nexit 1\n$ cat <<END\n> a\n> END\na\n```\n"
    steps = console.steps(text)
    assert [(step.line, step.command) for step in steps] == [
        (2, "printf 'one 1\\ntwo\\n'"), (5, 'false || echo "exit $?"'), (7, "cat <<END\na\nEND")]
    printed = [shell.run(step.command) for step in steps]
    assert [status for status, _ in printed] == [0, 0, 0]
    assert all(step.matches(text) for step, (_, text) in zip(steps, printed))
    assert not steps[0].matches("one 1\n") and not steps[0].matches("one 1\ntwo\nthree\n") and not steps[0].matches("on 1\ntwo\n")
    assert shell.run("false") == (1, "")
