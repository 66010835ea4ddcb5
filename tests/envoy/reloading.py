"""A gateway of `nr up` that is changed with `nr apply`, and callers who must not notice."""

import copy
import fcntl
import http.client
import json
import os
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import httpx

import configuration
import programs
from gateway import Gateway
from lasting import Http2Client
from programs import Child

WORKSPACE = "acme"
# Fast answers come from the one, long streams from the other.
QUICK, SLOW = "gpt-4o", "claude-sonnet"
# Long enough that a busy machine is no reason for an error.
PATIENCE = {"first_token_timeout_ms": 10_000, "answer_timeout_ms": 15_000, "total_timeout_ms": 60_000}


def acme(config: dict) -> dict:
    """The workspace whose key the callers use."""
    return next(workspace for workspace in config["workspaces"] if workspace["id"] == WORKSPACE)


def by_name(url: str) -> str:
    """The same address in another form, for which the cluster has to be made anew."""
    return url.replace("127.0.0.1", "localhost")


def the_change(turn: int, first: dict):
    """The n-th of a hundred changes: the policy always, and by turns all else.

    A provider that comes takes over the quick calls at once, and gives them back when it goes; it is given by
    name, so that Envoy has to look it up before it can be called.
    """
    providers, quick = first["providers"], next(n for n, model in enumerate(first["models"]) if model["id"] == QUICK)

    def change(config: dict) -> None:
        acme(config)["budget"]["usd"] = 1000 + turn
        config["models"][1]["quality"]["default"] = 0.5 + turn / 1000
        if turn % 3 == 0:  # one more provider, one less
            is_there = config["providers"].pop("another", None)
            if not is_there:
                config["providers"]["another"] = providers["openai"] | {"base_url": by_name(providers["openai"]["base_url"])}
            config["models"][quick]["deployments"] = [{"provider": "openai" if is_there else "another", "model": "gpt-4o"}]
        if turn % 5 == 0:  # those that are being used
            name = ["openai", "anthropic"][turn // 5 % 2]
            here = config["providers"][name]["base_url"]
            config["providers"][name]["base_url"] = by_name(here) if here == providers[name]["base_url"] else providers[name]["base_url"]
        if turn % 20 == 19:  # the listener
            config["routing"]["total_timeout_ms"] = 60_000 + turn
    return change


@dataclass
class Live:
    """The running gateway, its file and what the file holds."""

    file: Path
    directory: Path
    config: dict
    keys: configuration.Secrets
    up: Child
    admin: str
    gateway: Gateway

    def apply(self, change=lambda config: None, *options, environment: dict[str, str] | None = None):
        """Changes the file and applies it; the change stays when it was taken."""
        config = copy.deepcopy(self.config)
        change(config)
        # JSON is YAML too, and written in a fraction of the time.
        applied = self.apply_text(json.dumps(config), *options, environment=environment)
        if applied.returncode == 0:
            self.config = config
        return applied

    def apply_text(self, text: str, *options, environment: dict[str, str] | None = None):
        """Writes these words into the file and applies it."""
        self.file.write_text(text)
        return programs.run([programs.nr(), "apply", "--run-dir", self.directory, *options],
                            self.keys.environment() if environment is None else environment)

    def stats(self, pattern: str) -> dict[str, int]:
        """Envoy's counters and gauges that match."""
        text = httpx.get(f"http://{self.admin}/stats", params={"filter": pattern}, timeout=20, trust_env=False).text
        pairs = (line.rsplit(": ", 1) for line in text.splitlines())
        return {name: int(value) for name, value in pairs if value.lstrip("-").isdigit()}

    def machines(self) -> int:
        """How many VMs of Wasm there are, those included that only calls in flight still need."""
        return self.stats(r"^wasm\.envoy\.wasm\.runtime\.v8\.active$").popitem()[1]

    def files(self) -> dict[str, bytes]:
        """What Envoy watches, and all else in the directory."""
        return {str(path.relative_to(self.directory)): path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}

    def usage(self) -> dict:
        """Where the workspace stands."""
        answer = self.gateway.call("GET", "/v1/usage")
        assert answer.status == 200, answer.body
        return json.loads(answer.body, parse_float=Decimal)


def start(stack, folder: Path, configure=lambda config: None, workers: int = 2, directory: str | None = "run",
          environment: dict[str, str] | None = None) -> Live:
    """`nr up` before the session's simulator, its files in this folder or where it likes. The caller stops it."""
    listen, admin = programs.free_ports(2)
    config = configuration.document(listen, admin, stack.simulator.providers, stack.secrets)
    config["routing"] |= PATIENCE
    config["listen"] |= {"drain_s": 10, "notice_s": 0}
    acme = next(workspace for workspace in config["workspaces"] if workspace["id"] == WORKSPACE)
    acme["budget"] = {"usd": 1000, "period": "total"}
    configure(config)
    file = folder / "neural-router.yaml"
    file.write_text(configuration.to_yaml(config))
    environment = (environment or {}) | stack.secrets.environment() | {"ENVOY_BIN": str(programs.envoy())}
    run = ["--run-dir", folder / directory] if directory else []
    up = Child("up", [programs.nr(), "up", "--config", file, "--workers", workers, *run, "--wasm", programs.wasm()], folder, environment)
    up.wait_until(lambda: re.search(r"^ready ", up.output(), re.M), "its ready line", 40)
    place = Path(re.search(r"^nr: files in (\S+);", up.errors(), re.M)[1])
    return Live(file, place, config, stack.secrets, up, f"127.0.0.1:{admin}", Gateway(listen, stack.secrets.workspace[WORKSPACE]))


@contextmanager
def aside(work):
    """Runs `work` beside the block; what is given is a function that returns its result after the block."""
    results: list = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    try:
        yield lambda: results[0]
    finally:
        thread.join(60)


@contextmanager
def held(directory: Path):
    """The lock that `nr apply` holds while it changes a directory."""
    at = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(at, fcntl.LOCK_EX)
        yield
    finally:
        os.close(at)


@dataclass
class Traffic:
    """What callers saw. `lost` is every call that did not end as it should, with the reason."""

    answered: Counter = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    spent: Decimal = Decimal(0)
    connections: Counter = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def good(self, kind: str, routing: list[dict]) -> None:
        """A call that ended well; `routing` as it came, in one piece or in two."""
        with self.lock:
            self.answered[kind] += 1
            self.spent += sum(part.get("cost_usd", Decimal(0)) for part in routing)
            tried = [part["attempts"] for part in routing if "attempts" in part]
            if [len(attempts) for attempts in tried] != [1]:
                self.lost.append(f"{kind}: not by the first attempt: {tried}")

    def bad(self, kind: str, why: str) -> None:
        """A call that did not."""
        with self.lock:
            self.lost.append(f"{kind} at {time.time():.3f}: {why}")


@contextmanager
def traffic(gateway: Gateway, http1: int = 2, http2: int = 2, streams: int = 4):
    """Steady callers: each makes one call after the other on its own connection, until the end of the block."""
    seen, over = Traffic(), threading.Event()
    ways = [("HTTP/1.1", _http1)] * http1 + [("HTTP/2", _http2)] * http2 + [("stream", _stream)] * streams
    threads = [threading.Thread(target=_until, args=(over, seen, kind, way, gateway)) for kind, way in ways]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads), "a caller hangs"


# Steady callers and not as many calls as fit: a change takes work too, and two cores have to do both.
EVERY_S = 0.02


def _until(over: threading.Event, seen: Traffic, kind: str, way, gateway: Gateway) -> None:
    with way(seen, gateway) as call:
        while not over.wait(EVERY_S):
            try:
                seen.good(kind, call())
            except Exception as error:  # noqa: BLE001 - whatever it is, a caller noticed
                seen.bad(kind, repr(error))


def _body(model: str, **fields) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Say hello."}]} | fields).encode()


def _json(text) -> dict:
    return json.loads(text, parse_float=Decimal)


@contextmanager
def _http1(seen: Traffic, gateway: Gateway):
    """Keep-alive; a connection that the gateway has announced to end is replaced, as every client does."""
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    connection = http.client.HTTPConnection(gateway.host, gateway.port, timeout=30)
    body = _body(QUICK)

    def call() -> list[dict]:
        if connection.sock is None:
            seen.connections["HTTP/1.1"] += 1
        try:
            connection.request("POST", "/v1/chat/completions", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except BaseException:
            connection.close()
            raise
        assert answer.status == 200, (answer.status, text)
        return [_json(text)["routing"]]
    yield call
    connection.close()


@contextmanager
def _http2(seen: Traffic, gateway: Gateway):
    """HTTP/2, one connection for all calls as long as the gateway keeps it."""
    client = Http2Client(gateway.port, gateway.key)

    def call() -> list[dict]:
        try:
            answer = client.post("/v1/chat/completions", _body(QUICK))
        except BaseException:
            client.close()
            raise
        assert answer.status == 200, (answer.status, answer.body)
        return [_json(answer.body)["routing"]]
    yield call
    seen.connections["HTTP/2"] += client.connections
    client.close()


@contextmanager
def _stream(seen: Traffic, gateway: Gateway):
    """A stream that outlasts several changes."""
    def call() -> list[dict]:
        answer = gateway.chat(SLOW, stream=True, stream_options={"include_usage": True}, timeout=30)
        assert answer.status == 200, (answer.status, answer.body)
        assert not answer.torn and answer.done and answer.streamed_text, answer.body[-300:]
        assert not answer.stream_errors, answer.stream_errors
        chunks = [_json(event) for event in answer.events if event != "[DONE]"]
        return [chunk["routing"] for chunk in chunks if "routing" in chunk]
    yield call
