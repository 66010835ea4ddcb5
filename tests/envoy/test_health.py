"""Health, cool-downs and speed of deployments, as `/v1/models` shows them; on an Envoy of this file's own, where nobody else fails."""

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import stack as stacks
from configuration import EVERY_CAPABILITY

MODELS = 16
UNKNOWN = {"first_token_ms": None, "first_token_p95_ms": None, "tokens_per_second": None}
PERCENTILE_ERROR = 0.0911


def _chat(number: int) -> dict:
    return {
        "id": f"vital-{number}", "provider_name": "OpenAI", "context_window": 128_000, "max_output_tokens": 4_096,
        "price": {"input_per_m": 1, "output_per_m": 1}, "capabilities": EVERY_CAPABILITY, "quality": {"default": 0.5},
        "deployments": [{"provider": "openai", "model": f"vital-{number}"}],
    }


def _configure(config: dict) -> None:
    config["models"] += [_chat(number) for number in range(MODELS)]
    acme = next(workspace for workspace in config["workspaces"] if workspace["id"] == "acme")
    acme["models"] = [*acme["models"], "vital-*"]


@pytest.fixture(scope="module")
def own(stack, tmp_path_factory):
    """An Envoy whose models all have one deployment, each known by nothing."""
    with stacks.beside(stack, tmp_path_factory.mktemp("vitals"), configure=_configure) as running:
        yield running.gateway


@pytest.fixture(scope="module")
def numbers():
    """The models that no test has called yet."""
    return itertools.count()


@pytest.fixture
def model(numbers, sim) -> str:
    """A model of which nothing is known, before healthy providers."""
    number = next(numbers)
    assert number < MODELS, "more tests than models: raise MODELS"
    return f"vital-{number}"


def shown(own, model: str) -> dict:
    answer = own.call("GET", f"/v1/models/{model}")
    assert answer.status == 200
    return answer.json()


def health(own, model: str) -> str:
    return shown(own, model)["health"]


def eventually(own, model: str, figure: str) -> dict:
    """The model once a figure of its speed is there, which may lag by a tenth of a second."""
    deadline = time.monotonic() + 2
    while (entry := shown(own, model))["latency"][figure] is None:
        assert time.monotonic() < deadline, f"{figure} never came: {entry}"
        time.sleep(0.02)
    return entry


def test_nothing_is_known_of_a_model_that_nobody_has_called(own, model):
    entry = shown(own, model)
    assert (entry["health"], entry["success_rate"], entry["latency"]) == ("healthy", None, UNKNOWN)


@pytest.mark.parametrize("stream", [False, True])
def test_a_failing_deployment_is_degraded_then_down_and_an_answer_heals_it(own, sim, model, stream):
    assert own.chat(model, stream=stream).status == 200
    assert health(own, model) == "healthy"
    sim.fault("openai", "status", status=500)
    seen = []
    for _ in range(4):
        assert own.chat(model, stream=stream).status == 503
        seen.append(health(own, model))
    assert seen == ["degraded", "degraded", "down", "down"]
    assert shown(own, model)["success_rate"] == 0.2
    time.sleep(1.1)  # the cool-down is over
    assert health(own, model) == "down", "time alone proves nothing"
    sim.heal("openai")
    assert own.chat(model, stream=stream).status == 200
    entry = shown(own, model)
    assert (entry["health"], entry["success_rate"]) == ("healthy", 1.0)


def test_every_worker_and_every_listing_says_the_same(own, sim, model):
    sim.fault("openai", "status", status=503)
    for _ in range(3):
        own.chat(model)
    with ThreadPoolExecutor(8) as pool:  # the kernel spreads connections over the workers
        seen = set(pool.map(lambda _: health(own, model), range(16)))
    listed = {entry["id"]: entry["health"] for entry in own.call("GET", "/v1/models").json()["data"]}
    assert seen == {"down"} and listed[model] == "down"


def test_a_retry_after_cools_down_until_a_call_succeeds(own, sim, model):
    sim.fault("openai", "status", status=429, retry_after=1)
    assert own.chat(model).status == 503
    assert health(own, model) == "degraded"
    sim.heal("openai")
    time.sleep(1.1)
    assert health(own, model) == "degraded", "it has yet to be tried"
    assert own.chat(model).status == 200
    assert health(own, model) == "healthy"


@pytest.mark.parametrize("stream", [False, True])
def test_a_rate_limit_that_an_answer_has_used_up_cools_down(own, sim, model, stream):
    used_up = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "700ms"}
    sim.behave("openai", headers=used_up)
    assert own.chat(model, stream=stream).status == 200
    entry = shown(own, model)
    assert (entry["health"], entry["success_rate"]) == ("degraded", 1.0)
    sim.behave("openai", headers={**used_up, "x-ratelimit-remaining-requests": "59"})
    time.sleep(0.8)
    assert own.chat(model, stream=stream).status == 200
    assert health(own, model) == "healthy"


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_without_patience_does_not_bring_a_provider_down(own, sim, model, stream):
    assert own.chat(model, stream=stream).status == 200
    sim.fault("openai", "hang")
    for bound in (1, 2, 5, 20, 60, 100, 150, 200):
        assert own.chat(model, stream=stream, route={"max_latency_ms": bound}).status == 503
    assert health(own, model) == "healthy"
    assert shown(own, model)["success_rate"] == 1.0
    assert own.chat(model, stream=stream).status == 503
    assert health(own, model) == "degraded", "the operator's patience counts"


def test_a_caller_who_leaves_says_nothing_of_the_provider(own, sim, model):
    sim.behave("openai", chunks=3, chunk_interval_ms=300)
    for stream in (False, True):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                own.chat(model, stream=stream, timeout=0.15)
    time.sleep(0.3)
    assert health(own, model) == "healthy"


def test_streams_that_break_off_count_against_the_provider(own, sim, model):
    sim.fault("openai", "end_mid_stream", after_chunks=2)
    answer = own.chat(model, stream=True)
    assert answer.status == 200 and not answer.done
    entry = shown(own, model)
    assert (entry["health"], entry["success_rate"]) == ("degraded", 0.0)


def test_the_speed_shown_is_the_one_the_provider_has(own, sim, model):
    chunks, first_token_ms, interval_ms, tokens = 11, 120, 20, 41
    sim.behave("openai", first_token_ms=first_token_ms, chunk_interval_ms=interval_ms, chunks=chunks,
               tokens={"prompt": 9, "completion": tokens})
    for _ in range(6):
        assert own.chat(model, stream=True).done
    latency = eventually(own, model, "tokens_per_second")["latency"]
    assert first_token_ms <= latency["first_token_ms"] <= first_token_ms + 60, latency
    assert latency["first_token_p95_ms"] >= first_token_ms * (1 - PERCENTILE_ERROR), latency
    assert latency["first_token_p95_ms"] <= (first_token_ms + 150) * (1 + PERCENTILE_ERROR), latency
    # 40 tokens after the first, in ten intervals of 20 ms and what the machine adds.
    fastest = (tokens - 1) / ((chunks - 1) * interval_ms / 1000)
    assert 0.5 * fastest <= latency["tokens_per_second"] <= 1.1 * fastest, latency


def test_whole_answers_have_no_first_token(own, sim, model):
    sim.behave("openai", first_token_ms=50)
    assert own.chat(model).status == 200
    time.sleep(0.3)
    entry = shown(own, model)
    assert entry["latency"] == UNKNOWN and entry["success_rate"] == 1.0


def test_an_embedding_is_its_own_first_token(own, sim):
    body = json.dumps({"model": "text-embedding-3-small", "input": "hello"}).encode()
    assert shown(own, "text-embedding-3-small")["latency"] == UNKNOWN
    sim.behave("openai", first_token_ms=60)
    assert own.call("POST", "/v1/embeddings", body=body).status == 200
    entry = eventually(own, "text-embedding-3-small", "first_token_ms")
    assert 0 < entry["latency"]["first_token_ms"] < 400 and entry["latency"]["tokens_per_second"] is None
    sim.fault("openai", "status", status=500)
    seen = []
    for _ in range(3):
        own.call("POST", "/v1/embeddings", body=body)
        seen.append(health(own, "text-embedding-3-small"))
    assert seen == ["degraded", "degraded", "down"]


def test_under_load_nothing_is_lost(own, sim, model):
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: own.chat(model, stream=True).status, range(80)))
    assert statuses == [200] * 80
    sim.fault("openai", "status", status=400)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: own.chat(model), range(20)))
    sim.fault("openai", "status", status=500)
    assert own.chat(model).status == 503
    time.sleep(0.25)  # what waited is written
    assert shown(own, model)["success_rate"] == round(80 / 81, 3)
