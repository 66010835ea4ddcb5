"""The demo in containers, as scripts/test-compose.sh has brought it up, seen from the host."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

DEMO_KEY = "nr-demo-5f8e1c0b7a2d4963"
READY_WITHIN_S = 60


def pytest_sessionstart(session: pytest.Session) -> None:
    """The tests do not start containers: one sentence says what does."""
    if not session.config.option.collectonly and "NR_COMPOSE" not in os.environ:
        pytest.exit("no containers are up: run scripts/test-compose.sh, which starts them and calls this", returncode=1)


def loopback(variable: str, **more) -> httpx.Client:
    """A client of one published port."""
    return httpx.Client(base_url=f"http://127.0.0.1:{os.environ[variable]}", timeout=20, trust_env=False, **more)


@contextmanager
def ready(variable: str) -> Iterator[httpx.Client]:
    """A gateway, once it answers `/healthz`; its calls carry the demo's key."""
    with loopback(variable, headers={"authorization": f"Bearer {DEMO_KEY}"}) as client:
        end = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                answer = client.get("/healthz")
                if answer.status_code == 200:
                    break
                seen = f"{answer.status_code} {answer.text[:200]}"
            except httpx.TransportError as error:
                seen = repr(error)
            assert time.monotonic() < end, f"the gateway was not ready within {READY_WITHIN_S} s: {seen}"
            time.sleep(0.1)
        yield client


@pytest.fixture(scope="session")
def gateway():
    """The gateway of the demo."""
    with ready("NR_PORT") as client:
        yield client


@pytest.fixture(scope="session")
def fleet():
    """The two gateways of the profile `fleet`."""
    with ready("NR_FLEET_1_PORT") as first, ready("NR_FLEET_2_PORT") as second:
        yield first, second


@pytest.fixture
def simulator(gateway):
    """The control interface of the simulator, with healthy providers and empty recordings before and after the test."""
    with loopback("NR_CONTROL_PORT") as client:
        def reset():
            client.post("/reset").raise_for_status()
            for provider in ("openai", "anthropic", "groq"):
                client.delete(f"/providers/{provider}/requests").raise_for_status()
        reset()
        yield client
        reset()


@pytest.fixture
def logs():
    """Reads what the containers have written."""
    def read() -> str:
        argv = [*shlex.split(os.environ["NR_COMPOSE"]), "logs", "--no-color"]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    return read
