"""`nr render kubernetes` in real Envoy: a pod's containers on volumes as kubelet would lay them out, its probes, its metrics, and how it ends.
What becomes of a changed ConfigMap: test_kubernetes_changes.py."""

import socket
import subprocess
import threading
import time

import httpx
import pytest

import programs
from pod import METRICS, Pod


@pytest.fixture(scope="module")
def pod(stack, tmp_path_factory):
    """A pod of the suite's configuration."""
    running = Pod(stack, tmp_path_factory.mktemp("pod"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def calls(pod: Pod) -> int:
    """How many calls are under way."""
    return pod.as_stack().counter(r"http\.clients\.downstream_rq_active")


def test_a_pod_serves_is_asked_whether_it_is_well_and_shows_metrics_and_nothing_else(pod, sim):
    answer = pod.gateway.chat("gpt-4o", route={"fallbacks": ["claude-sonnet"]})
    assert answer.status == 200
    assert sim.only("openai").values("authorization") == [f"Bearer {pod.stack.secrets.provider['openai']}"]
    assert all(pod.well(probe) for probe in ("startupProbe", "readinessProbe", "livenessProbe"))

    ports = {port["name"]: port["containerPort"] for port in pod.container("envoy")["ports"]}
    assert ports == {"http": pod.gateway.port, "metrics": METRICS}
    metrics = f"http://127.0.0.1:{pod.metrics}"
    scraped = httpx.get(f"{metrics}/stats/prometheus", timeout=10, trust_env=False)
    assert scraped.is_success and "envoy_http_downstream_rq_total" in scraped.text
    for method, path in [("GET", "/"), ("GET", "/config_dump"), ("POST", "/quitquitquit"), ("POST", "/stats/prometheus"), ("GET", "/stats")]:
        assert httpx.request(method, metrics + path, timeout=10, trust_env=False).status_code == 404, (method, path)
    assert pod.envoy.running()


def test_a_pod_keeps_what_it_renders_apart_from_secrets(pod):
    run = pod.folder / "volumes/run"
    written = {path.name: path.read_text() for path in run.rglob("*") if path.is_file()}
    assert {"envoy.yaml", "router.yaml", "gateway.json", "provider_openai.yaml"} <= set(written)
    found = [(file, name) for file, text in written.items() for name, key in pod.stack.secrets.provider.items() if key in text]
    assert not found
    assert not any(key in pod.apply.output() + pod.apply.errors() for key in pod.stack.secrets.provider.values())


def test_a_pod_that_is_to_end_lets_its_calls_end_first(pod, sim):
    command = pod.words("envoy", pod.container("envoy")["lifecycle"]["preStop"]["exec"]["command"])
    sim.behave("openai", chunks=40, chunk_interval_ms=50)
    held = {}
    stream = threading.Thread(target=lambda: held.update(answer=pod.gateway.chat("gpt-4o", stream=True, timeout=30)))
    stream.start()
    programs.until(lambda: calls(pod) == 1, "the stream to begin", 10)

    def sent_elsewhere_next() -> bool:
        answer = pod.gateway.call("GET", "/healthz", key=None)
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


def test_a_key_can_be_revoked_in_a_pod_that_is_ending(pod):
    """After the test above the pod is draining."""
    assert pod.gateway.chat().status == 200
    assert pod.taken(lambda config: config["workspaces"][0]["keys"].clear()) == "applied: router.yaml"
    assert pod.gateway.chat().status == 401


def test_the_wait_for_calls_has_an_end(pod, sim):
    command = pod.words("envoy", pod.container("envoy")["lifecycle"]["preStop"]["exec"]["command"])
    with socket.create_connection(("127.0.0.1", pod.gateway.port)) as conn:
        conn.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\nauthorization: Bearer "
                     + pod.stack.secrets.workspace["vectors"].encode() + b"\r\n\r\n{")
        programs.until(lambda: calls(pod) == 1, "a call that never ends", 10)
        began = time.monotonic()
        assert subprocess.run([*command[:-1], "2", "0"], timeout=20).returncode == 0
        assert time.monotonic() - began < 8
