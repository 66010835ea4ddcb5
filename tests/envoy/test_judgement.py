"""The choice of a candidate as a caller sees it: decisions shown, decisions alone, and decisions by what traffic has shown."""

import json
import time

import pytest

import stack as stacks
from configuration import BY_COST, BY_QUALITY, PROVIDER_OF
from gateway import assert_error
from programs import until
from requests_json import WEATHER_TOOL

TURNS = [{"role": "user", "content": "Say hello."}, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Again."}]


def decide(gateway, model="auto", route=(), **fields) -> dict:
    """The `routing` object of a decision that nobody was asked for."""
    answer = gateway.chat(model, route={"dry_run": True} | dict(route), **fields)
    assert answer.status == 200, answer.body[:400]
    return answer.routing


def logged(stack, answer) -> dict:
    """The decision in the access log line of a call."""
    ident = answer.header("x-request-id")
    line = until(lambda: next((line for line in stack.envoy.output().splitlines() if ident in line), None), "the line of the call", 10)
    return json.loads(json.loads(line)["decision"])


def test_a_dry_run_asks_nobody_and_costs_nothing(gateway, fresh, no_provider_called):
    caller = fresh("metered")
    answer = caller.chat(route={"dry_run": True})
    body = answer.json()
    assert (answer.status, body["object"], body["choices"], body["model"]) == (200, "chat.completion", [], "meter")
    assert (body["routing"]["selected"], body["routing"]["attempts"]) == ("meter", [])
    assert body["routing"]["estimated_cost_usd"] > 0 and "cost_usd" not in body["routing"]
    assert caller.spent() == 0
    embedding = gateway.call("POST", "/v1/embeddings", body=json.dumps(
        {"model": "auto", "input": "x", "route": {"dry_run": True}}).encode(), headers=[("content-type", "application/json")])
    assert (embedding.status, embedding.json()["object"], embedding.json()["data"]) == (200, "list", [])


@pytest.mark.parametrize("call", [{"model": "no-such-model"}, {"route": {"task_class": "poetry"}}, {"text": "word " * 200_000}], ids=["model", "class", "window"])
def test_a_dry_run_is_refused_as_the_call_would_be(gateway, no_provider_called, call):
    route = call.pop("route", {})
    dry, real = (gateway.chat(**({"model": "auto"} | call), route=route | more) for more in ({"dry_run": True}, {}))
    assert dry.status == real.status >= 400 and dry.json() == real.json()


@pytest.mark.parametrize(("objective", "order"), [("quality", BY_QUALITY), ("cost", BY_COST)])
def test_an_explanation_has_every_candidate_in_order(gateway, objective, order):
    candidates = decide(gateway, route={"explain": True, "objective": objective})["candidates"]
    ranked = [one for one in candidates if "excluded" not in one]
    assert [one["model"] for one in ranked] == order
    assert [one["provider"] for one in ranked] == [PROVIDER_OF[model] for model in order]
    assert all(0 < one["q"] <= 1 and one["c_usd"] > 0 and one["latency_ms"] > 0 for one in ranked)
    scores = [one["score"] for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert {one["model"]: one["excluded"] for one in candidates if "excluded" in one} == {"text-embedding-3-small": "gives embeddings"}


def test_an_explanation_comes_with_an_answer_too(gateway):
    routing = gateway.chat("auto", route={"explain": True, "objective": "cost"}).routing
    assert [one["model"] for one in routing["candidates"] if "q" in one] == BY_COST and routing["attempts"]
    assert "candidates" not in gateway.chat("auto").routing


def test_what_a_candidate_lacks_is_said(gateway):
    candidates = decide(gateway, route={"explain": True}, messages=[{"role": "user", "content": [
        {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}])["candidates"]
    assert next(one["excluded"] for one in candidates if one["model"] == "llama-3.3-70b") == "lacks vision"


@pytest.mark.parametrize(("text", "expected"), [
    ("Write a Python function that merges two sorted lists, with type hints and unit tests.\n```python\ndef merge(a, b):\n    pass\n```", "code"),
    ("Translate the following sentence into German: The weather is nice today.", "translation"),
    ("Summarize the following article in three sentences: The council met on Tuesday to discuss the new bridge.", "summarization"),
    ("Write a short poem about the sea in autumn.", "creative"),
])
def test_the_task_class_is_told_from_the_messages(gateway, text, expected):
    assert decide(gateway, text=text)["task_class"] == expected
    assert decide(gateway, text=text, route={"task_class": "math"})["task_class"] == "math"


def test_what_a_call_costs_is_told_with_it(fresh, sim):
    caller = fresh("metered")
    sim.behave("openai", tokens={"prompt": 100, "completion": 50})
    routing = caller.chat().routing
    assert routing["cost_usd"] == pytest.approx(0.25) and routing["estimated_cost_usd"] > 0
    streamed = caller.chat(stream=True, stream_options={"include_usage": True}).chunks
    assert [chunk["routing"]["cost_usd"] for chunk in streamed if chunk.get("usage")] == [pytest.approx(0.25)]


def test_the_cost_has_the_attempts_that_were_charged_for_in_it(stack, fresh, sim):
    caller = fresh("metered")
    sim.behave("openai", text="", tokens={"prompt": 100, "completion": 0})
    sim.behave("groq", tokens={"prompt": 100, "completion": 50})
    answer = caller.chat("meter-pair")
    assert [attempt["outcome"] for attempt in answer.routing["attempts"]] == ["malformed", "ok"]
    assert answer.routing["cost_usd"] == pytest.approx(0.35) and float(caller.spent()) == pytest.approx(0.35)


def test_the_policy_has_one_name_for_one_set_of_figures(gateway, keys):
    names = {decide(gateway, route={"objective": objective})["policy"] for objective in ("cost", "quality")}
    assert len(names) == 1
    assert decide(gateway, "gpt-4o", key=keys["narrow"])["policy"] not in names


@pytest.mark.parametrize("model", ["auto", "gpt-4o"])
def test_the_access_log_has_what_the_decision_rested_on(stack, gateway, model):
    answer = gateway.chat(model, text=stack.secrets.prompt, tools=[WEATHER_TOOL], max_tokens=77, route={"max_latency_ms": 60_000})
    decision = logged(stack, answer)
    assert decision["objective"] == "quality-per-dollar" and decision["needs"] == ["tools"] and decision["stream"] is False
    assert (decision["max_output"], decision["max_latency_ms"]) == (77, 60_000) and decision["prompt_tokens"] > 10
    assert decision["selected"] == answer.routing["selected"] and decision["policy"] == answer.routing["policy"]
    assert decision["task_class"] == answer.routing["task_class"] and 0 <= decision["difficulty"] <= 1
    assert decision["estimated_cost_usd"] == answer.routing["estimated_cost_usd"]


LOOK = 0.15  # seconds in which every worker looks at the records anew

# What traffic has shown: an Envoy of its own, made anew for each test.


@pytest.fixture
def adaptive(stack, sim, tmp_path):
    """Starts an Envoy that goes by traffic, its configuration changed by whoever asks."""
    running = []

    def start(configure=lambda config: None):
        def change(config):
            config["routing"]["adaptive"] = True
            configure(config)
        context = stacks.beside(stack, tmp_path, configure=change)
        running.append(context)
        return context.__enter__()
    yield start
    for context in running:
        context.__exit__(None, None, None)


def test_a_provider_that_keeps_failing_is_left_alone_and_taken_back(adaptive, sim):
    gateway = adaptive().gateway
    route = {"objective": "quality"}
    sim.fault("anthropic", "status", status=500)
    for _ in range(3):
        assert [one["provider"] for one in gateway.chat("auto", route=route).routing["attempts"]][0] == "anthropic"
    time.sleep(LOOK)
    cooled = decide(gateway, route=route | {"explain": True})
    assert cooled["selected"] == "gpt-4o"
    [left_alone] = [one for one in cooled["candidates"] if one["model"] == "claude-sonnet"]
    assert left_alone["excluded"].startswith("cools down")
    assert [one["provider"] for one in gateway.chat("auto", route=route).routing["attempts"]] == ["openai"], "not even tried"
    sim.heal("anthropic")
    until(lambda: gateway.chat("auto", route=route).routing["selected"] == "claude-sonnet", "it is tried again and answers", 20)
    assert gateway.chat("auto", route=route).routing["selected"] == "claude-sonnet"


def test_a_provider_that_asks_to_be_left_alone_is(adaptive, sim):
    gateway = adaptive().gateway
    sim.fault("openai", "status", status=429, retry_after=3, times=1)
    route = {"fallbacks": ["llama-3.3-70b"]}
    assert gateway.chat("gpt-4o", route=route).routing["selected"] == "llama-3.3-70b"
    time.sleep(LOOK)
    began = time.monotonic()
    assert decide(gateway, "gpt-4o", route=route)["selected"] == "llama-3.3-70b"
    until(lambda: decide(gateway, "gpt-4o", route=route)["selected"] == "gpt-4o", "its end", 10)
    assert 1.5 < time.monotonic() - began < 5


def test_where_all_cool_down_the_least_bad_is_tried(adaptive, sim):
    gateway = adaptive().gateway
    for provider in sim.providers:
        sim.fault(provider, "status", status=500)
    for _ in range(4):
        assert gateway.chat("auto").status == 503
    for provider in sim.providers:
        sim.heal(provider)
    answer = gateway.chat("auto")
    assert answer.status == 200 and answer.routing["selected"] in PROVIDER_OF


def test_latency_follows_traffic(adaptive, sim):
    gateway = adaptive().gateway
    route = {"objective": "latency", "task_class": "chat"}
    assert decide(gateway, route=route)["selected"] == "gpt-4o"
    sim.behave("openai", first_token_ms=250, chunks=20, chunk_interval_ms=5)
    sim.behave("groq", first_token_ms=1, chunks=20, chunk_interval_ms=1)
    for _ in range(25):
        for model in ("gpt-4o", "llama-3.3-70b"):
            assert gateway.chat(model, stream=True).status == 200
    until(lambda: decide(gateway, route=route)["selected"] == "llama-3.3-70b", "the faster one to be chosen", 5)


def test_the_length_of_answers_is_learned(adaptive, sim):
    gateway = adaptive().gateway
    before = decide(gateway, "gpt-4o", route={"task_class": "chat"})["estimated_cost_usd"]
    sim.behave("openai", tokens={"prompt": 10, "completion": 40})
    for _ in range(30):
        assert gateway.chat("gpt-4o", route={"task_class": "chat"}).status == 200
    until(lambda: decide(gateway, "gpt-4o", route={"task_class": "chat"})["estimated_cost_usd"] < before / 3, "the lower estimate", 5)


def test_max_latency_leaves_out_who_is_too_slow_and_ends_the_call(adaptive, sim):
    gateway = adaptive().gateway
    route = {"objective": "quality", "max_latency_ms": 3_000, "explain": True}
    routing = decide(gateway, route=route, max_tokens=100)
    slow = {one["model"]: one["excluded"] for one in routing["candidates"] if "excluded" in one}
    assert routing["selected"] == "gpt-4o" and slow["claude-sonnet"].startswith("is likely to take ")
    for provider in sim.providers:
        sim.fault(provider, "hang")
    began = time.monotonic()
    answer = gateway.chat("auto", max_tokens=100, route={"max_latency_ms": 600})
    assert_error(answer, 503, "no_provider_available")
    assert 0.5 < time.monotonic() - began < 1.2


def test_conversations_are_shared_by_deployments_of_one_priority_and_stay(adaptive):
    def share(config):
        model = next(model for model in config["models"] if model["id"] == "wide-model")
        model["deployments"] = [one | {"priority": 0} for one in model["deployments"]]
    running = adaptive(share)
    key = running.secrets.workspace["wide"]
    homes = set()
    for number in range(24):
        opening = {"role": "user", "content": f"Question {number}"}
        turns = [[opening], [opening, *TURNS[1:]], [opening, *TURNS[1:], *TURNS[1:]]]
        asked = {running.gateway.chat("wide-model", key=key, messages=messages).routing["provider"] for messages in turns}
        assert len(asked) == 1, (number, asked)
        homes |= asked
    assert len(homes) == 3


def test_lots_are_drawn_as_often_as_configured_and_every_probability_is_told(adaptive, stack):
    gateway = adaptive(lambda config: config["routing"].update({"exploration": 0.5, "adaptive": False})).gateway
    routings = [decide(gateway, route={"objective": "quality"}) for _ in range(300)]
    picked = [routing["selected"] for routing in routings]
    assert set(picked) == set(BY_QUALITY)
    for routing in routings:
        expected = 0.5 + 0.5 / 3 if routing["selected"] == BY_QUALITY[0] else 0.5 / 3
        assert routing["propensity"] == pytest.approx(expected, abs=1e-6)
    # 300 × 1/6 each; five standard deviations are 32.
    assert all(18 <= picked.count(model) <= 82 for model in BY_QUALITY[1:]), {model: picked.count(model) for model in picked}
