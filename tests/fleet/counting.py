"""The parts that count for a fleet: a Redis that keeps a log of what it did, and the rate-limit service before it."""

import json
import re
import shutil
import signal
from collections import Counter
from pathlib import Path

import httpx

import programs
from programs import Child, Missing

CONDITION = re.compile(r'(\w+) == "(.*)"')


def redis_server() -> str:
    """Redis; the error says what installs it."""
    if found := shutil.which("redis-server"):
        return found
    raise Missing("redis-server is missing: run scripts/tools.sh redis")


def rate_limit_service() -> Path:
    """The service of tests/ratelimit."""
    path = programs.TARGET / "debug/nr-ratelimit"
    if not path.is_file():
        raise Missing(f"{path} is missing: run scripts/build-ratelimit.sh")
    return path


class Redis:
    """A Redis that writes down what it does before it says that it has: `appendfsync always`.

    With Redis's usual `everysec` an answer can be up to two seconds ahead of the file.
    """

    def __init__(self, folder: Path):
        self.folder, self.lives = folder, 0
        [self.port] = programs.free_ports(1)
        self.start()

    def start(self) -> None:
        """Starts it, or starts it again with what the file says."""
        self.lives += 1
        self.child = Child(f"redis-{self.lives}", [
            redis_server(), "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
            "--appendonly", "yes", "--appendfsync", "always"], self.folder)
        self.child.wait_until(lambda: self.cli("PING") == ["PONG"], "to answer")

    def kill(self) -> None:
        """It ends at once, without a chance to save anything."""
        kill(self.child)

    def hang(self) -> None:
        """It does nothing until it is woken, and then all that it was told meanwhile."""
        self.child.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """It goes on."""
        self.child.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it."""
        self.wake()
        self.child.stop()

    def cli(self, *words) -> list[str]:
        """A command, and the lines of its answer."""
        done = programs.run(["redis-cli", "-p", self.port, "--raw", *words])
        return done.stdout.splitlines()

    def counters(self) -> dict[tuple[str, str, str], int]:
        """All counters: by scope, limit and window how many hits."""
        keys = [key for key in self.cli("KEYS", "namespace:*,counter:*") if key]
        values = self.cli("MGET", *keys) if keys else []
        return {_counter(key): int(value) for key, value in zip(keys, values, strict=True) if value}

    def hits(self, scope: str, limit: str) -> int:
        """What was granted of a limit, in all windows."""
        return sum(hits for (of, kind, _), hits in self.counters().items() if (of, kind) == (scope, limit))


def _counter(key: str) -> tuple[str, str, str]:
    counter = json.loads(key.partition(",counter:")[2])
    conditions = dict(CONDITION.fullmatch(text).groups() for text in counter["limit"]["conditions"])
    return conditions["nr_scope"], conditions["nr_limit"], counter["set_variables"]["nr_window"]


class Service:
    """The rate-limit service, on the same port in all its lives."""

    def __init__(self, folder: Path, limits: Path, redis: Redis, like: str = "limitador", ip: str = "127.0.0.1"):
        self.folder, self.limits, self.redis, self.like, self.ip = folder, limits, redis, like, ip
        self.timeout_ms = 200
        self.lives = 0
        self.past: Counter = Counter()
        self.port, self.http_port = programs.free_ports(2)
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it takes calls."""
        self.lives += 1
        self.child = Child(f"ratelimit-{self.lives}", [
            rate_limit_service(), "-v", "-b", self.ip, "-p", self.port, "-B", "127.0.0.1", "-P", self.http_port,
            "--like", self.like, self.limits, "redis", f"redis://127.0.0.1:{self.redis.port}",
            "--timeout-ms", self.timeout_ms], self.folder)
        self.child.wait_until(lambda: self.status() == 200, "to be ready")

    def kill(self) -> None:
        """It ends at once. What it had counted up to now stays in `counts`."""
        self.past += self.counts_of_this_life()
        kill(self.child)

    def stop(self) -> int:
        """Asks it to end."""
        return self.child.stop()

    def status(self) -> int:
        """The status of its health page; 0 where nobody answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.http_port}/status", timeout=5, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def counts(self) -> Counter:
        """What it decided in all its lives."""
        return self.past + self.counts_of_this_life() if self.child.running() else Counter(self.past)

    def counts_of_this_life(self) -> Counter:
        """What it decided since it was started."""
        text = httpx.get(f"http://127.0.0.1:{self.http_port}/metrics", timeout=5, trust_env=False).text
        pairs = (line.split() for line in text.splitlines() if not line.startswith("#"))
        return Counter({name: int(value) for name, value in pairs})


def kill(child: Child) -> None:
    """SIGKILL, and waits for the end."""
    child.process.send_signal(signal.SIGKILL)
    child.process.wait(10)
