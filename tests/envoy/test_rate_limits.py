"""How often a workspace may call: what is admitted, when the next call is, and what costs nothing."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import http2
from answers import ANSWERS, BURST, USAGE, assert_limited, exhausted, failing, refused_by_provider
from caller import limit_names, limits_of, milliseconds
from gateway import assert_error
from programs import until

INTERVAL_MS = 30_000  # of the kinds `calls`, `both` and `keyed`


def test_a_burst_is_admitted_and_the_next_call_is_not(fresh, sim):
    caller = fresh("calls")
    answers = [caller.chat() for _ in range(BURST + 2)]

    assert [answer.status for answer in answers] == [200] * BURST + [429] * 2
    assert [limits_of(answer)["remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    for answer in answers[BURST:]:
        assert_limited(answer, "requests_per_minute_exceeded")
        assert 25 <= int(answer.header("retry-after")) <= INTERVAL_MS // 1000
    resets = [milliseconds(limits_of(answer)["reset-requests"]) for answer in answers[:BURST]]
    for number, reset in enumerate(resets, 1):
        assert number * INTERVAL_MS - 5000 <= reset <= number * INTERVAL_MS
    assert len(sim.requests("openai")) == BURST


def test_a_burst_at_once_is_admitted_to_the_last_call_and_no_further(fresh):
    caller = fresh("calls")
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: caller.chat().status, range(24)))
    assert sorted(statuses) == [200] * BURST + [429] * (24 - BURST)


def test_calls_come_back_one_by_one(fresh):
    caller = fresh("quick")  # one every 100 ms, two at once
    began = time.monotonic()
    admitted = 0
    while time.monotonic() < began + 1.0:
        admitted += caller.chat().status == 200
    elapsed = time.monotonic() - began
    assert 2 + 8 <= admitted <= 2 + int(elapsed / 0.1)


def test_after_the_time_of_retry_after_the_call_is_admitted(fresh):
    caller = fresh("second")
    assert caller.chat().status == 200
    refused = caller.chat()
    assert_limited(refused, "requests_per_minute_exceeded")
    assert refused.header("retry-after") == "1"
    time.sleep(1.0)
    assert caller.chat().status == 200


def test_over_http_2_it_is_the_same(fresh):
    caller = exhausted(fresh("calls"))
    port = caller.stack.gateway.port
    body = b'{"model":"meter","messages":[{"role":"user","content":"Hi."}]}'
    answer = http2.exchange(port, http2.request_headers(port, "POST", "/v1/chat/completions", caller.key), body)
    assert_limited(answer, "requests_per_minute_exceeded")
    assert set(limits_of(answer)) == limit_names("requests")


FREE = ["200 models", "200 one model", "200 usage", "400 body", "400 parameter", "404 model", "404 one model", "415", "503"]


@pytest.mark.parametrize("case", FREE)
def test_what_asks_no_provider_or_finds_none_costs_nothing(fresh, sim, case):
    caller = fresh("both")
    for _ in range(BURST + 1):
        ANSWERS[case][2](caller, sim)
    usage = caller.settled()
    assert usage["requests"]["remaining"] == BURST
    assert (usage["tokens"]["used"], usage["tokens"]["remaining"]) == (0, 1000)


@pytest.mark.parametrize("case", ["402", "403 of a rule"])
def test_a_refusal_for_money_or_content_costs_nothing(fresh, sim, no_provider_called, case):
    caller = fresh("everything")
    for _ in range(BURST + 1):
        ANSWERS[case][2](caller, sim)
    assert caller.settled()["requests"]["remaining"] == BURST


def test_a_refused_call_does_not_move_the_next_one_away(fresh):
    caller = exhausted(fresh("calls"))
    waits = [int(caller.chat().header("retry-after")) for _ in range(20)]
    assert max(waits) <= INTERVAL_MS // 1000 and waits == sorted(waits, reverse=True)


def test_a_provider_s_refusal_of_the_request_counts_as_a_call(fresh, sim):
    caller = fresh("both")
    assert refused_by_provider(caller, sim).status == 400
    usage = caller.settled()
    assert (usage["requests"]["remaining"], usage["tokens"]["used"]) == (BURST - 1, 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_s_429_that_another_one_absorbs_costs_the_caller_nothing_extra(fresh, sim, stream):
    caller = fresh("both")
    sim.fault("openai", "status", status=429, retry_after=30)
    sim.behave("groq", tokens=USAGE)

    answer = caller.chat("meter-pair", stream=stream)

    assert answer.status == 200 and answer.header("retry-after") is None
    assert limits_of(answer)["remaining"] == str(BURST - 1)
    usage = caller.settled()
    assert (usage["requests"]["remaining"], usage["tokens"]["used"]) == (BURST - 1, 150)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_call_nobody_answers_is_given_back(fresh, sim, status):
    caller = fresh("both")
    failing(sim, status)
    for _ in range(BURST + 2):
        assert_error(caller.chat("meter-pair"), 503, "no_provider_available")
        assert caller.settled()["requests"]["remaining"] == BURST
    assert caller.settled()["tokens"]["used"] == 0


def test_a_key_has_limits_beside_those_of_its_workspace(fresh, sim):
    caller = fresh("keyed")
    assert [caller.chat(by="small").status for _ in range(3)] == [200, 200, 429]
    assert caller.usage("wide")["requests"]["remaining"] == 2, "a refusal by the key's limit took a call of the workspace"
    assert [caller.chat(by="wide").status for _ in range(3)] == [200, 200, 429]
    assert caller.chat(by="big").status == 429
    assert caller.usage("big")["key_limits"]["requests"]["remaining"] == 9, "a refusal by the workspace's limit took a call of the key"


def test_usage_shows_the_limits_of_the_calling_key(fresh):
    caller = fresh("keyed")
    caller.chat(by="small")
    small, wide = caller.settled("small"), caller.settled("wide")
    assert (small["workspace"], small["key"], wide["key"]) == (caller.workspace, "small", "wide")
    assert (small["requests"]["remaining"], small["key_limits"]["requests"]["remaining"]) == (3, 1)
    assert small["tokens"] is None and small["key_limits"]["tokens"]["used"] > 0
    assert wide["key_limits"] is None and wide["requests"]["remaining"] == 3


def test_a_key_s_limits_are_released_and_given_back_too(fresh, sim):
    caller = fresh("keyed")
    failing(sim)
    assert caller.chat("meter-pair", by="small").status == 503
    limits = until(lambda: (usage := caller.usage("small")) and not usage["key_limits"]["tokens"]["reserved"] and usage, "nothing reserved")
    assert limits["key_limits"]["requests"]["remaining"] == 2 and limits["requests"]["remaining"] == 4


def test_workspaces_do_not_share_limits(fresh):
    one, other = exhausted(fresh("calls")), fresh("calls")
    assert one.chat().status == 429 and other.chat().status == 200


def test_a_client_that_is_refused_is_refused_before_a_stream_begins(fresh):
    assert_limited(exhausted(fresh("calls")).chat(stream=True), "requests_per_minute_exceeded")
