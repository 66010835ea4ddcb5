"""`nr apply` and the end of a gateway, while calls wait for what a rate-limit service of the fleet grants them."""

import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

import measured
import programs
import ratelimits
import reloading
from programs import until

CALLS = 6
PER_MINUTE, BUDGET_USD, SHARE = 1_000, 1_000, 0.02
# A hundredth of a cent is a hit.
LEASE = {"requests": PER_MINUTE * SHARE, "budget": BUDGET_USD * SHARE * 10_000}


@pytest.fixture
def service():
    with ratelimits.serving() as one:
        yield one


@pytest.fixture
def live(stack, sim, service, tmp_path):
    """A gateway whose limits are the fleet's, of which nothing is granted yet."""
    def configure(config: dict) -> None:
        config["limits"] = service.settings(timeout_ms=10_000, lease={"share": SHARE})
        spare = {"id": "spare", "keys": [], "models": ["*"]}
        settings = {"limits": {"requests_per_minute": PER_MINUTE}, "budget": {"usd": BUDGET_USD, "period": "total"}}
        config["workspaces"] = [acme(config) | settings, spare]
    one = reloading.start(stack, tmp_path, configure)
    yield one
    one.up.stop()


def acme(config: dict) -> dict:
    return next(workspace for workspace in config["workspaces"] if workspace["id"] == reloading.WORKSPACE)


def another_policy(config: dict) -> None:
    config["models"][1]["quality"]["default"] = 0.123


def without_the_workspace(config: dict) -> None:
    config["workspaces"].remove(acme(config))


def alone(config: dict) -> None:
    """Nothing is the fleet's any more."""
    del config["limits"]


def another_listener(config: dict) -> None:
    config["routing"]["total_timeout_ms"] = 61_000


def at_once(live, calls: int):
    """So many calls beside each other, on connections of their own."""
    pool = ThreadPoolExecutor(calls)
    ways = [{}, {"stream": True, "stream_options": {"include_usage": True}}]
    answers = [pool.submit(live.gateway.chat, timeout=40, **ways[number % 2]) for number in range(calls)]
    pool.shutdown(wait=False)
    return answers


def assert_answered(answers) -> None:
    """Nobody hangs, and nobody is refused."""
    for answer in (future.result(40) for future in answers):
        assert answer.status == 200 and not answer.torn, (answer.status, answer.body[:300])


def cost(answers) -> Decimal:
    """What all of them cost together."""
    total = Decimal(0)
    for answer in (future.result() for future in answers):
        is_stream = answer.header("content-type").startswith("text/event-stream")
        for text in answer.events[:-1] if is_stream else [answer.body]:
            total += json.loads(text, parse_float=Decimal).get("routing", {}).get("cost_usd", 0)
    return total


def under_way(live) -> int:
    return live.stats(r"^http\.clients\.downstream_rq_active$").popitem()[1]


@pytest.mark.parametrize("change", [another_policy, without_the_workspace, alone, another_listener], ids=lambda change: change.__name__)
def test_calls_that_wait_during_a_change_are_answered_and_counted_once(live, service, sim, change):
    with service.held():
        answers = at_once(live, CALLS)
        until(lambda: under_way(live) == CALLS and service.waiting, "the calls to wait", 10)
        applied = live.apply(change)
        assert applied.returncode == 0, applied.stderr
        assert not any(answer.done() for answer in answers), "they did not wait"
    assert_answered(answers)
    assert len(sim.requests("openai")) == CALLS
    until(lambda: under_way(live) == 0, "nothing to be under way", 5)
    # One lease was enough for all of them, and was asked for once.
    assert service.granted == {(reloading.WORKSPACE, limit): hits for limit, hits in LEASE.items()}
    assert measured.page(live.admin).sum("nr_calls_total", outcome="ok") == CALLS
    if change is without_the_workspace:
        assert live.gateway.chat().status == 401
    else:
        budget = live.usage()["budget"]
        assert (budget["spent_usd"], budget["reserved_usd"]) == (cost(answers), 0)
        assert live.gateway.chat().status == 200


def test_calls_that_wait_while_the_filter_is_replaced_are_answered_by_the_old_one(live, service, sim, tmp_path):
    build = tmp_path / "build.wasm"
    build.write_bytes(programs.wasm().read_bytes() + bytes([0, 5, 4]) + b"next")
    with service.held():
        answers = at_once(live, CALLS)
        until(lambda: under_way(live) == CALLS and service.waiting, "the calls to wait", 10)
        applied = live.apply(lambda config: None, "--wasm", build)
        assert applied.returncode == 0, applied.stderr
    assert_answered(answers)
    assert len(sim.requests("openai")) == CALLS
    assert live.gateway.chat().status == 200


def test_the_end_of_a_gateway_waits_for_calls_that_wait(live, service, sim):
    """They are granted what they need after the gateway was told to end, and it ends when they are over."""
    with service.held():
        answers = at_once(live, CALLS)
        until(lambda: under_way(live) == CALLS and service.waiting, "the calls to wait", 10)
        os.kill(live.up.process.pid, signal.SIGTERM)
        until(lambda: not takes_connections(live), "connections to be refused", 10)
        assert live.up.running() and not any(answer.done() for answer in answers)
    assert_answered(answers)
    assert live.up.process.wait(20) == 0
    assert "had not ended" not in live.up.errors()


def takes_connections(live) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((live.gateway.host, live.gateway.port)) == 0
