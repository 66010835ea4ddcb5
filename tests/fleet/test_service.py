"""The service itself, asked directly: what the fleet's tests go by must be exact, and last."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from counting import Redis, Service
from programs import until
from rls import GRPC_UNAVAILABLE, GRPC_UNIMPLEMENTED, OK, OVER_LIMIT, Answer, should_rate_limit

LIMIT = 200
# Every hit of its own is a write to Redis's file, and those take turns; leases are few.
PATIENT_MS = 20_000


def limit(most: int = LIMIT) -> dict:
    """As `nr render ratelimit --for limitador-1` writes it."""
    return {
        "namespace": "neural-router", "max_value": most, "seconds": 60,
        "conditions": ['nr_scope == "acme"', 'nr_limit == "requests"'], "variables": ["nr_window"]}


def asked(window: str) -> dict[str, str]:
    """The entries of a question."""
    return {"nr_scope": "acme", "nr_limit": "requests", "nr_window": window}


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """One Redis."""
    running = Redis(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


@pytest.fixture(params=["limitador", "envoyproxy"])
def service(request, tmp_path, redis):
    """A service with one limit, with the habits of either of the two that users run."""
    redis.cli("FLUSHALL")
    file = tmp_path / "limits.yaml"
    file.write_text(yaml.safe_dump([limit()]))
    running = Service(tmp_path, file, redis, request.param)
    yield running
    running.stop()


def at_once(service: Service, window: str, threads: int = 8, times: int = 100, hits: int = 1) -> list[Answer]:
    """So many questions from so many connections."""
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda _: should_rate_limit(service.port, asked(window), hits, times), range(threads))
        return [answer for answers in found for answer in answers]


def test_of_questions_at_once_exactly_the_limit_is_let_in(service, redis):
    service.timeout_ms = PATIENT_MS
    service.stop()
    service.start()

    answers = at_once(service, "now")

    codes = [answer.code for answer in answers]
    assert codes.count(OK) == LIMIT and codes.count(OVER_LIMIT) == len(answers) - LIMIT
    counted = {"limitador": LIMIT, "envoyproxy": len(answers)}[service.like]
    assert redis.counters() == {("acme", "requests", "now"): counted}
    counts = service.counts()
    assert (counts["authorized_calls"], counts["limited_calls"]) == (LIMIT, len(answers) - LIMIT)


def test_questions_for_many_hits_are_let_in_as_a_whole_or_not_at_all(service):
    answers = at_once(service, "now", threads=4, times=3, hits=30)

    assert [answer.code for answer in answers].count(OK) == LIMIT // 30


def test_what_is_left_is_said_by_the_one_that_says_it(service):
    [first] = should_rate_limit(service.port, asked("now"), 100)
    [refused] = should_rate_limit(service.port, asked("now"), LIMIT)

    assert first.remaining == {"limitador": None, "envoyproxy": LIMIT - 100}[service.like]
    assert (refused.code, refused.remaining) == (OVER_LIMIT, {"limitador": None, "envoyproxy": 0}[service.like])


def test_windows_scopes_and_domains_are_counted_apart(service):
    spend = should_rate_limit(service.port, asked("now"), LIMIT)
    for other in (should_rate_limit(service.port, asked("later"), LIMIT),
                  should_rate_limit(service.port, asked("now") | {"nr_scope": "globex"}, LIMIT),
                  should_rate_limit(service.port, asked("now"), LIMIT, domain="another")):
        assert [answer.code for answer in spend + other] == [OK, OK]
    assert should_rate_limit(service.port, asked("now"))[0].code == OVER_LIMIT


def test_new_limits_hold_for_what_was_counted_and_bad_ones_change_nothing(service):
    def left() -> bool:
        return should_rate_limit(service.port, asked("now"))[0].code == OK

    assert should_rate_limit(service.port, asked("now"), LIMIT)[0].code == OK
    assert not left()
    service.limits.write_text("- namespace: [")
    service.child.process.send_signal(signal.SIGHUP)
    until(lambda: "the limits stay as they were" in service.child.errors(), "a complaint")
    assert not left()
    service.limits.write_text(yaml.safe_dump([limit(10 * LIMIT)]))
    service.child.process.send_signal(signal.SIGHUP)
    until(left, "the larger limit to hold")
    service.limits.write_text(yaml.safe_dump([limit(1)]))  # seen without being told to look
    until(lambda: not left(), "the smaller limit to hold")


def test_without_redis_it_says_so_and_goes_on_where_redis_was(service, redis):
    assert should_rate_limit(service.port, asked("now"), LIMIT - 1)[0].code == OK
    before = redis.counters()
    redis.kill()
    assert should_rate_limit(service.port, asked("now")) == [Answer(GRPC_UNAVAILABLE)]
    assert service.status() == 503

    redis.start()

    assert redis.counters() == before
    until(lambda: service.status() == 200, "Redis to be found again")
    # The first question may find the connection that Redis has left.
    first = until(lambda: (answer := should_rate_limit(service.port, asked("now"))[0]).status == 0 and answer, "an answer")
    assert first.code == OK
    assert should_rate_limit(service.port, asked("now"))[0].code == OVER_LIMIT


def test_another_method_is_refused_and_the_end_is_clean(service):
    other = "/envoy.service.ratelimit.v3.RateLimitService/Other"
    assert should_rate_limit(service.port, asked("now"), path=other) == [Answer(GRPC_UNIMPLEMENTED)]
    assert service.stop() == 0
