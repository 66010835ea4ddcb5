"""What bounds a failover: the number of attempts, the deadline, and load."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from configuration import ANSWER_TIMEOUT_MS, FIRST_TOKEN_TIMEOUT_MS, MAX_ATTEMPTS, WIDE_DEPLOYMENTS
from gateway import assert_error

AT_ONCE = 60


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_more_candidates_are_tried_than_allowed(gateway, sim, keys, stream):
    for provider in sim.providers:
        sim.fault(provider, "status", status=500)

    answer = gateway.chat("wide-model", key=keys["wide"], stream=stream)

    assert_error(answer, 503, "no_provider_available")
    providers = [provider for provider, _ in WIDE_DEPLOYMENTS[:MAX_ATTEMPTS]]
    assert [attempt["provider"] for attempt in answer.routing["attempts"]] == providers
    received = [recorded.json()["model"] for name in sim.providers for recorded in sim.requests(name)]
    assert sorted(received) == [model for _, model in WIDE_DEPLOYMENTS[:MAX_ATTEMPTS]]


def test_the_last_allowed_attempt_still_serves(gateway, sim, keys):
    for provider in ("openai", "groq", "anthropic"):
        sim.fault(provider, "status", status=500, times=1)

    answer = gateway.chat("wide-model", key=keys["wide"])

    assert answer.status == 200
    assert [attempt["outcome"] for attempt in answer.routing["attempts"]] == ["status"] * 3 + ["ok"]
    assert [recorded.json()["model"] for recorded in sim.requests("openai")] == ["wide-1", "wide-4"]


@pytest.mark.parametrize(("kind", "settings"), [
    ("status", {"status": 503}), ("reset_before_headers", {}), ("refuse", {}), ("html", {}),
], ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_sixty_calls_at_once_all_fall_over(gateway, sim, kind, settings, stream):
    sim.fault("openai", kind, **settings)
    sim.behave("anthropic", text="Served.")

    def call(number: int):
        return gateway.chat(text=f"Call {number}", stream=stream, route={"fallbacks": ["claude-sonnet"]})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(call, range(AT_ONCE)))

    assert [answer.status for answer in answers] == [200] * AT_ONCE
    texts = {answer.streamed_text if stream else answer.text for answer in answers}
    assert texts == {"Served."} and not any(answer.torn for answer in answers)
    ids = {answer.chunks[0]["id"] if stream else answer.json()["id"] for answer in answers}
    assert len(ids) == AT_ONCE


def test_calls_at_once_do_not_mix_their_answers(gateway, sim):
    def call(number: int):
        tokens = 10 + number
        answer = gateway.chat(("gpt-4o", "claude-sonnet", "llama-3.3-70b")[number % 3], text=f"Number {number} " + "x" * number,
                              max_tokens=tokens, stream=number % 2 == 0)
        return number, answer.status
    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = dict(pool.map(call, range(3 * AT_ONCE)))
    assert set(statuses.values()) == {200}
    received = [recorded.json() for name in sim.providers for recorded in sim.requests(name)]
    assert len(received) == 3 * AT_ONCE
    for body in received:
        content = body["messages"][0]["content"]
        text = content if isinstance(content, str) else content[0]["text"]
        assert int(text.split()[1]) + 10 == body["max_tokens"]


def elapsed(call):
    started = time.monotonic()
    answer = call()
    return answer, (time.monotonic() - started) * 1000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_ends_by_its_deadline_when_nobody_answers(gateway, sim, stream):
    for provider in sim.providers:
        sim.fault(provider, "hang")

    answer, took = elapsed(lambda: gateway.chat(
        "auto", stream=stream, route={"max_latency_ms": 250, "fallbacks": ["gpt-4o", "claude-sonnet"]}))

    assert_error(answer, 503, "no_provider_available")
    assert answer.routing["attempts"][0]["outcome"] == "timeout"
    assert 150 <= took < 250 + 350, f"{took:.0f} ms"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_deadline_longer_than_the_timeouts_lets_the_next_candidate_answer(gateway, sim, stream):
    sim.fault("openai", "hang")

    answer, took = elapsed(lambda: gateway.chat(stream=stream, max_tokens=50, route={"max_latency_ms": 3000, "fallbacks": ["claude-sonnet"]}))

    routing = answer.chunks[0]["routing"] if stream else answer.routing
    assert [attempt["outcome"] for attempt in routing["attempts"]] == ["timeout", "ok"]
    limit = FIRST_TOKEN_TIMEOUT_MS if stream else ANSWER_TIMEOUT_MS
    assert limit - 50 <= routing["attempts"][0]["latency_ms"] <= limit + 300
    assert took < limit + 1000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_deadline_bounds_an_attempt_below_the_usual_timeout(gateway, sim, stream):
    sim.fault("openai", "hang")
    answer, took = elapsed(lambda: gateway.chat(stream=stream, route={"max_latency_ms": 120}))
    assert_error(answer, 503, "no_provider_available")
    assert took < 120 + 300, f"{took:.0f} ms"


def test_a_slow_stream_that_keeps_talking_is_not_cut_by_the_first_token_timeout(gateway, sim):
    sim.behave("openai", chunks=8, chunk_interval_ms=FIRST_TOKEN_TIMEOUT_MS // 4)
    answer, took = elapsed(lambda: gateway.chat(stream=True))
    assert answer.done and took > FIRST_TOKEN_TIMEOUT_MS


def test_a_stream_past_its_deadline_ends_and_is_not_presented_as_complete(gateway, sim):
    sim.behave("openai", chunks=40, chunk_interval_ms=50)
    answer, took = elapsed(lambda: gateway.chat(stream=True, route={"max_latency_ms": 500}))
    assert took < 500 + 500, f"{took:.0f} ms"
    assert answer.streamed_text and not answer.done
    assert answer.torn or answer.stream_errors
