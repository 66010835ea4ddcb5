"""The failover matrix: every fault, streaming or not, on the first candidate and on all of them."""

import json

import pytest

import http2
from configuration import PROVIDER_OF
from faults import ROWS, ROW_NAMES
from gateway import assert_error

ROUTES = [("gpt-4o", "claude-sonnet"), ("claude-sonnet", "gpt-4o")]


@pytest.fixture(params=["http1", "http2"])
def ask(request, gateway):
    """Makes a chat call, by either protocol of the listener."""
    if request.param == "http1":
        return gateway.chat

    def over_http2(model: str, **fields):
        payload = {"model": model, "messages": [{"role": "user", "content": "Say hello."}]} | fields
        headers = http2.request_headers(gateway.port, "POST", "/v1/chat/completions", gateway.key)
        return http2.exchange(gateway.port, headers, json.dumps(payload).encode())

    return over_http2


def attempts_of(routing: dict) -> list[dict]:
    """The attempts without their latencies, which are checked here."""
    for attempt in routing["attempts"]:
        assert 0 <= attempt["latency_ms"] < 10_000, attempt
    return [{key: value for key, value in attempt.items() if key != "latency_ms"} for attempt in routing["attempts"]]


@pytest.mark.parametrize("route", ROUTES, ids=["openai first", "anthropic first"])
@pytest.mark.parametrize(("fault", "mode"), ROWS, ids=ROW_NAMES)
def test_a_call_whose_first_candidate_fails_is_served_by_the_second(ask, sim, fault, mode, route):
    first, second = route
    fault.set(sim, PROVIDER_OF[first])
    sim.behave(PROVIDER_OF[second], text="Served by the second.")

    answer = ask(first, route={"fallbacks": [second]}, stream=mode == "stream")

    assert answer.status == 200, answer.body[:600]
    assert not answer.torn
    if mode == "stream":
        assert answer.done and answer.streamed_text == "Served by the second."
        assert {chunk["model"] for chunk in answer.chunks} == {second}
        routing = answer.chunks[0]["routing"]
    else:
        assert answer.text == "Served by the second." and answer.json()["model"] == second
        routing = answer.routing
    assert routing["selected"] == second and routing["provider"] == PROVIDER_OF[second]
    assert attempts_of(routing) == [
        fault.attempt(first, PROVIDER_OF[first]),
        {"model": second, "provider": PROVIDER_OF[second], "outcome": "ok", "status": 200},
    ]
    assert answer.header("content-type").startswith("text/event-stream" if mode == "stream" else "application/json")
    assert answer.header("content-encoding") is None and answer.header("retry-after") is None


@pytest.mark.parametrize(("fault", "mode"), ROWS, ids=ROW_NAMES)
def test_when_every_candidate_fails_the_answer_lists_what_was_tried(ask, sim, fault, mode):
    models = ["claude-sonnet", "llama-3.3-70b", "gpt-4o"]
    for provider in sim.providers:
        fault.set(sim, provider)

    answer = ask(models[0], route={"fallbacks": models[1:]}, stream=mode == "stream")

    assert_error(answer, 503, "no_provider_available")
    assert attempts_of(answer.routing) == [fault.attempt(model, PROVIDER_OF[model]) for model in models]
    assert 1 <= int(answer.header("retry-after")) <= 120
    if fault.kind != "refuse":
        assert {name: len(sim.requests(name)) for name in sim.providers} == dict.fromkeys(sim.providers, 1)


@pytest.mark.parametrize(("fault", "mode"), ROWS, ids=ROW_NAMES)
def test_a_fault_of_the_last_candidate_ends_a_call_that_had_another_fault_before(ask, sim, fault, mode):
    sim.fault("openai", "status", status=502)
    fault.set(sim, "groq")

    answer = ask("gpt-4o", route={"fallbacks": ["llama-3.3-70b"]}, stream=mode == "stream")

    assert_error(answer, 503, "no_provider_available")
    assert attempts_of(answer.routing) == [
        {"model": "gpt-4o", "provider": "openai", "outcome": "status", "status": 502, "error": "unavailable"},
        fault.attempt("llama-3.3-70b", "groq"),
    ]


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
@pytest.mark.parametrize("size", [7, 50, 500])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_that_trickles_is_not_left(gateway, sim, model, size, stream):
    provider = PROVIDER_OF[model]
    text = "Grüße, 世界 \U0001f600 and more"
    sim.behave(provider, text=text)
    whole = gateway.chat(model, stream=stream, stream_options={"include_usage": True} if stream else None)
    sim.fault(provider, "trickle", bytes=size, interval_ms=0)

    trickled = gateway.chat(model, stream=stream, stream_options={"include_usage": True} if stream else None,
                            route={"fallbacks": ["llama-3.3-70b"]})

    assert trickled.status == 200 and comparable(trickled, stream) == comparable(whole, stream)
    assert len(sim.requests("groq")) == 0


def comparable(answer, stream: bool):
    """What two answers to the same call must share."""
    if not stream:
        body = answer.json()
        return body["model"], body["choices"], body["usage"]
    assert answer.done
    chunks = answer.chunks
    return [(chunk["model"], chunk["choices"], chunk.get("usage")) for chunk in chunks]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_the_request_itself_is_not_tried_elsewhere(gateway, sim, model, status, stream):
    sim.fault(PROVIDER_OF[model], "status", status=status)

    answer = gateway.chat(model, route={"fallbacks": ["llama-3.3-70b"]}, stream=stream)

    assert_error(answer, 400, "invalid_request")
    assert sim.requests("groq") == [] and len(sim.requests(PROVIDER_OF[model])) == 1


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
def test_the_provider_s_message_comes_through_without_its_secrets(gateway, sim, stack, model):
    provider = PROVIDER_OF[model]
    key = stack.secrets.provider[provider]
    message = f"temperature is too high for {key} of org-AbCdEfGhIjKlMnOp at https://internal.example/v1"
    sim.fault(provider, "status", status=400, body={
        "type": "error",
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None},
    })

    error = assert_error(gateway.chat(model), 400, "invalid_request")

    assert "temperature is too high" in error["message"]
    assert not any(secret in error["message"] for secret in (key, key[:16], "org-AbCdEfGhIjKlMnOp"))


@pytest.mark.parametrize("body", ["<html>canary</html>", "canary", {"canary": 1}, [], "\u0000"], ids=["html", "text", "object", "array", "nul"])
def test_a_refusal_in_no_known_form_is_not_quoted(gateway, sim, body):
    sim.fault("openai", "status", status=400, body=body)
    error = assert_error(gateway.chat(), 400, "invalid_request")
    assert "canary" not in error["message"]


def test_the_param_of_an_openai_refusal_is_kept(gateway):
    error = assert_error(gateway.chat(temperature=7), 400, "invalid_request")
    assert error["param"] == "temperature"


def test_a_healed_provider_is_asked_first_again(gateway, sim):
    sim.fault("openai", "status", status=500, times=1)
    route = {"fallbacks": ["llama-3.3-70b"]}
    assert [gateway.chat(route=route).routing["selected"] for _ in range(2)] == ["llama-3.3-70b", "gpt-4o"]
