"""What every test of the fleet stands on: one fleet for the session, checked after each test."""

import time

import pytest

import counting
import fleet as fleets
import programs
from fleet import Fleet
from stack import TRAP_MARKS


def pytest_sessionstart(session: pytest.Session) -> None:
    """One clear sentence, instead of many errors, when something is not there."""
    if session.config.option.collectonly:
        return
    try:
        for program in (programs.nr, programs.simulator, programs.wasm, programs.envoy, counting.redis_server, counting.rate_limit_service):
            program()
    except programs.Missing as missing:
        pytest.exit(str(missing), returncode=1)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, record_testsuite_property):
    """The running parts."""
    started = fleets.start(tmp_path_factory.mktemp("fleet"))
    record_testsuite_property("partition by", started.far.name)
    print(f"\nan Envoy is cut off by a {started.far.name}")
    yield started
    started.stop()


@pytest.fixture
def fleet(running: Fleet):
    """The fleet, all of it up and on speaking terms. No filter must trap."""
    for member in (*running.members, running.denying):
        programs.until(lambda member=member: member.available() != 0, f"{member.name} to find the service", 15)
    yield running
    for member in (*running.members, running.denying):
        assert member.child.running(), f"{member.name} ended:\n{member.child.errors()[-3000:]}"
        traps = [line for line in member.child.errors().splitlines() if TRAP_MARKS.search(line)]
        assert not traps, f"the filter of {member.name} trapped:\n" + "\n".join(traps[:10])


@pytest.fixture
def fresh_minute():
    """Waits for a minute of the clock that has so many seconds left, and fails the test if it was not over by then."""
    began = []

    def wait(seconds: float) -> None:
        left = 60 - time.time() % 60
        if left < seconds:
            time.sleep(left + 0.05)
        began.append(time.time() // 60)
    yield wait
    assert began and time.time() // 60 == began[-1], "the minute ended amid the test: this machine is too slow for it"
