"""`nr render kubernetes` in real Envoy: the pod's files as kubelet would lay them out, its probes, its metrics, and how it ends."""

import dataclasses
import socket
import subprocess
import threading
import time

import httpx
import pytest

import cluster
import configuration
import programs
import stack as stacks
from cluster import Volumes
from gateway import Gateway
from programs import Child
from stack import Stack

METRICS = 9902


@dataclasses.dataclass
class Pod:
    """A pod's one container, running here."""

    stack: Stack
    spec: dict
    volumes: Volumes
    metrics: int
    envoy: Child

    @property
    def container(self) -> dict:
        """What its manifest says."""
        return self.spec["containers"][0]

    def calls(self) -> int:
        """How many calls are under way."""
        return self.stack.counter(r"http\.clients\.downstream_rq_active")


@pytest.fixture(scope="module")
def pod(stack: Stack, tmp_path_factory):
    """A pod of the suite's configuration. What a pod has to itself and a machine does not, addresses and ports, is replaced."""
    tmp_path = tmp_path_factory.mktemp("pod")
    listen, admin, metrics = programs.free_ports(3)
    config = stack.config | {"listen": stack.config["listen"] | {"port": listen}, "admin": {"address": "127.0.0.1", "port": admin}}
    file = tmp_path / "neural-router.yaml"
    file.write_text(configuration.to_yaml(config))
    rendered = programs.run([programs.nr(), "render", "kubernetes", "--image", "neural-router:local", "--config", file])
    assert rendered.returncode == 0, rendered.stderr
    manifests = cluster.documents(rendered.stdout)
    spec = cluster.only(manifests, "Deployment")["spec"]["template"]["spec"]
    volumes = Volumes(tmp_path / "volumes", spec, manifests, {"neural-router-providers": stack.secrets.environment()})
    places = volumes.places(spec["containers"][0])
    files = cluster.only(manifests, "ConfigMap")["data"]
    for name, text in files.items():
        files[name] = cluster.placed(text, places).replace("address: 0.0.0.0\n", "address: 127.0.0.1\n").replace(f": {METRICS}\n", f": {metrics}\n")
    volumes.mount()

    module = spec["initContainers"][0]
    copied = cluster.placed(module["command"][2], volumes.places(module))
    (tmp_path / "volumes/module/neural_router.wasm").symlink_to(programs.wasm())
    assert copied == str(tmp_path / "volumes/module/neural_router.wasm")

    command = [cluster.placed(word, places) for word in spec["containers"][0]["command"]]
    assert command[0] == "envoy"
    envoy = Child("envoy", [programs.envoy(), *command[1:]], tmp_path)
    gateway = Gateway(listen, stack.secrets.workspace["acme"])
    here = dataclasses.replace(stack, folder=tmp_path, config=config, gateway=gateway, admin=f"127.0.0.1:{admin}", envoy=envoy)
    running = Pod(here, spec, volumes, metrics, envoy)
    envoy.wait_until(lambda: well(running, "startupProbe"), "its startup probe", 40)
    yield running
    envoy.stop()


def well(pod: Pod, probe: str) -> bool:
    """Whether a probe of the container finds it well."""
    asked = pod.container[probe]["httpGet"]
    assert (asked["port"], asked["scheme"]) == (pod.container["ports"][0]["name"], "HTTP")
    try:
        return httpx.get(f"{pod.stack.gateway.url}{asked['path']}", timeout=3, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_pod_serves_is_asked_whether_it_is_well_and_shows_metrics_and_nothing_else(pod, sim):
    answer = pod.stack.gateway.chat("gpt-4o", route={"fallbacks": ["claude-sonnet"]})
    assert answer.status == 200
    assert sim.only("openai").values("authorization") == [f"Bearer {pod.stack.secrets.provider['openai']}"]
    assert all(well(pod, probe) for probe in ("startupProbe", "readinessProbe", "livenessProbe"))

    metrics = f"http://127.0.0.1:{pod.metrics}"
    scraped = httpx.get(f"{metrics}/stats/prometheus", timeout=10, trust_env=False)
    assert scraped.is_success and "envoy_http_downstream_rq_total" in scraped.text
    for method, path in [("GET", "/"), ("GET", "/config_dump"), ("POST", "/quitquitquit"), ("POST", "/stats/prometheus"), ("GET", "/stats")]:
        assert httpx.request(method, metrics + path, timeout=10, trust_env=False).status_code == 404, (method, path)
    assert pod.envoy.running()


def test_a_pod_that_is_to_end_lets_its_calls_end_first(pod, sim):
    command = [cluster.placed(word, pod.volumes.places(pod.container)) for word in pod.container["lifecycle"]["preStop"]["exec"]["command"]]
    sim.behave("openai", chunks=40, chunk_interval_ms=50)
    held = {}
    stream = threading.Thread(target=lambda: held.update(answer=pod.stack.gateway.chat("gpt-4o", stream=True, timeout=30)))
    stream.start()
    programs.until(lambda: pod.calls() == 1, "the stream to begin", 10)


    def sent_elsewhere_next() -> bool:
        answer = pod.stack.gateway.call("GET", "/healthz", key=None)
        assert answer.status == 200, "calls that still come here are answered"
        return answer.header("connection") == "close"
    assert not sent_elsewhere_next()
    ending = subprocess.Popen([*command, "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    programs.until(sent_elsewhere_next, "clients to be told to go elsewhere", 10)
    assert ending.poll() is None, "the hook waits for the stream"
    stream.join(30)
    output, _ = ending.communicate(timeout=10)
    assert (ending.returncode, output) == (0, b"")
    assert held["answer"].done and not held["answer"].torn


def test_the_wait_for_calls_has_an_end(pod, sim):
    script = cluster.placed(pod.container["lifecycle"]["preStop"]["exec"]["command"][1], pod.volumes.places(pod.container))
    sim.fault("openai", "hang")
    with socket.create_connection(("127.0.0.1", pod.stack.gateway.port)) as conn:
        conn.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\nauthorization: Bearer "
                     + pod.stack.gateway.key.encode() + b"\r\n\r\n{")
        programs.until(lambda: pod.calls() == 1, "a call that never ends", 10)
        began = time.monotonic()
        assert subprocess.run(["bash", script, "2", "0"], timeout=20).returncode == 0
        assert time.monotonic() - began < 8
