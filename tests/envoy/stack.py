"""One Envoy with the filter in front of the simulator, as `nr render envoy` configures it."""

import copy
import dataclasses
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

import configuration
import programs
from configuration import Secrets
from gateway import Gateway
from programs import Child
from simulator import Simulator

# What Envoy writes when the filter traps, or when it stops working at all.
TRAP_MARKS = re.compile(
    r"panicked|\bpanic\b|wasm trap|Function: \S+ failed|Uncaught RuntimeError|RuntimeError: |"
    r"Plugin .* failed|Caught Segmentation fault|Caught Aborted|assert failure|envoy bug failure", re.IGNORECASE)

# What Envoy writes when the filter calls what it may not.
REFUSED_CALL = re.compile(r"restricted proxy-wasm capability")


@dataclass
class Stack:
    """The running parts."""

    folder: Path
    secrets: Secrets
    secrets_folder: Path
    bootstrap: Path
    config: dict
    simulator: Simulator
    gateway: Gateway
    admin: str
    envoy: Child
    simulator_program: Child

    def logs(self) -> dict[str, str]:
        """All that the parts have written, by program and stream."""
        return {
            f"{child.name} {name}": text
            for child in (self.envoy, self.simulator_program)
            for name, text in (("stdout", child.output()), ("stderr", child.errors()))
        }

    def config_dump(self) -> str:
        """Envoy's own view of its configuration, secrets and endpoints included."""
        answers = [
            httpx.get(f"http://{self.admin}/{path}", timeout=20, trust_env=False)
            for path in ("config_dump?include_eds", "config_dump?resource=dynamic_active_secrets",
                         "config_dump?resource=static_secrets", "clusters", "stats")
        ]
        return "\n".join(answer.text for answer in answers)

    def counter(self, name: str) -> int:
        """One of Envoy's counters."""
        text = httpx.get(f"http://{self.admin}/stats?filter=^{name}$", timeout=20, trust_env=False).text
        return int(text.rpartition(": ")[2] or 0)

    def faults_in_logs(self) -> list[str]:
        """What must never be in a log: traps, and anything secret."""
        words = {
            **{f"key of workspace {name}": key for name, key in self.secrets.workspace.items()},
            **{f"key of provider {name}": key for name, key in self.secrets.provider.items()},
            "prompt": self.secrets.prompt,
            "phrase of a rule": self.secrets.phrase,
        }
        found = []
        for log, text in self.logs().items():
            found += [f"{log}: {line.strip()[:300]}" for line in text.splitlines() if TRAP_MARKS.search(line) or REFUSED_CALL.search(line)]
            found += [f"{log}: holds the {what}" for what, word in words.items() if word in text]
        return found


def start_simulator(folder: Path) -> tuple[Child, Simulator]:
    """The simulator with the suite's providers."""
    control, *ports = programs.free_ports(1 + len(configuration.PROTOCOLS))
    argv = [programs.simulator(), "--control", f"127.0.0.1:{control}"]
    addresses = {}
    for (name, protocol), port in zip(configuration.PROTOCOLS.items(), ports, strict=True):
        addresses[name] = f"127.0.0.1:{port}"
        argv += ["--provider", f"{name}={protocol}@127.0.0.1:{port}"]
    child = Child("simulator", argv, folder)
    child.wait_until(lambda: '"ready":true' in child.output(), "its ready line")
    return child, Simulator(f"127.0.0.1:{control}", addresses)


def start_envoy(name: str, bootstrap: Path, admin: str, folder: Path, workers: int = 2) -> Child:
    """Envoy with this bootstrap, ready to serve."""
    child = Child(name, [
        programs.envoy(), "--config-path", bootstrap, "--concurrency", workers, "--use-dynamic-base-id",
        "--log-level", "info", "--file-flush-interval-msec", 50, "--drain-time-s", 1,
    ], folder)

    def ready() -> bool:
        try:
            return httpx.get(f"http://{admin}/ready", timeout=5, trust_env=False).text.strip() == "LIVE"
        except httpx.TransportError:
            return False
    child.wait_until(ready, "to be live", 40)
    return child


def render(config: Path, secrets_folder: Path, environment: dict[str, str], wasm: Path | None = None) -> subprocess.CompletedProcess:
    """`nr render envoy` with this configuration."""
    return programs.run([
        programs.nr(), "render", "envoy", "--config", config,
        "--wasm", wasm or programs.wasm(), "--secrets", secrets_folder,
    ], environment)


@contextmanager
def beside(stack: Stack, folder: Path, workers: int = 2, configure: Callable[[dict], None] = lambda config: None,
           edit: Callable[[dict], None] = lambda bootstrap: None, wasm: Path | None = None) -> Iterator[Stack]:
    """Another Envoy before the same simulator, with its configuration and its bootstrap changed; at the end it must still run."""
    listen, admin_port = programs.free_ports(2)
    config = copy.deepcopy(stack.config)
    config["listen"]["port"], config["admin"]["port"] = listen, admin_port
    configure(config)
    file, bootstrap = folder / "neural-router.yaml", folder / "envoy.yaml"
    file.write_text(configuration.to_yaml(config))
    rendered = render(file, folder / "secrets", stack.secrets.environment(), wasm)
    assert rendered.returncode == 0, rendered.stderr
    document = yaml.safe_load(rendered.stdout)
    edit(document)
    bootstrap.write_text(yaml.safe_dump(document))
    admin = f"127.0.0.1:{admin_port}"
    envoy = start_envoy("envoy", bootstrap, admin, folder, workers)
    gateway = Gateway(listen, stack.secrets.workspace["acme"])
    try:
        yield dataclasses.replace(
            stack, folder=folder, secrets_folder=folder / "secrets", bootstrap=bootstrap, config=config, gateway=gateway, admin=admin, envoy=envoy)
        assert envoy.running(), f"Envoy ended:\n{envoy.errors()[-4000:]}"
    finally:
        envoy.stop()


def start(folder: Path, wasm: Path | None = None) -> Stack:
    """Everything, in the order the parts need each other, with another module if one is given. The caller stops it."""
    secrets = Secrets()
    listen, admin_port = programs.free_ports(2)
    admin = f"127.0.0.1:{admin_port}"
    simulator_program, simulator = start_simulator(folder)
    try:
        config = configuration.document(listen, admin_port, simulator.providers, secrets)
        file, bootstrap, secrets_folder = folder / "neural-router.yaml", folder / "envoy.yaml", folder / "secrets"
        file.write_text(configuration.to_yaml(config))
        rendered = render(file, secrets_folder, secrets.environment(), wasm)
        assert rendered.returncode == 0, rendered.stderr
        bootstrap.write_text(rendered.stdout)
        envoy = start_envoy("envoy", bootstrap, admin, folder)
    except BaseException:
        simulator_program.stop()
        raise
    gateway = Gateway(listen, secrets.workspace["acme"])
    return Stack(folder, secrets, secrets_folder, bootstrap, config, simulator, gateway, admin, envoy, simulator_program)


def stop(stack: Stack) -> None:
    """Ends everything that `start` started."""
    stack.envoy.stop()
    stack.simulator.close()
    stack.simulator_program.stop()
