"""Which candidate is asked first, which next, and which never."""

import json

import pytest

from configuration import BY_COST, BY_EXTRACTION_QUALITY, BY_LATENCY, BY_QUALITY, PROVIDER_OF
from gateway import assert_error
from requests_json import JSON_SCHEMA, WEATHER_TOOL

OBJECTIVES = {"quality-per-dollar", "quality", "cost", "latency"}
TASK_CLASSES = {"code", "math", "extraction", "summarization", "translation", "qa", "reasoning", "creative", "chat",
                "classification", "tools"}
IMAGE = {"role": "user", "content": [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
]}


def order(gateway, sim, **fields) -> list[str]:
    """The candidates of a call, in the order they are tried when all fail."""
    for provider in sim.providers:
        sim.fault(provider, "status", status=500)
    answer = gateway.chat(**({"model": "auto"} | fields))
    assert_error(answer, 503, "no_provider_available")
    return [attempt["model"] for attempt in answer.routing["attempts"]]


@pytest.mark.parametrize(("objective", "expected"), [("quality", BY_QUALITY), ("cost", BY_COST), ("latency", BY_LATENCY)])
def test_each_objective_has_its_own_order(gateway, sim, objective, expected):
    assert order(gateway, sim, route={"objective": objective}) == expected


def test_the_default_objective_is_quality_per_dollar(gateway, sim):
    named = order(gateway, sim, route={"objective": "quality-per-dollar"})
    assert order(gateway, sim) == named
    assert sorted(named) == sorted(BY_COST)
    sim.reset()
    routing = gateway.chat("auto").routing
    assert routing["objective"] == "quality-per-dollar" and routing["selected"] == named[0]


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_the_same_call_is_always_ranked_the_same(gateway, objective):
    routings = [gateway.chat("auto", route={"objective": objective}).routing for _ in range(12)]
    choices = {(routing["selected"], routing["reason"], routing["candidates_considered"]) for routing in routings}
    assert len(choices) == 1
    assert routings[0]["objective"] == objective and routings[0]["candidates_considered"] == 3


def test_the_task_class_chooses_the_column_of_quality_figures(gateway, sim):
    assert order(gateway, sim, route={"objective": "quality", "task_class": "extraction"}) == BY_EXTRACTION_QUALITY
    assert order(gateway, sim, route={"objective": "quality", "task_class": "code"}) == BY_QUALITY
    assert order(gateway, sim, route={"objective": "quality", "task_class": "math"}) == BY_QUALITY


@pytest.mark.parametrize(("fallbacks", "expected"), [
    ([], BY_QUALITY),
    (["llama-3.3-70b"], ["claude-sonnet", "llama-3.3-70b", "gpt-4o"]),
    (["llama-3.3-70b", "gpt-4o"], ["claude-sonnet", "llama-3.3-70b", "gpt-4o"]),
    (["gpt-4o", "llama-3.3-70b"], BY_QUALITY),
    (["claude-sonnet", "llama-3.3-70b"], ["claude-sonnet", "llama-3.3-70b", "gpt-4o"]),
    (["llama-3.3-70b", "llama-3.3-70b"], ["claude-sonnet", "llama-3.3-70b", "gpt-4o"]),
])
def test_fallbacks_come_after_the_best_and_before_the_rest(gateway, sim, fallbacks, expected):
    assert order(gateway, sim, route={"objective": "quality", "fallbacks": fallbacks}) == expected


@pytest.mark.parametrize("fallbacks", [[], ["llama-3.3-70b"], ["claude-sonnet", "llama-3.3-70b"], ["llama-3.3-70b", "claude-sonnet"]])
def test_a_named_model_is_followed_by_its_fallbacks_only(gateway, sim, fallbacks):
    assert order(gateway, sim, model="gpt-4o", route={"fallbacks": fallbacks}) == ["gpt-4o", *fallbacks]


def test_the_provider_named_in_routing_is_the_one_that_was_asked(gateway, sim):
    for model, provider in PROVIDER_OF.items():
        assert gateway.chat(model).routing["provider"] == provider
        assert len(sim.requests(provider)) == 1


def test_deployments_of_one_model_are_tried_in_the_order_of_the_file(gateway, sim, keys):
    tried = order(gateway, sim, model="wide-model", key=keys["wide"])
    assert tried == ["wide-model"] * len(tried)
    assert [recorded.json()["model"] for recorded in sim.requests("openai")] == ["wide-1", "wide-4"]


@pytest.mark.parametrize(("fields", "expected"), [
    ({}, "trial-tiny"),
    ({"text": "x" * 40_000}, "trial-plain"),
    ({"text": "x" * 40_000, "tools": [WEATHER_TOOL]}, "trial-tools"),
    ({"text": "json " * 8_000, "response_format": {"type": "json_object"}}, "trial-full"),
    ({"text": "x" * 40_000, "response_format": JSON_SCHEMA}, "trial-full"),
    ({"text": "x" * 40_000, "reasoning_effort": "low"}, "trial-full"),
    ({"text": "x" * 40_000, "tools": [WEATHER_TOOL], "parallel_tool_calls": True}, "trial-full"),
    ({"messages": [{"role": "user", "content": "x" * 40_000}, IMAGE]}, "trial-full"),
    ({"max_tokens": 3_000}, "trial-plain"),
    ({"max_completion_tokens": 3_000}, "trial-plain"),
], ids=["small", "long prompt", "tools", "json_object", "json_schema", "reasoning", "parallel tools", "image", "long answer",
        "long completion"])
def test_only_a_model_that_can_do_it_is_asked(gateway, keys, fields, expected):
    answer = gateway.chat("auto", key=keys["trial"], **(fields | {"route": {"objective": "cost"}}))
    assert answer.status == 200, answer.body[:400]
    assert answer.routing["selected"] == expected


@pytest.mark.parametrize(("fields", "word"), [
    ({"tools": [WEATHER_TOOL]}, "tools"),
    ({"response_format": {"type": "json_object"}}, "json_object"),
    ({"response_format": JSON_SCHEMA}, "json_schema"),
    ({"messages": [IMAGE]}, "vision"),
])
def test_when_none_can_do_it_the_answer_says_what_is_missing(gateway, keys, no_provider_called, fields, word):
    answer = gateway.chat("trial-plain", key=keys["trial"], **fields)
    assert word in assert_error(answer, 400, "invalid_request")["message"]


def test_a_prompt_too_long_for_every_model_is_refused(gateway, no_provider_called):
    error = assert_error(gateway.chat("gpt-4o", text="word " * 200_000), 400, "invalid_request", "context_length_exceeded", "messages")
    assert "128000" in error["message"]


def test_an_embedding_model_is_never_asked_to_chat(gateway, sim):
    answer = gateway.chat("text-embedding-3-small")
    assert_error(answer, 400, "invalid_request", "wrong_model_kind", "model")
    assert "text-embedding-3-small" not in order(gateway, sim, route={"objective": "cost"})


@pytest.mark.parametrize("model", ["nothing", "", "GPT-4o", "gpt-4o ", "wide-model", "gpt-4o-2024-11-20", "*", "x" * 5000, "mod\u00e8le"])
def test_an_unknown_or_forbidden_model_is_not_found(gateway, no_provider_called, model):
    answer = gateway.chat(model)
    if model == "":
        assert_error(answer, 400, "invalid_request", param="model")
    else:
        error = assert_error(answer, 404, "model_not_found", "model_not_found", "model")
        assert len(error["message"]) < 1000


@pytest.mark.parametrize(("fallbacks", "param"), [
    (["nothing"], "route.fallbacks[0]"),
    (["llama-3.3-70b", "wide-model"], "route.fallbacks[1]"),
    (["auto"], "route.fallbacks[0]"),
])
def test_an_unknown_fallback_is_not_found_before_anyone_is_asked(gateway, no_provider_called, fallbacks, param):
    assert_error(gateway.chat("gpt-4o", route={"fallbacks": fallbacks}), 404, "model_not_found", "model_not_found", param)


@pytest.mark.parametrize(("route", "param", "valid"), [
    ({"objective": "cheapest"}, "route.objective", OBJECTIVES),
    ({"objective": ""}, "route.objective", OBJECTIVES),
    ({"task_class": "poetry"}, "route.task_class", TASK_CLASSES),
    ({"objectives": "cost"}, "route.objectives", {"objective", "fallbacks", "max_latency_ms", "task_class"}),
    ({"fallback": []}, "route.fallback", {"objective", "fallbacks", "max_latency_ms", "task_class"}),
])
def test_an_unknown_word_in_route_is_answered_with_the_valid_ones(gateway, no_provider_called, route, param, valid):
    error = assert_error(gateway.chat("auto", route=route), 400, "invalid_request", param=param)
    assert all(word in error["message"] for word in valid), error["message"]


@pytest.mark.parametrize(("route", "param"), [
    ([], "route"), ("cost", "route"), (7, "route"), (True, "route"),
    ({"objective": 5}, "route.objective"), ({"objective": ["cost"]}, "route.objective"),
    ({"fallbacks": "gpt-4o"}, "route.fallbacks"), ({"fallbacks": [7]}, "route.fallbacks[0]"),
    ({"fallbacks": ["gpt-4o", None]}, "route.fallbacks[1]"), ({"fallbacks": {"0": "gpt-4o"}}, "route.fallbacks"),
    ({"fallbacks": ["gpt-4o"] * 17}, "route.fallbacks"), ({"fallbacks": ["gpt-4o"] * 10_000}, "route"),
    ({"max_latency_ms": "100"}, "route.max_latency_ms"), ({"max_latency_ms": -1}, "route.max_latency_ms"),
    ({"max_latency_ms": 0}, "route.max_latency_ms"), ({"max_latency_ms": 1.5}, "route.max_latency_ms"),
    ({"max_latency_ms": 2**64}, "route.max_latency_ms"), ({"max_latency_ms": True}, "route.max_latency_ms"),
    ({"task_class": 1}, "route.task_class"),
], ids=lambda value: json.dumps(value)[:50])
def test_a_route_of_wrong_form_is_refused_where_it_is_wrong(gateway, no_provider_called, route, param):
    assert_error(gateway.chat("auto", route=route), 400, "invalid_request", param=param)


def test_an_empty_route_is_no_route(gateway):
    for route in ({}, {"fallbacks": []}):
        assert gateway.chat("gpt-4o", route=route).status == 200
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hi."}],"route":null}'
    assert gateway.post(body).status == 200
