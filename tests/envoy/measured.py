"""Metrics as Prometheus reads them from Envoy, and a Prometheus that does."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

import programs
from programs import Child, until

SAMPLE = re.compile(r'^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
FOLDER = programs.ROOT / "envoy/prometheus"


@dataclass(frozen=True)
class Sample:
    """One line."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass
class Page:
    """What a scrape returns."""

    text: str

    @property
    def types(self) -> dict[str, str]:
        """The kind of each metric."""
        return dict(line.split()[2:4] for line in self.text.splitlines() if line.startswith("# TYPE "))

    @property
    def samples(self) -> list[Sample]:
        """Every line that is no comment."""
        found = [SAMPLE.match(line) for line in self.text.splitlines() if line and not line.startswith("#")]
        assert all(found), "a line is no sample"
        return [Sample(one["name"], dict(LABEL.findall(one["labels"] or "")), float(one["value"])) for one in found]

    def sum(self, name: str, **labels: str) -> int:
        """The sum over all samples of a metric with these labels."""
        return int(sum(one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items()))

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], int]:
        """The values of a metric by some of its labels, without what is 0."""
        sums: dict[tuple[str, ...], int] = {}
        for one in self.samples:
            if one.name == name and one.value:
                key = tuple(one.labels[label] for label in labels)
                sums[key] = sums.get(key, 0) + int(one.value)
        return sums


def page(address: str, path: str = "/stats/prometheus?filter=^wasmcustom") -> Page:
    """The metrics at an address; of the filter only, unless another path is asked for."""
    answer = httpx.get(f"http://{address}{path}", timeout=20, trust_env=False)
    assert answer.status_code == 200, answer.text[:400]
    return Page(answer.text)


def promtool(*arguments, stdin: str | None = None) -> subprocess.CompletedProcess:
    """Prometheus's own tool."""
    found = shutil.which("promtool")
    if not found:
        raise programs.Missing("promtool is missing: run `scripts/tools.sh prometheus`")
    return subprocess.run([found, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60)


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int):
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False)

    def ready(self) -> bool:
        """Whether it serves."""
        try:
            return self.http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def query(self, expr: str) -> list[dict]:
        """What an expression returns now, without samples that are no number."""
        answer = self.http.get("/api/v1/query", params={"query": expr}).json()
        assert answer["status"] == "success", (expr, answer)
        return [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]

    def rules(self) -> list[dict]:
        """Every rule, as it was evaluated last."""
        return [rule for group in self.http.get("/api/v1/rules").json()["data"]["groups"] for rule in group["rules"]]


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus with the configuration and rules that are shipped, but for the address and the pace."""
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    file, [port] = folder / "prometheus.yaml", programs.free_ports(1)
    file.write_text(json.dumps(config))
    shutil.copy(FOLDER / "rules.yaml", folder)
    found = shutil.which("prometheus")
    if not found:
        raise programs.Missing("prometheus is missing: run `scripts/tools.sh prometheus`")
    child = Child("prometheus", [
        found, "--config.file", file, "--storage.tsdb.path", folder / "tsdb", "--web.listen-address", f"127.0.0.1:{port}",
    ], folder)
    running = Prometheus(port)
    try:
        child.wait_until(running.ready, "to be ready", 40)
        yield running
    finally:
        running.http.close()
        child.stop()


def settled(address: str, holds, what: str, seconds: float = 20.0) -> Page:
    """The page as soon as it is as expected; Envoy merges its histograms in rounds."""
    def look():
        now = page(address)
        return now if holds(now) else None
    return until(look, what, seconds, 0.1)
