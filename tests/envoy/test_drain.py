"""The end of a gateway: who asks is told, nobody new is let in, and what runs has its time."""

import os
import signal
import socket
import threading
import time

import pytest

import configuration
import programs
import reloading
from gateway import Gateway
from lasting import Multiplexed
from programs import until

CHUNKS, INTERVAL_MS = 40, 60  # a stream of 2.4 s


@pytest.fixture
def begin(stack, sim, tmp_path):
    """Starts a gateway with these settings of `listen`; ends it after the test."""
    running = []

    def start(**listen) -> reloading.Live:
        live = reloading.start(stack, tmp_path, lambda config: config["listen"].update(listen), workers=1)
        running.append(live)
        return live
    yield start
    for live in running:
        live.up.stop()


class Stream:
    """A stream on a thread of its own, which has begun."""

    def __init__(self, live: reloading.Live, sim, chunks: int = CHUNKS):
        sim.behave(configuration.PROVIDER_OF[reloading.SLOW], chunks=chunks, chunk_interval_ms=INTERVAL_MS)
        self.answer = None
        self.thread = threading.Thread(target=self._run, args=(live.gateway,))
        self.thread.start()
        until(lambda: live.stats(r"^cluster\.provider_anthropic\.upstream_rq_active$").popitem()[1] == 1, "the stream to begin", 10)

    def _run(self, gateway: Gateway) -> None:
        self.answer = gateway.chat(reloading.SLOW, stream=True, timeout=60)

    def ended(self):
        """What became of it."""
        self.thread.join(60)
        return self.answer


def told(live: reloading.Live, how: int = signal.SIGTERM) -> float:
    """Tells the gateway to end."""
    os.kill(live.up.process.pid, how)
    return time.monotonic()


def accepts(live: reloading.Live) -> bool:
    """Whether connections are taken."""
    with socket.socket() as probe:
        return probe.connect_ex((live.gateway.host, live.gateway.port)) == 0


def test_a_running_stream_ends_in_its_own_time_while_nobody_new_is_let_in(begin, sim):
    live = begin(drain_s=30, notice_s=0)
    stream = Stream(live, sim)
    at = told(live)
    until(lambda: not accepts(live), "connections to be refused", 10)
    assert stream.answer is None, "connections were refused only when the stream had ended"
    assert live.up.process.wait(30) == 0
    assert time.monotonic() - at < 25, "it waited for its limit although nothing ran"
    answer = stream.ended()
    assert answer.status == 200 and answer.done and not answer.torn


def test_streams_on_one_http2_connection_end_in_their_own_time_and_the_client_is_told_to_leave(begin, sim):
    """GOAWAY says that no call comes after those that run; a call that was sent meanwhile is served too, or not taken."""
    live = begin(drain_s=30, notice_s=3)
    sim.behave(configuration.PROVIDER_OF[reloading.SLOW], chunks=CHUNKS, chunk_interval_ms=150)  # 6 s
    client = Multiplexed(live.gateway.port, live.gateway.key)
    streams = [client.begin(reloading.SLOW) for _ in range(3)]
    until(lambda: all(client.read(stream) for stream in streams), "the streams to begin", 10)
    told(live)
    until(lambda: live.gateway.call("GET", "/healthz", key=None).status == 503, "the drain to begin", 3)
    last = client.begin(reloading.SLOW)
    client.end()
    assert live.up.process.wait(30) == 0
    assert client.last_taken is not None and client.last_taken >= streams[-1], "no GOAWAY"
    taken = [stream for stream in [*streams, last] if stream <= client.last_taken]
    for stream in taken:
        assert client.ended[stream] and client.bodies[stream].rstrip().endswith(b"data: [DONE]"), client.bodies[stream][-200:]
    assert "had not ended" not in live.up.errors()


def test_load_balancers_have_time_to_notice_and_calls_are_served_meanwhile(begin, sim):
    live = begin(drain_s=30, notice_s=3)
    assert live.gateway.call("GET", "/healthz", key=None).status == 200
    at = told(live)
    health = until(lambda: (answer := live.gateway.call("GET", "/healthz", key=None)).status == 503 and answer, "/healthz to say so", 3)
    assert health.json() == {"status": "draining"} and health.header("content-type") == "application/json"
    served = live.gateway.chat()
    assert served.status == 200 and served.text
    assert served.header("connection") == "close", "a client with a lasting connection has to come back elsewhere"
    assert live.up.process.wait(30) == 0
    assert time.monotonic() - at >= 3


def test_the_limit_cuts_what_takes_longer(begin, sim):
    live = begin(drain_s=2, notice_s=0)
    stream = Stream(live, sim, chunks=500)
    at = told(live)
    assert live.up.process.wait(30) == 0
    assert 2 <= time.monotonic() - at < 20
    assert stream.ended().torn
    assert "1 calls had not ended and are cut" in live.up.errors()


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(begin, sim, first):
    live = begin(drain_s=60, notice_s=0)
    stream = Stream(live, sim, chunks=500)
    told(live, first)
    until(lambda: "a second signal ends at once" in live.up.errors(), "the drain to begin", 10)
    until(lambda: not accepts(live), "connections to be refused", 10)
    at = told(live)
    assert live.up.process.wait(20) == 0
    assert time.monotonic() - at < 15
    assert stream.ended().torn


def test_ctrl_c_does_not_wait_for_load_balancers(begin):
    live = begin(drain_s=60, notice_s=50)
    at = told(live, signal.SIGINT)
    assert live.up.process.wait(30) == 0
    assert time.monotonic() - at < 25


def test_a_limit_that_was_applied_later_holds(begin, sim):
    live = begin(drain_s=600, notice_s=0)
    applied = live.apply(lambda config: config["listen"].update(drain_s=1))
    assert applied.returncode == 0, applied.stderr
    stream = Stream(live, sim, chunks=500)
    told(live)
    assert live.up.process.wait(30) == 0
    assert stream.ended().torn


def test_an_envoy_that_something_else_has_started_is_drained_by_a_command(stack, sim, tmp_path):
    """`nr render files`, an Envoy of one's own, `nr apply`, `nr drain`."""
    listen, admin = programs.free_ports(2)
    config = configuration.document(listen, admin, stack.simulator.providers, stack.secrets)
    config["listen"] |= {"drain_s": 20, "notice_s": 0}
    file, directory = tmp_path / "neural-router.yaml", tmp_path / "set"
    file.write_text(configuration.to_yaml(config))
    rendered = programs.run([programs.nr(), "render", "files", directory, "--config", file, "--wasm", programs.wasm(),
                             "--secrets", tmp_path / "secrets"], stack.secrets.environment())
    assert rendered.returncode == 0, rendered.stderr
    envoy = programs.Child("envoy", [programs.envoy(), "--config-path", directory / "envoy.yaml", "--concurrency", 1,
                                     "--use-dynamic-base-id"], tmp_path)
    try:
        gateway = Gateway(listen, stack.secrets.workspace["acme"])
        envoy.wait_until(lambda: programs.answers(f"http://127.0.0.1:{admin}/ready"), "to be live", 40)
        assert gateway.chat().status == 200

        config["workspaces"][0]["keys"].clear()
        file.write_text(configuration.to_yaml(config))
        applied = programs.run([programs.nr(), "apply", file, "--run-dir", directory], stack.secrets.environment())
        assert applied.returncode == 0 and applied.stdout == "applied: router.yaml\n", applied.stderr
        assert gateway.chat().status == 401

        drained = programs.run([programs.nr(), "drain", "--run-dir", directory])
        assert drained.returncode == 0, drained.stderr
        assert envoy.process.wait(10) == 0
    finally:
        envoy.stop()
