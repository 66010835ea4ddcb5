"""The simulator as one provider, for that provider's own SDK."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("NR_SIMULATOR", str(ROOT / "target/release/nr-simulator"))


class Simulator:
    """The running program on free ports, and its control interface."""

    def __init__(self, protocol: str):
        self.protocol = protocol
        argv = [PROGRAM, "--control", "127.0.0.1:0", "--provider", f"{protocol}={protocol}@127.0.0.1:0"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        ready = json.loads(self.process.stdout.readline())
        self.control, self.url = f"http://{ready['control']}", f"http://{ready['providers'][protocol]}"

    def put(self, what: str, **body) -> None:
        """Sets `behaviour` or `fault`."""
        self._ask("PUT", f"/providers/{self.protocol}/{what}", json.dumps(body).encode())

    def reset(self) -> None:
        """Healthy again, with the behaviour it began with."""
        self._ask("POST", "/reset", b"")

    def stop(self) -> None:
        """Ends the program."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def _ask(self, method: str, path: str, body: bytes) -> None:
        with urllib.request.urlopen(urllib.request.Request(self.control + path, body, method=method)) as reply:
            assert reply.status == 200, (method, path, reply.status)
