"""Every wire protocol through Envoy: text, tools, streams, usage, and failover between each two of them."""

import json

import pytest

import zoo
from gateway import assert_error
from requests_json import WEATHER_TOOL

TOKENS = {"prompt": 100, "cached": 40, "cache_write": 0, "completion": 50, "reasoning": 0}
PAIRS = [(first, second) for first in zoo.MODELS for second in zoo.MODELS if zoo.MODELS[first] != zoo.MODELS[second]]


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """The running gateway with all providers."""
    with zoo.running(tmp_path_factory.mktemp("zoo")) as running:
        yield running


@pytest.fixture
def sim(animals):
    """The simulator, healthy; every provider expects its own key."""
    animals.simulator.reset()
    for name in zoo.PROVIDERS:
        _behave(animals, name)
    return animals.simulator


def _behave(animals, provider: str, **settings) -> None:
    animals.simulator.behave(provider, api_key=animals.secrets.provider[provider], **settings)


def _ok(answer):
    assert answer.status == 200, answer.body[:800]
    assert not answer.torn
    return answer


@pytest.mark.parametrize("model", zoo.MODELS)
def test_a_chat_is_answered(animals, sim, model):
    provider = zoo.MODELS[model]
    _behave(animals, provider, text="Hello from here.", tokens=TOKENS)

    answer = _ok(animals.gateway.chat(model, max_tokens=100))

    body = answer.json()
    assert answer.text == "Hello from here." and body["model"] == model and body["object"] == "chat.completion"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["prompt_tokens"] == 100 and body["usage"]["completion_tokens"] == 50 and body["usage"]["total_tokens"] == 150
    assert answer.routing["selected"] == model and answer.routing["provider"] == provider
    received = sim.only(provider)
    keys = [value for name, value in received.headers if animals.secrets.provider[provider] in value]
    assert len(keys) == 1 and animals.secrets.provider[provider] not in received.path
    assert animals.secrets.workspace["acme"] not in str(received.headers)


@pytest.mark.parametrize("split", [None, 1, 7], ids=["as sent", "byte by byte", "in sevens"])
@pytest.mark.parametrize("model", zoo.MODELS)
def test_a_stream_is_answered_and_says_what_a_whole_answer_says(animals, sim, model, split):
    provider = zoo.MODELS[model]
    settings = {"text": "Hello from here, in pieces.", "tokens": TOKENS} | ({"split_bytes": split} if split else {})
    _behave(animals, provider, **settings)

    whole = _ok(animals.gateway.chat(model, max_tokens=100))
    stream = _ok(animals.gateway.chat(model, max_tokens=100, stream=True, stream_options={"include_usage": True}))

    assert stream.done and stream.streamed_text == whole.text == "Hello from here, in pieces."
    assert stream.chunks[-1]["usage"] == whole.json()["usage"]
    reasons = [choice["finish_reason"] for chunk in stream.chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert reasons == ["stop"]
    assert {chunk["model"] for chunk in stream.chunks} == {model} and len({chunk["id"] for chunk in stream.chunks}) == 1


def _called(stream) -> list[dict]:
    calls: dict[int, dict] = {}
    for chunk in stream.chunks:
        for choice in chunk["choices"]:
            for delta in choice["delta"].get("tool_calls") or []:
                call = calls.setdefault(delta["index"], {"id": None, "name": None, "arguments": ""})
                call["id"] = delta.get("id") or call["id"]
                call["name"] = delta.get("function", {}).get("name") or call["name"]
                call["arguments"] += delta.get("function", {}).get("arguments") or ""
    assert sorted(calls) == list(range(len(calls))), "indices are dense from 0"
    return [calls[index] for index in sorted(calls)]


@pytest.mark.parametrize("model", zoo.MODELS)
def test_tools_are_called_and_their_results_are_taken(animals, sim, model):
    provider = zoo.MODELS[model]
    _behave(animals, provider, tool_calls=True, tool_call_count=2)
    ask = {"tools": [WEATHER_TOOL], "tool_choice": "auto", "max_tokens": 200}

    whole = _ok(animals.gateway.chat(model, **ask)).json()["choices"][0]
    stream = _ok(animals.gateway.chat(model, stream=True, **ask))

    calls = whole["message"]["tool_calls"]
    assert whole["finish_reason"] == "tool_calls" and len(calls) == 2 and len({call["id"] for call in calls}) == 2
    expected = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
    assert [(call["name"], json.loads(call["arguments"])) for call in _called(stream)] == expected
    assert len({call["id"] for call in _called(stream)}) == 2

    results = [{"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"} for call in calls]
    messages = [{"role": "user", "content": "The weather?"}, whole["message"], *results]
    _behave(animals, provider, text="It is warm.")
    answer = _ok(animals.gateway.chat(model, messages=messages, tools=[WEATHER_TOOL], max_tokens=200))
    assert answer.text == "It is warm."


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{first} to {second}" for first, second in PAIRS])
def test_a_failing_provider_is_left_for_one_of_another_protocol(animals, sim, first, second, stream):
    sim.fault(zoo.MODELS[first], "status", status=503)
    _behave(animals, zoo.MODELS[second], text="Served by the second.")

    answer = _ok(animals.gateway.chat(first, route={"fallbacks": [second]}, stream=stream, max_tokens=100))

    text = answer.streamed_text if stream else answer.text
    routing = answer.chunks[0]["routing"] if stream else answer.routing
    assert text == "Served by the second." and routing["selected"] == second
    assert [attempt["outcome"] for attempt in routing["attempts"]] == ["status", "ok"]
    received = sim.only(zoo.MODELS[second])
    assert animals.secrets.provider[zoo.MODELS[first]] not in str(received.headers), "a key went to another provider"


@pytest.mark.parametrize("fault", ["sse_error_first", "sse_error_after_preamble", "empty_body", "html", "truncated_json"])
@pytest.mark.parametrize("model", [model for model in zoo.MODELS if model != "openai"])
def test_what_is_no_answer_is_left_for_the_next_candidate(animals, sim, model, fault):
    sim.fault(zoo.MODELS[model], fault)
    _behave(animals, "openai", text="Served.")

    answer = _ok(animals.gateway.chat(model, route={"fallbacks": ["openai"]}, stream=fault.startswith("sse"), max_tokens=100))

    assert (answer.streamed_text if fault.startswith("sse") else answer.text) == "Served."


@pytest.mark.parametrize("model", zoo.MODELS)
def test_a_refusal_names_who_refused_and_nothing_that_is_ours(animals, sim, model):
    sim.fault(zoo.MODELS[model], "status", status=400)

    error = assert_error(animals.gateway.chat(model, max_tokens=100), 400, "invalid_request")

    assert error["message"].startswith(f"{zoo.MODELS[model]} refused the request: ")


@pytest.mark.parametrize("model", zoo.MODELS)
def test_a_stream_that_breaks_off_is_not_presented_as_complete(animals, sim, model):
    sim.fault(zoo.MODELS[model], "end_mid_stream", after_chunks=2)

    answer = animals.gateway.chat(model, stream=True, max_tokens=100)

    assert answer.status == 200 and not answer.done
    assert answer.stream_errors[0]["code"] == "stream_interrupted"
