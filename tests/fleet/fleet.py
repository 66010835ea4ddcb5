"""Several Envoys with the filter, one service that counts for all of them, and one simulator as their provider."""

import json
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import httpx
import yaml

import configuration
import load
import programs
from counting import Redis, Service, kill
from gateway import Gateway
from partition import Namespace, Relay, far_side
from programs import Child
from simulator import Simulator

SHARE = 0.02
TIMEOUT_MS = 250
# A call costs this whatever the filter expects of its prompt: the prompt is free, and the answer as long as it may be.
OUTPUT_USD, ANSWER_TOKENS = Decimal("0.001"), 10
USAGE = {"prompt": 5, "completion": ANSWER_TOKENS}
PRICE = OUTPUT_USD * ANSWER_TOKENS
UNITS_PER_USD = 10_000
METRIC = re.compile(r'^\S*nr_fleet_requests_total\S*?(granted|refused|unavailable|ambiguous)\S* (\d+)$', re.MULTILINE)

MODEL = {
    "id": "meter", "provider_name": "Meter", "context_window": 100_000, "max_output_tokens": 1000,
    "price": {"input_per_m": 0, "output_per_m": float(OUTPUT_USD * 1_000_000)}, "capabilities": [],
    "quality": {"default": 0.5}, "latency": {"first_token_ms": 500, "tokens_per_second": 50},
    "deployments": [{"provider": "openai", "model": "meter-1"}],
}


@dataclass(frozen=True)
class Kind:
    """Workspaces alike: how many, and their `limits` and `budget`."""

    count: int
    settings: dict


KINDS = {
    "calls": Kind(2, {"limits": {"requests_per_minute": 6000}}),
    "tokens": Kind(2, {"limits": {"tokens_per_minute": 30_000}}),
    "cash": Kind(14, {"budget": {"usd": 10, "period": "total"}}),
}


def lease(limit: int) -> int:
    """How many hits one Envoy takes at a time."""
    return max(int(limit * SHARE), 1)


@dataclass
class Workspace:
    """A workspace that no other test calls."""

    ident: str
    key: str
    settings: dict

    @property
    def budget_units(self) -> int:
        """Its budget in the service's hits."""
        return self.settings["budget"]["usd"] * UNITS_PER_USD


@dataclass
class Member:
    """An Envoy of the fleet."""

    name: str
    folder: Path
    host: str
    port: int
    admin: str
    argv: list
    lives: int = 0
    child: Child | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it takes calls."""
        return self.host, self.port

    def start(self) -> None:
        """Starts it; it takes calls when it is `ready`."""
        self.lives += 1
        self.child = Child(f"{self.name}-{self.lives}", self.argv, self.folder)

    def ready(self) -> None:
        """Waits until it takes calls."""
        self.child.wait_until(self.live, "to be live", 60)

    def live(self) -> bool:
        """Whether it takes calls."""
        try:
            return httpx.get(f"http://{self.admin}/ready", timeout=5, trust_env=False).text.strip() == "LIVE"
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """It ends at once."""
        kill(self.child)

    def gateway(self, workspace: Workspace) -> Gateway:
        """Its calls as this workspace."""
        return Gateway(self.port, workspace.key, self.host)

    def chat(self, workspace: Workspace):
        """One call."""
        return self.gateway(workspace).post(BODY)

    def usage(self, workspace: Workspace) -> dict:
        """`GET /v1/usage`."""
        answer = self.gateway(workspace).call("GET", "/v1/usage")
        assert answer.status == 200, answer.body
        return json.loads(answer.body, parse_float=Decimal)

    def asked(self) -> Counter:
        """What became of the filter's questions to the service."""
        text = httpx.get(f"http://{self.admin}/stats/prometheus", timeout=20, trust_env=False).text
        found = Counter()
        for result, value in METRIC.findall(text):
            found[result] += int(value)
        return found

    def available(self) -> int | None:
        """The gauge that says whether the service answers."""
        text = httpx.get(f"http://{self.admin}/stats?filter=nr_fleet_available", timeout=20, trust_env=False).text
        return int(text.rpartition(": ")[2]) if text.strip() else None

    def stop(self) -> None:
        """Ends it."""
        if self.child:
            self.child.stop()


BODY = json.dumps({
    "model": "meter", "max_tokens": ANSWER_TOKENS, "messages": [{"role": "user", "content": "Say hello."}]}).encode()


@dataclass
class Fleet:
    """The running parts. `near` are three Envoys, of which the last is on the far side of the cut, as is `denying`."""

    folder: Path
    far: Namespace | Relay
    redis: Redis
    service: Service
    simulator: Simulator
    simulator_program: Child
    members: list[Member]
    denying: Member
    keys: dict[str, str]
    taken: Counter = field(default_factory=Counter)

    def take(self, kind: str) -> Workspace:
        """A workspace of this kind that nobody has called."""
        self.taken[kind] += 1
        ident = f"{kind}-{self.taken[kind]}"
        return Workspace(ident, self.keys[ident], KINDS[kind].settings)

    def load(self, workspace: Workspace, calls: int, events: dict | None = None, members: list[Member] | None = None,
             connections: int = 48) -> load.Outcome:
        """So many calls over all three Envoys; before the n-th, the event of that number happens."""
        happening, request = events or {}, load.chat(0, workspace.key, BODY)

        def call(number: int) -> load.Call:
            if event := happening.get(number):
                event()
            return load.Call(request)
        return load.run([member.address for member in members or self.members], calls, call, connections)

    def served(self) -> int:
        """How many calls the provider was sent by the three Envoys and the denying one."""
        return sum(_counter(member, "cluster.provider_openai.upstream_rq_completed") for member in [*self.members, self.denying])

    def asked(self) -> Counter:
        """What became of all members' questions to the service."""
        return sum((member.asked() for member in [*self.members, self.denying]), Counter())

    def stop(self) -> None:
        """Ends everything, whatever of it runs."""
        for part in (*self.members, self.denying, self.service, self.redis, self.simulator_program):
            part.stop()
        self.simulator.close()
        self.far.close()


def _counter(member: Member, name: str) -> int:
    text = httpx.get(f"http://{member.admin}/stats?filter=^{name}$", timeout=20, trust_env=False).text
    return int(text.rpartition(": ")[2] or 0)


def start(folder: Path) -> Fleet:
    """Everything. The caller stops it."""
    far = far_side()
    started = []
    try:
        names = [f"{kind}-{number}" for kind, alike in KINDS.items() for number in range(1, alike.count + 1)]
        keys = {name: f"nr-{secrets.token_hex(24)}" for name in names}
        simulator_program, simulator = _simulator(folder, far.here)
        started.append(simulator_program)
        redis = Redis(folder)
        started.append(redis)
        provider = simulator.providers["openai"]
        limits = folder / "limits.yaml"
        limits.write_text(_render(folder, "ratelimit", _document(keys, far.here, [1, 2], provider, (far.service, 1)), "--for", "limitador-1"))
        service = Service(folder, limits, redis, ip="0.0.0.0" if far.service != "127.0.0.1" else far.service)
        started.append(service)
        near, beyond = (far.service, service.port), far.reach(service.port)
        places = [("envoy-1", far.here, near, "local"), ("envoy-2", far.here, near, "local"),
                  ("envoy-3", far.there, beyond, "local"), ("envoy-deny", far.there, beyond, "deny")]
        members = []
        for name, host, counted_at, unavailable in places:
            ports = programs.free_ports(2)
            document = _document(keys, host, ports, provider, counted_at, unavailable)
            member = _member(folder, name, document, far if host == far.there else None)
            members.append(member)
            started.append(member)
            member.start()
        for member in members:
            member.ready()
        simulator.record(False)
        simulator.behave("openai", tokens=USAGE, validate=False, chunks=1)
        return Fleet(folder, far, redis, service, simulator, simulator_program, members[:3], members[3], keys)
    except BaseException:
        for part in reversed(started):
            part.stop()
        far.close()
        raise


def _simulator(folder: Path, host: str) -> tuple[Child, Simulator]:
    control, port = programs.free_ports(2)
    child = Child("simulator", [
        programs.simulator(), "--control", f"127.0.0.1:{control}", "--provider", f"openai=openai@{host}:{port}"], folder)
    child.wait_until(lambda: '"ready":true' in child.output(), "its ready line")
    return child, Simulator(f"127.0.0.1:{control}", {"openai": f"{host}:{port}"})


def _document(keys: dict[str, str], host: str, ports: list[int], provider: str, service: tuple[str, int], unavailable: str = "local") -> dict:
    return {
        "listen": {"address": host, "port": ports[0]},
        "admin": {"address": host, "port": ports[1], "allow_remote": True},
        "limits": {
            "scope": "fleet", "service": {"address": service[0], "port": service[1]}, "timeout_ms": TIMEOUT_MS,
            "on_unavailable": unavailable, "lease": {"share": SHARE}},
        "providers": {"openai": {"protocol": "openai", "base_url": f"http://{provider}/v1"}},
        "models": [MODEL],
        "routing": {"adaptive": False},
        "workspaces": [
            {"id": name, "keys": [{"id": "only", "sha256": configuration.digest(keys[name])}], "models": ["*"]}
            | KINDS[name.rpartition("-")[0]].settings
            for name in keys
        ],
    }


def _render(folder: Path, what: str, document: dict, *options) -> str:
    file = folder / "neural-router.yaml"
    file.write_text(configuration.to_yaml(document))
    done = programs.run([programs.nr(), "render", what, "--config", file, *options])
    assert done.returncode == 0, done.stderr
    return done.stdout


def _member(folder: Path, name: str, document: dict, far: Namespace | Relay | None) -> Member:
    folder = folder / name
    folder.mkdir()
    bootstrap = folder / "envoy.yaml"
    bootstrap.write_text(yaml.safe_dump(yaml.safe_load(_render(folder, "envoy", document, "--wasm", programs.wasm()))))
    argv = [programs.envoy(), "--config-path", bootstrap, "--concurrency", 2, "--use-dynamic-base-id", "--log-level", "info", "--drain-time-s", 1]
    admin = f"{document['admin']['address']}:{document['admin']['port']}"
    return Member(name, folder, document["listen"]["address"], document["listen"]["port"], admin, far.argv(argv) if far else argv)
