"""Limits and budgets count exactly across all workers, whoever leaves and whatever dies.

20,000 calls of one workspace, a quarter of which its limits admit, on Envoys of their own with one, two
and eight workers. Where VMs of the filter die, nobody settles what they had reserved, so the whole time
of a call, and with it the lease of a reservation, is short there.
"""

import json
import math
import time

import pytest

import load
import mortal
import programs
import stack as stacks
from caller import Caller, Callers, cost, reserved
from load import Call, Leave, Outcome
from programs import until

CALLS, BURST = 20_000, 5_000
PER_SECOND = 1  # of the kind `load`
USAGE = {"prompt": 100, "completion": 50}
WORKERS = [1, 2, 8]
TOTAL_TIMEOUT_MS = 3_000
LEASE_SECONDS = 20  # longer than any lease then
LAST_CALL = 40
SEATS = ["router", "provider"]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module", params=WORKERS, ids=lambda workers: f"{workers} workers")
def plain(request, stack, tmp_path_factory):
    """An Envoy with so many workers."""
    with stacks.beside(stack, tmp_path_factory.mktemp("load"), request.param) as started:
        yield started, Callers(started)


def short_lived(stack, folder, workers: int, callback: str, calls: int):
    """An Envoy with so many workers, whose VMs die when this callback comes for the n-th time, and whose leases are short."""
    wasm = folder / "mortal.wasm"
    wasm.write_bytes(mortal.mortal(programs.wasm().read_bytes(), callback, calls))

    def configure(config: dict) -> None:
        config["routing"]["total_timeout_ms"] = TOTAL_TIMEOUT_MS
    return stacks.beside(stack, folder, workers, configure, wasm=wasm)


@pytest.fixture(scope="module", params=WORKERS, ids=lambda workers: f"{workers} workers")
def dying(request, stack, tmp_path_factory):
    """One whose VMs die all the time, wherever they are in an answer."""
    with short_lived(stack, tmp_path_factory.mktemp("dying"), request.param, "proxy_on_response_body", 400) as started:
        yield started, Callers(started)


@pytest.fixture
def doomed(stack, tmp_path):
    """One whose router and provider seats both die at the head of the `LAST_CALL`th answer."""
    with short_lived(stack, tmp_path, 1, "proxy_on_response_headers", LAST_CALL) as started:
        yield started, Callers(started)


def fill(callers: Callers) -> tuple[Caller, float, float]:
    """A workspace that has just used up its tokens of a minute, and the Unix times between which it did."""
    caller, sim = callers("tokens"), callers.stack.simulator
    sim.reset()
    sim.behave("openai", tokens={"prompt": 600, "completion": 400})
    before = time.time()
    assert caller.chat().status == 200
    assert caller.settled()["tokens"]["remaining"] == 0
    after = time.time()
    assert caller.chat().status == 429
    return caller, before, after


@pytest.fixture(scope="module")
def minutes() -> list:
    """Workspaces whose minutes are running, and since when: the last test takes one of which most is over."""
    return []


@pytest.fixture(autouse=True)
def another_minute(callers, minutes):
    """One more for every test."""
    minutes.append(fill(callers))


@pytest.fixture
def quick(sim):
    """Providers that cost little, and report the same usage always."""
    sim.record(False)
    sim.behave("openai", tokens=USAGE, validate=False, chunks=3)
    return sim


def requests(caller: Caller, model: str = "meter") -> tuple[bytes, bytes]:
    """The bytes of a call, whole and as a stream."""
    body = {"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": "Say hello."}]}
    whole, stream = (
        load.chat(caller.stack.gateway.port, caller.key, json.dumps(body | {"stream": flag}).encode()) for flag in (False, True))
    return whole, stream


def one_in_ten_leaves(caller: Caller):
    """Every second call is a stream, and the clients of every tenth go away, each in another way."""
    whole, stream = requests(caller)
    leaving = [Leave.AT_ONCE, Leave.WAITING, Leave.AMID]

    def call(number: int) -> Call:
        if number % 10 == 0:
            return Call(stream, leaving[number // 10 % len(leaving)])
        return Call(stream if number % 2 else whole)
    return call


def most(outcome: Outcome) -> int:
    """The bound of the generic cell rate algorithm."""
    return BURST + math.floor(outcome.seconds * PER_SECOND)


def least(outcome: Outcome) -> int:
    """What somebody asked for and the algorithm must give."""
    return BURST + math.floor(outcome.saturated * PER_SECOND)


def asked(stack) -> int:
    """How many requests Envoy has sent to the provider."""
    return stack.counter("cluster.provider_openai.upstream_rq_total")


def test_exactly_the_limit_is_admitted_and_exactly_its_usage_is_charged(plain, quick):
    stack, callers = plain
    caller, before = callers("load"), asked(stack)
    whole, _ = requests(caller)

    outcome = load.run(stack.gateway.port, CALLS, lambda number: Call(whole))

    admitted = outcome.statuses[200]
    assert outcome.statuses == {200: admitted, 429: CALLS - admitted} and not outcome.torn
    assert least(outcome) <= admitted <= most(outcome)
    assert asked(stack) - before == admitted
    assert outcome.tokens == (100 * admitted, 50 * admitted)
    usage = caller.settled()
    assert usage["budget"]["spent_usd"] == admitted * cost(**USAGE)
    assert usage["tokens"]["used"] == admitted * 150


def test_with_clients_that_leave_no_more_is_admitted_and_nothing_stays_reserved(plain, quick):
    stack, callers = plain
    quick.behave("openai", tokens=USAGE, validate=False, chunks=3, first_token_ms=2, chunk_interval_ms=2)
    caller, before = callers("load"), asked(stack)

    outcome = load.run(stack.gateway.port, CALLS, one_in_ten_leaves(caller))

    answered, unknown = outcome.statuses[200], outcome.left[Leave.AT_ONCE] + outcome.left[Leave.WAITING]
    assert set(outcome.statuses) == {200, 429} and not outcome.torn
    assert all(outcome.left[leave] for leave in Leave if leave is not Leave.NEVER)
    assert answered <= asked(stack) - before <= most(outcome)
    assert answered + unknown >= least(outcome)
    budget = caller.settled()["budget"]
    assert (answered - outcome.left[Leave.AMID]) * cost(**USAGE) <= budget["spent_usd"] <= most(outcome) * cost(**USAGE)


def test_with_vms_that_die_no_more_is_admitted_and_nothing_stays_reserved(dying, quick):
    stack, callers = dying
    caller, before = callers("load"), asked(stack)

    outcome = load.run(stack.gateway.port, CALLS, one_in_ten_leaves(caller))

    answered = outcome.statuses[200]
    assert set(outcome.statuses) <= {200, 429, 503} and answered
    assert all(reloads(stack, seat) for seat in SEATS), "no VM died"
    assert answered <= most(outcome)
    # What failed is given back, and its place taken by another one.
    assert answered <= asked(stack) - before <= most(outcome) + outcome.statuses[503] + outcome.torn
    budget = released(caller)["budget"]
    assert 0 < budget["spent_usd"] <= most(outcome) * cost(**USAGE)


def test_what_nobody_is_left_to_settle_comes_back_with_its_lease(doomed, quick):
    stack, callers = doomed
    caller = callers("load")
    # Each seat settles for the other one when that dies. Only a call that loses both leaves something behind.
    for _ in range(LAST_CALL - 1):
        assert caller.chat().status == 200
    assert caller.chat().status == 503

    tokens, dollars = reserved(usage_of(caller))
    assert tokens > 0 and dollars > 0, "somebody has settled it, so that this shows nothing"
    assert all(reloads(stack, seat) for seat in SEATS[:1])
    budget = released(caller)["budget"]
    assert budget["spent_usd"] == (LAST_CALL - 1) * cost(**USAGE)


def reloads(stack, seat: str) -> int:
    """How often a VM of this seat has died and come back."""
    return stack.counter(f"wasm.neural_router_{seat}.vm_reload_success")


def usage_of(caller: Caller) -> dict:
    """`GET /v1/usage`, however many VMs die while they answer it."""
    def answered():
        try:
            return caller.usage()
        except (AssertionError, ValueError):  # refused, cut off before its head, cut off amid its body
            return None
    return until(answered, "an answer of a living VM", 15)


def released(caller: Caller) -> dict:
    """The same as soon as nothing is reserved, which leases must see to."""
    def nothing_reserved():
        usage = usage_of(caller)
        return usage if reserved(usage) == (0, 0) else None
    return until(nothing_reserved, "leases to end", LEASE_SECONDS, 0.1)


def test_the_window_of_tokens_slides(minutes):
    caller, before, after = next(minute for minute in minutes if time.time() < minute[1] + 58)
    time.sleep(before + 58 - time.time())
    while True:
        began = time.time()
        answer = caller.chat()
        ended = time.time()
        if answer.status == 200:
            break
        wait = int(answer.header("retry-after"))
        assert answer.status == 429 and began < after + 64
        assert before + 60 <= ended + wait and began + wait <= after + 65
        time.sleep(0.1)
    assert ended >= before + 60, "admitted within the minute"
