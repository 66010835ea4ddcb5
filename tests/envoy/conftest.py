"""What every test of the suite stands on: one simulator and one Envoy for the session, checked after each test."""

import pytest

import programs
import stack as stacks
from caller import Callers
from configuration import PROTOCOLS
from gateway import Gateway
from simulator import Simulator
from stack import Stack


def pytest_sessionstart(session: pytest.Session) -> None:
    """One clear sentence, instead of hundreds of errors, when the products are not built."""
    if session.config.option.collectonly:
        return
    try:
        for program in (programs.nr, programs.simulator, programs.wasm, programs.envoy):
            program()
    except programs.Missing as missing:
        pytest.exit(str(missing), returncode=1)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory):
    """The running parts. When they end, their logs must hold no trap and no secret."""
    running = stacks.start(tmp_path_factory.mktemp("stack"))
    yield running
    ended = running.envoy.running()
    stacks.stop(running)
    assert ended, f"Envoy ended during the session:\n{running.envoy.errors()[-4000:]}"
    found = running.faults_in_logs()
    assert not found, "in the logs of the session:\n" + "\n".join(found[:40])


@pytest.fixture
def sim(stack: Stack) -> Simulator:
    """The simulator, healthy and with empty recordings."""
    stack.simulator.reset()
    return stack.simulator


@pytest.fixture
def gateway(stack: Stack, sim: Simulator) -> Gateway:
    """The gateway as workspace `acme` sees it, before healthy providers. The test must not make the filter trap."""
    before = len(stack.envoy.errors())
    yield stack.gateway
    traps = [line for line in stack.envoy.errors()[before:].splitlines() if stacks.TRAP_MARKS.search(line)]
    assert not traps, "the filter trapped:\n" + "\n".join(traps[:10])


@pytest.fixture
def unharmed(stack: Stack, gateway: Gateway):
    """After the test, a normal call still succeeds on both workers of the same Envoy."""
    yield
    stack.simulator.reset()
    for _ in range(8):  # the kernel spreads connections over the workers
        answer = gateway.chat(text="Still there?")
        assert answer.status == 200 and answer.text, (answer.status, answer.body[:400])


@pytest.fixture(scope="session")
def callers(stack: Stack) -> Callers:
    """Who has taken which workspace."""
    return Callers(stack)


@pytest.fixture
def fresh(callers: Callers, gateway: Gateway) -> Callers:
    """Hands out workspaces by their kind in `tenants.py` that no other test calls."""
    return callers


@pytest.fixture
def keys(stack: Stack) -> dict[str, str]:
    """The key of each workspace."""
    return stack.secrets.workspace


@pytest.fixture
def no_provider_called(sim: Simulator):
    """The test must end without any provider having been called."""
    yield
    called = {name: len(sim.requests(name)) for name in PROTOCOLS}
    assert not any(called.values()), f"a refused call reached a provider: {called}"
