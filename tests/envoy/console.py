"""The `console` blocks of a document, and a shell they run in.

A line that begins with `$ ` is a command, lines after it that begin with `> ` continue it, and what follows is what it
prints: `…` stands for anything within a line, a line of only `…` for any lines. A block whose output is not shown is
run all the same. A block in an HTML comment is run and not shown. Every command has to succeed; where failing is the
point, the document shows `$ command || echo "exit $?"`.
"""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from programs import family

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "\x1e"


@dataclass
class Step:
    """A command of a document and what it is said to print."""

    line: int
    command: str
    shown: list[str] = field(default_factory=list)

    def matches(self, printed: str) -> bool:
        """Whether the output is the one shown; none shown means any."""
        if not self.shown:
            return True
        parts = [r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n" for line in self.shown]
        lines = "".join(line.rstrip() + "\n" for line in printed.splitlines())
        return re.fullmatch("".join(parts), lines) is not None


def steps(text: str) -> list[Step]:
    """The commands of a document in their order."""
    found: list[Step] = []
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1)) + 1
        for number, line in enumerate(block.group(1).splitlines(), first):
            if line.startswith("$ "):
                found.append(Step(number, line[2:]))
            elif line.startswith("> ") and found and not found[-1].shown:
                found[-1].command += "\n" + line[2:]
            elif found:
                found[-1].shown.append(line.rstrip())
            else:
                raise ValueError(f"line {number} comes before any command: {line}")
    for step in found:
        while step.shown and not step.shown[-1]:
            step.shown.pop()
    return found


class Shell:
    """One bash for all commands of a document; whatever they start ends with it."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.log = folder / "console.log"
        self.log.touch()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "--noprofile", "--norc"], cwd=folder, env=os.environ | environment,
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def run(self, command: str, seconds: float = 90.0) -> tuple[int, str]:
        """Exit status and output of a command, also of what still runs in the background meanwhile."""
        begin = self.log.stat().st_size
        self.process.stdin.write(f"{command}\nprintf '{MARK}%s{MARK}' $?\n".encode())
        self.process.stdin.flush()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.log.read_bytes()[begin:].decode(errors="replace")
            if text.count(MARK) >= 2:
                printed, status, _ = text.split(MARK, 2)
                return int(status), printed
            if self.process.poll() is not None:
                raise AssertionError(f"the shell ended at: {command}\n{text}")
            time.sleep(0.02)
        raise AssertionError(f"did not end within {seconds:.0f} s: {command}\n{self.log.read_text()[-2000:]}")

    def end(self) -> None:
        """Ends the shell and everything it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in family(self.process.pid):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            limit = time.monotonic() + 10
            while family(self.process.pid) and time.monotonic() < limit:
                self.process.poll()
                time.sleep(0.05)
        self.process.stdin.close()
        self.process.wait(5)
